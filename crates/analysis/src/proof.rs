//! Proof: what an applied policy really saved, treated units against held-out ones.
//!
//! Units (sessions, keys, families of prompts) are independent of each other, calls are not; so all
//! statistics start from units. Each arm's figure is its cost over what the same tokens would have
//! cost without caching, a covariate that no cache policy changes; the ratio of the two figures is
//! what the rule did. A unit with a few dear calls therefore weighs by its dollars, as it should,
//! and the interval has to bear it.
//!
//! Only calls that the rule would change are compared: both arms record its edits, one makes them.
//! The others (clients with marks of their own, providers that take none) show nothing of its
//! effect, but cache so differently that a handful of large sessions of theirs drowned it. What they
//! cost the treated units is known to the cent, so the effect on the whole bill follows exactly.
//!
//! Two designs of the interval were compared by simulation (units with log-normal and Pareto costs,
//! tail index down to 1.1, 30 units an arm, nominally 95 %): the delta method with a cluster-robust
//! variance covered 81–91 %, the delete-one-unit jackknife of the logarithm of the ratio 92–94 %,
//! a tenth to four tenths wider. Money is claimed on this, so it is the jackknife, with Student's t on
//! Welch's degrees of freedom. Those are counted in units of equal weight, not in units: counted in
//! units, a difference was seen between arms that were the same in 5–11 % of 1,500 runs, counted so
//! in 4–6 %. What no interval can cure, a few units or one that outweighs the others, is *too early*.

use scrimp_core::Usd;
use scrimp_core::experiment::UnitTotals;
use scrimp_core::policy::Arm;
use serde::Serialize;

/// Fewest units of each arm before anything is said.
pub const FEWEST_UNITS: usize = 10;
/// Fewest units of equal weight that an arm must be worth.
const FEWEST_EFFECTIVE_UNITS: f64 = 2.0;
/// An interval around no effect is narrow enough to say so when its half-width is below this.
const NARROW: f64 = 0.05;
/// The smallest effect that is one. Costs are whole pico-dollars and figures are floats, so arms that
/// nothing distinguishes may differ by 10⁻⁹ and less, without any spread that says so.
const SMALLEST: f64 = 1e-6;
/// How far the figures of calls that were left out may lie from each other, as a standard deviation:
/// anywhere between all read (a tenth of the price) and all written for an hour (twice the price).
const LEFT_OUT_SPREAD: f64 = 0.55;
/// The share of the predicted saving that has to be realised.
const REALISED_SHARE: f64 = 0.7;

/// What an experiment has shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Proof {
    /// Treated units with metered, priced calls.
    pub treated_units: usize,
    /// Held-out units with such calls.
    pub held_out_units: usize,
    /// The realised change of cost as a share: −0.13 is 13 % cheaper. `None`: too early to say.
    pub realised: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub high: Option<f64>,
    /// What the treated units would have cost at the held-out units' figure, less what they cost.
    /// `None` without held-out units to compare with.
    pub saved: Option<Usd>,
    /// What that amounts to.
    pub verdict: Verdict,
}

/// What a proof amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Too few units, one that outweighs the others, or an interval too wide to tell.
    TooEarly,
    /// Cheaper beyond doubt, by at least 70 % of the prediction.
    Worked,
    /// Cheaper beyond doubt, by less than that.
    Partial,
    /// No difference, and the predicted one can be excluded.
    NoEffect,
    /// Dearer beyond doubt.
    Worse,
}

/// One arm's units in figures.
#[derive(Clone, Debug, Default)]
struct ArmSums {
    /// Cost and uncached cost of each unit, in dollars, for the interval.
    units: Vec<(f64, f64)>,
    cost: Usd,
    cost_uncached: Usd,
    /// What the calls cost that the rule leaves alone. In none of the others.
    untouched: Usd,
    /// How many calls are in the sums, about, and calls whose cost nobody told.
    calls: f64,
    left_out: f64,
}

/// The logarithm of an arm's figure, its jackknife variance, and its degrees of freedom.
#[derive(Clone, Copy, Debug)]
struct Figure {
    log: f64,
    variance: f64,
    freedom: f64,
}

/// An effect with its interval, as shares.
#[derive(Clone, Copy, Debug)]
struct Effect {
    point: f64,
    low: f64,
    high: f64,
}

