//! The overview: sums over cells of one width, never over records.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_analysis::proof::Verdict;
use scrimp_core::{Histogram, State, Time, Usd};
use scrimp_store::StoreError;
use serde_json::{Value, json};

use super::study::Findings;
use super::sum::{Sum, percentiles};
use super::window::{Stretch, Window};
use crate::gateway::Shared;
use crate::journal::proofs;

pub(super) fn summary(
    shared: &Shared,
    window: Window,
    findings: &Findings,
) -> Result<Value, StoreError> {
    let Stretch { from, to, cells } = window.cells(shared)?;
    let (mut total, mut series) = (Sum::default(), BTreeMap::<Time, Sum>::new());
    let (mut models, mut operations) = (Groups::new(), Groups::new());
    let nobody: Arc<str> = "".into();
    for cell in &cells {
        total.add(cell);
        series.entry(cell.at).or_default().add(cell);
        models.entry((cell.provider.clone(), cell.model.clone())).or_default().add(cell);
        operations.entry((nobody.clone(), cell.operation.clone())).or_default().add(cell);
    }
    let last = window.floor(to);
    let series = series.iter().map(|(at, sum)| {
        let mut point = sum.json();
        point["at_ms"] = json!(at.millis());
        point["partial"] = json!(*at == last);
        point
    });
    Ok(json!({
        "window": window.json(from, to),
        "totals": total.json(),
        "forecast": findings.forecast,
        "series": series.collect::<Vec<_>>(),
        "models": listed(models, |(provider, model)| json!({ "provider": provider, "model": model })),
        "operations": listed(operations, |(_, name)| json!({ "name": name })),
        "savings": savings(shared, findings)?,
        "health": health(shared, &total.overhead),
    }))
}

type Groups = BTreeMap<(Arc<str>, Arc<str>), Sum>;

/// The dearest first, then the most frequent.
fn listed(groups: Groups, name: fn(&(Arc<str>, Arc<str>)) -> Value) -> Vec<Value> {
    let mut groups = groups.into_iter().collect::<Vec<_>>();
    groups.sort_by_key(|(_, sum)| std::cmp::Reverse((sum.cost, sum.calls)));
    let row = |(key, sum): (_, Sum)| {
        let mut row = sum.json();
        if let (Value::Object(row), Value::Object(name)) = (&mut row, name(&key)) {
            row.extend(name);
        }
        row
    };
    groups.into_iter().map(row).collect()
}

/// What is proved, and what is possible beside it.
fn savings(shared: &Shared, findings: &Findings) -> Result<Value, StoreError> {
    let now = shared.clock.now();
    let mut proved: Option<Usd> = None;
    let mut per_month: Option<Usd> = None;
    for judged in proofs(&shared.store.reader())? {
        let is_proved = matches!(judged.proof.verdict, Verdict::Worked | Verdict::Partial);
        let Some(saved) = judged.proof.saved.filter(|_| is_proved) else { continue };
        proved = Some(proved.unwrap_or_default() + saved);
        if let Some(month) = super::control::per_month(&judged, saved, now) {
            per_month = Some(per_month.unwrap_or_default() + month);
        }
    }
    Ok(json!({
        "proved_usd": proved,
        "proved_usd_per_month": per_month,
        "possible_usd_per_month": findings.together,
        "basis": findings.together.is_some().then_some("replayed"),
    }))
}

/// The gateway's own state.
pub(super) fn health(shared: &Shared, overhead: &Histogram) -> Value {
    let store = shared.store.health();
    let now = shared.clock.now();
    let running = shared.running.load();
    let acts = running.policies.prompt_cache.iter().any(|rule| rule.state == State::On);
    let taken = shared.prices.taken;
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": now.since(shared.started).nanos() / 1_000_000_000,
        "observing": !acts,
        "bypass": running.policies.is_bypassed,
        "overhead_ms": percentiles(overhead),
        "queued": store.queued,
        "details_dropped": store.details_dropped,
        "settled": store.settled,
        "prices_age_days": taken.map(|at| now.since(at).nanos() / 86_400_000_000_000),
        "prices_taken": taken.map(scrimp_analysis::report::day),
        "store_bytes": store.bytes_on_disk,
        "corrupt_files": store.corrupt_files,
        "last_flush_error": store.last_flush_error,
        "last_maintenance_error": store.last_maintenance_error,
        "in_flight": shared.counts.in_flight(),
        "refused_config": shared.refused_config(),
    })
}
