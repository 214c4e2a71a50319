//! The truth about every dollar between the bill and the records, and how near it was said.

use std::collections::BTreeMap;
use std::fmt;

use scrimp_analysis::reconcile::{Books, Cause, DayCount, Question, Report, reconcile};
use scrimp_core::{Aggregate, Time, Usd};
use scrimp_store::LedgerRow;
use scrimp_wire::import::{self, Source};

use super::invoice;
use super::play::Played;
use super::scenario::{Reports, Scenario};
use super::truth::{Truth, truth};

/// One seed's bill and what was said of it, in pico-dollars.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) reports: Reports,
    paid: i128,
    computed: i128,
    unexplained: i128,
    /// By cause: the truth, and what was said.
    causes: BTreeMap<Cause, (i128, i128)>,
    /// What was said to be of one of two causes.
    either: BTreeMap<(Cause, Cause), i128>,
    /// By the true cause and the one that was named in its place.
    mistaken: BTreeMap<(Cause, Cause), f64>,
    calls: usize,
    /// What zones were found, in minutes.
    zones: Vec<i64>,
}

pub(super) fn score(scenario: &Scenario, played: &Played) -> Outcome {
    let files = invoice::reports(scenario, played);
    let read = |text: &String| -> Vec<Aggregate> {
        let import = import::recognise(text.as_bytes()).expect("a report is recognised");
        (import.read)(text.as_bytes(), &Source::new("report", Time::EPOCH)).aggregates
    };
    let sums: Vec<Vec<Aggregate>> = files.iter().map(read).collect();
    let reports: Vec<Report<'_>> =
        sums.iter().map(|sums| Report { name: "report", sums }).collect();
    let prices = scrimp_wire::prices::snapshot();
    let question = Question { prices: &prices, called: None };
    let found = reconcile(&reports, &books(played), question);
    let truth = truth(scenario, played);
    let mut said = Truth::new();
    let mut either: BTreeMap<(Cause, Cause), i128> = BTreeMap::new();
    for provider in &found.providers {
        for line in &provider.lines {
            let name = if &*provider.provider == "openai" { "openai" } else { "anthropic" };
            *said.entry(((name, line.day), line.cause)).or_default() += line.usd.pico();
            if let Some(other) = line.or {
                *either.entry((line.cause, other)).or_default() += line.usd.pico().abs();
            }
        }
    }
    let mut causes: BTreeMap<Cause, (i128, i128)> = BTreeMap::new();
    for ((_, cause), pico) in &truth {
        causes.entry(*cause).or_default().0 += pico;
    }
    for ((_, cause), pico) in &said {
        causes.entry(*cause).or_default().1 += pico;
    }
    causes.remove(&Cause::Unexplained);
    let lines = found.providers.iter().flat_map(|provider| &provider.lines);
    let unexplained = lines.filter(|line| line.cause == Cause::Unexplained);
    let unexplained = unexplained.map(|line| line.usd.pico().abs()).sum();
    Outcome {
        reports: scenario.reports,
        paid: found.paid().pico(),
        computed: found.computed().pico(),
        unexplained,
        causes,
        either,
        mistaken: mistaken(&truth, &said),
        calls: played.records.len(),
        zones: found.providers.iter().map(|provider| provider.zone_minutes).collect(),
    }
}

fn books(played: &Played) -> Books {
    let mut books = Books::new();
    for record in &played.records {
        books.see(record);
    }
    let count = |row: &LedgerRow| {
        let LedgerRow { day, provider, model, key, calls, usage, cost, .. } = row.clone();
        DayCount { day, provider, model, key, calls, usage, cost }
    };
    books.fill(&played.ledger.iter().map(count).collect::<Vec<_>>());
    books
}

/// What was named too little on a day stands in the place of what was named too much.
fn mistaken(truth: &Truth, said: &Truth) -> BTreeMap<(Cause, Cause), f64> {
    let mut days: BTreeMap<_, BTreeMap<Cause, i128>> = BTreeMap::new();
    for ((place, cause), pico) in truth {
        *days.entry(place).or_default().entry(*cause).or_default() -= pico;
    }
    for ((place, cause), pico) in said {
        *days.entry(place).or_default().entry(*cause).or_default() += pico;
    }
    let mut mistaken: BTreeMap<_, f64> = BTreeMap::new();
    for errors in days.values() {
        let over = |error: &i128| ratio((*error).max(0), 1);
        let all: f64 = errors.values().map(over).sum();
        for (right, error) in errors.iter().filter(|(_, error)| **error < 0) {
            for (wrong, part) in errors.iter().filter(|(_, part)| 0 < **part) {
                let pico = ratio(-error, 1) * over(part) / all;
                *mistaken.entry((*right, *wrong)).or_default() += pico;
            }
        }
    }
    mistaken
}

impl Outcome {
    /// The share of what was paid that is computed or has a cause.
    fn explained(&self) -> f64 {
        1.0 - ratio(self.unexplained, self.paid)
    }

    /// The share of what was paid that has no wrong cause.
    fn right(&self) -> f64 {
        1.0 - ratio(self.wrong().max(self.unexplained), self.paid)
    }

