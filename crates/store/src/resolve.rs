//! From blobs to records: follows a prompt to the rows that hold its beginning.

use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use scrimp_core::{Block, Record};

use crate::blob::{self, Torn};

/// How many blocks of prompts are kept for the rows that continue them, where nobody says less.
const MOST_BLOCKS: usize = 200_000;

/// Where blobs come from: the hot tail, or a row group of a segment.
pub(crate) trait Rows {
    /// The blob of a row; `None` if there is no such row.
    fn blob(&mut self, row: u64) -> Option<Bytes>;
}

/// Prompts already put together, for one pass over one source of rows.
#[derive(Debug)]
pub(crate) struct Prompts {
    known: FxHashMap<u64, Arc<[Block]>>,
    blocks: usize,
    most_blocks: usize,
}

impl Default for Prompts {
    fn default() -> Prompts {
        Prompts::of_at_most(MOST_BLOCKS)
    }
}

impl Prompts {
    /// Keeps at most so many blocks at a time.
    pub(crate) fn of_at_most(most_blocks: usize) -> Prompts {
        Prompts { known: FxHashMap::default(), blocks: 0, most_blocks }
    }

    /// The record in `row`.
    pub(crate) fn record(&mut self, row: u64, rows: &mut impl Rows) -> Result<Record, Torn> {
        let blob = rows.blob(row).ok_or(Torn::NoBase)?;
        let record = blob::read(&blob, |base| self.prompt(base.row, rows))?;
        if !self.known.contains_key(&row) && !record.call.prompt.is_empty() {
            self.keep(row, record.call.prompt.as_slice().into());
        }
        Ok(record)
    }

    fn prompt(&mut self, row: u64, rows: &mut impl Rows) -> Result<Arc<[Block]>, Torn> {
        // Down to a row that is known or whole, then up again. Bounded because a base is always
        // an earlier row.
        let mut chain = Vec::new();
        let (mut at, mut blocks) = (row, None);
        loop {
            if let Some(known) = self.known.get(&at) {
                blocks = Some(known.clone());
                break;
            }
            let blob = rows.blob(at).ok_or(Torn::NoBase)?;
            let prompt = blob::read_prompt(&blob)?;
            let base = prompt.base;
            chain.push((at, prompt));
            match base {
                None => break,
                Some(base) if base.row < at => at = base.row,
                Some(_) => return Err(Torn::NoBase),
            }
        }
        for (at, prompt) in chain.into_iter().rev() {
            let whole: Arc<[Block]> = prompt.resolve(blocks.as_deref())?.into();
            self.keep(at, whole.clone());
            blocks = Some(whole);
        }
        blocks.ok_or(Torn::NoBase)
    }

    fn keep(&mut self, row: u64, prompt: Arc<[Block]>) {
        self.blocks += prompt.len();
        if self.most_blocks < self.blocks {
            self.known.clear();
            self.blocks = prompt.len();
        }
        self.known.insert(row, prompt);
    }
}
