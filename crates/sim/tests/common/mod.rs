//! How the tests of this crate speak to a provider: over a pipe, one request each.
#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses its own part")]

use bytes::Bytes;
use scrimp_sim::workload::{Exchange, Request, exchange};
use scrimp_sim::{Api, Provider};
use serde_json::{Value, json};
use std::fmt::Write as _;
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

/// Blocks of a message: `SIZE[:WORD][*s|*l]`, tokens of text made of a word, with a short or long
/// mark. Three tokens (Anthropic) or four (`OpenAI`) of frame come with each message.
fn blocks(api: Api, spec: &str) -> Value {
    let block = |spec: &str| {
        let (text, mark) =
            spec.split_once('*').map_or((spec, None), |(text, mark)| (text, Some(mark)));
        let (size, word) = text.split_once(':').unwrap_or((text, "alpha"));
        let text = format!("{word} ").repeat(size.parse().expect("a size"));
        let mut block = json!({"type": "text", "text": text});
        let (name, mark) = match (api, mark) {
            (_, None) => return block,
            (Api::Anthropic, Some("l")) => {
                ("cache_control", json!({"type": "ephemeral", "ttl": "1h"}))
            }
            (Api::Anthropic, Some(_)) => ("cache_control", json!({"type": "ephemeral"})),
            (Api::OpenAi, Some("l")) => {
                ("prompt_cache_breakpoint", json!({"mode": "explicit", "ttl": "12h"}))
            }
            (Api::OpenAi, Some(_)) => ("prompt_cache_breakpoint", json!({"mode": "explicit"})),
        };
        block[name] = mark;
        block
    };
    spec.split_whitespace().map(block).collect()
}

/// A body whose messages are told apart by `|`; the first is the caller's, then they take turns.
pub(crate) fn body(model: &str, spec: &str, more: &Value) -> Value {
    let api = scrimp_sim::model(model).expect("a model").api;
    let message = |(place, spec): (usize, &str)| {
        let role = if place % 2 == 0 { "user" } else { "assistant" };
        json!({"role": role, "content": blocks(api, spec)})
    };
    let messages: Vec<Value> = spec.split('|').enumerate().map(message).collect();
    let mut body = json!({"model": model, "messages": messages, "max_tokens": 1});
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    body
}

/// The answer to `body`, in the dialect of its model.
pub(crate) async fn call(
    provider: &Arc<Provider>,
    body: &Value,
    headers: &[(&str, &str)],
) -> Value {
    let api = scrimp_sim::model(body["model"].as_str().expect("a name")).expect("a model").api;
    self::json(&send(provider, &request(api, body, headers)).await)
}

/// Every call so far: when it came, and its input by class.
pub(crate) fn told(provider: &Provider) -> String {
    let mut text = String::new();
    for bill in provider.bills() {
        let usage = bill.usage;
        writeln!(
            text,
            "{:<6} uncached {:>4} read {:>4} short {:>4} long {:>4}",
            format!("{}s", bill.at_ms / 1000),
            usage.uncached,
            usage.cache_read,
            usage.write_short,
            usage.write_long
        )
        .expect("a string takes every write");
    }
    text
}
