//! A record as bytes: nothing is lost, and a long conversation is stored once.
//!
//! Turn *n* of a conversation repeats the blocks of turn *n − 1*. A blob therefore names an earlier
//! row and how many of its blocks it begins with, and holds only the blocks after these. Cache marks
//! move from turn to turn and stand apart, so that they do not break the shared beginning.
//!
//! The layout is positional (postcard), so any change to the shape of [`Record`] or what it holds
//! needs a new version and a reader for the old one. Two things remind of that: records and calls
//! are taken apart here without `..`, and a test compares the bytes of a full record.

use std::hash::Hasher;
use std::sync::Arc;

use postcard::take_from_bytes;
use rustc_hash::FxHasher;
use scrimp_core::call::{Content, Features};
use scrimp_core::policy::prompt_cache::Placement;
use scrimp_core::record::{RECORD_VERSION, Timing};
use scrimp_core::{
    Attempt, Block, Call, CallId, Caller, Delivery, Dialect, Digest, Ending, Metering, Parameters,
    Record, Role, Time, Ttl, Usd, hash,
};
use serde::Deserialize;

use crate::draft::{Drafts, put_base};
use crate::resolve::Known;
use crate::view::Skipped;

/// Where a prompt's beginning is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// The row: a sequence number in the hot tail, an index within its row group in a segment.
    pub(crate) row: u64,
    /// How many of that row's blocks the prompt begins with.
    pub(crate) shared: usize,
}

/// Why there is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Torn {
    #[error("a record's checksum does not match")]
    Checksum,
    #[error("a record of version {0} is newer than this program")]
    Version(u16),
    #[error("a record breaks off or has the wrong shape")]
    Shape,
    #[error("the beginning of a prompt is not stored where it should be")]
    NoBase,
    #[error("a record is not where it should be")]
    Missing,
    #[error("a record is on a broken page of the database")]
    Page,
    /// It is there, as far as is known, and may be read the next time.
    #[error("a record could not be read: {0}")]
    Unread(String),
}

/// A block without its mark, in the order of the fields on disk.
type BlockIn = (Role, Content, Digest, Box<[u64]>, u32, u32, Option<Box<Features>>, bool);
type Marks = Vec<(u32, Ttl)>;
type CallIn =
    (CallId, u64, Time, Dialect, Arc<str>, Arc<str>, Arc<str>, Caller, Delivery, Parameters, u64);
type RestIn = (Option<Placement>, Vec<Attempt>, Ending, Metering, Option<Usd>, Option<Usd>, Timing);

/// The part of a blob that says what its prompt is.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) base: Option<Base>,
    /// The blocks after the shared ones, without marks.
    added: Vec<Block>,
    marks: Marks,
}

/// Appends `record` to `out`. The first `base.shared` blocks of its prompt are not written.
pub(crate) fn write(record: &Record, base: Option<Base>, mut out: Vec<u8>) -> Vec<u8> {
    let drafts = Drafts::of(record);
    drafts.iter().for_each(|draft| draft.write(base, &mut out));
    out
}

/// Takes a blob apart without verifying it: what it begins with, and all that follows.
pub(crate) fn split(blob: &[u8]) -> Result<(Option<Base>, &[u8]), Torn> {
    let (mut rest, _) = blob.split_last_chunk::<4>().ok_or(Torn::Shape)?;
    match base_of(&mut rest) {
        Ok(base) => Ok((base, rest)),
        // What looks newer may be broken.
        Err(torn) => Err(verified(blob).err().unwrap_or(torn)),
    }
}

/// Verifies a blob and appends it to `out` with another base but the same rest. After an error `out`
/// is as before.
pub(crate) fn rebase(blob: &[u8], base: Option<Base>, out: &mut Vec<u8>) -> Result<(), Torn> {
    let (body, sum) = blob.split_last_chunk::<4>().ok_or(Torn::Shape)?;
    let mut rest = body;
    base_of(&mut rest)?;
    let start = out.len();
    put_base(base, out);
    out.extend_from_slice(rest);
    let [found, moved] = checksums(body, &out[start..]);
    if found.to_le_bytes() != *sum {
        out.truncate(start);
        return Err(Torn::Checksum);
    }
    out.extend_from_slice(&moved.to_le_bytes());
    Ok(())
}