    fn wrong(&self) -> i128 {
        self.causes.values().map(|(truth, said)| (truth - said).abs()).sum()
    }

    /// The same, if what is named as one of two causes may be either.
    fn right_of_two(&self) -> f64 {
        let over = |cause| self.causes.get(&cause).map_or(0, |(truth, said)| said - truth);
        let told = |((one, other), usd): (&(Cause, Cause), &i128)| {
            2 * over(*one).min(-over(*other)).min(*usd).max(0)
        };
        let wrong = self.wrong() - self.either.iter().map(told).sum::<i128>();
        1.0 - ratio(wrong.max(self.unexplained), self.paid)
    }

    fn gap(&self) -> i128 {
        self.causes.values().map(|(truth, _)| truth.abs()).sum()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn ratio(part: i128, whole: i128) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dollars = |pico: i128| Usd::from_pico(pico).as_f64();
        writeln!(
            f,
            "  {} calls, paid {:.4}, computed {:.4}, explained {:.5}, rightly {:.5}, zones {:?}",
            self.calls,
            dollars(self.paid),
            dollars(self.computed),
            self.explained(),
            self.right(),
            self.zones
        )?;
        for (cause, (truth, said)) in &self.causes {
            let name = cause.name();
            writeln!(f, "  {name:12} {:10.5} {:10.5}", dollars(*truth), dollars(*said))?;
        }
        for ((right, wrong), pico) in &self.mistaken {
            let (right, wrong, usd) = (right.name(), wrong.name(), pico / 1e12);
            if 0.001 < usd / dollars(self.paid) {
                writeln!(f, "  {right} was named {wrong}: {usd:.5}")?;
            }
        }
        Ok(())
    }
}

/// Prints the table of the seeds with these reports. Returns whether enough was explained.
pub(super) fn print(reports: Reports, outcomes: &[&Outcome], wanted: f64) -> bool {
    if outcomes.is_empty() {
        return true;
    }
    let sorted = |of: &dyn Fn(&Outcome) -> f64| {
        let mut values: Vec<f64> = outcomes.iter().map(|outcome| of(outcome)).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (explained, right) = (sorted(&Outcome::explained), sorted(&Outcome::right));
    let middle = outcomes.len() / 2;
    let gaps = sorted(&|outcome| ratio(outcome.gap(), outcome.paid));
    let calls: usize = outcomes.iter().map(|outcome| outcome.calls).sum();
    println!("{reports:?}: {} seeds, {calls} calls through the gateway", outcomes.len());
    for (of, shares) in [
        ("explained, of what was paid", &explained),
        ("with the right cause", &right),
        ("with it as one of two", &sorted(&Outcome::right_of_two)),
    ] {
        let enough = shares.iter().filter(|share| wanted <= **share).count();
        println!(
            "  {of:32}  median {:8.4}%  worst {:8.4}%  enough {enough:3}",
            shares[middle] * 100.0,
            shares[0] * 100.0
        );
    }
    println!("  to be explained                   median {:8.4}%", gaps[middle] * 100.0);
    println!("  {:14} {:>5} {:>12} {:>12} {:>12}", "cause", "seeds", "of paid", "error", "worst");
    for cause in Cause::ALL {
        let of = |outcome: &&&Outcome| outcome.causes.contains_key(&cause);
        let with: Vec<&&Outcome> = outcomes.iter().filter(of).collect();
        if with.is_empty() {
            continue;
        }
        let shares = |of: fn(i128, i128) -> i128| {
            let share = |outcome: &&&Outcome| {
                let (truth, said) = outcome.causes[&cause];
                ratio(of(truth, said), outcome.paid)
            };
            let mut shares: Vec<f64> = with.iter().map(share).collect();
            shares.sort_by(f64::total_cmp);
            shares
        };
        let (size, errors) = (shares(|truth, _| truth.abs()), shares(|t, said| (t - said).abs()));
        println!(
            "  {:14} {:5} {:11.4}% {:11.4}% {:11.4}%",
            cause.name(),
            with.len(),
            size[with.len() / 2] * 100.0,
            errors[with.len() / 2] * 100.0,
            errors[with.len() - 1] * 100.0
        );
    }
    print_mistaken(outcomes);
    wanted <= explained[middle] && wanted <= right[middle]
}

/// Which causes were taken for which, the dearest first, each seed's as a share of what was paid.
fn print_mistaken(outcomes: &[&Outcome]) {
    const MOST: usize = 12;
    let mut sums: BTreeMap<(Cause, Cause), (f64, usize)> = BTreeMap::new();
    for outcome in outcomes {
        for (causes, pico) in &outcome.mistaken {
            let (share, seeds) = sums.entry(*causes).or_default();
            *share += pico / ratio(outcome.paid, 1);
            *seeds += 1;
        }
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|(_, one), (_, other)| other.0.total_cmp(&one.0));
    println!("  {:14} {:14} {:>5} {:>12}", "is", "was named", "seeds", "of paid");
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    let mean = |share: f64| share * 100.0 / outcomes.len() as f64;
    for ((right, wrong), (share, seeds)) in sums.into_iter().take(MOST) {
        println!("  {:14} {:14} {seeds:5} {:11.4}%", right.name(), wrong.name(), mean(share));
    }
}
