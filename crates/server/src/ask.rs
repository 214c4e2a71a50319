//! Calls to a model for chores: what the gateway speaks to providers, one call after the other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderName, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Method};
use tokio::time::timeout;

use crate::config::{Config, Provider};
use crate::fetch::{self, FetchError};
use crate::upstream::{Connector, Lines, Outgoing, Pool};

/// A model that has not answered by then will not.
const PATIENCE: Duration = Duration::from_mins(10);
/// An answer is a few kilobytes; a list of vectors a few megabytes.
const MOST_BYTES: usize = 64 << 20;

/// Somebody who answers calls.
pub struct Answerer {
    runtime: tokio::runtime::Runtime,
    config: Config,
    provider: Arc<Provider>,
    pool: Pool,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// When to come back, where that was said in seconds.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answerer {
    /// The one at `origin` (`https://host:port`). `headers` go with every call.
    ///
    /// # Errors
    /// If there is no such address, or what a header says cannot be sent.
    pub fn at(origin: &str, headers: &[(&'static str, String)]) -> Result<Answerer, FetchError> {
        let (config, provider) = fetch::provider(origin)?;
        let header = |(name, value): &(&'static str, String)| {
            let value = HeaderValue::from_str(value).map_err(|_| FetchError::Header(name))?;
            Ok((HeaderName::from_static(name), value))
        };
        let headers = headers.iter().map(header).collect::<Result<_, FetchError>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime of one thread can be made");
        Ok(Answerer { runtime, config, provider, pool: Pool::new(Connector::Network), headers })
    }

    /// Posts JSON to a path and waits for all of the answer, whatever its status.
    ///
    /// # Errors
    /// If no whole answer came.
    pub fn post(&self, path: &str, body: String) -> Result<Answered, FetchError> {
        self.runtime.block_on(async {
            timeout(PATIENCE, self.ask(path, body)).await.unwrap_or(Err(FetchError::TimedOut))
        })
    }

    /// Whether this machine answers.
    pub fn is_here(&self) -> bool {
        self.provider.is_here()
    }

    /// Whether it is asked over TLS.
    pub fn is_private(&self) -> bool {
        self.provider.origin.is_tls
    }

    async fn ask(&self, path: &str, body: String) -> Result<Answered, FetchError> {
        let mut lines = Lines::default();
        lines.push(&HOST, &[self.provider.origin.authority.as_bytes()]);
        lines.push(&USER_AGENT, &[b"scrimp"]);
        lines.push(&CONTENT_TYPE, &[b"application/json"]);
        for (name, value) in &self.headers {
            lines.push(name, &[value.as_bytes()]);
        }
        let request = Outgoing::whole(&Method::POST, path, &lines, Bytes::from(body));
        let host = self.provider.origin.host.to_string();
        let unanswered = |fault| FetchError::Unanswered { host: host.clone(), fault };
        let opened = self.pool.open(&self.provider, &self.config.limits, request).await;
        let opened = opened.map_err(unanswered)?;
        let seconds = opened.head.headers.get(RETRY_AFTER);
        let seconds = seconds.and_then(|seconds| seconds.to_str().ok()?.trim().parse().ok());
        let (status, retry_after) = (opened.head.status.as_u16(), seconds.map(Duration::from_secs));
        let body = fetch::body(opened.answer, MOST_BYTES, unanswered).await?;
        Ok(Answered { status, retry_after, body })
    }
}
