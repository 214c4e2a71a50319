//! What was spent, by whom and on what: whole days (UTC) of the ledger, and how they divide.
//!
//! Whatever is asked for, the rows add up to the totals: what has no value of the dimension, what is
//! not listed and what is not known are rows of their own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use scrimp_core::{Digest, KeyRing, Span, Time, Usd, VirtualKey};
use scrimp_store::{Allocation, Dimension, LedgerRow, OTHER_KEYS, Spend};
use serde_json::{Value, json};

use super::rows::Tokens;
use super::{MOST_ROWS, Unanswered, named, parameter};
use crate::gateway::Gateway;
use crate::keys;

const DAY: Span = Span::from_hours(24);
const MOST_DAYS: i64 = 366;
/// What the ledger calls everything beyond its limit on distinct names.
const OTHER: &str = "other";
/// What a chart may show, and by what its dearest rows are chosen.
const MEASURES: [fn(&Spend) -> i128; 4] = [
    |spend| spend.cost.pico(),
    |spend| i128::from(spend.usage.input() + spend.usage.total_output()),
    |spend| i128::from(spend.calls),
    |spend| i128::from(spend.unpriced),
];
/// So many rows of each measure are told by day: as many as can be drawn apart. A year of every row
/// would be hundreds of thousands of days.
const MOST_DRAWN: usize = 6;

/// What a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Group<'a> {
    Model {
        provider: &'a str,
        model: &'a str,
    },
    Named(&'a str),
    Key(Digest),
    /// Values that are not listed.
    Rest,
    /// Calls without a key, a tag, a session.
    Without,
    /// Calls of days before calls were counted by this, or of which a sum cannot be read.
    Unknown,
}

/// What a group spent on a day; it may have several.
type Part<'a> = (Group<'a>, Time, Spend);

/// Sums of a group, whole and by day.
#[derive(Clone, Debug, Default)]
struct Sums {
    whole: Spend,
    days: BTreeMap<Time, Spend>,
}

impl Sums {
    fn add(&mut self, day: Time, spend: &Spend) {
        self.whole.merge(spend);
        self.days.entry(day).or_default().merge(spend);
    }
}

/// By what spend is divided.
enum By {
    Ledger(for<'a> fn(&'a LedgerRow) -> Group<'a>),
    Dimension(Dimension),
}

impl By {
    fn asked(query: &str) -> Result<(String, By), Unanswered> {
        let by = named(query, "by").unwrap_or_else(|| "model".to_owned());
        let of = match by.as_str() {
            "model" => By::Ledger(|row| match (&*row.provider, &*row.model) {
                (OTHER, OTHER) => Group::Rest,
                _ => Group::Model { provider: &row.provider, model: &row.model },
            }),
            "provider" => By::Ledger(|row| named_or_rest(&row.provider)),
            "operation" => By::Ledger(|row| named_or_rest(&row.operation)),
            "key" => By::Ledger(|row| match row.key {
                OTHER_KEYS => Group::Rest,
                key if key == Digest::default() => Group::Without,
                key => Group::Key(key),
            }),
            "team" => By::Dimension(Dimension::Tag("team".into())),
            "session" => By::Dimension(Dimension::Session),
            "tag" => {
                let no_name = || "`by=tag` needs `tag=NAME`; `tags` lists the names".to_owned();
                let name = named(query, "tag").ok_or_else(no_name).map_err(Unanswered::Wrong)?;
                By::Dimension(Dimension::Tag(name.into()))
            }
            _ => {
                let known = "model, provider, operation, key, team, tag or session";
                return Err(Unanswered::Wrong(format!("`by` is {known}, not `{by}`")));
            }
        };
        Ok((by, of))
    }
}

fn named_or_rest(name: &str) -> Group<'_> {
    if name == OTHER { Group::Rest } else { Group::Named(name) }
}

