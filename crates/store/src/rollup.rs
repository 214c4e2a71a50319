//! What screens read instead of records: sums and histograms by minute, hour and day, and a ledger
//! by day and key.

use std::sync::Arc;

use scrimp_core::{Digest, Ending, Histogram, Record, Refusal, Span, Time, Usage, Usd};
use scrimp_core::{UnitTotals, policy::Arm};

use crate::spend::Spend;

/// How long a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds, from midnight UTC.
    Day,
}

impl Width {
    /// Every width, the shortest first.
    pub const ALL: [Width; 3] = [Width::Minute, Width::Hour, Width::Day];

    /// Its length.
    pub const fn span(self) -> Span {
        match self {
            Width::Minute => Span::from_minutes(1),
            Width::Hour => Span::from_hours(1),
            Width::Day => Span::from_hours(24),
        }
    }

    pub(crate) const fn code(self) -> i64 {
        match self {
            Width::Minute => 0,
            Width::Hour => 1,
            Width::Day => 2,
        }
    }
}

/// The calls of one provider, model and operation that arrived in one stretch of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Where the stretch begins.
    pub at: Time,
    /// Configured name of the provider.
    pub provider: Arc<str>,
    /// The model asked for.
    pub model: Arc<str>,
    /// The operation.
    pub operation: Arc<str>,
    /// All calls, however they ended.
    pub calls: u64,
    /// Calls that failed, were refused, or were answered with another status than 2xx.
    pub errors: u64,
    /// Calls whose client hung up.
    pub abandoned: u64,
    /// Calls that were metered but have no price.
    pub unpriced: u64,
    /// Calls whose usage is not known. They are in no token sum.
    pub unknown: u64,
    /// Streams that ended without their terminal event.
    pub truncated: u64,
    /// Tokens of the metered calls.
    pub usage: Usage,
    /// What the priced calls cost.
    pub cost: Usd,
    /// What the same tokens would have cost without caching.
    pub cost_uncached: Usd,
    /// From arrival to end, successful calls only: a fast refusal is no fast answer.
    pub latency: Histogram,
    /// From arrival to the first piece of content, successful calls only.
    pub first_content: Histogram,
    /// From the first to the last piece of content by output token after the first.
    pub per_output_token: Histogram,
    /// Time in the gateway itself, all calls.
    pub overhead: Histogram,
}

/// The calls of one day, provider, model, operation and key: exact, kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// Midnight UTC at which the day begins.
    pub day: Time,
    /// Configured name of the provider.
    pub provider: Arc<str>,
    /// The model asked for.
    pub model: Arc<str>,
    /// The operation.
    pub operation: Arc<str>,
    /// Keyed digest of the caller's credential. All ones: keys beyond the limit of a day.
    pub key: Digest,
    /// All calls; the sum of the next six.
    pub calls: u64,
    /// Calls answered with 2xx.
    pub answered: u64,
    /// Calls answered whole, with another status.
    pub rejected: u64,
    /// Streams that ended without their terminal event.
    pub truncated: u64,
    /// Calls that no provider could be made to answer, or whose answer broke off.
    pub failed: u64,
    /// Calls whose client hung up.
    pub abandoned: u64,
    /// Calls that the gateway refused.
    pub refused: u64,
    /// Calls that were metered but have no price.
    pub unpriced: u64,
    /// Calls whose usage is not known.
    pub unknown: u64,
    /// Tokens of the metered calls.
    pub usage: Usage,
    /// What the priced calls cost.
    pub cost: Usd,
    /// What the same tokens would have cost without caching.
    pub cost_uncached: Usd,
}

/// The key of ledger rows that stand for all keys beyond the limit of a day.
pub const OTHER_KEYS: Digest = Digest([0xff; 16]);

impl Cell {
    /// No calls yet.
    pub fn new(at: Time, provider: Arc<str>, model: Arc<str>, operation: Arc<str>) -> Cell {
        Cell {
            at,
            provider,
            model,
            operation,
            calls: 0,
            errors: 0,
            abandoned: 0,
            unpriced: 0,
            unknown: 0,
            truncated: 0,
            usage: Usage::ZERO,
            cost: Usd::ZERO,
            cost_uncached: Usd::ZERO,
            latency: Histogram::default(),
            first_content: Histogram::default(),
            per_output_token: Histogram::default(),
            overhead: Histogram::default(),
        }
    }

