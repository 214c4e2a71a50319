//! What is left of bodies in each dialect, and what holds for all of them.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Request, read};
use super::*;
use crate::Key;

fn read_ok(dialect: Dialect, body: &str) -> Request {
    read(dialect, body.as_bytes(), &Key::new([7; 32])).unwrap()
}

fn trimmed(
    dialect: Dialect,
    body: &str,
    asked: &Trim,
    word: OutputWord,
) -> Result<String, CannotEdit> {
    let Request { facts, layout } = read_ok(dialect, body);
    let bytes = Bytes::copy_from_slice(body.as_bytes());
    let out = trim(&bytes, dialect, &layout, &facts.prompt, asked, word)?;
    serde_json::from_slice::<Value>(&out).expect("a trim leaves JSON");
    Ok(String::from_utf8(out.to_vec()).unwrap())
}

#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn check(dialect: Dialect, body: &str, asked: Trim, expected: Expect) {
    match trimmed(dialect, body, &asked, OutputWord::Newer) {
        Ok(out) => expected.assert_eq(&out),
        Err(error) => expected.assert_eq(&format!("error: {error}")),
    }
}

fn dropped(ranges: &[(u32, u32)]) -> Trim {
    Trim { dropped: ranges.to_vec(), ..Trim::default() }
}

fn limited(most: u64) -> Trim {
    Trim { max_output: Some(most), ..Trim::default() }
}

