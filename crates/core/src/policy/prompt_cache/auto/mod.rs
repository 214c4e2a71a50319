//! Marks where they are expected to save most.
//!
//! What was seen of each prefix ([`prefixes`]) says what the provider should hold; what was seen of
//! calls like this one ([`odds`]) says how likely each end of the prompt is sent again; the prices say
//! what that is worth ([`choose`]). What the provider then reports corrects all of it: which reading
//! of its rule holds, how often it has lost what should be there, and whether this picture of it is
//! right at all. Where it is not, the plain rule takes over for a while.

mod choose;
mod odds;
mod prefixes;

use rustc_hash::FxHashMap;

pub(crate) use self::choose::Chosen;
use self::choose::{Belief, Hit, Piece, Prices};
use self::odds::{Chance, Classes, ENDS, Odds};
use self::prefixes::{EntryName, Marked, Prefixes, READINGS, Reading, Step};
use crate::call::{Call, Ttl};
use crate::hash;
use crate::price::{CacheRules, Rates};
use crate::time::{Span, Time};
use crate::usage::{Metering, UsageState};

/// Blocks that are remembered unless said otherwise: 18 MB when all are there.
const REMEMBERED_BLOCKS: usize = 131_072;

/// What `auto` remembers between calls.
#[derive(Debug)]
pub struct AutoMemory {
    prefixes: Prefixes,
    odds: Odds,
    truths: FxHashMap<u64, Truth>,
    /// The prompt at hand, kept for its capacity.
    path: Vec<Step>,
}

/// What was expected of one call, to be compared with what its provider reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    truth: u64,
    written: Vec<EntryName>,
    /// The entry that is read, under each reading.
    found: [Option<EntryName>; 2],
    /// Tokens read, under each reading, and of the whole prompt, by estimate.
    read: [u64; 2],
    tokens: u64,
    /// Shorter reads than this may well not happen, as far as the estimate goes.
    certain: u64,
}

/// What a provider's usage has said about it.
#[derive(Clone, Copy, Debug, Default)]
struct Truth {
    /// Calls that only one reading explains.
    votes: [u32; 2],
    /// Calls that should have read something, and how many did.
    expected: f64,
    found: f64,
    /// Error of what was expected, in parts of the prompt: a running mean.
    error: f64,
    calls: u32,
    /// Tokens of prompts, as estimated and as reported.
    estimated: f64,
    reported: f64,
    /// So many calls more go by the plain rule.
    lost: u32,
}

/// Of more models nothing is remembered: their names come from callers.
const MOST_TRUTHS: usize = 1_024;
/// Over so many calls a provider is remembered, and so far its picture may be wrong.
const LONG_MEMORY: f64 = 400.0;
const ERROR_WEIGHT: f64 = 0.05;
const MOST_ERROR: f64 = 0.3;
/// Who reads less than this part of what was expected has not found the entry.
const FOUND: f64 = 0.5;
const LOST_FOR: u32 = 100;
/// Before anything was seen: marks rather cover what they stand behind (it is learnt by trying this;
/// the other way round it would not be), and what was written is there.
const FIRST_VOTES: [f64; 2] = [0.6, 0.4];
const ENOUGH_VOTES: u32 = 3;
const EXPLORING_PERCENT: u64 = 50;
const FIRST_FOUND: f64 = 30.0;
const FIRST_TOKENS: f64 = 1_000.0;
/// A prefix's own past weighs as much as its class at so many passes.
const LEAN_OWN: f64 = 8.0;

impl Default for AutoMemory {
    fn default() -> AutoMemory {
        AutoMemory::with_capacity(REMEMBERED_BLOCKS)
    }
}

/// What is known of a call beside itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Market<'a> {
    pub(super) rules: &'a CacheRules,
    pub(super) rates: &'a Rates,
    /// Whether the dialect can ask for the long life.
    pub(super) has_long: bool,
    /// How many marks may be set.
    pub(super) places: usize,
}

/// What was seen of the prompt at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    classes: Classes,
    /// Names the conversation by the call that began it. Not by the session, which few callers name,
    /// nor by the key or the first words, which all may share: then all would try, or nobody.
    conversation: u64,
    turn: u16,
    truth: u64,
}

impl AutoMemory {
    /// A memory of at most so many blocks (139 bytes each, measured by `cargo xtask bench marks`).
    pub fn with_capacity(blocks: usize) -> AutoMemory {
        AutoMemory {
            prefixes: Prefixes::new(blocks),
            odds: Odds::default(),
            truths: FxHashMap::default(),
            path: Vec::new(),
        }
    }

