//! Records in few words, for tests.

use std::sync::Arc;

use scrimp_core::call::{Content, Parameters};
use scrimp_core::price::{CacheKind, CacheRules, Card, PriceRow, Rates, Terms};
use scrimp_core::record::Timing;
use scrimp_core::{
    Attempt, Block, Call, CallId, Caller, Catalog, Delivery, Dialect, Digest, Ending, Entry,
    Metering, Record, Role, Span, Tier, Time, Usage,
};

/// A call; what a test does not say is the same for all.
#[derive(Clone, Debug)]
pub(crate) struct Sketch {
    pub(crate) at_s: i64,
    pub(crate) operation: &'static str,
    pub(crate) model: &'static str,
    pub(crate) session: Option<i64>,
    /// Blocks by what they hold and their tokens; the first is the system prompt.
    pub(crate) prompt: Vec<(i64, u32)>,
    /// Makes something else of a block, given its place.
    pub(crate) shape: fn(usize, Block) -> Block,
    pub(crate) took_ms: i64,
    pub(crate) ending: Ending,
    /// `None`: measured, nothing cached, as long as the prompt.
    pub(crate) metering: Option<Metering>,
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch {
            at_s: 0,
            operation: "chat",
            model: "claude-test",
            session: None,
            prompt: Vec::new(),
            shape: |_, block| block,
            took_ms: 1_000,
            ending: Ending::Answered { status: 200, finish: None },
            metering: None,
        }
    }
}

/// One model, `claude-test`, at the usual ratios.
pub(crate) fn prices() -> Arc<Catalog> {
    let rate = |text: &str| text.parse().expect("a rate");
    let rates = Rates {
        input: rate("5e-6"),
        cache_read: Some(rate("5e-7")),
        cache_write_short: Some(rate("6.25e-6")),
        cache_write_long: Some(rate("1e-5")),
        audio_input: None,
        image_input: None,
        output: rate("2.5e-5"),
        reasoning: None,
        audio_output: None,
    };
    let cache = CacheRules {
        kind: CacheKind::Marked,
        min_tokens: 1_024,
        short: Span::from_minutes(5),
        long: Some(Span::from_hours(1)),
        marks: 4,
        look_back: Some(20),
        step: 1,
    };
    let mut prices = Catalog::default();
    prices.add(PriceRow {
        provider: "anthropic".into(),
        model: "claude-test".into(),
        from: None,
        until: None,
        cards: vec![Card { tier: Tier::Standard, above: 0, rates }],
        fast_permille: None,
        us_permille: None,
        eu_permille: None,
        cache: Some(cache),
    });
    Arc::new(prices)
}

/// The call as a gateway would have recorded it.
pub(crate) fn entry(sketch: &Sketch) -> Entry {
    let Sketch { at_s, operation, model, session, prompt, shape, took_ms, ending, metering } =
        sketch.clone();
    let input = prompt.iter().map(|(_, tokens)| u64::from(*tokens)).sum::<u64>().max(100);
    let usage = Usage { uncached: input, output: 50, ..Usage::ZERO };
    let metering = metering.unwrap_or(Metering::measured(usage));
    let took = Span::from_millis(took_ms);
    let digest = |number: i64| Digest(u128::from(number.unsigned_abs()).to_le_bytes());
    let blocks = prompt.iter().enumerate().map(|(at, (what, tokens))| Block {
        role: if at == 0 { Role::System } else { Role::User },
        content: Content::Text,
        digest: digest(*what),
        chunks: Box::default(),
        characters: tokens * 4,
        tokens: *tokens,
        features: None,
        outline: None,
        mark: None,
        markable: true,
    });
    let call = Call {
        id: CallId(u128::from(at_s.unsigned_abs()) << 32 | u128::from(input)),
        seed: 0,
        arrived: Time::from_secs(at_s),
        dialect: Dialect::AnthropicMessages,
        provider: "anthropic".into(),
        model: model.into(),
        operation: operation.into(),
        caller: Caller { session: session.map(|name| digest(name + 1)), ..Caller::default() },
        delivery: Delivery::Whole,
        parameters: Parameters {
            max_output_tokens: None,
            temperature_permille: None,
            answers: 1,
            usage_in_stream: false,
            client_cache_options: false,
            digest: Digest::default(),
            rendered: Some(0),
        },
        prompt: blocks.enumerate().map(|(at, block)| shape(at, block)).collect(),
        body_bytes: 1,
    };
    let attempt = Attempt {
        provider: call.provider.clone(),
        model: call.model.clone(),
        sent: Span::ZERO,
        ended: took,
        status: Some(200),
        fault: None,
        metering,
        terms: Terms::default(),
        cost: None,
        priced_as: None,
    };
    let mut record = Record {
        call: Arc::new(call),
        placement: None,
        shaped: None,
        budgeted: None,
        attempts: vec![attempt],
        ending,
        metering,
        cost: None,
        cost_uncached: None,
        timing: Timing { ended: Some(took), ..Timing::default() },
    };
    record.charge(&prices());
    Entry { record, trail: None }
}
