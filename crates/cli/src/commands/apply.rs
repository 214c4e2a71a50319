//! `scrimp apply`, `undo` and `proof`: turn a finding on for a share, take it back, see what it did.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use scrimp_analysis::proof::Verdict;
use scrimp_analysis::replay::{Trace, predict};
use scrimp_core::{Catalog, Share};
use scrimp_server::Config;
use scrimp_server::journal::{self, Application, Files, Judged};
use scrimp_store::{OpenError, Options, Reader, Store};
use serde_json::{Value, json};

use super::price::{catalog_in, now};
use super::running::{Running, user};
use super::{data_dir, study};
use crate::args::{Apply, Proof, Undo};
use crate::ui::{self, OrHint, dollars, percent};

const BUSY: &str =
    "a gateway is running on this directory: apply and undo on its dashboard, or stop it";
const ELSEWHERE: &str = "another data directory is named with --data DIR, or by SCRIMP_DATA";

/// `scrimp apply ID`
pub(crate) fn apply(arguments: &Apply) -> Result<()> {
    let data = data_dir(&arguments.data)?;
    if let Some(running) = Running::on(&data) {
        return apply_running(&running, arguments);
    }
    let prices = Arc::new(catalog_in(None, &arguments.data)?);
    let reader = Reader::open(&data).or_hint(ELSEWHERE)?;
    let calls = study::read_records(&reader, &data, &prices)?;
    let share = Share::from_millionths(arguments.share);
    let (trace, analysis) = study::analyse(calls, &prices);
    for note in &analysis.notes {
        eprintln!("note: {note}");
    }
    let named = |id: &str| id.eq_ignore_ascii_case(&arguments.finding);
    let finding = analysis.findings.iter().find(|finding| named(&finding.id));
    let finding = finding
        .with_context(|| format!("there is no finding {}", arguments.finding))
        .or_hint("`scrimp analyze` lists them")?;
    let application = application(finding, share, &trace, &prices)
        .with_context(|| format!("{} is a note: there is nothing to apply", finding.id))?;
    agree(arguments, &finding.title, &application.change)?;
    let files = Files { config: arguments.config.clone(), data: data.clone() };
    let store = open(&data)?;
    let number = journal::apply(&files, &store, &application, &user(), now())?;
    store.close()?;
    ui::print(&format!(
        "journal #{number} in {}        undo: {}",
        files.writable().display(),
        undoing(number, arguments.data.data.as_deref())
    ))
}

/// The command that takes an entry back.
fn undoing(number: u64, data: Option<&Path>) -> String {
    let data = data.map_or(String::new(), |data| format!(" --data {}", data.display()));
    format!("scrimp undo {number}{data}")
}

/// Shows what would be written, and asks.
fn agree(arguments: &Apply, title: &str, change: &str) -> Result<()> {
    let percent = f64::from(arguments.share) / 1e4;
    let share = f64::from(arguments.share) / 1e6;
    eprintln!("{title}\n{}+ share = {share}\n", added(change));
    eprintln!("{percent}% of sessions, sticky. Stops by itself if dearer, or if errors rise.");
    match arguments.yes || ui::confirm("Apply?")? {
        true => Ok(()),
        false => bail!("not applied; `--yes` applies without asking"),
    }
}

