//! Differences of price: what was charged beside what the tokens cost by list.
//!
//! Where a report tells the tokens, everything beside their list price is a matter of price. Where
//! it tells money alone, the factor that most days have is the price, and what is above it was used
//! beside what passed here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scrimp_core::price::Terms;
use scrimp_core::{Tier, Usd};

use super::cell::{Cell, Key, Study};
use super::claims::Claim;
use super::fit::{self, ONE, Part};
use super::halved::{self, Day, Kind};
use super::report::{Charged, tier};
use super::{Cause, Confidence, Line};

/// Halves are not met to the digit where other things passed by, too.
const HALF: f64 = 0.51;

/// What a day's tokens of a model, or of all models, cost by list and were charged.
#[derive(Clone, Debug, Default)]
struct Bill {
    computed: Usd,
    list: Usd,
    paid: Usd,
    /// Of the list price: what passed by.
    passed: Usd,
    /// That by model and key.
    passed_of: BTreeMap<Kind, Usd>,
    /// How much more all that is not measured may cost if it was written to a cache, where the
    /// report does not tell that.
    writes: Usd,
    /// Calls in doubt, at their estimates.
    doubts: BTreeMap<Cause, Usd>,
    unpriced: bool,
    is_told: bool,
    rows: u64,
}

type Place = (usize, Option<Arc<str>>);
type Bills = BTreeMap<Place, Bill>;

/// The lines of every day of which a report tells the money. Lines of quantity are given new
/// causes where only the price shows them.
pub(super) fn lines(
    study: &Study<'_>,
    cells: &BTreeMap<Key, Cell>,
    quantity: &mut [Line],
) -> Vec<Line> {
    let is_whole = study.claims.contains(&Claim::Total);
    let mut bills = Bills::new();
    for (charged, claim) in study.side.charged.iter().zip(&study.claims) {
        if is_batch_alone(study, charged, claim) {
            continue;
        }
        if matches!(claim, Claim::Tokens(_) | Claim::Total) {
            let model = claim.model().filter(|_| !is_whole).cloned();
            let bill = bills.entry((charged.day, model)).or_default();
            bill.paid += charged.usd;
            bill.rows += 1;
        }
    }
    let mut lines = apart(study, cells);
    for (key, cell) in cells.iter().filter(|(key, _)| study.side.days[key.day].has_money) {
        if study.is_charged_apart(key) {
            continue;
        }
        let model = (!is_whole).then(|| key.model.clone());
        let bill = bills.entry((key.day, model)).or_default();
        bill.add(study, key, cell);
    }
    for line in quantity.iter() {
        note_quantity(study, line, is_whole, &mut bills);
    }
    let pricing = Pricing::of(study, &bills);
    lines.extend(pricing.lines(study, &bills, quantity));
    lines.extend(pricing.batches(study));
    lines.retain(|line| !line.is_empty());
    lines
}

/// Whether a line is for batches, and no report tells their tokens.
fn is_batch_alone(study: &Study<'_>, charged: &Charged, claim: &Claim) -> bool {
    let Claim::Tokens(model) = claim else { return false };
    let words = charged.of.item.as_deref().unwrap_or_default().to_lowercase();
    let is_batch = tier(charged.of.tier.as_deref()) == Tier::Batch || words.contains("batch");
    is_batch && !study.is_told(charged.day, model)
}

/// What is charged and follows no tokens, and tokens that are charged elsewhere.
fn apart(study: &Study<'_>, cells: &BTreeMap<Key, Cell>) -> Vec<Line> {
    let from = |day: usize| study.side.days[day].from;
    let mut lines = Vec::new();
    for (charged, claim) in study.side.charged.iter().zip(&study.claims) {
        let cause = match claim {
            Claim::Credit => Cause::Credit,
            Claim::Commitment => Cause::Commitment,
            Claim::Service => Cause::Service,
            Claim::Tokens(_) | Claim::Total => continue,
        };
        let line = Line::new(cause, Confidence::High, charged.usd, from(charged.day));
        let line = Line { project: charged.of.project.clone(), ..line };
        lines.push(match &charged.of.item {
            Some(words) => line.because(words.clone()),
            None => line,
        });
    }
    for (key, cell) in cells.iter().filter(|(key, _)| study.is_charged_apart(key)) {
        let line = Line::new(Cause::Commitment, Confidence::High, -cell.computed(), from(key.day));
        let line = line.of_model(Some(key.model.clone()));
        lines.push(line.because("the priority tier is paid by commitment, in no cost report"));
    }
    lines
}

