//! What calls in doubt may be expected to cost.
//!
//! Their input is that of the same request where it was measured when it came again, or else their
//! estimate as far as estimates of that model hold. What was generated beyond what was seen, and
//! whether anything is billed of a call that was never begun to be answered, is asked of days on
//! which nothing passed by.

use std::collections::BTreeMap;

use scrimp_core::Usd;
use scrimp_core::price::Rates;

use super::books::Stage;
use super::cell::{Cell, Doubted, Key, Study};
use super::quantity::Gap;

/// Of a call of which nothing was seen yet, some tokens may have been generated.
const UNSEEN_OUTPUT: f64 = 100.0;
/// A day speaks against billing silence, or for it, by no more than this: three deviations, squared.
const MOST_OF_A_DAY: f64 = 9.0;
/// Days have to speak for one or the other by so much.
const LEAST_SIGN: f64 = 2.0;
/// Tokens of a known text are counted this near.
const KNOWN: f64 = 0.02;

/// What the calls in doubt of a kind may be expected to cost in one cell, in dollars.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guess {
    stage: Stage,
    /// Their input, if it is billed.
    input: f64,
    /// How far that may be off, squared.
    input_variance: f64,
    /// What they are computed at here: input and output.
    computed: (f64, f64),
    /// What their further output is in proportion to.
    output_base: f64,
    output_variance: f64,
}

/// What clean days tell of calls in doubt.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// Whether a call is billed that was given up before anything came; `None`: no day tells.
    pub(super) bills_silence: Option<bool>,
    /// Output beyond what was seen, by what it is in proportion to.
    output: BTreeMap<Stage, Ratio>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Ratio {
    more: f64,
    base: f64,
}

/// What is expected of each kind of calls in doubt in a cell, in their order.
pub(super) fn guesses(study: &Study<'_>, key: &Key, cell: &Cell, rates: &Rates) -> Vec<Guess> {
    let kinds = cell.doubts.iter();
    kinds.map(|((_, stage), doubted)| guess(study, key, *stage, doubted, rates)).collect()
}

fn guess(study: &Study<'_>, key: &Key, stage: Stage, doubted: &Doubted, rates: &Rates) -> Guess {
    let Doubted { calls, usage, guessed_input, only_guessed, known, known_input, .. } = doubted;
    let usual = study.usual_input(&key.model, rates);
    let loose = usual * count(study.expected(&key.model, *only_guessed) + known_input);
    let known = rates.cost(known).as_f64();
    let seen = rates.output.as_f64() * count(usage.total_output());
    let computed = doubted.cost.as_f64() - seen;
    let told = (computed - rates.input.as_f64() * count(*guessed_input)).max(0.0);
    // An input that nobody told may come from a cache as a whole, or not at all.
    let caching = (rates.input.as_f64() / usual - 1.0).clamp(0.1, 1.0) * loose;
    let unsure = caching + KNOWN * known + 1e-9;
    let output_base = seen + UNSEEN_OUTPUT * count(*calls) * rates.output.as_f64();
    Guess {
        stage,
        input: told + known + loose,
        input_variance: unsure * unsure / count(*calls),
        computed: (computed, seen),
        output_base,
        output_variance: output_base * output_base / count(*calls),
    }
}

impl Guess {
    /// Input and output beyond what is computed here.
    fn more(&self, learned: &Learned) -> (f64, f64) {
        let (input, output) = self.computed;
        if self.stage == Stage::Silent && !learned.bills_silence.unwrap_or(false) {
            return (-input, -output);
        }
        let more = learned.output.get(&self.stage).map_or(0.0, |ratio| ratio.of(self.output_base));
        (self.input - input, more.max(-output))
    }

    fn is_sure_to_be_free(&self, learned: &Learned) -> bool {
        self.stage == Stage::Silent && !learned.bills_silence.unwrap_or(false)
    }
}

impl Learned {
    /// Learns from cells where nothing passed by.
    pub(super) fn of(clean: &[&Gap<'_>]) -> Learned {
        let mut learned = Learned { bills_silence: bills_silence(clean), ..Learned::default() };
        let is_alone = |gap: &&&Gap<'_>| {
            let answered = gap.guesses.iter().filter(|guess| guess.stage != Stage::Silent);
            answered.map(|guess| guess.stage).collect::<std::collections::BTreeSet<_>>().len() == 1
        };
        clean.iter().filter(is_alone).for_each(|gap| learned.see(gap));
        clean.iter().filter(|gap| !is_alone(gap)).for_each(|gap| learned.see(gap));
        learned
    }

