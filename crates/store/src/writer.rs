//! The writer thread: every 50 ms one transaction with all that was settled since.
//!
//! When the disk refuses, sums are kept and merged and records are kept up to the queue's bound, so
//! that nothing is lost from the ledger and writing resumes by itself.

use std::sync::atomic::Ordering;
use std::thread::{Thread, park, park_timeout};
use std::time::{Duration, Instant};

use crate::chains::Chains;
use crate::commit::{self, Ledgers};
use crate::schema;
use crate::seal;
use crate::store::Shared;
use crate::tally::Batch;

/// How often a disk that refused is asked again.
const RETRY: Duration = Duration::from_millis(250);
/// A database that was looked through because of a reader, and is whole, is not looked through again
/// for a while: the writer waits meanwhile, and a reader of one that was set aside goes on complaining.
const LOOK_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// Runs until the store stops.
pub(crate) fn run(shared: &Shared, next_seq: u64, keeper: &Thread) {
    let mut writer = Writer {
        shared,
        keeper,
        next_seq,
        unsaved: Batch::default(),
        chains: Chains::default(),
        ledgers: Ledgers::default(),
        // What an earlier run left is sealed after the same time as what comes now.
        first_hot: (0 < shared.hot_records.load(Ordering::Relaxed)).then(Instant::now),
        found_whole: None,
    };
    loop {
        writer.wait();
        let is_last = shared.is_stopped();
        writer.flush();
        if is_last {
            return;
        }
    }
}

struct Writer<'a> {
    shared: &'a Shared,
    keeper: &'a Thread,
    next_seq: u64,
    /// Taken and not on disk, because the disk refused.
    unsaved: Batch,
    chains: Chains,
    ledgers: Ledgers,
    /// When the first row after the last boundary was written.
    first_hot: Option<Instant>,
    /// When the database was last looked through for nothing.
    found_whole: Option<Instant>,
}

/// What a database was that somebody could not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Whole,
    Broken,
}

impl Writer<'_> {
    /// Until something is there to write and its time has come, or somebody asks for it.
    fn wait(&self) {
        while self.unsaved.is_empty() && self.shared.tally().is_empty() {
            if self.is_wanted() || self.is_old() {
                return;
            }
            if self.shared.suspects.has_database() {
                break;
            }
            match self.first_hot {
                // The next call wakes us.
                None => park(),
                Some(_) => park_timeout(Duration::from_secs(1)),
            }
        }
        let pause = match self.unsaved.is_empty() && !self.shared.suspects.has_database() {
            true => self.shared.options.flush_every,
            false => RETRY,
        };
        let until = Instant::now() + pause;
        while !self.is_wanted() {
            match until.checked_duration_since(Instant::now()) {
                Some(rest) if !rest.is_zero() => park_timeout(rest),
                _ => return,
            }
        }
    }

    fn is_wanted(&self) -> bool {
        let status = self.shared.status();
        self.shared.is_stopped() || status.flushes_done < status.flushes_wanted
    }

    /// Whether the tail has waited long enough to be sealed.
    fn is_old(&self) -> bool {
        let limit = u64::try_from(self.shared.options.seal_after.nanos()).unwrap_or(u64::MAX);
        self.first_hot.is_some_and(|first| Duration::from_nanos(limit) <= first.elapsed())
    }

    fn flush(&mut self) {
        let (wanted, seal_wanted) = {
            let mut status = self.shared.status();
            (status.flushes_wanted, std::mem::take(&mut status.seal_wanted))
        };
        let batch = self.shared.tally().take();
        let dropped = self.unsaved.absorb(batch, &self.shared.options.limits());
        let result = self.look_through().and_then(|()| match self.unsaved.is_empty() {
            true => Ok(()),
            false => self.write(),
        });
        let hot = self.shared.hot_records.load(Ordering::Relaxed);
        let is_due = seal_wanted || self.is_old() || self.shared.options.seal_records <= hot;
        let mut status = self.shared.status();
        status.late_drops += dropped;
        // Rows before the last boundary are tried again if somebody asks: that may have failed.
        if is_due && result.is_ok() && (0 < hot || seal_wanted) {
            // No row after this one may need an earlier one: those move to a file of their own.
            self.chains.clear();
            self.first_hot = None;
            status.boundaries.push_back(self.next_seq - 1);
            self.shared.hot_records.store(0, Ordering::Relaxed);
            self.keeper.unpark();
        }
        status.last_flush_error = result.err().map(|error| error.to_string());
        status.flushes_done = wanted;
        drop(status);
        self.shared.changed.notify_all();
    }

    /// Repairs the database, if a reader found it broken and is right.
    fn look_through(&mut self) -> rusqlite::Result<()> {
        if !self.shared.suspects.has_database() {
            return Ok(());
        }
        if self.found_whole.is_none_or(|at| LOOK_AGAIN_AFTER <= at.elapsed()) {
            let shared = self.shared;
            let found = self.replace(&mut shared.db())?;
            self.found_whole = (found == Found::Whole).then(Instant::now);
        }
        // Only now: what could not be repaired is tried again.
        self.shared.suspects.clear_database();
        Ok(())
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        let mut db = self.shared.db();
        let most_units = self.shared.options.units_per_experiment;
        let written = commit::write(
            &mut db,
            &self.unsaved,
            self.next_seq,
            most_units,
            &mut self.chains,
            &mut self.ledgers,
        );
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                // Broken while open, or not replaced the last time.
                if schema::is_corrupt(&error) || db.path().is_none_or(str::is_empty) {
                    self.replace(&mut db)?;
                }
                return Err(error);
            }
        };
        drop(db);
        self.unsaved = Batch::default();
        self.next_seq += written.records;
        self.shared.hot_records.fetch_add(written.records, Ordering::Relaxed);
        if 0 < written.records {
            self.first_hot.get_or_insert_with(Instant::now);
        }
        let mut status = self.shared.status();
        status.units_left_out += written.units_left_out;
        Ok(())
    }

    /// Sets a database that broke while it was open aside and goes on with what can be read of it.
    fn replace(&mut self, db: &mut rusqlite::Connection) -> rusqlite::Result<Found> {
        // The old connection must be gone before its files are renamed.
        *db = rusqlite::Connection::open_in_memory()?;
        let opened = schema::open(&self.shared.directory);
        let (fresh, aside) = opened.map_err(|error| {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
            rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
        })?;
        *db = fresh;
        let found = aside.map_or(Found::Whole, |_| Found::Broken);
        // They know rows that may not have been rescued.
        self.chains.clear();
        self.ledgers = Ledgers::default();
        let (directory, name) = (&self.shared.directory, &self.shared.name);
        let adopted = seal::adopt(directory, name, db);
        // One may lie there that an attempt which failed half way has put aside.
        let aside = directory.set_aside().unwrap_or_default();
        self.unsaved.sums.labels = self.shared.tally().all_labels();
        let mut status = self.shared.status();
        for path in aside.into_iter().chain(adopted.unwrap_or_default()) {
            let path = path.display().to_string();
            if !status.corrupt_files.contains(&path) {
                status.corrupt_files.push(path);
            }
        }
        Ok(found)
    }
}
