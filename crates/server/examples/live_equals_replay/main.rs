//! Live equals replay, call by call, over whole days of each workload with every fault that the
//! simulator knows.
//!
//! `cargo run --release -p scrimp-server --example live_equals_replay -- [SEEDS [SCALE]]`; 1.0, a
//! whole day, is about 2,000 calls. Fails when a call differs, when one is missing, or when the days
//! of a workload together had nothing of a kind that they are there for.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod day;

use std::process::ExitCode;
use std::time::Instant;

use day::{Checked, Counts, KINDS, check, fault_names};
use scrimp_server::{Clock, Config, Connector, Gateway, Setup};
use scrimp_sim::workload::Workload;

const SEEDS: u64 = 5;
/// So many complaints are told of each day.
const TOLD: usize = 5;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seeds = arguments.next().map_or(Ok(SEEDS), |text| text.parse());
    let scale = arguments.next().map_or(Ok(1.0), |text| text.parse());
    let (Ok(seeds), Ok(scale)) = (seeds, scale) else {
        eprintln!("wanted: [SEEDS [SCALE]]");
        return ExitCode::from(2);
    };
    print!("{:21} {:>5} {:>6} {:>6}", "workload", "days", "calls", "differ");
    for kind in KINDS {
        print!(" {kind:>9}");
    }
    println!(" {:>7} {:>7}", "faults", "seconds");
    let mut holds = true;
    for strategy in ["tail", "auto"] {
        for kind in Workload::ALL {
            holds &= days(kind, strategy, seeds, scale);
        }
    }
    println!("kinds of faults that were played: {}", fault_names().len());
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Checks a workload's days and prints its line. Returns whether all holds.
fn days(kind: Workload, strategy: &str, seeds: u64, scale: f64) -> bool {
    let began = Instant::now();
    let (mut sum, mut differing, mut holds) = (Counts::default(), 0, true);
    for seed in 1..=seeds {
        let Checked { counts, differ, complaints } = check(kind, strategy, seed, scale);
        for complaint in complaints.iter().take(TOLD) {
            eprintln!("{kind:?}, seed {seed}: {complaint}");
        }
        holds &= complaints.is_empty();
        differing += differ;
        add(&mut sum, counts);
    }
    print!("{:21} {seeds:5} {:6} {differing:6}", format!("{kind:?} {strategy}"), sum.calls);
    for kind in KINDS {
        print!(" {:9}", sum.kinds.get(kind).copied().unwrap_or_default());
    }
    println!(" {:7} {:7.1}", sum.faults.values().sum::<usize>(), began.elapsed().as_secs_f64());
    let missing = sum.missing();
    if !missing.is_empty() {
        eprintln!("{kind:?}: never happened: {}", missing.join(", "));
    }
    holds && missing.is_empty()
}

fn add(sum: &mut Counts, day: Counts) {
    sum.calls += day.calls;
    for (kind, times) in day.kinds {
        *sum.kinds.entry(kind).or_default() += times;
    }
    for (fault, times) in day.faults {
        *sum.faults.entry(fault).or_default() += times;
    }
}
