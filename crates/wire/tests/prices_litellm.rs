//! What is made of `LiteLLM`'s map, shown as the snapshot would have it, and what is held back.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use scrimp_wire::prices;

/// `entries` are the fields of one model each.
fn check(entries: &[(&str, &str, &str)], expected: &Expect) {
    let entries: Vec<String> = entries
        .iter()
        .map(|(name, provider, fields)| {
            format!(r#""{name}": {{"mode": "chat", "litellm_provider": "{provider}", {fields}}}"#)
        })
        .collect();
    let (rows, report) = prices::from_litellm(format!("{{{}}}", entries.join(",")).as_bytes());
    let text = prices::write(&rows, "2026-11-23", "a test");
    let rows: Vec<&str> = text.lines().skip_while(|line| !line.starts_with('[')).collect();
    expected.assert_eq(&format!("{}\n{report}", rows.join("\n")));
}

const PLAIN: &str = r#""input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05"#;

#[test]
fn a_tier_is_filled_in_by_its_vendors_rule() {
    let cached = format!(
        r#"{PLAIN}, "cache_read_input_token_cost": 3e-07, "cache_creation_input_token_cost": 3.75e-06,
        "cache_creation_input_token_cost_above_1hr": 6e-06, "input_cost_per_token_batches": 1.5e-06,
        "output_cost_per_token_batches": 7.5e-06"#
    );
    check(
        &[
            ("claude-x", "anthropic", &cached),
            ("gemini/gemini-x", "gemini", &cached),
            ("gpt-4-x", "openai", PLAIN),
            (
                "vertex_ai/claude-x",
                "vertex_ai-anthropic_models",
                &cached.replace("1.5e-06,", "2e-06,"),
            ),
        ],
        &expect![[r#"
            [anthropic]
            claude-x i=3 r=.3 w=3.75 l=6 o=15 | batch*.5 | cache=claude/1024
            [gemini]
            gemini-x i=3 r=.3 w=3.75 l=6 o=15 | batch i=1.5 r=.3 o=7.5 | cache=gemini/2048
            [openai]
            gpt-4-x i=3 o=15 | batch*.5
            [vertex_ai]
            claude-x i=3 r=.3 w=3.75 l=6 o=15 | batch*.5 | cache=claude/1024
            4 entries: 4 rows, 0 of other kinds, 0 repeated, 0 held back
            held back  vertex_ai/claude-x: Uncached in Batch above 0: not half of the standard tier, which the vendor's batches cost
        "#]],
    );
}

#[test]
fn audio_and_images_have_their_tiers_discount_while_cached_input_keeps_its_rate() {
    let fields = format!(
        r#"{PLAIN}, "cache_read_input_token_cost": 3e-07, "input_cost_per_audio_token": 1e-05,
        "input_cost_per_image_token": 4e-06, "output_cost_per_audio_token": 2e-05,
        "input_cost_per_token_flex": 1.5e-06, "output_cost_per_token_flex": 7.5e-06,
        "input_cost_per_token_priority": 5.4e-06, "output_cost_per_token_priority": 2.7e-05,
        "input_cost_per_token_batches": 1.5e-06, "output_cost_per_token_batches": 7.5e-06,
        "input_cost_per_audio_token_batches": 6e-06"#
    );
    check(
        &[("gemini/gemini-x", "gemini", &fields), ("openai/gpt-x", "openai", &fields)],
        &expect![[r#"
            [gemini]
            gemini-x i=3 r=.3 a=10 p=4 o=15 v=20 | batch i=1.5 r=.3 a=6 p=2 o=7.5 v=10 | flex i=1.5 r=.3 a=5 p=2 o=7.5 v=10 | priority i=5.4 r=.3 a=18 p=7.2 o=27 v=36 | cache=gemini/2048
            [openai]
            gpt-x i=3 r=.3 a=10 p=4 o=15 v=20 | batch i=1.5 r=.15 a=6 p=2 o=7.5 v=10 | flex*.5 | priority*1.8 | cache=assumed/1024
            2 entries: 2 rows, 0 of other kinds, 0 repeated, 0 held back
        "#]],
    );
}

#[test]
fn a_long_context_card_is_completed_and_a_tier_follows_it() {
    let long = format!(
        r#"{PLAIN}, "cache_read_input_token_cost": 3e-07,
        "input_cost_per_token_above_200k_tokens": 6e-06,
        "output_cost_per_token_above_200k_tokens": 2.25e-05,
        "input_cost_per_token_priority": 6e-06, "output_cost_per_token_priority": 3e-05"#
    );
    let ranges = r#""tiered_pricing": [
        {"range": [0, 256000.0], "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07},
        {"range": [256000.0, 1e6], "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06}]"#;
    check(
        &[
            ("gpt-5-x", "openai", &long),
            ("xai/grok-x", "xai", &long),
            ("dashscope/qwen-x", "dashscope", ranges),
        ],
        &expect![[r#"
            [dashscope]
            qwen-x i=.05 o=.4 | >256k i=.25 o=2
            [openai]
            gpt-5-x i=3 r=.3 o=15 | >200k i=6 r=.6 o=22.5 | batch*.5 | batch>200k*.5 | priority*2 | priority>200k*1 | cache=openai/1024
            [xai]
            grok-x i=3 r=.3 o=15 | >199999 i=6 r=.6 o=22.5 | priority i=6 r=.3 o=30 | priority>199999*1 | cache=xai/128
            3 entries: 3 rows, 0 of other kinds, 0 repeated, 0 held back
        "#]],
    );
}

#[test]
fn what_cannot_be_true_is_held_back_and_named() {
    let with = |more: &str| format!("{PLAIN}, {more}");
    check(
        &[
            ("free", "p", r#""input_cost_per_token": 0, "output_cost_per_token": 0.0"#),
            ("per-million", "p", r#""input_cost_per_token": 3, "output_cost_per_token": 15"#),
            ("half", "p", r#""input_cost_per_token": 3e-06"#),
            ("debt", "p", r#""input_cost_per_token": -3e-06, "output_cost_per_token": 1e-06"#),
            ("text", "p", r#""input_cost_per_token": "cheap", "output_cost_per_token": 1e-06"#),
            ("dear-read", "p", &with(r#""cache_read_input_token_cost": 4e-06"#)),
            ("free-read", "p", &with(r#""cache_read_input_token_cost": 0"#)),
            ("read-as-write", "p", &with(r#""cache_creation_input_token_cost": 3e-07"#)),
            ("dear-batch", "p", &with(r#""input_cost_per_token_batches": 4e-06"#)),
            (
                "noise",
                "p",
                r#""input_cost_per_token": 2.9999900000000002e-06, "output_cost_per_token": 1e-5"#,
            ),
            ("per-second", "p", &with(r#""input_cost_per_second": 1"#)),
        ],
        &expect![[r#"
            [p]
            dear-batch i=3 o=15
            dear-read i=3 o=15
            free-read i=3 o=15
            noise i=2.99999 o=10
            per-second i=3 o=15
            read-as-write i=3 o=15
            11 entries: 6 rows, 0 of other kinds, 0 repeated, 5 held back
            held back  dear-batch: Uncached in Batch above 0: a discount tier dearer than the standard tier
            held back  dear-read: CacheRead in Standard above 0: a cache read dearer than uncached input
            held back  debt: input_cost_per_token: negative: -3e-06
            held back  debt: no rate per token for input
            held back  free: free of charge, or not known: the list writes 0 for both
            held back  free-read: CacheRead in Standard above 0: free of charge, or not known: the list writes 0 for both
            held back  half: no rate per token for output
            held back  per-million: 3000000 dollars per million tokens: the unit cannot be dollars per token
            held back  read-as-write: CacheWriteShort in Standard above 0: a cache write at 0.10 of uncached input: it must be another rate
            held back  text: input_cost_per_token: not a number: cheap
            held back  text: no rate per token for input
            not used   input_cost_per_second in 1 entries
        "#]],
    );
}

#[test]
fn the_fuller_of_two_entries_for_one_model_counts() {
    let batch = format!(r#"{PLAIN}, "input_cost_per_token_flex": 1e-06"#);
    check(
        &[
            ("gemini-x", "vertex_ai-language-models", PLAIN),
            ("vertex_ai/gemini-x", "vertex_ai", &batch),
        ],
        &expect![[r#"
            [vertex_ai]
            gemini-x i=3 o=15 | flex i=1 o=15
            2 entries: 1 rows, 0 of other kinds, 1 repeated, 0 held back
        "#]],
    );
}

#[test]
fn a_list_that_is_no_list_is_said_so() {
    for json in ["", "[]", "{\"a\": 1}", "{\"a\": {\"mode\": 7}}", "nonsense"] {
        let (rows, report) = prices::from_litellm(json.as_bytes());
        assert!(rows.is_empty(), "{json}");
        assert!(!report.held.is_empty() || report.other_kinds == 1, "{json}: {report}");
    }
}

proptest! {
    #[test]
    fn no_numbers_panic_and_what_is_written_reads_back(
        numbers in prop::collection::vec("-?[0-9]{1,25}(\\.[0-9]{1,25})?(e-?[0-9]{1,3})?", 8),
    ) {
        let fields = [
            "input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost",
            "cache_creation_input_token_cost_above_1hr", "input_cost_per_token_batches",
            "input_cost_per_token_above_200k_tokens", "input_cost_per_token_flex",
            "regional_endpoint_uplift_multiplier",
        ];
        let fields: Vec<String> =
            fields.iter().zip(&numbers).map(|(field, number)| format!("\"{field}\": \"{number}\"")).collect();
        let entry = format!(
            "{{\"m\": {{\"mode\": \"chat\", \"litellm_provider\": \"p\", {}}}}}", fields.join(",")
        );
        let (rows, _) = prices::from_litellm(entry.as_bytes());
        let catalog = prices::parse(&prices::write(&rows, "2026-11-23", "a test")).unwrap();
        prop_assert_eq!(catalog.rows().count(), rows.len());
        for row in catalog.rows() {
            prop_assert_eq!(row.as_ref(), &rows[0]);
        }
    }
}
