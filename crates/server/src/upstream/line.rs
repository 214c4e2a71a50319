//! One connection to a provider: a request goes out, its answer comes in.
//!
//! HTTP/1.1 is spoken here and not by a library, because this is where a call spends most of what it
//! costs: no task and no channel for a connection, one write for a request, and a body's end that is
//! seen in the same read as its last bytes. Dropping it closes the connection, which is also how a
//! request is cancelled.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::Method;
use http::response::Parts;
use scrimp_core::Fault;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::connect::Stream;
use super::head::{self, Lines, Sized};
use super::upload::{CutOff, Upload};
use crate::http1::{self, COPIED, Framing, Outbox};

/// A connection.
pub(super) struct Line {
    stream: Stream,
    /// What came and has not been understood yet.
    seen: BytesMut,
    /// Something of the answer at hand has come, if only a head that says to wait.
    has_spoken: bool,
    pub(super) idle_since: Instant,
}

/// A request on its way out.
pub(crate) struct Outgoing {
    method: Method,
    outbox: Outbox<Bytes>,
    passing: Option<Upload>,
    is_chunked: bool,
    needs_flush: bool,
}

/// Why a request was not written to its end.
#[derive(Debug, thiserror::Error)]
enum Unwritten {
    /// The provider does not take it.
    #[error(transparent)]
    Provider(#[from] io::Error),
    /// The client does not send it, or may not.
    #[error(transparent)]
    Client(#[from] CutOff),
}

/// The body of an answer, as it comes over its connection.
pub(crate) struct Answer {
    line: Line,
    framing: Framing,
    /// What is left of the request, where the answer began before its end.
    writing: Option<Box<Outgoing>>,
    keeps_alive: bool,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unanswered {
    pub(super) fault: Fault,
    /// Nothing of an answer had come.
    pub(super) is_silent: bool,
}

impl From<CutOff> for Unanswered {
    fn from(cut: CutOff) -> Unanswered {
        Unanswered { fault: cut.fault(), is_silent: false }
    }
}

impl Line {
    pub(super) fn new(stream: Stream) -> Line {
        Line { stream, seen: BytesMut::new(), has_spoken: false, idle_since: Instant::now() }
    }

    /// Whether the provider has left an idle connection as it was: it neither closed it nor sent
    /// anything. Asks the kernel only where something has happened, also for a task that has used its
    /// budget up and would hear nothing else.
    pub(super) fn is_quiet(&mut self) -> bool {
        let looking = std::future::poll_fn(|cx| self.poll_read(cx));
        let mut looking = std::pin::pin!(tokio::task::unconstrained(looking));
        looking.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Sends a request and waits for the head of its answer, of at most `head_bytes`.
    pub(super) async fn exchange(
        mut self,
        request: Outgoing,
        head_bytes: usize,
    ) -> Result<(Parts, Answer), Unanswered> {
        let method = request.method.clone();
        let mut writing = Some(request);
        let mut has_failed = false;
        self.has_spoken = false;
        let answered = std::future::poll_fn(|cx| {
            if let Some(unfinished) = &mut writing
                && let Poll::Ready(written) = unfinished.poll(cx, &mut self.stream)
            {
                match written {
                    Err(Unwritten::Client(cut)) => return Poll::Ready(Err(cut.into())),
                    // A provider that refuses may close its side before it has read all; what it
                    // has said by then is the answer.
                    Err(Unwritten::Provider(_)) => has_failed = true,
                    Ok(()) => {}
                }
                writing = None;
            }
            self.poll_head(cx, head_bytes)
        });
        let mut head = answered.await?;
        let broken = Unanswered { fault: Fault::Protocol, is_silent: false };
        let framing = Framing::of(&method, &mut head).map_err(|_| broken)?;
        let keeps_alive = head::keeps_alive(&head) && !has_failed;
        let writing = writing.map(Box::new);
        Ok((head, Answer { line: self, framing, writing, keeps_alive }))
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        head_bytes: usize,
    ) -> Poll<Result<Parts, Unanswered>> {
        loop {
            match head::parse(&mut self.seen, head_bytes) {
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Ok(None) => {}
                Err(_) => {
                    let fault = Fault::Protocol;
                    return Poll::Ready(Err(Unanswered { fault, is_silent: false }));
                }
            }
            if !matches!(ready!(self.poll_read(cx)), Ok(1..)) {
                let is_silent = !self.has_spoken;
                return Poll::Ready(Err(Unanswered { fault: Fault::Reset, is_silent }));
            }
        }
    }

    /// Reads what has come. Returns how much; 0 at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = ready!(http1::poll_read(&mut self.stream, cx, &mut self.seen))?;
        self.has_spoken |= 0 < read;
        Poll::Ready(Ok(read))
    }
}

impl Outgoing {
    /// A request for a path and query, with all of its body.
    pub(crate) fn whole(method: &Method, target: &str, lines: &Lines, body: Bytes) -> Outgoing {
        let size = Sized::Known(body.len() as u64);
        let mut head = head::encode(method, target, lines, size);
        let piece = match body.len() <= COPIED {
            true => {
                head.extend_from_slice(&body);
                Bytes::new()
            }
            false => body,
        };
        Outgoing::new(method, head.into(), piece)
    }

    /// A request whose body goes as the client sends it, in chunks where its length is not said.
    pub(crate) fn passing(
        method: &Method,
        target: &str,
        lines: &Lines,
        body: Upload,
        is_chunked: bool,
    ) -> Outgoing {
        let size = if is_chunked { Sized::Chunked } else { Sized::Said };
        let head = head::encode(method, target, lines, size);
        Outgoing {
            passing: Some(body),
            is_chunked,
            ..Outgoing::new(method, head.into(), Bytes::new())
        }
    }

    fn new(method: &Method, head: Bytes, piece: Bytes) -> Outgoing {
        Outgoing {
            method: method.clone(),
            outbox: Outbox { head, piece, tail: Bytes::new() },
            passing: None,
            is_chunked: false,
            needs_flush: true,
        }
    }

    /// The same once more, before any of it was written; `None` if it can be sent only once.
    pub(super) fn again(&self) -> Option<Outgoing> {
        let Outbox { head, piece, .. } = &self.outbox;
        let again = || Outgoing::new(&self.method, head.clone(), piece.clone());
        self.passing.is_none().then(again)
    }

    /// Writes on. Ready when all was written.
    fn poll(&mut self, cx: &mut Context<'_>, stream: &mut Stream) -> Poll<Result<(), Unwritten>> {
        loop {
            ready!(self.outbox.poll_write(cx, stream))?;
            let Some(passing) = &mut self.passing else { break };
            // Small pieces leave before the next is waited for.
            match passing.poll_piece(cx) {
                Poll::Pending => {
                    if self.needs_flush {
                        ready!(Pin::new(stream).poll_flush(cx))?;
                        self.needs_flush = false;
                    }
                    return Poll::Pending;
                }
                Poll::Ready(Some(Err(cut))) => return Poll::Ready(Err(cut.into())),
                Poll::Ready(Some(Ok(piece))) => self.buffer(piece),
                Poll::Ready(None) => {
                    self.passing = None;
                    if self.is_chunked {
                        self.outbox.tail = Bytes::from_static(b"0\r\n\r\n");
                    }
                }
            }
        }
        Pin::new(stream).poll_flush(cx).map_err(Unwritten::Provider)
    }

    fn buffer(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        self.needs_flush = true;
        if self.is_chunked {
            self.outbox.head = format!("{:x}\r\n", piece.len()).into();
            self.outbox.tail = Bytes::from_static(b"\r\n");
        }
        self.outbox.piece = piece;
    }
}

impl Answer {
    /// The next bytes of the body; `None` at its end.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Fault>>> {
        if let Err(cut) = self.write_on(cx) {
            return Poll::Ready(Some(Err(cut.fault())));
        }
        loop {
            match self.framing.take(&mut self.line.seen) {
                Ok(Some(piece)) => {
                    self.let_go();
                    return Poll::Ready(Some(Ok(piece)));
                }
                Ok(None) if self.framing == Framing::Over => return Poll::Ready(None),
                Ok(None) => {}
                Err(_) => return Poll::Ready(Some(Err(Fault::BrokenBody))),
            }
            match ready!(self.line.poll_read(cx)) {
                Ok(1..) => {}
                Ok(0) if self.framing == Framing::UntilClose => {
                    (self.framing, self.keeps_alive) = (Framing::Over, false);
                    return Poll::Ready(None);
                }
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(Fault::BrokenBody))),
            }
        }
    }

