//! `cargo xtask release`: one static binary, with all that goes out beside it, under `target/dist/`.
//!
//! What comes out depends on the commit alone: times are the commit's, and no path of this machine is
//! in the binary.

mod components;
mod licences;
mod sbom;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::Server;
use crate::steps::{command, need, output, root, run as run_to_end, target};
use components::Components;

/// What a release is made of, beside the binary and what is made of it.
const FILES: &[&str] =
    &["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "packaging/scrimp.service"];
/// Shell and the name that it looks for.
const COMPLETIONS: &[(&str, &str)] =
    &[("bash", "scrimp.bash"), ("zsh", "_scrimp"), ("fish", "scrimp.fish")];

/// `cargo xtask release`
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if !arguments.is_empty() {
        bail!("`cargo xtask release` takes no arguments: it builds for this machine's processor");
    }
    is_committed()?;
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let components = Components::of(&triple)?;
    licences::check(&components)?;
    prepare(&triple)?;
    let binary = build(&triple)?;
    is_static(&binary)?;
    smoke(&binary)?;
    let name = format!("scrimp-{}-{triple}", env!("CARGO_PKG_VERSION"));
    let dist = target().join("dist");
    let folder = dist.join(&name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    stage(&folder, &binary, &components)?;
    image(&dist.join("image"), &folder)?;
    let sbom = serde_json::to_string_pretty(&sbom::document(&components))? + "\n";
    write(&dist.join(format!("{name}.cdx.json")), &sbom)?;
    pack(&dist, &name)?;
    sums(&dist, &name)?;
    eprintln!("{}: {name}.tar.gz, {name}.cdx.json, SHA256SUMS", dist.display());
    Ok(())
}

/// The step of the tests: what a release would list and be allowed to contain, without building it.
pub(crate) fn check() -> Result<()> {
    let components = Components::of(&format!("{}-unknown-linux-musl", std::env::consts::ARCH))?;
    licences::check(&components)?;
    sbom::check(&components)
}

/// What is not committed would be in a release that says to be of a commit.
fn is_committed() -> Result<()> {
    let changed = output(&mut command("git", &["status", "--porcelain"]))?;
    match changed.is_empty() {
        true => Ok(()),
        false => bail!("a release is of a commit; commit or stash these first:\n{changed}"),
    }
}

/// The standard library for the target, and a C compiler for SQLite, ring, zstd and jemalloc.
fn prepare(triple: &str) -> Result<()> {
    need("musl-gcc", "musl-tools")?;
    need("npm", "npm").context("the dashboard is built with Node.js")?;
    need("readelf", "binutils")?;
    let sysroot = output(&mut command("rustc", &["--print", "sysroot"]))?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(triple);
    match library.is_dir() {
        true => Ok(()),
        false => run_to_end(&mut command("rustup", &["target", "add", triple]))
            .with_context(|| format!("Rust's standard library for {triple} is missing")),
    }
}

fn build(triple: &str) -> Result<PathBuf> {
    let upper = triple.to_uppercase().replace('-', "_");
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo_home = cargo_home.or_else(home).context("neither CARGO_HOME nor HOME is set")?;
    let remapped = format!(
        "--remap-path-prefix={}=/cargo --remap-path-prefix={}=/scrimp",
        cargo_home.display(),
        root().display()
    );
    let arguments = ["build", "--release", "--locked", "--package", "scrimp", "--target", triple];
    let mut cargo = command("cargo", &arguments);
    cargo.env(format!("CC_{}", triple.replace('-', "_")), "musl-gcc");
    cargo.env(format!("CARGO_TARGET_{upper}_RUSTFLAGS"), remapped);
    // Either would be taken in place of the target's.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.env_remove("SCRIMP_SKIP_WEB");
    run_to_end(&mut cargo)?;
    Ok(target().join(triple).join("release/scrimp"))
}

/// A program that needs a loader or a library is not static.
fn is_static(binary: &Path) -> Result<()> {
    let path = binary.display().to_string();
    let told = output(&mut command("readelf", &["--program-headers", "--dynamic", &path]))?;
    match told.lines().find(|line| line.contains("INTERP") || line.contains("(NEEDED)")) {
        Some(line) => bail!("{path} is not static: {}", line.trim()),
        None => Ok(()),
    }
}

/// The binary says who it is, has its dashboard, and plays the demo.
fn smoke(binary: &Path) -> Result<()> {
    let said = output(&mut command(binary, &["--version"]))?;
    if said.trim() != concat!("scrimp ", env!("CARGO_PKG_VERSION")) {
        bail!("{} says `{}` of itself", binary.display(), said.trim());
    }
    let folder = target().join("dist/smoke");
    // One that went wrong has left its own.
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let data = folder.display().to_string();
    let mut serve = command(binary, &["serve", "--listen", "127.0.0.1:0", "--data", &data]);
    let server = Server::start({
        serve.env_remove("SCRIMP_DATA");
        serve
    })?;
    output(&mut command(binary, &["doctor", "--running", "--data", &data]))?;
    let page = output(&mut command(binary, &["top", "--json", "--data", &data]))?;
    let told: serde_json::Value = serde_json::from_str(&page)?;
    if told["health"]["version"] != env!("CARGO_PKG_VERSION") {
        bail!("the gateway tells another version of itself: {}", told["health"]);
    }
    drop(server);
    let found = command(binary, &["doctor", "--offline", "--json", "--data", &data]).output()?;
    let found: serde_json::Value = serde_json::from_slice(&found.stdout)?;
    let mut checks = found["checks"].as_array().into_iter().flatten();
    let dashboard = checks.find(|check| check["check"] == "dashboard");
    if dashboard.is_none_or(|check| check["state"] != "ok") {
        bail!("the dashboard is not in the binary; the build above says why");
    }
    let demo = ["demo", "--for", "5s", "--no-open", "--listen", "127.0.0.1:0"];
    output(&mut command(binary, &demo))?;
    Ok(std::fs::remove_dir_all(folder)?)
}

fn stage(folder: &Path, binary: &Path, components: &Components) -> Result<()> {
    std::fs::create_dir_all(folder.join("completions"))?;
    std::fs::create_dir_all(folder.join("man"))?;
    let copied = |from: &Path| {
        let name = from.file_name().expect("a file");
        std::fs::copy(from, folder.join(name)).map(drop).with_context(|| from.display().to_string())
    };
    copied(binary)?;
    FILES.iter().try_for_each(|file| copied(&root().join(file)))?;
    for (shell, name) in COMPLETIONS {
        let script = output(&mut command(binary, &["completions", shell]))?;
        write(&folder.join("completions").join(name), &script)?;
    }
    let man = folder.join("man").display().to_string();
    output(&mut command(binary, &["man", "--to", &man]))?;
    write(&folder.join("THIRD-PARTY-LICENSES.txt"), &licences::texts(components)?)
}

/// What the Dockerfile copies: the binary, and a data directory to be its user's.
fn image(image: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(image.join("data"))?;
    std::fs::copy(folder.join("scrimp"), image.join("scrimp"))?;
    std::fs::copy(folder.join("THIRD-PARTY-LICENSES.txt"), image.join("THIRD-PARTY-LICENSES.txt"))?;
    Ok(())
}

/// An archive that is the same whenever and by whomever it is made.
fn pack(dist: &Path, name: &str) -> Result<()> {
    let time = output(&mut command("git", &["log", "-1", "--format=%ct"]))?;
    let (time, archive) = (format!("--mtime=@{}", time.trim()), format!("{name}.tar"));
    let as_anybody = ["--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go+r-w,a+X"];
    let mut tar = command("tar", &["--create", "--file", &archive, "--sort=name", &time]);
    run_to_end(tar.args(as_anybody).arg(name).current_dir(dist))?;
    let mut gzip = command("gzip", &["--best", "--no-name", "--force", &archive]);
    run_to_end(gzip.current_dir(dist))
}

fn sums(dist: &Path, name: &str) -> Result<()> {
    let files = [format!("{name}.tar.gz"), format!("{name}.cdx.json")];
    let mut sums = command("sha256sum", &[]);
    let sums = output(sums.args(files).current_dir(dist))?;
    write(&dist.join("SHA256SUMS"), &sums)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| path.display().to_string())
}
