//! What each cause is really worth, by the provider's books; beside them only our costs of the same
//! requests.

use std::collections::{BTreeMap, BTreeSet};

use scrimp_analysis::reconcile::Cause;
use scrimp_core::{Attempt, Span, Time, UsageState};
use scrimp_sim::Api;

use super::invoice::{CREDIT, SERVICE, day_of};
use super::play::{Entry, Played, Way};
use super::scenario::{Reports, Scenario};

/// A request that comes again so soon is the same request.
const AGAIN: Span = Span::from_minutes(10);
/// What silence is ended after.
const SILENCE_MS: u64 = 29_000;
const DAY: Span = Span::from_hours(24);

/// Whose day.
pub(super) type Place = (&'static str, Time);

/// Pico-dollars by place and cause.
pub(super) type Truth = BTreeMap<(Place, Cause), i128>;

/// What each cause is worth on each day of each provider's reports.
pub(super) fn truth(scenario: &Scenario, played: &Played) -> Truth {
    let mut truth = Truth::new();
    requests(scenario, played, &mut truth);
    if scenario.reports != Reports::Usage {
        charges(scenario, played, &mut truth);
    }
    days(scenario, played, &mut truth);
    truth.retain(|_, pico| *pico != 0);
    truth
}

/// What was billed otherwise than it was computed, request by request.
fn requests(scenario: &Scenario, played: &Played, truth: &mut Truth) {
    let again = again(played);
    for (entry, attempt) in &pairs(played) {
        let Some(day) = day_of(scenario, played, entry.at) else { continue };
        let billed = entry.bill.as_ref().map_or(0, |bill| pico(bill.pico_usd));
        let ours = attempt.and_then(|attempt| attempt.cost).unwrap_or_default().pico();
        let (cause, pico) = match entry.way {
            Way::PastIt => (Cause::Bypassed, billed),
            Way::Batch => (Cause::Batch, billed),
            Way::Gateway => {
                (why(entry, *attempt, again.contains(&entry.logged.call)), billed - ours)
            }
        };
        *truth.entry((place(played, api(entry), day), cause)).or_default() += pico;
    }
}

/// What bills have beside the list price of the tokens.
fn charges(scenario: &Scenario, played: &Played, truth: &mut Truth) {
    let permille = i128::from(scenario.charged_permille);
    let mut lists: BTreeMap<(&str, u64), i128> = BTreeMap::new();
    for entry in &played.entries {
        let (Some(bill), Some(day)) = (&entry.bill, day_of(scenario, played, entry.at)) else {
            continue;
        };
        *lists.entry((name(bill.api), day)).or_default() += pico(bill.pico_usd);
    }
    for ((provider, day), list) in lists {
        let mut add = |cause, pico| {
            *truth.entry((place(played, provider, day), cause)).or_default() += pico;
        };
        add(Cause::Discount, list * (permille - 1_000) / 1_000);
        // Without names of lines a credit is one of the amounts below nothing.
        if scenario.has_credit && provider == name(Api::OpenAi) && day == 0 {
            add(Cause::Credit, CREDIT);
        }
        if scenario.has_service && scenario.by_item && provider == name(Api::Anthropic) {
            add(Cause::Service, SERVICE);
        }
    }
}

/// What is computed for other days than those that the reports are of.
fn days(scenario: &Scenario, played: &Played, truth: &mut Truth) {
    let named = Scenario { zone_hours: 0, missing: None, ..*scenario };
    let shifted = Scenario { missing: None, ..*scenario };
    for record in &played.records {
        let (at, cost) = (record.call.arrived, record.cost.unwrap_or_default().pico());
        let provider = match &*record.call.provider {
            "openai" => name(Api::OpenAi),
            _ => name(Api::Anthropic),
        };
        let mut add = |day, cause, pico| {
            *truth.entry((place(played, provider, day), cause)).or_default() += pico;
        };
        let is_of = day_of(&shifted, played, at);
        if let Some(day) = day_of(&named, played, at) {
            add(day, Cause::TimeZone, -cost);
        }
        if let Some(day) = is_of {
            add(day, Cause::TimeZone, cost);
        }
        if let Some(day) = is_of.filter(|_| day_of(scenario, played, at).is_none()) {
            add(day, Cause::MissingDays, -cost);
        }
    }
}

fn place(played: &Played, provider: &'static str, day: u64) -> Place {
    let days = i64::try_from(day).expect("a few days");
    (provider, played.start + Span::from_nanos(DAY.nanos() * days))
}

fn name(api: Api) -> &'static str {
    match api {
        Api::OpenAi => "openai",
        Api::Anthropic => "anthropic",
    }
}

/// By the path: what was refused has no bill.
fn api(entry: &Entry) -> &'static str {
    match entry.logged.path.contains("/messages") {
        true => name(Api::Anthropic),
        false => name(Api::OpenAi),
    }
}

fn pico(billed: u128) -> i128 {
    i128::try_from(billed).expect("a small bill")
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
