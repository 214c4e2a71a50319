//! How well `scrimp reconcile` names what is between a bill and the records. Only a simulator knows
//! the truth: which calls were billed to whom, and why each of them costs what it costs.
//!
//! `cargo run --release -p scrimp-server --example reconcile -- [SEEDS]`; each seed plays days of
//! four workloads through the real gateway against simulated providers with faults, others past it,
//! and a batch job, and writes the provider's reports in the vendors' shapes. With `VERBOSE` set,
//! each seed is told too.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod invoice;
mod play;
mod scenario;
mod score;
mod truth;

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::available_parallelism;

use scenario::{Reports, Scenario};
use score::Outcome;

const SEEDS: u64 = 200;
/// The share of the dollars of invoices that have to be explained, and by the right cause: of the
/// middle seed.
const WANTED: f64 = 0.995;

fn main() -> ExitCode {
    let seeds = match std::env::args().nth(1).map(|text| text.parse()) {
        None => SEEDS,
        Some(Ok(seeds)) => seeds,
        Some(Err(_)) => {
            eprintln!("wanted: [SEEDS]");
            return ExitCode::from(2);
        }
    };
    let outcomes = all(seeds, |seed| {
        let scenario = Scenario::of(seed);
        let outcome = score::score(&scenario, &play::play(&scenario));
        if std::env::var_os("VERBOSE").is_some() {
            eprintln!("{seed}: {scenario:?}\n{outcome}");
        }
        outcome
    });
    let of = |reports: Reports| -> Vec<&Outcome> {
        outcomes.iter().filter(|outcome| outcome.reports == reports).collect()
    };
    let mut holds = true;
    for reports in Reports::ALL {
        let is_enough = score::print(reports, &of(reports), WANTED);
        // Costs alone do not tell tokens: how near they come is shown, and not held against anyone.
        holds &= is_enough || reports == Reports::Costs;
    }
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What comes of each seed, on all processors, in their order.
fn all<T: Send>(seeds: u64, play: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(1);
    let draw = || Some(next.fetch_add(1, Relaxed)).filter(|seed| *seed <= seeds);
    let work = || std::iter::from_fn(draw).map(&play).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let threads = available_parallelism().map_or(1, NonZero::get);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no play panics")).collect()
    })
}
