//! What the two dialects share when an answer is put into bytes.

use crate::ask::Ask;
use crate::speech::Answer;
use crate::usage::TrueUsage;
use bytes::Bytes;

/// Everything that an answer's bytes depend on.
#[derive(Clone, Copy)]
pub(crate) struct Telling<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) answer: &'a Answer,
    pub(crate) usage: &'a TrueUsage,
    pub(crate) numbers: &'a Numbers,
    /// The answer's id without its prefix.
    pub(crate) id: &'a str,
    pub(crate) fingerprint: u128,
    /// Unix seconds.
    pub(crate) created_s: u64,
}

/// What stands where the usage should stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    Honest,
    Missing,
    Null,
    /// This JSON text in place of every count.
    Hostile(String),
    MoreCachedThanPrompt,
}

impl Numbers {
    /// A count as it is told.
    pub(crate) fn tell(&self, count: u64) -> String {
        match self {
            Numbers::Hostile(text) => text.clone(),
            _ => count.to_string(),
        }
    }

    /// The cached part of a prompt as it is told.
    pub(crate) fn tell_cached(&self, cached: u64, prompt: u64) -> String {
        match self {
            Numbers::MoreCachedThanPrompt => (prompt + 1000).to_string(),
            _ => self.tell(cached),
        }
    }
}

/// One event of a stream, or a whole body.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    /// Output tokens that have been generated when it is sent.
    pub(crate) tokens_to_here: u64,
    pub(crate) part: Part,
}

/// Where in an answer a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Head,
    Content,
    /// What says how the answer ended.
    Finish,
    /// The terminal event.
    End,
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}
