//! The gateway's own records, when some of them are damaged.

use std::path::Path;
use std::sync::Arc;

use crate::support::{Place, sample};
use expect_test::expect;
use scrimp_core::{CallId, Span, Time};
use scrimp_store::{Options, Store};
use scrimp_wire::import::{self, Source};

fn open(place: &Place) -> Store {
    // The samples' calls are as old as the clock.
    let options = Options { keep_records: Span::from_hours(24 * 365 * 150), ..Options::STANDARD };
    Store::open(&place.path("data"), options).unwrap()
}

/// A store with the calls of both samples, each in a segment of its own.
fn filled(place: &Place) {
    let store = open(place);
    for name in ["brisk.json", "slow.json"] {
        let bytes = std::fs::read(sample(name)).unwrap();
        let source = Source::new(name, Time::EPOCH);
        let reading = (import::recognise(&bytes).unwrap().read)(&bytes, &source);
        for entry in reading.entries {
            store.settle(Arc::new(entry.record));
        }
        store.seal().unwrap();
    }
    store.close().unwrap();
}

const TRANSCRIPT: &str = concat!(
    r#"{"type":"user","uuid":"u1","sessionId":"s","timestamp":"2026-03-02T09:00:00Z","#,
    r#""message":{"role":"user","content":"hello"}}"#,
    "\n",
    r#"{"type":"assistant","uuid":"u2","parentUuid":"u1","sessionId":"s","#,
    r#""timestamp":"2026-03-02T09:00:09Z","message":{"id":"msg_1","#,
    r#""model":"claude-sonnet-4-5-20250929","usage":{"input_tokens":5,"output_tokens":40}}}"#,
);

#[test]
fn a_transcript_beside_the_gateways_records_counts_once() {
    let place = Place::new();
    place.write("all/transcripts/session.jsonl", TRANSCRIPT);
    let source = Source::new("session.jsonl", Time::EPOCH);
    let bytes = TRANSCRIPT.as_bytes();
    let mut reading = (import::recognise(bytes).unwrap().read)(bytes, &source);
    let mut record = reading.entries.remove(0).record;
    // The gateway has a name of its own for the call, and the model's as the client asked for it.
    let call = Arc::make_mut(&mut record.call);
    (call.id, call.model) = (CallId(7), "claude-sonnet-4-5".into());
    call.arrived = call.arrived + Span::from_millis(400);
    let store = open(&place);
    store.settle(Arc::new(record));
    store.close().unwrap();
    std::fs::rename(place.path("data"), place.path("all/data")).unwrap();
    let said = place.run(&["analyze", "all"]).done();
    assert!(said.contains("1 calls stand in the logs of two tools"), "{said}");
    let found = place.run(&["analyze", "all", "--json"]).json();
    assert_eq!(found["totals"]["calls"], 1, "{found}");
}

/// Overwrites all but the first and last bytes, which say what the file is.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let end = bytes.len() - 1;
    bytes[1..end].fill(0xa5);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn calls_that_cannot_be_read_are_missed_aloud() {
    let place = Place::new();
    filled(&place);
    damage(&place.path("data/segments/calls-00000001.parquet"));
    let whatif = place.run(&["whatif", "data", "--prompt-cache", "none"]).done();
    expect![[r#"
        5 calls

        policy    input  ÷ no caching  read from cache  with output     basis
        none      $0.31        1.0000             0.0%        $0.34  replayed

        note: calls are missing: calls-00000001.parquet: Parquet error: Invalid Parquet file. Corrupt footer
    "#]].assert_eq(&whatif);
    let analysis = place.run(&["analyze", "--data", "data"]).done();
    let notes: Vec<&str> = analysis.lines().filter(|line| line.starts_with("! ")).collect();
    expect!["! calls are missing: calls-00000001.parquet: Parquet error: Invalid Parquet file. Corrupt footer"].assert_eq(&notes.join("\n"));
    let found = place.run(&["analyze", "--data", "data", "--json"]).json();
    expect![[r#"["calls are missing: calls-00000001.parquet: Parquet error: Invalid Parquet file. Corrupt footer"]"#]].assert_eq(&found["notes"].to_string());
}

#[test]
fn where_no_call_can_be_read_the_reason_is_told() {
    let place = Place::new();
    filled(&place);
    for segment in [1, 2] {
        damage(&place.path(&format!("data/segments/calls-0000000{segment}.parquet")));
    }
    expect![[r#"
        error: no call in data could be read: calls-00000001.parquet: Parquet error: Invalid Parquet file. Corrupt footer
    "#]].assert_eq(&place.run(&["analyze", "--data", "data"]).failed());
}

#[test]
fn a_damaged_database_is_not_an_empty_one() {
    let place = Place::new();
    filled(&place);
    let path = place.path("data/scrimp.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // The first page says where everything is and stays.
    bytes[4_096..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    expect![[r#"
        error: no call in data could be read: data/scrimp.db: the store's database: database disk image is malformed
    "#]].assert_eq(&place.run(&["analyze", "--data", "data"]).failed());
}

#[test]
fn what_was_set_aside_is_missed_aloud() {
    let place = Place::new();
    filled(&place);
    place.write("data/segments/calls-00000003.parquet.corrupt-1", "not Parquet");
    let analysis = place.run(&["analyze", "--data", "data"]).done();
    let notes: Vec<&str> = analysis.lines().filter(|line| line.starts_with("! ")).collect();
    expect![
        "! calls may be missing: a damaged file was set aside as calls-00000003.parquet.corrupt-1"
    ]
    .assert_eq(&notes.join("\n"));
}

#[test]
fn a_store_without_calls_says_so() {
    let place = Place::new();
    open(&place).close().unwrap();
    expect![[r#"
        error: data holds no calls yet
    "#]]
    .assert_eq(&place.run(&["analyze", "--data", "data"]).failed());
}
