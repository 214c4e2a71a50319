//! Own prices: what a file may say, and what a wrong one is told.

#![expect(clippy::unwrap_used, reason = "what the tests share is test code, too")]

use std::sync::LazyLock;

use expect_test::{Expect, expect};
use scrimp_core::price::{Catalog, Terms, Tier};
use scrimp_core::{Time, Usage};
use scrimp_wire::prices;

const CONTRACT: &str = r#"
[[price]]
provider = "openai"
model = "gpt-5.6"
from = "2026-10-01"
until = 2027-01-01
input_per_million = 3.20
cache_read_per_million = "0.32"
output_per_million = "16"
eu = 1.1

[[price.card]]
tier = "batch"
input_per_million = "1.60"

[[price.card]]
above = 272_000
input_per_million = 6.4
"#;

fn with_contract() -> &'static Catalog {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
        let mut catalog = prices::snapshot();
        prices::overlay(CONTRACT).unwrap().into_iter().for_each(|row| catalog.add(row));
        catalog
    });
    &CATALOG
}

fn day(day: &str) -> Time {
    prices::day(day).unwrap()
}

fn cost(uncached: u64, cache_read: u64, tier: Tier, at: &str) -> String {
    let catalog = with_contract();
    let row = catalog.find("openai", "gpt-5.6", day(at)).unwrap();
    let usage = Usage { uncached, cache_read, ..Usage::ZERO };
    row.cost(&usage, Terms { tier, ..Terms::default() }).to_string()
}

#[test]
fn a_contract_holds_from_its_first_day_until_before_its_last() {
    assert_eq!(cost(1_000_000, 0, Tier::Standard, "2026-09-30"), "8");
    assert_eq!(cost(100_000, 0, Tier::Standard, "2026-10-01"), "0.32");
    assert_eq!(cost(100_000, 0, Tier::Standard, "2026-12-31"), "0.32");
    assert_eq!(cost(100_000, 0, Tier::Standard, "2027-01-01"), "0.4");
}

#[test]
fn what_a_card_leaves_out_follows_the_vendors_rules() {
    assert_eq!(cost(0, 100_000, Tier::Batch, "2026-11-01"), "0.016", "half of the cached rate");
    assert_eq!(cost(1, 272_000, Tier::Standard, "2026-11-01"), "0.1740864", "all of it, doubled");
    assert_eq!(cost(300_000, 0, Tier::Batch, "2026-11-01"), "0.96", "half of the long rate");
}

#[test]
fn a_price_of_zero_is_believed_where_its_owner_wrote_it() {
    let toml = "[[price]]\nprovider = \"home\"\nmodel = \"m\"\ninput_per_million = 0\noutput_per_million = 0\n";
    assert_eq!(prices::overlay(toml).unwrap().len(), 1);
    assert_eq!(prices::overlay("").unwrap(), []);
}

fn refused(toml: &str, expected: &Expect) {
    expected.assert_eq(&prices::overlay(toml).unwrap_err().to_string());
}

#[test]
fn a_wrong_file_is_told_where_and_what() {
    let row = "[[price]]\nprovider = \"p\"\nmodel = \"m\"\n";
    let full = format!("{row}output_per_million = 1\n");
    refused(
        "[[prices]]\n",
        &expect!["line 1, column 3: `prices` is no field; did you mean `price`?"],
    );
    refused(
        &format!("{row}input_per_milion = 1\n"),
        &expect![
            "line 4, column 1: `input_per_milion` is no field; did you mean `input_per_million`?"
        ],
    );
    refused(
        &format!("{full}input_per_million = -1\n"),
        &expect![[
            r#"line 5, column 21: `input_per_million` must be dollars per million tokens, zero or more, such as "2.50""#
        ]],
    );
    refused(
        &format!("{full}input_per_million = \"free\"\n"),
        &expect![[
            r#"line 5, column 21: `input_per_million` must be dollars per million tokens, zero or more, such as "2.50""#
        ]],
    );
    refused(
        &format!("{full}input_per_million = 1e12\n"),
        &expect![
            "line 5, column 21: `input_per_million` is dollars per million tokens; this is too much to be meant"
        ],
    );
    refused(
        &format!("{full}input_per_million = nan\n"),
        &expect![[
            r#"line 5, column 21: `input_per_million` must be dollars per million tokens, zero or more, such as "2.50""#
        ]],
    );
    refused(&full, &expect!["line 1, column 1: `input_per_million` is missing for p/m"]);
    refused("[[price]]\nmodel = \"m\"\n", &expect!["line 1, column 1: `provider` is missing"]);
    refused(
        "[price]\nmodel = \"m\"\n",
        &expect!["line 1, column 1: write this as [[price]], with two brackets"],
    );
    let full = format!("{full}input_per_million = 1\n");
    refused(
        &format!("{full}from = \"soon\"\n"),
        &expect![[r#"line 6, column 8: `from` must be a day such as "2026-11-23""#]],
    );
    refused(
        &format!("{full}from = \"2026-02-01\"\nuntil = \"2026-02-01\"\n"),
        &expect!["line 7, column 9: `until` is not after `from`"],
    );
    refused(
        &format!("{full}eu = \"a bit\"\n"),
        &expect!["line 6, column 6: `eu` must be a multiplier such as 1.1"],
    );
    refused(
        &format!("{full}[[price.card]]\ntier = \"bach\"\n"),
        &expect!["line 7, column 8: `bach` is no tier; did you mean `batch`?"],
    );
    refused(
        &format!("{full}[[price.card]]\ninput_per_million = 1\n"),
        &expect![
            "line 6, column 1: a card needs a `tier`, or `above` for inputs longer than that many tokens"
        ],
    );
    refused(
        &format!("{full}[[price.card]]\ntier = \"flex\"\n"),
        &expect!["line 6, column 1: `input_per_million` is missing in this card"],
    );
    refused("[[price]\n", &expect!["line 1, column 9: unclosed array table, expected `]`"]);
}

#[test]
fn own_prices_are_known_as_such() {
    let mut catalog = prices::snapshot();
    prices::overlay(CONTRACT).unwrap().into_iter().for_each(|row| catalog.add_own(row));
    let own = prices::overlay(CONTRACT).unwrap().remove(0);
    let at = own.from.unwrap_or(Time::EPOCH);
    let found = catalog.find(&own.provider, &own.model, at).unwrap();
    assert!(catalog.is_own(found) && **found == own);
    let copy = catalog.clone();
    assert!(copy.is_own(copy.find(&own.provider, &own.model, at).unwrap()));
    let shipped = catalog.rows().filter(|row| !catalog.is_own(row)).count();
    assert_eq!(shipped, prices::snapshot().rows().count());
}
