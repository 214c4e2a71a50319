//! One transaction: records, cells, ledger, spend and units together, or nothing.

use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustc_hash::FxHashMap;
use scrimp_core::policy::Arm;
use scrimp_core::{Digest, Ending, Record, Time, UnitTotals, Usage, Usd};

use crate::chains::Chains;
use crate::rollup::{Cell, LedgerRow, Width, merge_units};
use crate::spend::SpendRows;
use crate::tail::Block;
use crate::tally::{Batch, Sums};

/// How many rows of a kind are remembered between transactions.
const MOST_CACHED: usize = 4_096;

/// The writer's memory of what is on disk, so that adding to a row need not read it first.
#[derive(Debug, Default)]
pub(crate) struct Ledgers {
    cells: FxHashMap<(Width, Time, u32), Cell>,
    ledger: FxHashMap<(Time, u32, Digest), LedgerRow>,
    spend: SpendRows,
    units: FxHashMap<(u64, u64, Arm), UnitTotals>,
    /// How many units each experiment has.
    unit_counts: FxHashMap<u64, u64>,
    /// Empty between transactions; kept for its buffers.
    block: Block,
}

/// What a transaction did beside what it was given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    /// Rows in the hot tail that were added.
    pub(crate) records: u64,
    /// Units that found no room in their experiment.
    pub(crate) units_left_out: u64,
}

/// Writes a batch. After an error nothing of it is on disk, and `ledgers` and `chains` are empty.
pub(crate) fn write(
    db: &mut Connection,
    batch: &Batch,
    first_seq: u64,
    most_units: u64,
    chains: &mut Chains,
    ledgers: &mut Ledgers,
) -> rusqlite::Result<Written> {
    let written = write_in(db, batch, first_seq, most_units, chains, ledgers);
    if written.is_err() {
        chains.clear();
        *ledgers = Ledgers::default();
    }
    written
}

fn write_in(
    db: &mut Connection,
    batch: &Batch,
    first_seq: u64,
    most_units: u64,
    chains: &mut Chains,
    ledgers: &mut Ledgers,
) -> rusqlite::Result<Written> {
    let Batch { records, sums } = batch;
    let step = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut written = Written::default();
    {
        let block = &mut ledgers.block;
        for record in records.iter() {
            let seq = first_seq + written.records;
            block.push(&record, seq, chains.base(&record, seq));
            written.records += 1;
            if block.is_full() {
                block.insert(&step)?;
            }
        }
        block.insert(&step)?;
    }
    ledgers.add(&step, sums, most_units, &mut written)?;
    step.commit()?;
    ledgers.bound();
    Ok(written)
}

impl Ledgers {
    fn add(
        &mut self,
        step: &Transaction<'_>,
        sums: &Sums,
        most_units: u64,
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let mut label =
            step.prepare_cached("INSERT OR REPLACE INTO label VALUES (?1, ?2, ?3, ?4)")?;
        for (id, name) in &sums.labels {
            label.execute(params![id, &*name.provider, &*name.model, &*name.operation])?;
        }
        for ((at, label), cell) in &sums.cells {
            for width in Width::ALL {
                self.add_cell(step, width, at.floor(width.span()), *label, cell)?;
            }
        }
        for ((day, label, key), row) in &sums.ledger {
            self.add_ledger(step, *day, *label, *key, row)?;
        }
        self.spend.add(step, &sums.spend)?;
        for ((experiment, unit, arm), totals) in &sums.units {
            let key = (*experiment, *unit, *arm);
            let room = self.add_unit(step, key, totals, most_units)?;
            written.units_left_out += u64::from(!room);
        }
        Ok(())
    }

