//! Which models' usage that passed by was charged half, where a bill is one sum a day and no report
//! tells tiers.
//!
//! Half a price and a discount look alike on one day. Over several days they do not: a discount is
//! one factor on all of them, and what passed by is of another size each day. So every set of models
//! is tried as the batch job's; the one that leaves one factor on all days is it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scrimp_core::Usd;

use super::fit::{self, Part};

/// Every set of more models than this would take too long, and some set would fit by chance.
const MOST_MODELS: usize = 6;

/// A day of the bill, and the list price of what passed by on it.
pub(super) struct Day<'a> {
    pub(super) part: Part,
    pub(super) passed: &'a BTreeMap<Arc<str>, Usd>,
}

/// The models whose usage was charged half, and the factor on all; `None`: no set leaves the same
/// factor on all days, or none needs to be halved.
pub(super) fn find(days: &[Day<'_>]) -> Option<(u64, BTreeSet<Arc<str>>)> {
    let names = days.iter().flat_map(|day| day.passed.keys().cloned());
    let names: Vec<Arc<str>> = names.collect::<BTreeSet<_>>().into_iter().collect();
    if days.len() < 2 || MOST_MODELS < names.len() {
        return None;
    }
    let sets = (0..1_usize << names.len()).map(|set| -> BTreeSet<Arc<str>> {
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

/// Half of what passed by of these models.
pub(super) fn half(passed: &BTreeMap<Arc<str>, Usd>, set: &BTreeSet<Arc<str>>) -> Usd {
    let of_set = passed.iter().filter(|(model, _)| set.contains(*model));
    of_set.map(|(_, usd)| usd.scaled(1, 2)).sum()
}

impl Day<'_> {
    fn halved(&self, set: &BTreeSet<Arc<str>>) -> Part {
        Part { list: self.part.list - half(self.passed, set), ..self.part }
    }
}
