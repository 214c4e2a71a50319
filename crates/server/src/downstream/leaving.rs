//! Whether a client leaves behind bytes that nobody reads yet.

use std::io::ErrorKind;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::net::TcpStream;

/// The socket below a connection, if it is one of the network.
pub(crate) type SocketOf<I> = fn(&I) -> Option<&TcpStream>;

/// A second look at a socket. It sees an end that has come: one behind more than the system holds for
/// the connection waits at the client's until that is read. The first look's readiness stays as it
/// is: the bytes that wait there would otherwise never be read.
pub(super) struct Watch(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Watch {
    /// `None` if the system has no room for it: the client is then noticed when it is written to.
    pub(super) fn of(socket: &TcpStream) -> Option<Watch> {
        let again = socket.as_fd().try_clone_to_owned().ok()?;
        let again = TcpStream::from_std(again.into()).ok()?;
        Some(Watch(Box::pin(left(again))))
    }

    /// Ready when nothing will come any more behind what has come.
    pub(super) fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

async fn left(socket: TcpStream) {
    while let Ok(ready) = socket.ready(Interest::READABLE).await
        && !ready.is_read_closed()
    {
        // Only what comes anew is to be told.
        let nothing = || Err::<(), _>(ErrorKind::WouldBlock.into());
        socket.try_io(Interest::READABLE, nothing).ok();
    }
}
