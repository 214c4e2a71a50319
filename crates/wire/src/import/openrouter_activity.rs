//! `OpenRouter`'s activity: sums of one UTC day for each model and host.
//!
//! `usage` is what `OpenRouter` charged; what a host charged on a key of one's own stands apart and
//! is not in it.

use serde::Deserialize;

use scrimp_core::{Parts, Span};

use super::count::Count;
use super::field::{Moment, Money, Text};
use super::report::{self, Line};
use super::{Clock, Import, Repeats, rows};
use crate::meter::usage::Report;

pub(super) const FORMAT: Import = Import {
    name: "openrouter-activity",
    what: "OpenRouter's activity by day (sums, not calls)",
    clock: Clock::Calendar,
    repeats: Repeats::Never,
    lacks: &["openrouter-activity: what own keys were charged elsewhere is not in the dollars"],
    pieces: rows::whole,
    fits: |bytes| rows::fits(bytes, &["date", "model", "usage", "requests", "prompt_tokens"]),
    read: |bytes, source| {
        report::read(bytes, source, "openrouter", |day: Day| {
            let until =
                day.date.get().map_or(day.date, |from| Moment::At(from + Span::from_hours(24)));
            (day.date, until, vec![line(day)])
        })
    },
};

#[derive(Deserialize)]
struct Day {
    date: Moment,
    model: Text,
    #[serde(default)]
    provider_name: Text,
    usage: Money,
    requests: Count,
    prompt_tokens: Count,
    completion_tokens: Count,
    #[serde(default)]
    reasoning_tokens: Count,
}

fn line(day: Day) -> Line {
    let report = Report {
        is_inclusive: true,
        input: day.prompt_tokens.into(),
        output: day.completion_tokens.into(),
        reasoning: day.reasoning_tokens.into(),
        ..Report::default()
    };
    Line {
        of: Parts { model: day.model.0, item: day.provider_name.0, ..Parts::default() },
        calls: day.requests,
        metering: report.metering(),
        usd: day.usage,
        currency: Text(None),
    }
}
