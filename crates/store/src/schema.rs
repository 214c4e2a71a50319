//! The tables, their versions, and the ways up and down between them.
//!
//! A store is stepped up when it is opened. One step down is kept as SQL beside each step up, so
//! that yesterday's program can have its store back.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use crate::directory::{Directory, appended, set_aside};
use crate::error::{OpenError, open_db, open_io};

mod carry;

struct Step {
    up: &'static str,
    down: &'static str,
    /// What is moved after the SQL, up and down.
    carry: Option<(Carry, Carry)>,
}

type Carry = fn(&Connection) -> rusqlite::Result<()>;

/// Step `n` leads from schema `n` to `n + 1` and back.
const STEPS: &[Step] = &[
    Step {
        up: include_str!("schema/1-up.sql"),
        down: include_str!("schema/1-down.sql"),
        carry: None,
    },
    Step {
        up: include_str!("schema/2-up.sql"),
        down: include_str!("schema/2-down.sql"),
        carry: None,
    },
    Step {
        up: include_str!("schema/3-up.sql"),
        down: include_str!("schema/3-down.sql"),
        carry: None,
    },
    Step {
        up: include_str!("schema/4-up.sql"),
        down: include_str!("schema/4-down.sql"),
        carry: Some((carry::calls_to_blocks, carry::blocks_to_calls)),
    },
    Step {
        up: include_str!("schema/5-up.sql"),
        down: include_str!("schema/5-down.sql"),
        carry: None,
    },
];

/// Every table of any schema, the dearest first: what a broken database is asked for.
const TABLES: &[&str] = &[
    "state",
    "journal",
    "label",
    "ledger",
    "spend",
    "unit",
    "segment",
    "segment_label",
    "cell",
    "tail",
    "call",
    "detail",
];

/// The newest schema that this program knows.
pub(crate) fn newest() -> i64 {
    i64::try_from(STEPS.len()).expect("a short table")
}

/// Opens the database for writing at the newest schema. A broken one is set aside, what can still
/// be read of it is kept, and its new name is returned too.
pub(crate) fn open(directory: &Directory) -> Result<(Connection, Option<PathBuf>), OpenError> {
    let path = directory.database();
    match open_whole(directory, &path, newest()) {
        Err(OpenError::Database { source, .. }) if is_corrupt(&source) => {
            let aside = put_aside(&path)?;
            let broken = Connection::open(&aside).map_err(open_db(&aside))?;
            // Rows fit the tables of their own schema only, and go up with these.
            let schema = version(&broken).ok().filter(|found| (1..newest()).contains(found));
            let mut fresh = open_whole(directory, &path, schema.unwrap_or(newest()))?;
            salvage(&broken, &mut fresh).map_err(open_db(&path))?;
            step_up(&mut fresh, newest()).map_err(open_db(&path))?;
            Ok((fresh, Some(aside)))
        }
        opened => opened.map(|db| (db, None)),
    }
}

