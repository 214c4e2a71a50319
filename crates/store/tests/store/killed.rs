//! `kill -9` at any moment. The child is this test binary itself.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use scrimp_core::hash;
use scrimp_store::{OpenError, Options, Store};

use super::{ledger_calls, open, patient, scan};
use crate::fixture::turn;

const DIR: &str = "SCRIMP_STORE_TEST_DIR";
const FIRST: &str = "SCRIMP_STORE_TEST_FIRST";

/// Settles call after call, and prints a number once every call below it is on disk. Runs until it
/// is killed; only as a child of the tests here.
#[test]
#[ignore = "the child of the tests beside it"]
fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    // Small segments, so that it is killed while it seals, too.
    // What the fixture settles is long past, and must not be dropped for its age meanwhile.
    let options = Options { seal_records: 300, flush_every: Duration::from_millis(1), ..patient() };
    let store = Store::open(dir.as_ref(), options).unwrap();
    let mut out = std::io::stdout().lock();
    for n in first.. {
        store.settle(Arc::new(turn(n)));
        if hash::mix(n).is_multiple_of(16) {
            store.flush();
            writeln!(out, "durable {}", n + 1).unwrap();
            out.flush().unwrap();
        }
    }
}

fn spawn(dir: &std::path::Path, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads the child's lines until `count` of them said what is durable. Returns the last number.
fn durable_after(child: &mut Child, count: u64) -> u64 {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let numbers = lines.map_while(Result::ok).filter_map(|line| {
        line.split_once("durable ").and_then(|(_, number)| number.trim().parse().ok())
    });
    numbers.take(usize::try_from(count).unwrap()).last().unwrap()
}

#[test]
fn a_killed_process_loses_nothing_that_was_flushed_and_tears_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, mut known) = (0, 0_u64);
    for round in 0..15 {
        let mut child = spawn(dir.path(), first);
        let durable = durable_after(&mut child, 1 + hash::mix(round) % 40);
        // std kills with SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        let store = open(dir.path());
        let found = scan(&store.reader());
        let numbers: std::collections::BTreeSet<u64> = found.iter().map(|r| r.call.seed).collect();
        assert_eq!(numbers.len(), found.len(), "round {round}: a record is there twice");
        let lost = (first..durable).filter(|n| !numbers.contains(n)).count();
        assert_eq!(lost, 0, "round {round}: lost of {first}..{durable}");
        assert!(
            known <= numbers.len() as u64,
            "round {round}: an earlier round's records are gone"
        );
        assert_eq!(ledger_calls(&store.reader()), numbers.len() as u64, "round {round}");
        assert_eq!(store.health().corrupt_files, [""; 0], "round {round}");
        for record in found.iter().step_by(97) {
            assert_eq!(*record, turn(record.call.seed), "round {round}");
        }
        known = numbers.len() as u64;
        first = numbers.last().unwrap() + 1;
        store.close().unwrap();
    }
}

#[test]
fn a_second_process_is_refused_and_told_who_holds_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = spawn(dir.path(), 0);
    durable_after(&mut child, 1);
    let refused = Store::open(dir.path(), Options::STANDARD).unwrap_err();
    let pid = child.id();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(refused, OpenError::Locked { pid: Some(found), .. } if found == pid));
    let text = refused.to_string();
    assert!(text.contains(&pid.to_string()), "{text}");
    assert!(text.contains(&dir.path().display().to_string()), "{text}");
    open(dir.path()).close().unwrap();
}
