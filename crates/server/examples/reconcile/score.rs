//! The truth about every dollar between the bill and the records, and how near it was said.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use scrimp_analysis::reconcile::{Books, Cause, DayCount, Question, Report, reconcile};
use scrimp_core::{Aggregate, Attempt, Span, Time, UsageState, Usd};
use scrimp_sim::Api;
use scrimp_store::LedgerRow;
use scrimp_wire::import::{self, Source};

use super::invoice::{self, CREDIT, SERVICE, day_of};
use super::play::{Entry, Played, Way};
use super::scenario::{Reports, Scenario};

/// A request that comes again so soon is the same request.
const AGAIN: Span = Span::from_minutes(10);
/// What silence is ended after.
const SILENCE_MS: u64 = 29_000;

/// One seed's bill and what was said of it, in pico-dollars.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) reports: Reports,
    paid: i128,
    computed: i128,
    unexplained: i128,
    /// By cause: the truth, and what was said.
    causes: BTreeMap<Cause, (i128, i128)>,
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
    let mut causes: BTreeMap<Cause, (i128, i128)> = BTreeMap::new();
    let truth = truth(scenario, played);
    for (cause, pico) in &truth {
        causes.entry(*cause).or_default().0 = *pico;
    }
    let mut unexplained = 0;
    for line in found.providers.iter().flat_map(|provider| &provider.lines) {
        match line.cause {
            Cause::Unexplained => unexplained += line.usd.pico().abs(),
            cause => causes.entry(cause).or_default().1 += line.usd.pico(),
        }
    }
    Outcome {
        reports: scenario.reports,
        paid: found.paid().pico(),
        computed: found.computed().pico(),
        unexplained,
        causes,
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

/// What each cause is worth, by the provider's books alone; beside it only our costs of the same
/// requests.
fn truth(scenario: &Scenario, played: &Played) -> BTreeMap<Cause, i128> {
    let mut truth: BTreeMap<Cause, i128> = BTreeMap::new();
    let mut add = |cause, pico| *truth.entry(cause).or_default() += pico;
    let mut list = 0;
    let pairs = pairs(played);
    let again = again(played);
    let has_costs = scenario.reports != Reports::Usage;
    for (entry, attempt) in &pairs {
        let billed = entry.bill.as_ref().map_or(0, |bill| pico(bill.pico_usd));
        let ours = attempt.and_then(|attempt| attempt.cost).unwrap_or_default().pico();
        if day_of(scenario, played, entry.at).is_none() {
            continue;
        }
        list += billed;
        match entry.way {
            Way::PastIt => add(Cause::Bypassed, billed),
            Way::Batch => add(Cause::Batch, billed),
            Way::Gateway if billed != ours => {
                add(why(entry, *attempt, again.contains(&entry.logged.call)), billed - ours);
            }
            Way::Gateway => {}
        }
    }
    if has_costs {
        let permille = i128::from(scenario.charged_permille);
        add(Cause::Discount, list * (permille - 1_000) / 1_000);
        if scenario.has_credit && first_day(scenario, played, Api::OpenAi) {
            // Without names of lines a credit is one of the amounts below nothing.
            add(Cause::Credit, CREDIT);
        }
        if scenario.has_service && scenario.by_item {
            let days = (0..scenario.days).filter(|day| has_day(scenario, played, *day));
            add(Cause::Service, SERVICE * i128::try_from(days.count()).expect("a few"));
        }
    }
    let named = Scenario { zone_hours: 0, missing: None, ..*scenario };
    let shifted = Scenario { missing: None, ..*scenario };
    for record in &played.records {
        let (at, cost) = (record.call.arrived, record.cost.unwrap_or_default().pico());
        let is_in = |scenario| day_of(scenario, played, at).is_some();
        add(Cause::TimeZone, cost * (i128::from(is_in(&shifted)) - i128::from(is_in(&named))));
        if is_in(&shifted) && !is_in(scenario) {
            add(Cause::MissingDays, -cost);
        }
    }
    truth.retain(|_, pico| *pico != 0);
    truth
}

fn pico(billed: u128) -> i128 {
    i128::try_from(billed).expect("a small bill")
}

fn first_day(scenario: &Scenario, played: &Played, api: Api) -> bool {
    let is_on = |entry: &&Entry| day_of(scenario, played, entry.at) == Some(0);
    let mut bills = played.entries.iter().filter(is_on).filter_map(|entry| entry.bill.as_ref());
    bills.any(|bill| bill.api == api)
}

fn has_day(scenario: &Scenario, played: &Played, day: u64) -> bool {
    let is_on = |entry: &&Entry| day_of(scenario, played, entry.at) == Some(day);
    let mut bills = played.entries.iter().filter(is_on).filter_map(|entry| entry.bill.as_ref());
    bills.any(|bill| bill.api == Api::Anthropic)
}

/// Each request with our attempt at it: in virtual time both have the same moment. Of several of one
/// moment, one that agrees in status and cost is it.
fn pairs(played: &Played) -> Vec<(&Entry, Option<&Attempt>)> {
    let mut attempts: BTreeMap<i64, Vec<&Attempt>> = BTreeMap::new();
    for record in &played.records {
        for attempt in &record.attempts {
            let at = (record.call.arrived + attempt.sent).millis();
            attempts.entry(at).or_default().push(attempt);
        }
    }
    let mut pairs: Vec<(&Entry, Option<&Attempt>)> =
        played.entries.iter().map(|entry| (entry, None)).collect();
    // Those that agree first, so that no other takes their place.
    for most_apart in [0, i128::MAX] {
        for (entry, found) in pairs.iter_mut().filter(|(entry, _)| entry.way == Way::Gateway) {
            if found.is_none() {
                *found = take(&mut attempts, entry, most_apart);
            }
        }
    }
    pairs
}

fn take<'a>(
    attempts: &mut BTreeMap<i64, Vec<&'a Attempt>>,
    entry: &Entry,
    most_apart: i128,
) -> Option<&'a Attempt> {
    let billed = entry.bill.as_ref().map_or(0, |bill| pico(bill.pico_usd));
    let at = entry.at.millis();
    let apart = |attempt: &Attempt| {
        let is_other = attempt.status.unwrap_or(0) != entry.logged.status;
        (is_other, (attempt.cost.unwrap_or_default().pico() - billed).abs())
    };
    let near = attempts.range_mut(at - 1..=at + 3);
    let near = near.filter_map(|(_, left)| {
        let best = (0..left.len()).min_by_key(|at| apart(left[*at]));
        best.map(|best| (apart(left[best]), best, left))
    });
    let ((is_other, pico), best, left) = near.min_by_key(|(apart, ..)| *apart)?;
    let agrees = pico <= most_apart && !(is_other && most_apart == 0);
    agrees.then(|| left.swap_remove(best))
}

