//! From an answer's bytes to dollars: mistakes that other tools made, with their numbers.
//!
//! The issue in each name is where the mistake was reported. Prices of models that are gone stand
//! in an overlay with the price of their day.

#![expect(clippy::unwrap_used, reason = "what the tests share is test code, too")]

use std::sync::LazyLock;

use expect_test::{Expect, expect};
use scrimp_core::price::{Catalog, Terms};
use scrimp_core::{Dialect, Time, Usage, UsageState};
use scrimp_wire::meter::{End, Framing, Meter};
use scrimp_wire::prices::{self, quote};

const OF_THEIR_DAY: &str = r#"
    [[price]]
    provider = "anthropic"
    model = "claude-3-7-sonnet"
    input_per_million = "3"
    cache_read_per_million = "0.30"
    cache_write_short_per_million = "3.75"
    cache_write_long_per_million = "6"
    output_per_million = "15"

    [[price]]
    provider = "gemini"
    model = "gemini-2.5-pro-of-2025"
    input_per_million = 1.25
    cache_read_per_million = 0.625
    output_per_million = 10

    [[price]]
    provider = "custom"
    model = "custom"
    input_per_million = "2.5"
    cache_read_per_million = "0.25"
    output_per_million = "15"
"#;

fn catalog() -> &'static Catalog {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
        let mut catalog = prices::snapshot();
        prices::overlay(OF_THEIR_DAY).unwrap().into_iter().for_each(|row| catalog.add(row));
        catalog
    });
    &CATALOG
}

fn now() -> Time {
    prices::day("2026-11-23").unwrap()
}

/// What an answer's `body` costs at the price of `provider/model`.
fn dollars(dialect: Dialect, framing: Framing, model: &str, body: &str) -> String {
    let mut meter = Meter::new(dialect, framing, 200);
    meter.see(body.as_bytes(), now());
    let outcome = meter.outcome(End::Complete);
    assert_eq!(outcome.metering.state, UsageState::Measured, "{body}");
    let usage = &outcome.metering.usage;
    let quote = quote::quote(catalog(), None, model, usage, outcome.terms, now()).unwrap();
    quote.usd.to_string()
}

fn messages(model: &str, usage: &str, expected: &str) {
    let body = format!(
        r#"{{"type":"message","model":"m","content":[],"stop_reason":"end_turn","usage":{usage}}}"#
    );
    let found = dollars(Dialect::AnthropicMessages, Framing::Whole, model, &body);
    assert_eq!(found, expected, "{usage}");
}

fn chat(model: &str, tier: &str, usage: &str, expected: &str) {
    let body = format!(
        r#"{{"model":"m","service_tier":"{tier}","choices":[{{"index":0,"message":{{"role":"assistant","content":"x"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
    );
    let found = dollars(Dialect::OpenaiChat, Framing::Whole, model, &body);
    assert_eq!(found, expected, "{tier} {usage}");
}

#[test]
fn litellm_9812_a_cache_write_is_billed_once() {
    let usage = r#"{"input_tokens":3,"cache_creation_input_tokens":12304,"cache_read_input_tokens":0,"output_tokens":550}"#;
    // LiteLLM reported $0.091311, Anthropic billed $0.05439 and some cents of a cent.
    messages("anthropic/claude-3-7-sonnet", usage, "0.054399");
}

#[test]
fn litellm_14849_cached_tokens_inside_the_prompt_are_billed_once() {
    let usage = r#"{"prompt_tokens":262960,"completion_tokens":1744,"total_tokens":264704,"prompt_tokens_details":{"cached_tokens":257955}}"#;
    // Reported: $0.7642; right at the flat prices of that issue: $0.1849.
    chat("gemini/gemini-2.5-pro-of-2025", "default", usage, "0.184918125");
    // Today's card for more than 200k tokens: 2.50, 0.25 and 15.
    chat("gemini/gemini-2.5-pro", "default", usage, "0.10316125");
}