    /// Counts one call.
    pub fn add(&mut self, record: &Record) {
        let Spend { calls, unpriced, unknown, usage, cost } = Spend::of(record);
        self.calls += calls;
        match record.ending {
            Ending::Abandoned => self.abandoned += 1,
            Ending::Truncated { .. } => self.truncated += 1,
            Ending::Answered { .. } | Ending::Failed { .. } | Ending::Refused(_) => {
                self.errors += u64::from(!record.is_success());
            }
        }
        self.unpriced += unpriced;
        self.unknown += unknown;
        self.usage += usage;
        self.cost += cost;
        self.cost_uncached += uncached(record);
        if let Some(overhead) = record.timing.overhead {
            self.overhead.add(overhead);
        }
        if record.is_success() {
            self.time(record);
        }
    }

    fn time(&mut self, record: &Record) {
        let timing = &record.timing;
        if let Some(ended) = timing.ended {
            self.latency.add(ended);
        }
        if let Some(first) = timing.first_content {
            self.first_content.add(first);
        }
        if let Some(each) = per_output_token(record) {
            self.per_output_token.add(each);
        }
    }

    /// Adds another cell's calls. Where and what the other one is does not matter.
    pub fn merge(&mut self, other: &Cell) {
        let Cell {
            at: _,
            provider: _,
            model: _,
            operation: _,
            calls,
            errors,
            abandoned,
            unpriced,
            unknown,
            truncated,
            usage,
            cost,
            cost_uncached,
            latency,
            first_content,
            per_output_token,
            overhead,
        } = other;
        self.calls += calls;
        self.errors += errors;
        self.abandoned += abandoned;
        self.unpriced += unpriced;
        self.unknown += unknown;
        self.truncated += truncated;
        self.usage += *usage;
        self.cost += *cost;
        self.cost_uncached += *cost_uncached;
        self.latency.merge(latency);
        self.first_content.merge(first_content);
        self.per_output_token.merge(per_output_token);
        self.overhead.merge(overhead);
    }

    /// The cell as stored: counts, then each histogram with its length before it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let counts = (
            [self.calls, self.errors, self.abandoned, self.unpriced, self.unknown, self.truncated],
            self.usage,
            self.cost,
            self.cost_uncached,
        );
        let out = postcard::to_extend(&counts, Vec::with_capacity(256)).expect("plain data");
        let histograms =
            [&self.latency, &self.first_content, &self.per_output_token, &self.overhead];
        histograms.into_iter().fold(out, |out, histogram| {
            postcard::to_extend(&histogram.to_bytes(), out).expect("plain data")
        })
    }

    /// Reads [`Cell::to_bytes`] into a cell without calls; `None` if it is not that.
    pub(crate) fn with_bytes(mut self, bytes: &[u8]) -> Option<Cell> {
        type Counts = ([u64; 6], Usage, Usd, Usd);
        let (counts, mut rest): (Counts, _) = postcard::take_from_bytes(bytes).ok()?;
        let ([calls, errors, abandoned, unpriced, unknown, truncated], ..) = counts;
        let mut histogram = || {
            let (bytes, left): (&[u8], _) = postcard::take_from_bytes(rest).ok()?;
            rest = left;
            Histogram::from_bytes(bytes)
        };
        self.latency = histogram()?;
        self.first_content = histogram()?;
        self.per_output_token = histogram()?;
        self.overhead = histogram()?;
        let (_, usage, cost, cost_uncached) = counts;
        Some(Cell {
            calls,
            errors,
            abandoned,
            unpriced,
            unknown,
            truncated,
            usage,
            cost,
            cost_uncached,
            ..self
        })
    }
}

impl LedgerRow {
    /// No calls yet.
    pub(crate) fn new(day: Time, label: &Label, key: Digest) -> LedgerRow {
        let Label { provider, model, operation } = label.clone();
        LedgerRow {
            day,
            provider,
            model,
            operation,
            key,
            calls: 0,
            answered: 0,
            rejected: 0,
            truncated: 0,
            failed: 0,
            abandoned: 0,
            refused: 0,
            unpriced: 0,
            unknown: 0,
            usage: Usage::ZERO,
            cost: Usd::ZERO,
            cost_uncached: Usd::ZERO,
        }
    }

    /// Counts one call.
    pub(crate) fn add(&mut self, record: &Record) {
        let Spend { calls, unpriced, unknown, usage, cost } = Spend::of(record);
        self.calls += calls;
        *(match &record.ending {
            Ending::Answered { status: 200..=299, .. } => &mut self.answered,
            Ending::Answered { .. } => &mut self.rejected,
            Ending::Truncated { .. } => &mut self.truncated,
            Ending::Failed { .. } => &mut self.failed,
            Ending::Abandoned => &mut self.abandoned,
            Ending::Refused(_) => &mut self.refused,
        }) += 1;
        self.unpriced += unpriced;
        self.unknown += unknown;
        self.usage += usage;
        self.cost += cost;
        self.cost_uncached += uncached(record);
    }

