//! The table `spend`: written with the ledger, read beside it.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustc_hash::FxHashMap;
use scrimp_core::{Span, Time};

use super::{Account, Dimension, Spend};
use crate::rollup::Width;

/// Rows that are remembered between transactions.
const MOST_CACHED: usize = 16_384;
/// Of a day that is over, so many sessions are kept: the dearest.
const SESSIONS_KEPT: usize = 1_000;
/// How long a day's sessions are all kept.
const WHOLE_FOR: Span = Span::from_hours(24);
/// What stands for everything beyond the limit of a day: no value that is counted is empty.
const OTHER: &str = "";
const SESSION: &str = "session";
/// What the dimension of a tag begins with.
const TAG: &str = "tag/";
/// More names of tags than that are not listed.
const MOST_LISTED: usize = 256;

/// The writer's memory of the table.
#[derive(Debug, Default)]
pub(crate) struct SpendRows {
    cached: FxHashMap<(Time, Account), Spend>,
    /// The newest day that was written. When there is a newer one, older ones are made short.
    newest: Option<Time>,
}

/// What a stretch of days spent by one dimension. Everything in it is of the same moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    sums: Vec<Sum>,
    /// The values of all sums, one after another: there are a hundred thousand.
    values: String,
    /// Days of which a sum cannot be read.
    torn: Vec<Time>,
    /// The names of all tags that any call of these days had, in order.
    pub tags: Vec<Arc<str>>,
    /// From this day on calls were counted by session and tag; `None`: always.
    pub since: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sum {
    day: Time,
    /// Where its value ends among the others.
    until: usize,
    spend: Spend,
}

/// The calls of one day that have one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocated<'a> {
    /// Midnight UTC at which the day begins.
    pub day: Time,
    /// The session's digest or the tag's value. `None`: values beyond the limit of a day, and of a
    /// day that is over the sessions that are not among the dearest.
    pub value: Option<&'a str>,
    /// Their sums.
    pub spend: &'a Spend,
}

impl Allocation {
    /// Whether what a day has beside its sums has no value, rather than one that is not known.
    pub fn is_whole(&self, day: Time) -> bool {
        self.since.is_none_or(|since| since <= day) && !self.torn.contains(&day)
    }

    /// The sums, in the order of their days.
    pub fn rows(&self) -> impl Iterator<Item = Allocated<'_>> {
        self.sums.iter().scan(0, |from, Sum { day, until, spend }| {
            let value = &self.values[*from..*until];
            *from = *until;
            Some(Allocated { day: *day, value: (value != OTHER).then_some(value), spend })
        })
    }
}

impl SpendRows {
    /// Adds sums to the rows.
    pub(crate) fn add(
        &mut self,
        step: &Transaction<'_>,
        sums: &FxHashMap<(Time, Account), Spend>,
    ) -> rusqlite::Result<()> {
        let Some(newest) = sums.keys().map(|(day, _)| *day).max() else { return Ok(()) };
        if self.newest < Some(newest) {
            self.shorten(step, newest - WHOLE_FOR)?;
            self.newest = Some(newest);
        }
        for (key, added) in sums {
            let (day, account) = key;
            let whole = match self.cached.entry(key.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    new.insert(read_row(step, *day, account)?.unwrap_or_default())
                }
            };
            whole.merge(added);
            write_row(step, *day, account, whole)?;
        }
        Ok(())
    }

    /// Forgets rows when there are too many.
    pub(crate) fn bound(&mut self) {
        if MOST_CACHED < self.cached.len() {
            self.cached.clear();
        }
    }

    /// Of days before `limit` only the dearest sessions stay; the others are summed. Here and not
    /// with what the keeper drops: this memory must not bring them back.
    fn shorten(&mut self, step: &Transaction<'_>, limit: Time) -> rusqlite::Result<()> {
        let mut long = step.prepare_cached(
            "SELECT day FROM spend WHERE dimension = ?1 AND day < ?2
             GROUP BY day HAVING ?3 < count(*)",
        )?;
        // One more: the row of the others.
        let most = i64::try_from(SESSIONS_KEPT + 1).expect("a small number");
        let days = long.query_map(params![SESSION, limit.secs(), most], |row| row.get(0))?;
        for day in days.collect::<Result<Vec<i64>, _>>()? {
            shorten_day(step, Time::from_secs(day))?;
        }
        self.cached.retain(|(day, _), _| limit <= *day);
        Ok(())
    }
}

fn shorten_day(step: &Transaction<'_>, day: Time) -> rusqlite::Result<()> {
    let all = read_rows(step, &Dimension::Session, day, day + Width::Day.span())?;
    let mut rows: Vec<Allocated<'_>> = all.rows().filter(|row| row.value.is_some()).collect();
    rows.sort_by_key(|row| Reverse((row.spend.cost, row.spend.calls)));
    let other = Account::Session(None);
    let mut rest = read_row(step, day, &other)?.unwrap_or_default();
    let sql = "DELETE FROM spend WHERE dimension = ?1 AND day = ?2 AND value = ?3";
    let mut delete = step.prepare_cached(sql)?;
    for row in rows.iter().skip(SESSIONS_KEPT) {
        rest.merge(row.spend);
        delete.execute(params![SESSION, day.secs(), row.value])?;
    }
    write_row(step, day, &other, &rest)
}

