//! How many blocks a second one core replays, policy by policy, over a generated trace.
//!
//! `cargo run --release -p scrimp-analysis --example replay_speed`

#![expect(clippy::print_stdout, reason = "a measurement is printed")]
#![expect(clippy::disallowed_types, reason = "it measures time")]

use std::sync::Arc;
use std::time::Instant;

use scrimp_analysis::replay::{Reading, Trace, VARIANTS, whatif};
use scrimp_core::call::{Block, Caller, Content, Delivery, Dialect, Digest, Parameters, Role};
use scrimp_core::price::{CacheKind, CacheRules, Card, Rates, Terms};
use scrimp_core::record::{Timing, Trail, TrailEnd};
use scrimp_core::{
    Attempt, Call, CallId, Catalog, Ending, Entry, Metering, PriceRow, Record, Span, Tier, Time,
    Usage, hash,
};

const SESSIONS: u64 = 200;
const TURNS: u64 = 100;
const BLOCK_TOKENS: u64 = 64;
const HEAD_BLOCKS: u64 = 300;
const SEED: u64 = 7;

fn main() {
    let began = Instant::now();
    let trace = Trace::from_entries((0..SESSIONS).flat_map(session));
    let built = began.elapsed().as_secs_f64();
    let blocks = trace.blocks();
    println!("{} calls, {blocks} blocks, {} tokens", trace.len(), trace.input_tokens());
    println!(
        "{:14} {:>8.3} s {:>8.0} M blocks/s (generated and read)",
        "",
        built,
        rate(blocks, built)
    );
    let catalog = catalog();
    for reading in [Reading::Covers, Reading::WritesOnly] {
        for (name, variant) in VARIANTS {
            let began = Instant::now();
            let row = whatif(&trace, &[variant], &catalog, reading).rows.remove(0);
            let took = began.elapsed().as_secs_f64();
            let ratio = row.input_ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.4}"));
            println!("{name:14} {took:>8.3} s {:>8.0} M blocks/s  {ratio}", rate(blocks, took));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown to people")]
fn rate(blocks: u64, seconds: f64) -> f64 {
    blocks as f64 / seconds / 1e6
}

/// A session of an agent: every turn repeats what was said and adds some blocks; now and then the
/// user is away for long, or goes back and says something else.
fn session(number: u64) -> impl Iterator<Item = Entry> {
    let mut state = hash::chain(SEED, number);
    let mut symbols: Vec<u64> = (0..HEAD_BLOCKS).collect();
    let mut at = i64::try_from(number).expect("small") * 97_000;
    (0..TURNS).map(move |turn| {
        state = hash::mix(state);
        if state.is_multiple_of(31) {
            let kept = symbols.len() - symbols.len() / 8;
            symbols.truncate(kept);
        }
        let added = 5 + state % 30;
        symbols.extend((0..added).map(|block| hash::chain(state, block)));
        let gap = if state.is_multiple_of(17) { 1_000_000 } else { 20_000 };
        at += i64::try_from(hash::mix(state) % gap).expect("small") + 5_000;
        entry(number, turn, at, &symbols)
    })
}

fn entry(session: u64, turn: u64, at_ms: i64, symbols: &[u64]) -> Entry {
    let blocks = symbols.len() as u64;
    let (head, input) = (HEAD_BLOCKS.min(blocks) * BLOCK_TOKENS, blocks * BLOCK_TOKENS);
    let usage = Usage { uncached: input, output: 400, ..Usage::ZERO };
    let call = Call {
        id: CallId(u128::from(session) << 32 | u128::from(turn)),
        seed: turn,
        arrived: Time::from_secs(1_790_000_000) + Span::from_millis(at_ms),
        dialect: Dialect::AnthropicMessages,
        provider: "anthropic".into(),
        model: "model".into(),
        operation: "agent".into(),
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
        prompt: vec![block(Role::System, head), block(Role::User, input - head)],
        body_bytes: 0,
    };
    let attempt = Attempt {
        provider: "anthropic".into(),
        model: "model".into(),
        sent: Span::ZERO,
        ended: Span::from_secs(4),
        status: Some(200),
        fault: None,
        metering: Metering::measured(usage),
        terms: Terms::default(),
        cost: None,
        priced_as: None,
    };
    let (first, last) = (Some(Span::from_secs(1)), Some(Span::from_secs(4)));
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
        timing: Timing { head: first, ended: last, ..Timing::default() },
    };
    let end = |blocks: u64| TrailEnd {
        symbols: u32::try_from(blocks).expect("small"),
        tokens: blocks * BLOCK_TOKENS,
    };
    let ends = vec![end(HEAD_BLOCKS.min(blocks)), end(blocks)];
    let trail = Trail { scope: session, symbols: symbols.into(), ends, blocks_known: false };
    Entry { record, trail: Some(trail) }
}

fn block(role: Role, tokens: u64) -> Block {
    let tokens = u32::try_from(tokens).expect("small");
    Block {
        role,
        content: Content::Text,
        digest: Digest::default(),
        chunks: Box::default(),
        characters: tokens,
        tokens,
        features: None,
        outline: None,
        mark: None,
        markable: true,
    }
}

/// Prices and rules in the shape of today's, made up.
fn catalog() -> Catalog {
    let rate = |text: &str| text.parse().expect("a rate");
    let rates = Rates {
        input: rate("0.000003"),
        cache_read: Some(rate("0.0000003")),
        cache_write_short: Some(rate("0.00000375")),
        cache_write_long: Some(rate("0.000006")),
        audio_input: None,
        image_input: None,
        output: rate("0.000015"),
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
