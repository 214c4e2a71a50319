//! What the client is told: the head of a relayed answer, and errors in the caller's dialect.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, SET_COOKIE};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use scrimp_core::{Call, Dialect, Ending, Family, Fault, Record, Refusal, Span};
use scrimp_wire::meter::Framing;

use super::outbound::strip;
use crate::config::Provider;

const SCRIMP_ID: HeaderName = HeaderName::from_static("x-scrimp-id");
const SCRIMP_COST: HeaderName = HeaderName::from_static("x-scrimp-cost-usd");
const AMAZON_ERROR: HeaderName = HeaderName::from_static("x-amzn-errortype");
/// What policies made of the call.
pub(super) const SCRIMP_REASON: HeaderName = HeaderName::from_static("x-scrimp-reason");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Makes a provider's head the gateway's. `own` was spent here, `waited` for the provider and the
/// client.
pub(super) fn prepare(headers: &mut HeaderMap, call: &Call, own: Span, waited: Span) {
    strip(headers);
    // A provider's cookie would be stored for the gateway's own address, dashboard included.
    headers.remove(SET_COOKIE);
    sign(headers, call);
    let mut timing = Vec::with_capacity(64);
    timing.extend_from_slice(b"provider;dur=");
    put_millis(&mut timing, waited);
    timing.extend_from_slice(b", scrimp;dur=");
    put_millis(&mut timing, own);
    headers.append(SERVER_TIMING, HeaderValue::try_from(timing).expect("digits and names"));
}

/// Milliseconds with three digits after the point. By hand, because this is in every answer's head:
/// a float costs as much to write as all the rest of it, and so did the two by `format!`.
fn put_millis(out: &mut Vec<u8>, span: Span) {
    let micros = u64::try_from(span.nanos()).unwrap_or(0) / 1_000;
    out.extend_from_slice(itoa::Buffer::new().format(micros / 1_000).as_bytes());
    let digit = |place: u64| b'0' + (micros / place % 10) as u8;
    out.extend([b'.', digit(100), digit(10), digit(1)]);
}

/// Names the call.
fn sign(headers: &mut HeaderMap, call: &Call) {
    let id = HeaderValue::from_bytes(&call.id.digits()).expect("hexadecimal digits");
    headers.insert(SCRIMP_ID, id);
}

/// Says what a call cost, if its head has not left before that was known.
pub(super) fn add_cost(headers: &mut HeaderMap, record: &Record) {
    if let Some(cost) = record.cost {
        let cost = cost.spell(HeaderValue::from_str).expect("a decimal number");
        headers.insert(SCRIMP_COST, cost);
    }
}

/// The answer to a call that got none from its provider, in the dialect of its caller.
pub(super) fn failure(record: &Record, dialect: Dialect, provider: &Provider) -> (Parts, Bytes) {
    if let Ending::Refused(refusal) = &record.ending {
        let (status, code, text) = told(refusal, dialect);
        return error(dialect, &record.call, status, code, &text);
    }
    let Ending::Failed { fault } = record.ending else {
        let text = "scrimp: the call ended without an answer";
        return error(dialect, &record.call, 500, "no_answer", text);
    };
    let (status, code, what) = fault_text(fault);
    let text = format!(
        "scrimp: {what} (provider `{}` at {}; call {})",
        provider.name,
        provider.origin.authority.to_str().unwrap_or("?"),
        record.call.id
    );
    let (mut head, body) = error(dialect, &record.call, status, code, &text);
    add_cost(&mut head.headers, record);
    (head, body)
}

/// A whole error in the caller's dialect, of which the call itself may be no part.
pub(super) fn error(
    dialect: Dialect,
    call: &Call,
    status: u16,
    code: &str,
    text: &str,
) -> (Parts, Bytes) {
    let (body, content_type) = scrimp_wire::error_body(dialect, status, code, text);
    let mut head = Response::new(()).into_parts().0;
    head.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Where Amazon's SDKs look first for what went wrong.
    if dialect.family() == Family::Bedrock {
        let kind = HeaderValue::from_static(scrimp_wire::bedrock_type(status));
        head.headers.insert(AMAZON_ERROR, kind);
    }
    sign(&mut head.headers, call);
    (head, body)
}

/// The event that tells a stream's reader that it breaks off here.
pub(super) fn last_words(dialect: Dialect, framing: Framing, fault: Fault) -> Option<Bytes> {
    let (status, code, what) = fault_text(fault);
    let text = format!("scrimp: {what}; the answer is not complete");
    match (framing, dialect) {
        (Framing::Whole, _) | (_, Dialect::Other) => None,
        (Framing::EventStream, _) => Some(scrimp_wire::event_stream_error(status, &text)),
        (Framing::Sse, _) => {
            // The event in which the stream broke is ended first, so that this one is read whole.
            let event = scrimp_wire::sse_error(dialect, status, code, &text);
            Some([b"\n\n", &event[..]].concat().into())
        }
    }
}

/// The status that a fault becomes.
pub(super) fn fault_status(fault: Fault) -> u16 {
    fault_text(fault).0
}

