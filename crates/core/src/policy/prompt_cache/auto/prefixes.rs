//! The prefixes of recent prompts, and what the provider should hold of each.
//!
//! A node is one block at the end of one prefix, named by a hash over all blocks up to it. Nodes lie
//! in one slab of a fixed size; when it is full, what has not been passed for longest among the next
//! few makes room. So memory is bounded, and nothing is ever swept at once.
//!
//! Of each prefix the cache is mirrored under both readings of the vendor's rule about mixed lives,
//! since it is not documented which holds; usage tells in the end.

use rustc_hash::FxHashMap;

use crate::call::{Block, Ttl};
use crate::price::CacheRules;
use crate::time::{Span, Time};

/// Index of a node.
pub(super) type Place = u32;
const NOWHERE: Place = u32::MAX;
/// Of so many nodes the stalest makes room.
const LOOKED_AT: usize = 8;

/// How the vendor's rule about mixed lives is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A mark with the long life gives it to the whole prefix that it covers.
    Covers = 0,
    /// It gives it only to what it newly writes.
    WritesOnly = 1,
}

pub(super) const READINGS: [Reading; 2] = [Reading::Covers, Reading::WritesOnly];

#[derive(Debug)]
pub(super) struct Prefixes {
    nodes: Vec<Node>,
    index: FxHashMap<u64, Place>,
    capacity: usize,
    hand: usize,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    chain: u64,
    /// The block that came after this one the last time, which it mostly does again.
    next: Place,
    /// When it was last passed.
    passed: Time,
    /// The number of the call that passed it last, and how many blocks that one had.
    waiting: u32,
    blocks: u32,
    /// How many of these had been sent before.
    known: u32,
    /// Of which conversation that one was, and which turn of it.
    conversation: u64,
    turn: u16,
    /// How many times it was passed within the short life of the time before, within the long, later.
    gaps: Gaps,
    slots: [Slot; 2],
}

/// Times between the passes of a prefix, by how long an entry would have had to live.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gaps {
    pub(super) short: u16,
    pub(super) long: u16,
    pub(super) late: u16,
}

/// What the provider holds of a prefix, under one reading.
#[derive(Clone, Copy, Debug)]
struct Slot {
    expires: Time,
    /// An entry ends here that can be read from then on. [`Time::NEVER`]: none does, or the answer
    /// that wrote it has not begun.
    readable: Time,
    life: Ttl,
}

/// One block of the prompt at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) place: Place,
    /// Tokens up to its end, by estimate.
    pub(super) tokens: u64,
    /// What was known of it before this call passed; `None`: it is new.
    pub(super) before: Option<Before>,
}

/// What was known of a prefix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub(super) passed: Time,
    pub(super) waiting: u32,
    /// How many blocks the call had that passed last.
    pub(super) blocks: u32,
    /// How many of these had been sent before.
    pub(super) known: u32,
    pub(super) conversation: u64,
    pub(super) turn: u16,
    /// This pass is among them.
    pub(super) gaps: Gaps,
}

/// A mark as the provider sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marked {
    /// Index of the block.
    pub(super) block: usize,
    pub(super) ttl: Ttl,
}

/// Names an entry: what the provider keeps at a mark. It can be read once the answer has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryName {
    place: Place,
    chain: u64,
}

impl Slot {
    const EMPTY: Slot =
        Slot { expires: Time::from_nanos(i64::MIN), readable: Time::NEVER, life: Ttl::Short };
}

impl Gaps {
    fn add(&mut self, gap: Span, rules: &CacheRules) {
        if self.short.max(self.long).max(self.late) == u16::MAX {
            *self = Gaps { short: self.short / 2, long: self.long / 2, late: self.late / 2 };
        }
        match gap {
            gap if gap <= rules.short => self.short += 1,
            gap if rules.long.is_some_and(|long| gap <= long) => self.long += 1,
            _ => self.late += 1,
        }
    }
}

impl Prefixes {
    pub(super) fn new(capacity: usize) -> Prefixes {
        Prefixes { nodes: Vec::new(), index: FxHashMap::default(), capacity, hand: 0 }
    }

