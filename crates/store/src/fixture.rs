//! Conversations turn by turn, for tests and measurements.

use std::sync::Arc;

use scrimp_core::call::Content;
use scrimp_core::policy::Arm;
use scrimp_core::policy::prompt_cache::Placement;
use scrimp_core::price::Terms;
use scrimp_core::record::Timing;
use scrimp_core::{
    Attempt, Block, Call, CallId, Caller, Delivery, Dialect, Digest, Ending, Metering, Parameters,
    Record, Role, Span, State, Time, Ttl, Usage, Usd, hash,
};

/// Noon of some day.
pub(crate) const NOON: Time = Time::from_secs(1_790_000_000 - 1_790_000_000 % 86_400 + 43_200);

/// A plain answered call, the `n`-th of a hundred per second, in one of 50 conversations that each
/// grow by two blocks per turn, and begin again after 30 turns.
pub(crate) fn turn(n: u64) -> Record {
    turn_of(n, n % 50, n / 50 % 30, NOON + Span::from_millis(n.cast_signed() * 10))
}

/// Turn `turn` of `session` as call `n`, arriving at `at`.
pub(crate) fn turn_of(n: u64, session: u64, turn: u64, at: Time) -> Record {
    let roles = [Role::System, Role::User, Role::Assistant];
    let block = |i: u64| {
        let role = roles[usize::try_from(if i == 0 { 0 } else { 1 + (i - 1) % 2 }).expect("< 3")];
        let seed = hash::mix(if i == 0 { 7 } else { session << 32 | i });
        let digest = Digest((u128::from(seed) << 64 | u128::from(hash::mix(seed))).to_be_bytes());
        let tokens = (seed % 400) as u32 + 20;
        Block {
            role,
            content: Content::Text,
            digest,
            chunks: Box::default(),
            characters: tokens * 4,
            tokens,
            features: None,
            outline: None,
            // The client marks the last block of each turn, as agents do.
            mark: (i == 2 * turn + 1).then_some(Ttl::Short),
            markable: true,
        }
    };
    let prompt: Vec<Block> = (0..2 * turn + 2).map(block).collect();
    let tokens: u64 = prompt.iter().map(|block| u64::from(block.tokens)).sum();
    let vendor = usize::from(session.is_multiple_of(2));
    let model: Arc<str> = ["gpt-6-luna", "claude-haiku-5-5"][vendor].into();
    let provider: Arc<str> = ["openai", "anthropic"][vendor].into();
    let usage = Usage { uncached: tokens / 2, cache_read: tokens / 2, output: 80, ..Usage::ZERO };
    let latency = Span::from_millis(200 + (hash::mix(n) % 3_000).cast_signed());
    let cost = Usd::from_pico(i128::from(tokens) * 1_000_003);
    let operations = ["support-answer", "extract-invoice", "code-review"];
    let call = Call {
        id: CallId(u128::from(at.nanos().cast_unsigned()) << 64 | u128::from(n)),
        seed: n,
        arrived: at,
        dialect: Dialect::OpenaiChat,
        provider: provider.clone(),
        model: model.clone(),
        operation: operations[usize::try_from(session % 3).expect("< 3")].into(),
        caller: Caller {
            key: Digest([(session % 5) as u8; 16]),
            session: Some(Digest([session as u8; 16])),
            tags: Vec::new(),
        },
        delivery: Delivery::Stream,
        parameters: parameters(),
        prompt,
        body_bytes: tokens * 4,
    };
    let status = if n % 17 == 16 { 529 } else { 200 };
    let metering = Metering::measured(usage);
    let attempt = Attempt {
        provider,
        model: model.clone(),
        sent: Span::from_micros(80),
        ended: latency,
        status: Some(status),
        fault: None,
        metering,
        terms: Terms::default(),
        cost: Some(cost),
        priced_as: Some(model),
    };
    Record {
        call: Arc::new(call),
        shaped: None,
        budgeted: None,
        placement: Some(Placement {
            experiment: 7,
            state: State::On,
            arm: if session.is_multiple_of(4) { Arm::Treated } else { Arm::HeldOut },
            unit: session,
            edits: Vec::new(),
            stood_down: None,
            reasons: Vec::new(),
        }),
        attempts: vec![attempt],
        ending: Ending::Answered { status, finish: Some("stop".into()) },
        metering,
        cost: Some(cost),
        cost_uncached: Some(cost + cost),
        timing: Timing {
            head: Some(Span::from_millis(150)),
            first_content: Some(Span::from_millis(180)),
            last_content: Some(latency),
            hung_up: None,
            ended: Some(latency),
            overhead: Some(Span::from_micros(90)),
        },
    }
}

fn parameters() -> Parameters {
    Parameters {
        max_output_tokens: Some(1_024),
        temperature_permille: None,
        answers: 1,
        usage_in_stream: true,
        client_cache_options: false,
        digest: Digest([9; 16]),
        rendered: None,
    }
}
