//! A trace: recorded calls in the order of their times, their prompts as paths in one tree.
//!
//! The tree is built once and shared by every policy that is replayed over the trace; after that a
//! replay touches nodes, never blocks.
//!
//! Tokens belong to the tree, not to the calls: the first call that passes a node fixes how many
//! tokens the prefix has, scaled so that its whole prompt has the tokens that were measured. A later
//! call that only continues it adds the difference between the two measurements, which is exact.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use scrimp_core::price::Terms;
use scrimp_core::record::{Timing, Trail, TrailEnd};
use scrimp_core::{
    Block, Call, Entry, Metering, NodeId, PrefixTree, Record, Time, UsageState, hash,
};
use serde::Serialize;

/// Recorded calls whose prompts are known, and how many others there were.
#[derive(Debug)]
pub struct Trace {
    pub(crate) calls: Vec<Traced>,
    pub(crate) nodes: Nodes,
    gaps: Gaps,
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

/// One call of a trace.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) call: Arc<Call>,
    /// The prefix at the end of each block of the prompt.
    pub(crate) ends: Box<[NodeId]>,
    /// Whether the blocks are the provider's own.
    pub(crate) are_blocks_known: bool,
    /// Input that a cache may hold, in tokens.
    pub(crate) input: u64,
    pub(crate) metering: Metering,
    /// Whether the split of the usage by cache class is what the provider reported.
    pub(crate) is_split_known: bool,
    pub(crate) terms: Terms,
    /// The model that answered.
    pub(crate) answered: Arc<str>,
    /// When the answer began: from then on others can read what the call wrote.
    pub(crate) began: Time,
    pub(crate) ended: Time,
}

/// The nodes of the tree, fixed once it is built.
#[derive(Debug)]
pub(crate) struct Nodes {
    tree: PrefixTree,
    /// Tokens of each prefix.
    tokens: Vec<u64>,
}

/// Claims of one call about its own prompt: symbols and tokens at the end of each block.
struct Claim {
    ends: Vec<TrailEnd>,
}

