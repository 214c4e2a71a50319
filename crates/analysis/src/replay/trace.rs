//! A trace: recorded calls in the order of their times, their prompts as paths in one tree.
//!
//! The tree is built once and shared by every policy that is replayed over the trace; after that a
//! replay touches nodes, never blocks.
//!
//! Tokens belong to the tree, not to the calls: the first call that passes a node fixes how many
//! tokens the prefix has, scaled so that its whole prompt has the tokens that were measured. A later
//! call that only continues it adds the difference between the two measurements, which is exact.

use rustc_hash::FxHashMap;
use scrimp_core::policy::shaping::Shortened;
use scrimp_core::record::{Trail, TrailEnd};
use scrimp_core::{Block, Call, Entry, NodeId, PrefixTree, Record, UsageState, hash};
use serde::Serialize;

use super::prompts::{Cuts, Known, Link, PromptId, Prompts};
use super::traced::{Commons, Traced};

/// Recorded calls whose prompts are known, and how many others there were.
#[derive(Debug)]
pub struct Trace {
    pub(crate) calls: Vec<Traced>,
    pub(crate) prompts: Prompts,
    pub(crate) nodes: Nodes,
    gaps: Gaps,
    shaping: ShapedTokens,
    blocks: u64,
}

/// What records lack, in calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gaps {
    /// Without a prompt: in no row.
    pub without_prompt: usize,
    /// Without known usage: in no row.
    pub without_usage: usize,
    /// Whose blocks are not the provider's own, so that look-back is not modelled.
    pub without_blocks: usize,
    /// That used no input at all (refused, failed before they ran): in no row.
    pub without_input: usize,
}

/// What shaping made of calls, and what it would make of them: tokens by the estimate of their texts,
/// which the gateway counted while it had them. What that is in money is not said: what a cache is
/// read for costs a tenth, and a text that is rewritten has to be written there again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShapedTokens {
    /// Calls that a rule was for.
    pub calls: usize,
    /// Tokens of their prompts as they came.
    pub tokens: u64,
    /// Of these, what shaping saved.
    pub saved: u64,
    /// What it would have saved with all that was only observed.
    pub would_save: u64,
}

impl ShapedTokens {
    fn add(&mut self, record: &Record) {
        let Some(shaped) = &record.shaped else { return };
        let prompt = &record.call.prompt;
        let saved = |sum: Shortened| sum.tokens_before.saturating_sub(sum.tokens_after);
        self.calls += 1;
        self.tokens += record.call.estimated_tokens();
        self.saved += saved(shaped.done(prompt));
        self.would_save += saved(shaped.possible(prompt));
    }
}

/// The nodes of the tree, fixed once it is built.
#[derive(Debug)]
pub(crate) struct Nodes {
    /// What each prefix continues.
    parents: Vec<NodeId>,
    /// Tokens of each prefix.
    tokens: Vec<u64>,
}

impl Trace {
    /// Reads every entry once; nothing of it but its facts is kept.
    pub fn from_entries(entries: impl IntoIterator<Item = Entry>) -> Trace {
        let mut growing = Growing::default();
        for Entry { record, trail } in entries {
            growing.add(&record, trail);
        }
        growing.finish()
    }

    /// How many calls can be replayed.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether no call can be replayed.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// What records lack.
    pub fn gaps(&self) -> Gaps {
        self.gaps
    }

    /// What shaping made of the calls that a rule of it was for.
    pub fn shaping(&self) -> ShapedTokens {
        self.shaping
    }

    /// How many symbols all prompts have together, shared or not.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Input tokens of all calls together.
    pub fn input_tokens(&self) -> u64 {
        self.calls.iter().map(|call| call.metering.usage.input()).sum()
    }
}

impl Nodes {
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Where each block of a prompt with this much input starts and ends, in tokens.
    pub(crate) fn pieces(
        &self,
        links: &[Link],
        input: u64,
    ) -> impl Iterator<Item = std::ops::Range<u64>> {
        links.iter().scan(0, move |start, link| {
            let end = self.tokens(link.end, input).max(*start);
            Some(std::mem::replace(start, end)..end)
        })
    }

