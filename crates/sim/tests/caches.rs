//! The vendors' rules of prompt caching, case by case. Each line of an expectation is one call:
//! when it came, and its input by class.

mod common;

use common::{body, call, request, send, told};
use expect_test::{Expect, expect};
use scrimp_sim::{Api, Hazards, LongMark, Provider, Settings};
use serde_json::{Value, json};
use std::time::Duration;

/// Plays calls at their second and compares their input.
async fn check_with(
    settings: Settings,
    model: &str,
    calls: &[(u64, &str, Value)],
    expected: &Expect,
) {
    let provider = Provider::new(settings);
    let mut now = 0;
    for (at, spec, more) in calls {
        tokio::time::sleep(Duration::from_secs(at - now)).await;
        now = *at;
        let answer = call(&provider, &body(model, spec, more), &[]).await;
        assert!(answer.get("error").is_none(), "{answer}");
    }
    expected.assert_eq(&told(&provider));
}

async fn check(model: &str, calls: &[(u64, &str)], expected: &Expect) {
    let calls: Vec<_> = calls.iter().map(|(at, spec)| (*at, *spec, json!({}))).collect();
    check_with(Settings::exact(1), model, &calls, expected).await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_lives_five_minutes_from_its_last_use() {
    let spec = "600*s 10";
    check(
        "claude-sonnet-5-5",
        &[(0, spec), (290, spec), (580, spec), (881, spec)],
        &expect![[r#"
            0s     uncached   10 read    0 short  603 long    0
            290s   uncached   10 read  603 short    0 long    0
            580s   uncached   10 read  603 short    0 long    0
            881s   uncached   10 read    0 short  603 long    0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_long_entry_lives_an_hour() {
    let spec = "600*l 10";
    check(
        "claude-sonnet-5-5",
        &[(0, spec), (3599, spec), (7200, spec)],
        &expect![[r#"
            0s     uncached   10 read    0 short    0 long  603
            3599s  uncached   10 read  603 short    0 long    0
            7200s  uncached   10 read    0 short    0 long  603
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_prefix_below_the_minimum_is_silently_not_written() {
    check(
        "claude-haiku-4-5",
        &[(0, "4000*s"), (1, "4000*s"), (2, "4093*s"), (3, "4093*s")],
        &expect![[r#"
            0s     uncached 4003 read    0 short    0 long    0
            1s     uncached 4003 read    0 short    0 long    0
            2s     uncached    0 read    0 short 4096 long    0
            3s     uncached    0 read 4096 short    0 long    0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn entries_are_written_at_marks_only() {
    // The second call marks an earlier block, which no call has written.
    check(
        "claude-sonnet-5-5",
        &[(0, "600 600*s"), (1, "600*s 600:beta"), (2, "600 600*s 50*s")],
        &expect![[r#"
            0s     uncached    0 read    0 short 1203 long    0
            1s     uncached  600 read    0 short  603 long    0
            2s     uncached    0 read 1203 short   50 long    0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_mark_looks_at_twenty_positions() {
    let after = |count: usize| format!("600{}*s", " 1".repeat(count));
    let (hit, miss) = (after(19), after(20));
    check(
        "claude-sonnet-5-5",
        &[(0, "600*s"), (1, &hit)],
        &expect![[r#"
            0s     uncached    0 read    0 short  603 long    0
            1s     uncached    0 read  603 short   19 long    0
        "#]],
    )
    .await;
    check(
        "claude-sonnet-5-5",
        &[(0, "600*s"), (1, &miss)],
        &expect![[r#"
            0s     uncached    0 read    0 short  603 long    0
            1s     uncached    0 read    0 short  623 long    0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn of_two_lives_each_part_is_billed_at_its_own_rate() {
    check(
        "claude-sonnet-5-5",
        &[
            (0, "600*l 100*s 10"),
            (1, "600*l 100 200*l 100*s 10"),
            (301, "600*l 100 200*l 100*s 10"),
        ],
        &expect![[r#"
            0s     uncached   10 read    0 short  100 long  603
            1s     uncached   10 read  703 short  100 long  200
            301s   uncached   10 read  903 short  100 long    0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_long_mark_can_cover_all_or_only_what_it_wrote() {
    let calls =
        [(0, "600*s", json!({})), (1, "600 100*l", json!({})), (400, "600 100 10*l", json!({}))];
    let new_part = Settings { long_mark: LongMark::NewPart, ..Settings::exact(1) };
    check_with(
        Settings::exact(1),
        "claude-sonnet-5-5",
        &calls,
        &expect![[r#"
            0s     uncached    0 read    0 short  603 long    0
            1s     uncached    0 read  603 short    0 long  100
            400s   uncached    0 read  703 short    0 long   10
        "#]],
    )
    .await;
    check_with(
        new_part,
        "claude-sonnet-5-5",
        &calls,
        &expect![[r#"
            0s     uncached    0 read    0 short  603 long    0
            1s     uncached    0 read  603 short    0 long  100
            400s   uncached    0 read    0 short    0 long  713
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_automatic_mark_moves_with_the_conversation() {
    let automatic = json!({"cache_control": {"type": "ephemeral"}});
    let calls = [(0, "600", automatic.clone()), (9, "600|20|30", automatic)];
    check_with(
        Settings::exact(1),
        "claude-sonnet-5-5",
        &calls,
        &expect![[r#"
            0s     uncached    0 read    0 short  603 long    0
            9s     uncached    0 read  603 short   56 long    0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_change_loses_its_own_level_and_those_after_it() {
    let system = json!([{"type": "text", "text": "rule ".repeat(700), "cache_control": {"type": "ephemeral"}}]);
    let tools = json!([{"name": "look", "input_schema": {"type": "object"}}]);
    let with = |more: Value| {
        let mut all = json!({"system": system, "tools": tools, "max_tokens": 2000});
        all.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        all
    };
    let calls = [
        (0, "600*s", with(json!({}))),
        (1, "600*s", with(json!({"tool_choice": {"type": "any"}}))),
        (2, "600*s", with(json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}))),
        (3, "600*s", with(json!({"speed": "fast"}))),
        (4, "600*s", with(json!({"tools": []}))),
        (5, "600*s", with(json!({"model": "claude-opus-5-5"}))),
        (6, "600*s", with(json!({}))),
    ];
    check_with(
        Settings::exact(1),
        "claude-sonnet-5-5",
        &calls,
        &expect![[r#"
            0s     uncached    0 read    0 short 1321 long    0
            1s     uncached    0 read  718 short  603 long    0
            2s     uncached    0 read  718 short  603 long    0
            3s     uncached    0 read    0 short 1321 long    0
            4s     uncached    0 read    0 short 1306 long    0
            5s     uncached    0 read    0 short 1321 long    0
            6s     uncached    0 read 1321 short    0 long    0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_text_is_the_same_as_one_block_and_marks_change_no_answer() {
    let provider = Provider::new(Settings::exact(1));
    let text = "word ".repeat(700);
    let plain = json!({"model": "claude-sonnet-5-5", "max_tokens": 50, "system": text,
        "messages": [{"role": "user", "content": "Hi"}]});
    let mut marked = plain.clone();
    marked["system"] =
        json!([{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]);
    marked["messages"][0]["content"] =
        json!([{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]);
    let (first, second) = (call(&provider, &plain, &[]).await, call(&provider, &marked, &[]).await);
    assert_eq!(first["content"], second["content"]);
    call(&provider, &marked, &[]).await;
    expect![[r#"
        0s     uncached  707 read    0 short    0 long    0
        0s     uncached    0 read    0 short  707 long    0
        0s     uncached    0 read  707 short    0 long    0
    "#]]
    .assert_eq(&told(&provider));
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_readable_once_the_first_answer_begins() {
    let provider = Provider::new(Settings { hazards: Hazards::NONE, ..Settings::usual(1) });
    let body = body("claude-sonnet-5-5", "2000*s", &json!({"max_tokens": 400, "stream": true}));
    let fan_out = (0..3).map(|_| {
        let (provider, body) = (provider.clone(), body.clone());
        tokio::spawn(async move { send(&provider, &request(Api::Anthropic, &body, &[])).await })
    });
    let mut first = Duration::ZERO;
    for task in fan_out.collect::<Vec<_>>() {
        first = task.await.expect("no panic").first_after.expect("an answer");
    }
    assert!(Duration::from_millis(300) < first);
    send(&provider, &request(Api::Anthropic, &body, &[])).await;
    let reads: Vec<u64> = provider.bills().iter().map(|bill| bill.usage.cache_read).collect();
    assert_eq!(reads, [0, 0, 0, 2003], "three written at the full price, then one read");
}

#[tokio::test(start_paused = true)]
async fn keys_and_workspaces_do_not_share_entries() {
    let provider = Provider::new(Settings::exact(1));
    let body = body("claude-sonnet-5-5", "600*s", &json!({}));
    call(&provider, &body, &[]).await;
    call(&provider, &body, &[("anthropic-workspace-id", "wrkspc_other")]).await;
    call(&provider, &body, &[]).await;
    let reads: Vec<u64> = provider.bills().iter().map(|bill| bill.usage.cache_read).collect();
    assert_eq!(reads, [0, 0, 603]);
}

#[tokio::test(start_paused = true)]
async fn marks_against_the_rules_are_refused_in_the_vendors_words() {
    let provider = Provider::new(Settings::exact(1));
    let thinking = json!([{"type": "thinking", "thinking": "x", "signature": "y", "cache_control": {"type": "ephemeral"}}]);
    let cases = [
        (
            body("claude-sonnet-5-5", "1*s 1*s 1*s 1*s 1*s", &json!({})),
            "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        ),
        (
            body(
                "claude-sonnet-5-5",
                "1*s 1*s 1*s 1*s 1",
                &json!({"cache_control": {"type": "ephemeral"}}),
            ),
            "Found 5.",
        ),
        (
            body("claude-sonnet-5-5", "1*s 1*l", &json!({})),
            "messages.0.content.1.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m'",
        ),
        (
            body(
                "claude-sonnet-5-5",
                "1",
                &json!({"messages": [{"role": "assistant", "content": thinking}]}),
            ),
            "thinking.cache_control: Extra inputs are not permitted",
        ),
        (
            body("claude-sonnet-5-5", "0*s", &json!({})),
            "cache_control cannot be set for empty text blocks",
        ),
    ];
    for (body, words) in cases {
        let answer = call(&provider, &body, &[]).await;
        assert_eq!(answer["error"]["type"], "invalid_request_error");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains(words), "{message}");
    }
    assert!(provider.bills().is_empty(), "what is refused costs nothing");
}

#[tokio::test(start_paused = true)]
async fn the_implicit_breakpoint_follows_an_append_only_conversation() {
    check(
        "gpt-6-luna",
        &[(0, "1100"), (60, "1100|20|30"), (120, "1100|20|30|9|9")],
        &expect![[r#"
            0s     uncached    0 read    0 short 1104 long    0
            60s    uncached    0 read 1104 short   58 long    0
            120s   uncached    0 read 1162 short   26 long    0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_changing_suffix_pays_for_a_write_and_never_hits_without_a_breakpoint() {
    let calls =
        [(0, "1100 9:beta"), (60, "1100 9:gamma"), (120, "1100*s 9:delta"), (180, "1100*s 9:mu")];
    check(
        "gpt-6-luna",
        &calls,
        &expect![[r#"
            0s     uncached    0 read    0 short 1113 long    0
            60s    uncached    0 read    0 short 1113 long    0
            120s   uncached    0 read    0 short 1113 long    0
            180s   uncached    0 read 1104 short    9 long    0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn explicit_mode_without_breakpoints_caches_nothing() {
    let explicit = json!({"prompt_cache_options": {"mode": "explicit"}});
    let calls = [
        (0, "1100", explicit.clone()),
        (1, "1100", explicit.clone()),
        (2, "1100*s 9", explicit.clone()),
        (3, "1100*s 9", explicit),
    ];
    check_with(
        Settings::exact(1),
        "gpt-6-luna",
        &calls,
        &expect![[r#"
            0s     uncached 1104 read    0 short    0 long    0
            1s     uncached 1104 read    0 short    0 long    0
            2s     uncached    9 read    0 short 1104 long    0
            3s     uncached    9 read 1104 short    0 long    0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn breakpoints_live_half_an_hour_or_half_a_day() {
    check(
        "gpt-5.6-sol",
        &[(0, "1100*l 200*s 9"), (2000, "1100*l 200*s 9"), (45_000, "1100*l 200*s 9")],
        &expect![[r#"
            0s     uncached    0 read    0 short  209 long 1104
            2000s  uncached    0 read 1104 short  209 long    0
            45000s uncached    0 read 1104 short  209 long    0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn earlier_models_cache_by_themselves_in_steps_of_128() {
    check(
        "gpt-4o",
        &[
            (0, "1300"),
            (1, "1300:alpha"),
            (2, "1200 60:beta"),
            (3, "900"),
            (4, "900"),
            (700, "1300"),
        ],
        &expect![[r#"
            0s     uncached 1304 read    0 short    0 long    0
            1s     uncached   24 read 1280 short    0 long    0
            2s     uncached  112 read 1152 short    0 long    0
            3s     uncached  904 read    0 short    0 long    0
            4s     uncached  904 read    0 short    0 long    0
            700s   uncached 1304 read    0 short    0 long    0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_crowded_prefix_overflows_to_cold_machines() {
    let hazards = Hazards { overflow_per_minute: 15, ..Hazards::NONE };
    let provider = Provider::new(Settings { hazards, ..Settings::exact(1) });
    for _ in 0..40 {
        call(&provider, &body("gpt-6-luna", "1100", &json!({})), &[]).await;
    }
    let misses = provider.bills().iter().filter(|bill| bill.usage.cache_read == 0).count();
    assert_eq!(misses, 3, "one for each of three machines");
}

#[tokio::test(start_paused = true)]
async fn evictions_come_at_the_rate_that_was_set() {
    let hazards = Hazards { evictions_per_hour: 6.0, ..Hazards::NONE };
    let provider = Provider::new(Settings { hazards, ..Settings::exact(1) });
    for round in 0..300 {
        let spec = format!("600:w{round}*s");
        call(&provider, &body("claude-sonnet-5-5", &spec, &json!({})), &[]).await;
        tokio::time::sleep(Duration::from_mins(4)).await;
        call(&provider, &body("claude-sonnet-5-5", &spec, &json!({})), &[]).await;
    }
    let lost = provider
        .bills()
        .iter()
        .skip(1)
        .step_by(2)
        .filter(|bill| bill.usage.cache_read == 0)
        .count();
    // 1 − exp(−6 · 240 / 3600) is 33 % of 300.
    assert!((75..125).contains(&lost), "{lost} of 300 were thrown out");
}
