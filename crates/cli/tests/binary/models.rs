//! `scrimp models`, and `scrimp price` with several of them.

use crate::support::{Place, fields, sample};
use expect_test::expect;

#[test]
fn models_are_listed_with_what_is_known_of_them() {
    let place = Place::new();
    let found = place.run(&["models", "anthropic/", "OPUS-4-5"]).done();
    expect![[r#"
        $ per million                            input      read     write      long    output  context  cached from
        anthropic/claude-opus-4-5                    5       0.5      6.25        10        25     200k  4096 tokens, marks
        anthropic/claude-opus-4-5-20251101           5       0.5      6.25        10        25     200k  4096 tokens, marks
        perplexity/anthropic/claude-opus-4-5         5       0.5         -         -        25        -  4096 tokens, marks
    "#]].assert_eq(&found);
    let found = place.run(&["models", "anthropic/claude-opus-4-5", "--json"]).json();
    let model = &found[0];
    expect!["cache cards context exact model provider vocabulary"]
        .assert_eq(&fields(model).join(" "));
    assert_eq!((&model["context"], &model["exact"]), (&200_000.into(), &false.into()));
    let exact = place.run(&["models", "openai/gpt-4o", "--json"]).json();
    assert_eq!((&exact[0]["vocabulary"], &exact[0]["exact"]), (&"o200k_base".into(), &true.into()));
}

#[test]
fn a_filter_that_fits_nothing_is_told_the_nearest_names() {
    expect![[r#"
        error: no price is known for `claud-opus-4-5`; did you mean anthropic/claude-opus-4-5, anthropic/claude-opus-4-0, anthropic/claude-opus-4-1, anthropic/claude-opus-4-6, anthropic/claude-opus-4-7?
    "#]].assert_eq(&Place::new().run(&["models", "claud-opus-4-5"]).failed());
}

#[test]
fn models_are_compared_by_given_sizes() {
    let place = Place::new();
    let models = ["price", "anthropic/claude-opus-4-5", "openai/gpt-4o", "openai/gpt-4.1"];
    let sizes = ["--uncached", "2000", "--cache-read", "8000", "--output", "500"];
    let day = ["--calls-per-day", "10000", "--at", "2026-11-23"];
    let found = place.run(&[&models[..], &sizes, &day].concat());
    expect![[r#"
        10000 calls a day
        model                             $/call        $/day      $/month    times
        anthropic/claude-opus-4-5        $0.0265      $265.00       $7,950     1.00
        openai/gpt-4o                      $0.02      $200.00       $6,000     0.75
        openai/gpt-4.1                    $0.012      $120.00       $3,600     0.45
        left out:
        - other tokenizer: all are priced for the same number of tokens, but make of the same prose (in
          tokens of o200k_base): claude-opus-4-5 about 1.07, gpt-4.1 about 1.00
        - other output length: each is taken to write, and to reason, as much as is given
        - other cache rules: the same tokens are taken to be read and written, though minimum, life and
          marks differ; a class without a rate is billed as input
        - quality: nothing here says that the answers are as good
    "#]].assert_eq(&found.done());
    let found = place.run(&[&models[..], &sizes, &day, &["--json"]].concat()).json();
    expect!["basis calls calls_per_day left_out models notes recorded_usd tokens"]
        .assert_eq(&fields(&found).join(" "));
    expect!["model notes provider ratio usd_per_call usd_per_day usd_per_month"]
        .assert_eq(&fields(&found["models"][0]).join(" "));
    let without = place.run(&[&models[..], &sizes, &["--json"]].concat()).json();
    assert!(without["models"][0]["usd_per_day"].is_null(), "nothing was said of a day");
}

#[test]
fn a_comparison_needs_sizes_and_models_that_are_known() {
    let place = Place::new();
    expect![[r#"
        error: how large is a call? --uncached N --output N, or --traffic for recorded calls
    "#]]
    .assert_eq(&place.run(&["price", "gpt-4o", "gpt-4.1"]).failed());
    let unknown = ["price", "gpt-4o", "gtp-4.1", "--output", "1"];
    expect![[r#"
        error: no price is known for `gtp-4.1`; did you mean openai/gpt-4.1?
        hint: `scrimp models FILTER` lists what is known
    "#]]
    .assert_eq(&place.run(&unknown).failed());
}

#[test]
fn recorded_traffic_is_priced_with_its_own_mix() {
    let place = Place::new();
    let log = sample("slow.json");
    let models = ["price", "openai/gpt-4o", "anthropic/claude-opus-4-5", "--traffic", &log];
    expect![[r#"
        5 calls
        model                             $/call        $/day      $/month    times
        openai/gpt-4o                   $0.03367            -            -     1.00
        anthropic/claude-opus-4-5       $0.06844            -            -     2.03
        left out:
        - other tokenizer: all are priced for the same number of tokens, but make of the same prose (in
          tokens of o200k_base): claude-opus-4-5 about 1.07, gpt-4o about 1.00
        - other output length: each is taken to write, and to reason, as much as is given
        - quality: nothing here says that the answers are as good
    "#]].assert_eq(&place.run(&models).done());
    let nothing = place.run(&["price", "gpt-4o", "--traffic", "--data", "none"]).failed();
    assert!(nothing.contains("hint: to price logs instead"), "{nothing}");
}
