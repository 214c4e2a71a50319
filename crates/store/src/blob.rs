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
use scrimp_core::call::{Content, Features, Outline, Varying};
use scrimp_core::policy::Arm;
use scrimp_core::policy::prompt_cache::{Edit, Placement, StoodDown};
use scrimp_core::policy::shaping::Shaped;
use scrimp_core::policy::token_budget::Budgeted;
use scrimp_core::record::{RECORD_VERSION, Timing};
use scrimp_core::{
    Attempt, Block, Call, CallId, Caller, Delivery, Dialect, Digest, Ending, Metering, Parameters,
    Record, Role, State, Time, Ttl, Usd, hash,
};
use serde::Deserialize;

use crate::draft::{Drafts, put_start};
use crate::resolve::Known;
use crate::view::Skipped;

/// The first version of a record's shape. Its blocks have no outline, its placements no reasons, and
/// its parameters do not say which of them are rendered into the prompt.
pub(crate) const FIRST: u16 = 1;

/// What a blob begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) version: u16,
    pub(crate) base: Option<Base>,
}

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
type BlockIn = (BlockInFirst, Option<Arc<Outline>>);
/// As the first version had it.
type BlockInFirst = (Role, Content, Digest, Box<[u64]>, u32, u32, Option<Box<Features>>, bool);
type Marks = Vec<(u32, Ttl)>;
/// A call up to its parameters.
type CallIn = (CallId, u64, Time, Dialect, Arc<str>, Arc<str>, Arc<str>, Caller, Delivery);
/// Parameters as the first version had them.
type ParametersInFirst = (Option<u64>, Option<u32>, u32, bool, bool, Digest);
/// A placement as the first version had it.
pub(crate) type PlacementInFirst = (u64, State, Arm, u64, Vec<Edit>, Option<StoodDown>);
type RestIn = (Vec<Attempt>, Ending, Metering, Option<Usd>, Option<Usd>, Timing);
/// What stands behind all that; the first version had none of it.
type ChangesIn = (Option<Box<Shaped>>, Option<Box<Budgeted>>);

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
pub(crate) fn split(blob: &[u8]) -> Result<(Start, &[u8]), Torn> {
    let (mut rest, _) = blob.split_last_chunk::<4>().ok_or(Torn::Shape)?;
    match start_of(&mut rest) {
        Ok(start) => Ok((start, rest)),
        // What looks newer may be broken.
        Err(torn) => Err(verified(blob).err().unwrap_or(torn)),
    }
}

/// Verifies a blob and appends it to `out` with another base but the same rest. After an error `out`
/// is as before.
pub(crate) fn rebase(blob: &[u8], base: Option<Base>, out: &mut Vec<u8>) -> Result<(), Torn> {
    let (body, sum) = blob.split_last_chunk::<4>().ok_or(Torn::Shape)?;
    let mut rest = body;
    let Start { version, .. } = start_of(&mut rest)?;
    let start = out.len();
    put_start(Start { version, base }, out);
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
    let Start { version, base } = start_of(&mut rest)?;
    prompt_of(version, base, &mut rest)
}

/// Reads a record without its prompt, which stays empty: what other rows hold of it is not asked for.
pub(crate) fn read_without_prompt(blob: &[u8]) -> Result<Record, Torn> {
    let mut rest = verified(blob)?;
    let Start { version, .. } = start_of(&mut rest)?;
    match version {
        FIRST => _ = take::<Skipped<BlockInFirst>>(&mut rest)?,
        _ => _ = take::<Skipped<BlockIn>>(&mut rest)?,
    }
    let _: Skipped<(u32, Ttl)> = take(&mut rest)?;
    record_of(version, &mut rest, Vec::new())
}

/// Reads a record. `base` gives the whole prompt of the row that this one's begins with.
pub(crate) fn read(
    blob: &[u8],
    base: impl FnOnce(Base) -> Result<Known, Torn>,
) -> Result<Record, Torn> {
    let mut rest = verified(blob)?;
    let Start { version, base: own } = start_of(&mut rest)?;
    let prompt = prompt_of(version, own, &mut rest)?;
    let known = prompt.base.map(base).transpose()?;
    let blocks = prompt.resolve(known.as_ref().map(Known::blocks))?;
    record_of(version, &mut rest, blocks)
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
    let Block {
        role,
        content,
        digest,
        chunks,
        characters,
        tokens,
        features,
        outline,
        mark: _,
        markable,
    } = block;
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
    if let Some(outline) = outline {
        let Outline { bag, spans, tools } = &**outline;
        add(*bag);
        add(spans.len() as u64);
        for Varying { look, hash, start, length } in spans {
            add(u64::from(*hash) << 32 | u64::from(*start));
            add(u64::from(*length) << 8 | *look as u64);
        }
        for tool in tools {
            add(*tool);
        }
    }
    hasher.finish()
}

fn block_in((block, outline): BlockIn) -> Block {
    let (role, content, digest, chunks, characters, tokens, features, markable) = block;
    let mark = None;
    Block { role, content, digest, chunks, characters, tokens, features, outline, mark, markable }
}

fn prompt_of(version: u16, base: Option<Base>, rest: &mut &[u8]) -> Result<Prompt, Torn> {
    let added: Vec<Block> = match version {
        FIRST => {
            let added: Vec<BlockInFirst> = take(rest)?;
            added.into_iter().map(|block| block_in((block, None))).collect()
        }
        _ => take::<Vec<BlockIn>>(rest)?.into_iter().map(block_in).collect(),
    };
    Ok(Prompt { base, added, marks: take(rest)? })
}

