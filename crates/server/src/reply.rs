//! What passes between a call's flight and its client: a head, pieces of a body, an end, a hang-up.
//!
//! The client's connection polls one side, the flight the other, sooner or later from a task of its
//! own. One piece is in passing at any time, so a client that reads slowly slows the provider down and nothing piles
//! up. A client's side that is dropped before the end is a client that hung up.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Whole.
    Clean,
    /// The client must notice that something is missing.
    Broken,
}

/// The answer broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer broke off")]
pub(crate) struct BrokenOff;

/// The flight's side.
pub(crate) struct Reply(Arc<Mutex<Passing>>);

/// The client's side until the head comes.
pub(crate) struct Awaiting(Option<Arc<Mutex<Passing>>>);

/// The client's side of an answer's body.
pub(crate) struct AnswerBody {
    passing: Arc<Mutex<Passing>>,
    length: Option<u64>,
}

#[derive(Default)]
struct Passing {
    head: Option<Parts>,
    is_answered: bool,
    piece: Option<Bytes>,
    /// Follows the piece in passing: the error event of a stream that breaks.
    last_words: Option<Bytes>,
    end: Option<End>,
    is_client_gone: bool,
    client: Option<Waker>,
    flight: Option<Waker>,
}

/// Both sides.
pub(crate) fn pair() -> (Reply, Awaiting) {
    let passing = Arc::new(Mutex::new(Passing::default()));
    (Reply(passing.clone()), Awaiting(Some(passing)))
}

fn lock(passing: &Mutex<Passing>) -> MutexGuard<'_, Passing> {
    passing.lock().expect("nothing panics while a piece passes")
}

impl Passing {
    fn wake_client(&mut self) {
        if let Some(waker) = self.client.take() {
            waker.wake();
        }
    }

    fn wake_flight(&mut self) {
        if let Some(waker) = self.flight.take() {
            waker.wake();
        }
    }

    fn wait_as_client(&mut self, cx: &Context<'_>) {
        wait(&mut self.client, cx);
    }

    fn wait_as_flight(&mut self, cx: &Context<'_>) {
        wait(&mut self.flight, cx);
    }
}

fn wait(waker: &mut Option<Waker>, cx: &Context<'_>) {
    if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *waker = Some(cx.waker().clone());
    }
}

impl Reply {
    /// Whether the head was given.
    pub(crate) fn is_answered(&self) -> bool {
        lock(&self.0).is_answered
    }

    /// Gives the head.
    pub(crate) fn answer(&self, head: Parts) {
        let mut passing = lock(&self.0);
        passing.head = Some(head);
        passing.is_answered = true;
        passing.wake_client();
    }

    /// Gives a whole answer.
    pub(crate) fn answer_whole(&self, head: Parts, body: Bytes) {
        self.answer(head);
        let mut passing = lock(&self.0);
        passing.piece = Some(body);
        passing.end = Some(End::Clean);
    }

    /// Changes the head if it has not left.
    pub(crate) fn amend(&self, change: impl FnOnce(&mut HeaderMap)) {
        if let Some(head) = &mut lock(&self.0).head {
            change(&mut head.headers);
        }
    }

    /// Ready when the next piece can be given.
    pub(crate) fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        let mut passing = lock(&self.0);
        if passing.piece.is_none() {
            return Poll::Ready(());
        }
        passing.wait_as_flight(cx);
        Poll::Pending
    }

    /// Gives the next piece, after [`Reply::poll_ready`].
    pub(crate) fn push(&self, piece: Bytes) {
        let mut passing = lock(&self.0);
        passing.piece = Some(piece);
        passing.wake_client();
    }

    /// Ends the body.
    pub(crate) fn end(&self, end: End, last_words: Option<Bytes>) {
        let mut passing = lock(&self.0);
        passing.last_words = last_words;
        passing.end.get_or_insert(end);
        passing.wake_client();
    }

    /// Ready when the client has hung up.
    pub(crate) fn poll_hung_up(&self, cx: &Context<'_>) -> Poll<()> {
        let mut passing = lock(&self.0);
        if passing.is_client_gone {
            return Poll::Ready(());
        }
        passing.wait_as_flight(cx);
        Poll::Pending
    }
}

