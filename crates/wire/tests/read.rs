//! Requests: what is refused, and what makes two prompts the same.

use scrimp_core::call::Content;
use scrimp_core::{Delivery, Dialect, Role, Ttl};
use scrimp_wire::Key;
use scrimp_wire::dialect::{Facts, Malformed, read};

const CHAT: Dialect = Dialect::OpenaiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;

fn facts(dialect: Dialect, body: &str) -> Facts {
    match read(dialect, body.as_bytes(), &Key::new([7; 32])) {
        Ok(request) => request.facts,
        Err(why) => panic!("{body}: {why}"),
    }
}

fn refused(dialect: Dialect, body: &[u8]) -> Malformed {
    read(dialect, body, &Key::new([7; 32])).expect_err("malformed")
}

#[test]
fn what_is_no_request_is_refused_with_its_place() {
    for (body, expected) in [
        ("", "the body is not JSON: it breaks off at byte 0"),
        ("{\"model\":\"m\"", "the body is not JSON: it breaks off at byte 12"),
        ("{\"a\":NaN}", "the body is not JSON: it goes wrong at byte 5"),
        ("{} x", "the body is one JSON value and then more, at byte 3"),
        (" [1]", "`body` at byte 1 is not a JSON object"),
        ("{\"model\":7}", "`model` at byte 9 is not a string"),
        (
            "{\"model\":\"a\",\"mod\\u0065l\":\"b\"}",
            "`model` stands twice in the same object, the second time at byte 12; send it once",
        ),
    ] {
        assert_eq!(refused(CHAT, body.as_bytes()).to_string(), expected, "{body}");
    }
    assert_eq!(refused(CHAT, b"{\"a\":\"\xff\"}"), Malformed::NotUtf8 { at: 6 });
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(refused(CHAT, deep.as_bytes()), Malformed::TooDeep { at: 132 });
}

#[test]
fn a_key_that_decides_may_not_stand_twice() {
    for field in ["model", "messages", "stream", "system", "tools", "stream_options"] {
        let body = format!("{{\"{field}\":null,\"{field}\":null}}")
            .replace("\"model\":null", "\"model\":\"m\"");
        let why = refused(MESSAGES, body.as_bytes());
        assert!(
            matches!(why, Malformed::Duplicate { field: f, .. } if f == field),
            "{body}: {why}"
        );
    }
    let inner = br#"{"messages":[{"role":"user","content":"a","content":"b"}]}"#;
    assert!(matches!(refused(CHAT, inner), Malformed::Duplicate { field: "content", .. }));
    // Fields that only the provider reads are the provider's to judge.
    facts(CHAT, r#"{"seed":1,"seed":2}"#);
}

#[test]
fn missing_and_odd_fields_are_the_providers_to_refuse() {
    let facts = facts(
        CHAT,
        r#"{"messages":7,"stream":"true","n":-1,"max_tokens":1e99,"temperature":null}"#,
    );
    assert_eq!((&*facts.model, facts.delivery, facts.prompt.len()), ("", Delivery::Whole, 1));
    assert_eq!((facts.parameters.answers, facts.parameters.max_output_tokens), (1, None));
}

#[test]
fn other_dialects_are_never_refused() {
    let odd: [&[u8]; 4] = [b"", b"\xff\x00", b"{\"model\":\"m\"", b"[[[["];
    for body in odd {
        let request = read(Dialect::Other, body, &Key::new([7; 32])).expect("passed through");
        assert_eq!((&*request.facts.model, request.facts.prompt.len()), ("", 0));
    }
    let named = facts(Dialect::Other, r#"{"input":"x","stream":true,"model":"m"}"#);
    assert_eq!((&*named.model, named.delivery), ("m", Delivery::Stream));
}

#[test]
fn blocks_come_in_the_order_of_rendering_whatever_the_order_of_fields() {
    let roles = |dialect, body: &str| -> Vec<Role> {
        facts(dialect, body).prompt.iter().map(|block| block.role).collect()
    };
    assert_eq!(
        roles(
            MESSAGES,
            r#"{"messages":[{"content":"u","role":"user"}],"system":"s","tools":[{}]}"#
        ),
        [Role::Tool, Role::System, Role::User]
    );
    let chat = r#"{"messages":[{"role":"developer","content":"d"},{"role":"user","content":"u"},
        {"role":"assistant","content":"a","tool_calls":[{"id":"1"},{"id":"2"}]},
        {"role":"tool","content":"t"},{"role":"assistant","audio":{"id":"x"}}],"tools":[{"type":"function"}]}"#;
    assert_eq!(
        roles(CHAT, chat),
        [
            Role::Tool,
            Role::System,
            Role::User,
            Role::Assistant,
            Role::Assistant,
            Role::Assistant,
            Role::ToolResult,
            Role::Assistant,
        ]
    );
}