fn start_of(rest: &mut &[u8]) -> Result<Start, Torn> {
    let version: u16 = take(rest)?;
    if !(FIRST..=RECORD_VERSION).contains(&version) {
        return Err(Torn::Version(version));
    }
    let base: Option<(u64, u64)> = take(rest)?;
    let base = match base {
        None => None,
        Some((row, shared)) => {
            Some(Base { row, shared: usize::try_from(shared).map_err(|_| Torn::Shape)? })
        }
    };
    Ok(Start { version, base })
}

fn parameters_of(version: u16, rest: &mut &[u8]) -> Result<Parameters, Torn> {
    if version != FIRST {
        return take(rest);
    }
    let parameters: ParametersInFirst = take(rest)?;
    let (
        max_output_tokens,
        temperature_permille,
        answers,
        usage_in_stream,
        client_cache_options,
        digest,
    ) = parameters;
    Ok(Parameters {
        max_output_tokens,
        temperature_permille,
        answers,
        usage_in_stream,
        client_cache_options,
        digest,
        rendered: None,
    })
}

pub(crate) fn placement_in_first(placement: PlacementInFirst) -> Placement {
    let (experiment, state, arm, unit, edits, stood_down) = placement;
    Placement { experiment, state, arm, unit, edits, stood_down, reasons: Vec::new() }
}

fn record_of(version: u16, rest: &mut &[u8], prompt: Vec<Block>) -> Result<Record, Torn> {
    let call: CallIn = take(rest)?;
    let (id, seed, arrived, dialect, provider, model, operation, caller, delivery) = call;
    let parameters = parameters_of(version, rest)?;
    let body_bytes = take(rest)?;
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
    let placement = match version {
        FIRST => take::<Option<PlacementInFirst>>(rest)?.map(placement_in_first),
        _ => take(rest)?,
    };
    let (attempts, ending, metering, cost, cost_uncached, timing): RestIn = take(rest)?;
    let (shaped, budgeted): ChangesIn = match version {
        FIRST => (None, None),
        _ => take(rest)?,
    };
    Ok(Record {
        call,
        placement,
        shaped,
        budgeted,
        attempts,
        ending,
        metering,
        cost,
        cost_uncached,
        timing,
    })
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
    use crate::resolve::{Known, Prompts, Rows};
    use crate::view::View;
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
            let start = Start { version: RECORD_VERSION, base: Some(base) };
            prop_assert_eq!(split(&moved[1..]).unwrap(), (start, split(&blob).unwrap().1));
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
            whole 1085 kB, stored 101 kB
        "#]]
        .assert_eq(&format!("whole {} kB, stored {} kB\n", whole / 1000, stored / 1000));
    }

    /// Records of the first version, as it wrote them, and as it showed them.
    fn first() -> impl Iterator<Item = (&'static [u8], Record)> {
        let mut blobs: &[u8] = include_bytes!("../tests/records/version-1.bin");
        let texts = include_str!("../tests/records/version-1.jsonl");
        texts.lines().map(move |text| {
            let (length, rest) = blobs.split_first_chunk().unwrap();
            let (blob, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
            blobs = rest;
            (blob, serde_json::from_str(text).unwrap())
        })
    }

    #[test]
    fn records_of_the_first_version_are_read_moved_and_shown() {
        assert_eq!(first().count(), 24);
        for (blob, record) in first() {
            assert_eq!(read(blob, |_| Err(Torn::NoBase)).as_ref(), Ok(&record));
            let prompt = read_prompt(blob).unwrap().resolve(None);
            assert_eq!(prompt.as_ref(), Ok(&record.call.prompt));
            let call = Call { prompt: Vec::new(), ..Call::clone(&record.call) };
            let bare = Record { call: Arc::new(call), ..record.clone() };
            assert_eq!(read_without_prompt(blob), Ok(bare));
            let moved_to = Some(Base { row: 3, shared: 0 });
            let mut moved = Vec::new();
            rebase(blob, moved_to, &mut moved).unwrap();
            assert_eq!(
                split(&moved).unwrap(),
                (Start { version: FIRST, base: moved_to }, split(blob).unwrap().1)
            );
            assert_eq!(read(&moved, |_| Ok(Known::Blocks(Arc::default()))).as_ref(), Ok(&record));
            let (Start { version, .. }, rest) = split(blob).unwrap();
            let view = View::read(version, rest).unwrap();
            let tokens = |prompt: &[Block]| prompt.iter().map(|b| b.tokens).collect::<Vec<_>>();
            let seen: Vec<u32> = view.added.iter().map(|block| block.tokens).collect();
            assert_eq!((view.call.id, seen), (record.call.id, tokens(&record.call.prompt)));
            assert_eq!(view.timing, record.timing);
        }
    }

    #[test]
    fn the_bytes_of_a_record_do_not_change_unnoticed() {
        // When this fails the shape of a record has changed: raise RECORD_VERSION and keep reading
        // the version before.
        let sums: Vec<u32> =
            (0..4).map(|seed| checksum(&write(&any_record(seed), None, Vec::new()))).collect();
        assert_eq!(RECORD_VERSION, 2);
        expect_test::expect!["[824d13b0, ee6267f1, 4a184ba5, 89159c24]"]
            .assert_eq(&format!("{sums:x?}"));
    }
}
