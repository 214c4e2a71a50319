//! Sums over cells, as the API tells them.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_core::{Histogram, Span, Time, Usage, Usd};
use scrimp_store::Cell;
use serde_json::{Value, json};

use super::rows::Tokens;
use super::window::Narrowing;

/// The most groups of a table. The rest is one sum.
pub(super) const MOST_GROUPS: usize = 200;

/// Operation, model and provider.
pub(super) type Name = (Arc<str>, Arc<str>, Arc<str>);

/// Sums over the cells that somebody asks about: whole, by stretch of time, by name.
#[derive(Debug, Default)]
pub(super) struct Divided {
    pub(super) total: Sum,
    pub(super) series: BTreeMap<Time, Sum>,
    pub(super) groups: BTreeMap<Name, Sum>,
}

impl Divided {
    pub(super) fn of(cells: &[Cell], narrowing: &Narrowing) -> Divided {
        let mut divided = Divided::default();
        for cell in cells {
            if narrowing.passes(&cell.provider, &cell.model, &cell.operation) {
                let name = (cell.operation.clone(), cell.model.clone(), cell.provider.clone());
                divided.total.add(cell);
                divided.series.entry(cell.at).or_default().add(cell);
                divided.groups.entry(name).or_default().add(cell);
            }
        }
        divided
    }
}

/// Sums over cells.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    pub(super) calls: u64,
    pub(super) errors: u64,
    pub(super) abandoned: u64,
    pub(super) truncated: u64,
    pub(super) unknown: u64,
    pub(super) unpriced: u64,
    pub(super) usage: Usage,
    pub(super) cost: Usd,
    pub(super) cost_uncached: Usd,
    pub(super) latency: Histogram,
    pub(super) first_content: Histogram,
    pub(super) per_output_token: Histogram,
    pub(super) overhead: Histogram,
}

impl Sum {
    pub(super) fn add(&mut self, cell: &Cell) {
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

    /// What the calls cost; `None` where it is known of not one of them. A provider may tell the cost
    /// without the tokens.
    pub(super) fn usd(&self, usd: Usd) -> Option<Usd> {
        let is_priced = self.calls == 0 || self.unknown + self.unpriced < self.calls;
        (is_priced || self.cost != Usd::ZERO).then_some(usd)
    }

    pub(super) fn tokens(&self) -> Option<Tokens> {
        (self.calls == 0 || self.unknown < self.calls).then(|| self.usage.into())
    }

    pub(super) fn json(&self) -> Value {
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
pub(super) fn percentiles(histogram: &Histogram) -> Option<Value> {
    let at = |q: f64| histogram.quantile(q).map(Span::as_millis_f64);
    let mean = histogram.mean().map(Span::as_millis_f64);
    (0 < histogram.count()).then(|| {
        json!({
            "count": histogram.count(),
            "mean": mean,
            "p50": at(0.5),
            "p95": at(0.95),
            "p99": at(0.99),
            "max": at(1.0),
        })
    })
}
