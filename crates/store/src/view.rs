//! A record as the columns of a segment show it, read from its bytes without copying them.
//!
//! Sealing reads every record once. Building each whole, with its strings and vectors, only to write
//! the same bytes again cost more than everything else that sealing does. The order of the fields is
//! that of [`crate::draft`]; a test compares the two over any record.

use std::fmt;
use std::marker::PhantomData;

use scrimp_core::policy::prompt_cache::Placement;
use scrimp_core::record::Timing;
use scrimp_core::{
    CallId, Digest, Fault, Metering, Refusal, Role, Span, Time, Usage, UsageState, Usd,
};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::blob::{FIRST, PlacementInFirst, Torn, placement_in_first};
use crate::cursor::{Cursor, Misshapen};

/// By their places in the bytes.
const ROLES: [Role; 5] = [Role::Tool, Role::System, Role::User, Role::Assistant, Role::ToolResult];
const USAGE_STATES: [UsageState; 4] =
    [UsageState::Measured, UsageState::Partial, UsageState::Estimated, UsageState::Unknown];

/// What columns show of a record.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// The blocks that are not shared with an earlier row.
    pub(crate) added: Vec<BlockView>,
    pub(crate) call: CallView<'a>,
    pub(crate) placement: Option<Placement>,
    pub(crate) attempts: usize,
    /// The status of the last one.
    last_status: Option<u16>,
    pub(crate) ending: EndingView<'a>,
    pub(crate) metering: Metering,
    pub(crate) cost: Option<Usd>,
    pub(crate) cost_uncached: Option<Usd>,
    pub(crate) timing: Timing,
}

#[derive(Debug)]
pub(crate) struct CallView<'a> {
    pub(crate) id: CallId,
    pub(crate) arrived: Time,
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) key: Digest,
    pub(crate) session: Option<Digest>,
}

#[derive(Debug)]
pub(crate) struct BlockView {
    pub(crate) role: Role,
    pub(crate) digest: Digest,
    pub(crate) tokens: u32,
}

#[derive(Debug, Deserialize)]
pub(crate) enum EndingView<'a> {
    Answered {
        status: u16,
        #[serde(borrow)]
        finish: Option<&'a str>,
    },
    Truncated {
        status: u16,
    },
    Failed {
        #[serde(rename = "fault")]
        _fault: Fault,
    },
    Abandoned,
    Refused(#[expect(dead_code, reason = "its bytes are there")] Refusal),
}

impl<'a> View<'a> {
    /// Reads what follows the base in the bytes of a record of this version whose checksum was verified.
    pub(crate) fn read(version: u16, rest: &'a [u8]) -> Result<View<'a>, Torn> {
        Ok(view(version, &mut Cursor(rest))?)
    }

    /// Whether the caller got what it asked for.
    pub(crate) fn is_success(&self) -> bool {
        matches!(self.ending, EndingView::Answered { status: 200..=299, .. })
    }

    /// The status that the client saw of the provider, if any.
    pub(crate) fn status(&self) -> Option<u16> {
        match self.ending {
            EndingView::Answered { status, .. } | EndingView::Truncated { status } => Some(status),
            EndingView::Failed { .. } | EndingView::Abandoned | EndingView::Refused(_) => {
                self.last_status
            }
        }
    }

    /// The kind of its ending in one word.
    pub(crate) const fn ending(&self) -> &'static str {
        match self.ending {
            EndingView::Answered { .. } => "answered",
            EndingView::Truncated { .. } => "truncated",
            EndingView::Failed { .. } => "failed",
            EndingView::Abandoned => "abandoned",
            EndingView::Refused(_) => "refused",
        }
    }

    /// Why the model stopped.
    pub(crate) const fn finish(&self) -> Option<&'a str> {
        match self.ending {
            EndingView::Answered { finish, .. } => finish,
            EndingView::Truncated { .. }
            | EndingView::Failed { .. }
            | EndingView::Abandoned
            | EndingView::Refused(_) => None,
        }
    }
}

