//! A scenario for each cause, what must hold of any two sides, and reports that are not as they
//! should be.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use scrimp_core::{
    Aggregate, Catalog, Digest, Ending, Fault, Metering, Parts, PriceRow, Record, Span, Time,
    Usage, UsageState, Usd,
};

use super::*;
use crate::testing::{self, Sketch};

/// `claude-test` at 5 dollars in and 25 out, and `claude-other` at the same.
fn prices() -> Catalog {
    let known = testing::prices();
    let row = known.find("anthropic", "claude-test", Time::EPOCH).unwrap();
    let mut prices = Catalog::default();
    prices.add(PriceRow::clone(row));
    prices.add(PriceRow { model: "claude-other".into(), ..PriceRow::clone(row) });
    prices
}

fn tokens(input: u64, output: u64) -> Usage {
    Usage { uncached: input, output, ..Usage::ZERO }
}

/// A call that was measured whole, at an hour of the first days of 1970.
pub(super) fn call(hour: i64, input: u64, output: u64) -> Record {
    let metering = Some(Metering::measured(tokens(input, output)));
    testing::entry(&Sketch { at_s: hour * 3_600, metering, ..Sketch::default() }).record
}

/// A call that did not end well.
pub(super) fn doubtful(
    hour: i64,
    (ending, fault): (Ending, Option<Fault>),
    state: UsageState,
    (input, output): (u64, u64),
) -> Record {
    let metering = Metering { usage: tokens(input, output), state, suspect: false };
    let sketch = Sketch {
        at_s: hour * 3_600,
        prompt: vec![(hour, u32::try_from(input).unwrap())],
        ending,
        metering: Some(metering),
        ..Sketch::default()
    };
    let mut record = testing::entry(&sketch).record;
    record.attempts[0].fault = fault;
    record
}

pub(super) fn aborted(hour: i64, input: u64, output: u64) -> Record {
    let end = (Ending::Abandoned, Some(Fault::Cancelled));
    doubtful(hour, end, UsageState::Partial, (input, output))
}

pub(super) fn of_model(mut record: Record, model: &str) -> Record {
    for attempt in &mut record.attempts {
        attempt.model = model.into();
    }
    record
}

fn parts(model: Option<&str>) -> Parts {
    Parts { model: model.map(Into::into), ..Parts::default() }
}

fn bucket(day: i64, of: Parts) -> Aggregate {
    let from = Time::EPOCH + Span::from_hours(24 * day);
    Aggregate {
        from,
        until: from + Span::from_hours(24),
        provider: "anthropic".into(),
        of,
        calls: None,
        metering: Metering::UNKNOWN,
        usd: None,
    }
}

/// A line of a usage report.
pub(super) fn used(day: i64, input: u64, output: u64) -> Aggregate {
    let metering = Metering::measured(tokens(input, output));
    Aggregate { metering, ..bucket(day, parts(Some("claude-test-20250101"))) }
}

pub(super) fn by_calls(sum: Aggregate, calls: u64) -> Aggregate {
    Aggregate { calls: Some(calls), ..sum }
}

pub(super) fn in_tier(mut sum: Aggregate, tier: &str) -> Aggregate {
    sum.of.tier = Some(tier.into());
    sum
}

/// A line of a cost report.
pub(super) fn charged(day: i64, usd: &str) -> Aggregate {
    let usd = Some(usd.parse().unwrap());
    Aggregate { usd, ..bucket(day, parts(Some("claude-test-20250101"))) }
}

pub(super) fn item(day: i64, usd: &str, words: &str) -> Aggregate {
    let of = Parts { item: Some(words.into()), ..Parts::default() };
    Aggregate { usd: Some(usd.parse().unwrap()), ..bucket(day, of) }
}

fn books(records: &[Record]) -> Books {
    let mut books = Books::new();
    for record in records {
        books.see(record);
    }
    books
}

