//! Writes about as many megabytes of made-up logs as are asked for, of several tools mixed: what
//! `cargo xtask bench import` reads.
//!
//! `cargo run --release -p scrimp-sim --example import_logs -- FOLDER MEGABYTES`

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

/// One kind of files: name, header, how line number `n` is written, and after how many lines a new
/// file begins.
type Kind = (&'static str, &'static str, fn(u64) -> String, u64);

const ONE: u64 = u64::MAX;

const KINDS: &[Kind] = &[
    ("litellm-spend.jsonl", "", spend, ONE),
    ("litellm-payloads.jsonl", "", payload, ONE),
    (
        "helicone.csv",
        "response_id,response_created_at,response_status,request_created_at,\
      request_body,request_properties,request_user_id,model,prompt_tokens,completion_tokens,\
      latency,cost\n",
        helicone,
        ONE,
    ),
    ("bedrock.jsonl", "", bedrock, ONE),
    ("langfuse.jsonl", "", langfuse, ONE),
    ("claude-code.jsonl", "", transcript, 4_000),
    ("codex.jsonl", "", codex, 600),
    (
        "table.csv",
        "time,model,input tokens,output tokens,cached tokens,cost,latency ms,user\n",
        table,
        ONE,
    ),
];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "import-logs".to_owned());
    let megabytes: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    std::fs::create_dir_all(&folder)?;
    let each = megabytes * 1_000_000 / KINDS.len() as u64;
    for (name, header, line, most_lines) in KINDS {
        let (mut written, mut lines) = (0, 0);
        while written < each {
            let (stem, end) = name.split_once('.').unwrap_or((name, "txt"));
            let name = format!("{stem}-{}.{end}", lines / most_lines);
            let mut file = BufWriter::new(File::create(Path::new(&folder).join(name))?);
            file.write_all(header.as_bytes())?;
            for at in 0..*most_lines {
                let text = line(lines + at);
                writeln!(file, "{text}")?;
                written += text.len() as u64 + 1;
                if each <= written {
                    break;
                }
            }
            lines = lines.saturating_add(*most_lines);
            file.flush()?;
        }
    }
    Ok(())
}

