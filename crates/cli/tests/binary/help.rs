//! The command line itself: what it offers, and what it says to what it does not know.

use crate::support::Place;
use expect_test::{expect, expect_file};

const COMMANDS: [&[&str]; 32] = [
    &["demo"],
    &["serve"],
    &["analyze"],
    &["whatif"],
    &["run"],
    &["bypass"],
    &["top"],
    &["apply"],
    &["undo"],
    &["proof"],
    &["keys"],
    &["keys", "create"],
    &["keys", "list"],
    &["keys", "show"],
    &["keys", "revoke"],
    &["reconcile"],
    &["price"],
    &["tokens"],
    &["models"],
    &["prices"],
    &["prices", "update"],
    &["config"],
    &["config", "check"],
    &["config", "reference"],
    &["config", "schema"],
    &["config", "import"],
    &["store"],
    &["store", "step-down"],
    &["doctor"],
    &["sim"],
    &["completions"],
    &["man"],
];

#[test]
fn every_command_says_what_it_does() {
    let place = Place::new();
    let help = |command: &[&str]| {
        let arguments = [command, &["--help"]].concat();
        format!("──── scrimp {}\n{}", arguments.join(" "), place.run(&arguments).done())
    };
    let all = [&[][..]].into_iter().chain(COMMANDS).map(help).collect::<Vec<_>>();
    expect_file!["help.txt"].assert_eq(&all.join("\n"));
}