#[test]
fn the_same_content_has_the_same_digest() {
    let digest = |message: &str| {
        let prompt = facts(CHAT, &format!(r#"{{"messages":[{message}]}}"#)).prompt;
        prompt.first().expect("one block").digest
    };
    let plain = digest(r#"{"role":"user","content":"a\n"}"#);
    for same in [
        r#"{"content":"a\u000A","role":"user"}"#,
        r#"{ "role" : "user" , "content" : [ { "text" : "a\n" , "type" : "text" } ] }"#,
        r#"{"role":"user","content":[{"type":"text","text":"a\n","prompt_cache_breakpoint":{"mode":"explicit"}}]}"#,
        r#"{"role":"user","content":[{"prompt_cache_breakpoint":null,"type":"text","text":"a\n"}]}"#,
    ] {
        assert_eq!(digest(same), plain, "{same}");
    }
    for other in [
        r#"{"role":"assistant","content":"a\n"}"#,
        r#"{"role":"user","content":"a\\n"}"#,
        r#"{"role":"user","name":"ada","content":"a\n"}"#,
        r#"{"role":"user","content":[{"type":"text","text":"a\n","x":1}]}"#,
        r#"{"role":"user","content":{"text":"a\n"}}"#,
    ] {
        assert_ne!(digest(other), plain, "{other}");
    }
}

#[test]
fn parameters_are_the_same_in_any_order_and_without_what_cannot_change_the_answer() {
    let digest = |fields: &str| facts(CHAT, &format!("{{{fields}}}")).parameters.digest;
    let one = digest(r#""seed":1,"stop":["a"]"#);
    assert_eq!(
        digest(r#""stop" : [ "a" ],"user":"u","stream":true,"seed":1,"store":false,"top_p":null"#),
        one
    );
    assert_ne!(digest(r#""seed":1,"stop":["b"]"#), one);
    assert_ne!(digest(r#""seed":1,"stop":["a"],"x_unknown":1"#), one);
    assert_ne!(digest(r#""seed":"1","stop":["a"]"#), one);
}

#[test]
fn a_breakpoint_without_a_life_has_that_of_the_request() {
    let body = |ttl: &str| {
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"text","text":"a","prompt_cache_breakpoint":{{"mode":"explicit"}}}}]}}],"prompt_cache_options":{{"ttl":"{ttl}"}}}}"#
        )
    };
    assert_eq!(facts(CHAT, &body("12h")).prompt[0].mark, Some(Ttl::Long));
    assert_eq!(facts(CHAT, &body("30m")).prompt[0].mark, Some(Ttl::Short));
}

#[test]
fn features_are_of_the_last_short_texts() {
    let long = "word ".repeat(1_000);
    let short = "word ".repeat(500);
    let body = format!(
        r#"{{"messages":[{{"role":"system","content":"{short}"}},{{"role":"user","content":"{long}"}},{{"role":"user","content":"{short}"}},{{"role":"assistant","content":"a"}}]}}"#
    );
    let prompt = facts(CHAT, &body).prompt;
    let has: Vec<bool> = prompt.iter().map(|block| block.features.is_some()).collect();
    assert_eq!(has, [false, false, true, false]);
    assert!(prompt.iter().all(|block| block.content == Content::Text));
}

#[test]
fn a_cache_point_marks_the_block_before_it_and_is_none() {
    let ask = |system: &str| format!(r#"{{"system":[{system}],"messages":[]}}"#);
    let prompt = |system: &str| facts(Dialect::BedrockConverse, &ask(system)).prompt;
    let plain = prompt(r#"{"text":"a"},{"text":"b"}"#);
    for (point, life) in [
        (r#"{"type":"default"}"#, Ttl::Short),
        (r#"{"type":"default","ttl":"5m"}"#, Ttl::Short),
        (r#"{"type":"default","ttl":"1h"}"#, Ttl::Long),
    ] {
        let point = format!(r#"{{"cachePoint":{point}}}"#);
        let marked = prompt(&format!(r#"{point},{{"text":"a"}},{{"text":"b"}},{point}"#));
        let digests = |prompt: &[scrimp_core::Block]| {
            prompt.iter().map(|block| block.digest).collect::<Vec<_>>()
        };
        assert_eq!(digests(&marked), digests(&plain));
        let marks: Vec<_> = marked.iter().map(|block| block.mark).collect();
        assert_eq!(marks, [None, Some(life)], "{point}");
    }
}

#[test]
fn what_is_chosen_beside_tools_is_a_parameter_and_the_tools_are_not() {
    let parameters = |config: &str| {
        let body = format!(r#"{{"toolConfig":{config},"messages":[]}}"#);
        facts(Dialect::BedrockConverse, &body).parameters.digest
    };
    let [any, auto, others, none] = [
        r#"{"tools":[{"toolSpec":{"name":"f"}}],"toolChoice":{"any":{}}}"#,
        r#"{"tools":[{"toolSpec":{"name":"f"}}],"toolChoice":{"auto":{}}}"#,
        r#"{"toolChoice":{"any":{}},"tools":[{"toolSpec":{"name":"g"}}]}"#,
        r#"{"tools":[{"toolSpec":{"name":"f"}}]}"#,
    ]
    .map(parameters);
    assert_eq!(any, others);
    assert!(any != auto && any != none);
    let twice = br#"{"toolConfig":{"tools":[],"tools":[]}}"#;
    let why = refused(Dialect::BedrockConverse, twice);
    assert!(matches!(why, Malformed::Duplicate { field: "tools", .. }));
}

/// Of every block that defines or calls tools, their names.
fn tools(dialect: Dialect, body: &str) -> Vec<Vec<u64>> {
    let prompt = facts(dialect, body).prompt;
    let tools = prompt.iter().filter_map(|block| Some(block.outline.as_ref()?.tools.clone()));
    tools.filter(|tools| !tools.is_empty()).collect()
}

#[test]
fn a_tool_and_a_call_to_it_have_one_name_in_every_dialect() {
    let table = [
        (
            Dialect::AnthropicMessages,
            r#"{"tools":[{"name":"find","input_schema":{"properties":{"name":{"type":"string"}}}},{"input_schema":{},"name":"read"}],
            "messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"read","input":{"name":"find"}}]}]}"#,
        ),
        (
            Dialect::OpenaiChat,
            r#"{"tools":[{"type":"function","function":{"name":"find"}},{"type":"function","function":{"description":"d","name":"read"}}],
            "messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"read","arguments":"{}"}}]}]}"#,
        ),
        (
            Dialect::OpenaiResponses,
            r#"{"tools":[{"type":"function","name":"find"},{"type":"function","name":"read"}],
            "input":[{"type":"function_call","call_id":"1","name":"read","arguments":"{}"}]}"#,
        ),
        (
            Dialect::BedrockConverse,
            r#"{"toolConfig":{"tools":[{"toolSpec":{"name":"find"}},{"toolSpec":{"name":"read"}}]},
            "messages":[{"role":"assistant","content":[{"toolUse":{"toolUseId":"1","name":"read","input":{}}}]}]}"#,
        ),
    ];
    for (dialect, body) in table {
        let tools = tools(dialect, body);
        let [find, read, called] = &tools[..] else { panic!("{dialect:?}: {tools:?}") };
        assert_eq!((find.len(), called), (1, read), "{dialect:?}");
        assert_ne!(find, read, "{dialect:?}");
    }
    let gemini = r#"{"tools":[{"functionDeclarations":[{"name":"find"},{"name":"read"}]}],
        "contents":[{"role":"model","parts":[{"functionCall":{"name":"read","args":{}}}]}]}"#;
    let tools = tools(Dialect::GeminiGenerate, gemini);
    assert_eq!((tools[0].len(), &tools[0][1..]), (2, &tools[1][..]));
}

#[test]
fn only_what_is_rendered_into_the_prompt_is_told_as_such() {
    let rendered = |parameters: &str| {
        let body = format!(r#"{{"model":"m",{parameters}"messages":[]}}"#);
        facts(CHAT, &body).parameters.rendered
    };
    assert_eq!(rendered(r#""temperature":0.5,"seed":7,"max_tokens":9,"user":"u","#), Some(0));
    let [one, other] = [1, 2].map(|at| rendered(&format!(r#""tool_choice":"t{at}","seed":{at},"#)));
    assert!(one != other && one != Some(0));
    assert_eq!(rendered(r#""seed":9,"tool_choice":"t1","#), one);
    let gemini = |config: &str| {
        let body = format!(r#"{{"contents":[],"generationConfig":{{{config}}}}}"#);

        facts(Dialect::GeminiGenerate, &body).parameters.rendered
    };
    assert_eq!(gemini(r#""temperature":1"#), Some(0));
    assert_ne!(gemini(r#""responseSchema":{"type":"STRING"}"#), Some(0));
}
