//! What has been settled and is not on disk yet. The only part of the store on a call's way.
//!
//! One lock, held for about a microsecond: the ledger, the minute's cell and the unit are counted as
//! integers at once, the record itself is queued as bytes. Both leave together, in one transaction, so that
//! on disk the ledger is always the sum of what was settled.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};
use scrimp_core::policy::Arm;
use scrimp_core::{CallId, Caller, Digest, Record, State, Time, UnitTotals};

use crate::draft::Drafts;
use crate::rollup::{
    Cell, Label, LedgerRow, OTHER_KEYS, Width, add_to_unit, empty_unit, merge_units,
};
use crate::spend::{Account, Accounts, Counted, Spend};

/// How many of the last ids are remembered so that none counts twice: those of a moment, since a call
/// that is settled twice is settled twice at once, and few enough to stay in a processor's cache.
pub(crate) const RECENT_IDS: usize = 4_096;
/// How many days' labels are counted against the limit at once.
const DAYS: usize = 4;
/// How many labels a store may have in all.
const MOST_LABELS: usize = 16_384;
/// Beyond this many minutes waiting for a full disk, they are kept by the hour, then by the day.
const MOST_CELLS: usize = 8_192;

/// Limits on what is kept in memory and on how far labels may spread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Records waiting to be written.
    pub(crate) queued_records: usize,
    /// Bytes that they take together, about.
    pub(crate) queued_bytes: usize,
    /// Distinct labels in one day; the rest is counted as "other".
    pub(crate) labels_per_day: usize,
    /// Distinct keys in one day; the rest is counted under one key.
    pub(crate) keys_per_day: usize,
    /// Distinct values of each tag in one day; the rest of that tag is counted as one.
    pub(crate) tag_values_per_day: usize,
    /// Distinct sessions in one day; the rest is counted as one.
    pub(crate) sessions_per_day: usize,
}

/// What is counted beside the records themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) settled: u64,
    pub(crate) settled_twice: u64,
    pub(crate) details_dropped: u64,
    pub(crate) labels_folded: u64,
    pub(crate) keys_folded: u64,
    pub(crate) spend_folded: u64,
}

/// Sums that are not on disk yet.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    /// By start and label.
    pub(crate) cells: FxHashMap<(Time, u32), Cell>,
    /// By day, label and key.
    pub(crate) ledger: FxHashMap<(Time, u32, Digest), LedgerRow>,
    /// By day and account.
    pub(crate) spend: FxHashMap<(Time, Account), Spend>,
    /// By experiment, unit and arm.
    pub(crate) units: FxHashMap<(u64, u64, Arm), UnitTotals>,
    /// Labels that the disk does not know.
    pub(crate) labels: Vec<(u32, Label)>,
}

/// One transaction's worth.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: Drafts,
    pub(crate) sums: Sums,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Tally {
    limits: Limits,
    labels: FxHashMap<Label, u32>,
    days: VecDeque<Day>,
    seen: FxHashSet<CallId>,
    order: VecDeque<CallId>,
    batch: Batch,
    pub(crate) counters: Counters,
}

#[derive(Debug)]
struct Day {
    start: Time,
    labels: FxHashSet<u32>,
    keys: FxHashSet<Digest>,
    accounts: Accounts,
}

impl Tally {
    /// Starts with the labels that the disk knows, and those that it has counted by day.
    pub(crate) fn new(limits: Limits, labels: FxHashMap<Label, u32>) -> Tally {
        Tally {
            limits,
            labels,
            days: VecDeque::new(),
            seen: FxHashSet::default(),
            order: VecDeque::new(),
            batch: Batch::default(),
            counters: Counters::default(),
        }
    }

    /// Says that the disk has calls with this label and key on this day already.
    pub(crate) fn know(&mut self, day: Time, label: u32, key: Option<Digest>) {
        let day = self.day(day);
        day.labels.insert(label);
        day.keys.extend(key);
    }

    /// Says that the disk has calls under this account on this day already.
    pub(crate) fn know_account(&mut self, day: Time, account: Account) {
        self.day(day).accounts.know(account);
    }

    /// Says that the disk has this call already.
    pub(crate) fn know_id(&mut self, id: CallId) {
        self.is_new(id);
    }

    /// Counts a call and queues its draft. Whether the writer has to be woken: nothing was waiting
    /// before.
    pub(crate) fn settle(&mut self, record: &Record, draft: &Drafts) -> bool {
        if !self.is_new(record.call.id) {
            self.counters.settled_twice += 1;
            return false;
        }
        let was_empty = self.batch.is_empty();
        self.counters.settled += 1;
        self.count(record);
        self.counters.details_dropped += self.batch.keep(draft, &self.limits);
        was_empty
    }

    /// Takes everything that waits, leaving room that fits the pace.
    pub(crate) fn take(&mut self) -> Batch {
        let empty = Batch { records: self.batch.records.as_large(), ..Batch::default() };
        std::mem::replace(&mut self.batch, empty)
    }

