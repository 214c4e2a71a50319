//! Broken, foreign and torn files: named, set aside, and the rest goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use scrimp_core::{JournalEntry, Record, Time, hash};
use scrimp_store::{CallFilter, Reader, Store, StoreError, Width};

use super::fixture::NOON;
use super::{down_to_calls, in_order, ledger_calls, open, scan, settle, turns};

/// A store with two segments, a journal and a hot tail.
fn filled(dir: &Path) -> Vec<Record> {
    let records = turns(0..900);
    let store = open(dir);
    for some in records.chunks(300).take(2) {
        settle(&store, some);
        store.seal().unwrap();
    }
    settle(&store, &records[600..]);
    let entry = JournalEntry {
        number: 0,
        applied: NOON,
        undone: None,
        undone_because: None,
        finding: "F1".into(),
        added: String::new(),
        replaced: String::new(),
        predicted_ppm: None,
        share_millionths: 1,
    };
    store.add_journal(entry).unwrap();
    store.close().unwrap();
    fold_log(dir);
    records
}

/// Brings the write-ahead log into the database, so that damage to the latter is damage.
fn fold_log(dir: &Path) {
    let db = rusqlite::Connection::open(dir.join("scrimp.db")).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

/// The same store again, to damage it in another way.
fn copied(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    fs::create_dir(to.path().join("segments")).unwrap();
    for folder in ["", "segments"] {
        for entry in fs::read_dir(from.join(folder)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.path().join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    to
}

fn segment(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("segments/calls-{number:08}.parquet"))
}

fn damage(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Works as a store should, whatever was lost.
fn goes_on(store: &Store) {
    let before = ledger_calls(&store.reader());
    settle(store, &turns(5_000..5_010));
    assert_eq!(store.health().last_flush_error, None);
    assert_eq!(ledger_calls(&store.reader()), before + 10);
}

#[test]
fn a_database_of_garbage_is_set_aside_and_sealed_history_stays() {
    let dir = tempfile::tempdir().unwrap();
    let records = filled(dir.path());
    damage(&dir.path().join("scrimp.db"), |bytes| bytes[..4_096].fill(0xa5));
    let store = open(dir.path());
    let aside = store.health().corrupt_files;
    assert!(aside.len() == 1 && aside[0].ends_with("scrimp.db.corrupt-1"), "{aside:?}");
    assert!(dir.path().join("scrimp.db.corrupt-1").exists());
    assert!(scan(&store.reader()) == in_order(&records[..600]), "sealed records differ");
    goes_on(&store);
}

#[test]
fn what_was_set_aside_is_named_again_after_a_restart_until_somebody_removes_it() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    damage(&dir.path().join("scrimp.db"), |bytes| bytes[..4_096].fill(0xa5));
    damage(&segment(dir.path(), 1), |bytes| bytes.truncate(bytes.len() / 2));
    let named = open(dir.path()).health().corrupt_files;
    assert_eq!(named.len(), 2, "{named:?}");
    assert_eq!(open(dir.path()).health().corrupt_files, named);
    fs::remove_file(&named[0]).unwrap();
    assert_eq!(open(dir.path()).health().corrupt_files, named[1..]);
}

#[test]
fn a_database_found_broken_by_a_reader_is_repaired_without_a_write() {
    let whole = tempfile::tempdir().unwrap();
    let records = filled(whole.path());
    for first in [0, 1] {
        let dir = copied(whole.path());
        let store = open(dir.path());
        fold_log(dir.path());
        damage_every_second(dir.path(), first);
        assert_ne!(ask(&store.reader()).ok(), Some(900));
        let patience = Instant::now() + Duration::from_mins(1);
        while store.health().corrupt_files.is_empty() {
            assert!(Instant::now() < patience, "nobody looked");
            std::thread::yield_now();
        }
        let aside = store.health().corrupt_files;
        assert!(aside.len() == 1 && aside[0].ends_with("scrimp.db.corrupt-1"), "{aside:?}");
        store.flush();
        assert_eq!(store.health().last_flush_error, None);
        assert!(600 <= ask(&store.reader()).unwrap());
        assert!(in_order(&scan(&store.reader())[..600]) == in_order(&records[..600]));
        goes_on(&store);
    }
}

#[test]
fn a_reader_of_another_process_reports_a_broken_database_and_lets_it_lie() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let elsewhere = Reader::open(dir.path()).unwrap();
    damage_every_second(dir.path(), 0);
    let told = ask(&elsewhere).unwrap_err().to_string();
    assert!(told.contains("not a database"), "{told}");
    assert!(!dir.path().join("scrimp.db.corrupt-1").exists());
}

/// Overwrites every second 64 KiB.
fn damage_every_second(dir: &Path, first: usize) {
    damage(&dir.join("scrimp.db"), |bytes| {
        let every_second = bytes.chunks_mut(1 << 16).skip(first).step_by(2);
        every_second.for_each(|some| some.fill(0xa5));
    });
}

/// Reads all there is; how many calls were listed.
fn ask(reader: &Reader) -> Result<usize, StoreError> {
    let listed = reader.recent(&CallFilter::latest(1_000));
    let cells = reader.cells(NOON, Time::NEVER, Width::Day);
    let sums = reader.journal().and(reader.ledger(NOON, Time::NEVER)).and(cells);
    sums.and(listed).map(|listed| listed.len())
}

#[test]
fn of_a_database_with_one_broken_page_the_rest_is_kept() {
    let whole = tempfile::tempdir().unwrap();
    filled(whole.path());
    for page in [2, 5, 9, 14, 30, 60] {
        let dir = copied(whole.path());
        let path = dir.path().join("scrimp.db");
        let pages = fs::metadata(&path).unwrap().len() / 4_096;
        let page = page % pages;
        let at = usize::try_from(page).unwrap() * 4_096;
        damage(&path, |bytes| bytes[at..at + 4_096].fill(0xa5));
        let store = open(dir.path());
        let found = scan(&store.reader());
        assert!(600 <= found.len(), "page {page}: {} records", found.len());
        goes_on(&store);
    }
}

#[test]
fn of_a_broken_database_of_an_older_schema_the_rest_is_kept_too() {
    let dir = tempfile::tempdir().unwrap();
    let records = filled(dir.path());
    let units = open(dir.path()).reader().units(7).unwrap();
    assert_eq!(down_to_calls(dir.path()), 3);
    let path = dir.path().join("scrimp.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'cell'";
    let page = usize::from(db.query_row(sql, [], |row| row.get::<_, u16>(0)).unwrap());
    drop(db);
    damage(&path, |bytes| bytes[(page - 1) * 4_096..page * 4_096].fill(0xa5));
    let store = open(dir.path());
    assert_eq!(store.health().corrupt_files.len(), 1);
    assert!(scan(&store.reader()) == in_order(&records));
    assert_eq!(store.reader().units(7).unwrap(), units);
    goes_on(&store);
}

#[test]
fn truncated_and_foreign_segments_are_set_aside_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let records = filled(dir.path());
    damage(&segment(dir.path(), 1), |bytes| bytes.truncate(bytes.len() / 2));
    fs::write(segment(dir.path(), 77), b"PAR1 but nothing else PAR1").unwrap();
    let store = open(dir.path());
    let aside = store.health().corrupt_files;
    let is_named = |name: &str| aside.iter().any(|path| path.ends_with(name));
    assert_eq!(aside.len(), 2, "{aside:?}");
    assert!(is_named("calls-00000001.parquet.corrupt-1"), "{aside:?}");
    assert!(is_named("calls-00000077.parquet.corrupt-1"), "{aside:?}");
    assert!(scan(&store.reader()) == in_order(&records[300..]));
    assert_eq!(ledger_calls(&store.reader()), 900, "the ledger does not depend on segments");
    goes_on(&store);
}

#[test]
fn a_segment_of_another_store_is_not_taken_for_its_own() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(dir.path());
    filled(other.path());
    fs::copy(segment(other.path(), 1), segment(dir.path(), 9)).unwrap();
    let store = open(dir.path());
    assert_eq!(store.health().corrupt_files.len(), 1);
    assert_eq!(scan(&store.reader()).len(), 900);
}

