//! Usage reports of each provider, and the partition that they become.

use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn report(json: &str) -> Report {
    Report::read(&mut Scanner::new(json.as_bytes())).unwrap()
}

fn shown(metering: Metering) -> String {
    let Usage {
        uncached,
        cache_read,
        cache_write_short,
        cache_write_long,
        audio_input,
        image_input,
        output,
        reasoning,
        audio_output,
    } = metering.usage;
    let state = if metering.state == UsageState::Measured { "" } else { " UNKNOWN" };
    let suspect = if metering.suspect { " SUSPECT" } else { "" };
    format!(
        "plain {uncached} read {cache_read} short {cache_write_short} long {cache_write_long} \
         audio {audio_input} image {image_input} | output {output} reasoning {reasoning} \
         audio {audio_output}{state}{suspect}"
    )
}

fn check(reports: &[&str], expected: &Expect) {
    let merged = reports
        .iter()
        .map(|json| report(json))
        .fold(Report::default(), |known, later| known.then(&later));
    expected.assert_eq(&shown(merged.metering()));
}

#[test]
fn inclusive_input_contains_what_was_cached_and_written() {
    check(
        &[r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
            "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30,
              "cache_write_tokens_details":{"ttl_30m_tokens":10,"ttl_12h_tokens":20},
              "audio_tokens":4,"image_tokens":5},
            "completion_tokens_details":{"reasoning_tokens":30,"audio_tokens":5}}"#],
        &expect![
            "plain 1 read 60 short 10 long 20 audio 4 image 5 | output 15 reasoning 30 audio 5"
        ],
    );
}

#[test]
fn mistral_s_own_word_for_cached_input_will_do() {
    check(
        &[
            r#"{"prompt_tokens":300,"completion_tokens":4,"total_tokens":304,"num_cached_tokens":256}"#,
        ],
        &expect!["plain 44 read 256 short 0 long 0 audio 0 image 0 | output 4 reasoning 0 audio 0"],
    );
}

#[test]
fn exclusive_input_is_what_is_left_beside_the_cache() {
    check(
        &[r#"{"input_tokens":3,"cache_read_input_tokens":900,"cache_creation_input_tokens":70,
            "cache_creation":{"ephemeral_5m_input_tokens":50,"ephemeral_1h_input_tokens":20},
            "output_tokens":40,"output_tokens_details":{"thinking_tokens":25}}"#],
        &expect![
            "plain 3 read 900 short 50 long 20 audio 0 image 0 | output 15 reasoning 25 audio 0"
        ],
    );
}

/// LiteLLM #42663: 20 to 60 % of the writes were not billed.
#[test]
fn writes_beyond_the_split_of_the_first_turn_are_short_lived() {
    check(
        &[
            r#"{"input_tokens":5,"cache_creation_input_tokens":100,"cache_read_input_tokens":0,
                "cache_creation":{"ephemeral_5m_input_tokens":60,"ephemeral_1h_input_tokens":40},"output_tokens":1}"#,
            r#"{"input_tokens":9,"cache_creation_input_tokens":500,"cache_read_input_tokens":100,"output_tokens":70}"#,
        ],
        &expect![
            "plain 9 read 100 short 460 long 40 audio 0 image 0 | output 70 reasoning 0 audio 0"
        ],
    );
}

