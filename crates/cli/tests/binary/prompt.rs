//! `scrimp prompt`: what prompts cost, and what is broken in their files.

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
        wording         −5    0.012   0.012        1
          system, line 3: Please make sure to (politeness and filler)
        json            −5    0.012   0.012        1
          system, line 8: {"id": 48213, "lines": [{"sku": "A-1", "count": 2}]} (JSON written with blanks:
          the same without)

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
    expect![[""]].assert_eq(&place.run(&["prompt", "lint", "late.json"]).done());
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
        note: `2026-03-01 09:00` (time of day) is the same in all 2 prompts here; if it is filled in anew at
              each call, nothing behind it is read from a cache
        note: `2026-03-01 09:00` (time of day) is the same in all 2 prompts here; if it is filled in anew at
              each call, nothing behind it is read from a cache
        note: `2026-03-01 09:00` (time of day) is the same in all 2 prompts here; if it is filled in anew at
              each call, nothing behind it is read from a cache
        note: `2026-03-01 09:00` (time of day) is the same in all 2 prompts here; if it is filled in anew at
              each call, nothing behind it is read from a cache
        note: `2026-03-01 09:00` (time of day) is the same in all 2 prompts here; if it is filled in anew at
              each call, nothing behind it is read from a cache
        note: `2026-03-01 09:00` (time of day) is the same in all 2 prompts here; if it is filled in anew at
              each call, nothing behind it is read from a cache
        note: `2026-03-01 09:00` (time of day) is the same in all 2 prompts here; if it is filled in anew at
              each call, nothing behind it is read from a cache
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
