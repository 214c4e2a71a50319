//! What each thread of the store costs a call, and how much memory it takes, under a steady load of
//! small chat calls.
//!
//! `cargo run --release -p scrimp-store --example steady -- [CALLS_PER_SECOND] [SECONDS] [DIRECTORY]`
//! settles calls of two blocks at that pace, as a gateway would, and prints per second the resident
//! memory and at the end each thread's processor time. Linux only: it reads `/proc`.

#![expect(clippy::print_stdout, reason = "it is a program for people")]
#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "for display")]

#[path = "../src/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod fixture;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use scrimp_core::call::Features;
use scrimp_core::{Block, Call, CallId, Caller, Record, Span, Time, hash};
use scrimp_store::{Options, Store};

/// The gateway's own: what memory is given back, and when, is part of the question.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Calls are settled in little bursts of this length.
const BURST: Duration = Duration::from_millis(5);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise| {
        arguments.next().map_or(otherwise, |n| n.parse::<u64>().expect("a whole number"))
    };
    let (pace, seconds) = (number(10_000), number(20));
    let named = arguments.next();
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let dir = named.as_ref().map_or(temporary.path(), Path::new);
    let store = Store::open(dir, Options::STANDARD).expect("the store opens");
    println!("idle: {} MB", resident_kb("VmRSS") >> 10);
    let calls = pace * seconds;
    let mut begun = Instant::now();
    let mut settled = 0;
    for second in 1..=seconds {
        while settled < pace * second {
            for _ in 0..pace * BURST.as_millis() as u64 / 1_000 {
                store.settle(Arc::new(small(settled)));
                settled += 1;
            }
            // Never faster than the pace: what was missed is not made up for.
            begun = (begun + BURST).max(Instant::now().checked_sub(BURST).unwrap_or(begun));
            std::thread::sleep(begun.saturating_duration_since(Instant::now()));
        }
        println!("{second} s: {} MB", resident_kb("VmRSS") >> 10);
    }
    let health = store.health();
    store.seal().expect("sealed");
    println!("peak: {} MB, dropped {}", resident_kb("VmHWM") >> 10, health.details_dropped);
    for (name, time) in thread_times() {
        println!("{name}: {:.2} µs a call", time.as_secs_f64() * 1e6 / calls as f64);
    }
}

/// A chat call of two short blocks, each in a conversation of its own, that has just arrived.
fn small(n: u64) -> Record {
    let template = fixture::turn_of(n, n % 40_000, 0, now());
    let features = |block: Block| Block {
        features: Some(Box::new(Features {
            numbers: vec![hash::mix(block.digest.word())],
            names: vec![block.digest.word(), n % 7],
            negations: 1,
            order: hash::mix(n),
            bag: hash::mix(n + 1),
        })),
        ..block
    };
    // No experiment: a unit for every call would be what is measured.
    let template = Record { placement: None, ..template };
    let call = (*template.call).clone();
    let arrived = call.arrived;
    // As the gateway draws them: by the millisecond, then at random.
    let id = CallId(u128::from(arrived.nanos().cast_unsigned() / 1_000_000) << 80 | id_bits(n));
    let prompt = call.prompt.into_iter().map(features).collect();
    let caller = Caller { session: None, ..call.caller };
    Record { call: Arc::new(Call { id, prompt, caller, ..call }), ..template }
}

fn id_bits(n: u64) -> u128 {
    u128::from(hash::mix(n)) << 16 | u128::from(n as u16)
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Time::EPOCH + Span::from_nanos(since.as_nanos() as i64)
}

fn resident_kb(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The name and the time on a processor of every thread.
fn thread_times() -> Vec<(String, Duration)> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let time = |task: fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?.trim().to_owned();
        let times = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanos = times.split(' ').next()?.parse().ok()?;
        Some((name, Duration::from_nanos(nanos)))
    };
    tasks.filter_map(time).collect()
}
