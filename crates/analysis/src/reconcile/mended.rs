//! Scenarios of causes that were taken for each other: each has what tells them apart.

use expect_test::expect;
use scrimp_core::{Ending, Fault, Record, Span, UsageState};

use super::tests::{
    aborted, by_calls, call, charged, check, doubtful, in_tier, item, of_model, used,
};

/// Given up before anything came.
fn silent(hour: i64, input: u64) -> Record {
    let end = (Ending::Failed { fault: Fault::FirstByteTimeout }, Some(Fault::FirstByteTimeout));
    let mut record = doubtful(hour, end, UsageState::Estimated, (input, 0));
    record.attempts[0].status = None;
    record
}

/// The client left before the input was told.
fn left(hour: i64, input: u64) -> Record {
    let end = (Ending::Abandoned, Some(Fault::Cancelled));
    doubtful(hour, end, UsageState::Estimated, (input, 0))
}

/// The same request a little later.
fn again(mut record: Record) -> Record {
    let call = std::sync::Arc::make_mut(&mut record.call);
    call.arrived = call.arrived + Span::from_secs(30);
    record
}

#[test]
fn what_is_never_billed_on_a_quiet_day_is_not_billed_beside_what_passed_by() {
    let records = [call(1, 1_000, 100), silent(2, 900), call(25, 1_000, 100), silent(26, 900)];
    let usage = [by_calls(used(0, 1_000, 100), 1), by_calls(used(1, 6_000, 600), 3)];
    check(
        &records,
        &[&usage, &[charged(0, "0.0075"), charged(1, "0.045")]],
        &expect![[r#"
            paid 0.0525 computed 0.024 gap 0.0285
            timed out -0.009 -900 High
            bypassed 0.0375 4600 Medium
        "#]],
    );
}

#[test]
fn a_request_that_came_again_tells_the_input_of_the_first() {
    // Both were estimated at 1,300. One came again and had 1,000: the rest is of the other.
    let mut repeated = call(1, 1_000, 0);
    let first = left(1, 1_300);
    std::sync::Arc::make_mut(&mut repeated.call).prompt = first.call.prompt.clone();
    let records = [first, again(repeated), left(2, 1_300)];
    check(
        &records,
        &[&[used(0, 3_250, 0)], &[charged(0, "0.01625")]],
        &expect![[r#"
            paid 0.01625 computed 0.018 gap -0.00175
            aborted -0.000298077663 0 Medium
            retried -0.001451922337 -350 Medium
        "#]],
    );
}

#[test]
fn input_that_was_told_takes_no_part_in_what_others_have_too_little_of() {
    let records = [aborted(1, 1_000, 10), silent(2, 1_000)];
    check(
        &records,
        &[&[used(0, 1_000, 60)], &[charged(0, "0.0065")]],
        &expect![[r#"
            paid 0.0065 computed 0.01025 gap -0.00375
            aborted 0.00125 0 Medium
            timed out -0.005 -950 Low
        "#]],
    );
}

#[test]
fn a_batch_job_in_a_sum_of_each_day_leaves_one_factor_on_all_days() {
    let other = |day, input| {
        let mut sum = used(day, input, 0);
        sum.of.model = Some("claude-other".into());
        sum
    };
    let records = [0, 1, 2].map(|day| call(24 * day + 1, 10_000, 0));
    // Of claude-test 2,000 passed by each day at its price; of claude-other all in batches.
    let usage = [
        used(0, 12_000, 0),
        used(1, 12_000, 0),
        used(2, 12_000, 0),
        other(0, 3_000),
        other(1, 5_000),
        other(2, 1_000),
    ];
    let cost = |day, usd| {
        let mut sum = item(day, usd, "all");
        sum.of.item = None;
        sum
    };
    let costs = [cost(0, "0.057375"), cost(1, "0.061625"), cost(2, "0.053125")];
    check(
        &records,
        &[&usage, &costs],
        &expect![[r#"
            paid 0.172125 computed 0.15 gap 0.022125
            bypassed 0.03 6000 High
            batch 0.0225 9000 Medium
            discount -0.030375 0 High 0.85 of the list price
        "#]],
    );
}

#[test]
fn without_tiers_and_prices_what_passed_by_may_be_a_batch() {
    let records = [call(1, 1_000, 100)];
    check(
        &records,
        &[&[used(0, 5_000, 100)]],
        &expect![[r#"
            paid 0.0275 computed 0.0075 gap 0.02
            bypassed 0.02 4000 Medium or batch: no report tells the tier, or what it was charged
        "#]],
    );
    // With tiers it is known.
    let usage = [in_tier(used(0, 1_000, 100), "standard"), in_tier(used(0, 4_000, 0), "batch")];
    check(
        &records,
        &[&usage],
        &expect![[r#"
        paid 0.0175 computed 0.0075 gap 0.01
        batch 0.01 4000 High
    "#]],
    );
    let other = of_model(call(1, 1_000, 100), "claude-other");
    check(
        &[other],
        &[&usage],
        &expect![[r#"
        paid 0.0175 computed 0.0075 gap 0.01
        bypassed 0.0075 1100 High
        batch 0.01 4000 High
        absent -0.0075 -1100 High
    "#]],
    );
}

/// A sum of a whole day.
fn whole(day: i64, usd: &str) -> scrimp_core::Aggregate {
    let mut sum = item(day, usd, "all");
    sum.of.item = None;
    sum
}

#[test]
fn a_credit_beside_a_sum_of_a_day_stays_a_credit() {
    let records = [call(1, 10_000, 0), call(25, 12_000, 0)];
    let usage = [used(0, 10_000, 0), used(1, 12_000, 0)];
    check(
        &records,
        &[&usage, &[whole(0, "0.05"), whole(0, "-0.02"), whole(1, "0.06")]],
        &expect![[r#"
            paid 0.09 computed 0.11 gap -0.02
            credit -0.02 0 High
        "#]],
    );
}

#[test]
fn half_a_price_in_sums_of_days_that_no_set_of_models_tells_is_batch_or_discount() {
    // Of each day's 4,000 that passed by, another part was in batches: 1,000, 3,000 and none.
    let records = [0, 1, 2].map(|day| call(24 * day + 1, 100_000, 0));
    let usage = [0, 1, 2].map(|day| used(day, 104_000, 0));
    let costs = [whole(0, "0.46575"), whole(1, "0.46125"), whole(2, "0.468")];
    check(
        &records,
        &[&usage, &costs],
        &expect![[r#"
        paid 1.395 computed 1.5 gap -0.105
        bypassed 0.04 12000 High
        batch 0.01 0 Medium or discount: the bill is one sum of each day
        discount -0.155 0 High 0.9 of the list price
    "#]],
    );
}