/// The texts under which an account stands in the table.
fn place(account: &Account) -> (String, String) {
    match account {
        Account::Session(session) => {
            let value = session.map_or_else(|| OTHER.to_owned(), |session| session.to_string());
            (SESSION.to_owned(), value)
        }
        Account::Tag(name, value) => {
            (format!("{TAG}{name}"), value.as_deref().unwrap_or(OTHER).to_owned())
        }
    }
}

fn read_row(db: &Connection, day: Time, account: &Account) -> rusqlite::Result<Option<Spend>> {
    let (dimension, value) = place(account);
    let sql = "SELECT body FROM spend WHERE dimension = ?1 AND day = ?2 AND value = ?3";
    let mut read = db.prepare_cached(sql)?;
    let body: Option<Vec<u8>> =
        read.query_row(params![dimension, day.secs(), value], |row| row.get(0)).optional()?;
    // A body that cannot be read begins again, as a cell's does.
    Ok(body.and_then(|body| postcard::from_bytes(&body).ok()))
}

fn write_row(db: &Connection, day: Time, account: &Account, spend: &Spend) -> rusqlite::Result<()> {
    let (dimension, value) = place(account);
    let body = postcard::to_extend(spend, Vec::with_capacity(64)).expect("plain data");
    let mut write = db.prepare_cached("INSERT OR REPLACE INTO spend VALUES (?1, ?2, ?3, ?4)")?;
    write.execute(params![dimension, day.secs(), value, body])?;
    Ok(())
}

/// The sums of a dimension and their values.
fn read_rows(
    db: &Connection,
    dimension: &Dimension,
    from: Time,
    to: Time,
) -> rusqlite::Result<Allocation> {
    let mut read = db.prepare_cached(
        "SELECT day, value, body FROM spend WHERE dimension = ?1 AND ?2 <= day AND day < ?3
         ORDER BY day, value",
    )?;
    let name = match dimension {
        Dimension::Session => SESSION.to_owned(),
        Dimension::Tag(name) => format!("{TAG}{name}"),
    };
    let mut rows = read.query(params![name, from.secs(), to.secs()])?;
    let mut found = Allocation::default();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let value = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let day = Time::from_secs(row.get(0)?);
        // What cannot be read is no value that spent nothing: the ledger has its calls.
        let Ok(spend) = postcard::from_bytes(body) else {
            if found.torn.last() != Some(&day) {
                found.torn.push(day);
            }
            continue;
        };
        found.values.push_str(value);
        found.sums.push(Sum { day, until: found.values.len(), spend });
    }
    Ok(found)
}

/// Every account of the days from `from` on, for a tally that begins.
pub(crate) fn each_account(
    db: &Connection,
    from: Time,
    mut each: impl FnMut(Time, Account),
) -> rusqlite::Result<()> {
    let mut after = String::new();
    while let Some(dimension) = next_dimension(db, &after)? {
        let sql = "SELECT day, value FROM spend WHERE dimension = ?1 AND ?2 <= day";
        let mut read = db.prepare_cached(sql)?;
        let mut rows = read.query(params![dimension, from.secs()])?;
        while let Some(row) = rows.next()? {
            let value: String = row.get(1)?;
            let value = (value != OTHER).then_some(value);
            let account = match dimension.strip_prefix(TAG) {
                Some(name) => Account::Tag(name.into(), value.map(Into::into)),
                None => Account::Session(value.and_then(|value| value.parse().ok())),
            };
            each(Time::from_secs(row.get(0)?), account);
        }
        after = dimension;
    }
    Ok(())
}

/// One step down the index for each, instead of a look at every row.
fn next_dimension(db: &Connection, after: &str) -> rusqlite::Result<Option<String>> {
    let mut next = db.prepare_cached("SELECT min(dimension) FROM spend WHERE ?1 < dimension")?;
    next.query_row([after], |row| row.get(0))
}

/// What the days that begin in `from..to` spent by a dimension, and which dimensions there are.
pub(crate) fn allocation(
    db: &Connection,
    dimension: Option<&Dimension>,
    from: Time,
    to: Time,
) -> rusqlite::Result<Allocation> {
    let from = from.floor(Width::Day.span());
    let mut found =
        dimension.map_or_else(|| Ok(Allocation::default()), |of| read_rows(db, of, from, to))?;
    let sql = "SELECT EXISTS (SELECT 1 FROM spend WHERE dimension = ?1 AND ?2 <= day AND day < ?3)";
    let mut is_used = db.prepare_cached(sql)?;
    let mut after = String::new();
    while found.tags.len() < MOST_LISTED {
        let Some(name) = next_dimension(db, &after)? else { break };
        if let Some(tag) = name.strip_prefix(TAG)
            && is_used.query_row(params![name, from.secs(), to.secs()], |row| row.get(0))?
        {
            found.tags.push(tag.into());
        }
        after = name;
    }
    let sql = "SELECT CAST(value AS INTEGER) FROM state WHERE key = 'store.spend_since'";
    found.since = db.query_row(sql, [], |row| row.get(0)).optional()?.map(Time::from_secs);
    Ok(found)
}
