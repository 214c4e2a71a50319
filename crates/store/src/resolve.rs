//! From blobs to records: follows a prompt to the rows that hold its beginning.

use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use scrimp_core::{Block, Call, Record};

use crate::blob::{self, Torn};
use crate::schema;

/// How many prompts are kept at least for the rows that continue them, and at most twice as many:
/// more than there are conversations that a row can continue.
const MOST_PROMPTS: usize = 1_024;
/// How many blocks they have together.
const MOST_BLOCKS: usize = 64_000;

/// Where blobs come from: the hot tail, or a row group of a segment.
pub(crate) trait Rows {
    /// The blob of a row; `None` if there is no such row.
    fn blob(&mut self, row: u64) -> Result<Option<Bytes>, Torn>;
}

/// What an error of the database means for a row. On a broken page it is lost; otherwise it is still
/// there and nothing may be done as if it were not.
pub(crate) fn unread(error: &rusqlite::Error) -> Torn {
    match schema::is_corrupt(error) {
        true => Torn::Page,
        false => Torn::Unread(error.to_string()),
    }
}

/// Prompts already put together, for one pass over one source of rows.
///
/// Two generations: what is asked for moves to the newer one, and the older one goes as a whole when
/// the newer one is full. So what is still continued stays, at no cost per call.
#[derive(Debug, Default)]
pub(crate) struct Prompts {
    newer: FxHashMap<u64, Known>,
    older: FxHashMap<u64, Known>,
    /// Of the newer ones.
    blocks: usize,
}

/// A whole prompt, shared with its record where that was read.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    Call(Arc<Call>),
    Blocks(Arc<[Block]>),
}

impl Known {
    /// The prompt.
    pub(crate) fn blocks(&self) -> &[Block] {
        match self {
            Known::Call(call) => &call.prompt,
            Known::Blocks(blocks) => blocks,
        }
    }
}

impl Prompts {
    /// The record in `row`.
    pub(crate) fn record(&mut self, row: u64, rows: &mut impl Rows) -> Result<Record, Torn> {
        let blob = rows.blob(row)?.ok_or(Torn::Missing)?;
        let record = blob::read(&blob, |base| self.prompt(base.row, rows))?;
        if !record.call.prompt.is_empty() {
            self.keep(row, Known::Call(record.call.clone()));
        }
        Ok(record)
    }

    fn prompt(&mut self, row: u64, rows: &mut impl Rows) -> Result<Known, Torn> {
        // Down to a row that is known or whole, then up again. Bounded because a base is always
        // an earlier row.
        let mut chain = Vec::new();
        let (mut at, mut blocks) = (row, None);
        loop {
            if let Some(known) = self.find(at) {
                blocks = Some(known);
                break;
            }
            let blob = rows.blob(at)?.ok_or(Torn::NoBase)?;
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
            let whole = prompt.resolve(blocks.as_ref().map(Known::blocks))?;
            let whole = Known::Blocks(whole.into());
            self.keep(at, whole.clone());
            blocks = Some(whole);
        }
        blocks.ok_or(Torn::NoBase)
    }

    fn find(&mut self, row: u64) -> Option<Known> {
        if let Some(known) = self.newer.get(&row) {
            return Some(known.clone());
        }
        let known = self.older.remove(&row)?;
        self.keep(row, known.clone());
        Some(known)
    }

    fn keep(&mut self, row: u64, prompt: Known) {
        let blocks = prompt.blocks().len();
        if MOST_PROMPTS <= self.newer.len() || MOST_BLOCKS < self.blocks + blocks {
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
            self.blocks = 0;
        }
        if self.newer.insert(row, prompt).is_none() {
            self.blocks += blocks;
        }
    }
}
