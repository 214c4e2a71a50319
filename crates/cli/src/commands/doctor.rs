//! `scrimp doctor`: what is wrong with this installation, and the way out.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use scrimp_analysis::report::wrap;
use scrimp_server::doctor::{Check, Examination, Outbound, State, examine};
use scrimp_server::journal::Files;
use serde::Serialize;

use super::data_dir;
use super::price::{catalog_in, now};
use super::running::Running;
use crate::args::{DataDir, Doctor};
use crate::ui;

/// What was found, as scripts get it.
#[derive(Serialize)]
struct Found<'a> {
    version: &'static str,
    problems: usize,
    warnings: usize,
    checks: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    check: &'a str,
    state: &'static str,
    found: &'a str,
    way_out: Option<&'a str>,
}

/// `scrimp doctor`
pub(crate) fn run(arguments: &Doctor) -> Result<()> {
    let Doctor { config, listen, offline, running, data, json } = arguments;
    if *running {
        return is_running(data);
    }
    let files = Files { config: config.clone(), data: data_dir(data)? };
    let own = files.load().ok().and_then(|config| config.prices);
    let prices = catalog_in(own.as_deref(), data).map(|catalog| catalog.taken);
    let checks = examine(Examination {
        files: &files,
        listen: *listen,
        outbound: if *offline { Outbound::None } else { Outbound::Named },
        prices: prices.map_err(|error| format!("{error:#}")),
        now: now(),
    });
    match json.json {
        true => ui::print_json(&found(&checks))?,
        false => ui::print(&told(&checks, ui::width()))?,
    }
    match count(&checks, State::Problem) {
        0 => Ok(()),
        1 => bail!("1 problem"),
        problems => bail!("{problems} problems"),
    }
}

/// What `/readyz` says, in words and by the exit code.
fn is_running(data: &DataDir) -> Result<()> {
    let data = data_dir(data)?;
    let missing = || format!("no gateway runs on {}", data.display());
    ui::print(&Running::on(&data).with_context(missing)?.ready()?)
}

fn count(checks: &[Check], state: State) -> usize {
    checks.iter().filter(|check| check.state == state).count()
}

fn word(state: State) -> &'static str {
    match state {
        State::Fine => "ok",
        State::Warning => "warning",
        State::Problem => "problem",
    }
}

fn found(checks: &[Check]) -> Found<'_> {
    Found {
        version: env!("CARGO_PKG_VERSION"),
        problems: count(checks, State::Problem),
        warnings: count(checks, State::Warning),
        checks: checks.iter().map(row).collect(),
    }
}

fn row(check: &Check) -> Row<'_> {
    let Check { name, state, found, way_out } = check;
    Row { check: name, state: word(*state), found, way_out: way_out.as_deref() }
}

fn told(checks: &[Check], width: usize) -> String {
    let widest = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Check { name, state, found, way_out } in checks {
        let label = format!("{:<8} {name:<widest$}  ", word(*state));
        let blanks = " ".repeat(label.chars().count());
        let mut lines = wrap(&label, &blanks, found, width);
        if let Some(way_out) = way_out {
            lines.extend(wrap(&format!("{blanks}→ "), &format!("{blanks}  "), way_out, width));
        }
        for line in lines {
            writeln!(text, "{line}").expect("a text takes everything");
        }
    }
    text
}
