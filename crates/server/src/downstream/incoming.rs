//! A request's body: whole, as it mostly comes together with its head, or piece by piece.
//!
//! The connection has one side and whoever reads the body the other, which may have moved to a task
//! of its own by then. One piece is in passing at any time, and only if it was asked for, so a reader
//! who is slow slows the client down and nothing piles up.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use crate::http1::Framing;

/// Why a body does not reach its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cut {
    /// The client went away in the middle of it.
    #[error("the client broke off")]
    BrokenOff,
    /// What came is no HTTP.
    #[error("the body's chunks are not as HTTP wants them")]
    NotHttp,
}

/// A request's body.
pub(crate) struct Incoming(Source);

enum Source {
    /// There is none, or all of it has been taken.
    Over,
    /// It came together with its head.
    Whole(Bytes),
    /// It is still coming. What is left of it, if its length was said.
    Passing(Arc<Mutex<Passing>>, Option<u64>),
}

/// The connection's side of a body.
pub(super) struct Feed {
    framing: Framing,
    passing: Option<Arc<Mutex<Passing>>>,
}

/// How far a body has been read from its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Somebody may still ask for more of it.
    Open,
    /// To its end: what comes next is another request.
    Over,
    /// Nobody will read it to its end, or nobody can.
    Stuck,
}

/// What a reader was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Nothing: more has to come, or to be asked for.
    Nothing,
    /// Something, and the reader is in another task that was woken.
    ToAnother,
    /// Something, and the reader is in the connection's own task.
    ToOurselves,
}

#[derive(Default)]
struct Passing {
    piece: Option<Bytes>,
    end: Option<Result<(), Cut>>,
    is_wanted: bool,
    is_reader_gone: bool,
    reader: Option<Waker>,
    connection: Option<Waker>,
}

fn lock(passing: &Mutex<Passing>) -> MutexGuard<'_, Passing> {
    passing.lock().expect("nothing panics while a piece passes")
}

fn wait(waker: &mut Option<Waker>, cx: &Context<'_>) {
    if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *waker = Some(cx.waker().clone());
    }
}

/// Begins a body with what has already come of it.
pub(super) fn begin(mut framing: Framing, seen: &mut BytesMut) -> (Feed, Incoming) {
    if framing == Framing::Over {
        return (Feed { framing, passing: None }, Incoming(Source::Over));
    }
    let length = match framing {
        Framing::Length(length) => Some(length),
        _ => None,
    };
    let first = framing.take(seen);
    if let (Framing::Over, Ok(whole)) = (framing, &first) {
        let whole = whole.clone().unwrap_or_default();
        return (Feed { framing, passing: None }, Incoming(Source::Whole(whole)));
    }
    let passing = match first {
        Ok(piece) => Passing { piece, ..Passing::default() },
        Err(_) => Passing { end: Some(Err(Cut::NotHttp)), ..Passing::default() },
    };
    let passing = Arc::new(Mutex::new(passing));
    let incoming = Incoming(Source::Passing(passing.clone(), length));
    (Feed { framing, passing: Some(passing) }, incoming)
}

impl Feed {
    /// How far the body has been read.
    pub(super) fn reading(&self) -> Reading {
        let Some(passing) = &self.passing else { return Reading::Over };
        let passing = lock(passing);
        match passing.end {
            Some(Ok(())) => Reading::Over,
            Some(Err(_)) => Reading::Stuck,
            None if passing.is_reader_gone => Reading::Stuck,
            None => Reading::Open,
        }
    }

    /// Whether the reader waits for more of it.
    pub(super) fn is_asked(&self) -> bool {
        let is_asked = |passing: &Arc<Mutex<Passing>>| {
            let passing = lock(passing);
            passing.is_wanted && passing.piece.is_none() && passing.end.is_none()
        };
        self.passing.as_ref().is_some_and(is_asked)
    }

    /// Whether so much of the body is still to come that it is worth a place of its own.
    pub(super) fn is_long(&self, much: usize) -> bool {
        matches!(self.framing, Framing::Length(left) if much as u64 <= left)
    }

