//! The gateway's own records, when some of them are damaged.

use std::path::Path;
use std::sync::Arc;

use crate::support::{Place, sample};
use expect_test::expect;
use scrimp_core::{Span, Time};
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
