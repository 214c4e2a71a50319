//! What is kept, what is counted, and for how long.

use std::sync::Arc;

use proptest::prelude::*;
use scrimp_core::policy::Arm;
use scrimp_core::{Call, CallId, JournalEntry, Record, Span, Time};
use scrimp_store::{
    CallFilter, OTHER_KEYS, Only, OpenError, Options, Reader, Store, StoreError, Width,
};

use super::any_record::any_record;
use super::fixture::{NOON, turn, turn_of};
use super::{
    DAY, all_cells, down_to_calls, in_order, ledger_calls, open, patient, recount, scan, settle,
    sorted, turns, without_prompt,
};

#[test]
fn what_is_settled_comes_back_identical_hot_sealed_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let records = turns(0..3_000);
    let store = open(dir.path());
    settle(&store, &records[..1_000]);
    store.seal().unwrap();
    settle(&store, &records[1_000..2_500]);
    store.seal().unwrap();
    settle(&store, &records[2_500..]);
    let check = |reader: &Reader| {
        assert!(scan(reader) == in_order(&records), "scanned records differ");
        for record in records.iter().step_by(331) {
            assert_eq!(reader.call(record.call.id).unwrap().as_ref(), Some(record));
        }
        assert_eq!(reader.call(CallId(1)).unwrap(), None);
        let latest = reader.recent(&CallFilter::latest(700)).unwrap();
        assert!(
            latest.into_iter().eq(records.iter().rev().take(700).map(without_prompt)),
            "latest records differ"
        );
        for width in Width::ALL {
            assert_eq!(all_cells(reader, width), sorted(recount(&records, width)));
        }
        assert_eq!(ledger_calls(reader), 3_000);
    };
    check(&store.reader());
    check(&Reader::open(dir.path()).unwrap());
    store.close().unwrap();
    let store = open(dir.path());
    check(&store.reader());
    assert_eq!(store.health().corrupt_files, [""; 0]);
}

#[test]
fn lists_are_filtered_and_paged_across_segments() {
    let dir = tempfile::tempdir().unwrap();
    let records = turns(0..2_000);
    let store = open(dir.path());
    for some in records.chunks(600) {
        settle(&store, some);
        if some.len() == 600 {
            store.seal().unwrap();
        }
    }
    let model: Option<Arc<str>> = Some("gpt-6-luna".into());
    let operation: Option<Arc<str>> = Some("code-review".into());
    let passes = |record: &&Record| {
        !record.is_success()
            && Some(&record.call.model) == model.as_ref()
            && Some(&record.call.operation) == operation.as_ref()
    };
    let expected: Vec<&Record> = records.iter().rev().filter(passes).collect();
    assert!(1 < expected.len());
    let reader = store.reader();
    let filter = CallFilter {
        only: Only::Errors,
        model: model.clone(),
        operation: operation.clone(),
        ..CallFilter::latest(1)
    };
    let mut found: Vec<Record> = Vec::new();
    loop {
        let before = found.last().map(|record| record.call.id);
        let page = reader.recent(&CallFilter { before, ..filter.clone() }).unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert!(found.into_iter().eq(expected.into_iter().map(without_prompt)), "pages differ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_records_in_any_batches_are_scanned_in_order(
        seeds in prop::collection::hash_set(any::<u64>(), 1..60),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let records: Vec<Record> = seeds.into_iter().map(any_record).collect();
        let store = open(dir.path());
        for (at, record) in records.iter().enumerate() {
            store.settle(Arc::new(record.clone()));
            if cuts.iter().any(|cut| cut.index(records.len()) == at) {
                store.seal().unwrap();
            }
        }
        store.flush();
        prop_assert_eq!(store.health().last_flush_error, None);
        prop_assert_eq!(scan(&store.reader()), in_order(&records));
        prop_assert_eq!(
            all_cells(&store.reader(), Width::Day), sorted(recount(&records, Width::Day))
        );
    }
}

#[test]
fn overload_drops_details_and_counts_them_but_never_the_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options { queued_records: 10, ..patient() }).unwrap();
    settle(&store, &turns(0..100));
    let health = store.health();
    assert_eq!((health.settled, health.details_dropped, health.queued), (100, 90, 0));
    assert_eq!(ledger_calls(&store.reader()), 100);
    assert_eq!(
        all_cells(&store.reader(), Width::Minute),
        sorted(recount(&turns(0..100), Width::Minute))
    );
    assert_eq!(scan(&store.reader()).len(), 10);
}

