//! `cargo xtask test`: everything that must hold before a change lands.
//!
//! Each part is a step with a name; `cargo xtask test NAME…` runs only those. What a step needs it
//! installs through the system's package managers (Debian packages, npm, pip in a virtual
//! environment under `target/`), or it says exactly what is missing.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::steps::{self, command, root, target};
use crate::{clients, reference, release, tidy};

/// A part of the tests: its name and what runs it.
type Step = (&'static str, fn() -> Result<()>);

const STEPS: &[Step] = &[
    ("fmt", fmt),
    ("tidy", || tidy::run(&[])),
    ("parts", release::check),
    ("clippy", clippy),
    ("web", web),
    ("rust", rust),
    ("docs", docs),
    ("clients", clients::run),
    ("browser", clients::browser),
];

/// `cargo xtask test [STEP…]`
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let known = |name: &String| STEPS.iter().any(|(step, _)| step == name);
    if let Some(unknown) = arguments.iter().find(|name| !known(name)) {
        let names: Vec<_> = STEPS.iter().map(|(name, _)| *name).collect();
        bail!("no step `{unknown}`; there are: {}", names.join(", "));
    }
    let chosen = STEPS
        .iter()
        .filter(|(name, _)| arguments.is_empty() || arguments.iter().any(|wanted| wanted == name));
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, step) in chosen {
        eprintln!("── {name}");
        let started = Instant::now();
        let result = step();
        let took = started.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                eprintln!("── {name}: passed in {took:.0} s");
                passed += 1;
            }
            Err(error) => {
                eprintln!("── {name}: FAILED in {took:.0} s: {error:#}");
                failed.push(*name);
            }
        }
    }
    eprintln!("steps: {passed} passed, {} failed", failed.len());
    match failed.is_empty() {
        true => Ok(()),
        false => bail!("failed: {}", failed.join(", ")),
    }
}

fn fmt() -> Result<()> {
    steps::run(&mut command("cargo", &["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    steps::run(&mut command("cargo", &arguments))
}

fn rust() -> Result<()> {
    steps::run(&mut command("cargo", &["test", "--workspace", "--quiet", "--no-fail-fast"]))
}

fn docs() -> Result<()> {
    let mut doc = command("cargo", &["doc", "--workspace", "--no-deps", "--quiet"]);
    steps::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    reference::check()
}

fn web() -> Result<()> {
    steps::npm_ci("web")?;
    let npm = |arguments: &[&str]| {
        let mut npm = command("npm", arguments);
        steps::run(npm.current_dir(root().join("web")))
    };
    npm(&["run", "--silent", "check"])?;
    npm(&["run", "--silent", "test"])?;
    let out = target().join("web");
    std::fs::create_dir_all(&out)?;
    npm(&["run", "--silent", "build"])
}
