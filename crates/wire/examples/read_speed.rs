//! How long reading a request and metering a stream takes on this machine.
//!
//! `cargo run --release -p scrimp-wire --example read_speed`

#![expect(clippy::disallowed_types, clippy::print_stdout, reason = "it measures and says so")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use scrimp_core::policy::prompt_cache::{Edit, Mark};
use scrimp_core::{Dialect, Time, Ttl};
use scrimp_wire::Key;
use scrimp_wire::dialect::{WireEdit, edit, read};
use scrimp_wire::meter::{End, Framing, Meter};

const PROSE: &str = "The quick brown fox jumps over the lazy dog, then counts to 1234 and rests. ";

fn main() {
    let key = Key::new([7; 32]);
    println!("{:<44} {:>9} {:>9}", "", "best µs", "median µs");
    for (name, body) in [
        ("read 1 kB chat", chat(1_000, " ")),
        ("read 400 kB chat, one plain string", chat(400_000, " ")),
        ("read 400 kB chat, a line break every 76 B", chat(400_000, "\\n")),
        ("read 400 kB messages, 24 tools, 60 turns", messages(400_000)),
    ] {
        let dialect = match name.contains("messages") {
            true => Dialect::AnthropicMessages,
            false => Dialect::OpenaiChat,
        };
        report(name, &body, || black_box(read(dialect, &body, &key).expect("well formed")));
    }
    let body = Bytes::from(messages(400_000));
    let request = read(Dialect::AnthropicMessages, &body, &key).expect("well formed");
    let last = u32::try_from(request.facts.prompt.len() - 1).expect("few blocks");
    let mark = Edit::SetMark(Mark { block: last, ttl: Ttl::Short });
    let edits = [WireEdit::Policy(mark)];
    report("edit 400 kB messages, one mark", &body, || {
        black_box(edit(&body, Dialect::AnthropicMessages, &request.layout, &edits).expect("fits"))
    });
    for (name, dialect, stream) in [
        ("meter 53 events, chat", Dialect::OpenaiChat, chat_stream()),
        ("meter 57 events, messages", Dialect::AnthropicMessages, messages_stream()),
    ] {
        report(name, stream.as_bytes(), || {
            let mut meter = Meter::new(dialect, Framing::Sse, 200);
            for event in stream.split_inclusive("\n\n") {
                meter.see(event.as_bytes(), Time::EPOCH);
            }
            black_box(meter.outcome(End::Complete))
        });
    }
}

fn report<T>(name: &str, bytes: &[u8], mut run: impl FnMut() -> T) {
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..2_000 {
        let start = Instant::now();
        let out = run();
        times.push(start.elapsed());
        drop(out);
    }
    times.sort_unstable();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let (best, median) = (micros(times[0]), micros(times[times.len() / 2]));
    println!("{name:<44} {best:>9.1} {median:>9.1}   ({} bytes)", bytes.len());
}

fn text(length: usize, end: &str) -> String {
    let sentence = format!("{}{end}", PROSE.trim_end());
    sentence.repeat(length / sentence.len() + 1)
}

fn chat(length: usize, end: &str) -> Vec<u8> {
    let (system, user) = (text(length / 2, end), text(length / 2 - 100, end));
    format!(
        r#"{{"model":"gpt-6-luna","messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"{user}"}}],"temperature":0.2,"stream":true}}"#
    )
    .into_bytes()
}

fn messages(length: usize) -> Vec<u8> {
    let tool = |n| {
        format!(
            r#"{{"name":"tool_{n}","description":"{}","input_schema":{{"type":"object","properties":{{"path":{{"type":"string","description":"{PROSE}"}}}},"required":["path"]}}}}"#,
            text(1_500, "\\n")
        )
    };
    let tools: Vec<_> = (0..24).map(tool).collect();
    let result = text(length / 60 - 800, "\\n");
    let turn = |n| {
        format!(
            r#"{{"role":"assistant","content":[{{"type":"text","text":"{PROSE}"}},{{"type":"tool_use","id":"toolu_{n}","name":"tool_1","input":{{"path":"/a/b"}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_{n}","content":"{result}"}}]}}"#
        )
    };
    let turns: Vec<_> = (0..60).map(turn).collect();
    format!(
        r#"{{"model":"claude-opus-5-5","max_tokens":4096,"system":[{{"type":"text","text":"{}"}}],"tools":[{}],"messages":[{{"role":"user","content":"{PROSE}"}},{}],"stream":true}}"#,
        text(8_000, "\\n"),
        tools.join(","),
        turns.join(",")
    )
    .into_bytes()
}

fn chat_stream() -> String {
    let head = r#"data: {"id":"chatcmpl-Cq1","object":"chat.completion.chunk","created":1795449600,"model":"gpt-6-luna","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":"#;
    let mut out = format!(
        "{head}{{\"role\":\"assistant\",\"content\":\"\"}},\"finish_reason\":null}}],\"usage\":null}}\n\n"
    );
    for _ in 0..50 {
        write!(out,
            "{head}{{\"content\":\" word\"}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null}}\n\n"
        ).expect("strings take text");
    }
    write!(out, "{head}{{}},\"finish_reason\":\"stop\"}}],\"usage\":null}}\n\n")
        .expect("strings take text");
    out + "data: {\"id\":\"chatcmpl-Cq1\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":50,\"total_tokens\":59,\"prompt_tokens_details\":{\"cached_tokens\":0}}}\n\ndata: [DONE]\n\n"
}

fn messages_stream() -> String {
    let mut out = String::from(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-opus-5-5\",\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":10,\"cache_read_input_tokens\":20,\"cache_creation\":{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":0},\"output_tokens\":1,\"service_tier\":\"standard\"}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n",
    );
    for _ in 0..50 {
        out += "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" word\"}}\n\n";
    }
    out + "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":50}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
}
