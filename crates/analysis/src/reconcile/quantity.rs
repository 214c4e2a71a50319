//! Differences of tokens: what the provider has that the records do not hold, and whose it is.
//!
//! A cell's difference is exact; whose it is, is a matter of what is possible. Tokens of calls that
//! were measured whole are the same on both sides. So a difference belongs to calls whose tokens are
//! not known for sure, or to calls that never passed here. Where both are possible (calls in doubt,
//! and more calls or more input at the provider than they account for), calls in doubt get what such
//! calls cost where nothing passed by, and the rest passed by.

use std::collections::BTreeMap;

use scrimp_core::price::Rates;
use scrimp_core::{Tier, Usd};

use super::books::Stage;
use super::cell::{Cell, Doubted, Key, Study};
use super::doubt::{self, Guess, Learned};
use super::report::Account;
use super::tokens::{Difference, signed};
use super::{Cause, Confidence, Line};

/// An estimated input may be off by this much of what it is expected to be, in hundredths.
const GUESS_PERCENT: u64 = 30;

/// A cell's difference of tokens.
pub(super) struct Gap<'a> {
    pub(super) key: &'a Key,
    pub(super) cell: &'a Cell,
    pub(super) rates: Option<Rates>,
    pub(super) difference: Difference,
    /// What it is worth by list.
    pub(super) usd: Usd,
    /// Of it, what its output is worth.
    pub(super) output_usd: Usd,
    /// How much more input calls in doubt may have than they were estimated at.
    slack: i64,
    /// Of it, what calls have that were given up before anything came.
    silent: i64,
    /// What calls in doubt may be expected to cost, in the order of their kinds.
    pub(super) guesses: Vec<Guess>,
}

/// The lines of every cell on a day whose tokens a report tells.
pub(super) fn lines(study: &Study<'_>, cells: &BTreeMap<Key, Cell>) -> Vec<Line> {
    let is_told = |key: &Key| study.is_told(key.day, &key.model) && !study.is_charged_apart(key);
    let gaps: Vec<Gap<'_>> = cells
        .iter()
        .filter(|(key, _)| is_told(key))
        .map(|(key, cell)| gap(study, key, cell))
        .collect();
    let clean = |billed: bool| -> Vec<&Gap<'_>> {
        let is_clean = |gap: &&Gap<'_>| !gap.passed_by(billed) && !gap.guesses.is_empty();
        gaps.iter().filter(is_clean).collect()
    };
    let mut learned = Learned::of(&clean(true));
    if learned.bills_silence != Some(true) {
        learned = Learned::of(&clean(false));
    }
    let lines = gaps.iter().flat_map(|gap| gap.lines(study, &learned));
    lines.filter(|line| !line.is_empty()).collect()
}

fn gap<'a>(study: &Study<'_>, key: &'a Key, cell: &'a Cell) -> Gap<'a> {
    let reported = cell.reported.clone().unwrap_or_default();
    let difference = Difference::between(&reported.usage, &cell.usage());
    let rates = study.rates(key, cell.reported.as_ref());
    let usd = match (&cell.reported, &rates) {
        // Nothing of it is in the report: then it is exactly what was computed.
        (None, _) => -cell.computed(),
        (Some(_), Some(rates)) => difference.usd(rates),
        (Some(_), None) => Usd::ZERO,
    };
    let guesses = rates.as_ref().map(|rates| doubt::guesses(study, key, cell, rates));
    let output_usd = match (&cell.reported, &rates) {
        (Some(_), Some(rates)) => difference.output_usd(rates),
        _ => Usd::ZERO,
    };
    Gap {
        key,
        cell,
        difference,
        usd,
        output_usd,
        slack: slack(study, key, cell, |_| true),
        silent: slack(study, key, cell, |stage| stage == Stage::Silent),
        guesses: guesses.filter(|_| cell.reported.is_some()).unwrap_or_default(),
        rates,
    }
}

/// How much more input calls in doubt may have than they were estimated at.
fn slack(study: &Study<'_>, key: &Key, cell: &Cell, of: fn(Stage) -> bool) -> i64 {
    let doubts = || cell.doubts.iter().filter(|((_, stage), _)| of(*stage));
    let sum = |of: fn(&Doubted) -> u64| doubts().map(|(_, doubted)| of(doubted)).sum::<u64>();
    let expected = study.expected(&key.model, sum(|doubted| doubted.only_guessed));
    let off = expected.saturating_mul(GUESS_PERCENT) / 100;
    let known = sum(|doubted| doubted.known.input() + doubted.known_input);
    signed(known) + signed(expected) - signed(sum(|doubted| doubted.guessed_input)) + signed(off)
}

