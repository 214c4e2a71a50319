//! What `auto` was predicted to save beside what it saved, over seeded days of each workload against
//! the simulated provider, whose caches evict, go cold and overflow in ways that no policy knows.
//!
//! `cargo run --release -p scrimp-server --example realised_saving -- [SEEDS [SCALE]]`. Each day is
//! played twice: as it is, and with `auto` on for all. The prediction is made from the records of
//! the first and knows nothing of the second. Those are also replayed under every fixed rule, and
//! the best one is picked afterwards. Fails where a day got dearer by more than 0.5 %.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

#[path = "../live_equals_replay/day.rs"]
#[expect(dead_code, reason = "shared with a program that compares more")]
mod day;

use std::process::ExitCode;

use day::Day;
use scrimp_analysis::replay::{Prediction, Reading, Row, Trace, VARIANTS, predict, whatif};
use scrimp_core::{Catalog, Entry, Record, Usd};
use scrimp_server::{Clock, Config, Connector, Gateway, Setup};
use scrimp_sim::workload::Workload;
use scrimp_sim::{Provider, Settings};
use scrimp_wire::prices;

const SEEDS: u64 = 5;
/// How much dearer a day may get, in parts of its cost.
const DEARER: f64 = 0.005;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seeds = arguments.next().map_or(Ok(SEEDS), |text| text.parse());
    let scale = arguments.next().map_or(Ok(1.0), |text| text.parse());
    let (Ok(seeds), Ok(scale)) = (seeds, scale) else {
        eprintln!("wanted: [SEEDS [SCALE]]");
        return ExitCode::from(2);
    };
    println!(
        "input cost over that without caching, under each reading: the best fixed rule, auto;"
    );
    println!("and the change of the whole cost: predicted, realised, and the saving's part of it");
    let mut holds = true;
    for kind in Workload::ALL {
        for seed in 1..=seeds {
            let Outcome { replayed, predicted, realised } = outcome(kind, seed, scale);
            print!("{:16} {seed:3}", format!("{kind:?}"));
            for Replayed { best, fixed, auto } in replayed {
                print!("  {best:>11} {fixed:.4} {auto:.4} {:+5.1}%", (auto / fixed - 1.0) * 100.0);
            }
            let of_it = realised / predicted;
            println!("  {:7.2}% {:7.2}% {of_it:6.3}", predicted * 100.0, realised * 100.0);
            holds &= realised < DEARER;
        }
    }
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The best fixed rule of a day, and `auto`.
struct Replayed {
    best: String,
    fixed: f64,
    auto: f64,
}

/// Changes of the day's cost, in parts of it.
struct Outcome {
    replayed: [Replayed; 2],
    predicted: f64,
    realised: f64,
}

fn outcome(kind: Workload, seed: u64, scale: f64) -> Outcome {
    let rule = |state: &str| {
        format!(
            "[prompt_cache]\nstate = \"{state}\"\nstrategy = \"auto\"\nclient_marks = \"replace\""
        )
    };
    let provider = || Provider::new(Settings::usual(seed));
    let as_it_is = Day::play(kind, &rule("observe"), seed, scale, &provider());
    let changed = Day::play(kind, &rule("on"), seed, scale, &provider());
    let entries = as_it_is.live.iter().cloned().map(|record| Entry { record, trail: None });
    let trace = Trace::from_entries(entries);
    let rule = &as_it_is.gateway.running().policies.prompt_cache[0];
    let catalog = prices::snapshot();
    let Prediction { ppm, .. } =
        predict(&trace, rule, &catalog).expect("all models of the day have prices");
    let (before, after) = (cost(&as_it_is.live), cost(&changed.live));
    Outcome {
        replayed: [Reading::Covers, Reading::WritesOnly]
            .map(|reading| replayed(&trace, &catalog, reading)),
        predicted: f64::from(i32::try_from(ppm).expect("a share")) / 1e6,
        realised: after.as_f64() / before.as_f64() - 1.0,
    }
}

fn replayed(trace: &Trace, catalog: &Catalog, reading: Reading) -> Replayed {
    let variants = VARIANTS.map(|(_, variant)| variant);
    let rows = whatif(trace, &variants, catalog, reading).rows;
    let ratio = |row: &Row| row.input_ratio.expect("all models of the day have prices");
    let is_fixed = |row: &&Row| !["none", "auto", "bound"].contains(&row.policy.as_str());
    let fixed = rows.iter().filter(is_fixed);
    let best = fixed.min_by(|a, b| ratio(a).total_cmp(&ratio(b))).expect("there are some");
    let auto = rows.iter().find(|row| row.policy == "auto").expect("it was asked for");
    Replayed { best: best.policy.clone(), fixed: ratio(best), auto: ratio(auto) }
}

/// What all calls of known cost took.
fn cost(records: &[Record]) -> Usd {
    records.iter().filter_map(|record| record.cost).sum()
}