#[test]
fn litellm_40006_own_prices_bill_cached_tokens_once() {
    let usage = r#"{"prompt_tokens":6074,"completion_tokens":285,"prompt_tokens_details":{"cached_tokens":3456}}"#;
    chat("custom/custom", "default", usage, "0.011684");
}

#[test]
fn aider_5518_a_cached_prompt_is_not_billed_in_full_on_top() {
    let usage = r#"{"input_tokens":9,"cache_creation_input_tokens":0,"cache_read_input_tokens":17102,"output_tokens":0}"#;
    // Aider showed about 10.9 times as much.
    messages("anthropic/claude-haiku-4-5", usage, "0.0017192");
}

#[test]
fn mohdel_0_114_an_hour_of_cache_is_billed_at_its_own_rate() {
    let usage = r#"{"input_tokens":0,"cache_creation_input_tokens":1000,"cache_creation":{"ephemeral_5m_input_tokens":400,"ephemeral_1h_input_tokens":600},"cache_read_input_tokens":0,"output_tokens":0}"#;
    // 400 at 6.25 and 600 at 10.
    messages("anthropic/claude-opus-5", usage, "0.0085");
}

/// A stream whose first event splits the writes of its first turn only.
fn server_tool_stream() -> String {
    let start = r#"{"type":"message_start","message":{"type":"message","model":"m","content":[],"usage":{"input_tokens":10,"cache_creation_input_tokens":31490,"cache_creation":{"ephemeral_5m_input_tokens":31490,"ephemeral_1h_input_tokens":0},"cache_read_input_tokens":0,"output_tokens":1}}}"#;
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":10,"cache_creation_input_tokens":184457,"cache_read_input_tokens":0,"output_tokens":100}}"#;
    format!(
        "event: message_start\ndata: {start}\n\nevent: message_delta\ndata: {delta}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
    )
}

#[test]
fn litellm_42663_writes_of_later_turns_are_billed_too() {
    let body = server_tool_stream();
    let found =
        dollars(Dialect::AnthropicMessages, Framing::Sse, "anthropic/claude-sonnet-4-5", &body);
    // 184,457 writes at 3.75, not 31,490; 10 at 3 and 100 at 15.
    assert_eq!(found, "0.69324375");
}

#[test]
fn litellm_11364_a_stream_costs_what_the_whole_answer_costs() {
    let usage = r#"{"input_tokens":3,"cache_creation_input_tokens":32435,"cache_read_input_tokens":66360,"output_tokens":5120}"#;
    messages("anthropic/claude-opus-4-5", usage, "0.36391375");
    let body = format!(
        "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"type\":\"message\",\"model\":\"m\",\"content\":[],\"usage\":{usage}}}}}\n\nevent: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}},\"usage\":{usage}}}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
    );
    let model = "anthropic/claude-opus-4-5";
    let found = dollars(Dialect::AnthropicMessages, Framing::Sse, model, &body);
    assert_eq!(found, "0.36391375");
}

#[test]
fn pi_7912_a_long_prompt_is_billed_by_the_long_card() {
    let usage = r#"{"prompt_tokens":272001,"completion_tokens":1000,"prompt_tokens_details":{"cached_tokens":272000}}"#;
    // 1 at 5, 272,000 at 0.50, 1,000 at 22.50: cached tokens count for the threshold.
    chat("openai/gpt-5.4", "default", usage, "0.158505");
    let shorter = r#"{"prompt_tokens":272000,"completion_tokens":1000,"prompt_tokens_details":{"cached_tokens":272000}}"#;
    chat("openai/gpt-5.4", "default", shorter, "0.083");
}

#[test]
fn the_tier_that_the_answer_names_is_billed() {
    let usage = r#"{"prompt_tokens":1000,"completion_tokens":100}"#;
    chat("openai/gpt-5.4", "default", usage, "0.004");
    chat("openai/gpt-5.4", "flex", usage, "0.002");
    chat("openai/gpt-5.4", "priority", usage, "0.008");
}