impl Bill {
    fn add(&mut self, study: &Study<'_>, key: &Key, cell: &Cell) {
        self.computed += cell.computed();
        self.list += cell.computed();
        self.is_told |= study.is_told(key.day, &key.model);
        let rates = study.rates(key, cell.reported.as_ref());
        let has_tokens = cell.reported.is_some() || 0 < cell.certain.calls;
        self.unpriced |= 0 < cell.certain.unpriced || (has_tokens && rates.is_none());
        for ((cause, _), doubted) in &cell.doubts {
            *self.doubts.entry(*cause).or_default() += doubted.cost;
        }
        if let (Some(rates), Some(reported)) = (rates, &cell.reported)
            && !study.side.told.writes
        {
            let unmeasured = reported.usage.beyond(&cell.certain.usage).uncached;
            let dearest = rates.cache_write_short.unwrap_or(rates.input).max(rates.input);
            self.writes += dearest.times(unmeasured) - rates.input.times(unmeasured);
        }
    }

    /// What most of the tokens that were not measured belong to.
    fn least_known(&self) -> Cause {
        let doubts = self.doubts.iter().map(|(cause, usd)| (*usd, *cause));
        let passed = (self.passed, Cause::Bypassed);
        doubts.chain([passed]).max().map_or(Cause::Bypassed, |(_, cause)| cause)
    }

    fn part(&self) -> Part {
        // Without tokens, calls in doubt may have cost much more or less than their estimate.
        let loose = match self.is_told {
            true => self.writes,
            false => self.doubts.values().copied().sum::<Usd>().scaled(1, 3),
        };
        Part { list: self.list, paid: self.paid, loose }
    }
}

fn note_quantity(study: &Study<'_>, line: &Line, is_whole: bool, bills: &mut Bills) {
    let Some(day) = super::report::day_at(&study.side.days, line.day) else { return };
    if !study.side.days[day].has_money || line.cause == Cause::Commitment {
        return;
    }
    let model = line.model.clone().filter(|_| !is_whole);
    let bill = bills.entry((day, model)).or_default();
    bill.list += line.usd;
    if line.cause == Cause::Bypassed {
        bill.passed += line.usd;
        if let Some(model) = &line.model {
            *bill.passed_of.entry((model.clone(), line.key.clone())).or_default() += line.usd;
        }
    }
}

/// The factors that a bill has, and how coarse its amounts are.
struct Pricing {
    all: Option<u64>,
    /// Each with whether days show it on which nothing passed by.
    of_model: BTreeMap<Arc<str>, (u64, bool)>,
    /// Models and keys of which all that passed by was charged half.
    halved: BTreeSet<Kind>,
    /// Whether another factor would have left another part of what passed by to be half.
    is_between: bool,
    /// Half of the last digit that amounts have.
    half_unit: Usd,
}