fn view<'a>(version: u16, bytes: &mut Cursor<'a>) -> Result<View<'a>, Misshapen> {
    let added = (0..bytes.word()?).map(|_| block(version, bytes)).collect::<Result<_, _>>()?;
    // A mark is a place and a length of life.
    let marks = bytes.word()?;
    bytes.skip_words(marks.saturating_mul(2))?;
    let call = call(version, bytes)?;
    let placement = match version {
        FIRST => bytes.any::<Option<PlacementInFirst>>()?.map(placement_in_first),
        _ => bytes.any()?,
    };
    let attempts = bytes.small()?;
    let mut last_status = None;
    for _ in 0..attempts {
        last_status = status_of_attempt(bytes)?;
    }
    Ok(View {
        added,
        call,
        placement,
        attempts,
        last_status,
        ending: bytes.any()?,
        metering: metering(bytes)?,
        cost: cost(bytes)?,
        cost_uncached: cost(bytes)?,
        timing: timing(bytes)?,
    })
}

fn block(version: u16, bytes: &mut Cursor<'_>) -> Result<BlockView, Misshapen> {
    let role = bytes.one_of(&ROLES)?;
    // What it holds.
    bytes.skip(1)?;
    let digest = Digest(bytes.bytes()?);
    // Chunks.
    bytes.skip_list()?;
    // Characters.
    bytes.skip_words(1)?;
    let tokens = bytes.small()?;
    bytes.maybe(|bytes| {
        // Numbers and names, and three of the features that are one number each.
        bytes.skip_list()?;
        bytes.skip_list()?;
        bytes.skip_words(3)
    })?;
    // Whether it can be marked.
    bytes.skip(1)?;
    if version != FIRST {
        bytes.maybe(skip_outline)?;
    }
    Ok(BlockView { role, digest, tokens })
}

fn skip_outline(bytes: &mut Cursor<'_>) -> Result<(), Misshapen> {
    // The bag, then spans: a look and three numbers. Then names of tools.
    bytes.skip_words(1)?;
    for _ in 0..bytes.word()? {
        bytes.skip(1)?;
        bytes.skip_words(3)?;
    }
    bytes.skip_list()
}

fn call<'a>(version: u16, bytes: &mut Cursor<'a>) -> Result<CallView<'a>, Misshapen> {
    let id = CallId(u128::from_be_bytes(bytes.bytes()?));
    // The seed.
    bytes.skip_words(1)?;
    let arrived = Time::from_nanos(bytes.signed()?);
    // The dialect.
    bytes.skip(1)?;
    let [provider, model, operation] = [bytes.text()?, bytes.text()?, bytes.text()?];
    let key = Digest(bytes.bytes()?);
    let session = bytes.maybe(Cursor::bytes)?.map(Digest);
    for _ in 0..bytes.word()? {
        // A tag's name and value.
        bytes.skip_text()?;
        bytes.skip_text()?;
    }
    // The delivery, and the parameters: two limits, answers, two flags, a digest, what is rendered.
    // Bytes of the body.
    bytes.skip(1)?;
    bytes.maybe(|bytes| bytes.skip_words(1))?;
    bytes.maybe(|bytes| bytes.skip_words(1))?;
    bytes.skip_words(1)?;
    bytes.skip(2 + 16)?;
    if version != FIRST {
        bytes.maybe(|bytes| bytes.skip_words(1))?;
    }
    bytes.skip_words(1)?;
    Ok(CallView { id, arrived, provider, model, operation, key, session })
}

