//! `cargo xtask oracle [costs] [--seed N]`: our costs against two calculators that nobody here
//! wrote. `docs/prices.md` has the result and the rules behind each difference.

use anyhow::Result;

use crate::steps::{self, command, target};

/// Installs the calculators in a virtual environment under the build folder and compares.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let arguments = match arguments.first().map(String::as_str) {
        Some("costs") => &arguments[1..],
        _ => arguments,
    };
    steps::need_venv()?;
    steps::run(&mut command("cargo", &["build", "--release", "-q", "-p", "scrimp"]))?;
    let ours = format!("{} price --batch /dev/stdin", target().join("release/scrimp").display());
    let mut compare = command("python3", &["oracles/costs.py", "--ours", &ours]);
    steps::run(compare.args(arguments))
}
