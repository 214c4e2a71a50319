//! `LiteLLM`: the payloads that its callbacks write, and rows of its `LiteLLM_SpendLogs` table.
//!
//! Both have the same fields under slightly different names. Cached tokens stand only in
//! `metadata.usage_object`, where a row has one; `metadata` is an object or that object as a text. A row with
//! `cache_hit` was answered by the proxy itself: it has tokens that nobody was charged for.

use serde::Deserialize;

use super::count::Count;
use super::field::{Json, Moment, Money, Nested, Number, Reported, Text};
use super::told::{Answer, Told, of_body, of_messages};
use super::{Clock, Import, Repeats, rows};
use crate::meter::usage::Report;

pub(super) const FORMAT: Import = Import {
    name: "litellm",
    what: "LiteLLM's standard logging payloads and spend logs: JSON, JSON lines or CSV",
    clock: Clock::Calendar,
    repeats: Repeats::Copies,
    lacks: &[],
    pieces: rows::pieces,
    fits: |bytes| rows::fits(bytes, &["call_type", "spend|response_cost", "startTime"]),
    read: |bytes, source| rows::calls(bytes, source, told),
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    id: Text,
    request_id: Text,
    call_type: Text,
    cache_hit: Text,
    stream: Text,
    status: Text,
    custom_llm_provider: Text,
    model: Text,
    response_cost: Option<Money>,
    spend: Option<Money>,
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    #[serde(rename = "startTime")]
    start: Moment,
    #[serde(rename = "endTime")]
    end: Moment,
    #[serde(rename = "completionStartTime")]
    first: Moment,
    session_id: Text,
    trace_id: Text,
    team_id: Text,
    user: Text,
    end_user: Text,
    metadata: Nested<Metadata>,
    messages: Json,
    proxy_server_request: Json,
    error_information: Nested<ErrorInformation>,
    response: Nested<Answer>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    usage_object: Reported,
    error_information: Nested<ErrorInformation>,
    #[serde(rename = "user_api_key_team_id")]
    team: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorInformation {
    error_code: Number,
}

fn told(row: Row) -> Told {
    let metadata = row.metadata.0.unwrap_or_default();
    let response = row.response.0.unwrap_or_default();
    let counted = Report {
        is_inclusive: true,
        input: row.prompt_tokens.into(),
        output: row.completion_tokens.into(),
        total: row.total_tokens.into(),
        ..Report::default()
    };
    let error = row.error_information.0.or(metadata.error_information.0).unwrap_or_default();
    Told {
        id: response.id.or(row.id).or(row.request_id),
        arrived: row.start,
        ended: row.end,
        first: row.first,
        provider: row.custom_llm_provider,
        model: row.model,
        operation: row.call_type,
        session: row.session_id.or(row.trace_id),
        tags: vec![("team", row.team_id.or(metadata.team)), ("user", row.end_user.or(row.user))],
        streams: row.stream.get().map(|_| row.stream.is("true")),
        // Where no code is kept, 500 stands for any failure.
        status: row.status.is("failure").then(|| error.error_code.status().unwrap_or(500)),
        usage: metadata.usage_object.0.or(response.usage.0).unwrap_or(counted),
        cost: row.response_cost.or(row.spend).unwrap_or_default(),
        is_cached: row.cache_hit.is("true"),
        request: of_body(&row.proxy_server_request).or_else(|| of_messages(&row.messages)),
        ..Told::default()
    }
}
