//! Every log format against a sample of our own making.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test reads its samples")]

mod reports;
mod tables;
mod tools;
mod traces;

use std::fs;
use std::path::PathBuf;

use expect_test::{Expect, expect};
use scrimp_core::{Entry, Time, UsageState};
use scrimp_wire::import::{self, IMPORTS, Reading, Source};

/// The sample of a format, whatever its extension.
pub(crate) fn sample(format: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut paths = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let path = paths.find(|path| path.file_stem().is_some_and(|stem| stem == format));
    fs::read(path.unwrap_or_else(|| panic!("no sample for the format `{format}`"))).unwrap()
}

pub(crate) fn read(bytes: &[u8]) -> Reading {
    let source = Source::new("sample", Time::from_secs(1_790_000_000));
    (import::recognise(bytes).unwrap().read)(bytes, &source)
}

fn line(entry: &Entry) -> String {
    let record = &entry.record;
    let usage = &record.metering.usage;
    let usage = match record.metering.state {
        UsageState::Unknown if record.metering.suspect => "suspect".to_owned(),
        UsageState::Unknown => "unknown".to_owned(),
        _ => format!(
            "in {}+{}r+{}s+{}l out {}",
            usage.uncached,
            usage.cache_read,
            usage.cache_write_short,
            usage.cache_write_long,
            usage.total_output()
        ),
    };
    let trail = entry.trail.as_ref().map(|trail| {
        let ends = trail.ends.iter().map(|end| format!("{}@{}", end.tokens, end.symbols));
        ends.collect::<Vec<_>>().join(" ")
    });
    format!(
        "{} {} {}: {usage}; took {}; trail {}; {:?}\n",
        record.call.arrived.millis(),
        record.call.operation,
        record.call.model,
        record.timing.ended.map_or("?".to_owned(), |took| took.to_string()),
        trail.unwrap_or_else(|| "none".to_owned()),
        record.ending,
    )
}

/// Everything that a row of a tool's log says: more than a trace does.
fn told(entry: &Entry) -> String {
    let Entry { record, .. } = entry;
    let part = |name: &str, value: Option<String>| {
        value.map(|value| format!("; {name} {value}")).unwrap_or_default()
    };
    let tags = record.call.caller.tags.iter().map(|(name, value)| format!("{name}={value}"));
    let tags = tags.collect::<Vec<_>>().join(" ");
    let usage = &record.metering.usage;
    let hidden =
        [("reasoning", usage.reasoning), ("audio", usage.audio_input + usage.audio_output)];
    let hidden = hidden.iter().filter(|(_, count)| 0 < *count);
    let hidden: Vec<String> = hidden.map(|(name, count)| format!(" ({name} {count})")).collect();
    let hidden = hidden.concat();
    let attempt = record.attempts.first();
    format!(
        "  {}{}{}{}{}{}{}\n",
        record.call.provider,
        hidden,
        part("cost", attempt.and_then(|attempt| attempt.cost).map(|cost| cost.to_string())),
        part("first", record.timing.first_content.map(|first| first.to_string())),
        part("session", record.call.caller.session.map(|_| "named".to_owned())),
        part("tags", Some(tags).filter(|tags| !tags.is_empty())),
        match (attempt, record.metering.suspect) {
            (None, _) => "; not sent",
            (_, true) => "; suspect",
            (_, false) => "",
        },
    )
}

/// Like [`check`], with what only tools' logs say.
pub(crate) fn check_told(bytes: &[u8], expected: &Expect) {
    let reading = read(bytes);
    let mut text: String = reading.entries.iter().map(|entry| line(entry) + &told(entry)).collect();
    text.extend(reading.skipped.iter().map(|skipped| format!("skipped {skipped}\n")));
    expected.assert_eq(&text);
}

fn check(bytes: &[u8], expected: &Expect) {
    let reading = read(bytes);
    let mut text: String = reading.entries.iter().map(line).collect();
    text.extend(reading.skipped.iter().map(|skipped| format!("skipped {skipped}\n")));
    expected.assert_eq(&text);
}

#[test]
fn every_format_has_a_sample_that_only_it_fits() {
    for import in IMPORTS {
        let bytes = sample(import.name);
        let fitting: Vec<_> = IMPORTS.iter().filter(|other| (other.fits)(&bytes).is_ok()).collect();
        let names: Vec<_> = fitting.iter().map(|import| import.name).collect();
        assert_eq!(names, [import.name]);
        let Reading { entries, aggregates, .. } = read(&bytes);
        assert!(!entries.is_empty() || !aggregates.is_empty(), "{}", import.name);
    }
}

