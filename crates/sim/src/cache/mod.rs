//! The vendors' prompt caches, and the things about them that no caller can know.
//!
//! The rules themselves are in [`marks`] (Anthropic), [`breakpoints`] (`OpenAI` from GPT-5.6 on)
//! and [`automatic`] (`OpenAI` before). Here is what they share: entries that are readable from
//! some time on and live until some other, machines that do not know each other's entries, and
//! evictions before their time. The latter make a prediction by the rules alone a little too good,
//! as it is in reality.

mod automatic;
mod breakpoints;
mod marks;

use crate::ask::{Ask, Life};
use crate::dice::{Dice, Key, digest, low, whole};
use crate::models::CacheRule;
use crate::usage::TrueUsage;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

const MINUTE_MS: u64 = 60_000;
/// So many writes between two sweeps of what has expired.
const SWEEP_EVERY: u64 = 4096;

/// What goes wrong with caches. All off is [`Hazards::NONE`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hazards {
    /// How often an entry that is not used is thrown out before its time, per hour.
    pub evictions_per_hour: f64,
    /// The share of calls that meet a machine which knows no entry.
    pub cold_share: f64,
    /// Requests a minute with one prefix and key that one machine takes (`OpenAI`); the ones above
    /// it go to further machines. 0 for no limit.
    pub overflow_per_minute: u64,
}

impl Hazards {
    /// The rules and nothing else.
    pub const NONE: Hazards =
        Hazards { evictions_per_hour: 0.0, cold_share: 0.0, overflow_per_minute: 0 };
    /// What one may expect.
    pub const USUAL: Hazards =
        Hazards { evictions_per_hour: 0.12, cold_share: 0.01, overflow_per_minute: 15 };
}

/// What a long mark covers. The vendor does not say which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongMark {
    /// The whole prefix lives long.
    WholePrefix,
    /// Only what the mark newly wrote; what it read keeps the life that it has.
    NewPart,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    readable_from_ms: u64,
    expires_ms: u64,
    life_ms: u64,
    evicted_ms: u64,
    /// The entry that was read when this one was written.
    parent: Option<Key>,
}

/// An entry to be written once the answer begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    key: Key,
    life_ms: u64,
    parent: Option<Key>,
}

/// What a call read and wrote.
#[derive(Clone, Debug, Default)]
pub(crate) struct Served {
    /// Its input by class; the output is still zero.
    pub(crate) usage: TrueUsage,
    pub(crate) writes: Vec<Write>,
}

/// All caches of one provider.
#[derive(Debug)]
pub(crate) struct Caches {
    seed: u64,
    hazards: Hazards,
    long_mark: LongMark,
    entries: FxHashMap<Key, Entry>,
    /// When calls with one prefix and key arrived in the last minute.
    arrivals: FxHashMap<Key, VecDeque<u64>>,
    writes: u64,
}

impl Caches {
    pub(crate) fn new(seed: u64, hazards: Hazards, long_mark: LongMark) -> Caches {
        let (entries, arrivals) = Default::default();
        Caches { seed, hazards, long_mark, entries, arrivals, writes: 0 }
    }

    /// Reads for `ask` by the rules of its model. `owner` is the key or workspace that asks.
    pub(crate) fn serve(&mut self, ask: &Ask, owner: Key, now_ms: u64) -> Served {
        let scope = digest(&[&owner.to_le_bytes(), ask.model.id.as_bytes()]);
        let scope = self.machine(ask, scope, now_ms);
        match ask.model.cache {
            CacheRule::Marks { minimum } => marks::serve(self, &ask.prompt, scope, minimum, now_ms),
            CacheRule::Breakpoints { minimum } => {
                breakpoints::serve(self, ask, scope, minimum, now_ms)
            }
            CacheRule::Automatic { minimum } => {
                automatic::serve(self, &ask.prompt, scope, minimum, now_ms)
            }
        }
    }

    /// The machine that a call meets, as part of the scope of what it can read.
    fn machine(&mut self, ask: &Ask, scope: Key, now_ms: u64) -> Key {
        // About 256 tokens of the prompt choose the machine.
        let head = &ask.prompt.rendered[..ask.prompt.rendered.len().min(1024)];
        let prefix = digest(&[&scope.to_le_bytes(), head, ask.caching.routing_key.as_bytes()]);
        let about = digest(&[&prefix.to_le_bytes(), &now_ms.to_le_bytes()]);
        if Dice::new(self.seed, "cold machine", about).chance(self.hazards.cold_share) {
            return about;
        }
        let overflow = self.hazards.overflow_per_minute;
        if overflow == 0 || matches!(ask.model.cache, CacheRule::Marks { .. }) {
            return scope;
        }
        let arrivals = self.arrivals.entry(prefix).or_default();
        while arrivals.front().is_some_and(|at| at + MINUTE_MS <= now_ms) {
            arrivals.pop_front();
        }
        let machine = arrivals.len() as u64 / overflow;
        arrivals.push_back(now_ms);
        // The routing key chooses a machine too, so that two keys do not share entries.
        digest(&[&scope.to_le_bytes(), ask.caching.routing_key.as_bytes(), &machine.to_le_bytes()])
    }

