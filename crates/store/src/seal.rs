//! Sealing: the hot tail becomes a Parquet file, one step at a time, each of which may be the last
//! before a crash.
//!
//! Write under another name; rename; register the file and move the mark in the database, in one
//! transaction; delete the rows below the mark. After a crash the next start removes a file that has
//! no name yet, registers one that is whole, and goes on deleting.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use crate::blob::Torn;
use crate::commit::as_signed;
use crate::directory::{Directory, Unfinished, set_aside};
use crate::error::{StoreError, io_error, not_opened, parquet_error};
use crate::resolve::{Prompts, Rows};
use crate::schema;
use crate::segment::{Info, SegmentFile, SegmentWriter};
use crate::store::{Shared, sealed_seq};
use crate::tail::{self, AtHand, HotRows};

/// Blocks deleted in one transaction: few enough that the writer hardly waits.
const DELETED_AT_ONCE: usize = 32;

/// How far to go. Tests stop in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// After the file was written under another name.
    Written,
    /// After it was renamed.
    Renamed,
    /// After it was registered.
    Registered,
    /// After some rows were deleted.
    HalfDeleted,
    /// Not at all.
    Never,
}

/// Seals every row up to `upto`.
pub(crate) fn seal(shared: &Shared, upto: u64, stop: Stop) -> Result<(), StoreError> {
    let _files = shared.files();
    let directory = &shared.directory;
    let reading = read(directory)?;
    let first = sealed_seq(&reading)? + 1;
    if upto < first {
        return delete_sealed(shared, stop);
    }
    let number = next_number(directory)?;
    let name = format!("calls-{number:08}.parquet");
    let mut file = Unfinished::new(directory.segment(&name));
    let info = Info {
        store: shared.name.clone(),
        number,
        first_seq: first,
        last_seq: upto,
        ..Info::default()
    };
    let (info, torn) = write(&reading, file.path(), info)?;
    if stop == Stop::Written {
        file.keep();
        return Ok(());
    }
    file.rename()?;
    if stop == Stop::Renamed {
        file.keep();
        return Ok(());
    }
    // A file that is not registered would be taken in by the next start, beside the one that its
    // rows are sealed into then: so it goes if this fails.
    register(&mut shared.db(), file.path(), &info)?;
    file.keep();
    shared.status().corrupt_files.extend(torn);
    if stop == Stop::Registered {
        return Ok(());
    }
    drop(reading);
    delete_sealed(shared, stop)
}

/// Deletes the rows that are in segments already.
pub(crate) fn delete_sealed(shared: &Shared, stop: Stop) -> Result<(), StoreError> {
    let sealed = sealed_seq(&shared.db())?;
    loop {
        // The lock is given back after every step, so that the writer has its turn.
        let deleted = tail::delete(&shared.db(), sealed, DELETED_AT_ONCE)?;
        if deleted < DELETED_AT_ONCE || stop == Stop::HalfDeleted {
            return Ok(());
        }
    }
}

/// Brings the registered segments and the files together after a start, or when the database was
/// replaced. Returns what was set aside.
pub(crate) fn adopt(
    directory: &Directory,
    name: &str,
    db: &mut Connection,
) -> Result<Vec<PathBuf>, StoreError> {
    let mut aside = Vec::new();
    let mut known = db.prepare("SELECT name, bytes FROM segment")?;
    let rows = known.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let known: Vec<(String, i64)> = {
        let rows = rows.collect::<Result<_, _>>()?;
        drop(known);
        rows
    };
    for (file, bytes) in &known {
        let path = directory.segment(file);
        if !is_whole(&path, *bytes) {
            if path.exists() {
                aside.push(set_aside(&path).map_err(io_error(&path))?);
            } else {
                aside.push(path);
            }
            forget(db, file)?;
        }
    }
    let folder = directory.segments();
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .map_err(io_error(&folder))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .map_err(io_error(&folder))?;
    files.sort();
    for path in files {
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let ours = known.iter().any(|(known, _)| known == file);
        // One that cannot be opened now is for the next start.
        if file.ends_with(".parquet") && !ours && fs::File::open(&path).is_ok() {
            match SegmentFile::open(&path).ok().and_then(|segment| segment.info()) {
                Some(info) if info.store == name => register(db, &path, &info)?,
                Some(_) | None => aside.push(set_aside(&path).map_err(io_error(&path))?),
            }
        }
    }
    Ok(aside)
}

/// Takes a segment out of the register.
pub(crate) fn forget(db: &mut Connection, name: &str) -> Result<(), StoreError> {
    let step = db.transaction()?;
    let numbers = "SELECT number FROM segment WHERE name = ?1";
    step.execute(&format!("DELETE FROM segment_label WHERE segment IN ({numbers})"), [name])?;
    step.execute("DELETE FROM segment WHERE name = ?1", [name])?;
    Ok(step.commit()?)
}