#[test]
fn litellm_37734_a_call_that_its_client_left_is_not_free() {
    let body = server_tool_stream();
    let (start, _) = body.split_once("event: message_delta").unwrap();
    let mut meter = Meter::new(Dialect::AnthropicMessages, Framing::Sse, 200);
    meter.see(start.as_bytes(), now());
    let metering = meter.outcome(End::Broken).metering;
    assert_eq!(metering.state, UsageState::Partial);
    let model = "anthropic/claude-sonnet-4-5";
    let terms = Terms::default();
    let quote = quote::quote(catalog(), None, model, &metering.usage, terms, now()).unwrap();
    assert!("0.118".parse().is_ok_and(|least| quote.usd > least), "{}", quote.usd);
}

#[test]
fn openclaw_120008_no_usage_is_unknown_and_no_price_is_unpriced() {
    let mut meter = Meter::new(Dialect::OpenaiChat, Framing::Whole, 200);
    meter.see(br#"{"model":"m","choices":[]}"#, now());
    assert_eq!(meter.outcome(End::Complete).metering.state, UsageState::Unknown);
    // The list has this model at 0 for everything.
    let found = catalog().find("ollama", "codellama", now()).is_some();
    assert!(!found, "a model whose price is not known is not free");
}

/// `ruby_llm` took what was cached and written off `inputTokens`, in which it never was.
#[test]
fn ruby_llm_828_converse_counts_its_input_beside_the_cache() {
    let named = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2F\
                 us.anthropic.claude-haiku-4-5-20251001-v1%3A0";
    let model = format!("bedrock/{}", scrimp_wire::dialect::model_of(named));
    let body = r#"{"output":{"message":{"content":[{"text":"x"}],"role":"assistant"}},"stopReason":"end_turn",
        "usage":{"inputTokens":12,"cacheReadInputTokens":3100,"cacheWriteInputTokens":1700,"outputTokens":7,
        "totalTokens":4819,"cacheDetails":[{"ttl":"1h","inputTokens":1480},{"ttl":"5m","inputTokens":220}]}}"#;
    // 12 at 1.10, 3100 at 0.11, 220 at 1.375, 1480 at 2.20, 7 at 5.50.
    let found = dollars(Dialect::BedrockConverse, Framing::Whole, &model, body);
    assert_eq!(found, "0.0039512");
}

#[test]
fn a_vendor_s_common_name_means_the_vendor_and_no_host() {
    let resolve = |model: &str| quote::resolve(catalog(), None, model, now());
    let (row, notes) = resolve("google/gemini-2.5-pro").unwrap();
    assert_eq!((&*row.provider, &*row.model), ("gemini", "gemini-2.5-pro"));
    assert_eq!(notes, ["google is listed as gemini"]);
    // A host sells it under this name, and the vendor does not.
    assert!(resolve("replicate/google/gemini-3-pro").is_ok());
    let error = resolve("google/gemini-3-pro").unwrap_err().to_string();
    assert!(error.contains("gemini/gemini-"), "{error}");
}

#[test]
fn hostile_counts_are_refused_by_name() {
    let usage = Usage { cache_read: u64::MAX, ..Usage::ZERO };
    let terms = Terms::default();
    let error = quote::quote(catalog(), None, "gpt-4o", &usage, terms, now()).unwrap_err();
    let expected =
        expect!["18446744073709551615 cache-read tokens are more than any call has (2^40)"];
    expected.assert_eq(&error.to_string());
}

