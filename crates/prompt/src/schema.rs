//! JSON Schema, as far as prompts use it: types, members, items, limits, alternatives.
//!
//! A keyword that would restrict and is not known is refused when the schema is read, so that nothing
//! passes that a whole validator would not let pass. (`format` only describes, as the standard says.)

use regex::Regex;
use serde_json::{Map, Value};

/// A schema whose every keyword is known.
#[derive(Clone, Debug)]
pub struct Schema(Value);

const KNOWN: [&str; 24] = [
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "$ref",
    "$defs",
    "definitions",
];
const DESCRIBE: [&str; 12] = [
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "format",
    "deprecated",
    "readOnly",
    "writeOnly",
    "strict",
];

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// If it has a keyword that is not known here.
    pub fn read(schema: &Value) -> Result<Schema, String> {
        check(schema)?;
        Ok(Schema(schema.clone()))
    }

    /// Whether `value` is as it says.
    pub fn fits(&self, value: &Value) -> bool {
        self.value(&self.0, value, 0)
    }

    fn value(&self, schema: &Value, value: &Value, depth: usize) -> bool {
        let Value::Object(words) = schema else { return *schema != Value::Bool(false) };
        // A schema that only refers to itself says nothing.
        depth < 64
            && words.iter().all(|(word, said)| self.word(words, word, said, value, depth + 1))
    }

    fn word(
        &self,
        words: &Map<String, Value>,
        word: &str,
        said: &Value,
        value: &Value,
        depth: usize,
    ) -> bool {
        let all = || said.as_array().into_iter().flatten();
        let fits = |schema: &Value| self.value(schema, value, depth);
        match word {
            "type" if said.is_array() => all().any(|name| is_of(name, value)),
            "type" => is_of(said, value),
            "enum" => all().any(|one| same(one, value)),
            "const" => same(said, value),
            "anyOf" => all().any(fits),
            "oneOf" => all().filter(|schema| fits(schema)).count() == 1,
            "allOf" => all().all(fits),
            "not" => !fits(said),
            "$ref" => self.referred(said).is_some_and(fits),
            _ => match value {
                Value::Object(members) => self.members(words, word, said, members, depth),
                Value::Array(items) => match word {
                    "items" => items.iter().all(|item| self.value(said, item, depth)),
                    "uniqueItems" if *said == Value::Bool(true) => {
                        (1..items.len()).all(|n| !items[..n].contains(&items[n]))
                    }
                    _ => length(word, "Items", said, items.len()),
                },
                Value::String(text) if word == "pattern" => {
                    let pattern = said.as_str().and_then(|text| Regex::new(text).ok());
                    pattern.is_some_and(|pattern| pattern.is_match(text))
                }
                Value::String(text) => length(word, "Length", said, text.chars().count()),
                Value::Number(number) => within(word, said, number.as_f64()),
                _ => true,
            },
        }
    }

    fn members(
        &self,
        words: &Map<String, Value>,
        word: &str,
        said: &Value,
        members: &Map<String, Value>,
        depth: usize,
    ) -> bool {
        match word {
            "required" => {
                let names = said.as_array().into_iter().flatten().filter_map(Value::as_str);
                names.into_iter().all(|name| members.contains_key(name))
            }
            "properties" => members
                .iter()
                .all(|(name, value)| said.get(name).is_none_or(|s| self.value(s, value, depth))),
            "additionalProperties" => {
                let is_named =
                    |name: &str| words.get("properties").is_some_and(|p| p.get(name).is_some());
                let others = members.iter().filter(|(name, _)| !is_named(name));
                others.into_iter().all(|(_, value)| self.value(said, value, depth))
            }
            _ => true,
        }
    }

    fn referred(&self, said: &Value) -> Option<&Value> {
        self.0.pointer(said.as_str()?.strip_prefix('#')?)
    }
}

fn check(schema: &Value) -> Result<(), String> {
    let Value::Object(words) = schema else {
        return match schema {
            Value::Bool(_) => Ok(()),
            _ => Err("a schema is an object".to_owned()),
        };
    };
    for (word, said) in words {
        if !KNOWN.contains(&word.as_str()) && !DESCRIBE.contains(&word.as_str()) {
            return Err(format!("`{word}` is not understood in a schema here"));
        }
        match (word.as_str(), said) {
            ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                named.values().try_for_each(check)?;
            }
            ("anyOf" | "oneOf" | "allOf", Value::Array(all)) => all.iter().try_for_each(check)?,
            ("items" | "additionalProperties" | "not", inner) => check(inner)?,
            ("$ref", Value::String(at)) if at.starts_with('#') => {}
            ("$ref", _) => return Err("`$ref` leads out of the schema".to_owned()),
            ("pattern", Value::String(pattern)) => {
                Regex::new(pattern).map_err(|error| format!("`pattern`: {error}"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap_or_default() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

/// `1` and `1.0` are the same number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => one == other,
    }
}

fn length(word: &str, of: &str, said: &Value, length: usize) -> bool {
    let limit = said.as_u64().and_then(|limit| usize::try_from(limit).ok());
    match (word.strip_suffix(of), limit) {
        (Some("min"), Some(limit)) => limit <= length,
        (Some("max"), Some(limit)) => length <= limit,
        _ => true,
    }
}

fn within(word: &str, said: &Value, number: Option<f64>) -> bool {
    let (Some(number), Some(limit)) = (number, said.as_f64()) else { return true };
    match word {
        "minimum" => limit <= number,
        "maximum" => number <= limit,
        "exclusiveMinimum" => limit < number,
        "exclusiveMaximum" => number < limit,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_schema_says_is_held_and_what_it_does_not_is_free() {
        let schema = Schema::read(&json!({
            "type": "object", "required": ["kind"], "additionalProperties": false,
            "properties": {
                "kind": {"enum": ["a", "b"]}, "n": {"type": "integer", "minimum": 1},
                "tags": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/tag"}},
            },
            "$defs": {"tag": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2}},
        }))
        .unwrap();
        for (value, fits) in [
            (json!({"kind": "a"}), true),
            (json!({"kind": "a", "n": 2.0, "tags": ["ab", "cd"]}), true),
            (json!({"kind": "c"}), false),
            (json!({"n": 1}), false),
            (json!({"kind": "a", "n": 0}), false),
            (json!({"kind": "a", "n": 1.5}), false),
            (json!({"kind": "a", "more": 1}), false),
            (json!({"kind": "a", "tags": ["A1"]}), false),
            (json!({"kind": "a", "tags": ["ab", "cd", "ef"]}), false),
            (json!([]), false),
        ] {
            assert_eq!(schema.fits(&value), fits, "{value}");
        }
    }

    #[test]
    fn a_keyword_that_would_restrict_and_is_not_known_is_refused() {
        let refused = |schema| Schema::read(&schema).unwrap_err();
        let depends = refused(json!({"anyOf": [{"dependentRequired": {}}]}));
        assert_eq!(depends, "`dependentRequired` is not understood in a schema here");
        assert!(refused(json!({"pattern": "("})).starts_with("`pattern`"));
        assert_eq!(refused(json!({"$ref": "https://x"})), "`$ref` leads out of the schema");
    }
}