fn read(directory: &Directory) -> Result<Connection, StoreError> {
    let db = schema::open_to_read(directory).map_err(not_opened)?;
    // Blocks are read about once, in order.
    db.execute_batch("PRAGMA cache_size = -512;")?;
    Ok(db)
}

/// One more than the highest number of any file, known or not, whole or set aside.
pub(crate) fn next_number(directory: &Directory) -> Result<u64, StoreError> {
    let folder = directory.segments();
    let mut last = 0;
    for entry in fs::read_dir(&folder).map_err(io_error(&folder))? {
        let name = entry.map_err(io_error(&folder))?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix("calls-")?.get(..8));
        last = last.max(digits.and_then(|digits| digits.parse().ok()).unwrap_or(0));
    }
    Ok(last + 1)
}

/// Writes the rows in order of arrival. Broken blocks and rows are left out; says how many.
fn write(db: &Connection, path: &Path, info: Info) -> Result<(Info, Vec<String>), StoreError> {
    let failed = parquet_error(path);
    // One transaction for all rows: one of its own for each costs more in file locks than the row.
    let _snapshot = db.unchecked_transaction()?;
    let room = info.last_seq + 1 - info.first_seq;
    let mut order = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
    let broken = tail::each_fact(db, info.first_seq..info.last_seq + 1, |fact| {
        order.push((fact.arrived, fact.id, fact.seq));
    })?;
    order.sort_unstable();
    let mut writer = SegmentWriter::create(path, info).map_err(&failed)?;
    let (mut prompts, mut at_hand) = (Prompts::default(), AtHand::default());
    let mut rows = HotRows::new(db, &mut at_hand);
    let mut torn = Vec::new();
    for (_, _, seq) in order {
        let added = match rows.blob(seq) {
            Err(error) => Err(error),
            Ok(None) => Err(Torn::Missing),
            Ok(Some(blob)) => {
                let whole = || prompts.record(seq, &mut rows);
                writer.push(seq, &blob, whole).map_err(&failed)?
            }
        };
        match added {
            Ok(()) => {}
            // It would be deleted with the others although it is not lost.
            Err(Torn::Unread(why)) => {
                return Err(StoreError::Record {
                    what: format!("record {seq} of the hot tail"),
                    why,
                });
            }
            Err(error) => torn.push((seq, error)),
        }
    }
    Ok((writer.finish().map_err(&failed)?, left_out(&broken, &torn)))
}

/// In words, with an example of each.
fn left_out(blocks: &[u64], records: &[(u64, Torn)]) -> Vec<String> {
    let blocks = blocks.first().map(|first| {
        let count = blocks.len();
        format!("blocks of the hot tail: {count}, the first from record {first} on")
    });
    let records = records.first().map(|(seq, error)| {
        let count = records.len();
        format!("records of the hot tail: {count}, the first is {seq}: {error}")
    });
    blocks.into_iter().chain(records).collect()
}

pub(crate) fn register(db: &mut Connection, path: &Path, info: &Info) -> Result<(), StoreError> {
    let bytes = fs::metadata(path).map_err(io_error(path))?.len();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let id = |text: &str| u128::from_str_radix(text, 16).unwrap_or_default().to_be_bytes();
    let step = db.transaction()?;
    step.execute(
        "INSERT OR REPLACE INTO segment VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            as_signed(info.number),
            name,
            as_signed(bytes),
            as_signed(info.calls),
            as_signed(info.first_seq),
            as_signed(info.last_seq),
            id(&info.min_id),
            id(&info.max_id),
            info.min_arrived,
            info.max_arrived,
        ],
    )?;
    for (model, operation, calls, failures) in &info.labels {
        step.execute(
            "INSERT OR REPLACE INTO segment_label VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                as_signed(info.number),
                model,
                operation,
                as_signed(*calls),
                as_signed(*failures)
            ],
        )?;
    }
    let sealed = sealed_seq(&step)?.max(info.last_seq);
    let sql = "INSERT OR REPLACE INTO state VALUES ('store.sealed', ?1)";
    step.execute(sql, [sealed.to_string()])?;
    Ok(step.commit()?)
}

/// Whether a file has its registered length and the end of a Parquet file. Its inside shows itself
/// when it is read, and so does one that cannot be looked at now.
fn is_whole(path: &Path, bytes: i64) -> bool {
    let ends_well = || -> io::Result<bool> {
        let mut file = fs::File::open(path)?;
        if file.metadata()?.len() != bytes.cast_unsigned() || bytes < 12 {
            return Ok(false);
        }
        let mut magic = [0; 4];
        file.seek(SeekFrom::End(-4))?;
        file.read_exact(&mut magic)?;
        Ok(magic == *b"PAR1")
    };
    ends_well().unwrap_or_else(|error| error.kind() != io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests;
