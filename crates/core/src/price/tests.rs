//! The arithmetic of bills, with the numbers of mistakes that others made.

use proptest::prelude::*;

use super::*;

/// Dollars per million: input, cache read, short write, long write, output.
fn rates(per_million: [&str; 5]) -> Rates {
    let rate = |text: &str| format!("{text}e-6").parse::<Rate>().unwrap();
    let [input, cache_read, short, long, output] = per_million;
    let optional = |text: &str| (!text.is_empty()).then(|| rate(text));
    Rates {
        input: rate(input),
        cache_read: optional(cache_read),
        cache_write_short: optional(short),
        cache_write_long: optional(long),
        audio_input: None,
        image_input: None,
        output: rate(output),
        reasoning: None,
        audio_output: None,
    }
}

fn card(tier: Tier, above: u64, per_million: [&str; 5]) -> Card {
    Card { tier, above, rates: rates(per_million) }
}

fn row(cards: Vec<Card>) -> PriceRow {
    PriceRow {
        provider: "openai".into(),
        model: "m".into(),
        from: None,
        until: None,
        cards,
        fast_permille: Some(2_000),
        us_permille: Some(1_100),
        eu_permille: None,
        cache: None,
    }
}

/// Uncached, cache read, short write, long write, output.
fn usage(tokens: [u64; 5]) -> Usage {
    let [uncached, cache_read, cache_write_short, cache_write_long, output] = tokens;
    Usage { uncached, cache_read, cache_write_short, cache_write_long, output, ..Usage::ZERO }
}

fn terms(tier: Tier) -> Terms {
    Terms { tier, ..Terms::default() }
}

/// A model with every tier: standard, standard above 200k, batch, priority.
fn tiered() -> PriceRow {
    row(vec![
        card(Tier::Standard, 0, ["2", "0.2", "2.5", "4", "10"]),
        card(Tier::Standard, 200_000, ["4", "0.4", "5", "8", "15"]),
        card(Tier::Batch, 0, ["1", "0.1", "1.25", "2", "5"]),
        card(Tier::Batch, 200_000, ["2", "0.2", "2.5", "4", "7.5"]),
        card(Tier::Priority, 0, ["4", "0.4", "5", "8", "20"]),
    ])
}

fn check(row: &PriceRow, tokens: [u64; 5], terms: Terms, dollars: &str) {
    assert_eq!(row.cost(&usage(tokens), terms).to_string(), dollars, "{tokens:?} {terms:?}");
}

#[test]
fn the_threshold_compares_the_whole_input_and_raises_every_token() {
    let (row, terms) = (tiered(), Terms::default());
    check(&row, [200_000, 0, 0, 0, 0], terms, "0.4");
    check(&row, [200_001, 0, 0, 0, 0], terms, "0.800004");
    check(&row, [1, 200_000, 0, 0, 1], terms, "0.080019");
    check(&row, [1, 100_000, 50_000, 50_000, 0], terms, "0.690004");
    check(&row, [0, 200_000, 0, 0, 300_000], terms, "3.04");
}

#[test]
fn the_tier_of_the_answer_counts_with_its_own_long_rates() {
    let row = tiered();
    check(&row, [1_000, 0, 0, 0, 100], terms(Tier::Batch), "0.0015");
    check(&row, [200_001, 0, 0, 0, 0], terms(Tier::Batch), "0.400002");
    check(&row, [1_000, 0, 0, 0, 100], terms(Tier::Priority), "0.006");
    check(&row, [1_000, 0, 0, 0, 100], terms(Tier::Flex), "0.003");
}

#[test]
fn a_long_input_in_a_tier_without_long_rates_costs_what_standard_does() {
    check(&tiered(), [200_001, 0, 0, 0, 0], terms(Tier::Priority), "0.800004");
}

#[test]
fn fast_mode_and_a_region_multiply_every_rate() {
    let row = tiered();
    let fast = Terms { fast: true, ..Terms::default() };
    check(&row, [1_000, 1_000, 0, 0, 100], fast, "0.0064");
    let us = Terms { region: Region::Us, ..fast };
    check(&row, [1_000, 1_000, 0, 0, 100], us, "0.00704");
    let eu = Terms { region: Region::Eu, ..Terms::default() };
    check(&row, [1_000, 0, 0, 0, 0], eu, "0.002");
}

#[test]
fn a_class_without_a_rate_is_billed_as_the_one_it_is_a_part_of() {
    let plain = row(vec![card(Tier::Standard, 0, ["3", "", "", "", "15"])]);
    check(&plain, [10, 10, 10, 10, 0], Terms::default(), "0.00012");
    let short = row(vec![card(Tier::Standard, 0, ["3", "", "3.75", "", "15"])]);
    check(&short, [0, 0, 0, 1_000, 0], Terms::default(), "0.00375");
}

#[test]
fn a_price_counts_from_its_first_day_until_before_its_last_and_the_later_row_wins() {
    let mut catalog = Catalog::new();
    let dated = |from, until, input| PriceRow {
        from,
        until,
        ..row(vec![card(Tier::Standard, 0, [input, "", "", "", "0"])])
    };
    let day = |day: i64| Some(Time::from_secs(day * 86_400));
    catalog.add(dated(None, day(10), "1"));
    catalog.add(dated(day(10), None, "2"));
    catalog.add(dated(day(12), day(14), "3"));
    let at = |at: Time| {
        let found = catalog.find("openai", "m", at).unwrap();
        found.rates(0, Terms::default()).input.per_million()
    };
    let starts = [(9, "1"), (10, "2"), (12, "3"), (13, "3"), (14, "2")];
    for (start, price) in starts {
        assert_eq!(at(day(start).unwrap()), price, "day {start}");
    }
    assert_eq!(at(Time::from_nanos(day(10).unwrap().nanos() - 1)), "1");
}