/// Requests whose bytes came again soon after they had broken off.
fn again(played: &Played) -> BTreeSet<u64> {
    let through: Vec<&Entry> =
        played.entries.iter().filter(|entry| entry.way == Way::Gateway).collect();
    let mut by_body: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in through {
        by_body.entry(&entry.logged.body_digest).or_default().push(entry);
    }
    let mut again = BTreeSet::new();
    for entries in by_body.values() {
        for pair in entries.windows(2) {
            let ended = pair[0].logged.ended_ms.or(pair[0].logged.aborted_ms).unwrap_or_default();
            let after = Span::from_millis(i64::try_from(pair[1].logged.at_ms).expect("days"))
                - Span::from_millis(i64::try_from(ended).expect("days"));
            if after <= AGAIN {
                again.insert(pair[0].logged.call);
            }
        }
    }
    again
}

/// Why a request was billed otherwise than we computed, as the provider saw it end.
fn why(entry: &Entry, attempt: Option<&Attempt>, came_again: bool) -> Cause {
    let logged = &entry.logged;
    let is_measured = attempt.is_some_and(|attempt| attempt.metering.state == UsageState::Measured);
    let lasted = logged.aborted_ms.map(|at| at - logged.at_ms);
    let is_silent = logged.fault.as_deref().is_some_and(|f| f == "hang" || f == "stall");
    match logged.fault.as_deref() {
        // Nothing broke, and it differs all the same: that would be a fault of our metering.
        _ if is_measured => Cause::Unexplained,
        _ if came_again => Cause::Retried,
        Some(_) if is_silent && lasted.is_some_and(|ms| SILENCE_MS < ms) => Cause::TimedOut,
        Some("nousage") if lasted.is_none() => Cause::Untold,
        Some("midreset" | "nodone") => Cause::Broken,
        _ => Cause::Aborted,
    }
}

impl Outcome {
    /// The share of what was paid that is computed or has a cause.
    fn explained(&self) -> f64 {
        1.0 - ratio(self.unexplained, self.paid)
    }

    /// The share of what was paid that has no wrong cause.
    fn right(&self) -> f64 {
        let wrong: i128 = self.causes.values().map(|(truth, said)| (truth - said).abs()).sum();
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
    println!(
        "  explained, of what was paid       median {:8.4}%  worst {:8.4}%",
        explained[middle] * 100.0,
        explained[0] * 100.0
    );
    println!(
        "  with the right cause              median {:8.4}%  worst {:8.4}%",
        right[middle] * 100.0,
        right[0] * 100.0
    );
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
    wanted <= explained[middle] && wanted <= right[middle]
}
