//! The fewest examples that answer as well: whom to ask what, and when enough is known.
//!
//! A part of the cases orders the examples: each is left out once, and a set is grown from none by
//! the one that helps most, until it answers them as all do. The other cases test what was grown
//! against all examples, one case after the other, until it is decided; where it fails, the next
//! larger set is tried. The cases that chose a set never test it, and of the probability α of a wrong
//! word the n-th set tested gets α/2ⁿ, so that all of them together stay below α.

use scrimp_analysis::noninferiority::{Decision, Trial};
use scrimp_core::hash;
use serde::Serialize;

/// Fewer cases order nothing; more cost much and test nothing.
const ORDERING: (usize, usize) = (3, 20);

/// Grades one case with some of the examples.
pub type Ask<'a, E> = dyn FnMut(&[bool], usize) -> Result<f64, E> + 'a;

/// What is searched.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many examples there are.
    pub examples: usize,
    /// How many cases.
    pub cases: usize,
    /// The largest loss of the mean grade that is none.
    pub margin: f64,
    /// The probability of calling a larger loss none.
    pub alpha: f64,
}

/// How a set of examples did against all of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tested {
    /// The numbers of its examples, from 1 on.
    pub examples: Vec<usize>,
    /// Against all examples.
    #[serde(flatten)]
    pub compared: Compared,
}

/// What was found so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Found {
    /// How many cases ordered the examples.
    pub ordered_by: usize,
    /// The mean grade of all examples on those.
    pub quality: Option<f64>,
    /// What leaving each example out does to it, by number.
    pub left_out: Vec<f64>,
    /// The order in which examples were added to none, from 1 on.
    pub added: Vec<usize>,
    /// The sets that were tested, in turn.
    pub tested: Vec<Tested>,
    /// The numbers of the fewest examples that are as good, from 1 on. `None`: nothing is shown.
    pub kept: Option<Vec<usize>>,
}

/// Between which numbers of calls a search takes. Answers that are known already are in neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// If no example helps and every pair agrees.
    pub least: usize,
    /// If every set has to be tried on every case.
    pub most: usize,
}

/// One of several tests of which none must be wrong.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// The largest loss of the mean grade that is none.
    pub margin: f64,
    /// The probability that any of the tests calls a larger loss none.
    pub alpha: f64,
    /// How many were made before.
    pub number: usize,
}

impl Test {
    /// Its own part of `alpha`.
    fn part(&self) -> f64 {
        self.alpha * 0.5_f64.powi(i32::try_from(self.number + 1).unwrap_or(i32::MAX))
    }

    fn trial(&self) -> Trial {
        Trial::new(self.margin, self.part())
    }
}

/// How one way did against another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// What came out.
    pub decision: Decision,
    /// How many cases were looked at.
    pub pairs: u64,
    /// The old way's mean grade: where it is low, little can be lost.
    pub quality_before: Option<f64>,
    /// The new way's mean grade less the old one's.
    pub change: Option<f64>,
    /// The α of this test.
    pub alpha: f64,
}

/// How many cases the first of several tests takes at least. `None`: more than anybody has.
pub fn fewest_pairs(margin: f64, alpha: f64) -> Option<usize> {
    let trial = Test { margin, alpha, number: 0 }.trial();
    usize::try_from(trial.fewest_more(100_000)?).ok()
}

/// Compares two ways over all cases, mixed. `ask` gives the grades of the old way and the new one.
///
/// # Errors
/// The error of `ask`.
pub fn against<E>(
    test: Test,
    cases: usize,
    ask: &mut dyn FnMut(usize) -> Result<(f64, f64), E>,
) -> Result<Compared, E> {
    compared(test, &mixed(cases), ask)
}

/// A file may be sorted; always in the same way, as answers are kept by case.
fn mixed(cases: usize) -> Vec<usize> {
    let mut mixed: Vec<usize> = (0..cases).collect();
    mixed.sort_by_key(|case| hash::mix(*case as u64));
    mixed
}

impl Plan {
    /// Which cases order, and which test.
    fn split(&self) -> (Vec<usize>, Vec<usize>) {
        let (least, most) = ORDERING;
        let mut ordering = mixed(self.cases);
        let testing = ordering.split_off((self.cases / 4).clamp(least, most).min(self.cases));
        (ordering, testing)
    }