    /// Remembers a call that arrives. To be asked first, and once.
    pub(super) fn see(&mut self, call: &Call, rules: &CacheRules) -> Seen {
        let now = call.arrived;
        self.odds.advance(now);
        let truth = hash::chain(hash::text(&call.provider), hash::text(&call.model));
        let scope = hash::chain(truth, call.caller.key.word());
        // What no mark can stand behind is in no entry.
        let end = call.prompt.iter().rposition(|block| block.markable).map_or(0, |last| last + 1);
        self.prefixes.walk(scope, &call.prompt[..end], rules, now, &mut self.path);
        for (at, step) in self.path.iter().enumerate() {
            let Some(before) = step.before else { break };
            let ends = (before.blocks as usize).saturating_sub(at + 1);
            if ends < ENDS {
                self.odds.again(before.waiting, ends, now);
            }
            if before.known as usize == at + 1 {
                self.odds.known_again(before.waiting, now);
            }
        }
        let known = self.path.iter().enumerate().rev().find_map(|(at, step)| {
            let before = step.before?;
            Some((before, (before.blocks as usize).saturating_sub(at + 1), at + 1))
        });
        let (shape, turn) = match known {
            None => (0, 0),
            Some((before, ends, _)) => {
                let is_next = ends == 0;
                let turn = if is_next { before.turn.saturating_add(1) } else { 0 };
                let shape = 1 + ends.min(ENDS) as u64;
                let shape = hash::chain(shape, u64::from(turn.min(12)));
                (hash::chain(shape, gap_class(now.since(before.passed))), turn)
            }
        };
        // Whoever shares what was new in an earlier call goes on with it, even if it changes the end.
        let conversation = match known {
            Some((before, _, shared)) if (before.known as usize) < shared => before.conversation,
            _ => self.path.last().map_or(0, |last| self.prefixes.name(last)),
        };
        let last = call.prompt.last().map_or(0, |block| 1 + block.role as u64);
        let shape = hash::chain(hash::chain(shape, last), hash::text(&call.operation));
        let narrow = hash::chain(truth, shape);
        let family = hash::chain(truth, call.family());
        let length = hash::chain(truth, u64::from(u16::BITS - turn.leading_zeros()));
        let classes = [truth, length, narrow, hash::chain(narrow, family)];
        Seen { classes, conversation, turn, truth }
    }

    /// Whether this picture of the provider has been wrong too often: the plain rule knows better.
    pub(super) fn is_lost(&self, seen: &Seen) -> bool {
        self.truths.get(&seen.truth).is_some_and(|truth| 0 < truth.lost)
    }

    fn outlook(&self, seen: &Seen, short: Span, long: Option<Span>) -> Outlook {
        let [wide, length, narrow, own] = seen.classes;
        let fresh = self.path.iter().filter(|step| step.before.is_none()).count();
        // A conversation is known by what it had sent before; of one that begins, that is what all
        // share, and only its own end tells how it goes on.
        let end = if 0 < seen.turn { ENDS } else { fresh.min(ENDS).checked_sub(1).unwrap_or(ENDS) };
        let ahead = self.odds.chances(&[wide, length], short, long)[end];
        let [.., known] = self.odds.chances(&[length, narrow, own], short, long);
        let fresh = self.odds.chances(&[wide, narrow, own], short, long);
        Outlook { fresh, known, pauses: ahead.pauses() }
    }

    /// The marks that are expected to save most.
    pub(super) fn marks(&self, call: &Call, seen: &Seen, market: &Market<'_>) -> Vec<Chosen> {
        let Market { rules, rates, has_long, places } = *market;
        let now = call.arrived;
        let Some(prices) = Prices::of(rates, rules, has_long) else { return Vec::new() };
        let truth = self.truths.get(&seen.truth).copied().unwrap_or_default();
        let long = rules.long.filter(|_| prices.long.is_some());
        let outlook = self.outlook(seen, rules.short, long);

        let reading = truth.belief().reading();
        let path = &self.path;
        let hit = self.prefixes.readable(path, reading, now);
        let belief = truth.belief_for(seen.conversation);
        let pending = self.prefixes.pending(path, now);
        let long_up_to = self.prefixes.long(path, now);
        let mut pieces: Vec<Piece> = Vec::new();
        let mut from = hit.map_or(0, |hit| hit + 1);
        let follows_long = from <= long_up_to;
        let shortest = truth.shortest(rules);
        for block in candidates(call, path) {
            if block < from || path[block].tokens < shortest {
                continue;
            }
            let before = from.checked_sub(1).map_or(0, |before| path[before].tokens);
            let (chance, pauses) = outlook.of(path, block);
            pieces.push(Piece {
                block,
                tokens: tokens(path[block].tokens - before),
                chance,
                pauses,
                follows_long,
                is_head: block + 1 == call.head_blocks(),
                is_pending: pending.is_some_and(|pending| block <= pending),
            });
            from = block + 1;
        }
        // Whoever sends more sends less of it too.
        for at in (1..pieces.len()).rev() {
            let beyond = pieces[at].chance;
            let chance = &mut pieces[at - 1].chance;
            chance.short = chance.short.max(beyond.short);
            chance.long = chance.long.max(beyond.long);
        }
        let writes = prices.choose(&pieces, belief);
        let last = writes.all.checked_sub(1).map(|at| pieces[at].block);
        let hit = hit.map(|block| {
            let (chance, _) = outlook.of(path, block);
            let look_back = rules.look_back.map(|look_back| look_back as usize);
            Hit {
                block,
                tokens: path[block].tokens,
                chance,
                is_extended: prices.extends(chance, belief),
                is_far_back: last
                    .zip(look_back)
                    .is_some_and(|(last, look_back)| look_back <= last - block),
            }
        });
        choose::marks(&pieces, writes, hit, places)
    }

