//! The schema and the parser know the same keys, words and values.

use std::fmt::Write as _;

use serde_json::json;

use super::super::Config;
use super::*;

fn read(text: &str) -> Result<Config, String> {
    Config::parse("scrimp.toml", text, None, &|_| None).map_err(|error| error.to_string())
}

/// Every table of the schema: how its header is written, and its schema.
fn tables(at: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    found.push((at.to_owned(), schema.clone()));
    let below = |name: &str| match at {
        "" => name.to_owned(),
        at => format!("{at}.{name}"),
    };
    for (name, value) in schema["properties"].as_object().into_iter().flatten() {
        if value["type"] == "object" && value.get("properties").is_some() {
            tables(&below(name), value, found);
        }
        if value["additionalProperties"].is_object() {
            tables(&format!("{}.openai", below(name)), &value["additionalProperties"], found);
        }
    }
    for value in schema["patternProperties"].as_object().into_iter().flat_map(Map::values) {
        tables(&below("\"op:x\""), value, found);
    }
}

fn all_tables() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    tables("", &schema(), &mut found);
    found
}

fn with(table: &str, line: &str) -> String {
    match table {
        "" => format!("{line}\n"),
        table => format!("[{table}]\n{line}\n"),
    }
}

/// What the parser says there is, to whoever writes what there is not.
fn named(complaint: &str) -> Vec<String> {
    let listed = complaint.split_once("expected ").or(complaint.split_once("there are "));
    let listed = listed.map_or("", |(_, listed)| listed).split(';').next().unwrap_or_default();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let words = listed.trim_start_matches("one of ").split(|c| !is_word(c));
    let mut words: Vec<String> =
        words.filter(|word| !matches!(*word, "" | "or")).map(str::to_owned).collect();
    words.sort();
    words
}

#[test]
fn every_key_of_the_parser_is_in_the_schema_and_no_other() {
    let tables = all_tables();
    assert!(9 <= tables.len(), "the walk over the schema finds too little");
    for (table, schema) in tables {
        assert_eq!(schema["additionalProperties"], false, "[{table}] takes anything");
        let complaint = read(&with(&table, "zzzzzzzz = 1")).unwrap_err();
        assert!(complaint.contains("unknown field `zzzzzzzz`"), "{complaint}");
        let mut known: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        known.sort();
        assert_eq!(named(&complaint), known, "[{table}]");
    }
}

/// A value of the schema as TOML writes it: its type's words, its example, its default.
fn samples(schema: &Value) -> Vec<Value> {
    let mut samples: Vec<Value> = Vec::new();
    let words = schema["oneOf"].as_array().into_iter().flatten();
    samples.extend(words.map(|word| word["const"].clone()));
    for listed in ["enum", "examples"] {
        samples.extend(schema[listed].as_array().into_iter().flatten().cloned());
    }
    samples.extend(schema.get("default").cloned());
    if samples.is_empty() && schema["type"] == "integer" {
        samples.push(json!(2));
    }
    samples
}

#[test]
fn every_value_of_the_schema_is_taken_and_no_other_word() {
    let mut tried = 0;
    for (table, schema) in all_tables() {
        for (key, schema) in schema["properties"].as_object().unwrap() {
            for value in samples(schema) {
                let text = with(&table, &format!("{key} = {value}"));
                let read = read(&text);
                let is_taken = match &read {
                    // Bounds, and what else must be there, are told apart from the value's form.
                    Err(why) => {
                        let other =
                            ["must lie between", "needs a", "needs either", "missing field"];
                        other.iter().any(|other| why.contains(other))
                    }
                    Ok(_) => true,
                };
                assert!(is_taken, "{text}: {read:?}");
                tried += 1;
            }
            let words: Vec<_> = schema["oneOf"].as_array().into_iter().flatten().collect();
            if words.is_empty() {
                continue;
            }
            let complaint = read(&with(&table, &format!("{key} = \"zzzzzzzz\""))).unwrap_err();
            let mut known: Vec<_> =
                words.iter().map(|word| word["const"].as_str().unwrap().to_owned()).collect();
            known.sort();
            assert_eq!(named(&complaint), known, "{complaint}");
        }
    }
    assert!(60 < tried, "{tried}");
}

/// Keys that have no default, because a table makes no sense without them.
const REQUIRED: &[(&str, &str)] = &[
    ("targets", "targets = [\"openai/m\"]\n"),
    ("role", "role = \"viewer\"\ntoken = \"t\"\n"),
    ("certificate", "certificate = \"certificate.pem\"\n"),
    ("key", "key = \"key.pem\"\n"),
];

#[test]
fn every_default_is_what_holds_without_the_key() {
    let mut text = String::new();
    for (table, schema) in all_tables() {
        if table.contains("op:") {
            continue;
        }
        text += &with(&table, "").replace("\n\n", "\n");
        for (key, schema) in schema["properties"].as_object().unwrap() {
            if let Some(default) = schema.get("default").filter(|_| schema["type"] != "object") {
                writeln!(text, "{key} = {default}").unwrap();
            }
            if let Some((_, line)) = REQUIRED.iter().find(|(required, _)| required == key) {
                text += line;
            }
        }
    }
    let (said, unsaid) =
        (read(&text).unwrap(), read("[prompt_cache]\nstate = \"observe\"").unwrap());
    let usual = scrimp_store::Options::STANDARD;
    let secs = |span: scrimp_core::Span| span.nanos().cast_unsigned() / 1_000_000_000;
    assert_eq!(said.listen.address, unsaid.listen.address);
    assert_eq!(said.listen.hosts, unsaid.listen.hosts);
    assert_eq!(said.limits, unsaid.limits);
    assert_eq!(said.prompt_cache, unsaid.prompt_cache);
    assert_eq!(said.providers["openai"].metering, unsaid.providers["openai"].metering);
    assert_eq!(said.retention.unwrap().as_secs(), secs(usual.keep_records));
    assert_eq!(said.rollup_retention.unwrap().as_secs(), secs(usual.keep_hours));
}

#[test]
fn every_key_says_what_it_means_in_one_line() {
    for (table, schema) in all_tables() {
        for (key, schema) in schema["properties"].as_object().unwrap() {
            let said = schema["description"].as_str().unwrap_or_default();
            assert!(said.ends_with('.') && !said.contains('\n'), "[{table}] {key}: {said:?}");
        }
    }
}

#[test]
fn it_is_of_the_draft_that_editors_read_and_has_no_null() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(!schema.to_string().contains("null"), "{schema}");
}
