//! Every record of a stretch of time, in order of arrival.
//!
//! Segments overlap a little, because a call is stored when it ends and ordered by when it began. So
//! those that overlap are read side by side; of each at most one row group is in memory.

use std::collections::VecDeque;
use std::fmt;

use rusqlite::{Connection, params};
use scrimp_core::{CallId, Record, Time};

use crate::directory::Directory;
use crate::error::{ScanError, StoreError};
use crate::mend::Suspects;
use crate::resolve::Prompts;
use crate::segment::{Group, SegmentFile};
use crate::store::sealed_seq;
use crate::tail::{self, AtHand, HotRows};

/// Records in order of their arrival. Memory does not grow with their number.
pub struct Scan {
    directory: Directory,
    suspects: Suspects,
    /// From and to.
    between: (Time, Time),
    /// Segments not opened yet, by their first arrival in microseconds.
    closed: VecDeque<(i64, String)>,
    open: Vec<Sealed>,
    hot: Option<Hot>,
    failures: VecDeque<ScanError>,
}

/// What rows are ordered by: microseconds of arrival, then id.
type Key = (i64, CallId);

struct Sealed {
    name: String,
    file: SegmentFile,
    next_group: usize,
    group: Option<Group>,
    /// The rows of the group that are wanted, in order.
    rows: VecDeque<(Key, usize)>,
}

struct Hot {
    db: Connection,
    rows: VecDeque<(Key, u64)>,
    prompts: Prompts,
    at_hand: AtHand,
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("between", &self.between).finish_non_exhaustive()
    }
}

impl Scan {
    pub(super) fn begin(
        directory: Directory,
        suspects: Suspects,
        db: Connection,
        from: Time,
        to: Time,
    ) -> Result<Scan, StoreError> {
        let closed = {
            let mut segments = db.prepare(
                "SELECT min_arrived, name FROM segment WHERE ?1 <= max_arrived AND min_arrived < ?2
                 ORDER BY min_arrived, number",
            )?;
            let range = params![from.nanos(), to.nanos()];
            let rows = segments.query_map(range, |row| {
                Ok((row.get::<_, i64>(0)?.div_euclid(1_000), row.get(1)?))
            })?;
            rows.collect::<Result<_, _>>()?
        };
        let mut rows = Vec::new();
        let torn = tail::each_fact(&db, sealed_seq(&db)? + 1..u64::MAX, |fact| {
            if from <= fact.arrived && fact.arrived < to {
                rows.push(((fact.arrived.nanos().div_euclid(1_000), fact.id), fact.seq));
            }
        })?;
        rows.sort_unstable();
        let file = directory.database().display().to_string();
        let failures = torn.into_iter().map(|first| ScanError {
            file: file.clone(),
            why: format!("the calls from number {first} on cannot be read"),
        });
        let failures = failures.collect();
        let (prompts, at_hand) = (Prompts::default(), AtHand::default());
        let hot = Some(Hot { db, rows: rows.into(), prompts, at_hand });
        let between = (from, to);
        Ok(Scan { directory, suspects, between, closed, open: Vec::new(), hot, failures })
    }

    pub(super) fn failed(directory: &Directory, error: &StoreError) -> Scan {
        let file = directory.database().display().to_string();
        Scan {
            directory: directory.clone(),
            suspects: Suspects::default(),
            between: (Time::EPOCH, Time::EPOCH),
            closed: VecDeque::new(),
            open: Vec::new(),
            hot: None,
            failures: VecDeque::from([ScanError { file, why: error.to_string() }]),
        }
    }

