//! A call on its way out: the head that the provider sees, the body, the edits.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method};
use hyper::body::Incoming;
use scrimp_core::policy::prompt_cache::Edit;
use scrimp_core::{Call, Delivery, Dialect, Family, Fault};
use scrimp_wire::dialect::{Layout, WireEdit, edit};

use crate::config::{Metering, Provider, Speaks};
use crate::gateway::Gateway;
use crate::running::Running;
use crate::upstream::{Opened, Outgoing, Upload};

/// What is needed to send a call, once or again.
pub(crate) struct Outbound {
    provider: Arc<Provider>,
    method: Method,
    /// The provider's path and query.
    target: String,
    headers: HeaderMap,
    body: Body,
    /// The name that the provider knows the model by, where the client used another.
    renamed: Option<Arc<str>>,
}

pub(crate) enum Body {
    /// Read as a whole, with the places that edits may touch.
    Read(Bytes, Box<Layout>),
    /// Whole, and never edited.
    Opaque(Bytes),
    /// Goes through as it comes, once.
    Passing(Incoming),
    /// No longer needed.
    Gone,
}

/// A request under way.
pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<Opened, Fault>> + Send>>;

/// A request about to be made.
pub(crate) struct Sending {
    pub(crate) opening: Opening,
    pub(crate) provider: Arc<Provider>,
    /// The stream's usage was asked for by us, and has to be taken out of the answer.
    pub(crate) hides_usage: bool,
    /// It runs no model.
    pub(crate) is_free: bool,
}

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// Headers that are about one connection and never about the call.
/// Source: RFC 9110 §7.6.1, and what clients send beside it.
pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(*name, CONNECTION | TE | TRAILER | TRANSFER_ENCODING | UPGRADE | PROXY_AUTHENTICATE)
        || matches!(*name, PROXY_AUTHORIZATION)
        || *name == KEEP_ALIVE
        || *name == PROXY_CONNECTION
        || *name == HTTP2_SETTINGS
}

/// Takes away what must not pass in either direction: what is about the connection, what the
/// `connection` header says is about it, and Scrimp's own.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        // Framing is the connection's own affair on either side.
        .filter(|name| *name != CONTENT_LENGTH && *name != HOST)
        .collect::<Vec<_>>();
    let is_own = |name: &HeaderName| name.as_str().starts_with("x-scrimp-");
    let gone = headers.keys().filter(|name| is_hop_by_hop(name) || is_own(name)).cloned();
    let gone = gone.chain(named).collect::<Vec<_>>();
    for name in gone {
        headers.remove(name);
    }
}

impl Outbound {
    /// `headers` are the client's own; `target` is the provider's path and query.
    pub(crate) fn new(
        provider: Arc<Provider>,
        method: Method,
        target: String,
        mut headers: HeaderMap,
        body: Body,
        renamed: Option<Arc<str>>,
        call: &Call,
    ) -> Outbound {
        strip(&mut headers);
        headers.remove(COOKIE);
        headers.remove(EXPECT);
        headers.insert(HOST, provider.origin.authority.clone());
        if let Body::Read(..) | Body::Opaque(_) = body {
            // The length may change with an edit; it is written anew from the body itself.
            headers.remove(CONTENT_LENGTH);
            accept_what_can_be_metered(&mut headers, call.delivery);
        }
        authorize(&mut headers, &provider, call.dialect);
        Outbound { provider, method, target, headers, body, renamed }
    }

    /// The provider that the call goes to.
    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Lets go of what was only needed to send.
    pub(crate) fn let_go(&mut self) {
        self.body = Body::Gone;
        self.headers = HeaderMap::new();
    }