    /// Walks along a prompt and remembers it: a step for each block, into `path`. A prompt of more
    /// blocks than are remembered at all is followed as far as they go.
    pub(super) fn walk(
        &mut self,
        scope: u64,
        prompt: &[Block],
        rules: &CacheRules,
        now: Time,
        path: &mut Vec<Step>,
    ) {
        path.clear();
        let (mut chain, mut tokens, mut last) = (scope, 0, NOWHERE);
        let mut is_known = true;
        for block in prompt.iter().take(self.capacity) {
            chain =
                (chain.rotate_left(5) ^ block.digest.word()).wrapping_mul(0x517c_c1b7_2722_0a95);
            tokens += u64::from(block.tokens);
            let hinted = self.nodes.get(last as usize).map_or(NOWHERE, |node| node.next);
            let found = match self.nodes.get(hinted as usize) {
                Some(node) if node.chain == chain => Some(hinted),
                _ => self.index.get(&chain).copied(),
            };
            let place = found.unwrap_or_else(|| self.add(chain, now));
            if let Some(node) = self.nodes.get_mut(last as usize) {
                node.next = place;
            }
            let node = &mut self.nodes[place as usize];
            is_known &= found.is_some();
            let before = is_known.then(|| {
                node.gaps.add(now.since(node.passed), rules);
                Before {
                    passed: node.passed,
                    waiting: node.waiting,
                    blocks: node.blocks,
                    known: node.known,
                    conversation: node.conversation,
                    turn: node.turn,
                    gaps: node.gaps,
                }
            });
            node.passed = now;
            path.push(Step { place, tokens, before });
            last = place;
        }
    }

    /// Every block of the path was passed last by the call of this number.
    pub(super) fn sign(&mut self, path: &[Step], waiting: u32, conversation: u64, turn: u16) {
        let blocks = u32::try_from(path.len()).unwrap_or(u32::MAX);
        let known = path.iter().take_while(|step| step.before.is_some()).count();
        let known = u32::try_from(known).unwrap_or(u32::MAX);
        for step in path {
            let node = &mut self.nodes[step.place as usize];
            (node.waiting, node.blocks, node.known) = (waiting, blocks, known);
            (node.conversation, node.turn) = (conversation, turn);
        }
    }

    fn add(&mut self, chain: u64, now: Time) -> Place {
        let node = Node {
            chain,
            next: NOWHERE,
            passed: now,
            waiting: u32::MAX,
            blocks: 0,
            known: 0,
            conversation: 0,
            turn: 0,
            gaps: Gaps::default(),
            slots: [Slot::EMPTY; 2],
        };
        let place = if self.nodes.len() < self.capacity {
            self.nodes.push(node);
            self.nodes.len() - 1
        } else {
            let place = self.stalest();
            self.index.remove(&self.nodes[place].chain);
            self.nodes[place] = node;
            place
        };
        let place = Place::try_from(place).expect("fewer than 2^32 blocks");
        self.index.insert(chain, place);
        place
    }

    /// The one of the next few that was passed longest ago. Never one of the prompt at hand while
    /// there is another: those were passed now.
    fn stalest(&mut self) -> usize {
        let places = (0..LOOKED_AT).map(|at| (self.hand + at) % self.nodes.len());
        let place = places.min_by_key(|place| self.nodes[*place].passed).expect("looks at some");
        self.hand = (self.hand + LOOKED_AT) % self.nodes.len();
        place
    }

    /// How far the prompt's pieces are alive, in blocks.
    pub(super) fn alive(&self, path: &[Step], reading: Reading, now: Time) -> usize {
        match reading {
            Reading::Covers => path.len(),
            Reading::WritesOnly => {
                path.iter().take_while(|step| now <= self.slot(step, reading).expires).count()
            }
        }
    }

    /// How many of the first blocks are held with the long life, one after another.
    pub(super) fn long(&self, path: &[Step], now: Time) -> usize {
        let is_long = |step: &&Step| {
            let slot = self.slot(step, Reading::WritesOnly);
            now <= slot.expires && slot.life == Ttl::Long
        };
        path.iter().take_while(is_long).count()
    }

    /// The longest prefix that a mark at its own end would read, by the block that it ends with.
    pub(super) fn readable(&self, path: &[Step], reading: Reading, now: Time) -> Option<usize> {
        let alive = self.alive(path, reading, now);
        path[..alive].iter().rposition(|step| self.slot(step, reading).is_readable(now))
    }

    /// The longest prefix that is being written by a call whose answer has not begun.
    pub(super) fn pending(&self, path: &[Step], now: Time) -> Option<usize> {
        path.iter().rposition(|step| {
            let slot = self.slot(step, Reading::Covers);
            slot.readable == Time::NEVER && now <= slot.expires && step.before.is_some()
        })
    }

    /// What the marks of a call read: the end of the longest entry that they find.
    pub(super) fn hit(
        &self,
        path: &[Step],
        marks: &[Marked],
        rules: &CacheRules,
        reading: Reading,
        now: Time,
    ) -> Option<usize> {
        let alive = self.alive(path, reading, now);
        let found = marks.iter().filter_map(|mark| {
            let first = rules
                .look_back
                .map_or(0, |look_back| (mark.block + 1).saturating_sub(look_back.max(1) as usize));
            let end = (mark.block + 1).min(alive);
            let seen = path.get(first..end)?;
            let at = seen.iter().rposition(|step| self.slot(step, reading).is_readable(now))?;
            Some(first + at)
        });
        found.max()
    }

