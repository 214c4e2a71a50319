//! Single calls and lists of calls, from the hot tail and from segments.
//!
//! Segments are opened only if the range of their ids and the labels that they hold say that they
//! can matter; of a segment only the row groups whose ids can.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rusqlite::{Connection, params};
use scrimp_core::{CallId, Record};

use super::{CallFilter, Only};
use crate::directory::Directory;
use crate::error::{StoreError, parquet_error};
use crate::mend::Suspects;
use crate::resolve::Prompts;
use crate::segment::SegmentFile;
use crate::store::sealed_seq;
use crate::tail::{self, AtHand, HotRows};

/// Where a record is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Hot(u64),
    Sealed { segment: String, group: usize, row: usize },
}

/// The latest calls found so far, at most as many as are wanted.
struct Latest {
    limit: usize,
    found: BinaryHeap<Reverse<(CallId, Place)>>,
}

impl Latest {
    /// The id below which nothing more is wanted.
    fn least(&self) -> Option<CallId> {
        let is_full = self.limit <= self.found.len();
        self.found.peek().filter(|_| is_full).map(|Reverse((id, _))| *id)
    }

    fn wants(&self, id: CallId) -> bool {
        0 < self.limit && self.least().is_none_or(|least| least < id)
    }

    fn add(&mut self, id: CallId, place: Place) {
        if self.wants(id) {
            self.found.push(Reverse((id, place)));
        }
        if self.limit < self.found.len() {
            self.found.pop();
        }
    }
}

/// Where segments are, and who is told of what cannot be read.
#[derive(Clone, Copy)]
pub(super) struct Sealed<'a> {
    pub(super) directory: &'a Directory,
    pub(super) suspects: &'a Suspects,
}

impl Sealed<'_> {
    /// Opens a segment.
    fn open(self, name: &str) -> Result<SegmentFile, StoreError> {
        let path = self.directory.segment(name);
        let opened = SegmentFile::open(&path).map_err(parquet_error(&path));
        opened.inspect_err(|_| self.suspects.note(name))
    }
}

/// See [`super::Reader::recent`].
pub(super) fn recent(
    sealed: Sealed<'_>,
    db: &Connection,
    filter: &CallFilter,
) -> Result<Vec<Record>, StoreError> {
    let mut latest = Latest { limit: filter.limit, found: BinaryHeap::new() };
    recent_hot(db, filter, &mut latest)?;
    for (name, max_id) in segments_with(db, filter)? {
        if !latest.wants(max_id) {
            break;
        }
        // A segment that cannot be read is set aside; the others still count.
        let Ok(file) = sealed.open(&name) else { continue };
        for group in (0..file.groups()).rev() {
            let (least, most) = file.ids_between(group);
            if latest.wants(most) && filter.before.is_none_or(|before| least < before) {
                let read = recent_in(&file, &name, group, filter, &mut latest);
                read.unwrap_or_else(|_| sealed.suspects.note(&name));
            }
        }
    }
    Ok(records(sealed, db, latest))
}

/// See [`super::Reader::call`].
pub(super) fn call(
    sealed: Sealed<'_>,
    db: &Connection,
    id: CallId,
) -> Result<Option<Record>, StoreError> {
    let key = id.0.to_be_bytes();
    let torn = |why: String| StoreError::Record { what: format!("call {id}"), why };
    let mut seq = None;
    tail::each_fact(db, 0..u64::MAX, |fact| {
        if fact.id == id {
            seq = Some(fact.seq);
        }
    })?;
    if let Some(seq) = seq {
        let mut at_hand = AtHand::default();
        let record = Prompts::default().record(seq, &mut HotRows::new(db, &mut at_hand));
        let record = record.inspect_err(|error| sealed.suspects.note_torn(error));
        return record.map(Some).map_err(|error| torn(error.to_string()));
    }
    let mut segments =
        db.prepare("SELECT name FROM segment WHERE min_id <= ?1 AND ?1 <= max_id")?;
    let names = segments.query_map([key], |row| row.get(0))?;
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    // A segment that cannot be read need not be the one with the call.
    let mut result = Ok(None);
    for name in names {
        let found = sealed.open(&name).and_then(|file| {
            let found = call_in(&file, id).inspect_err(|_| sealed.suspects.note(&name));
            found.map_err(|error| torn(format!("{name}: {error}")))
        });
        match found {
            Ok(None) => {}
            Ok(Some(_)) => return found,
            Err(_) => result = found,
        }
    }
    result
}

/// Looks for a call in one segment.
fn call_in(
    file: &SegmentFile,
    id: CallId,
) -> Result<Option<Record>, Box<dyn std::error::Error + Send + Sync>> {
    for group in 0..file.groups() {
        let (least, most) = file.ids_between(group);
        if id < least || most < id {
            continue;
        }
        let row = file.ids(group)?.iter().position(|found| *found == id);
        if let Some(row) = row {
            return Ok(Some(file.some_records(group)?.record(row)?));
        }
    }
    Ok(None)
}

