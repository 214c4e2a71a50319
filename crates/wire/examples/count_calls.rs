//! The work that one call costs, over and over, so that a profiler can count its instructions.
//!
//! Build with `cargo build --release -p scrimp-wire --example count_calls`, run
//! `valgrind --tool=callgrind` on it with `request 1000` and with `request 2000`: the difference is
//! a thousand requests. So it is with `answer` (a whole one), `stream`, `long` (400 kB), and `agent`
//! (twelve tools, two pages of instructions with a date, and a few turns).

use std::hint::black_box;

use scrimp_core::{Dialect, Time};
use scrimp_wire::Key;
use scrimp_wire::dialect::read;
use scrimp_wire::meter::{End, Framing, Meter};

const FOX: &str = "The quick brown fox jumps over the lazy dog. ";

/// What the simulated provider answers to a benchmark.
const ANSWER: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1795392000,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"All is well.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":250,"completion_tokens":4,"total_tokens":254,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_bench"}"#;

const STREAM: &str = concat!(
    r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1795392000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_bench","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1795392000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_bench","choices":[{"index":0,"delta":{"content":"All is well."},"logprobs":null,"finish_reason":null}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1795392000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_bench","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1795392000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_bench","choices":[],"usage":{"prompt_tokens":250,"completion_tokens":4,"total_tokens":254}}"#,
    "\n\ndata: [DONE]\n\n",
);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().expect("request, answer, stream, long or agent");
    let times = arguments.next().and_then(|times| times.parse().ok()).expect("how often");
    let key = Key::new([7; 32]);
    let (short, long, agent) = (chat(1_000), chat(400_000), agent());
    for _ in 0..times {
        match what.as_str() {
            "request" => drop(black_box(read(Dialect::OpenaiChat, black_box(&short), &key))),
            "long" => drop(black_box(read(Dialect::OpenaiChat, black_box(&long), &key))),
            "agent" => {
                drop(black_box(read(Dialect::AnthropicMessages, black_box(&agent), &key)));
            }
            "answer" => meter(Framing::Whole, ANSWER),
            "stream" => meter(Framing::Sse, STREAM),
            _ => panic!("only request, answer, stream, long and agent are known"),
        }
    }
}

fn chat(characters: usize) -> Vec<u8> {
    let text: String = FOX.chars().cycle().take(characters).collect();
    format!(
        r#"{{"model":"gpt-4o","messages":[{{"role":"system","content":"Be brief."}},{{"role":"user","content":"{text}"}}]}}"#
    )
    .into_bytes()
}

fn agent() -> Vec<u8> {
    let text = |characters: usize| FOX.chars().cycle().take(characters).collect::<String>();
    let tool = |at: usize| {
        let about = text(400);
        format!(
            r#"{{"name":"tool_{at}","description":"{about}","input_schema":{{"type":"object","properties":{{"path":{{"type":"string","description":"Where it is."}},"limit":{{"type":"integer","minimum":1,"maximum":2000}}}},"required":["path"],"additionalProperties":false}}}}"#
        )
    };
    let tools: Vec<String> = (0..12).map(tool).collect();
    let turn = |at: usize| {
        let (asked, said) = (text(300), text(900));
        format!(
            r#"{{"role":"user","content":"{asked}"}},{{"role":"assistant","content":[{{"type":"text","text":"{asked}"}},{{"type":"tool_use","id":"toolu_{at}","name":"tool_{at}","input":{{"path":"src/lib.rs","limit":200}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_{at}","content":"{said}"}}]}}"#
        )
    };
    let turns: Vec<String> = (0..6).map(turn).collect();
    let (tools, turns, rules) = (tools.join(","), turns.join(","), text(8_000));
    format!(
        r#"{{"model":"claude-haiku-5-5","max_tokens":1024,"tools":[{tools}],"system":"{rules} Today is 2026-11-23.","messages":[{turns}]}}"#
    )
    .into_bytes()
}

fn meter(framing: Framing, answer: &str) {
    let mut meter = Meter::new(Dialect::OpenaiChat, framing, 200);
    meter.see(black_box(answer).as_bytes(), Time::EPOCH);
    black_box(meter.outcome(End::Complete));
}
