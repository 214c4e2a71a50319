//! Bodies of everything that the gateway says to a client.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::reply::{AnswerBody, BrokenOff};

/// What the gateway sends.
pub(crate) enum Page {
    /// A provider's answer, or an error in its place.
    Answer(AnswerBody),
    /// All of it.
    Whole(Option<Bytes>),
    /// Events as they happen, until the client leaves.
    Live(mpsc::Receiver<Bytes>),
}

impl Page {
    /// A whole answer from its head.
    pub(crate) fn whole(head: Parts, body: Bytes) -> Response<Page> {
        Response::from_parts(head, Page::Whole(Some(body)))
    }

    /// A whole answer that nobody keeps.
    pub(crate) fn of(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Response<Page> {
        let mut response = Response::new(Page::Whole(Some(body.into())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        response
    }

    /// A value as JSON.
    pub(crate) fn json(status: StatusCode, value: &impl serde::Serialize) -> Response<Page> {
        match serde_json::to_vec(value) {
            Ok(body) => Page::of(status, "application/json", body),
            Err(error) => Page::error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    /// An error of the gateway's own routes.
    pub(crate) fn error(status: StatusCode, message: &str) -> Response<Page> {
        let body = serde_json::json!({ "error": { "message": message, "code": status.as_u16() } });
        Page::of(status, "application/json", body.to_string())
    }
}

impl Body for Page {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Page::Answer(body) => Pin::new(body).poll_frame(cx),
            Page::Whole(body) => Poll::Ready(body.take().map(|bytes| Ok(Frame::data(bytes)))),
            Page::Live(events) => {
                events.poll_recv(cx).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Page::Answer(body) => body.is_end_stream(),
            Page::Whole(body) => body.as_ref().is_none_or(Bytes::is_empty),
            Page::Live(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Page::Answer(body) => body.size_hint(),
            Page::Whole(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Page::Live(_) => SizeHint::default(),
        }
    }
}
