//! Builds `web/` with npm, if there is one, and writes the table of embedded files.
//!
//! The sources are copied into `OUT_DIR` and built there, so that a build leaves nothing in the
//! source tree. Whatever goes wrong on the way (no Node, no network) costs the dashboard and never
//! the build: a page that says so is embedded instead, and cargo prints a warning.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// Everything of `web/` that the result depends on.
const SOURCES: &[&str] = &["src", "build.mjs", "package.json", "package-lock.json", ".npmrc"];

fn main() {
    // Asked when it runs: a checkout that was moved keeps its old place in what was compiled.
    let here = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let web = Path::new(&here).join("../../web");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo::rerun-if-env-changed=SCRIMP_SKIP_WEB");
    for fallback in ["build.rs", "fallback.html", "fallback.css"] {
        println!("cargo::rerun-if-changed={fallback}");
    }
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", web.join(source).display());
    }
    let table = match build(&web, &out) {
        Ok(dist) => embedded(&dist),
        Err(missing) => {
            missing.tell(&out);
            fallback(&out, missing.why())
        }
    };
    let table = table.expect("what was just built can be read");
    fs::write(out.join("assets.rs"), table).expect("OUT_DIR can be written");
}

/// Why there is no dashboard.
enum Missing {
    Skipped,
    NoNode,
    NotInstalled(String),
    NotBuilt(String),
}

impl Missing {
    /// For the page. Nothing of the building machine's own is in it, since it is passed on.
    fn why(&self) -> &'static str {
        match self {
            Missing::Skipped => "It was left out on purpose (SCRIMP_SKIP_WEB was set).",
            Missing::NoNode => "There was no Node.js with npm on the machine that built it.",
            Missing::NotInstalled(_) => "Its packages could not be fetched when it was built.",
            Missing::NotBuilt(_) => "Its sources did not build.",
        }
    }

    /// For whoever builds. Also has cargo try again as soon as it may work.
    fn tell(&self, out: &Path) {
        let detail = match self {
            Missing::Skipped => return,
            Missing::NoNode => {
                let path = env::var_os("PATH").unwrap_or_default();
                for folder in env::split_paths(&path).filter(|folder| folder.is_dir()) {
                    println!("cargo::rerun-if-changed={}", folder.display());
                }
                println!("cargo::rerun-if-env-changed=PATH");
                "install Node.js 20 or later with npm, and build again"
            }
            Missing::NotInstalled(detail) | Missing::NotBuilt(detail) => {
                // Cargo takes a file that is not there for one that has changed.
                println!("cargo::rerun-if-changed={}", out.join("try-again").display());
                detail
            }
        };
        println!("cargo::warning=this build has no dashboard. {} {detail}", self.why());
        println!("cargo::warning=SCRIMP_SKIP_WEB=1 leaves it out without trying");
    }
}

/// Builds the dashboard and says where, or why not.
fn build(web: &Path, out: &Path) -> Result<PathBuf, Missing> {
    if env::var_os("SCRIMP_SKIP_WEB").is_some_and(|value| value != "0") {
        return Err(Missing::Skipped);
    }
    run(Command::new(npm()).arg("--version")).map_err(|_| Missing::NoNode)?;
    let (work, dist) = (out.join("web"), out.join("dist"));
    copy_sources(web, &work).map_err(|error| Missing::NotBuilt(error.to_string()))?;
    install(&work).map_err(Missing::NotInstalled)?;
    let arguments = ["run", "--silent", "build", "--", "--out"];
    run(Command::new(npm()).current_dir(&work).args(arguments).arg(&dist))
        .map_err(Missing::NotBuilt)?;
    Ok(dist)
}

/// Installs what the lock names, unless that is what is installed.
fn install(work: &Path) -> Result<(), String> {
    let read = |name: &str| fs::read(work.join(name)).ok();
    let stamp = "installed-lock.json";
    if read(stamp).is_some() && read(stamp) == read("package-lock.json") {
        return Ok(());
    }
    let arguments = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"];
    run(Command::new(npm()).current_dir(work).args(arguments).arg("--prefer-offline"))?;
    fs::copy(work.join("package-lock.json"), work.join(stamp))
        .map(drop)
        .map_err(|error| format!("cannot note what is installed: {error}"))
}

const fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

/// Runs a command quietly. What it complained about is the error.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let told = |line: &&str| !line.starts_with(' ') && line.to_lowercase().contains("error");
    let said: Vec<_> = said.lines().filter(told).take(4).collect();
    Err(format!("npm, {}: {}", output.status, said.join("; ")))
}

fn copy_sources(web: &Path, work: &Path) -> io::Result<()> {
    fs::create_dir_all(work)?;
    match fs::remove_dir_all(work.join("src")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    SOURCES.iter().try_for_each(|source| copy(&web.join(source), &work.join(source)))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// The table of a built dashboard, from the list that the build wrote: path, type, digest.
fn embedded(dist: &Path) -> io::Result<String> {
    let list = fs::read_to_string(dist.join("assets.tsv"))?;
    let mut rows = String::new();
    for line in list.lines() {
        let [path, kind, digest] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(io::Error::other(format!("assets.tsv: `{line}` is no row")));
        };
        let gzip = row(&dist.join(format!("{path}.gz")), &format!("{digest}-gz"), "Some(\"gzip\")");
        let plain = row(&dist.join(path), digest, "None");
        write_asset(&mut rows, path, kind, &plain, &format!("Some({gzip})"));
    }
    Ok(table("true", &rows))
}

/// The table of a page that says why there is no dashboard.
fn fallback(out: &Path, why: &str) -> io::Result<String> {
    let page = fs::read_to_string("fallback.html")?.replace("{{why}}", why);
    fs::write(out.join("fallback.html"), &page)?;
    fs::copy("fallback.css", out.join("fallback.css"))?;
    let mut rows = String::new();
    let files = [
        ("index.html", "fallback.html", "text/html; charset=utf-8"),
        ("assets/fallback.css", "fallback.css", "text/css; charset=utf-8"),
    ];
    for (path, file, kind) in files {
        // The version names it well enough: the page is never cached without asking.
        let plain = row(&out.join(file), &format!("without-{}", page.len()), "None");
        write_asset(&mut rows, path, kind, &plain, "None");
    }
    Ok(table("false", &rows))
}

fn row(file: &Path, digest: &str, encoding: &str) -> String {
    let file = file.display().to_string();
    format!(
        "Representation {{ bytes: include_bytes!({file:?}), etag: \"\\\"{digest}\\\"\", \
         encoding: {encoding} }}"
    )
}

fn write_asset(rows: &mut String, path: &str, kind: &str, plain: &str, gzip: &str) {
    writeln!(
        rows,
        "    Asset {{ path: {path:?}, content_type: {kind:?}, plain: {plain}, gzip: {gzip} }},"
    )
    .expect("writing to a string does not fail");
}

fn table(built: &str, rows: &str) -> String {
    format!(
        "/// Whether the dashboard was built and is embedded; if not, a page says how to get it.\n\
         pub const BUILT: bool = {built};\n\nstatic ASSETS: &[Asset] = &[\n{rows}];\n"
    )
}
