//! What sessions and tags spent: exact, bounded, and together what the ledger has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use scrimp_core::{Call, Digest, Record, Span, Time, Usage};
use scrimp_store::{Allocation, Dimension, LedgerRow, Options, Reader, Spend, Store, Width};

use super::any_record::any_record;
use super::fixture::{NOON, turn_of};
use super::{DAY, down_to_calls, open, patient, settle};

type Sums = BTreeMap<(Time, Option<String>), Spend>;

fn ask(reader: &Reader, of: &Dimension) -> (Vec<LedgerRow>, Allocation) {
    let (from, to) = (Time::from_secs(-1 << 40), Time::from_secs(1 << 40));
    reader.allocation(Some(of), from, to).unwrap()
}

fn sums(reader: &Reader, of: &Dimension) -> Sums {
    let found = ask(reader, of).1;
    found.rows().map(|row| ((row.day, row.value.map(str::to_owned)), *row.spend)).collect()
}

fn tag(name: &str) -> Dimension {
    Dimension::Tag(name.into())
}

fn total<'a>(spends: impl IntoIterator<Item = &'a Spend>) -> Spend {
    spends.into_iter().fold(Spend::default(), |mut sum, spend| {
        sum.merge(spend);
        sum
    })
}

/// A call of session `session` with these tags, at `at`.
fn call(n: u64, at: Time, session: Option<u64>, tags: &[(&str, &str)]) -> Record {
    let record = turn_of(n, n % 50, n % 9, at);
    let mut call = Call::clone(&record.call);
    let digest = |session: u64| Digest((u128::from(session) << 64 | 1).to_be_bytes());
    call.caller.session = session.map(digest);
    call.caller.tags = tags.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Record { call: Arc::new(call), ..record }
}

/// What a record's own values of a dimension are, all of them together.
fn value(record: &Record, of: &Dimension) -> Option<String> {
    let caller = &record.call.caller;
    match of {
        Dimension::Session => caller.session.map(|session| session.to_string()),
        Dimension::Tag(name) => {
            let own = caller.tags.iter().filter(|tag| tag.0 == *name && !tag.1.is_empty());
            let values: BTreeSet<&str> = own.map(|tag| &*tag.1).collect();
            let joined = values.into_iter().collect::<Vec<_>>().join(", ");
            (!joined.is_empty()).then_some(joined)
        }
    }
}

