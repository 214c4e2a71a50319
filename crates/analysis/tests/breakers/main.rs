//! Prefix breakers in generated traffic: each kind that is planted is found and named, and none is
//! seen where nothing breaks.

mod traffic;

use scrimp_analysis::findings::{FINDINGS, Finding, Study};
use scrimp_analysis::profile::{Calendar, Profile};
use scrimp_analysis::replay::{Basis, Reading, Trace};
use scrimp_core::{Entry, Usd};
use traffic::{ALL, Planted, bodies, broken, clean, prices};

const SEEDS: u64 = 20;

fn breakers(entries: Vec<Entry>) -> Vec<Finding> {
    let prices = prices();
    let records = entries.iter().map(|entry| &entry.record);
    let profile = Profile::of(records, prices.clone(), Calendar::Real);
    let trace = Trace::from_entries(entries);
    let study =
        Study { profile: &profile, trace: &trace, prices: &prices, reading: Reading::Covers };
    let rule = FINDINGS.iter().find(|rule| rule.name == "breaker").expect("a rule");
    (rule.find)(&study)
}

fn words(planted: Planted) -> &'static str {
    match planted {
        Planted::Time => "a time of day",
        Planted::Date => "a date",
        Planted::Id => "an id",
        Planted::Random => "a random value",
        Planted::Number => "a number",
        Planted::KeyOrder | Planted::ToolKeyOrder => "another order of the same parts",
        Planted::ToolOrder => "another order of the same tools",
        Planted::ToolChanged => "a changed tool",
        Planted::ToolSet => "another set of tools",
        Planted::Trimmed => "earlier turns that were left out",
        Planted::Rewritten => "earlier turns that were changed",
        Planted::Model => "another model",
        Planted::Parameter => "another value of tool_choice, thinking or the answer's schema",
    }
}

