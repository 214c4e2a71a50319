//! Exact sums beside the ledger: by day and session, and by day and value of each tag.
//!
//! Every call is in at most one sum of a day and tag, so that the sums of one tag and the calls
//! without it are the ledger's. How many sums a day may have is bounded; calls beyond that share one.

mod rows;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use scrimp_core::{Caller, Digest, Record, Usage, Usd};
use serde::{Deserialize, Serialize};

use crate::commit::{classes, usage_of};
use crate::rollup::LedgerRow;
use crate::tally::Limits;

pub use rows::{Allocated, Allocation};
pub(crate) use rows::{SpendRows, allocation, each_account};

/// The names of tags that one day may have. Calls with others are counted as if they had none of
/// those, and that is counted.
const MOST_NAMES: usize = 64;
/// The tag that bills are divided by. Other names cannot take its place.
const TEAM_TAG: &str = "team";
/// Virtual keys tag their calls with their id. The ledger has that.
const KEY_TAG: &str = "key";

/// What calls are told apart by, beside what the ledger knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// The session that a client names.
    Session,
    /// The value of the tag with this name.
    Tag(Arc<str>),
}

/// What a call is counted under. `None`: everything beyond the limit of a day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    Session(Option<Digest>),
    Tag(Arc<str>, Option<Arc<str>>),
}

/// What some calls used and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// All calls.
    pub calls: u64,
    /// Calls that were metered but have no price.
    pub unpriced: u64,
    /// Calls whose usage is not known.
    pub unknown: u64,
    /// Tokens of the metered calls.
    pub usage: Usage,
    /// What the priced calls cost.
    pub cost: Usd,
}

/// The accounts of one day.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    sessions: FxHashSet<Digest>,
    /// By name of the tag, so that a busy one takes no room from another.
    values: FxHashMap<Arc<str>, FxHashSet<Arc<str>>>,
}

/// What a call is counted under, and how often there was no room for it.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) accounts: Vec<Account>,
    pub(crate) folded: u64,
}

impl Spend {
    /// One call.
    pub(crate) fn of(record: &Record) -> Spend {
        let is_metered = record.is_metered();
        Spend {
            calls: 1,
            unpriced: u64::from(is_metered && record.cost.is_none()),
            unknown: u64::from(!is_metered),
            usage: if is_metered { record.metering.usage } else { Usage::ZERO },
            cost: record.cost.unwrap_or_default(),
        }
    }

    /// Adds other calls.
    pub fn merge(&mut self, other: &Spend) {
        let Spend { calls, unpriced, unknown, usage, cost } = other;
        self.calls += calls;
        self.unpriced += unpriced;
        self.unknown += unknown;
        self.usage += *usage;
        self.cost += *cost;
    }

    /// Takes away calls that are among these. Of a ledger that lost rows there may be fewer.
    pub fn take_away(&mut self, part: &Spend) {
        let Spend { calls, unpriced, unknown, usage, cost } = part;
        self.calls = self.calls.saturating_sub(*calls);
        self.unpriced = self.unpriced.saturating_sub(*unpriced);
        self.unknown = self.unknown.saturating_sub(*unknown);
        let mut left = classes(&self.usage);
        for (mine, theirs) in left.iter_mut().zip(classes(usage)) {
            *mine = mine.saturating_sub(theirs);
        }
        self.usage = usage_of(left);
        self.cost -= *cost;
    }
}

impl From<&LedgerRow> for Spend {
    fn from(row: &LedgerRow) -> Spend {
        let LedgerRow { calls, unpriced, unknown, usage, cost, .. } = *row;
        Spend { calls, unpriced, unknown, usage, cost }
    }
}

impl Accounts {
    /// Says that the disk has this account already.
    pub(crate) fn know(&mut self, account: Account) {
        match account {
            Account::Session(Some(session)) => drop(self.sessions.insert(session)),
            Account::Tag(name, Some(value)) => {
                self.values.entry(name).or_default().insert(value);
            }
            Account::Tag(name, None) => drop(self.values.entry(name).or_default()),
            Account::Session(None) => {}
        }
    }

    /// The accounts of a caller's call; those beyond the limits are the common ones.
    pub(crate) fn of(&mut self, caller: &Caller, limits: &Limits) -> Counted {
        let mut counted = Counted::default();
        if let Some(session) = caller.session {
            let account = self.session(session, limits.sessions_per_day);
            counted.folded += u64::from(account == Account::Session(None));
            counted.accounts.push(account);
        }
        for (at, (name, value)) in caller.tags.iter().enumerate() {
            let (before, after) = (&caller.tags[..at], &caller.tags[at + 1..]);
            let is_counted = before.iter().any(|tag| tag.0 == *name && !tag.1.is_empty());
            if **name == *KEY_TAG || value.is_empty() || is_counted {
                continue;
            }
            let value = joined(name, value, after);
            let account = self.tag(name, value, limits.tag_values_per_day);
            counted.folded += u64::from(!matches!(account, Some(Account::Tag(_, Some(_)))));
            counted.accounts.extend(account);
        }
        counted
    }

    fn session(&mut self, session: Digest, limit: usize) -> Account {
        if self.sessions.contains(&session) || self.sessions.len() < limit {
            self.sessions.insert(session);
            return Account::Session(Some(session));
        }
        Account::Session(None)
    }

    /// `None`: not even the name has room.
    fn tag(&mut self, name: &Arc<str>, value: Arc<str>, limit: usize) -> Option<Account> {
        if !self.values.contains_key(name) {
            if **name != *TEAM_TAG && MOST_NAMES <= self.values.len() {
                return None;
            }
            self.values.insert(name.clone(), FxHashSet::default());
        }
        let values = self.values.get_mut(name).expect("it is there now");
        if !values.contains(&value) {
            if limit <= values.len() {
                return Some(Account::Tag(name.clone(), None));
            }
            values.insert(value.clone());
        }
        Some(Account::Tag(name.clone(), Some(value)))
    }
}

/// A call that has a tag several times is counted once, under all its values.
fn joined(name: &Arc<str>, value: &Arc<str>, after: &[(Arc<str>, Arc<str>)]) -> Arc<str> {
    let same = || after.iter().filter(|(other, more)| other == name && !more.is_empty());
    if same().next().is_none() {
        return value.clone();
    }
    let mut values: Vec<&str> =
        std::iter::once(&**value).chain(same().map(|tag| &*tag.1)).collect();
    values.sort_unstable();
    values.dedup();
    values.join(", ").into()
}
