//! Traces of Alibaba's Bailian platform (Qwen): one chat turn a line, `timestamp` in seconds from the
//! trace's beginning, and `hash_ids` of blocks of 16 tokens that mean the same all over the trace.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::count::Count;
use super::field::{Number, Text};
use super::told::{Blocks, Told};
use super::{Clock, Import, Reading, Repeats, Source, rows};
use crate::meter::usage::Report;

pub(super) const FORMAT: Import = Import {
    name: "qwen-bailian",
    what: "Qwen-Bailian traces: chat_id, parent_chat_id, timestamp, lengths, hash_ids of 16 tokens",
    clock: Clock::Relative,
    repeats: Repeats::Never,
    lacks: &[
        "qwen-bailian: no model is named: nothing is priced unless one is given",
        "qwen-bailian: no latencies, no errors; what was read from a cache is not recorded, \
         all input counts as uncached",
    ],
    // A turn's session is known from the turns before it.
    pieces: rows::whole,
    fits: |bytes| rows::fits(bytes, &["chat_id", "parent_chat_id", "input_length", "hash_ids"]),
    read,
};

const BLOCK_TOKENS: u64 = 16;

#[derive(Deserialize)]
struct Turn {
    chat_id: Text,
    #[serde(default)]
    parent_chat_id: Text,
    timestamp: Number,
    input_length: Count,
    output_length: Count,
    #[serde(default, rename = "type")]
    kind: Text,
    #[serde(default)]
    hash_ids: Vec<u64>,
}

fn read(bytes: &[u8], source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    // A chat's first turn, by each of its turns.
    let mut roots: FxHashMap<Arc<str>, Text> = FxHashMap::default();
    rows::records(bytes, source, &mut reading, |line, turn: Turn, reading| {
        let parent = turn.parent_chat_id.get().and_then(|parent| roots.get(parent));
        let root = parent.cloned().unwrap_or_else(|| turn.chat_id.clone());
        roots.extend(turn.chat_id.0.clone().map(|id| (id, root.clone())));
        let (input, output) = (turn.input_length.into(), turn.output_length.into());
        let told = Told {
            since_start: turn.timestamp.seconds(),
            operation: turn.kind,
            session: root,
            usage: Report { input, output, ..Report::default() },
            blocks: Some(Blocks { tokens: BLOCK_TOKENS, names: turn.hash_ids }),
            ..Told::default()
        };
        match told.entry(source, line) {
            Ok(entry) => reading.entries.push(entry),
            Err(why) => reading.skip(line, why),
        }
    });
    reading
}
