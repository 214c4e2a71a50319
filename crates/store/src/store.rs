//! The store as the gateway holds it: settle on one side, one writer thread on the other.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{JoinHandle, Thread};

use rusqlite::{Connection, OptionalExtension};
use rustc_hash::FxHashMap;
use scrimp_core::{Digest, JournalEntry, Record, Time};

use crate::directory::{Directory, bytes_in};
use crate::draft::Drafts;
use crate::error::{OpenError, StoreError, open_db, open_io};
use crate::journal;
use crate::maintain::{self, Chore};
use crate::mend::{Suspects, mend};
use crate::options::{Health, Options};
use crate::reader::Reader;
use crate::rollup::{Label, Width};
use crate::schema;
use crate::spend;
use crate::tail;
use crate::tally::{RECENT_IDS, Tally};
use crate::writer;

/// See the crate. Cheap to call from many threads.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    writer: Thread,
    key: [u8; 32],
    /// Held as long as the store is open.
    _lock: File,
}

/// What the store, its writer and its maintenance share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) directory: Directory,
    pub(crate) name: String,
    pub(crate) options: Options,
    pub(crate) tally: Mutex<Tally>,
    /// The only connection that writes.
    pub(crate) db: Mutex<Connection>,
    pub(crate) status: Mutex<Status>,
    pub(crate) changed: Condvar,
    /// What somebody could not read.
    pub(crate) suspects: Suspects,
    /// Held by whoever makes a segment, so that no two take the same number.
    pub(crate) files: Mutex<()>,
    pub(crate) stop: AtomicBool,
    /// Rows beyond the last boundary, for the decision to seal.
    pub(crate) hot_records: AtomicU64,
}

/// What the threads tell each other and the outside.
#[derive(Debug, Default)]
pub(crate) struct Status {
    /// Flushes asked for and done.
    pub(crate) flushes_wanted: u64,
    pub(crate) flushes_done: u64,
    /// Somebody wants the hot tail sealed up to here and now.
    pub(crate) seal_wanted: bool,
    /// Up to which sequence numbers the tail is to be sealed, a segment each: no row after one of
    /// these needs a row before it.
    pub(crate) boundaries: VecDeque<u64>,
    pub(crate) units_left_out: u64,
    pub(crate) late_drops: u64,
    pub(crate) last_flush_error: Option<String>,
    /// Why chores failed when they were last tried.
    pub(crate) failures: BTreeMap<Chore, String>,
    pub(crate) corrupt_files: Vec<String>,
    pub(crate) bytes_on_disk: u64,
}

