//! Answers of vLLM with `--enable-per-request-metrics`, kept one a line or as a list.

use serde::Deserialize;

use scrimp_core::Span;

use super::field::{Moment, Number, Reported, Text};
use super::told::Told;
use super::{Clock, Import, Repeats, rows};

pub(super) const FORMAT: Import = Import {
    name: "vllm",
    what: "answers of vLLM with the metrics of each request",
    clock: Clock::Calendar,
    repeats: Repeats::Copies,
    lacks: &["vllm: no prompts, nothing is priced; an answer without `created` gets the day \
         of the analysis"],
    pieces: rows::pieces,
    fits: |bytes| rows::fits(bytes, &["metrics", "usage", "model", "id"]),
    read: |bytes, source| rows::calls(bytes, source, told),
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    id: Text,
    created: Moment,
    model: Text,
    usage: Reported,
    metrics: Metrics,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metrics {
    #[serde(rename = "queue_time_ms")]
    queued: Number,
    #[serde(rename = "time_to_first_token_ms")]
    first: Number,
    #[serde(rename = "generation_time_ms")]
    generated: Number,
}

fn told(answer: Answer) -> Told {
    let waited = answer.metrics.first.millis();
    let generated = answer.metrics.generated.millis();
    let queued = answer.metrics.queued.0.map(|millis| format!("{millis:.0}"));
    Told {
        id: answer.id,
        since_start: (answer.created == Moment::Absent).then_some(Span::ZERO),
        arrived: answer.created,
        took: waited.zip(generated).map(|(waited, generated)| waited + generated),
        waited,
        provider: "vllm".into(),
        model: answer.model,
        tags: vec![("queued_ms", queued.as_deref().map_or(Text(None), Text::from))],
        usage: answer.usage.0.unwrap_or_default(),
        ..Told::default()
    }
}
