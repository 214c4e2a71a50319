//! The reference of every key as Markdown, made of the schema.

use std::fmt::Write as _;

use serde_json::Value;

use super::schema::schema;

const OPENING: &str = "\
# Configuration: every key

Made by `cargo xtask reference` from the definition that the parser reads by; `scrimp config schema` \
prints the same as JSON Schema. What it is for is told in [configuration.md](../configuration.md).

`${VAR}`, `env.VAR` and `os.environ/VAR` in texts are taken from the environment. Lengths of time are \
written `\"500ms\"`, `\"30s\"`, `\"5m\"`, `\"1h\"`, `\"14d\"`; sizes `\"64KiB\"`, `\"50MB\"` or bytes; \
shares `0.2` or `\"20%\"`.
";

/// Every table and every key: type, default, meaning.
pub fn reference() -> String {
    let mut text = OPENING.to_owned();
    section(&mut text, "", &schema());
    text
}

/// A table's keys, then the tables below it.
fn section(text: &mut String, name: &str, schema: &Value) {
    let keys = schema["properties"].as_object().into_iter().flatten();
    let (tables, values): (Vec<_>, Vec<_>) = keys.partition(|(_, key)| key["type"] == "object");
    if !values.is_empty() {
        text.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
    }
    for (key, value) in values {
        let required = schema["required"].as_array().into_iter().flatten().any(|name| name == key);
        let default = match value.get("default") {
            Some(default) => format!("`{default}`"),
            None if required => "must be said".to_owned(),
            None => "–".to_owned(),
        };
        let row = format!("| `{key}` | {} | {default} | {} |\n", kind(value), meaning(value));
        text.push_str(&row);
    }
    for (key, table) in tables {
        let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        self::table(text, &name, table);
    }
}

fn table(text: &mut String, name: &str, schema: &Value) {
    let placeholder = schema["x-key"].as_str().unwrap_or("NAME");
    let each = &schema["additionalProperties"];
    let header = match (each.is_object(), schema.get("patternProperties")) {
        (true, _) => format!("`[{name}.{placeholder}]`"),
        (false, Some(_)) => format!("`[{name}]`, `[{name}.{placeholder}]`"),
        (false, None) => format!("`[{name}]`"),
    };
    let meaning = schema["description"].as_str().unwrap_or_default();
    writeln!(text, "\n## {header}\n\n{meaning}").expect("a text takes everything");
    match each.is_object() {
        true => section(text, &format!("{name}.{placeholder}"), each),
        false => section(text, name, schema),
    }
}

/// The type in words.
fn kind(schema: &Value) -> String {
    if let Some(named) = schema["x-type"].as_str() {
        return named.to_owned();
    }
    if schema.get("oneOf").or(schema.get("enum")).is_some() {
        return "word".to_owned();
    }
    match schema["type"].as_str() {
        Some("string") => "text".to_owned(),
        Some("integer") => "number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => format!("list: {}", kind(&schema["items"])),
        _ => "one of several".to_owned(),
    }
}

/// What a key means, and each of its words.
fn meaning(schema: &Value) -> String {
    let mut text = schema["description"].as_str().unwrap_or_default().to_owned();
    for word in schema["oneOf"].as_array().into_iter().flatten() {
        let said = word["description"].as_str().unwrap_or_default();
        write!(text, "<br>`{}`: {said}", word["const"]).expect("a text takes everything");
    }
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_every_table_and_the_words_of_a_key() {
        let text = reference();
        for header in ["[listen]", "[providers.NAME]", "[models.ALIAS]", "[http]", "[store]"] {
            assert!(text.contains(&format!("\n## `{header}`\n")), "{header}");
        }
        assert!(text.contains("## `[prompt_cache]`, `[prompt_cache.\"SCOPE\"]`"), "{text}");
        assert!(text.contains("| `targets` | list: text | must be said | `[\"provider/model\"]`"));
        assert!(text.contains("| `ttl` | word | `\"short\"` | How long"));
        assert!(text.contains("<br>`\"1h\"`: The same as `long`. |"));
    }
}