impl Store {
    /// Opens the store in `dir`, making it if there is none.
    ///
    /// # Errors
    /// If another process has it, if a newer program wrote it, or if the disk refuses. A broken
    /// database or segment is no error: it is set aside, and named by [`Store::health`].
    pub fn open(dir: &Path, options: Options) -> Result<Store, OpenError> {
        let directory = Directory::new(dir);
        directory.make()?;
        let lock = directory.lock()?;
        let key = directory.key(options.known_key)?;
        let name = directory.name()?;
        let (mut db, aside) = schema::open(&directory)?;
        let path = directory.database();
        directory.remove_unfinished()?;
        let adopted = crate::seal::adopt(&directory, &name, &mut db);
        let adopted = adopted.map_err(|error| open_io(&path)(std::io::Error::other(error)))?;
        // With those of earlier runs: what is in them is missing until somebody has seen to it.
        let mut corrupt = directory.set_aside()?;
        corrupt.extend(aside.into_iter().chain(adopted));
        corrupt.sort();
        corrupt.dedup();
        let tally = known_tally(&db, options).map_err(open_db(&path))?;
        let next_seq = next_seq(&db).map_err(open_db(&path))?;
        let hot = sealed_seq(&db).and_then(|sealed| tail::count(&db, sealed));
        let hot = hot.map_err(open_db(&path))?;
        let status = Status {
            corrupt_files: corrupt.iter().map(|path| path.display().to_string()).collect(),
            bytes_on_disk: bytes_in(dir),
            ..Status::default()
        };
        let shared = Arc::new(Shared {
            directory,
            name,
            options,
            tally: Mutex::new(tally),
            db: Mutex::new(db),
            status: Mutex::new(status),
            changed: Condvar::new(),
            suspects: Suspects::default(),
            files: Mutex::new(()),
            stop: AtomicBool::new(false),
            hot_records: AtomicU64::new(hot),
        });
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(open_io(dir))
        };
        let keeper = shared.clone();
        let keeper = spawn("scrimp-keeper", Box::new(move || maintain::run(&keeper)))?;
        let ours = shared.clone();
        let to_wake = keeper.thread().clone();
        let writer =
            spawn("scrimp-store", Box::new(move || writer::run(&ours, next_seq, &to_wake)))?;
        let handle = writer.thread().clone();
        shared.suspects.tell(handle.clone());
        Ok(Store { shared, threads: vec![writer, keeper], writer: handle, key, _lock: lock })
    }

    /// Takes the store in `dir` one schema down, for an older program. Returns the schema that it
    /// has now; the oldest one stays as it is.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn step_down(dir: &Path) -> Result<i64, OpenError> {
        let directory = Directory::new(dir);
        if !directory.database().exists() {
            return Err(OpenError::Missing { dir: dir.to_owned() });
        }
        let _lock = directory.lock()?;
        schema::step_down(&directory)
    }

    /// The digest key.
    pub fn key(&self) -> [u8; 32] {
        self.key
    }

    /// Counts a call for ever and queues its record. Never blocks on the disk and never fails: in
    /// overload the record is dropped and counted, its ledger entry is not.
    pub fn settle(&self, record: Arc<Record>) {
        let draft = Drafts::of(&record);
        if self.shared.tally().settle(&record, &draft) {
            self.writer.unpark();
        }
        // Not on the writer's thread: an allocator takes memory back best where it was asked for.
        drop(record);
    }

    /// Waits until everything settled before this call is on disk, or could not be written
    /// ([`Health::last_flush_error`] says so).
    pub fn flush(&self) {
        let mut status = self.shared.status();
        status.flushes_wanted += 1;
        let ticket = status.flushes_wanted;
        self.writer.unpark();
        while status.flushes_done < ticket && !self.shared.is_stopped() {
            status = self.shared.changed.wait(status).expect(POISON);
        }
    }

    /// Seals the hot tail into a Parquet file now, and waits for it.
    ///
    /// # Errors
    /// If the records, or then the file, could not be written. The records stay where they are.
    pub fn seal(&self) -> Result<(), StoreError> {
        self.flush();
        let mut status = self.shared.status();
        status.seal_wanted = true;
        status.flushes_wanted += 1;
        let ticket = status.flushes_wanted;
        self.writer.unpark();
        while status.flushes_done < ticket || !status.boundaries.is_empty() {
            status = self.shared.changed.wait(status).expect(POISON);
        }
        if let Some(error) = &status.last_flush_error {
            return Err(StoreError::NotFlushed(error.clone()));
        }
        match status.failures.get(&Chore::Seal) {
            None => Ok(()),
            Some(error) => Err(StoreError::NotSealed(error.clone())),
        }
    }

    /// Drops what is older than the options say, as seen from `now`, and sets segments aside that
    /// readers found broken. The store does both by itself.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn retain(&self, now: Time) -> Result<(), StoreError> {
        mend(&self.shared)?;
        crate::retain::drop_old(&self.shared, now)
    }

    /// How the store is.
    pub fn health(&self) -> Health {
        let (counters, queued) = {
            let tally = self.shared.tally();
            (tally.counters, tally.queued())
        };
        let status = self.shared.status();
        Health {
            settled: counters.settled,
            settled_twice: counters.settled_twice,
            queued: queued as u64,
            details_dropped: counters.details_dropped + status.late_drops,
            labels_folded: counters.labels_folded,
            keys_folded: counters.keys_folded,
            spend_folded: counters.spend_folded,
            units_left_out: status.units_left_out,
            last_flush_error: status.last_flush_error.clone(),
            last_maintenance_error: status.failures.values().next().cloned(),
            corrupt_files: status.corrupt_files.clone(),
            hot_records: self.shared.hot_records.load(Ordering::Relaxed),
            bytes_on_disk: status.bytes_on_disk,
        }
    }

    /// Writes what waits and closes the files.
    ///
    /// # Errors
    /// If the last calls could not be written.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.flush();
        self.stop();
        let error = self.shared.status().last_flush_error.clone();
        error.map_or(Ok(()), |error| Err(StoreError::NotFlushed(error)))
    }

    /// Reads what is on disk: everything settled until about [`Options::flush_every`] ago.
    pub fn reader(&self) -> Reader {
        Reader::beside(self.shared.directory.clone(), self.shared.suspects.clone())
    }

    /// Every entry of the journal, in order.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn journal(&self) -> Result<Vec<JournalEntry>, StoreError> {
        let read = journal::read(&self.shared.db());
        read.inspect_err(|error| self.shared.suspects.note_error(error))
    }

    /// Writes a new entry; its number is given by the journal and returned.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn add_journal(&self, entry: JournalEntry) -> Result<u64, StoreError> {
        let mut db = self.shared.db();
        let step = db.transaction()?;
        let last: Option<i64> =
            step.query_row("SELECT max(number) FROM journal", [], |row| row.get(0))?;
        let number = last.unwrap_or(0).cast_unsigned() + 1;
        journal::write(&step, &JournalEntry { number, ..entry })?;
        step.commit()?;
        journal::durable(&db)?;
        Ok(number)
    }

    /// Notes that an entry was taken back. Returns it as it is now.
    ///
    /// # Errors
    /// If there is no such entry, if it was taken back before, or if the disk refuses.
    pub fn undo_journal(
        &self,
        number: u64,
        at: Time,
        because: &str,
    ) -> Result<JournalEntry, StoreError> {
        let mut db = self.shared.db();
        let step = db.transaction()?;
        let mut entry = journal::read(&step)?
            .into_iter()
            .find(|entry| entry.number == number)
            .ok_or(StoreError::NoEntry(number))?;
        if entry.undone.is_some() {
            return Err(StoreError::AlreadyUndone(number));
        }
        entry.undone = Some(at);
        entry.undone_because = Some(because.to_owned());
        journal::write(&step, &entry)?;
        step.commit()?;
        journal::durable(&db)?;
        Ok(entry)
    }

    /// A small value by name; `None` if there is none or it cannot be read.
    pub fn state(&self, key: &str) -> Option<String> {
        let sql = "SELECT value FROM state WHERE key = ?1";
        let read = self.shared.db().query_row(sql, [key], |row| row.get(0)).optional();
        let read = read.map_err(StoreError::from);
        read.inspect_err(|error| self.shared.suspects.note_error(error)).ok().flatten()
    }

    /// Sets a small value.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn set_state(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO state VALUES (?1, ?2)";
        self.shared.db().execute(sql, [key, value])?;
        Ok(())
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        for thread in &self.threads {
            thread.thread().unpark();
        }
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so on stderr already; the other must still be joined.
            drop(thread.join());
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop();
    }
}