impl Trace {
    /// Reads every entry once; nothing of it but its facts is kept.
    pub fn from_entries(entries: impl IntoIterator<Item = Entry>) -> Trace {
        let mut growing = Growing::default();
        for Entry { record, trail } in entries {
            growing.add(record, trail);
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

    /// Tokens of the prefix, as part of a prompt with this much input.
    pub(crate) fn tokens(&self, node: NodeId, input: u64) -> u64 {
        self.tokens[node.0 as usize].min(input)
    }

    /// `node` and every prefix of it, longest first, without the root and the scope's own node.
    pub(crate) fn up_from(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        self.tree.path(node).take_while(|at| 1 < self.tree.depth(*at))
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
    calls: Vec<(Traced, Claim)>,
    gaps: Gaps,
    blocks: u64,
    /// Whether any call with a trail was seen to use a cache: only then the others' silence means
    /// that they did not.
    do_trails_know_caching: bool,
}

impl Growing {
    fn add(&mut self, mut record: Record, trail: Option<Trail>) {
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
        let Some(trail) = trail.or_else(|| trail_of(&record.call)) else {
            self.gaps.without_prompt += 1;
            return;
        };
        self.gaps.without_blocks += usize::from(!trail.blocks_known);
        self.blocks += trail.symbols.len() as u64;
        self.do_trails_know_caching |= has_trail && usage.uncached < input;
        let ends = self.insert(&record.call, &trail);
        forget_texts(&mut record.call);
        let traced = Traced {
            is_split_known: is_reported(record.metering.state) && !has_trail,
            are_blocks_known: trail.blocks_known,
            ..traced(&record, ends, input)
        };
        self.calls.push((traced, Claim { ends: trail.ends }));
    }

    fn insert(&mut self, call: &Call, trail: &Trail) -> Box<[NodeId]> {
        let scope = hash::chain(trail.scope, hash::text(&call.model));
        let tree = &mut self.tree;
        let root =
            *self.scopes.entry(scope).or_insert_with(|| tree.insert(PrefixTree::ROOT, &[scope]));
        let (mut at, mut from) = (root, 0);
        let end = |end: &TrailEnd| {
            let until = (end.symbols as usize).clamp(from, trail.symbols.len());
            at = tree.insert(at, &trail.symbols[from..until]);
            from = until;
            at
        };
        trail.ends.iter().map(end).collect()
    }

    fn finish(mut self) -> Trace {
        self.calls.sort_by_key(|(traced, _)| (traced.call.arrived, traced.call.id));
        let mut nodes = Nodes { tokens: vec![0; self.tree.len()], tree: self.tree };
        let mut is_fixed = vec![false; nodes.len()];
        let mut path = Vec::new();
        let mut calls = Vec::with_capacity(self.calls.len());
        for (mut traced, claim) in self.calls {
            if let Some(last) = traced.ends.last() {
                nodes.path_into(*last, &mut path);
                claim.fix_tokens(traced.input, &path, &mut nodes, &mut is_fixed);
            }
            let is_reported = is_reported(traced.metering.state);
            traced.is_split_known |= is_reported && self.do_trails_know_caching;
            calls.push(traced);
        }
        Trace { calls, nodes, gaps: self.gaps, blocks: self.blocks }
    }
}

/// Whether the provider itself said how the input splits: it does so with the answer's beginning,
/// so of a call that broke off too.
fn is_reported(state: UsageState) -> bool {
    matches!(state, UsageState::Measured | UsageState::Partial)
}

/// Lets go what only tells texts apart: the path has it now, and traces are long.
fn forget_texts(call: &mut Arc<Call>) {
    let Some(call) = Arc::get_mut(call) else { return };
    for block in &mut call.prompt {
        block.chunks = Box::default();
        block.features = None;
    }
}

fn traced(record: &Record, ends: Box<[NodeId]>, input: u64) -> Traced {
    let Timing { head, first_content, ended, .. } = record.timing;
    let arrived = record.call.arrived;
    // The answer that reached the client; without one the last that was tried.
    let attempt = record.attempts.iter().find(|attempt| attempt.fault.is_none());
    let attempt = attempt.or(record.attempts.last());
    let sent = attempt.map_or(arrived, |attempt| arrived + attempt.sent);
    let began = head.or(first_content).map_or(sent, |after| arrived + after);
    Traced {
        call: record.call.clone(),
        ends,
        are_blocks_known: false,
        input,
        metering: record.metering,
        is_split_known: false,
        terms: attempt.map_or_else(Terms::default, |attempt| attempt.terms),
        answered: attempt.map_or_else(|| record.call.model.clone(), |a| a.model.clone()),
        began,
        ended: ended.map_or(began, |after| arrived + after),
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

impl Claim {
    /// Fixes the tokens of those prefixes on `path` that no earlier call has fixed.
    fn fix_tokens(&self, input: u64, path: &[NodeId], nodes: &mut Nodes, is_fixed: &mut [bool]) {
        let known = path.iter().take_while(|node| is_fixed[node.0 as usize]).count();
        let symbols_at = |node: NodeId| u64::from(nodes.tree.depth(node)) - 1;
        let (base, base_claim) = match known.checked_sub(1) {
            None => (0, 0),
            Some(last) => {
                let node = path[last];
                (nodes.tokens[node.0 as usize], self.tokens_at(symbols_at(node)))
            }
        };
        let total = self.ends.last().map_or(0, |end| end.tokens);
        let (claimed, measured) = (total.saturating_sub(base_claim), input.saturating_sub(base));
        for node in &path[known..] {
            let claim = self.tokens_at(symbols_at(*node)).saturating_sub(base_claim);
            // Where the measurement leaves no room, the claims stand as they are.
            let tokens = match claimed == 0 || measured == 0 {
                true => claim,
                false => scaled(claim, measured, claimed),
            };
            nodes.tokens[node.0 as usize] = base + tokens;
            is_fixed[node.0 as usize] = true;
        }
    }

    /// Claimed tokens of the first `symbols` symbols; evenly spread within a block.
    fn tokens_at(&self, symbols: u64) -> u64 {
        let after = self.ends.partition_point(|end| u64::from(end.symbols) < symbols);
        let Some(end) = self.ends.get(after) else {
            return self.ends.last().map_or(0, |end| end.tokens);
        };
        let start = match after.checked_sub(1) {
            None => TrailEnd { symbols: 0, tokens: 0 },
            Some(before) => self.ends[before],
        };
        let length = u64::from(end.symbols.saturating_sub(start.symbols));
        let into = symbols.saturating_sub(u64::from(start.symbols));
        start.tokens + scaled(end.tokens.saturating_sub(start.tokens), into, length.max(1))
    }
}

/// `value` × `numerator` / `denominator`, rounded down.
fn scaled(value: u64, numerator: u64, denominator: u64) -> u64 {
    let product = u128::from(value) * u128::from(numerator) / u128::from(denominator);
    u64::try_from(product).unwrap_or(u64::MAX)
}