#[test]
fn later_reports_replace_what_they_name_and_are_never_added() {
    let start = r#"{"input_tokens":9,"cache_read_input_tokens":7,"output_tokens":2}"#;
    check(
        &[start, r#"{"output_tokens":5}"#, r#"{"output_tokens":8,"input_tokens":null}"#],
        &expect!["plain 9 read 7 short 0 long 0 audio 0 image 0 | output 8 reasoning 0 audio 0"],
    );
}

#[test]
fn reasoning_beside_the_completion_is_told_by_the_total() {
    let usage = |total: u64| {
        format!(
            r#"{{"prompt_tokens":10,"completion_tokens":5,"total_tokens":{total},"completion_tokens_details":{{"reasoning_tokens":4}}}}"#
        )
    };
    check(
        &[&usage(19)],
        &expect!["plain 10 read 0 short 0 long 0 audio 0 image 0 | output 5 reasoning 4 audio 0"],
    );
    check(
        &[&usage(15)],
        &expect!["plain 10 read 0 short 0 long 0 audio 0 image 0 | output 1 reasoning 4 audio 0"],
    );
}

#[test]
fn other_names_for_cached_tokens_are_known() {
    for name in ["prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"] {
        check(
            &[&format!(r#"{{"prompt_tokens":10,"completion_tokens":5,"{name}":8}}"#)],
            &expect![
                "plain 2 read 8 short 0 long 0 audio 0 image 0 | output 5 reasoning 0 audio 0"
            ],
        );
    }
}

#[test]
fn what_cannot_be_believed_is_left_out_and_flagged() {
    for number in [
        "-5",
        "1.5",
        "12.0",
        "1e3",
        "\"7\"",
        "[7]",
        "true",
        "1099511627777",
        "9223372036854775808",
        "-0",
        "99999999999999999999",
    ] {
        check(
            &[&format!(r#"{{"prompt_tokens":{number},"completion_tokens":5}}"#)],
            &expect![
                "plain 0 read 0 short 0 long 0 audio 0 image 0 | output 0 reasoning 0 audio 0 UNKNOWN SUSPECT"
            ],
        );
        check(
            &[&format!(r#"{{"input_tokens":3,"output_tokens":{number}}}"#)],
            &expect![
                "plain 0 read 0 short 0 long 0 audio 0 image 0 | output 0 reasoning 0 audio 0 UNKNOWN SUSPECT"
            ],
        );
        check(
            &[&format!(
                r#"{{"input_tokens":3,"output_tokens":5,"cache_read_input_tokens":{number}}}"#
            )],
            &expect![
                "plain 3 read 0 short 0 long 0 audio 0 image 0 | output 5 reasoning 0 audio 0 SUSPECT"
            ],
        );
    }
    check(
        &[
            r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":11}}"#,
        ],
        &expect![
            "plain 10 read 0 short 0 long 0 audio 0 image 0 | output 5 reasoning 0 audio 0 SUSPECT"
        ],
    );
    check(
        &[
            r#"{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":6}}"#,
        ],
        &expect![
            "plain 10 read 0 short 0 long 0 audio 0 image 0 | output 5 reasoning 0 audio 0 SUSPECT"
        ],
    );
    check(
        &[
            r#"{"input_tokens":3,"output_tokens":5,"cache_creation_input_tokens":10,"cache_creation":{"ephemeral_5m_input_tokens":8,"ephemeral_1h_input_tokens":8}}"#,
        ],
        &expect![
            "plain 3 read 0 short 10 long 0 audio 0 image 0 | output 5 reasoning 0 audio 0 SUSPECT"
        ],
    );
}

#[test]
fn a_report_without_input_is_unknown_and_not_zero() {
    check(
        &[r#"{"output_tokens":5}"#],
        &expect![
            "plain 0 read 0 short 0 long 0 audio 0 image 0 | output 0 reasoning 0 audio 0 UNKNOWN"
        ],
    );
}

#[test]
fn tiers_regions_and_speed_are_the_answers() {
    let report = report(r#"{"service_tier":"batch","speed":"fast","inference_geo":"us"}"#);
    assert_eq!(report.tier, Some(Tier::Batch));
    assert_eq!((report.is_fast, report.region), (Some(true), Some(Region::Us)));
    assert_eq!([tier(b"default"), tier(b"flex")], [Tier::Standard, Tier::Flex]);
}

proptest! {
    /// The sum of the parts is the provider's own sum, whenever it is believed.
    #[test]
    fn no_token_is_counted_twice_or_lost(
        counts in prop::array::uniform8(prop_oneof![0_u64..40, Just(MOST_TOKENS)]),
        is_inclusive in any::<bool>(),
    ) {
        let [input, output, cached, written, long, reasoning, audio_in, audio_out] = counts;
        let json = match is_inclusive {
            true => format!(
                r#"{{"prompt_tokens":{input},"completion_tokens":{output},
                "prompt_tokens_details":{{"cached_tokens":{cached},"cache_write_tokens":{written},
                "cache_write_tokens_details":{{"ttl_12h_tokens":{long}}},"audio_tokens":{audio_in}}},
                "completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":{audio_out}}}}}"#
            ),
            false => format!(
                r#"{{"input_tokens":{input},"output_tokens":{output},
                "cache_read_input_tokens":{cached},"cache_creation_input_tokens":{written},
                "cache_creation":{{"ephemeral_1h_input_tokens":{long}}},
                "output_tokens_details":{{"thinking_tokens":{reasoning}}}}}"#
            ),
        };
        let Metering { usage, suspect, state } = report(&json).metering();
        prop_assert_eq!(state, UsageState::Measured);
        prop_assert_eq!(usage.total_output(), output);
        let whole = if is_inclusive { input } else { input + cached + written };
        prop_assert_eq!(usage.input(), whole);
        if !suspect {
            prop_assert_eq!(usage.cache_read, cached);
            prop_assert_eq!(usage.cache_write_long, long);
        }
    }
}
