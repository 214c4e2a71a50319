//! Sealed history: Parquet files that other tools can read.
//!
//! Every fact that people query is a flat typed column; the exact record stands beside them in the
//! column `record`, so that nothing is lost. Rows are in order of arrival. A prompt's beginning may
//! stand in an earlier row of the same row group and never elsewhere, so that a row group can be
//! read, or be broken, by itself.

mod chunk;
mod columns;
mod labels;
mod read;
mod write;

use serde::{Deserialize, Serialize};

pub(crate) use read::{Group, SegmentFile};
pub(crate) use write::SegmentWriter;

/// How many rows a row group has at most, and how many bytes of records it may exceed by one. A whole
/// row group is in memory while it is written or read.
const GROUP_ROWS: usize = 4_096;
const GROUP_BYTES: usize = 4 << 20;
const PAGE_BYTES: usize = 256 << 10;
/// The name of [`Info`] in a file's metadata.
const INFO_KEY: &str = "scrimp";

/// What a segment is, as it says itself in its metadata, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Info {
    /// The store that it belongs to.
    pub(crate) store: String,
    pub(crate) number: u64,
    pub(crate) calls: u64,
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    /// Hexadecimal, as ids are shown.
    pub(crate) min_id: String,
    pub(crate) max_id: String,
    /// Nanoseconds since 1970 UTC.
    pub(crate) min_arrived: i64,
    pub(crate) max_arrived: i64,
    /// Model, operation, calls, calls without success. Empty: not counted.
    pub(crate) labels: Vec<(String, String, u64, u64)>,
    /// In which row groups the calls of each label are. Files of older programs do not tell.
    #[serde(default)]
    pub(crate) places: Vec<labels::Places>,
}