#[test]
fn the_queue_is_bounded_by_memory_as_well_as_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options { queued_bytes: 50_000, ..patient() }).unwrap();
    // Turn 29 of a conversation has 60 blocks, which is more than 2 kB.
    let long = |n| turn_of(n, 1, 29, NOON);
    settle(&store, &(0..100).map(long).collect::<Vec<_>>());
    let kept = scan(&store.reader()).len();
    assert!((5..25).contains(&kept), "{kept} kept");
    assert_eq!(store.health().details_dropped, 100 - kept as u64);
    assert_eq!(ledger_calls(&store.reader()), 100);
}

#[test]
fn a_call_settled_twice_counts_once_even_across_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    settle(&store, &turns(0..5));
    settle(&store, &turns(0..5));
    assert_eq!(store.health().settled_twice, 5);
    store.close().unwrap();
    let store = open(dir.path());
    settle(&store, &turns(0..6));
    assert_eq!(store.health().settled_twice, 5);
    assert_eq!(ledger_calls(&store.reader()), 6);
    assert_eq!(scan(&store.reader()).len(), 6);
}

#[test]
fn labels_and_keys_beyond_the_limit_of_a_day_are_folded_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Options { labels_per_day: 3, keys_per_day: 2, ..patient() };
    let store = Store::open(dir.path(), limits).unwrap();
    let named = |n: u64| {
        let record = turn(n);
        let mut call = Call { model: format!("made-up-{n}").into(), ..(*record.call).clone() };
        call.caller.key.0 = [u8::try_from(n).unwrap(); 16];
        Record { call: Arc::new(call), ..record }
    };
    settle(&store, &(0..20).map(named).collect::<Vec<_>>());
    let cells = all_cells(&store.reader(), Width::Day);
    let shown: Vec<(&str, u64)> = cells.iter().map(|c| (&*c.model, c.calls)).collect();
    assert_eq!(shown, [("made-up-0", 1), ("made-up-2", 1), ("made-up-1", 1), ("other", 17)]);
    let rows = store.reader().ledger(NOON, NOON + DAY).unwrap();
    let folded: u64 = rows.iter().filter(|row| row.key == OTHER_KEYS).map(|row| row.calls).sum();
    assert_eq!((folded, ledger_calls(&store.reader())), (18, 20));
    assert_eq!((store.health().labels_folded, store.health().keys_folded), (17, 18));
}

#[test]
fn units_of_both_arms_add_up_and_stay_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Options { units_per_experiment: 40, ..patient() };
    let store = Store::open(dir.path(), limits).unwrap();
    for some in turns(0..1_000).chunks(90) {
        settle(&store, some);
    }
    let units = store.reader().units(7).unwrap();
    assert_eq!(units.len(), 40);
    assert!(0 < store.health().units_left_out);
    for unit in &units {
        let calls =
            turns(0..1_000).into_iter().filter(|r| r.placement.as_ref().unwrap().unit == unit.unit);
        let (good, bad): (Vec<_>, Vec<_>) = calls.partition(Record::is_success);
        assert_eq!((unit.calls, unit.left_out), (good.len() as u64, bad.len() as u64));
        assert_eq!(unit.errors, bad.len() as u64);
        assert_eq!(unit.cost, good.iter().map(|r| r.cost.unwrap()).sum());
        assert_eq!(unit.cost_uncached, good.iter().map(|r| r.cost_uncached.unwrap()).sum());
        // No rule of the fixture changes anything.
        let untouched = (unit.cost_untouched, unit.cost_uncached_untouched);
        assert_eq!(untouched, (unit.cost, unit.cost_uncached));
        assert_eq!(unit.arm == Arm::Treated, unit.unit % 4 == 0);
    }
    assert_eq!(store.reader().units(8).unwrap(), []);
}

#[test]
fn a_cost_that_only_the_provider_knows_is_no_loss_by_caching() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let priced = turn_of(1, 1, 0, NOON);
    let (cost, uncached) = (priced.cost.unwrap(), priced.cost_uncached.unwrap());
    let told = Record { cost_uncached: None, ..turn_of(2, 1, 0, NOON) };
    let whole = (cost + told.cost.unwrap(), uncached + told.cost.unwrap());
    settle(&store, &[priced, told]);
    let reader = store.reader();
    let [cell] = all_cells(&reader, Width::Day).try_into().unwrap();
    assert_eq!((cell.cost, cell.cost_uncached), whole);
    let [row] = reader.ledger(NOON - DAY, NOON + DAY).unwrap().try_into().unwrap();
    assert_eq!((row.cost, row.cost_uncached), whole);
}

