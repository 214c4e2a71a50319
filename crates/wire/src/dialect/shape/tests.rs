//! What becomes of bodies in each dialect, and what holds for all of them.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use scrimp_core::Dialect;
use serde_json::{Value, json};

use super::super::{Request, read};
use super::*;
use crate::Key;

fn all() -> Transforms {
    Transform::ALL.into_iter().collect()
}

fn made(made: Transforms) -> Plan {
    Plan { made, counted: Transforms::NONE }
}

fn shaped(dialect: Dialect, body: &str, plan: Plan) -> ShapedBody {
    let Request { facts, layout } = read(dialect, body.as_bytes(), &Key::new([7; 32])).unwrap();
    shape(&Bytes::copy_from_slice(body.as_bytes()), &layout, &facts.prompt, plan)
}

fn text_of(shaped: &ShapedBody) -> Option<String> {
    shaped.body.as_ref().map(|body| String::from_utf8(body.to_vec()).unwrap())
}

#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn check(dialect: Dialect, body: &str, expected: Expect) {
    let shaped = shaped(dialect, body, made(all()));
    let mut said = text_of(&shaped).unwrap_or_else(|| "unchanged".to_owned());
    serde_json::from_str::<Value>(text_of(&shaped).as_deref().unwrap_or("0")).unwrap();
    for ShapedBlock { block, by, characters, tokens, digest: _ } in &shaped.blocks {
        let by: Vec<_> = by.iter().map(Transform::name).collect();
        let by = by.join(" ");
        write!(said, "\n{block}: {by}, {characters} characters, {tokens} tokens").unwrap();
    }
    expected.assert_eq(&said);
}

#[test]
fn results_and_messages_of_chat_are_shaped_and_all_else_stays_as_it_was() {
    check(
        Dialect::OpenaiChat,
        r#"{"model":"m" , "messages":[{"role":"system","content":"{ \"a\": 1 }"},{"role":"user","content":"[ 1 ]"},
            {"role":"assistant","content":"{ \"a\": 1 }","tool_calls":[{"id":"c","function":{"arguments":"{ \"a\": 1 }"}}]},
            {"role":"tool","tool_call_id":"c","content":"{\n  \"a\": \"x  y\"\n}"},
            {"role":"tool","tool_call_id":"d","content":[{"type":"text","text":"\u001b[31mred\u001b[0m  \n"}]}]}"#,
        expect![[r#"
            {"model":"m" , "messages":[{"role":"system","content":"{ \"a\": 1 }"},{"role":"user","content":"[1]"},
                        {"role":"assistant","content":"{ \"a\": 1 }","tool_calls":[{"id":"c","function":{"arguments":"{ \"a\": 1 }"}}]},
                        {"role":"tool","tool_call_id":"c","content":"{\"a\":\"x  y\"}"},
                        {"role":"tool","tool_call_id":"d","content":[{"type":"text","text":"red\n"}]}]}
            1: minify, 3 characters, 1 tokens
            4: minify, 12 characters, 3 tokens
            5: terminal, 4 characters, 1 tokens"#]],
    );
}

