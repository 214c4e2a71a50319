//! Whether a report's days are those of another time zone than it says.
//!
//! A day's report must hold everything that was measured on that day. If it does not, and if days
//! that begin at another hour do, then they begin there. Reports of money alone have no such test,
//! since a discount makes every day smaller; their days are compared in proportion.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_core::{Span, Time};

use super::books::{Books, SLOT};
use super::report::{Side, day_at};

/// UTC−12 to UTC+14.
const OFFSETS: std::ops::RangeInclusive<i64> = -48..=56;
/// Smaller troubles than this share are no sign of another zone.
const LEAST_TROUBLE: f64 = 0.005;
/// Another zone must take away all but this share of the trouble.
const REMAINING: f64 = 0.4;

/// Days and models with a measure: tokens, or pico-dollars.
type Measures = BTreeMap<(usize, Arc<str>), f64>;

/// How far the report's days are from those that it names: positive to the east of UTC.
pub(super) fn find(side: &Side, books: &Books, called: &str) -> Span {
    if side.days.len() < 2 {
        return Span::ZERO;
    }
    let by_tokens = side.days.iter().any(|day| day.has_tokens);
    let reported = if by_tokens { tokens(side) } else { dollars(side) };
    let slots = slots(books, called, by_tokens);
    let trouble = |quarters: i64| {
        let offset = Span::from_nanos(SLOT.nanos() * quarters);
        let ours = at(side, &slots, offset);
        if by_tokens { lacking(&reported, &ours) } else { disproportion(&reported, &ours) }
    };
    let total: f64 = reported.values().sum();
    let as_said = trouble(0);
    if as_said <= LEAST_TROUBLE * total {
        return Span::ZERO;
    }
    let mut offsets: Vec<i64> = OFFSETS.collect();
    // Where the nights are quiet several zones fit alike: the nearest to UTC, whole hours first.
    offsets.sort_by_key(|quarters| (quarters % 4 != 0, quarters.abs()));
    let all: Vec<(f64, i64)> = offsets.into_iter().map(|q| (trouble(q), q)).collect();
    let least = all.iter().map(|(trouble, _)| *trouble).fold(f64::INFINITY, f64::min);
    let margin = least + LEAST_TROUBLE * 0.02 * total;
    let best = all.iter().find(|(trouble, _)| *trouble <= margin);
    match best {
        Some((trouble, quarters)) if *trouble <= REMAINING * as_said => {
            Span::from_nanos(SLOT.nanos() * quarters)
        }
        _ => Span::ZERO,
    }
}

#[expect(clippy::cast_precision_loss, reason = "compared, never shown")]
fn tokens(side: &Side) -> Measures {
    let mut measures = Measures::new();
    for used in &side.used {
        let tokens = used.usage.input().saturating_add(used.usage.total_output());
        *measures.entry((used.day, super::books::bare(&used.model))).or_default() += tokens as f64;
    }
    measures
}

/// Of all models together: what a line of a bill is of is not known yet.
fn dollars(side: &Side) -> Measures {
    let mut measures = Measures::new();
    for charged in side.charged.iter().filter(|charged| 0 < charged.usd.pico()) {
        *measures.entry((charged.day, "".into())).or_default() += charged.usd.as_f64();
    }
    measures
}

/// What is known for sure, by quarter of an hour and model.
#[expect(clippy::cast_precision_loss, reason = "compared, never shown")]
fn slots(books: &Books, called: &str, by_tokens: bool) -> Vec<(Time, Arc<str>, f64)> {
    let mut slots: BTreeMap<(Time, Arc<str>), f64> = BTreeMap::new();
    for (slot, sums) in books.certain(called) {
        let (model, measure) = match by_tokens {
            true => {
                let tokens = sums.usage.input().saturating_add(sums.usage.total_output());
                (books.label_of(slot).model.clone(), tokens as f64)
            }
            false => ("".into(), sums.cost.as_f64()),
        };
        *slots.entry((slot.at, model)).or_default() += measure;
    }
    slots.into_iter().map(|((at, model), measure)| (at, model, measure)).collect()
}

fn at(side: &Side, slots: &[(Time, Arc<str>, f64)], offset: Span) -> Measures {
    let mut measures = Measures::new();
    for (at, model, measure) in slots {
        if let Some(day) = day_at(&side.days, *at + offset)
            && (side.days[day].has_tokens || side.days[day].has_money)
        {
            *measures.entry((day, model.clone())).or_default() += measure;
        }
    }
    measures
}

/// What was measured and is not in the report of its day.
fn lacking(reported: &Measures, ours: &Measures) -> f64 {
    let has = |place| reported.get(place).copied().unwrap_or_default();
    ours.iter().map(|(place, measured)| (measured - has(place)).max(0.0)).sum()
}

/// How far days are from having equal shares on both sides.
fn disproportion(reported: &Measures, ours: &Measures) -> f64 {
    let (paid, computed): (f64, f64) = (reported.values().sum(), ours.values().sum());
    if computed <= 0.0 {
        return 0.0;
    }
    let places: std::collections::BTreeSet<_> = reported.keys().chain(ours.keys()).collect();
    let of = |measures: &Measures, place| measures.get(place).copied().unwrap_or_default();
    let apart = |place| (of(reported, place) - of(ours, place) * paid / computed).abs();
    places.into_iter().map(apart).sum()
}
