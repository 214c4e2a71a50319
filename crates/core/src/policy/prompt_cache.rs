//! Prompt caching: which blocks of a prompt the provider is asked to keep.
//!
//! A mark costs when its prefix is written (a write is dearer than plain input) and saves whenever
//! the prefix is read again before it expires. What a model charges, how short a prefix may be, how
//! many marks it takes and how far back it looks are data ([`CacheRules`]), never constants here.
//!
//! The client's own marks are kept unless the rule says to replace them: who places marks knows the
//! prompt better than a fixed rule does.

mod auto;

use serde::{Deserialize, Serialize};

pub use self::auto::{AutoMemory, Expected};
use self::auto::{Chosen, Market};
use super::{Arm, Scope, Share, State};
use crate::call::{Block, Call, Dialect, Role, Ttl};
use crate::price::{CacheKind, CacheRules, Rates};

/// A rule for the placement of marks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptCache {
    /// Which calls it is about.
    pub scope: Scope,
    /// What it may do.
    pub state: State,
    /// Where marks go.
    pub strategy: Strategy,
    /// Which life they ask for; of [`Strategy::Auto`], the longest that it may.
    pub ttl: Ttl,
    /// The share of units that it acts on.
    pub share: Share,
    /// Names the experiment: assignments of different experiments are independent. The number in
    /// the journal, or 0 for a rule written by hand.
    pub experiment: u64,
    /// What happens to marks that the client placed.
    pub client_marks: ClientMarks,
}

/// Where marks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Nowhere, and the client's are removed: the call without caching.
    None,
    /// Only where the client put them.
    Client,
    /// After the tools and system instructions.
    System,
    /// At the end, so that the next turn reads this one; a second mark bridges the provider's
    /// look-back where this turn added more blocks than that.
    Tail,
    /// At the end with the short life, and after the tools and system instructions with the long.
    SystemAndTail,
    /// At the end with the short life, and with the long life at the last block end before the last
    /// full so many tokens.
    Anchor(u32),
    /// Where it is expected to save most, from what was seen of prompts like this one.
    Auto,
}

/// What happens to marks that the client placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientMarks {
    /// They stay, and the rule stands down for calls that have any.
    Keep,
    /// They stay, and the rule uses the places that they leave. Only [`Strategy::Auto`] does; the
    /// others stand down.
    Fill,
    /// They are removed and the rule's are set. For replays, and for users who ask for it.
    Replace,
}

/// A mark on a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// Index of the block in the prompt.
    pub block: u32,
    /// The life asked for.
    pub ttl: Ttl,
}

/// A change to a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// Put a mark on a block.
    SetMark(Mark),
    /// Take the client's mark off a block.
    RemoveMark {
        /// Index of the block in the prompt.
        block: u32,
    },
    /// Take the client's request-level cache options away.
    RemoveCacheOptions,
    /// Ask for explicit caching only: nothing is written beyond the marks (OpenAI from GPT-5.6).
    ExplicitOnly,
    /// The life of entries that the provider writes by itself (OpenAI from GPT-5.6).
    ImplicitTtl(Ttl),
}

/// Why a rule leaves a call alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoodDown {
    /// The model has no prompt cache, or its rules are not known.
    NoCache,
    /// The provider caches by itself and takes no marks.
    Automatic,
    /// The client placed marks of its own.
    ClientMarks,
    /// The prompt is shorter than the model's minimum, by estimate.
    TooShort,
    /// No block can carry a mark.
    NothingToMark,
    /// The rule stopped by itself: treated calls were refused more often.
    Stopped,
    /// Somebody has all policies step aside.
    Bypassed,
    /// Nothing of it is expected to be sent again in time.
    NotSentAgain,
}

/// Why [`Strategy::Auto`] marked a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Index of the block in the prompt.
    pub block: u32,
    /// Why.
    pub because: Because,
    /// The chance that the prompt is sent again up to there while the entry lives, in thousandths.
    pub chance_permille: u16,
    /// How many tokens of the prompt are expected to be there already, by estimate.
    pub read_tokens: u64,
}

