//! Prices change on days: each side of those that vendors named, and what must hold for all rows.

#![expect(clippy::unwrap_used, reason = "what the tests share is test code, too")]

use std::collections::HashMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use scrimp_core::price::{Catalog, Class, PriceRow, Terms, Tier};
use scrimp_core::{Time, Usage};
use scrimp_wire::prices;

static SHIPPED: LazyLock<Catalog> = LazyLock::new(prices::snapshot);
/// The list alone, as if no other day were known.
static LIST: LazyLock<Catalog> =
    LazyLock::new(|| prices::parse(include_str!("../data/prices.txt")).unwrap());

fn day(day: &str) -> Time {
    prices::day(day).unwrap()
}

/// Dollars per million tokens of uncached input, cache read and output, for `input` tokens.
fn rates(catalog: &Catalog, name: &str, at: Time, input: u64, tier: Tier) -> String {
    let (provider, model) = name.split_once('/').unwrap();
    let row = catalog.find(provider, model, at).unwrap();
    let usage = Usage { uncached: input - 1, cache_read: 1, output: 1, ..Usage::ZERO };
    let bill = row.bill(&usage, Terms { tier, ..Terms::default() });
    let of = |class| bill.iter().find(|line| line.class == class).unwrap().rate.per_million();
    [Class::Uncached, Class::CacheRead, Class::Output].map(of).join(" ")
}

/// Name, first day of the second price, length, tier, rates before, rates from then on.
#[rustfmt::skip]
const CHANGES: &[(&str, &str, u64, Tier, &str, &str)] = &[
    ("openai/o3", "2025-06-10", 9_000, Tier::Standard, "10 2.5 40", "2 0.5 8"),
    ("openai/o3-2025-04-16", "2025-06-10", 9_000, Tier::Standard, "10 2.5 40", "2 0.5 8"),
    ("openai/o3", "2025-06-10", 9_000, Tier::Batch, "5 1.25 20", "1 0.25 4"),
    ("openai/o3", "2025-06-10", 9_000, Tier::Flex, "5 1.25 20", "1 0.25 4"),
    ("openai/o3", "2025-06-10", 9_000, Tier::Priority, "10 2.5 40", "3.5 0.875 14"),
    ("anthropic/claude-opus-4-6", "2026-03-13", 200_000, Tier::Standard, "5 0.5 25", "5 0.5 25"),
    ("anthropic/claude-opus-4-6", "2026-03-13", 200_001, Tier::Standard, "10 1 37.5", "5 0.5 25"),
    ("anthropic/claude-opus-4-6", "2026-03-13", 200_001, Tier::Batch, "5 0.5 18.75", "2.5 0.25 12.5"),
    ("anthropic/claude-opus-4-6-20260205", "2026-03-13", 200_001, Tier::Standard, "10 1 37.5", "5 0.5 25"),
    ("anthropic/claude-sonnet-4-6", "2026-03-13", 200_001, Tier::Standard, "6 0.6 22.5", "3 0.3 15"),
    ("anthropic/claude-sonnet-4-6-20260217", "2026-03-13", 200_001, Tier::Standard, "6 0.6 22.5", "3 0.3 15"),
    ("openai/gpt-5.6-luna", "2026-07-30", 9_000, Tier::Standard, "1 0.1 6", "0.2 0.02 1.2"),
    ("openai/gpt-5.6-luna-2026-07-09", "2026-07-30", 9_000, Tier::Standard, "1 0.1 6", "0.2 0.02 1.2"),
    ("openai/gpt-5.6-luna", "2026-07-30", 272_001, Tier::Flex, "1 0.1 4.5", "0.2 0.02 0.9"),
    ("openai/gpt-5.6-terra", "2026-07-30", 9_000, Tier::Standard, "2.5 0.25 15", "2 0.2 12"),
    ("openai/gpt-5.6-terra", "2026-07-30", 272_001, Tier::Priority, "10 1 45", "8 0.8 36"),
    ("bedrock_mantle/openai.gpt-5.6-luna", "2026-07-30", 9_000, Tier::Standard, "1.1 0.11 6.6", "0.22 0.022 1.32"),
    ("bedrock_mantle/openai.gpt-5.6-terra", "2026-07-30", 9_000, Tier::Standard, "2.75 0.275 16.5", "2.2 0.22 13.2"),
    ("openai/gpt-5.6", "2026-08-21", 9_000, Tier::Standard, "5 0.5 30", "4 0.4 20"),
    ("openai/gpt-5.6-sol", "2026-08-21", 9_000, Tier::Batch, "2.5 0.25 15", "2 0.2 10"),
    ("openai/gpt-5.6-sol-2026-07-09", "2026-08-21", 272_001, Tier::Standard, "10 1 45", "8 0.8 30"),
    ("azure/gpt-5.6", "2026-09-01", 272_001, Tier::Standard, "10 1 45", "8 0.8 30"),
    ("azure/gpt-5.6-sol", "2026-09-01", 9_000, Tier::Priority, "10 1 60", "8 0.8 40"),
    ("azure/gpt-5.6-sol-2026-07-09", "2026-09-01", 9_000, Tier::Flex, "2.5 0.25 15", "2 0.2 10"),
    ("gemini/gemini-3.6-flash", "2027-01-01", 9_000, Tier::Standard, "0.75 0.075 3.75", "1.5 0.15 7.5"),
    ("gemini/gemini-3.7-flash", "2027-01-01", 9_000, Tier::Batch, "0.375 0.0375 1.875", "0.75 0.075 3.75"),
    ("gemini/gemini-3.8-flash", "2027-01-01", 9_000, Tier::Priority, "1.35 0.135 6.75", "2.7 0.27 13.5"),
    ("vertex_ai/gemini-3.6-flash", "2027-01-01", 9_000, Tier::Flex, "0.375 0.0375 1.875", "0.75 0.075 3.75"),
    ("vertex_ai/gemini-3.7-flash", "2027-01-01", 9_000, Tier::Standard, "0.75 0.075 3.75", "1.5 0.15 7.5"),
    ("vertex_ai/gemini-3.8-flash", "2027-01-01", 9_000, Tier::Standard, "0.75 0.075 3.75", "1.5 0.15 7.5"),
];