#[test]
fn whole_messages_go_with_one_comma_each() {
    let body = r#"{"model":"m","messages":[ {"role":"system","content":"s"} , {"role":"user","content":"a"},{"role":"assistant","content":null},{"role":"assistant","content":"b"} ,{"role":"user","content":"c"}],"n":1}"#;
    check(
        Dialect::OpenaiChat,
        body,
        dropped(&[(1, 3)]),
        expect![[
            r#"{"model":"m","messages":[ {"role":"system","content":"s"} ,{"role":"user","content":"c"}],"n":1}"#
        ]],
    );
    check(
        Dialect::OpenaiChat,
        body,
        dropped(&[(0, 1), (3, 4)]),
        expect![[
            r#"{"model":"m","messages":[ {"role":"user","content":"a"},{"role":"assistant","content":null},{"role":"assistant","content":"b"}],"n":1}"#
        ]],
    );
    check(
        Dialect::OpenaiChat,
        body,
        dropped(&[(0, 4)]),
        expect![[r#"{"model":"m","messages":[ ],"n":1}"#]],
    );
}

#[test]
fn parts_go_out_of_a_message_that_stays() {
    let body = r#"{"system":"s","messages":[{"role":"user","content":[{"type":"text","text":"a"}, {"type":"document","source":{}},{"type":"text","text":"b"}]}]}"#;
    check(
        Dialect::AnthropicMessages,
        body,
        dropped(&[(1, 3)]),
        expect![[
            r#"{"system":"s","messages":[{"role":"user","content":[{"type":"text","text":"b"}]}]}"#
        ]],
    );
    check(
        Dialect::AnthropicMessages,
        body,
        dropped(&[(2, 3)]),
        expect![[
            r#"{"system":"s","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}"#
        ]],
    );
    check(
        Dialect::AnthropicMessages,
        body,
        dropped(&[(0, 1)]),
        expect!["error: block 0, or one behind it, cannot be left out by itself"],
    );
    let beside = r#"{"messages":[{"role":"assistant","content":"a","tool_calls":[{"id":"c"}]}]}"#;
    check(
        Dialect::OpenaiChat,
        beside,
        dropped(&[(1, 2)]),
        expect!["error: block 1, or one behind it, cannot be left out by itself"],
    );
}

#[test]
fn items_and_contents_go_too() {
    check(
        Dialect::OpenaiResponses,
        r#"{"instructions":"i","input":[{"role":"user","content":"a"},{"type":"function_call","arguments":"{}"},{"type":"function_call_output","output":"o"},{"role":"user","content":"b"}]}"#,
        dropped(&[(1, 4)]),
        expect![[r#"{"instructions":"i","input":[{"role":"user","content":"b"}]}"#]],
    );
    check(
        Dialect::GeminiGenerate,
        r#"{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]},{"role":"user","parts":[{"text":"c"}]}]}"#,
        dropped(&[(0, 2)]),
        expect![[r#"{"contents":[{"role":"user","parts":[{"text":"c"}]}]}"#]],
    );
    check(
        Dialect::OpenaiResponses,
        r#"{"input":"hello"}"#,
        dropped(&[(0, 1)]),
        expect!["error: block 0, or one behind it, cannot be left out by itself"],
    );
}

#[test]
fn results_are_cut_in_the_middle_and_say_so() {
    let lines: Vec<_> = (0..400).map(|n| format!("line {n} of the file\n")).collect();
    let long = lines.concat();
    let body = json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
        "content": [{"type": "text", "text": "short"}, {"type": "text", "text": long}]}]}]});
    let asked = Trim { cut: vec![Cut { block: 0, tokens: 100 }], ..Trim::default() };
    let out =
        trimmed(Dialect::AnthropicMessages, &body.to_string(), &asked, OutputWord::Newer).unwrap();
    assert!(read_ok(Dialect::AnthropicMessages, &out).facts.prompt[0].tokens <= 100);
    let out: Value = serde_json::from_str(&out).unwrap();
    let parts = &out["messages"][0]["content"][0]["content"];
    assert_eq!(parts[0]["text"], "short");
    expect![[r#"
        line 0 of the file
        line 1 of the file
        line 2 of the file
        line 3 of the file
        line 4 of the file
        line 5 of the fil
        [... 8075 characters left out by a token budget ...]
        ne 395 of the file
        line 396 of the file
        line 397 of the file
        line 398 of the file
        line 399 of the file
    "#]]
    .assert_eq(parts[1]["text"].as_str().unwrap());
}

#[test]
fn the_limit_of_an_answer_is_replaced_or_put_where_its_dialect_has_it() {
    for (dialect, body, word, expected) in [
        (Dialect::OpenaiChat, r#"{"max_tokens":900}"#, OutputWord::Newer, r#"{"max_tokens":500}"#),
        (
            Dialect::OpenaiChat,
            r#"{"max_tokens":900,"max_completion_tokens" : 100}"#,
            OutputWord::Newer,
            r#"{"max_tokens":500,"max_completion_tokens" : 100}"#,
        ),
        (Dialect::OpenaiChat, r#"{"max_tokens":null}"#, OutputWord::Newer, r#"{"max_tokens":500}"#),
        (Dialect::OpenaiChat, "{}", OutputWord::Newer, r#"{"max_completion_tokens":500}"#),
        (Dialect::OpenaiChat, r#"{"n":1 }"#, OutputWord::Older, r#"{"n":1,"max_tokens":500 }"#),
        (Dialect::OpenaiResponses, "{}", OutputWord::Newer, r#"{"max_output_tokens":500}"#),
        (
            Dialect::AnthropicMessages,
            r#"{"max_tokens":8000}"#,
            OutputWord::Newer,
            r#"{"max_tokens":500}"#,
        ),
        (
            Dialect::GeminiGenerate,
            r#"{"generationConfig":{"temperature":1}}"#,
            OutputWord::Newer,
            r#"{"generationConfig":{"temperature":1,"maxOutputTokens":500}}"#,
        ),
        (
            Dialect::GeminiGenerate,
            "{}",
            OutputWord::Newer,
            r#"{"generationConfig":{"maxOutputTokens":500}}"#,
        ),
        (
            Dialect::BedrockConverse,
            r#"{"inferenceConfig":{"maxTokens":501}}"#,
            OutputWord::Newer,
            r#"{"inferenceConfig":{"maxTokens":500}}"#,
        ),
        (
            Dialect::BedrockConverse,
            r#"{"inferenceConfig":{}}"#,
            OutputWord::Newer,
            r#"{"inferenceConfig":{"maxTokens":500}}"#,
        ),
    ] {
        let out = trimmed(dialect, body, &limited(500), word).unwrap();
        assert_eq!(out, expected, "{body}");
        assert_eq!(
            read_ok(dialect, &out).facts.parameters.max_output_tokens.map(|n| n <= 500),
            Some(true)
        );
    }
    let refused = trimmed(Dialect::GeminiEmbed, "{}", &limited(5), OutputWord::Newer);
    assert!(matches!(refused, Err(CannotEdit::Inexpressible { .. })));
}

proptest! {
    #[test]
    fn a_cut_text_is_within_its_tokens_and_keeps_both_ends(
        text in "[a-z0-9 \né語🙂]{200,600}", tokens in 20_u32..60
    ) {
        let cut = without_middle(&text, tokens);
        prop_assert!(tokens_of_text(&cut) <= tokens, "{} {}", tokens_of_text(&cut), cut);
        let (head, rest) = cut.split_once("\n[... ").unwrap();
        let (_, tail) = rest.split_once(" ...]\n").unwrap();
        prop_assert!(text.starts_with(head) && text.ends_with(tail));
    }

    #[test]
    fn what_is_left_is_the_prompt_without_what_was_dropped(
        roles in prop::collection::vec((0_usize..4, 1_usize..4), 1..12), mask in any::<u64>()
    ) {
        let part = |n: usize| json!({"type": "text", "text": format!("text {n}")});
        let mut n = 0;
        let messages = roles.iter().map(|(role, count)| {
            let parts = (0..*count).map(|_| { n += 1; part(n) }).collect::<Vec<_>>();
            let role = ["system", "user", "assistant", "tool"][*role];
            json!({"role": role, "content": parts})
        });
        let body = json!({"messages": messages.collect::<Vec<_>>()}).to_string();
        let Request { facts, .. } = read_ok(Dialect::OpenaiChat, &body);
        let count = u32::try_from(facts.prompt.len()).unwrap();
        let ranges = (0..count).filter(|at| mask >> at & 1 == 1);
        let asked = dropped(&ranges.map(|at| (at, at + 1)).collect::<Vec<_>>());
        let out = trimmed(Dialect::OpenaiChat, &body, &asked, OutputWord::Newer).unwrap();
        prop_assert_eq!(read_ok(Dialect::OpenaiChat, &out).facts.prompt, asked.apply(&facts.prompt));
    }
}
