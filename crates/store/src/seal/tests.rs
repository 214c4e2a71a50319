//! Crashes between the steps of sealing, and a disk that refuses.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use scrimp_core::{Record, Span, Time};

use super::{Stop, adopt, seal};
use crate::fixture::{NOON, turn, turn_of};
use crate::maintain::Chore;
use crate::{Options, Store};

fn open(dir: &Path) -> Store {
    open_with(dir, Options::STANDARD.queued_records)
}

fn open_with(dir: &Path, queued_records: usize) -> Store {
    Store::open(dir, Options { queued_records, ..patient() }).unwrap()
}

fn open_sealing_at(dir: &Path, seal_records: u64) -> Store {
    Store::open(dir, Options { seal_records, ..patient() }).unwrap()
}

fn patient() -> Options {
    let century = Span::from_hours(24 * 365 * 100);
    Options {
        flush_every: Duration::from_hours(1),
        keep_records: century,
        keep_minutes: century,
        keep_hours: century,
        ..Options::STANDARD
    }
}

fn settle(store: &Store, range: std::ops::Range<u64>) {
    range.for_each(|n| store.settle(Arc::new(turn(n))));
    store.flush();
}

fn scan(store: &Store) -> Vec<Record> {
    store.reader().scan(Time::EPOCH, Time::NEVER).map(Result::unwrap).collect()
}

fn segments(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir.join("segments")).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn ledger_calls(store: &Store) -> u64 {
    store.reader().ledger(Time::EPOCH, Time::NEVER).unwrap().iter().map(|row| row.calls).sum()
}

#[test]
fn a_crash_after_any_step_of_sealing_loses_and_doubles_nothing() {
    for stop in [Stop::Written, Stop::Renamed, Stop::Registered, Stop::HalfDeleted, Stop::Never] {
        let dir = tempfile::tempdir().unwrap();
        let expected: Vec<Record> = (0..1_400).map(turn).collect();
        let store = open(dir.path());
        settle(&store, 0..1_300);
        seal(store.shared(), 1_300, stop).unwrap();
        assert!(scan(&store) == expected[..1_300], "{stop:?}, before");
        drop(store);
        let store = open(dir.path());
        assert!(scan(&store) == expected[..1_300], "{stop:?}, after");
        settle(&store, 1_300..1_400);
        store.seal().unwrap();
        assert!(scan(&store) == expected, "{stop:?}, sealed again");
        assert_eq!(ledger_calls(&store), 1_400, "{stop:?}");
        let names = segments(dir.path());
        assert!(names.iter().all(|name| name.ends_with(".parquet")), "{names:?}");
        assert_eq!(store.health().corrupt_files, [""; 0], "{stop:?}");
    }
}

#[test]
fn a_full_disk_costs_nothing_from_the_ledger_and_writing_resumes_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), 500);
    settle(&store, 0..100);
    // What SQLite says when the disk is full.
    let limit = |pages: i64| {
        store.shared().db().pragma_update(None, "max_page_count", pages).unwrap();
    };
    limit(1);
    for some in 1..10 {
        settle(&store, some * 200..(some + 1) * 200);
    }
    let health = store.health();
    assert!(health.last_flush_error.unwrap().contains("full"));
    assert_eq!(health.settled, 100 + 1_800);
    assert_eq!(ledger_calls(&store), 100);
    limit(i64::from(u32::MAX) - 1);
    store.flush();
    let health = store.health();
    assert_eq!(health.last_flush_error, None);
    assert_eq!(ledger_calls(&store), 1_900);
    assert_eq!(health.details_dropped, 1_300);
    assert_eq!(scan(&store).len(), 600);
}

#[test]
fn what_waits_for_a_full_disk_is_bounded_by_memory_as_well_as_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options { queued_bytes: 50_000, ..patient() }).unwrap();
    let limit = |pages: i64| {
        store.shared().db().pragma_update(None, "max_page_count", pages).unwrap();
    };
    limit(1);
    for some in 0..10 {
        // Turn 29 of a conversation has 60 blocks, which is more than 2 kB, in memory and on disk.
        let long = |n| Arc::new(turn_of(n, n, 29, NOON));
        (some * 10..(some + 1) * 10).for_each(|n| store.settle(long(n)));
        store.flush();
    }
    limit(i64::from(u32::MAX) - 1);
    store.flush();
    let kept = scan(&store).len();
    assert!((5..25).contains(&kept), "{kept} kept");
    assert_eq!(store.health().details_dropped, 100 - kept as u64);
    assert_eq!(ledger_calls(&store), 100);
}

