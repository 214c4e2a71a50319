//! Findings for the dashboard: the latest calls, studied on a thread where nobody waits.

use std::collections::VecDeque;
use std::sync::Arc;

use scrimp_analysis::findings::{Finding, Range, Study, find};
use scrimp_analysis::profile::{Calendar, Forecast, Profile};
use scrimp_analysis::replay::{Reading, Trace, predict};
use scrimp_analysis::report::Analysis;
use scrimp_core::{Catalog, Entry, Record, Span, Time};

use crate::config::Config;
use crate::gateway::Shared;

/// How far back is looked.
const LOOK_BACK: Span = Span::from_hours(7 * 24);
/// The latest calls only, so that a study's memory is bounded.
const MOST_CALLS: usize = 20_000;
/// A study is not repeated more often.
const EVERY: Span = Span::from_minutes(1);

/// What the last study found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(super) found: Vec<Found>,
    pub(super) calls: u64,
    pub(super) is_running: bool,
    pub(super) forecast: Option<Forecast>,
    pub(super) together: Option<Range>,
    studied: Option<Time>,
}

/// A finding, and what it is predicted to change in millionths of the cost.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) finding: Finding,
    pub(super) predicted_ppm: Option<i64>,
}

/// What is known now. Begins a study if the last one is old.
pub(super) fn current(shared: &Arc<Shared>) -> Findings {
    let now = shared.clock.now();
    let mut findings = shared.findings.lock().expect("nothing here panics");
    let is_old = findings.studied.is_none_or(|at| EVERY <= now.since(at));
    if is_old && !findings.is_running {
        findings.is_running = true;
        let shared = shared.clone();
        tokio::task::spawn_blocking(move || {
            let studied = study(&shared, now);
            *shared.findings.lock().expect("nothing here panics") = studied;
        });
    }
    findings.clone()
}

fn study(shared: &Shared, now: Time) -> Findings {
    let running = shared.running.load_full();
    let prices = running.policies.prices.clone();
    let records = latest(shared, now);
    let profile = Profile::of(&records, prices.clone(), Calendar::Real);
    let forecast = profile.forecast;
    let calls = records.len() as u64;
    let entries = records.into_iter().map(|record| Entry { record, trail: None });
    let trace = Trace::from_entries(entries);
    let study =
        Study { profile: &profile, trace: &trace, prices: &prices, reading: Reading::Covers };
    let findings = find(&study);
    let found = findings.iter().map(|finding| Found {
        predicted_ppm: predicted(finding, &trace, &prices),
        finding: finding.clone(),
    });
    let found = found.collect();
    let analysis = Analysis { inputs: Vec::new(), profile, findings, notes: Vec::new() };
    let together = analysis.together().and_then(|together| together.usd_per_month);
    Findings { found, calls, is_running: false, forecast, together, studied: Some(now) }
}

fn latest(shared: &Shared, now: Time) -> Vec<Record> {
    let mut records = VecDeque::new();
    for record in shared.store.reader().scan(now - LOOK_BACK, now).flatten() {
        if records.len() == MOST_CALLS {
            records.pop_front();
        }
        records.push_back(record);
    }
    records.into()
}

fn predicted(finding: &Finding, trace: &Trace, prices: &Catalog) -> Option<i64> {
    let change = finding.change.as_deref()?;
    let config = Config::parse("finding", change, None, &|_| None).ok()?;
    let rule = config.prompt_cache.first()?;
    predict(trace, rule, prices).map(|prediction| prediction.ppm)
}
