//! One client's connection: requests come in, answers go out, one after the other.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, Request, Response, Version};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::answer::{Answer, Asked, Written};
use super::head::{Head, Refused, Search};
use super::incoming::{self, Feed, Given, Reading};
use super::leaving::{SocketOf, Watch};
use crate::config::Limits;
use crate::door;
use crate::gateway::{Gateway, Phase};
use crate::http1::{self, READ};
use crate::page::Page;
use crate::patience::Patience;

/// So much may come before it is asked for: a client that leaves is noticed meanwhile, and one that
/// sends without end has to wait.
const AHEAD: usize = READ;
/// A client that is told of the end before it has sent all may send on for so long, so that it sees
/// the answer and not a connection that was reset under its hands.
const LINGER: Duration = Duration::from_secs(2);
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A client's connection.
pub(super) struct Line<I> {
    io: I,
    socket_of: SocketOf<I>,
    /// Says that the client left while no more is read.
    watch: Option<Watch>,
    /// What came and has not been understood yet.
    seen: BytesMut,
    /// What is left of leave to send a body. Nothing is left to write of one that has yet to leave
    /// what encrypts it.
    leave: Option<Bytes>,
    patience: Patience,
    /// The client does not take what is being written.
    is_stalled: bool,
}

/// Why no head comes any more.
pub(super) enum NoHead {
    /// The client left, or the gateway stops.
    Over,
    /// What came is no head.
    Refused(Refused),
}

/// What is to be done after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Waiting for another request.
    Again,
    /// Closing: all was read and written.
    Close,
    /// Closing, though the client may still be sending.
    Linger,
    /// At once: the client left, or has to see that its answer broke off.
    Drop,
    /// At once, and so that the client sees no end: nothing else tells it that its answer broke off.
    Reset,
}

/// The client left, or does not take what it is sent.
struct HungUp;

impl<I: AsyncRead + AsyncWrite + Unpin> Line<I> {
    pub(super) fn new(io: I, socket_of: SocketOf<I>, limits: &Limits) -> Line<I> {
        let shortest = limits.header_timeout.min(limits.chunk_timeout);
        Line {
            io,
            socket_of,
            watch: None,
            seen: BytesMut::new(),
            leave: None,
            patience: Patience::new(limits.header_timeout, shortest),
            is_stalled: false,
        }
    }