    fn add_cell(
        &mut self,
        step: &Transaction<'_>,
        width: Width,
        at: Time,
        label: u32,
        added: &Cell,
    ) -> rusqlite::Result<()> {
        let mut write =
            step.prepare_cached("INSERT OR REPLACE INTO cell VALUES (?1, ?2, ?3, ?4)")?;
        let key = (width, at, label);
        let whole = match self.cells.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(stored_cell(step, width, at, label, added)?),
        };
        whole.merge(added);
        write.execute(params![width.code(), at.secs(), label, whole.to_bytes()])?;
        Ok(())
    }

    fn add_ledger(
        &mut self,
        step: &Transaction<'_>,
        day: Time,
        label: u32,
        key: Digest,
        added: &LedgerRow,
    ) -> rusqlite::Result<()> {
        let at = (day, label, key);
        let row = match self.ledger.entry(at) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(stored_ledger(step, day, label, key, added)?),
        };
        row.merge(added);
        write_ledger(step, label, row)
    }

    /// Whether there was room for the unit.
    fn add_unit(
        &mut self,
        step: &Transaction<'_>,
        key: (u64, u64, Arm),
        added: &UnitTotals,
        most: u64,
    ) -> rusqlite::Result<bool> {
        let (experiment, unit, arm) = key;
        if !self.units.contains_key(&key) {
            let mut read = step.prepare_cached(
                "SELECT calls, left_out, errors, usd, usd_uncached, usd_untouched,
                     usd_uncached_untouched FROM unit
                 WHERE experiment = ?1 AND unit = ?2 AND arm = ?3",
            )?;
            let place = params![experiment.cast_signed(), unit.cast_signed(), arm_code(arm)];
            let stored = read.query_row(place, |row| unit_of(row, unit, arm, 0)).optional()?;
            let count = match self.unit_counts.entry(experiment) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(count_units(step, experiment)?),
            };
            match stored {
                None if most <= *count => return Ok(false),
                None => *count += 1,
                Some(_) => {}
            }
            let totals = stored.unwrap_or(crate::rollup::empty_unit(unit, arm));
            self.units.insert(key, totals);
        }
        let totals = self.units.get_mut(&key).expect("just put there");
        merge_units(totals, added);
        let UnitTotals {
            unit,
            arm,
            calls,
            left_out,
            errors,
            cost,
            cost_uncached,
            cost_untouched,
            cost_uncached_untouched,
        } = *totals;
        let mut write = step.prepare_cached(
            "INSERT OR REPLACE INTO unit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        write.execute(params![
            experiment.cast_signed(),
            unit.cast_signed(),
            arm_code(arm),
            as_signed(calls),
            as_signed(left_out),
            as_signed(errors),
            cost.to_string(),
            cost_uncached.to_string(),
            cost_untouched.to_string(),
            cost_uncached_untouched.to_string(),
        ])?;
        Ok(true)
    }

    fn bound(&mut self) {
        if MOST_CACHED < self.cells.len() {
            self.cells.clear();
        }
        if MOST_CACHED < self.ledger.len() {
            self.ledger.clear();
        }
        self.spend.bound();
        if 8 * MOST_CACHED < self.units.len() {
            self.units.clear();
        }
    }
}