    fn trial(&self, number: usize) -> Trial {
        Test { margin: self.margin, alpha: self.alpha, number }.trial()
    }

    /// How many cases it takes at least. `None`: more than anybody has.
    pub fn fewest_cases(&self) -> Option<usize> {
        let pairs = usize::try_from(self.trial(0).fewest_more(100_000)?).ok()?;
        (pairs..2 * pairs + ORDERING.1)
            .find(|cases| pairs <= Plan { cases: *cases, ..*self }.split().1.len())
    }

    /// How many calls it takes.
    pub fn calls(&self) -> Calls {
        let (ordering, testing) = self.split();
        let (n, k, rest) = (ordering.len(), self.examples, testing.len());
        let pairs =
            self.trial(0).fewest_more(rest as u64).and_then(|pairs| usize::try_from(pairs).ok());
        let left_out = n * (k + 1);
        Calls {
            least: left_out + n + 2 * pairs.unwrap_or(0),
            // Of sets that are grown, that of none and each with one more.
            most: left_out + n * (1 + k * (k + 1) / 2) + rest * (1 + k),
        }
    }
}

/// Searches. `ask` grades one case with some of the examples; its error ends the search, and what was
/// found until then stands in `found`.
///
/// # Errors
/// The error of `ask`.
pub fn search<E>(plan: &Plan, found: &mut Found, ask: &mut Ask<'_, E>) -> Result<(), E> {
    let (ordering, testing) = plan.split();
    let all = vec![true; plan.examples];
    let mut mean = |set: &[bool]| -> Result<f64, E> {
        let mut sum = 0.0;
        for case in &ordering {
            sum += ask(set, *case)?;
        }
        Ok(sum / float(ordering.len()))
    };
    found.ordered_by = ordering.len();
    let quality = mean(&all)?;
    found.quality = Some(quality);
    for example in 0..plan.examples {
        let mut without = all.clone();
        without[example] = false;
        found.left_out.push(mean(&without)? - quality);
    }
    let mut set = grow(plan, found, quality, &mut mean)?;
    while set.contains(&false) {
        let tested = test(plan, found.tested.len(), &set, &testing, ask)?;
        let decision = tested.compared.decision;
        found.tested.push(tested);
        match decision {
            Decision::NotWorse => {
                found.kept = Some(numbers(&set));
                return Ok(());
            }
            // A larger set is tested more strictly, on the same cases.
            _ if !plan.trial(found.tested.len()).can_be_won(testing.len() as u64) => return Ok(()),
            _ => add_next(&mut set, &found.left_out),
        }
    }
    Ok(())
}

/// The set that answers the ordering cases as well as all do, grown from none.
fn grow<E>(
    plan: &Plan,
    found: &mut Found,
    quality: f64,
    mean: &mut dyn FnMut(&[bool]) -> Result<f64, E>,
) -> Result<Vec<bool>, E> {
    let mut set = vec![false; plan.examples];
    let mut reached = mean(&set)?;
    while reached < quality && set.contains(&false) {
        let mut best: Option<(f64, usize)> = None;
        for example in (0..plan.examples).filter(|example| !found.added.contains(&(example + 1))) {
            let mut with = set.clone();
            with[example] = true;
            let reached = mean(&with)?;
            let loss = |example: usize| found.left_out[example];
            let is_better = best.is_none_or(|(so_far, other)| {
                so_far < reached || (so_far <= reached && loss(example) < loss(other))
            });
            if is_better {
                best = Some((reached, example));
            }
        }
        let Some((mean, example)) = best else { break };
        set[example] = true;
        found.added.push(example + 1);
        reached = mean;
    }
    Ok(set)
}

/// Tests a set against all examples, until it is decided or cannot be.
fn test<E>(
    plan: &Plan,
    number: usize,
    set: &[bool],
    cases: &[usize],
    ask: &mut Ask<'_, E>,
) -> Result<Tested, E> {
    let all = vec![true; plan.examples];
    let test = Test { margin: plan.margin, alpha: plan.alpha, number };
    let pair = &mut |case| Ok((ask(&all, case)?, ask(set, case)?));
    Ok(Tested { examples: numbers(set), compared: compared(test, cases, pair)? })
}

