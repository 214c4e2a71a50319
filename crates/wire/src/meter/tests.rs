//! Answers, cut anywhere, and what is seen of them.

use super::*;

#[test]
fn a_head_tells_what_a_body_does_not() {
    let told = |headers: &[(&str, &str)], body: &str| {
        let mut meter = Meter::new(Dialect::Other, Framing::Whole, 200);
        for (name, value) in headers {
            meter.see_header(name, value.as_bytes());
        }
        meter.see(body.as_bytes(), Time::from_secs(1));
        meter.outcome(End::Complete).metering
    };
    let counts = [
        ("x-amzn-bedrock-input-token-count", "9"),
        ("x-amzn-bedrock-output-token-count", "4"),
        ("x-amzn-bedrock-cache-read-input-token-count", "100"),
        ("x-amzn-bedrock-cache-write-input-token-count", "20"),
        ("x-amzn-bedrock-invocation-latency", "713"),
        ("content-length", "7"),
    ];
    let all =
        Usage { uncached: 9, output: 4, cache_read: 100, cache_write_short: 20, ..Usage::ZERO };
    assert_eq!(told(&counts, r#"{"generation":"hi"}"#), Metering::measured(all));
    assert_eq!(told(&counts, "no JSON"), Metering::measured(all));
    assert_eq!(told(&counts[..1], "{}").usage, Usage { uncached: 9, ..Usage::ZERO });
    let own = r#"{"usage":{"inputTokens":1,"outputTokens":2}}"#;
    assert_eq!(told(&counts, own).usage, Usage { uncached: 1, output: 2, ..Usage::ZERO });
    for value in ["", "-1", "1e3", "99999999999999999999"] {
        let metering = told(&[("x-amzn-bedrock-input-token-count", value)], "{}");
        assert_eq!((metering.state, metering.suspect), (UsageState::Unknown, true), "{value:?}");
    }
    assert_eq!(told(&counts[4..], "{}").state, UsageState::Unknown);
}

const CHAT: Dialect = Dialect::OpenaiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;

/// Meters events that come a second apart.
fn metered(dialect: Dialect, events: &[&str]) -> (Outcome, Meter) {
    let mut meter = Meter::new(dialect, Framing::Sse, 200);
    for (at, event) in (0..).zip(events) {
        meter.see(format!("data: {event}\n\n").as_bytes(), Time::from_secs(at));
    }
    (meter.outcome(End::Complete), meter)
}

fn content(dialect: Dialect, events: &[&str]) -> (Option<i64>, Option<i64>) {
    let (outcome, _) = metered(dialect, events);
    (outcome.first_content.map(Time::secs), outcome.last_content.map(Time::secs))
}

#[test]
fn roles_and_pings_are_no_content() {
    let role = r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
    let text = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
    let empty = r#"{"choices":[{"delta":{"content":""}}]}"#;
    let stop = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    assert_eq!(content(CHAT, &[role, stop, "[DONE]"]), (None, None));
    assert_eq!(content(CHAT, &[role, text, text, empty, stop]), (Some(1), Some(2)));
    for delta in [
        r#"{"reasoning_content":"x"}"#,
        r#"{"refusal":"x"}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}"#,
        r#"{"audio":{"data":"AAAA"}}"#,
    ] {
        let event = format!(r#"{{"choices":[{{"delta":{delta}}}]}}"#);
        assert_eq!(content(CHAT, &[role, &event]), (Some(1), Some(1)), "{delta}");
    }
    let ping = r#"{"type":"ping"}"#;
    let start = r#"{"type":"content_block_start","content_block":{"type":"text","text":""}}"#;
    assert_eq!(content(MESSAGES, &[start, ping]), (None, None));
    for event in [
        r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"x"}}"#,
        r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}"#,
        r#"{"type":"content_block_start","content_block":{"type":"tool_use","name":"f"}}"#,
    ] {
        assert_eq!(content(MESSAGES, &[start, ping, event]), (Some(2), Some(2)), "{event}");
    }
}

