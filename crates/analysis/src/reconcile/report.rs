//! The provider's side: what its reports say, each bucket once, by day.
//!
//! Reports overlap: the same week fetched twice, once by model and once by key, or by the hour and
//! by the day. Of two divisions of the same usage the finer one counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scrimp_core::{Aggregate, Parts, Span, Tier, Time, Usage, UsageState, Usd};

use super::tokens::Told;
use crate::report::plural;

const DAY: Span = Span::from_hours(24);

/// What was read of one file.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The file's name, for notes.
    pub name: &'a str,
    /// Its sums.
    pub sums: &'a [Aggregate],
}

/// Whom the provider bills, as far as its reports say.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Account {
    pub(super) project: Option<Arc<str>>,
    pub(super) key: Option<Arc<str>>,
}

/// What was used.
#[derive(Clone, Debug)]
pub(super) struct Used {
    pub(super) day: usize,
    pub(super) model: Arc<str>,
    pub(super) account: Account,
    pub(super) tier: Tier,
    pub(super) long: bool,
    pub(super) usage: Usage,
    pub(super) calls: Option<u64>,
}

/// What was charged.
#[derive(Clone, Debug)]
pub(super) struct Charged {
    pub(super) day: usize,
    pub(super) of: Parts,
    pub(super) usd: Usd,
}

/// A day of the reports, or a longer bucket that is not divided into days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) from: Time,
    pub(super) until: Time,
    pub(super) has_tokens: bool,
    pub(super) has_money: bool,
}

/// What the reports of tokens are divided by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Divided {
    pub(super) accounts: bool,
    pub(super) tier: bool,
    pub(super) long: bool,
}

/// All reports of one provider together.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) provider: Arc<str>,
    /// In order; days that no report covers are among them, with neither tokens nor money.
    pub(super) days: Vec<Day>,
    pub(super) used: Vec<Used>,
    pub(super) charged: Vec<Charged>,
    pub(super) divided: Divided,
    pub(super) told: Told,
    pub(super) notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Tokens,
    Money,
    /// Amounts below nothing: they stay apart where nothing else tells them from others.
    Back,
}

/// A bucket's row, by what makes it the same row in another file.
type Place = (Kind, Time, Time, Parts);

/// The rows of a day by how their files divide it.
type Divisions<'r> = BTreeMap<Shape, Vec<&'r Place>>;

/// How a file divides a kind of sums: the length of its buckets, and which parts it names.
type Shape = (Span, [bool; 6]);

#[derive(Clone, Debug)]
struct Row {
    file: usize,
    usage: Usage,
    calls: Option<u64>,
    usd: Usd,
}

