//! `scrimp analyze`, and bare `scrimp`: profile, cost and findings.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::CommandFactory as _;
use scrimp_analysis::report::{self, Paint};
use scrimp_core::Time;
use scrimp_store::Reader;

use super::price::catalog_in;
use super::{data_dir, study};
use crate::args::{Analyze, Cli, DataDir, Json, Logs};
use crate::input;
use crate::ui::{self, OrHint};

/// Where coding agents keep their transcripts, below the home folder.
const TRANSCRIPTS: [&str; 2] = [".claude/projects", ".codex/sessions"];

/// `scrimp analyze [PATH…]`
pub(crate) fn run(arguments: &Analyze) -> Result<()> {
    let prices = Arc::new(catalog_in(None, &arguments.data)?);
    let calls = match arguments.paths.as_slice() {
        [] => {
            let data = data_dir(&arguments.data)?;
            let reader = Reader::open(&data)
                .or_hint("to analyze logs instead, name their files or folders")?;
            study::read_records(&reader, &data, &prices)?
        }
        paths => study::read_logs(paths, &arguments.logs, &prices)?,
    };
    let (_, mut analysis) = study::analyse(calls, &prices);
    analysis.notes.extend(super::prices::note(data_dir(&arguments.data).ok().as_deref())?);
    if let Some(path) = &arguments.html {
        std::fs::write(path, report::html(&analysis))
            .with_context(|| format!("the page could not be written to {}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    match arguments.json.json {
        true => ui::print_json(&analysis),
        false => ui::print(&report::text(&analysis, ui::width(), paint())),
    }
}

/// Bare `scrimp`: what is found on this machine, otherwise help.
pub(crate) fn run_bare() -> Result<()> {
    let transcripts =
        home().into_iter().flat_map(|home| TRANSCRIPTS.map(|folder| home.join(folder)));
    let transcripts: Vec<PathBuf> = transcripts.collect();
    let data = data_dir(&DataDir { data: None }).ok();
    let found: Vec<PathBuf> =
        transcripts.iter().filter(|path| input::holds_files(path)).cloned().collect();
    let records = data.as_ref().filter(|folder| has_calls(folder));
    if found.is_empty() && records.is_none() {
        eprintln!("no transcripts and no records of a gateway were found; looked in:");
        for path in transcripts.iter().chain(&data) {
            eprintln!("  {}", path.display());
        }
        eprintln!();
        return Ok(Cli::command().print_help()?);
    }
    for path in &found {
        eprintln!("coding-agent transcripts in {}; more commands: scrimp --help", path.display());
    }
    if !found.is_empty() {
        run(&usual(found))?;
    }
    if let Some(folder) = records {
        // By themselves: an agent's call that went through the gateway stands in both, and would
        // count twice.
        eprintln!("the gateway's records in {}; more commands: scrimp --help", folder.display());
        run(&usual(Vec::new()))?;
    }
    Ok(())
}

/// What is asked for where nothing is.
fn usual(paths: Vec<PathBuf>) -> Analyze {
    let logs = Logs { format: None, columns: None, model: None };
    Analyze { paths, logs, html: None, data: DataDir { data: None }, json: Json { json: false } }
}

fn has_calls(data: &Path) -> bool {
    let reader = Reader::open(data);
    reader.is_ok_and(|reader| reader.scan(Time::EPOCH, Time::NEVER).next().is_some())
}

/// The user's home.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}

fn paint() -> Paint {
    let is_plain = std::env::var_os("NO_COLOR").is_some() || !std::io::stdout().is_terminal();
    if is_plain { Paint::Plain } else { Paint::Colour }
}
