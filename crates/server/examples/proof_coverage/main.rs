//! How often what `scrimp proof` says holds the truth. Only a simulator knows the truth: what the
//! same sessions would have cost on the same day without the rule.
//!
//! `cargo run --release -p scrimp-server --example proof_coverage -- [SEEDS] [WORKLOAD]…`, with
//! `--faults` on days on which providers fail, with `--alike` the other question: how often a
//! difference is seen where there is none. With `VERBOSE` set, each seed is told too.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod experiment;

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::available_parallelism;

use experiment::{Outcome, Trial, run, run_alike};
use scrimp_analysis::proof::{Proof, Verdict};
use scrimp_server::{Clock, Config, Connector, Gateway, Setup};
use scrimp_sim::workload::Workload::{self, BatchExtraction, CodingAgent, Rag, SupportChat};

const SEEDS: u64 = 100;
/// The share of intervals that have to hold the truth.
const COVERAGE: f64 = 0.85;
/// How often each seed's sessions are divided anew for `--alike`.
const DRAWS: u64 = 20;
/// The share of them in which a difference is seen if the interval is what it is called.
const FALSE_ALARMS: f64 = 0.05;

const MIX: &[(Workload, f64)] = &[(SupportChat, 0.1), (CodingAgent, 0.5), (BatchExtraction, 0.1)];

/// What can be played; the days are small, but have enough sessions for a verdict.
const TRIALS: &[(&str, Trial)] = &[
    ("support", trial(&[(SupportChat, 0.1)])),
    ("rag", trial(&[(Rag, 0.1)])),
    ("agent", trial(&[(CodingAgent, 1.0)])),
    ("batch", trial(&[(BatchExtraction, 0.1)])),
    ("mix", trial(MIX)),
];

const fn trial(traffic: &'static [(Workload, f64)]) -> Trial {
    Trial { strategy: "tail", traffic, faults: false }
}

fn main() -> ExitCode {
    let (options, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let (mut seeds, mut wanted) = (SEEDS, Vec::new());
    for word in words {
        match word.parse() {
            Ok(number) => seeds = number,
            Err(_) => wanted.push(word),
        }
    }
    let is_known = |name: &String| TRIALS.iter().any(|(known, _)| known == name);
    let is_option = |name: &String| ["--faults", "--alike"].contains(&name.as_str());
    let unknown = wanted.iter().find(|name| !is_known(name));
    if let Some(unknown) = unknown.or_else(|| options.iter().find(|name| !is_option(name))) {
        let known: Vec<_> = TRIALS.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no `{unknown}`; there are {}, --faults, --alike", known.join(", "));
        return ExitCode::from(2);
    }
    let has = |option: &str| options.iter().any(|own| own == option);
    let (faults, alike) = (has("--faults"), has("--alike"));
    println!("{}", if alike { ALIKE_HEAD } else { HEAD });
    let mut is_honest = true;
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    for (name, trial) in TRIALS.iter().filter(|(name, _)| is_wanted(name)) {
        let trial = Trial { faults, ..*trial };
        is_honest &= match alike {
            true => alike_line(name, &all(seeds, |seed| run_alike(trial, seed, DRAWS))),
            false => line(name, &all(seeds, |seed| told(trial, seed))),
        };
    }
    if is_honest { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const HEAD: &str = "workload  seeds  said  held  coverage  pooled   width  mean truth  mean realised  \
                    worked  no effect  worse  too early  false worked  joined";
const ALIKE_HEAD: &str = "workload  proofs   said  worked  worse  false alarms";

/// What comes of each seed, on all processors.
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

/// Prints the line of a workload of which both arms were treated alike. Returns whether few enough
/// differences were seen.
fn alike_line(name: &str, seeds: &[Vec<Proof>]) -> bool {
    let proofs = || seeds.iter().flatten();
    let of = |verdict| proofs().filter(|proof| proof.verdict == verdict).count();
    let said = proofs().filter(|proof| proof.low.is_some()).count();
    // Without a prediction nothing is *partial*.
    let (worked, worse) = (of(Verdict::Worked), of(Verdict::Worse));
    let alarms = share(worked + worse, said);
    println!(
        "{name:8} {:7} {said:6} {worked:7} {worse:6} {:12.1}%",
        proofs().count(),
        alarms * 100.0
    );
    // Two standard errors are for the chance of so many draws.
    let room = 2.0 * (FALSE_ALARMS * (1.0 - FALSE_ALARMS) / share(said, 1)).sqrt();
    said == 0 || alarms <= FALSE_ALARMS + room
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
    let held = said.iter().filter(|said| said.holds(said.truth)).count();
    // What the rule does to sessions of this kind, as near as all seeds together tell it.
    let sum = |of: fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>();
    let pooled = sum(|own| own.bills.0) / sum(|own| own.bills.1) - 1.0;
    let of = |verdict| outcomes.iter().filter(|own| own.proof.verdict == verdict).count();
    let is_false = |own: &&Outcome| own.proof.verdict == Verdict::Worked && 0.0 <= own.truth;
    let joined: usize = outcomes.iter().map(|own| own.joined).sum();
    let alone: usize = outcomes.iter().map(|own| own.alone).sum();
    let coverage = share(held, said.len());
    println!(
        "{name:8} {:6} {:5} {held:5} {:8.1}% {:6.1}% {:7.3} {:11.3} {:14.3} {:7} {:10} {:6} {:10} {:13} {:6.1}%",
        outcomes.len(),
        said.len(),
        coverage * 100.0,
        share(said.iter().filter(|said| said.holds(pooled)).count(), said.len()) * 100.0,
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

    fn holds(&self, truth: f64) -> bool {
        self.low <= truth && truth <= self.high
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

fn mean(said: &[Said], of: impl Fn(&Said) -> f64) -> f64 {
    said.iter().map(of).sum::<f64>() / share(said.len(), 1)
}
