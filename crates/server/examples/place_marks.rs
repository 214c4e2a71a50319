//! How long `auto` takes to decide about a prompt, and what it remembers of each block.
//!
//! `cargo run --release -p scrimp-server --example place_marks -- [BLOCKS]`, 300 by default: calls of
//! so many blocks, the next turn of a conversation and prompts never seen, with a memory that is full.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

use std::process::ExitCode;
use std::time::Instant;

use scrimp_core::call::{
    Block, Call, CallId, Caller, Content, Delivery, Dialect, Digest, Parameters, Role, Ttl,
};
use scrimp_core::policy::prompt_cache::{AutoMemory, ClientMarks, PromptCache, Strategy};
use scrimp_core::policy::{Scope, Share, State};
use scrimp_core::price::Terms;
use scrimp_core::{Metering, PriceRow, Span, Time, Usage, hash};

const MODEL: &str = "claude-sonnet-4-5";
/// The memory holds so many blocks, and so many calls go by before it is measured.
const REMEMBERED: usize = 131_072;
const WARMING: u64 = 3_000;
const MEASURED: u64 = 3_000;
/// Conversations that take turns.
const CONVERSATIONS: u64 = 200;

fn main() -> ExitCode {
    let blocks = std::env::args().nth(1).map_or(Ok(300), |text| text.parse());
    let Ok(blocks) = blocks else {
        eprintln!("wanted: [BLOCKS]");
        return ExitCode::from(2);
    };
    let catalog = scrimp_wire::prices::snapshot();
    let start = Time::from_secs(1_780_000_000);
    let row = catalog.find("anthropic", MODEL, start).expect("it has a price").clone();
    let before = resident_bytes();
    let mut memory = AutoMemory::with_capacity(REMEMBERED);
    let mut clock = Clock { now: start };
    // Conversation `n` has grown by two blocks with each of its turns.
    let turn = |n: u64| {
        let (conversation, turn) = (n % CONVERSATIONS, n / CONVERSATIONS);
        prompt(conversation, blocks - 2 * usize::try_from(30 - turn.min(30)).unwrap_or(0))
    };
    let fresh = |n: u64| prompt(1_000_000 + n, blocks);
    for n in 0..WARMING {
        decide(&mut memory, &row, &clock.call(fresh(n)));
    }
    let held = resident_bytes().saturating_sub(before);
    for (name, prompt) in [
        ("next turn", &turn as &dyn Fn(u64) -> Vec<Block>),
        ("new prompt", &|n| fresh(n + WARMING)),
    ] {
        let mut times: Vec<f64> =
            (0..MEASURED).map(|n| decide(&mut memory, &row, &clock.call(prompt(n)))).collect();
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        println!("{name}: {:.1} µs median, {:.1} at 90 %, {:.1} at 99 %", at(50), at(90), at(99));
    }
    println!("memory: {} bytes a block, {REMEMBERED} blocks", held / REMEMBERED);
    ExitCode::SUCCESS
}

struct Clock {
    now: Time,
}

impl Clock {
    fn call(&mut self, prompt: Vec<Block>) -> Call {
        self.now = self.now + Span::from_millis(200);
        Call {
            id: CallId(1),
            seed: 1,
            arrived: self.now,
            dialect: Dialect::AnthropicMessages,
            provider: "anthropic".into(),
            model: MODEL.into(),
            operation: "chat".into(),
            caller: Caller::default(),
            delivery: Delivery::Whole,
            parameters: Parameters {
                max_output_tokens: None,
                temperature_permille: None,
                answers: 1,
                usage_in_stream: false,
                client_cache_options: false,
                digest: Digest::default(),
                rendered: None,
            },
            prompt,
            body_bytes: 0,
        }
    }
}

/// The first `blocks` blocks of a conversation.
fn prompt(conversation: u64, blocks: usize) -> Vec<Block> {
    let block = |at: u64| {
        let role = match at {
            0..5 => Role::System,
            _ if at.is_multiple_of(2) => Role::User,
            _ => Role::Assistant,
        };
        let shared = if at < 5 { 0 } else { conversation };
        let digest = u128::from(hash::chain(shared, at)).to_le_bytes();
        Block {
            role,
            content: Content::Text,
            digest: Digest(digest),
            chunks: Box::default(),
            characters: 1_200,
            tokens: 300,
            features: None,
            outline: None,
            mark: None,
            markable: true,
        }
    };
    (0..blocks as u64).map(block).collect()
}

/// One decision, in microseconds.
fn decide(memory: &mut AutoMemory, row: &PriceRow, call: &Call) -> f64 {
    let rule = PromptCache {
        scope: Scope::All,
        state: State::On,
        strategy: Strategy::Auto,
        ttl: Ttl::Long,
        share: Share::ALL,
        experiment: 1,
        client_marks: ClientMarks::Keep,
    };
    let cache = row.cache.as_ref().expect("it caches");
    let rates = row.rates(call.estimated_tokens(), Terms::default());
    let began = Instant::now();
    let (placement, expected) = rule.place_by(memory, call, cache, &rates);
    let took = began.elapsed();
    memory.began(&expected, call.arrived);
    memory.learn(&expected, &Metering::measured(Usage::ZERO));
    std::hint::black_box(placement);
    took.as_secs_f64() * 1e6
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}