fn recent_hot(db: &Connection, filter: &CallFilter, latest: &mut Latest) -> Result<(), StoreError> {
    let (model, operation) = (filter.model.as_deref(), filter.operation.as_deref());
    let unsealed = sealed_seq(db)? + 1..u64::MAX;
    tail::each_fact(db, unsealed, |fact| {
        let passes = filter.before.is_none_or(|before| fact.id < before)
            && model.is_none_or(|model| fact.model == model)
            && operation.is_none_or(|operation| fact.operation == operation)
            && (filter.only == Only::All || !fact.is_success);
        if passes {
            latest.add(fact.id, Place::Hot(fact.seq));
        }
    })?;
    Ok(())
}

/// Segments that may hold calls that pass the filter, with their largest id, the latest first.
fn segments_with(
    db: &Connection,
    filter: &CallFilter,
) -> Result<Vec<(String, CallId)>, StoreError> {
    let mut read = db.prepare(
        "SELECT name, max_id FROM segment WHERE min_id < ?1 AND (
             NOT EXISTS (SELECT 1 FROM segment_label WHERE segment = number)
             OR EXISTS (SELECT 1 FROM segment_label WHERE segment = number
                        AND (?2 IS NULL OR model = ?2) AND (?3 IS NULL OR operation = ?3)
                        AND (?4 OR 0 < failures)))
         ORDER BY max_id DESC",
    )?;
    let before = filter.before.map_or(u128::MAX, |id| id.0).to_be_bytes();
    let (model, operation) = (filter.model.as_deref(), filter.operation.as_deref());
    let all = filter.only == Only::All;
    let rows = read.query_map(params![before, model, operation, all], |row| {
        Ok((row.get(0)?, CallId(u128::from_be_bytes(row.get(1)?))))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds the calls of one row group that pass the filter. Reads only the columns that it asks about,
/// of each only the rows that passed the one before, and no id if none is left.
fn recent_in(
    file: &SegmentFile,
    name: &str,
    group: usize,
    filter: &CallFilter,
    latest: &mut Latest,
) -> parquet::errors::Result<()> {
    let mut rows: Vec<usize> = (0..file.rows(group)?).collect();
    if filter.only == Only::Errors {
        rows = file.failures(group, rows)?;
    }
    for (column, wanted) in [("operation", &filter.operation), ("model", &filter.model)] {
        match wanted {
            Some(wanted) if !rows.is_empty() => {
                rows = file.with_text(group, column, wanted, rows)?;
            }
            Some(_) | None => {}
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    for (id, row) in file.ids_of(group, &rows)?.into_iter().zip(rows) {
        if filter.before.is_none_or(|before| id < before) {
            latest.add(id, Place::Sealed { segment: name.to_owned(), group, row });
        }
    }
    Ok(())
}

/// Reads what was found, each segment opened once. What cannot be read is left out.
fn records(sealed: Sealed<'_>, db: &Connection, latest: Latest) -> Vec<Record> {
    let mut records = BTreeMap::new();
    let mut places: BTreeMap<String, BTreeMap<usize, Vec<(CallId, usize)>>> = BTreeMap::new();
    let (mut prompts, mut at_hand) = (Prompts::default(), AtHand::default());
    for Reverse((id, place)) in latest.found {
        match place {
            Place::Hot(seq) => {
                let record = prompts.record(seq, &mut HotRows::new(db, &mut at_hand));
                let record = record.inspect_err(|error| sealed.suspects.note_torn(error));
                records.extend(record.ok().map(|record| (id, record)));
            }
            Place::Sealed { segment, group, row } => {
                places.entry(segment).or_default().entry(group).or_default().push((id, row));
            }
        }
    }
    for (segment, groups) in places {
        // It may have been mended or dropped since it was looked through.
        let Ok(file) = sealed.open(&segment) else { continue };
        for (group, rows) in groups {
            let Ok(mut group) = file.some_records(group) else {
                sealed.suspects.note(&segment);
                continue;
            };
            for (id, row) in rows {
                let record = group.record(row).inspect_err(|_| sealed.suspects.note(&segment));
                records.extend(record.ok().map(|record| (id, record)));
            }
        }
    }
    records.into_values().rev().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fixture::turn;
    use crate::{Options, Store};

    #[test]
    fn a_segment_that_went_while_a_list_was_made_costs_its_own_records_only() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::STANDARD).unwrap();
        let records = [turn(0), turn(1)];
        for record in &records {
            store.settle(Arc::new(record.clone()));
        }
        store.flush();
        let gone = Place::Sealed { segment: "calls-00000007.parquet".into(), group: 0, row: 0 };
        let mut latest = Latest { limit: 3, found: BinaryHeap::new() };
        latest.add(records[0].call.id, Place::Hot(1));
        latest.add(turn(2).call.id, gone);
        latest.add(records[1].call.id, Place::Hot(2));
        let shared = store.shared();
        let sealed = Sealed { directory: &shared.directory, suspects: &shared.suspects };
        let found = super::records(sealed, &shared.db(), latest);
        assert!(found.iter().eq(records.iter().rev()));
    }
}
