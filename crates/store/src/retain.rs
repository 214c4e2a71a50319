//! Retention: old history goes by dropping whole files, old cells by their age.

use std::fs;
use std::io;

use rusqlite::params;
use scrimp_core::Time;

use crate::error::{StoreError, io_error};
use crate::rollup::Width;
use crate::seal::forget;
use crate::store::Shared;

/// Drops what is older than the options say. Days and the ledger stay for ever.
pub(crate) fn drop_old(shared: &Shared, now: Time) -> Result<(), StoreError> {
    let options = &shared.options;
    let limit = now - options.keep_records;
    let mut db = shared.db();
    let names: Vec<String> = {
        let mut old = db.prepare("SELECT name FROM segment WHERE max_arrived < ?1")?;
        let rows = old.query_map([limit.nanos()], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    for name in names {
        // The file first: a register entry without a file is dropped at the next start, a file
        // without an entry would be taken in again.
        let path = shared.directory.segment(&name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error(&path)(error));
            }
            Ok(()) | Err(_) => forget(&mut db, &name)?,
        }
    }
    let ages = [(Width::Minute, options.keep_minutes), (Width::Hour, options.keep_hours)];
    for (width, age) in ages {
        let limit = (now - age).floor(width.span()).secs();
        let sql = "DELETE FROM cell WHERE width = ?1 AND at < ?2";
        db.execute(sql, params![width.code(), limit])?;
    }
    Ok(())
}
