//! The prediction that goes with a rule before anything is changed.
//!
//! Both sides are the model's: the traffic under the rule over the traffic as it is. What the model
//! leaves out (evictions, cold machines) is left out of both, and so mostly cancels; and where a
//! rule stands down, the prediction is no change at all. The range is what remains in doubt: which
//! units will come (bootstrap by unit), and how the vendor's rule about mixed lives is to be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_core::policy::prompt_cache::PromptCache;
use scrimp_core::policy::{Share, State};
use scrimp_core::{Catalog, Policies, Record, Usd, hash};
use serde::Serialize;

use super::provider::Reading;
use super::trace::Trace;
use super::whatif::under;

/// What a rule would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Prediction {
    /// The predicted change of the total cost of the calls in the rule's scope, in millionths of
    /// what they cost now; negative is a saving. Halfway between the two readings.
    pub ppm: i64,
    /// Lower end of its 90 % range.
    pub low_ppm: i64,
    /// Upper end of its 90 % range.
    pub high_ppm: i64,
    /// What the calls in scope cost in the trace, as the model sees the present behaviour.
    pub now: Usd,
    /// How many calls are in scope.
    pub calls: usize,
    /// How many units they belong to.
    pub units: usize,
}

/// Resamples for the range.
const RESAMPLES: u64 = 400;

/// Predicts what `rule` would change if it acted on all units in its scope. `None` where the trace
/// has no priced call in its scope.
pub fn predict(trace: &Trace, rule: &PromptCache, catalog: &Catalog) -> Option<Prediction> {
    let prices = Arc::new(catalog.clone());
    let acting = PromptCache { state: State::On, share: Share::ALL, ..rule.clone() };
    let policies = |prompt_cache| Policies {
        prompt_cache,
        shaping: Vec::new(),
        token_budgets: Vec::new(),
        hedge: None,
        prices: prices.clone(),
        is_bypassed: false,
    };
    let (as_is, changed) = (policies(Vec::new()), policies(vec![acting]));
    let readings = [Reading::Covers, Reading::WritesOnly].map(|reading| {
        let records = under(trace, &as_is, reading);
        Readout::of(rule, &records, &under(trace, &changed, reading))
    });
    let [a, b] = &readings;
    let middle = f64::midpoint(a.change()?, b.change()?);
    let ranges = [a.range(), b.range()];
    let low = ranges.iter().map(|range| range.0).fold(middle, f64::min);
    let high = ranges.iter().map(|range| range.1).fold(middle, f64::max);
    let (ppm, low_ppm, high_ppm) = (ppm(middle), ppm(low), ppm(high));
    Some(Prediction { ppm, low_ppm, high_ppm, now: a.now, calls: a.calls, units: a.units.len() })
}

/// Costs before and after, by unit.
struct Readout {
    /// In dollars, for ratios only.
    units: Vec<(f64, f64)>,
    now: Usd,
    calls: usize,
}

impl Readout {
    fn of(rule: &PromptCache, as_is: &[Record], changed: &[Record]) -> Readout {
        let mut units: BTreeMap<u64, (Usd, Usd)> = BTreeMap::new();
        let mut calls = 0;
        for (before, after) in as_is.iter().zip(changed) {
            let Some((now, then)) = before.cost.zip(after.cost) else { continue };
            if rule.scope.covers(&before.call) {
                let unit = units.entry(before.call.unit()).or_default();
                *unit = (unit.0 + now, unit.1 + then);
                calls += 1;
            }
        }
        let now = units.values().map(|(now, _)| *now).sum();
        let units = units.values().map(|(now, then)| (now.as_f64(), then.as_f64())).collect();
        Readout { units, now, calls }
    }

    fn change(&self) -> Option<f64> {
        change(self.units.iter().copied())
    }

    /// The middle 90 % of the change over resampled units. The draws are hashes, so that the same
    /// trace always gives the same range.
    fn range(&self) -> (f64, f64) {
        let count = self.units.len() as u64;
        let resample = |number: u64| {
            let seed = hash::chain(hash::text("bootstrap"), number);
            let draw = move |at: u64| hash::mix(seed ^ at) % count.max(1);
            let drawn = (0..count).map(draw);
            change(drawn.filter_map(|at| self.units.get(usize::try_from(at).ok()?).copied()))
        };
        let mut changes: Vec<f64> = (0..RESAMPLES).filter_map(resample).collect();
        changes.sort_by(f64::total_cmp);
        let at = |share: usize| changes.get(changes.len() * share / 100).copied();
        let point = self.change().unwrap_or(0.0);
        (at(5).unwrap_or(point), at(95).unwrap_or(point))
    }
}

fn change(units: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (now, then) = units.fold((0.0, 0.0), |sum, unit| (sum.0 + unit.0, sum.1 + unit.1));
    (0.0 < now).then(|| then / now - 1.0)
}

#[expect(clippy::cast_possible_truncation, reason = "a share near one; casts saturate")]
fn ppm(share: f64) -> i64 {
    (share * 1e6).round() as i64
}