/// How the days of a ledger divide by what it does not know itself.
fn divided<'a>(ledger: &[LedgerRow], allocation: &'a Allocation) -> Vec<Part<'a>> {
    let mut days = BTreeMap::<Time, Spend>::new();
    for row in ledger {
        days.entry(row.day).or_default().merge(&row.into());
    }
    let is_known = |day: Time| allocation.since.is_none_or(|since| since <= day);
    let mut parts = Vec::new();
    for row in allocation.rows().filter(|row| is_known(row.day)) {
        parts.push((row.value.map_or(Group::Rest, Group::Named), row.day, *row.spend));
        if let Some(left) = days.get_mut(&row.day) {
            left.take_away(row.spend);
        }
    }
    for (day, left) in days.into_iter().filter(|(_, left)| *left != Spend::default()) {
        let group = if allocation.is_whole(day) { Group::Without } else { Group::Unknown };
        parts.push((group, day, left));
    }
    parts
}

/// The dearest groups that have a name, then what has none; the groups beyond `limit` are the rest.
/// And how many these are. Only what is listed is summed whole: there are tens of thousands of
/// sessions.
fn listed<'a>(parts: &[Part<'a>], limit: usize) -> (Vec<(Group<'a>, Sums)>, usize) {
    let mut ranks = FxHashMap::<Group<'a>, (Usd, u64)>::default();
    for (group, _, spend) in parts.iter().filter(|(group, ..)| *group < Group::Rest) {
        let (cost, calls) = ranks.entry(*group).or_default();
        *cost += spend.cost;
        *calls += spend.calls;
    }
    let mut dearest: Vec<_> =
        ranks.into_iter().map(|(group, rank)| (Reverse(rank), group)).collect();
    let count = dearest.len();
    if limit < count {
        dearest.select_nth_unstable(limit);
        dearest.truncate(limit);
    }
    dearest.sort_unstable();
    let places = dearest.iter().enumerate().map(|(at, (_, group))| (*group, at));
    let places: FxHashMap<Group<'a>, usize> = places.collect();
    let mut named: Vec<_> = dearest.iter().map(|(_, group)| (*group, Sums::default())).collect();
    let mut others = BTreeMap::<Group<'a>, Sums>::new();
    for (group, day, spend) in parts {
        let sums = match places.get(group) {
            Some(at) => &mut named[*at].1,
            None => others.entry((*group).max(Group::Rest)).or_default(),
        };
        sums.add(*day, spend);
    }
    let unlisted = count - named.len();
    named.extend(others);
    (named, unlisted)
}

/// `GET /api/v1/spend`
pub(super) fn spend(gateway: &Gateway, query: &str) -> Result<Value, Unanswered> {
    let (name, by) = By::asked(query)?;
    let number = |name| parameter(query, name).and_then(|number| number.parse::<i64>().ok());
    let days = number("days").unwrap_or(30).clamp(1, MOST_DAYS);
    let limit = number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10);
    let shared = gateway.shared();
    let to = shared.clock.now().floor(DAY) + DAY;
    let from = to - Span::from_hours(24 * days);
    let dimension = match &by {
        By::Dimension(dimension) => Some(dimension),
        By::Ledger(_) => None,
    };
    // The ledger always knew its own.
    let is_allocated = dimension.is_some();
    let (ledger, allocation) = shared.store.reader().allocation(dimension, from, to)?;
    let mut total = Spend::default();
    for row in &ledger {
        total.merge(&row.into());
    }
    let parts = match by {
        By::Dimension(_) => divided(&ledger, &allocation),
        By::Ledger(group) => ledger.iter().map(|row| (group(row), row.day, row.into())).collect(),
    };
    let (rows, unlisted) = listed(&parts, limit.min(MOST_ROWS));
    let owners = owners(gateway, &rows);
    let now = shared.clock.now();
    let drawn = drawn(&rows);
    let mut undrawn = BTreeMap::<Time, Spend>::new();
    for (_, (_, sums)) in rows.iter().enumerate().filter(|(at, _)| !drawn.contains(at)) {
        for (day, spend) in &sums.days {
            undrawn.entry(*day).or_default().merge(spend);
        }
    }
    let told = rows.iter().enumerate().map(|(at, (group, sums))| {
        let mut row = row(group, sums, &owners, now);
        if drawn.contains(&at) {
            row["days"] = by_day(sums.days.iter());
        }
        row
    });
    let since = allocation.since.filter(|since| is_allocated && from < *since);
    Ok(json!({
        "by": name,
        "window": { "from_ms": from.millis(), "to_ms": to.millis(), "width_ms": 86_400_000 },
        "totals": sums(&total),
        "rows": told.collect::<Vec<_>>(),
        "undrawn_days": by_day(undrawn.iter()),
        "unlisted": unlisted,
        "tags": allocation.tags,
        "known_from_ms": since.map(Time::millis),
    }))
}

