//! Requests to providers over kept connections.
//!
//! Each worker has its own connections, so none is ever handed between threads. A connection goes
//! back only after its answer was read to the end; in every other case it is closed at once, which
//! is also how a request is cancelled. Nothing is sent twice, but for one case: a kept connection
//! that proves to have been closed by the provider before any of an answer came is replaced by a
//! fresh one.

mod connect;
mod head;
mod line;
mod signature;
mod upload;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::response::Parts;
use rustc_hash::FxHashMap;
use scrimp_core::Fault;
use tokio::time::{Instant, timeout};

pub use connect::{Connector, Dial};
pub(crate) use connect::{Stage, check_certificates, probe, read_authorities, system_roots};
pub(crate) use head::Lines;
pub(crate) use line::{Answer, Outgoing};
pub(crate) use signature::{Unsigned, signed};
pub(crate) use upload::Upload;

use crate::config::{Config, Limits, Provider};
use connect::Trust;
use line::{Line, Unanswered};

/// Kept connections that were idle for longer are closed: providers close theirs unannounced.
/// [`Pool::sweep`] looks.
const IDLE: Duration = Duration::from_mins(1);
/// Idle connections kept for each provider by each worker.
const KEPT: usize = 512;
/// A kept connection that the provider had closed says so within a round trip. One that is closed
/// later was closed while the provider, or somebody before it, was at work on the request, which may
/// not be sent twice.
const STALE_WITHIN: Duration = Duration::from_secs(1);

/// The head of an answer, and its body to come.
pub(crate) struct Opened {
    pub(crate) head: Parts,
    pub(crate) answer: Answer,
}

/// The connections of one worker.
pub(crate) struct Pool {
    connector: Connector,
    kept: Mutex<FxHashMap<Arc<str>, Kept>>,
}

/// Connections to one provider. They belong to its configuration and are dropped with it.
struct Kept {
    provider: Arc<Provider>,
    /// `None` where TLS is not spoken.
    trust: Option<Trust>,
    idle: Vec<Line>,
}

impl Pool {
    pub(crate) fn new(connector: Connector) -> Pool {
        Pool { connector, kept: Mutex::default() }
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Sends a request. One that can be sent only once goes over a connection of its own.
    pub(crate) async fn open(
        &self,
        provider: &Arc<Provider>,
        limits: &Limits,
        mut request: Outgoing,
    ) -> Result<Opened, Fault> {
        if let Some(again) = request.again()
            && let Some(line) = self.idle_line(provider)
        {
            let sent = Instant::now();
            match line.exchange(request, limits.header_bytes).await {
                Err(Unanswered { is_silent: true, .. }) if sent.elapsed() < STALE_WITHIN => {}
                result => return opened(result),
            }
            request = again;
        }
        let line = timeout(limits.connect_timeout, self.connect(provider)).await;
        let line = line.map_err(|_| Fault::ConnectTimeout)??;
        opened(line.exchange(request, limits.header_bytes).await)
    }

    /// Keeps the connection of an answer that was read to its end, if it may be used again.
    pub(crate) fn keep(&self, provider: &Arc<Provider>, answer: Answer) {
        let Some(mut line) = answer.into_line() else { return };
        line.idle_since = Instant::now();
        let mut all = self.kept.lock().expect("nothing here panics");
        let kept = all.get_mut(&provider.name).filter(|k| Arc::ptr_eq(&k.provider, provider));
        if let Some(kept) = kept.filter(|kept| kept.idle.len() < KEPT) {
            kept.idle.push(line);
        }
    }

    /// Closes connections that were idle for too long or that the provider has closed, and those to
    /// providers that are configured no more.
    pub(crate) fn sweep(&self, config: &Config) {
        let now = Instant::now();
        let mut all = self.kept.lock().expect("nothing here panics");
        all.retain(|name, kept| {
            let is_fresh = |line: &Line| now.saturating_duration_since(line.idle_since) <= IDLE;
            kept.idle.retain_mut(|line| is_fresh(line) && line.is_quiet());
            config.providers.get(name).is_some_and(|provider| Arc::ptr_eq(provider, &kept.provider))
        });
    }

    /// The connection used last, so that the others may grow old and go.
    fn idle_line(&self, provider: &Arc<Provider>) -> Option<Line> {
        let mut all = self.kept.lock().expect("nothing here panics");
        let kept = all.get_mut(&provider.name)?;
        if !Arc::ptr_eq(&kept.provider, provider) {
            all.remove(&provider.name);
            return None;
        }
        while let Some(mut line) = kept.idle.pop() {
            if line.is_quiet() {
                return Some(line);
            }
        }
        None
    }

    #[cfg(test)]
    pub(crate) fn idle_lines(&self) -> usize {
        self.kept.lock().expect("nothing here panics").values().map(|kept| kept.idle.len()).sum()
    }

    async fn connect(&self, provider: &Arc<Provider>) -> Result<Line, Fault> {
        let trust = self.trust(provider);
        self.connector.connect(provider, trust).await.map(Line::new)
    }

    fn trust(&self, provider: &Arc<Provider>) -> Option<Trust> {
        let mut all = self.kept.lock().expect("nothing here panics");
        let fresh = || {
            let trust = self.connector.trust(provider);
            Kept { provider: provider.clone(), trust, idle: Vec::new() }
        };
        let kept = all.entry(provider.name.clone()).or_insert_with(fresh);
        if !Arc::ptr_eq(&kept.provider, provider) {
            *kept = fresh();
        }
        kept.trust.clone()
    }
}

fn opened(result: Result<(Parts, Answer), Unanswered>) -> Result<Opened, Fault> {
    match result {
        Ok((head, answer)) => Ok(Opened { head, answer }),
        Err(Unanswered { fault, .. }) => Err(fault),
    }
}
