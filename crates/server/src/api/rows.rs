//! A call as the API shows it: a row of a list, or everything that is known.

use std::sync::Arc;

use scrimp_core::price::Terms;
use scrimp_core::record::Timing;
use scrimp_core::{Attempt, Catalog, Ending, Record, Span, Usage, Usd};
use serde::Serialize;
use serde_json::{Value, json};

use crate::flight::status_of;

/// Tokens by class. Input that is counted apart by kind is part of the whole here.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Tokens {
    uncached: u64,
    cache_read: u64,
    cache_write_short: u64,
    cache_write_long: u64,
    output: u64,
    reasoning: u64,
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Tokens {
        let Usage {
            uncached,
            cache_read,
            cache_write_short,
            cache_write_long,
            audio_input,
            image_input,
            output,
            reasoning,
            audio_output,
        } = usage;
        Tokens {
            uncached: uncached + audio_input + image_input,
            cache_read,
            cache_write_short,
            cache_write_long,
            output: output + audio_output,
            reasoning,
        }
    }
}

/// One row of a list of calls.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    id: String,
    at_ms: i64,
    operation: Arc<str>,
    provider: Arc<str>,
    model: Arc<str>,
    status: u16,
    ending: Value,
    usd: Option<Usd>,
    tokens: Option<Tokens>,
    usage_state: scrimp_core::UsageState,
    /// The provider told counts that cannot be; they are in no sum.
    suspect: bool,
    latency_ms: Option<f64>,
    ttft_ms: Option<f64>,
    overhead_ms: Option<f64>,
    arm: Option<scrimp_core::policy::Arm>,
    experiment: Option<u64>,
    finish: Option<Arc<str>>,
    session: Option<String>,
}

pub(super) fn ms(span: Option<Span>) -> Option<f64> {
    span.map(Span::as_millis_f64)
}

impl Row {
    pub(super) fn of(record: &Record) -> Row {
        let Record { call, placement, metering, timing, .. } = record;
        let finish = match &record.ending {
            Ending::Answered { finish, .. } => finish.clone(),
            _ => None,
        };
        Row {
            id: call.id.to_string(),
            at_ms: call.arrived.millis(),
            operation: call.operation.clone(),
            provider: call.provider.clone(),
            model: call.model.clone(),
            status: status_of(record),
            ending: json!(record.ending),
            usd: record.cost,
            tokens: record.is_metered().then(|| metering.usage.into()),
            usage_state: metering.state,
            suspect: metering.suspect,
            latency_ms: ms(timing.ended),
            ttft_ms: ms(timing.first_content),
            overhead_ms: ms(timing.overhead),
            arm: placement.as_ref().map(|placement| placement.arm),
            experiment: placement.as_ref().map(|placement| placement.experiment),
            finish,
            session: call.caller.session.map(|session| session.to_string()),
        }
    }
}

/// Everything that is known of a call.
pub(super) fn detail(record: &Record, prices: &Catalog) -> Value {
    let mut row = json!(Row::of(record));
    let Timing { head, first_content, last_content, ended, overhead, hung_up } = record.timing;
    row["timing"] = json!({
        "head_ms": ms(head),
        "first_content_ms": ms(first_content),
        "last_content_ms": ms(last_content),
        "ended_ms": ms(ended),
        "overhead_ms": ms(overhead),
        "hung_up_ms": ms(hung_up),
    });
    row["attempts"] = record.attempts.iter().map(attempt).collect();
    row["placement"] = json!(record.placement);
    row["shaped"] = json!(record.shaped);
    row["budgeted"] = json!(record.budgeted);
    let tags = record.call.caller.tags.iter();
    row["tags"] = tags.map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let blocks = record.call.prompt.iter().map(|block| {
        json!({
            "role": block.role,
            "content": block.content,
            "tokens": block.tokens,
            "characters": block.characters,
            "mark": block.mark,
        })
    });
    row["blocks"] = blocks.collect();
    row["bill"] =
        record.attempts.iter().flat_map(|attempt| bill(record, attempt, prices)).collect();
    row
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "provider": attempt.provider,
        "model": attempt.model,
        "sent_ms": attempt.sent.as_millis_f64(),
        "ended_ms": attempt.ended.as_millis_f64(),
        "status": attempt.status,
        "fault": attempt.fault,
        "tokens": Tokens::from(attempt.metering.usage),
        "usage_state": attempt.metering.state,
        "suspect": attempt.metering.suspect,
        "usd": attempt.cost,
        "priced_as": attempt.priced_as,
    })
}

/// The lines of an attempt's bill, at the price of its day; none where it is not priced.
fn bill(record: &Record, attempt: &Attempt, prices: &Catalog) -> Vec<Value> {
    let model = attempt.priced_as.as_deref().unwrap_or(&attempt.model);
    let row = prices.find(&attempt.provider, model, record.call.arrived);
    let Some(row) = row.filter(|_| attempt.cost.is_some()) else { return Vec::new() };
    let terms: Terms = attempt.terms;
    let lines = row.bill(&attempt.metering.usage, terms);
    let lines = lines.into_iter().filter(|line| 0 < line.tokens);
    lines
        .map(|line| {
            json!({
                "what": line.class,
                "tokens": line.tokens,
                "usd_per_million": line.rate.per_million(),
                "usd": line.usd,
            })
        })
        .collect()
}
