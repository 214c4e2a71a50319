//! The hot tail: what was settled and is not sealed yet, in blocks of some hundred calls.
//!
//! A row of its own for each call costs more in the database than everything else together: an entry
//! in an index, a page touched at random, a row to delete. A block is written at once, found by its
//! place in the order of settling, and deleted at once. What lists ask of a call stands in front, in
//! a column of its own, so that they need not read the records.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use scrimp_core::{CallId, Record, Time};

use crate::blob::{Base, Torn, checksum};
use crate::commit::as_signed;
use crate::draft::Draft;
use crate::resolve::{Rows, unread};

/// A block is full with this many calls, or from this many bytes of records on: large enough that
/// a row costs nothing per call, small enough that one record is read quickly and that no buffer on
/// the way is given back to the system each time.
const MOST_CALLS: usize = 512;
const MOST_BYTES: usize = 48 << 10;
/// Id, arrival, where the record ends, label, success.
const FACT_BYTES: usize = 16 + 8 + 4 + 2 + 1;
/// How many blocks a pass over records keeps at hand: calls are stored as they end, and read as they
/// began.
const MOST_CACHED: usize = 8;

/// A block that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Block {
    first: u64,
    labels: Vec<(Box<str>, Box<str>)>,
    rows: Vec<u8>,
    bodies: Vec<u8>,
    /// Room for the facts, kept between blocks.
    facts: Vec<u8>,
}

/// What a list asks of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fact<'a> {
    pub(crate) seq: u64,
    pub(crate) id: CallId,
    pub(crate) arrived: Time,
    pub(crate) model: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) is_success: bool,
}

/// Records of the hot tail by sequence number.
pub(crate) struct HotRows<'a> {
    db: &'a Connection,
    at_hand: &'a mut AtHand,
}

/// The blocks that were read last, the latest in front.
#[derive(Debug, Default)]
pub(crate) struct AtHand(VecDeque<Read>);

#[derive(Debug)]
struct Read {
    first: u64,
    ends: Vec<u32>,
    bodies: Bytes,
}

impl Block {
    /// Adds a call. The first of a block says where it begins; the others follow it without a gap.
    pub(crate) fn push(&mut self, draft: &Draft<'_>, seq: u64, base: Option<Base>) {
        draft.write(base, &mut self.bodies);
        self.note(&draft.fact(seq));
    }

    /// Adds a call whose record is bytes already.
    pub(crate) fn push_bytes(&mut self, record: &Record, seq: u64, body: &[u8]) {
        self.bodies.extend_from_slice(body);
        let call = &record.call;
        self.note(&Fact {
            seq,
            id: call.id,
            arrived: call.arrived,
            model: &call.model,
            operation: &call.operation,
            is_success: record.is_success(),
        });
    }

    /// Whether the next call belongs to a block of its own.
    pub(crate) fn is_full(&self) -> bool {
        MOST_CALLS <= self.calls() || MOST_BYTES <= self.bodies.len()
    }

    /// Whether a call with this number can follow.
    pub(crate) fn is_before(&self, seq: u64) -> bool {
        self.rows.is_empty() || self.first + self.calls() as u64 == seq
    }

    /// Writes the block, if there is anything in it, and empties it.
    pub(crate) fn insert(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.put_facts();
        let mut insert = db.prepare_cached("INSERT INTO tail VALUES (?1, ?2, ?3, ?4)")?;
        insert.execute(params![
            as_signed(self.first),
            as_signed(self.calls() as u64),
            self.facts,
            self.bodies
        ])?;
        self.clear();
        Ok(())
    }

    /// Empties the block.
    pub(crate) fn clear(&mut self) {
        self.labels.clear();
        self.rows.clear();
        self.bodies.clear();
    }

    fn calls(&self) -> usize {
        self.rows.len() / FACT_BYTES
    }

    fn note(&mut self, fact: &Fact<'_>) {
        let Fact { seq, id, arrived, model, operation, is_success } = *fact;
        if self.rows.is_empty() {
            self.first = seq;
        }
        let label = self.label(model, operation);
        let end = u32::try_from(self.bodies.len()).expect("a block ends long before 4 GB");
        self.rows.extend_from_slice(&id.0.to_be_bytes());
        self.rows.extend_from_slice(&arrived.nanos().to_le_bytes());
        self.rows.extend_from_slice(&end.to_le_bytes());
        self.rows.extend_from_slice(&label.to_le_bytes());
        self.rows.push(u8::from(is_success));
    }

    fn label(&mut self, model: &str, operation: &str) -> u16 {
        let known = self.labels.iter().position(|(m, o)| **m == *model && **o == *operation);
        let at = known.unwrap_or_else(|| {
            self.labels.push((model.into(), operation.into()));
            self.labels.len() - 1
        });
        u16::try_from(at).expect("a block has fewer calls than that")
    }

    fn put_facts(&mut self) {
        let mut facts = std::mem::take(&mut self.facts);
        facts.clear();
        facts = postcard::to_extend(&self.labels, facts).expect("plain data");
        facts.extend_from_slice(&self.rows);
        let sum = checksum(&facts);
        facts.extend_from_slice(&sum.to_le_bytes());
        self.facts = facts;
    }
}

