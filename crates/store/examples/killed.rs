//! How much a killed process loses.
//!
//! `cargo run --release -p scrimp-store --example killed -- [KILLS] [CALLS_PER_SECOND]` runs itself as
//! a child that settles calls as a gateway does, kills it at a moment drawn at random, and looks for
//! the latest call on disk. What arrived between that one and the kill is lost: the store promises
//! at most 100 ms. That nothing is missing before it is what the tests look at.

#![expect(clippy::print_stdout, reason = "it is a program for people")]
#![expect(clippy::cast_possible_truncation, reason = "times of this century")]

#[path = "../src/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod fixture;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use scrimp_core::{Span, Time, hash};
use scrimp_store::{Options, Store};

/// Calls are settled in little bursts of this length.
const BURST: Duration = Duration::from_millis(1);
/// A child is killed so long after it began, at the earliest and at the latest.
const LIFE_MS: std::ops::Range<u64> = 400..900;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise| {
        arguments.get(at).map_or(otherwise, |n| n.parse::<u64>().expect("a whole number"))
    };
    let (kills, pace) = (number(0, 50).max(1), number(1, 2_000));
    if let Some(dir) = arguments.get(2) {
        settle_for_ever(Path::new(dir), pace);
    }
    let mut lost: Vec<Span> = (0..kills).map(|round| kill(round, pace)).collect();
    lost.sort_unstable();
    let at = |percent: usize| lost[(lost.len() - 1) * percent / 100].as_millis_f64();
    println!(
        "{kills} kills at {pace} calls/s: lost the last {:.1} ms (median), {:.1} ms (95 of 100), \
         {:.1} ms (most)",
        at(50),
        at(95),
        at(100)
    );
}

/// The child: until it is killed.
fn settle_for_ever(dir: &Path, pace: u64) -> ! {
    let store = Store::open(dir, Options::STANDARD).expect("the store opens");
    let burst = (pace * BURST.as_millis() as u64 / 1_000).max(1);
    let mut settled = 0;
    loop {
        for _ in 0..burst {
            store.settle(fixture::turn_of(settled, settled % 40, settled / 40 % 30, now()).into());
            settled += 1;
        }
        if settled == burst {
            println!("settling");
            std::io::stdout().flush().expect("somebody listens");
        }
        std::thread::sleep(BURST);
    }
}

/// Kills one child. Returns what arrived before that and after the latest call on disk.
fn kill(round: u64, pace: u64) -> Span {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut child = start(dir.path(), pace);
    let output = child.stdout.as_mut().expect("piped");
    BufReader::new(output).read_line(&mut String::new()).expect("it says that it began");
    let begun = now();
    let length = LIFE_MS.end - LIFE_MS.start;
    std::thread::sleep(Duration::from_millis(LIFE_MS.start + hash::mix(round) % length));
    let killed = now();
    // With SIGKILL.
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let store = Store::open(dir.path(), Options::STANDARD).expect("the store opens");
    let kept = store.reader().scan(begun - Span::from_secs(60), killed + Span::from_secs(60));
    let latest = kept.map(|record| record.expect("readable").call.arrived).max();
    killed.since(latest.unwrap_or(begun))
}

fn start(dir: &Path, pace: u64) -> Child {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program);
    child.args(["0", &pace.to_string()]).arg(dir).stdout(Stdio::piped());
    child.spawn().expect("this program runs")
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Time::EPOCH + Span::from_nanos(since.as_nanos() as i64)
}
