//! Single calls and lists of calls, from the hot tail and from segments.
//!
//! Segments are opened only if the range of their ids and the labels that they hold say that they
//! can matter; of a segment only the row groups whose ids and calls can.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rusqlite::{Connection, params};
use scrimp_core::{CallId, Record};

use super::{CallFilter, Only};
use crate::blob::{self, Torn};
use crate::directory::Directory;
use crate::error::{StoreError, parquet_error};
use crate::mend::Suspects;
use crate::resolve::{Prompts, Rows};
use crate::segment::SegmentFile;
use crate::store::sealed_seq;
use crate::tail::{self, AtHand, HotRows};

/// The ids of the latest calls found so far, at most as many as are wanted.
struct Latest {
    limit: usize,
    found: BinaryHeap<Reverse<CallId>>,
}

impl Latest {
    /// Whether a call is among the latest, or would be.
    fn wants(&self, id: CallId) -> bool {
        let is_full = self.limit <= self.found.len();
        let least = self.found.peek().filter(|_| is_full);
        0 < self.limit && least.is_none_or(|Reverse(least)| *least <= id)
    }

    fn add(&mut self, id: CallId) {
        self.found.push(Reverse(id));
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
    let mut records = recent_hot(sealed, db, filter, &mut latest)?;
    for (name, max_id) in segments_with(db, filter)? {
        if !latest.wants(max_id) {
            break;
        }
        // A segment that cannot be read is set aside; the others still count.
        let Ok(file) = sealed.open(&name) else { continue };
        let mut found = Vec::new();
        for group in groups_with(&file, filter).into_iter().rev() {
            let (least, most) = file.ids_between(group);
            if latest.wants(most) && filter.before.is_none_or(|before| least < before) {
                let read = recent_in(&file, group, filter, &mut latest);
                let read = read.inspect_err(|_| sealed.suspects.note(&name));
                found.push((group, read.unwrap_or_default()));
            }
        }
        for (group, mut rows) in found {
            rows.retain(|(id, _)| latest.wants(*id));
            let rows: Vec<usize> = rows.into_iter().map(|(_, row)| row).collect();
            for record in file.without_prompts(group, &rows) {
                match record {
                    Ok(record) => _ = records.insert(record.call.id, record),
                    Err(_) => sealed.suspects.note(&name),
                }
            }
        }
    }
    // A segment may have had calls later than those of one before it.
    Ok(records.into_values().rev().take(filter.limit).collect())
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

/// The calls of the hot tail, by their ids.
fn recent_hot(
    sealed: Sealed<'_>,
    db: &Connection,
    filter: &CallFilter,
    latest: &mut Latest,
) -> Result<BTreeMap<CallId, Record>, StoreError> {
    let (model, operation) = (filter.model.as_deref(), filter.operation.as_deref());
    let unsealed = sealed_seq(db)? + 1..u64::MAX;
    let mut found = Vec::new();
    tail::each_fact(db, unsealed, |fact| {
        let passes = filter.before.is_none_or(|before| fact.id < before)
            && model.is_none_or(|model| fact.model == model)
            && operation.is_none_or(|operation| fact.operation == operation)
            && (filter.only == Only::All || !fact.is_success);
        if passes {
            found.push((fact.id, fact.seq));
        }
    })?;
    found.sort_by_key(|(id, _)| Reverse(*id));
    let mut at_hand = AtHand::default();
    let mut records = BTreeMap::new();
    for (id, seq) in found {
        if records.len() == filter.limit {
            break;
        }
        let blob = HotRows::new(db, &mut at_hand).blob(seq).and_then(|b| b.ok_or(Torn::Missing));
        match blob.and_then(|blob| blob::read_without_prompt(&blob)) {
            // Facts do not say whose calls they are.
            Ok(record) if !is_to(&record, filter) => {}
            Ok(record) => {
                latest.add(id);
                records.insert(id, record);
            }
            Err(torn) => sealed.suspects.note_torn(&torn),
        }
    }
    Ok(records)
}

fn is_to(record: &Record, filter: &CallFilter) -> bool {
    filter.provider.as_ref().is_none_or(|provider| record.call.provider == *provider)
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

/// Row groups that may hold calls that pass the filter, in order.
fn groups_with(file: &SegmentFile, filter: &CallFilter) -> Vec<usize> {
    let (model, operation) = (filter.model.as_deref(), filter.operation.as_deref());
    let only_errors = filter.only == Only::Errors;
    let listed = file.info().and_then(|info| info.groups_with(model, operation, only_errors));
    let mut groups: Vec<usize> = (0..file.groups()).collect();
    if let Some(listed) = listed {
        groups.retain(|group| listed.contains(group));
    }
    groups
}

/// The calls of one row group that pass the filter and were among the latest when they were found,
/// with their rows in order. Reads only the columns that it asks about, of each only the rows that
/// passed the one before, and no id if none is left.
fn recent_in(
    file: &SegmentFile,
    group: usize,
    filter: &CallFilter,
    latest: &mut Latest,
) -> parquet::errors::Result<Vec<(CallId, usize)>> {
    let mut rows: Vec<usize> = (0..file.rows(group)?).collect();
    if filter.only == Only::Errors {
        rows = file.failures(group, rows)?;
    }
    let CallFilter { provider, model, operation, .. } = filter;
    for (column, wanted) in [("operation", operation), ("model", model), ("provider", provider)] {
        match wanted {
            Some(wanted) if !rows.is_empty() => {
                rows = file.with_text(group, column, wanted, rows)?;
            }
            Some(_) | None => {}
        }
    }
    let mut found = Vec::new();
    if rows.is_empty() {
        return Ok(found);
    }
    for (id, row) in file.ids_of(group, &rows)?.into_iter().zip(rows) {
        if filter.before.is_none_or(|before| id < before) && latest.wants(id) {
            latest.add(id);
            found.push((id, row));
        }
    }
    Ok(found)
}