/// The places of the rows that are told by day: the first of each measure, and what has no name.
fn drawn(rows: &[(Group<'_>, Sums)]) -> BTreeSet<usize> {
    let (named, others): (Vec<usize>, Vec<usize>) =
        (0..rows.len()).partition(|at| rows[*at].0 < Group::Rest);
    let mut drawn: BTreeSet<usize> = others.into_iter().collect();
    for measure in MEASURES {
        let mut first = named.clone();
        first.sort_by_cached_key(|at| Reverse(measure(&rows[*at].1.whole)));
        drawn.extend(first.into_iter().take(MOST_DRAWN));
    }
    drawn
}

/// The virtual keys behind the digests of a list.
fn owners(gateway: &Gateway, rows: &[(Group<'_>, Sums)]) -> FxHashMap<Digest, Arc<VirtualKey>> {
    let is_by_key = rows.iter().any(|(group, _)| matches!(group, Group::Key(_)));
    let running = gateway.running();
    let ring = running.keys.as_deref().filter(|_| is_by_key);
    let named = |key: &Arc<VirtualKey>| {
        (gateway.shared().key.digest("key", key.id.as_bytes()), key.clone())
    };
    ring.into_iter().flat_map(KeyRing::iter).map(named).collect()
}

fn row(
    group: &Group<'_>,
    of: &Sums,
    owners: &FxHashMap<Digest, Arc<VirtualKey>>,
    now: Time,
) -> Value {
    let mut row = sums(&of.whole);
    let described = match group {
        Group::Model { provider, model } => {
            json!({ "kind": "value", "value": model, "provider": provider })
        }
        Group::Named(name) => json!({ "kind": "value", "value": name }),
        Group::Key(digest) => match owners.get(digest) {
            None => json!({ "kind": "value", "value": digest.to_string() }),
            Some(key) => json!({
                "kind": "value",
                "value": key.id,
                "name": key.name,
                "team": key.team,
                "state": keys::state(key, now),
            }),
        },
        Group::Without => json!({ "kind": "without" }),
        Group::Rest => json!({ "kind": "rest" }),
        Group::Unknown => json!({ "kind": "unknown" }),
    };
    if let (Value::Object(row), Value::Object(described)) = (&mut row, described) {
        row.extend(described);
    }
    row["last_ms"] = json!(of.days.last_key_value().map(|(day, _)| day.millis()));
    row
}

fn by_day<'a>(days: impl Iterator<Item = (&'a Time, &'a Spend)>) -> Value {
    let day = |(at, spend): (&Time, &Spend)| {
        let mut day = sums(spend);
        day["at_ms"] = json!(at.millis());
        day
    };
    days.map(day).collect()
}

fn sums(spend: &Spend) -> Value {
    let Spend { calls, unpriced, unknown, usage, cost } = *spend;
    // What not one call has is not known, rather than nothing. A provider may tell the cost alone.
    let is_known = calls == 0 || unknown + unpriced < calls || cost != Usd::ZERO;
    let usd = is_known.then_some(cost);
    let tokens = (calls == 0 || unknown < calls).then(|| Tokens::from(usage));
    json!({
        "calls": calls,
        "usd": usd,
        "tokens": tokens,
        "unpriced_calls": unpriced,
        "unknown_usage_calls": unknown,
    })
}
