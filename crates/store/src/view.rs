//! A record as the columns of a segment show it, read from its bytes without copying them.
//!
//! Sealing reads every record once. Building each whole, with its strings and vectors, only to write
//! the same bytes again cost more than everything else that sealing does. The shapes here repeat
//! those of the core crate field by field, since the bytes are positional; a test compares the two
//! over any record.

use std::fmt;
use std::marker::PhantomData;

use scrimp_core::call::Content;
use scrimp_core::policy::prompt_cache::Placement;
use scrimp_core::price::Terms;
use scrimp_core::record::Timing;
use scrimp_core::{
    CallId, Delivery, Dialect, Digest, Fault, Metering, Parameters, Refusal, Role, Span, Time, Ttl,
    Usd,
};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::blob::{Torn, take};

/// What columns show of a record.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// The blocks that are not shared with an earlier row.
    pub(crate) added: Vec<BlockView>,
    pub(crate) call: CallView<'a>,
    pub(crate) placement: Option<Placement>,
    pub(crate) attempts: Vec<AttemptView<'a>>,
    pub(crate) ending: EndingView<'a>,
    pub(crate) metering: Metering,
    pub(crate) cost: Option<Usd>,
    pub(crate) cost_uncached: Option<Usd>,
    pub(crate) timing: Timing,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CallView<'a> {
    pub(crate) id: CallId,
    _seed: u64,
    pub(crate) arrived: Time,
    _dialect: Dialect,
    #[serde(borrow)]
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) caller: CallerView<'a>,
    _delivery: Delivery,
    _parameters: Parameters,
    _body_bytes: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CallerView<'a> {
    pub(crate) key: Digest,
    pub(crate) session: Option<Digest>,
    #[serde(borrow)]
    _tags: Vec<(&'a str, &'a str)>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BlockView {
    pub(crate) role: Role,
    _content: Content,
    pub(crate) digest: Digest,
    _chunks: Skipped<u64>,
    _characters: u32,
    pub(crate) tokens: u32,
    _features: Option<FeaturesView>,
    _markable: bool,
}

#[derive(Debug, Deserialize)]
struct FeaturesView {
    _numbers: Skipped<u64>,
    _names: Skipped<u64>,
    _negations: u16,
    _order: u64,
    _bag: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AttemptView<'a> {
    #[serde(borrow)]
    _provider: &'a str,
    _model: &'a str,
    _sent: Span,
    _ended: Span,
    pub(crate) status: Option<u16>,
    _fault: Option<Fault>,
    _metering: Metering,
    _terms: Terms,
    _cost: Option<Usd>,
    _priced_as: Option<&'a str>,
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
    /// Reads what follows the base in the bytes of a record whose checksum was verified.
    pub(crate) fn read(mut rest: &'a [u8]) -> Result<View<'a>, Torn> {
        let (added, _marks): (Vec<BlockView>, Skipped<(u32, Ttl)>) = take(&mut rest)?;
        let call: CallView = take(&mut rest)?;
        let (placement, attempts, ending, metering, cost, cost_uncached, timing) = take(&mut rest)?;
        Ok(View { added, call, placement, attempts, ending, metering, cost, cost_uncached, timing })
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
                self.attempts.last().and_then(|attempt| attempt.status)
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
            let (base, rest) = blob::split(&bytes).unwrap();
            prop_assert_eq!(base, None);
            let view = View::read(rest).unwrap();
            let call = &record.call;
            prop_assert_eq!(view.call.id, call.id);
            prop_assert_eq!(view.call.arrived, call.arrived);
            prop_assert_eq!(view.call.provider, &*call.provider);
            prop_assert_eq!(view.call.model, &*call.model);
            prop_assert_eq!(view.call.operation, &*call.operation);
            prop_assert_eq!(view.call.caller.key, call.caller.key);
            prop_assert_eq!(view.call.caller.session, call.caller.session);
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
            prop_assert_eq!(view.attempts.len(), record.attempts.len());
            prop_assert_eq!(&view.placement, &record.placement);
            prop_assert_eq!(view.metering, record.metering);
            prop_assert_eq!((view.cost, view.cost_uncached), (record.cost, record.cost_uncached));
            prop_assert_eq!(view.timing, record.timing);
        }
    }
}