#[test]
fn every_shipped_row_can_be_billed_and_every_discount_is_one() {
    let catalog = prices::snapshot();
    assert_eq!(catalog.taken, prices::day("2026-11-23"));
    assert!(3_000 < catalog.rows().count());
    let usage = Usage { uncached: 1_000, cache_read: 1_000, output: 1_000, ..Usage::ZERO };
    for row in catalog.rows() {
        let name = format!("{}/{}", row.provider, row.model);
        let cost = |tier| row.cost(&usage, Terms { tier, ..Terms::default() });
        let standard = cost(scrimp_core::Tier::Standard);
        assert!(scrimp_core::Usd::ZERO < standard, "{name}");
        assert!(cost(scrimp_core::Tier::Batch) <= standard, "{name}");
        assert!(cost(scrimp_core::Tier::Flex) <= standard, "{name}");
        assert!(row.cards.is_sorted_by_key(|card| (card.tier, card.above)), "{name}");
    }
}

#[test]
fn cache_rules_are_those_of_the_model_and_its_host() {
    let catalog = catalog();
    let rules = |provider, model| catalog.find(provider, model, now()).unwrap().cache.unwrap();
    let (opus, sol) = (rules("anthropic", "claude-opus-5-5"), rules("openai", "gpt-6.1-sol"));
    assert_eq!((opus.min_tokens, opus.marks, opus.look_back, opus.step), (512, 4, Some(20), 1));
    assert_eq!((sol.min_tokens, sol.marks, sol.look_back, sol.step), (1024, 4, None, 1));
    assert_eq!(rules("bedrock", "us.anthropic.claude-opus-5-5"), opus);
    assert_eq!(rules("vertex_ai", "claude-opus-5-5"), opus);
    assert_eq!(rules("openai", "gpt-4o").step, 128);
    assert_eq!(rules("openai", "gpt-5.4").long, None);
    assert_eq!(rules("anthropic", "claude-opus-4-6").min_tokens, 4096);
}

fn ask(line: &str, expected: &Expect) {
    expected.assert_eq(&quote::answer(catalog(), line, now()));
}

#[test]
fn a_quote_is_exactly_what_scripts_rest_on() {
    ask(
        r#"{"model":"claude-opus-5","usage":{"uncached":10,"cache_write_long":20,"output":30}}"#,
        &expect![[
            r#"{"model":"claude-opus-5","provider":"anthropic","usd":"0.001","lines":[{"what":"uncached","tokens":10,"usd_per_million":"5","usd":"0.00005"},{"what":"cache_write_long","tokens":20,"usd_per_million":"10","usd":"0.0002"},{"what":"output","tokens":30,"usd_per_million":"25","usd":"0.00075"}],"notes":["priced at anthropic; 5 more, such as vertex_ai, aihubmix, azure_ai"]}"#
        ]],
    );
    ask(
        r#"{"model":"openai/gpt-5.6","usage":{"uncached":300000},"tier":"batch","region":"eu"}"#,
        &expect![[
            r#"{"model":"gpt-5.6","provider":"openai","usd":"1.32","lines":[{"what":"uncached","tokens":300000,"usd_per_million":"4.4","usd":"1.32"}],"from":"2026-08-21","notes":["valid from 2026-08-21"]}"#
        ]],
    );
}

#[test]
fn audio_costs_half_in_flex_also_where_the_list_omits_it() {
    for (model, usd) in [
        ("vertex_ai/gemini-2.5-flash", "0.0005"),
        ("vertex_ai/gemini-2.5-flash-lite", "0.00015"),
        ("gemini/gemini-2.5-flash", "0.0005"),
        ("gemini/gemini-3.1-flash-lite-preview", "0.00025"),
    ] {
        let usage = Usage { audio_input: 1_000, ..Usage::ZERO };
        let terms = Terms { tier: scrimp_core::Tier::Flex, ..Terms::default() };
        let quote = quote::quote(catalog(), None, model, &usage, terms, now()).unwrap();
        assert_eq!(quote.usd.to_string(), usd, "{model}");
    }
}

