//! Traces of the Mooncake project (FAST '25): one production chat request a line.
//!
//! `timestamp` in milliseconds from the trace's beginning, lengths in tokens, and `hash_ids` of
//! blocks of 512 tokens that mean the same all over the trace. The last block is usually not full;
//! its id stands for content that a longer prompt continues, so it is left off the trail and what it
//! holds counts as a block of its own that takes no mark: a hit on it is never claimed.

use std::sync::Arc;

use serde::Deserialize;

use scrimp_core::price::Terms;
use scrimp_core::record::Timing;
use scrimp_core::{Delivery, Ending, Entry, Metering, Role, Span, Trail, Usage, UsageState, hash};

use super::count::Count;
use super::logged::{Logged, block, call_id};
use super::{Assumed, Clock, Import, Reading, Repeats, Source, lines, rows};
use scrimp_core::record::TrailEnd;

pub(super) const FORMAT: Import = Import {
    name: "mooncake",
    what: "Mooncake traces: timestamp, input_length, output_length, hash_ids of 512 tokens",
    clock: Clock::Relative,
    repeats: Repeats::Never,
    lacks: &[
        "mooncake: no model is named: nothing is priced unless one is given",
        "mooncake: no latencies, no errors; what was read from a cache is not recorded, \
         all input counts as uncached",
    ],
    pieces: rows::by_line,
    fits,
    read,
};

const BLOCK_TOKENS: u64 = 512;

#[derive(Deserialize)]
struct Request {
    timestamp: f64,
    input_length: Count,
    output_length: Count,
    hash_ids: Vec<u64>,
    /// Bailian's traces name their chats.
    #[serde(default)]
    chat_id: Option<serde::de::IgnoredAny>,
}

fn fits(bytes: &[u8]) -> Result<(), String> {
    let wants = "`timestamp`, `input_length`, `output_length` and `hash_ids`";
    lines::any::<Request>(bytes, wants, |request| request.chat_id.is_none())
}

fn read(bytes: &[u8], source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let operation = Arc::from("mooncake");
    let nobody = Assumed { provider: "unknown".into(), model: "unknown".into() };
    let whose = source.assumed.unwrap_or(&nobody);
    lines::read(bytes, &mut reading, |line, request: Request, reading| {
        let line = source.lines_before + line;
        match entry(line, request, source, whose, &operation) {
            Some(entry) => reading.entries.push(entry),
            None => reading.skip(line, "a length is negative, no whole number, or huge"),
        }
    });
    reading
}

fn entry(
    line: u64,
    request: Request,
    source: &Source<'_>,
    whose: &Assumed,
    operation: &Arc<str>,
) -> Option<Entry> {
    let input = request.input_length.or_zero()?;
    let output = request.output_length.or_zero()?;
    let usage = Usage { uncached: input, output, ..Usage::ZERO };
    let arrived = source.start + Span::from_secs_f64(request.timestamp / 1e3);
    let (prompt, trail) = prompt(request.hash_ids, input);
    let logged = Logged {
        id: call_id(arrived, &format!("{}:{line}", source.name)),
        arrived,
        whose: whose.clone(),
        operation: operation.clone(),
        session: None,
        tags: Vec::new(),
        delivery: Delivery::Whole,
        prompt,
        ending: Ending::Answered { status: 200, finish: None },
        metering: Metering { usage, state: UsageState::Measured, suspect: false },
        terms: Terms::default(),
        cost: None,
        timing: Timing::default(),
    };
    Some(Entry { record: logged.record(), trail: Some(trail) })
}

fn prompt(mut symbols: Vec<u64>, input: u64) -> (Vec<scrimp_core::Block>, Trail) {
    let full = usize::try_from(input / BLOCK_TOKENS).unwrap_or(usize::MAX).min(symbols.len());
    symbols.truncate(full);
    let full_tokens = full as u64 * BLOCK_TOKENS;
    let end = |tokens| TrailEnd { symbols: u32::try_from(full).unwrap_or(u32::MAX), tokens };
    let shared = symbols.last().map_or(0, |last| hash::chain(full as u64, *last));
    let rest = scrimp_core::Block {
        markable: false,
        ..block(Role::User, hash::chain(shared, input), input - full_tokens)
    };
    let prompt = vec![block(Role::User, shared, full_tokens), rest];
    let trail = Trail {
        scope: hash::text("mooncake"),
        symbols: symbols.into(),
        ends: vec![end(full_tokens), end(input)],
        blocks_known: false,
    };
    (prompt, trail)
}
