//! The scales: what the calls of a study cost under some rules, by replay.
//!
//! All arithmetic about money that findings need is here, once. A saving is always the difference
//! between two bills of the same calls, never a rate times a guess.
//!
//! What the calls cost *now* is, call by call: replayed under no rule at all where the prompt's own
//! blocks are known (then both bills come from the same model of the provider, and its optimism
//! cancels out); else as measured, where the provider said what it read from its cache; else without
//! any caching, which is said.

use std::ops::Range as Piece;

use rustc_hash::FxHashMap;
use scrimp_core::policy::prompt_cache::PromptCache;
use scrimp_core::price::Rates;
use scrimp_core::{Policies, Time, Usage, UsageState, Usd, hash};

use super::{Example, HitShare, Range, Study};
use crate::replay::{Common, Priced, fly, priced};

/// Redraws of the calls for the range of a saving.
const DRAWS: u64 = 500;
/// Fewer clusters than this say nothing about a range: what a few have in common looks certain.
const LEAST_CLUSTERS: usize = 20;
/// More clusters than this are put together: the range does not change, the time does.
const MOST_CLUSTERS: u64 = 1_000;

/// A study's calls, what they cost now, and the means to ask what they would cost.
pub(super) struct Scales<'a> {
    study: &'a Study<'a>,
    calls: Vec<Priced<'a>>,
    now: Bill,
    /// Whether both bills come from a replay of the same prompts, so that the best of all policies
    /// bounds what is saved.
    is_replayed: bool,
}

/// What the present bill of a call rests on.
enum Now {
    Replayed,
    Measured,
    AssumedUncached,
}

/// What "now" rests on, in calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NowIs {
    pub(super) replayed: u64,
    pub(super) measured: u64,
    pub(super) assumed_uncached: u64,
}

/// What each call costs and reads from the cache, in the order of the calls.
#[derive(Clone)]
pub(super) struct Bill {
    cost: Vec<Usd>,
    read: Vec<u64>,
}

/// Dollars of calls that depend on each other, for statistics only.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    cost: f64,
    saving: f64,
}

/// The calls that a finding is about, by number.
pub(super) type Members = Vec<usize>;