    /// The head of the next request.
    pub(super) async fn head(&mut self, gateway: &Gateway) -> Result<Head, NoHead> {
        self.watch = None;
        self.patience.give(gateway.limits().header_timeout);
        let mut search = Search::default();
        poll_fn(|cx| self.poll_head(cx, &mut search, gateway)).await
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        search: &mut Search,
        gateway: &Gateway,
    ) -> Poll<Result<Head, NoHead>> {
        loop {
            if !self.seen.is_empty() {
                // What was configured while the connection was idle holds.
                match search.parse(&mut self.seen, gateway.limits().header_bytes) {
                    Ok(Some(head)) => return Poll::Ready(Ok(head)),
                    Ok(None) => {}
                    Err(refused) => return Poll::Ready(Err(NoHead::Refused(refused))),
                }
            }
            match http1::poll_read(&mut self.io, cx, &mut self.seen) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(NoHead::Over)),
                Poll::Pending => break,
            }
        }
        if self.seen.is_empty() {
            // A connection that waits for the next bytes holds no memory for them.
            self.seen = BytesMut::new();
        }
        if !search.has_begun() && Phase::Serving < gateway.phase() {
            return Poll::Ready(Err(NoHead::Over));
        }
        ready!(self.patience.poll(cx));
        Poll::Ready(Err(match search.has_begun() {
            true => NoHead::Refused(Search::too_slow()),
            false => NoHead::Over,
        }))
    }

    /// Answers one request.
    pub(super) async fn exchange(&mut self, gateway: &Gateway, head: Head) -> Next {
        let Head { parts, framing, keeps_alive, awaits_leave } = head;
        let (is_head, version) = (parts.method == Method::HEAD, parts.version);
        let (mut feed, incoming) = incoming::begin(framing, &mut self.seen);
        // Whoever has sent all of it, or has nothing to send, waits for no leave.
        let mut awaits_leave = awaits_leave && feed.reading() == Reading::Open;
        let mut answering = pin!(door::answer(gateway, Request::from_parts(parts, incoming)));
        let answered = poll_fn(|cx| {
            loop {
                if let Poll::Ready(answer) = answering.as_mut().poll(cx) {
                    return Poll::Ready(Ok(answer));
                }
                ready!(self.attend(cx, &mut feed, &mut awaits_leave))?;
            }
        });
        let Ok::<_, HungUp>(answer) = answered.await else { return Next::Drop };
        if self.seen.is_empty() {
            // A long body has left, and its room goes before a long answer comes.
            self.seen = BytesMut::new();
        }
        // A client that was not given leave does not send the body, or all of it.
        let is_stuck = feed.reading() == Reading::Stuck || awaits_leave;
        let keeps_alive = keeps_alive && !is_stuck && gateway.phase() == Phase::Serving;
        let asked = Asked { version, is_head, keeps_alive };
        match self.write(gateway, answer, asked, &mut feed).await {
            // Nothing may look as if the answer had come to its end.
            Err(HungUp) | Ok(Written::Broken) if version == Version::HTTP_10 => Next::Reset,
            Err(HungUp) | Ok(Written::Broken) => Next::Drop,
            Ok(Written::AndAgain) => self.read_over(&mut feed).await,
            // What was sent and is not read would reset the connection.
            Ok(Written::AndLast) if feed.reading() != Reading::Over => Next::Linger,
            Ok(Written::AndLast) if !self.seen.is_empty() => Next::Linger,
            Ok(Written::AndLast) => Next::Close,
        }
    }

    /// Writes an answer, and reads on meanwhile.
    async fn write(
        &mut self,
        gateway: &Gateway,
        answer: Response<Page>,
        asked: Asked,
        feed: &mut Feed,
    ) -> Result<Written, HungUp> {
        let before = self.leave.take().unwrap_or_default();
        let mut answer = Answer::new(answer, asked, gateway.shared().clock, &before);
        let mut awaits_leave = false;
        poll_fn(|cx| {
            loop {
                let waited = answer.waiting();
                if let Poll::Ready(written) = answer.poll(cx, &mut self.io) {
                    return Poll::Ready(written.map_err(|_| HungUp));
                }
                self.wait_for_taking(cx, gateway, waited, answer.waiting())?;
                ready!(self.attend(cx, feed, &mut awaits_leave))?;
            }
        })
        .await
    }

    /// A client that takes nothing for so long as a provider may be silent has hung up for all that
    /// can be known.
    fn wait_for_taking(
        &mut self,
        cx: &mut Context<'_>,
        gateway: &Gateway,
        before: usize,
        now: usize,
    ) -> Result<(), HungUp> {
        if now == 0 {
            self.is_stalled = false;
            return Ok(());
        }
        if !self.is_stalled || now != before {
            self.is_stalled = true;
            self.patience.give(gateway.limits().chunk_timeout);
        }
        match self.patience.poll(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(()) => Err(HungUp),
        }
    }

    /// Reads a body to its end that somebody still reads, after its answer was written.
    async fn read_over(&mut self, feed: &mut Feed) -> Next {
        let mut awaits_leave = false;
        poll_fn(|cx| {
            loop {
                match feed.reading() {
                    Reading::Over => return Poll::Ready(Next::Again),
                    Reading::Stuck => return Poll::Ready(Next::Linger),
                    Reading::Open => {}
                }
                if ready!(self.attend(cx, feed, &mut awaits_leave)).is_err() {
                    return Poll::Ready(Next::Drop);
                }
            }
        })
        .await
    }

    /// Does what there is to do beside the answer: gives leave, hands the body on, reads ahead. Ready
    /// when the client left, or when whoever is polled in this task was given something.
    fn attend(
        &mut self,
        cx: &mut Context<'_>,
        feed: &mut Feed,
        awaits_leave: &mut bool,
    ) -> Poll<Result<(), HungUp>> {
        loop {
            match feed.give(cx, &mut self.seen) {
                Given::ToOurselves => return Poll::Ready(Ok(())),
                Given::ToAnother if feed.reading() != Reading::Open => return Poll::Ready(Ok(())),
                Given::ToAnother | Given::Nothing => {}
            }
            if *awaits_leave && feed.is_asked() {
                *awaits_leave = false;
                // Whoever sends already has taken it.
                if self.seen.is_empty() {
                    self.leave = Some(Bytes::from_static(CONTINUE));
                }
            }
            self.write_leave(cx)?;
            if AHEAD <= self.seen.len() {
                return self.poll_left(cx).map(|()| Err(HungUp));
            }
            let read = match feed.is_long(READ) {
                true => http1::poll_read_much(&mut self.io, cx, &mut self.seen),
                false => http1::poll_read(&mut self.io, cx, &mut self.seen),
            };
            match ready!(read) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(Err(HungUp)),
            }
        }
    }

    /// Ready when the client left. What it sent before it did is not read for that.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.watch.is_none() {
            self.watch = (self.socket_of)(&self.io).and_then(Watch::of);
        }
        self.watch.as_mut().map_or(Poll::Pending, |watch| watch.poll_left(cx))
    }

    fn write_leave(&mut self, cx: &mut Context<'_>) -> Result<(), HungUp> {
        while let Some(leave) = &mut self.leave {
            if leave.is_empty() {
                match Pin::new(&mut self.io).poll_flush(cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Ok(())) => self.leave = None,
                    Poll::Ready(Err(_)) => return Err(HungUp),
                }
                continue;
            }
            match Pin::new(&mut self.io).poll_write(cx, leave) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(written @ 1..)) => leave.advance(written),
                Poll::Ready(Ok(0) | Err(_)) => return Err(HungUp),
            }
        }
        Ok(())
    }

    /// Tells the sender of a bad head what is wrong with it.
    pub(super) async fn refuse(&mut self, gateway: &Gateway, refused: Refused) -> Next {
        let Refused { status, told } = refused;
        let asked = Asked { version: Version::HTTP_11, is_head: false, keeps_alive: false };
        let clock = gateway.shared().clock;
        let mut answer = Answer::new(Page::error(status, told), asked, clock, &[]);
        let writing = poll_fn(|cx| answer.poll(cx, &mut self.io));
        match timeout(LINGER, writing).await {
            Ok(Ok(_)) => Next::Linger,
            Ok(Err(_)) | Err(_) => Next::Drop,
        }
    }

    /// Closes the connection. Gives it back if it is to be reset, which not every kind can be.
    pub(super) async fn close(mut self, next: Next) -> Option<I> {
        match next {
            Next::Reset => return Some(self.io),
            Next::Drop => return None,
            Next::Again | Next::Close | Next::Linger => {}
        }
        // Over TLS a goodbye has to be written, too, to whoever may not read any more.
        let parting = async {
            let shut = poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await;
            if next == Next::Linger && shut.is_ok() {
                self.read_to_nowhere().await;
            }
        };
        timeout(LINGER, parting).await.ok();
        None
    }

    async fn read_to_nowhere(&mut self) {
        let mut read = |cx: &mut Context<'_>| {
            self.seen.clear();
            http1::poll_read(&mut self.io, cx, &mut self.seen)
        };
        while matches!(poll_fn(&mut read).await, Ok(1..)) {}
    }
}
