//! From the money of a period to the money of a month.
//!
//! The period is cut into blocks, days where it has enough of them, and the blocks are drawn again
//! with replacement a thousand times (a block bootstrap: calls within a day depend on each other,
//! days much less so). Draws are hashes of their number, so that the same records always give the
//! same range. A period shorter than a day is not extrapolated at all: it says nothing about nights.

use std::collections::BTreeMap;

use scrimp_core::{Ending, Record, Span, Time, Usd, hash};
use serde::Serialize;

use super::Hour;
use crate::findings::Range;

/// Days in a mean month.
const DAYS_PER_MONTH: f64 = 30.437;

/// The least time that is extrapolated, in days.
pub const LEAST_DAYS: f64 = 1.0;

/// From this many days on, days are what is drawn; below, quarters of a day.
const DAYS_FOR_DAYS: f64 = 7.0;

const DRAWS: u64 = 1_000;

/// Money a month, extrapolated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// The mean of the period, as an amount a month.
    pub usd_per_month: Usd,
    /// The low end of the range that holds 90 % of the draws.
    pub low: Usd,
    /// The high end.
    pub high: Usd,
    /// Whence: the money was measured, only the time is extrapolated.
    pub basis: &'static str,
    /// How many days the records cover.
    pub days: f64,
}

/// Calls and money by hour.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    hours: BTreeMap<Time, (u64, u64, Usd)>,
    first: Option<Time>,
    last: Option<Time>,
}

pub(super) const HOUR: Span = Span::from_hours(1);

impl Ledger {
    /// Of a time that is known, whatever is counted in it.
    pub(super) fn between(from: Time, to: Time) -> Ledger {
        Ledger { hours: BTreeMap::new(), first: Some(from), last: Some(to) }
    }

    /// Counts money alone.
    pub(super) fn spend(&mut self, hour: Time, spent: Usd) {
        let (_, _, usd) = self.hours.entry(hour).or_default();
        *usd += spent;
    }

    pub(super) fn see(&mut self, record: &Record) {
        let at = record.call.arrived;
        let (calls, errors, usd) = self.hours.entry(at.floor(HOUR)).or_default();
        *calls += 1;
        let is_error = !record.is_success()
            && !matches!(record.ending, Ending::Abandoned | Ending::Truncated { .. });
        *errors += u64::from(is_error);
        *usd += record.cost.unwrap_or(Usd::ZERO);
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
    }

    pub(super) fn period(&self) -> Option<(Time, Time)> {
        self.first.zip(self.last)
    }

    pub(super) fn hours(&self) -> Vec<Hour> {
        let hour = |(at, (calls, errors, usd)): (&Time, &(u64, u64, Usd))| Hour {
            at: *at,
            calls: *calls,
            errors: *errors,
            usd: *usd,
        };
        self.hours.iter().map(hour).collect()
    }

    pub(super) fn forecast(&self) -> Option<Forecast> {
        let (first, last) = self.period()?;
        let days = last.since(first).as_secs_f64() / 86_400.0;
        if days < LEAST_DAYS {
            return None;
        }
        let width = Span::from_hours(if days < DAYS_FOR_DAYS { 6 } else { 24 });
        let blocks = self.blocks(first, last, width);
        let total: Usd = self.hours.values().map(|(_, _, usd)| *usd).sum();
        let (low, high) = range(&blocks);
        let month = |usd_per_day: f64| Usd::from_f64_estimate(usd_per_day * DAYS_PER_MONTH);
        let usd_per_month = month(total.as_f64() / days);
        Some(Forecast {
            usd_per_month,
            low: month(low).min(usd_per_month),
            high: month(high).max(usd_per_month),
            basis: "measured",
            days,
        })
    }

    /// Dollars and days of each block; blocks without a call count with their time.
    fn blocks(&self, first: Time, last: Time, width: Span) -> Vec<(f64, f64)> {
        let origin = first.floor(HOUR);
        let index = |at: Time| usize::try_from(at.since(origin).nanos() / width.nanos());
        let count = index(last).unwrap_or(0) + 1;
        let mut blocks = vec![(0.0, width.as_secs_f64() / 86_400.0); count];
        if let Some(block) = blocks.last_mut() {
            // The last block is over before its time.
            let lasted = last.since(origin).nanos() % width.nanos();
            block.1 = Span::from_nanos(lasted).as_secs_f64() / 86_400.0;
        }
        for (at, (_, _, usd)) in &self.hours {
            if let Some(block) = index(*at).ok().and_then(|at| blocks.get_mut(at)) {
                block.0 += usd.as_f64();
            }
        }
        blocks
    }
}

impl Forecast {
    /// `usd` of the period as an amount a month.
    pub fn scale(&self, usd: Usd) -> Usd {
        Usd::from_f64_estimate(usd.as_f64() / self.days * DAYS_PER_MONTH)
    }

    /// A range of the period as a range a month; its ends move with the ends of the volume.
    pub(super) fn scale_range(&self, usd: Range) -> Range {
        let month = self.usd_per_month.as_f64().max(f64::MIN_POSITIVE);
        let with = |usd: Usd, volume: Usd| {
            Usd::from_f64_estimate(self.scale(usd).as_f64() * (volume.as_f64() / month))
        };
        let likely = self.scale(usd.likely);
        let low = usd.low.map(|low| with(low, self.low).min(likely));
        let high = usd.high.map(|high| with(high, self.high).max(likely));
        Range { low, likely, high }
    }
}

/// The 5th and 95th percentile of dollars a day over redrawn blocks.
fn range(blocks: &[(f64, f64)]) -> (f64, f64) {
    let draw = |round: u64| {
        let (usd, days) = (0..blocks.len() as u64).fold((0.0, 0.0), |(usd, days), place| {
            let number = hash::chain(hash::chain(hash::text("forecast"), round), place);
            let at = usize::try_from(number % blocks.len() as u64).expect("below a length");
            (usd + blocks[at].0, days + blocks[at].1)
        });
        usd / days
    };
    let mut rates: Vec<f64> = (0..DRAWS).map(draw).filter(|rate| rate.is_finite()).collect();
    rates.sort_by(f64::total_cmp);
    let at = |permille: usize| rates.get(rates.len() * permille / 1_000).copied().unwrap_or(0.0);
    (at(50), at(949))
}
