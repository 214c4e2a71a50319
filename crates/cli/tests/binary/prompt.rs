//! `scrimp prompt`: what prompts cost, and what is broken in their files.

use crate::ruled::Ruled;
use crate::support::{Place, fields};
use expect_test::expect;

const SUPPORT: &str = "\
# Support

Today is 2026-03-01. Please make sure to answer in the language of the customer.

## Orders

Never tell a customer the address of another customer.
An order looks like {\"id\": 48213, \"lines\": [{\"sku\": \"A-1\", \"count\": 2}]}.
Never tell a customer the address of another customer.

## Examples

Input: where is my bike?
Output: delivery

Input: I want my money back
Output: refund
";

#[test]
fn a_prompt_is_priced_by_section_and_every_suggestion_has_its_price() {
    let place = Place::new();
    place.write("support.txt", SUPPORT);
    let arguments =
        ["prompt", "lint", "support.txt", "--model", "gpt-4o", "--model", "claude-opus-5-5"];
    expect![[r#"
        1 prompt, 104 tokens (openai/gpt-4o)

        section     tokens  share
          Support       25    24%
          Orders        53    51%
          Examples      26    25%

        input of 1,000 calls       tokens  uncached  cached  tokens held
        openai/gpt-4o                 104     $0.26   $0.26            0
        anthropic/claude-opus-5-5    ~159     $0.64   $0.64            0

        2 examples: 23 tokens, 22% of a call

        suggestion  tokens  $/1,000  cached  prompts
        example        −12    0.030   0.030        1
          system, line 16: Input: I want my money back Output: refund (an example: `scrimp prompt examples`
          measures whether it is needed)
        example        −11    0.028   0.028        1
          system, line 13: Input: where is my bike? Output: delivery (an example: `scrimp prompt examples`
          measures whether it is needed)
        repeated       −10    0.025   0.025        1
          system, line 9: Never tell a customer the address of another customer. (said before, word for
          word)
        json            −5    0.012   0.012        1
          system, line 8: {"id": 48213, "lines": [{"sku": "A-1", "count": 2}]} (JSON written with blanks:
          the same without)
        wording         −4   0.0100  0.0100        1
          system, line 3: Please make sure to a (politeness and filler)

        note: `Today is 2026-03-01` (date) on line 3 ends what a cache can hold; here that costs nothing, as
              the instructions are too short to be cached, or end there
        note: tokens of claude-opus-5-5 are an estimate, ±20%
        note: priced at openai; 1 more: azure
        note: priced at anthropic; 2 more: vertex_ai, azure_ai
    "#]].assert_eq(&place.run(&arguments).done());
}

#[test]
fn a_clock_before_long_instructions_costs_what_the_cache_would_have_saved() {
    let place = Place::new();
    let rules: Vec<String> =
        (1..150).map(|n| format!("{n}. Goods of kind {n} leave on day {n}.")).collect();
    let body = serde_json::json!({"model": "claude-opus-5-5", "max_tokens": 9,
        "system": format!("It is 2026-03-01 09:00.\n{}", rules.join("\n")),
        "messages": [{"role": "user", "content": "When?"}]});
    place.write("late.json", body.to_string());
    expect![[r#"
        1 prompt, about 2,940 tokens (anthropic/claude-opus-5-5)

        section   tokens  share
        system     2,927   100%
        user           3     0%
        other         10     0%

        input of 1,000 calls       tokens  uncached  cached  tokens held
        anthropic/claude-opus-5-5  ~2,940    $11.76  $11.76            0

        suggestion  tokens  $/1,000  cached  prompts
        breaker          0        0   11.05        1
          system, line 1: 2026-03-01 09:00, time of day (ends what a cache can hold: move it behind the
          instructions, or into the last message)

        note: tokens of claude-opus-5-5 are an estimate, ±20%
        note: priced at anthropic; 2 more: vertex_ai, azure_ai
    "#]].assert_eq(&place.run(&["prompt", "lint", "late.json"]).done());
}

#[test]
fn several_prompts_show_what_is_alike_in_all_and_which_tools_nobody_calls() {
    let place = Place::new();
    for (name, question) in [("a", "one"), ("b", "two")] {
        let tool = |name: &str| {
            serde_json::json!({"type": "function", "function": {"name": name,
                "description": "Looks into the shop's books.", "parameters": {"type": "object",
                "properties": {"number": {"type": "string"}}}}})
        };
        let call = serde_json::json!({"name": "find", "arguments": "{\"number\": \"1\"}"});
        let rows =
            "[{\"id\": 1, \"at\": \"x\"}, {\"id\": 2, \"at\": \"y\"}, {\"id\": 3, \"at\": \"z\"}]";
        let body = serde_json::json!({"model": "gpt-4o", "tools": [tool("find"), tool("drop")],
            "messages": [
                {"role": "system", "content": "The time is 2026-03-01 09:00. Help. ".repeat(9)},
                {"role": "user", "content": question},
                {"role": "assistant", "tool_calls": [{"function": call}]},
                {"role": "tool", "content": rows}]});
        place.write(&format!("prompts/{name}.json"), body.to_string());
    }
    place.write("prompts/LICENSE", "Not a prompt.");
    expect![[r#"
        2 prompts, about 268 tokens each (openai/gpt-4o)

        section       tokens  share
        tools             42    16%
        system           154    57%
        user               1     0%
        tool calls         6     2%
        tool results      38    14%
        other             27    10%

        input of 1,000 calls  tokens  uncached  cached  tokens held
        openai/gpt-4o           ~268     $0.67   $0.67            0

        tool      tokens  $/1,000  called in
        drop         ~21    0.052          0
        find         ~21    0.052          2

        suggestion   tokens  $/1,000  cached  prompts
        repeated       −128     0.32    0.32        2
          system, line 1: The time is 2026-03-01 09:00. (said before, word for word)
        unused tool     −21    0.052   0.052        2
          tools: drop (never called in these prompts: is it needed?)
        table           −13    0.032   0.032        2
          tool results: 2 places (a list of alike objects: a table, beyond what JSON without blanks saves)
        json            −11    0.028   0.028        2
          tool results: 2 places (JSON written with blanks: the same without)
        layout           −1   0.0025  0.0025        2
          system: 2 places (rulers, decorated headings, blank lines, spaces at the ends of lines)

        note: `2026-03-01 09:00` (time of day) is the same in all 2 prompts here; if it is filled in anew at
              each call, nothing behind it is read from a cache
        note: priced at openai; 1 more: azure
    "#]].assert_eq(&place.run(&["prompt", "lint", "prompts"]).done());
    let json = place.run(&["prompt", "lint", "prompts", "--json"]).json();
    expect!["exact examples model models notes prompts sections suggestions tokens tools"]
        .assert_eq(&fields(&json).join(" "));
    expect!["advice found place prompts rewritable rule tokens usd_per_1000 usd_per_1000_cached"]
        .assert_eq(&fields(&json["suggestions"][0]).join(" "));
}

#[test]
fn a_file_that_is_no_prompt_is_named_with_its_line() {
    let place = Place::new();
    place.write("broken.json", "{\"messages\": [\n  {\"role\": \"user\",}]}");
    place.write("lines.jsonl", "{\"messages\": []}\n{\"id\": 7}\n");
    place.write("latin.txt", b"one\ncaf\xe9");
    place.write("empty.txt", "");
    let refused = |file: &str| place.run(&["prompt", "lint", file]).failed();
    expect![[r#"
        error: broken.json:2:19: not JSON: trailing comma
    "#]]
    .assert_eq(&refused("broken.json"));
    expect![[r#"
        error: lines.jsonl:2: no `messages`, `input`, `contents`, `system` or `prompt` in it
    "#]]
    .assert_eq(&refused("lines.jsonl"));
    expect![[r#"
        error: latin.txt:2: not text in UTF-8: it goes wrong at byte 7
    "#]]
    .assert_eq(&refused("latin.txt"));
    expect![[r#"
        error: empty.txt: the file is empty
    "#]]
    .assert_eq(&refused("empty.txt"));
    expect![[r#"
        error: missing.txt: No such file or directory (os error 2)
    "#]]
    .assert_eq(&refused("missing.txt"));
}

const SORTED: &str = "\
Sort the customer's message. Answer with one word.

Input: where is my bike?
Output: delivery

Input: I want my money back
Output: refund

Input: how tall am I?
Output: other

";

/// Half of the cases ask for money back, and are told so only by a model that has seen the example.
fn place_of_cases(count: usize) -> Place {
    let place = Place::new();
    place.write("sort.txt", SORTED);
    let case = |n: usize| match n % 2 {
        0 => format!("{{\"input\": \"Money back, order {n}!\", \"exact\": \"refund\"}}\n"),
        _ => format!("{{\"input\": \"Where is order {n}?\", \"exact\": \"delivery\"}}\n"),
    };
    place.write("cases.jsonl", (0..count).map(case).collect::<String>());
    place
}

fn sorts(body: &serde_json::Value) -> String {
    let text = |at: usize| body["messages"][at]["content"].as_str().unwrap();
    let is_known = text(0).contains("money back");
    match text(1).contains("Money back") {
        true if is_known => "Refund.".to_owned(),
        true => "other".to_owned(),
        false => "delivery".to_owned(),
    }
}

fn examples(ruled: &Ruled, more: &[&str]) -> Vec<String> {
    let target = format!("{}/gpt-4o", ruled.url);
    let usual = ["prompt", "examples", "sort.txt", "--eval", "cases.jsonl", "--target", &target];
    let margin = if more.contains(&"--margin") { &[][..] } else { &["--margin", "10%"] };
    usual.iter().chain(margin).chain(more).map(|word| (*word).to_owned()).collect()
}

fn run(place: &Place, arguments: &[String]) -> crate::support::Said {
    place.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn the_example_that_matters_is_kept_and_the_second_time_nothing_is_asked_twice() {
    let place = place_of_cases(120);
    // It is too busy once.
    let ruled = Ruled::by(|number, body| if number == 2 { Err(429) } else { Ok(sorts(body)) });
    let arguments = examples(&ruled, &["-o", "short.txt"]);
    expect![[r#"
        3 examples, 120 cases
        100% of 20 cases answered well with all of them; without
           1  +0.0  Input: where is my bike? Output: delivery
           2  −50.0  Input: I want my money back Output: refund
           3  +0.0  Input: how tall am I? Output: other
        tested 2: not worse by more than the margin: +0.0 points from 100% over 69 cases (α 0.025)
        keep 2: 44 → 22 tokens a call
        saves $0.055 in 1,000 calls, uncached
        quality is not more than 10 points lower, 95% sure at any look
        298 calls, 0 known from before; $0.10 spent in all
    "#]]
    .assert_eq(&run(&place, &arguments).done());
    let short = place.read("short.txt");
    assert!(short.contains("money back") && !short.contains("bike"), "{short}");
    let calls = ruled.calls();
    let again = run(&place, &[arguments, vec!["--json".to_owned()]].concat()).json();
    assert_eq!((ruled.calls(), &again["calls"], &again["kept"]), (calls, &0.into(), &[2].into()));
    expect!["added alpha calls cases examples kept left_out margin ordered_by quality reused saved_usd_per_1000 spent_usd tested tokens tokens_kept untold"].assert_eq(&fields(&again).join(" "));
}

#[test]
fn nobody_is_called_for_an_estimate_nor_where_nothing_could_be_decided() {
    let place = place_of_cases(120);
    let ruled = Ruled::by(|_, body| Ok(sorts(body)));
    let dry = run(&place, &examples(&ruled, &["--dry-run"])).done();
    expect![[r#"
        238 to 620 calls to URL/gpt-4o
        $0.026 (without answers, nothing cached) to $6.42 (every answer 1024 tokens long)
        nobody was called
    "#]]
    .assert_eq(&dry.replace(&ruled.url, "URL"));
    expect![[r#"
        error: 120 cases decide nothing at a margin of 2 points
        hint: at least 384 do; or a larger margin: --margin 10%
    "#]]
    .assert_eq(&run(&place, &examples(&ruled, &["--margin", "2%"])).failed());
    place.write("cases.jsonl", "{\"input\": \"x\", \"exact\": \"y\"}\n{\"input\": \"x\"}\n");
    expect![[r#"
        error: cases.jsonl:2: one of `exact`, `regex`, `json_schema`, `number`, `similar`, `judge` is asked for
    "#]]
    .assert_eq(&run(&place, &examples(&ruled, &[])).failed());
    let unpriced = examples(&ruled, &[]).join(" ").replace("gpt-4o", "mine");
    place.write("cases.jsonl", "{\"input\": \"x\", \"exact\": \"y\"}\n".repeat(200));
    let unpriced: Vec<String> = unpriced.split(' ').map(str::to_owned).collect();
    expect![[r#"
        error: no price of mine is known
        hint: so no sum can be the limit: --calls N says how many calls may be made
    "#]]
    .assert_eq(&run(&place, &unpriced).failed());
    assert_eq!(ruled.calls(), 0);
}

#[test]
fn a_cap_holds_and_what_was_paid_for_is_kept() {
    let place = place_of_cases(120);
    let ruled = Ruled::by(|_, body| Ok(sorts(body)));
    let said = run(&place, &examples(&ruled, &["--spend", "0.02", "--max-tokens", "100"]));
    // 100 and 10 tokens of gpt-4o are $0.00035; a call may cost more, and the last one must not.
    let calls = ruled.calls();
    assert!((50..=57).contains(&calls), "{calls}");
    assert_eq!(
        (said.exit, place.read("cases.jsonl.answers.jsonl").lines().count()),
        (Some(1), calls)
    );
    expect![[r#"
        error: the next call could pass the $0.02 that may be spent
        hint: --spend USD allows more; every answer so far is in cases.jsonl.answers.jsonl; the same command goes on from there
    "#]].assert_eq(&said.err);
    // A line that broke off is asked for again, and the others are not.
    let kept = place.read("cases.jsonl.answers.jsonl");
    place.write("cases.jsonl.answers.jsonl", &kept[..kept.len() - 9]);
    let found = run(&place, &examples(&ruled, &["--json"])).json();
    let all = place.read("cases.jsonl.answers.jsonl").lines().count();
    assert_eq!((&found["kept"], ruled.calls()), (&[2].into(), all + 1));
}

#[test]
fn ctrl_c_waits_for_the_call_that_is_paid_for() {
    let place = place_of_cases(120);
    let pid = std::sync::Arc::new(std::sync::OnceLock::<u32>::new());
    let known = pid.clone();
    let ruled = Ruled::by(move |number, body| {
        if number == 5 {
            let pid = known.wait().to_string();
            let sent = std::process::Command::new("kill").args(["-INT", &pid]).status();
            assert!(sent.unwrap().success());
        }
        Ok(sorts(body))
    });
    let arguments = examples(&ruled, &[]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let child = place.command(&arguments).spawn().unwrap();
    pid.set(child.id()).unwrap();
    let said = place.said(&child.wait_with_output().unwrap());
    assert_eq!(said.exit, Some(130), "{said:?}");
    assert_eq!(place.read("cases.jsonl.answers.jsonl").lines().count(), ruled.calls());
}

const WORDY: &str = "\
====================
SORTING
====================

Please make sure to sort the customer's message. Always answer with exactly one word.
The rules in force are {\"kinds\": [\"refund\", \"delivery\"], \"else\": \"other\"}.
Please always answer with exactly one word.
";

fn rewrite(ruled: &Ruled, more: &[&str]) -> Vec<String> {
    let target = format!("{}/gpt-4o", ruled.url);
    let usual = ["prompt", "rewrite", "wordy.txt", "--eval", "cases.jsonl", "--target", &target];
    usual.iter().chain(&["--margin", "10%"]).chain(more).map(|word| (*word).to_owned()).collect()
}

/// Money back is a refund to this model for as long as its prompt has `needed` in it.
fn reads(needed: &'static str) -> impl Fn(usize, &serde_json::Value) -> Result<String, u16> {
    move |_, body| {
        let text = |at: usize| body["messages"][at]["content"].as_str().unwrap().to_owned();
        if text(0).starts_with("Rewrite the prompt") {
            return Ok("Sort the message in one word.".to_owned());
        }
        let said = match text(1).contains("Money back") {
            true if text(0).contains(needed) => "refund",
            true => "other",
            false => "delivery",
        };
        Ok(said.to_owned())
    }
}

#[test]
fn a_shorter_form_is_only_shown_until_it_is_tested() {
    let place = Place::new();
    place.write("wordy.txt", WORDY);
    expect![[r#"
        62 tokens
          layout    rulers, decorated headings, blank lines, spaces at the ends of lines: 2 places
          wording   politeness and filler: 1 place
          json      JSON written with blanks: the same without: 1 place
          repeated  said before, word for word: 1 place
        by rules: 39 tokens; not tested
        by lossless rules: 59 tokens; not tested

        SORTING

        Sort the customer's message. Always answer with exactly one word.
        The rules in force are {"kinds":["refund","delivery"],"else":"other"}.

        only shown: --eval CASES --target URL/MODEL tests it, then -o FILE writes it
    "#]]
    .assert_eq(&place.run(&["prompt", "rewrite", "wordy.txt"]).done());
    let refused = place.run(&["prompt", "rewrite", "wordy.txt", "-o", "short.txt"]).misused();
    assert!(refused.contains("--eval"), "{refused}");
}

#[test]
fn a_form_is_adopted_where_it_answers_as_well_and_a_longer_one_where_it_does_not() {
    let place = place_of_cases(120);
    place.write("wordy.txt", WORDY);
    let ruled = Ruled::by(reads("refund"));
    let by = format!("{}/gpt-4o", ruled.url);
    expect![[r#"
        54 tokens
          layout    rulers, decorated headings, blank lines, spaces at the ends of lines: 2 places
          wording   politeness and filler: 1 place
          json      JSON written with blanks: the same without: 1 place
          repeated  said before, word for word: 1 place
        by model: 7 tokens; not decided: −66.7 points from 100% over 6 cases (α 0.025)
        by rules: 34 tokens; not worse by more than the margin: +0.0 points from 100% over 82 cases (α 0.0125)
        by lossless rules: 51 tokens; not tested
        adopted: by rules
        saves $0.050 in 1,000 calls, uncached
        171 calls, 6 known from before; $0.060 spent in all
    "#]]
    .assert_eq(&run(&place, &rewrite(&ruled, &["-o", "short.txt", "--by", &by])).done());
    expect![[r#"
        SORTING

        Sort the customer's message. Always answer with exactly one word.
        The rules in force are {"kinds":["refund","delivery"],"else":"other"}.
    "#]]
    .assert_eq(&place.read("short.txt"));
    let place = place_of_cases(120);
    place.write("wordy.txt", WORDY);
    let ruled = Ruled::by(reads("Please"));
    expect![[r#"
        54 tokens
          layout    rulers, decorated headings, blank lines, spaces at the ends of lines: 2 places
          wording   politeness and filler: 1 place
          json      JSON written with blanks: the same without: 1 place
          repeated  said before, word for word: 1 place
        by rules: 34 tokens; not decided: −66.7 points from 100% over 6 cases (α 0.025)
        by lossless rules: 51 tokens; not worse by more than the margin: +0.0 points from 100% over 82 cases (α 0.0125)
        adopted: by lossless rules
        saves $0.0075 in 1,000 calls, uncached
        170 calls, 6 known from before; $0.060 spent in all
    "#]].assert_eq(&run(&place, &rewrite(&ruled, &["-o", "short.txt"])).done());
    assert!(place.read("short.txt").contains("{\"kinds\":["));
    let place = place_of_cases(120);
    place.write("wordy.txt", WORDY);
    let ruled = Ruled::by(reads("[\"refund\", "));
    let found = run(&place, &rewrite(&ruled, &["-o", "short.txt", "--json"])).json();
    assert_eq!(found["adopted"], serde_json::Value::Null);
    assert!(!place.path("short.txt").exists());
    expect!["adopted alpha bill changes forms margin model saved_usd_per_1000 tokens"]
        .assert_eq(&fields(&found).join(" "));
}

/// Graded by another model: one that compares meanings, and one that judges.
#[test]
fn answers_are_graded_by_a_judge_or_by_what_they_mean_where_cases_ask_for_it() {
    let place = place_of_cases(120);
    let case = |n: usize| match n % 2 {
        0 => format!(
            "{{\"input\": \"Money back, {n}!\", \"similar\": \"refund\", \"least\": 0.9}}\n"
        ),
        _ => format!("{{\"input\": \"Where is {n}?\", \"judge\": \"It is about delivery.\"}}\n"),
    };
    place.write("cases.jsonl", (0..120).map(case).collect::<String>());
    let ruled = Ruled::by(|_, body| {
        if let Some(texts) = body["input"].as_array() {
            let is_refund =
                |text: &serde_json::Value| text.as_str().unwrap().to_lowercase().contains("refund");
            let vectors: Vec<_> =
                texts.iter().map(|t| if is_refund(t) { [1, 0] } else { [0, 1] }).collect();
            return Ok(serde_json::json!(vectors).to_string());
        }
        match body["messages"][0]["content"].as_str().unwrap().starts_with("You grade") {
            true if body["messages"][1]["content"].as_str().unwrap().contains("\ndelivery\n") => {
                Ok("YES".to_owned())
            }
            true => Ok("No.".to_owned()),
            false => Ok(sorts(body)),
        }
    });
    let refused = run(&place, &examples(&ruled, &[])).failed();
    expect![[r#"
        error: cases.jsonl: a case asks for `judge`
        hint: --judge URL/MODEL says who does that
    "#]]
    .assert_eq(&refused);
    let target = format!("{}/gpt-4o", ruled.url);
    let embedder = format!("{}/text-embedding-3-small", ruled.url);
    let helpers = ["--judge", &target, "--embed", &embedder, "--json"];
    let found = run(&place, &examples(&ruled, &helpers)).json();
    assert_eq!((&found["kept"], &found["quality"]), (&[2].into(), &1.0.into()), "{found}");
}

/// The simulated vendor, which speaks both dialects and tells its usage.
#[test]
fn a_target_may_speak_either_dialect() {
    let place = place_of_cases(0);
    place.write("cases.jsonl", "{\"input\": \"Hello\", \"regex\": \".\"}\n".repeat(100));
    let sim = place.start(&["sim", "--fast", "--listen", "127.0.0.1:0"]);
    for (model, dialect) in [("gpt-4o", "openai"), ("claude-opus-4-5", "anthropic")] {
        let target = format!("{}/v1/{model}", sim.url);
        let arguments = ["prompt", "examples", "sort.txt", "--eval", "cases.jsonl", "--target"];
        let more = [&target, "--dialect", dialect, "--margin", "10%", "--spend", "20", "--json"];
        let mut command = place.command(&[&arguments[..], &more[..]].concat());
        let output = command.env("SCRIMP_TARGET_KEY", "k").output().unwrap();
        let found = place.said(&output).json();
        // Whatever it says is a good answer here, so that no example is needed.
        assert_eq!(
            (&found["kept"], &found["untold"]),
            (&serde_json::json!([]), &0.into()),
            "{found}"
        );
        assert!(found["spent_usd"].as_str().unwrap().parse::<f64>().unwrap() > 0.0, "{found}");
    }
}
