//! What the provider saw: one entry for each request, however it ended.

use crate::provider::Provider;
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Logged {
    /// Counted from 0, in the order of arrival.
    pub call: u64,
    /// Milliseconds since the provider's first call.
    pub at_ms: u64,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names and values as they came, those of credentials as `digest:` and eight hex digits.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// BLAKE3 of the body, in hex.
    pub body_digest: String,
    /// The body itself, where the settings keep it.
    #[serde(skip)]
    pub body: Option<Bytes>,
    /// The fault that was played.
    pub fault: Option<String>,
    /// The status that was answered; 0 before or without one.
    pub status: u16,
    /// Frames of the answer's body that were sent: for a stream its events.
    pub events: u64,
    /// Bytes of the answer's body that were sent.
    pub sent_bytes: u64,
    /// When the answer was complete.
    pub ended_ms: Option<u64>,
    /// When the client went away, or the provider broke off, before the end.
    pub aborted_ms: Option<u64>,
}

/// Watches over one request's entry; dropped before the end, it notes an abort.
pub(crate) struct Track {
    provider: Arc<Provider>,
    pub(crate) call: u64,
    over: bool,
}

impl Track {
    pub(crate) fn new(provider: Arc<Provider>, entry: Logged) -> Track {
        let call = provider.log_request(entry);
        Track { provider, call, over: false }
    }

    /// Changes the entry.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Logged)) {
        self.provider.note(self.call, change);
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.note(|entry| {
            entry.events += 1;
            entry.sent_bytes += bytes;
        });
    }

    pub(crate) fn end(&mut self) {
        self.over = true;
        let now_ms = self.provider.now_ms();
        self.note(|entry| entry.ended_ms = Some(now_ms));
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        if !self.over {
            let now_ms = self.provider.now_ms();
            self.note(|entry| entry.aborted_ms = Some(now_ms));
        }
    }
}
