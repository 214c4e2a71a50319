//! Findings for the dashboard: the latest calls, studied on a thread where nobody waits. What is said
//! of a month is said by the sums of all calls.

use std::sync::Arc;

use scrimp_analysis::findings::{Finding, Range, Study, find};
use scrimp_analysis::profile::{Calendar, Forecast, Profiler, Spending, Spent};
use scrimp_analysis::replay::{Reading, Trace, predict};
use scrimp_analysis::report::Analysis;
use scrimp_core::{Catalog, Entry, Record, Span, Time};
use scrimp_store::{Cell, Reader, Width};

use crate::config::Config;
use crate::gateway::Shared;

/// How far back is looked.
const LOOK_BACK: Span = Span::from_hours(7 * 24);
/// No more than so many of the latest calls, so that a study's time and memory are bounded.
pub(crate) const MOST_CALLS: usize = 20_000;
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
    let reader = shared.store.reader();
    let mut profiler = Profiler::new(prices.clone(), Calendar::Real);
    let mut calls = 0;
    let records = latest(&reader, now, MOST_CALLS);
    // A record is let go as soon as it is in the tree of what prompts share.
    let entries = records.map(|record| {
        profiler.see(&record);
        calls += 1;
        Entry { record, trail: None }
    });
    let trace = Trace::from_entries(entries);
    let profile = profiler.profile().within(&spending(&reader, now));
    let forecast = profile.forecast;
    let study =
        Study { profile: &profile, trace: &trace, prices: &prices, reading: Reading::Covers };
    let findings = find(&study);
    let found = findings.iter().map(|finding| Found {
        predicted_ppm: predicted(finding, &trace, &prices),
        finding: finding.clone(),
    });
    let found = found.collect();
    let analysis =
        Analysis { inputs: Vec::new(), reported: Vec::new(), profile, findings, notes: Vec::new() };
    let together = analysis.together().and_then(|together| together.usd_per_month);
    Findings { found, calls, is_running: false, forecast, together, studied: Some(now) }
}

/// What all calls cost, by the sums: on a busy gateway the calls studied are minutes of them, and say
/// nothing of a month.
fn spending(reader: &Reader, now: Time) -> Spending {
    let spent = |Cell { at: hour, operation, provider, model, cost: usd, .. }| Spent {
        hour,
        operation,
        provider,
        model,
        usd,
    };
    // An hour more, since the first is left out: a week is as many of each of its days.
    let from = now - LOOK_BACK - Width::Hour.span();
    // Where sums cannot be read, nothing is said of a month.
    let cells = reader.cells(from, now, Width::Hour).unwrap_or_default();
    let spent: Vec<Spent> = cells.into_iter().map(spent).collect();
    Spending::of(&spent, now)
}

/// The latest `most` records. They are counted before they are given, since holding them until it is
/// known which are the latest takes more memory than the study itself.
fn latest(reader: &Reader, now: Time, most: usize) -> impl Iterator<Item = Record> {
    let from = since(reader, now, most as u64);
    let surplus = reader.scan(from, now).flatten().count().saturating_sub(most);
    reader.scan(from, now).flatten().skip(surplus)
}

/// The latest time since which `most` calls were made. It is asked of the sums, since reading a week
/// of a busy gateway's records takes longer than a study may be old.
fn since(reader: &Reader, now: Time, most: u64) -> Time {
    for (span, width) in [(Span::from_hours(24), Width::Minute), (LOOK_BACK, Width::Hour)] {
        let mut calls = 0;
        // Where sums cannot be read, records cannot either, or the next wider ones say enough.
        for cell in reader.cells(now - span, now, width).unwrap_or_default().iter().rev() {
            calls += cell.calls;
            if most <= calls {
                return cell.at;
            }
        }
    }
    now - LOOK_BACK
}

fn predicted(finding: &Finding, trace: &Trace, prices: &Catalog) -> Option<i64> {
    let change = finding.change.as_deref()?;
    let config = Config::parse("finding", change, None, &|_| None).ok()?;
    let rule = config.prompt_cache.first()?;
    predict(trace, rule, prices).map(|prediction| prediction.ppm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::rig::{Rig, answer, chat};

    #[tokio::test(start_paused = true)]
    async fn a_study_is_of_the_latest_calls_however_many_came_before() {
        let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}"#;
        let mut rig = Rig::new("", vec![vec![answer("200 OK", "{}")]; 8]);
        for _ in 0..6 {
            rig.call(&chat(body)).await;
        }
        tokio::time::sleep(std::time::Duration::from_hours(3)).await;
        for _ in 0..2 {
            rig.call(&chat(body)).await;
        }
        // In milliseconds: within one, ids come in no order.
        let arrived = |record: &Record| record.call.arrived.millis();
        let all: Vec<i64> = rig.records().await.iter().map(arrived).collect();
        let shared = rig.gateway.shared();
        shared.store.flush();
        let now = shared.clock.now() + Span::from_millis(1);
        for most in [1, 2, 3, 8, 100] {
            let reader = shared.store.reader();
            let found = latest(&reader, now, most);
            let found: Vec<i64> = found.map(|record| arrived(&record)).collect();
            assert_eq!(found, all[8 - most.min(8)..], "{most}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_in_the_instructions_is_found_in_what_the_gateway_recorded() {
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":5000,"completion_tokens":9}}"#;
        let mut rig = Rig::new("", vec![vec![answer("200 OK", usage)]; 6]);
        for minute in 10..16 {
            let rules = "Answer what is asked and nothing else. ".repeat(500);
            let body = format!(
                r#"{{"model":"gpt-4o","messages":[{{"role":"system","content":"It is 9:{minute}. {rules}"}},{{"role":"user","content":"hello"}}]}}"#
            );
            rig.call(&chat(&body)).await;
            tokio::time::sleep(std::time::Duration::from_mins(1)).await;
        }
        assert_eq!(rig.records().await.len(), 6);
        let shared = rig.gateway.shared();
        shared.store.flush();
        let Findings { found, .. } = study(shared, shared.clock.now());
        let titles: Vec<&str> = found.iter().map(|found| &*found.finding.title).collect();
        let breaker = found.iter().find(|found| found.finding.rule == "breaker");
        let Finding { title, evidence, usd, .. } =
            &breaker.unwrap_or_else(|| panic!("{titles:?}")).finding;
        assert!(
            title.ends_with("a time of day in block 1 (instructions) ends what the cache can give")
        );
        assert!(evidence.facts[0].ends_with("in bytes 6 to 10 of the block"), "{evidence:?}");
        assert!(usd.is_some_and(|usd| scrimp_core::Usd::ZERO < usd.likely));
    }
}
