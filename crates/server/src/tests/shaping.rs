//! Shaped and trimmed calls, from the client's bytes to the record.

use expect_test::{Expect, expect};
use scrimp_core::record::Timing;
use scrimp_core::{Ending, Record, Refusal};
use serde_json::{Value, json};

use super::rig::{Act, Rig, answer, body_of, post};

const OK: &str = r#"{"id":"c","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":1,"total_tokens":11}}"#;

fn ok() -> Vec<Act> {
    vec![answer("200 OK", OK)]
}

/// What the provider got as a body.
fn sent(rig: &Rig, n: usize) -> String {
    let request = rig.request(n);
    request.split_once("\r\n\r\n").expect("a head").1.to_owned()
}

fn reason(answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("x-scrimp-reason: "));
    line.map(str::to_owned)
}

/// Sends one call and says what the provider got and what the client was told.
async fn check(config: &str, path: &str, body: &str, expected: Expect) -> Record {
    let mut rig = Rig::new(config, vec![ok()]);
    let got = rig.call(&post(path, body)).await;
    let record = rig.record().await;
    let said = match record.ending {
        Ending::Refused(_) => String::from_utf8(body_of(&got)).unwrap(),
        _ => format!("{}\n{}", sent(&rig, 0), reason(&got).unwrap_or_default()),
    };
    expected.assert_eq(&said);
    replays_alike(&rig, &record);
    record
}

/// What core decided live it decides again from the record.
fn replays_alike(rig: &Rig, record: &Record) {
    let policies = &rig.gateway.running().policies;
    let again = scrimp_analysis::replay::decisions(std::slice::from_ref(record), policies);
    let without_times = |record: &Record| {
        let mut record = record.clone();
        record.timing = Timing::default();
        record.attempts.iter_mut().for_each(|attempt| attempt.sent = scrimp_core::Span::ZERO);
        record.attempts.iter_mut().for_each(|attempt| attempt.ended = scrimp_core::Span::ZERO);
        record
    };
    assert_eq!(without_times(&again[0]), without_times(record));
}

const CHAT: &str = "/v1/chat/completions";
const RESULT: &str = r#"{"model":"gpt-4o", "messages":[{"role":"user","content":"go"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{ }"}}]},{"role":"tool","tool_call_id":"c","content":"{\n  \"name\": \"a  b\",\n  \"price\": 1.50\n}"}] }"#;

