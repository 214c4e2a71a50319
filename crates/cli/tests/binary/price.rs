//! `scrimp price`: the table, the JSON that scripts rest on, and what has no price.

use crate::support::{Place, fields};
use expect_test::{Expect, expect};

#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn check(arguments: &str, expected: Expect) {
    let arguments = arguments.split_whitespace();
    let arguments: Vec<&str> = ["price"].into_iter().chain(arguments).collect();
    expected.assert_eq(&Place::new().run(&arguments).done());
}

#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn refuses(arguments: &[&str], expected: Expect) {
    expected.assert_eq(&Place::new().run(&[&["price"], arguments].concat()).failed());
}

#[test]
fn a_call_is_priced_line_by_line() {
    check(
        "claude-opus-4-5 --uncached 1200 --cache-read 48000 --cache-write-short 10 \
         --cache-write-long 20 --output 700 --at 2026-06-01",
        expect![[r#"
            anthropic/claude-opus-4-5
              uncached                    1200          $5/M  $0.006
              cache read                 48000        $0.5/M  $0.024
              cache write short             10       $6.25/M  $0.0000625
              cache write long              20         $10/M  $0.0002
              output                       700         $25/M  $0.0175
              together                                        $0.0477625
            note: priced at anthropic; 2 more: vertex_ai, azure_ai
            note: priced by the list of 2026-11-23; prices of 2026-06-01 may differ
        "#]],
    );
}

#[test]
fn the_provider_can_be_named() {
    check(
        "vertex_ai/claude-opus-4-5 --uncached 3 --at 2026-06-01",
        expect![[r#"
            vertex_ai/claude-opus-4-5
              uncached                       3          $5/M  $0.000015
              together                                        $0.000015
            note: priced by the list of 2026-11-23; prices of 2026-06-01 may differ
        "#]],
    );
}

#[test]
fn prices_of_another_day_say_which_day_they_are_of() {
    let place = Place::new();
    check(
        "anthropic/claude-opus-4-5 --uncached 3 --at 1990-01-01",
        expect![[r#"
            anthropic/claude-opus-4-5
              uncached                       3          $5/M  $0.000015
              together                                        $0.000015
            note: priced by the list of 2026-11-23; prices of 1990-01-01 may differ
        "#]],
    );
    let found = |arguments: &[&str]| {
        let found =
            place.run(&[&["price", "anthropic/claude-opus-4-5", "--json"], arguments].concat());
        let found = found.json();
        format!("{} {}", found["prices_taken"], found["notes"])
    };
    let taken: serde_json::Value =
        serde_json::from_str(found(&[]).trim_end_matches(" []")).unwrap();
    let same_day = found(&["--at", taken.as_str().unwrap()]);
    assert_eq!(same_day, found(&[]), "the day of the list needs no note");
    place.write(
        "own.toml",
        "[[price]]\nprovider = \"anthropic\"\nmodel = \"claude-opus-4-5\"\n\
         input_per_million = \"1\"\noutput_per_million = \"2\"\n",
    );
    assert_eq!(found(&["--prices", "own.toml", "--at", "1990-01-01"]), "null []");
}

#[test]
fn a_price_that_changed_or_will_tells_its_days_and_what_comes_then() {
    let luna = "openai/gpt-5.6-luna --uncached 1000 --at";
    check(
        &format!("{luna} 2026-07-29"),
        expect![[r#"
            openai/gpt-5.6-luna
              uncached                    1000          $1/M  $0.001
              together                                        $0.001
            note: valid until 2026-07-30, then $0.2/M for input, $1.2/M for output
            note: the oldest price that is known; prices of 2026-07-29 may differ
        "#]],
    );
    check(
        &format!("{luna} 2026-07-30"),
        expect![[r#"
        openai/gpt-5.6-luna
          uncached                    1000        $0.2/M  $0.0002
          together                                        $0.0002
        note: valid from 2026-07-30
    "#]],
    );
    check(
        &format!("{luna} 2026-12-24"),
        expect![[r#"
        openai/gpt-5.6-luna
          uncached                    1000        $0.2/M  $0.0002
          together                                        $0.0002
        note: valid from 2026-07-30
        note: priced by the list of 2026-11-23; prices of 2026-12-24 may differ
    "#]],
    );
    let flash = "gemini/gemini-3.6-flash --uncached 1000 --at";
    check(
        &format!("{flash} 2026-11-23"),
        expect![[r#"
        gemini/gemini-3.6-flash
          uncached                    1000       $0.75/M  $0.00075
          together                                        $0.00075
        note: valid until 2027-01-01, then $1.5/M for input, $7.5/M for output
    "#]],
    );
    check(
        &format!("{flash} 2026-12-31"),
        expect![[r#"
        gemini/gemini-3.6-flash
          uncached                    1000       $0.75/M  $0.00075
          together                                        $0.00075
        note: valid until 2027-01-01, then $1.5/M for input, $7.5/M for output
        note: priced by the list of 2026-11-23; prices of 2026-12-31 may differ
    "#]],
    );
    check(
        &format!("{flash} 2027-01-01 --tier batch"),
        expect![[r#"
        gemini/gemini-3.6-flash
          uncached                    1000       $0.75/M  $0.00075
          together                                        $0.00075
        note: valid from 2027-01-01
        note: announced by 2026-11-23; prices of 2027-01-01 may differ
    "#]],
    );
    // The list says nothing of 2025, whatever is known of 2027.
    check(
        &format!("{flash} 2025-01-01"),
        expect![[r#"
        gemini/gemini-3.6-flash
          uncached                    1000       $0.75/M  $0.00075
          together                                        $0.00075
        note: valid until 2027-01-01, then $1.5/M for input, $7.5/M for output
        note: priced by the list of 2026-11-23; prices of 2025-01-01 may differ
    "#]],
    );
    check(
        "gemini/gemini-3.6-flash --at 2026-11-23",
        expect![[r#"
        gemini/gemini-3.6-flash
          uncached               $0.75/M
          cache read            $0.075/M
          cache write short      $0.75/M
          cache write long       $0.75/M
          output                 $3.75/M
        note: valid until 2027-01-01, then $1.5/M for input, $7.5/M for output
        what a call costs: --uncached N --cache-read N --output N; see --help
    "#]],
    );
}

#[test]
fn the_days_of_a_price_are_in_its_json() {
    let place = Place::new();
    let days = |arguments: &[&str]| {
        let call = ["price", "gemini/gemini-3.6-flash", "--json", "--output", "1000000", "--at"];
        let found = place.run(&[&call, arguments].concat()).json();
        let field = |name: &str| found[name].to_string();
        ["usd", "from", "until", "then_usd", "prices_taken"].map(field).join(" ")
    };
    expect![[r#""3.75" null "2027-01-01" "7.5" "2026-11-23""#]].assert_eq(&days(&["2026-12-31"]));
    expect![[r#""7.5" "2027-01-01" null null "2026-11-23""#]].assert_eq(&days(&["2027-01-01"]));
    place.write(
        "own.toml",
        "[[price]]\nprovider = \"gemini\"\nmodel = \"gemini-3.6-flash\"\nfrom = \"2026-12-01\"\n\
         until = \"2027-02-01\"\ninput_per_million = \"1\"\noutput_per_million = \"2\"\n",
    );
    expect![[r#""3.75" null "2026-12-01" "2" "2026-11-23""#]].assert_eq(&days(&[
        "2026-11-30",
        "--prices",
        "own.toml",
    ]));
    expect![[r#""2" "2026-12-01" "2027-02-01" "7.5" null"#]].assert_eq(&days(&[
        "2027-01-01",
        "--prices",
        "own.toml",
    ]));
}

#[test]
fn without_tokens_the_rates_are_shown() {
    check(
        "anthropic/claude-opus-4-5 --at 2026-06-01",
        expect![[r#"
            anthropic/claude-opus-4-5
              uncached                  $5/M
              cache read              $0.5/M
              cache write short      $6.25/M
              cache write long         $10/M
              output                   $25/M
            note: priced by the list of 2026-11-23; prices of 2026-06-01 may differ
            what a call costs: --uncached N --cache-read N --output N; see --help
        "#]],
    );
}

#[test]
fn a_batch_is_cheaper_and_a_tier_without_prices_is_told() {
    check(
        "anthropic/claude-opus-4-5 --uncached 1000 --tier batch --at 2026-06-01",
        expect![[r#"
            anthropic/claude-opus-4-5
              uncached                    1000        $2.5/M  $0.0025
              together                                        $0.0025
            note: priced by the list of 2026-11-23; prices of 2026-06-01 may differ
        "#]],
    );
    check(
        "anthropic/claude-opus-4-5 --uncached 1000 --tier flex --at 2026-06-01",
        expect![[r#"
            anthropic/claude-opus-4-5
              uncached                    1000          $5/M  $0.005
              together                                        $0.005
            note: claude-opus-4-5 has no flex price here: billed as standard
            note: priced by the list of 2026-11-23; prices of 2026-06-01 may differ
        "#]],
    );
}

#[test]
fn a_long_prompt_is_dearer_where_the_provider_says_so() {
    check(
        "gemini-2.5-pro --uncached 200000 --output 10 --at 2026-06-01",
        expect![[r#"
            gemini/gemini-2.5-pro
              uncached                  200000       $1.25/M  $0.25
              output                        10         $10/M  $0.0001
              together                                        $0.2501
            note: priced at gemini; 1 more: vertex_ai
            note: priced by the list of 2026-11-23; prices of 2026-06-01 may differ
        "#]],
    );
    check(
        "gemini-2.5-pro --uncached 200001 --output 10 --at 2026-06-01",
        expect![[r#"
            gemini/gemini-2.5-pro
              uncached                  200001        $2.5/M  $0.5000025
              output                        10         $15/M  $0.00015
              together                                        $0.5001525
            note: priced at gemini; 1 more: vertex_ai
            note: priced by the list of 2026-11-23; prices of 2026-06-01 may differ
        "#]],
    );
}

#[test]
fn scripts_get_the_fields_that_they_rest_on() {
    let place = Place::new();
    let said = place.run(&[
        "price",
        "claude-opus-4-5",
        "--uncached",
        "1",
        "--output",
        "3",
        "--at",
        "2026-06-01",
        "--json",
    ]);
    let quote = said.json();
    for field in ["model", "usd", "lines"] {
        assert!(fields(&quote).contains(&field), "{quote}");
    }
    assert_eq!((&quote["model"], &quote["usd"]), (&"claude-opus-4-5".into(), &"0.00008".into()));
    expect![[r#"[{"tokens":1,"usd":"0.000005","usd_per_million":"5","what":"uncached"},{"tokens":3,"usd":"0.000075","usd_per_million":"25","what":"output"}]"#]].assert_eq(&quote["lines"].to_string());
    let nothing = place.run(&["price", "claude-opus-4-5", "--json"]).json();
    assert_eq!(
        (&nothing["usd"], nothing["lines"].as_array().map(Vec::len)),
        (&"0".into(), Some(0))
    );
}

#[test]
fn what_has_no_price_is_named_with_what_is_near() {
    suggests("claude-opus-45", "anthropic/claude-opus-4-5");
    refuses(
        &["frobnicator"],
        expect![[r#"
        error: no price is known for `frobnicator`; give your own in a price overlay
        hint: own prices can be laid over the ones shipped: --prices FILE
    "#]],
    );
    suggests("anthropic/gpt-5", "openai/gpt-5");
    refuses(
        &["gpt-5", "--prices", "none.toml"],
        expect![[r#"
        error: own prices could not be read from none.toml: No such file or directory (os error 2)
    "#]],
    );
    refuses(
        &["gpt-5", "--uncached", "9999999999999"],
        expect![[r#"
            error: 9999999999999 uncached tokens are more than any call has (2^40)
        "#]],
    );
}

/// The whole list changes with the prices shipped.
#[track_caller]
fn suggests(model: &str, near: &str) {
    let said = Place::new().run(&["price", model]).failed();
    assert!(
        said.starts_with(&format!("error: no price is known for `{model}`; did you")),
        "{said}"
    );
    assert!(said.contains(near) && said.contains("\nhint: "), "{said}");
}

#[test]
fn own_prices_lie_over_the_ones_shipped() {
    let place = Place::new();
    place.write(
        "own.toml",
        "[[price]]\nprovider = \"house\"\nmodel = \"m\"\ninput_per_million = 2\noutput_per_million = 3\n",
    );
    let arguments = ["price", "house/m", "--uncached", "1000000", "--prices", "own.toml"];
    expect![[r#"
        house/m
          uncached                 1000000          $2/M  $2
          together                                        $2
    "#]]
    .assert_eq(&place.run(&arguments).done());
}
