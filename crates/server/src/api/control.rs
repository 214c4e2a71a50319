//! Policies: what is in force, what was applied, what it has shown; apply and undo.

use schemars::JsonSchema;
use scrimp_core::{Share, Time, Usd};
use scrimp_store::StoreError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::study::Findings;
use crate::gateway::{Bypass, Gateway};
use crate::journal::{self, Application, JournalError, Judged};
use crate::keys::KeyError;

/// What `apply` is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Apply {
    /// Its id, such as F1.
    finding: String,
    /// The share of sessions to treat, above 0 and at most 1; 0.2 if it is not said.
    share: Option<f64>,
}

/// What `undo` is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Undo {
    /// The number in the journal.
    number: u64,
}

/// What `bypass` is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// Whether they step aside.
    on: bool,
}

/// Why control was not exercised.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("there is no finding `{0}` that can be applied; look at /api/v1/findings")]
    NoFinding(String),
    #[error("`share` must lie above 0 and at most at 1")]
    NoShare,
    #[error("this gateway has no files to write a rule into")]
    NoFiles,
    #[error("{0}")]
    Malformed(String),
    #[error(
        "no report of a provider was found: send what the usage or cost API of OpenAI, Anthropic or \
         OpenRouter answered ({0})"
    )]
    NoReport(String),
    #[error("reports are being compared already; try again when that is done")]
    Reconciling,
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the store refuses; what was asked for may be done and not be noted: {0}")]
    Store(#[from] StoreError),
}

pub(super) fn findings(findings: &Findings) -> Value {
    let shown = findings.found.iter().map(|found| {
        let mut shown = json!(found.finding);
        shown["predicted_ppm"] = json!(found.predicted_ppm);
        shown["applicable"] = json!(found.finding.change.is_some());
        shown
    });
    let shown = shown.collect::<Vec<_>>();
    json!({ "findings": shown, "calls": findings.calls, "running": findings.is_running })
}

pub(super) fn policies(gateway: &Gateway) -> Result<Value, StoreError> {
    let journal = gateway.shared().store.journal()?;
    let rules = &gateway.running().policies.prompt_cache;
    Ok(json!({ "prompt_cache": rules, "journal": journal }))
}

pub(super) fn proofs(gateway: &Gateway) -> Result<Value, StoreError> {
    let now = gateway.shared().clock.now();
    let judged = journal::proofs(&gateway.shared().store.reader())?;
    Ok(json!({ "proofs": judged.iter().map(|judged| proof(judged, now)).collect::<Vec<_>>() }))
}

#[expect(clippy::cast_precision_loss, reason = "shares, for people")]
fn proof(judged: &Judged, now: Time) -> Value {
    let Judged { entry, proof } = judged;
    // Money is not claimed beside an effect that cannot be told yet.
    let saved = proof.saved.filter(|_| proof.realised.is_some());
    json!({
        "number": entry.number,
        "title": entry.finding,
        "applied_ms": entry.applied.millis(),
        "undone_ms": entry.undone.map(Time::millis),
        "undone_because": entry.undone_because,
        "share": f64::from(entry.share_millionths) / 1e6,
        "predicted": entry.predicted_ppm.map(|ppm| ppm as f64 / 1e6),
        "realised": proof.realised,
        "low": proof.low,
        "high": proof.high,
        "treated_units": proof.treated_units,
        "held_out_units": proof.held_out_units,
        "saved_usd": saved,
        "per_month_at_100_usd": saved.and_then(|saved| at_whole_share(judged, saved, now)),
        "verdict": proof.verdict,
    })
}

/// What was saved as an amount a month; `None` before an hour of it has been seen.
pub(super) fn per_month(judged: &Judged, saved: Usd, now: Time) -> Option<Usd> {
    let lasted = judged.entry.undone.unwrap_or(now).since(judged.entry.applied).as_secs_f64();
    (3_600.0 <= lasted).then(|| Usd::from_f64_estimate(saved.as_f64() * 30.44 * 86_400.0 / lasted))
}

fn at_whole_share(judged: &Judged, saved: Usd, now: Time) -> Option<Usd> {
    let month = per_month(judged, saved, now)?;
    let share = u64::from(judged.entry.share_millionths);
    (0 < share).then(|| month.scaled(1_000_000, share))
}

pub(super) fn apply(
    gateway: &Gateway,
    asked: &Apply,
    findings: &Findings,
    who: &str,
) -> Result<Value, Refused> {
    let found = findings.found.iter().find(|found| found.finding.id == asked.finding);
    let missing = || Refused::NoFinding(asked.finding.clone());
    let found = found.ok_or_else(missing)?;
    let change = found.finding.change.clone().ok_or_else(missing)?;
    let share = asked.share.unwrap_or(0.2);
    if !(0.0 < share && share <= 1.0) {
        return Err(Refused::NoShare);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1")]
    let share = Share::from_millionths((share * 1e6).round() as u32);
    let application = Application {
        finding: format!("{} {}", found.finding.id, found.finding.title),
        change,
        share,
        predicted_ppm: found.predicted_ppm,
    };
    let number = gateway.apply(&application, who).map_err(Refused::from)?;
    Ok(json!({ "number": number }))
}

pub(super) fn undo(gateway: &Gateway, asked: &Undo, who: &str) -> Result<Value, Refused> {
    let entry = gateway.undo(asked.number, "asked for", who).map_err(Refused::from)?;
    Ok(json!({ "undone": entry.number }))
}

pub(super) fn bypass(gateway: &Gateway, asked: &Step, who: &str) -> Result<Value, Refused> {
    gateway.bypass(if asked.on { Bypass::On } else { Bypass::Off }, who)?;
    Ok(json!({ "bypass": asked.on }))
}

impl From<crate::gateway::CannotChange> for Refused {
    fn from(cannot: crate::gateway::CannotChange) -> Refused {
        match cannot {
            crate::gateway::CannotChange::NoFiles => Refused::NoFiles,
            crate::gateway::CannotChange::Journal(error) => Refused::Journal(error),
        }
    }
}
