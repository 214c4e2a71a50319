//! What can go wrong, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};

use crate::schema;

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "{} is in use by process {}; stop that one, or choose another directory with --data",
        dir.display(), pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Who holds it, where that could be read.
        pid: Option<u32>,
    },
    /// A newer program wrote it.
    #[error(
        "{} was written by a newer Scrimp (schema {found}; this one knows up to {known}); \
         use the newer version, let it `scrimp store step-down`, or choose another directory with --data",
        dir.display()
    )]
    Newer {
        /// The directory.
        dir: PathBuf,
        /// The schema found.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// There is no store to read.
    #[error("{} holds no store; start `scrimp serve` with it once", dir.display())]
    Missing {
        /// The directory.
        dir: PathBuf,
    },
    /// A file could not be made, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database could not be opened, for another reason than its content.
    #[error("{}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// Why something small could not be read or written. The store goes on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused: disk full, read-only, broken.
    #[error("the store's database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A Parquet segment could not be written.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why.
        source: parquet::errors::ParquetError,
    },
    /// A stored record could not be read.
    #[error("{what}: {why}")]
    Record {
        /// Where it is.
        what: String,
        /// Why.
        why: String,
    },
    /// The journal has no such entry.
    #[error("the journal has no entry {0}; `scrimp proof` lists the entries")]
    NoEntry(u64),
    /// The entry was taken back before.
    #[error("journal entry {0} has been undone already")]
    AlreadyUndone(u64),
    /// What was flushed last could not be written.
    #[error("the last records are not on disk: {0}")]
    NotFlushed(String),
    /// The hot tail could not be sealed.
    #[error("the last records are not in a Parquet file: {0}")]
    NotSealed(String),
}

impl StoreError {
    /// Whether the database's content is broken, rather than the disk or the question.
    pub(crate) fn is_corrupt(&self) -> bool {
        matches!(self, StoreError::Database(error) if schema::is_corrupt(error))
    }
}

/// What a store that cannot be opened means for whoever asked it something small.
pub(crate) fn not_opened(error: OpenError) -> StoreError {
    match error {
        OpenError::Database { source, .. } => StoreError::Database(source),
        other => StoreError::Record { what: "the store".to_owned(), why: other.to_string() },
    }
}

/// A part of the history that could not be read. What follows it can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {why}")]
pub struct ScanError {
    /// The file.
    pub file: String,
    /// Why, and where in it.
    pub why: String,
}

pub(crate) fn open_io(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}

pub(crate) fn open_db(path: &Path) -> impl FnOnce(rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Database { path, source }
}

pub(crate) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}

pub(crate) fn parquet_error(
    path: &Path,
) -> impl Fn(parquet::errors::ParquetError) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Parquet { path: path.clone(), source }
}
