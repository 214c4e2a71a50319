//! The model of providers' prompt caches, rule by rule.

mod support;

use std::sync::Arc;

use expect_test::{Expect, expect};
use scrimp_analysis::replay::{Reading, Trace, Variant, under};
use scrimp_core::price::{CacheKind, CacheRules};
use scrimp_core::{Policies, Ttl, Usage};
use support::{Asks, Says};

/// Arrives at this second, its answer begins two seconds later.
fn asks(at: i64, prompt: &[Says]) -> Asks {
    Asks { at, begins: 2, prompt: prompt.to_vec() }
}

#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn check(rules: CacheRules, variant: Variant, reading: Reading, calls: &[Asks], expected: Expect) {
    let entries = calls.iter().enumerate().map(|(n, asks)| support::entry(n, asks));
    let trace = Trace::from_entries(entries);
    let rates = support::rates(support::PLAIN, [100, 1_250, 2_000]);
    let policies = Policies {
        prompt_cache: variant.rule().into_iter().collect(),
        shaping: Vec::new(),
        token_budgets: Vec::new(),
        hedge: None,
        prices: Arc::new(support::catalog(rates, rules)),
        is_bypassed: false,
    };
    let lines = under(&trace, &policies, reading).into_iter().map(|record| {
        let Usage { uncached, cache_read, cache_write_short, cache_write_long, .. } =
            record.metering.usage;
        format!(
            "read {cache_read} long {cache_write_long} short {cache_write_short} plain {uncached}"
        )
    });
    expected.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

const SYSTEM: Says = Says(1, 1_000, None);
const ONE: Says = Says(2, 100, None);
const TWO: Says = Says(3, 200, None);
const OTHER: Says = Says(9, 50, None);
const TAIL: Variant = Variant::Tail(Ttl::Short);

fn marked(Says(says, tokens, _): Says, ttl: Ttl) -> Says {
    Says(says, tokens, Some(ttl))
}

#[test]
fn a_conversation_reads_its_last_turn_and_writes_the_new_one() {
    let calls = [asks(0, &[SYSTEM, ONE]), asks(60, &[SYSTEM, ONE, TWO])];
    check(
        support::rules(),
        TAIL,
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 0 short 1100 plain 0
        read 1100 long 0 short 200 plain 0"#]],
    );
}

#[test]
fn an_entry_dies_after_its_life_and_each_use_begins_it_again() {
    let prompt = [SYSTEM, ONE];
    let calls = [asks(0, &prompt), asks(300, &prompt), asks(600, &prompt), asks(901, &prompt)];
    check(
        support::rules(),
        TAIL,
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 0 short 1100 plain 0
        read 1100 long 0 short 0 plain 0
        read 1100 long 0 short 0 plain 0
        read 0 long 0 short 1100 plain 0"#]],
    );
}

#[test]
fn what_was_not_marked_is_no_entry() {
    let calls = [asks(0, &[SYSTEM, ONE]), asks(60, &[SYSTEM, OTHER])];
    check(
        support::rules(),
        TAIL,
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 0 short 1100 plain 0
        read 0 long 0 short 1050 plain 0"#]],
    );
}

#[test]
fn a_mark_after_the_system_serves_every_conversation() {
    let calls = [asks(0, &[SYSTEM, ONE]), asks(60, &[SYSTEM, OTHER])];
    check(
        support::rules(),
        Variant::System(Ttl::Long),
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 1000 short 0 plain 100
        read 1000 long 0 short 0 plain 50"#]],
    );
}

#[test]
fn parallel_calls_all_write_until_the_first_answer_begins() {
    let calls = [asks(0, &[SYSTEM]), asks(1, &[SYSTEM]), asks(2, &[SYSTEM])];
    check(
        support::rules(),
        TAIL,
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 0 short 1000 plain 0
        read 0 long 0 short 1000 plain 0
        read 1000 long 0 short 0 plain 0"#]],
    );
}

#[test]
fn a_prefix_below_the_minimum_is_silently_not_kept() {
    let rules = CacheRules { min_tokens: 1_101, ..support::rules() };
    let calls = [asks(0, &[SYSTEM, ONE]), asks(60, &[SYSTEM, ONE]), asks(90, &[SYSTEM, ONE, TWO])];
    check(
        rules,
        TAIL,
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 0 short 0 plain 1100
        read 0 long 0 short 0 plain 1100
        read 0 long 0 short 1300 plain 0"#]],
    );
}

