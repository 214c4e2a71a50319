//! A lower bound on what any prompt-cache policy could have paid for the input of a trace.
//!
//! A relaxation: marks are unlimited and may be anywhere, the future is known, no prefix is too
//! short, an entry can be read at once, and whatever is used gets the longest life for free. Then
//! each piece of a prompt between two nodes of the tree is on its own, and the cheapest way through
//! its arrivals is a dynamic programme with three states: not there, there for the short life, there
//! for the long one. Both readings of the vendor's rule, every strategy and the client's own marks
//! are ways through it, so none can cost less.
//!
//! Sums are kept in 10⁻²¹ dollars and rounded down; a bill's lines are rounded to the nearest
//! pico-dollar, so the most that this could have gained is taken off for each call.

use scrimp_core::price::{CacheKind, CacheRules, Rates};
use scrimp_core::{NodeId, Rate, Time, Usage, Usd};

use crate::replay::{Priced, Trace};

/// Of the unit in which sums are kept, in a pico-dollar.
const PARTS: i128 = 1_000_000_000;

/// Lines of a bill's input that a cache policy can change: uncached, read, two kinds of write.
/// Each is rounded by at most half a pico-dollar.
const MOST_ROUNDED_OFF: i128 = 2 * PARTS;

/// The cheapest ways through a piece's arrivals so far, by what the cache holds after them.
#[derive(Clone, Copy, Debug)]
struct Ways {
    /// The cheapest way of all, whatever is there.
    absent: i128,
    /// The cheapest after which the piece is there for the short life, and until when.
    short: i128,
    short_until: Time,
    /// The same for the longest life that the model has.
    long: i128,
    long_until: Time,
}

/// What one call pays for a token of each class, in parts of a pico-dollar.
#[derive(Clone, Copy, Debug)]
struct Prices {
    uncached: i128,
    write_short: i128,
    write_long: i128,
    cheapest: i128,
    is_exact: bool,
}

/// No prompt-cache policy pays less than this for the input of `calls`.
pub(crate) fn lowest_input_cost(trace: &Trace, calls: &[Priced<'_>]) -> Usd {
    let mut ways = vec![Ways::NONE; trace.nodes.len()];
    let (mut fixed, mut parts, mut path) = (Usd::ZERO, 0, Vec::new());
    for call in calls {
        let usage = call.traced.metering.usage;
        let rates = call.answered.rates(usage.input(), call.traced.common.terms);
        match rules_of(call) {
            // No policy changes what such a call pays.
            None => fixed += input_without_output(&rates, &usage),
            Some(rules) => {
                let other = Usage { uncached: 0, ..usage.without_caching() };
                fixed += input_without_output(&rates, &other);
                parts += walk(trace, call, rules, &rates, &mut path, &mut ways);
            }
        }
    }
    parts += ways.iter().map(|ways| ways.absent).sum::<i128>();
    fixed + Usd::from_pico(parts.div_euclid(PARTS))
}

/// Extends the ways of every piece of the call's prompt. Returns the cost of what lies beyond the
/// last known block, which nothing can change, less what rounding may have gained.
fn walk(
    trace: &Trace,
    call: &Priced<'_>,
    rules: &CacheRules,
    rates: &Rates,
    path: &mut Vec<NodeId>,
    ways: &mut [Ways],
) -> i128 {
    let prices = Prices::of(rates);
    let (input, now) = (call.traced.input(), call.traced.arrived);
    path.clear();
    if let Some(last) = trace.prompts.end(call.traced.prompt) {
        trace.nodes.path_into(last, path);
    }
    let mut from = 0;
    for node in path.iter() {
        let until = trace.nodes.tokens(*node, input);
        let slot = &mut ways[node.0 as usize];
        *slot = slot.after(i128::from(until - from), &prices, rules, now);
        from = until;
    }
    let rounding = if prices.is_exact { 0 } else { MOST_ROUNDED_OFF };
    prices.uncached * i128::from(input - from) - rounding
}

impl Ways {
    /// Before the first arrival: nothing is there, and nothing was paid.
    const NONE: Ways = Ways {
        absent: 0,
        short: 0,
        short_until: Time::from_nanos(i64::MIN),
        long: 0,
        long_until: Time::from_nanos(i64::MIN),
    };

    /// The ways after one more arrival with `tokens` of the piece.
    fn after(self, tokens: i128, prices: &Prices, rules: &CacheRules, now: Time) -> Ways {
        let Ways { absent, short, short_until, long, long_until } = self;
        // While it is there, the cheapest class, and the longest life from then on.
        let alive =
            least((now <= short_until).then_some(short), (now <= long_until).then_some(long));
        let kept = alive.map(|cost| cost + tokens * prices.cheapest);
        let plain = absent + tokens * prices.uncached;
        let (short, long) = match rules.kind {
            // A provider that decides by itself keeps what it sees, for nothing.
            CacheKind::Automatic => (None, least(kept, Some(plain))),
            CacheKind::Marked | CacheKind::Breakpoints => {
                let long = absent + tokens * prices.write_long;
                (Some(absent + tokens * prices.write_short), least(kept, Some(long)))
            }
        };
        let longest = rules.long.unwrap_or(rules.short).max(rules.short);
        let (over, short_until, long_until) =
            (Ways::NONE.short_until, now + rules.short, now + longest);
        Ways {
            absent: least(least(short, long), Some(plain)).unwrap_or(plain),
            short: short.unwrap_or(0),
            short_until: short.map_or(over, |_| short_until),
            long: long.unwrap_or(0),
            long_until: long.map_or(over, |_| long_until),
        }
    }
}

fn least(a: Option<i128>, b: Option<i128>) -> Option<i128> {
    a.into_iter().chain(b).min()
}

impl Prices {
    fn of(rates: &Rates) -> Prices {
        let short = rates.cache_write_short.unwrap_or(rates.input);
        let long = rates.cache_write_long.unwrap_or(short);
        let read = rates.cache_read.unwrap_or(rates.input);
        let [uncached, write_short, write_long, read_parts] =
            [rates.input, short, long, read].map(parts_of);
        let all = [rates.input, short, long, read];
        Prices {
            uncached,
            write_short,
            write_long,
            cheapest: uncached.min(write_short).min(write_long).min(read_parts),
            is_exact: all.into_iter().all(|rate| rate.times(1).pico() * PARTS == parts_of(rate)),
        }
    }
}

/// A rate in parts per token, rounded down.
fn parts_of(rate: Rate) -> i128 {
    let rounded = rate.times(1_000_000_000).pico();
    let back = Rate::new(u64::try_from(rounded.max(0)).unwrap_or(u64::MAX), 21);
    // Equal unless the rate is finer than a part; then it may have been rounded up.
    if back == rate { rounded } else { (rounded - 1).max(0) }
}

/// The cache rules, where a policy can change what the call pays.
fn rules_of<'a>(call: &Priced<'a>) -> Option<&'a CacheRules> {
    let rules = call.asked.cache.as_ref()?;
    let is_settled = rules.kind == CacheKind::Automatic && call.traced.is_split_known;
    (!is_settled).then_some(rules)
}

fn input_without_output(rates: &Rates, usage: &Usage) -> Usd {
    rates.cost(&Usage { output: 0, reasoning: 0, audio_output: 0, ..*usage })
}