    /// What the provider will do with a call that carries these marks. To be asked last, and once.
    pub(super) fn expect(
        &mut self,
        call: &Call,
        seen: &Seen,
        rules: &CacheRules,
        marks: &[(usize, Ttl)],
    ) -> Expected {
        let now = call.arrived;
        let shortest = self.truths.get(&seen.truth).copied().unwrap_or_default().shortest(rules);
        let path = std::mem::take(&mut self.path);
        let marks: Vec<Marked> = marks
            .iter()
            .filter(|(block, _)| path.get(*block).is_some_and(|step| shortest <= step.tokens))
            .map(|(block, ttl)| Marked { block: *block, ttl: *ttl })
            .collect();
        let hits = READINGS.map(|reading| self.prefixes.hit(&path, &marks, rules, reading, now));
        let read = hits.map(|hit| hit.map_or(0, |hit| path[hit].tokens));
        let found = hits.map(|hit| Some(self.prefixes.entry(&path[hit?])));
        let written = self.prefixes.keep(&path, &marks, rules, now);
        let known = path.iter().take_while(|step| step.before.is_some()).count();
        let number = self.odds.wait(seen.classes, path.len() - known, 0 < known, now);
        self.prefixes.sign(&path, number, seen.conversation, seen.turn);
        self.path = path;
        let certain = shortest + shortest / 4;
        Expected {
            truth: seen.truth,
            written,
            found,
            read,
            tokens: call.estimated_tokens(),
            certain,
        }
    }

    /// The answer has begun.
    pub fn began(&mut self, expected: &Expected, now: Time) {
        self.prefixes.began(&expected.written, now);
    }

    /// The call failed before its answer began.
    pub fn failed(&mut self, expected: &Expected) {
        self.prefixes.failed(&expected.written);
    }

    /// Compares what was expected with what was used.
    pub fn learn(&mut self, expected: &Expected, metering: &Metering) {
        let input = metering.usage.input();
        if metering.state != UsageState::Measured || input == 0 || expected.tokens == 0 {
            return;
        }
        if MOST_TRUTHS < self.truths.len() {
            self.truths.clear();
        }
        let truth = self.truths.entry(expected.truth).or_default();
        truth.estimated = truth.estimated * 0.99 + tokens(expected.tokens);
        truth.reported = truth.reported * 0.99 + tokens(input);
        if expected.read.iter().any(|read| (1..expected.certain).contains(read)) {
            return;
        }
        let share = |part: u64, whole: u64| tokens(part) / tokens(whole);
        let read = share(metering.usage.cache_read, input);
        let believed = expected.read.map(|part| share(part, expected.tokens));
        truth.compare(read, believed);
        if believed.iter().all(|believed| read < believed * FOUND) {
            self.prefixes.lost(&expected.found, &expected.written);
        }
    }
}

impl Truth {
    fn belief(&self) -> Belief {
        let [covers, writes] =
            [0, 1].map(|reading| FIRST_VOTES[reading] + f64::from(self.votes[reading]));
        Belief {
            covers: covers / (covers + writes),
            covers_shared: 0.0,
            held: (self.found + FIRST_FOUND) / (self.expected + FIRST_FOUND),
        }
    }

    /// What to go by in a conversation: until the reading is known, some of them try the one that can
    /// be told from its outcome, and the others are on the safe side of the one that cannot.
    fn belief_for(&self, conversation: u64) -> Belief {
        let belief = self.belief();
        let is_known = ENOUGH_VOTES <= self.votes[0] + self.votes[1];
        let covers = belief.reading() == Reading::Covers;
        let tries = hash::mix(conversation) % 100 < EXPLORING_PERCENT;
        let as_chance = |is: bool| if is { 1.0 } else { 0.0 };
        Belief {
            covers: as_chance(if is_known { covers } else { tries }),
            covers_shared: as_chance(is_known && covers),
            ..belief
        }
    }

