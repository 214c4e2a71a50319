//! Token budgets: how much a call may send to a model and have back.
//!
//! Tokens of a prompt are estimates ([`Block::tokens`]), since nobody can count them as its provider
//! does before it has. What does not fit is refused, or made to fit in the way that the rule names.
//! Tools, system instructions, the last turn of the user and a call with its result stay whole; if
//! they alone are too much, the call is refused whatever the rule says.
//!
//! What is left out is left out in steps: a conversation that grows turn by turn loses nothing more
//! until the step is used up, so that its beginning stays the same and is read from the provider's
//! cache meanwhile.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Scope, State};
use crate::call::{Block, Call, Content, Dialect, Role};
use crate::record::Refusal;

/// A rule for the tokens of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenBudget {
    /// Which calls it is about.
    pub scope: Scope,
    /// What it may do.
    pub state: State,
    /// The most tokens of a prompt, by estimate.
    pub max_input: Option<u64>,
    /// What becomes of a prompt that is larger.
    pub strategy: Strategy,
    /// The most tokens of an answer. Asked for where the call says nothing, and in place of more.
    pub max_output: Option<u64>,
    /// The most tokens of an answer where the call says nothing.
    pub default_output: Option<u64>,
}

/// What becomes of a prompt that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// It is refused, as its provider would.
    Refuse,
    /// Its oldest turns are left out.
    DropTurns,
    /// The middle of long tool results is left out.
    CutResults,
    /// Of the texts and documents beside the user's last question, those that have least to do with
    /// it are left out.
    RankChunks,
}

/// A block that is cut in its middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Index of the block in the prompt.
    pub block: u32,
    /// The tokens that it may have at most, by estimate.
    pub tokens: u32,
}

/// What is left out of a request, or written into it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trim {
    /// Blocks that are left out: the first, and the one behind the last.
    pub dropped: Vec<(u32, u32)>,
    /// Blocks that are cut in their middle.
    pub cut: Vec<Cut>,
    /// The most tokens of the answer.
    pub max_output: Option<u64>,
}

/// What a budget decided about a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budgeted {
    /// The state that the rule was in.
    pub state: State,
    /// What becomes of a prompt that is too large.
    pub strategy: Strategy,
    /// The most tokens of a prompt.
    pub max_input: Option<u64>,
    /// The tokens of the prompt, shaped, by estimate.
    pub tokens: u64,
    /// Its tokens after that, by estimate.
    pub tokens_after: u64,
    /// How much each chunk has to do with the question, where they were ranked.
    pub scores: Vec<u32>,
    /// What is left out and written. Done only if `state` is on.
    pub trim: Trim,
    /// Nothing that may be left out is enough: the tokens of what has to stay.
    pub too_much: Option<u64>,
}

/// The chunks of a prompt, and the question beside which they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
    /// Indices of their blocks, in order.
    pub chunks: Vec<u32>,
    /// Index of the question's block.
    pub question: u32,
}

/// Steps in which turns are left out: parts of the budget.
const STEPS: u64 = 8;

/// Below so many tokens a result is not cut.
const SHORTEST_CUT: u32 = 128;

/// The rule that decides about `call`, if any does.
pub fn rule_for<'a>(rules: &'a [TokenBudget], call: &Call) -> Option<&'a TokenBudget> {
    // Counting tokens costs none.
    let is_asked = |rule: &&TokenBudget| {
        rule.state != State::Off && call.dialect != Dialect::AnthropicCountTokens
    };
    rules.iter().find(|rule| rule.scope.covers(call)).filter(is_asked)
}

impl TokenBudget {
    /// Whether it may leave turns out.
    pub fn drops_turns(&self) -> bool {
        self.state == State::On && self.strategy == Strategy::DropTurns && self.max_input.is_some()
    }

    /// The chunks that have to be ranked before `call` can be decided about: none unless it is too
    /// large and the rule ranks. `sizes` are the tokens of its blocks.
    pub fn chunks(&self, call: &Call, sizes: &[u32]) -> Option<Chunks> {
        let is_too_large = self.max_input.is_some_and(|most| most < sum(sizes));
        let is_ranked = is_too_large && self.strategy == Strategy::RankChunks;
        is_ranked.then(|| chunks(&call.prompt)).flatten()
    }

