//! Scenarios of calls, and what is counted of them.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

use std::fmt::Write as _;
use std::sync::Arc;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use scrimp_core::call::Parameters;
use scrimp_core::money::Rate;
use scrimp_core::price::{Card, PriceRow, Rates, Terms};
use scrimp_core::record::Timing;
use scrimp_core::{
    Attempt, Call, CallId, Caller, Catalog, Delivery, Dialect, Digest, Ending, Fault, Metering,
    Record, Span, Tier, Time, Usage, Usd,
};

use super::{Calendar, ClassTotal, Profile};

/// A call in few words; the rest is the same for all.
#[derive(Clone, Debug)]
struct Sketch {
    at_s: i64,
    operation: &'static str,
    model: &'static str,
    took_ms: i64,
    ending: Ending,
    metering: Metering,
}

const DAY_S: i64 = 86_400;

fn answered(at_s: i64, operation: &'static str, took_ms: i64) -> Sketch {
    let usage = Usage { uncached: 1_000, cache_read: 500, output: 101, ..Usage::ZERO };
    Sketch {
        at_s,
        operation,
        model: "m",
        took_ms,
        ending: Ending::Answered { status: 200, finish: None },
        metering: Metering::measured(usage),
    }
}

fn prices() -> Arc<Catalog> {
    let rate = |text: &str| text.parse::<Rate>().unwrap();
    let rates = Rates {
        input: rate("1e-6"),
        cache_read: Some(rate("1e-7")),
        cache_write_short: None,
        cache_write_long: None,
        audio_input: None,
        image_input: None,
        output: rate("1e-5"),
        reasoning: None,
        audio_output: None,
    };
    let mut prices = Catalog::default();
    prices.add(PriceRow {
        provider: "p".into(),
        model: "m".into(),
        from: None,
        until: None,
        cards: vec![Card { tier: Tier::Standard, above: 0, rates }],
        fast_permille: None,
        us_permille: None,
        eu_permille: None,
        cache: None,
    });
    Arc::new(prices)
}

fn record(sketch: &Sketch) -> Record {
    let Sketch { at_s, operation, model, took_ms, ending, metering } = sketch.clone();
    let took = Span::from_millis(took_ms);
    let call = Call {
        id: CallId(u128::from(at_s.unsigned_abs())),
        seed: 0,
        arrived: Time::from_secs(at_s),
        dialect: Dialect::OpenaiChat,
        provider: "p".into(),
        model: model.into(),
        operation: operation.into(),
        caller: Caller::default(),
        delivery: Delivery::Stream,
        parameters: Parameters {
            max_output_tokens: None,
            temperature_permille: None,
            answers: 1,
            usage_in_stream: false,
            client_cache_options: false,
            digest: Digest::default(),
            rendered: None,
        },
        prompt: Vec::new(),
        body_bytes: 1,
    };
    let attempt = Attempt {
        provider: call.provider.clone(),
        model: call.model.clone(),
        sent: Span::ZERO,
        ended: took,
        status: Some(200),
        fault: None,
        metering,
        terms: Terms::default(),
        cost: None,
        priced_as: None,
    };
    let timing = Timing {
        first_content: Some(Span::from_millis(took_ms / 4)),
        last_content: Some(took),
        ended: Some(took),
        ..Timing::default()
    };
    let mut record = Record {
        call: Arc::new(call),
        placement: None,
        shaped: None,
        budgeted: None,
        attempts: vec![attempt],
        ending,
        metering,
        cost: None,
        cost_uncached: None,
        timing,
    };
    record.charge(&prices());
    record
}

fn profile(sketches: &[Sketch]) -> Profile {
    let records: Vec<Record> = sketches.iter().map(record).collect();
    Profile::of(&records, prices(), Calendar::Real)
}

fn check(sketches: &[Sketch], expected: &Expect) {
    let profile = profile(sketches);
    let mut text = String::new();
    for operation in &profile.operations {
        let s = &operation.stats;
        let usd = s.usd.map_or("?".to_owned(), |usd| usd.to_string());
        writeln!(
            text,
            "{}: {} calls, {} errors, {} truncated, {} abandoned, {} unpriced, {} unknown, {} suspect; \
             ${usd} (uncached {}); latency of {} p50 {:.0?}",
            operation.name,
            s.calls,
            s.errors,
            s.truncated,
            s.abandoned,
            s.unpriced,
            s.unknown_usage,
            s.suspect,
            s.usd_uncached,
            s.latency.calls(),
            s.latency.summary().map(|summary| summary.p50),
        )
        .unwrap();
        for class in s.classes() {
            writeln!(text, "  {:?} {} ${}", class.class, class.tokens, class.usd).unwrap();
        }
    }
    expected.assert_eq(&text);
}