#[test]
fn a_price_changes_at_midnight_utc_of_its_day() {
    let a_day = 86_400_000_000_000;
    for (name, change, input, tier, before, after) in CHANGES {
        let midnight = day(change);
        let at = |nanos: i64| {
            let at = Time::from_nanos(midnight.nanos() + nanos);
            rates(&SHIPPED, name, at, *input, *tier)
        };
        for nanos in [-a_day, -1] {
            assert_eq!(at(nanos), *before, "{name} {nanos} ns from {change}, {tier:?}");
        }
        for nanos in [0, a_day] {
            assert_eq!(at(nanos), *after, "{name} {nanos} ns from {change}, {tier:?}");
        }
    }
}

#[test]
fn an_increase_that_was_cancelled_is_not_charged() {
    // Announced for 2026-09-01 with the model, and taken back in August.
    for at in ["2026-08-31", "2026-09-01", "2026-11-23"] {
        let found = rates(&SHIPPED, "anthropic/claude-sonnet-5", day(at), 9_000, Tier::Standard);
        assert_eq!(found, "2 0.2 10", "{at}");
    }
}

#[test]
fn own_prices_win_over_dated_ones() {
    let own = "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-5.6-luna\"\nfrom = \"2026-07-01\"\n\
               until = \"2026-08-01\"\ninput_per_million = \"9\"\noutput_per_million = \"9\"\n\
               cache_read_per_million = \"9\"\n";
    let mut catalog = prices::snapshot();
    prices::overlay(own).unwrap().into_iter().for_each(|row| catalog.add(row));
    for (at, expected) in [
        ("2026-06-30", "1 0.1 6"),
        ("2026-07-01", "9 9 9"),
        ("2026-07-31", "9 9 9"),
        ("2026-08-01", "0.2 0.02 1.2"),
    ] {
        let found = rates(&catalog, "openai/gpt-5.6-luna", day(at), 9_000, Tier::Standard);
        assert_eq!(found, expected, "{at}");
    }
}

fn overlap(one: &PriceRow, other: &PriceRow) -> bool {
    let before = |row: &PriceRow, other: &PriceRow| {
        row.until.zip(other.from).is_some_and(|(until, from)| until <= from)
    };
    !before(one, other) && !before(other, one)
}

#[test]
fn no_two_shipped_prices_of_a_model_hold_at_once() {
    let mut by_model: HashMap<_, Vec<&PriceRow>> = HashMap::new();
    for row in SHIPPED.rows() {
        by_model.entry((&row.provider, &row.model)).or_default().push(row);
    }
    for (name, rows) in by_model {
        for (n, row) in rows.iter().enumerate() {
            let at_once = rows[..n].iter().find(|other| overlap(row, other));
            assert_eq!(at_once, None, "{name:?} {:?} {:?}", row.from, row.until);
        }
    }
}

#[test]
fn on_its_own_day_the_list_counts_and_what_was_announced_is_still_to_come() {
    let taken = LIST.taken.unwrap();
    for row in LIST.rows() {
        let found = SHIPPED.find(&row.provider, &row.model, taken).unwrap();
        let listed = PriceRow { from: None, until: None, ..PriceRow::clone(found) };
        assert_eq!(&listed, row.as_ref());
    }
}

proptest! {
    /// From 2020 to 2035.
    #[test]
    fn who_had_a_price_has_one_on_any_day(secs in 1_577_836_800_i64..2_051_222_400) {
        let at = Time::from_secs(secs);
        for row in LIST.rows() {
            let found = SHIPPED.find(&row.provider, &row.model, at);
            let same = found.is_some_and(|f| f.model == row.model && f.provider == row.provider);
            prop_assert!(same, "{}/{}", row.provider, row.model);
        }
    }
}

#[test]
fn two_updates_of_the_list_keep_what_each_changed() {
    let list = |day: &str, rate: &str| {
        let map = format!(
            r#"{{"m": {{"mode": "chat", "litellm_provider": "openai",
                "input_cost_per_token": {rate}, "output_cost_per_token": 1e-05}}}}"#
        );
        let (rows, _) = prices::from_litellm(map.as_bytes());
        prices::parse(&prices::write(&rows, day, "a test")).unwrap()
    };
    let lists =
        [list("2026-01-01", "1e-06"), list("2026-02-01", "2e-06"), list("2026-03-01", "3e-06")];
    let first = prices::keep("", &lists[0], &lists[1]).unwrap();
    let second = prices::keep(&first.text, &lists[1], &lists[2]).unwrap();
    let kept: Vec<&str> = second.text.lines().filter(|line| line.starts_with('m')).collect();
    assert_eq!(
        kept,
        ["m i=1 o=10 | batch*.5 | until=2026-02-01", "m i=2 o=10 | batch*.5 | until=2026-03-01"]
    );
}