#[test]
fn a_quote_says_how_long_it_is_valid_and_what_comes_then() {
    let luna = |at: &str| {
        format!(r#"{{"model":"openai/gpt-5.6-luna","usage":{{"uncached":1000}},"at":"{at}"}}"#)
    };
    ask(
        &luna("2026-07-29"),
        &expect![[
            r#"{"model":"gpt-5.6-luna","provider":"openai","usd":"0.001","lines":[{"what":"uncached","tokens":1000,"usd_per_million":"1","usd":"0.001"}],"until":"2026-07-30","then_usd":"0.0002","notes":["valid until 2026-07-30, then $0.2/M for input, $1.2/M for output"]}"#
        ]],
    );
    ask(
        &luna("2026-07-30"),
        &expect![[
            r#"{"model":"gpt-5.6-luna","provider":"openai","usd":"0.0002","lines":[{"what":"uncached","tokens":1000,"usd_per_million":"0.2","usd":"0.0002"}],"from":"2026-07-30","notes":["valid from 2026-07-30"]}"#
        ]],
    );
    ask(
        r#"{"model":"anthropic/claude-opus-4-6","usage":{"uncached":1000},"at":"2026-03-12"}"#,
        &expect![[
            r#"{"model":"claude-opus-4-6","provider":"anthropic","usd":"0.005","lines":[{"what":"uncached","tokens":1000,"usd_per_million":"5","usd":"0.005"}],"until":"2026-03-13","then_usd":"0.005","notes":["valid until 2026-03-13, then the same for such a call"]}"#
        ]],
    );
}

#[test]
fn what_cannot_be_priced_says_what_to_do() {
    ask(
        r#"{"model":"claude-opuss-5"}"#,
        &expect![[
            r#"{"error":"no price is known for `claude-opuss-5`; did you mean anthropic/claude-opus-5, anthropic/claude-opus-4, anthropic/claude-opus-4-5, anthropic/claude-opus-5-5, anthropic/claude-opus-4-0?","model":"claude-opuss-5"}"#
        ]],
    );
    ask(
        r#"{"model":"weather-report"}"#,
        &expect![[
            r#"{"error":"no price is known for `weather-report`; give your own in a price overlay","model":"weather-report"}"#
        ]],
    );
    ask(
        r#"{"model":"gpt-4o","at":"tomorrow"}"#,
        &expect![[r#"{"error":"`tomorrow` is no day","model":"gpt-4o"}"#]],
    );
    ask(
        r#"{"model":"gpt-4o","usage":{"uncached":-1}}"#,
        &expect![[
            r#"{"error":"invalid value: integer `-1`, expected u64 at line 1 column 40","model":null}"#
        ]],
    );
    ask(
        r#"{"model":"gpt-4o","provider":"anthropic"}"#,
        &expect![[
            r#"{"error":"no price is known for `gpt-4o`; did you mean openai/gpt-4o, openai/gpt-4, azure/eu/gpt-4o, azure/eu/gpt-4o-2024-05-13, azure/eu/gpt-4o-2024-08-06?","model":"gpt-4o"}"#
        ]],
    );
    ask(
        "{",
        &expect![[r#"{"error":"EOF while parsing an object at line 1 column 1","model":null}"#]],
    );
}

#[test]
fn a_provider_is_priced_under_each_of_its_names() {
    let mut catalog = prices::snapshot();
    let at = Time::from_secs(1_795_000_000);
    let listed = catalog.find("gemini", "gemini-2.5-pro", at).expect("listed").clone();
    assert_eq!(catalog.find("google", "gemini-2.5-pro", at), Some(&listed));
    catalog.also_called("ours", "google");
    assert_eq!(catalog.find("ours", "gemini-2.5-pro", at), Some(&listed));
    assert_eq!(catalog.find("theirs", "gemini-2.5-pro", at), None);
    // A configuration may give a listed name to another provider.
    catalog.also_called("openai", "azure");
    let azure = catalog.find("azure", "gpt-4o", at).expect("listed").clone();
    assert_eq!(catalog.find("openai", "gpt-4o", at), Some(&azure));
}
