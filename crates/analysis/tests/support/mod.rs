//! Calls and prices for tests, with everything that a test does not care about filled in.

use std::sync::Arc;

use scrimp_core::call::{Block, Caller, Content, Delivery, Dialect, Digest, Parameters, Role};
use scrimp_core::price::{CacheKind, CacheRules, Card, Rates, Terms};
use scrimp_core::record::{Timing, Trail, TrailEnd};
use scrimp_core::{
    Attempt, Call, CallId, Catalog, Ending, Entry, Metering, PriceRow, Record, Span, Tier, Time,
    Ttl, Usage, hash,
};

/// One block: what it says, how many tokens it has, the client's mark on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Says(pub(crate) u64, pub(crate) u32, pub(crate) Option<Ttl>);

/// One call: when it arrives and when its answer begins (seconds), and its prompt. The first block
/// is the system's, the rest the user's.
#[derive(Clone, Debug)]
pub(crate) struct Asks {
    pub(crate) at: i64,
    pub(crate) begins: i64,
    pub(crate) prompt: Vec<Says>,
}

pub(crate) const PLAIN: &str = "0.000001";

/// Rates relative to the input's: read, short write, long write, in thousandths.
pub(crate) fn rates(input: &str, permille: [u32; 3]) -> Rates {
    let input: scrimp_core::Rate = input.parse().expect("a rate");
    let [read, short, long] = permille.map(|permille| Some(input.times_permille(permille)));
    Rates {
        input,
        cache_read: read,
        cache_write_short: short,
        cache_write_long: long,
        audio_input: None,
        image_input: None,
        output: input,
        reasoning: None,
        audio_output: None,
    }
}

/// Rules with marks: 5 minutes, 1 hour, 4 marks, no minimum, no limit on looking back.
pub(crate) fn rules() -> CacheRules {
    CacheRules {
        kind: CacheKind::Marked,
        min_tokens: 0,
        short: Span::from_minutes(5),
        long: Some(Span::from_hours(1)),
        marks: 4,
        look_back: None,
        step: 1,
    }
}

pub(crate) fn catalog(rates: Rates, cache: CacheRules) -> Catalog {
    let mut catalog = Catalog::new();
    catalog.add(PriceRow {
        provider: "anthropic".into(),
        model: "model".into(),
        from: None,
        until: None,
        cards: vec![Card { tier: Tier::Standard, above: 0, rates }],
        fast_permille: None,
        us_permille: None,
        eu_permille: None,
        cache: Some(cache),
    });
    catalog
}

pub(crate) fn entry(number: usize, asks: &Asks) -> Entry {
    let blocks: Vec<Block> = asks.prompt.iter().enumerate().map(block).collect();
    let tokens: u64 = blocks.iter().map(|block| u64::from(block.tokens)).sum();
    let usage = Usage { uncached: tokens, output: 1, ..Usage::ZERO };
    let arrived = Time::from_secs(1_000_000 + asks.at);
    let begins = Span::from_secs(asks.begins);
    let trail = trail(&asks.prompt);
    let call = Call {
        id: CallId(number as u128),
        seed: number as u64,
        arrived,
        dialect: Dialect::AnthropicMessages,
        provider: "anthropic".into(),
        model: "model".into(),
        operation: "chat".into(),
        caller: Caller::default(),
        delivery: Delivery::Stream,
        parameters: Parameters {
            max_output_tokens: None,
            temperature_permille: None,
            answers: 1,
            usage_in_stream: false,
            client_cache_options: false,
            digest: Digest::default(),
            rendered: None,
        },
        prompt: blocks,
        body_bytes: 0,
    };
    let attempt = Attempt {
        provider: "anthropic".into(),
        model: "model".into(),
        sent: Span::ZERO,
        ended: begins,
        status: Some(200),
        fault: None,
        metering: Metering::measured(usage),
        terms: Terms::default(),
        cost: None,
        priced_as: None,
    };
    let record = Record {
        call: Arc::new(call),
        placement: None,
        shaped: None,
        budgeted: None,
        attempts: vec![attempt],
        ending: Ending::Answered { status: 200, finish: None },
        metering: Metering::measured(usage),
        cost: None,
        cost_uncached: None,
        timing: Timing { head: Some(begins), ended: Some(begins), ..Timing::default() },
    };
    Entry { record, trail: Some(trail) }
}

fn block((at, Says(says, tokens, mark)): (usize, &Says)) -> Block {
    Block {
        role: if at == 0 { Role::System } else { Role::User },
        content: Content::Text,
        digest: Digest(u128::from(hash::mix(*says)).to_le_bytes()),
        chunks: Box::default(),
        characters: *tokens,
        tokens: *tokens,
        features: None,
        outline: None,
        mark: *mark,
        markable: true,
    }
}

/// A symbol for each block, so that marks without measured usage can be tested.
fn trail(prompt: &[Says]) -> Trail {
    let mut tokens = 0;
    let ends = (1..).zip(prompt).map(|(symbols, Says(_, more, _))| {
        tokens += u64::from(*more);
        TrailEnd { symbols, tokens }
    });
    Trail {
        scope: 1,
        ends: ends.collect(),
        symbols: prompt.iter().map(|Says(says, ..)| *says).collect(),
        blocks_known: true,
    }
}