    /// Begins a request.
    pub(crate) fn depart(
        &mut self,
        gateway: &Gateway,
        running: &Running,
        call: &Call,
        edits: &[Edit],
    ) -> Sending {
        let hides_usage = self.asks_for_usage(call);
        let (provider, limits) = (self.provider.clone(), running.config.limits);
        let body = self.body(call.dialect, edits, hides_usage);
        let Outbound { method, target, headers, .. } = self;
        let request = match body {
            Body::Read(body, _) | Body::Opaque(body) => {
                Some(Outgoing::whole(method, target, headers, body))
            }
            Body::Passing(body) => {
                let body = Upload::new(body, limits.body_bytes);
                Some(Outgoing::passing(method, target, headers, body))
            }
            Body::Gone => None,
        };
        let (pool, to) = (gateway.pool().clone(), provider.clone());
        let opening: Opening =
            Box::pin(
                async move { pool.open(&to, &limits, request.ok_or(Fault::Cancelled)?).await },
            );
        let is_free =
            matches!(self.method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS);
        Sending { opening, provider, hides_usage, is_free }
    }

    fn asks_for_usage(&self, call: &Call) -> bool {
        matches!(call.dialect, Dialect::OpenaiChat | Dialect::OpenaiCompletions)
            && call.delivery == Delivery::Stream
            && !call.parameters.usage_in_stream
            && self.provider.metering == Metering::Active
            && matches!(self.body, Body::Read(..))
    }

    /// The body to send, edited. What cannot be edited goes as the client sent it.
    fn body(&mut self, dialect: Dialect, edits: &[Edit], hides_usage: bool) -> Body {
        match &self.body {
            Body::Read(body, layout) => {
                let own = hides_usage.then_some(WireEdit::IncludeUsage);
                let renamed = self.renamed.clone().map(WireEdit::Model);
                let own = own.into_iter().chain(renamed).collect::<Vec<_>>();
                let all = edits.iter().copied().map(WireEdit::Policy).chain(own.iter().cloned());
                let all = all.collect::<Vec<_>>();
                let edited = edit(body, dialect, layout, &all)
                    .or_else(|_| edit(body, dialect, layout, &own))
                    .unwrap_or_else(|_| body.clone());
                Body::Opaque(edited)
            }
            Body::Opaque(body) => Body::Opaque(body.clone()),
            Body::Passing(_) | Body::Gone => std::mem::replace(&mut self.body, Body::Gone),
        }
    }
}

/// Answers are metered as they pass, so they may come only in encodings that can be read. Streams
/// come plain: compressing single events saves nothing and delays them.
fn accept_what_can_be_metered(headers: &mut HeaderMap, delivery: Delivery) {
    let accepts_gzip = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim() == "gzip");
    let value = match (headers.contains_key(ACCEPT_ENCODING), delivery) {
        (false, _) => return,
        (true, Delivery::Whole) if accepts_gzip => HeaderValue::from_static("gzip"),
        (true, _) => HeaderValue::from_static("identity"),
    };
    headers.insert(ACCEPT_ENCODING, value);
}

/// Puts the configured key in the place of the caller's. Without one the caller's goes through.
fn authorize(headers: &mut HeaderMap, provider: &Provider, dialect: Dialect) {
    let Some(key) = &provider.api_key else { return };
    for name in [AUTHORIZATION, X_API_KEY, X_GOOG_API_KEY, API_KEY] {
        headers.remove(name);
    }
    let speaks = match dialect.family() {
        // Claude behind Bedrock's paths speaks Anthropic's dialect, and takes Bedrock's keys.
        _ if provider.speaks == Speaks::Bedrock => Speaks::Bedrock,
        Family::Openai if provider.speaks == Speaks::Azure => Speaks::Azure,
        Family::Openai => Speaks::Openai,
        Family::Anthropic => Speaks::Anthropic,
        Family::Gemini => Speaks::Gemini,
        Family::Bedrock | Family::Other => provider.speaks,
    };
    let (name, value) = match speaks {
        Speaks::Anthropic => (X_API_KEY, HeaderValue::from_str(key.reveal())),
        Speaks::Azure => (API_KEY, HeaderValue::from_str(key.reveal())),
        Speaks::Gemini => (X_GOOG_API_KEY, HeaderValue::from_str(key.reveal())),
        Speaks::Openai | Speaks::Bedrock => {
            (AUTHORIZATION, HeaderValue::try_from(format!("Bearer {}", key.reveal())))
        }
    };
    let mut value = value.expect("a configured key is printable");
    value.set_sensitive(true);
    headers.insert(name, value);
}
