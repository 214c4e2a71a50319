//! Which earlier row a prompt continues, for [`crate::blob`]. Bounded, so that memory stays flat.

use rustc_hash::FxHashMap;
use scrimp_core::{Call, Role, hash};

use crate::blob::Base;
use crate::draft::Draft;

/// How many conversations are remembered at once.
const MOST_PROMPTS: usize = 512;
/// How many blocks of them, together.
const MOST_BLOCKS: usize = 200_000;
/// A row is at most this many steps away from one that holds its whole prompt, so that reading a
/// single row touches few others.
const MOST_STEPS: u8 = 32;

/// The last prompts seen, by conversation and by family.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    prompts: FxHashMap<u64, Seen>,
    /// The conversation that last used a family's tools and system instructions.
    families: FxHashMap<u64, u64>,
    blocks: usize,
    clock: u64,
}

#[derive(Debug)]
struct Seen {
    row: u64,
    hashes: Vec<u64>,
    base: Option<Base>,
    steps: u8,
    touched: u64,
}

impl Chains {
    /// Where the beginning of a record's prompt is stored already; remembers it as `row`.
    pub(crate) fn base(&mut self, draft: &Draft<'_>, row: u64) -> Option<Base> {
        let hashes: Vec<u64> = draft.hashes().collect();
        let (family, conversation) = (draft.family(), draft.conversation());
        let (base, steps) = self.longest(conversation, family, &hashes).unzip();
        let steps = steps.unwrap_or(0);
        self.remember(conversation, Seen { row, hashes, base, steps, touched: 0 });
        self.families.insert(family, conversation);
        base
    }

    /// Forgets everything: no later row will name an earlier one.
    pub(crate) fn clear(&mut self) {
        *self = Chains::default();
    }

    fn longest(&self, conversation: u64, family: u64, hashes: &[u64]) -> Option<(Base, u8)> {
        let seen = self.prompts.get(&conversation);
        let seen = seen.or_else(|| self.prompts.get(self.families.get(&family)?))?;
        let shared = seen.hashes.iter().zip(hashes).take_while(|(a, b)| a == b).count();
        // What the row before shares with its own base is there as well: calls that begin alike all
        // name one row, instead of each the one that happened to end before it.
        match seen.base.filter(|base| shared <= base.shared) {
            _ if shared == 0 => None,
            Some(base) => Some((Base { shared, ..base }, seen.steps)),
            None if MOST_STEPS <= seen.steps => None,
            None => Some((Base { row: seen.row, shared }, seen.steps + 1)),
        }
    }

    fn remember(&mut self, conversation: u64, seen: Seen) {
        self.clock += 1;
        self.blocks += seen.hashes.len();
        let seen = Seen { touched: self.clock, ..seen };
        if let Some(replaced) = self.prompts.insert(conversation, seen) {
            self.blocks -= replaced.hashes.len();
        }
        while MOST_BLOCKS < self.blocks || MOST_PROMPTS < self.prompts.len() {
            self.forget_oldest();
        }
        if 4 * MOST_PROMPTS < self.families.len() {
            self.families.clear();
        }
    }

    /// Forgets the eighth of the prompts that was not used for longest, so that finding them costs
    /// little per call.
    fn forget_oldest(&mut self) {
        let mut touched: Vec<u64> = self.prompts.values().map(|seen| seen.touched).collect();
        touched.sort_unstable();
        let Some(limit) = touched.get(touched.len() / 8) else { return };
        self.prompts.retain(|_, seen| *limit < seen.touched);
        self.blocks = self.prompts.values().map(|seen| seen.hashes.len()).sum();
    }
}

/// Names a conversation: by its session, and by how it began, since one session may hold several.
pub(crate) fn conversation(call: &Call, family: u64) -> u64 {
    let first = call.prompt.iter().find(|block| block.role == Role::User);
    let began = hash::chain(family, first.map_or(0, |block| block.digest.word()));
    call.caller.session.map_or(began, |session| hash::chain(began, session.word()))
}