#[test]
fn an_entry_further_back_than_the_look_back_is_not_found() {
    let rules = CacheRules { look_back: Some(3), ..support::rules() };
    let long = [marked(SYSTEM, Ttl::Short), ONE, TWO, marked(OTHER, Ttl::Short)];
    let short = [marked(SYSTEM, Ttl::Short), ONE, marked(TWO, Ttl::Short)];
    let only_end = [SYSTEM, ONE, TWO, marked(OTHER, Ttl::Short)];
    let calls = [asks(0, &[marked(SYSTEM, Ttl::Short)]), asks(9, &only_end), asks(18, &short)];
    check(
        rules,
        Variant::Client,
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 0 short 1000 plain 0
        read 0 long 0 short 1350 plain 0
        read 1000 long 0 short 300 plain 0"#]],
    );
    check(
        rules,
        Variant::Client,
        Reading::Covers,
        &[asks(0, &short), asks(9, &long)],
        expect![[r#"
        read 0 long 0 short 1300 plain 0
        read 1300 long 0 short 50 plain 0"#]],
    );
}

#[test]
fn mixed_lives_are_billed_long_up_to_the_last_long_mark_and_short_beyond() {
    let first = [marked(SYSTEM, Ttl::Long), ONE];
    let second = [marked(SYSTEM, Ttl::Long), marked(ONE, Ttl::Long), marked(TWO, Ttl::Short)];
    let calls = [asks(0, &first), asks(60, &second)];
    check(
        support::rules(),
        Variant::Client,
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 1000 short 0 plain 100
        read 1000 long 100 short 200 plain 0"#]],
    );
}

/// The two readings of the vendor's rule: does a long mark lengthen the life of what it covers and
/// was written for the short life?
#[test]
fn the_two_readings_differ_where_a_long_mark_covers_a_short_entry() {
    let first = [marked(SYSTEM, Ttl::Short), ONE];
    let second = [SYSTEM, marked(ONE, Ttl::Long)];
    let calls = [asks(0, &first), asks(60, &second), asks(1_000, &second)];
    check(
        support::rules(),
        Variant::Client,
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 0 short 1000 plain 100
        read 1000 long 100 short 0 plain 0
        read 1100 long 0 short 0 plain 0"#]],
    );
    check(
        support::rules(),
        Variant::Client,
        Reading::WritesOnly,
        &calls,
        expect![[r#"
        read 0 long 0 short 1000 plain 100
        read 1000 long 100 short 0 plain 0
        read 0 long 1100 short 0 plain 0"#]],
    );
}

#[test]
fn breakpoints_are_kept_at_the_end_by_themselves() {
    let rules = CacheRules { kind: CacheKind::Breakpoints, ..support::rules() };
    let calls =
        [asks(0, &[SYSTEM, ONE]), asks(60, &[SYSTEM, ONE, TWO]), asks(90, &[SYSTEM, OTHER])];
    check(
        rules,
        Variant::Client,
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 0 short 1100 plain 0
        read 1100 long 0 short 200 plain 0
        read 0 long 0 short 1050 plain 0"#]],
    );
    check(
        rules,
        Variant::System(Ttl::Short),
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 0 short 1000 plain 100
        read 1000 long 0 short 0 plain 300
        read 1000 long 0 short 0 plain 50"#]],
    );
}

#[test]
fn an_automatic_cache_shares_beginnings_in_steps_and_charges_no_writes() {
    let rules = CacheRules {
        kind: CacheKind::Automatic,
        min_tokens: 1_024,
        step: 128,
        long: None,
        ..support::rules()
    };
    let calls = [asks(0, &[SYSTEM, TWO, ONE]), asks(60, &[SYSTEM, TWO, OTHER])];
    check(
        rules,
        TAIL,
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 0 short 0 plain 1300
        read 1152 long 0 short 0 plain 98"#]],
    );
    let calls = [asks(0, &[SYSTEM, ONE]), asks(60, &[SYSTEM, OTHER])];
    check(
        rules,
        TAIL,
        Reading::Covers,
        &calls,
        expect![[r#"
        read 0 long 0 short 0 plain 1100
        read 0 long 0 short 0 plain 1050"#]],
    );
}
