//! Records, rollups and state on disk, in one directory.
//!
//! - `scrimp.db` (SQLite, write-ahead log): the hot tail of records in blocks, the ledger, sums by session
//!   and tag, cells by minute, hour and day, units of experiments, the journal, virtual keys, the audit log, small state. Made readable
//!   by its owner only.
//! - `segments/*.parquet`: sealed history, which other tools can read.
//! - `key`: the digest key, readable by its owner only. `lock`: who has the directory open.
//!
//! A call is settled by counting it at once, in memory, and queueing its record; a thread of the
//! store writes both in one transaction at least every 100 ms. So a killed process loses at most the
//! last 100 ms, an overloaded or full disk costs details and never the ledger, and what is on disk
//! always adds up. Screens read cells and the ledger, never raw records.

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "made-up numbers")]
mod any_record;
mod blob;
mod chains;
mod commit;
mod control;
mod cursor;
mod directory;
mod draft;
mod error;
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "made-up numbers")]
mod fixture;
mod inspect;
mod journal;
mod maintain;
mod mend;
mod options;
mod put;
mod reader;
mod resolve;
mod retain;
mod rollup;
mod schema;
mod seal;
mod segment;
mod spend;
mod store;
mod tail;
mod tally;
mod view;
mod writer;

pub use error::{OpenError, ScanError, StoreError};
pub use inspect::{Holder, Inspection, KeyFile, inspect};
pub use options::{Health, Options};
pub use reader::{CallFilter, Only, Reader, Scan};
pub use rollup::{Cell, LedgerRow, OTHER_KEYS, Width};
pub use spend::{Allocated, Allocation, Dimension, Spend};
pub use store::Store;
