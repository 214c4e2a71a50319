//! Whether a report's days are those of another time zone than it says.
//!
//! A day's report must hold everything that was measured on that day, and where nothing passed by it
//! holds nothing else. If it does not, and if days that begin at another hour do, then they begin
//! there. Reports of money alone have no such test, since a discount makes every day smaller; their
//! days are compared in proportion.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_core::{Span, Time, Usage, Usd};

use super::books::{Books, SLOT, bare};
use super::report::{Side, day_at};

/// UTC−12 to UTC+14, in quarters of an hour.
const OFFSETS: std::ops::RangeInclusive<i64> = -48..=56;
/// Smaller troubles than this share are no sign of another zone.
const LEAST_TROUBLE: f64 = 0.005;
/// What was measured and is not in the report of its day is a sign sooner, if all of it is in the
/// report of another zone's day.
const LEAST_LACKING: f64 = 0.002;
/// Another zone must take away all but this share of the trouble.
const REMAINING: f64 = 0.5;
/// A zone that is no whole hour from UTC must take away more than this share of what the best other
/// leaves.
const ODD: f64 = 0.5;
/// Zones whose troubles differ by less than this share of all that was used fit alike.
const MARGIN: f64 = 0.000_5;
/// A day and model that differs by more than this share has usage that passed by, and its size tells
/// nothing.
const PASSED_BY: f64 = 0.05;

/// A measure (tokens, or dollars) of each day and model, the models of a day side by side.
type Measures = Vec<f64>;

/// Quarters of an hour and models, by number, with a measure.
type Slots = Vec<(Time, usize, f64)>;

/// How far each report's days are from those that it names: positive to the east of UTC. Whoever
/// asks several providers asks them alike, so one zone is looked for, and each report is of it or of
/// UTC.
pub(super) fn find(sides: &[Side], books: &Books, called: Option<&str>) -> Vec<Span> {
    let of = |side: &Side| fits(side, books, called.unwrap_or(&side.provider));
    let all: Vec<Fits> = sides.iter().map(of).collect();
    let together = |quarters: i64| all.iter().map(|fits| fits.at(quarters).sum()).sum::<f64>();
    let best = |offsets: &mut dyn Iterator<Item = i64>| {
        // Where the nights are quiet several zones fit alike: the nearest to UTC.
        let least = |one: &(f64, i64), other: &(f64, i64)| {
            let alike = (one.0 - other.0).abs() <= MARGIN;
            let nearer = one.1.abs().cmp(&other.1.abs());
            if alike { nearer } else { one.0.total_cmp(&other.0) }
        };
        offsets.map(|quarters| (together(quarters), quarters)).min_by(least).unwrap_or((0.0, 0))
    };
    let (mut trouble, mut quarters) = best(&mut OFFSETS.filter(|quarters| quarters % 4 == 0));
    let (least, odd) = best(&mut OFFSETS.clone());
    if least < ODD * trouble - MARGIN {
        (trouble, quarters) = (least, odd);
    }
    let is_found = trouble <= REMAINING * together(0) && LEAST_TROUBLE < together(0);
    let offset = |fits: &Fits| {
        let (named, found) = (fits.at(0), fits.at(quarters));
        let vanishes = LEAST_LACKING < named.lacking && found.lacking < named.lacking / 20.0;
        let better = found.sum() < named.sum() - LEAST_LACKING;
        (better && (is_found || vanishes)).then_some(quarters)
    };
    let found: Vec<Option<i64>> = all.iter().map(offset).collect();
    // Where one report is of another zone, another is too unless that speaks against it.
    let is_any = found.iter().any(Option::is_some);
    let may_be = |fits: &Fits| is_any && fits.at(quarters).sum() <= fits.at(0).sum();
    let of = |(fits, found): (&Fits, Option<i64>)| found.or(may_be(fits).then_some(quarters));
    let quarters = all.iter().zip(found).map(|pair| of(pair).unwrap_or(0));
    quarters.map(|quarters| Span::from_nanos(SLOT.nanos() * quarters)).collect()
}

/// What speaks against a zone, as shares of all that was used.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    /// Measured, and not in the report of its day.
    lacking: f64,
    /// Otherwise unlike.
    apart: f64,
}

/// A side's troubles with every zone; none where there is too little to tell.
struct Fits(BTreeMap<i64, Trouble>);

impl Fits {
    fn at(&self, quarters: i64) -> Trouble {
        self.0.get(&quarters).copied().unwrap_or_default()
    }
}

impl Trouble {
    fn sum(self) -> f64 {
        // A report that lacks what was measured cannot be of that day.
        3.0 * self.lacking + self.apart
    }
}

