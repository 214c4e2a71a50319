//! `BurstGPT` traces: one request a row, seconds from the trace's beginning. A request with no
//! response tokens failed.

use serde::Deserialize;

use super::count::Count;
use super::field::{Number, Text};
use super::told::Told;
use super::{Clock, Import, Repeats, rows};
use crate::meter::usage::Report;

pub(super) const FORMAT: Import = Import {
    name: "burstgpt",
    what: "BurstGPT traces: Timestamp, Model, Request tokens, Response tokens",
    clock: Clock::Relative,
    repeats: Repeats::Never,
    lacks: &["burstgpt: no prompts; `ChatGPT` is taken to be gpt-3.5-turbo, and failures, \
         which have no code, to be of status 500"],
    pieces: rows::pieces,
    fits: |bytes| rows::fits(bytes, &["Timestamp", "Model", "Request tokens", "Response tokens"]),
    read: |bytes, source| rows::calls(bytes, source, told),
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    timestamp: Number,
    #[serde(default)]
    model: Text,
    #[serde(rename = "Request tokens")]
    input: Count,
    #[serde(rename = "Response tokens")]
    output: Count,
    #[serde(default, rename = "Log Type")]
    kind: Text,
    #[serde(default, rename = "Session ID", alias = "SessionID")]
    session: Text,
    #[serde(default, rename = "Elapsed time")]
    took: Number,
}

fn told(row: Row) -> Told {
    let model = match row.model.get() {
        Some("ChatGPT") => "gpt-3.5-turbo".into(),
        Some("GPT-4") => "gpt-4".into(),
        _ => row.model,
    };
    Told {
        since_start: row.timestamp.seconds(),
        took: row.took.seconds(),
        model,
        operation: row.kind.or("burstgpt".into()),
        session: row.session,
        status: (row.output == Count::Of(0)).then_some(500),
        usage: Report { input: row.input.into(), output: row.output.into(), ..Report::default() },
        ..Told::default()
    }
}
