//! The bound is below everything that a policy can do, to the last pico-dollar.

mod support;

use proptest::prelude::*;
use scrimp_analysis::replay::{Reading, Trace, VARIANTS, Variant, whatif};
use scrimp_core::price::{CacheKind, CacheRules};
use scrimp_core::{Span, Ttl};
use support::{Asks, Says};

fn any_mark() -> impl Strategy<Value = Option<Ttl>> {
    prop_oneof![4 => Just(None), 1 => Just(Some(Ttl::Short)), 1 => Just(Some(Ttl::Long))]
}

/// Few different texts, so that prompts share beginnings; the same text may be counted differently.
fn any_calls() -> impl Strategy<Value = Vec<Asks>> {
    let says = (0_u64..3, 0_u32..40, any_mark()).prop_map(|(says, extra, mark)| {
        Says(says, [700, 30, 2_000][usize::try_from(says).expect("of three")] + extra % 3, mark)
    });
    let asks = (0_i64..4_000, 0_i64..60, prop::collection::vec(says, 1..7));
    let asks = asks.prop_map(|(at, begins, prompt)| Asks { at, begins, prompt });
    prop::collection::vec(asks, 1..14)
}

fn any_rules() -> impl Strategy<Value = CacheRules> {
    let kinds = vec![CacheKind::Marked, CacheKind::Breakpoints, CacheKind::Automatic];
    (
        prop::sample::select(kinds),
        prop_oneof![Just(0), Just(1_024_u64)],
        30_i64..600,
        prop::option::of(30_i64..3_600),
        1_u8..5,
        prop::option::of(1_u32..5),
        prop_oneof![Just(1), Just(128_u64)],
    )
        .prop_map(|(kind, min_tokens, short, long, marks, look_back, step)| CacheRules {
            kind,
            min_tokens,
            short: Span::from_secs(short),
            long: long.map(Span::from_secs),
            marks,
            look_back,
            step,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_bound_never_exceeds_any_policy(
        mut calls in any_calls(),
        rules in any_rules(),
        permille in [0_u32..1_500, 0_u32..3_000, 0_u32..4_000],
        // Whole pico-dollars, and finer: there lines of the bill are rounded.
        input in prop_oneof![Just("0.000001"), Just("0.0000000000037"), Just("1.23456789e-9")],
    ) {
        calls.sort_by_key(|asks| asks.at);
        let entries = calls.iter().enumerate().map(|(n, asks)| support::entry(n, asks));
        let trace = Trace::from_entries(entries);
        let catalog = support::catalog(support::rates(input, permille), rules);
        for reading in [Reading::Covers, Reading::WritesOnly] {
            let rows = whatif(&trace, &VARIANTS.map(|(_, variant)| variant), &catalog, reading).rows;
            let bound = rows.iter().find(|row| row.policy == "bound").unwrap().input_usd.unwrap();
            for row in &rows {
                let Some(usd) = row.input_usd else { continue };
                prop_assert!(bound <= usd, "{reading:?} {}: {usd} < {bound}", row.policy);
            }
        }
    }
}

/// The bound is of use: where one mark at the end is all that can be done, it is that.
#[test]
fn the_bound_is_reached_where_a_simple_policy_is_best() {
    let turn = |n: u64| Says(n, 1_000, None);
    let calls = (1..6).map(|n| Asks {
        at: i64::try_from(n).unwrap() * 60,
        begins: 1,
        prompt: (0..n).map(turn).collect(),
    });
    let entries = calls.enumerate().map(|(n, asks)| support::entry(n, &asks));
    let trace = Trace::from_entries(entries);
    let rates = support::rates(support::PLAIN, [100, 1_250, 2_000]);
    let catalog = support::catalog(rates, support::rules());
    let variants = [Variant::Tail(Ttl::Short), Variant::Bound];
    let rows = whatif(&trace, &variants, &catalog, Reading::Covers).rows;
    let [tail, bound] = [&rows[0], &rows[1]].map(|row| row.input_usd.unwrap().pico());
    // Writing the last turn is the only thing that a known future would leave out.
    assert_eq!(tail - bound, 250 * 1_000_000, "a quarter of 1,000 tokens");
}
