//! The journal's entries: policies that were applied and taken back.

use rusqlite::{Connection, params};
use scrimp_core::JournalEntry;

use crate::error::StoreError;

/// Every entry of the journal, in order.
pub(crate) fn read(db: &Connection) -> Result<Vec<JournalEntry>, StoreError> {
    let mut read = db.prepare_cached("SELECT number, entry FROM journal ORDER BY number")?;
    let mut rows = read.query([])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, entry): (i64, String) = (row.get(0)?, row.get(1)?);
        entries.push(serde_json::from_str(&entry).map_err(|error| StoreError::Record {
            what: format!("journal entry {number}"),
            why: error.to_string(),
        })?);
    }
    Ok(entries)
}

/// Writes an entry, in the place of the one with its number.
pub(crate) fn write(db: &Connection, entry: &JournalEntry) -> Result<(), StoreError> {
    let text = serde_json::to_string(entry).map_err(|error| StoreError::Record {
        what: format!("journal entry {}", entry.number),
        why: error.to_string(),
    })?;
    let sql = "INSERT OR REPLACE INTO journal VALUES (?1, ?2)";
    db.execute(sql, params![entry.number.cast_signed(), text])?;
    Ok(())
}

/// What a person decided shall survive a power cut too: brings the log to the disk.
pub(crate) fn durable(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}
