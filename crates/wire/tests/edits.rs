//! Edits: what was asked for is there afterwards, and everything else is as it was.

use std::fmt::Write as _;

use bytes::Bytes;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use scrimp_core::policy::prompt_cache::{Edit, Mark};
use scrimp_core::{Dialect, Ttl};
use scrimp_wire::Key;
use scrimp_wire::dialect::{CannotEdit, Request, WireEdit, edit, read};
use serde_json::{Value, json};

const CHAT: Dialect = Dialect::OpenaiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;
const RESPONSES: Dialect = Dialect::OpenaiResponses;
const CONVERSE: Dialect = Dialect::BedrockConverse;

fn read_ok(dialect: Dialect, body: &[u8]) -> Request {
    read(dialect, body, &Key::new([7; 32])).expect("well formed")
}

fn set(block: u32, ttl: Ttl) -> WireEdit {
    WireEdit::Policy(Edit::SetMark(Mark { block, ttl }))
}

fn remove(block: u32) -> WireEdit {
    WireEdit::Policy(Edit::RemoveMark { block })
}

fn edited(dialect: Dialect, body: &str, edits: &[WireEdit]) -> Result<String, CannotEdit> {
    let layout = read_ok(dialect, body.as_bytes()).layout;
    let out = edit(&Bytes::copy_from_slice(body.as_bytes()), dialect, &layout, edits)?;
    serde_json::from_slice::<Value>(&out).expect("an edit leaves JSON");
    Ok(String::from_utf8(out.to_vec()).expect("an edit leaves text"))
}

fn check(dialect: Dialect, body: &str, edits: &[WireEdit], expected: &Expect) {
    match edited(dialect, body, edits) {
        Ok(out) => expected.assert_eq(&out),
        Err(error) => expected.assert_eq(&format!("error: {error}")),
    }
}

#[test]
fn marks_go_on_tools_system_and_messages() {
    check(
        MESSAGES,
        r#"{"tools":[{"name":"a"} , { "name" : "b" }], "system":"s\u00e4", "messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}"#,
        &[set(1, Ttl::Long), set(2, Ttl::Short), set(3, Ttl::Short)],
        &expect![[
            r#"{"tools":[{"name":"a"} , { "name" : "b","cache_control":{"type":"ephemeral","ttl":"1h"} }], "system":[{"type":"text","text":"s\u00e4","cache_control":{"type":"ephemeral"}}], "messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}"#
        ]],
    );
}

#[test]
fn breakpoints_go_on_parts() {
    check(
        CHAT,
        r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"text":"hi","type":"text"}]}]}"#,
        &[set(0, Ttl::Long), set(1, Ttl::Short), WireEdit::Policy(Edit::ExplicitOnly)],
        &expect![[
            r#"{"messages":[{"role":"system","content":[{"type":"text","text":"s","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}}]},{"role":"user","content":[{"text":"hi","type":"text","prompt_cache_breakpoint":{"mode":"explicit"}}]}],"prompt_cache_options":{"mode":"explicit"}}"#
        ]],
    );
}

