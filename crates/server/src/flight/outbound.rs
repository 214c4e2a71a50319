//! A call on its way out: the head that the provider sees, the body, the edits.

use std::pin::Pin;
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use scrimp_core::policy::prompt_cache::Edit;
use scrimp_core::policy::shaping::{Plan, ShapedBlock};
use scrimp_core::policy::token_budget::{Chunks, Trim};
use scrimp_core::{Call, Delivery, Dialect, Family, Fault};
use scrimp_wire::Key;
use scrimp_wire::dialect::OutputWord;

use super::body::{Body, Remade};
use crate::config::{Metering, Provider, Speaks, StoredKey};
use crate::gateway::Gateway;
use crate::running::Running;
use crate::upstream::{Lines, Opened, Outgoing, Unsigned, Upload, signed};

/// What is needed to send a call, once or again.
pub(crate) struct Outbound {
    provider: Arc<Provider>,
    method: Method,
    /// The provider's path and query.
    target: String,
    lines: Lines,
    /// The client says how long its body is.
    is_length_said: bool,
    body: Body,
    remade: Remade,
    /// The name that the provider knows the model by, where the client used another.
    renamed: Option<Arc<str>>,
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

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// Whether a header must not pass in either direction: it is about one connection and never about
/// the call, or it is Scrimp's own.
/// Source: RFC 9110 §7.6.1, and what clients send beside it.
fn stays_here(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "keep-alive"
            | "proxy-connection"
            | "http2-settings"
    ) || name.starts_with("x-scrimp-")
}

/// Whether a header shows who its caller is to a provider: a key, or a part of a signature.
fn is_a_credential(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "x-api-key"
            | "x-goog-api-key"
            | "api-key"
            | "x-amz-date"
            | "x-amz-security-token"
            | "x-amz-content-sha256"
    )
}

/// What the `connection` header says is about the connection, too.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        // Framing is the connection's own affair on either side.
        .filter(|name| *name != CONTENT_LENGTH && *name != HOST)
        .collect()
}

/// Takes away what must not pass.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named = named_by_connection(headers);
    let gone = headers.keys().filter(|name| stays_here(name.as_str())).cloned();
    let gone = gone.chain(named).collect::<Vec<_>>();
    for name in gone {
        headers.remove(name);
    }
}

/// The headers that the provider sees: the client's own in their order, but for those that are about
/// the connection to it and those that are written anew.
fn lines(headers: &HeaderMap, provider: &Provider, body: &Body, call: &Call) -> Lines {
    let is_whole = matches!(body, Body::Read(..) | Body::Opaque(_));
    let coding = accepted(headers, call.delivery).filter(|_| is_whole);
    let has_stored_key = provider.stored_key.is_some();
    let named = named_by_connection(headers);
    let mut lines = Lines::default();
    lines.push(&HOST, &[provider.origin.authority.as_bytes()]);
    for (name, value) in headers {
        let text = name.as_str();
        let is_left_out = match text {
            "host" | "cookie" | "expect" => true,
            // It may change with an edit, and is written anew from the body itself.
            "content-length" => is_whole,
            "accept-encoding" => coding.is_some(),
            _ => stays_here(text) || has_stored_key && is_a_credential(text),
        };
        if !is_left_out && !named.contains(name) {
            lines.push(name, &[value.as_bytes()]);
        }
    }
    if let Some(coding) = coding {
        lines.push(&ACCEPT_ENCODING, &[coding.as_bytes()]);
    }
    // A stored key takes the place of the caller's; without one the caller's goes through. What is
    // signed is signed when it departs.
    if let Some(StoredKey::Sent(key)) = &provider.stored_key {
        let credential = key.reveal().as_bytes();
        match speaks_to(provider, call.dialect) {
            Speaks::Anthropic => lines.push(&X_API_KEY, &[credential]),
            Speaks::Azure => lines.push(&API_KEY, &[credential]),
            Speaks::Gemini => lines.push(&X_GOOG_API_KEY, &[credential]),
            Speaks::Openai | Speaks::Bedrock => {
                lines.push(&AUTHORIZATION, &[b"Bearer ", credential]);
            }
        }
    }
    lines
}

