//! Running commands, and finding or installing what they need.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The repository.
pub(crate) fn root() -> PathBuf {
    // What cargo says now: a checkout that was moved keeps its old place in what was compiled.
    let xtask =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&xtask).parent().expect("xtask lies in the repository").to_path_buf()
}

/// Where builds go.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A command that runs in the repository.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    // What cargo tells this chore about itself; a cargo below it would take it for a change of its
    // own, and build whatever looks at it (ring, and all above) anew.
    let of_this_chore =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars().filter(|(name, _)| of_this_chore(name)) {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end; an exit code other than 0 is an error that names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("`{shown}` could not be started"))?;
    match status.success() {
        true => Ok(()),
        false => bail!("`{shown}` ended with {status}"),
    }
}

/// Runs an example, optimised, to its end.
pub(crate) fn example(package: &str, name: &str, arguments: &[String]) -> Result<()> {
    let mut cargo = command("cargo", &["run", "--release", "-q", "-p", package]);
    run(cargo.args(["--example", name, "--"]).args(arguments))
}

/// Runs a command and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command.output().with_context(|| format!("`{shown}` could not be started"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => bail!(
            "`{shown}` ended with {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// Whether a program can be started.
pub(crate) fn has(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// Makes sure that `program` is there, installing Debian's `package` if it may; otherwise says
/// exactly what is missing.
pub(crate) fn need(program: &str, package: &str) -> Result<()> {
    match has(program) {
        true => Ok(()),
        false => install(&format!("`{program}`"), package),
    }
}

fn install(what: &str, package: &str) -> Result<()> {
    let hint = format!("{what} is missing: install the package `{package}`");
    if !has("apt-get") {
        bail!("{hint} with your system's package manager");
    }
    eprintln!("installing {package} for {what}");
    let as_root =
        if has("sudo") && !is_root() { vec!["sudo", "-n", "apt-get"] } else { vec!["apt-get"] };
    let apt = |arguments: &[&str]| {
        let mut command = command(as_root[0], &as_root[1..]);
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        output(&mut command)
    };
    apt(&["update", "-qq"]).context(hint.clone())?;
    apt(&["install", "-qq", "-y", "--no-install-recommends", package]).context(hint)?;
    Ok(())
}

const OLDEST_NODE: u32 = 20;
const NODE_IS_NEEDED: &str = "Node.js 20 or newer is needed";

/// Whether what `node --version` said is new enough. Debian's own package may not be.
fn new_enough(version: &str) -> Result<()> {
    let version = version.trim();
    let major =
        version.strip_prefix('v').and_then(|numbers| numbers.split('.').next()?.parse().ok());
    match major {
        Some(OLDEST_NODE..) => Ok(()),
        Some(_) => {
            bail!("{NODE_IS_NEEDED}, and `node` here is {version}: install it from nodejs.org")
        }
        None => bail!("{NODE_IS_NEEDED}, and `node --version` says `{version}`"),
    }
}

/// Installs what the `package-lock.json` in `folder` names.
pub(crate) fn npm_ci(folder: &str) -> Result<()> {
    need("npm", "npm").context(NODE_IS_NEEDED)?;
    new_enough(&output(&mut command("node", &["--version"])).context(NODE_IS_NEEDED)?)?;
    let mut npm = command("npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    run(npm.current_dir(root().join(folder)))
}

/// Makes sure that Python can make virtual environments, which Debian packs apart from it.
pub(crate) fn need_venv() -> Result<()> {
    need("python3", "python3")?;
    let has_venv = || output(&mut command("python3", &["-c", "import ensurepip, venv"])).is_ok();
    match has_venv() {
        true => Ok(()),
        false => install("python3's venv module", "python3-venv"),
    }
}

fn is_root() -> bool {
    output(&mut command("id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::new_enough;

    #[test]
    fn an_old_node_is_named_and_a_new_one_passes() {
        let told = |version| new_enough(version).unwrap_err().to_string();
        assert_eq!(
            told("v18.20.4\n"),
            "Node.js 20 or newer is needed, and `node` here is v18.20.4: install it from nodejs.org"
        );
        assert!(told("segmentation fault").contains("`node --version` says `segmentation fault`"));
        new_enough("v20.0.0\n").unwrap();
        new_enough("v100.1.0\n").unwrap();
    }
}
