//! A provider's bill against the ledger: reports are sent here, compared on a thread where nobody
//! waits, and what was found is kept until the next.

use schemars::JsonSchema;
use scrimp_analysis::reconcile::{By, Question, Reconciliation, Report, reconcile};
use scrimp_core::{Aggregate, Time};
use scrimp_wire::import::{self, Source};
use serde::Deserialize;
use serde_json::{Value, json};

use super::control::Refused;
use crate::audit::Act;
use crate::gateway::Gateway;
use crate::reconcile::books;

/// Where the last result is kept.
const LAST: &str = "reconcile.last";
/// Of what could not be read, so much is told.
const MOST_NOTED: usize = 5;
/// Of a file's name, so many characters are told.
const LONGEST_NAME: usize = 200;

/// Reports of providers, as their APIs gave them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Bill {
    /// All pages of the usage and the cost reports, 32 MB together at most.
    files: Vec<File>,
    /// What the records call the provider, if not as its reports do.
    #[serde(default)]
    provider: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct File {
    /// For notes.
    name: String,
    /// Its content.
    text: String,
}

/// The last result; null where there is none.
pub(super) fn last(gateway: &Gateway) -> Value {
    let kept = gateway.shared().store.state(LAST);
    json!({ "last": kept.and_then(|kept| serde_json::from_str::<Value>(&kept).ok()) })
}

/// Compares, keeps what was found, and gives it back.
pub(super) fn compare(gateway: &Gateway, bill: &Bill, who: &str) -> Result<Value, Refused> {
    let shared = gateway.shared();
    // It reads every record of the days: two at once would take each other's time.
    let _alone = shared.reconciling.try_lock().map_err(|_| Refused::Reconciling)?;
    let act = Act { who, action: "reconciled", at: shared.clock.now() };
    let names: Vec<String> = bill.files.iter().map(|file| short(&file.name)).collect();
    let subject = subject(&names);
    let read = act.noted_if_refused(&shared.store, &subject, read(bill))?;
    let reader = shared.store.reader();
    let sums: Vec<Aggregate> = read.sums.iter().flat_map(|(_, sums)| sums.clone()).collect();
    let (books, unread) = books(&reader, &sums)?;
    let reports: Vec<Report<'_>> =
        read.sums.iter().map(|(name, sums)| Report { name, sums }).collect();
    let prices = gateway.running().policies.prices.clone();
    let question = Question { prices: &prices, called: bill.provider.as_deref() };
    let found = reconcile(&reports, &books, question);
    let mut notes = read.notes;
    let missing = unread.iter().take(MOST_NOTED);
    notes.extend(missing.map(|error| format!("calls are missing: {error}")));
    if books.period().is_none() {
        notes.push("no call was counted here on the days of these reports".to_owned());
    }
    let mut kept = view(&found);
    kept["at_ms"] = json!(act.at.millis());
    kept["who"] = json!(who);
    kept["files"] = json!(names);
    kept["notes"] = json!(notes);
    shared.store.set_state(LAST, &kept.to_string())?;
    let told = format!("paid {}, computed {}", found.paid(), found.computed());
    shared.store.add_audit(act.entry(&subject, None, Some(told)))?;
    Ok(json!({ "last": kept }))
}

/// What the audit log calls some files: of those there may be many.
fn subject(names: &[String]) -> String {
    match names {
        [] => "no files".to_owned(),
        [only] => only.clone(),
        [first, ..] => format!("{} files, the first {first}", names.len()),
    }
}

/// A name is as long as the caller likes.
fn short(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

/// What was found, by everything that it can be summed by.
fn view(found: &Reconciliation) -> Value {
    let mut view = json!(found.view(None));
    let shown = view["providers"].as_array_mut().into_iter().flatten();
    for (shown, of) in shown.zip(&found.providers) {
        let causes = shown["causes"].as_array_mut().into_iter().flatten();
        for (shown, sum) in causes.zip(of.causes()) {
            shown["meaning"] = json!(sum.cause.meaning());
        }
        shown["shares"] = json!({
            "day": of.shares(By::Day),
            "model": of.shares(By::Model),
            "project": of.shares(By::Project),
            "key": of.shares(By::Key),
        });
    }
    view
}

/// Each file's sums, and what is to be known of them.
#[derive(Default)]
struct Read {
    sums: Vec<(String, Vec<Aggregate>)>,
    notes: Vec<String>,
}

fn read(bill: &Bill) -> Result<Read, Refused> {
    let mut all = Read::default();
    for File { name, text } in &bill.files {
        let name = &short(name);
        let format = match import::recognise(text.as_bytes()) {
            Ok(format) => format,
            Err(error) => {
                all.notes.push(format!("{name} was not read: {}", error.in_short()));
                continue;
            }
        };
        let read = (format.read)(text.as_bytes(), &Source::new(name, Time::EPOCH));
        let told = read.refused.map(|why| format!("was not read: {why}"));
        let holds = || format!("holds calls ({}), no report of a provider", format.name);
        let told = told.or_else(|| (!read.entries.is_empty()).then(holds));
        all.notes.extend(told.iter().chain(&read.notes).map(|note| format!("{name}: {note}")));
        let skipped = read.skipped.iter().take(1);
        all.notes.extend(skipped.map(|line| format!("{name}:{}: {}", line.line, line.why)));
        if !read.aggregates.is_empty() {
            all.sums.push((name.clone(), read.aggregates));
        }
    }
    match all.sums.is_empty() {
        true => {
            // It stands in the audit log, too.
            all.notes.truncate(MOST_NOTED);
            Err(Refused::NoReport(all.notes.join("; ")))
        }
        false => Ok(all),
    }
}
