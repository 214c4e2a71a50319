//! One file from the web, for chores: what the gateway speaks to providers, used once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{Method, StatusCode};
use scrimp_core::Fault;
use tokio::time::timeout;

use crate::config::{Config, ConfigError, Provider};
use crate::upstream::{Answer, Connector, Lines, Outgoing, Pool};

/// Everything must have come by then.
const PATIENCE: Duration = Duration::from_mins(2);

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not an address that is fetched from.
    #[error("`{0}` is no https:// address")]
    NotHttps(String),
    /// The host's name makes no sense.
    #[error(transparent)]
    Host(#[from] ConfigError),
    /// No answer, or not a whole one.
    #[error("{host} did not answer: {fault:?}")]
    Unanswered {
        /// Who was asked.
        host: String,
        /// What went wrong.
        fault: Fault,
    },
    /// Something else was answered. Redirects are not followed.
    #[error("{host} answered {status}{}", redirected(.to.as_deref()))]
    Status {
        /// Who was asked.
        host: String,
        /// What it said.
        status: StatusCode,
        /// Where it points.
        to: Option<String>,
    },
    /// More than was asked for.
    #[error("the file is larger than {most} bytes")]
    TooLarge {
        /// The limit.
        most: usize,
    },
    /// A header that cannot be sent, such as a key with a line break in it.
    #[error("what `{0}` is to say cannot be sent")]
    Header(&'static str),
    /// It took too long.
    #[error("the file did not come in time")]
    TimedOut,
}

fn redirected(to: Option<&str>) -> String {
    to.map(|to| format!(": fetch it from {to} if you trust that")).unwrap_or_default()
}

/// Gets a file of at most `most` bytes over HTTPS; plain HTTP only from this machine.
///
/// # Errors
/// If it does not come whole.
pub fn fetch(url: &str, most: usize) -> Result<Vec<u8>, FetchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime of one thread can be made");
    runtime.block_on(async {
        timeout(PATIENCE, get(url, most)).await.unwrap_or(Err(FetchError::TimedOut))
    })
}

async fn get(url: &str, most: usize) -> Result<Vec<u8>, FetchError> {
    let rest = url.find("://").map_or(0, |at| at + 3);
    let (origin, path) = url[rest..].find('/').map_or((url, "/"), |at| url.split_at(rest + at));
    let (scheme, host) = origin.split_once("://").unwrap_or(("", origin));
    let is_here = ["127.0.0.1", "localhost", "[::1]"].iter().any(|here| host.starts_with(here));
    if !(scheme == "https" || scheme == "http" && is_here) {
        return Err(FetchError::NotHttps(url.to_owned()));
    }
    let (config, provider) = provider(origin)?;
    let mut lines = Lines::default();
    lines.push(&HOST, &[provider.origin.authority.as_bytes()]);
    lines.push(&USER_AGENT, &[b"scrimp"]);
    lines.push(&ACCEPT, &[b"*/*"]);
    let path = path.split('#').next().unwrap_or(path);
    let request = Outgoing::whole(&Method::GET, path, &lines, Bytes::new());
    let unanswered = |fault| FetchError::Unanswered { host: host.to_owned(), fault };
    let pool = Pool::new(Connector::Network);
    let opened = pool.open(&provider, &config.limits, request).await.map_err(unanswered)?;
    if opened.head.status != StatusCode::OK {
        let to = opened.head.headers.get(http::header::LOCATION);
        let to = to.and_then(|to| to.to_str().ok()).map(str::to_owned);
        return Err(FetchError::Status { host: host.to_owned(), status: opened.head.status, to });
    }
    body(opened.answer, most, unanswered).await
}

/// Who answers at `origin`, and how long it may take.
pub(crate) fn provider(origin: &str) -> Result<(Config, Arc<Provider>), FetchError> {
    let not_https = || FetchError::NotHttps(origin.to_owned());
    let (_, host) = origin.split_once("://").ok_or_else(not_https)?;
    if host.is_empty() || host.contains(['"', '\\', '@', '/']) {
        return Err(not_https());
    }
    let text = format!("[providers.list]\nbase_url = \"{origin}\"\n");
    let config = Config::parse("the address", &text, None, &|name| std::env::var(name).ok())?;
    let provider = config.providers.get("list").ok_or_else(not_https)?.clone();
    Ok((config, provider))
}

pub(crate) async fn body(
    mut answer: Answer,
    most: usize,
    unanswered: impl Fn(Fault) -> FetchError,
) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    while let Some(piece) = std::future::poll_fn(|cx| answer.poll_piece(cx)).await {
        bytes.extend_from_slice(&piece.map_err(&unanswered)?);
        if most < bytes.len() {
            return Err(FetchError::TooLarge { most });
        }
    }
    Ok(bytes)
}