impl Drop for Reply {
    /// A flight that fell over leaves a client that must not wait for ever.
    fn drop(&mut self) {
        let mut passing = lock(&self.0);
        // Nobody is left to be woken.
        passing.flight = None;
        if !passing.is_answered {
            let response = Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).body(());
            passing.head = Some(response.expect("a bare status is valid").into_parts().0);
            passing.is_answered = true;
        }
        passing.end.get_or_insert(End::Broken);
        passing.wake_client();
    }
}

impl Awaiting {
    /// The head, if it was given. Nobody is woken when it is: whoever waits polls the flight itself.
    pub(crate) fn take(&mut self) -> Option<Response<AnswerBody>> {
        let shared = self.0.as_ref()?;
        let mut passing = lock(shared);
        let head = passing.head.take()?;
        let length = match (&passing.piece, passing.end, &passing.last_words) {
            (piece, Some(End::Clean), None) => Some(piece.as_ref().map_or(0, Bytes::len) as u64),
            _ => None,
        };
        drop(passing);
        let body = AnswerBody { passing: self.0.take()?, length };
        Some(Response::from_parts(head, body))
    }
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            hang_up(shared);
        }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        hang_up(&self.passing);
    }
}

fn hang_up(passing: &Mutex<Passing>) {
    let mut passing = lock(passing);
    if passing.end.is_none() {
        passing.is_client_gone = true;
        passing.wake_flight();
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let mut passing = lock(&self.passing);
        if let Some(piece) = passing.piece.take() {
            passing.wake_flight();
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if let Some(words) = passing.last_words.take() {
            return Poll::Ready(Some(Ok(Frame::data(words))));
        }
        match passing.end {
            None => {
                passing.wait_as_client(cx);
                Poll::Pending
            }
            Some(End::Clean) => Poll::Ready(None),
            Some(End::Broken) => Poll::Ready(Some(Err(BrokenOff))),
        }
    }

    fn is_end_stream(&self) -> bool {
        let passing = lock(&self.passing);
        passing.end == Some(End::Clean) && passing.piece.is_none() && passing.last_words.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn head() -> Parts {
        Response::new(()).into_parts().0
    }

    #[tokio::test]
    async fn pieces_pass_in_order_and_the_end_is_seen() {
        let (reply, mut awaiting) = pair();
        reply.answer(head());
        reply.push(Bytes::from_static(b"a"));
        let mut body = awaiting.take().unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
        reply.push(Bytes::from_static(b"b"));
        reply.end(End::Clean, None);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "b");
    }

    #[tokio::test]
    async fn a_break_is_seen_after_the_last_words() {
        let (reply, mut awaiting) = pair();
        reply.answer(head());
        let mut body = awaiting.take().unwrap().into_body();
        reply.end(End::Broken, Some(Bytes::from_static(b"error")));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "error");
        assert_eq!(body.frame().await.unwrap().unwrap_err(), BrokenOff);
    }

    #[tokio::test]
    async fn either_side_of_the_client_tells_its_hang_up_once_it_is_dropped() {
        let (reply, awaiting) = pair();
        drop(awaiting);
        std::future::poll_fn(|cx| reply.poll_hung_up(cx)).await;

        let (reply, mut awaiting) = pair();
        reply.answer(head());
        drop(awaiting.take().unwrap());
        std::future::poll_fn(|cx| reply.poll_hung_up(cx)).await;
    }

    #[tokio::test]
    async fn a_flight_that_falls_over_answers_500() {
        let (reply, mut awaiting) = pair();
        drop(reply);
        let answer = awaiting.take().unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.into_body().collect().await.is_err());
    }
}