/// Judges an experiment by the totals of its units. `predicted_ppm` is the predicted change of cost
/// in millionths, negative for a saving.
pub fn judge(units: &[UnitTotals], predicted_ppm: Option<i64>) -> Proof {
    let (mut treated, mut held_out) = (ArmSums::default(), ArmSums::default());
    for unit in units {
        match unit.arm {
            Arm::Treated => treated.add(unit),
            Arm::HeldOut => held_out.add(unit),
        }
    }
    let effect =
        treated.figure().zip(held_out.figure()).map(|(t, h)| effect(t, h).on(treated.share()));
    Proof {
        treated_units: treated.units.len(),
        held_out_units: held_out.units.len(),
        realised: effect.map(|effect| effect.point),
        low: effect.map(|effect| effect.low),
        high: effect.map(|effect| effect.high),
        saved: saved(&treated, &held_out),
        verdict: effect.map_or(Verdict::TooEarly, |effect| verdict(effect, predicted_ppm)),
    }
}

impl ArmSums {
    fn add(&mut self, unit: &UnitTotals) {
        self.untouched += unit.cost_untouched;
        self.left_out += count(unit.left_out);
        let cost = unit.cost - unit.cost_untouched;
        let uncached = unit.cost_uncached - unit.cost_uncached_untouched;
        // Nothing priced that the rule would change: the unit says nothing about it.
        if uncached <= Usd::ZERO {
            return;
        }
        self.units.push((cost.as_f64(), uncached.as_f64()));
        // Which of them the rule would change was not counted, so money has to say.
        self.calls += count(unit.calls) * uncached.as_f64() / unit.cost_uncached.as_f64();
        self.cost += cost;
        self.cost_uncached += uncached;
    }

    /// The share of what the arm cost that the rule could change.
    fn share(&self) -> f64 {
        self.cost.as_f64() / (self.cost + self.untouched).as_f64()
    }

    /// `None` where there is too little to say anything.
    fn figure(&self) -> Option<Figure> {
        let n = count(self.units.len() as u64);
        let (cost, uncached) = (self.cost.as_f64(), self.cost_uncached.as_f64());
        let squares: f64 = self.units.iter().map(|(_, uncached)| uncached * uncached).sum();
        let effective = uncached * uncached / squares;
        if self.units.len() < FEWEST_UNITS || effective < FEWEST_EFFECTIVE_UNITS || cost <= 0.0 {
            return None;
        }
        let log_without = |(c, u): &(f64, f64)| ((cost - c) / (uncached - u)).ln();
        let logs: Vec<f64> = self.units.iter().map(log_without).collect();
        let mean = logs.iter().sum::<f64>() / n;
        let spread: f64 = logs.iter().map(|log| (log - mean).powi(2)).sum();
        let log = (cost / uncached).ln();
        let variance = spread * (n - 1.0) / n + self.left_out_variance(cost / uncached);
        // Where few units make most of the bill, the variance is guessed from those few.
        let freedom = effective - 1.0;
        variance.is_finite().then_some(Figure { log, variance, freedom })
    }

    /// What calls that broke off or told no usage add to the variance of the logarithm of `figure`.
    /// They were billed, but nobody knows what: each may have been read from the cache or written to
    /// it, whatever the others were. Without this, units that agree to the last digit left the bills
    /// of such calls out of an interval that had no width.
    fn left_out_variance(&self, figure: f64) -> f64 {
        let all = self.calls + self.left_out;
        self.left_out * (LEFT_OUT_SPREAD / (figure * all)).powi(2)
    }
}

fn effect(treated: Figure, held_out: Figure) -> Effect {
    let difference = treated.log - held_out.log;
    let variance = treated.variance + held_out.variance;
    let part = |figure: Figure| figure.variance.powi(2) / figure.freedom;
    let freedom = match part(treated) + part(held_out) {
        parts if 0.0 < parts => variance.powi(2) / parts,
        _ => treated.freedom + held_out.freedom,
    };
    let reach = t_quantile(freedom) * variance.sqrt();
    Effect {
        point: difference.exp_m1(),
        low: (difference - reach).exp_m1(),
        high: (difference + reach).exp_m1(),
    }
}

impl Effect {
    /// The effect on a whole of which only `share`, as it costs after the change, was changed.
    fn on(self, share: f64) -> Effect {
        let whole = |part: f64| 1.0 / (share / (1.0 + part) + 1.0 - share) - 1.0;
        Effect { point: whole(self.point), low: whole(self.low), high: whole(self.high) }
    }
}

