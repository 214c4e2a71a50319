//! Prefix breakers: what makes prompts differ too early from those before them, so that a cache that
//! holds nearly all of one gives nothing for it.
//!
//! Each call is compared with the earlier one that has most in common with it ([`crate::breaks`]).
//! What it could have read more is an estimate by the provider's published rules, at what was paid
//! for those tokens: what would have happened is not in the records.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_core::price::CacheKind;
use scrimp_core::{Role, Usd};

use super::weigh::{Members, Scales};
use super::{Evidence, Finding, Rule, Study};
use crate::breaks::{self, Break, Kind, Place};
use crate::replay::{Basis, priced};
use crate::report::{count, plural};

pub(super) const RULE: Rule = Rule {
    name: "breaker",
    why: "A prompt that differs early from the one before it cannot be read from the cache.",
    find,
};

/// Fewer calls than this may be chance, or meant.
const LEAST_CALLS: usize = 3;
/// So may less than this share of an operation's input: a conversation is made shorter now and then.
const LEAST_PERCENT: u64 = 5;
/// What is said of a place by less than this share of its tokens is taken for what most say of it:
/// a random word may by chance look like any other.
const LEAST_PERCENT_OF_PLACE: u64 = 25;
/// Where this share of a place's tokens tells what it is, the rest, which only tells that it differs,
/// says nothing else.
const ENOUGH_PERCENT_OF_PLACE: u64 = 40;

/// What one operation's calls lose at one place.
type Tallies = BTreeMap<Kind, Vec<Break>>;

fn find(study: &Study<'_>) -> Vec<Finding> {
    let (calls, _) = priced(study.trace, study.prices);
    let breaks = breaks::find(study.trace, &calls);
    if breaks.len() < LEAST_CALLS {
        return Vec::new();
    }
    let Some(scales) = Scales::measured(study) else { return Vec::new() };
    let mut places: BTreeMap<(Arc<str>, Option<usize>), Tallies> = BTreeMap::new();
    for broken in breaks {
        let operation = calls[broken.call].traced.common.operation.clone();
        let Place { block, role, .. } = broken.place;
        // Places in a conversation move with it.
        let place = (role <= Role::System).then_some(block);
        places.entry((operation, place)).or_default().entry(broken.kind).or_default().push(broken);
    }
    let mut kinds: BTreeMap<(Arc<str>, Kind), Vec<Break>> = BTreeMap::new();
    for ((operation, _), tallies) in places {
        for (kind, mut breaks) in settled(tallies) {
            kinds.entry((operation.clone(), kind)).or_default().append(&mut breaks);
        }
    }
    let finding = |((operation, kind), breaks)| finding(&scales, &operation, kind, breaks);
    kinds.into_iter().filter_map(finding).collect()
}

/// What one place is, told by all that was seen of it.
fn settled(mut tallies: Tallies) -> Tallies {
    let lost = |breaks: &[Break]| breaks.iter().map(|broken| broken.lost).sum::<u64>();
    let all: u64 = tallies.values().map(|breaks| lost(breaks)).sum();
    let told = |kind: Kind| kind != Kind::Text;
    let most = |tallies: &Tallies, among: &dyn Fn(Kind) -> bool| {
        let among = tallies.iter().filter(|(kind, _)| among(**kind));
        among.max_by_key(|(_, breaks)| lost(breaks)).map(|(kind, breaks)| (*kind, lost(breaks)))
    };
    let main =
        most(&tallies, &told).filter(|(_, lost)| all * ENOUGH_PERCENT_OF_PLACE <= lost * 100);
    let Some((main, _)) = main.or_else(|| most(&tallies, &|_| true)) else { return tallies };
    let is_less = |kind: Kind, breaks: &[Break]| {
        kind != main
            && (lost(breaks) * 100 < all * LEAST_PERCENT_OF_PLACE
                || (kind == Kind::Text && told(main)))
    };
    let less: Vec<Kind> = tallies
        .iter()
        .filter(|(kind, breaks)| is_less(**kind, breaks))
        .map(|(kind, _)| *kind)
        .collect();
    for kind in less {
        let breaks = tallies.remove(&kind).unwrap_or_default();
        tallies.entry(main).or_default().extend(breaks);
    }
    tallies
}