    /// The provider serves a call with these marks, which read up to `hit`. The rules are those by
    /// which [`crate::policy::prompt_cache`]'s replay models a provider. Returns the entries whose
    /// answer has to begin before they can be read.
    pub(super) fn keep(
        &mut self,
        path: &[Step],
        marks: &[Marked],
        rules: &CacheRules,
        now: Time,
    ) -> Vec<EntryName> {
        let Some(last) = marks.iter().map(|mark| mark.block).max() else { return Vec::new() };
        for reading in READINGS {
            let hit = self.hit(path, marks, rules, reading, now);
            self.keep_as(&path[..=last], marks, rules, reading, hit, now);
        }
        marks.iter().map(|mark| self.entry(&path[mark.block])).collect()
    }

    /// The entry at this block's end.
    pub(super) fn entry(&self, step: &Step) -> EntryName {
        EntryName { place: step.place, chain: self.nodes[step.place as usize].chain }
    }

    fn keep_as(
        &mut self,
        path: &[Step],
        marks: &[Marked],
        rules: &CacheRules,
        reading: Reading,
        hit: Option<usize>,
        now: Time,
    ) {
        let alive = self.alive(path, reading, now);
        let read = hit.map_or(0, |hit| hit + 1);
        let long = marks.iter().filter(|mark| mark.ttl == Ttl::Long).map(|mark| mark.block + 1);
        let long = long.max().unwrap_or(0);
        for (at, step) in path.iter().enumerate() {
            let slot = &mut self.nodes[step.place as usize].slots[reading as usize];
            let was_alive = now <= slot.expires && at < alive;
            let life = if at < long { Ttl::Long } else { Ttl::Short };
            match reading {
                Reading::Covers if was_alive => slot.life = slot.life.max(life),
                // An entry that died stays dead until a mark is set there again.
                Reading::Covers => continue,
                Reading::WritesOnly if at < read => {}
                Reading::WritesOnly => {
                    slot.life = if was_alive { slot.life.max(life) } else { life };
                    slot.readable = if was_alive { slot.readable } else { Time::NEVER };
                }
            }
            slot.expires = now + rules.life(slot.life);
        }
        for mark in marks {
            let slot = &mut self.nodes[path[mark.block].place as usize].slots[reading as usize];
            let has_entry = now <= slot.expires && mark.block < alive;
            if reading == Reading::Covers && !has_entry {
                slot.life = if mark.block < long { Ttl::Long } else { Ttl::Short };
                slot.readable = Time::NEVER;
                slot.expires = now + rules.life(slot.life);
            }
            if mark.block < read {
                slot.readable = slot.readable.min(now);
            }
        }
    }

    /// The answer of the call that wrote these has begun.
    pub(super) fn began(&mut self, written: &[EntryName], now: Time) {
        for EntryName { place, chain } in written {
            let node = self.nodes.get_mut(*place as usize).filter(|node| node.chain == *chain);
            for slot in node.into_iter().flat_map(|node| &mut node.slots) {
                slot.readable = slot.readable.min(now);
            }
        }
    }

    /// The call that should have written these failed.
    pub(super) fn failed(&mut self, written: &[EntryName]) {
        for EntryName { place, chain } in written {
            let node = self.nodes.get_mut(*place as usize).filter(|node| node.chain == *chain);
            for slot in node.into_iter().flat_map(|node| &mut node.slots) {
                if slot.readable == Time::NEVER {
                    *slot = Slot::EMPTY;
                }
            }
        }
    }

    /// The provider did not find these, one under each reading, and has only what the call wrote.
    pub(super) fn lost(&mut self, found: &[Option<EntryName>; 2], written: &[EntryName]) {
        for (entry, reading) in found.iter().zip(READINGS) {
            let Some(entry) = entry.filter(|entry| !written.contains(entry)) else { continue };
            let node = self.nodes.get_mut(entry.place as usize);
            if let Some(node) = node.filter(|node| node.chain == entry.chain) {
                node.slots[reading as usize] = Slot::EMPTY;
            }
        }
    }

    /// Names the prefix by all that is in it.
    pub(super) fn name(&self, step: &Step) -> u64 {
        self.nodes[step.place as usize].chain
    }

    fn slot(&self, step: &Step, reading: Reading) -> &Slot {
        &self.nodes[step.place as usize].slots[reading as usize]
    }
}

impl Slot {
    fn is_readable(&self, now: Time) -> bool {
        self.readable <= now && now <= self.expires
    }
}
