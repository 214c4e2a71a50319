//! What all calls of a longer time cost, where only the latest of them are studied.
//!
//! A busy gateway studies minutes of its calls and keeps sums of weeks. A month is then claimed by
//! the sums: each call studied stands for what its like (same operation, provider and model) cost
//! in that time. Calls whose like was not studied are in the forecast, and in no saving.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use scrimp_core::{Time, Usd};

use super::forecast::{HOUR, Ledger};
use super::{Key, Profile};

/// What the calls of one operation, provider and model cost in one hour.
#[derive(Clone, Debug)]
pub struct Spent {
    /// When the hour begins.
    pub hour: Time,
    /// The operation.
    pub operation: Arc<str>,
    /// Who serves it.
    pub provider: Arc<str>,
    /// The model asked for.
    pub model: Arc<str>,
    /// What they cost, as far as it is known.
    pub usd: Usd,
}

/// What was spent in a time, and what that makes of the calls studied.
#[derive(Debug, Default)]
pub struct Spending {
    ledger: Ledger,
    groups: FxHashMap<Key, Usd>,
}

/// How much was spent for each dollar of the calls studied, by what they were.
#[derive(Clone, Debug)]
pub(super) struct Weights(FxHashMap<Key, f64>);

impl Spending {
    /// Counts the hours up to `now`, in any order. The first is left out: how much of it the sums
    /// saw is not known, and an hour too much would make a day of less than one.
    pub fn of(spent: &[Spent], now: Time) -> Spending {
        let hours = || spent.iter().map(|spent| spent.hour);
        let (Some(first), Some(last)) = (hours().min(), hours().max()) else {
            return Spending::default();
        };
        let (from, to) = (first + HOUR, now.min(last + HOUR));
        let mut spending = Spending { ledger: Ledger::between(from, to), ..Spending::default() };
        for Spent { hour, operation, provider, model, usd } in spent {
            if from <= *hour {
                let (operation, provider) = (operation.clone(), provider.clone());
                let key = Key { operation, provider, model: model.clone() };
                *spending.groups.entry(key).or_default() += *usd;
                spending.ledger.spend(*hour, *usd);
            }
        }
        spending
    }
}

impl Profile {
    /// The profile of the latest of the calls that `spending` is of: what is said of a month is
    /// said by that, and nothing where it does not cover enough time.
    #[must_use]
    pub fn within(self, spending: &Spending) -> Profile {
        let weights = Weights::of(&self, spending);
        Profile { forecast: spending.ledger.forecast(), weights: Some(weights), ..self }
    }
}

impl Weights {
    fn of(profile: &Profile, spending: &Spending) -> Weights {
        let mut weights = FxHashMap::default();
        for operation in &profile.operations {
            for model in &operation.models {
                let (provider, name) = (model.provider.clone(), model.model.clone());
                let key = Key { operation: operation.name.clone(), provider, model: name };
                let studied = model.stats.known_usd().as_f64();
                let spent = spending.groups.get(&key).copied().unwrap_or_default().as_f64();
                if 0.0 < studied {
                    weights.insert(key, spent / studied);
                }
            }
        }
        Weights(weights)
    }

    /// Nothing for what is in no sum, or cost nothing that is known.
    pub(super) fn weight(&self, key: &Key) -> f64 {
        self.0.get(key).copied().unwrap_or(0.0)
    }
}
