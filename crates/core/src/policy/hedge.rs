//! Hedging: a second request when the first has not answered for long.
//!
//! Off unless configured. The first head to arrive wins, the other request is cancelled, and what
//! both used is part of the call's cost.

use crate::time::Span;

/// When to send a second request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    /// How long the first request may go without a head before the second is sent.
    pub after: Span,
}