/// The same through a gateway that holds the directory: its findings, its configuration.
fn apply_running(running: &Running, arguments: &Apply) -> Result<()> {
    let findings = running.findings()?;
    let named = |finding: &&Value| {
        finding["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(&arguments.finding))
    };
    let found = findings.iter().find(named);
    let found = found
        .with_context(|| format!("the gateway has no finding {}", arguments.finding))
        .or_hint(format!("it has {}", ids(&findings)))?;
    let change = found["change"].as_str().context("it is a note: there is nothing to apply")?;
    agree(arguments, found["title"].as_str().unwrap_or_default(), change)?;
    let share = f64::from(arguments.share) / 1e6;
    let wanted = json!({ "finding": found["id"], "share": share });
    let done = running.post("policies/apply", &wanted)?;
    let number = done["number"].as_u64().context("the gateway did not say the entry's number")?;
    let undo = undoing(number, arguments.data.data.as_deref());
    ui::print(&format!("journal #{number}        undo: {undo}"))
}

fn ids(findings: &[Value]) -> String {
    let ids: Vec<&str> = findings.iter().filter_map(|finding| finding["id"].as_str()).collect();
    if ids.is_empty() { "none yet".to_owned() } else { ids.join(", ") }
}

/// What a finding asks to be written, with what the replay predicts of it; `None` for a note.
pub(crate) fn application(
    finding: &scrimp_analysis::findings::Finding,
    share: Share,
    trace: &Trace,
    prices: &Catalog,
) -> Option<Application> {
    let change = finding.change.clone()?;
    let rule = Config::parse("the finding", &change, None, &|_| None).ok()?;
    let prediction = predict(trace, rule.prompt_cache.first()?, prices);
    Some(Application {
        finding: format!("{} {}", finding.id, finding.title),
        change,
        share,
        predicted_ppm: prediction.map(|prediction| prediction.ppm),
    })
}

/// `scrimp undo N`
pub(crate) fn undo(arguments: &Undo) -> Result<()> {
    let data = data_dir(&arguments.data)?;
    if let Some(running) = Running::on(&data) {
        running.post("policies/undo", &json!({ "number": arguments.number }))?;
        return ui::print(&format!("undone: #{}", arguments.number));
    }
    // Opening for writing would make a store where there is none.
    drop(Reader::open(&data).or_hint(ELSEWHERE)?);
    let files = Files { config: None, data: data.clone() };
    let store = open(&data)?;
    let entry = journal::undo(&files, &store, arguments.number, "asked for", &user(), now())?;
    store.close()?;
    ui::print(&format!("undone: #{} {}", entry.number, entry.finding))
}

/// `scrimp proof [N]`
pub(crate) fn proof(arguments: &Proof) -> Result<()> {
    let data = data_dir(&arguments.data)?;
    let reader = Reader::open(&data).or_hint(ELSEWHERE)?;
    let mut judged = journal::proofs(&reader)?;
    if let Some(number) = arguments.number {
        judged.retain(|judged| judged.entry.number == number);
        if judged.is_empty() {
            bail!("the journal has no entry {number}");
        }
    }
    if arguments.json.json {
        return ui::print_json(&judged.iter().map(as_json).collect::<Vec<_>>());
    }
    match judged.as_slice() {
        [] => ui::print("nothing was applied yet"),
        all => ui::print(&all.iter().map(lines).collect::<Result<Vec<_>>>()?.join("\n")),
    }
}

/// A proof as people read it.
pub(crate) fn lines(judged: &Judged) -> Result<String> {
    let Judged { entry, proof } = judged;
    let mut text = format!("#{} {}\n", entry.number, entry.finding);
    if let Some(because) = &entry.undone_because {
        writeln!(text, "undone: {because}")?;
    }
    let predicted = entry.predicted_ppm.map(share_of_ppm);
    let predicted = predicted.map_or("unknown".to_owned(), percent);
    writeln!(text, "predicted {predicted}   realised {}", realised(proof))?;
    // Money is not claimed beside an effect that cannot be told yet.
    let saved = proof.saved.filter(|_| proof.realised.is_some());
    let saved = saved.map_or("unknown".to_owned(), dollars);
    let (treated, held_out) = (proof.treated_units, proof.held_out_units);
    writeln!(
        text,
        "{treated} treated, {held_out} held out      saved {saved}      {}",
        word(proof.verdict)
    )?;
    Ok(text)
}

/// The change with its 95 % interval, as far as it can be told yet.
fn realised(proof: &scrimp_analysis::proof::Proof) -> String {
    match (proof.realised, proof.low, proof.high) {
        (Some(realised), Some(low), Some(high)) => {
            format!("{} [{}, {}] per session", percent(realised), percent(low), percent(high))
        }
        (Some(realised), ..) => percent(realised),
        (None, ..) => "not known yet".to_owned(),
    }
}

fn as_json(judged: &Judged) -> Value {
    let Judged { entry, proof } = judged;
    json!({
        "number": entry.number,
        "finding": entry.finding,
        "applied_ms": entry.applied.millis(),
        "undone_ms": entry.undone.map(scrimp_core::Time::millis),
        "undone_because": entry.undone_because,
        "share": f64::from(entry.share_millionths) / 1e6,
        "predicted": entry.predicted_ppm.map(share_of_ppm),
        "realised": proof.realised,
        "low": proof.low,
        "high": proof.high,
        "treated_units": proof.treated_units,
        "held_out_units": proof.held_out_units,
        "saved_usd": proof.saved.filter(|_| proof.realised.is_some()),
        "verdict": proof.verdict,
    })
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::TooEarly => "TOO EARLY",
        Verdict::Worked => "WORKED",
        Verdict::Partial => "PARTIAL",
        Verdict::NoEffect => "NO EFFECT",
        Verdict::Worse => "WORSE",
    }
}

#[expect(clippy::cast_precision_loss, reason = "millionths, for people")]
pub(crate) fn share_of_ppm(ppm: i64) -> f64 {
    ppm as f64 / 1e6
}

fn added(change: &str) -> String {
    change.lines().flat_map(|line| ["+ ", line, "\n"]).collect()
}

fn open(data: &Path) -> Result<Store> {
    match Store::open(data, Options::STANDARD) {
        Err(busy @ OpenError::Locked { .. }) => Err(busy).or_hint(BUSY),
        opened => Ok(opened?),
    }
}
