//! What a provider says was used in a span of time: a sum over calls, never a call.
//!
//! It has no latency and no prompt, so it belongs into no list of calls; it is what the calls that
//! were measured can be checked against.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::money::Usd;
use crate::time::Time;
use crate::usage::{Metering, UsageState};

/// One line of a provider's report: what was used between two times, as far as it is divided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    /// From when.
    pub from: Time,
    /// Until when, exclusive.
    pub until: Time,
    /// Whose report it is.
    pub provider: Arc<str>,
    /// What the sum is over; all `None`: over everything.
    pub of: Parts,
    /// How many calls, where the report counts them.
    pub calls: Option<u64>,
    /// Their tokens; unknown in a report of money.
    pub metering: Metering,
    /// What they cost, where the report says it.
    pub usd: Option<Usd>,
}

/// What a report is divided by. `None`: not divided by it, or all the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Parts {
    /// The model.
    pub model: Option<Arc<str>>,
    /// The project or workspace.
    pub project: Option<Arc<str>>,
    /// The provider's name of the key.
    pub key: Option<Arc<str>>,
    /// The user or account.
    pub user: Option<Arc<str>>,
    /// The tier: `batch`, `standard`, …
    pub tier: Option<Arc<str>>,
    /// Anything else, in the report's words: a line of a bill, a host, a length of context.
    pub item: Option<Arc<str>>,
}

impl Aggregate {
    /// Whether it is a line of a bill rather than of a count of tokens.
    pub fn is_of_money(&self) -> bool {
        self.metering.state == UsageState::Unknown && self.usd.is_some()
    }
}