/// What a mark is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The prompt is expected to be sent again up to there.
    SentAgain,
    /// The same, and to pause for longer than the short life.
    SentAgainLater,
    /// It is read, and a long mark on what is read makes it live longer for nothing.
    LivesLonger,
    /// It is read, and the provider would not look so far back from the other marks.
    FarBack,
    /// It is read, and what follows is not worth a write.
    StillRead,
    /// Some leave the prompt there, and a mark within what is written costs nothing.
    SomeLeave,
}

/// What the policy decided for one call. Recorded whole, so that a replay can be compared with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The experiment that decided.
    pub experiment: u64,
    /// The state that the rule was in.
    pub state: State,
    /// On which side the call's unit is.
    pub arm: Arm,
    /// The unit.
    pub unit: u64,
    /// The changes. Made only if `state` is on and `arm` treated.
    pub edits: Vec<Edit>,
    /// Why there are none, if there are none.
    pub stood_down: Option<StoodDown>,
    /// Why these, where that was not fixed beforehand.
    #[serde(default)]
    pub reasons: Vec<Reason>,
}

/// The rule that decides about `call`, if any does.
pub fn rule_for<'a>(rules: &'a [PromptCache], call: &Call) -> Option<&'a PromptCache> {
    rules.iter().find(|rule| rule.scope.covers(call)).filter(|rule| rule.state != State::Off)
}

impl PromptCache {
    /// Decides about `call`, whose model has these cache rules.
    pub fn place(&self, call: &Call, cache: Option<&CacheRules>, is_stopped: bool) -> Placement {
        let decided = match is_stopped {
            true => Err(StoodDown::Stopped),
            false => self.edits(call, cache),
        };
        self.placement(call, decided)
    }

    /// Decides about `call` with what was seen of others before it; only [`Strategy::Auto`] does.
    /// Says also what it expects of the provider, for [`AutoMemory::learn`].
    pub fn place_by(
        &self,
        memory: &mut AutoMemory,
        call: &Call,
        cache: &CacheRules,
        rates: &Rates,
    ) -> (Placement, Expected) {
        let seen = memory.see(call, cache);
        let mut reasons = Vec::new();
        let decided = match memory.is_lost(&seen) {
            true => Self { strategy: Strategy::Tail, ttl: Ttl::Short, ..self.clone() }
                .edits(call, Some(cache)),
            false => self.expected_best(memory, &seen, call, cache, rates, &mut reasons),
        };
        let placement = Placement { reasons, ..self.placement(call, decided) };
        let applied = if placement.is_applied() { &placement.edits[..] } else { &[] };
        let marks = marks_after(call, cache, applied);
        let expected = memory.expect(call, &seen, cache, &marks);
        (placement, expected)
    }

    fn expected_best(
        &self,
        memory: &AutoMemory,
        seen: &auto::Seen,
        call: &Call,
        cache: &CacheRules,
        rates: &Rates,
        reasons: &mut Vec<Reason>,
    ) -> Result<Vec<Edit>, StoodDown> {
        let is_filling = self.client_marks == ClientMarks::Fill;
        if has_marks(call) && self.client_marks == ClientMarks::Keep {
            return Err(StoodDown::ClientMarks);
        }
        let kept = if is_filling { marks_after(call, cache, &[]) } else { Vec::new() };
        let places = usize::from(cache.marks.max(1)).saturating_sub(kept.len());
        let has_long = self.ttl == Ttl::Long && takes_long(call);
        let mut chosen =
            memory.marks(call, seen, &Market { rules: cache, rates, has_long, places });
        chosen.retain(|mark| kept.iter().all(|(other, _)| mark.block != *other));
        reasons.extend(chosen.iter().map(Chosen::reason));
        let mark = |Chosen { block, ttl, .. }: Chosen| Mark {
            block: index(block),
            ttl: in_order(block, ttl, &kept),
        };
        let marks: Vec<Mark> = chosen.into_iter().map(mark).collect();
        let removed = removals(call).filter(|_| !is_filling);
        match cache.kind {
            CacheKind::Automatic => Err(StoodDown::Automatic),
            CacheKind::Marked if marks.is_empty() && removals(call).next().is_none() => {
                Err(StoodDown::NotSentAgain)
            }
            CacheKind::Marked => Ok(removed.chain(marks.into_iter().map(Edit::SetMark)).collect()),
            CacheKind::Breakpoints => Ok(removed.chain(as_breakpoints(call, marks)).collect()),
        }
    }

