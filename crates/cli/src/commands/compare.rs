//! `scrimp price A B C`: models side by side, by given sizes or over recorded traffic.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use scrimp_analysis::report::{count, plural};
use scrimp_core::price::{Catalog, PriceRow, Terms};
use scrimp_core::{Record, Span, Time, Usage, Usd};
use scrimp_store::Reader as Records;
use scrimp_tokens::{Basis, Vocabulary};
use scrimp_wire::prices::quote::{self, Unpriced};
use serde::Serialize;

use super::price::{asked, now};
use super::{data_dir, prices};
use crate::args::{DataDir, Price};
use crate::input::Reader;
use crate::ui::{self, OrHint};

const DAYS_OF_A_MONTH: u64 = 30;
/// Of shorter traffic nothing is said of a day or a month.
const SHORTEST: Span = Span::from_hours(24);

/// A comparison as scripts get it.
#[derive(Serialize)]
struct Comparison {
    /// `given sizes` or `recorded traffic`.
    basis: &'static str,
    /// Recorded calls that were priced; `null` for given sizes.
    calls: Option<u64>,
    calls_per_day: Option<f64>,
    /// What the recorded calls cost when they were made; `null` where that is not known of all.
    recorded_usd: Option<Usd>,
    tokens: Usage,
    models: Vec<Compared>,
    /// What such a comparison leaves out.
    left_out: Vec<String>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Compared {
    model: Arc<str>,
    provider: Arc<str>,
    usd_per_call: Usd,
    usd_per_day: Option<Usd>,
    usd_per_month: Option<Usd>,
    /// Over the first model's; `null` where that costs nothing.
    ratio: Option<f64>,
    notes: Vec<String>,
}

/// A model, and what the calls cost with it.
struct Candidate {
    row: Arc<PriceRow>,
    usd: Usd,
    notes: Vec<String>,
}

/// The calls that are priced.
#[derive(Default)]
struct Traffic {
    calls: u64,
    tokens: Usage,
    /// `None` once a call's cost is not known.
    recorded: Option<Usd>,
    first: Option<Time>,
    last: Option<Time>,
    unknown: u64,
    notes: Vec<String>,
}

/// `scrimp price A B C`
pub(super) fn run(arguments: &Price, catalog: &Catalog) -> Result<()> {
    let at = arguments.at.unwrap_or_else(now);
    let mut candidates = Vec::new();
    for model in &arguments.models {
        let (row, notes) = quote::resolve(catalog, None, model, at)
            .or_hint("`scrimp models FILTER` lists what is known")?;
        candidates.push(Candidate { row, usd: Usd::ZERO, notes });
    }
    let mut comparison = match &arguments.traffic {
        None => by_sizes(arguments, catalog, candidates, at)?,
        Some(path) => over_traffic(path.first(), arguments, candidates)?,
    };
    comparison.notes.extend(prices::note(data_dir(&arguments.data).ok().as_deref())?);
    match arguments.json.json {
        true => ui::print_json(&comparison),
        false => ui::print(&table(&comparison)?),
    }
}

fn by_sizes(
    arguments: &Price,
    catalog: &Catalog,
    mut candidates: Vec<Candidate>,
    at: Time,
) -> Result<Comparison> {
    let (usage, terms) = asked(arguments);
    if usage == Usage::ZERO {
        bail!("how large is a call? --uncached N --output N, or --traffic for recorded calls");
    }
    for candidate in &mut candidates {
        let Candidate { row, .. } = candidate;
        let found = quote::quote(catalog, Some(&row.provider), &row.model, &usage, terms, at);
        let found = found.map_err(|error: Unpriced| anyhow::Error::from(error))?;
        candidate.usd = found.usd;
        candidate.notes.extend(found.notes);
    }
    let traffic = Traffic { calls: 1, tokens: usage, ..Traffic::default() };
    let mut comparison = compare(&traffic, &candidates, arguments.calls_per_day);
    (comparison.basis, comparison.calls) = ("given sizes", None);
    Ok(comparison)
}

fn over_traffic(
    path: Option<&PathBuf>,
    arguments: &Price,
    mut candidates: Vec<Candidate>,
) -> Result<Comparison> {
    let mut traffic = Traffic { recorded: Some(Usd::ZERO), ..Traffic::default() };
    read(path, &arguments.data, &mut |record| traffic.see(record, &mut candidates))
        .map(|notes| traffic.notes.extend(notes))?;
    if traffic.calls == 0 {
        bail!("no calls with known usage were found");
    }
    if 0 < traffic.unknown {
        let calls = plural(traffic.unknown, "call");
        traffic.notes.push(format!("{calls} of unknown usage left out"));
    }
    let mut comparison = compare(&traffic, &candidates, arguments.calls_per_day);
    comparison.recorded_usd = traffic.recorded;
    Ok(comparison)
}

/// Every recorded call: the gateway's own, those of another data directory, or of logs.
fn read(
    path: Option<&PathBuf>,
    data: &DataDir,
    each: &mut dyn FnMut(&Record),
) -> Result<Vec<String>> {
    let data = match path {
        None => Some(data_dir(data)?),
        Some(path) if path.join("scrimp.db").is_file() => Some(path.clone()),
        Some(_) => None,
    };
    let Some(data) = data else {
        let paths: Vec<PathBuf> = path.into_iter().cloned().collect();
        let begins = now().floor(Span::from_hours(24));
        let reader = Reader { format: None, columns: None, assumed: None, start: begins };
        let inputs = reader.read(&paths, &mut |entry, _| each(&entry.record));
        return Ok(inputs.context("the traffic could not be read")?.troubles());
    };
    let hint = "to price logs instead, name their file or folder: --traffic PATH";
    let records = Records::open(&data).or_hint(hint)?;
    let mut unread = 0;
    for record in records.scan(Time::EPOCH, Time::NEVER) {
        match record {
            Ok(record) => each(&record),
            Err(_) => unread += 1,
        }
    }
    let note = || format!("calls are missing: {} cannot be read", plural(unread, "part"));
    Ok((0 < unread).then(note).into_iter().collect())
}

impl Traffic {
    /// Prices a call with every candidate, at the tier and in the classes that it was recorded in.
    fn see(&mut self, record: &Record, candidates: &mut [Candidate]) {
        if !record.is_metered() {
            self.unknown += 1;
            return;
        }
        let usage = record.metering.usage;
        if usage == Usage::ZERO {
            return;
        }
        let tier = record.attempts.last().map_or_else(Terms::default, |attempt| attempt.terms).tier;
        let terms = Terms { tier, ..Terms::default() };
        for candidate in candidates {
            candidate.usd += candidate.row.cost(&usage, terms);
        }
        self.calls += 1;
        self.tokens += usage;
        self.recorded = self.recorded.zip(record.cost).map(|(sum, cost)| sum + cost);
        let arrived = record.call.arrived;
        self.first = Some(self.first.map_or(arrived, |first| first.min(arrived)));
        self.last = Some(self.last.map_or(arrived, |last| last.max(arrived)));
    }