    /// Tokens of the prefix, as part of a prompt with this much input.
    pub(crate) fn tokens(&self, node: NodeId, input: u64) -> u64 {
        self.tokens[node.0 as usize].min(input)
    }

    /// `node` and every prefix of it, longest first, without the root and the scope's own node.
    pub(crate) fn up_from(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let parent = |at: &NodeId| self.parents[at.0 as usize];
        std::iter::successors(Some(node), move |at| Some(parent(at)))
            .take_while(move |at| parent(at) != PrefixTree::ROOT)
    }

    /// Every prefix of `node` and itself, shortest first, into `path`. Without the root and the
    /// scope's own node, which has no tokens.
    pub(crate) fn path_into(&self, node: NodeId, path: &mut Vec<NodeId>) {
        path.clear();
        path.extend(self.up_from(node));
        path.reverse();
    }
}

#[derive(Default)]
struct Growing {
    tree: PrefixTree,
    scopes: FxHashMap<u64, NodeId>,
    prompts: Prompts,
    known: Known,
    commons: Commons,
    calls: Vec<Traced>,
    gaps: Gaps,
    shaping: ShapedTokens,
    blocks: u64,
    /// Whether any call with a trail was seen to use a cache: only then the others' silence means
    /// that they did not.
    do_trails_know_caching: bool,
}

impl Growing {
    fn add(&mut self, record: &Record, trail: Option<Trail>) {
        self.shaping.add(record);
        let usage = record.metering.usage;
        let input = usage.without_caching().uncached;
        if record.metering.state == UsageState::Unknown {
            self.gaps.without_usage += 1;
            return;
        }
        if input == 0 {
            self.gaps.without_input += 1;
            return;
        }
        let has_trail = trail.is_some();
        // What its provider saw is what it kept, and what its usage is of.
        let sent = record.sent_call();
        let Some(trail) = trail.or_else(|| trail_of(&sent)) else {
            self.gaps.without_prompt += 1;
            return;
        };
        self.gaps.without_blocks += usize::from(!trail.blocks_known);
        self.blocks += trail.symbols.len() as u64;
        self.do_trails_know_caching |= has_trail && usage.uncached < input;
        let prompt = self.insert(&sent, &trail);
        let mut traced = Traced::of(record, prompt, &mut self.commons);
        traced.is_split_known = traced.is_reported() && !has_trail;
        traced.are_blocks_known = trail.blocks_known;
        self.calls.push(traced);
    }

    fn insert(&mut self, call: &Call, trail: &Trail) -> PromptId {
        let scope = hash::chain(trail.scope, hash::text(&call.model));
        let tree = &mut self.tree;
        let root =
            *self.scopes.entry(scope).or_insert_with(|| tree.insert(PrefixTree::ROOT, &[scope]));
        let (mut at, mut from, mut prompt) = (root, 0, PromptId::EMPTY);
        for (block, end) in call.prompt.iter().zip(&trail.ends) {
            let until = (end.symbols as usize).clamp(from, trail.symbols.len());
            at = tree.insert(at, &trail.symbols[from..until]);
            from = until;
            prompt = self.prompts.extend(&mut self.known, prompt, block, at, end.tokens);
        }
        prompt
    }

    fn finish(self) -> Trace {
        let Growing { tree, mut prompts, mut known, mut calls, gaps, shaping, blocks, .. } = self;
        calls.sort_by_key(|traced| (traced.arrived, traced.id));
        let mut fixing = Fixing {
            tokens: vec![0; tree.len()],
            is_fixed: vec![false; tree.len()],
            path: Vec::new(),
            links: Vec::new(),
            tree,
        };
        for traced in &mut calls {
            fixing.fix(traced, &prompts);
            traced.is_split_known |= traced.is_reported() && self.do_trails_know_caching;
        }
        let mut cuts = Cuts::new(fixing.tree.len());
        for traced in calls.iter_mut().filter(|traced| !traced.are_blocks_known) {
            let Fixing { tree, tokens, .. } = &fixing;
            traced.prompt = prompts.cut(&mut known, traced.prompt, &mut cuts, tree, tokens);
        }
        drop(known);
        prompts.shrink();
        let nodes = Nodes { tokens: fixing.tokens, parents: fixing.tree.into_parents() };
        Trace { calls, prompts, nodes, gaps, shaping, blocks }
    }
}