#[tokio::test(start_paused = true)]
async fn without_a_rule_the_clients_own_bytes_go_out() {
    let record = check("", CHAT, RESULT, expect![[r#"
        {"model":"gpt-4o", "messages":[{"role":"user","content":"go"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{ }"}}]},{"role":"tool","tool_call_id":"c","content":"{\n  \"name\": \"a  b\",\n  \"price\": 1.50\n}"}] }
    "#]]).await;
    assert_eq!((record.shaped, record.budgeted), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_result_is_minified_and_nothing_else_is_touched() {
    let config = "[shaping]\nminify = \"on\"\nterminal = \"observe\"\n";
    let record = check(config, CHAT, RESULT, expect![[r#"
        {"model":"gpt-4o", "messages":[{"role":"user","content":"go"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{ }"}}]},{"role":"tool","tool_call_id":"c","content":"{\"name\":\"a  b\",\"price\":1.50}"}] }
        shaped;blocks=1;tokens=2;by="minify""#]]).await;
    let shaped = record.shaped.unwrap();
    let done = shaped.done(&record.call.prompt);
    assert_eq!((done.blocks, done.characters_before, done.characters_after), (1, 37, 28));
    assert_eq!(shaped.possible(&record.call.prompt), done);
}

#[tokio::test(start_paused = true)]
async fn what_is_observed_or_held_out_is_counted_and_goes_as_it_came() {
    for config in ["[shaping]\nminify = \"observe\"\n", "[shaping]\nminify = \"on\"\nshare = 0.0\n"]
    {
        let mut rig = Rig::new(config, vec![ok()]);
        let got = rig.call(&post(CHAT, RESULT)).await;
        let record = rig.record().await;
        assert_eq!((sent(&rig, 0).as_str(), reason(&got)), (RESULT, None), "{config}");
        let shaped = record.shaped.as_ref().unwrap();
        assert_eq!(shaped.done(&record.call.prompt).blocks, 0);
        assert_eq!(shaped.possible(&record.call.prompt).characters_after, 28);
        replays_alike(&rig, &record);
    }
}

#[tokio::test(start_paused = true)]
async fn a_mark_is_set_on_what_was_shaped() {
    let config = "[shaping]\nminify = \"on\"\ncanonical = \"on\"\n[prompt_cache]\nstate = \"on\"\nstrategy = \"tail\"\n";
    let text = "word ".repeat(3_000);
    let body = json!({"model": "claude-haiku-4-5", "max_tokens": 5, "tools": [{"name": "f", "input_schema": {}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": text}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "{ \"a\": 1 }"}]}]});
    let mut rig = Rig::new(config, vec![ok()]);
    let got = rig.call(&post("/v1/messages", &body.to_string())).await;
    let placement = rig.record().await.placement.unwrap();
    assert_eq!(placement.edits.len(), 1, "{placement:?}");
    let after: Value = serde_json::from_str(&sent(&rig, 0)).unwrap();
    let last = &after["messages"][2]["content"][0];
    assert_eq!(last["content"], "{\"a\":1}");
    assert_eq!(last["cache_control"]["type"], "ephemeral");
    assert!(reason(&got).unwrap().contains("by=\"minify\""));
}

#[tokio::test(start_paused = true)]
async fn a_text_that_may_be_left_out_is_not_referred_to() {
    let long = "line of a file\n".repeat(40);
    let result = json!({"role": "tool", "tool_call_id": "c", "content": long});
    let body =
        json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "go"}, result, result]});
    let shaping = "[shaping]\nreferences = \"on\"\n";
    let budget =
        "[token_budgets]\nstate = \"on\"\nmax_input_tokens = 9_000\nstrategy = \"drop_turns\"\n";
    for (config, is_named) in [(shaping.to_owned(), true), (format!("{shaping}{budget}"), false)] {
        let mut rig = Rig::new(&config, vec![ok()]);
        rig.call(&post(CHAT, &body.to_string())).await;
        assert_eq!(sent(&rig, 0).contains("(the same as"), is_named, "{config}");
        let record = rig.record().await;
        replays_alike(&rig, &record);
    }
}

#[tokio::test(start_paused = true)]
async fn tools_in_any_order_of_keys_are_one_prefix() {
    let config = "[shaping]\ncanonical = \"on\"\n";
    let mut rig = Rig::new(config, vec![ok(), ok()]);
    for tool in [
        r#"{"type":"function","function":{"name":"f","description":"d"}}"#,
        r#"{"function":{"description":"d","name":"f"},"type":"function"}"#,
    ] {
        let body = format!(r#"{{"model":"gpt-4o","tools":[{tool}],"messages":[]}}"#);
        rig.call(&post(CHAT, &body)).await;
    }
    let records = rig.records().await;
    let [one, other] = &records[..] else { panic!("two calls were made") };
    assert_ne!(one.call.prompt, other.call.prompt);
    assert_eq!(sent(&rig, 0), sent(&rig, 1));
    assert_eq!(one.sent_call().prompt[0].digest, other.sent_call().prompt[0].digest);
    let policies = &rig.gateway.running().policies;
    let again = scrimp_analysis::replay::decisions(&records, policies);
    assert_eq!(again[0].shaped, one.shaped);
}

const TURNS: &str = r#"{"model":"gpt-4o","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"one two three four five six seven eight"},{"role":"assistant","content":"nine ten eleven twelve thirteen"},{"role":"user","content":"last"}]}"#;

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_too_long_is_refused_as_its_provider_would() {
    let config = "[token_budgets]\nstate = \"on\"\nmax_input_tokens = 10\n";
    let record = check(config, CHAT, TURNS, expect![[r#"{"error":{"message":"This model's maximum context length is 10 tokens. However, your messages resulted in 21 tokens. Please reduce the length of the messages. (scrimp: the prompt has 21 tokens by estimate; its token budget allows 10)","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}"#]]).await;
    let Ending::Refused(Refusal::InputTooLong { tokens, limit: 10, .. }) = record.ending else {
        panic!("{:?}", record.ending)
    };
    assert_eq!((tokens, record.attempts.len()), (record.call.estimated_tokens(), 0));
    assert_eq!(record.cost, Some(scrimp_core::Usd::ZERO));
    let messages = r#"{"model":"claude-haiku-4-5","max_tokens":5,"system":"be brief and kind and true and more than ten tokens","messages":[{"role":"user","content":"hello"}]}"#;
    check(config, "/v1/messages", messages, expect![[r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 15 tokens > 10 maximum (scrimp: the prompt has 15 tokens by estimate; its token budget allows 10)","code":"input_too_long"}}"#]]).await;
    let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"one two three four five six seven eight nine"}]}]}"#;
    check(config, "/v1beta/models/gemini-2.5-pro:generateContent", gemini, expect![[r#"{"error":{"code":400,"message":"The input token count (11) exceeds the maximum number of tokens allowed (10). (scrimp: the prompt has 11 tokens by estimate; its token budget allows 10)","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"input_too_long","domain":"scrimp"}]}}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn the_oldest_turns_are_left_out_and_it_is_said() {
    let config =
        "[token_budgets]\nstate = \"on\"\nmax_input_tokens = 10\nstrategy = \"drop_turns\"\n";
    let record = check(config, CHAT, TURNS, expect![[r#"
        {"model":"gpt-4o","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"last"}]}
        dropped;blocks=2;tokens=18"#]]).await;
    let budgeted = record.budgeted.unwrap();
    assert_eq!(budgeted.trim.dropped, [(1, 3)]);
    assert!(budgeted.tokens_after <= 10 && 10 < budgeted.tokens);
}

#[tokio::test(start_paused = true)]
async fn a_budget_smaller_than_what_has_to_stay_refuses_with_the_numbers() {
    let config =
        "[token_budgets]\nstate = \"on\"\nmax_input_tokens = 2\nstrategy = \"drop_turns\"\n";
    let record = check(config, CHAT, TURNS, expect![[r#"{"error":{"message":"This model's maximum context length is 2 tokens. However, your messages resulted in 21 tokens. Please reduce the length of the messages. (scrimp: the prompt has 21 tokens by estimate, and 3 that may not be left out; its token budget allows 2)","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}"#]]).await;
    let budgeted = record.budgeted.unwrap();
    assert_eq!((budgeted.too_much, budgeted.trim.is_empty()), (Some(3), true));
}

#[tokio::test(start_paused = true)]
async fn results_are_cut_and_chunks_are_ranked() {
    let long = "a line of the output\n".repeat(200);
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "run it"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c"}]},
        {"role": "tool", "tool_call_id": "c", "content": long}]});
    let config =
        "[token_budgets]\nstate = \"on\"\nmax_input_tokens = 200\nstrategy = \"cut_results\"\n";
    let mut rig = Rig::new(config, vec![ok()]);
    let got = rig.call(&post(CHAT, &body.to_string())).await;
    let record = rig.record().await;
    expect!["cut;blocks=1;tokens=858"].assert_eq(&reason(&got).unwrap());
    assert!(record.budgeted.as_ref().unwrap().tokens_after <= 200);
    assert!(sent(&rig, 0).contains("characters left out by a token budget"));
    replays_alike(&rig, &record);

    let text = |text: &str| json!({"type": "text", "text": text});
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": [
        text("The office is open from Monday to Friday, and the phone is answered then."),
        text("A refund is possible within thirty days of the purchase of a lamp."),
        text("Within how many days is a refund possible?")]}]});
    let config =
        "[token_budgets]\nstate = \"on\"\nmax_input_tokens = 32\nstrategy = \"rank_chunks\"\n";
    let record = check(config, CHAT, &body.to_string(), expect![[r#"
        {"messages":[{"content":[{"text":"A refund is possible within thirty days of the purchase of a lamp.","type":"text"},{"text":"Within how many days is a refund possible?","type":"text"}],"role":"user"}],"model":"gpt-4o"}
        dropped;blocks=1;tokens=19"#]]).await;
    assert_eq!(record.budgeted.unwrap().scores.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_observed_budget_says_what_it_would_do_and_does_nothing() {
    let config =
        "[token_budgets]\nmax_input_tokens = 10\nmax_output_tokens = 5\nstate = \"observe\"\n";
    let record = check(config, CHAT, TURNS, expect![[r#"
        {"model":"gpt-4o","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"one two three four five six seven eight"},{"role":"assistant","content":"nine ten eleven twelve thirteen"},{"role":"user","content":"last"}]}
    "#]]).await;
    let budgeted = record.budgeted.unwrap();
    assert_eq!((budgeted.too_much, budgeted.trim.max_output), (Some(budgeted.tokens), Some(5)));
}

#[tokio::test(start_paused = true)]
async fn answers_are_limited_in_the_word_of_each_provider() {
    let config = "[token_budgets.\"op:chat\"]\nstate = \"on\"\nmax_output_tokens = 500\n[providers.local]\nbase_url = \"http://127.0.0.1:9/v1\"\n";
    let body = r#"{"model":"gpt-4o","messages":[]}"#;
    check(
        config,
        CHAT,
        body,
        expect![[r#"
        {"model":"gpt-4o","messages":[],"max_completion_tokens":500}
        limited;max_output_tokens=500"#]],
    )
    .await;
    check(
        config,
        "/local/v1/chat/completions",
        body,
        expect![[r#"
        {"model":"gpt-4o","messages":[],"max_tokens":500}
        limited;max_output_tokens=500"#]],
    )
    .await;
    let asked = r#"{"model":"gpt-4o","max_tokens":100,"messages":[]}"#;
    check(
        config,
        CHAT,
        asked,
        expect![[r#"
        {"model":"gpt-4o","max_tokens":100,"messages":[]}
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_prompt_fits_a_budget_once_it_is_shaped_and_then_nothing_is_left_out() {
    let rows: Vec<Value> = (0..40).map(|n| json!({"identifier": n, "name": "lamp"})).collect();
    let pretty = serde_json::to_string_pretty(&rows).unwrap();
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": pretty}]});
    let budget = "[token_budgets]\nstate = \"on\"\nmax_input_tokens = 450\n";
    let shaping = "[shaping]\nminify = \"on\"\n";
    let mut refused = Rig::new(budget, vec![ok()]);
    refused.call(&post(CHAT, &body.to_string())).await;
    assert!(matches!(refused.record().await.ending, Ending::Refused(_)));
    let mut passed = Rig::new(&format!("{budget}{shaping}"), vec![ok()]);
    passed.call(&post(CHAT, &body.to_string())).await;
    let record = passed.record().await;
    assert!(record.is_success() && record.budgeted.is_none(), "{record:?}");
}

#[tokio::test(start_paused = true)]
async fn with_bypass_nothing_is_shaped_or_refused() {
    let config =
        "[shaping]\nminify = \"on\"\n[token_budgets]\nstate = \"on\"\nmax_input_tokens = 1\n";
    let mut rig = Rig::new(config, vec![ok()]);
    let running = rig.gateway.running().with_bypass(true);
    rig.gateway.shared().running.store(std::sync::Arc::new(running));
    rig.call(&post(CHAT, RESULT)).await;
    let record = rig.record().await;
    assert_eq!((sent(&rig, 0).as_str(), record.shaped, record.budgeted), (RESULT, None, None));
}