    /// How many records wait.
    pub(crate) fn queued(&self) -> usize {
        self.batch.records.len()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Every label in use, for a disk that has lost them.
    pub(crate) fn all_labels(&self) -> Vec<(u32, Label)> {
        self.labels.iter().map(|(label, id)| (*id, label.clone())).collect()
    }

    fn count(&mut self, record: &Record) {
        let arrived = record.call.arrived;
        let (minute, day) = (arrived.floor(Width::Minute.span()), arrived.floor(Width::Day.span()));
        let (id, label) = self.label(day, record);
        let key = self.key(day, record.call.caller.key);
        let Sums { cells, ledger, units, .. } = &mut self.batch.sums;
        let cell = cells.entry((minute, id)).or_insert_with(|| {
            let Label { provider, model, operation } = label.clone();
            Cell::new(minute, provider, model, operation)
        });
        cell.add(record);
        let row = ledger.entry((day, id, key));
        row.or_insert_with(|| LedgerRow::new(day, &label, key)).add(record);
        if let Some(placed) = record.placement.as_ref().filter(|p| p.state == State::On) {
            let unit = units.entry((placed.experiment, placed.unit, placed.arm));
            add_to_unit(unit.or_insert_with(|| empty_unit(placed.unit, placed.arm)), record);
        }
        let Caller { key: _, session, tags } = &record.call.caller;
        if session.is_some() || !tags.is_empty() {
            self.allocate(day, record);
        }
    }

    /// Counts the call under its session and its tags.
    fn allocate(&mut self, day: Time, record: &Record) {
        let limits = self.limits;
        let Counted { accounts, folded } = self.day(day).accounts.of(&record.call.caller, &limits);
        self.counters.spend_folded += folded;
        let spend = Spend::of(record);
        for account in accounts {
            self.batch.sums.spend.entry((day, account)).or_default().merge(&spend);
        }
    }

    /// The label to count under: the call's own, or "other" beyond the limit.
    fn label(&mut self, day: Time, record: &Record) -> (u32, Label) {
        let label = Label::of(record);
        let known = self.labels.get(&label).copied();
        let limit = self.limits.labels_per_day;
        let total = self.labels.len();
        let today = &mut self.day(day).labels;
        match known {
            Some(id) if today.contains(&id) => return (id, label),
            Some(id) if today.len() < limit => {
                today.insert(id);
                return (id, label);
            }
            None if today.len() < limit && total < MOST_LABELS => {
                // 0 is "other".
                let id = u32::try_from(total + 1).expect("bounded above");
                today.insert(id);
                self.labels.insert(label.clone(), id);
                self.batch.sums.labels.push((id, label.clone()));
                return (id, label);
            }
            Some(_) | None => {}
        }
        self.counters.labels_folded += 1;
        (0, Label::other())
    }

    fn key(&mut self, day: Time, key: Digest) -> Digest {
        let limit = self.limits.keys_per_day;
        let keys = &mut self.day(day).keys;
        if keys.contains(&key) || keys.len() < limit {
            keys.insert(key);
            return key;
        }
        self.counters.keys_folded += 1;
        OTHER_KEYS
    }

    fn day(&mut self, day: Time) -> &mut Day {
        if let Some(at) = self.days.iter().position(|known| known.start == day) {
            return &mut self.days[at];
        }
        if self.days.len() == DAYS {
            self.days.pop_front();
        }
        let new = Day {
            start: day,
            labels: FxHashSet::default(),
            keys: FxHashSet::default(),
            accounts: Accounts::default(),
        };
        self.days.push_back(new);
        self.days.back_mut().expect("just pushed")
    }

    fn is_new(&mut self, id: CallId) -> bool {
        if !self.seen.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if RECENT_IDS < self.order.len() {
            let oldest = self.order.pop_front().expect("longer than zero");
            self.seen.remove(&oldest);
        }
        true
    }
}

impl Batch {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        let Sums { ledger, labels, .. } = &self.sums;
        self.records.is_empty() && ledger.is_empty() && labels.is_empty()
    }

    /// Adds what was settled since. Returns how many records found no room.
    pub(crate) fn absorb(&mut self, newer: Batch, limits: &Limits) -> u64 {
        let Batch { records, sums } = newer;
        self.sums.absorb(sums);
        if self.records.is_empty() {
            // The queue had the same limits.
            self.records = records;
            return 0;
        }
        self.keep(&records, limits)
    }

    /// Adds records as long as there is room. Returns how many found none.
    fn keep(&mut self, newer: &Drafts, limits: &Limits) -> u64 {
        let mut dropped = 0;
        for draft in newer.iter() {
            let is_full = limits.queued_records <= self.records.len()
                || limits.queued_bytes <= self.records.bytes();
            match is_full {
                true => dropped += 1,
                false => self.records.add(draft),
            }
        }
        dropped
    }
}

impl Sums {
    fn absorb(&mut self, newer: Sums) {
        let Sums { cells, ledger, spend, units, labels } = newer;
        if self.ledger.is_empty() {
            self.cells = cells;
            self.ledger = ledger;
            self.spend = spend;
            self.units = units;
            self.labels.extend(labels);
            return;
        }
        for (at, cell) in cells {
            merge_into(&mut self.cells, at, cell, Cell::merge);
        }
        for (at, row) in ledger {
            merge_into(&mut self.ledger, at, row, LedgerRow::merge);
        }
        for (at, sum) in spend {
            merge_into(&mut self.spend, at, sum, Spend::merge);
        }
        for (at, unit) in units {
            merge_into(&mut self.units, at, unit, merge_units);
        }
        self.labels.extend(labels);
        for width in [Width::Hour, Width::Day] {
            if MOST_CELLS < self.cells.len() {
                self.coarsen(width);
            }
        }
    }

    /// A disk that stays full for long costs the minutes, never the sums.
    fn coarsen(&mut self, width: Width) {
        for ((at, label), mut cell) in std::mem::take(&mut self.cells) {
            let at = at.floor(width.span());
            cell.at = at;
            merge_into(&mut self.cells, (at, label), cell, Cell::merge);
        }
    }
}

fn merge_into<K: std::hash::Hash + Eq, V>(
    map: &mut FxHashMap<K, V>,
    key: K,
    value: V,
    merge: fn(&mut V, &V),
) {
    match map.entry(key) {
        std::collections::hash_map::Entry::Occupied(mut entry) => merge(entry.get_mut(), &value),
        std::collections::hash_map::Entry::Vacant(entry) => {
            entry.insert(value);
        }
    }
}