/// Sees cases in turn until it is decided, or until no number of pairs that agree could decide it.
fn compared<E>(
    test: Test,
    cases: &[usize],
    ask: &mut dyn FnMut(usize) -> Result<(f64, f64), E>,
) -> Result<Compared, E> {
    let mut trial = test.trial();
    for (at, case) in cases.iter().enumerate() {
        if trial.decision() != Decision::Open || !trial.can_be_won((cases.len() - at) as u64) {
            break;
        }
        let (old, new) = ask(*case)?;
        trial.see(old, new);
    }
    Ok(Compared {
        decision: trial.decision(),
        pairs: trial.pairs(),
        quality_before: trial.old(),
        change: trial.change(),
        alpha: test.part(),
    })
}

/// Adds the example whose absence cost most.
fn add_next(set: &mut [bool], left_out: &[f64]) {
    let missing = (0..set.len()).filter(|example| !set[*example]);
    if let Some(next) = missing.min_by(|a, b| left_out[*a].total_cmp(&left_out[*b])) {
        set[next] = true;
    }
}

fn numbers(set: &[bool]) -> Vec<usize> {
    set.iter().enumerate().filter(|(_, kept)| **kept).map(|(at, _)| at + 1).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a number of cases")]
fn float(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use super::*;

    /// Searches where a case is answered well if `good` says so; what was found, and how many
    /// different answers it took.
    fn found(plan: Plan, good: impl Fn(&[bool], usize) -> bool) -> (Found, usize) {
        let (mut found, mut asked) = (Found::default(), BTreeSet::new());
        let result = search::<Infallible>(&plan, &mut found, &mut |set, case| {
            asked.insert((set.to_vec(), case));
            Ok(f64::from(u8::from(good(set, case))))
        });
        result.unwrap();
        (found, asked.len())
    }

    const PLAN: Plan = Plan { examples: 5, cases: 200, margin: 0.1, alpha: 0.05 };

    #[test]
    fn the_one_example_that_matters_is_kept() {
        let (found, calls) = found(PLAN, |set, case| set[3] || case % 3 == 0);
        assert_eq!(found.kept, Some(vec![4]));
        assert!(found.left_out[3] < -0.3 && found.left_out[0] == 0.0, "{found:?}");
        let stated = PLAN.calls();
        assert!(stated.least <= calls && calls <= stated.most, "{calls}, {stated:?}");
    }

    #[test]
    fn where_none_matters_none_is_kept_and_it_takes_the_fewest_calls() {
        let (found, calls) = found(PLAN, |_, case| case % 7 != 0);
        // The first pairs of the test agree, whatever the grades.
        assert_eq!((found.kept, calls), (Some(Vec::new()), PLAN.calls().least));
    }

    #[test]
    fn where_all_matter_nothing_is_claimed() {
        let (found, _) = found(PLAN, |set, case| set[case % 5]);
        assert_eq!(found.kept, None, "{found:?}");
    }

    #[test]
    fn with_too_few_cases_nothing_is_asked_that_cannot_be_decided() {
        let (found, _) = found(Plan { cases: 40, ..PLAN }, |_, _| true);
        assert_eq!((found.kept, found.tested[0].compared.pairs), (None, 0));
        let needed = PLAN.fewest_cases().unwrap();
        assert!((85..=105).contains(&needed), "{needed}");
        assert!(super::tests::found(Plan { cases: needed, ..PLAN }, |_, _| true).0.kept.is_some());
    }

    /// The sets here are worse by the whole margin: calling one as good is an error.
    #[test]
    fn a_set_that_is_worse_is_kept_at_most_as_often_as_it_says() {
        let mut wrong = 0;
        for seed in 0..300 {
            let draw = |case: usize| scrimp_core::hash::mix(seed * 1_000 + case as u64) % 1_000;
            let plan = Plan { examples: 3, cases: 300, margin: 0.1, alpha: 0.1 };
            let (found, _) = found(plan, |set, case| !set.contains(&false) || 100 <= draw(case));
            wrong += u32::from(found.kept.is_some());
        }
        println!("{wrong} of 300");
        assert!(wrong <= 45, "{wrong} of 300");
    }
}
