//! The prompts of a trace, block by block.
//!
//! A conversation sends all its earlier blocks again with every turn. Here a prompt is its last
//! block and the prompt before that, so that what two calls begin with is kept once.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use scrimp_core::call::{Block, Content, Digest, Outline, Role};
use scrimp_core::{NodeId, PrefixTree, Ttl, hash};

/// Names a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PromptId(u32);

/// Every prompt of a trace.
#[derive(Debug, Default)]
pub(crate) struct Prompts {
    links: Vec<Link>,
    /// What tells how blocks differ, by digest, where it was taken.
    facts: FxHashMap<Digest, Facts>,
}

/// What tells how two blocks differ.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) outline: Option<Arc<Outline>>,
    pub(crate) chunks: Box<[u64]>,
}

/// A prompt's last block, where it ends, and what comes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    before: PromptId,
    /// The prefix of the tree that ends with the block.
    pub(crate) end: NodeId,
    /// Tokens up to its end, as the record claims.
    pub(crate) claimed: u64,
    pub(crate) digest: Digest,
    characters: u32,
    pub(crate) tokens: u32,
    pub(crate) role: Role,
    pub(crate) content: Content,
    pub(crate) mark: Option<Ttl>,
    pub(crate) markable: bool,
}

/// Where prompts are cut whose blocks are not known: at the ends of those that were sent before, and
/// where one parted from what had been sent. Never where only a later one will part: that would tell
/// a policy what comes. A prompt that goes on is cut as it was before.
#[derive(Debug)]
pub(super) struct Cuts {
    /// The cut before each cut, by node.
    before: Vec<Option<NodeId>>,
    was_sent: Vec<bool>,
}

impl Cuts {
    pub(super) fn new(nodes: usize) -> Cuts {
        Cuts { before: vec![None; nodes], was_sent: vec![false; nodes] }
    }

    /// Makes `end` a cut, and where its prompt left what had been sent; both come after `from`.
    fn add(&mut self, tree: &PrefixTree, from: NodeId, end: NodeId) {
        let is_inner = |node: &NodeId| *node != from && 1 < tree.depth(*node);
        let path = || tree.path(end).take_while(is_inner);
        let mut last = path().find(|node| self.before[node.0 as usize].is_some()).unwrap_or(from);
        let parted = path().take_while(|node| *node != last);
        let parted = parted.into_iter().find(|node| self.was_sent[node.0 as usize]);
        for cut in parted.into_iter().chain(path().next()) {
            if self.before[cut.0 as usize].is_none() {
                self.before[cut.0 as usize] = Some(last);
                last = cut;
            }
        }
    }

    /// The cuts after `from` up to `end`, first to last.
    fn between(&self, from: NodeId, end: NodeId) -> Vec<NodeId> {
        let before = |node: &NodeId| self.before[node.0 as usize];
        let cuts = std::iter::successors(Some(end), before);
        let mut cuts: Vec<NodeId> =
            cuts.take_while(|node| *node != from && before(node).is_some()).collect();
        cuts.reverse();
        cuts
    }

    /// A prompt that ends there was sent.
    fn pass(&mut self, tree: &PrefixTree, end: NodeId) {
        for node in tree.path(end) {
            if std::mem::replace(&mut self.was_sent[node.0 as usize], true) {
                break;
            }
        }
    }
}

/// Finds prompts that are there already.
#[derive(Debug, Default)]
pub(super) struct Known(FxHashMap<u64, PromptId>);

impl PromptId {
    /// The prompt without any block.
    pub(crate) const EMPTY: PromptId = PromptId(u32::MAX);
}

impl Prompts {
    /// The prompt `before` continued by `block`; added if it is new.
    ///
    /// # Panics
    /// Beyond 2³² blocks.
    pub(super) fn extend(
        &mut self,
        known: &mut Known,
        before: PromptId,
        block: &Block,
        end: NodeId,
        claimed: u64,
    ) -> PromptId {
        let Block { role, content, digest, characters, tokens, mark, markable, .. } = *block;
        let link = Link {
            before,
            end,
            claimed,
            digest,
            characters,
            tokens,
            role,
            content,
            mark,
            markable,
        };
        let place = u64::from(before.0) << 32 | u64::from(end.0);
        // A digest does not tell whether its block is marked.
        let name = hash::chain(digest.word(), mark.map_or(0, |ttl| 1 + ttl as u64));
        let name = hash::chain(hash::chain(name, place), claimed);
        if let Some(id) = known.0.get(&name).filter(|id| self.links[id.0 as usize] == link) {
            return *id;
        }
        let id = PromptId(u32::try_from(self.links.len()).expect("fewer than 2^32 blocks"));
        self.links.push(link);
        if block.outline.is_some() || !block.chunks.is_empty() {
            let (outline, chunks) = (&block.outline, &block.chunks);
            self.facts
                .entry(digest)
                .or_insert_with(|| Facts { outline: outline.clone(), chunks: chunks.clone() });
        }
        known.0.insert(name, id);
        id
    }

