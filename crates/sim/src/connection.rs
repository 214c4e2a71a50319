//! One connection: hyper's HTTP/1 on top, and underneath the means to break what hyper would
//! never break. An answer that is to end badly asks its [`Line`] to sever the connection; the
//! connection then takes the raw stream back from hyper and does what was asked with it.

use crate::provider::Provider;
use crate::service;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Notify;

/// How a connection is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Severance {
    /// In order, as far as the transport goes.
    Close,
    /// With a reset where the transport knows one.
    Reset,
    /// After these bytes, written as they are.
    Raw {
        bytes: Bytes,
        /// Between two bytes; zero for all at once.
        pace: Duration,
    },
}

/// The way from an answer to its connection.
#[derive(Debug, Default)]
pub(crate) struct Line {
    wish: Mutex<Option<Severance>>,
    asked: Notify,
}

impl Line {
    /// Asks for the end of the connection. What was written before has been handed to the
    /// transport if the caller let one turn of the runtime pass.
    pub(crate) fn sever(&self, how: Severance) {
        *self.wish.lock().expect("no holder panics") = Some(how);
        self.asked.notify_one();
    }

    async fn severed(&self) -> Severance {
        loop {
            self.asked.notified().await;
            if let Some(how) = self.wish.lock().expect("no holder panics").take() {
                return how;
            }
        }
    }
}

/// Serves `io` until it ends. `reset` is how this kind of transport is reset.
pub(crate) async fn serve<T>(provider: Arc<Provider>, io: T, reset: fn(&T))
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let line = Arc::new(Line::default());
    let service = {
        let line = line.clone();
        hyper::service::service_fn(move |request| {
            service::answer(provider.clone(), request, line.clone())
        })
    };
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(io), service);
    let how = tokio::select! {
        biased;
        how = line.severed() => how,
        // A client that goes away in the middle is no error of ours.
        _ = Pin::new(&mut connection) => return,
    };
    let io = connection.into_parts().io.into_inner();
    end(io, how, reset).await;
}

async fn end<T: AsyncWrite + Unpin>(mut io: T, how: Severance, reset: fn(&T)) {
    let ended = match how {
        Severance::Close => io.shutdown().await,
        Severance::Reset => {
            reset(&io);
            Ok(())
        }
        Severance::Raw { bytes, pace } => write_raw(&mut io, &bytes, pace).await,
    };
    // Whoever is at the other end may be gone already, which is as good.
    drop(ended);
}

async fn write_raw<T: AsyncWrite + Unpin>(
    io: &mut T,
    bytes: &[u8],
    pace: Duration,
) -> std::io::Result<()> {
    if pace.is_zero() {
        io.write_all(bytes).await?;
    } else {
        for byte in bytes {
            io.write_all(&[*byte]).await?;
            io.flush().await?;
            tokio::time::sleep(pace).await;
        }
    }
    io.shutdown().await
}
