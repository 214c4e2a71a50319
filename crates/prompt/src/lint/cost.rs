//! Dollars for a thousand calls.

use std::sync::Arc;

use scrimp_core::price::{PriceRow, Terms};
use scrimp_core::{Usage, Usd};
use scrimp_tokens::{Basis, Vocabulary};

use super::Costs;

const CALLS: u64 = 1_000;

/// A model with its price and its vocabulary.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its price.
    pub row: Arc<PriceRow>,
    /// How its text is counted.
    pub vocabulary: Vocabulary,
}

impl Model {
    /// `provider/model`
    pub fn name(&self) -> String {
        format!("{}/{}", self.row.provider, self.row.model)
    }

    /// How far its counts can be relied on, where that is not the token.
    pub(super) fn notes(&self) -> Option<String> {
        let name = &self.row.model;
        match self.vocabulary.basis() {
            Basis::Published => None,
            Basis::Assumed => Some(format!(
                "{name} is counted with {}, that of the models before; the vendor has not said",
                self.vocabulary.encoding()
            )),
            Basis::Estimated { error } => {
                Some(format!("tokens of {name} are an estimate, ±{:.0}%", error * 100.0))
            }
        }
    }
}

/// Tokens of a prefix that this model's provider keeps: none below its minimum, whole steps above.
pub(super) fn kept(model: &Model, prefix: u64) -> Option<u64> {
    let rules = model.row.cache?;
    let is_long = rules.min_tokens <= prefix;
    Some(if is_long { prefix - prefix % rules.step.max(1) } else { 0 })
}

/// Input of a thousand calls, nothing cached.
pub fn uncached(model: &Model, tokens: u64) -> Usd {
    let usage = Usage { uncached: tokens, ..Usage::ZERO };
    model.row.cost(&usage, Terms::default()).scaled(CALLS, 1)
}

/// Input of a thousand calls of which the first writes `kept` tokens and the others read them.
pub(super) fn cached(model: &Model, tokens: u64, kept: u64) -> Usd {
    let kept = kept.min(tokens);
    let rest = Usage { uncached: tokens - kept, ..Usage::ZERO };
    let first = Usage { cache_write_short: kept, ..rest };
    let other = Usage { cache_read: kept, ..rest };
    let cost = |usage: &Usage| model.row.cost(usage, Terms::default());
    cost(&first) + cost(&other).scaled(CALLS - 1, 1)
}

/// What a thousand calls cost more with caching where the prefix is only `shorter`. `None`: nothing.
pub(super) fn dearer(model: &Model, tokens: u64, prefix: u64, shorter: u64) -> Option<Usd> {
    let of = |prefix: u64| Some(cached(model, tokens, kept(model, prefix.min(tokens))?));
    Some(of(shorter)? - of(prefix)?).filter(|more| Usd::ZERO < *more)
}

/// The line of a model.
pub(super) fn costs(model: &Model, tokens: u64, prefix: u64, exact: bool) -> Costs {
    let kept = kept(model, prefix.min(tokens));
    Costs {
        model: model.row.model.to_string(),
        provider: model.row.provider.to_string(),
        tokens,
        exact,
        cached_tokens: kept,
        usd_per_1000: uncached(model, tokens),
        usd_per_1000_cached: kept.map(|kept| cached(model, tokens, kept)),
    }
}
