//! `scrimp reconcile`: what a provider was paid against what was counted here.

use anyhow::{Result, bail};
use scrimp_analysis::reconcile::{self, Books, By, Question, Report};
use scrimp_analysis::report::Input;
use scrimp_core::{Aggregate, Time};
use scrimp_store::Reader as Records;
use serde::Serialize;

use super::data_dir;
use super::price::catalog_in;
use crate::args::{self, Reconcile};
use crate::input::records::{not_read, set_aside};
use crate::input::{Inputs, Reader};
use crate::ui::{self, OrHint};

/// What scripts get.
#[derive(Serialize)]
struct Answer<'a, R> {
    inputs: &'a [Input],
    #[serde(flatten)]
    found: R,
    notes: &'a [String],
}

/// `scrimp reconcile FILE…`
pub(crate) fn run(arguments: &Reconcile) -> Result<()> {
    let reader = Reader { format: None, columns: None, assumed: None, start: Time::EPOCH };
    let inputs = reader.read(&arguments.files, &mut |_, _| ()).or_hint(HINT)?;
    if inputs.aggregates.is_empty() {
        bail_without_reports(&inputs)?;
    }
    let data = data_dir(&arguments.data)?;
    let records = Records::open(&data)
        .or_hint("reports are compared with what the gateway counted: `scrimp serve`")?;
    let (books, mut notes) = books(&records, &inputs.aggregates)?;
    notes.extend(inputs.notes.iter().cloned());
    notes.extend(inputs.files.iter().filter_map(left_out));
    notes.extend(inputs.troubles());
    let prices = catalog_in(None, &arguments.data)?;
    let question = Question { prices: &prices, called: arguments.provider.as_deref() };
    let found = reconcile::reconcile(&reports(&inputs), &books, question);
    let by = arguments.by.map(by);
    if arguments.json.json {
        let answer = Answer { inputs: &inputs.files, found: found.view(by), notes: &notes };
        return ui::print_json(&answer);
    }
    ui::print(&(found.text(by, ui::width()) + &ui::notes(&notes)))
}

const HINT: &str = "name what the usage or cost API of OpenAI, Anthropic or OpenRouter answered";

fn bail_without_reports(inputs: &Inputs) -> Result<()> {
    let mut reasons: Vec<String> = inputs.files.iter().filter_map(left_out).collect();
    reasons.extend(inputs.troubles());
    let reasons = if reasons.is_empty() { "no files".to_owned() } else { reasons.join("\n") };
    Err(anyhow::anyhow!("no report of a provider was found: {reasons}")).or_hint(HINT)
}

/// Calls are no report of a provider.
fn left_out(file: &Input) -> Option<String> {
    let format = file.format.as_deref()?;
    let holds = || format!("{} holds calls ({format}), no report of a provider", file.path);
    (file.sums == 0 && 0 < file.calls).then(holds)
}

/// Each file's sums, in the order in which they were read.
fn reports(inputs: &Inputs) -> Vec<Report<'_>> {
    let mut rest: &[Aggregate] = &inputs.aggregates;
    let mut reports = Vec::new();
    for file in &inputs.files {
        let count = usize::try_from(file.sums).unwrap_or(usize::MAX).min(rest.len());
        let (sums, others) = rest.split_at(count);
        reports.push(Report { name: &file.path, sums });
        rest = others;
    }
    reports
}

/// What was counted on the days of the reports, and what is to be known of it.
fn books(records: &Records, sums: &[Aggregate]) -> Result<(Books, Vec<String>)> {
    let (books, unread) = scrimp_server::reconcile::books(records, sums)?;
    let mut notes = not_read(&unread);
    notes.extend(set_aside(&records.set_aside()?));
    if books.period().is_none() && records.scan(Time::EPOCH, Time::NEVER).next().is_none() {
        bail!("no calls were counted here yet, so there is nothing to compare with");
    }
    Ok((books, notes))
}

fn by(by: args::By) -> By {
    match by {
        args::By::Day => By::Day,
        args::By::Model => By::Model,
        args::By::Key => By::Key,
        args::By::Project => By::Project,
    }
}