const POISON: &str = "no thread of the store panics while it holds a lock";

impl Shared {
    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().expect(POISON)
    }

    pub(crate) fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().expect(POISON)
    }

    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().expect(POISON)
    }

    pub(crate) fn files(&self) -> MutexGuard<'_, ()> {
        self.files.lock().expect(POISON)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// A tally that knows what the disk knows, so that limits and ids hold across a restart.
fn known_tally(db: &Connection, options: Options) -> rusqlite::Result<Tally> {
    let labels: FxHashMap<Label, u32> =
        read_labels(db)?.into_iter().filter(|(id, _)| *id != 0).map(|(id, l)| (l, id)).collect();
    let mut tally = Tally::new(options.limits(), labels);
    let sql = "SELECT max(at) - 86400 FROM cell WHERE width = 2";
    let from: Option<i64> = db.query_row(sql, [], |row| row.get(0))?;
    let mut days = db.prepare("SELECT day, label, key FROM ledger WHERE ?1 <= day")?;
    let mut rows = days.query([from])?;
    while let Some(row) = rows.next()? {
        let day = Time::from_secs(row.get(0)?).floor(Width::Day.span());
        tally.know(day, row.get(1)?, Some(Digest(row.get(2)?)));
    }
    if let Some(from) = from {
        spend::each_account(db, Time::from_secs(from), |day, account| {
            tally.know_account(day, account);
        })?;
    }
    let newest = tail::end(db)?.unwrap_or(0);
    let recent = newest.saturating_sub(RECENT_IDS as u64)..newest;
    tail::each_fact(db, recent, |fact| tally.know_id(fact.id))?;
    Ok(tally)
}

/// Every label by its number.
pub(crate) fn read_labels(db: &Connection) -> rusqlite::Result<BTreeMap<u32, Label>> {
    let mut labels = db.prepare_cached("SELECT id, provider, model, operation FROM label")?;
    let text = |row: &rusqlite::Row<'_>, at| row.get::<_, String>(at).map(Into::into);
    let rows = labels.query_map([], |row| {
        let label =
            Label { provider: text(row, 1)?, model: text(row, 2)?, operation: text(row, 3)? };
        Ok((row.get(0)?, label))
    })?;
    rows.collect()
}

/// Up to which sequence number the tail is sealed. Rows below it wait to be deleted only.
pub(crate) fn sealed_seq(db: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT CAST(value AS INTEGER) FROM state WHERE key = 'store.sealed'";
    let sealed: Option<i64> = db.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(sealed.unwrap_or(0).cast_unsigned())
}

fn next_seq(db: &Connection) -> rusqlite::Result<u64> {
    Ok(tail::end(db)?.unwrap_or(0).max(sealed_seq(db)? + 1))
}
