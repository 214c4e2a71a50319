//! What a flight is told and what it asks for.

use std::sync::Arc;

use crate::money::Usd;
use crate::policy::prompt_cache::Edit;
use crate::policy::shaping::{Plan, ShapedBlock};
use crate::policy::token_budget::{Chunks, Trim};
use crate::price::Terms;
use crate::record::{Fault, Record};
use crate::time::{Span, Time};
use crate::usage::Metering;

/// Names an operation of one flight: a request to a provider, or a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Op(pub u32);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The call was read. Always the first event.
    Arrived,
    /// The request's text was shaped.
    Shaped {
        /// The blocks that are others now.
        blocks: Vec<ShapedBlock>,
        /// What they would be if what was to be counted had been made, too.
        would: Vec<ShapedBlock>,
    },
    /// Chunks were ranked.
    Ranked {
        /// How much each has to do with the question.
        scores: Vec<u32>,
    },
    /// The request was trimmed.
    Trimmed {
        /// The tokens of its prompt now, by estimate; `None`: as was decided.
        tokens: Option<u64>,
    },
    /// The head of an answer came.
    Opened {
        /// The request that it answers.
        op: Op,
        /// The HTTP status.
        status: u16,
    },
    /// A request failed, before or in its answer.
    Failed {
        /// The request.
        op: Op,
        /// What went wrong.
        fault: Fault,
        /// What had been seen of the answer.
        outcome: Outcome,
    },
    /// An answer was relayed to its end.
    Closed {
        /// The request.
        op: Op,
        /// What was seen of the answer.
        outcome: Outcome,
    },
    /// A request was cancelled, as commanded.
    Cancelled {
        /// The request.
        op: Op,
        /// What had been seen of the answer.
        outcome: Outcome,
    },
    /// A timer rang.
    Woke {
        /// The timer.
        op: Op,
    },
    /// The client hung up.
    HungUp,
}

/// What to do. Carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Write the request's text in fewer tokens.
    Shape(Plan),
    /// Say how much chunks of the request have to do with its question.
    Rank(Chunks),
    /// Leave parts of the request out. Blocks that are left out are no blocks of it afterwards.
    Trim(Trim),
    /// Send the call to its provider.
    Send {
        /// Names the request.
        op: Op,
        /// Changes to the body; empty: send the client's own bytes.
        edits: Vec<Edit>,
    },
    /// Give this request's answer to the client, and say when it is over.
    Relay {
        /// The request.
        op: Op,
    },
    /// End a request. Its connection is not used again.
    Cancel {
        /// The request.
        op: Op,
    },
    /// Ring at this time.
    Wake {
        /// Names the timer.
        op: Op,
        /// When.
        at: Time,
    },
    /// The call is over: tell the client if it has not been answered, settle, record.
    Finish(Box<Record>),
}

/// What was seen of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it used, as far as is known.
    pub metering: Metering,
    /// What the provider says that it charged.
    pub charged: Option<Usd>,
    /// The model that the answer names.
    pub model: Option<Arc<str>>,
    /// Tier, speed and region that the answer names.
    pub terms: Terms,
    /// Why the model stopped.
    pub finish: Option<Arc<str>>,
    /// The stream ended without its terminal event.
    pub truncated: bool,
    /// When the first piece of content came.
    pub first_content: Option<Time>,
    /// When the last piece of content came.
    pub last_content: Option<Time>,
    /// Time spent waiting for the provider or the client since the call arrived, so that the rest
    /// is this program's own.
    pub waited: Span,
}

impl Outcome {
    /// Nothing was seen.
    pub fn nothing() -> Outcome {
        Outcome {
            metering: Metering::UNKNOWN,
            charged: None,
            model: None,
            terms: Terms::default(),
            finish: None,
            truncated: false,
            first_content: None,
            last_content: None,
            waited: Span::ZERO,
        }
    }
}