fn fits(side: &Side, books: &Books, called: &str) -> Fits {
    if side.days.len() < 2 {
        return Fits(BTreeMap::new());
    }
    let by_tokens = side.days.iter().any(|day| day.has_tokens);
    let mut view = View { side, books, called, by_tokens, models: BTreeMap::new() };
    let (certain, doubtful) = (view.certain(), view.doubtful());
    let reported = view.reported();
    let total: f64 = reported.iter().sum();
    if total <= 0.0 || certain.is_empty() {
        return Fits(BTreeMap::new());
    }
    let trouble = |quarters: i64| {
        let offset = Span::from_nanos(SLOT.nanos() * quarters);
        let mut ours = vec![0.0; reported.len()];
        view.add(&certain, offset, &mut ours);
        if !by_tokens {
            return Trouble { lacking: 0.0, apart: disproportion(&reported, &ours) / total };
        }
        let lacking = lacking(&reported, &ours) / total;
        view.add(&doubtful, offset, &mut ours);
        Trouble { lacking, apart: apart(&reported, &ours) / total }
    };
    Fits(OFFSETS.map(|quarters| (quarters, trouble(quarters))).collect())
}

/// Both sides as measures.
struct View<'a> {
    side: &'a Side,
    books: &'a Books,
    called: &'a str,
    by_tokens: bool,
    /// By number, in the order in which they were met.
    models: BTreeMap<Arc<str>, usize>,
}

impl View<'_> {
    fn model(&mut self, model: Arc<str>) -> usize {
        // What a line of a bill is of is not known yet: all models together.
        let model = if self.by_tokens { model } else { "".into() };
        let next = self.models.len();
        *self.models.entry(model).or_insert(next)
    }

    #[expect(clippy::cast_precision_loss, reason = "compared, never shown")]
    fn measure(&self, usage: &Usage, cost: Usd) -> f64 {
        match self.by_tokens {
            true => usage.input().saturating_add(usage.total_output()) as f64,
            false => cost.as_f64(),
        }
    }

    fn reported(&mut self) -> Measures {
        let mut rows = Vec::new();
        for used in &self.side.used {
            let model = self.model(bare(&used.model));
            rows.push((used.day, model, self.measure(&used.usage, Usd::ZERO)));
        }
        if !self.by_tokens {
            let model = self.model("".into());
            let charged = self.side.charged.iter().filter(|charged| 0 < charged.usd.pico());
            rows = charged.map(|charged| (charged.day, model, charged.usd.as_f64())).collect();
        }
        let mut measures = vec![0.0; self.side.days.len() * self.models.len()];
        for (day, model, measure) in rows {
            measures[day * self.models.len() + model] += measure;
        }
        measures
    }

    /// What is known for sure, by quarter of an hour and model.
    fn certain(&mut self) -> Slots {
        let mut slots: BTreeMap<(Time, usize), f64> = BTreeMap::new();
        for (slot, sums) in self.books.certain(self.called) {
            let model = self.model(self.books.label_of(slot).model.clone());
            *slots.entry((slot.at, model)).or_default() += self.measure(&sums.usage, sums.cost);
        }
        slots.into_iter().map(|((at, model), measure)| (at, model, measure)).collect()
    }

    /// What is not, as far as it was seen or estimated.
    fn doubtful(&mut self) -> Slots {
        let mut slots = Slots::new();
        for doubt in self.books.doubts(self.called) {
            let model = self.model(self.books.label_of(&doubt.slot).model.clone());
            slots.push((doubt.slot.at, model, self.measure(&doubt.usage, doubt.cost)));
        }
        slots
    }

    /// Adds to the days that a report covers, if they begin so far from those that it names.
    fn add(&self, slots: &Slots, offset: Span, measures: &mut Measures) {
        for (at, model, measure) in slots {
            if let Some(day) = day_at(&self.side.days, *at + offset)
                && (self.side.days[day].has_tokens || self.side.days[day].has_money)
            {
                measures[day * self.models.len() + model] += measure;
            }
        }
    }
}

/// What was measured and is not in the report of its day.
fn lacking(reported: &Measures, ours: &Measures) -> f64 {
    reported.iter().zip(ours).map(|(reported, ours)| (ours - reported).max(0.0)).sum()
}

/// How far days are from having the same on both sides, those with usage that passed by left out.
fn apart(reported: &Measures, ours: &Measures) -> f64 {
    let apart = |(reported, ours): (&f64, &f64)| (ours - reported).abs().min(PASSED_BY * reported);
    reported.iter().zip(ours).map(apart).sum()
}

/// How far days are from having equal shares on both sides.
fn disproportion(reported: &Measures, ours: &Measures) -> f64 {
    let (paid, computed): (f64, f64) = (reported.iter().sum(), ours.iter().sum());
    if computed <= 0.0 {
        return 0.0;
    }
    let apart = |(reported, ours): (&f64, &f64)| (reported - ours * paid / computed).abs();
    reported.iter().zip(ours).map(apart).sum()
}