#[test]
fn a_flipped_bit_in_a_segment_is_named_and_never_a_wrong_record() {
    let whole = tempfile::tempdir().unwrap();
    let records = filled(whole.path());
    for round in 0..24 {
        let dir = copied(whole.path());
        damage(&segment(dir.path(), 2), |bytes| {
            let at = usize::try_from(hash::mix(round)).unwrap_or(usize::MAX) % bytes.len();
            bytes[at] ^= 1 << (round % 8);
        });
        let store = open(dir.path());
        let all = (scrimp_core::Time::from_nanos(i64::MIN), scrimp_core::Time::NEVER);
        let mut good = 0;
        for item in store.reader().scan(all.0, all.1) {
            match item {
                Ok(record) => {
                    let n = usize::try_from(record.call.seed).unwrap();
                    assert_eq!(record, records[n], "round {round}");
                    good += 1;
                }
                Err(error) => assert!(error.file.contains("calls-00000002"), "{error}"),
            }
        }
        assert!(600 <= good, "round {round}: only {good} records");
        goes_on(&store);
    }
}

#[test]
fn a_segment_found_broken_while_it_is_read_is_named_set_aside_and_the_rest_of_it_kept() {
    let whole = tempfile::tempdir().unwrap();
    let records = filled(whole.path());
    let mut mended = 0;
    for round in 0..12 {
        let dir = copied(whole.path());
        let store = open(dir.path());
        // Damage to its end is found at the start; this is found by reading only.
        damage(&segment(dir.path(), 2), |bytes| {
            let at = usize::try_from(hash::mix(round)).unwrap_or(usize::MAX) % (bytes.len() / 2);
            bytes[at] ^= 1 << (round % 8);
        });
        let reader = store.reader();
        let all = (scrimp_core::Time::from_nanos(i64::MIN), scrimp_core::Time::NEVER);
        let found: Vec<_> = reader.scan(all.0, all.1).collect();
        let failed = found.iter().any(Result::is_err);
        let before = found.into_iter().flatten().count();
        store.retain(NOON).unwrap();
        let after = scan(&reader);
        assert_eq!(after.len(), before, "round {round}");
        assert!(
            after
                .iter()
                .all(|record| { *record == records[usize::try_from(record.call.seed).unwrap()] })
        );
        let aside = store.health().corrupt_files;
        assert_eq!(aside.len(), usize::from(failed), "round {round}: {aside:?}");
        assert!(aside.iter().all(|name| name.ends_with("calls-00000002.parquet.corrupt-1")));
        mended += aside.len();
        goes_on(&store);
        store.close().unwrap();
        assert_eq!(scan(&open(dir.path()).reader()).len(), before + 10, "round {round}");
    }
    assert!(0 < mended, "no round broke anything");
}