impl<'a> Scales<'a> {
    /// `None` without a call that has a price.
    pub(super) fn new(study: &'a Study<'a>) -> Option<Scales<'a>> {
        let (calls, _) = priced(study.trace, study.prices);
        let now = Bill { cost: Vec::new(), read: Vec::new() };
        let mut scales = Scales { study, calls, now, is_replayed: true };
        if scales.calls.is_empty() {
            return None;
        }
        scales.now = scales.bill_now();
        Some(scales)
    }

    /// The calls at what was measured, for what is not replayed; takes no time. `None` without a call
    /// that has a price.
    pub(super) fn measured(study: &'a Study<'a>) -> Option<Scales<'a>> {
        let (calls, _) = priced(study.trace, study.prices);
        let mut now = Bill::of(calls.len());
        for (at, call) in calls.iter().enumerate() {
            now.set(at, call, &call.traced.metering.usage);
        }
        (!calls.is_empty()).then_some(Scales { study, calls, now, is_replayed: false })
    }

    fn bill_now(&self) -> Bill {
        let any_blocks = self.calls.iter().any(|call| call.traced.are_blocks_known);
        let mut bill = match any_blocks {
            true => self.bill(Vec::new()),
            false => Bill::of(self.calls.len()),
        };
        for (at, call) in self.calls.iter().enumerate() {
            let usage = call.traced.metering.usage;
            match Now::of(call) {
                Now::Replayed => {}
                Now::Measured => bill.set(at, call, &usage),
                Now::AssumedUncached => bill.set(at, call, &usage.without_caching()),
            }
        }
        bill
    }

    /// What the present bill of `members` rests on.
    pub(super) fn now_is(&self, members: &Members) -> NowIs {
        let mut now_is = NowIs::default();
        for at in members {
            match Now::of(&self.calls[*at]) {
                Now::Replayed => now_is.replayed += 1,
                Now::Measured => now_is.measured += 1,
                Now::AssumedUncached => now_is.assumed_uncached += 1,
            }
        }
        now_is
    }

    /// What every call costs under `rules`.
    pub(super) fn bill(&self, rules: Vec<PromptCache>) -> Bill {
        let policies = Policies {
            prompt_cache: rules,
            shaping: Vec::new(),
            token_budgets: Vec::new(),
            hedge: None,
            prices: self.study.prices.clone(),
            is_bypassed: false,
        };
        let mut bill = Bill::of(self.calls.len());
        let mut settled = |at: usize, record: scrimp_core::Record| {
            bill.set(at, &self.calls[at], &record.metering.usage);
        };
        fly(self.study.trace, &self.calls, &policies, self.study.reading, &mut settled);
        bill
    }

    /// What every call costs if so many more tokens of some had been read from the cache, at what was
    /// paid for them.
    pub(super) fn bill_if_read(&self, more: &[(usize, u64)]) -> Bill {
        let mut bill = self.now.clone();
        for (at, tokens) in more {
            bill.cost[*at] -= self.worth_of_reading(*at, *tokens);
            bill.read[*at] += tokens;
        }
        bill
    }

    /// What every call costs without these amounts.
    pub(super) fn bill_without(&self, less: &[(usize, Usd)]) -> Bill {
        let mut bill = self.now.clone();
        for (at, usd) in less {
            bill.cost[*at] -= *usd;
        }
        bill
    }

    /// What reading so many more tokens from the cache would have saved a call.
    fn worth_of_reading(&self, at: usize, tokens: u64) -> Usd {
        let Some(read) = self.rates(at).cache_read else { return Usd::ZERO };
        let tokens = tokens.min(self.paid(at).input());
        self.paid_for(at, tokens) - read.times(tokens)
    }

    /// What the tokens of a call's prompt from one place to another cost: a cache holds beginnings.
    pub(super) fn cost_of_piece(&self, at: usize, piece: Piece<u64>) -> Usd {
        let usage = self.calls[at].traced.metering.usage;
        let cached = piece.end.min(usage.cache_read).saturating_sub(piece.start);
        let rates = self.rates(at);
        let read = rates.cost(&Usage { cache_read: cached, ..Usage::ZERO });
        read + self.paid_for(at, piece.end - piece.start - cached)
    }

    /// What so many tokens of visible output of a call cost.
    pub(super) fn cost_of_output(&self, at: usize, tokens: u64) -> Usd {
        self.rates(at).output.times(tokens)
    }

    /// What a call's reasoning cost.
    pub(super) fn cost_of_reasoning(&self, at: usize) -> Usd {
        let reasoning = self.calls[at].traced.metering.usage.reasoning;
        self.rates(at).cost(&Usage { reasoning, ..Usage::ZERO })
    }

    /// What so many tokens of input cost that were not read from the cache, as a share of all these.
    fn paid_for(&self, at: usize, tokens: u64) -> Usd {
        let paid = self.paid(at);
        self.rates(at).cost(&paid).scaled(tokens.min(paid.input()), paid.input())
    }

    fn paid(&self, at: usize) -> Usage {
        let usage = self.calls[at].traced.metering.usage;
        let Usage { uncached, cache_write_short, cache_write_long, .. } = usage;
        Usage { uncached, cache_write_short, cache_write_long, ..Usage::ZERO }
    }

    fn rates(&self, at: usize) -> Rates {
        let call = &self.calls[at];
        call.answered.rates(call.traced.metering.usage.input(), call.traced.common.terms)
    }

    /// The calls, in their order.
    pub(super) fn calls(&self) -> &[Priced<'a>] {
        &self.calls
    }

    /// The calls of one operation; of all without a name.
    pub(super) fn members(&self, operation: Option<&str>) -> Members {
        let is_in = |at: &usize| {
            operation.is_none_or(|name| *self.calls[*at].traced.common.operation == *name)
        };
        (0..self.calls.len()).filter(is_in).collect()
    }

    /// What `members` cost now.
    pub(super) fn cost_now(&self, members: &Members) -> Usd {
        members.iter().map(|at| self.now.cost[*at]).sum()
    }

    /// What `members` would save.
    pub(super) fn saving(&self, bill: &Bill, members: &Members) -> Usd {
        members.iter().map(|at| self.now.cost[*at] - bill.cost[*at]).sum()
    }

    /// What `members` would save, with a range: the share saved over redrawn units (sessions, or
    /// slices of time where there are too few), of what these calls cost. Without enough of either
    /// its ends are not known. Its high end never passes what no policy can pass.
    pub(super) fn saving_range(&self, bill: &Bill, members: &Members) -> Range {
        let likely = self.saving(bill, members);
        let cost = self.cost_now(members);
        let clusters = self.clusters(members, |at| Part {
            cost: self.now.cost[at].as_f64(),
            saving: (self.now.cost[at] - bill.cost[at]).as_f64(),
        });
        let Some(clusters) = clusters else { return Range { low: None, likely, high: None } };
        let mut shares: Vec<f64> = (0..DRAWS).map(|round| redraw(&clusters, round)).collect();
        shares.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| {
            let share = shares.get(shares.len() * percent / 100).copied().unwrap_or(0.0);
            Usd::from_f64_estimate(cost.as_f64() * share)
        };
        let (low, high) = (at(5), at(95));
        let high = if self.is_replayed { high.min(self.most()) } else { high }.max(likely);
        Range { low: Some(low.min(likely)), likely, high: Some(high) }
    }

    /// The saving `usd` of `members` as a range a month. Where the calls stand for more than
    /// themselves, each saves the same share of what its like cost.
    pub(super) fn per_month(&self, usd: Range, bill: &Bill, members: &Members) -> Option<Range> {
        let profile = self.study.profile;
        let weighed = |at: &usize| {
            let Common { operation, provider, model, .. } = &*self.calls[*at].traced.common;
            let weight = profile.weight(operation, provider, model)?;
            Some((self.now.cost[*at] - bill.cost[*at]).as_f64() * weight)
        };
        match members.iter().map(weighed).sum::<Option<f64>>() {
            None => profile.per_month_of(usd),
            Some(saved) => profile.per_month_of(usd.moved_to(saved)),
        }
    }

    /// The change of what `members` cost, in millionths; negative is a saving.
    #[expect(clippy::cast_possible_truncation, reason = "a share near one; casts saturate")]
    pub(super) fn change_ppm(&self, bill: &Bill, members: &Members) -> i64 {
        let cost = self.cost_now(members).as_f64().max(f64::MIN_POSITIVE);
        (-self.saving(bill, members).as_f64() / cost * 1e6).round() as i64
    }

    /// What the best of all policies could save on all calls.
    fn most(&self) -> Usd {
        let output = |call: &Priced<'_>| {
            let usage = &call.traced.metering.usage;
            let rates = call.answered.rates(usage.input(), call.traced.common.terms);
            rates.cost(usage)
                - rates.cost(&Usage { output: 0, reasoning: 0, audio_output: 0, ..*usage })
        };
        let outputs: Usd = self.calls.iter().map(output).map(|usd| -usd).sum();
        let now: Usd = self.now.cost.iter().copied().sum();
        now + outputs - crate::bound::lowest_input_cost(self.study.trace, &self.calls)
    }

    /// Sums of `part` over clusters of calls that depend on each other; `None`: there are too few.
    fn clusters(&self, members: &Members, part: impl Fn(usize) -> Part) -> Option<Vec<Part>> {
        let by = |name: &dyn Fn(usize) -> u64| {
            let mut clusters: FxHashMap<u64, Part> = FxHashMap::default();
            for at in members {
                let (cluster, part) = (clusters.entry(name(*at)).or_default(), part(*at));
                cluster.cost += part.cost;
                cluster.saving += part.saving;
            }
            // In the order of their names, so that the same calls give the same range.
            let mut clusters: Vec<_> = clusters.into_iter().collect();
            clusters.sort_unstable_by_key(|(name, _)| *name);
            clusters.into_iter().map(|(_, part)| part).collect::<Vec<_>>()
        };
        let unit = |at: usize| hash::mix(self.calls[at].traced.unit) % MOST_CLUSTERS;
        let units = by(&unit);
        if LEAST_CLUSTERS <= units.len() {
            return Some(units);
        }
        let width = (self.study.profile.covers().nanos() / 40).max(1);
        // Counted from the first call, so that the same calls on another day give the same range.
        let arrived = |at: usize| self.calls[at].traced.arrived;
        let first = members.iter().map(|at| arrived(*at)).min().unwrap_or(Time::EPOCH);
        let slice = |at: usize| (arrived(at).since(first).nanos() / width).unsigned_abs();
        Some(by(&slice)).filter(|slices| LEAST_CLUSTERS <= slices.len())
    }

    /// Cache reads' share of the input of `members`, now and under `bill`.
    pub(super) fn hit_share(&self, bill: &Bill, members: &Members) -> HitShare {
        let known = members.iter().all(|at| {
            let traced = self.calls[*at].traced;
            traced.is_split_known && traced.metering.state == UsageState::Measured
        });
        let input: u64 = members.iter().map(|at| self.calls[*at].traced.input()).sum();
        let read = |of: &dyn Fn(usize) -> u64| members.iter().map(|at| of(*at)).sum::<u64>();
        let measured = read(&|at| self.calls[at].traced.metering.usage.cache_read);
        HitShare {
            before: known.then(|| share(measured, input)),
            after: share(read(&|at| bill.read[at]), input),
        }
    }

    /// The call that would save most.
    pub(super) fn example(&self, bill: &Bill, members: &Members) -> Option<Example> {
        let at = *members.iter().max_by_key(|at| self.now.cost[**at] - bill.cost[**at])?;
        Some(Example {
            id: self.calls[at].traced.id.to_string(),
            input_tokens: self.calls[at].traced.input(),
            usd_before: self.now.cost[at],
            usd_after: bill.cost[at],
        })
    }

    /// Whether the client of any of `members` places marks, as far as the records tell: they show
    /// the marks themselves, or that something was written to a cache that only marks fill.
    pub(super) fn has_client_marks(&self, members: &Members) -> bool {
        members.iter().any(|at| {
            let traced = self.calls[*at].traced;
            let Usage { cache_write_short, cache_write_long, .. } = traced.metering.usage;
            traced.is_marked
                || (!traced.are_blocks_known && 0 < cache_write_short + cache_write_long)
        })
    }
}