/// Shows every call of the blocks that begin in a range, in the order of settling. Returns where
/// blocks begin that cannot be read.
pub(crate) fn each_fact(
    db: &Connection,
    range: Range<u64>,
    mut see: impl FnMut(Fact<'_>),
) -> rusqlite::Result<Vec<u64>> {
    let sql = "SELECT first, facts FROM tail WHERE ?1 <= first AND first < ?2 ORDER BY first";
    let mut read = db.prepare_cached(sql)?;
    let mut rows = read.query([as_signed(range.start), as_signed(range.end)])?;
    let mut torn = Vec::new();
    while let Some(row) = rows.next()? {
        let first = row.get::<_, i64>(0)?.cast_unsigned();
        let facts = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        match parse(facts) {
            None => torn.push(first),
            Some((labels, facts)) => {
                let facts = facts.iter().zip(first..);
                facts.filter_map(|(fact, seq)| fact_of(fact, seq, &labels)).for_each(&mut see);
            }
        }
    }
    Ok(torn)
}

/// The number after the last one of any block; `None` if there is no block.
pub(crate) fn end(db: &Connection) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT first + calls FROM tail ORDER BY first DESC LIMIT 1";
    let end: Option<i64> = db.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(end.map(i64::cast_unsigned))
}

/// How many calls there are in blocks after a number.
pub(crate) fn count(db: &Connection, after: u64) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(sum(calls), 0) FROM tail WHERE ?1 < first";
    db.query_row(sql, [as_signed(after)], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// Deletes at most `most` blocks up to a number. Returns how many it deleted.
pub(crate) fn delete(db: &Connection, upto: u64, most: usize) -> rusqlite::Result<usize> {
    let mut delete = db.prepare_cached(
        "DELETE FROM tail WHERE first IN
             (SELECT first FROM tail WHERE first <= ?1 ORDER BY first LIMIT ?2)",
    )?;
    delete.execute([as_signed(upto), as_signed(most as u64)])
}

impl<'a> HotRows<'a> {
    pub(crate) fn new(db: &'a Connection, at_hand: &'a mut AtHand) -> HotRows<'a> {
        HotRows { db, at_hand }
    }
}

impl Rows for HotRows<'_> {
    fn blob(&mut self, row: u64) -> Result<Option<Bytes>, Torn> {
        if let Some(known) = self.at_hand.find(row) {
            return Ok(Some(known));
        }
        let block = read(self.db, row).map_err(|error| unread(&error))?;
        Ok(block.and_then(|block| {
            self.at_hand.keep(block);
            self.at_hand.find(row)
        }))
    }
}

impl AtHand {
    fn find(&mut self, seq: u64) -> Option<Bytes> {
        let at = self.0.iter().position(|block| block.holds(seq))?;
        if 0 < at {
            let block = self.0.remove(at).expect("just found there");
            self.0.push_front(block);
        }
        self.0.front()?.body(seq)
    }

    fn keep(&mut self, block: Read) {
        self.0.truncate(MOST_CACHED - 1);
        self.0.push_front(block);
    }
}

impl Read {
    fn holds(&self, seq: u64) -> bool {
        self.first <= seq && seq - self.first < self.ends.len() as u64
    }

    fn body(&self, seq: u64) -> Option<Bytes> {
        let at = usize::try_from(seq - self.first).ok()?;
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        let end = *self.ends.get(at)? as usize;
        (start <= end && end <= self.bodies.len()).then(|| self.bodies.slice(start..end))
    }
}

fn read(db: &Connection, seq: u64) -> rusqlite::Result<Option<Read>> {
    let sql = "SELECT first, facts, bodies FROM tail WHERE first <= ?1 ORDER BY first DESC LIMIT 1";
    let mut read = db.prepare_cached(sql)?;
    let mut rows = read.query([as_signed(seq)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let facts = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
    let Some((_, facts)) = parse(facts) else { return Ok(None) };
    Ok(Some(Read {
        first: row.get::<_, i64>(0)?.cast_unsigned(),
        ends: facts.iter().map(|fact| u32::from_le_bytes(field(fact, 24))).collect(),
        bodies: row.get::<_, Vec<u8>>(2)?.into(),
    }))
}

type Labels<'a> = Vec<(&'a str, &'a str)>;

fn parse(bytes: &[u8]) -> Option<(Labels<'_>, &[[u8; FACT_BYTES]])> {
    let (facts, sum) = bytes.split_last_chunk::<4>()?;
    if checksum(facts).to_le_bytes() != *sum {
        return None;
    }
    let (labels, rows) = postcard::take_from_bytes(facts).ok()?;
    let (rows, rest) = rows.as_chunks::<FACT_BYTES>();
    rest.is_empty().then_some((labels, rows))
}

fn fact_of<'a>(fact: &[u8; FACT_BYTES], seq: u64, labels: &Labels<'a>) -> Option<Fact<'a>> {
    let (model, operation) = *labels.get(usize::from(u16::from_le_bytes(field(fact, 28))))?;
    Some(Fact {
        seq,
        id: CallId(u128::from_be_bytes(field(fact, 0))),
        arrived: Time::from_nanos(i64::from_le_bytes(field(fact, 16))),
        model,
        operation,
        is_success: fact[30] == 1,
    })
}

fn field<const N: usize>(fact: &[u8; FACT_BYTES], at: usize) -> [u8; N] {
    fact[at..at + N].try_into().expect("inside a fact")
}