#[test]
fn results_of_messages_lie_in_their_blocks() {
    check(
        Dialect::AnthropicMessages,
        r#"{"tools":[{"name":"f","input_schema":{"type":"object","properties":{"b":{},"a":{}}},"description":"d","cache_control":{"type":"ephemeral"}}],
            "messages":[{"role":"user","content":[
            {"type":"tool_result","tool_use_id":"t","content":"{ \"a\": 1 }"},
            {"type":"tool_result","tool_use_id":"u","content":[{"type":"text","text":"[ 1 ]"},{"type":"image","source":{"type":"base64","data":"[ 1 ]"}}]},
            {"type":"document","source":{"type":"text","data":"[ 1 ]"}},
            {"type":"something_new","text":"[ 1 ]"},
            {"type":"text","text":"[ 1 ]"}]}]}"#,
        expect![[r#"
            {"tools":[{"cache_control":{"type":"ephemeral"},"description":"d","input_schema":{"properties":{"a":{},"b":{}},"type":"object"},"name":"f"}],
                        "messages":[{"role":"user","content":[
                        {"type":"tool_result","tool_use_id":"t","content":"{\"a\":1}"},
                        {"type":"tool_result","tool_use_id":"u","content":[{"type":"text","text":"[1]"},{"type":"image","source":{"type":"base64","data":"[ 1 ]"}}]},
                        {"type":"document","source":{"type":"text","data":"[ 1 ]"}},
                        {"type":"something_new","text":"[ 1 ]"},
                        {"type":"text","text":"[1]"}]}]}
            0: canonical, 79 characters, 22 tokens
            1: minify, 51 characters, 14 tokens
            2: minify, 123 characters, 34 tokens
            5: minify, 3 characters, 1 tokens"#]],
    );
}

#[test]
fn outputs_of_responses_and_parts_of_other_dialects_are_found() {
    check(
        Dialect::OpenaiResponses,
        r#"{"input":[{"type":"function_call","arguments":"{ }"},{"type":"function_call_output","call_id":"c","output":"[ 1 ]"},{"role":"user","content":[{"type":"input_text","text":"[ 2 ]"}]}]}"#,
        expect![[r#"
            {"input":[{"type":"function_call","arguments":"{ }"},{"type":"function_call_output","call_id":"c","output":"[1]"},{"role":"user","content":[{"type":"input_text","text":"[2]"}]}]}
            1: minify, 55 characters, 15 tokens
            2: minify, 3 characters, 1 tokens"#]],
    );
    check(
        Dialect::BedrockConverse,
        r#"{"messages":[{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"[ 1 ]"},{"json":{"text":"[ 1 ]"}}]}},{"text":"[ 2 ]"}]}]}"#,
        expect![[r#"
            {"messages":[{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"[1]"},{"json":{"text":"[ 1 ]"}}]}},{"text":"[2]"}]}]}
            0: minify, 77 characters, 21 tokens
            1: minify, 3 characters, 1 tokens"#]],
    );
    check(
        Dialect::GeminiGenerate,
        r#"{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"[ 1 ]"}}},{"text":"[ 2 ]"}]}]}"#,
        expect![[r#"
            {"contents":[{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"[1]"}}},{"text":"[2]"}]}]}
            0: minify, 54 characters, 15 tokens
            1: minify, 3 characters, 1 tokens"#]],
    );
}

#[test]
fn a_long_result_that_comes_again_is_named() {
    let long = "line of a file\n".repeat(40);
    let message =
        |id: &str, text: &str| json!({"role": "tool", "tool_call_id": id, "content": text});
    let body = json!({"messages": [
        message("a", &long), message("b", "short"), message("c", "short"), message("d", &long)
    ]});
    let shaped = shaped(Dialect::OpenaiChat, &body.to_string(), made(all()));
    let after: Value = serde_json::from_slice(&shaped.body.unwrap()).unwrap();
    assert_eq!(after["messages"][0], body["messages"][0]);
    assert_eq!(after["messages"][2], body["messages"][2]);
    expect!["(the same as the earlier tool result that begins with: line of a file line of a file line of a file line of a file)"].assert_eq(after["messages"][3]["content"].as_str().unwrap());
}

#[test]
fn what_is_counted_changes_nothing() {
    let body = r#"{"messages":[{"role":"tool","content":"{\n  \"a\": 1\n}"}]}"#;
    let plan = Plan { made: Transforms::NONE, counted: all() };
    let shaped = shaped(Dialect::OpenaiChat, body, plan);
    assert_eq!((shaped.body, shaped.blocks.len(), shaped.would.len()), (None, 0, 1));
    assert_eq!(shaped.would[0].characters, 7);
}