impl Range {
    /// As wide for its size, around another amount; a range around no saving is not known.
    fn moved_to(self, dollars: f64) -> Range {
        let factor = dollars / self.likely.as_f64();
        let moved = |usd: Usd| Usd::from_f64_estimate(usd.as_f64() * factor);
        let end = |usd: Option<Usd>| usd.filter(|_| 0.0 < factor).map(moved);
        Range { low: end(self.low), likely: Usd::from_f64_estimate(dollars), high: end(self.high) }
    }
}

impl Now {
    fn of(call: &Priced<'_>) -> Now {
        match (call.traced.are_blocks_known, call.traced.is_split_known) {
            (true, _) => Now::Replayed,
            (false, true) => Now::Measured,
            (false, false) => Now::AssumedUncached,
        }
    }
}

impl Bill {
    fn of(calls: usize) -> Bill {
        Bill { cost: vec![Usd::ZERO; calls], read: vec![0; calls] }
    }

    fn set(&mut self, at: usize, call: &Priced<'_>, usage: &Usage) {
        self.cost[at] = call.answered.cost(usage, call.traced.common.terms);
        self.read[at] = usage.cache_read;
    }
}

/// The share that is saved by clusters drawn again with replacement.
fn redraw(clusters: &[Part], round: u64) -> f64 {
    let count = clusters.len() as u64;
    let mut sum = Part::default();
    for place in 0..count {
        let number = hash::chain(hash::chain(hash::text("saving"), round), place);
        let drawn = &clusters[usize::try_from(number % count).expect("below a length")];
        sum.cost += drawn.cost;
        sum.saving += drawn.saving;
    }
    if 0.0 < sum.cost { sum.saving / sum.cost } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
