//! Requests to providers over kept connections.
//!
//! Each worker has its own connections, so none is ever handed between threads. A connection goes
//! back only after its answer was read to the end; in every other case it is closed at once, which
//! is also how a request is cancelled. Nothing is sent twice, but for one case: a kept connection
//! that proves to have been closed by the provider before any of an answer came is replaced by a
//! fresh one.

mod connect;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use rustc_hash::FxHashMap;
use scrimp_core::Fault;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

pub use connect::{Connector, Dial};

use crate::config::{Limits, Provider};
use connect::{Stream, Trust, trust_for};

/// Kept connections that were idle for longer are closed: providers close theirs unannounced.
const IDLE: Duration = Duration::from_mins(1);
/// Idle connections kept for each provider by each worker.
const KEPT: usize = 512;

/// A request's body.
pub(crate) enum Outgoing {
    /// All of it; nothing once it was written.
    Whole(Option<Bytes>),
    /// As the client sends it.
    Passing(Incoming),
}

/// A connection that carries one request. Closed when dropped.
pub(crate) struct Line {
    sender: SendRequest<Outgoing>,
    /// Held for its end only.
    _connection: Closing,
    idle_since: Instant,
}

/// Ends the task of a connection, and with it the connection.
struct Closing(AbortHandle);

/// The head of an answer, its body to come, and the connection that it comes over.
pub(crate) struct Opened {
    pub(crate) answer: Response<Incoming>,
    pub(crate) line: Line,
}

/// The connections of one worker.
pub(crate) struct Pool {
    connector: Connector,
    kept: Mutex<FxHashMap<Arc<str>, Kept>>,
}

/// Connections to one provider. They belong to its configuration and are dropped with it.
struct Kept {
    provider: Arc<Provider>,
    trust: Trust,
    idle: Vec<Line>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Pool {
    pub(crate) fn new(connector: Connector) -> Pool {
        Pool { connector, kept: Mutex::default() }
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Sends a request whose body can be sent again.
    pub(crate) async fn open(
        &self,
        provider: &Arc<Provider>,
        limits: &Limits,
        head: Request<()>,
        body: Bytes,
    ) -> Result<Opened, Fault> {
        let (parts, ()) = head.into_parts();
        if let Some(line) = self.idle_line(provider) {
            let again = parts.clone();
            let whole = Outgoing::Whole(Some(body.clone()));
            match exchange(line, Request::from_parts(parts, whole)).await {
                Err(error) if is_dead(&error) => {
                    let whole = Outgoing::Whole(Some(body));
                    let request = Request::from_parts(again, whole);
                    return self.open_fresh(provider, limits, request).await;
                }
                result => return result.map_err(|error| fault_of(&error)),
            }
        }
        let request = Request::from_parts(parts, Outgoing::Whole(Some(body)));
        self.open_fresh(provider, limits, request).await
    }

    /// Sends a request over a connection of its own.
    pub(crate) async fn open_fresh(
        &self,
        provider: &Arc<Provider>,
        limits: &Limits,
        request: Request<Outgoing>,
    ) -> Result<Opened, Fault> {
        let line = timeout(limits.connect_timeout, self.connect(provider, limits)).await;
        let line = line.map_err(|_| Fault::ConnectTimeout)??;
        exchange(line, request).await.map_err(|error| fault_of(&error))
    }

    /// Keeps a connection whose answer was read to the end.
    pub(crate) fn keep(&self, provider: &Arc<Provider>, mut line: Line) {
        line.idle_since = Instant::now();
        let mut all = self.kept.lock().expect("nothing here panics");
        let kept = all.get_mut(&provider.name).filter(|k| Arc::ptr_eq(&k.provider, provider));
        if let Some(kept) = kept.filter(|kept| kept.idle.len() < KEPT)
            && !line.sender.is_closed()
        {
            kept.idle.push(line);
        }
    }

    /// The connection used last, so that the others may grow old and go.
    fn idle_line(&self, provider: &Arc<Provider>) -> Option<Line> {
        let mut all = self.kept.lock().expect("nothing here panics");
        let kept = all.get_mut(&provider.name)?;
        if !Arc::ptr_eq(&kept.provider, provider) {
            all.remove(&provider.name);
            return None;
        }
        let now = Instant::now();
        if kept.idle.first().is_some_and(|line| line.is_stale(now)) {
            kept.idle.retain(|line| !line.is_stale(now));
        }
        let ready = kept.idle.iter().rposition(|line| line.sender.is_ready())?;
        Some(kept.idle.remove(ready))
    }

    async fn connect(&self, provider: &Arc<Provider>, limits: &Limits) -> Result<Line, Fault> {
        let trust = self.trust(provider);
        let stream = self.connector.connect(&provider.origin, &trust).await?;
        handshake(stream, limits).await
    }

    fn trust(&self, provider: &Arc<Provider>) -> Trust {
        let mut all = self.kept.lock().expect("nothing here panics");
        let fresh =
            || Kept { provider: provider.clone(), trust: trust_for(provider), idle: Vec::new() };
        let kept = all.entry(provider.name.clone()).or_insert_with(fresh);
        if !Arc::ptr_eq(&kept.provider, provider) {
            *kept = fresh();
        }
        kept.trust.clone()
    }
}

impl Line {
    fn is_stale(&self, now: Instant) -> bool {
        self.sender.is_closed() || IDLE < now.saturating_duration_since(self.idle_since)
    }
}

async fn handshake(stream: Stream, limits: &Limits) -> Result<Line, Fault> {
    let shaken = Builder::new()
        .max_buf_size(limits.header_bytes)
        .handshake::<_, Outgoing>(TokioIo::new(stream))
        .await;
    let (sender, connection) = shaken.map_err(|_| Fault::Connect)?;
    // What goes wrong on the connection comes out at the request that it carries.
    let task = tokio::spawn(async move { connection.await.unwrap_or_default() });
    let connection = Closing(task.abort_handle());
    Ok(Line { sender, _connection: connection, idle_since: Instant::now() })
}

async fn exchange(mut line: Line, request: Request<Outgoing>) -> Result<Opened, hyper::Error> {
    let answer = line.sender.send_request(request).await?;
    Ok(Opened { answer, line })
}

/// Whether a kept connection had been closed by the provider before it answered.
fn is_dead(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    let is_io = source.is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    error.is_canceled() || error.is_closed() || error.is_incomplete_message() || is_io
}

fn fault_of(error: &hyper::Error) -> Fault {
    match error.is_parse() || error.is_parse_too_large() {
        true => Fault::Protocol,
        false => Fault::Reset,
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Outgoing::Whole(body) => {
                let rest = body.take().filter(|bytes| !bytes.is_empty());
                Poll::Ready(rest.map(|bytes| Ok(Frame::data(bytes))))
            }
            Outgoing::Passing(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Whole(body) => body.as_ref().is_none_or(Bytes::is_empty),
            Outgoing::Passing(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Whole(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Outgoing::Passing(body) => body.size_hint(),
        }
    }
}
