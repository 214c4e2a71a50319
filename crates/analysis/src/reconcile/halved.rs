//! Which models' usage that passed by was charged half, where a bill is one sum a day and no report
//! tells tiers.
//!
//! Half a price and a discount look alike on one day. Over several days they do not: a discount is
//! one factor on all of them, and what passed by is of another size each day. So every set of models
//! and keys is tried as the batch job's; the one that leaves one factor on all days is it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scrimp_core::Usd;

use super::fit::{self, Part};

/// Every set of more kinds than this would take too long, and some set would fit by chance.
const MOST_KINDS: usize = 8;

/// A model and, where reports tell it, a key.
pub(super) type Kind = (Arc<str>, Option<Arc<str>>);

/// A day of the bill, and the list price of what passed by on it.
pub(super) struct Day<'a> {
    pub(super) part: Part,
    pub(super) passed: &'a BTreeMap<Kind, Usd>,
}

/// The kinds whose usage was charged half, and the factor on all; `None`: no set leaves the same
/// factor on all days, or none needs to be halved.
pub(super) fn find(days: &[Day<'_>]) -> Option<(u64, BTreeSet<Kind>)> {
    let names = days.iter().flat_map(|day| day.passed.keys().cloned());
    let names: Vec<Kind> = names.collect::<BTreeSet<_>>().into_iter().collect();
    if days.len() < 2 || MOST_KINDS < names.len() {
        return None;
    }
    let sets = (0..1_usize << names.len()).map(|set| -> BTreeSet<Kind> {
        let is_in = |at: &usize| set >> at & 1 == 1;
        (0..names.len()).filter(is_in).map(|at| names[at].clone()).collect()
    });
    let fits = sets.filter_map(|set| {
        let parts: Vec<Part> = days.iter().map(|day| day.halved(&set)).collect();
        let factor = fit::factor(&parts)?;
        let is_all = parts.iter().all(|part| fit::has(part, factor));
        is_all.then(|| (fit::doubt(&parts, factor), factor, set))
    });
    let best = fits.min_by(|one, other| one.0.total_cmp(&other.0));
    best.map(|(_, factor, set)| (factor, set)).filter(|(_, set)| !set.is_empty())
}

/// The roundest factor with which no day has more, and no day less, than what passed by allows if
/// any part of it was charged half.
pub(super) fn between(days: &[Day<'_>]) -> Option<u64> {
    let usual = || days.iter().filter(|day| Usd::ZERO < day.part.list && Usd::ZERO < day.part.paid);
    let least = |day: &Day<'_>| day.part.paid.as_f64() / day.part.list.as_f64();
    let most = |day: &Day<'_>| {
        let passed: Usd = day.passed.values().copied().sum();
        day.part.paid.as_f64() / (day.part.list - passed.scaled(1, 2)).as_f64()
    };
    let (low, high) = (usual().map(least).reduce(f64::max)?, usual().map(most).reduce(f64::min)?);
    fit::roundest(low, high)
}

/// Half of what passed by of these kinds.
pub(super) fn half(passed: &BTreeMap<Kind, Usd>, set: &BTreeSet<Kind>) -> Usd {
    let of_set = passed.iter().filter(|(kind, _)| set.contains(*kind));
    of_set.map(|(_, usd)| usd.scaled(1, 2)).sum()
}

impl Day<'_> {
    fn halved(&self, set: &BTreeSet<Kind>) -> Part {
        Part { list: self.part.list - half(self.passed, set), ..self.part }
    }
}