fn status_of_attempt(bytes: &mut Cursor<'_>) -> Result<Option<u16>, Misshapen> {
    // Provider and model; when it was sent and when it ended.
    bytes.skip_text()?;
    bytes.skip_text()?;
    bytes.skip_words(2)?;
    let status = bytes.maybe(Cursor::small)?;
    // The fault.
    bytes.maybe(|bytes| bytes.skip(1))?;
    // The metering: classes of tokens, their state, a flag. The terms: tier, speed, region.
    bytes.skip_words(9)?;
    bytes.skip(2 + 3)?;
    // The cost, and what it was priced as.
    bytes.maybe(|bytes| bytes.skip_words(1))?;
    bytes.maybe(Cursor::skip_text)?;
    Ok(status)
}

fn metering(bytes: &mut Cursor<'_>) -> Result<Metering, Misshapen> {
    let usage = Usage {
        uncached: bytes.word()?,
        cache_read: bytes.word()?,
        cache_write_short: bytes.word()?,
        cache_write_long: bytes.word()?,
        audio_input: bytes.word()?,
        image_input: bytes.word()?,
        output: bytes.word()?,
        reasoning: bytes.word()?,
        audio_output: bytes.word()?,
    };
    Ok(Metering { usage, state: bytes.one_of(&USAGE_STATES)?, suspect: bytes.flag()? })
}

fn cost(bytes: &mut Cursor<'_>) -> Result<Option<Usd>, Misshapen> {
    bytes.any()
}

fn timing(bytes: &mut Cursor<'_>) -> Result<Timing, Misshapen> {
    let mut at = || bytes.maybe(|bytes| bytes.signed().map(Span::from_nanos));
    Ok(Timing {
        head: at()?,
        first_content: at()?,
        last_content: at()?,
        hung_up: at()?,
        ended: at()?,
        overhead: at()?,
    })
}

/// A list that is read over.
#[derive(Debug)]
pub(crate) struct Skipped<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Skipped<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Skipped<T>, D::Error> {
        deserializer.deserialize_seq(Over(PhantomData))
    }
}

struct Over<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Over<T> {
    type Value = Skipped<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Skipped<T>, A::Error> {
        while list.next_element::<T>()?.is_some() {}
        Ok(Skipped(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scrimp_core::Ending;

    use super::*;
    use crate::any_record::any_record;
    use crate::blob;

    proptest! {
        #[test]
        fn a_view_shows_what_the_record_says(seed: u64) {
            let record = any_record(seed);
            let bytes = blob::write(&record, None, Vec::new());
            let (start, rest) = blob::split(&bytes).unwrap();
            prop_assert_eq!(start.base, None);
            let view = View::read(start.version, rest).unwrap();
            let call = &record.call;
            prop_assert_eq!(view.call.id, call.id);
            prop_assert_eq!(view.call.arrived, call.arrived);
            prop_assert_eq!(view.call.provider, &*call.provider);
            prop_assert_eq!(view.call.model, &*call.model);
            prop_assert_eq!(view.call.operation, &*call.operation);
            prop_assert_eq!(view.call.key, call.caller.key);
            prop_assert_eq!(view.call.session, call.caller.session);
            let blocks: Vec<_> = call.prompt.iter().map(|b| (b.role, b.digest, b.tokens)).collect();
            let seen: Vec<_> = view.added.iter().map(|b| (b.role, b.digest, b.tokens)).collect();
            prop_assert_eq!(seen, blocks);
            let finish = match &record.ending {
                Ending::Answered { finish, .. } => finish.as_deref(),
                _ => None,
            };
            prop_assert_eq!(view.finish(), finish);
            prop_assert_eq!(view.is_success(), record.is_success());
            prop_assert_eq!(view.status(), crate::commit::status(&record));
            prop_assert_eq!(view.ending(), crate::commit::ending(&record.ending));
            prop_assert_eq!(view.attempts, record.attempts.len());
            prop_assert_eq!(&view.placement, &record.placement);
            prop_assert_eq!(view.metering, record.metering);
            prop_assert_eq!((view.cost, view.cost_uncached), (record.cost, record.cost_uncached));
            prop_assert_eq!(view.timing, record.timing);
        }
    }
}