    /// The shortest prefix that is cached, in tokens of our estimate.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    fn shortest(&self, rules: &CacheRules) -> u64 {
        let scale = (self.estimated + FIRST_TOKENS) / (self.reported + FIRST_TOKENS);
        (tokens(rules.min_tokens) * scale).ceil() as u64
    }

    fn compare(&mut self, read: f64, expected: [f64; 2]) {
        let misses = expected.map(|expected| (read - expected).abs());
        // Where the readings differ by less than estimates do, nothing is told between them.
        if 0.05 < (expected[0] - expected[1]).abs() {
            let nearer = usize::from(misses[1] < misses[0]);
            self.votes[nearer] += 1;
            if 1_000 < self.votes[0] + self.votes[1] {
                self.votes = self.votes.map(|votes| votes / 2);
            }
        }
        let believed = expected[self.belief().reading() as usize];
        if 0.02 < believed {
            if LONG_MEMORY < self.expected {
                (self.expected, self.found) = (self.expected / 2.0, self.found / 2.0);
            }
            self.expected += 1.0;
            self.found += if believed * FOUND < read { 1.0 } else { 0.0 };
        }
        self.calls = self.calls.saturating_add(1);
        let error = (read - believed).abs();
        let weight = ERROR_WEIGHT.max(1.0 / f64::from(self.calls));
        self.error += weight * (error - self.error);
        self.lost = self.lost.saturating_sub(1);
        if 20 < self.calls && MOST_ERROR < self.error && self.lost == 0 {
            (self.lost, self.error) = (LOST_FOR, MOST_ERROR / 2.0);
        }
    }
}

impl Belief {
    fn reading(self) -> Reading {
        if self.covers < 0.5 { Reading::WritesOnly } else { Reading::Covers }
    }
}

impl Prices {
    /// `None` where the provider publishes no price for reads or writes.
    fn of(rates: &Rates, rules: &CacheRules, has_long: bool) -> Option<Prices> {
        let input = rates.input.as_f64();
        let part = |rate: Option<crate::money::Rate>| rate.map(|rate| rate.as_f64() / input);
        let long = part(rates.cache_write_long).filter(|_| has_long && rules.long.is_some());
        let read = part(rates.cache_read)?;
        (0.0 < input).then_some(Prices {
            read,
            short: part(rates.cache_write_short).unwrap_or(1.0),
            long,
        })
    }
}

/// The block ends at which a mark may be worth it, in the order of the prompt: the last few, the end
/// of tools and instructions, and where this prompt left what was known.
fn candidates(call: &Call, path: &[Step]) -> Vec<usize> {
    let markable = |until: usize| {
        let until = until.min(path.len());
        call.prompt[..until].iter().rposition(|block| block.markable)
    };
    let known = path.iter().take_while(|step| step.before.is_some()).count();
    let ends = (0..ENDS).filter_map(|end| path.len().checked_sub(end));
    let mut found: Vec<usize> =
        ends.chain([known, call.head_blocks()]).filter_map(markable).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// What is expected of the prompt at hand.
struct Outlook {
    /// That what nobody sent before is sent again, by how many blocks follow it.
    fresh: [Chance; ENDS + 1],
    /// That what had been sent before is.
    known: Chance,
    /// How often the conversation pauses until it ends: see [`Piece::pauses`].
    pauses: f64,
}

impl Outlook {
    /// That the prompt is sent again up to this block, and how often that pauses until it ends.
    fn of(&self, path: &[Step], block: usize) -> (Chance, f64) {
        match path[block].before {
            Some(_) => {
                let chance = with_past(self.known, &path[block]);
                (chance, chance.pauses())
            }
            None => (self.fresh[(path.len() - 1 - block).min(ENDS - 1)], self.pauses),
        }
    }
}

/// A class's chance, corrected by what a prefix's own past says.
fn with_past(class: Chance, step: &Step) -> Chance {
    let Some(before) = step.before else { return class };
    let [short, long, late] =
        [before.gaps.short, before.gaps.long, before.gaps.late].map(f64::from);
    let all = short + long + late;
    // That it came again at all is what its class is about already.
    let weight = (all - 1.0).max(0.0) / all.max(1.0);
    let blend =
        |seen: f64, chance: f64| (weight * seen + LEAN_OWN * chance) / (weight * all + LEAN_OWN);
    Chance { short: blend(short, class.short), long: blend(short + long, class.long) }
}

fn gap_class(gap: Span) -> u64 {
    let edges = [10, 60, 300, 3_600].map(Span::from_secs);
    edges.partition_point(|edge| *edge < gap) as u64
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^53")]
fn tokens(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
