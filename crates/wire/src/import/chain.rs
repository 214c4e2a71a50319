//! The tree of messages in a transcript: each line names its parent, so a call's prompt is the path
//! from the root to the line that the answer replies to.
//!
//! A path says *what* was sent again; how many tokens that was is measured, at the end of each call's
//! path, by the call itself. Two things are taken care of. A prompt that is shorter than one that it
//! continues was rewritten (the client trimmed old tool results): nothing after its beginning is
//! taken to be shared. What stands before the first message (tools and system instructions) is in no
//! transcript; its length is the first call's input less what its messages are long, an estimate.

use rustc_hash::FxHashMap;

use scrimp_core::record::TrailEnd;
use scrimp_core::{Block, Role, Trail, hash};

use super::logged::block;

/// Characters of a line of JSON to a token of prompt: lines are wrapped in a lot of bookkeeping.
const BYTES_PER_TOKEN: u64 = 4;

/// Names a line within its transcript.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeAt(usize);

/// The lines of one transcript.
#[derive(Default)]
pub(super) struct Chain {
    nodes: Vec<Node>,
    by_uuid: FxHashMap<String, NodeAt>,
}

struct Node {
    symbol: u64,
    parent: Option<NodeAt>,
    content_bytes: u64,
    /// Input tokens of the call whose prompt ends here.
    measured: Option<u64>,
    /// Set where a prompt was rewritten: the symbol that keeps it apart from what it was before.
    rewritten: Option<u64>,
    /// At a root: the estimated tokens before the first message.
    head_tokens: Option<u64>,
    /// At a root: tells whose head it is.
    head: u64,
}

impl Chain {
    /// Adds a line. `head` tells apart what stands before the first message: the session, the agent.
    pub(super) fn add(&mut self, uuid: &str, parent: Option<&str>, head: u64, content_bytes: u64) {
        let symbol = hash::text(uuid);
        let parent = parent.map(|parent| self.at_or_unseen(parent, head));
        let node = Node { symbol, parent, content_bytes, ..Node::unseen(symbol, head) };
        match self.by_uuid.get(uuid) {
            // Named as a parent before it came, or came twice: it is known from here on.
            Some(&at) => {
                let known = &mut self.nodes[at.0];
                known.parent = known.parent.or(node.parent).filter(|parent| *parent != at);
                known.content_bytes = content_bytes;
            }
            None => {
                self.push(uuid, node);
            }
        }
    }

    /// The line of this name.
    pub(super) fn find(&self, uuid: &str) -> Option<NodeAt> {
        self.by_uuid.get(uuid).copied()
    }

    fn at_or_unseen(&mut self, uuid: &str, head: u64) -> NodeAt {
        match self.find(uuid) {
            Some(at) => at,
            None => self.push(uuid, Node::unseen(hash::text(uuid), head)),
        }
    }

    fn push(&mut self, uuid: &str, node: Node) -> NodeAt {
        let at = NodeAt(self.nodes.len());
        self.nodes.push(node);
        self.by_uuid.insert(uuid.to_owned(), at);
        at
    }

    /// From `end` up to its root. A ring of parents, which only a broken log has, is cut.
    fn up(&self, end: NodeAt) -> impl Iterator<Item = NodeAt> {
        std::iter::successors(Some(end), |at| self.nodes[at.0].parent).take(self.nodes.len())
    }

    /// The prompt that ends at `end` and was measured to have `input` tokens. Calls must come in the
    /// order of time.
    pub(super) fn prompt(&mut self, end: NodeAt, scope: u64, input: u64) -> (Vec<Block>, Trail) {
        let path: Vec<NodeAt> = self.up(end).collect();
        let root = *path.last().expect("a path has its end");
        let longest = path.iter().filter_map(|at| self.nodes[at.0].measured).max();
        if longest.is_some_and(|longest| input < longest) {
            self.nodes[end.0].rewritten = Some(hash::chain(self.nodes[end.0].symbol, input));
            for at in &path {
                self.nodes[at.0].measured = None;
            }
        }
        self.nodes[end.0].measured = Some(input);
        let head_tokens = self.head_tokens(root, &path, input);
        let rewritten = path.iter().find_map(|at| self.nodes[at.0].rewritten);
        let head = self.nodes[root.0].head;
        let messages = path.iter().rev().map(|at| self.nodes[at.0].symbol);
        let symbols: Vec<u64> = [head].into_iter().chain(rewritten).chain(messages).collect();
        let whole = u32::try_from(symbols.len()).unwrap_or(u32::MAX);
        let tail = hash::chain(head, self.nodes[end.0].symbol);
        let blocks = vec![
            block(Role::System, head, head_tokens),
            block(Role::User, tail, input - head_tokens),
        ];
        let ends = vec![
            TrailEnd { symbols: 1, tokens: head_tokens },
            TrailEnd { symbols: whole, tokens: input },
        ];
        (blocks, Trail { scope, symbols: symbols.into(), ends, blocks_known: false })
    }

    fn head_tokens(&mut self, root: NodeAt, path: &[NodeAt], input: u64) -> u64 {
        let bytes: u64 = path.iter().map(|at| self.nodes[at.0].content_bytes).sum();
        let estimate = input.saturating_sub(bytes / BYTES_PER_TOKEN);
        (*self.nodes[root.0].head_tokens.get_or_insert(estimate)).min(input)
    }
}

impl Node {
    fn unseen(symbol: u64, head: u64) -> Node {
        Node {
            symbol,
            parent: None,
            content_bytes: 0,
            measured: None,
            rewritten: None,
            head_tokens: None,
            head,
        }
    }
}