/// Reads the part of a blob that says what its prompt is. Verifies the whole blob.
pub(crate) fn read_prompt(blob: &[u8]) -> Result<Prompt, Torn> {
    let mut rest = verified(blob)?;
    prompt_of(&mut rest)
}

/// Reads a record without its prompt, which stays empty: what other rows hold of it is not asked for.
pub(crate) fn read_without_prompt(blob: &[u8]) -> Result<Record, Torn> {
    let mut rest = verified(blob)?;
    base_of(&mut rest)?;
    let _: (Skipped<BlockIn>, Skipped<(u32, Ttl)>) = take(&mut rest)?;
    record_of(&mut rest, Vec::new())
}

/// Reads a record. `base` gives the whole prompt of the row that this one's begins with.
pub(crate) fn read(
    blob: &[u8],
    base: impl FnOnce(Base) -> Result<Known, Torn>,
) -> Result<Record, Torn> {
    let mut rest = verified(blob)?;
    let prompt = prompt_of(&mut rest)?;
    let known = prompt.base.map(base).transpose()?;
    let blocks = prompt.resolve(known.as_ref().map(Known::blocks))?;
    record_of(&mut rest, blocks)
}

impl Prompt {
    /// The whole prompt, given the blocks of the row that it begins with.
    pub(crate) fn resolve(self, base: Option<&[Block]>) -> Result<Vec<Block>, Torn> {
        let shared = self.base.map_or(0, |base| base.shared);
        let known = base.unwrap_or_default().get(..shared).ok_or(Torn::NoBase)?;
        let mut blocks = Vec::with_capacity(shared + self.added.len());
        blocks.extend(known.iter().map(|block| Block { mark: None, ..block.clone() }));
        blocks.extend(self.added);
        for (at, ttl) in self.marks {
            blocks.get_mut(at as usize).ok_or(Torn::Shape)?.mark = Some(ttl);
        }
        Ok(blocks)
    }
}

/// A hash over everything of a block but its mark: equal hashes mean equal bytes on disk. Most of it
/// are keyed digests, so that a quick hash tells them apart. It is in memory only.
pub(crate) fn block_hash(block: &Block) -> u64 {
    let Block { role, content, digest, chunks, characters, tokens, features, mark: _, markable } =
        block;
    let mut hasher = FxHasher::default();
    let mut add = |word| hasher.write_u64(word);
    add((*role as u64) << 16 | (*content as u64) << 8 | u64::from(*markable));
    add(digest.word());
    add((u128::from_le_bytes(digest.0) >> 64) as u64);
    add(u64::from(*characters) << 32 | u64::from(*tokens));
    chunks.iter().for_each(|chunk| add(*chunk));
    if let Some(features) = features {
        let Features { numbers, names, negations, order, bag } = &**features;
        add(numbers.len() as u64);
        numbers.iter().chain(names).for_each(|word| add(*word));
        add(u64::from(*negations));
        add(*order);
        add(*bag);
    }
    hasher.finish()
}

fn block_in(block: BlockIn) -> Block {
    let (role, content, digest, chunks, characters, tokens, features, markable) = block;
    Block { role, content, digest, chunks, characters, tokens, features, mark: None, markable }
}

fn prompt_of(rest: &mut &[u8]) -> Result<Prompt, Torn> {
    let base = base_of(rest)?;
    let (added, marks): (Vec<BlockIn>, Marks) = take(rest)?;
    Ok(Prompt { base, added: added.into_iter().map(block_in).collect(), marks })
}

fn base_of(rest: &mut &[u8]) -> Result<Option<Base>, Torn> {
    let version: u16 = take(rest)?;
    if version != RECORD_VERSION {
        return Err(Torn::Version(version));
    }
    match take(rest)? {
        None => Ok(None),
        Some((row, shared)) => {
            let shared: u64 = shared;
            Ok(Some(Base { row, shared: usize::try_from(shared).map_err(|_| Torn::Shape)? }))
        }
    }
}

