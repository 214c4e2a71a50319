//! One provider's two sides: what is compared, in which order.

use std::collections::BTreeMap;

use scrimp_core::{Span, Usd};

use super::books::Books;
use super::cell::{Cell, Key, Study};
use super::report::{Account, Side};
use super::summary::{Basis, Paid, Reconciled, Row};
use super::{Cause, Confidence, Line, Question, money, quantity};
use crate::report::day;

/// Sets a provider's reports against the books.
pub(super) fn provider(
    side: &Side,
    offset: Span,
    books: &Books,
    question: Question<'_>,
) -> Reconciled {
    let study = Study::new(side, offset, books, question);
    let cells = study.cells();
    let named = study.computed(Span::ZERO);
    let shifted = study.computed(study.offset);
    let mut quantity = quantity::lines(&study, &cells);
    let rows = rows(&study, &cells, &quantity);
    let prices = money::lines(&study, &cells, &mut quantity);
    let mut lines = days(&study, &named, &shifted);
    lines.extend(quantity);
    lines.extend(prices);
    let computed: Usd = named.into_iter().sum();
    let gap: Usd = lines.iter().map(|line| line.usd).sum();
    let days = || side.days.iter();
    let reported = || days().filter(|day| day.has_tokens || day.has_money);
    let basis = match (reported().all(|day| day.has_money), reported().any(|day| day.has_money)) {
        (true, _) => Basis::Paid,
        (false, true) => Basis::PartlyPaid,
        (false, false) => Basis::Listed,
    };
    let missing = days().filter(|day| !day.has_tokens && !day.has_money);
    let charged = side.charged.iter().zip(&study.claims).map(|(charged, claim)| Paid {
        day: side.days[charged.day].from,
        model: claim.model().cloned(),
        account: Account { project: charged.of.project.clone(), key: charged.of.key.clone() },
        usd: charged.usd,
    });
    Reconciled {
        provider: side.provider.clone(),
        from: side.days.first().map(|day| day.from),
        until: side.days.last().map(|day| day.until),
        days: reported().count() as u64,
        zone_minutes: study.offset.nanos() / 60_000_000_000,
        basis,
        paid: computed + gap,
        computed,
        gap,
        calls: study.calls(),
        missing_days: missing.map(|missing| day(missing.from)).collect(),
        money_days: days().filter(|day| day.has_money).map(|day| day.from).collect(),
        charged: charged.collect(),
        notes: notes(&study, &rows),
        rows,
        lines,
    }
}

/// What days alone account for: other days than UTC's, and days that no report covers.
fn days(study: &Study<'_>, named: &[Usd], shifted: &[Usd]) -> Vec<Line> {
    let mut lines = Vec::new();
    for ((day, named), shifted) in study.side.days.iter().zip(named).zip(shifted) {
        let zone = Line::new(Cause::TimeZone, Confidence::High, *shifted - *named, day.from);
        lines.push(zone.because(format!("days begin at {}", clock(study.offset))));
        if !day.has_tokens && !day.has_money {
            lines.push(Line::new(Cause::MissingDays, Confidence::High, -*shifted, day.from));
        }
    }
    lines.retain(|line| line.usd != Usd::ZERO);
    lines
}

/// `UTC+8`, `UTC−3:30`
pub(super) fn clock(offset: Span) -> String {
    let minutes = offset.nanos() / 60_000_000_000;
    let sign = if minutes < 0 { '−' } else { '+' };
    match (minutes.abs() / 60, minutes.abs() % 60) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

fn rows(study: &Study<'_>, cells: &BTreeMap<Key, Cell>, quantity: &[Line]) -> Vec<Row> {
    let mut rows: BTreeMap<_, Row> = BTreeMap::new();
    let place = |row: &Row| (row.day, row.model.clone(), row.project.clone(), row.key.clone());
    for (key, cell) in cells {
        let Account { project, key: own } = key.account.clone();
        let model = Some(key.model.clone());
        let day = study.side.days[key.day].from;
        let empty = Row { day, model, project, key: own, ..Row::default() };
        let row = rows.entry(place(&empty)).or_insert(empty);
        row.calls += cell.calls();
        row.computed += cell.computed();
        row.listed += cell.computed();
    }
    for line in quantity {
        let Line { day, model, project, key, usd, .. } = line.clone();
        if let Some(row) = rows.get_mut(&(day, model, project, key)) {
            row.listed += usd;
        }
    }
    rows.into_values().collect()
}

fn notes(study: &Study<'_>, rows: &[Row]) -> Vec<String> {
    let Study { side, books, called, offset, .. } = study;
    let mut notes = side.notes.clone();
    if *offset != Span::ZERO {
        notes.push(format!(
            "the report's days fit ours only if they begin at midnight of {}: they are compared \
             as such",
            clock(*offset)
        ));
    }
    if side.divided.accounts && !study.by_account {
        notes.push(
            "keys here could not be matched with the provider's: figures are of all keys together"
                .to_owned(),
        );
    }
    if rows.iter().all(|row| row.calls == 0) {
        let others: Vec<String> = books.providers().iter().map(ToString::to_string).collect();
        notes.push(match others.is_empty() {
            true => "no call of these days passed here".to_owned(),
            false => format!(
                "no call to `{called}` of these days passed here; the records have calls to {}",
                others.join(", ")
            ),
        });
    }
    let begins = books.period().map(|(first, _)| first);
    let before = |first: &scrimp_core::Time| {
        side.days.first().is_some_and(|day| day.from + Span::from_hours(24) <= *first)
    };
    if let Some(first) = begins.filter(before) {
        notes.push(format!(
            "the records begin on {}: what was used before did not pass here",
            day(first)
        ));
    }
    if 0 < books.by_day_only() {
        notes.push(format!(
            "{} are known by the day only, their records are gone: whether they broke off is not \
             known",
            crate::report::plural(books.by_day_only(), "call")
        ));
    }
    notes
}
