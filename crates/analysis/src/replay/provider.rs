//! A model of providers' prompt caches, by each model's rules.
//!
//! Only what vendors publish is in it: entries at marks only, the shortest prefix, the look-back in
//! blocks, lives that begin again at each use, entries that can be read once the first answer has
//! begun, and the bill of a call whose marks ask for both lives. Evictions and cold machines are
//! not: a real provider does no better.
//!
//! Sources: Anthropic, *Prompt caching* (hit at a mark or at most `look_back` blocks before it,
//! counting the mark's own; A, B, C of a mixed bill); `OpenAI`, *Prompt caching* (breakpoints from
//! GPT-5.6 on; automatic in steps of 128 tokens before).

use scrimp_core::flight::Outcome;
use scrimp_core::policy::prompt_cache::{Edit, own_mark};
use scrimp_core::price::{CacheKind, CacheRules};
use scrimp_core::{Metering, NodeId, PriceRow, Time, Ttl, Usage};
use serde::{Deserialize, Serialize};

use super::calendar::{End, Reply, World};
use super::prompts::{Link, Prompts};
use super::trace::{Nodes, Trace};
use super::traced::Traced;

/// How the vendor's rule about mixed lives is read. It is not documented which is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// A mark with the long life gives it to the whole prefix that it covers.
    Covers,
    /// It gives it only to what it newly writes; a prefix is alive as far as each piece of it is.
    WritesOnly,
}

/// A call of the trace and the prices that it meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Priced<'a> {
    pub(crate) traced: &'a Traced,
    /// Of the model asked for: its cache rules decide.
    pub(crate) asked: &'a PriceRow,
    /// Of the model that answered: its rates are billed.
    pub(crate) answered: &'a PriceRow,
}

/// The provider's caches.
pub(crate) struct PromptCacheWorld<'a> {
    nodes: &'a Nodes,
    prompts: &'a Prompts,
    calls: &'a [Priced<'a>],
    reading: Reading,
    mixes_lives: bool,
    /// By node.
    slots: Vec<Slot>,
    /// The path and the blocks of the call at hand, kept for their capacity.
    path: Vec<NodeId>,
    links: Vec<Link>,
    marks: Vec<Position>,
}

/// What the cache holds of a node: under [`Reading::Covers`] the entry that ends there, under
/// [`Reading::WritesOnly`] also the piece between its parent and it.
#[derive(Clone, Copy, Debug)]
struct Slot {
    expires: Time,
    /// An entry ends here that can be read from then on. [`Time::NEVER`]: none does.
    readable: Time,
    life: Ttl,
}

/// A mark as the provider sees it.
#[derive(Clone, Copy, Debug)]
struct Position {
    block: usize,
    node: NodeId,
    tokens: u64,
    ttl: Ttl,
}

/// How far a call reads and writes, in tokens from the start of its prompt.
#[derive(Clone, Copy, Debug)]
struct Reach {
    /// Read up to here.
    read: u64,
    /// Written with the long life up to here.
    long: u64,
    /// Written up to here.
    written: u64,
    /// The highest mark that asks for the long life, wherever the hit is.
    long_mark: u64,
}