fn recount(records: &[Record], of: &Dimension) -> Sums {
    let mut sums = Sums::new();
    for record in records {
        let Some(value) = value(record, of) else { continue };
        let is_metered = record.is_metered();
        let one = Spend {
            calls: 1,
            unpriced: u64::from(is_metered && record.cost.is_none()),
            unknown: u64::from(!is_metered),
            usage: if is_metered { record.metering.usage } else { Usage::ZERO },
            cost: record.cost.unwrap_or_default(),
        };
        let day = record.call.arrived.floor(Width::Day.span());
        sums.entry((day, Some(value))).or_default().merge(&one);
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn sums_are_those_of_the_records_however_they_were_cut_and_across_a_restart(
        seeds in prop::collection::hash_set(any::<u64>(), 1..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut records: Vec<Record> = seeds.into_iter().map(any_record).collect();
        let at = cut.index(records.len());
        for (n, at) in (0..20).zip(0_usize..) {
            let tags = [("team", ["a", "b", ""][at % 3]), ("team", "a"), ("key", "0a")];
            let day = [NOON, NOON + DAY, NOON + DAY + DAY][at % 3];
            records.push(call(n, day, Some(n % 4), &tags[..at % 4]));
        }
        let store = open(dir.path());
        settle(&store, &records[..at]);
        store.close().unwrap();
        let store = open(dir.path());
        settle(&store, &records[at..]);
        let reader = store.reader();
        let (_, allocation) = ask(&reader, &Dimension::Session);
        prop_assert!(!allocation.tags.contains(&"key".into()), "the ledger has keys");
        prop_assert_eq!(allocation.since, None);
        let tags = allocation.tags.into_iter().map(Dimension::Tag);
        for of in tags.chain([Dimension::Session, tag("nobody's")]) {
            prop_assert_eq!(sums(&reader, &of), recount(&records, &of), "{:?}", of);
        }
    }
}

#[test]
fn beyond_the_limits_of_a_day_calls_share_a_sum_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let limits = || Options { tag_values_per_day: 3, sessions_per_day: 4, ..patient() };
    let store = Store::open(dir.path(), limits()).unwrap();
    let names: Vec<String> = (0..90).map(|n| format!("name-{n:02}")).collect();
    let many: Vec<Record> = (0..90)
        .zip(&names)
        .map(|(n, name)| {
            let value = (n % 5).to_string();
            let tags = [("team", value.as_str()), (name, "x")];
            call(n, NOON, Some(n % 6), &tags)
        })
        .collect();
    settle(&store, &many[..60]);
    store.close().unwrap();
    // The limits hold across a restart.
    let store = Store::open(dir.path(), limits()).unwrap();
    settle(&store, &many[60..]);
    let reader = store.reader();
    for (of, values) in [(Dimension::Session, 4), (tag("team"), 3)] {
        let (ledger, _) = ask(&reader, &of);
        let whole = total(&ledger.iter().map(Spend::from).collect::<Vec<_>>());
        let sums = sums(&reader, &of);
        assert_eq!(sums.keys().filter(|(_, value)| value.is_some()).count(), values, "{of:?}");
        assert_eq!(total(sums.values()), whole, "{of:?}");
    }
    assert_eq!(ask(&reader, &Dimension::Session).1.tags.len(), 64, "names are bounded, too");
    assert!(0 < store.health().spend_folded);
}

#[test]
fn no_other_tag_takes_the_room_of_the_team() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options { tag_values_per_day: 4, ..patient() }).unwrap();
    let users: Vec<String> = (0..90).map(|n| format!("user-{n:02}")).collect();
    // First one name with many values, then many names.
    let busy = (0..90).zip(&users).map(|(n, user)| call(n, NOON, None, &[("user", user)]));
    let broad = (90..180).zip(&users).map(|(n, name)| call(n, NOON, None, &[(name, "x")]));
    settle(&store, &busy.chain(broad).collect::<Vec<_>>());
    let teams: Vec<Record> = ["a", "b", "a"]
        .iter()
        .zip(180..)
        .map(|(t, n)| call(n, NOON, None, &[("team", t)]))
        .collect();
    settle(&store, &teams);
    let (of, reader) = (tag("team"), store.reader());
    assert_eq!(sums(&reader, &of), recount(&teams, &of));
    assert_eq!(sums(&reader, &tag("user")).len(), 4 + 1);
}

#[test]
fn names_of_other_days_hide_none_of_these() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for day in 0..5_u64 {
        let at = NOON - Span::from_hours(24 * (5 - day.cast_signed()));
        let old: Vec<Record> = (day * 60..day * 60 + 60)
            .map(|n| call(n, at, None, &[(format!("old-{n:03}").as_str(), "x")]))
            .collect();
        settle(&store, &old);
    }
    let today = NOON.floor(Width::Day.span());
    settle(&store, &[call(999, NOON, None, &[("team", "a")])]);
    let tags = store.reader().allocation(None, today, today + DAY).unwrap().1.tags;
    assert_eq!(tags, ["team".into()]);
    store.close().unwrap();
    // Nor is what a day has already forgotten at the next start.
    let store = Store::open(dir.path(), Options { tag_values_per_day: 1, ..patient() }).unwrap();
    settle(&store, &[call(1_000, NOON, None, &[("team", "b")])]);
    let teams = sums(&store.reader(), &tag("team"));
    assert_eq!(
        teams.into_keys().map(|(_, value)| value).collect::<Vec<_>>(),
        [None, Some("a".into())]
    );
}

