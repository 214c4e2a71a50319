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
}

impl Writer<'_> {
    /// Until something is there to write and its time has come, or somebody asks for it.
    fn wait(&self) {
        while self.unsaved.is_empty() && self.shared.tally().is_empty() {
            if self.is_wanted() || self.is_old() {
                return;
            }
            match self.first_hot {
                // The next call wakes us.
                None => park(),
                Some(_) => park_timeout(Duration::from_secs(1)),
            }
        }
        let pause = match self.unsaved.is_empty() {
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
        let result = match self.unsaved.is_empty() {
            true => Ok(()),
            false => self.write(),
        };
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
    fn replace(&mut self, db: &mut rusqlite::Connection) -> rusqlite::Result<()> {
        // The old connection must be gone before its files are renamed.
        *db = rusqlite::Connection::open_in_memory()?;
        let opened = schema::open(&self.shared.directory);
        let (fresh, aside) = opened.map_err(|error| {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
            rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
        })?;
        *db = fresh;
        let (directory, name) = (&self.shared.directory, &self.shared.name);
        let adopted = seal::adopt(directory, name, db);
        self.unsaved.sums.labels = self.shared.tally().all_labels();
        let mut status = self.shared.status();
        let aside = aside.into_iter().chain(adopted.unwrap_or_default());
        status.corrupt_files.extend(aside.map(|path| path.display().to_string()));
        Ok(())
    }
}