fn verdict(effect: Effect, predicted_ppm: Option<i64>) -> Verdict {
    let Effect { point, low, high } = effect;
    let predicted = predicted_ppm.map(share_of).filter(|change| *change < 0.0);
    let enough = predicted.map_or(0.0, |change| change * REALISED_SHARE);
    if SMALLEST < low {
        Verdict::Worse
    } else if high < -SMALLEST {
        if point <= enough { Verdict::Worked } else { Verdict::Partial }
    } else {
        let is_told_apart = match predicted {
            Some(change) => change < low,
            None => high - low < 2.0 * NARROW,
        };
        if is_told_apart { Verdict::NoEffect } else { Verdict::TooEarly }
    }
}

/// What the treated units would have cost at the held-out figure, less what they cost; in integers,
/// rounded once.
fn saved(treated: &ArmSums, held_out: &ArmSums) -> Option<Usd> {
    let (mut numerator, mut denominator) = (held_out.cost.pico(), held_out.cost_uncached.pico());
    if denominator <= 0 || treated.units.is_empty() {
        return None;
    }
    // Beyond what 128 bits hold, the last bits of the ratio go first: an error below 10⁻¹² of it.
    let product = loop {
        if let Some(product) = treated.cost_uncached.pico().checked_mul(numerator) {
            break product;
        }
        (numerator, denominator) = (numerator >> 1, (denominator >> 1).max(1));
    };
    let expected = (product + denominator / 2).div_euclid(denominator);
    Some(Usd::from_pico(expected) - treated.cost)
}