impl<'a> PromptCacheWorld<'a> {
    pub(crate) fn new(trace: &'a Trace, calls: &'a [Priced<'a>], reading: Reading) -> Self {
        let empty =
            Slot { expires: Time::from_nanos(i64::MIN), readable: Time::NEVER, life: Ttl::Short };
        let slots = vec![empty; trace.nodes.len()];
        PromptCacheWorld {
            nodes: &trace.nodes,
            prompts: &trace.prompts,
            calls,
            reading,
            mixes_lives: false,
            slots,
            path: Vec::new(),
            links: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// Whether a long mark met what was alive with the short life. Until one does, both readings
    /// say the same.
    pub(crate) fn mixes_lives(&self) -> bool {
        self.mixes_lives
    }

    fn serve(&mut self, call: &Priced<'_>, edits: &[Edit], now: Time) -> Usage {
        let Priced { traced, asked, .. } = call;
        let recorded = traced.metering.usage;
        match &asked.cache {
            // Where no policy can change anything, what happened is better than any model of it.
            None => recorded,
            Some(rules) if rules.kind == CacheKind::Automatic => match traced.is_split_known {
                true => recorded,
                false => self.read_automatically(traced, rules, now),
            },
            Some(rules) => self.read_at_marks(traced, rules, edits, now),
        }
    }

    fn read_at_marks(
        &mut self,
        traced: &Traced,
        rules: &CacheRules,
        edits: &[Edit],
        now: Time,
    ) -> Usage {
        let mut marks = std::mem::take(&mut self.marks);
        let mut path = std::mem::take(&mut self.path);
        let mut links = std::mem::take(&mut self.links);
        self.prompts.links_into(traced.prompt, &mut links);
        self.find_marks(traced, &links, rules, edits, &mut marks);
        let mut usage = traced.metering.usage.without_caching();
        if let Some(last) = marks.last() {
            self.nodes.path_into(last.node, &mut path);
            let alive = self.alive_up_to(traced, &path, now);
            let reach = Reach::of(&marks, self.hit(traced, &links, rules, &marks, alive, now));
            self.keep(traced, rules, &path, &marks, reach, alive, now);
            usage.cache_read = reach.read;
            usage.cache_write_long = reach.long - reach.read;
            usage.cache_write_short = reach.written - reach.long;
            usage.uncached -= reach.written;
        }
        (self.marks, self.path, self.links) = (marks, path, links);
        usage
    }

    /// The marks that count, in the order of the prompt.
    fn find_marks(
        &self,
        traced: &Traced,
        links: &[Link],
        rules: &CacheRules,
        edits: &[Edit],
        marks: &mut Vec<Position>,
    ) {
        marks.clear();
        let input = traced.input();
        let mut mark = |block: usize, ttl| {
            let Some(Link { end: node, .. }) = links.get(block) else { return };
            let tokens = self.nodes.tokens(*node, input);
            let ttl = if rules.long.is_some() { ttl } else { Ttl::Short };
            if rules.min_tokens <= tokens && 0 < tokens {
                marks.push(Position { block, node: *node, tokens, ttl });
            }
        };
        let is_removed = |at: usize| {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            edits.contains(&Edit::RemoveMark { block: at })
        };
        for (at, link) in links.iter().enumerate() {
            if let Some(ttl) = link.mark.filter(|_| !is_removed(at)) {
                mark(at, ttl);
            }
        }
        for edit in edits {
            if let Edit::SetMark(set) = edit {
                mark(set.block as usize, set.ttl);
            }
        }
        if let Some(ttl) = own_mark(traced.common.parameters.client_cache_options, rules, edits)
            && let Some(last) = links.iter().rposition(|link| link.markable)
        {
            mark(last, ttl);
        }
        marks.sort_by_key(|mark| mark.block);
        let surplus = marks.len().saturating_sub(usize::from(rules.marks.max(1)));
        marks.drain(..surplus);
    }

    /// How far the prompt's pieces are alive, where pieces are what lives and dies.
    fn alive_up_to(&self, traced: &Traced, path: &[NodeId], now: Time) -> u64 {
        match self.reading {
            Reading::Covers => u64::MAX,
            Reading::WritesOnly => {
                let alive = path.iter().take_while(|node| now <= self.slot(**node).expires);
                alive.last().map_or(0, |node| self.nodes.tokens(*node, traced.input()))
            }
        }
    }

    /// The longest entry that the marks find, in tokens.
    fn hit(
        &self,
        traced: &Traced,
        links: &[Link],
        rules: &CacheRules,
        marks: &[Position],
        alive: u64,
        now: Time,
    ) -> u64 {
        let is_hit = |node: &NodeId| {
            let slot = self.slot(*node);
            slot.readable <= now
                && now <= slot.expires
                && self.nodes.tokens(*node, traced.input()) <= alive
        };
        let tokens = |node: &NodeId| self.nodes.tokens(*node, traced.input());
        match rules.look_back.filter(|_| traced.are_blocks_known) {
            None => {
                let last = marks[marks.len() - 1].node;
                self.nodes.up_from(last).find(|node| is_hit(node)).map_or(0, |node| tokens(&node))
            }
            Some(look_back) => {
                let found = marks.iter().filter_map(|mark| {
                    let first = (mark.block + 1).saturating_sub(look_back.max(1) as usize);
                    let seen = links[first..=mark.block].iter().rev();
                    seen.map(|link| link.end).find(is_hit)
                });
                found.map(|node| tokens(&node)).max().unwrap_or(0)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one call, used in one place")]
    fn keep(
        &mut self,
        traced: &Traced,
        rules: &CacheRules,
        path: &[NodeId],
        marks: &[Position],
        reach: Reach,
        alive: u64,
        now: Time,
    ) {
        let began = traced.began.max(now);
        for node in path {
            let tokens = self.nodes.tokens(*node, traced.input());
            let slot = &mut self.slots[node.0 as usize];
            let was_alive = now <= slot.expires && tokens <= alive;
            self.mixes_lives |= was_alive && slot.life < life_at(tokens, reach.long_mark);
            match self.reading {
                Reading::Covers if was_alive => {
                    slot.life = slot.life.max(life_at(tokens, reach.long_mark));
                }
                // An entry that died stays dead until a mark is set there again.
                Reading::Covers => continue,
                Reading::WritesOnly if tokens <= reach.read => {}
                Reading::WritesOnly => {
                    let life = life_at(tokens, reach.long);
                    slot.life = if was_alive { slot.life.max(life) } else { life };
                    slot.readable = if was_alive { slot.readable } else { Time::NEVER };
                }
            }
            slot.expires = now + rules.life(slot.life);
        }
        for mark in marks {
            let slot = &mut self.slots[mark.node.0 as usize];
            let has_entry = now <= slot.expires && mark.tokens <= alive;
            if self.reading == Reading::Covers && !has_entry {
                slot.life = life_at(mark.tokens, reach.long_mark);
                slot.readable = Time::NEVER;
                slot.expires = now + rules.life(slot.life);
            }
            let readable = if mark.tokens <= reach.read { now } else { began };
            slot.readable = slot.readable.min(readable);
        }
    }

    /// No marks: every prompt is kept, and the longest prefix that is there is read in steps.
    fn read_automatically(&mut self, traced: &Traced, rules: &CacheRules, now: Time) -> Usage {
        let mut usage = traced.metering.usage.without_caching();
        let Some(last) = self.prompts.end(traced.prompt) else { return usage };
        let mut path = std::mem::take(&mut self.path);
        self.nodes.path_into(last, &mut path);
        let began = traced.began.max(now);
        let (mut longest, mut is_shared) = (0, true);
        for node in &path {
            let slot = &mut self.slots[node.0 as usize];
            is_shared &= slot.readable <= now && now <= slot.expires;
            if is_shared {
                longest = self.nodes.tokens(*node, traced.input());
            }
            let died = slot.expires < now;
            slot.readable = if died { began } else { slot.readable.min(began) };
            slot.expires = now + rules.short;
        }
        let stepped = longest - longest % rules.step.max(1);
        usage.cache_read = if stepped < rules.min_tokens { 0 } else { stepped };
        usage.uncached -= usage.cache_read;
        self.path = path;
        usage
    }

    fn slot(&self, node: NodeId) -> &Slot {
        &self.slots[node.0 as usize]
    }
}

impl World for PromptCacheWorld<'_> {
    fn send(&mut self, call: usize, _request: usize, edits: &[Edit], now: Time) -> Reply {
        let priced = self.calls[call];
        let usage = self.serve(&priced, edits, now);
        let Traced { common, metering, began, ended, .. } = priced.traced;
        let outcome = Outcome {
            metering: Metering { usage, ..*metering },
            model: Some(common.answered.clone()),
            terms: common.terms,
            ..Outcome::nothing()
        };
        // Always a good status: what was refused live was not refused for edits made here, and the
        // guard must not take it for that.
        Reply { head: Some((*began, 200)), end: Some((*ended, End::Closed)), outcome }
    }

    fn cancel(&mut self, _call: usize, _request: usize, _now: Time) -> Option<(Time, Outcome)> {
        None
    }
}

impl Reach {
    /// `OpenAI` takes marks of both lives in any order; Anthropic wants the long ones first. The
    /// bill is the same: long up to the highest long mark, short beyond it.
    fn of(marks: &[Position], read: u64) -> Reach {
        let long_marks = marks.iter().filter(|mark| mark.ttl == Ttl::Long);
        let long_mark = long_marks.map(|mark| mark.tokens).max().unwrap_or(0);
        let last = marks.iter().map(|mark| mark.tokens).max().unwrap_or(0);
        let long = long_mark.max(read);
        Reach { read, long, written: last.max(long), long_mark }
    }
}

fn life_at(tokens: u64, long_up_to: u64) -> Ttl {
    if tokens <= long_up_to { Ttl::Long } else { Ttl::Short }
}