#[test]
fn coding_agent_sessions() {
    check(
        &sample("agent-session"),
        &expect![[r#"
        1790000000000 coding-agent claude-opus-4-5-20251101: in 700+0r+0s+0l out 40; took 4.5s; trail 200@3 330@5 700@10; Answered { status: 200, finish: Some("tool_use") }
        1790000009000 coding-agent claude-opus-4-5-20251101: in 900+0r+0s+0l out 0; took ?; trail 200@3 330@5 900@14; Truncated { status: 200 }
        1790000012500 coding-agent claude-opus-4-5-20251101: in 905+0r+0s+0l out 120; took 6.2s; trail 200@3 330@5 905@14; Answered { status: 200, finish: Some("end_turn") }
        1790000030000 coding-agent/Explore claude-haiku-4-5-20251001: in 260+0r+0s+0l out 30; took 2.0s; trail 70@1 130@2 260@4; Answered { status: 200, finish: Some("tool_use") }
        1790000035000 coding-agent/Explore claude-haiku-4-5-20251001: in 300+0r+0s+0l out 25; took 2.5s; trail 70@1 130@2 300@4; Answered { status: 200, finish: Some("end_turn") }
    "#]],
    );
}

#[test]
fn mooncake_traces() {
    check(
        &sample("mooncake"),
        &expect![[r#"
        1790000000000 mooncake unknown: in 1300+0r+0s+0l out 50; took ?; trail 1024@2 1300@2; Answered { status: 200, finish: None }
        1790000002500 mooncake unknown: in 1536+0r+0s+0l out 75; took ?; trail 1536@3 1536@3; Answered { status: 200, finish: None }
        1790000061000 mooncake unknown: in 300+0r+0s+0l out 20; took ?; trail 0@0 300@0; Answered { status: 200, finish: None }
        skipped line 4: a length is negative, no whole number, or huge
    "#]],
    );
}

#[test]
fn claude_code_transcripts() {
    check(
        &sample("claude-code"),
        &expect![[r#"
        1772442000000 claude-code claude-sonnet-4-5-20250929: in 4+0r+15000s+0l out 95; took 6.5s; trail 14993@1 15004@2; Answered { status: 200, finish: Some("tool_use") }
        1772442007000 claude-code claude-sonnet-4-5-20250929: in 3+15004r+100s+120l out 60; took 5.0s; trail 14993@1 15227@5; Answered { status: 200, finish: Some("end_turn") }
        1772442600000 claude-code claude-sonnet-4-5-20250929: suspect; took 9.0s; trail none; Answered { status: 200, finish: Some("end_turn") }
        1772442660000 claude-code/sub-agent claude-sonnet-4-5-20250929: in 900+0r+0s+0l out 12; took 3.0s; trail 896@1 900@2; Answered { status: 200, finish: Some("end_turn") }
        1772442720000 claude-code claude-sonnet-4-5-20250929: unknown; took 3.0s; trail none; Answered { status: 200, finish: Some("end_turn") }
        skipped line 7: it breaks off after 55 bytes
    "#]],
    );
}

#[test]
fn claude_code_sessions_of_the_web() {
    check(
        &sample("claude-code-web"),
        &expect![[r#"
        1772442004000 claude-code unknown: unknown; took ?; trail none; Answered { status: 200, finish: None }
        1772442009500 claude-code unknown: unknown; took ?; trail none; Answered { status: 200, finish: None }
        1772442063000 claude-code claude-sonnet-4-5-20250929: in 40+0r+0s+0l out 6; took ?; trail none; Answered { status: 200, finish: Some("end_turn") }
        skipped line 16: `timestamp` is no time
        skipped line 17: a text where an object should be, at column 21
    "#]],
    );
}

#[test]
fn a_session_of_the_web_on_one_line_keeps_what_came_before_it_broke_off() {
    let long = "lamp ".repeat(1 << 18);
    let text = String::from_utf8(sample("claude-code-web")).unwrap();
    let text = text.replace('\n', "").replace("I will look.", &long);
    assert_eq!(import::recognise(text.as_bytes()).unwrap().name, "claude-code");
    let whole = read(text.as_bytes());
    let cut = read(&text.as_bytes()[..text.len() - 20]);
    assert_eq!((whole.entries.len(), cut.entries.len(), cut.skipped_lines), (3, 2, 3));
    assert!(cut.entries.iter().zip(&whole.entries).all(|(a, b)| a.record == b.record));
}

#[test]
fn own_records() {
    check(
        &sample("scrimp"),
        &expect![[r#"
        1772442000000 claude-code claude-sonnet-4-5-20250929: in 4+0r+15000s+0l out 95; took 6.5s; trail none; Answered { status: 200, finish: Some("tool_use") }
        1772442007000 claude-code claude-sonnet-4-5-20250929: in 3+15004r+100s+120l out 60; took 5.0s; trail none; Answered { status: 200, finish: Some("end_turn") }
        skipped line 3: a record of version 99; this program knows up to 2
    "#]],
    );
}

#[test]
fn a_file_that_breaks_off_keeps_what_came_before() {
    let bytes = sample("agent-session");
    let whole = read(&bytes);
    let cut = read(&bytes[..bytes.len() * 3 / 5]);
    assert_eq!((cut.entries.len(), cut.skipped_lines), (2, 1));
    assert!(cut.entries.iter().zip(&whole.entries).all(|(a, b)| a.record == b.record));
}

#[test]
fn an_unknown_format_is_told_what_was_tried() {
    let error = import::recognise(b"day,tokens\n2026-01-01,5\n").unwrap_err();
    expect![[r#"
        it is none of the known formats:
          not agent-session: it does not begin with `{`
          not mooncake, scrimp, claude-code, codex: no line is a JSON object
          not litellm: no first record has `call_type`
          not langfuse: no first record has `type`
          not helicone: no first record has `response_id`
          not portkey: no first record has `created_at`
          not bedrock: no first record has `schemaType`
          not har: its beginning has no `log` with `entries`
          not azure: no first record has `TIMESTAMP`
          not burstgpt: no first record has `Timestamp`
          not qwen-bailian: no first record has `chat_id`
          not vllm: no first record has `metrics`
          not openai-usage: no first record has `start_time`
          not anthropic-usage: no first record has `starting_at`
          not openrouter-activity: no first record has `date`
          not table: no columns for time, input and output tokens (name them with --columns "time=…,input=…,output=…")"#]]
    .assert_eq(&error.to_string());
    let error = import::recognise(b"{\"log\":{\"lines\":[]}}").unwrap_err();
    expect![[r#"
        it is none of the known formats:
          not agent-session: its beginning has no "block_size"
          not mooncake: its one line is no object with `timestamp`, `input_length`, `output_length` and `hash_ids`
          not scrimp: its one line is no object with `call`, `ending`, `metering` and `timing`
          not claude-code: its one line is no object with `type` and `message` as Claude Code writes them
          not codex: its one line is no object with `timestamp`, `type` and `payload` as Codex writes them
          not litellm: no first record has `call_type`
          not langfuse: no first record has `type`
          not helicone: no first record has `response_id`
          not portkey: no first record has `created_at`
          not bedrock: no first record has `schemaType`
          not har: its beginning has no `log` with `entries`
          not azure: no first record has `TIMESTAMP`
          not burstgpt: no first record has `Timestamp`
          not qwen-bailian: no first record has `chat_id`
          not vllm: no first record has `metrics`
          not openai-usage: no first record has `start_time`
          not anthropic-usage: no first record has `starting_at`
          not openrouter-activity: no first record has `date`
          not table: no columns for time, input and output tokens (name them with --columns "time=…,input=…,output=…")"#]].assert_eq(&error.to_string());
    let error = import::named("cohere").unwrap_err();
    expect!["there is no format `cohere`; there are: agent-session, mooncake, scrimp, claude-code, codex, litellm, langfuse, helicone, portkey, bedrock, har, azure, burstgpt, qwen-bailian, vllm, openai-usage, anthropic-usage, openrouter-activity, table"].assert_eq(&error.to_string());
}

#[test]
fn garbage_of_every_kind_is_refused_or_skipped_and_never_panics() {
    for import in IMPORTS {
        let bytes = sample(import.name);
        for cut in 0..bytes.len().min(600) {
            let source = Source::new("cut", Time::EPOCH);
            (import.read)(&bytes[..cut], &source);
            (import.read)(&bytes[cut..], &source);
        }
    }
    let deep = "[".repeat(100_000);
    assert!(import::recognise(deep.as_bytes()).is_err());
    assert!(import::recognise(&[0xff, 0xfe, 0x00]).is_err());
    assert!(import::recognise(b"").is_err());
}