#[test]
fn retention_drops_files_and_old_cells_and_never_the_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let keep = Options {
        keep_records: Options::STANDARD.keep_records,
        keep_minutes: Options::STANDARD.keep_minutes,
        keep_hours: Options::STANDARD.keep_hours,
        ..patient()
    };
    let store = Store::open(dir.path(), keep).unwrap();
    // Beyond any clock that this runs by, so that only the test's own clock counts.
    let noon = NOON + Span::from_hours(24 * 365 * 200);
    for day in 0..4 {
        let at = noon + Span::from_hours(24 * 20 * day);
        settle(&store, &[turn_of(day.cast_unsigned(), 1, 0, at)]);
        store.seal().unwrap();
    }
    let now = noon + Span::from_hours(24 * 60);
    store.retain(now).unwrap();
    let reader = store.reader();
    let cells = |width| all_cells(&reader, width).len();
    assert_eq!((cells(Width::Minute), cells(Width::Hour), cells(Width::Day)), (1, 4, 4));
    assert_eq!((scan(&reader).len(), ledger_calls(&reader)), (2, 4));
    let files = std::fs::read_dir(dir.path().join("segments")).unwrap().count();
    assert_eq!(files, 2);
    store.retain(now + Span::from_hours(24 * 365)).unwrap();
    assert_eq!((cells(Width::Hour), cells(Width::Day), ledger_calls(&reader)), (0, 4, 4));
}

#[test]
fn the_journal_and_small_state_survive_and_undo_is_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let entry = JournalEntry {
        number: 0,
        applied: NOON,
        undone: None,
        undone_because: None,
        finding: "F3".into(),
        added: "x = 1".into(),
        replaced: String::new(),
        predicted_ppm: Some(-134_000),
        share_millionths: 200_000,
    };
    assert_eq!(store.add_journal(entry.clone()).unwrap(), 1);
    assert_eq!(store.add_journal(entry.clone()).unwrap(), 2);
    let later = NOON + DAY;
    let undone = store.undo_journal(1, later, "dearer").unwrap();
    assert_eq!((undone.undone, undone.undone_because.as_deref()), (Some(later), Some("dearer")));
    assert!(matches!(store.undo_journal(1, later, "x"), Err(StoreError::AlreadyUndone(1))));
    assert!(matches!(store.undo_journal(9, later, "x"), Err(StoreError::NoEntry(9))));
    store.set_state("guard", "stopped").unwrap();
    store.close().unwrap();
    let store = open(dir.path());
    assert_eq!(store.journal().unwrap(), [undone, JournalEntry { number: 2, ..entry }]);
    assert_eq!(store.reader().journal().unwrap().len(), 2);
    assert_eq!(store.state("guard").as_deref(), Some("stopped"));
    assert_eq!(store.state("nothing"), None);
}

#[test]
fn the_key_is_drawn_once_and_only_its_owner_may_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let key = open(dir.path()).key();
    assert_ne!(key, [0; 32]);
    assert_eq!(open(dir.path()).key(), key);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.path().join("key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_known_key_is_for_a_new_store_only() {
    let (new, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let drawn = open(old.path()).key();
    let options = Options { known_key: Some([7; 32]), ..patient() };
    let key = |dir: &tempfile::TempDir| Store::open(dir.path(), options).unwrap().key();
    assert_eq!((key(&new), key(&old)), ([7; 32], drawn), "records keep the names that they have");
    assert_eq!(open(new.path()).key(), [7; 32]);
}

#[cfg(unix)]
#[test]
fn a_new_directory_is_its_owners_only_and_one_that_is_there_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let above = tempfile::tempdir().unwrap();
    let mode = |dir: &std::path::Path| dir.metadata().unwrap().permissions().mode() & 0o777;
    let (new, there) = (above.path().join("not/yet"), above.path().join("there"));
    open(&new);
    assert_eq!(mode(&new), 0o700);
    std::fs::create_dir(&there).unwrap();
    std::fs::set_permissions(&there, std::fs::Permissions::from_mode(0o750)).unwrap();
    open(&there);
    assert_eq!(mode(&there), 0o750);
}

