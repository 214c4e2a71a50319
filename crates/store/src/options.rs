//! How much a store keeps, and how it is.

use std::time::Duration;

use scrimp_core::Span;

use crate::tally::Limits;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Records that may wait for the writer; beyond it details are dropped and counted.
    pub queued_records: usize,
    /// Bytes of memory, about, that they may take together.
    pub queued_bytes: usize,
    /// How long settled calls may wait for the disk. What `kill -9` can lose.
    pub flush_every: Duration,
    /// The hot tail is sealed into a Parquet file when it has this many records...
    pub seal_records: u64,
    /// ...or when its oldest record is this old.
    pub seal_after: Span,
    /// How long sealed records are kept.
    pub keep_records: Span,
    /// How long cells of a minute are kept.
    pub keep_minutes: Span,
    /// How long cells of an hour are kept. Days and the ledger are kept for ever.
    pub keep_hours: Span,
    /// Distinct (provider, model, operation) in one day; the rest is counted as "other".
    pub labels_per_day: usize,
    /// Distinct keys in one day; the rest is counted under [`crate::OTHER_KEYS`].
    pub keys_per_day: usize,
    /// Distinct values of each tag in one day; the rest of that tag is counted as one.
    pub tag_values_per_day: usize,
    /// Distinct sessions in one day; the rest is counted as one.
    pub sessions_per_day: usize,
    /// Units of one experiment; the rest is left out and counted.
    pub units_per_experiment: u64,
    /// What a store that has no key yet begins with instead of one that is drawn. For simulated
    /// calls, which then meet the same sides of an experiment each time; it protects nothing.
    pub known_key: Option<[u8; 32]>,
}

impl Options {
    /// What a gateway uses that was not told otherwise.
    pub const STANDARD: Options = Options {
        queued_records: 16_384,
        queued_bytes: 16 << 20,
        flush_every: Duration::from_millis(50),
        seal_records: 50_000,
        seal_after: Span::from_hours(1),
        keep_records: Span::from_hours(30 * 24),
        keep_minutes: Span::from_hours(2 * 24),
        keep_hours: Span::from_hours(90 * 24),
        labels_per_day: 512,
        keys_per_day: 2_048,
        tag_values_per_day: 512,
        sessions_per_day: 8_192,
        units_per_experiment: 200_000,
        known_key: None,
    };

    pub(crate) const fn limits(&self) -> Limits {
        Limits {
            queued_records: self.queued_records,
            queued_bytes: self.queued_bytes,
            labels_per_day: self.labels_per_day,
            keys_per_day: self.keys_per_day,
            tag_values_per_day: self.tag_values_per_day,
            sessions_per_day: self.sessions_per_day,
        }
    }
}

/// How the store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Calls settled since the start.
    pub settled: u64,
    /// Calls that were settled a second time and not counted again.
    pub settled_twice: u64,
    /// Records that wait for the writer.
    pub queued: u64,
    /// Records that found the queue full. They are in the ledger, not in the history.
    pub details_dropped: u64,
    /// Calls counted as "other" because their day had too many labels.
    pub labels_folded: u64,
    /// Calls counted under one key because their day had too many.
    pub keys_folded: u64,
    /// Sessions and tags of calls that were counted together with others because their day had too
    /// many.
    pub spend_folded: u64,
    /// Unit totals that found no room in their experiment.
    pub units_left_out: u64,
    /// Why the last attempt to write failed; `None` when it did not. Settling goes on.
    pub last_flush_error: Option<String>,
    /// Why sealing, mending, checkpointing or retention failed when it was last tried; `None` when
    /// none of them did.
    pub last_maintenance_error: Option<String>,
    /// Files that were broken and set aside, by their new names, also by earlier runs as long as they
    /// lie there, and how much of the hot tail was left out of a segment because it could not be
    /// read.
    pub corrupt_files: Vec<String>,
    /// Records that came after the last sealing was begun. From [`Options::seal_records`] on the next
    /// one is.
    pub hot_records: u64,
    /// Bytes in the directory, as of the last look (every few seconds).
    pub bytes_on_disk: u64,
}