fn count_units(step: &Transaction<'_>, experiment: u64) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM unit WHERE experiment = ?1";
    let count: i64 = step.query_row(sql, [experiment.cast_signed()], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

fn stored_cell(
    step: &Transaction<'_>,
    width: Width,
    at: Time,
    label: u32,
    like: &Cell,
) -> rusqlite::Result<Cell> {
    let empty = Cell::new(at, like.provider.clone(), like.model.clone(), like.operation.clone());
    let mut read =
        step.prepare_cached("SELECT body FROM cell WHERE width = ?1 AND at = ?2 AND label = ?3")?;
    let place = params![width.code(), at.secs(), label];
    let body: Option<Vec<u8>> = read.query_row(place, |row| row.get(0)).optional()?;
    // A body that cannot be read begins again: better a gap in one cell than a store that stops.
    let stored = body.and_then(|body| empty.clone().with_bytes(&body));
    Ok(stored.unwrap_or(empty))
}

fn stored_ledger(
    step: &Transaction<'_>,
    day: Time,
    label: u32,
    key: Digest,
    like: &LedgerRow,
) -> rusqlite::Result<LedgerRow> {
    let mut read =
        step.prepare_cached("SELECT * FROM ledger WHERE day = ?1 AND label = ?2 AND key = ?3")?;
    let stored = read
        .query_row(params![day.secs(), label, key.0], |row| {
            let name = crate::rollup::Label {
                provider: like.provider.clone(),
                model: like.model.clone(),
                operation: like.operation.clone(),
            };
            ledger_of(row, &name)
        })
        .optional()?;
    let name = crate::rollup::Label {
        provider: like.provider.clone(),
        model: like.model.clone(),
        operation: like.operation.clone(),
    };
    Ok(stored.unwrap_or_else(|| LedgerRow::new(day, &name, key)))
}

fn write_ledger(step: &Transaction<'_>, label: u32, row: &LedgerRow) -> rusqlite::Result<()> {
    let mut write = step.prepare_cached(
        "INSERT OR REPLACE INTO ledger VALUES (
            ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
            ?20, ?21, ?22, ?23)",
    )?;
    let mut at = 1;
    let mut bind = |value: &dyn rusqlite::ToSql| {
        at += 1;
        write.raw_bind_parameter(at - 1, value)
    };
    bind(&row.day.secs())?;
    bind(&label)?;
    bind(&row.key.0)?;
    for count in row.counts().into_iter().chain(classes(&row.usage)) {
        bind(&as_signed(count))?;
    }
    bind(&row.cost.to_string())?;
    bind(&row.cost_uncached.to_string())?;
    write.raw_execute()?;
    Ok(())
}

/// A row of the table `ledger`.
pub(crate) fn ledger_of(
    row: &rusqlite::Row<'_>,
    label: &crate::rollup::Label,
) -> rusqlite::Result<LedgerRow> {
    let mut ledger = LedgerRow::new(Time::from_secs(row.get(0)?), label, Digest(row.get(2)?));
    for (at, count) in (3..).zip(ledger.counts_mut()) {
        *count = row.get::<_, i64>(at)?.cast_unsigned();
    }
    let mut classes = [0; 9];
    for (at, class) in (12..).zip(&mut classes) {
        *class = row.get::<_, i64>(at)?.cast_unsigned();
    }
    ledger.usage = usage_of(classes);
    ledger.cost = amount(row, 21)?;
    ledger.cost_uncached = amount(row, 22)?;
    Ok(ledger)
}

/// A row of the table `unit`, from the column `calls` on.
pub(crate) fn unit_of(
    row: &rusqlite::Row<'_>,
    unit: u64,
    arm: Arm,
    first: usize,
) -> rusqlite::Result<UnitTotals> {
    Ok(UnitTotals {
        unit,
        arm,
        calls: row.get::<_, i64>(first)?.cast_unsigned(),
        left_out: row.get::<_, i64>(first + 1)?.cast_unsigned(),
        errors: row.get::<_, i64>(first + 2)?.cast_unsigned(),
        cost: amount(row, first + 3)?,
        cost_uncached: amount(row, first + 4)?,
        cost_untouched: amount(row, first + 5)?,
        cost_uncached_untouched: amount(row, first + 6)?,
    })
}

pub(crate) const fn arm_code(arm: Arm) -> i64 {
    match arm {
        Arm::HeldOut => 0,
        Arm::Treated => 1,
    }
}

fn amount(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Usd> {
    let text: String = row.get(at)?;
    text.parse().map_err(|error| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(at, kind, Box::new(error))
    })
}

/// Tokens in the order of the columns.
pub(crate) fn classes(usage: &Usage) -> [u64; 9] {
    let Usage {
        uncached,
        cache_read,
        cache_write_short,
        cache_write_long,
        audio_input,
        image_input,
        output,
        reasoning,
        audio_output,
    } = *usage;
    [
        uncached,
        cache_read,
        cache_write_short,
        cache_write_long,
        audio_input,
        image_input,
        output,
        reasoning,
        audio_output,
    ]
}

pub(crate) fn usage_of(classes: [u64; 9]) -> Usage {
    let [
        uncached,
        cache_read,
        cache_write_short,
        cache_write_long,
        audio_input,
        image_input,
        output,
        reasoning,
        audio_output,
    ] = classes;
    Usage {
        uncached,
        cache_read,
        cache_write_short,
        cache_write_long,
        audio_input,
        image_input,
        output,
        reasoning,
        audio_output,
    }
}

/// The status that the client saw of the provider, if any.
pub(crate) fn status(record: &Record) -> Option<u16> {
    match record.ending {
        Ending::Answered { status, .. } | Ending::Truncated { status } => Some(status),
        Ending::Failed { .. } | Ending::Abandoned | Ending::Refused(_) => {
            record.attempts.last().and_then(|attempt| attempt.status)
        }
    }
}

/// The kind of an ending in one word.
pub(crate) const fn ending(ending: &Ending) -> &'static str {
    match ending {
        Ending::Answered { .. } => "answered",
        Ending::Truncated { .. } => "truncated",
        Ending::Failed { .. } => "failed",
        Ending::Abandoned => "abandoned",
        Ending::Refused(_) => "refused",
    }
}

/// `SQLite` has signed integers only; counts and sequence numbers never come near the difference.
pub(crate) const fn as_signed(value: u64) -> i64 {
    if value <= i64::MAX as u64 { value.cast_signed() } else { i64::MAX }
}
