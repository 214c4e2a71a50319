//! What an experiment has to show: totals of each unit on either side.

use serde::{Deserialize, Serialize};

use crate::money::Usd;
use crate::policy::Arm;

/// Totals of one unit (a session, a key, a family of prompts) in one experiment. Units, not calls,
/// are what is independent of each other, so all statistics start from these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitTotals {
    /// The unit.
    pub unit: u64,
    /// Its side.
    pub arm: Arm,
    /// Its calls that were metered and priced.
    pub calls: u64,
    /// Its calls that did not succeed, or are not metered or priced.
    pub left_out: u64,
    /// Of these, its calls that the provider or the gateway failed.
    pub errors: u64,
    /// What its metered calls cost.
    pub cost: Usd,
    /// What the same tokens would have cost without any caching.
    pub cost_uncached: Usd,
    /// The part of `cost` of calls that the rule leaves alone on either side.
    pub cost_untouched: Usd,
    /// The part of `cost_uncached` of the same calls.
    pub cost_uncached_untouched: Usd,
}

/// One entry of the journal: a policy that was applied, and maybe taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Its number; also the experiment's.
    pub number: u64,
    /// When it was applied.
    pub applied: crate::time::Time,
    /// When it was taken back.
    pub undone: Option<crate::time::Time>,
    /// Why it was taken back: the user's wish, or the guard's reason.
    pub undone_because: Option<String>,
    /// The finding that it came from, by id, and its title.
    pub finding: String,
    /// The rule, as configuration text (TOML), that was added.
    pub added: String,
    /// The text that the rule replaced, so that undo is exact; empty if nothing was.
    pub replaced: String,
    /// The predicted change of cost as a share of what the calls cost before, in millionths;
    /// negative is a saving.
    pub predicted_ppm: Option<i64>,
    /// The share that is treated, in millionths.
    pub share_millionths: u32,
}
