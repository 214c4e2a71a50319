//! The overview: sums over cells of one width, never over records.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_analysis::proof::Verdict;
use scrimp_core::{Histogram, Span, State, Time, Usage, Usd};
use scrimp_store::{Cell, StoreError, Width};
use serde_json::{Value, json};

use super::rows::Tokens;
use super::study::Findings;
use crate::gateway::Shared;
use crate::journal::proofs;

/// What the overview looks back over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    span: Span,
    width: Width,
}

impl Window {
    /// `1h`, `24h`, `7d` or `30d`.
    pub(super) fn named(name: &str) -> Option<Window> {
        let (span, width) = match name {
            "1h" => (Span::from_hours(1), Width::Minute),
            "24h" => (Span::from_hours(24), Width::Hour),
            "7d" => (Span::from_hours(7 * 24), Width::Hour),
            "30d" => (Span::from_hours(30 * 24), Width::Day),
            _ => return None,
        };
        Some(Window { span, width })
    }
}

/// Sums over cells.
#[derive(Clone, Debug, Default)]
struct Sum {
    calls: u64,
    errors: u64,
    abandoned: u64,
    truncated: u64,
    unknown: u64,
    unpriced: u64,
    usage: Usage,
    cost: Usd,
    cost_uncached: Usd,
    latency: Histogram,
    first_content: Histogram,
    per_output_token: Histogram,
    overhead: Histogram,
}

impl Sum {
    fn add(&mut self, cell: &Cell) {
        self.calls += cell.calls;
        self.errors += cell.errors;
        self.abandoned += cell.abandoned;
        self.truncated += cell.truncated;
        self.unknown += cell.unknown;
        self.unpriced += cell.unpriced;
        self.usage += cell.usage;
        self.cost += cell.cost;
        self.cost_uncached += cell.cost_uncached;
        self.latency.merge(&cell.latency);
        self.first_content.merge(&cell.first_content);
        self.per_output_token.merge(&cell.per_output_token);
        self.overhead.merge(&cell.overhead);
    }

    /// What the calls cost; `None` where not one of them has a known price.
    fn usd(&self, usd: Usd) -> Option<Usd> {
        (self.calls == 0 || self.unknown + self.unpriced < self.calls).then_some(usd)
    }

    fn tokens(&self) -> Option<Tokens> {
        (self.calls == 0 || self.unknown < self.calls).then(|| self.usage.into())
    }

    fn json(&self) -> Value {
        json!({
            "calls": self.calls,
            "errors": self.errors,
            "abandoned": self.abandoned,
            "truncated": self.truncated,
            "unknown_usage_calls": self.unknown,
            "unpriced_calls": self.unpriced,
            "usd": self.usd(self.cost),
            "usd_uncached": self.usd(self.cost_uncached),
            "priced": self.unpriced == 0,
            "tokens": self.tokens(),
            "latency_ms": percentiles(&self.latency),
            "ttft_ms": percentiles(&self.first_content),
            "tpot_ms": percentiles(&self.per_output_token),
        })
    }
}

/// `None` where nothing was measured.
fn percentiles(histogram: &Histogram) -> Option<Value> {
    let at = |q: f64| histogram.quantile(q).map(Span::as_millis_f64);
    let mean = histogram.mean().map(Span::as_millis_f64);
    (0 < histogram.count())
        .then(|| json!({ "mean": mean, "p50": at(0.5), "p95": at(0.95), "p99": at(0.99) }))
}

pub(super) fn summary(
    shared: &Shared,
    window: Window,
    findings: &Findings,
) -> Result<Value, StoreError> {
    let to = shared.clock.now();
    let from = (to - window.span).floor(window.width.span());
    let reader = shared.store.reader();
    let cells = reader.cells(from, to + Span::from_nanos(1), window.width)?;
    let (mut total, mut series) = (Sum::default(), BTreeMap::<Time, Sum>::new());
    let (mut models, mut operations) = (Groups::new(), Groups::new());
    let nobody: Arc<str> = "".into();
    for cell in &cells {
        total.add(cell);
        series.entry(cell.at).or_default().add(cell);
        models.entry((cell.provider.clone(), cell.model.clone())).or_default().add(cell);
        operations.entry((nobody.clone(), cell.operation.clone())).or_default().add(cell);
    }
    let last = to.floor(window.width.span());
    let series = series.iter().map(|(at, sum)| {
        let mut point = sum.json();
        point["at_ms"] = json!(at.millis());
        point["partial"] = json!(*at == last);
        point
    });
    Ok(json!({
        "window": {
            "from_ms": from.millis(),
            "to_ms": to.millis(),
            "width_ms": window.width.span().nanos() / 1_000_000,
        },
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
        "prices_taken": taken.map(day),
        "store_bytes": store.bytes_on_disk,
        "corrupt_files": store.corrupt_files,
        "last_flush_error": store.last_flush_error,
        "last_maintenance_error": store.last_maintenance_error,
        "in_flight": shared.counts.in_flight(),
        "refused_config": shared.refused_config(),
    })
}

/// A date as people write it.
fn day(at: Time) -> String {
    let at = jiff::Timestamp::from_second(at.secs()).unwrap_or_default();
    at.strftime("%Y-%m-%d").to_string()
}
