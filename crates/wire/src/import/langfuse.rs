//! Langfuse: observations as its exports and its API write them.
//!
//! - Only generations and embeddings are calls; spans, tools and retrievers are not, and a
//!   generation around another one (an SDK's wrapper) repeats what that one used.
//! - `usage_details` are disjoint parts of a total (`input` beside `input_cached_tokens`), except
//!   where the total itself says that the larger contains the smaller.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use serde::Deserialize;

use super::count::Count;
use super::field::{Json, Moment, Money, Nested, Number, Text};
use super::told::{Told, of_body, of_messages};
use super::{Clock, Import, Reading, Repeats, Source, rows};
use crate::meter::usage::Report;

pub(super) const FORMAT: Import = Import {
    name: "langfuse",
    what: "Langfuse's exported observations: JSON, JSON lines or CSV",
    clock: Clock::Calendar,
    repeats: Repeats::Copies,
    lacks: &["langfuse: who served a model is not recorded: taken to be its vendor"],
    pieces: rows::whole,
    fits: |bytes| {
        let usage = "usage_details|usageDetails|usage|input_usage|inputUsage";
        let parent = "parent_observation_id|parentObservationId";
        rows::fits(bytes, &["type", "trace_id|traceId", parent, usage])
    },
    read,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Observation {
    id: Text,
    #[serde(alias = "traceId")]
    trace_id: Text,
    #[serde(rename = "type")]
    kind: Text,
    #[serde(alias = "startTime")]
    start_time: Moment,
    #[serde(alias = "endTime")]
    end_time: Moment,
    #[serde(alias = "completionStartTime")]
    completion_start_time: Moment,
    latency: Number,
    name: Text,
    level: Text,
    environment: Text,
    input: Json,
    #[serde(alias = "providedModelName")]
    provided_model_name: Text,
    model: Text,
    #[serde(alias = "usageDetails")]
    usage_details: Nested<BTreeMap<String, Count>>,
    #[serde(alias = "totalCost")]
    total_cost: Money,
    #[serde(alias = "sessionId")]
    session_id: Text,
    #[serde(alias = "userId")]
    user_id: Text,
}

/// Where an observation stands among others.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Place {
    #[serde(rename = "type")]
    kind: Text,
    #[serde(alias = "parentObservationId")]
    parent_observation_id: Text,
}

fn is_call(kind: &Text) -> bool {
    kind.is("GENERATION") || kind.is("EMBEDDING")
}

fn read(bytes: &[u8], source: &Source<'_>) -> Reading {
    // Read twice, so that no prompts are kept until all parents are known.
    let mut around = FxHashSet::default();
    rows::records(bytes, source, &mut Reading::default(), |_, row: Place, _| {
        if is_call(&row.kind) {
            around.extend(row.parent_observation_id.0);
        }
    });
    let mut reading = Reading::default();
    rows::records(bytes, source, &mut reading, |line, row: Observation, reading| {
        let is_around = row.id.0.as_ref().is_some_and(|id| around.contains(id));
        if is_around || !is_call(&row.kind) {
            return;
        }
        match told(row).entry(source, line) {
            Ok(entry) => reading.entries.push(entry),
            Err(why) => reading.skip(line, why),
        }
    });
    reading
}

fn told(row: Observation) -> Told {
    Told {
        usage: row.usage_details.0.as_ref().map(report).unwrap_or_default(),
        id: row.id,
        arrived: row.start_time,
        ended: row.end_time,
        took: row.latency.seconds(),
        first: row.completion_start_time,
        model: row.provided_model_name.or(row.model),
        operation: row.name,
        session: row.session_id.or(row.trace_id),
        tags: vec![("environment", row.environment), ("user", row.user_id)],
        status: row.level.is("ERROR").then_some(500),
        cost: row.total_cost,
        request: of_messages(&row.input).or_else(|| of_body(&row.input)),
        ..Told::default()
    }
}

/// Usage whose parts are named by whoever sent them.
fn report(details: &BTreeMap<String, Count>) -> Report {
    let part = |is: &dyn Fn(&str) -> bool| {
        details.iter().find(|(name, _)| is(name)).map_or(Count::Absent, |(_, count)| *count)
    };
    let input = part(&|name| matches!(name, "input" | "prompt_tokens" | "input_tokens"));
    let output = part(&|name| matches!(name, "output" | "completion_tokens" | "output_tokens"));
    let cached = part(&|name| name.contains("cached") || name.contains("cache_read"));
    let written = part(&|name| name.contains("cache_creation") || name.contains("cache_write"));
    let reasoning = part(&|name| name.contains("reasoning"));
    let number = |count: Count| count.or_zero().unwrap_or(0);
    let total = part(&|name| matches!(name, "total" | "total_tokens"));
    let contains = Count::Of(number(input) + number(output)) == total;
    // Beside the output, unless the total says that it is inside.
    let output = match (output, contains) {
        (Count::Of(output), false) => Count::Of(output + number(reasoning)),
        (output, _) => output,
    };
    Report {
        is_inclusive: contains,
        input: input.into(),
        output: output.into(),
        cached: cached.into(),
        written: written.into(),
        reasoning: reasoning.into(),
        audio_input: part(&|name| name == "input_audio_tokens").into(),
        audio_output: part(&|name| name == "output_audio_tokens").into(),
        ..Report::default()
    }
}
