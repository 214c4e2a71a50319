//! The store through its public face: what is settled comes back, whatever happens in between.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../src/any_record.rs"]
#[expect(clippy::cast_possible_truncation, reason = "made-up numbers")]
mod any_record;
#[path = "../../src/fixture.rs"]
#[expect(clippy::cast_possible_truncation, reason = "made-up numbers")]
mod fixture;

mod broken;
mod control;
mod kept;
mod killed;
mod listed;
mod spend;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use scrimp_core::{Call, Record, Span, Time};
use scrimp_store::{Cell, Options, Reader, Store, Width};

/// Nothing happens by the clock: only when the test asks for it.
fn patient() -> Options {
    let century = Span::from_hours(24 * 365 * 100);
    Options {
        flush_every: std::time::Duration::from_hours(1),
        keep_records: century,
        keep_minutes: century,
        keep_hours: century,
        ..Options::STANDARD
    }
}

fn open(dir: &Path) -> Store {
    Store::open(dir, patient()).unwrap()
}

fn settle(store: &Store, records: &[Record]) {
    for record in records {
        store.settle(Arc::new(record.clone()));
    }
    store.flush();
}

fn scan(reader: &Reader) -> Vec<Record> {
    reader.scan(Time::from_nanos(i64::MIN), Time::NEVER).map(Result::unwrap).collect()
}

fn in_order(records: &[Record]) -> Vec<Record> {
    let mut records = records.to_vec();
    records.sort_by_key(|record| (record.call.arrived, record.call.id));
    records
}

/// Cells as they would be if records were counted one by one.
fn recount(records: &[Record], width: Width) -> Vec<Cell> {
    let mut cells = BTreeMap::new();
    for record in records {
        let (call, at) = (&record.call, record.call.arrived.floor(width.span()));
        let key = (at, call.provider.clone(), call.model.clone(), call.operation.clone());
        let new = || Cell::new(at, key.1.clone(), key.2.clone(), key.3.clone());
        cells.entry(key.clone()).or_insert_with(new).add(record);
    }
    cells.into_values().collect()
}

fn sorted(mut cells: Vec<Cell>) -> Vec<Cell> {
    let key =
        |cell: &Cell| (cell.at, cell.provider.clone(), cell.model.clone(), cell.operation.clone());
    cells.sort_by_key(key);
    cells
}

fn all_cells(reader: &Reader, width: Width) -> Vec<Cell> {
    sorted(reader.cells(Time::from_secs(-1 << 40), Time::from_secs(1 << 40), width).unwrap())
}

fn ledger_calls(reader: &Reader) -> u64 {
    let rows = reader.ledger(Time::from_secs(-1 << 40), Time::from_secs(1 << 40)).unwrap();
    rows.iter().map(|row| row.calls).sum()
}

fn turns(range: std::ops::Range<u64>) -> Vec<Record> {
    range.map(fixture::turn).collect()
}

/// To the schema in which a call was a row of its own.
fn down_to_calls(dir: &Path) -> i64 {
    assert_eq!(Store::step_down(dir).unwrap(), 4);
    Store::step_down(dir).unwrap()
}

/// A record as lists show it.
fn without_prompt(record: &Record) -> Record {
    let call = Call { prompt: Vec::new(), ..Call::clone(&record.call) };
    Record { call: Arc::new(call), ..record.clone() }
}

const DAY: Span = Span::from_hours(24);