#[test]
fn breakpoints_go_on_what_is_said_to_a_response_and_not_on_its_instructions() {
    let body = r#"{"instructions":"i","input":[{"role":"developer","content":"d"},{"type":"function_call_output","call_id":"c","output":"o"},{"role":"user","content":[{"type":"input_text","text":"hi"}]}]}"#;
    check(
        RESPONSES,
        body,
        &[set(1, Ttl::Long), set(3, Ttl::Short), WireEdit::Policy(Edit::ImplicitTtl(Ttl::Long))],
        &expect![[
            r#"{"instructions":"i","input":[{"role":"developer","content":[{"type":"input_text","text":"d","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}}]},{"type":"function_call_output","call_id":"c","output":"o"},{"role":"user","content":[{"type":"input_text","text":"hi","prompt_cache_breakpoint":{"mode":"explicit"}}]}],"prompt_cache_options":{"ttl":"12h"}}"#
        ]],
    );
    for (body, block) in [(body, 0), (body, 2), (r#"{"input":"hi"}"#, 0)] {
        let refused = edited(RESPONSES, body, &[set(block, Ttl::Short)]).unwrap_err();
        assert_eq!(refused, CannotEdit::NotMarkable { block }, "{body}");
    }
}

#[test]
fn cache_points_go_behind_tools_system_and_parts() {
    check(
        CONVERSE,
        r#"{"messages":[{"content":[{"text":"a"} , {"toolUse":{"x":1}}],"role":"assistant"},{"role":"user","content":[{"toolResult":{"content":[{"text":"r"}]}}, {"text":"b"} ]}], "system":[ {"text":"s"} ],"toolConfig":{"tools":[{"toolSpec":{"name":"f"}}],"toolChoice":{"auto":{}}}}"#,
        &[set(0, Ttl::Long), set(1, Ttl::Long), set(3, Ttl::Short), set(5, Ttl::Short)],
        &expect![[
            r#"{"messages":[{"content":[{"text":"a"} , {"toolUse":{"x":1}},{"cachePoint":{"type":"default"}}],"role":"assistant"},{"role":"user","content":[{"toolResult":{"content":[{"text":"r"}]}}, {"text":"b"},{"cachePoint":{"type":"default"}} ]}], "system":[ {"text":"s"},{"cachePoint":{"type":"default","ttl":"1h"}} ],"toolConfig":{"tools":[{"toolSpec":{"name":"f"}},{"cachePoint":{"type":"default","ttl":"1h"}}],"toolChoice":{"auto":{}}}}"#
        ]],
    );
    let body = r#"{"system":[{"text":"s"}, {"cachePoint":{"type":"default"}} ],"messages":[{"role":"user","content":[{"text":"a"}
        ,{"cachePoint" : {"type":"default","ttl":"1h"} , "x":null},{"text":"b"},{"cachePoint":{"type":"default"}}]}]}"#;
    check(
        CONVERSE,
        body,
        &[remove(0), remove(1), remove(2)],
        &expect![[
            r#"{"system":[{"text":"s"} ],"messages":[{"role":"user","content":[{"text":"a"},{"text":"b"}]}]}"#
        ]],
    );
    check(
        CONVERSE,
        body,
        &[remove(0), set(0, Ttl::Long), set(1, Ttl::Short), remove(2)],
        &expect![[r#"
            {"system":[{"text":"s"}, {"cachePoint":{"type":"default","ttl":"1h"}} ],"messages":[{"role":"user","content":[{"text":"a"}
                    ,{"cachePoint" : {"type":"default"} , "x":null},{"text":"b"}]}]}"#]],
    );
}

#[test]
fn cache_points_that_bedrock_would_refuse_are_not_asked_for() {
    let body = r#"{"system":"s","messages":[{"role":"user","content":[{"text":""},{"document":{"format":"csv"}},{"image":{}},{"video":{}},{"text":"t"}]},{"role":"assistant","content":[{"reasoningContent":{}},{"toolUse":{}}]}]}"#;
    let prompt = read_ok(CONVERSE, body.as_bytes()).facts.prompt;
    let markable: Vec<bool> = prompt.iter().map(|block| block.markable).collect();
    assert_eq!(markable, [false, false, false, true, false, true, false, true]);
    assert_eq!(
        edited(CONVERSE, body, &[set(0, Ttl::Short)]),
        Err(CannotEdit::NotMarkable { block: 0 })
    );
    let options = [WireEdit::Policy(Edit::ExplicitOnly)];
    assert!(matches!(edited(CONVERSE, body, &options), Err(CannotEdit::Inexpressible { .. })));
}

#[test]
fn cache_points_that_are_no_block_s_own_count_as_well() {
    let point = r#"{"cachePoint":{"type":"default"}}"#;
    let text = r#"{"text":"t"}"#;
    let body = format!(r#"{{"system":[{point},{text},{point},{point},{text},{text}]}}"#);
    let two = [set(1, Ttl::Short), set(2, Ttl::Short)];
    assert_eq!(edited(CONVERSE, &body, &two), Err(CannotEdit::TooManyMarks { marks: 5 }));
    check(
        CONVERSE,
        &body,
        &[remove(0), set(2, Ttl::Short)],
        &expect![[
            r#"{"system":[{"cachePoint":{"type":"default"}},{"text":"t"},{"cachePoint":{"type":"default"}},{"text":"t"},{"text":"t"},{"cachePoint":{"type":"default"}}]}"#
        ]],
    );
}

#[test]
fn marks_are_replaced_and_removed_with_one_comma_each() {
    let body = r#"{"messages":[{"role":"user","content":[{"cache_control":{"type":"ephemeral","ttl":"1h"}, "type":"text","text":"a"},{"type":"text", "cache_control":null, "text":"b"},{"type":"text","text":"c" , "cache_control":{"type":"ephemeral"}}]}],"cache_control":{"type":"ephemeral"}}"#;
    check(
        MESSAGES,
        body,
        &[remove(0), set(1, Ttl::Short), remove(2), WireEdit::Policy(Edit::RemoveCacheOptions)],
        &expect![[
            r#"{"messages":[{"role":"user","content":[{ "type":"text","text":"a"},{"type":"text", "cache_control":{"type":"ephemeral"}, "text":"b"},{"type":"text","text":"c" }]}]}"#
        ]],
    );
}

#[test]
fn a_mark_that_is_removed_and_set_again_is_one_change() {
    check(
        MESSAGES,
        r#"{"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","x":1}}]}"#,
        &[remove(0), set(0, Ttl::Long)],
        &expect![[
            r#"{"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]}"#
        ]],
    );
}

#[test]
fn cache_options_are_merged_replaced_or_removed() {
    let body = r#"{"prompt_cache_options":{"mode":"implicit","ttl":"12h","prewarm":true}}"#;
    let policy = |edits: &[Edit]| edits.iter().copied().map(WireEdit::Policy).collect::<Vec<_>>();
    check(
        CHAT,
        body,
        &policy(&[Edit::ExplicitOnly]),
        &expect![[r#"{"prompt_cache_options":{"mode":"explicit","ttl":"12h","prewarm":true}}"#]],
    );
    check(
        CHAT,
        body,
        &policy(&[Edit::RemoveCacheOptions, Edit::ExplicitOnly]),
        &expect![[r#"{"prompt_cache_options":{"mode":"explicit"}}"#]],
    );
    check(
        CHAT,
        body,
        &policy(&[Edit::ImplicitTtl(Ttl::Short)]),
        &expect![[r#"{"prompt_cache_options":{"mode":"implicit","ttl":"30m","prewarm":true}}"#]],
    );
    let removed = [policy(&[Edit::RemoveCacheOptions]), vec![WireEdit::IncludeUsage]].concat();
    check(CHAT, body, &removed, &expect![[r#"{"stream_options":{"include_usage":true}}"#]]);
    check(CHAT, "{}", &policy(&[Edit::ImplicitTtl(Ttl::Short)]), &expect!["{}"]);
}

#[test]
fn usage_is_asked_for_once() {
    for (before, after) in [
        (r#"{"stream":true}"#, r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        (r#"{"stream_options":null}"#, r#"{"stream_options":{"include_usage":true}}"#),
        (r#"{"stream_options": {}}"#, r#"{"stream_options": {"include_usage":true}}"#),
        (
            r#"{"stream_options":{"include_obfuscation":false}}"#,
            r#"{"stream_options":{"include_obfuscation":false,"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":false}}"#,
            r#"{"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":{"include_usage": true}}"#,
            r#"{"stream_options":{"include_usage": true}}"#,
        ),
    ] {
        assert_eq!(edited(CHAT, before, &[WireEdit::IncludeUsage]).unwrap(), after);
    }
    assert_eq!(edited(MESSAGES, "{}", &[WireEdit::IncludeUsage]).unwrap(), "{}");
}

#[test]
fn a_model_is_replaced_or_added() {
    let model = [WireEdit::Model("a\"b".into())];
    let expected = r#"{"x":1, "model" : "a\"b"}"#;
    assert_eq!(edited(Dialect::Other, r#"{"x":1, "model" : "c"}"#, &model).unwrap(), expected);
    assert_eq!(edited(CHAT, "{ }", &model).unwrap(), r#"{"model":"a\"b" }"#);
}

#[test]
fn what_the_provider_would_refuse_is_refused() {
    let text = r#"{"type":"text","text":"x"}"#;
    let five = format!(r#"{{"system":[{}]}}"#, [text; 5].join(","));
    let all: Vec<_> = (0..5).map(|block| set(block, Ttl::Short)).collect();
    check(
        MESSAGES,
        &five,
        &all,
        &expect!["error: the request would carry 5 cache marks, and the provider takes 4"],
    );
    let automatic =
        five.replace("{\"system\"", "{\"cache_control\":{\"type\":\"ephemeral\"},\"system\"");
    assert_eq!(edited(MESSAGES, &automatic, &all[..4]), Err(CannotEdit::TooManyMarks { marks: 5 }));
    assert!(edited(MESSAGES, &five, &all[..4]).is_ok());
    check(
        MESSAGES,
        &five,
        &[set(1, Ttl::Short), set(2, Ttl::Long)],
        &expect![
            "error: block 2 would carry a mark with the long life behind one with the short life"
        ],
    );
    check(
        MESSAGES,
        &five,
        &[set(5, Ttl::Short)],
        &expect!["error: there is no block 5: the prompt has 5"],
    );
    let assistant = r#"{"messages":[{"role":"assistant","content":"x"}]}"#;
    check(CHAT, assistant, &[set(0, Ttl::Short)], &expect!["error: block 0 takes no cache mark"]);
    check(
        CHAT,
        "{}",
        &[WireEdit::Policy(Edit::ImplicitTtl(Ttl::Long))],
        &expect!["error: this dialect cannot express a long life for unmarked prefixes"],
    );
    let layout = read_ok(CHAT, b"{}").layout;
    assert_eq!(
        edit(&Bytes::from_static(b"{\"a\":1}"), CHAT, &layout, &all[..1]),
        Err(CannotEdit::OtherBody { expected: 2, found: 7 })
    );
}

/// A body of any dialect that takes marks.
fn bodies() -> impl Strategy<Value = (Dialect, Value)> {
    prop_oneof![2 => bodies_with_marks_inside(), 1 => bodies_with_marks_behind()]
}

/// A body of Converse, whose marks are elements of their own.
fn bodies_with_marks_behind() -> impl Strategy<Value = (Dialect, Value)> {
    let text = prop::sample::select(vec!["", "a", "grüße \"\\\n", "{\"x\":["]);
    let part = (text, 0_usize..4, prop::option::of(any::<bool>()));
    let parts = || prop::collection::vec(part.clone(), 0..4);
    let role = prop::sample::select(vec!["user", "assistant"]);
    let messages = prop::collection::vec((role, parts()), 0..4);
    (messages, parts(), parts()).prop_map(|(messages, system, tools)| {
        let messages: Vec<_> = messages
            .into_iter()
            .map(|(role, parts)| json!({"content": behind(parts), "role": role}))
            .collect();
        let config = json!({"tools": behind(tools), "toolChoice": {"auto": {}}});
        let body = json!({"messages": messages, "system": behind(system), "toolConfig": config});
        (CONVERSE, body)
    })
}

fn behind(parts: Vec<(&str, usize, Option<bool>)>) -> Value {
    let elements = parts.into_iter().flat_map(|(text, kind, mark)| {
        let block = match kind {
            0 | 1 => json!({"text": text}),
            2 => json!({"toolUse": {"input": {"cachePoint": text}}, "x": null}),
            _ => json!({"document": {"name": text}}),
        };
        let point = match mark {
            Some(true) => Some(json!({"cachePoint": {"type": "default", "ttl": "1h"}})),
            Some(false) => Some(json!({"cachePoint": {"type": "default"}})),
            None => None,
        };
        [Some(block), point]
    });
    elements.flatten().collect()
}

/// A body of either dialect, with odd fields, marks of its own and both spellings of content.
fn bodies_with_marks_inside() -> impl Strategy<Value = (Dialect, Value)> {
    let text = prop::sample::select(vec!["", "a", "grüße \"\\\n", "🙂\u{1}", "{\"x\":[", "7 not"]);
    let part = (text.clone(), any::<bool>(), prop::option::of(any::<bool>()));
    let content = prop_oneof![
        text.prop_map(|text| vec![(text, false, None)]).prop_map(|parts| (true, parts)),
        prop::collection::vec(part, 0..4).prop_map(|parts| (false, parts)),
    ];
    let role = prop::sample::select(vec!["user", "assistant", "system"]);
    let messages = prop::collection::vec((role, content), 0..5);
    (any::<bool>(), messages, 0_usize..3).prop_map(|(is_chat, messages, tools)| {
        let dialect = if is_chat { CHAT } else { MESSAGES };
        let messages: Vec<_> = messages
            .into_iter()
            .map(|(role, (is_plain, parts))| {
                let content = match is_plain {
                    true => json!(parts[0].0),
                    false => parts.into_iter().map(|part| block(is_chat, part)).collect(),
                };
                json!({"role": role, "content": content})
            })
            .collect();
        let tools: Vec<_> = (0..tools).map(|n| json!({"name": n, "x": [n, null, {}]})).collect();
        (dialect, json!({"messages": messages, "tools": tools, "x_new": {"a": [1.5e3, "é"]}}))
    })
}

fn block(is_chat: bool, (text, is_odd, mark): (&str, bool, Option<bool>)) -> Value {
    let mut block = json!({"type": "text", "text": text});
    if is_odd {
        block["x_odd"] = json!({"b": 1, "a": [true, null]});
    }
    match (is_chat, mark) {
        (true, Some(is_long)) => {
            let ttl = if is_long { "12h" } else { "30m" };
            block["prompt_cache_breakpoint"] = json!({"mode": "explicit", "ttl": ttl});
        }
        (false, Some(true)) => block["cache_control"] = json!({"type": "ephemeral", "ttl": "1h"}),
        (false, Some(false)) => block["cache_control"] = json!({"type": "ephemeral"}),
        (_, None) => {}
    }
    block
}

fn spelled(body: &Value, is_pretty: bool) -> String {
    match is_pretty {
        true => serde_json::to_string_pretty(body).expect("plain data").replace('é', "\\u00e9"),
        false => serde_json::to_string(body).expect("plain data"),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c.is_ascii() {
            true => out.push(c),
            false => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04X}").expect("strings take everything");
                }
            }
        }
    }
    out
}

/// Plain contents as arrays of one text.
fn wrapped(mut body: Value) -> Value {
    for message in body["messages"].as_array_mut().into_iter().flatten() {
        if let Some(text) = message["content"].as_str() {
            message["content"] = json!([{"type": "text", "text": text}]);
        }
    }
    body
}

proptest! {
    #[test]
    fn the_marks_asked_for_are_there_and_no_digest_has_changed(
        (dialect, body) in bodies(),
        is_pretty in any::<bool>(),
        is_long in any::<bool>(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let text = spelled(&body, is_pretty);
        let before = read_ok(dialect, text.as_bytes()).facts;
        let ttl = if is_long { Ttl::Long } else { Ttl::Short };
        let markable: Vec<u32> =
            (0..).zip(&before.prompt).filter(|(_, b)| b.markable).map(|(at, _)| at).collect();
        let mut wanted: Vec<u32> = match markable.is_empty() {
            true => Vec::new(),
            false => picks.iter().map(|pick| *pick.get(&markable)).collect(),
        };
        wanted.sort_unstable();
        wanted.dedup();
        let marked = (0..).zip(&before.prompt).filter(|(_, b)| b.mark.is_some());
        let mut edits: Vec<_> = marked.map(|(at, _)| remove(at)).collect();
        edits.extend(wanted.iter().map(|block| set(*block, ttl)));
        let result = edited(dialect, &text, &edits);
        if 4 < wanted.len() {
            prop_assert_eq!(result, Err(CannotEdit::TooManyMarks { marks: wanted.len() }));
            return Ok(());
        }
        let after = read_ok(dialect, result.unwrap().as_bytes()).facts;
        prop_assert_eq!(after.parameters, before.parameters);
        prop_assert_eq!(after.prompt.len(), before.prompt.len());
        for ((at, new), old) in (0..).zip(&after.prompt).zip(&before.prompt) {
            prop_assert_eq!(new.mark, wanted.contains(&at).then_some(ttl));
            let mut old = old.clone();
            old.mark = new.mark;
            prop_assert_eq!(new, &old);
        }
    }

    #[test]
    fn setting_and_removing_a_mark_leaves_the_body_as_it_was(
        (dialect, body) in bodies(),
        is_pretty in any::<bool>(),
        pick in any::<prop::sample::Index>(),
    ) {
        let text = spelled(&body, is_pretty);
        let prompt = read_ok(dialect, text.as_bytes()).facts.prompt;
        let free: Vec<u32> = (0..)
            .zip(&prompt)
            .filter(|(_, block)| block.markable && block.mark.is_none())
            .map(|(at, _)| at)
            .collect();
        let marks = prompt.iter().filter(|block| block.mark.is_some()).count();
        if free.is_empty() || 3 < marks {
            return Ok(());
        }
        // The short life at the end of the order, so that it never stands before a long one.
        let block = *pick.get(&free);
        let Ok(marked) = edited(dialect, &text, &[set(block, Ttl::Short)]) else { return Ok(()) };
        let back = edited(dialect, &marked, &[remove(block)]).unwrap();
        let value = |text: &str| wrapped(serde_json::from_str(text).unwrap());
        prop_assert_eq!(value(&back), value(&text));
        // A plain string stays an array of one text; elsewhere every byte is back in its place.
        let wrapped = text.len() + r#"[{"type":"text","text":}]"#.len();
        prop_assert!(back == text || back.len() == wrapped, "bytes moved:\n{}\n{}", text, back);
    }

    #[test]
    fn two_spellings_of_a_body_have_the_same_facts((dialect, body) in bodies()) {
        let (one, other) = (spelled(&body, true), spelled(&body, false));
        prop_assert_eq!(
            read_ok(dialect, one.as_bytes()).facts,
            read_ok(dialect, other.as_bytes()).facts
        );
        let escaped = escaped(&other);
        prop_assert_eq!(
            read_ok(dialect, escaped.as_bytes()).facts,
            read_ok(dialect, other.as_bytes()).facts
        );
    }
}