    /// Whether the whole body has been taken.
    pub(crate) fn is_over(&self) -> bool {
        self.framing == Framing::Over
    }

    /// The connection, if it may carry another request.
    pub(super) fn into_line(self) -> Option<Line> {
        let Answer { mut line, framing, writing, keeps_alive } = self;
        let is_done = framing == Framing::Over && writing.is_none() && line.seen.is_empty();
        line.seen = BytesMut::new();
        (is_done && keeps_alive).then_some(line)
    }

    /// Writes what is left of the request. A provider that does not take it may answer all the same.
    fn write_on(&mut self, cx: &mut Context<'_>) -> Result<(), CutOff> {
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let Poll::Ready(written) = writing.poll(cx, &mut self.line.stream) else { return Ok(()) };
        self.writing = None;
        self.keeps_alive &= written.is_ok();
        match written {
            Err(Unwritten::Client(cut)) => Err(cut),
            Err(Unwritten::Provider(_)) | Ok(()) => Ok(()),
        }
    }

    /// A connection that waits for the next bytes holds no memory for them.
    fn let_go(&mut self) {
        if self.line.seen.is_empty() {
            self.line.seen = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_connection_is_seen_by_a_task_without_budget() {
        let (near, far) = tokio::io::duplex(64);
        let mut line = Line::new(Stream::Memory(near));
        while tokio::task::coop::has_budget_remaining() {
            let once = std::pin::pin!(tokio::task::coop::consume_budget());
            assert!(once.poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
        assert!(line.is_quiet());
        drop(far);
        assert!(!line.is_quiet());
    }
}
