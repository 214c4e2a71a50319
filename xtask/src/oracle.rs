//! `cargo xtask oracle [costs|tokens] [OPTIONS]`: our costs and our token counts against calculators
//! that nobody here wrote. `docs/prices.md` and `docs/tokens.md` have the results.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::steps::{self, command, output, target};

/// Installs the calculators in a virtual environment under the build folder and compares.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    match arguments.first().map(String::as_str) {
        Some("tokens") => tokens(&arguments[1..]),
        Some("costs") => costs(&arguments[1..]),
        _ => costs(arguments),
    }
}

fn costs(arguments: &[String]) -> Result<()> {
    steps::need_venv()?;
    steps::run(&mut command("cargo", &["build", "--release", "-q", "-p", "scrimp"]))?;
    let ours = format!("{} price --batch /dev/stdin", target().join("release/scrimp").display());
    let mut compare = command("python3", &["oracles/costs.py", "--ours", &ours]);
    steps::run(compare.args(arguments))
}

/// Counts of `OpenAI`'s own tiktoken, and its speed in the same run.
pub(crate) fn tokens(arguments: &[String]) -> Result<()> {
    steps::need_venv()?;
    let folder = target().join("oracle-tokens");
    let python = folder.join("bin/python");
    if !python.is_file() {
        steps::run(command("python3", &["-m", "venv"]).arg(&folder))?;
    }
    let pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "tiktoken==0.14.0"];
    steps::run(&mut command(&python, &pip))?;
    let example = ["build", "--release", "-q", "-p", "scrimp-tokens", "--example", "count_speed"];
    steps::run(&mut command("cargo", &example))?;
    let ours = target().join("release/examples/count_speed");
    let mut compare = command(&python, &["oracles/tokens.py", "--ours"]);
    compare.arg(ours).arg("--data").arg(vocabulary_files()?);
    steps::run(compare.args(arguments))
}

/// Where the crate that the tests compare with keeps OpenAI's vocabularies.
fn vocabulary_files() -> Result<PathBuf> {
    let metadata = output(&mut command("cargo", &["metadata", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().context("cargo metadata names packages")?;
    let package = packages.iter().find(|package| package["name"] == "bpe-openai");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let folder = manifest.and_then(|path| Some(PathBuf::from(path).parent()?.join("data")));
    folder.context("bpe-openai is a dependency of the tests")
}