#[test]
fn a_record_that_cannot_be_read_now_stays_and_is_sealed_later() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    settle(&store, 0..100);
    // Reading a record fails, and not because it is broken; reading its facts does not.
    let sql = "ALTER TABLE tail RENAME TO rows; CREATE VIEW tail AS
               SELECT first, calls, facts, abs(-9223372036854775808) AS bodies FROM rows;";
    store.shared().db().execute_batch(sql).unwrap();
    let failed = seal(store.shared(), 100, Stop::Never).unwrap_err().to_string();
    assert!(failed.contains("integer overflow"), "{failed}");
    assert_eq!(segments(dir.path()), [""; 0], "the disk may be full");
    let sql = "DROP VIEW tail; ALTER TABLE rows RENAME TO tail;";
    store.shared().db().execute_batch(sql).unwrap();
    seal(store.shared(), 100, Stop::Never).unwrap();
    assert!(scan(&store) == (0..100).map(turn).collect::<Vec<_>>());
    assert_eq!(store.health().corrupt_files, [""; 0]);
}

/// Lets statements fail that use a table, until it has its name again.
fn rename(store: &Store, from: &str, to: &str) {
    let sql = format!("ALTER TABLE {from} RENAME TO {to}");
    store.shared().db().execute_batch(&sql).unwrap();
}

#[test]
fn sealing_tells_how_it_went_itself_and_can_be_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    settle(&store, 0..100);
    rename(&store, "segment_label", "elsewhere");
    let failed = store.seal().unwrap_err().to_string();
    assert!(failed.contains("segment_label"), "{failed}");
    assert_eq!(
        store.health().last_maintenance_error.map(|error| failed.contains(&error)),
        Some(true)
    );
    rename(&store, "elsewhere", "segment_label");
    // What failed beside it is not its failure.
    store.shared().status().failures.insert(Chore::Retain, "no".into());
    store.seal().unwrap();
    store.seal().unwrap();
    assert_eq!(segments(dir.path()), ["calls-00000001.parquet"]);
}

#[test]
fn what_is_left_out_of_a_segment_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    settle(&store, 0..100);
    settle(&store, 100..110);
    settle(&store, 110..120);
    let sql = "UPDATE tail SET facts = x'00' WHERE first = 101;
               UPDATE tail SET bodies = zeroblob(length(bodies)) WHERE first = 111;";
    store.shared().db().execute_batch(sql).unwrap();
    store.seal().unwrap();
    assert_eq!(
        store.health().corrupt_files,
        [
            "blocks of the hot tail: 1, the first from record 101 on",
            "records of the hot tail: 10, the first is 111: a record's checksum does not match",
        ]
    );
    assert!(scan(&store) == (0..100).map(turn).collect::<Vec<_>>());
}

#[test]
fn a_file_that_could_not_be_registered_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    settle(&store, 0..100);
    rename(&store, "segment_label", "elsewhere");
    seal(store.shared(), 100, Stop::Never).unwrap_err();
    rename(&store, "elsewhere", "segment_label");
    settle(&store, 100..150);
    seal(store.shared(), 150, Stop::Never).unwrap();
    drop(store);
    let store = open(dir.path());
    assert!(scan(&store) == (0..150).map(turn).collect::<Vec<_>>());
    assert_eq!(segments(dir.path()), ["calls-00000001.parquet"]);
}

#[test]
fn a_file_that_is_being_made_is_removed_by_a_start_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let unfinished = dir.path().join("segments/calls-00000009.parquet.new");
    std::fs::write(&unfinished, "some of it").unwrap();
    let shared = store.shared();
    // As when the database is replaced while the keeper writes a segment.
    adopt(&shared.directory, &shared.name, &mut shared.db()).unwrap();
    assert!(unfinished.exists());
    drop(store);
    open(dir.path());
    assert!(!unfinished.exists());
}

#[test]
fn calls_that_end_in_another_order_than_they_began_are_sealed_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // More than one row group; a call's prompt often begins with one that arrived later.
    let expected: Vec<Record> = (0..5_000).map(turn).collect();
    let mut order: Vec<u64> = (0..5_000).collect();
    order.sort_by_key(|n| n + scrimp_core::hash::mix(*n) % 400);
    for n in order {
        store.settle(Arc::new(turn(n)));
    }
    store.flush();
    assert!(scan(&store) == expected, "hot");
    store.seal().unwrap();
    assert!(scan(&store) == expected, "sealed");
    assert_eq!(store.health().corrupt_files, [""; 0]);
}

#[test]
fn a_tail_that_grows_faster_than_it_is_sealed_makes_more_segments_not_larger_ones() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_sealing_at(dir.path(), 300);
    for some in 0..9 {
        settle(&store, some * 100..(some + 1) * 100);
    }
    store.seal().unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("segments")).unwrap().count(), 3);
    assert!(scan(&store) == (0..900).map(turn).collect::<Vec<_>>());
}
