//! A request's body that goes through as it comes, within the limit that read bodies have.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body;
use scrimp_core::Fault;

use crate::door::body;
use crate::downstream::{Cut, Incoming};

/// What a client is still sending.
pub(crate) struct Upload {
    /// `None` once it grew too large.
    body: Option<Incoming>,
    /// How many more bytes may come.
    left: u64,
}

/// Why an upload does not reach its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CutOff {
    /// The client went away in the middle of it.
    #[error("the client broke off")]
    Broken(#[source] Cut),
    /// More came than is allowed.
    #[error("the upload is larger than allowed")]
    TooLarge,
}

impl CutOff {
    /// How the request failed.
    pub(super) fn fault(&self) -> Fault {
        match self {
            CutOff::TooLarge => Fault::TooLarge,
            CutOff::Broken(_) => Fault::Cancelled,
        }
    }
}

impl Upload {
    pub(crate) fn new(body: Incoming, limit: u64) -> Upload {
        Upload { body: Some(body), left: limit }
    }

    /// The next bytes, none where a frame holds something else; `None` at the end.
    pub(super) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, CutOff>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let Some(frame) = ready!(Pin::new(body).poll_frame(cx)) else { return Poll::Ready(None) };
        let frame = frame.map_err(CutOff::Broken)?;
        let piece = frame.into_data().unwrap_or_default();
        let came = piece.len() as u64;
        if came <= self.left {
            self.left -= came;
            return Poll::Ready(Some(Ok(piece)));
        }
        // So that the client can read the refusal instead of running into a reset.
        if let Some(rest) = self.body.take() {
            body::drain(rest);
        }
        Poll::Ready(Some(Err(CutOff::TooLarge)))
    }
}