impl Gap<'_> {
    /// Whether the provider has calls, or input, that the calls here cannot account for.
    pub(super) fn passed_by(&self, bills_silence: bool) -> bool {
        let cell = self.cell;
        let Some(reported) = &cell.reported else { return false };
        let has_more_calls = reported.calls.is_some_and(|calls| cell.calls() < calls);
        let silent = if bills_silence { 0 } else { self.unbilled() };
        has_more_calls || self.slack - silent < self.difference.input() || self.room() < self.usd
    }

    /// How much less input there is for calls in doubt if those are not billed that were given up
    /// before anything came.
    fn unbilled(&self) -> i64 {
        let silent = self.cell.doubts.iter().filter(|((_, stage), _)| *stage == Stage::Silent);
        self.silent + silent.map(|(_, doubted)| signed(doubted.guessed_input)).sum::<i64>()
    }

    /// How much more calls in doubt may have cost at most.
    fn room(&self) -> Usd {
        let Some(rates) = &self.rates else { return Usd::ZERO };
        let output = self.cell.doubts.values().map(|doubted| doubted.more_output).sum();
        let input = u64::try_from(self.slack).unwrap_or(0);
        rates.input.times(input) + rates.output.times(output)
    }

    fn lines(&self, study: &Study<'_>, learned: &Learned) -> Vec<Line> {
        let Cell { doubts, reported, .. } = self.cell;
        let mut lines = Vec::new();
        let passed_by = self.passed_by(learned.bills_silence.unwrap_or(false));
        let (mut left, mut calls) = (self.usd, None);
        let causes = || doubts.keys().map(|(cause, _)| cause);
        let is_sure = !passed_by && causes().min() == causes().max();
        // What is missing at the provider can be calls in doubt that it never billed, no more.
        let estimated: Usd = doubts.values().map(|doubted| doubted.cost).sum();
        let absent = (self.usd + estimated).min(Usd::ZERO);
        if !doubts.is_empty() {
            let shares = self.shares(learned, passed_by, self.usd - absent);
            for ((kind, doubted), usd) in doubts.iter().zip(shares) {
                left -= usd;
                let known = learned.knows(kind.1);
                let confidence = match (is_sure, known) {
                    (true, _) => Confidence::High,
                    (false, true) => Confidence::Medium,
                    (false, false) => Confidence::Low,
                };
                let line = self.line(study, kind.0, confidence, usd);
                lines.push(Line { calls: Some(doubted.calls), ..line });
            }
        }
        if let Some(reported) = reported.as_ref().and_then(|reported| reported.calls) {
            calls = reported.checked_sub(self.cell.calls());
        }
        let (cause, confidence) = self.rest(left);
        let rest = Line { calls, ..self.line(study, cause, confidence, left) };
        let has_price = study.side.days[self.key.day].has_money;
        lines.push(match cause == Cause::Bypassed && !study.side.divided.tier && !has_price {
            true => Line { confidence: confidence.min(Confidence::Medium), ..rest }
                .or(Cause::Batch, "no report tells the tier, or what it was charged"),
            false => rest,
        });
        self.tokens_to_largest(&mut lines);
        lines
    }

    /// Whose what is left is.
    fn rest(&self, left: Usd) -> (Cause, Confidence) {
        let has_doubts = !self.cell.doubts.is_empty();
        let sure = if has_doubts { Confidence::Medium } else { Confidence::High };
        let more = Usd::ZERO < left
            || 0 < self.difference.input().saturating_add(self.difference.output());
        match (more, self.key.tier) {
            (true, Tier::Batch) => (Cause::Batch, sure),
            (true, _) => (Cause::Bypassed, sure),
            (false, _) => (Cause::Absent, sure),
        }
    }

    /// What each of the calls in doubt gets of `usd`, in the order of their kinds.
    fn shares(&self, learned: &Learned, passed_by: bool, usd: Usd) -> Vec<Usd> {
        let doubts = self.cell.doubts.values();
        match (&self.cell.reported, &self.rates) {
            // In no line of the report.
            (None, _) => doubts.map(|doubted| -doubted.cost).collect(),
            (Some(_), None) => doubts.map(|_| Usd::ZERO).collect(),
            (Some(_), Some(_)) => learned.shares(self, passed_by, usd),
        }
    }

    fn line(&self, study: &Study<'_>, cause: Cause, confidence: Confidence, usd: Usd) -> Line {
        let Account { project, key } = self.key.account.clone();
        let line = Line::new(cause, confidence, usd, study.side.days[self.key.day].from);
        Line { project, key, ..line.of_model(Some(self.key.model.clone())) }
    }

    /// Tokens are told once, with the part that most of them belong to.
    fn tokens_to_largest(&self, lines: &mut [Line]) {
        if let Some(largest) = lines.iter_mut().max_by_key(|line| line.usd.pico().abs()) {
            largest.input_tokens = self.difference.input();
            largest.output_tokens = self.difference.output();
        }
    }
}