#[test]
fn prompts_of_one_block_and_of_ten_thousand_are_shaped() {
    for count in [1, 10_000] {
        let message = json!({"role": "tool", "tool_call_id": "c", "content": "{ \"a\": 1 }"});
        let body = json!({"messages": vec![message; count]}).to_string();
        assert_eq!(shaped(Dialect::OpenaiChat, &body, made(all())).blocks.len(), count);
    }
    assert_eq!(shaped(Dialect::OpenaiChat, "{}", made(all())).body, None);
}

#[test]
fn a_layout_of_another_body_changes_nothing() {
    let body = r#"{"messages":[{"role":"tool","content":"[ 1 ]"}]}"#;
    let Request { facts, layout } =
        read(Dialect::OpenaiChat, body.as_bytes(), &Key::new([7; 32])).unwrap();
    let other = Bytes::from_static(b"{}");
    assert_eq!(shape(&other, &layout, &facts.prompt, made(all())).body, None);
}

fn any_text() -> impl Strategy<Value = String> {
    let row = |n: usize| json!({"identifier": n, "name": "a name", "note": format!("{}", n * 3)});
    let rows: Vec<Value> = (0..12).map(row).collect();
    let (pretty, plain) = (serde_json::to_string_pretty(&rows).unwrap(), json!(rows).to_string());
    let output = "\u{1b}[32mok\u{1b}[0m  \nget 10%\rget 100%\n".repeat(14);
    let known = prop::sample::select(vec![
        pretty,
        plain,
        output,
        "{ \"a\": [1, 2 ] }".to_owned(),
        "word ".repeat(100),
        "[INFO] \u{1b}[1mx".to_owned(),
        "(the same as the earlier tool result that begins with: word)".to_owned(),
        String::new(),
    ]);
    prop_oneof![4 => known, 1 => any::<String>()]
}

fn body_of(texts: &[(String, bool)]) -> String {
    let message = |(text, is_user): &(String, bool)| match is_user {
        true => json!({"role": "user", "content": text}),
        false => json!({"role": "tool", "tool_call_id": "c", "content": text}),
    };
    json!({"messages": texts.iter().map(message).collect::<Vec<_>>()}).to_string()
}

proptest! {
    #[test]
    fn again_changes_nothing_and_a_longer_conversation_begins_alike(
        texts in prop::collection::vec((any_text(), any::<bool>()), 1..8), set in 0_u8..32, shorter: prop::sample::Index
    ) {
        let transforms: Transforms =
            Transform::ALL.into_iter().filter(|t| set & 1 << *t as u8 != 0).collect();
        let body = body_of(&texts);
        let after = text_of(&shaped(Dialect::OpenaiChat, &body, made(transforms)));
        let after = after.unwrap_or_else(|| body.clone());
        prop_assert_eq!(text_of(&shaped(Dialect::OpenaiChat, &after, made(transforms))), None);

        let shorter = body_of(&texts[..=shorter.index(texts.len())]);
        let start = text_of(&shaped(Dialect::OpenaiChat, &shorter, made(transforms))).unwrap_or(shorter);
        prop_assert!(after.starts_with(start.strip_suffix("]}").unwrap()), "{}\n{}", start, after);
    }

    #[test]
    fn the_tokens_said_are_those_of_the_body_that_is_sent(
        texts in prop::collection::vec((any_text(), any::<bool>()), 1..6)
    ) {
        let body = body_of(&texts);
        let shaped = shaped(Dialect::OpenaiChat, &body, made(all()));
        let Some(after) = shaped.body else { return Ok(()) };
        let sent = read(Dialect::OpenaiChat, &after, &Key::new([7; 32])).unwrap().facts.prompt;
        for block in &shaped.blocks {
            let found = &sent[block.block as usize];
            prop_assert_eq!((block.characters, block.tokens), (found.characters, found.tokens));
        }
    }
}