fn record_of(rest: &mut &[u8], prompt: Vec<Block>) -> Result<Record, Torn> {
    let call: CallIn = take(rest)?;
    let (id, seed, arrived, dialect, provider, model, operation, caller, delivery, parameters, _) =
        call;
    let body_bytes = call.10;
    let call = Arc::new(Call {
        id,
        seed,
        arrived,
        dialect,
        provider,
        model,
        operation,
        caller,
        delivery,
        parameters,
        prompt,
        body_bytes,
    });
    let (placement, attempts, ending, metering, cost, cost_uncached, timing): RestIn = take(rest)?;
    Ok(Record { call, placement, attempts, ending, metering, cost, cost_uncached, timing })
}

/// Reads the next value.
pub(crate) fn take<'a, T: Deserialize<'a>>(rest: &mut &'a [u8]) -> Result<T, Torn> {
    let (value, left) = take_from_bytes(rest).map_err(|_| Torn::Shape)?;
    *rest = left;
    Ok(value)
}

fn verified(blob: &[u8]) -> Result<&[u8], Torn> {
    let (body, sum) = blob.split_last_chunk::<4>().ok_or(Torn::Shape)?;
    match checksum(body).to_le_bytes() == *sum {
        true => Ok(body),
        false => Err(Torn::Checksum),
    }
}

/// Finds flipped bits and torn ends. No defence against anybody.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    let (words, tail) = bytes.as_chunks();
    end_of_sum(bytes.len() as u64, words, tail)
}

/// The checksums of both, in little more than the time of one: each step of a sum waits for the one
/// before it, which leaves a processor room for another sum.
fn checksums(one: &[u8], other: &[u8]) -> [u32; 2] {
    let ((words, tail), (others, other_tail)) = (one.as_chunks(), other.as_chunks());
    let both = words.len().min(others.len());
    let start = (one.len() as u64, other.len() as u64);
    let (state, other) = words.iter().zip(others).fold(start, |(state, other), (word, its)| {
        (add_to_sum(state, *word), add_to_sum(other, *its))
    });
    [end_of_sum(state, &words[both..], tail), end_of_sum(other, &others[both..], other_tail)]
}

fn end_of_sum(state: u64, words: &[[u8; 8]], tail: &[u8]) -> u32 {
    let state = words.iter().fold(state, |state, word| add_to_sum(state, *word));
    let state = tail.iter().fold(state, |state, byte| hash::chain(state, u64::from(*byte)));
    (state >> 32) as u32
}