    fn placement(&self, call: &Call, decided: Result<Vec<Edit>, StoodDown>) -> Placement {
        let unit = call.unit();
        let (edits, stood_down) = match decided {
            Ok(edits) => (edits, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let (experiment, state) = (self.experiment, self.state);
        Placement {
            experiment,
            state,
            arm: self.share.arm(unit, experiment),
            unit,
            edits,
            stood_down,
            reasons: Vec::new(),
        }
    }

    /// What is recorded of `call` while all policies step aside. In no experiment, since its rule is
    /// as good as off.
    pub fn stand_aside(&self, call: &Call) -> Placement {
        let (experiment, unit) = (self.experiment, call.unit());
        Placement {
            experiment,
            state: State::Off,
            arm: self.share.arm(unit, experiment),
            unit,
            edits: Vec::new(),
            stood_down: Some(StoodDown::Bypassed),
            reasons: Vec::new(),
        }
    }

    fn edits(&self, call: &Call, cache: Option<&CacheRules>) -> Result<Vec<Edit>, StoodDown> {
        let takes_marks = |cache: &&CacheRules| call.dialect.takes_marks(cache.kind);
        let cache = cache.filter(takes_marks).ok_or(StoodDown::NoCache)?;
        if self.strategy == Strategy::Client {
            return Ok(Vec::new());
        }
        if has_marks(call) && self.client_marks != ClientMarks::Replace {
            return Err(StoodDown::ClientMarks);
        }
        let long = cache.long.filter(|_| takes_long(call));
        let ttl = if long.is_some() { self.ttl } else { Ttl::Short };
        let set = match cache.kind {
            CacheKind::Automatic => return Err(StoodDown::Automatic),
            CacheKind::Breakpoints => self.breakpoints(call, cache, ttl)?,
            CacheKind::Marked => self.marks(call, cache, ttl)?,
        };
        Ok(removals(call).chain(set).collect())
    }

    /// For providers that cache nothing without a mark.
    fn marks(&self, call: &Call, cache: &CacheRules, ttl: Ttl) -> Result<Vec<Edit>, StoodDown> {
        let blocks = match self.strategy {
            Strategy::None | Strategy::Client | Strategy::Auto => return Ok(Vec::new()),
            Strategy::System => vec![end_of_head(call, cache)?],
            Strategy::Tail => tail(call, cache)?,
            Strategy::SystemAndTail => {
                return with_anchor(call, cache, end_of_head(call, cache).ok());
            }
            Strategy::Anchor(every) => return with_anchor(call, cache, anchor(call, cache, every)),
        };
        Ok(blocks.into_iter().map(|block| Edit::SetMark(Mark { block, ttl })).collect())
    }

    /// For providers that mark the end by themselves.
    fn breakpoints(
        &self,
        call: &Call,
        cache: &CacheRules,
        ttl: Ttl,
    ) -> Result<Vec<Edit>, StoodDown> {
        match self.strategy {
            Strategy::None | Strategy::Client | Strategy::Auto => Ok(vec![Edit::ExplicitOnly]),
            Strategy::System => {
                let mark = Mark { block: end_of_head(call, cache)?, ttl };
                Ok(vec![Edit::ExplicitOnly, Edit::SetMark(mark)])
            }
            // The short life is what the provider gives without being asked.
            Strategy::Tail if ttl == Ttl::Short => Ok(Vec::new()),
            Strategy::Tail => Ok(vec![Edit::ImplicitTtl(ttl)]),
            Strategy::SystemAndTail => {
                let block = end_of_head(call, cache)?;
                Ok(vec![Edit::SetMark(Mark { block, ttl })])
            }
            Strategy::Anchor(every) => {
                let block = anchor(call, cache, every);
                Ok(block.map(|block| Edit::SetMark(Mark { block, ttl })).into_iter().collect())
            }
        }
    }
}

fn has_marks(call: &Call) -> bool {
    call.parameters.client_cache_options || call.prompt.iter().any(|block| block.mark.is_some())
}

/// `OpenAI`'s chat completions take the short life only (`prompt_cache_options.ttl` of the openai
/// package 3.54 has no other value there); the long one is for its responses.
fn takes_long(call: &Call) -> bool {
    call.dialect != Dialect::OpenaiChat
}

/// Marks with the long life come before those with the short one: what stands before a client's long
/// mark is long, and what stands behind a short one is short.
fn in_order(block: usize, ttl: Ttl, kept: &[(usize, Ttl)]) -> Ttl {
    let is_before = |of: Ttl| kept.iter().any(|(other, ttl)| *ttl == of && block < *other);
    let is_after = |of: Ttl| kept.iter().any(|(other, ttl)| *ttl == of && *other < block);
    match ttl {
        _ if is_before(Ttl::Long) => Ttl::Long,
        _ if is_after(Ttl::Short) => Ttl::Short,
        ttl => ttl,
    }
}

/// Marks for a provider that sets one at the end by itself unless it is told not to.
fn as_breakpoints(call: &Call, mut marks: Vec<Mark>) -> impl Iterator<Item = Edit> {
    let end = call.prompt.iter().rposition(|block| block.markable).map(index);
    let at_end = marks.pop_if(|last| Some(last.block) == end);
    let own = match at_end {
        None => Some(Edit::ExplicitOnly),
        Some(Mark { ttl: Ttl::Short, .. }) => None,
        Some(Mark { ttl, .. }) => Some(Edit::ImplicitTtl(ttl)),
    };
    own.into_iter().chain(marks.into_iter().map(Edit::SetMark))
}

/// The marks that a provider sees after these edits: the client's, ours, and its own.
fn marks_after(call: &Call, cache: &CacheRules, edits: &[Edit]) -> Vec<(usize, Ttl)> {
    let is_removed = |at: usize| edits.contains(&Edit::RemoveMark { block: index(at) });
    let clients = call.prompt.iter().enumerate().filter(|(at, _)| !is_removed(*at));
    let clients = clients.filter_map(|(at, block)| Some((at, block.mark?)));
    let ours = edits.iter().filter_map(|edit| match edit {
        Edit::SetMark(mark) => Some((mark.block as usize, mark.ttl)),
        _ => None,
    });
    let mut marks: Vec<(usize, Ttl)> = clients.chain(ours).collect();
    let own = own_mark(call.parameters.client_cache_options, cache, edits);
    if let Some(ttl) = own
        && let Some(end) = call.prompt.iter().rposition(|block| block.markable)
        && marks.iter().all(|(block, _)| *block != end)
    {
        marks.push((end, ttl));
    }
    marks.sort_by_key(|(block, _)| *block);
    let surplus = marks.len().saturating_sub(usize::from(cache.marks.max(1)));
    marks.drain(..surplus);
    marks
}

/// The life of the mark that the provider sets at the end by itself after these edits, if it sets one.
pub fn own_mark(has_client_options: bool, cache: &CacheRules, edits: &[Edit]) -> Option<Ttl> {
    match cache.kind {
        CacheKind::Automatic => None,
        CacheKind::Marked => {
            let is_kept = has_client_options && !edits.contains(&Edit::RemoveCacheOptions);
            is_kept.then_some(Ttl::Short)
        }
        CacheKind::Breakpoints if edits.contains(&Edit::ExplicitOnly) => None,
        CacheKind::Breakpoints => {
            let asked = edits.iter().find_map(|edit| match edit {
                Edit::ImplicitTtl(ttl) => Some(*ttl),
                _ => None,
            });
            Some(asked.filter(|_| cache.long.is_some()).unwrap_or(Ttl::Short))
        }
    }
}

/// A mark at the end with the short life, and one at `block` with the long.
fn with_anchor(
    call: &Call,
    cache: &CacheRules,
    block: Option<u32>,
) -> Result<Vec<Edit>, StoodDown> {
    let tail = tail(call, cache)?;
    let last = tail.last().copied();
    let anchor = block.filter(|block| Some(*block) != last);
    let anchor = anchor.map(|block| Mark { block, ttl: Ttl::Long });
    let life = |block| match anchor {
        Some(anchor) if block <= anchor.block => Ttl::Long,
        _ => Ttl::Short,
    };
    let marks = tail.into_iter().map(|block| Mark { block, ttl: life(block) });
    let mut marks: Vec<Mark> = anchor.into_iter().chain(marks).collect();
    marks.sort_unstable();
    marks.dedup_by_key(|mark| mark.block);
    Ok(marks.into_iter().map(Edit::SetMark).collect())
}

/// The last markable block that ends within the last full `every` tokens.
fn anchor(call: &Call, cache: &CacheRules, every: u32) -> Option<u32> {
    let every = u64::from(every.max(1));
    let limit = call.estimated_tokens() / every * every;
    let ends = call.prompt.iter().scan(0, |tokens, block| {
        *tokens += u64::from(block.tokens);
        Some(*tokens)
    });
    let within = ends.take_while(|tokens| *tokens <= limit).count();
    last_markable(&call.prompt[..within], cache).ok()
}

/// Takes the client's own marks away.
fn removals(call: &Call) -> impl Iterator<Item = Edit> {
    let options = call.parameters.client_cache_options.then_some(Edit::RemoveCacheOptions);
    let marked = call.prompt.iter().enumerate().filter(|(_, block)| block.mark.is_some());
    options.into_iter().chain(marked.map(|(at, _)| Edit::RemoveMark { block: index(at) }))
}

fn end_of_head(call: &Call, cache: &CacheRules) -> Result<u32, StoodDown> {
    last_markable(&call.prompt[..call.head_blocks()], cache)
}

/// The last markable block. Where this turn added more blocks than the provider looks back over,
/// also one from which the previous turn's end is still in sight, so that the chain does not break.
fn tail(call: &Call, cache: &CacheRules) -> Result<Vec<u32>, StoodDown> {
    let last = last_markable(&call.prompt, cache)?;
    let bridge = cache.look_back.filter(|_| 1 < cache.marks).and_then(|look_back| {
        // One block less than the limit: whether it counts the marked block itself is not said.
        let in_sight = previous_end(&call.prompt)? + (look_back as usize).saturating_sub(1);
        let bridge = last_markable(call.prompt.get(..=in_sight)?, cache).ok()?;
        (bridge < last).then_some(bridge)
    });
    Ok(bridge.into_iter().chain([last]).collect())
}

/// Index of the last block before the model's last words: the end of the previous request.
fn previous_end(prompt: &[Block]) -> Option<usize> {
    let last_words = prompt.iter().rposition(|block| block.role == Role::Assistant)?;
    prompt[..last_words].iter().rposition(|block| block.role != Role::Assistant)
}

fn last_markable(prompt: &[Block], cache: &CacheRules) -> Result<u32, StoodDown> {
    let last = prompt.iter().rposition(|block| block.markable).ok_or(StoodDown::NothingToMark)?;
    let tokens: u64 = prompt[..=last].iter().map(|block| u64::from(block.tokens)).sum();
    // The estimate may be off by a factor: only what is certainly too short is left alone. A mark on
    // what the provider finds too short does nothing and costs nothing.
    match tokens * 2 < cache.min_tokens {
        true => Err(StoodDown::TooShort),
        false => Ok(index(last)),
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
