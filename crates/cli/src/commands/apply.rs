//! `scrimp apply`, `undo` and `proof`: turn a finding on for a share, take it back, see what it did.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use scrimp_analysis::proof::Verdict;
use scrimp_analysis::replay::{Trace, predict};
use scrimp_analysis::report::money;
use scrimp_core::{Catalog, Share};
use scrimp_server::Config;
use scrimp_server::journal::{self, Application, Files, Judged};
use scrimp_store::{OpenError, Options, Reader, Store};

use super::price::{catalog, now};
use super::{data_dir, study};
use crate::args::{Apply, Proof, Undo};
use crate::ui::{self, OrHint};

const BUSY: &str =
    "a gateway is running on this directory: apply and undo on its dashboard, or stop it";

/// `scrimp apply ID`
pub(crate) fn apply(arguments: &Apply) -> Result<()> {
    let data = data_dir(&arguments.data)?;
    let prices = Arc::new(catalog(None)?);
    let reader = Reader::open(&data).or_hint("`scrimp serve` makes one")?;
    let calls = study::read_records(&reader, &data, &prices)?;
    let share = Share::from_millionths(arguments.share);
    let (trace, analysis) = study::analyse(calls, &prices);
    let named = |id: &str| id.eq_ignore_ascii_case(&arguments.finding);
    let finding = analysis.findings.iter().find(|finding| named(&finding.id));
    let finding = finding
        .with_context(|| format!("there is no finding {}", arguments.finding))
        .or_hint("`scrimp analyze` lists them")?;
    let application = application(finding, share, &trace, &prices)
        .with_context(|| format!("{} is a note: there is nothing to apply", finding.id))?;
    eprintln!("{}\n{}", finding.title, added(&application.change));
    eprintln!(
        "{}% of sessions, sticky. Stops by itself if dearer, or if errors rise.",
        percent(share)
    );
    if !arguments.yes && !ui::confirm("Apply?")? {
        bail!("not applied; `--yes` applies without asking");
    }
    let files = Files { config: arguments.config.clone(), data: data.clone() };
    let store = open(&data)?;
    let number = journal::apply(&files, &store, &application, now())?;
    store.close()?;
    ui::print(&format!(
        "journal #{number} in {}        undo: scrimp undo {number}",
        files.writable().display()
    ))
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
    let files = Files { config: arguments.config.clone(), data: data.clone() };
    let store = open(&data)?;
    let entry = journal::undo(&files, &store, arguments.number, "asked for", now())?;
    store.close()?;
    ui::print(&format!("undone: #{} {}", entry.number, entry.finding))
}

/// `scrimp proof [N]`
pub(crate) fn proof(arguments: &Proof) -> Result<()> {
    let data = data_dir(&arguments.data)?;
    let reader = Reader::open(&data).or_hint("`scrimp serve` makes one")?;
    let mut judged = journal::proofs(&reader)?;
    if let Some(number) = arguments.number {
        judged.retain(|judged| judged.entry.number == number);
        if judged.is_empty() {
            bail!("the journal has no entry {number}");
        }
    }
    if arguments.json.json {
        return ui::print_json(&judged.iter().map(json).collect::<Vec<_>>());
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
    let [predicted, realised, low, high] = [predicted, proof.realised, proof.low, proof.high]
        .map(|share| share.map_or("unknown".to_owned(), |share| format!("{:+.1}%", share * 100.0)));
    writeln!(
        text,
        "predicted {predicted}  realised {realised} [{low}, {high}] of cost, 95% interval"
    )?;
    let saved = proof.saved.map_or("unknown".to_owned(), money);
    let (treated, held_out) = (proof.treated_units, proof.held_out_units);
    writeln!(
        text,
        "{treated} treated, {held_out} held out      saved {saved}      {}",
        word(proof.verdict)
    )?;
    Ok(text)
}

fn json(judged: &Judged) -> serde_json::Value {
    let Judged { entry, proof } = judged;
    serde_json::json!({
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
        "saved_usd": proof.saved,
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

fn percent(share: Share) -> f64 {
    f64::from(share.millionths()) / 1e4
}

fn added(change: &str) -> String {
    change.lines().map(|line| format!("+ {line}\n")).collect()
}

fn open(data: &Path) -> Result<Store> {
    match Store::open(data, Options::STANDARD) {
        Err(busy @ OpenError::Locked { .. }) => Err(busy).or_hint(BUSY),
        opened => Ok(opened?),
    }
}
