//! Invocation logs of Amazon Bedrock, as AWS stores them.
//!
//! `inputTokenCount` is what is beside the cache. A latency stands only inside the answer's body: of
//! Converse under `metrics`, of a stream in its last event.

use serde::Deserialize;

use super::count::Count;
use super::field::{Json, Moment, Nested, Number, Text};
use super::told::{Told, of_body};
use super::{Clock, Import, Repeats, rows};
use crate::meter::usage::Report;

pub(super) const FORMAT: Import = Import {
    name: "bedrock",
    what: "Amazon Bedrock's model invocation logs",
    clock: Clock::Calendar,
    repeats: Repeats::Copies,
    lacks: &["bedrock: no cost is recorded; a latency only where the answer's body has one"],
    pieces: rows::pieces,
    fits: |bytes| rows::fits(bytes, &["schemaType", "modelId", "requestId"]),
    read: |bytes, source| rows::calls(bytes, source, told),
};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Row {
    timestamp: Moment,
    account_id: Text,
    request_id: Text,
    operation: Text,
    model_id: Text,
    input: Nested<Input>,
    output: Nested<Output>,
    error_code: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Input {
    #[serde(rename = "inputBodyJson")]
    body: Json,
    #[serde(rename = "inputTokenCount")]
    tokens: Count,
    cache_read_input_token_count: Count,
    cache_write_input_token_count: Count,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Output {
    #[serde(rename = "outputBodyJson")]
    body: Json,
    #[serde(rename = "outputTokenCount")]
    tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    metrics: Option<Metrics>,
    #[serde(rename = "amazon-bedrock-invocationMetrics")]
    stream: Option<Metrics>,
    id: Text,
    message: Nested<Named>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    id: Text,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metrics {
    latency_ms: Number,
    invocation_latency: Number,
    first_byte_latency: Number,
}

fn told(row: Row) -> Told {
    let input = row.input.0.unwrap_or_default();
    let output = row.output.0.unwrap_or_default();
    let (id, metrics) = said(&output.body);
    let is_stream = row.operation.get().is_some_and(|name| name.ends_with("Stream"));
    Told {
        id: id.or(row.request_id),
        arrived: row.timestamp,
        took: metrics.latency_ms.millis().or(metrics.invocation_latency.millis()),
        waited: metrics.first_byte_latency.millis().filter(|_| is_stream),
        provider: "bedrock".into(),
        model: row.model_id,
        tags: vec![("account", row.account_id)],
        streams: Some(is_stream),
        status: row.error_code.get().map(status),
        operation: row.operation,
        usage: Report {
            input: input.tokens.into(),
            cached: input.cache_read_input_token_count.into(),
            written: input.cache_write_input_token_count.into(),
            output: output.tokens.into(),
            ..Report::default()
        },
        request: of_body(&input.body),
        ..Told::default()
    }
}

/// The answer's name and latency, of a whole body or of a stream's events.
fn said(body: &Json) -> (Text, Metrics) {
    let body = body.0.as_deref().unwrap_or_default();
    let one = || serde_json::from_str::<Body>(body).map(|body| vec![body]);
    let events = serde_json::from_str::<Vec<Body>>(body).or_else(|_| one()).unwrap_or_default();
    events.into_iter().fold((Text(None), Metrics::default()), |(id, metrics), event| {
        let message = event.message.0.unwrap_or_default();
        (id.or(message.id).or(event.id), event.stream.or(event.metrics).unwrap_or(metrics))
    })
}

fn status(code: &str) -> u16 {
    match code {
        "ThrottlingException" => 429,
        "ValidationException" => 400,
        "AccessDeniedException" => 403,
        "ResourceNotFoundException" => 404,
        "ModelTimeoutException" => 408,
        "ServiceUnavailableException" | "ModelNotReadyException" => 503,
        _ => 500,
    }
}
