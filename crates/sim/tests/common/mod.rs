//! How the tests of this crate speak to a provider: over a pipe, one request each.
#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses its own part")]

use bytes::Bytes;
use scrimp_sim::workload::{Exchange, Request, exchange};
use scrimp_sim::{Api, Provider};
use serde_json::Value;
use std::sync::Arc;

/// A request of `body` in the dialect of `api`.
pub(crate) fn request(api: Api, body: &Value, headers: &[(&str, &str)]) -> Request {
    let own = match api {
        Api::OpenAi => vec![("authorization", "Bearer sk-test")],
        Api::Anthropic => vec![("x-api-key", "sk-test"), ("anthropic-version", "2023-06-01")],
    };
    let path = match api {
        Api::OpenAi => "/v1/chat/completions",
        Api::Anthropic => "/v1/messages",
    };
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Request {
        api,
        path: path.to_owned(),
        headers: own.iter().chain(headers).map(pair).collect(),
        body: Bytes::from(body.to_string()),
    }
}

/// Sends a request to `provider` over a pipe of its own.
pub(crate) async fn send(provider: &Arc<Provider>, request: &Request) -> Exchange {
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::spawn(provider.clone().serve(far));
    exchange(near, request, None).await
}

/// The JSON of an answer.
pub(crate) fn json(exchange: &Exchange) -> Value {
    serde_json::from_slice(&exchange.body)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&exchange.body)))
}