#[test]
fn what_is_not_known_is_counted_and_never_summed() {
    let fine = answered(0, "chat", 400);
    check(
        &[
            fine.clone(),
            Sketch { model: "unheard-of", ..fine.clone() },
            Sketch { metering: Metering::UNKNOWN, ..fine.clone() },
            Sketch { metering: Metering { suspect: true, ..Metering::UNKNOWN }, ..fine.clone() },
            Sketch { operation: "free", model: "unheard-of", ..fine },
        ],
        &expect![[r#"
            chat: 4 calls, 0 errors, 0 truncated, 0 abandoned, 1 unpriced, 2 unknown, 1 suspect; $0.00206 (uncached 0.00251); latency of 4 p50 Some(400)
              Some(Uncached) 2000 $0.001
              Some(CacheRead) 1000 $0.00005
              Some(Output) 202 $0.00101
            free: 1 calls, 0 errors, 0 truncated, 0 abandoned, 1 unpriced, 0 unknown, 0 suspect; $? (uncached 0); latency of 1 p50 Some(400)
              Some(Uncached) 1000 $0
              Some(CacheRead) 500 $0
              Some(Output) 101 $0
        "#]],
    );
}

#[test]
fn every_ending_has_its_own_count_and_only_answers_have_latencies() {
    let with = |ending| Sketch { ending, ..answered(0, "chat", 400) };
    check(
        &[
            with(Ending::Answered { status: 200, finish: None }),
            with(Ending::Answered { status: 429, finish: None }),
            with(Ending::Failed { fault: Fault::Reset }),
            with(Ending::Truncated { status: 200 }),
            with(Ending::Abandoned),
        ],
        &expect![[r#"
            chat: 5 calls, 2 errors, 1 truncated, 1 abandoned, 0 unpriced, 0 unknown, 0 suspect; $0.0103 (uncached 0.01255); latency of 1 p50 Some(400)
              Some(Uncached) 5000 $0.005
              Some(CacheRead) 2500 $0.00025
              Some(Output) 505 $0.00505
        "#]],
    );
}

/// A call that costs $0.00206 by the list, of which a log says that it cost `recorded`.
fn logged(recorded: Usd) -> Profile {
    let mut record = record(&answered(0, "chat", 400));
    record.attempts[0].cost = Some(recorded);
    record.charge(&prices());
    Profile::of([&record], prices(), Calendar::Real)
}

fn check_logged(recorded: &str, expected: &Expect) {
    let profile = logged(recorded.parse().unwrap());
    let line = |class: ClassTotal| format!("{:?} ${}", class.class, class.usd);
    let classes = profile.totals.classes().into_iter().map(line);
    expected.assert_eq(&classes.collect::<Vec<_>>().join("\n"));
    assert_eq!(profile.totals.usd, Some(recorded.parse().unwrap()));
}

#[test]
fn a_cost_that_a_log_rounded_is_split_in_the_proportion_of_the_list() {
    check_logged(
        "0.0021",
        &expect![[r#"
        Some(Uncached) $0.001019417475
        Some(CacheRead) $0.000050970874
        Some(Output) $0.001029611651"#]],
    );
    check_logged(
        "0.00202",
        &expect![[r#"
        Some(Uncached) $0.000980582524
        Some(CacheRead) $0.000049029126
        Some(Output) $0.00099038835"#]],
    );
}

#[test]
fn a_cost_that_other_prices_made_is_kept_and_not_attributed_to_classes() {
    check_logged(
        "0.007",
        &expect![[r#"
        Some(Uncached) $0
        Some(CacheRead) $0
        Some(Output) $0
        None $0.007"#]],
    );
    check_logged(
        "0.00201",
        &expect![[r#"
        Some(Uncached) $0
        Some(CacheRead) $0
        Some(Output) $0
        None $0.00201"#]],
    );
}

#[test]
fn a_cost_of_next_to_nothing_may_be_off_by_what_rounding_takes() {
    // $0.00006 by the list.
    let few = Usage { uncached: 40, output: 2, ..Usage::ZERO };
    let mut record = record(&Sketch { metering: Metering::measured(few), ..answered(0, "c", 4) });
    let has_rest = |record: &Record| {
        let profile = Profile::of([record], prices(), Calendar::Real);
        profile.totals.classes().iter().any(|total| total.class.is_none())
    };
    for (recorded, is_split) in [("0.0001", true), ("0.0002", false), ("0.00005", false)] {
        record.attempts[0].cost = Some(recorded.parse().unwrap());
        record.charge(&prices());
        assert_eq!(has_rest(&record), !is_split, "{recorded}");
    }
}

#[test]
fn less_than_a_day_is_not_extrapolated_and_relative_times_never_are() {
    let day: Vec<Sketch> = (0..24).map(|hour| answered(hour * 3_600, "chat", 400)).collect();
    assert_eq!(profile(&day).forecast, None);
    let days: Vec<Sketch> = (0..=240).map(|hour| answered(hour * 3_600, "chat", 400)).collect();
    let forecast = profile(&days).forecast.unwrap();
    let records: Vec<Record> = days.iter().map(record).collect();
    assert_eq!(Profile::of(&records, prices(), Calendar::Relative).forecast, None);
    // 24 calls a day of $0.00206, evenly: a narrow range around the mean month.
    let usd = forecast.usd_per_month.as_f64();
    assert!((1.50..1.52).contains(&usd), "{usd}");
    assert!(forecast.low <= forecast.usd_per_month && forecast.usd_per_month <= forecast.high);
    assert!(forecast.high.as_f64() / forecast.low.as_f64() < 1.05, "{forecast:?}");
    assert!((forecast.days - 10.0).abs() < 1e-9);
}

#[test]
fn uneven_days_give_a_wide_range_that_repeats() {
    let day = |day: i64| {
        (0..if day == 3 { 500 } else { 5 })
            .map(move |n| answered(day * DAY_S + n * 60, "chat", 400))
    };
    let sketches: Vec<Sketch> = (0..14).flat_map(day).collect();
    let (first, again) =
        (profile(&sketches).forecast.unwrap(), profile(&sketches).forecast.unwrap());
    assert_eq!(first, again);
    assert!(2.0 < first.high.as_f64() / first.low.as_f64(), "{first:?}");
}

proptest! {
    #[test]
    fn a_cost_that_a_log_gives_is_split_without_a_rest(recorded in 0_i128..5_000_000_000) {
        let totals = logged(Usd::from_pico(recorded)).totals;
        let classes: Usd = totals.classes().iter().map(|class| class.usd).sum();
        prop_assert_eq!(classes, Usd::from_pico(recorded));
    }

    #[test]
    fn operations_add_up_to_the_totals_and_classes_to_the_cost(
        calls in prop::collection::vec((0..3_usize, 0..3_usize, 0_i64..9_000, 0..5_u8), 0..60)
    ) {
        let sketches: Vec<Sketch> = calls.iter().map(|(operation, model, took, kind)| {
            let call = answered(*took, ["a", "b", "c"][*operation], *took);
            let model = ["m", "m", "unheard-of"][*model];
            match kind {
                0 => Sketch { model, metering: Metering::UNKNOWN, ..call },
                1 => Sketch { model, ending: Ending::Abandoned, ..call },
                _ => Sketch { model, ..call },
            }
        }).collect();
        let profile = profile(&sketches);
        let sum = |part: fn(&super::Stats) -> u64| profile.operations.iter().map(|o| part(&o.stats)).sum::<u64>();
        prop_assert_eq!(sum(|s| s.calls), profile.totals.calls);
        prop_assert_eq!(sum(|s| s.unpriced), profile.totals.unpriced);
        prop_assert_eq!(sum(|s| s.usage.input()), profile.totals.usage.input());
        let usd: Usd = profile.operations.iter().map(|o| o.stats.known_usd()).sum();
        prop_assert_eq!(usd, profile.totals.known_usd());
        let classes: Usd = profile.totals.classes().iter().map(|class| class.usd).sum();
        prop_assert_eq!(classes, profile.totals.known_usd());
        let by_hour: Usd = profile.hours.iter().map(|hour| hour.usd).sum();
        prop_assert_eq!(by_hour, profile.totals.known_usd());
    }
}