    /// Whether a clean day tells how calls end that came so far.
    pub(super) fn knows(&self, stage: Stage) -> bool {
        match stage {
            Stage::Silent => self.bills_silence.is_some(),
            _ => self.output.contains_key(&stage),
        }
    }

    /// Of several kinds each has what was learned of it so far, and its part of the rest.
    fn see(&mut self, gap: &Gap<'_>) {
        let output = gap.output_usd.as_f64();
        let expected: Vec<f64> = gap.guesses.iter().map(|guess| guess.more(self).1).collect();
        let rest = output - expected.iter().sum::<f64>();
        let free = |guess: &Guess| guess.is_sure_to_be_free(self);
        let bases: f64 =
            gap.guesses.iter().filter(|g| !free(g)).map(|guess| guess.output_base).sum();
        if bases <= 0.0 {
            return;
        }
        for (guess, expected) in gap.guesses.iter().zip(expected) {
            if guess.is_sure_to_be_free(self) {
                continue;
            }
            let more = expected + rest * guess.output_base / bases;
            let ratio = self.output.entry(guess.stage).or_default();
            ratio.more += more;
            ratio.base += guess.output_base;
        }
    }

    /// What each kind of calls in doubt gets of a difference, in the order of their kinds. If
    /// something passed by, it is what is expected of them, if that is not too much.
    pub(super) fn shares(&self, gap: &Gap<'_>, passed_by: bool, usd: Usd) -> Vec<Usd> {
        let expected: Vec<(f64, f64)> = gap.guesses.iter().map(|guess| guess.more(self)).collect();
        let shares = expected.iter().map(|(input, output)| Usd::from_f64_estimate(input + output));
        let shares: Vec<Usd> = shares.collect();
        let sum: Usd = shares.iter().copied().sum();
        if passed_by && sum <= usd.max(Usd::ZERO) {
            return shares;
        }
        let output = gap.output_usd.as_f64() - expected.iter().map(|(_, more)| more).sum::<f64>();
        let input = (usd - sum).as_f64() - output;
        let weights = |of: fn(&Guess) -> f64| -> Vec<f64> {
            // Who is known to be free gets nothing but what nobody else can have.
            let weight = |guess: &Guess| match guess.is_sure_to_be_free(self) {
                true => of(guess) * 1e-6,
                false => of(guess),
            };
            let weights: Vec<f64> = gap.guesses.iter().map(weight).collect();
            let all: f64 = weights.iter().sum();
            weights.into_iter().map(|weight| weight / all).collect()
        };
        let inputs = weights(|guess| guess.input_variance);
        let outputs = weights(|guess| guess.output_variance);
        let mut rest = usd - sum;
        let last = shares.len() - 1;
        let part = |(at, share): (usize, Usd)| {
            let part = match at == last {
                true => rest,
                false => Usd::from_f64_estimate(input * inputs[at] + output * outputs[at]),
            };
            rest -= part;
            share + part
        };
        shares.into_iter().enumerate().map(part).collect()
    }
}

/// Whether calls that were given up before anything came are billed: only if that leaves much less;
/// `None`: no day tells.
fn bills_silence(clean: &[&Gap<'_>]) -> Option<bool> {
    let with: Vec<_> = clean
        .iter()
        .filter(|gap| gap.guesses.iter().any(|guess| guess.stage == Stage::Silent))
        .collect();
    let left = |bills: bool| -> f64 {
        let learned = Learned { bills_silence: Some(bills), ..Learned::default() };
        let of = |gap: &&&Gap<'_>| {
            let more = gap.guesses.iter().map(|guess| guess.more(&learned));
            let left = gap.usd.as_f64() - more.map(|(input, output)| input + output).sum::<f64>();
            let variances = gap.guesses.iter().map(|g| g.input_variance + g.output_variance);
            // Where others may be far off, it says little; and no day decides alone.
            (left * left / variances.sum::<f64>()).min(MOST_OF_A_DAY)
        };
        with.iter().map(of).sum()
    };
    let (billed, free) = (left(true), left(false));
    ((billed - free).abs() > LEAST_SIGN).then_some(billed < free)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn count(tokens: u64) -> f64 {
    tokens as f64
}

impl Ratio {
    fn of(self, base: f64) -> f64 {
        if self.base <= 0.0 { 0.0 } else { base * self.more / self.base }
    }
}