/// A number that looks drawn and is always the same.
fn mixed(n: u64) -> u64 {
    let n = (n ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    n ^ (n >> 29)
}

fn time(n: u64) -> String {
    let second = n * 3;
    let (day, rest) = (second / 86_400, second % 86_400);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!(
        "2026-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.250",
        1 + day / 28 % 12,
        1 + day % 28
    )
}

fn words(n: u64, count: u64) -> String {
    const WORDS: [&str; 8] =
        ["order", "ticket", "refund", "please", "status", "reply", "when", "is"];
    let word = |at| WORDS[usize::try_from(mixed(n + at) % 8).unwrap_or(0)];
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

fn messages(n: u64) -> String {
    let system = words(n % 5, 120);
    let user = words(n, 60);
    format!(r#"[{{"role":"system","content":"{system}"}},{{"role":"user","content":"{user}"}}]"#)
}

fn tokens(n: u64) -> (u64, u64, u64) {
    let input = 400 + mixed(n) % 3_000;
    (input, input / 3, 20 + mixed(n + 1) % 500)
}

fn spend(n: u64) -> String {
    let ((input, cached, output), at, total) = (tokens(n), time(n), tokens(n).0 + tokens(n).2);
    let end = time(n + 1);
    format!(
        r#"{{"request_id":"chatcmpl-s{n}","call_type":"acompletion","api_key":"88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b","spend":0.00{input},"total_tokens":{total},"prompt_tokens":{input},"completion_tokens":{output},"startTime":"{at}","endTime":"{end}","completionStartTime":"{at}","model":"gpt-4o","model_id":"","model_group":"gpt-4o","custom_llm_provider":"openai","api_base":"","user":"u{}","metadata":"{{\"user_api_key_alias\":null,\"usage_object\":{{\"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{total},\"prompt_tokens_details\":{{\"cached_tokens\":{cached}}}}}}}","cache_hit":"False","cache_key":"Cache OFF","request_tags":"[]","team_id":"t{}","end_user":"","session_id":"s{}","status":"success","messages":"{{}}","response":"{{}}"}}"#,
        n % 97,
        n % 5,
        n / 8
    )
}

fn payload(n: u64) -> String {
    let ((input, cached, output), at) = (tokens(n + 7), 1_767_225_600 + n * 3);
    format!(
        r#"{{"id":"chatcmpl-p{n}","trace_id":"t{}","call_type":"acompletion","stream":true,"status":"success","custom_llm_provider":"anthropic","model":"claude-sonnet-4-5-20250929","startTime":{at}.25,"endTime":{}.5,"completionStartTime":{at}.75,"response_cost":0.0{input},"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{},"metadata":{{"usage_object":{{"prompt_tokens":{input},"completion_tokens":{output},"cache_read_input_tokens":{cached}}}}},"messages":{},"response":{{"id":"chatcmpl-p{n}","choices":[{{"message":{{"role":"assistant","content":"{}"}}}}]}}}}"#,
        n / 6,
        at + 2,
        input + output,
        messages(n),
        words(n, 80)
    )
}

fn helicone(n: u64) -> String {
    let ((input, _, output), at) = (tokens(n + 3), time(n));
    let body =
        format!(r#"{{"model":"gpt-4o-mini","messages":{}}}"#, messages(n)).replace('"', "\"\"");
    format!(
        "\"chatcmpl-h{n}\",\"{at}Z\",\"200\",\"{at}Z\",\"{body}\",\"\",\"u{}\",\"gpt-4o-mini\",\"{input}\",\"{output}\",\"1200\",\"0.000{input}\"",
        n % 50
    )
}

fn bedrock(n: u64) -> String {
    let ((input, cached, output), at) = (tokens(n + 5), time(n));
    format!(
        r#"{{"schemaType":"ModelInvocationLog","schemaVersion":"1.0","timestamp":"{at}Z","accountId":"111122223333","region":"us-east-1","requestId":"b{n}","operation":"Converse","modelId":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","input":{{"inputContentType":"application/json","inputBodyJson":{{"messages":{}}},"inputTokenCount":{input},"cacheReadInputTokenCount":{cached}}},"output":{{"outputBodyJson":{{"metrics":{{"latencyMs":1850}},"output":"{}"}},"outputTokenCount":{output}}}}}"#,
        messages(n),
        words(n, 80)
    )
}

fn langfuse(n: u64) -> String {
    let ((input, cached, output), at) = (tokens(n + 9), time(n));
    let kind = if n.is_multiple_of(4) { "SPAN" } else { "GENERATION" };
    format!(
        r#"{{"id":"o{n}","trace_id":"t{}","type":"{kind}","parent_observation_id":null,"start_time":"{at}","end_time":"{}","name":"answer","level":"DEFAULT","input":{},"output":"{}","provided_model_name":"gpt-4o","usage_details":{{"input":{input},"input_cached_tokens":{cached},"output":{output}}},"total_cost":0.0{input}}}"#,
        n / 4,
        time(n + 1),
        messages(n),
        words(n, 80)
    )
}

fn transcript(n: u64) -> String {
    let ((input, cached, output), at) = (tokens(n + 11), time(n));
    let parent = n.checked_sub(1).filter(|_| !n.is_multiple_of(40));
    let parent = parent.map_or("null".to_owned(), |parent| format!("\"u{parent}\""));
    let text = words(n, 120);
    match n % 2 {
        0 => format!(
            r#"{{"type":"user","uuid":"u{n}","parentUuid":{parent},"sessionId":"s{}","timestamp":"{at}Z","message":{{"role":"user","content":"{text}"}}}}"#,
            n / 40
        ),
        _ => format!(
            r#"{{"type":"assistant","uuid":"u{n}","parentUuid":{parent},"sessionId":"s{}","timestamp":"{at}Z","message":{{"id":"msg_{n}","model":"claude-opus-4-5","role":"assistant","content":[{{"type":"text","text":"{text}"}}],"usage":{{"input_tokens":{input},"cache_read_input_tokens":{cached},"output_tokens":{output}}}}}}}"#,
            n / 40
        ),
    }
}

fn codex(n: u64) -> String {
    let ((input, cached, output), at) = (tokens(n + 13), time(n));
    match n % 3 {
        0 if n.is_multiple_of(600) => format!(
            r#"{{"timestamp":"{at}Z","type":"turn_context","payload":{{"model":"gpt-5.1-codex","cwd":"/home/me/shop"}}}}"#
        ),
        0 | 1 => format!(
            r#"{{"timestamp":"{at}Z","type":"response_item","payload":{{"type":"message","role":"{}","content":[{{"type":"text","text":"{}"}}]}}}}"#,
            if n.is_multiple_of(3) { "user" } else { "assistant" },
            words(n, 100)
        ),
        _ => format!(
            r#"{{"timestamp":"{at}Z","type":"event_msg","payload":{{"type":"token_count","info":{{"last_token_usage":{{"input_tokens":{input},"cached_input_tokens":{cached},"output_tokens":{output}}},"total_token_usage":{{"input_tokens":{},"output_tokens":{}}}}}}}}}"#,
            input * (1 + n % 600),
            output * (1 + n % 600)
        ),
    }
}

fn table(n: u64) -> String {
    let ((input, cached, output), at) = (tokens(n + 15), time(n));
    format!(
        "{at},gpt-4.1-mini,{input},{output},{cached},0.000{input},{},u{}",
        200 + mixed(n) % 5_000,
        n % 30
    )
}
