//! Breaks: calls that could have read more from a provider's cache, had their prompts not differed so
//! early from one that was sent before.
//!
//! A call breaks its prefix where most of what follows its first difference is again the same as in
//! an earlier prompt. Two prompts that only begin alike, as a conversation and a new one, or two
//! questions about one text, differ to the end: nothing is lost there, and nothing is said.

mod kind;

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};
use scrimp_core::call::Role;
use scrimp_core::{NodeId, Span, Time, Ttl, hash};

use crate::replay::{Link, Nodes, Priced, Prompts, Trace, Traced};
pub(crate) use kind::{Kind, Place};

/// Less than this, in tokens, is not worth a word.
const LEAST_TOKENS: u64 = 256;
/// Nor is less than one part in so many of a call's input.
const LEAST_PART: u64 = 20;
/// Two models that are asked the same each lack what was said since they were last asked. Only what is
/// more than one part in so many says that a conversation moved from one to the other.
const LEAST_PART_ELSEWHERE: u64 = 6;
/// How many of the latest calls of an operation, and of a session, a call is compared with.
const RECENT: usize = 8;
const RECENT_OF_SESSION: usize = 4;
/// Comparing stops after so many blocks, so that huge prompts cost no more time than many.
const MOST_BLOCKS: usize = 40_000;

/// A call whose prefix broke.
#[derive(Clone, Debug)]
pub(crate) struct Break {
    /// The call, by its place in the list.
    pub(crate) call: usize,
    /// What broke it.
    pub(crate) kind: Kind,
    /// Where.
    pub(crate) place: Place,
    /// Input tokens that could have been read from the cache, but for it.
    pub(crate) lost: u64,
}

/// Every call of the list that broke its prefix, in order.
pub(crate) fn find(trace: &Trace, calls: &[Priced<'_>]) -> Vec<Break> {
    let mut watch = Watch::new(trace);
    (0..calls.len()).filter_map(|at| watch.see(calls, at)).collect()
}

/// What has been seen.
struct Watch<'a> {
    nodes: &'a Nodes,
    prompts: &'a Prompts,
    /// When each prefix was sent last, by what was rendered beside it.
    sent: FxHashMap<(NodeId, u64), Time>,
    /// The latest calls of each operation and of each session.
    recent: FxHashMap<u64, VecDeque<usize>>,
    links: Vec<Link>,
    others: Vec<Link>,
}

/// A call and the blocks of its prompt.
#[derive(Clone, Copy)]
struct Sent<'a> {
    traced: &'a Traced,
    links: &'a [Link],
    /// Tokens of its tools and instructions.
    head: u64,
}

/// What an earlier prompt has in common with one.
#[derive(Clone, Copy, Debug)]
struct Common {
    /// Blocks before the first difference.
    blocks: usize,
    /// Tokens that both have, wherever they stand.
    tokens: u64,
}