/// The status that a fault becomes, its word for programs, and what happened in words for people.
pub(crate) fn fault_text(fault: Fault) -> (u16, &'static str, &'static str) {
    match fault {
        Fault::Connect => {
            (502, "provider_unreachable", "the provider cannot be reached; check its base_url")
        }
        Fault::ConnectTimeout => {
            (504, "connect_timeout", "the provider did not accept a connection in time")
        }
        Fault::Tls => {
            (502, "provider_tls", "the provider's certificate or TLS version was not accepted")
        }
        Fault::FirstByteTimeout => {
            (504, "first_token_timeout", "the provider did not begin to answer in time")
        }
        Fault::IdleTimeout => {
            (504, "chunk_timeout", "the provider fell silent in the middle of its answer")
        }
        Fault::Reset => {
            (502, "provider_reset", "the provider closed the connection before it answered")
        }
        Fault::BrokenBody => (502, "broken_answer", "the provider's answer broke off"),
        Fault::Protocol => {
            let what = "what the provider sent is not HTTP, or its head is too large";
            (502, "provider_protocol", what)
        }
        Fault::Redirect => {
            let what =
                "the provider answered with a redirect, which is not followed; correct base_url";
            (502, "provider_redirect", what)
        }
        Fault::TooLarge => {
            (413, "too_large", "the body is larger than allowed; raise `body_bytes` in [http]")
        }
        Fault::Proxy => {
            let what =
                "the proxy on the way to the provider cannot be reached or lets nobody through";
            (502, "proxy", what)
        }
        Fault::Cancelled => (502, "cancelled", "the request was cancelled"),
    }
}

/// What a refused caller is told: of a prompt that is too long what its provider would say, since
/// programs know that and make the prompt shorter.
pub(super) fn told(refusal: &Refusal, dialect: Dialect) -> (u16, &'static str, String) {
    let (status, code, text) = refusal_text(refusal);
    let Refusal::InputTooLong { tokens, limit, .. } = refusal else {
        return (status, code, format!("scrimp: {text}"));
    };
    let (code, said) = match dialect.family() {
        Family::Openai | Family::Other => (
            "context_length_exceeded",
            format!(
                "This model's maximum context length is {limit} tokens. However, your messages \
                 resulted in {tokens} tokens. Please reduce the length of the messages."
            ),
        ),
        Family::Anthropic => {
            (code, format!("prompt is too long: {tokens} tokens > {limit} maximum"))
        }
        Family::Gemini => (
            code,
            format!(
                "The input token count ({tokens}) exceeds the maximum number of tokens allowed \
                 ({limit})."
            ),
        ),
        Family::Bedrock => (code, "Input is too long for requested model.".to_owned()),
    };
    (status, code, format!("{said} (scrimp: {text})"))
}

/// The status of a refusal, its word for programs, and its reason in words for people.
pub(crate) fn refusal_text(refusal: &Refusal) -> (u16, &'static str, String) {
    match refusal {
        Refusal::Malformed { why } => (400, "malformed", why.to_string()),
        Refusal::TooLarge { limit } => {
            let why =
                format!("the body is larger than {limit} bytes; raise `body_bytes` in [http]");
            (413, "too_large", why)
        }
        Refusal::BodyTimeout => (408, "body_timeout", "the body did not arrive in time".to_owned()),
        Refusal::NoRoute { what } => {
            (404, "no_route", format!("no provider is configured for {what}"))
        }
        Refusal::NoKey => {
            (401, "no_key", "no key came with the call and none is configured".to_owned())
        }
        Refusal::Stopping => (503, "stopping", "the gateway is stopping; try again".to_owned()),
        Refusal::Overloaded => (503, "overloaded", "too many calls are open; try again".to_owned()),
        Refusal::NoVirtualKey => (401, "no_virtual_key", NO_VIRTUAL_KEY.to_owned()),
        Refusal::UnknownKey => {
            (401, "unknown_key", "this virtual key was never made here".to_owned())
        }
        Refusal::KeyRevoked { key } => {
            (401, "key_revoked", format!("the virtual key {key} was revoked; ask for another"))
        }
        Refusal::KeyExpired { key, at: _ } => {
            (401, "key_expired", format!("the virtual key {key} has expired; ask for another"))
        }
        Refusal::ModelNotAllowed { key, model } if model.is_empty() => {
            let why = format!(
                "the virtual key {key} may call certain models only, and which one this call is \
                 for cannot be told"
            );
            (403, "model_not_allowed", why)
        }
        Refusal::ModelNotAllowed { key, model } => {
            (403, "model_not_allowed", format!("the virtual key {key} may not call `{model}`"))
        }
        Refusal::RouteNotAllowed { provider, route } => {
            let why = format!(
                "`{route}` is not passed on with the key that is configured for `{provider}`; name \
                 it in `routes` of [providers.{provider}] to change that"
            );
            (403, "route_not_allowed", why)
        }
        Refusal::NoWebSocket { provider } => {
            let why = format!(
                "WebSockets (realtime, live) are not carried by this version; let these \
                 connections go to `{provider}` itself, with a key of its own, and calls over HTTP \
                 through the gateway"
            );
            (501, "no_websocket", why)
        }
        Refusal::ForeignPage => (403, "foreign_page", FOREIGN_PAGE.to_owned()),
        Refusal::InputTooLong { tokens, needed, limit } => {
            let stays = match needed < tokens {
                true => format!(", and {needed} that may not be left out"),
                false => String::new(),
            };
            let why = format!(
                "the prompt has {tokens} tokens by estimate{stays}; its token budget allows {limit}"
            );
            (400, "input_too_long", why)
        }
    }
}

const NO_VIRTUAL_KEY: &str = "this gateway is called with a virtual key (sk-scrimp-…) in the place of \
                              the provider's; ask whoever runs it for one";
const FOREIGN_PAGE: &str = "a page of another site is not served with a key that is configured here; let \
                            its server make the call, or give it a virtual key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_milliseconds_with_three_digits_after_the_point() {
        let cases = [(-5, "0.000"), (0, "0.000"), (1_999, "0.001"), (45_678_901, "45.678")];
        for (nanos, expected) in cases {
            let mut out = Vec::new();
            put_millis(&mut out, Span::from_nanos(nanos));
            assert_eq!(out, expected.as_bytes(), "{nanos}");
        }
    }
}