fn find(records: &[Record], reports: &[&[Aggregate]]) -> Reconciliation {
    let reports: Vec<Report<'_>> =
        reports.iter().map(|sums| Report { name: "report", sums }).collect();
    let prices = prices();
    reconcile(&reports, &books(records), Question { prices: &prices, called: None })
}

fn told(found: &Reconciliation) -> String {
    let mut text = String::new();
    for provider in &found.providers {
        let Reconciled { paid, computed, gap, .. } = provider;
        writeln!(text, "paid {paid} computed {computed} gap {gap}").unwrap();
        for sum in provider.causes() {
            let tokens = sum.input_tokens + sum.output_tokens;
            let why = sum.why.join("; ");
            let confidence = sum.confidence;
            writeln!(text, "{} {} {tokens} {confidence:?} {why}", sum.cause.name(), sum.usd)
                .unwrap();
        }
        provider.notes.iter().for_each(|note| writeln!(text, "note: {note}").unwrap());
    }
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[track_caller]
pub(super) fn check(records: &[Record], reports: &[&[Aggregate]], expected: &Expect) {
    expected.assert_eq(&told(&find(records, reports)));
}

#[test]
fn equal_sides_have_no_gap() {
    let usage = [by_calls(used(0, 1_000, 100), 1)];
    check(
        &[call(1, 1_000, 100)],
        &[&usage, &[charged(0, "0.0075")]],
        &expect![[r#"
        paid 0.0075 computed 0.0075 gap 0
    "#]],
    );
}

#[test]
fn what_was_generated_after_a_client_left_is_aborted() {
    let records = [call(1, 1_000, 100), aborted(2, 1_000, 10)];
    check(
        &records,
        &[&[by_calls(used(0, 2_000, 300), 2)]],
        &expect![[r#"
        paid 0.0175 computed 0.01275 gap 0.00475
        aborted 0.00475 190 High
    "#]],
    );
}

#[test]
fn what_was_given_up_and_never_billed_is_timed_out() {
    let end = (Ending::Failed { fault: Fault::IdleTimeout }, Some(Fault::IdleTimeout));
    let silent = doubtful(2, end, UsageState::Estimated, (1_000, 0));
    check(
        &[call(1, 1_000, 100), silent],
        &[&[used(0, 1_000, 100)]],
        &expect![[r#"
        paid 0.0075 computed 0.0125 gap -0.005
        timed out -0.005 -1000 High
    "#]],
    );
}

#[test]
fn an_attempt_behind_another_is_retried() {
    let mut record = call(1, 1_000, 100);
    let mut first = record.attempts[0].clone();
    first.fault = Some(Fault::BrokenBody);
    first.metering.state = UsageState::Partial;
    record.attempts.insert(0, first);
    check(
        &[record],
        &[&[used(0, 2_000, 240)]],
        &expect![[r#"
        paid 0.016 computed 0.015 gap 0.001
        retried 0.001 40 High
    "#]],
    );
}

#[test]
fn a_call_that_comes_again_is_retried() {
    let mut again = aborted(2, 1_000, 10);
    let call = std::sync::Arc::make_mut(&mut again.call);
    call.arrived = call.arrived + Span::from_secs(30);
    let records = [aborted(2, 1_000, 10), again];
    check(
        &records,
        &[&[used(0, 2_000, 120)]],
        &expect![[r#"
        paid 0.013 computed 0.0105 gap 0.0025
        aborted 0.00125 0 Medium
        retried 0.00125 100 Medium
    "#]],
    );
}

#[test]
fn answers_that_broke_off_or_never_told_are_named_so() {
    let broken = (Ending::Truncated { status: 200 }, None);
    let broken = doubtful(1, broken, UsageState::Partial, (1_000, 10));
    check(
        &[broken],
        &[&[used(0, 1_000, 110)]],
        &expect![[r#"
        paid 0.00775 computed 0.00525 gap 0.0025
        broken off 0.0025 100 High
    "#]],
    );
    let untold = (Ending::Answered { status: 200, finish: None }, None);
    let untold = doubtful(1, untold, UsageState::Estimated, (1_000, 10));
    check(
        &[untold],
        &[&[used(0, 1_010, 110)]],
        &expect![[r#"
        paid 0.0078 computed 0.00525 gap 0.00255
        untold 0.00255 110 High
    "#]],
    );
}

#[test]
fn an_error_is_not_billed_and_no_doubt() {
    let refused = (Ending::Answered { status: 500, finish: None }, None);
    let mut refused = doubtful(1, refused, UsageState::Unknown, (0, 0));
    refused.attempts[0].status = Some(500);
    check(
        &[refused, call(2, 1_000, 100)],
        &[&[used(0, 1_000, 100)]],
        &expect![[r#"
        paid 0.0075 computed 0.0075 gap 0
    "#]],
    );
}

#[test]
fn usage_beyond_all_calls_passed_by() {
    let usage = [by_calls(used(0, 5_000, 700), 3)];
    check(
        &[call(1, 1_000, 100)],
        &[&usage],
        &expect![[r#"
            paid 0.0425 computed 0.0075 gap 0.035
            bypassed 0.035 4600 Medium or batch: no report tells the tier, or what it was charged
        "#]],
    );
    let mut other = used(0, 3_000, 100);
    other.of.model = Some("claude-other".into());
    check(
        &[call(1, 1_000, 100)],
        &[&[used(0, 1_000, 100), other]],
        &expect![[r#"
            paid 0.025 computed 0.0075 gap 0.0175
            bypassed 0.0175 3100 Medium or batch: no report tells the tier, or what it was charged
        "#]],
    );
}

#[test]
fn calls_in_doubt_keep_what_such_calls_cost_where_something_passed_by() {
    // On the first day nothing passed by: an aborted call costs 0.00475 more than its estimate.
    let records = [aborted(1, 1_000, 10), call(25, 1_000, 100), aborted(26, 1_000, 10)];
    let usage = [by_calls(used(0, 1_000, 200), 1), by_calls(used(1, 5_000, 800), 4)];
    check(
        &records,
        &[&usage],
        &expect![[r#"
            paid 0.055 computed 0.018 gap 0.037
            aborted 0.0095 190 High
            bypassed 0.0275 3690 Medium or batch: no report tells the tier, or what it was charged
        "#]],
    );
}

#[test]
fn a_key_of_which_nothing_passed_here_passed_by_for_sure() {
    let of_key = |key: &str, sum: Aggregate| {
        let mut sum = sum;
        sum.of.key = Some(key.into());
        sum
    };
    let usage = [of_key("ours", used(0, 2_000, 200)), of_key("theirs", used(0, 9_000, 900))];
    let found = find(&[call(1, 1_000, 100), aborted(2, 1_000, 10)], &[&usage]);
    let by_key: Vec<String> = found.providers[0]
        .lines
        .iter()
        .map(|line| format!("{} {} {:?}", line.cause.name(), line.usd, line.key))
        .collect();
    expect![[r#"
        aborted 0.00225 Some("ours")
        bypassed 0.0675 Some("theirs")"#]]
    .assert_eq(&by_key.join("\n"));
}

#[test]
fn batches_are_told_by_their_tier_or_by_their_price() {
    let usage = [in_tier(used(0, 1_000, 100), "standard"), in_tier(used(0, 4_000, 400), "batch")];
    check(
        &[call(1, 1_000, 100)],
        &[&usage, &[charged(0, "0.0225")]],
        &expect![[r#"
            paid 0.0225 computed 0.0075 gap 0.015
            batch 0.015 4400 High
        "#]],
    );
    // Not divided by tiers: 4,000 and 400 passed by on the second day, and were charged half.
    let records = [call(1, 1_000, 100), call(25, 1_000, 100), call(49, 1_000, 100)];
    let usage = [used(0, 1_000, 100), used(1, 5_000, 500), used(2, 1_000, 100)];
    let costs = [charged(0, "0.0075"), charged(1, "0.0225"), charged(2, "0.0075")];
    check(
        &records,
        &[&usage, &costs],
        &expect![[r#"
        paid 0.0375 computed 0.0225 gap 0.015
        batch 0.015 4400 Medium
    "#]],
    );
}

#[test]
fn what_passed_here_and_is_billed_elsewhere_is_absent() {
    let records = [call(1, 1_000, 100), of_model(call(2, 1_000, 100), "claude-other")];
    check(
        &records,
        &[&[used(0, 1_000, 100)]],
        &expect![[r#"
        paid 0.0075 computed 0.015 gap -0.0075
        absent -0.0075 -1100 High
    "#]],
    );
}

#[test]
fn days_without_a_report_are_missing_and_empty_ones_are_not() {
    let empty = Aggregate {
        calls: Some(0),
        metering: Metering::measured(Usage::ZERO),
        usd: Some(Usd::ZERO),
        ..bucket(2, Parts::default())
    };
    let records = [call(1, 1_000, 100), call(25, 2_000, 100), call(73, 1_000, 100)];
    let found = find(&records, &[&[used(0, 1_000, 100), empty, used(3, 1_000, 100)]]);
    assert_eq!(found.providers[0].missing_days, ["1970-01-02"]);
    expect![[r#"
        paid 0.015 computed 0.0275 gap -0.0125
        missing days -0.0125 0 High
    "#]]
    .assert_eq(&told(&found));
}

/// Two calls an hour in working hours, fewer otherwise, of sizes that differ from day to day.
fn week() -> Vec<Record> {
    let size = |hour: i64| 500 + u64::try_from(hour * 37 % 97 + hour / 24 * 211).unwrap();
    let is_on = |hour: &i64| (7..20).contains(&(hour % 24)) || hour % 5 == 0;
    (0..24 * 7).filter(is_on).map(|hour| call(hour, size(hour), size(hour) / 7)).collect()
}

/// What a provider reports of calls, its days being those of a zone.
fn reported(records: &[Record], days: i64, zone_hours: i64) -> Vec<Aggregate> {
    let of_day = |day: i64| {
        let hours = 24 * day - zone_hours..24 * (day + 1) - zone_hours;
        let is_in = |record: &&Record| hours.contains(&(record.call.arrived.secs() / 3_600));
        let mut usage = Usage::ZERO;
        records.iter().filter(is_in).for_each(|record| usage += record.metering.usage);
        used(day, usage.uncached, usage.output)
    };
    (0..days).map(of_day).collect()
}

#[test]
fn a_report_of_another_time_zone_is_seen_as_such() {
    let records = week();
    for zone in [-8, -5, 3, 9] {
        let found = find(&records, &[&reported(&records, 6, zone)]);
        let provider = &found.providers[0];
        assert_eq!(provider.zone_minutes, zone * 60);
        assert!(provider.lines.iter().all(|line| line.cause == Cause::TimeZone), "{zone}");
        assert!(provider.notes.iter().any(|note| note.contains("midnight of UTC")), "{zone}");
    }
    assert_eq!(find(&records, &[&reported(&records, 6, 0)]).providers[0].zone_minutes, 0);
}

#[test]
fn days_that_say_where_they_begin_are_taken_at_their_word() {
    let records = week();
    let mut usage = reported(&records, 6, 8);
    for sum in &mut usage {
        (sum.from, sum.until) = (sum.from - Span::from_hours(8), sum.until - Span::from_hours(8));
    }
    let provider = &find(&records, &[&usage]).providers[0];
    assert_eq!((provider.zone_minutes, provider.lines.len()), (0, 0));
}

#[test]
fn one_factor_on_all_is_a_discount_and_its_size_is_told() {
    let records = [call(1, 1_000, 100), call(25, 3_000, 100)];
    let usage = [used(0, 1_000, 100), used(1, 3_000, 100)];
    let costs = [charged(0, "0.006375"), charged(1, "0.014875")];
    check(
        &records,
        &[&usage, &costs],
        &expect![[r#"
        paid 0.02125 computed 0.025 gap -0.00375
        discount -0.00375 0 High 0.85 of the list price
    "#]],
    );
    // From costs alone, too.
    check(
        &records,
        &[&costs],
        &expect![[r#"
            paid 0.02125 computed 0.025 gap -0.00375
            discount -0.00375 0 Medium 0.85 of the list price
        "#]],
    );
}

#[test]
fn another_price_of_one_model_is_a_price() {
    let other = |day: i64, input| of_model(call(day * 24 + 2, input, 0), "claude-other");
    let records = [call(1, 9_000, 0), call(25, 9_000, 0), other(0, 1_000), other(1, 2_000)];
    let named = |mut sum: Aggregate| {
        sum.of.model = Some("claude-other".into());
        sum
    };
    let usage =
        [used(0, 9_000, 0), used(1, 9_000, 0), named(used(0, 1_000, 0)), named(used(1, 2_000, 0))];
    let costs = [
        charged(0, "0.045"),
        charged(1, "0.045"),
        named(charged(0, "0.006")),
        named(charged(1, "0.012")),
    ];
    check(
        &records,
        &[&usage, &costs],
        &expect![[r#"
        paid 0.108 computed 0.105 gap 0.003
        price 0.003 0 High 1.2 of the price known here for claude-other
    "#]],
    );
}

#[test]
fn a_model_without_a_price_is_a_price_too() {
    let mut unknown = of_model(call(1, 1_000, 100), "claude-new");
    unknown.attempts[0].cost = None;
    let named = |mut sum: Aggregate| {
        sum.of.model = Some("claude-new".into());
        sum
    };
    let reports: [&[Aggregate]; 2] =
        [&[named(used(0, 1_000, 100))], &[named(charged(0, "0.0123"))]];
    check(
        &[unknown],
        &reports,
        &expect![[r#"
        paid 0.0123 computed 0 gap 0.0123
        price 0.0123 0 High no price is known here for claude-new
    "#]],
    );
}

#[test]
fn lines_without_tokens_are_what_their_words_say() {
    let costs = [
        charged(0, "0.0075"),
        item(0, "-5", "Promotional credit"),
        item(0, "100", "Priority tier commitment"),
        item(0, "0.04", "Web Search Usage"),
        item(0, "0.05", "Code Execution Usage"),
    ];
    check(
        &[call(1, 1_000, 100)],
        &[&[used(0, 1_000, 100)], &costs],
        &expect![[r#"
        paid 95.0975 computed 0.0075 gap 95.09
        credit -5 0 High Promotional credit
        commitment 100 0 High Priority tier commitment
        service 0.09 0 High Code Execution Usage; Web Search Usage
    "#]],
    );
}

#[test]
fn cents_are_rounding_and_tokens_without_a_charge_are_a_credit() {
    let usage = [used(0, 1_001, 100), used(1, 9_000, 100)];
    let records = [call(1, 1_001, 100), call(25, 9_000, 100)];
    check(
        &records,
        &[&usage, &[charged(0, "0.01"), charged(1, "0.05")]],
        &expect![[r#"
        paid 0.06 computed 0.055005 gap 0.004995
        rounding 0.004995 0 High
    "#]],
    );
    let other = of_model(call(2, 90_000, 100), "claude-other");
    let mut free = used(0, 90_000, 100);
    free.of.model = Some("claude-other".into());
    let usage = [used(0, 1_001, 100), free];
    check(
        &[call(1, 1_001, 100), other],
        &[&usage, &[charged(0, "0.007505")]],
        &expect![[r#"
        paid 0.007505 computed 0.460005 gap -0.4525
        credit -0.4525 0 Medium tokens that no line of the bill charges
    "#]],
    );
}

#[test]
fn the_priority_tier_is_in_no_cost_report() {
    let mut record = call(1, 1_000, 100);
    record.attempts[0].terms.tier = scrimp_core::Tier::Priority;
    let usage = [in_tier(used(0, 1_000, 100), "priority"), in_tier(used(0, 500, 10), "standard")];
    let records = [record, call(2, 500, 10)];
    check(
        &records,
        &[&usage, &[charged(0, "0.00275")]],
        &expect![[r#"
        paid 0.00275 computed 0.01025 gap -0.0075
        commitment -0.0075 0 High the priority tier is paid by commitment, in no cost report
    "#]],
    );
}

#[test]
fn what_nothing_accounts_for_is_unexplained_and_stays_whole() {
    let records = [call(1, 1_000, 100), call(25, 1_000, 100), call(49, 1_000, 100)];
    let usage = [used(0, 1_000, 100), used(1, 1_000, 100), used(2, 1_000, 100)];
    let costs = [charged(0, "0.0075"), charged(1, "0.0123"), charged(2, "0.0075")];
    check(
        &records,
        &[&usage, &costs],
        &expect![[r#"
        paid 0.0273 computed 0.0225 gap 0.0048
        unexplained 0.0048 0 Low
    "#]],
    );
}

#[test]
fn overlapping_reports_count_once() {
    let usage = [used(0, 1_000, 100)];
    let by_key = [("a", 400), ("b", 600)].map(|(key, input)| {
        let mut sum = used(0, input, 50);
        sum.of.key = Some(key.into());
        sum
    });
    let records = [call(1, 1_000, 100)];
    check(
        &records,
        &[&usage, &usage],
        &expect![[r#"
            paid 0.0075 computed 0.0075 gap 0
            note: 1 line of the reports stood in several files: counted once
        "#]],
    );
    check(
        &records,
        &[&usage, &by_key],
        &expect![[r#"
            paid 0.0075 computed 0.0075 gap 0
            note: 1 line left out: a finer report divides the same usage
            note: keys here could not be matched with the provider's: figures are of all keys together
        "#]],
    );
    // By the hour, and by the day.
    let mut hour = used(0, 1_000, 100);
    (hour.from, hour.until) =
        (Time::EPOCH + Span::from_hours(1), Time::EPOCH + Span::from_hours(2));
    check(
        &records,
        &[&usage, &[hour]],
        &expect![[r#"
            paid 0.0075 computed 0.0075 gap 0
            note: 1 line left out: a finer report divides the same usage
        "#]],
    );
}

#[test]
fn a_report_of_another_provider_says_so() {
    let foreign = Aggregate { provider: "openai".into(), ..used(0, 1_000, 100) };
    check(
        &[call(1, 1_000, 100)],
        &[&[foreign]],
        &expect![[r#"
            paid 0 computed 0 gap 0
            bypassed 0 1100 High or batch: no report tells the tier, or what it was charged
            note: no call to `openai` of these days passed here; the records have calls to anthropic
        "#]],
    );
}

#[test]
fn usage_that_names_no_model_is_left_out_and_said() {
    let mut usage = used(0, 1_000, 100);
    usage.of.model = None;
    check(
        &[call(1, 1_000, 100)],
        &[&[usage], &[charged(0, "0.0075")]],
        &expect![[r#"
            paid 0.0075 computed 0.0075 gap 0
            note: 1 line of a usage report left out, because without a model they cannot be priced: ask for it by model (`group_by`)
        "#]],
    );
}

#[test]
fn a_ledger_fills_what_records_lost() {
    let mut books = books(&[call(1, 1_000, 100)]);
    let (usage, calls) = (tokens(3_000, 300), 3);
    let row = DayCount {
        day: Time::EPOCH,
        provider: "anthropic".into(),
        model: "claude-test".into(),
        key: Digest::default(),
        calls,
        usage,
        cost: "0.0225".parse().unwrap(),
    };
    books.fill(std::slice::from_ref(&row));
    books.fill(&[row]);
    let sums = [used(0, 3_000, 300)];
    let prices = prices();
    let question = Question { prices: &prices, called: None };
    let found = reconcile(&[Report { name: "report", sums: &sums }], &books, question);
    expect![[r#"
        paid 0.0225 computed 0.0225 gap 0
        note: 2 calls are known by the day only, their records are gone: whether they broke off is not known
    "#]].assert_eq(&told(&found));
}

/// Records and reports of three days that need not have anything to do with each other.
fn any_sides() -> impl Strategy<Value = (Vec<Record>, Vec<Aggregate>, Vec<Aggregate>)> {
    let record =
        (0_i64..72, 100_u64..9_000, 1_u64..500, 0..6).prop_map(|(hour, input, output, kind)| {
            match kind {
                0 => aborted(hour, input, output),
                1 => {
                    let end =
                        (Ending::Failed { fault: Fault::BrokenBody }, Some(Fault::BrokenBody));
                    doubtful(hour, end, UsageState::Estimated, (input, output))
                }
                2 => of_model(call(hour, input, output), "claude-other"),
                _ => call(hour, input, output),
            }
        });
    let sum = (0_i64..3, 0_u64..90_000, 0_u64..5_000, 0_usize..3).prop_map(
        |(day, input, output, model)| {
            let mut sum = used(day, input, output);
            sum.of.model = Some(["claude-test", "claude-other", "claude-new"][model].into());
            sum
        },
    );
    let cost = (0_i64..3, -20_000_i64..900_000, 0_usize..4).prop_map(|(day, micros, model)| {
        let usd = Some(Usd::from_pico(i128::from(micros) * 1_000_000));
        let models = [Some("claude-test"), Some("claude-other"), Some("claude-new"), None];
        Aggregate { usd, ..bucket(day, parts(models[model])) }
    });
    let many = |sums| prop::collection::vec(sums, 0..8);
    (prop::collection::vec(record, 0..30), many(sum.boxed()), many(cost.boxed()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn lines_are_the_gap_to_the_last_digit((records, usage, costs) in any_sides()) {
        let found = find(&records, &[&usage, &costs]);
        for provider in &found.providers {
            let sum: Usd = provider.lines.iter().map(|line| line.usd).sum();
            prop_assert_eq!(provider.paid - provider.computed, sum);
            if provider.basis == summary::Basis::Paid {
                let paid: Usd = costs.iter().filter_map(|sum| sum.usd).sum();
                prop_assert_eq!(provider.paid, paid);
            }
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter((records, usage, costs) in any_sides()) {
        let (mut turned_usage, mut turned_costs) = (usage.clone(), costs.clone());
        turned_usage.reverse();
        turned_costs.reverse();
        let one = told(&find(&records, &[&usage, &costs]));
        prop_assert_eq!(one, told(&find(&records, &[&turned_costs, &turned_usage])));
    }

    #[test]
    fn a_bill_of_what_was_computed_has_no_gap(hours in prop::collection::vec(0_i64..72, 1..20)) {
        let records: Vec<Record> = hours.iter().map(|hour| call(*hour, 1_000, 70)).collect();
        let usage = reported(&records, 3, 0);
        let cost = |sum: &Aggregate| {
            let Usage { uncached, output, .. } = sum.metering.usage;
            let pico = i128::from(uncached) * 5_000_000 + i128::from(output) * 25_000_000;
            Aggregate { usd: Some(Usd::from_pico(pico)), metering: Metering::UNKNOWN, ..sum.clone() }
        };
        let costs: Vec<Aggregate> = usage.iter().map(cost).collect();
        let found = find(&records, &[&usage, &costs]);
        prop_assert_eq!(&found.providers[0].lines, &[]);
    }
}