/// Opens the database for reading, beside a process that writes.
pub(crate) fn open_to_read(directory: &Directory) -> Result<Connection, OpenError> {
    let path = directory.database();
    if !path.exists() {
        return Err(OpenError::Missing { dir: directory.root().to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(&path, flags).map_err(open_db(&path))?;
    db.execute_batch("PRAGMA busy_timeout = 5000; PRAGMA cache_size = -4096;")
        .map_err(open_db(&path))?;
    let found = version(&db).map_err(open_db(&path))?;
    match found <= newest() {
        true => Ok(db),
        false => Err(newer(directory, found)),
    }
}

/// Takes the store one schema down from where it is, for an older program. Nobody may have it open.
pub(crate) fn step_down(directory: &Directory) -> Result<i64, OpenError> {
    let path = directory.database();
    let mut db = open_whole(directory, &path, 1)?;
    let from = version(&db).map_err(open_db(&path))?;
    let to = from - 1;
    let Some(step) = usize::try_from(to).ok().filter(|to| 0 < *to).and_then(|to| STEPS.get(to))
    else {
        return Ok(from);
    };
    migrate(&mut db, step.down, step.carry.map(|(_, down)| down), to).map_err(open_db(&path))?;
    Ok(to)
}

/// Whether an error says that the file's content is broken, rather than the disk or the query.
pub(crate) fn is_corrupt(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn open_whole(directory: &Directory, path: &Path, upto: i64) -> Result<Connection, OpenError> {
    begin(path).map_err(open_io(path))?;
    let mut db = Connection::open(path).map_err(open_db(path))?;
    // NORMAL: a killed process loses nothing that was committed, a power cut may lose what was
    // committed since the last checkpoint, and neither tears the file.
    db.execute_batch(
        "PRAGMA busy_timeout = 5000;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA cache_size = -2048;",
    )
    .map_err(open_db(path))?;
    let found = version(&db).map_err(open_db(path))?;
    if newest() < found {
        return Err(newer(directory, found));
    }
    check(&db).map_err(open_db(path))?;
    step_up(&mut db, upto).map_err(open_db(path))?;
    Ok(db)
}

/// A new database is its owner's only, and so are the files that SQLite puts beside it. One that is
/// there already has the permissions that somebody gave it.
fn begin(path: &Path) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn step_up(db: &mut Connection, upto: i64) -> rusqlite::Result<()> {
    let found = version(db)?;
    for (to, step) in (1..=upto).zip(STEPS) {
        if found < to {
            migrate(db, step.up, step.carry.map(|(up, _)| up), to)?;
        }
    }
    Ok(())
}

fn newer(directory: &Directory, found: i64) -> OpenError {
    OpenError::Newer { dir: directory.root().to_owned(), found, known: newest() }
}

pub(crate) fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

pub(crate) fn check(db: &Connection) -> rusqlite::Result<()> {
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(code, Some(found)))
}

fn migrate(db: &mut Connection, sql: &str, carry: Option<Carry>, to: i64) -> rusqlite::Result<()> {
    let step = db.transaction()?;
    step.execute_batch(sql)?;
    carry.map_or(Ok(()), |carry| carry(&step))?;
    step.pragma_update(None, "user_version", to)?;
    step.commit()
}

/// Renames the database with its log, so that the pair can still be read together.
fn put_aside(path: &Path) -> Result<PathBuf, OpenError> {
    let aside = set_aside(path).map_err(open_io(path))?;
    let log = appended(path, "-wal");
    if log.exists() {
        fs::rename(&log, appended(&aside, "-wal")).map_err(open_io(&log))?;
    }
    // The shared-memory index is rebuilt from the log, and may itself be what is broken.
    match fs::remove_file(appended(path, "-shm")) {
        Ok(()) | Err(_) => Ok(aside),
    }
}

/// Copies the rows of each table up to the first that cannot be read. The rest is what was lost, and
/// so is a table that the fresh database has no place for.
fn salvage(broken: &Connection, fresh: &mut Connection) -> rusqlite::Result<()> {
    let copy = fresh.transaction()?;
    for table in TABLES {
        // An error here ends the table, not the rescue.
        copy_table(broken, &copy, table).or_else(|error| match is_corrupt(&error) {
            true => Ok(()),
            false => other_than_missing(error),
        })?;
    }
    copy.commit()
}

/// A broken schema page looks like a missing table or like no SQL at all.
fn other_than_missing(error: rusqlite::Error) -> rusqlite::Result<()> {
    match error.sqlite_error_code() {
        Some(ErrorCode::Unknown) | None => Ok(()),
        Some(_) => Err(error),
    }
}

fn copy_table(from: &Connection, to: &Connection, table: &str) -> rusqlite::Result<()> {
    let mut rows = from.prepare(&format!("SELECT * FROM {table}"))?;
    let columns = rows.column_count();
    let marks = vec!["?"; columns].join(", ");
    let mut insert = to.prepare(&format!("INSERT OR REPLACE INTO {table} VALUES ({marks})"))?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<Value> = (0..columns).map(|at| row.get(at)).collect::<Result<_, _>>()?;
        insert.execute(params_from_iter(values))?;
    }
    Ok(())
}
