//! How often what `scrimp proof` says holds the truth. Only a simulator knows the truth: what the
//! same sessions would have cost on the same day without the rule.
//!
//! `cargo run --release -p scrimp-server --example proof_coverage -- [SEEDS] [WORKLOAD]…`. With `VERBOSE` set, each
//! seed is told too.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod experiment;

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::available_parallelism;

use experiment::{Outcome, Trial, run};
use scrimp_analysis::proof::Verdict;
use scrimp_server::{Clock, Config, Connector, Gateway, Setup};
use scrimp_sim::workload::Workload::{self, BatchExtraction, CodingAgent, Rag, SupportChat};

const SEEDS: u64 = 100;
/// The share of intervals that have to hold the truth.
const COVERAGE: f64 = 0.85;

/// What is played when nothing is named.
const DEFAULT: &[&str] = &["support", "batch", "mix"];

const MIX: &[(Workload, f64)] = &[(SupportChat, 0.1), (CodingAgent, 0.5), (BatchExtraction, 0.1)];

/// What can be played; the days are small, but have enough sessions for a verdict.
const TRIALS: &[(&str, Trial)] = &[
    ("support", Trial { strategy: "tail", traffic: &[(SupportChat, 0.1)] }),
    ("rag", Trial { strategy: "tail", traffic: &[(Rag, 0.1)] }),
    ("agent", Trial { strategy: "tail", traffic: &[(CodingAgent, 0.5)] }),
    ("batch", Trial { strategy: "tail", traffic: &[(BatchExtraction, 0.1)] }),
    ("mix", Trial { strategy: "tail", traffic: MIX }),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let seeds = arguments.peek().and_then(|first| first.parse().ok());
    arguments.next_if(|_| seeds.is_some());
    let wanted: Vec<String> = arguments.collect();
    let is_known = |name: &String| TRIALS.iter().any(|(known, _)| known == name);
    if let Some(unknown) = wanted.iter().find(|name| !is_known(name)) {
        let known: Vec<_> = TRIALS.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no workload `{unknown}`; there are {}", known.join(", "));
        return ExitCode::from(2);
    }
    println!(
        "workload  seeds  said  held  coverage   width  mean truth  mean realised  \
         worked  no effect  worse  too early  false worked  joined"
    );
    let mut is_honest = true;
    let is_wanted = |name: &str| match wanted.is_empty() {
        true => DEFAULT.contains(&name),
        false => wanted.iter().any(|wanted| wanted == name),
    };
    for (name, trial) in TRIALS.iter().filter(|(name, _)| is_wanted(name)) {
        let outcomes = all(*trial, seeds.unwrap_or(SEEDS));
        is_honest &= line(name, &outcomes);
    }
    if is_honest { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The outcome of each seed, on all processors.
fn all(trial: Trial, seeds: u64) -> Vec<Outcome> {
    let next = AtomicU64::new(1);
    let draw = || Some(next.fetch_add(1, Relaxed)).filter(|seed| *seed <= seeds);
    let work = || std::iter::from_fn(draw).map(|seed| told(trial, seed)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let threads = available_parallelism().map_or(1, NonZero::get);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no play panics")).collect()
    })
}

fn told(trial: Trial, seed: u64) -> Outcome {
    let outcome = run(trial, seed);
    if std::env::var_os("VERBOSE").is_some() {
        eprintln!("{seed}: {outcome:?}");
    }
    outcome
}

/// Prints a workload's line. Returns whether enough intervals hold the truth.
fn line(name: &str, outcomes: &[Outcome]) -> bool {
    let said: Vec<_> = outcomes.iter().filter_map(Said::of).collect();
    let held = said.iter().filter(|said| said.holds()).count();
    let of = |verdict| outcomes.iter().filter(|own| own.proof.verdict == verdict).count();
    let is_false = |own: &&Outcome| own.proof.verdict == Verdict::Worked && 0.0 <= own.truth;
    let joined: usize = outcomes.iter().map(|own| own.joined).sum();
    let alone: usize = outcomes.iter().map(|own| own.alone).sum();
    let coverage = share(held, said.len());
    println!(
        "{name:8} {:6} {:5} {held:5} {:8.1}% {:7.3} {:11.3} {:14.3} {:7} {:10} {:6} {:10} {:13} {:6.1}%",
        outcomes.len(),
        said.len(),
        coverage * 100.0,
        mean(&said, |said| said.high - said.low),
        mean(&said, |said| said.truth),
        mean(&said, |said| said.realised),
        of(Verdict::Worked),
        of(Verdict::NoEffect),
        of(Verdict::Worse),
        of(Verdict::TooEarly),
        outcomes.iter().filter(is_false).count(),
        share(joined, joined + alone) * 100.0,
    );
    said.is_empty() || COVERAGE <= coverage
}

/// An estimate with its truth.
struct Said {
    realised: f64,
    low: f64,
    high: f64,
    truth: f64,
}

impl Said {
    /// `None` where there is too little to estimate anything.
    fn of(outcome: &Outcome) -> Option<Said> {
        let Outcome { proof, truth, .. } = *outcome;
        Some(Said { realised: proof.realised?, low: proof.low?, high: proof.high?, truth })
    }

    fn holds(&self) -> bool {
        self.low <= self.truth && self.truth <= self.high
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

fn mean(said: &[Said], of: impl Fn(&Said) -> f64) -> f64 {
    said.iter().map(of).sum::<f64>() / share(said.len(), 1)
}