/// The 97.5 % quantile of Student's t, between the usual table's lines by the reciprocal of the
/// degrees of freedom (off by less than 0.002 from 3 on).
fn t_quantile(freedom: f64) -> f64 {
    const TABLE: [(f64, f64); 16] = [
        (1.0, 12.706),
        (2.0, 4.303),
        (3.0, 3.182),
        (4.0, 2.776),
        (5.0, 2.571),
        (6.0, 2.447),
        (7.0, 2.365),
        (8.0, 2.306),
        (9.0, 2.262),
        (10.0, 2.228),
        (12.0, 2.179),
        (15.0, 2.131),
        (20.0, 2.086),
        (30.0, 2.042),
        (60.0, 2.000),
        (120.0, 1.980),
    ];
    const NORMAL: f64 = 1.960;
    let freedom = freedom.max(1.0);
    let after = TABLE.iter().position(|(line, _)| freedom <= *line);
    let ((low, high_t), (inverse, low_t)) = match after {
        Some(0) => return TABLE[0].1,
        Some(at) => (TABLE[at - 1], (1.0 / TABLE[at].0, TABLE[at].1)),
        None => (TABLE[TABLE.len() - 1], (0.0, NORMAL)),
    };
    let weight = (1.0 / freedom - inverse) / (1.0 / low - inverse);
    low_t + (high_t - low_t) * weight
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "a share for statistics")]
fn share_of(ppm: i64) -> f64 {
    ppm as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use scrimp_core::hash;

    use super::*;

    /// Numbers in [0, 1) from a seed.
    struct Draws(u64);

    impl Draws {
        fn next(&mut self) -> f64 {
            self.0 = hash::mix(self.0);
            f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX) * 0.999_999
        }

        /// By the sum of uniform numbers: near enough in the middle, and its ends do not matter here.
        fn normal(&mut self) -> f64 {
            (0..12).map(|_| self.next()).sum::<f64>() - 6.0
        }
    }

    /// How dear sessions are: most are cheap, few are very dear.
    #[derive(Clone, Copy, Debug)]
    enum Tail {
        LogNormal(f64),
        Pareto(f64),
    }

    fn unit(number: u64, arm: Arm, cost: f64, uncached: f64) -> UnitTotals {
        UnitTotals {
            unit: number,
            arm,
            calls: 1,
            left_out: 0,
            errors: 0,
            cost: Usd::from_f64_estimate(cost),
            cost_uncached: Usd::from_f64_estimate(uncached),
            cost_untouched: Usd::ZERO,
            cost_uncached_untouched: Usd::ZERO,
        }
    }

    /// Dearer sessions cache better; treatment changes each cost by `effect`.
    fn units(seed: u64, each: u64, tail: Tail, effect: f64) -> Vec<UnitTotals> {
        let mut draws = Draws(hash::mix(seed));
        let arms = [(Arm::Treated, 1.0 + effect), (Arm::HeldOut, 1.0)];
        let units = arms.into_iter().flat_map(|arm| (0..each).map(move |number| (number, arm)));
        units
            .map(|(number, (arm, factor))| {
                let uncached = match tail {
                    Tail::LogNormal(sigma) => (sigma * draws.normal()).exp(),
                    Tail::Pareto(index) => (1.0 - draws.next()).powf(-1.0 / index),
                };
                let cached = 0.2 + 0.8 * (-uncached / 2.7).exp() * draws.next();
                let share = (cached + 0.08 * draws.normal()).clamp(0.05, 1.25);
                unit(number, arm, uncached * share * factor, uncached)
            })
            .collect()
    }

    const TAILS: [Tail; 4] =
        [Tail::LogNormal(1.0), Tail::LogNormal(2.0), Tail::Pareto(1.5), Tail::Pareto(1.1)];
    const SEEDS: u64 = 400;

    #[test]
    fn the_interval_holds_the_truth_at_least_nine_times_in_ten() {
        for tail in TAILS {
            for each in [30, 100] {
                let proofs = (0..SEEDS).map(|seed| judge(&units(seed, each, tail, -0.2), None));
                let said: Vec<_> = proofs.filter_map(|proof| proof.low.zip(proof.high)).collect();
                let held = said.iter().filter(|(low, high)| *low <= -0.2 && -0.2 <= *high).count();
                assert!(9 * said.len() <= 10 * held, "{tail:?} {each}: {held} of {}", said.len());
                assert!(SEEDS < 2 * said.len() as u64, "{tail:?} {each}: says something");
            }
        }
    }

    #[test]
    fn a_policy_without_effect_is_hardly_ever_said_to_work() {
        for tail in TAILS {
            for each in [12, 30, 100] {
                let proofs = (0..SEEDS).map(|s| judge(&units(s, each, tail, 0.0), Some(-130_000)));
                let worked = proofs.filter(|proof| proof.verdict == Verdict::Worked).count();
                assert!(20 * worked as u64 <= SEEDS, "{tail:?} {each}: {worked} of {SEEDS}");
            }
        }
    }

    /// One interval in twenty leaves the truth out by definition; the bound has room for chance.
    #[test]
    fn between_arms_that_are_the_same_a_difference_is_hardly_ever_seen() {
        for tail in TAILS {
            for each in [12, 30, 100] {
                let proofs = (0..SEEDS).map(|seed| judge(&units(seed, each, tail, 0.0), None));
                let said: Vec<_> = proofs.filter_map(|proof| proof.low.zip(proof.high)).collect();
                let seen = said.iter().filter(|(low, high)| 0.0 < *low || *high < 0.0).count();
                assert!(13 * seen <= said.len(), "{tail:?} {each}: {seen} of {}", said.len());
            }
        }
    }

    /// Nobody caches, so every call costs what it costs without caching: no spread, no effect.
    #[test]
    fn arms_that_differ_by_rounding_only_do_not_differ() {
        for seed in 0..SEEDS {
            let mut units = units(seed, 40, Tail::LogNormal(1.0), 0.0);
            for unit in &mut units {
                unit.cost_untouched = Usd::from_f64_estimate(0.37);
                unit.cost = unit.cost_uncached + unit.cost_untouched;
            }
            assert_eq!(judge(&units, None).verdict, Verdict::NoEffect, "{seed}");
        }
    }

    #[test]
    fn calls_whose_cost_nobody_told_widen_the_interval_and_nothing_else() {
        let mut units = Vec::new();
        for number in 0..50 {
            units.push(unit(number, Arm::Treated, 1.2, 1.0));
            units.push(unit(number, Arm::HeldOut, 1.0, 1.0));
        }
        let all_told = judge(&units, None);
        units[0].left_out = 3;
        let some_untold = judge(&units, None);
        let width = |proof: &Proof| proof.high.zip(proof.low).map(|(high, low)| high - low);
        assert_eq!(all_told.realised, some_untold.realised);
        assert!(width(&all_told) < Some(1e-6), "all units agree: {all_told:?}");
        assert!(Some(0.02) < width(&some_untold), "{some_untold:?}");
        // Units of which nothing else is known count too.
        units[0].left_out = 0;
        let untold =
            |number| UnitTotals { left_out: 1, calls: 0, ..unit(number, Arm::Treated, 0.0, 0.0) };
        units.extend((100..103).map(untold));
        assert_eq!(width(&judge(&units, None)), width(&some_untold));
    }

    #[test]
    fn a_few_units_are_too_early_whatever_they_show() {
        let three = [
            unit(1, Arm::Treated, 15.4, 1.0),
            unit(2, Arm::Treated, 0.1, 1.0),
            unit(3, Arm::HeldOut, 1.0, 1.0),
        ];
        let proof = judge(&three, Some(-100_000));
        assert_eq!((proof.verdict, proof.realised), (Verdict::TooEarly, None));
        assert_eq!(judge(&[], None).verdict, Verdict::TooEarly);
        assert_eq!(judge(&[], None).saved, None, "unknown is not zero");
    }

    #[test]
    fn one_unit_that_outweighs_all_others_decides_nothing() {
        let mut units = units(1, 50, Tail::LogNormal(0.1), 0.0);
        units.push(unit(99, Arm::Treated, 10.0, 10_000.0));
        assert_eq!(judge(&units, None).verdict, Verdict::TooEarly);
    }

    #[test]
    fn verdicts_follow_from_the_effect_and_the_prediction() {
        let verdict_of = |effect, predicted| {
            judge(&units(5, 2_000, Tail::LogNormal(0.5), effect), predicted).verdict
        };
        assert_eq!(verdict_of(-0.13, Some(-134_000)), Verdict::Worked);
        assert_eq!(verdict_of(-0.13, None), Verdict::Worked);
        assert_eq!(verdict_of(-0.13, Some(-300_000)), Verdict::Partial);
        assert_eq!(verdict_of(0.0, Some(-134_000)), Verdict::NoEffect);
        assert_eq!(verdict_of(0.0, None), Verdict::NoEffect);
        assert_eq!(verdict_of(0.2, Some(-134_000)), Verdict::Worse);
        assert_eq!(verdict_of(0.0, Some(-1_000)), Verdict::TooEarly, "too small to tell yet");
    }

    #[test]
    fn the_saving_is_what_the_held_out_figure_would_have_cost_less_the_cost() {
        let mut units = Vec::new();
        for number in 0..20 {
            units.push(unit(number, Arm::Treated, 0.25, 1.0));
            units.push(unit(number, Arm::HeldOut, 1.5, 3.0));
        }
        let proof = judge(&units, Some(-400_000));
        assert_eq!(proof.saved, Some("5".parse().unwrap()), "20 units × ($1 × 0.5 − $0.25)");
        assert_eq!(proof.verdict, Verdict::Worked);
        assert_eq!(proof.realised.map(|share| (share * 1e9).round()), Some(-5e8));
    }

    #[test]
    fn calls_that_the_rule_leaves_alone_dilute_the_effect_and_add_no_noise() {
        let mut units = Vec::new();
        for number in 0..20 {
            for (arm, cost) in [(Arm::Treated, 0.5), (Arm::HeldOut, 1.0)] {
                // As different between the arms as chance can make them.
                let alone = if arm == Arm::Treated { 0.5 } else { 400.0 };
                let alone = Usd::from_f64_estimate(alone);
                let own = unit(number, arm, cost, 1.0);
                units.push(UnitTotals {
                    cost: own.cost + alone,
                    cost_uncached: own.cost_uncached + alone,
                    cost_untouched: alone,
                    cost_uncached_untouched: alone,
                    ..own
                });
            }
        }
        let proof = judge(&units, None);
        let rounded = |share: Option<f64>| share.map(|share| (share * 1e9).round());
        assert_eq!(rounded(proof.realised), Some(-333_333_333.0), "$1 instead of $1.50");
        assert_eq!(rounded(proof.low), rounded(proof.high), "all units agree");
        assert_eq!(proof.saved, Some("10".parse().unwrap()));
    }

    #[test]
    fn student_s_t_is_that_of_the_tables() {
        for (freedom, quantile) in [(1.0, 12.706), (11.0, 2.201), (25.0, 2.060), (40.0, 2.021)] {
            assert!((t_quantile(freedom) - quantile).abs() < 0.002, "{freedom}");
        }
        assert!((t_quantile(1e9) - 1.96).abs() < 1e-6);
    }
}
