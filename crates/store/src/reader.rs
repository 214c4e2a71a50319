//! The read side. Works beside the process that writes, without its lock.
//!
//! Every question opens the database anew: that costs a fraction of a millisecond, and a database
//! that was set aside meanwhile is never read on.

mod history;
mod scan;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Row, params};
use scrimp_core::policy::Arm;
use scrimp_core::{CallId, JournalEntry, Record, Time, UnitTotals};

use crate::commit::{ledger_of, unit_of};
use crate::directory::Directory;
use crate::error::{OpenError, StoreError, not_opened};
use crate::journal;
use crate::mend::Suspects;
use crate::rollup::{Cell, Label, LedgerRow, Width};
use crate::schema;
use crate::spend::{self, Allocation, Dimension};
use crate::store::read_labels;

use history::Sealed;
pub use scan::Scan;

/// The database as it is now, for as long as the connection lives: rows that move to a segment
/// meanwhile are still seen there.
const SNAPSHOT: &str = "BEGIN";

/// Reads a store.
#[derive(Clone, Debug)]
pub struct Reader {
    directory: Directory,
    suspects: Suspects,
}

/// Which calls a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFilter {
    /// At most this many.
    pub limit: usize,
    /// Only calls with a smaller id, that is earlier ones: where the page before ended.
    pub before: Option<CallId>,
    /// Which endings.
    pub only: Only,
    /// Only calls to this provider.
    pub provider: Option<Arc<str>>,
    /// Only calls to this model.
    pub model: Option<Arc<str>>,
    /// Only calls of this operation.
    pub operation: Option<Arc<str>>,
}

/// Which endings a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// All.
    All,
    /// Calls whose client did not get what it asked for.
    Errors,
}

impl CallFilter {
    /// The latest `limit` calls.
    pub const fn latest(limit: usize) -> CallFilter {
        let (before, only) = (None, Only::All);
        CallFilter { limit, before, only, provider: None, model: None, operation: None }
    }
}

impl Reader {
    /// Opens a store for reading, while another process may be writing it.
    ///
    /// # Errors
    /// If there is no store, if a newer program wrote it, or if the disk refuses.
    pub fn open(dir: &Path) -> Result<Reader, OpenError> {
        let directory = Directory::new(dir);
        schema::open_to_read(&directory)?;
        // Nobody mends what this one finds: that is for the process that writes. It reports only.
        Ok(Reader { directory, suspects: Suspects::default() })
    }

    pub(crate) fn beside(directory: Directory, suspects: Suspects) -> Reader {
        Reader { directory, suspects }
    }