fn finding(
    scales: &Scales<'_>,
    operation: &Arc<str>,
    kind: Kind,
    mut breaks: Vec<Break>,
) -> Option<Finding> {
    breaks.sort_unstable_by_key(|broken| broken.call);
    let members: Members = scales.members(Some(operation));
    let input: u64 = members.iter().map(|at| scales.calls()[*at].traced.input()).sum();
    let lost: u64 = breaks.iter().map(|broken| broken.lost).sum();
    if breaks.len() < LEAST_CALLS || lost * 100 < input * LEAST_PERCENT {
        return None;
    }
    let more: Vec<(usize, u64)> = breaks.iter().map(|broken| (broken.call, broken.lost)).collect();
    let bill = scales.bill_if_read(&more);
    let usd = scales.saving_range(&bill, &members);
    if usd.likely <= Usd::ZERO {
        return None;
    }
    let words = Words::of(kind);
    let (calls, all) = (breaks.len() as u64, members.len() as u64);
    let place = usual(&breaks);
    let mut facts = vec![
        format!(
            "{} of {} differ there from one shortly before that has nearly all of the prompt: {}{}",
            count(calls),
            plural(all, "call"),
            words.what,
            within(place),
        ),
        format!(
            "{} tokens a call could have been read from the cache, as the provider's rules are published",
            count(lost / calls.max(1))
        ),
        format!("to do: {}", words.fix),
    ];
    let is_bare = |broken: &&Break| {
        let call = &scales.calls()[broken.call];
        !call.traced.is_marked
            && call.asked.cache.is_some_and(|rules| rules.kind == CacheKind::Marked)
    };
    let bare = breaks.iter().filter(is_bare).count() as u64;
    if 0 < bare {
        facts.push(format!("{} carry no cache mark, and need one as well", plural(bare, "call")));
    }
    Some(Finding {
        title: format!(
            "{operation}: {} in {} ends what the cache can give",
            words.what,
            name(place)
        ),
        basis: Basis::Modelled,
        usd_per_month: scales.per_month(usd, &bill, &members),
        usd: Some(usd),
        effort: words.fix,
        risk: words.risk.to_owned(),
        evidence: Evidence {
            calls,
            facts,
            hit_share: None,
            tried: Vec::new(),
            example: scales.example(&bill, &members),
        },
        ..Finding::noticed(RULE.name, String::new(), calls, Vec::new())
    })
}

/// The place that most have, the latest of equals.
fn usual(breaks: &[Break]) -> Place {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for broken in breaks {
        *counts.entry(broken.place.block).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(block, calls)| (*calls, *block));
    let is_usual = |place: &Place| most.is_some_and(|(block, _)| block == place.block);
    let places = breaks.iter().rev().map(|broken| broken.place);
    let place = places.clone().find(|place| is_usual(place) && place.bytes.is_some());
    place.or_else(|| places.clone().find(is_usual)).unwrap_or(breaks[0].place)
}

fn name(place: Place) -> String {
    let whose = match place.role {
        Role::Tool => "a tool",
        Role::System => "instructions",
        Role::User => "the user's",
        Role::Assistant => "the model's",
        Role::ToolResult => "a tool's result",
    };
    format!("block {} ({whose})", place.block + 1)
}

fn within(place: Place) -> String {
    place
        .bytes
        .map_or(String::new(), |(start, end)| format!(", in bytes {start} to {end} of the block"))
}

/// How a kind is spoken of.
struct Words {
    what: &'static str,
    fix: &'static str,
    risk: &'static str,
}

const MOVE: &str = "put it behind all that stays the same: into the last message";
const READS_ELSEWHERE: &str = "the model reads it in another place";
const READS_THE_SAME: &str = "the model reads the same, in one order";

impl Words {
    fn of(kind: Kind) -> Words {
        let (what, fix, risk) = match kind {
            Kind::Time => (
                "a time of day",
                "put it behind all that stays the same, or cut it to the date",
                READS_ELSEWHERE,
            ),
            Kind::Date => ("a date", MOVE, READS_ELSEWHERE),
            Kind::Id => ("an id", MOVE, READS_ELSEWHERE),
            Kind::Random => {
                ("a random value", "leave it out, or put it into the last message", READS_ELSEWHERE)
            }
            Kind::Number => ("a number", MOVE, READS_ELSEWHERE),
            Kind::KeyOrder => (
                "another order of the same parts",
                "write keys and sets in one order: sorted",
                READS_THE_SAME,
            ),
            Kind::ToolOrder => (
                "another order of the same tools",
                "give the tools in one order: sorted by name",
                READS_THE_SAME,
            ),
            Kind::ToolChanged => (
                "a changed tool",
                "keep definitions as they are; say what changes in the last message",
                READS_ELSEWHERE,
            ),
            Kind::ToolSet => (
                "another set of tools",
                "give every call the same tools, and name those that may be called in tool_choice",
                "the model sees tools that it does not need",
            ),
            Kind::Trimmed => (
                "earlier turns that were left out",
                "leave turns out seldom and many at once, not a few at every turn",
                "longer prompts between",
            ),
            Kind::Rewritten => (
                "earlier turns that were changed",
                "only append: what was sent once stays as it was",
                "longer prompts, where turns were made shorter",
            ),
            Kind::Model => (
                "another model",
                "keep a conversation, and prompts that begin alike, on one model",
                "fewer calls to the other model",
            ),
            Kind::Parameter => (
                "another value of tool_choice, thinking or the answer's schema",
                "keep these parameters the same within a conversation",
                "the model may answer otherwise",
            ),
            Kind::Text => ("another text", MOVE, READS_ELSEWHERE),
        };
        Words { what, fix, risk }
    }
}
