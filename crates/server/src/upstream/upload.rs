//! A request's body that goes through as it comes, within the limit that read bodies have.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::door::body;

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
    Broken(#[source] hyper::Error),
    /// More came than is allowed.
    #[error("the upload is larger than allowed")]
    TooLarge,
}

impl CutOff {
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self, CutOff::TooLarge)
    }
}

impl Upload {
    pub(crate) fn new(body: Incoming, limit: u64) -> Upload {
        Upload { body: Some(body), left: limit }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let Some(frame) = ready!(Pin::new(body).poll_frame(cx)) else { return Poll::Ready(None) };
        let frame = frame.map_err(CutOff::Broken)?;
        let came = frame.data_ref().map_or(0, |piece| piece.len() as u64);
        if came <= self.left {
            self.left -= came;
            return Poll::Ready(Some(Ok(frame)));
        }
        // So that the client can read the refusal instead of running into a reset.
        if let Some(rest) = self.body.take() {
            body::drain(rest);
        }
        Poll::Ready(Some(Err(CutOff::TooLarge)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}
