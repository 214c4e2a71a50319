//! What shaping saves on the JSON that tools return, in tokens of `o200k_base`.
//!
//! `shaped_tokens < FILE`: a JSON document, or several one after the other, anywhere in which there
//! are messages with the role `tool` and a text as content. Of each content that is an object or an
//! array it counts the tokens as it came, indented by two spaces, as Python's `json.dumps` writes it,
//! minified, and as a table where it is one. Prints one line for each form and each tool.

#![expect(clippy::print_stdout, reason = "it prints the result")]

use std::collections::BTreeMap;
use std::io::Read as _;

use scrimp_tokens::Vocabulary;
use scrimp_wire::shape::{minify, table};
use serde_json::Value;

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("text comes in");
    let mut results = Vec::new();
    for document in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
        collect(&document.expect("JSON comes in"), &mut results);
    }
    let vocabulary = Vocabulary::of_encoding("o200k_base").expect("a vocabulary that is carried");
    let count = |text: &str| vocabulary.count(text).tokens;
    let mut sums = [0_u64; 5];
    let mut by_tool: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    let (mut read, mut tables) = (0, 0);
    for (tool, result) in &results {
        let is_json =
            matches!(serde_json::from_str(result), Ok(Value::Object(_) | Value::Array(_)));
        if !is_json {
            continue;
        }
        read += 1;
        let pretty = written(result, Style::Indented);
        let minified = minify(&pretty).unwrap_or_else(|| pretty.clone());
        let as_table = table(&pretty);
        tables += usize::from(as_table.is_some());
        let forms = [
            count(result),
            count(&pretty),
            count(&written(result, Style::Spaced)),
            count(&minified),
            count(as_table.as_ref().unwrap_or(&minified)),
        ];
        let tool = by_tool.entry(tool).or_default();
        tool.iter_mut().zip([1, forms[1], forms[3]]).for_each(|(sum, more)| *sum += more);
        sums.iter_mut().zip(forms).for_each(|(sum, tokens)| *sum += tokens);
    }
    println!("{read} of {} tool results are JSON, {tables} of them tables", results.len());
    let names = ["as they came", "two spaces", "json.dumps", "minified", "minified or a table"];
    for (name, tokens) in names.into_iter().zip(sums) {
        #[expect(clippy::cast_precision_loss, reason = "a share, for people")]
        let less = |than: u64| 100.0 - tokens as f64 * 100.0 / than as f64;
        println!(
            "{name}: {tokens} tokens, {:.1} % fewer than with two spaces, {:.1} % than json.dumps, \
             {:.1} % than as they came",
            less(sums[1]),
            less(sums[2]),
            less(sums[0])
        );
    }
    for (tool, [results, pretty, minified]) in by_tool {
        println!("{tool}: {results} results, {pretty} tokens with two spaces, {minified} minified");
    }
}

/// The contents of all messages of tools, with the tools' names.
fn collect(value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            if let (Some("tool"), Some(Value::String(content))) =
                (value["role"].as_str(), members.get("content"))
            {
                let tool = value["name"].as_str().unwrap_or("a tool");
                found.push((tool.to_owned(), content.clone()));
            }
            members.values().for_each(|value| collect(value, found));
        }
        Value::Array(elements) => elements.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// By two spaces a level.
    Indented,
    /// With a space behind commas and colons.
    Spaced,
}

/// JSON in another style; keys, strings and numbers stay as they are spelled.
fn written(json: &str, style: Style) -> String {
    let (mut out, mut depth, mut is_inside, mut is_escaped) = (String::new(), 0, false, false);
    let break_line = |out: &mut String, depth: usize| {
        if style == Style::Indented {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        }
    };
    for c in json.chars() {
        if is_inside || c == '"' {
            is_inside ^= c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            out.push(c);
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                depth += 1;
                break_line(&mut out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                if out.trim_end().ends_with(['{', '[']) {
                    out.truncate(out.trim_end().len());
                } else {
                    break_line(&mut out, depth);
                }
                out.push(c);
            }
            ',' if style == Style::Indented => {
                out.push(',');
                break_line(&mut out, depth);
            }
            ',' | ':' => out.extend([c, ' ']),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}