impl Outbound {
    /// `headers` are the client's own; `target` is the provider's path and query.
    pub(crate) fn new(
        provider: Arc<Provider>,
        method: Method,
        target: String,
        headers: &HeaderMap,
        body: Body,
        renamed: Option<Arc<str>>,
        call: &Call,
    ) -> Outbound {
        let lines = lines(headers, &provider, &body, call);
        let is_length_said = headers.contains_key(CONTENT_LENGTH);
        let remade = Remade::default();
        Outbound { provider, method, target, lines, is_length_said, body, remade, renamed }
    }

    /// The provider that the call goes to.
    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Lets go of what was only needed to send.
    pub(crate) fn let_go(&mut self) {
        self.body = Body::Gone;
        self.lines = Lines::default();
    }

    /// What policies made of the call, for its client.
    pub(super) fn reason(&self) -> Option<HeaderValue> {
        self.remade.reason()
    }

    /// Shapes the body.
    pub(super) fn shape(
        &mut self,
        call: &Call,
        plan: Plan,
        key: &Key,
    ) -> (Vec<ShapedBlock>, Vec<ShapedBlock>) {
        self.remade.shape(&mut self.body, call, plan, key)
    }

    /// Ranks chunks of the body.
    pub(super) fn rank(&self, call: &Call, chunks: &Chunks) -> Vec<u32> {
        self.remade.rank(&self.body, call, chunks)
    }

    /// Trims the body.
    pub(super) fn trim(&mut self, call: &Call, trim: &Trim, key: &Key) -> Option<u64> {
        let is_newer =
            &*self.provider.prices_as == "openai" || self.provider.speaks == Speaks::Azure;
        let word = if is_newer { OutputWord::Newer } else { OutputWord::Older };
        self.remade.trim(&mut self.body, call, trim, word, key)
    }

    /// Begins a request.
    pub(crate) fn depart(
        &mut self,
        gateway: &Gateway,
        running: &Running,
        call: &Call,
        edits: &[Edit],
    ) -> Sending {
        let hides_usage = !running.policies.is_bypassed && self.asks_for_usage(call);
        let (provider, limits) = (self.provider.clone(), running.config.limits);
        let body = self.body.edited(call.dialect, edits, hides_usage, self.renamed.as_ref());
        let Outbound { method, target, lines, is_length_said, .. } = self;
        let request = match body {
            Body::Read(body, _) | Body::Opaque(body) => Some(match &provider.stored_key {
                Some(StoredKey::Signing(key)) => {
                    let request = Unsigned { method, target, lines, body: &body };
                    let lines = signed(&request, key, gateway.shared().clock.now());
                    Outgoing::whole(method, target, &lines, body)
                }
                Some(StoredKey::Sent(_)) | None => Outgoing::whole(method, target, lines, body),
            }),
            Body::Passing(body) => {
                let body = Upload::new(body, limits.body_bytes);
                Some(Outgoing::passing(method, target, lines, body, !*is_length_said))
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
}

/// Answers are metered as they pass, so they may come only in encodings that can be read. Streams
/// come plain: compressing single events saves nothing and delays them. `None` where the client says
/// nothing.
fn accepted(headers: &HeaderMap, delivery: Delivery) -> Option<&'static str> {
    let mut asked = headers.get_all(ACCEPT_ENCODING).iter().peekable();
    asked.peek()?;
    let mut codings =
        asked.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let is_gzip = delivery == Delivery::Whole && codings.any(|coding| coding.trim() == "gzip");
    Some(if is_gzip { "gzip" } else { "identity" })
}

/// By whose rules a key is sent.
fn speaks_to(provider: &Provider, dialect: Dialect) -> Speaks {
    match dialect.family() {
        // Claude behind Bedrock's paths speaks Anthropic's dialect, and takes Bedrock's keys.
        _ if provider.speaks == Speaks::Bedrock => Speaks::Bedrock,
        Family::Openai if provider.speaks == Speaks::Azure => Speaks::Azure,
        Family::Openai => Speaks::Openai,
        Family::Anthropic => Speaks::Anthropic,
        Family::Gemini => Speaks::Gemini,
        Family::Bedrock | Family::Other => provider.speaks,
    }
}
