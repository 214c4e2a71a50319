//! Logs or own records, read, counted, and made ready for a replay.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use anyhow::{Context, Result, bail};
use scrimp_analysis::findings::{self, Study};
use scrimp_analysis::profile::{Calendar, Profiler};
use scrimp_analysis::replay::{Reading, Trace};
use scrimp_analysis::report::{Analysis, Input, reported};
use scrimp_core::{Catalog, Entry, Span, Time};
use scrimp_store::Reader as Records;
use scrimp_wire::import::Assumed;

use super::price::now;
use crate::args::Logs;
use crate::input::records::{is_data, not_read, set_aside};
use crate::input::{Inputs, Reader, lacking};
use crate::ui::OrHint;

/// Calls that may wait for their place in the tree.
const IN_FLIGHT: usize = 64;

/// Calls, each once, in the order of time.
pub(crate) struct Calls {
    pub(crate) trace: Trace,
    pub(crate) profiler: Profiler,
    pub(crate) inputs: Inputs,
}

/// Reads every file in and under `paths`.
pub(crate) fn read_logs(paths: &[PathBuf], logs: &Logs, prices: &Arc<Catalog>) -> Result<Calls> {
    if let [data] = paths
        && is_data(data)
    {
        // The gateway's own directory, named like any other folder of calls.
        return read_records(&Records::open(data)?, data, prices);
    }
    let assumed = logs.model.as_deref().map(|model| assume(prices, model)).transpose()?;
    // Logs with relative times begin with the day, so that the hour of the analysis changes nothing.
    let begins = now().floor(Span::from_hours(24));
    let Logs { format, columns, .. } = logs.clone();
    let reader = Reader { format, columns, assumed, start: begins };
    let mut profiler = Profiler::new(prices.clone(), Calendar::Real);
    let (entries, received) = sync_channel(IN_FLIGHT);
    // The prompts of a large folder are far larger than the tree of what they share, so they go
    // into it as they are read.
    let (trace, inputs) = thread::scope(|scope| {
        let tree = scope.spawn(move || Trace::from_entries(received));
        let inputs = reader.read(paths, &mut |mut entry, calendar| {
            entry.record.charge(prices);
            profiler.note_calendar(calendar);
            profiler.see(&entry.record);
            entries.send(entry).expect("the tree takes every call");
        });
        drop(entries);
        (tree.join().expect("the tree is built"), inputs)
    });
    let inputs = inputs.or_hint("name files or folders of logs, or `-` for standard input")?;
    if inputs.files.iter().all(|file| file.calls == 0 && file.sums == 0) {
        bail!("no calls were found{}", reasons(paths, &inputs.files));
    }
    Ok(Calls { trace, profiler, inputs })
}

/// Reads the gateway's own records. What cannot be read is told in notes: figures over a part of the
/// calls must not pass for figures over all.
pub(crate) fn read_records(records: &Records, data: &Path, prices: &Arc<Catalog>) -> Result<Calls> {
    let mut unread = Vec::new();
    let mut entries = Vec::new();
    for record in records.scan(Time::EPOCH, Time::NEVER) {
        match record {
            Ok(record) => entries.push(Entry { record, trail: None }),
            Err(error) => unread.push(error),
        }
    }
    let mut notes = not_read(&unread);
    notes.extend(set_aside(&records.set_aside()?));
    if entries.is_empty() {
        let data = data.display();
        match unread.into_iter().next() {
            Some(error) => return Err(error).context(format!("no call in {data} could be read")),
            None => bail!([vec![format!("{data} holds no calls yet")], notes].concat().join("; ")),
        }
    }
    let input = Input {
        format: Some("scrimp records".to_owned()),
        calls: entries.len() as u64,
        ..Input::new(data.display().to_string())
    };
    let inputs = Inputs { files: vec![input], notes, ..Inputs::default() };
    Ok(Calls { inputs, ..of_entries(entries, prices) })
}

/// Counts calls and makes them ready for a replay.
pub(crate) fn of_entries(entries: Vec<Entry>, prices: &Arc<Catalog>) -> Calls {
    let mut profiler = Profiler::new(prices.clone(), Calendar::Real);
    for entry in &entries {
        profiler.see(&entry.record);
    }
    Calls { trace: Trace::from_entries(entries), profiler, inputs: Inputs::default() }
}

/// What the calls say, and what would be worth doing.
pub(crate) fn analyse(calls: Calls, prices: &Arc<Catalog>) -> (Trace, Analysis) {
    let Calls { trace, profiler, inputs } = calls;
    let mut profile = profiler.profile();
    let study = Study { profile: &profile, trace: &trace, prices, reading: Reading::Covers };
    let findings = findings::find(&study);
    if inputs.mixes_clocks {
        // From a date to a time since some beginning is no span.
        profile.period = None;
    }
    let reported = reported(&inputs.aggregates);
    let notes = [inputs.notes, lacking(&inputs.files)].concat();
    let analysis = Analysis { inputs: inputs.files, reported, profile, findings, notes };
    (trace, analysis)
}

/// Whose a model is that the user names: `provider/model`, or the vendor's own.
fn assume(prices: &Catalog, model: &str) -> Result<Assumed> {
    let (row, _) = scrimp_wire::prices::quote::resolve(prices, None, model, now())
        .context("calls without a model cannot be priced as asked")?;
    Ok(Assumed { provider: row.provider.clone(), model: row.model.clone() })
}

fn reasons(paths: &[PathBuf], files: &[Input]) -> String {
    if files.is_empty() {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return format!(": {} holds no files", paths.join(", "));
    }
    let reason = |file: &Input| {
        let format = file.format.as_deref().unwrap_or("nothing known");
        let empty = || format!("it is {format} and holds no calls");
        format!("\n{}: {}", file.path, file.error.clone().unwrap_or_else(empty))
    };
    let reasons: Vec<String> = files.iter().map(reason).take(5).collect();
    reasons.concat()
}