    /// Whether the entry can be read now.
    fn alive(&self, key: Key, now_ms: u64) -> bool {
        let mut next = Some(key);
        while let Some(key) = next {
            let Some(entry) = self.entries.get(&key) else { return false };
            if now_ms < entry.readable_from_ms
                || entry.expires_ms <= now_ms
                || entry.evicted_ms <= now_ms
            {
                return false;
            }
            next = match self.long_mark {
                LongMark::WholePrefix => None,
                LongMark::NewPart => entry.parent,
            };
        }
        true
    }

    /// A read begins an entry's life anew, free of charge.
    fn refresh(&mut self, key: Key, now_ms: u64) {
        let mut next = Some(key);
        while let Some(key) = next {
            let evicted_ms = self.eviction(key, now_ms);
            let Some(entry) = self.entries.get_mut(&key) else { return };
            entry.expires_ms = now_ms + entry.life_ms;
            entry.evicted_ms = evicted_ms;
            next = match self.long_mark {
                LongMark::WholePrefix => None,
                LongMark::NewPart => entry.parent,
            };
        }
    }

    /// When an entry that is last used at `now_ms` would be thrown out.
    fn eviction(&self, key: Key, now_ms: u64) -> u64 {
        if self.hazards.evictions_per_hour <= 0.0 {
            return u64::MAX;
        }
        let mut dice = Dice::new(self.seed, "eviction", key ^ Key::from(now_ms));
        let mean_ms = 3_600_000.0 / self.hazards.evictions_per_hour;
        now_ms + whole(dice.exponential(mean_ms)).max(1)
    }

    /// Writes what a call writes, readable from the time when its answer begins.
    pub(crate) fn commit(&mut self, writes: &[Write], now_ms: u64, readable_from_ms: u64) {
        // All entries of one call stand or fall together.
        let group = writes.first().map_or(0, |write| write.key);
        let evicted_ms = self.eviction(group, readable_from_ms);
        for Write { key, life_ms, parent } in writes.iter().copied() {
            let expires_ms = readable_from_ms + life_ms;
            let fresh = Entry { readable_from_ms, expires_ms, life_ms, evicted_ms, parent };
            let known = self.entries.get(&key).filter(|entry| now_ms < entry.expires_ms);
            let entry = match known {
                // Somebody else is about to write the same: the first to begin makes it readable.
                Some(known) if now_ms < known.evicted_ms => Entry {
                    readable_from_ms: known.readable_from_ms.min(readable_from_ms),
                    expires_ms: known.expires_ms.max(expires_ms),
                    life_ms: known.life_ms.max(life_ms),
                    ..fresh
                },
                _ => fresh,
            };
            self.entries.insert(key, entry);
        }
        self.writes += writes.len() as u64;
        if SWEEP_EVERY < self.writes {
            self.writes = 0;
            self.entries.retain(|_, entry| now_ms < entry.expires_ms.min(entry.evicted_ms));
            self.arrivals
                .retain(|_, arrivals| arrivals.back().is_some_and(|at| now_ms < at + MINUTE_MS));
        }
    }

    /// Takes back what a call wrote whose answer never began.
    pub(crate) fn withdraw(&mut self, writes: &[Write], readable_from_ms: u64) {
        for write in writes {
            let own = |entry: &Entry| entry.readable_from_ms == readable_from_ms;
            if self.entries.get(&write.key).is_some_and(own) {
                self.entries.remove(&write.key);
            }
        }
    }
}

/// The bill of a prompt of `total` tokens of which the first `read` came from the cache.
///
/// `last_long` and `last` are the tokens up to the last long and the last mark that wrote.
fn classes(total: u64, read: u64, last_long: Option<u64>, last: Option<u64>) -> TrueUsage {
    let long_end = last_long.unwrap_or(read);
    let end = last.unwrap_or(read);
    TrueUsage {
        uncached: total - end,
        cache_read: read,
        write_short: end - long_end,
        write_long: long_end - read,
        output: 0,
        reasoning: 0,
    }
}

/// A spread of entries' lives that repeats.
fn drawn_life(seed: u64, key: Key, from_ms: u64, to_ms: u64) -> u64 {
    Dice::new(seed, "idle life", Key::from(low(key))).between(from_ms, to_ms)
}

/// A mark in the prompt: which piece, and how long it is to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marked {
    place: usize,
    life: Life,
}