/// The path of a gateway's own record. The provider keeps the prompts of different credentials
/// apart, and so does the scope.
fn trail_of(call: &Call) -> Option<Trail> {
    if call.prompt.is_empty() {
        return None;
    }
    let scope = hash::chain(hash::text(&call.provider), call.caller.key.word());
    let (mut symbols, mut tokens, mut ends) = (Vec::new(), 0, Vec::new());
    for block in &call.prompt {
        extend_with(&mut symbols, block);
        tokens += u64::from(block.tokens);
        ends.push(TrailEnd { symbols: u32::try_from(symbols.len()).ok()?, tokens });
    }
    Some(Trail { scope, symbols: symbols.into(), ends, blocks_known: true })
}

/// A block's chunks, so that blocks that differ late share their beginnings, then its own digest,
/// which says where it ends.
fn extend_with(symbols: &mut Vec<u64>, block: &Block) {
    let kind = hash::chain(block.role as u64, block.content as u64);
    symbols.extend(block.chunks.iter().map(|chunk| hash::chain(kind, *chunk)));
    symbols.push(block.digest.word());
}

/// Fixes how many tokens each prefix has, call by call in the order of their times.
struct Fixing {
    tree: PrefixTree,
    tokens: Vec<u64>,
    is_fixed: Vec<bool>,
    path: Vec<NodeId>,
    links: Vec<Link>,
}

impl Fixing {
    /// Fixes the tokens of those prefixes of a call's prompt that no earlier call has fixed.
    fn fix(&mut self, traced: &Traced, prompts: &Prompts) {
        prompts.links_into(traced.prompt, &mut self.links);
        let Some(last) = self.links.last() else { return };
        self.path.clear();
        self.path.extend(self.tree.path(last.end).take_while(|at| 1 < self.tree.depth(*at)));
        self.path.reverse();
        let known = self.path.iter().take_while(|node| self.is_fixed[node.0 as usize]).count();
        let (base, base_claim) = match known.checked_sub(1) {
            None => (0, 0),
            Some(last) => {
                let node = self.path[last];
                (self.tokens[node.0 as usize], self.claimed_at(self.symbols_at(node)))
            }
        };
        let claimed = last.claimed.saturating_sub(base_claim);
        let measured = traced.input().saturating_sub(base);
        for at in known..self.path.len() {
            let node = self.path[at];
            let claim = self.claimed_at(self.symbols_at(node)).saturating_sub(base_claim);
            // Where the measurement leaves no room, the claims stand as they are.
            let tokens = match claimed == 0 || measured == 0 {
                true => claim,
                false => scaled(claim, measured, claimed),
            };
            self.tokens[node.0 as usize] = base + tokens;
            self.is_fixed[node.0 as usize] = true;
        }
    }

    fn symbols_at(&self, node: NodeId) -> u64 {
        // The scope has one of its own.
        u64::from(self.tree.depth(node)) - 1
    }

    /// Claimed tokens of the first `symbols` symbols; evenly spread within a block.
    fn claimed_at(&self, symbols: u64) -> u64 {
        let after = self.links.partition_point(|link| self.symbols_at(link.end) < symbols);
        let Some(link) = self.links.get(after) else {
            return self.links.last().map_or(0, |link| link.claimed);
        };
        let (from, claimed) = match after.checked_sub(1).map(|before| self.links[before]) {
            None => (0, 0),
            Some(before) => (self.symbols_at(before.end), before.claimed),
        };
        let length = self.symbols_at(link.end).saturating_sub(from);
        let into = symbols.saturating_sub(from);
        claimed + scaled(link.claimed.saturating_sub(claimed), into, length.max(1))
    }
}

/// `value` × `numerator` / `denominator`, rounded down.
fn scaled(value: u64, numerator: u64, denominator: u64) -> u64 {
    let product = u128::from(value) * u128::from(numerator) / u128::from(denominator);
    u64::try_from(product).unwrap_or(u64::MAX)
}