fn add_to_sum(state: u64, word: [u8; 8]) -> u64 {
    hash::chain(state, u64::from_le_bytes(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::any_record::any_record;
    use crate::chains::Chains;
    use crate::fixture::{NOON, turn_of};
    use crate::resolve::{Prompts, Rows};
    use bytes::Bytes;
    use proptest::prelude::*;

    struct All(Vec<Vec<u8>>);

    impl Rows for All {
        fn blob(&mut self, row: u64) -> Result<Option<Bytes>, Torn> {
            let blob = self.0.get(usize::try_from(row).unwrap());
            Ok(blob.map(|blob| Bytes::copy_from_slice(blob)))
        }
    }

    fn chained(record: &Record, row: u64, chains: &mut Chains) -> Vec<u8> {
        let base = Drafts::of(record).iter().find_map(|draft| chains.base(&draft, row));
        write(record, base, Vec::new())
    }

    proptest! {
        #[test]
        fn every_record_comes_back_identical(seed: u64) {
            let record = any_record(seed);
            let blob = write(&record, None, Vec::new());
            prop_assert_eq!(&read(&blob, |_| Err(Torn::NoBase)).unwrap(), &record);
            let call = Call { prompt: Vec::new(), ..Call::clone(&record.call) };
            let bare = Record { call: Arc::new(call), ..record };
            prop_assert_eq!(read_without_prompt(&blob).unwrap(), bare);
        }

        #[test]
        fn any_flipped_bit_and_any_torn_end_is_noticed(seed: u64, at: prop::sample::Index, bit in 0_u8..8) {
            let blob = write(&any_record(seed), None, Vec::new());
            let mut flipped = blob.clone();
            flipped[at.index(blob.len())] ^= 1 << bit;
            prop_assert!(read(&flipped, |_| Err(Torn::NoBase)).is_err());
            prop_assert!(read(&blob[..at.index(blob.len())], |_| Err(Torn::NoBase)).is_err());
        }

        #[test]
        fn a_record_moves_to_another_base_only_if_it_is_whole(
            seed: u64, row: u64, shared: usize, at: prop::sample::Index, bit in 0_u8..8
        ) {
            let blob = write(&any_record(seed), None, Vec::new());
            let base = Base { row, shared };
            let mut moved = vec![7];
            rebase(&blob, Some(base), &mut moved).unwrap();
            prop_assert!(verified(&moved[1..]).is_ok());
            prop_assert_eq!(split(&moved[1..]).unwrap(), (Some(base), split(&blob).unwrap().1));
            let mut flipped = blob.clone();
            flipped[at.index(blob.len())] ^= 1 << bit;
            prop_assert!(rebase(&flipped, Some(base), &mut moved).is_err());
            let mut back = Vec::new();
            rebase(&moved[1..], None, &mut back).unwrap();
            prop_assert_eq!(back, blob);
        }

        #[test]
        fn records_that_continue_others_come_back_in_any_order(
            picks in prop::collection::vec((0_u64..5, 0_u64..40), 1..80), from: prop::sample::Index
        ) {
            let records: Vec<Record> = picks.iter().map(|(session, turn)| {
                turn_of(0, *session, *turn, NOON)
            }).collect();
            let mut chains = Chains::default();
            let blobs = records.iter().zip(0..).map(|(record, row)| {
                chained(record, row, &mut chains)
            });
            let mut rows = All(blobs.collect());
            let mut prompts = Prompts::default();
            for at in 0..records.len() {
                let at = (at + from.index(records.len())) % records.len();
                prop_assert_eq!(&prompts.record(at as u64, &mut rows).unwrap(), &records[at]);
            }
        }
    }

    #[test]
    fn a_row_that_is_missing_and_a_beginning_that_is_missing_are_told_apart() {
        let record = turn_of(1, 1, 5, NOON);
        let blob = write(&record, Some(Base { row: 7, shared: 2 }), Vec::new());
        let mut rows = All(vec![blob]);
        assert_eq!(Prompts::default().record(0, &mut rows), Err(Torn::NoBase));
        assert_eq!(Prompts::default().record(7, &mut rows), Err(Torn::Missing));
    }

    #[test]
    fn a_long_conversation_is_stored_once() {
        let records: Vec<Record> = (0..200).map(|n| turn_of(n, 1, n, NOON)).collect();
        let whole: usize = records.iter().map(|record| write(record, None, Vec::new()).len()).sum();
        let mut chains = Chains::default();
        let mut stored = 0;
        for (record, row) in records.iter().zip(0..) {
            stored += chained(record, row, &mut chains).len();
        }
        expect_test::expect![[r#"
            whole 1044 kB, stored 99 kB
        "#]]
        .assert_eq(&format!("whole {} kB, stored {} kB\n", whole / 1000, stored / 1000));
    }

    #[test]
    fn the_bytes_of_a_record_do_not_change_unnoticed() {
        // When this fails the shape of a record has changed: raise RECORD_VERSION and keep reading
        // the version before.
        let sums: Vec<u32> =
            (0..4).map(|seed| checksum(&write(&any_record(seed), None, Vec::new()))).collect();
        assert_eq!(RECORD_VERSION, 1);
        expect_test::expect!["[2540294d, 462ae7a8, cebeb7fe, 69a6c32c]"]
            .assert_eq(&format!("{sums:x?}"));
    }
}