    fn span(&self) -> Option<Span> {
        Some(self.last?.since(self.first?)).filter(|span| SHORTEST <= *span)
    }
}

fn compare(traffic: &Traffic, candidates: &[Candidate], per_day: Option<u64>) -> Comparison {
    let day = |usd: Usd| match (per_day, traffic.span()) {
        (Some(calls), _) => Some(usd.scaled(calls, traffic.calls)),
        (None, Some(span)) => Some(
            usd.scaled(Span::from_hours(24).nanos().unsigned_abs(), span.nanos().unsigned_abs()),
        ),
        (None, None) => None,
    };
    let first = candidates.first().map_or(0.0, |candidate| candidate.usd.as_f64());
    let compared = |candidate: &Candidate| {
        let Candidate { row, usd, notes } = candidate;
        let usd_per_day = day(*usd);
        Compared {
            model: row.model.clone(),
            provider: row.provider.clone(),
            usd_per_call: usd.scaled(1, traffic.calls),
            usd_per_day,
            usd_per_month: usd_per_day.map(|usd| usd.scaled(DAYS_OF_A_MONTH, 1)),
            ratio: (0.0 < first).then(|| usd.as_f64() / first),
            notes: notes.clone(),
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "calls a day, for people")]
    let of_traffic = |span: Span| traffic.calls as f64 / (span.as_secs_f64() / 86_400.0);
    #[expect(clippy::cast_precision_loss, reason = "as it was given")]
    let given = per_day.map(|calls| calls as f64);
    Comparison {
        basis: "recorded traffic",
        calls: Some(traffic.calls),
        calls_per_day: given.or(traffic.span().map(of_traffic)),
        recorded_usd: None,
        tokens: traffic.tokens,
        models: candidates.iter().map(compared).collect(),
        left_out: left_out(traffic, candidates),
        notes: traffic.notes.clone(),
    }
}

/// What would be otherwise with another model, and is taken as it is.
fn left_out(traffic: &Traffic, candidates: &[Candidate]) -> Vec<String> {
    let mut left_out = Vec::new();
    let mut vocabularies: Vec<(&str, String)> = candidates
        .iter()
        .map(|candidate| {
            let model = &candidate.row.model;
            let found = Vocabulary::of_model(model).unwrap_or_else(Vocabulary::unknown);
            let name = match found.basis() {
                Basis::Published | Basis::Assumed => found.encoding(),
                Basis::Estimated { .. } => found.family(),
            };
            (name, format!("{model} about {:.2}", found.over_o200k()))
        })
        .collect();
    vocabularies.sort();
    vocabularies.dedup_by(|a, b| a.0 == b.0);
    if 1 < vocabularies.len() {
        let each: Vec<String> = vocabularies.into_iter().map(|(_, told)| told).collect();
        left_out.push(format!(
            "other tokenizer: all are priced for the same number of tokens, but make of the same \
             prose (in tokens of o200k_base): {}",
            each.join(", ")
        ));
    }
    left_out.push(
        "other output length: each is taken to write, and to reason, as much as is given"
            .to_owned(),
    );
    let rules: Vec<_> = candidates.iter().map(|candidate| candidate.row.cache).collect();
    let uses_cache = traffic.tokens.without_caching() != traffic.tokens;
    if uses_cache && rules.windows(2).any(|pair| pair[0] != pair[1]) {
        left_out.push(
            "other cache rules: the same tokens are taken to be read and written, though minimum, \
             life and marks differ; a class without a rate is billed as input"
                .to_owned(),
        );
    }
    left_out.push("quality: nothing here says that the answers are as good".to_owned());
    left_out
}

fn table(comparison: &Comparison) -> Result<String> {
    let Comparison { calls, models, left_out, notes, .. } = comparison;
    let mut text = String::new();
    if let Some(calls) = calls {
        write!(text, "{} calls", count(*calls))?;
        match comparison.recorded_usd {
            Some(usd) => writeln!(text, ", {} when they were made", ui::dollars(usd))?,
            None => writeln!(text)?,
        }
    }
    if let Some(per_day) = comparison.calls_per_day {
        writeln!(text, "{per_day:.0} calls a day")?;
    }
    let name = |model: &Compared| format!("{}/{}", model.provider, model.model);
    let longest = models.iter().map(|model| name(model).chars().count()).max().unwrap_or(0).max(5);
    let heads = ["$/call", "$/day", "$/month", "times"];
    let [call, day, month, times] = heads;
    writeln!(text, "{:<longest$} {call:>14} {day:>12} {month:>12} {times:>8}", "model")?;
    let dollars = |usd: Option<Usd>| usd.map_or_else(|| "-".to_owned(), ui::dollars);
    for model in models {
        let ratio = model.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        writeln!(
            text,
            "{:<longest$} {:>14} {:>12} {:>12} {ratio:>8}",
            name(model),
            format!("${}", model.usd_per_call),
            dollars(model.usd_per_day),
            dollars(model.usd_per_month),
        )?;
    }
    let mut all = notes.clone();
    let of_model = |model: &Compared| {
        let name = name(model);
        model.notes.iter().map(move |note| format!("{name}: {note}")).collect::<Vec<_>>()
    };
    all.extend(models.iter().flat_map(of_model));
    text.push_str(&ui::notes(&all));
    text.push_str("left out:\n");
    for line in left_out {
        for part in scrimp_analysis::report::wrap("- ", "  ", line, ui::width()) {
            writeln!(text, "{part}")?;
        }
    }
    Ok(text)
}