    /// Damaged files that were set aside and that nobody has removed yet, in order of names.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn set_aside(&self) -> Result<Vec<PathBuf>, OpenError> {
        self.directory.set_aside()
    }

    /// The digest key, for comparing a text at hand with what is recorded.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn key(&self) -> Result<[u8; 32], OpenError> {
        self.directory.key(None)
    }

    /// The latest calls that pass the filter, the latest first, without their prompts: these stand
    /// in other rows, which a list of rare calls would have to read for each. [`Reader::call`] gives
    /// a call with its prompt. Records that cannot be read are left out.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn recent(&self, filter: &CallFilter) -> Result<Vec<Record>, StoreError> {
        self.ask(|db| {
            db.execute_batch(SNAPSHOT)?;
            history::recent(self.sealed(), db, filter)
        })
    }

    /// One call; `None` if there is none of this id.
    ///
    /// # Errors
    /// If the disk refuses, or the record cannot be read.
    pub fn call(&self, id: CallId) -> Result<Option<Record>, StoreError> {
        self.ask(|db| {
            db.execute_batch(SNAPSHOT)?;
            history::call(self.sealed(), db, id)
        })
    }

    /// Every record that arrived in `from..to`, in order of arrival: sealed files, then the hot tail.
    /// What cannot be read is an item of its own, and the rest follows.
    pub fn scan(&self, from: Time, to: Time) -> Scan {
        let begun = self.database().and_then(|db| {
            db.execute_batch(SNAPSHOT)?;
            Scan::begin(self.directory.clone(), self.suspects.clone(), db, from, to)
        });
        match begun.inspect_err(|error| self.suspects.note_error(error)) {
            Ok(scan) => scan,
            Err(error) => Scan::failed(&self.directory, &error),
        }
    }

    /// The cells that begin in `from..to`, in order of time. `from` is rounded down to a cell.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn cells(&self, from: Time, to: Time, width: Width) -> Result<Vec<Cell>, StoreError> {
        let from = from.floor(width.span()).secs();
        let to = to.nanos().div_euclid(1_000_000_000) + i64::from(to.nanos() % 1_000_000_000 != 0);
        self.ask(|db| {
            let labels = read_labels(db)?;
            let mut read = db.prepare(
                "SELECT at, label, body FROM cell WHERE width = ?1 AND ?2 <= at AND at < ?3
                 ORDER BY at, label",
            )?;
            let mut rows = read.query(params![width.code(), from, to])?;
            let mut cells = Vec::new();
            while let Some(row) = rows.next()? {
                let label = label(&labels, row.get(1)?);
                let at = Time::from_secs(row.get(0)?);
                let body = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
                let cell = Cell::new(at, label.provider, label.model, label.operation);
                cells.extend(cell.with_bytes(body));
            }
            Ok(cells)
        })
    }

    /// The ledger's rows of the days that begin in `from..to`, in order of days. `from` is rounded
    /// down to midnight UTC.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn ledger(&self, from: Time, to: Time) -> Result<Vec<LedgerRow>, StoreError> {
        self.ask(|db| Ok(ledger(db, from, to)?))
    }

    /// The ledger of the days that begin in `from..to`, and how they divide by a dimension that the
    /// ledger does not know: both of one moment, so that they add up. `from` is rounded down to
    /// midnight UTC.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn allocation(
        &self,
        dimension: Option<&Dimension>,
        from: Time,
        to: Time,
    ) -> Result<(Vec<LedgerRow>, Allocation), StoreError> {
        self.ask(|db| {
            db.execute_batch(SNAPSHOT)?;
            Ok((ledger(db, from, to)?, spend::allocation(db, dimension, from, to)?))
        })
    }

    /// Totals of every unit of an experiment.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn units(&self, experiment: u64) -> Result<Vec<UnitTotals>, StoreError> {
        self.ask(|db| {
            let mut read = db.prepare(
                "SELECT unit, arm, calls, left_out, errors, usd, usd_uncached, usd_untouched,
                     usd_uncached_untouched FROM unit
                 WHERE experiment = ?1 ORDER BY unit, arm",
            )?;
            let rows = read.query_map([experiment.cast_signed()], |row| {
                let arm = match row.get::<_, i64>(1)? {
                    0 => Arm::HeldOut,
                    _ => Arm::Treated,
                };
                unit_of(row, row.get::<_, i64>(0)?.cast_unsigned(), arm, 2)
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Every entry of the journal, in order.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn journal(&self) -> Result<Vec<JournalEntry>, StoreError> {
        self.ask(journal::read)
    }

    /// Asks the database. A broken one is told to whoever can repair it.
    pub(crate) fn ask<T>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let answer = self.database().and_then(|db| question(&db));
        answer.inspect_err(|error| self.suspects.note_error(error))
    }

    fn sealed(&self) -> Sealed<'_> {
        Sealed { directory: &self.directory, suspects: &self.suspects }
    }

    fn database(&self) -> Result<Connection, StoreError> {
        schema::open_to_read(&self.directory).map_err(not_opened)
    }
}

fn ledger(db: &Connection, from: Time, to: Time) -> rusqlite::Result<Vec<LedgerRow>> {
    let (from, to) = (from.floor(Width::Day.span()).secs(), to.secs());
    let labels = read_labels(db)?;
    let sql = "SELECT * FROM ledger WHERE ?1 <= day AND day < ?2 ORDER BY day, label, key";
    let mut read = db.prepare(sql)?;
    let row = |row: &Row<'_>| ledger_of(row, &label(&labels, row.get(1)?));
    let rows = read.query_map([from, to], row)?;
    rows.collect()
}

fn label(labels: &BTreeMap<u32, Label>, id: u32) -> Label {
    labels.get(&id).cloned().unwrap_or_else(Label::other)
}
