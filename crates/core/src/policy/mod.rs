//! Every policy: its configuration, its memory, its decision.
//!
//! The order in which they are asked is written in [`crate::flight`] and nowhere else.

pub mod guard;
pub mod hedge;
pub mod prompt_cache;
pub mod shaping;
pub mod token_budget;

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::hash;
use crate::price::Catalog;
use guard::Guard;
use hedge::Hedge;
use prompt_cache::{AutoMemory, PromptCache};
use shaping::{Shaped, Shaping};
use token_budget::{Budgeted, TokenBudget};

/// The policies in force, immutable. A changed configuration makes a new one; calls in flight keep
/// the one that they began with.
#[derive(Clone, Debug)]
pub struct Policies {
    /// Where to place prompt-cache marks. The first rule whose scope covers the call decides.
    pub prompt_cache: Vec<PromptCache>,
    /// How texts are written in fewer tokens. The first rule whose scope covers the call decides.
    pub shaping: Vec<Shaping>,
    /// How many tokens a call may send and have back. The first rule whose scope covers it decides.
    pub token_budgets: Vec<TokenBudget>,
    /// Whether a second request is sent when the first is slow.
    pub hedge: Option<Hedge>,
    /// What tokens cost.
    pub prices: Arc<Catalog>,
    /// Somebody has stepped aside by hand: nothing is decided, and where a rule would have, that is
    /// recorded.
    pub is_bypassed: bool,
}

/// What the policies remember between calls, in parts with a lock each. A lock is held for
/// microseconds and never while waiting.
#[derive(Debug, Default)]
pub struct Memory {
    /// Errors of treated and held-out calls, by rule.
    pub guard: Mutex<Guard>,
    /// Prefixes of recent prompts and how they come again.
    pub auto: Mutex<AutoMemory>,
}

/// What a policy may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is not asked.
    Off,
    /// It decides and its decision is recorded, but changes nothing.
    Observe,
    /// It acts.
    On,
}

/// A share of units, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Share(u32);

/// Which calls a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every call.
    All,
    /// Calls of this operation.
    Operation(Arc<str>),
    /// Calls to this model.
    Model(Arc<str>),
    /// Calls that carry this tag.
    Tag(Arc<str>, Arc<str>),
}

/// On which side of an experiment a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The policy acts.
    Treated,
    /// The policy would act, but the call's unit is held out to compare with.
    HeldOut,
}

/// The call with the prompt that is sent, if shaping or a budget made another of it.
pub fn as_sent(call: &Call, shaped: Option<&Shaped>, budgeted: Option<&Budgeted>) -> Option<Call> {
    let shaped = shaped.map_or(&[][..], |shaped| &shaped.blocks);
    let trim = budgeted.filter(|budgeted| budgeted.is_applied()).map(|budgeted| &budgeted.trim);
    let trim = trim.filter(|trim| trim.changes_prompt());
    if shaped.is_empty() && trim.is_none() {
        return None;
    }
    let mut call = call.clone();
    for shaped in shaped {
        shaped.apply(&mut call.prompt);
    }
    if let Some(trim) = trim {
        call.prompt = trim.apply(&call.prompt);
    }
    Some(call)
}

impl Share {
    /// No unit.
    pub const NONE: Share = Share(0);
    /// Every unit.
    pub const ALL: Share = Share(1_000_000);

    /// From millionths; more than all is all.
    pub const fn from_millionths(millionths: u32) -> Share {
        Share(if millionths < 1_000_000 { millionths } else { 1_000_000 })
    }

    /// In millionths.
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// On which side `unit` is. Sticky: the same unit and experiment always give the same arm, and
    /// a unit that is treated at one share is treated at every larger one.
    pub fn arm(self, unit: u64, experiment: u64) -> Arm {
        let draw = hash::chain(hash::chain(hash::text("arm"), experiment), unit) % 1_000_000;
        match draw < u64::from(self.0) {
            true => Arm::Treated,
            false => Arm::HeldOut,
        }
    }
}

impl Scope {
    /// Whether `call` is in this scope.
    pub fn covers(&self, call: &Call) -> bool {
        match self {
            Scope::All => true,
            Scope::Operation(name) => *name == call.operation,
            Scope::Model(name) => *name == call.model,
            Scope::Tag(key, value) => call.caller.tags.iter().any(|(k, v)| k == key && v == value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_treats_about_that_share_and_growing_it_moves_nobody_back() {
        let tenth = Share::from_millionths(100_000);
        let half = Share::from_millionths(500_000);
        let treated =
            |share: Share| (0..10_000).filter(|u| share.arm(*u, 7) == Arm::Treated).count();
        assert!((900..1_100).contains(&treated(tenth)), "{}", treated(tenth));
        for unit in 0..10_000 {
            if tenth.arm(unit, 7) == Arm::Treated {
                assert_eq!(half.arm(unit, 7), Arm::Treated);
            }
        }
        assert_eq!((treated(Share::NONE), treated(Share::ALL)), (0, 10_000));
    }

    #[test]
    fn two_experiments_split_the_same_units_differently() {
        let half = Share::from_millionths(500_000);
        let same = (0..10_000).filter(|u| half.arm(*u, 1) == half.arm(*u, 2)).count();
        assert!((4_700..5_300).contains(&same), "{same}");
    }
}