impl<'a> Watch<'a> {
    fn new(trace: &'a Trace) -> Watch<'a> {
        Watch {
            nodes: &trace.nodes,
            prompts: &trace.prompts,
            sent: FxHashMap::default(),
            recent: FxHashMap::default(),
            links: Vec::new(),
            others: Vec::new(),
        }
    }

    fn see(&mut self, calls: &[Priced<'_>], at: usize) -> Option<Break> {
        let call = &calls[at];
        let traced = call.traced;
        let rules = call.asked.cache.filter(|_| traced.are_blocks_known)?;
        let mut links = std::mem::take(&mut self.links);
        self.prompts.links_into(traced.prompt, &mut links);
        let lives_long = links.iter().any(|link| link.mark == Some(Ttl::Long));
        let life = rules.long.filter(|_| lives_long).unwrap_or(rules.short);
        let sent = self.sent(traced, &links);
        let found = self.broken(calls, at, sent, (life, rules.min_tokens));
        self.pass(sent);
        for group in groups(traced).into_iter().flatten() {
            let recent = self.recent.entry(group).or_default();
            recent.push_back(at);
            if RECENT < recent.len() {
                recent.pop_front();
            }
        }
        self.links = links;
        found
    }

    fn sent<'l>(&self, traced: &'l Traced, links: &'l [Link]) -> Sent<'l> {
        let head = links.iter().take_while(|link| link.role <= Role::System).last();
        let head = head.map_or(0, |link| self.nodes.tokens(link.end, u64::MAX));
        Sent { traced, links, head }
    }

    fn broken(
        &mut self,
        calls: &[Priced<'_>],
        at: usize,
        sent: Sent<'_>,
        (life, least_cached): (Span, u64),
    ) -> Option<Break> {
        let traced = sent.traced;
        let measured = match traced.is_split_known {
            true => traced.metering.usage.cache_read,
            false => 0,
        };
        let read = self.sent_before(sent, life).max(measured);
        let least = LEAST_TOKENS.max(traced.input() / LEAST_PART);
        if traced.input() < read + least {
            return None;
        }
        let (other, common) = self.relative(calls, at, sent, life)?;
        let lost = common.tokens.saturating_sub(read);
        if lost < least || common.tokens < least_cached {
            return None;
        }
        let mut others = std::mem::take(&mut self.others);
        self.prompts.links_into(calls[other].traced.prompt, &mut others);
        let before = self.sent(calls[other].traced, &others);
        let (kind, place) = kind::of(self.prompts, before, sent, common.blocks);
        self.others = others;
        let is_elsewhere = matches!(kind, Kind::Model | Kind::Parameter);
        if is_elsewhere && lost < traced.input() / LEAST_PART_ELSEWHERE {
            return None;
        }
        Some(Break { call: at, kind, place, lost })
    }

    /// Tokens of the longest prefix that was sent within the life of an entry.
    fn sent_before(&self, sent: Sent<'_>, life: Span) -> u64 {
        let Some(last) = sent.links.last() else { return 0 };
        let (input, now) = (sent.traced.input(), sent.traced.arrived);
        let was_sent = |node: &NodeId| {
            let last = self.sent.get(&(*node, self.rendered(sent, *node)));
            last.is_some_and(|last| now.since(*last) <= life)
        };
        self.nodes.up_from(last.end).find(was_sent).map_or(0, |node| self.nodes.tokens(node, input))
    }

    fn pass(&mut self, sent: Sent<'_>) {
        let Some(last) = sent.links.last() else { return };
        for node in self.nodes.up_from(last.end) {
            self.sent.insert((node, self.rendered(sent, node)), sent.traced.arrived);
        }
    }

    /// What keeps a prefix apart from the same with other parameters: behind tools and instructions
    /// these are rendered too.
    fn rendered(&self, sent: Sent<'_>, node: NodeId) -> u64 {
        match self.nodes.tokens(node, u64::MAX) <= sent.head {
            true => 0,
            false => sent.traced.common.parameters.rendered.unwrap_or(0),
        }
    }

    /// The earlier call, within the life of an entry, that has most in common with a call, whatever
    /// the order.
    fn relative(
        &mut self,
        calls: &[Priced<'_>],
        at: usize,
        sent: Sent<'_>,
        life: Span,
    ) -> Option<(usize, Common)> {
        let mut candidates: Vec<usize> = Vec::new();
        for (group, most) in groups(sent.traced).into_iter().zip([RECENT_OF_SESSION, RECENT]) {
            let recent = group.and_then(|group| self.recent.get(&group)).into_iter().flatten();
            candidates.extend(recent.rev().take(most));
        }
        let mut known = FxHashSet::default();
        candidates.retain(|other| known.insert(*other));
        let mut best: Option<((u64, bool, usize), Common)> = None;
        let mut others = std::mem::take(&mut self.others);
        let mut blocks = 0;
        for other in candidates {
            let before = calls[other].traced;
            let is_alive = before.began <= sent.traced.arrived
                && sent.traced.arrived.since(before.arrived) <= life;
            if !is_alive || MOST_BLOCKS < blocks {
                continue;
            }
            self.prompts.links_into(before.prompt, &mut others);
            blocks += others.len() + sent.links.len();
            let common = self.common(&others, sent);
            let is_like = before.common.model == sent.traced.common.model
                && before.common.parameters.rendered == sent.traced.common.parameters.rendered;
            let rank = (common.tokens, is_like, other);
            if best.is_none_or(|(known, _)| known < rank) {
                best = Some((rank, common));
            }
        }
        self.others = others;
        best.filter(|(rank, _)| rank.2 < at).map(|((_, _, other), common)| (other, common))
    }

    fn common(&self, before: &[Link], sent: Sent<'_>) -> Common {
        let now = sent.links;
        let blocks =
            before.iter().zip(now).take_while(|(one, other)| one.digest == other.digest).count();
        let mut there: FxHashMap<u64, u32> = FxHashMap::default();
        for link in &before[blocks..] {
            for name in self.names(link) {
                *there.entry(name).or_default() += 1;
            }
        }
        let mut take = |link: &Link| {
            self.names(link).any(|name| match there.get_mut(&name) {
                Some(count) if 0 < *count => {
                    *count -= 1;
                    true
                }
                _ => false,
            })
        };
        let mut tokens = blocks.checked_sub(1).map_or(0, |last| self.end(sent, last));
        for (at, link) in now.iter().enumerate().skip(blocks) {
            if take(link) {
                let start = at.checked_sub(1).map_or(0, |last| self.end(sent, last));
                tokens += self.end(sent, at).saturating_sub(start);
            }
        }
        Common { blocks, tokens }
    }

    /// What a block is the same by: what it says, or all of it but what may vary, in any order.
    fn names(&self, link: &Link) -> impl Iterator<Item = u64> {
        let kind = hash::chain(link.role as u64, link.content as u64);
        let outline = self.prompts.outline(link).filter(|_| link.role <= Role::System);
        let bag = outline.map(|outline| hash::chain(kind, outline.bag));
        [link.digest.word()].into_iter().chain(bag)
    }

    /// Tokens up to the end of a block.
    fn end(&self, sent: Sent<'_>, block: usize) -> u64 {
        self.nodes.tokens(sent.links[block].end, sent.traced.input())
    }
}

/// The calls that a call is compared with: those of its session, and those of its operation.
fn groups(traced: &Traced) -> [Option<u64>; 2] {
    let common = &*traced.common;
    let whose = hash::chain(hash::text(&common.provider), common.caller.key.word());
    let operation = hash::chain(whose, hash::text(&common.operation));
    let session = traced.session.map(|session| hash::chain(operation, session.word()));
    [session, Some(operation)]
}
