//! `cargo xtask prices FILE [--taken DAY] [--source NAME]`: the shipped price snapshot, from a copy
//! of `LiteLLM`'s `model_prices_and_context_window.json`.
//!
//! Prints what changed against the snapshot that is there and what was held back, and writes the new
//! one. The same file gives the same bytes. What the new list bills otherwise stays in the dated
//! prices beside it, with the day that it was taken as its last.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use scrimp_wire::prices;

const SNAPSHOT: &str = "crates/wire/data/prices.txt";
const CONTEXTS: &str = "crates/wire/data/contexts.txt";
const DATED: &str = "crates/wire/data/dated.txt";

/// Makes the snapshot from the arguments after the chore's name. Runs in the repository's root.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut file = None;
    let mut taken = today();
    let mut source = "LiteLLM model_prices_and_context_window.json".to_owned();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().cloned().with_context(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--taken" => taken = value()?,
            "--source" => source = value()?,
            _ if arg.starts_with('-') => bail!("{arg} is no option; there are --taken, --source"),
            path => file = Some(path.to_owned()),
        }
    }
    let file = file.context("which file? usage: cargo xtask prices FILE [--taken 2026-11-23]")?;
    let json = fs::read(&file).with_context(|| format!("cannot read {file}"))?;
    let (rows, report) = prices::from_litellm(&json);
    if rows.is_empty() {
        bail!("{file} holds no prices:\n{report}");
    }
    let text = prices::write(&rows, &taken, &source);
    let new = prices::parse(&text)?;
    if new.rows().count() != rows.len() {
        bail!("the snapshot does not hold what was written to it: a name is no single word");
    }
    if !Path::new("crates/wire").is_dir() {
        bail!("run this in the repository's root");
    }
    let old = read(SNAPSHOT)?;
    let old = prices::parse(&old).with_context(|| format!("{SNAPSHOT} cannot be read"))?;
    let dated = read(DATED)?;
    let kept = prices::keep(&dated, &old, &new).with_context(|| format!("in {DATED}"))?;
    eprint!("{report}");
    eprint!("{}", prices::diff(&old, &new));
    eprint!("{kept}");
    let is_listed = |provider: &str, model: &str| {
        rows.iter().any(|row| &*row.provider == provider && &*row.model == model)
    };
    write(CONTEXTS, &prices::contexts_of_litellm(&json, is_listed))?;
    // First what would be lost: after the list is written, the old one is gone.
    write(DATED, &kept.text)?;
    write(SNAPSHOT, &text)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

fn write(path: &str, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {path}"))?;
    eprintln!("{path}: {} bytes", text.len());
    Ok(())
}

fn today() -> String {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    now.date().to_string()
}
