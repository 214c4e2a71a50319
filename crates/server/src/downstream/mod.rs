//! Connections of clients.
//!
//! HTTP/1.1 is spoken here and not by a library, as it is towards providers: a call whose body came
//! with its head, which is nearly every call, needs no channel and no timer of its own. Its connection
//! is polled when the request has come and when the provider's answer has, and each time once more
//! to write (see [`crate::flight::Carried`]). Dropping it hangs its call up.

mod answer;
mod date;
mod head;
mod incoming;
mod leaving;
mod line;
#[cfg(test)]
mod tests;

use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use incoming::{Cut, Incoming};
pub(crate) use leaving::SocketOf;

use crate::gateway::Gateway;
use line::{Line, Next, NoHead};

/// Serves one connection until it is over, or the gateway stops and nothing is left to be answered.
/// Gives it back if it is to be reset.
pub(crate) async fn serve<I: AsyncRead + AsyncWrite + Unpin>(
    gateway: &Gateway,
    io: I,
    socket_of: SocketOf<I>,
) -> Option<I> {
    let mut line = Line::new(io, socket_of, &gateway.limits());
    let last = loop {
        let next = match line.head(gateway).await {
            Ok(head) => line.exchange(gateway, head).await,
            Err(NoHead::Refused(refused)) => line.refuse(gateway, refused).await,
            Err(NoHead::Over) => Next::Close,
        };
        if next != Next::Again {
            break next;
        }
    };
    line.close(last).await
}