    /// Gives the reader what has come, if it was asked for.
    pub(super) fn give(&mut self, cx: &Context<'_>, seen: &mut BytesMut) -> Given {
        let Some(shared) = &self.passing else { return Given::Nothing };
        let mut passing = lock(shared);
        if passing.end.is_some() || passing.is_reader_gone {
            return Given::Nothing;
        }
        wait(&mut passing.connection, cx);
        if passing.piece.is_some() || !passing.is_wanted {
            return Given::Nothing;
        }
        match self.framing.take(seen) {
            Ok(None) if self.framing != Framing::Over => return Given::Nothing,
            Ok(piece) => {
                passing.piece = piece;
                passing.end = (self.framing == Framing::Over).then_some(Ok(()));
            }
            Err(_) => passing.end = Some(Err(Cut::NotHttp)),
        }
        passing.is_wanted = false;
        passing.tell_reader(cx)
    }
}

impl Drop for Feed {
    /// A reader who is left over must not wait for ever.
    fn drop(&mut self) {
        let Some(passing) = &self.passing else { return };
        let mut passing = lock(passing);
        passing.connection = None;
        if passing.end.is_none() {
            passing.end = Some(Err(Cut::BrokenOff));
            if let Some(reader) = passing.reader.take() {
                reader.wake();
            }
        }
    }
}

impl Passing {
    /// A reader in the connection's own task is not woken: it is polled next.
    fn tell_reader(&mut self, cx: &Context<'_>) -> Given {
        match self.reader.take() {
            Some(reader) if reader.will_wake(cx.waker()) => Given::ToOurselves,
            Some(reader) => {
                reader.wake();
                Given::ToAnother
            }
            None => Given::ToAnother,
        }
    }

    /// Asks the connection for more. In its own task it looks by itself after the reader was polled.
    fn ask(&mut self, cx: &Context<'_>) {
        self.is_wanted = true;
        wait(&mut self.reader, cx);
        if let Some(connection) = self.connection.take()
            && !connection.will_wake(cx.waker())
        {
            connection.wake();
        }
    }
}

