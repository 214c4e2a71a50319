//! What a call costs each thread when calls come as fast as they are stored.
//!
//! `cargo run --release -p scrimp-store --example load -- [CALLS] [store|nowhere]` settles small chat
//! calls on two threads, as the workers of a gateway do: a system prompt that all share and a
//! question of their own. After every 2,000 calls it waits for the disk, so that batches are those of
//! 40,000 calls a second however fast the machine is: that makes it the same work under a profiler
//! that is slow. `nowhere` drops the records instead, which says what making them costs.
//! Linux only: it reads `/proc`.

#![expect(clippy::print_stdout, reason = "it is a program for people")]
#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "for display")]

#[path = "../src/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod fixture;

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use scrimp_core::call::Features;
use scrimp_core::{Block, Call, CallId, Caller, Digest, Record, Role, Span, hash};
use scrimp_store::{Options, Store};

/// The gateway's own: on which thread memory is given back is part of the question.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const WORKERS: u64 = 2;
/// Calls between two visits to the disk.
const BATCH: u64 = 2_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let calls = arguments.next().map_or(200_000, |n| n.parse::<u64>().expect("a whole number"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    // Only when it is told to.
    let options = Options { flush_every: Duration::from_hours(1), ..Options::STANDARD };
    let store = match arguments.next().as_deref() {
        Some("nowhere") => None,
        _ => Some(Arc::new(Store::open(dir.path(), options).expect("the store opens"))),
    };
    let (done, batches) = channel();
    let workers: Vec<Sender<u64>> = (0..WORKERS)
        .map(|_| {
            let (begin, told) = channel();
            let (store, done) = (store.clone(), done.clone());
            let run = move || work(&told, store.as_deref(), &done);
            std::thread::Builder::new().name("worker".to_owned()).spawn(run).expect("a thread");
            begin
        })
        .collect();
    for first in (0..calls).step_by(BATCH as usize) {
        for (worker, begin) in (0..).zip(&workers) {
            begin.send(first + worker).expect("it listens");
        }
        for _ in &workers {
            batches.recv().expect("it answers");
        }
        if let Some(store) = &store {
            store.flush();
        }
    }
    if let Some(store) = &store {
        store.seal().expect("sealed");
        println!("dropped {}", store.health().details_dropped);
    }
    for (name, time) in thread_times() {
        println!("{name}: {:.2} µs a call", time.as_secs_f64() * 1e6 / calls as f64);
    }
}

/// Settles every second call of a batch, as often as it is told the first of one.
fn work(told: &Receiver<u64>, store: Option<&Store>, done: &Sender<()>) {
    let template = fixture::turn_of(0, 0, 0, fixture::NOON);
    for first in told {
        for n in (first..first + BATCH).step_by(WORKERS as usize) {
            let record = Arc::new(small(&template, n));
            match store {
                Some(store) => settle(store, record),
                None => drop(black_box(record)),
            }
        }
        done.send(()).expect("somebody waits");
    }
}

/// Under a name that profilers show.
#[inline(never)]
fn settle(store: &Store, record: Arc<Record>) {
    store.settle(record);
}

/// A chat call of two short blocks of which the second is its own.
fn small(template: &Record, n: u64) -> Record {
    let noise = hash::mix(n);
    let call = &*template.call;
    let block = |block: &Block| {
        let seed = if block.role == Role::System { 7 } else { noise };
        let words = |length| (0..length).map(|at| hash::mix(seed + at)).collect();
        Block {
            digest: Digest((u128::from(seed) << 64 | u128::from(hash::mix(seed))).to_be_bytes()),
            features: Some(Box::new(Features {
                numbers: words(1),
                names: words(seed % 8),
                negations: 1,
                order: hash::mix(seed),
                bag: hash::mix(seed + 1),
            })),
            ..block.clone()
        }
    };
    let arrived = call.arrived + Span::from_micros(25 * n.cast_signed());
    // As the gateway draws them: by the millisecond, then at random.
    let millis = u128::from(arrived.nanos().cast_unsigned() / 1_000_000);
    let latency = Span::from_micros(200 + (noise % 3_000).cast_signed());
    let timing = scrimp_core::record::Timing {
        head: Some(latency),
        first_content: Some(latency),
        last_content: Some(latency),
        ended: Some(latency + Span::from_micros(10)),
        overhead: Some(Span::from_nanos(20_000 + (noise % 9_000).cast_signed())),
        ..template.timing
    };
    let call = Call {
        id: CallId(millis << 80 | u128::from(noise) << 16 | u128::from(n as u16)),
        seed: noise,
        arrived,
        caller: Caller { session: None, ..call.caller.clone() },
        prompt: call.prompt.iter().map(block).collect(),
        ..call.clone()
    };
    Record { call: Arc::new(call), placement: None, timing, ..template.clone() }
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