#[test]
fn a_segment_that_cannot_be_read_now_stays_and_is_looked_at_again() {
    let dir = tempfile::tempdir().unwrap();
    let records = filled(dir.path());
    let store = open(dir.path());
    // A directory refuses to be read, whoever asks.
    let (first, elsewhere) = (segment(dir.path(), 1), dir.path().join("elsewhere"));
    fs::rename(&first, &elsewhere).unwrap();
    fs::create_dir(&first).unwrap();
    damage(&segment(dir.path(), 2), |bytes| bytes.truncate(bytes.len() / 2));
    let all = (scrimp_core::Time::from_nanos(i64::MIN), scrimp_core::Time::NEVER);
    assert_eq!(store.reader().scan(all.0, all.1).filter(Result::is_err).count(), 2);
    store.retain(NOON).unwrap_err();
    fs::remove_dir(&first).unwrap();
    fs::rename(&elsewhere, &first).unwrap();
    store.retain(NOON).unwrap();
    // The one that is really broken did not have to wait for the other.
    let aside = store.health().corrupt_files;
    assert!(
        aside.len() == 1 && aside[0].ends_with("calls-00000002.parquet.corrupt-1"),
        "{aside:?}"
    );
    assert!(scan(&store.reader()) == in_order(&[&records[..300], &records[600..]].concat()));
}

#[test]
fn a_call_is_found_beside_a_broken_segment_that_might_have_had_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (odd, even): (Vec<_>, Vec<_>) =
        turns(0..200).into_iter().partition(|r| r.call.seed % 2 == 1);
    for some in [&odd, &even] {
        settle(&store, some);
        store.seal().unwrap();
    }
    damage(&segment(dir.path(), 1), |bytes| bytes.truncate(bytes.len() / 2));
    let reader = scrimp_store::Reader::open(dir.path()).unwrap();
    assert_eq!(reader.call(even[50].call.id).unwrap().as_ref(), Some(&even[50]));
    assert!(reader.call(odd[50].call.id).unwrap_err().to_string().contains("calls-00000001"));
}

#[test]
fn a_log_torn_at_any_byte_leaves_a_prefix_that_adds_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for some in turns(0..200).chunks(10) {
        settle(&store, some);
    }
    // A copy taken while the store is open is what a power cut leaves.
    let log = fs::read(dir.path().join("scrimp.db-wal")).unwrap();
    let database = fs::read(dir.path().join("scrimp.db")).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..40 {
        let cut = usize::try_from(hash::mix(round) % (log.len() as u64 + 1)).unwrap();
        let torn = tempfile::tempdir().unwrap();
        fs::write(torn.path().join("scrimp.db"), &database).unwrap();
        fs::write(torn.path().join("scrimp.db-wal"), &log[..cut]).unwrap();
        let store = open(torn.path());
        let found = scan(&store.reader());
        assert!(found.iter().enumerate().all(|(n, record)| record.call.seed == n as u64));
        assert_eq!(ledger_calls(&store.reader()), found.len() as u64, "cut at {cut}");
        assert_eq!(found.len() % 10, 0, "a transaction is there whole or not at all");
        seen.insert(found.len());
        goes_on(&store);
    }
    assert!(4 < seen.len(), "the cuts were all at the same place: {seen:?}");
}
