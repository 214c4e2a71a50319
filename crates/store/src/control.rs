//! Virtual keys and the audit log. Both are small state under names that sort, `key/ID` and
//! `audit/NUMBER`: an older program leaves them alone, a newer one finds them again, and of a broken
//! database they are what is kept first.
//!
//! What changes a key and what says so in the audit log are one transaction.

use rusqlite::{Connection, params};
use scrimp_core::{AuditEntry, VirtualKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;
use crate::journal::durable;
use crate::reader::Reader;
use crate::store::Store;

/// What the names of keys begin with.
const KEYS: &str = "key/";
/// What the names of entries begin with.
const AUDIT: &str = "audit/";

impl Store {
    /// Writes a key, in the place of the one with its id, and what is to be said of that.
    ///
    /// # Errors
    /// If the disk refuses. Nothing is written then.
    pub fn put_virtual_key(&self, key: &VirtualKey, entry: AuditEntry) -> Result<(), StoreError> {
        let mut db = self.shared().db();
        let step = db.transaction()?;
        put(&step, &format!("{KEYS}{}", key.id), key)?;
        append(&step, entry)?;
        step.commit()?;
        Ok(durable(&db)?)
    }

    /// The key with this id.
    ///
    /// # Errors
    /// If the disk refuses, or if it cannot be read.
    pub fn virtual_key(&self, id: &str) -> Result<Option<VirtualKey>, StoreError> {
        let sql = "SELECT key, value FROM state WHERE key = ?1";
        let found = read(&self.shared().db(), sql, params![format!("{KEYS}{id}")])?;
        Ok(found.into_iter().next())
    }

    /// Every key that was ever made, in order of ids.
    ///
    /// # Errors
    /// If the disk refuses, or if one cannot be read: without it a caller would be refused, or all
    /// would be let in.
    pub fn virtual_keys(&self) -> Result<Vec<VirtualKey>, StoreError> {
        all_keys(&self.shared().db())
    }

    /// Adds an entry to the audit log; its number is given by the log and returned.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn add_audit(&self, entry: AuditEntry) -> Result<u64, StoreError> {
        let mut db = self.shared().db();
        let step = db.transaction()?;
        let number = append(&step, entry)?;
        step.commit()?;
        durable(&db)?;
        Ok(number)
    }
}

impl Reader {
    /// Every key that was ever made, in order of ids.
    ///
    /// # Errors
    /// If the disk refuses, or if one cannot be read.
    pub fn virtual_keys(&self) -> Result<Vec<VirtualKey>, StoreError> {
        self.ask(all_keys)
    }

    /// At most `limit` entries of the audit log with numbers below `before`, the latest first.
    ///
    /// # Errors
    /// If the disk refuses, or if one cannot be read.
    pub fn audit(&self, limit: usize, before: Option<u64>) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = "SELECT key, value FROM state WHERE ?1 <= key AND key < ?2 \
                   ORDER BY key DESC LIMIT ?3";
        let end = before.map_or_else(|| after(AUDIT), audit_name);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.ask(|db| read(db, sql, params![AUDIT, end, limit]))
    }
}

fn all_keys(db: &Connection) -> Result<Vec<VirtualKey>, StoreError> {
    let sql = "SELECT key, value FROM state WHERE ?1 <= key AND key < ?2 ORDER BY key";
    read(db, sql, params![KEYS, after(KEYS)])
}

/// Numbers are written with as many digits as the largest has, so that they sort.
fn audit_name(number: u64) -> String {
    format!("{AUDIT}{number:020}")
}

/// The first name after all that begin with `prefix`, whose last sign is a slash.
fn after(prefix: &str) -> String {
    format!("{}0", prefix.trim_end_matches('/'))
}

fn append(db: &Connection, entry: AuditEntry) -> Result<u64, StoreError> {
    let sql = "SELECT max(key) FROM state WHERE ?1 <= key AND key < ?2";
    let last: Option<String> = db.query_row(sql, [AUDIT, &after(AUDIT)], |row| row.get(0))?;
    let last = last.and_then(|name| name.strip_prefix(AUDIT)?.parse::<u64>().ok());
    let number = last.unwrap_or(0) + 1;
    put(db, &audit_name(number), &AuditEntry { number, ..entry })?;
    Ok(number)
}

fn put(db: &Connection, name: &str, value: &impl Serialize) -> Result<(), StoreError> {
    let text = serde_json::to_string(value).map_err(unreadable(name))?;
    db.execute("INSERT OR REPLACE INTO state VALUES (?1, ?2)", [name, &text])?;
    Ok(())
}

fn read<T: DeserializeOwned>(
    db: &Connection,
    sql: &str,
    bounds: &[&dyn rusqlite::ToSql],
) -> Result<Vec<T>, StoreError> {
    let mut read = db.prepare_cached(sql)?;
    let mut rows = read.query(bounds)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, text): (String, String) = (row.get(0)?, row.get(1)?);
        found.push(serde_json::from_str(&text).map_err(unreadable(&name))?);
    }
    Ok(found)
}

fn unreadable(name: &str) -> impl Fn(serde_json::Error) -> StoreError {
    move |error| StoreError::Record { what: name.to_owned(), why: error.to_string() }
}