#[test]
fn every_planted_breaker_is_found_and_named_and_no_other_is() {
    let mut wrong = Vec::new();
    for planted in ALL {
        for seed in 0..SEEDS {
            let found = breakers(broken(planted, seed));
            let titles: Vec<&str> = found.iter().map(|finding| &*finding.title).collect();
            let expected = format!("chat: {} in ", words(planted));
            let [finding] = &found[..] else {
                wrong.push(format!("{planted:?} {seed}: {titles:?}"));
                continue;
            };
            if !finding.title.starts_with(&expected) {
                wrong.push(format!("{planted:?} {seed}: {titles:?}"));
            }
            let usd = finding.usd.expect("it costs something");
            assert!(Usd::ZERO < usd.likely && finding.basis == Basis::Modelled);
            assert!(finding.change.is_none() && 3 <= finding.evidence.calls);
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn nothing_is_found_where_nothing_breaks() {
    for seed in 0..SEEDS {
        let found = breakers(clean(seed));
        let titles: Vec<&str> = found.iter().map(|finding| &*finding.title).collect();
        assert!(titles.is_empty(), "{seed}: {titles:#?}");
    }
}

/// Titles of what is found in calls with these bodies, half a minute apart.
fn told(bodies_in_order: &[String]) -> Vec<String> {
    let found = breakers(bodies(bodies_in_order));
    found.into_iter().map(|finding| finding.title).collect()
}

fn request(tools: &str, system: &str, messages: &str) -> String {
    format!(
        r#"{{"model":"model-a","max_tokens":9,"tools":[{tools}],"system":{system},"messages":[{messages}]}}"#
    )
}

fn clock(at: usize) -> String {
    let rules = "Answer what is asked and nothing else. ".repeat(200);
    format!(r#""It is 10:{:02}. {rules}""#, at % 60)
}

const ASKED: &str = r#"{"role":"user","content":"Why?"}"#;

#[test]
fn schemas_that_name_themselves_or_are_deep_or_say_a_key_twice_are_read_like_others() {
    let deep = format!("{}\"end\"{}", r#"{"items":"#.repeat(100), "}".repeat(100));
    let schemas = [
        r##"{"$ref":"#","$defs":{"node":{"properties":{"next":{"$ref":"#/$defs/node"}}}}}"##,
        &deep,
        r#"{"type":"object","type":"object","name":"x","name":"y","properties":{"a":{},"a":{}}}"#,
    ];
    let tool = |schema: &str| format!(r#"{{"name":"find","input_schema":{schema},"strict":true}}"#);
    let rules = format!("\"{}\"", "Answer what is asked and nothing else. ".repeat(200));
    for schema in schemas {
        let same: Vec<String> = (0..9).map(|_| request(&tool(schema), &rules, ASKED)).collect();
        assert_eq!(told(&same), [""; 0], "{schema}");
        let changed: Vec<String> = (0..9)
            .map(|at| {
                let named =
                    schema.replacen('{', &format!(r#"{{"title":"{}","#, "a".repeat(at + 1)), 1);
                request(&tool(&named), &rules, ASKED)
            })
            .collect();
        let expected = "chat: a changed tool in block 1 (a tool) ends what the cache can give";
        assert_eq!(told(&changed), [expected], "{schema}");
        let turned: Vec<String> = (0..9)
            .map(|at| {
                let strict = format!(r#"{{"strict":true,"input_schema":{schema},"name":"find"}}"#);
                request(&if at % 2 == 0 { tool(schema) } else { strict }, &rules, ASKED)
            })
            .collect();
        // Every second call reads what the one before the last has written.
        assert_eq!(told(&turned), [""; 0], "{schema}");
    }
}

#[test]
fn prompts_of_one_block_and_of_ten_thousand_are_told_like_others() {
    let one: Vec<String> = (0..9).map(|at| request("", &clock(at), "")).collect();
    let expected = "chat: a time of day in block 1 (instructions) ends what the cache can give";
    assert_eq!(told(&one), [expected]);
    let many = vec![ASKED; 10_000].join(",");
    let many: Vec<String> = (0..9).map(|at| request("", &clock(at), &many)).collect();
    assert_eq!(told(&many), [expected]);
}

#[test]
fn blocks_of_types_that_nobody_knows_are_compared_like_others() {
    let content = |at: usize| {
        let odd = format!(r#"{{"type":"hologram","angle":{at}}}"#);
        let text = "What all have in common. ".repeat(300);
        format!(r#"{{"role":"user","content":[{odd},{{"type":"text","text":"{text}"}},7,null]}}"#)
    };
    let same: Vec<String> = (0..9).map(|_| request("", "\"Be brief.\"", &content(1))).collect();
    assert_eq!(told(&same), [""; 0]);
    let other: Vec<String> = (0..9).map(|at| request("", "\"Be brief.\"", &content(at))).collect();
    let expected = "chat: another text in block 2 (the user's) ends what the cache can give";
    assert_eq!(told(&other), [expected]);
}

#[test]
fn the_place_of_what_changes_is_told_in_bytes() {
    let bodies_in_order: Vec<String> = (0..9).map(|at| request("", &clock(at), ASKED)).collect();
    let found = breakers(bodies(&bodies_in_order));
    let facts = &found[0].evidence.facts;
    assert!(facts[0].ends_with("a time of day, in bytes 6 to 11 of the block"), "{facts:#?}");
    // Beyond the first chunk, and with nothing that looks like anything.
    let rules = "Answer what is asked and nothing else. ".repeat(300);
    let long = |at: usize| format!("\"{rules}{} {rules}\"", "x".repeat(at + 1));
    let more = r#"{"role":"user","content":"What all have in common, QUITE"}"#
        .replace("QUITE", &"at some length. ".repeat(900));
    let bodies_in_order: Vec<String> = (0..9).map(|at| request("", &long(at), &more)).collect();
    let found = breakers(bodies(&bodies_in_order));
    let facts = &found[0].evidence.facts;
    assert!(facts[0].ends_with("another text, in bytes 8192 to 16384 of the block"), "{facts:#?}");
}