#[test]
fn events_alike_are_compared_and_count_the_same() {
    let delta =
        |text: &str| format!(r#"{{"id":"1","choices":[{{"delta":{{"content":"{text}"}}}}]}}"#);
    let texts = ["a", "bc", r"\n\u00e4\ud83d\ude42", "", r#"\"}}]}"#, "語"];
    let events: Vec<_> = texts.iter().map(|text| delta(text)).collect();
    let (_, meter) = metered(CHAT, &events.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(meter.characters(), 1 + 2 + 3 + 5 + 1);
    // What only looks alike is read in full: its text ends early and something else follows.
    let odd = r#"{"id":"1","choices":[{"delta":{"content":"x"}}],"model":"m","choices":[{"delta":{"content":"y"}}]}"#;
    let (outcome, meter) = metered(CHAT, &[&delta("a"), odd]);
    assert_eq!((outcome.model.as_deref(), meter.characters()), (Some("m"), 3));
    let (_, meter) = metered(CHAT, &[&delta("a"), &delta("b").replace('}', "")]);
    assert!(meter.is_malformed());
}

#[test]
fn a_stream_ends_with_its_terminal_event_and_not_with_its_connection() {
    let text = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
    let stop = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    for (events, truncated) in [
        (vec![], true),
        (vec![text], true),
        (vec![text, stop], true),
        (vec![text, usage], true),
        (vec![text, stop, usage], false),
        (vec![text, "[DONE]"], false),
    ] {
        assert_eq!(metered(CHAT, &events).0.truncated, truncated, "{events:?}");
        assert!(!metered(Dialect::Other, &events).0.truncated, "{events:?}");
    }
    let stop = r#"{"type":"message_stop"}"#;
    assert!(metered(MESSAGES, &["[DONE]x"]).0.truncated);
    assert!(!metered(MESSAGES, &[stop]).0.truncated);

    let outcome = |status, bytes: &[u8], end| {
        let mut meter = Meter::new(CHAT, Framing::Sse, status);
        meter.see(bytes, Time::EPOCH);
        meter.outcome(end).truncated
    };
    assert!(!outcome(200, b"data: [DONE]\n", End::Complete), "some send no blank line");
    assert!(!outcome(200, b"data: [DONE]", End::Complete), "nor an end of the line");
    assert!(!outcome(500, b"", End::Complete), "an error is no stream");
    assert!(!outcome(200, b"", End::Broken), "what broke is not also truncated");
}

#[test]
fn a_whole_answer_that_breaks_off_is_truncated() {
    let outcome = |dialect, body: &[u8]| {
        let mut meter = Meter::new(dialect, Framing::Whole, 200);
        meter.see(body, Time::EPOCH);
        (meter.outcome(End::Complete).truncated, meter.is_malformed())
    };
    assert_eq!(outcome(CHAT, br#"{"choices":[{"mess"#), (true, true));
    assert_eq!(outcome(CHAT, br#"{"choices":[]}"#), (false, false));
    assert_eq!(outcome(Dialect::Other, b"\x00RIFF"), (false, true));
}

#[test]
fn usage_of_a_stream_that_broke_off_is_partial() {
    let running = r#"{"choices":[{"delta":{"content":"0123456789012345678901234567890123456789"}}],"usage":{"prompt_tokens":50,"completion_tokens":3}}"#;
    let (outcome, _) = metered(CHAT, &[running]);
    assert_eq!(outcome.metering.state, UsageState::Partial);
    assert_eq!((outcome.metering.usage.uncached, outcome.metering.usage.output), (50, 10));
}

#[test]
fn only_what_is_unknown_is_estimated() {
    let known = Metering::measured(Usage { output: 1, ..Usage::ZERO });
    assert_eq!(estimate(known, 100, 100), known);
    let estimated = estimate(Metering { suspect: true, ..Metering::UNKNOWN }, 100, 9);
    assert_eq!((estimated.usage.uncached, estimated.usage.output), (100, 3));
    assert_eq!((estimated.state, estimated.suspect), (UsageState::Estimated, true));
}

#[test]
fn memory_stays_bounded_whatever_comes() {
    let piece = vec![b'x'; 1 << 20];
    for framing in [Framing::Whole, Framing::Sse, Framing::EventStream] {
        let mut meter = Meter::new(CHAT, framing, 200);
        for _ in 0..20 {
            meter.see(&piece, Time::EPOCH);
        }
        assert!(meter.is_malformed());
        assert!(meter.whole.capacity() <= 2 * MOST_BYTES);
        assert_eq!(meter.outcome(End::Complete).metering, Metering::UNKNOWN);
    }
}