#[test]
fn of_a_day_with_a_sum_that_cannot_be_read_the_rest_has_not_simply_no_value() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let calls = [("a", NOON), ("b", NOON), ("a", NOON + DAY)].into_iter().zip(0..);
    let calls: Vec<Record> =
        calls.map(|((team, at), n)| call(n, at, None, &[("team", team)])).collect();
    settle(&store, &calls);
    let (day, team) = (NOON.floor(DAY), tag("team"));
    assert!(ask(&store.reader(), &team).1.is_whole(day));
    let db = rusqlite::Connection::open(dir.path().join("scrimp.db")).unwrap();
    let sql = "UPDATE spend SET body = x'ff' WHERE value = 'a' AND day = ?1";
    assert_eq!(db.execute(sql, [day.secs()]).unwrap(), 1);
    let found = ask(&store.reader(), &team).1;
    let left: Vec<_> = found.rows().map(|row| (row.day, row.value)).collect();
    assert_eq!(left, [(day, Some("b")), (day + DAY, Some("a"))]);
    assert_eq!([day, day + DAY].map(|day| found.is_whole(day)), [false, true]);
}

#[test]
fn of_a_day_that_is_over_the_dearest_sessions_are_kept_and_the_rest_is_summed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let busy: Vec<Record> = (0..1_300).map(|n| call(n, NOON, Some(n), &[])).collect();
    settle(&store, &busy);
    let before = sums(&store.reader(), &Dimension::Session);
    assert_eq!(before.len(), 1_300);
    settle(&store, &[call(2_000, NOON + DAY, Some(1), &[])]);
    assert_eq!(sums(&store.reader(), &Dimension::Session).len(), 1_301, "yesterday's are all here");
    // One that comes late begins anew, and adds to no memory of what was summed.
    settle(&store, &[call(2_001, NOON + DAY + DAY, None, &[("team", "a")])]);
    settle(&store, &[call(2_002, NOON, Some(5), &[])]);
    let mut after = sums(&store.reader(), &Dimension::Session);
    let today = NOON.floor(Width::Day.span());
    after.retain(|(day, _), _| *day == today);
    let rest = after.remove(&(today, None)).unwrap();
    assert!((1_000..=1_001).contains(&after.len()), "{}", after.len());
    let late = call(2_002, NOON, Some(5), &[]);
    let all: Vec<Record> = busy.iter().cloned().chain([late]).collect();
    let all = total(recount(&all, &Dimension::Session).values());
    assert_eq!(total(after.values().chain([&rest])), all);
    let dearest = before.values().map(|spend| spend.cost).max();
    assert_eq!(after.values().map(|spend| spend.cost).max(), dearest);
    assert!(rest.calls == 300 || rest.calls == 299, "{rest:?}");
}

#[test]
fn of_days_before_the_schema_it_is_said_that_nothing_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let since = |dir: &Path| ask(&open(dir).reader(), &tag("team")).1.since;
    settle(&open(dir.path()), &[call(1, NOON, Some(1), &[("team", "a")])]);
    assert_eq!(since(dir.path()), None);
    assert_eq!(down_to_calls(dir.path()), 3);
    let midnight = NOON.floor(Width::Day.span());
    assert_eq!(since(dir.path()), Some(midnight + DAY));
    settle(&open(dir.path()), &[call(2, NOON + DAY, Some(1), &[("team", "a")])]);
    assert_eq!(sums(&open(dir.path()).reader(), &tag("team")).len(), 1);
    assert_eq!(since(dir.path()), Some(midnight + DAY), "once is enough");
    // A store that never held a call knows all of them.
    let empty = tempfile::tempdir().unwrap();
    drop(open(empty.path()));
    assert_eq!(down_to_calls(empty.path()), 3);
    assert_eq!(since(empty.path()), None);
}