    /// Decides about `call`, whose blocks have these tokens. `scores` say how much each of its chunks
    /// has to do with the question. `None`: nothing is to be done.
    pub fn decide(&self, call: &Call, sizes: &[u32], scores: &[u32]) -> Option<Budgeted> {
        let tokens = sum(sizes);
        let mut budgeted = Budgeted {
            state: self.state,
            strategy: self.strategy,
            max_input: self.max_input,
            tokens,
            tokens_after: tokens,
            scores: scores.to_vec(),
            trim: Trim { max_output: self.output(call), ..Trim::default() },
            too_much: None,
        };
        if let Some(most) = self.max_input.filter(|most| *most < tokens) {
            let outcome = match self.strategy {
                Strategy::Refuse => Err(tokens),
                Strategy::DropTurns => drop_turns(&call.prompt, sizes, most),
                Strategy::CutResults => cut_results(&call.prompt, sizes, most),
                Strategy::RankChunks => drop_chunks(&call.prompt, sizes, scores, most),
            };
            match outcome {
                Ok(trim) => {
                    budgeted.tokens_after = trim.tokens_after(sizes);
                    (budgeted.trim.dropped, budgeted.trim.cut) = (trim.dropped, trim.cut);
                }
                Err(left) => budgeted.too_much = Some(left),
            }
        }
        (budgeted.too_much.is_some() || !budgeted.trim.is_empty()).then_some(budgeted)
    }

    /// The limit of the answer that is written into the request, if another one stands there.
    fn output(&self, call: &Call) -> Option<u64> {
        let answers = matches!(
            call.dialect,
            Dialect::OpenaiChat
                | Dialect::OpenaiResponses
                | Dialect::OpenaiCompletions
                | Dialect::AnthropicMessages
                | Dialect::GeminiGenerate
                | Dialect::BedrockConverse
        );
        let asked = call.parameters.max_output_tokens;
        let wanted = asked.or(self.default_output);
        let wanted = match (wanted, self.max_output) {
            (Some(wanted), Some(most)) => Some(wanted.min(most)),
            (wanted, most) => wanted.or(most),
        };
        wanted.filter(|_| answers && wanted != asked)
    }
}

impl Trim {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        let Trim { dropped, cut, max_output } = self;
        dropped.is_empty() && cut.is_empty() && max_output.is_none()
    }

    /// Whether the prompt is another afterwards.
    pub fn changes_prompt(&self) -> bool {
        !self.dropped.is_empty() || !self.cut.is_empty()
    }

    /// Of so many blocks, whether each is left out.
    pub fn dropped_of(&self, blocks: usize) -> Vec<bool> {
        let mut dropped = vec![false; blocks];
        for range in self.ranges() {
            if let Some(range) = dropped.get_mut(range) {
                range.fill(true);
            }
        }
        dropped
    }

    /// How many blocks are left out.
    pub fn dropped_blocks(&self) -> usize {
        self.ranges().map(|range| range.len()).sum()
    }

    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        self.dropped.iter().map(|(start, end)| *start as usize..*end as usize)
    }

    fn tokens_after(&self, sizes: &[u32]) -> u64 {
        let dropped: u64 = self.ranges().map(|range| sum(&sizes[range])).sum();
        let cut = self
            .cut
            .iter()
            .map(|cut| u64::from(sizes[cut.block as usize].saturating_sub(cut.tokens)));
        sum(sizes) - dropped - cut.sum::<u64>()
    }

    /// What a prompt looks like afterwards.
    pub fn apply(&self, prompt: &[Block]) -> Vec<Block> {
        let mut prompt = prompt.to_vec();
        for Cut { block, tokens } in &self.cut {
            let Some(block) = prompt.get_mut(*block as usize) else { continue };
            block.tokens = block.tokens.min(*tokens);
            // Another text, and so not what another call was cached with.
            block.digest = block.digest.marked(u64::from(*tokens) << 16 | 1);
            block.chunks = Box::default();
        }
        let mut dropped = self.dropped_of(prompt.len()).into_iter();
        prompt.retain(|_| !dropped.next().unwrap_or(false));
        prompt
    }
}

impl Budgeted {
    /// Whether it is acted upon.
    pub fn is_applied(&self) -> bool {
        self.state == State::On
    }

    /// The refusal, if the call is refused.
    pub fn refusal(&self) -> Option<Refusal> {
        let needed = self.too_much.filter(|_| self.is_applied())?;
        Some(Refusal::InputTooLong {
            tokens: self.tokens,
            needed,
            limit: self.max_input.unwrap_or_default(),
        })
    }
}