#[test]
fn an_older_program_can_have_its_store_back_and_a_newer_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let records = turns(0..1_000);
    let store = open(dir.path());
    settle(&store, &records[..300]);
    store.seal().unwrap();
    settle(&store, &records[300..]);
    store.close().unwrap();
    assert_eq!(down_to_calls(dir.path()), 3);
    let db = rusqlite::Connection::open(dir.path().join("scrimp.db")).unwrap();
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM call JOIN detail USING (seq) WHERE 300 < seq"), 700);
    assert_eq!(count("SELECT count(*) FROM sqlite_schema WHERE name = 'tail'"), 0);
    drop(db);
    drop(open(dir.path()));
    assert_eq!(down_to_calls(dir.path()), 3, "stepped up again, then down");
    let store = open(dir.path());
    assert!(scan(&store.reader()) == in_order(&records));
    assert_eq!(ledger_calls(&store.reader()), 1_000);
    store.close().unwrap();

    let db = rusqlite::Connection::open(dir.path().join("scrimp.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let refused = Store::open(dir.path(), Options::STANDARD).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 99, known: 5, .. }), "{refused}");
    assert!(refused.to_string().contains("use the newer version"), "{refused}");
    assert!(matches!(Reader::open(dir.path()), Err(OpenError::Newer { .. })));
}

#[test]
fn rows_that_an_older_program_had_sealed_and_not_deleted_cost_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let records = turns(0..1_000);
    let path = dir.path().join("scrimp.db");
    let before = dir.path().join("before.db");
    let store = open(dir.path());
    settle(&store, &records[..300]);
    store.close().unwrap();
    assert_eq!(down_to_calls(dir.path()), 3);
    std::fs::copy(&path, &before).unwrap();
    let store = open(dir.path());
    store.seal().unwrap();
    settle(&store, &records[300..]);
    store.close().unwrap();
    assert_eq!(down_to_calls(dir.path()), 3);
    // What an older program leaves that was killed after it had registered a segment.
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("ATTACH ?1 AS before", [before.to_str()]).unwrap();
    db.execute_batch(
        "INSERT OR REPLACE INTO call SELECT * FROM before.call;
         INSERT OR REPLACE INTO detail SELECT * FROM before.detail;",
    )
    .unwrap();
    drop(db);
    let store = open(dir.path());
    assert!(scan(&store.reader()) == in_order(&records));
    store.seal().unwrap();
    assert!(scan(&store.reader()) == in_order(&records), "sealed");
}

#[test]
fn other_tools_read_a_segment_by_its_schema() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field, RowAccessor};
    let dir = tempfile::tempdir().unwrap();
    let records = turns(0..400);
    let store = open(dir.path());
    settle(&store, &records);
    store.seal().unwrap();
    let file = std::fs::File::open(dir.path().join("segments/calls-00000001.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 400);
    for (row, record) in rows.iter().zip(&records) {
        let at = |name: &str| row.get_column_iter().position(|(found, _)| found == name).unwrap();
        assert_eq!(row.get_string(at("model")).unwrap(), &*record.call.model);
        assert_eq!(
            row.get_timestamp_micros(at("arrived")).unwrap(),
            record.call.arrived.nanos() / 1_000
        );
        assert_eq!(row.get_bool(at("success")).unwrap(), record.is_success());
        let tokens = row.get_long(at("cache_read")).unwrap();
        assert_eq!(tokens.cast_unsigned(), record.metering.usage.cache_read);
        let usd = row.get_decimal(at("usd")).unwrap();
        let pico = i128::from_be_bytes(usd.data().try_into().unwrap());
        assert_eq!((pico, usd.scale()), (record.cost.unwrap().pico(), 12));
        let shared = row.get_int(at("prompt_prefix_blocks")).unwrap();
        let Some((_, Field::ListInternal(added))) = row.get_column_iter().nth(at("blocks")) else {
            panic!("blocks are a list")
        };
        assert_eq!(
            usize::try_from(shared).unwrap() + added.elements().len(),
            record.call.prompt.len()
        );
    }
}

#[test]
fn a_reader_needs_no_lock_and_says_when_there_is_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Reader::open(dir.path()).unwrap_err();
    assert!(missing.to_string().contains("holds no store"), "{missing}");
    let store = open(dir.path());
    settle(&store, &turns(0..3));
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(scan(&reader).len(), 3);
    settle(&store, &turns(3..5));
    assert_eq!(scan(&reader).len(), 5, "a reader sees what came after it");
    let between = reader.scan(NOON, NOON + Span::from_millis(20));
    assert_eq!(between.count(), 2, "the end of a range is outside it");
    assert_eq!(reader.cells(NOON, Time::NEVER, Width::Day).unwrap().len(), 5);
}