    /// The prompt `id` with its blocks cut where [`Cuts`] says. For prompts whose blocks are not
    /// known.
    pub(super) fn cut(
        &mut self,
        known: &mut Known,
        id: PromptId,
        cuts: &mut Cuts,
        tree: &PrefixTree,
        tokens: &[u64],
    ) -> PromptId {
        let mut links = Vec::new();
        self.links_into(id, &mut links);
        let (mut prompt, mut before, mut claimed) = (PromptId::EMPTY, NodeId(0), 0);
        for link in links {
            cuts.add(tree, before, link.end);
            for node in cuts.between(before, link.end) {
                let until = tokens[node.0 as usize].max(claimed);
                let digest = Digest(u128::from(hash::mix(u64::from(node.0))).to_le_bytes());
                let block = Block { digest, ..link.block() };
                prompt = self.cut_off(known, prompt, block, node, until - claimed);
                claimed = until;
            }
            // The last block may have nothing in the tree.
            if link.end == before && claimed < link.claimed {
                let rest = link.claimed - claimed;
                prompt = self.cut_off(known, prompt, link.block(), link.end, rest);
            }
            before = link.end;
        }
        cuts.pass(tree, before);
        prompt
    }

    fn cut_off(
        &mut self,
        known: &mut Known,
        before: PromptId,
        block: Block,
        end: NodeId,
        tokens: u64,
    ) -> PromptId {
        let block = Block { tokens: u32::try_from(tokens).unwrap_or(u32::MAX), ..block };
        self.extend(known, before, &block, end, tokens)
    }

    /// Where the prompt ends in the tree; `None` of one without blocks.
    pub(crate) fn end(&self, id: PromptId) -> Option<NodeId> {
        self.links.get(id.0 as usize).map(|link| link.end)
    }

    /// The blocks of a prompt, first to last, into `links`.
    pub(crate) fn links_into(&self, id: PromptId, links: &mut Vec<Link>) {
        links.clear();
        let link = |id: PromptId| self.links.get(id.0 as usize).copied();
        links.extend(std::iter::successors(link(id), |last| link(last.before)));
        links.reverse();
    }

    /// The blocks of a prompt as policies see them, without what only tells texts apart.
    pub(crate) fn blocks(&self, id: PromptId) -> Vec<Block> {
        let mut links = Vec::new();
        self.links_into(id, &mut links);
        links.iter().map(Link::block).collect()
    }

    /// What tells how a block differs from others, where that was taken.
    pub(crate) fn facts(&self, block: &Link) -> Option<&Facts> {
        self.facts.get(&block.digest)
    }

    /// Its outline.
    pub(crate) fn outline(&self, block: &Link) -> Option<&Outline> {
        self.facts(block)?.outline.as_deref()
    }

    /// Nothing is added any more.
    pub(super) fn shrink(&mut self) {
        self.links.shrink_to_fit();
        self.facts.shrink_to_fit();
    }
}

impl Link {
    fn block(&self) -> Block {
        let Link { digest, characters, tokens, role, content, mark, markable, .. } = *self;
        Block {
            role,
            content,
            digest,
            chunks: Box::default(),
            characters,
            tokens,
            features: None,
            outline: None,
            mark,
            markable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(word: u8, mark: Option<Ttl>) -> Block {
        Block {
            role: Role::User,
            content: Content::Text,
            digest: Digest([word; 16]),
            chunks: Box::default(),
            characters: 4,
            tokens: 1,
            features: None,
            outline: None,
            mark,
            markable: true,
        }
    }

    #[test]
    fn what_two_prompts_begin_with_is_kept_once_and_nothing_is_mixed_up() {
        let (mut prompts, mut known) = (Prompts::default(), Known::default());
        let mut prompt = |blocks: &[Block]| {
            blocks.iter().zip(1_u32..).fold(PromptId::EMPTY, |before, (block, at)| {
                prompts.extend(&mut known, before, block, NodeId(at), u64::from(at))
            })
        };
        let (a, b, marked) = (block(1, None), block(2, None), block(2, Some(Ttl::Long)));
        let told = [
            vec![],
            vec![a.clone()],
            vec![a.clone(), b.clone()],
            vec![a.clone(), marked.clone()],
            vec![b.clone(), a.clone()],
        ];
        let ids: Vec<PromptId> = told.iter().map(|blocks| prompt(blocks)).collect();
        assert_eq!(prompt(&told[2]), ids[2]);
        for (id, blocks) in ids.iter().zip(&told) {
            assert_eq!(prompts.blocks(*id), *blocks);
        }
        assert_eq!(prompts.links.len(), 5);
        assert_eq!(prompts.end(ids[3]), Some(NodeId(2)));
        assert_eq!(prompts.end(PromptId::EMPTY), None);
    }
}