#[test]
fn the_version_is_said() {
    let said = Place::new().run(&["--version"]).done();
    assert_eq!(said, concat!("scrimp ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn what_is_not_known_is_wrong_usage() {
    let place = Place::new();
    expect![[r#"
        error: unexpected argument '--frob' found

        Usage: scrimp [COMMAND]

        For more information, try '--help'.
    "#]]
    .assert_eq(&place.run(&["--frob"]).misused());
    expect![[r#"
        error: unrecognized subcommand 'analyse'

          tip: a similar subcommand exists: 'analyze'

        Usage: scrimp [COMMAND]

        For more information, try '--help'.
    "#]]
    .assert_eq(&place.run(&["analyse", "logs"]).misused());
    expect![[r#"
        error: invalid value '0' for '--share <SHARE>': a share such as 20% or 0.2 is asked for

        For more information, try '--help'.
    "#]]
    .assert_eq(&place.run(&["apply", "F1", "--share", "0"]).misused());
    expect![[r#"
        error: the following required arguments were not provided:
          <PATHS>...

        Usage: scrimp whatif <PATHS>...

        For more information, try '--help'.
    "#]]
    .assert_eq(&place.run(&["whatif"]).misused());
    expect![[r#"
        error: the following required arguments were not provided:
          <MODEL>...

        Usage: scrimp price <MODEL>...

        For more information, try '--help'.
    "#]]
    .assert_eq(&place.run(&["price"]).misused());
    expect![[r#"
        error: invalid value 'soon' for '--for <TIME>': a time such as 60s or 2m is asked for

        For more information, try '--help'.
    "#]]
    .assert_eq(&place.run(&["demo", "--for", "soon"]).misused());
}

#[test]
fn a_value_that_cannot_be_meant_is_wrong_usage() {
    let wrong = |arguments: &[&str]| Place::new().run(arguments).misused();
    expect![[r#"
        error: invalid value 'foo' for '--prompt-cache <MODES>': `foo` is no prompt-cache policy that can be replayed; there are none, client, system:short, system:long, tail:short, tail:long, system+tail, anchor:2k, anchor:4k, anchor:8k, anchor:16k, anchor:32k, auto, bound

        For more information, try '--help'.
    "#]].assert_eq(&wrong(&["whatif", "logs", "--prompt-cache", "none,foo"]));
    expect![[r#"
        error: invalid value 'moncake' for '--format <FORMAT>'
          [possible values: agent-session, mooncake, scrimp, claude-code, codex, litellm, langfuse, helicone, portkey, bedrock, har, azure, burstgpt, qwen-bailian, vllm, openai-usage, anthropic-usage, openrouter-activity, table]

          tip: a similar value exists: 'mooncake'

        For more information, try '--help'.
    "#]]
    .assert_eq(&wrong(&["analyze", "logs", "--format", "moncake"]));
    expect![[r#"
        error: invalid value '2026-02-30' for '--at <DATE>': a day such as 2026-11-01 is asked for

        For more information, try '--help'.
    "#]]
    .assert_eq(&wrong(&["price", "claude-opus-4-5", "--at", "2026-02-30"]));
    expect![[r#"
        error: invalid value '0.5=banana' for '--fault <RULE>': there is no fault `banana`; there are an error's status (429, 529, …) and hang, reset, close, stall, midreset, midclose, badchunk, nodone, miderr, midjson, bytewise, crlf, cronly, comments, bom, multiline, nospace, ids, badutf8, hugeline, nousage, nullusage, hugeusage, cachedgtprompt, badjson, html, shortcl, longcl, bomb, badencoding, bighdr, manyhdr, hdrdrip, early, nocontent, notmodified, redirect, slow

        For more information, try '--help'.
    "#]].assert_eq(&wrong(&["sim", "--fault", "0.5=banana"]));
    expect![[r#"
        error: invalid value 'often=529' for '--fault <RULE>': `often=529` is no fault by chance; write it as PROBABILITY=FAULT, such as 0.01=529

        For more information, try '--help'.
    "#]].assert_eq(&wrong(&["sim", "--fault", "often=529"]));
    expect![[r#"
        error: invalid value 'https://example.com' for '--against <URL>': an address such as http://127.0.0.1:4100 is asked for

        For more information, try '--help'.
    "#]].assert_eq(&wrong(&["sim", "--play", "rag", "--against", "https://example.com"]));
}

#[test]
fn alone_in_an_empty_home_it_helps_and_leaves_nothing_behind() {
    let place = Place::new();
    let said = place.run(&[]).done();
    assert!(said.contains("Usage: scrimp [COMMAND]") && said.contains("demo"), "{said}");
    assert_eq!(std::fs::read_dir(place.path("home")).unwrap().count(), 0);
}

#[test]
fn alone_with_transcripts_it_analyses_them() {
    let place = Place::new();
    place.write("home/.claude/projects/x/one.jsonl", transcript());
    let said = place.run(&[]);
    expect![[r#"
        coding-agent transcripts in …/home/.claude/projects; more commands: scrimp --help
    "#]]
    .assert_eq(&said.err);
    expect![[r#"
        1 file, 3 calls, 120s
        $0.13   unpriced 0   unknown usage 0   errors 0%
        measured: cost of 3 calls, latency of 0; 39.3k tokens in, 1,200 out
        ! claude-code: latency is the time between the lines of the transcript
        ! …/home/.claude/projects/x/one.jsonl lacks all prompts, all latencies, all times of
          the first content

        operation    calls  errors  p50  p95     $  cached
        claude-code      3       0    ?    ?  0.13     63%

        operation    cache write, short      $  output      $  cache read      $  uncached input         $
        claude-code               14.4k  0.090   1,200  0.030       24.9k  0.012              15  0.000075

        model            calls  errors  p50  p95     $  cached
        claude-opus-4-5      3       0    ?    ?  0.13     63%

        worth doing: nothing found that the replay confirms
    "#]]
    .assert_eq(&said.done());
}

#[test]
fn sessions_of_codex_are_found_beside_those_of_claude_code() {
    let place = Place::new();
    place.write("home/.claude/projects/x/one.jsonl", transcript());
    let sample = include_str!("../../../wire/tests/samples/codex.jsonl");
    place.write("home/.codex/sessions/2026/03/02/rollout.jsonl", sample);
    let said = place.run(&[]);
    let folders = said.err.matches("coding-agent transcripts in").count();
    let analysed = said.done();
    let has = |operation: &str| analysed.lines().any(|line| line.starts_with(operation));
    assert!(folders == 2 && has("claude-code ") && has("codex "), "{analysed}");
}

#[test]
fn folders_of_transcripts_without_any_do_not_hide_the_help() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("home/.claude/projects/x")).unwrap();
    assert!(place.run(&[]).done().contains("Usage: scrimp"));
}

/// Three calls, each reading from the cache what the one before it wrote.
fn transcript() -> String {
    let line = |n: u32, read: u32, written: u32| {
        format!(
            r#"{{"type":"assistant","uuid":"u{n}","sessionId":"s","timestamp":"2026-03-02T09:0{n}:00Z","message":{{"id":"msg_{n}","model":"claude-opus-4-5","usage":{{"input_tokens":5,"output_tokens":400,"cache_creation_input_tokens":{written},"cache_read_input_tokens":{read}}}}}}}"#
        ) + "\n"
    };
    [line(1, 0, 12_000), line(2, 12_000, 900), line(3, 12_900, 1_500)].concat()
}

#[test]
fn without_a_command_it_says_where_it_looked_in_vain() {
    let said = Place::new().run(&[]);
    expect![[r#"
        no transcripts and no records of a gateway were found; looked in:
          …/home/.claude/projects
          …/home/.codex/sessions
          …/home/.local/share/scrimp

    "#]]
    .assert_eq(&said.err);
    assert!(said.done().contains("Begin with `scrimp demo`"));
}
