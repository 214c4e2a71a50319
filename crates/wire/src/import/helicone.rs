//! Helicone: rows of its export, as CSV or as the API's own rows in JSON.
//!
//! Token counts are as the provider gave them: for Anthropic's models the prompt's tokens are those
//! beside the cache. Its CSV writes objects with their quotes doubled once too often.

use serde::Deserialize;

use super::count::Count;
use super::field::{Json, Moment, Money, Number, Text};
use super::told::{Told, of_body};
use super::{Clock, Import, Repeats, rows};
use crate::meter::usage::Report;

pub(super) const FORMAT: Import = Import {
    name: "helicone",
    what: "Helicone's exported requests: CSV, JSON or JSON lines",
    clock: Clock::Calendar,
    repeats: Repeats::Copies,
    lacks: &["helicone: latency is taken to be in milliseconds, cost in dollars"],
    pieces: rows::pieces,
    fits: |bytes| rows::fits(bytes, &["response_id", "request_created_at", "prompt_tokens"]),
    read: |bytes, source| rows::calls(bytes, source, told),
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    response_id: Text,
    request_created_at: Moment,
    response_created_at: Moment,
    response_status: Number,
    request_body: Json,
    request_path: Text,
    request_user_id: Text,
    provider: Text,
    model: Text,
    response_model: Text,
    request_model: Text,
    prompt_tokens: Count,
    prompt_cache_read_tokens: Count,
    prompt_cache_write_tokens: Count,
    completion_tokens: Count,
    reasoning_tokens: Count,
    latency: Number,
    delay_ms: Number,
    time_to_first_token: Number,
    cost: Option<Money>,
    #[serde(rename = "costUSD")]
    cost_usd: Option<Money>,
    cache_reference_id: Text,
}

fn told(row: Row) -> Told {
    let model = row.model.or(row.response_model).or(row.request_model);
    let is_anthropic = row.provider.is("anthropic")
        || row.provider.0.is_none() && model.get().is_some_and(|name| name.starts_with("claude"));
    let body = row.request_body.0.map(|body| match body.starts_with("{\"\"") {
        true => body.replace("\"\"", "\"").into(),
        false => body,
    });
    // The nil UUID stands for "not from the cache".
    let cached = row
        .cache_reference_id
        .get()
        .filter(|id| id.bytes().any(|byte| byte.is_ascii_hexdigit() && byte != b'0'));
    Told {
        is_cached: cached.is_some(),
        id: row.response_id,
        arrived: row.request_created_at,
        ended: row.response_created_at,
        took: row.delay_ms.millis().or(row.latency.millis()),
        waited: row.time_to_first_token.millis(),
        provider: row.provider,
        model,
        operation: row.request_path,
        tags: vec![("user", row.request_user_id)],
        status: row.response_status.status(),
        usage: Report {
            is_inclusive: !is_anthropic,
            input: row.prompt_tokens.into(),
            cached: row.prompt_cache_read_tokens.into(),
            written: row.prompt_cache_write_tokens.into(),
            output: row.completion_tokens.into(),
            reasoning: row.reasoning_tokens.into(),
            ..Report::default()
        },
        cost: row.cost.or(row.cost_usd).unwrap_or_default(),
        request: of_body(&Json(body)),
        ..Told::default()
    }
}
