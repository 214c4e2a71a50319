//! What an attempt cost: what the provider says, or else what the list says.

use std::sync::Arc;

use crate::money::Usd;
use crate::usage::Usage;

use super::{PriceRow, Terms};

/// Stands in the place of a price row where the provider's own word was taken.
pub const REPORTED: &str = "reported by the provider";

/// What an attempt cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) cost: Option<Usd>,
    /// What it would have cost without any prompt caching.
    pub(crate) cost_uncached: Option<Usd>,
    /// The price row, or [`REPORTED`].
    pub(crate) priced_as: Option<Arc<str>>,
}

impl Charge {
    /// What is paid beats what is computed. What the call would have cost without caching nobody says:
    /// the list's proportion is taken, so that a discount is no saving of a cache's. Without a price it
    /// is not known, not even of a call without caching: a sum of only these would be of other calls.
    pub(crate) fn of(
        usage: &Usage,
        terms: Terms,
        row: Option<&PriceRow>,
        told: Option<Usd>,
    ) -> Charge {
        let uncached = usage.without_caching();
        let by_list = |usage: &Usage| match row {
            Some(row) => Some(row.cost(usage, terms)),
            None => (*usage == Usage::ZERO).then_some(Usd::ZERO),
        };
        let cost = by_list(usage);
        let cost_uncached = if uncached == *usage { cost } else { by_list(&uncached) };
        let Some(told) = told else {
            return Charge { cost, cost_uncached, priced_as: row.map(|row| row.model.clone()) };
        };
        let proportion = || {
            let part = told.pico().checked_mul(cost_uncached?.pico())?;
            Some(Usd::from_pico(part.checked_div(cost?.pico())?))
        };
        Charge {
            cost: Some(told),
            cost_uncached: if row.is_some() && uncached == *usage {
                Some(told)
            } else {
                proportion()
            },
            priced_as: Some(REPORTED.into()),
        }
    }
}
