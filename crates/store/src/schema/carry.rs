//! Steps between schemas that move what SQL alone cannot read.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use scrimp_core::Record;

use crate::blob::Torn;
use crate::commit::{as_signed, ending, status};
use crate::resolve::{Prompts, Rows, unread};
use crate::store::sealed_seq;
use crate::tail::{self, AtHand, Block, HotRows};

/// From a row for each call to blocks of calls. Records that cannot be read are left out, and so are
/// rows that are in a segment already: a killed program had no time to delete them, and a block goes
/// as a whole.
pub(super) fn calls_to_blocks(db: &Connection) -> rusqlite::Result<()> {
    let mut block = Block::default();
    let mut prompts = Prompts::default();
    {
        let mut read = db.prepare("SELECT seq, body FROM detail WHERE ?1 < seq ORDER BY seq")?;
        let mut rows = read.query([as_signed(sealed_seq(db)?)])?;
        while let Some(row) = rows.next()? {
            let seq = row.get::<_, i64>(0)?.cast_unsigned();
            let body: Vec<u8> = row.get(1)?;
            let read = prompts.record(seq, &mut Details(db));
            let Some(record) = unless_broken(read)? else { continue };
            if block.is_full() || !block.is_before(seq) {
                block.insert(db)?;
            }
            block.push_bytes(&record, seq, &body);
        }
    }
    block.insert(db)?;
    db.execute_batch("DROP TABLE call; DROP TABLE detail;")
}

/// And back.
pub(super) fn blocks_to_calls(db: &Connection) -> rusqlite::Result<()> {
    let mut seqs = Vec::new();
    tail::each_fact(db, 0..u64::MAX, |fact| seqs.push(fact.seq))?;
    let (mut prompts, mut at_hand) = (Prompts::default(), AtHand::default());
    for seq in seqs {
        let mut rows = HotRows::new(db, &mut at_hand);
        let Some(body) = unless_broken(rows.blob(seq))?.flatten() else { continue };
        let Some(record) = unless_broken(prompts.record(seq, &mut rows))? else { continue };
        if insert_call(db, &record, seq)? == 1 {
            let mut detail = db.prepare_cached("INSERT INTO detail VALUES (?1, ?2)")?;
            detail.execute(params![as_signed(seq), &body[..]])?;
        }
    }
    db.flush_prepared_statement_cache();
    db.execute_batch("DROP TABLE tail;")
}

/// A broken record is left out. One that could not be read now ends the step, which leaves the store
/// as it was.
fn unless_broken<T>(read: Result<T, Torn>) -> rusqlite::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Torn::Unread(why)) => {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
            Err(rusqlite::Error::SqliteFailure(code, Some(why)))
        }
        Err(_) => Ok(None),
    }
}

fn insert_call(db: &Connection, record: &Record, seq: u64) -> rusqlite::Result<usize> {
    let call = &record.call;
    let mut insert = db
        .prepare_cached("INSERT OR IGNORE INTO call VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    insert.execute(params![
        call.id.0.to_be_bytes(),
        as_signed(seq),
        call.arrived.nanos(),
        &*call.operation,
        &*call.provider,
        &*call.model,
        status(record),
        ending(&record.ending),
        record.is_success(),
    ])
}

/// The rows of the older schema.
struct Details<'a>(&'a Connection);

impl Rows for Details<'_> {
    fn blob(&mut self, row: u64) -> Result<Option<Bytes>, Torn> {
        let body = || -> rusqlite::Result<Option<Vec<u8>>> {
            let mut read = self.0.prepare_cached("SELECT body FROM detail WHERE seq = ?1")?;
            read.query_row([as_signed(row)], |row| row.get(0)).optional()
        };
        Ok(body().map_err(|error| unread(&error))?.map(Bytes::from))
    }
}