impl Pricing {
    fn of(study: &Study<'_>, bills: &Bills) -> Pricing {
        let parts = |keep: &dyn Fn(&Bill) -> bool| -> Vec<Part> {
            bills.values().filter(|bill| keep(bill)).map(Bill::part).collect()
        };
        // Where tiers are told, what passed by has its price like anything else.
        let is_plain = |bill: &Bill| study.side.divided.tier || bill.passed == Usd::ZERO;
        let told = |bill: &Bill| bill.is_told && is_plain(bill) && !bill.unpriced;
        let days = whole_days(study, bills);
        let halved = halved::find(&days);
        let between = halved::between(&days);
        let all = (halved.as_ref().map(|(factor, _)| *factor))
            .or_else(|| fit::factor(&parts(&told)))
            .or(between)
            .or_else(|| fit::factor(&parts(&|bill| bill.is_told && !bill.unpriced)))
            .or_else(|| fit::factor(&parts(&|bill| !bill.unpriced)));
        let models = bills.keys().filter_map(|(_, model)| model.clone());
        let of_model = |model: Arc<str>| {
            let of = |place: &Place| place.1.as_ref() == Some(&model);
            let mine = || bills.iter().filter(|(place, bill)| of(place) && bill.is_told);
            let odd = |bill: &Bill| all.is_none_or(|all| !fit::has(&bill.part(), all));
            let odd: Vec<&Bill> = mine().map(|(_, bill)| bill).filter(|b| odd(b)).collect();
            let parts = |passed: bool| -> Vec<Part> {
                let kept = odd.iter().filter(|bill| passed || bill.passed == Usd::ZERO);
                kept.map(|bill| bill.part()).collect()
            };
            let is_enough = |parts: &Vec<Part>| 1 < parts.len() || mine().count() == 1;
            let factor =
                |passed| Some(parts(passed)).filter(is_enough).and_then(|p| fit::factor(&p));
            let factor =
                (factor(false).map(|own| (own, true))).or(factor(true).map(|own| (own, false)))?;
            Some((model, factor))
        };
        let half_unit = half_unit(study.side.charged.iter().map(|charged| charged.usd));
        let halved = halved.map(|(_, kinds)| kinds).unwrap_or_default();
        let is_between = between.is_some() && halved.is_empty();
        let of_model = models.filter_map(of_model).collect();
        Pricing { all, of_model, halved, is_between, half_unit }
    }

    fn lines(&self, study: &Study<'_>, bills: &Bills, quantity: &mut [Line]) -> Vec<Line> {
        let mut lines = Vec::new();
        for ((day, model), bill) in bills {
            let at = study.side.days[*day].from;
            let line = |cause, confidence, usd| {
                Line::new(cause, confidence, usd, at).of_model(model.clone())
            };
            let priced = match bill.is_told {
                true => self.told(study, model.as_ref(), bill, &line),
                false => self.alone(bill, &line),
            };
            for line in priced {
                if line.cause == Cause::Batch {
                    lines.extend(halve(&line, bill, quantity));
                }
                lines.push(line);
            }
        }
        lines
    }

    /// Lines for batches whose tokens no report tells.
    fn batches(&self, study: &Study<'_>) -> Vec<Line> {
        let factor = self.all.unwrap_or(ONE);
        let alone = study.side.charged.iter().zip(&study.claims);
        let alone = alone.filter(|(charged, claim)| is_batch_alone(study, charged, claim));
        let lines = |(charged, claim): (&Charged, &Claim)| {
            let line = |cause, usd| {
                let line =
                    Line::new(cause, Confidence::Medium, usd, study.side.days[charged.day].from);
                line.of_model(claim.model().cloned())
            };
            let list = charged.usd.scaled(ONE, factor);
            let discounted = line(Cause::Discount, charged.usd - list);
            [line(Cause::Batch, list), discount(discounted, factor)]
        };
        alone.flat_map(lines).collect()
    }