/// Each provider's side.
pub(super) fn sides(reports: &[Report<'_>]) -> Vec<Side> {
    let of = |report: &Report<'_>| report.sums.iter().map(|sum| sum.provider.clone()).collect();
    let names: BTreeSet<Arc<str>> = reports.iter().flat_map(|r| -> Vec<_> { of(r) }).collect();
    names.into_iter().map(|provider| side(&provider, reports)).collect()
}

fn side(provider: &Arc<str>, reports: &[Report<'_>]) -> Side {
    let (mut rows, mut shapes) = (BTreeMap::new(), BTreeMap::new());
    let (mut repeated, mut suspect) = (0, 0);
    for (file, report) in reports.iter().enumerate() {
        let sums: Vec<&Aggregate> =
            report.sums.iter().filter(|sum| sum.provider == *provider).collect();
        suspect += sums.iter().filter(|sum| sum.metering.suspect).count() as u64;
        let of_file = rows_of(file, &sums);
        note_shapes(file, &of_file, &mut shapes);
        for (place, row) in of_file {
            match rows.get_mut(&place) {
                None => drop(rows.insert(place, row)),
                Some(known) => {
                    repeated += 1;
                    // Today's bucket grows until the day is over.
                    if grown(known) < grown(&row) {
                        *known = row;
                    }
                }
            }
        }
    }
    let (days, mut notes) = days(&rows);
    let dropped = choose(&mut rows, &shapes, &days);
    let mut say = |count: u64, what: &str| {
        if 0 < count {
            notes.push(format!("{} {what}", plural(count, "line")));
        }
    };
    say(repeated, "of the reports stood in several files: counted once");
    say(dropped, "left out: a finer report divides the same usage");
    say(suspect, "with numbers that cannot be, which are left out");
    collect(provider, days, rows, notes)
}

/// A file's rows, those of one place together: a file may be divided by more than is read of it.
fn rows_of(file: usize, sums: &[&Aggregate]) -> BTreeMap<Place, Row> {
    let is_empty = |sum: &Aggregate| sum.calls == Some(0) && sum.of == Parts::default();
    let has_tokens = |sum: &Aggregate| sum.metering.state != UsageState::Unknown;
    let told = || sums.iter().filter(|sum| !is_empty(sum));
    // A bucket in which nothing was used does not say of what it is nothing.
    let tells_money = told().any(|sum| sum.usd.is_some());
    let tells_tokens = told().any(|sum| has_tokens(sum)) || !tells_money;
    let mut rows: BTreeMap<Place, Row> = BTreeMap::new();
    for sum in sums {
        let is_back = sum.usd.is_some_and(|usd| usd < Usd::ZERO);
        let money = if is_back { Kind::Back } else { Kind::Money };
        let kinds = [
            (Kind::Tokens, tells_tokens && has_tokens(sum)),
            (money, tells_money && sum.usd.is_some()),
        ];
        for (kind, _) in kinds.into_iter().filter(|(_, tells)| *tells) {
            let place = (kind, sum.from, sum.until, sum.of.clone());
            let empty = Row { file, usage: Usage::ZERO, calls: None, usd: Usd::ZERO };
            let row = rows.entry(place).or_insert(empty);
            row.usage += sum.metering.usage;
            row.calls = match (row.calls, sum.calls) {
                (Some(known), Some(more)) => Some(known.saturating_add(more)),
                (known, more) => known.or(more),
            };
            row.usd += sum.usd.unwrap_or_default();
        }
    }
    rows
}

fn grown(row: &Row) -> (u64, Usd) {
    (row.usage.input().saturating_add(row.usage.total_output()), row.usd)
}

fn named(of: &Parts) -> [bool; 6] {
    let Parts { model, project, key, user, tier, item } = of;
    [model, project, key, user, tier, item].map(Option::is_some)
}

fn note_shapes(
    file: usize,
    rows: &BTreeMap<Place, Row>,
    shapes: &mut BTreeMap<(usize, Kind), Shape>,
) {
    for (kind, from, until, of) in rows.keys() {
        let (width, parts) = shapes.entry((file, *kind)).or_default();
        *width = until.since(*from);
        for (known, named) in parts.iter_mut().zip(named(of)) {
            *known |= named;
        }
    }
}

/// The days that the buckets lie in, with those between them. Buckets of hours make days that begin
/// when those of the other buckets do.
fn days(rows: &BTreeMap<Place, Row>) -> (Vec<Day>, Vec<String>) {
    let places = || rows.keys();
    let whole = places().filter(|(_, from, until, _)| until.since(*from) == DAY);
    let mut phases: BTreeMap<Span, usize> = BTreeMap::new();
    for (_, from, ..) in whole {
        *phases.entry(from.since(from.floor(DAY))).or_default() += 1;
    }
    let phase = phases.iter().max_by_key(|(_, count)| **count).map_or(Span::ZERO, |(p, _)| *p);
    let mut spans: BTreeMap<Time, (Time, [bool; 2])> = BTreeMap::new();
    for (kind, from, until, _) in places() {
        let is_part = until.since(*from) < DAY;
        let begin = if is_part { (*from - phase).floor(DAY) + phase } else { *from };
        let end = if is_part { begin + DAY } else { *until };
        let (known, kinds) = spans.entry(begin).or_insert((end, [false; 2]));
        *known = (*known).min(end);
        kinds[usize::from(*kind != Kind::Tokens)] = true;
    }
    let mut notes = Vec::new();
    if 1 < phases.len() {
        notes.push(
            "the reports' days begin at different times: figures by day are of the one that most \
             begin at"
                .to_owned(),
        );
    }
    let mut days: Vec<Day> = Vec::new();
    for (from, (until, [has_tokens, has_money])) in spans {
        let mut gap = days.last().map_or(from, |last| last.until);
        if from < gap {
            // Buckets overlap; each moment belongs to the first of them.
            continue;
        }
        while gap < from {
            let until = (gap + DAY).min(from);
            days.push(Day { from: gap, until, has_tokens: false, has_money: false });
            gap = until;
        }
        days.push(Day { from, until, has_tokens, has_money });
    }
    (days, notes)
}

/// The day that holds a moment.
pub(super) fn day_at(days: &[Day], at: Time) -> Option<usize> {
    let after = days.partition_point(|day| day.from <= at);
    let day = after.checked_sub(1)?;
    (at < days[day].until).then_some(day)
}

/// Leaves of several divisions of a day the finest one. Returns how many rows were dropped.
fn choose(
    rows: &mut BTreeMap<Place, Row>,
    shapes: &BTreeMap<(usize, Kind), Shape>,
    days: &[Day],
) -> u64 {
    let shape = |kind: Kind, row: &Row| shapes[&(row.file, kind)];
    let mut by_day: BTreeMap<(Kind, Option<usize>), Divisions<'_>> = BTreeMap::new();
    for (place, row) in rows.iter() {
        let (kind, from, ..) = place;
        let shapes = by_day.entry((*kind, day_at(days, *from))).or_default();
        shapes.entry(shape(*kind, row)).or_default().push(place);
    }
    let mut dropped: Vec<Place> = Vec::new();
    for shapes in by_day.values().filter(|shapes| 1 < shapes.len()) {
        let size = |places: &[&Place]| {
            places.iter().map(|place| grown(&rows[*place]).0).fold(0, u64::saturating_add)
        };
        let fineness = |((width, parts), places): &(&Shape, &Vec<&Place>)| {
            (parts.iter().filter(|part| **part).count(), std::cmp::Reverse(*width), size(places))
        };
        let Some((kept, finest)) = shapes.iter().max_by_key(fineness) else { continue };
        for (_, others) in shapes.iter().filter(|(shape, _)| *shape != kept) {
            if !are_apart(finest, others) {
                dropped.extend(others.iter().map(|place| (*place).clone()));
            }
        }
    }
    for place in &dropped {
        rows.remove(place);
    }
    dropped.len() as u64
}

/// Whether two reports are of different things: both name a part, and never the same.
fn are_apart(one: &[&Place], other: &[&Place]) -> bool {
    [0, 1, 2].into_iter().any(|part| {
        let names = |places: &[&Place]| -> Option<BTreeSet<Arc<str>>> {
            let of = |(.., of): &&Place| [&of.project, &of.key, &of.model][part].clone();
            places.iter().map(of).collect()
        };
        match (names(one), names(other)) {
            (Some(one), Some(other)) => one.is_disjoint(&other),
            _ => false,
        }
    })
}

fn collect(
    provider: &Arc<str>,
    days: Vec<Day>,
    rows: BTreeMap<Place, Row>,
    notes: Vec<String>,
) -> Side {
    let mut of_no_model = 0;
    let mut side = Side {
        provider: provider.clone(),
        days,
        used: Vec::new(),
        charged: Vec::new(),
        divided: Divided::default(),
        told: Told::default(),
        notes,
    };
    for ((kind, from, _, of), Row { usage, calls, usd, .. }) in rows {
        let Some(day) = day_at(&side.days, from) else { continue };
        match kind {
            Kind::Money | Kind::Back if usd == Usd::ZERO => {}
            Kind::Money | Kind::Back => side.charged.push(Charged { day, of, usd }),
            Kind::Tokens if usage == Usage::ZERO && calls.unwrap_or(0) == 0 => {}
            Kind::Tokens => {
                let long = of.item.as_deref().is_some_and(|item| item.starts_with("200k"));
                side.divided.accounts |= of.project.is_some() || of.key.is_some();
                side.divided.tier |= of.tier.is_some();
                side.divided.long |= long;
                side.told.see(&usage);
                let tier = tier(of.tier.as_deref());
                let account = Account { project: of.project, key: of.key };
                let Some(model) = of.model else {
                    of_no_model += 1;
                    continue;
                };
                side.used.push(Used { day, model, account, tier, long, usage, calls });
            }
        }
    }
    if 0 < of_no_model {
        side.notes.push(format!(
            "{} of a usage report left out, because without a model they cannot be priced: ask for \
             it by model (`group_by`)",
            plural(of_no_model, "line")
        ));
        if side.used.is_empty() {
            side.days.iter_mut().for_each(|day| day.has_tokens = false);
        }
    }
    side
}

/// The tier that a report's word means. `priority_on_demand` and the like are billed by their own
/// price, which no list has: as standard.
pub(super) fn tier(word: Option<&str>) -> Tier {
    match word {
        Some("batch") => Tier::Batch,
        Some("flex") => Tier::Flex,
        Some("priority") => Tier::Priority,
        Some(_) | None => Tier::Standard,
    }
}