    /// Opens every segment that may hold the next record.
    fn open_due(&mut self) {
        while let Some((first, name)) = self.closed.front() {
            let next = self.next_key();
            if next.is_some_and(|(at, _)| at < *first) {
                return;
            }
            match SegmentFile::open(&self.directory.segment(name)) {
                Err(error) => {
                    self.suspects.note(name);
                    let (file, why) = (name.clone(), error.to_string());
                    self.failures.push_back(ScanError { file, why });
                }
                Ok(file) => {
                    let rows = VecDeque::new();
                    let name = name.clone();
                    self.open.push(Sealed { name, file, next_group: 0, group: None, rows });
                    self.fill(self.open.len() - 1);
                }
            }
            self.closed.pop_front();
        }
    }

    /// Reads on in an open segment until there is a row, or it ends.
    fn fill(&mut self, at: usize) {
        let segment = &mut self.open[at];
        while segment.rows.is_empty() && segment.next_group < segment.file.groups() {
            let group = segment.next_group;
            segment.next_group += 1;
            if let Err(error) = segment.load(group, self.between) {
                self.suspects.note(&segment.name);
                let why = format!("row group {group}: {error}");
                self.failures.push_back(ScanError { file: segment.name.clone(), why });
            }
        }
        if segment.rows.is_empty() {
            self.open.swap_remove(at);
        }
    }

    fn next_key(&self) -> Option<Key> {
        let sealed = self.open.iter().filter_map(|segment| segment.rows.front());
        let hot = self.hot.iter().filter_map(|hot| hot.rows.front());
        sealed.map(|(key, _)| *key).chain(hot.map(|(key, _)| *key)).min()
    }

    fn take(&mut self, key: Key) -> Option<Result<Record, ScanError>> {
        let has_next =
            |segment: &Sealed| segment.rows.front().is_some_and(|(next, _)| *next == key);
        if let Some(at) = self.open.iter().position(has_next) {
            let segment = &mut self.open[at];
            let (_, row) = segment.rows.pop_front()?;
            let record = segment.group.as_mut()?.record(row);
            let record = record.inspect_err(|_| self.suspects.note(&segment.name));
            let result = record.map_err(|error| ScanError {
                file: segment.name.clone(),
                why: format!("call {}: {error}", key.1),
            });
            self.fill(at);
            return Some(result);
        }
        let Hot { db, rows, prompts, at_hand } = self.hot.as_mut()?;
        let (_, seq) = rows.pop_front()?;
        let record = prompts.record(seq, &mut HotRows::new(db, at_hand));
        let record = record.inspect_err(|error| self.suspects.note_torn(error));
        Some(record.map_err(|error| ScanError {
            file: self.directory.database().display().to_string(),
            why: format!("call {}: {error}", key.1),
        }))
    }
}

impl Iterator for Scan {
    type Item = Result<Record, ScanError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (from, to) = self.between;
        loop {
            self.open_due();
            if let Some(failure) = self.failures.pop_front() {
                return Some(Err(failure));
            }
            let key = self.next_key()?;
            let found = self.take(key)?;
            // Segments are cut by microseconds, the question by nanoseconds.
            match &found {
                Ok(record) if record.call.arrived < from || to <= record.call.arrived => {}
                Ok(_) | Err(_) => return Some(found),
            }
        }
    }
}

impl Sealed {
    /// Reads a row group, if anything in it is wanted.
    fn load(&mut self, group: usize, between: (Time, Time)) -> parquet::errors::Result<()> {
        let (from, to) = between;
        let from = from.nanos().div_euclid(1_000);
        let arrivals = self.file.arrivals(group)?;
        // Rounded up: the edges are looked at again when the record is known.
        let to = to.nanos().div_euclid(1_000).saturating_add(1);
        if !arrivals.iter().any(|at| from <= *at && *at < to) {
            return Ok(());
        }
        let ids = self.file.ids(group)?;
        // All that can fail comes first: rows without their group would end the scan.
        self.group = Some(self.file.records(group)?);
        let keys = arrivals.into_iter().zip(ids).zip(0..);
        self.rows = keys.filter(|((at, _), _)| from <= *at && *at < to).collect();
        Ok(())
    }
}