    /// What is beside the list price of tokens that the report tells.
    fn told(
        &self,
        study: &Study<'_>,
        model: Option<&Arc<str>>,
        bill: &Bill,
        line: &dyn Fn(Cause, Confidence, Usd) -> Line,
    ) -> Vec<Line> {
        let rest = bill.paid - bill.list;
        let factor = self.all.unwrap_or(ONE);
        let name = model.map_or("a model", |model| model);
        if bill.unpriced {
            let why = format!("no price is known here for {name}");
            return vec![line(Cause::Price, Confidence::High, rest).because(why)];
        }
        if bill.paid == Usd::ZERO && bill.rows == 0 {
            let cause = if self.is_rounding(bill, rest) { Cause::Rounding } else { Cause::Credit };
            let line = line(cause, Confidence::Medium, rest);
            return vec![line.because("tokens that no line of the bill charges")];
        }
        if !self.halved.is_empty() {
            return self.halved(bill, line);
        }
        let exact = Part { loose: Usd::ZERO, ..bill.part() };
        if factor != ONE && fit::has(&exact, factor) {
            return vec![discount(line(Cause::Discount, Confidence::High, rest), factor)];
        }
        let expected = bill.list.scaled(factor, ONE);
        let discounted = line(Cause::Discount, Confidence::High, expected - bill.list);
        let rest = bill.paid - expected;
        let passed = bill.passed.scaled(factor, ONE).as_f64();
        let is_part_batch = || -HALF * passed <= rest.as_f64() && rest < Usd::ZERO;
        let writes = bill.writes.scaled(factor, ONE);
        let own = model.and_then(|model| self.of_model.get(model)).copied();
        let own = own.filter(|(own, _)| fit::has(&exact, *own));
        let other_price = |own| {
            let why = price_of(study, name, own, factor);
            line(Cause::Price, Confidence::High, rest).because(why)
        };
        let has_passed = Usd::ZERO < bill.passed;
        let is_halved = !study.side.divided.tier && has_passed && is_part_batch();
        if is_halved && !own.is_some_and(|(_, is_plain)| is_plain) && !self.is_rounding(bill, rest)
        {
            // By list it is half, and the factor is on that half.
            let halved = line(Cause::Batch, Confidence::Medium, rest.scaled(ONE, factor));
            let halved = match self.is_between {
                true => halved.or(Cause::Discount, "the bill is one sum of each day"),
                false => halved,
            };
            let discounted = Line { usd: discounted.usd + rest - halved.usd, ..discounted };
            return vec![discount(discounted, factor), halved];
        }
        let named = match own {
            _ if self.is_rounding(bill, rest) => line(Cause::Rounding, Confidence::High, rest),
            Some((own, true)) => other_price(own),
            _ if rest.pico().abs() <= writes.pico() => {
                let why = "cache writes, which the report of tokens does not tell apart";
                line(bill.least_known(), Confidence::Medium, rest).because(why)
            }
            Some((own, false)) => other_price(own),
            None => line(Cause::Unexplained, Confidence::Low, rest),
        };
        vec![discount(discounted, factor), named]
    }

    /// What is beside the list price of a day on which whole models' batches were charged half.
    fn halved(&self, bill: &Bill, line: &dyn Fn(Cause, Confidence, Usd) -> Line) -> Vec<Line> {
        let factor = self.all.unwrap_or(ONE);
        let list = bill.list - halved::half(&bill.passed_of, &self.halved);
        let expected = list.scaled(factor, ONE);
        let rest = bill.paid - expected;
        let mut lines =
            vec![discount(line(Cause::Discount, Confidence::High, expected - list), factor)];
        let batches = bill.passed_of.iter().filter(|(kind, _)| self.halved.contains(*kind));
        lines.extend(batches.map(|((model, key), usd)| {
            let batch = line(Cause::Batch, Confidence::Medium, -usd.scaled(1, 2));
            Line { key: key.clone(), ..batch.of_model(Some(model.clone())) }
        }));
        let cause = match self.is_rounding(bill, rest) {
            true => Cause::Rounding,
            false => bill.least_known(),
        };
        lines.push(line(cause, Confidence::Medium, rest));
        lines
    }

    /// What is beside what was computed, where the report tells money alone.
    fn alone(&self, bill: &Bill, line: &dyn Fn(Cause, Confidence, Usd) -> Line) -> Vec<Line> {
        let all = bill.paid - bill.computed;
        if bill.unpriced {
            return vec![
                line(Cause::Price, Confidence::Low, all).because("no price is known here"),
            ];
        }
        let factor = self.all.unwrap_or(ONE);
        let exact = Part { loose: Usd::ZERO, ..bill.part() };
        if fit::has(&exact, factor) && factor != ONE {
            return vec![discount(line(Cause::Discount, Confidence::Medium, all), factor)];
        }
        let over = bill.paid - bill.computed.scaled(factor, ONE);
        if self.is_rounding(bill, over) {
            let rounding = line(Cause::Rounding, Confidence::Medium, over);
            let discounted = line(Cause::Discount, Confidence::Medium, all - over);
            return vec![discount(discounted, factor), rounding];
        }
        let mut left = over.scaled(ONE, factor);
        let mut lines =
            vec![discount(line(Cause::Discount, Confidence::Medium, all - left), factor)];
        let doubted: Usd = bill.doubts.values().copied().sum();
        // Calls in doubt cost about what they were estimated at, or were never charged.
        if Usd::ZERO < doubted && left.pico().abs() <= doubted.pico() {
            let whole = left;
            let last = bill.doubts.len() - 1;
            for (at, (cause, usd)) in bill.doubts.iter().enumerate() {
                let part =
                    Usd::from_f64_estimate(whole.as_f64() * (usd.as_f64() / doubted.as_f64()));
                let part = if at == last { left } else { part };
                left -= part;
                lines.push(line(*cause, Confidence::Low, part));
            }
        }
        lines.push(match Usd::ZERO < left {
            true => line(Cause::Bypassed, Confidence::Low, left),
            false => line(Cause::Unexplained, Confidence::Low, left),
        });
        lines
    }

