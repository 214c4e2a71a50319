//! Whether one way is as good as another, told as soon as it can be told.
//!
//! Pairs of grades of the same case come one after the other; after each it may be looked whether
//! the new way is *not worse than the old by more than a margin*. A test of a fixed size that is
//! looked at so often would be wrong far more often than it says. A bet is not: a capital of one is
//! put on "not worse" at odds that are fair where the loss is exactly the margin, so that by Ville's
//! inequality it ever reaches 1/α there with a probability of at most α, whenever one looks and
//! stops. The bets are the predictable plug-in ones of Waudby-Smith and Ramdas, "Estimating means of
//! bounded random variables by betting" (2024; arXiv 2010.09686). A second capital bets that the loss
//! is larger than the margin.

/// The largest share of the capital that one pair may lose.
const BOLDEST: f64 = 0.5;

/// What the pairs so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// More pairs may tell.
    Open,
    /// Not worse by more than the margin.
    NotWorse,
    /// Worse by more than the margin.
    Worse,
}

/// A test that may be looked at after every pair.
#[derive(Clone, Debug)]
pub struct Trial {
    alpha: f64,
    not_worse: Bet,
    worse: Bet,
    pairs: u64,
    sum: f64,
    old: f64,
    decision: Decision,
}

impl Trial {
    /// A test that is wrong with a probability of at most `alpha` in each direction. `margin` is the
    /// largest loss of the mean grade that is none, both between 0 and 1 exclusively.
    pub fn new(margin: f64, alpha: f64) -> Trial {
        // Of a difference D between −1 and 1 this is the mean of (D + 1) / 2 at the margin.
        let at_margin = (1.0 - margin) / 2.0;
        Trial {
            alpha,
            not_worse: Bet::above(at_margin),
            worse: Bet::above(1.0 - at_margin),
            pairs: 0,
            sum: 0.0,
            old: 0.0,
            decision: Decision::Open,
        }
    }

    /// Sees the grades, between 0 and 1, of one case answered in both ways. What was decided stays.
    pub fn see(&mut self, old: f64, new: f64) {
        let difference = (new - old).clamp(-1.0, 1.0);
        let place = f64::midpoint(difference, 1.0);
        self.pairs += 1;
        self.sum += difference;
        self.old += old;
        self.not_worse.see(place, self.alpha);
        self.worse.see(1.0 - place, self.alpha);
        if self.decision == Decision::Open {
            self.decision = match () {
                () if self.not_worse.is_won(self.alpha) => Decision::NotWorse,
                () if self.worse.is_won(self.alpha) => Decision::Worse,
                () => Decision::Open,
            };
        }
    }

    /// What the pairs so far amount to.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// How many pairs were seen.
    pub fn pairs(&self) -> u64 {
        self.pairs
    }

    /// The mean of the new way's grades less the old one's. `None` before the first pair.
    pub fn change(&self) -> Option<f64> {
        (0 < self.pairs).then(|| self.sum / float(self.pairs))
    }

    /// Whether *not worse* can still be said after so many more pairs: it can if all of them agree.
    pub fn can_be_won(&self, more: u64) -> bool {
        self.fewest_more(more).is_some()
    }

    /// How many pairs that agree it takes from here to say *not worse*, if that is at most `most`.
    pub fn fewest_more(&self, most: u64) -> Option<u64> {
        let mut ahead = self.not_worse.clone();
        (0..=most).find(|_| {
            let is_won = ahead.is_won(self.alpha);
            ahead.see(0.5, self.alpha);
            is_won
        })
    }

    /// The mean of the old way's grades: where it is low, there is little that could be lost. `None`
    /// before the first pair.
    pub fn old(&self) -> Option<f64> {
        (0 < self.pairs).then(|| self.old / float(self.pairs))
    }
}

/// A capital that is put on a mean above `fair`.
#[derive(Clone, Debug)]
struct Bet {
    fair: f64,
    log_capital: f64,
    most: f64,
    seen: f64,
    sum: f64,
    squares: f64,
}

