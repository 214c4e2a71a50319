//! Azure's LLM inference traces of 2023 and 2024: a table of time, context and generated tokens.

use serde::Deserialize;

use super::count::Count;
use super::field::Moment;
use super::told::Told;
use super::{Clock, Import, Repeats, rows};
use crate::meter::usage::Report;

pub(super) const FORMAT: Import = Import {
    name: "azure",
    what: "Azure's LLM inference traces: TIMESTAMP, ContextTokens, GeneratedTokens",
    clock: Clock::Calendar,
    repeats: Repeats::Never,
    lacks: &[
        "azure: no model is named: nothing is priced unless one is given",
        "azure: no prompts, latencies or errors; all input counts as uncached",
    ],
    pieces: rows::pieces,
    fits: |bytes| rows::fits(bytes, &["TIMESTAMP", "ContextTokens", "GeneratedTokens"]),
    read: |bytes, source| rows::calls(bytes, source, told),
};

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(rename = "TIMESTAMP")]
    timestamp: Moment,
    context_tokens: Count,
    generated_tokens: Count,
}

fn told(row: Row) -> Told {
    let (input, output) = (row.context_tokens.into(), row.generated_tokens.into());
    Told {
        arrived: row.timestamp,
        operation: "azure".into(),
        usage: Report { input, output, ..Report::default() },
        ..Told::default()
    }
}
