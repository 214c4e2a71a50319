//! Whether a client leaves behind bytes that nobody reads yet.

use std::os::fd::{AsFd as _, OwnedFd};
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;

/// The socket below a connection, if it is one of the network.
pub(crate) type SocketOf<I> = fn(&I) -> Option<&TcpStream>;

/// A second look at a socket. It sees an end that has come: one behind more than the system holds for
/// the connection waits at the client's until that is read. The first look's readiness stays as it is: the bytes that wait there
/// would otherwise never be read.
pub(super) struct Watch(AsyncFd<OwnedFd>);

impl Watch {
    /// `None` if the system has no room for it: the client is then noticed when it is written to.
    pub(super) fn of(socket: &TcpStream) -> Option<Watch> {
        let again = socket.as_fd().try_clone_to_owned().ok()?;
        AsyncFd::with_interest(again, Interest::READABLE).ok().map(Watch)
    }

    /// Ready when nothing will come any more behind what has come.
    pub(super) fn poll_left(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match ready!(self.0.poll_read_ready(cx)) {
                Ok(mut guard) if !guard.ready().is_read_closed() => guard.clear_ready(),
                Ok(_) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}