impl Bet {
    fn above(fair: f64) -> Bet {
        // As if half had been seen once, with a variance of a quarter.
        Bet { fair, log_capital: 0.0, most: 0.0, seen: 0.0, sum: 0.5, squares: 0.25 }
    }

    /// Sees a number between 0 and 1. The stake depends only on what was seen before.
    fn see(&mut self, number: f64, alpha: f64) {
        self.log_capital += (self.stake(alpha) * (number - self.fair)).ln_1p();
        self.most = self.most.max(self.log_capital);
        self.seen += 1.0;
        self.sum += number;
        let mean = self.sum / (self.seen + 1.0);
        self.squares += (number - mean).powi(2);
    }

    fn stake(&self, alpha: f64) -> f64 {
        let next = self.seen + 1.0;
        let variance = self.squares / next;
        let bold = (2.0 * (1.0 / alpha).ln() / (variance * next * (next + 1.0).ln())).sqrt();
        bold.min(BOLDEST / self.fair)
    }

    fn is_won(&self, alpha: f64) -> bool {
        (1.0 / alpha).ln() <= self.most
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use scrimp_core::hash;

    use super::*;

    const PAIRS: u64 = 2_000;
    const SEEDS: u64 = 1_000;

    /// Plays pairs of which `loses` are worse and `gains` better; the decision and when it fell.
    fn play(seed: u64, margin: f64, alpha: f64, loses: f64, gains: f64) -> (Decision, u64) {
        let mut trial = Trial::new(margin, alpha);
        let mut state = hash::mix(seed);
        while trial.decision() == Decision::Open && trial.pairs() < PAIRS {
            state = hash::mix(state);
            let draw = f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX);
            match draw {
                _ if draw < loses => trial.see(1.0, 0.0),
                _ if draw < loses + gains => trial.see(0.0, 1.0),
                _ => trial.see(1.0, 1.0),
            }
        }
        (trial.decision(), trial.pairs())
    }

    fn share(of: Decision, margin: f64, alpha: f64, loses: f64, gains: f64) -> f64 {
        let decisions = (0..SEEDS).map(|seed| play(seed, margin, alpha, loses, gains).0);
        float(decisions.filter(|decision| *decision == of).count() as u64) / float(SEEDS)
    }

    /// Looked at after each of 2,000 pairs. Beyond α lies only what chance does to so many seeds.
    #[test]
    fn a_loss_of_the_whole_margin_is_called_none_at_most_as_often_as_it_says() {
        for alpha in [0.05, 0.1] {
            let chance = 3.0 * (alpha * (1.0 - alpha) / float(SEEDS)).sqrt();
            for (margin, gains) in [(0.02, 0.04), (0.05, 0.0), (0.05, 0.1), (0.1, 0.05), (0.3, 0.2)]
            {
                let wrong = share(Decision::NotWorse, margin, alpha, margin + gains, gains);
                println!("margin {margin}, α {alpha}, gains {gains}: {wrong}");
                assert!(wrong <= alpha + chance, "{margin} {gains}: {wrong}");
                let wrong = share(Decision::Worse, margin, alpha, margin + gains, gains);
                assert!(wrong <= alpha + chance, "worse, {margin} {gains}: {wrong}");
            }
        }
    }

    #[test]
    fn what_is_as_good_is_told_and_so_is_what_is_worse() {
        let told = share(Decision::NotWorse, 0.1, 0.05, 0.03, 0.03);
        assert!(0.95 < told, "{told}");
        let told = share(Decision::Worse, 0.05, 0.05, 0.3, 0.05);
        assert!(0.99 < told, "{told}");
    }

    #[test]
    fn how_many_more_is_counted_with_pairs_that_agree() {
        let mut trial = Trial::new(0.1, 0.05);
        let needed = trial.fewest_more(100).unwrap();
        assert!(trial.can_be_won(needed) && !trial.can_be_won(needed - 1));
        for _ in 0..needed {
            assert_eq!(trial.decision(), Decision::Open);
            trial.see(0.0, 0.0);
        }
        assert_eq!(
            (trial.decision(), trial.change(), trial.old()),
            (Decision::NotWorse, Some(0.0), Some(0.0))
        );
        assert!((55..=62).contains(&needed), "{needed}");
    }
}