#[test]
fn a_price_is_valid_until_another_row_wins_over_it() {
    let mut catalog = Catalog::new();
    let day = |day: i64| Time::from_secs(day.saturating_mul(86_400));
    let dated = |from: Option<i64>, until: Option<i64>, input| PriceRow {
        from: from.map(day),
        until: until.map(day),
        ..row(vec![card(Tier::Standard, 0, [input, "", "", "", "0"])])
    };
    catalog.add(dated(None, Some(10), "1"));
    catalog.add(dated(Some(10), None, "2"));
    catalog.add(dated(Some(12), Some(14), "3"));
    let ages = PriceRow { model: "old".into(), ..dated(Some(i64::MIN), Some(i64::MAX), "4") };
    catalog.add(ages);
    let found = catalog.find("openai", "old", day(0)).unwrap();
    assert_eq!(catalog.validity(found, day(0)), (None, None), "as long as there is time");
    for (at, from, until) in [
        (9, None, Some(10)),
        (10, Some(10), Some(12)),
        (13, Some(12), Some(14)),
        (20, Some(14), None),
    ] {
        let found = catalog.find("openai", "m", day(at)).unwrap();
        let expected = (from.map(day), until.map(day));
        assert_eq!(catalog.validity(found, day(at)), expected, "day {at}");
    }
}

#[test]
fn a_dated_name_has_the_price_of_its_model_and_nothing_else_is_guessed() {
    let mut catalog = Catalog::new();
    catalog.add(row(vec![card(Tier::Standard, 0, ["1", "", "", "", "2"])]));
    let found = |provider, model| catalog.find(provider, model, Time::EPOCH).is_some();
    assert!(found("openai", "m-2024-08-06"));
    assert!(found("openai", "m-20240806"));
    assert!(found("openai", "m@20240806"));
    assert!(!found("openai", "m-mini"));
    assert!(!found("openai", "m-1234"));
    assert!(!found("somewhere", "m"));
}

proptest! {
    #[test]
    fn the_sum_of_the_lines_is_the_total_exactly(
        tokens in prop::array::uniform5(0_u64..1 << 40),
        tier in prop::sample::select(vec![Tier::Standard, Tier::Batch, Tier::Priority]),
    ) {
        let (row, usage) = (tiered(), usage(tokens));
        let bill = row.bill(&usage, terms(tier));
        let sum: Usd = bill.iter().map(|line| line.usd).sum();
        prop_assert_eq!(sum, row.cost(&usage, terms(tier)));
        let billed: u64 = bill.iter().map(|line| line.tokens).sum();
        prop_assert_eq!(billed, usage.input() + usage.total_output(), "every token once");
    }

    #[test]
    fn more_tokens_of_any_class_never_cost_less(
        tokens in prop::array::uniform5(0_u64..400_000),
        class in 0_usize..5,
        more in 1_u64..400_000,
    ) {
        let row = tiered();
        let mut grown = tokens;
        grown[class] += more;
        let cost = |tokens| row.cost(&usage(tokens), Terms::default());
        prop_assert!(cost(tokens) <= cost(grown));
    }

    #[test]
    fn a_batch_costs_half(tokens in prop::array::uniform5(0_u64..1 << 30)) {
        let row = tiered();
        let cost = |tier| row.cost(&usage(tokens), terms(tier)).pico();
        prop_assert_eq!(cost(Tier::Batch) * 2, cost(Tier::Standard));
    }

    #[test]
    fn no_count_panics(tokens in prop::array::uniform5(any::<u64>())) {
        let row = tiered();
        row.bill(&usage(tokens), Terms::default());
    }
}

#[test]
fn what_the_provider_says_beats_the_list() {
    let (row, usd) = (tiered(), |text: &str| Some(text.parse::<Usd>().unwrap()));
    let cached = usage([100, 900, 0, 0, 100]);
    let charge = |usage: Usage, row: Option<&PriceRow>, told: Option<Usd>| {
        let charge = Charge::of(&usage, Terms::default(), row, told);
        (charge.cost, charge.cost_uncached, charge.priced_as.as_deref().map(str::to_owned))
    };
    let reported = Some(REPORTED.to_owned());
    let listed = (usd("0.00138"), usd("0.003"), Some("m".to_owned()));
    assert_eq!(charge(cached, Some(&row), None), listed);
    // A tenth less than the list, and so without caching.
    let told = usd("0.001242");
    assert_eq!(charge(cached, Some(&row), told), (told, usd("0.0027"), reported.clone()));
    assert_eq!(charge(cached, None, told), (told, None, reported.clone()));
    let plain = usage([100, 0, 0, 0, 1]);
    assert_eq!(charge(plain, Some(&row), told), (told, told, reported.clone()));
    assert_eq!(charge(plain, None, told), (told, None, reported.clone()));
    assert_eq!(charge(plain, None, None), (None, None, None));
    assert_eq!(charge(Usage::ZERO, None, None), (usd("0"), usd("0"), None));
    // What is free by the list has no proportion.
    let free = self::row(vec![card(Tier::Standard, 0, ["0", "", "", "", "0"])]);
    assert_eq!(charge(cached, Some(&free), told), (told, None, reported));
}