    /// Adds another row's calls.
    pub(crate) fn merge(&mut self, other: &LedgerRow) {
        for (mine, theirs) in self.counts_mut().into_iter().zip(other.counts()) {
            *mine += theirs;
        }
        self.usage += other.usage;
        self.cost += other.cost;
        self.cost_uncached += other.cost_uncached;
    }

    /// The counts in the order of the table's columns.
    pub(crate) fn counts(&self) -> [u64; 9] {
        [
            self.calls,
            self.answered,
            self.rejected,
            self.truncated,
            self.failed,
            self.abandoned,
            self.refused,
            self.unpriced,
            self.unknown,
        ]
    }

    /// The same, to be filled.
    pub(crate) fn counts_mut(&mut self) -> [&mut u64; 9] {
        [
            &mut self.calls,
            &mut self.answered,
            &mut self.rejected,
            &mut self.truncated,
            &mut self.failed,
            &mut self.abandoned,
            &mut self.refused,
            &mut self.unpriced,
            &mut self.unknown,
        ]
    }
}

/// What a call would have cost without caching. Where only the provider's own sum is known, that:
/// nothing would look as if caching had made it dearer.
fn uncached(record: &Record) -> Usd {
    record.cost_uncached.or(record.cost).unwrap_or_default()
}

/// What a call is counted under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Label {
    pub(crate) provider: Arc<str>,
    pub(crate) model: Arc<str>,
    pub(crate) operation: Arc<str>,
}

impl Label {
    /// Calls beyond the limit on distinct labels.
    pub(crate) fn other() -> Label {
        Label { provider: "other".into(), model: "other".into(), operation: "other".into() }
    }

    pub(crate) fn of(record: &Record) -> Label {
        let call = &record.call;
        Label {
            provider: call.provider.clone(),
            model: call.model.clone(),
            operation: call.operation.clone(),
        }
    }
}

/// A unit without calls.
pub(crate) const fn empty_unit(unit: u64, arm: Arm) -> UnitTotals {
    UnitTotals {
        unit,
        arm,
        calls: 0,
        left_out: 0,
        errors: 0,
        cost: Usd::ZERO,
        cost_uncached: Usd::ZERO,
        cost_untouched: Usd::ZERO,
        cost_uncached_untouched: Usd::ZERO,
    }
}

/// Counts one call of a unit. Only calls that count in full count towards its cost.
pub(crate) fn add_to_unit(totals: &mut UnitTotals, record: &Record) {
    let is_whole = record.is_success() && record.is_metered();
    if let (true, Some(cost), Some(uncached)) = (is_whole, record.cost, record.cost_uncached) {
        totals.calls += 1;
        totals.cost += cost;
        totals.cost_uncached += uncached;
        // Held-out calls record the same edits as treated ones; theirs are not made.
        if record.placement.as_ref().is_none_or(|placement| placement.edits.is_empty()) {
            totals.cost_untouched += cost;
            totals.cost_uncached_untouched += uncached;
        }
    } else {
        totals.left_out += 1;
        totals.errors += u64::from(was_failed(&record.ending));
    }
}

pub(crate) fn merge_units(totals: &mut UnitTotals, other: &UnitTotals) {
    let UnitTotals {
        unit: _,
        arm: _,
        calls,
        left_out,
        errors,
        cost,
        cost_uncached,
        cost_untouched,
        cost_uncached_untouched,
    } = other;
    totals.calls += calls;
    totals.left_out += left_out;
    totals.errors += errors;
    totals.cost += *cost;
    totals.cost_uncached += *cost_uncached;
    totals.cost_untouched += *cost_untouched;
    totals.cost_uncached_untouched += *cost_uncached_untouched;
}

/// Whether the provider or the gateway failed the call, rather than its client.
fn was_failed(ending: &Ending) -> bool {
    match ending {
        Ending::Answered { status, .. } => !(200..=299).contains(status),
        Ending::Truncated { .. } | Ending::Failed { .. } => true,
        Ending::Refused(why) => matches!(why, Refusal::Stopping | Refusal::Overloaded),
        Ending::Abandoned => false,
    }
}

/// From the first to the last piece of content, by output token after the first one.
pub(crate) fn per_output_token(record: &Record) -> Option<Span> {
    let (first, last) = (record.timing.first_content?, record.timing.last_content?);
    let after_first = i64::try_from(record.metering.usage.total_output()).ok()? - 1;
    let is_known = record.is_metered() && first < last && 0 < after_first;
    is_known.then(|| Span::from_nanos((last - first).nanos() / after_first))
}
