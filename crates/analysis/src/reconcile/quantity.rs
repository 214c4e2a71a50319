//! Differences of tokens: what the provider has that the records do not hold, and whose it is.
//!
//! A cell's difference is exact; whose it is, is a matter of what is possible. Tokens of calls that
//! were measured whole are the same on both sides. So a difference belongs to calls whose tokens are
//! not known for sure, or to calls that never passed here. Where both are possible (calls in doubt,
//! and more calls or more input at the provider than they account for), calls in doubt get what such
//! calls cost where nothing passed by, and the rest passed by.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_core::price::Rates;
use scrimp_core::{Tier, Usd};

use super::cell::{Cell, Doubted, Key, Study};
use super::report::Account;
use super::tokens::{Difference, signed};
use super::{Cause, Confidence, Line};

/// An estimated input may be off by this much of what it is expected to be, in hundredths.
const GUESS_PERCENT: u64 = 30;

/// Why an attempt is in doubt, and whether anything of its answer came.
type Kind = (Cause, bool);

/// A cell's difference of tokens.
pub(super) struct Gap<'a> {
    pub(super) key: &'a Key,
    pub(super) cell: &'a Cell,
    pub(super) rates: Option<Rates>,
    pub(super) difference: Difference,
    /// What it is worth by list.
    pub(super) usd: Usd,
    /// How much more input calls in doubt may have than they were estimated at.
    slack: i64,
    /// What of their estimates calls in doubt may be expected to cost more, for a token of input.
    more_for_input: f64,
}

/// What calls in doubt cost beyond their estimates, by what they were estimated at.
#[derive(Default)]
struct Learned {
    by_model: BTreeMap<(Arc<str>, Kind), Ratio>,
}

#[derive(Clone, Copy, Default)]
struct Ratio {
    more: f64,
    estimated: f64,
}

/// The lines of every cell on a day whose tokens a report tells.
pub(super) fn lines(study: &Study<'_>, cells: &BTreeMap<Key, Cell>) -> Vec<Line> {
    let is_told = |key: &Key| study.is_told(key.day, &key.model) && !study.is_charged_apart(key);
    let gaps: Vec<Gap<'_>> = cells
        .iter()
        .filter(|(key, _)| is_told(key))
        .map(|(key, cell)| gap(study, key, cell))
        .collect();
    let mut learned = Learned::default();
    let clean = || gaps.iter().filter(|gap| !gap.passed_by() && !gap.cell.doubts.is_empty());
    let is_alone = |gap: &&Gap<'_>| gap.cell.doubts.len() == 1;
    clean().filter(is_alone).for_each(|gap| learned.see(gap));
    clean().filter(|gap| !is_alone(gap)).for_each(|gap| learned.see(gap));
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
    let guessed: u64 = cell.doubts.values().map(|doubted| doubted.guessed_input).sum();
    let expected = study.expected(&key.model, guessed);
    let off = expected.saturating_mul(GUESS_PERCENT) / 100;
    let slack = signed(expected) - signed(guessed) + signed(off);
    // Estimates know nothing of caches.
    let usual = rates.as_ref().map_or(0.0, |rates| {
        let expected = study.usual_input(&key.model, rates) * ratio(expected, guessed);
        expected - rates.input.as_f64()
    });
    Gap { key, cell, rates, difference, usd, slack, more_for_input: usual }
}

impl Gap<'_> {
    /// Whether the provider has calls, or input, that the calls here cannot account for.
    pub(super) fn passed_by(&self) -> bool {
        let cell = self.cell;
        let Some(reported) = &cell.reported else { return false };
        let has_more_calls = reported.calls.is_some_and(|calls| cell.calls() < calls);
        has_more_calls || self.slack < self.difference.input() || self.room() < self.usd
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
        let passed_by = self.passed_by();
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
                let known = learned.knows(self.key, *kind);
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
        lines.push(Line { calls, ..self.line(study, cause, confidence, left) });
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

    /// What each of the calls in doubt gets of `usd`, in the order of their causes.
    fn shares(&self, learned: &Learned, passed_by: bool, usd: Usd) -> Vec<Usd> {
        let doubts = &self.cell.doubts;
        let weights: Vec<f64> = doubts.values().map(weight).collect();
        let all: f64 = weights.iter().sum();
        let mut shares: Vec<Usd> = doubts
            .iter()
            .map(|(kind, doubted)| {
                let more = match learned.ratio(self.key, *kind) {
                    Some(ratio) => ratio * weight(doubted),
                    None => self.more_for_input * count(doubted.guessed_input),
                };
                Usd::from_f64_estimate(more).max(-doubted.cost)
            })
            .collect();
        if passed_by {
            // What passed by is no less than nothing.
            let expected: Usd = shares.iter().copied().sum();
            if expected <= usd.max(Usd::ZERO) {
                return shares;
            }
        }
        let expected: Usd = shares.iter().copied().sum();
        let mut rest = usd - expected;
        let last = shares.len() - 1;
        for (at, share) in shares.iter_mut().enumerate() {
            let part = match at == last {
                true => rest,
                false => Usd::from_f64_estimate((usd - expected).as_f64() * weights[at] / all),
            };
            *share += part;
            rest -= part;
        }
        shares
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

/// What calls in doubt were estimated at, in dollars; a call without an estimate weighs little.
#[expect(clippy::cast_precision_loss, reason = "a weight")]
fn weight(doubted: &Doubted) -> f64 {
    doubted.cost.as_f64() + doubted.calls as f64 * 1e-6
}

impl Learned {
    fn see(&mut self, gap: &Gap<'_>) {
        let doubts = &gap.cell.doubts;
        // Of several kinds each has what was learned of it so far, and its part of the rest.
        let shares = gap.shares(self, false, gap.usd);
        for ((kind, doubted), usd) in doubts.iter().zip(shares) {
            let ratio = Ratio { more: usd.as_f64(), estimated: weight(doubted) };
            self.by_model.entry((gap.key.model.clone(), *kind)).or_default().add(ratio);
        }
    }

    fn knows(&self, key: &Key, kind: Kind) -> bool {
        self.by_model.contains_key(&(key.model.clone(), kind))
    }

    fn ratio(&self, key: &Key, kind: Kind) -> Option<f64> {
        let Ratio { more, estimated } = self.by_model.get(&(key.model.clone(), kind))?;
        (0.0 < *estimated).then(|| more / estimated)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a weight")]
fn count(tokens: u64) -> f64 {
    tokens as f64
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { count(part) / count(whole) }
}

impl Ratio {
    fn add(&mut self, other: Ratio) {
        self.more += other.more;
        self.estimated += other.estimated;
    }
}