    /// Whether an amount is no larger than what the digits of the bill cannot show.
    fn is_rounding(&self, bill: &Bill, rest: Usd) -> bool {
        let digits = i128::from(bill.rows.max(1)) * self.half_unit.pico();
        let floats = bill.list.pico().abs() / 1_000_000;
        rest.pico().abs() <= digits + floats
    }
}

/// The days of a bill of whole days beside usage that is not divided by tier.
fn whole_days<'b>(study: &Study<'_>, bills: &'b Bills) -> Vec<Day<'b>> {
    let days = bills.values().map(|bill| Day { part: bill.part(), passed: &bill.passed_of });
    let is_told = bills.values().all(|bill| bill.is_told && !bill.unpriced);
    let is_whole = bills.keys().all(|(_, model)| model.is_none());
    match is_whole && is_told && !study.side.divided.tier {
        true => days.collect(),
        false => Vec::new(),
    }
}

fn discount(line: Line, factor: u64) -> Line {
    line.because(format!("{} of the list price", fit::shown(factor)))
}

/// Another price than that of the list, by the tier that has it, if one does.
fn price_of(study: &Study<'_>, model: &str, own: u64, all: u64) -> String {
    let shown = fit::shown(own);
    let at = study.side.days[0].from;
    let row = study.prices.find(&study.side.provider, model, at);
    let named = [(Tier::Batch, "batch"), (Tier::Flex, "flex"), (Tier::Priority, "priority")];
    let is_tier = |tier: Tier| {
        row.is_some_and(|row| {
            let input = |tier| row.rates(0, Terms { tier, ..Terms::default() }).input.as_f64();
            let expected = input(tier) / input(Tier::Standard) * fit_ratio(all);
            1e-3 < (expected - fit_ratio(all)).abs()
                && (expected / fit_ratio(own) - 1.0).abs() < 2e-3
        })
    };
    match named.into_iter().find(|(tier, _)| is_tier(*tier)) {
        Some((_, tier)) => format!("{shown} of the list price: that of the {tier} tier"),
        None => format!("{shown} of the price known here for {model}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a small number")]
fn fit_ratio(millionths: u64) -> f64 {
    millionths as f64 / ONE as f64
}

/// Half of the last digit that any of these amounts has.
fn half_unit(amounts: impl Iterator<Item = Usd>) -> Usd {
    let unit = |amount: Usd| {
        let mut unit = 1_i128;
        while unit < 1_000_000_000_000 && amount.pico() % (unit * 10) == 0 {
            unit *= 10;
        }
        unit
    };
    let finest = amounts.filter(|amount| *amount != Usd::ZERO).map(unit).min();
    Usd::from_pico(finest.unwrap_or(1) / 2)
}

/// Of the calls that passed by, makes as many batch as were charged half.
fn halve(line: &Line, bill: &Bill, quantity: &mut [Line]) -> Vec<Line> {
    let is_same = |other: &Line| {
        let same_model = line.model.is_none() || other.model == line.model;
        let same_key = line.key.is_none() || other.key == line.key;
        other.cause == Cause::Bypassed && other.day == line.day && same_model && same_key
    };
    // Charged half, so the list price of it is twice what is missing.
    let batch = (-line.usd).scaled(2, 1).min(bill.passed);
    let mut moved = Usd::ZERO;
    let mut lines = Vec::new();
    let (cause, confidence) = (Cause::Batch, Confidence::Medium);
    for other in quantity.iter_mut().filter(|other| is_same(other)) {
        let part = (batch - moved).min(other.usd).max(Usd::ZERO);
        moved += part;
        if part == other.usd {
            (other.cause, other.confidence) = (cause, confidence);
        } else if Usd::ZERO < part {
            other.usd -= part;
            let tokens = Line { input_tokens: 0, output_tokens: 0, calls: None, ..other.clone() };
            lines.push(Line { cause, confidence, usd: part, or: line.or, ..tokens });
        }
    }
    lines
}
