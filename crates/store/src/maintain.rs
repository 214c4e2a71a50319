//! The keeper thread: seals, brings the log into the database, drops what is old. Nothing here is
//! on a call's way, and what fails is tried again.

use std::fs;
use std::thread::park_timeout;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode};
use scrimp_core::Time;

use crate::directory::{appended, bytes_in};
use crate::error::StoreError;
use crate::mend::mend;
use crate::retain::drop_old;
use crate::seal::{self, Stop};
use crate::store::Shared;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// A segment is read and written as a whole, so that one which cannot be is left alone for a while.
const MEND_AGAIN_AFTER: Duration = Duration::from_mins(1);
const RETAIN_EVERY: Duration = Duration::from_mins(5);
/// The log is brought into the database from this size on, without waiting for anybody: some times
/// what a busy tail has between two sealings, since pages that it uses again meanwhile are copied
/// once...
const LOG_BYTES: u64 = 48 << 20;
/// ...and from this size on its file is made short again, for which the writer has to wait.
const MOST_LOG_BYTES: u64 = 96 << 20;

/// What the keeper does; how each went last is kept apart from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Chore {
    Seal,
    Mend,
    Checkpoint,
    Retain,
}

/// Runs until the store stops.
pub(crate) fn run(shared: &Shared) {
    let mut measured = Instant::now();
    let mut retained = None::<Instant>;
    let mut not_mended = None::<Instant>;
    note(shared, Chore::Seal, seal::delete_sealed(shared, Stop::Never));
    loop {
        seal_if_wanted(shared);
        if not_mended.is_none_or(|at| MEND_AGAIN_AFTER <= at.elapsed()) {
            let result = mend(shared);
            not_mended = result.is_err().then(Instant::now);
            note(shared, Chore::Mend, result);
        }
        note(shared, Chore::Checkpoint, checkpoint(shared));
        if retained.is_none_or(|at| RETAIN_EVERY <= at.elapsed()) {
            note(shared, Chore::Retain, drop_old(shared, now()));
            retained = Some(Instant::now());
        }
        if MEASURE_EVERY <= measured.elapsed() {
            shared.status().bytes_on_disk = bytes_in(shared.directory.root());
            measured = Instant::now();
        }
        if shared.is_stopped() {
            return;
        }
        park_timeout(LOOK_EVERY);
    }
}

fn seal_if_wanted(shared: &Shared) {
    loop {
        let Some(boundary) = shared.status().boundaries.front().copied() else { return };
        let result = seal::seal(shared, boundary, Stop::Never);
        note(shared, Chore::Seal, result);
        // Somebody may wait for the attempt, however it went; rows that stay are sealed with the
        // next.
        shared.status().boundaries.pop_front();
        shared.changed.notify_all();
        note(shared, Chore::Checkpoint, checkpoint(shared));
    }
}

fn note(shared: &Shared, chore: Chore, result: Result<(), StoreError>) {
    result.as_ref().err().inspect(|error| shared.suspects.note_error(error));
    let mut status = shared.status();
    status.failures.remove(&chore);
    status.failures.extend(result.err().map(|error| (chore, error.to_string())));
}

fn checkpoint(shared: &Shared) -> Result<(), StoreError> {
    let path = shared.directory.database();
    let how = match fs::metadata(appended(&path, "-wal")).map_or(0, |log| log.len()) {
        0..LOG_BYTES => return Ok(()),
        LOG_BYTES..MOST_LOG_BYTES => "PASSIVE",
        _ => "TRUNCATE",
    };
    // A connection of its own, without patience: the writer goes on meanwhile, and a long scan that
    // needs the log is not waited for.
    let db = Connection::open(&path)?;
    db.busy_timeout(Duration::from_millis(20))?;
    match db.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(())) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
        result => Ok(result?),
    }
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
