//! Lists show what a filter over all calls would, wherever these are.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use scrimp_core::{Call, Ending, Record};
use scrimp_store::{CallFilter, Only, Reader};

use super::{open, settle, turns, without_prompt};

const CALLS: usize = 1_500;
const RARE: &str = "draft-contract";
const STEADY: &str = "gpt-6-luna";

/// Calls of 50 conversations, each of which goes on for 30 turns through all segments. Some are of a
/// rare operation or a rare model, and of one model only those that are named fail.
fn calls(count: usize, operations: &[Index], models: &[Index], failures: &[Index]) -> Vec<Record> {
    let places =
        |picks: &[Index]| picks.iter().map(|pick| pick.index(count)).collect::<BTreeSet<_>>();
    let (operations, models, failures) = (places(operations), places(models), places(failures));
    let mut records = turns(0..count as u64);
    for (at, record) in records.iter_mut().enumerate() {
        let mut call = Call::clone(&record.call);
        if &*call.model == STEADY {
            let status = if failures.contains(&at) { 529 } else { 200 };
            record.ending = Ending::Answered { status, finish: None };
        }
        if operations.contains(&at) {
            call.operation = RARE.into();
        }
        if models.contains(&at) {
            call.model = "gemini-5-flash".into();
            call.provider = "google".into();
        }
        record.call = Arc::new(call);
    }
    records
}

fn passes(record: &Record, filter: &CallFilter) -> bool {
    let call = &record.call;
    filter.before.is_none_or(|before| call.id < before)
        && filter.provider.as_ref().is_none_or(|provider| call.provider == *provider)
        && filter.model.as_ref().is_none_or(|model| call.model == *model)
        && filter.operation.as_ref().is_none_or(|operation| call.operation == *operation)
        && (filter.only == Only::All || !record.is_success())
}

/// What is common, what is rare, what is both, and what is not there.
fn filters(page: &CallFilter) -> Vec<CallFilter> {
    let models = [None, Some(STEADY), Some("gemini-5-flash"), Some("ernie-7")];
    let operations = [None, Some("code-review"), Some(RARE)];
    let mut filters = Vec::new();
    for (model, operation) in models.iter().flat_map(|m| operations.iter().map(move |o| (m, o))) {
        let (model, operation) = (model.map(Into::into), operation.map(Into::into));
        let all = CallFilter { model, operation, ..page.clone() };
        filters.push(CallFilter { only: Only::Errors, ..all.clone() });
        filters.push(all);
    }
    for provider in ["openai", "google", "baidu"] {
        let of = |all: &CallFilter| CallFilter { provider: Some(provider.into()), ..all.clone() };
        filters.extend([of(&filters[0]), of(&filters[1]), of(&filters[2])]);
    }
    filters
}

fn check(reader: &Reader, records: &[Record], page: &CallFilter) -> Result<(), TestCaseError> {
    for filter in filters(page) {
        let expected = records.iter().rev().filter(|record| passes(record, &filter));
        let found = reader.recent(&filter).unwrap();
        let expected = expected.take(filter.limit).map(without_prompt);
        prop_assert!(found.into_iter().eq(expected), "{filter:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn a_filtered_list_is_the_full_list_filtered(
        operations in prop::collection::vec(any::<Index>(), 0..8),
        models in prop::collection::vec(any::<Index>(), 0..8),
        failures in prop::collection::vec(any::<Index>(), 0..8),
        late in prop::collection::vec(any::<Index>(), 0..8),
        mut cuts in prop::collection::vec(0..CALLS, 0..3),
        before in prop::option::of(any::<Index>()),
        limit in prop::sample::select(vec![1, 5, 100, CALLS]),
    ) {
        let records = calls(CALLS, &operations, &models, &failures);
        // Some end long after they arrived, so that segments overlap.
        let late: BTreeSet<usize> = late.iter().map(|late| late.index(CALLS)).collect();
        let (last, first): (Vec<_>, Vec<_>) =
            (0..CALLS).partition(|at| late.contains(at));
        let settled: Vec<Record> =
            first.into_iter().chain(last).map(|at| records[at].clone()).collect();
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        cuts.sort_unstable();
        let mut from = 0;
        for cut in cuts {
            settle(&store, &settled[from..cut]);
            store.seal().unwrap();
            from = cut;
        }
        settle(&store, &settled[from..]);
        let before = before.map(|before| records[before.index(CALLS)].call.id);
        let page = CallFilter { before, ..CallFilter::latest(limit) };
        check(&store.reader(), &records, &page)?;
        // The same when all of it is sealed.
        store.seal().unwrap();
        check(&store.reader(), &records, &page)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2))]
    #[test]
    fn rare_calls_are_found_in_every_row_group_of_a_file(
        operations in prop::collection::vec(any::<Index>(), 4..8),
        models in prop::collection::vec(any::<Index>(), 4..8),
        failures in prop::collection::vec(any::<Index>(), 4..8),
        limit in prop::sample::select(vec![2, 100]),
    ) {
        // A row group has 4,096 calls at most.
        let records = calls(10_000, &operations, &models, &failures);
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        for some in records.chunks(1_000) {
            settle(&store, some);
        }
        store.seal().unwrap();
        check(&store.reader(), &records, &CallFilter::latest(limit))?;
    }
}
