//! Prompts as paths in a tree, so that what two prompts share is stored and compared once.
//!
//! A prompt is a sequence of symbols (digests of blocks, or block ids of a trace). The tree is
//! compressed: a node holds a run of symbols. A node's id keeps meaning "the prefix that ends with
//! this run" for ever: when a run is split, its *lower* half keeps the id.

use rustc_hash::FxHashMap;

/// Names a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A tree of prefixes. Its root is the empty prefix.
#[derive(Debug)]
pub struct PrefixTree {
    nodes: Vec<Node>,
    symbols: Vec<u64>,
    children: FxHashMap<(NodeId, u64), NodeId>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    parent: NodeId,
    /// Where the run starts in `symbols`.
    start: u32,
    /// How many symbols it has.
    length: u32,
    /// How many symbols the whole prefix has.
    depth: u32,
}

impl Default for PrefixTree {
    fn default() -> PrefixTree {
        PrefixTree::new()
    }
}

impl PrefixTree {
    /// The empty prefix.
    pub const ROOT: NodeId = NodeId(0);

    /// A tree that knows the empty prefix only.
    pub fn new() -> PrefixTree {
        let root = Node { parent: PrefixTree::ROOT, start: 0, length: 0, depth: 0 };
        PrefixTree { nodes: vec![root], symbols: Vec::new(), children: FxHashMap::default() }
    }

    /// The prefix `below` continued by `symbols`; added if it is new.
    ///
    /// # Panics
    /// Beyond 2³² symbols or prefixes.
    pub fn insert(&mut self, below: NodeId, symbols: &[u64]) -> NodeId {
        let mut at = below;
        let mut rest = symbols;
        while let Some(first) = rest.first() {
            let Some(&child) = self.children.get(&(at, *first)) else {
                return self.add(at, rest);
            };
            let shared = shared_length(self.run(child), rest);
            let node = self.nodes[child.0 as usize];
            at = if shared < node.length as usize { self.split(child, shared) } else { child };
            rest = &rest[shared..];
        }
        at
    }

    /// The prefix that `node` continues; the root's is the root.
    pub fn parent(&self, node: NodeId) -> NodeId {
        self.nodes[node.0 as usize].parent
    }

    /// How many symbols the prefix has.
    pub fn depth(&self, node: NodeId) -> u32 {
        self.nodes[node.0 as usize].depth
    }

    /// How many prefixes have an id, the root among them.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether only the root is known.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    /// `node` and every prefix of it that has an id, longest first, without the root.
    pub fn path(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(Some(node), |at| Some(self.parent(*at)))
            .take_while(|at| *at != PrefixTree::ROOT)
    }

    /// What each prefix continues, by id. The runs themselves, which only tell new prompts where
    /// they belong, are let go.
    pub fn into_parents(self) -> Vec<NodeId> {
        let PrefixTree { nodes, symbols, children } = self;
        drop((symbols, children));
        nodes.into_iter().map(|node| node.parent).collect()
    }

    fn run(&self, node: NodeId) -> &[u64] {
        let Node { start, length, .. } = self.nodes[node.0 as usize];
        &self.symbols[start as usize..][..length as usize]
    }

    fn add(&mut self, parent: NodeId, run: &[u64]) -> NodeId {
        let start = u32::try_from(self.symbols.len()).expect("fewer than 2^32 symbols");
        let length = u32::try_from(run.len()).expect("fewer than 2^32 symbols");
        let depth = self.depth(parent) + length;
        self.symbols.extend_from_slice(run);
        self.children.insert((parent, run[0]), self.next_id());
        self.push(Node { parent, start, length, depth })
    }

    /// Splits `child` after `shared` symbols and returns the new upper half.
    fn split(&mut self, child: NodeId, shared: usize) -> NodeId {
        let shared = u32::try_from(shared).expect("no longer than a run");
        let Node { parent, start, length, depth } = self.nodes[child.0 as usize];
        let upper =
            self.push(Node { parent, start, length: shared, depth: depth - length + shared });
        let lower = Node { parent: upper, start: start + shared, length: length - shared, depth };
        self.nodes[child.0 as usize] = lower;
        self.children.insert((parent, self.symbols[start as usize]), upper);
        self.children.insert((upper, self.symbols[lower.start as usize]), child);
        upper
    }

    fn push(&mut self, node: Node) -> NodeId {
        let id = self.next_id();
        self.nodes.push(node);
        id
    }

    fn next_id(&self) -> NodeId {
        NodeId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 prefixes"))
    }
}

fn shared_length(run: &[u64], rest: &[u64]) -> usize {
    // In strides first: long shared prefixes are the common case.
    const STRIDE: usize = 32;
    let strides = run.chunks_exact(STRIDE).zip(rest.chunks_exact(STRIDE));
    let equal = strides.take_while(|(a, b)| a == b).count() * STRIDE;
    equal + run[equal..].iter().zip(&rest[equal..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_keeps_its_meaning_when_its_run_is_split() {
        let mut tree = PrefixTree::new();
        let long = tree.insert(PrefixTree::ROOT, &[1, 2, 3, 4]);
        let other = tree.insert(PrefixTree::ROOT, &[1, 2, 9]);
        let fork = tree.insert(PrefixTree::ROOT, &[1, 2]);
        assert_eq!((tree.depth(long), tree.depth(other), tree.depth(fork)), (4, 3, 2));
        assert_eq!(tree.path(long).collect::<Vec<_>>(), [long, fork]);
        assert_eq!(tree.insert(PrefixTree::ROOT, &[1, 2, 3, 4]), long);
        assert_eq!(tree.insert(fork, &[9]), other);
    }

    proptest! {
        #[test]
        fn two_prompts_meet_exactly_where_they_stop_being_equal(
            prompts in prop::collection::vec(prop::collection::vec(0_u64..3, 0..80), 1..12)
        ) {
            let mut tree = PrefixTree::new();
            let ends: Vec<_> = prompts.iter().map(|p| tree.insert(PrefixTree::ROOT, p)).collect();
            for (a, end_a) in prompts.iter().zip(&ends) {
                prop_assert_eq!(tree.depth(*end_a) as usize, a.len());
                for (b, end_b) in prompts.iter().zip(&ends) {
                    let shared = a.iter().zip(b).take_while(|(x, y)| x == y).count();
                    let path: Vec<_> = tree.path(*end_b).collect();
                    let meet = tree.path(*end_a).find(|node| path.contains(node));
                    prop_assert_eq!(meet.map_or(0, |node| tree.depth(node) as usize), shared);
                }
            }
        }
    }
}