impl Incoming {
    /// The body, if all of it has come and nothing of it was taken.
    pub(crate) fn take_whole(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.0, Source::Over) {
            Source::Over => Some(Bytes::new()),
            Source::Whole(whole) => Some(whole),
            passing @ Source::Passing(..) => {
                self.0 = passing;
                None
            }
        }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Source::Passing(shared, left) = &mut self.0 else {
            let whole = self.take_whole().filter(|whole| !whole.is_empty());
            return Poll::Ready(whole.map(|whole| Ok(Frame::data(whole))));
        };
        let mut passing = lock(shared);
        if let Some(piece) = passing.piece.take() {
            if let Some(left) = left {
                *left = left.saturating_sub(piece.len() as u64);
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match passing.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(cut)) => Poll::Ready(Some(Err(cut))),
            None => {
                passing.ask(cx);
                Poll::Pending
            }
        }
    }

    /// A chunked body that is empty is not seen to be so before it is read, however it has come.
    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Over => true,
            Source::Whole(_) => false,
            Source::Passing(shared, _) => {
                let passing = lock(shared);
                passing.end == Some(Ok(())) && passing.piece.is_none()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Over => SizeHint::with_exact(0),
            Source::Whole(whole) => SizeHint::with_exact(whole.len() as u64),
            Source::Passing(_, Some(left)) => SizeHint::with_exact(*left),
            Source::Passing(_, None) => SizeHint::default(),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let Source::Passing(shared, _) = &self.0 else { return };
        let mut passing = lock(shared);
        passing.is_reader_gone = true;
        passing.reader = None;
        if let Some(connection) = passing.connection.take() {
            connection.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::Chunk;
    use http_body_util::BodyExt;
    use std::task::Wake;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    fn seen(text: &str) -> BytesMut {
        BytesMut::from(text)
    }

    #[tokio::test]
    async fn a_body_that_came_with_its_head_is_whole() {
        let mut bytes = seen("hello, and more");
        let (feed, mut incoming) = begin(Framing::Length(5), &mut bytes);
        assert_eq!((feed.reading(), &bytes[..]), (Reading::Over, &b", and more"[..]));
        assert_eq!(incoming.size_hint().exact(), Some(5));
        assert_eq!(incoming.take_whole().as_deref(), Some(&b"hello"[..]));
        assert!(incoming.is_end_stream());

        let (_, incoming) = begin(Framing::Chunked(Chunk::Size), &mut seen("2\r\nhi\r\n0\r\n\r\n"));
        assert!(!incoming.is_end_stream());
        assert_eq!(incoming.collect().await.unwrap().to_bytes(), "hi");
        let (_, incoming) = begin(Framing::Chunked(Chunk::Size), &mut seen("0\r\n\r\n"));
        assert!(!incoming.is_end_stream(), "as if it came later");
        let (_, incoming) = begin(Framing::Over, &mut seen(""));
        assert!(incoming.is_end_stream());
    }

    #[tokio::test]
    async fn a_reader_elsewhere_gets_pieces_as_they_are_asked_for_and_the_end() {
        let mut bytes = seen("he");
        let (mut feed, incoming) = begin(Framing::Length(9), &mut bytes);
        let reading = tokio::spawn(incoming.collect());
        for piece in ["llo", " you"] {
            bytes.extend_from_slice(piece.as_bytes());
            let given = std::future::poll_fn(|cx| match feed.give(cx, &mut bytes) {
                Given::Nothing => Poll::Pending,
                given => Poll::Ready(given),
            })
            .await;
            assert_eq!(given, Given::ToAnother);
        }
        assert_eq!(feed.reading(), Reading::Over);
        assert_eq!(reading.await.unwrap().unwrap().to_bytes(), "hello you");
    }

    #[test]
    fn a_reader_in_the_same_task_is_told_without_being_woken() {
        let waker = Waker::from(Arc::new(Nobody));
        let mut cx = Context::from_waker(&waker);
        let mut bytes = seen("");
        let (mut feed, mut incoming) = begin(Framing::Length(2), &mut bytes);
        assert_eq!(feed.give(&cx, &mut bytes), Given::Nothing);
        assert!(!feed.is_asked());
        assert!(Pin::new(&mut incoming).poll_frame(&mut cx).is_pending());
        assert!(feed.is_asked());
        assert_eq!(feed.give(&cx, &mut bytes), Given::Nothing, "nothing has come");
        bytes.extend_from_slice(b"hi");
        assert_eq!(feed.give(&cx, &mut bytes), Given::ToOurselves);
        assert!(matches!(Pin::new(&mut incoming).poll_frame(&mut cx), Poll::Ready(Some(Ok(_)))));
        assert!(incoming.is_end_stream());
    }

    #[tokio::test]
    async fn either_side_sees_that_the_other_is_gone() {
        let (feed, incoming) = begin(Framing::Length(2), &mut seen(""));
        assert_eq!(feed.reading(), Reading::Open);
        drop(incoming);
        assert_eq!(feed.reading(), Reading::Stuck);

        let (feed, incoming) = begin(Framing::Length(2), &mut seen("h"));
        drop(feed);
        assert_eq!(incoming.collect().await.unwrap_err(), Cut::BrokenOff);
    }

    #[tokio::test]
    async fn what_is_no_chunk_is_seen_at_once_or_later() {
        let (feed, incoming) = begin(Framing::Chunked(Chunk::Size), &mut seen("zz\r\n"));
        assert_eq!(feed.reading(), Reading::Stuck);
        assert_eq!(incoming.collect().await.unwrap_err(), Cut::NotHttp);

        let mut bytes = seen("");
        let (mut feed, mut incoming) = begin(Framing::Chunked(Chunk::Size), &mut bytes);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut incoming).poll_frame(&mut cx).is_pending());
        bytes.extend_from_slice(b"5\nhello");
        feed.give(&cx, &mut bytes);
        assert_eq!(incoming.collect().await.unwrap_err(), Cut::NotHttp);
        assert_eq!(feed.reading(), Reading::Stuck);
    }
}
