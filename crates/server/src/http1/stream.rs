//! Bytes in and out of a connection.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// What is read at once.
pub(crate) const READ: usize = 64 << 10;
/// A body up to this long is copied behind its head: one plain write costs the kernel less than one
/// that gathers.
pub(crate) const COPIED: usize = 16 << 10;

thread_local! {
    /// Where bytes are read to before it is known how many there are. One for a thread, so that a
    /// connection that waits holds no memory.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// Reads what has come. Returns how much; 0 at the end.
pub(crate) fn poll_read<I: AsyncRead + Unpin>(
    io: &mut I,
    cx: &mut Context<'_>,
    seen: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut read = ReadBuf::new(scratch);
        ready!(Pin::new(io).poll_read(cx, &mut read))?;
        seen.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
}

/// The same where it is known that much will come: right to where it stays.
pub(crate) fn poll_read_much<I: AsyncRead + Unpin>(
    io: &mut I,
    cx: &mut Context<'_>,
    seen: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    seen.reserve(READ);
    std::pin::pin!(io.read_buf(seen)).poll(cx)
}

/// What is to be written: parts that leave one behind the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox<H> {
    pub(crate) head: H,
    pub(crate) piece: Bytes,
    /// Ends the piece, where it is a chunk.
    pub(crate) tail: Bytes,
}

impl<H: Buf> Outbox<H> {
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.head.remaining() + self.piece.len() + self.tail.len()
    }

    /// Writes on. Ready when all was written.
    pub(crate) fn poll_write<I: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut I,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let Outbox { head, piece, tail } = self;
            let is_head_alone = piece.is_empty() && tail.is_empty();
            let parts = [head.chunk(), piece, tail].map(io::IoSlice::new);
            let mut written = ready!(match is_head_alone {
                true => Pin::new(&mut *io).poll_write(cx, head.chunk()),
                false => Pin::new(&mut *io).poll_write_vectored(cx, &parts),
            })?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            written -= advance(head, written);
            written -= advance(piece, written);
            advance(tail, written);
        }
        Poll::Ready(Ok(()))
    }
}

/// Takes off what was written of a part. Returns how much that is.
fn advance(part: &mut impl Buf, written: usize) -> usize {
    let of_it = written.min(part.remaining());
    part.advance(of_it);
    of_it
}