/// Leaves the oldest turns out. The error is the least that would be left.
fn drop_turns(prompt: &[Block], sizes: &[u32], most: u64) -> Result<Trim, u64> {
    let starts = turns(prompt);
    let total = sum(sizes);
    let needed = total - most;
    let step = (most / STEPS).max(1);
    let wanted = needed.div_ceil(step) * step;
    let mut trim = Trim::default();
    let mut gone = 0;
    for pair in starts.windows(2) {
        if wanted <= gone {
            break;
        }
        // Instructions among the turns stay.
        for at in (pair[0]..pair[1]).filter(|at| Role::System < prompt[*at].role) {
            gone += u64::from(sizes[at]);
            push_block(&mut trim.dropped, index(at));
        }
    }
    if gone < needed { Err(total - gone) } else { Ok(trim) }
}

/// Cuts long results to one size, the largest that fits. Sizes are a power of two, or half as much
/// again: a result keeps its cut while the conversation grows, until the next size down.
fn cut_results(prompt: &[Block], sizes: &[u32], most: u64) -> Result<Trim, u64> {
    let results = || {
        prompt.iter().zip(sizes).enumerate().filter(|(_, (block, _))| {
            block.role == Role::ToolResult && matches!(block.content, Content::Text | Content::Tool)
        })
    };
    let gone = |size: u32| -> u64 {
        results().map(|(_, (_, tokens))| u64::from(tokens.saturating_sub(size))).sum()
    };
    let total = sum(sizes);
    let powers = (SHORTEST_CUT.ilog2()..u32::BITS - 1).rev().map(|power| 1_u32 << power);
    let mut ladder = powers.flat_map(|power| [power + power / 2, power]);
    let Some(size) = ladder.find(|size| total - gone(*size) <= most) else {
        return Err(total - gone(SHORTEST_CUT));
    };
    let longer = results().filter(|(_, (_, tokens))| size < **tokens);
    let cut = longer.map(|(at, _)| Cut { block: index(at), tokens: size }).collect();
    Ok(Trim { cut, ..Trim::default() })
}

/// Leaves chunks out, those with the lowest scores first and of equal ones the last.
fn drop_chunks(prompt: &[Block], sizes: &[u32], scores: &[u32], most: u64) -> Result<Trim, u64> {
    let total = sum(sizes);
    let Some(Chunks { chunks, .. }) = chunks(prompt) else { return Err(total) };
    let score = |at: usize| scores.get(at).copied().unwrap_or(0);
    let mut order: Vec<usize> = (0..chunks.len()).collect();
    order.sort_by_key(|at| (score(*at), std::cmp::Reverse(*at)));
    let (mut left, mut dropped) = (total, Vec::new());
    for at in order {
        if left <= most {
            break;
        }
        let block = chunks[at];
        left -= u64::from(sizes[block as usize]);
        dropped.push(block);
    }
    if most < left {
        return Err(left);
    }
    dropped.sort_unstable();
    let mut trim = Trim::default();
    for block in dropped {
        push_block(&mut trim.dropped, block);
    }
    Ok(trim)
}

/// The texts and documents of the user's last turn beside its question, which is the last text.
fn chunks(prompt: &[Block]) -> Option<Chunks> {
    let is_said = |block: &Block| {
        block.role == Role::User && matches!(block.content, Content::Text | Content::Document)
    };
    let start = *turns(prompt).last()?;
    let question = prompt
        .iter()
        .rposition(|block| block.role == Role::User && block.content == Content::Text)?;
    let said = (start..prompt.len()).filter(|at| *at != question && is_said(&prompt[*at]));
    let chunks: Vec<u32> = said.map(index).collect();
    (!chunks.is_empty()).then(|| Chunks { chunks, question: index(question) })
}

/// Where turns begin: where the user speaks after the model has, with no result of a tool beside.
/// Whole messages lie between two of them, and a call is never parted from its result.
pub fn turns(prompt: &[Block]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut spoken: Option<(usize, bool)> = None;
    for (at, block) in prompt.iter().enumerate() {
        match block.role {
            Role::Tool | Role::System => {}
            Role::User => _ = spoken.get_or_insert((at, true)),
            Role::ToolResult => spoken.get_or_insert((at, false)).1 = false,
            Role::Assistant => {
                starts.extend(spoken.take().filter(|(_, is_turn)| *is_turn).map(|(at, _)| at));
            }
        }
    }
    starts.extend(spoken.filter(|(_, is_turn)| *is_turn).map(|(at, _)| at));
    starts
}

/// Adds a block behind all others.
fn push_block(ranges: &mut Vec<(u32, u32)>, block: u32) {
    match ranges.last_mut() {
        Some((_, end)) if *end == block => *end += 1,
        _ => ranges.push((block, block + 1)),
    }
}

fn sum(sizes: &[u32]) -> u64 {
    sizes.iter().map(|tokens| u64::from(*tokens)).sum()
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
