//! JSON that is written with blanks, and lists of alike objects that a table says shorter.

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};

use super::Spot;

/// A smaller value is not worth an edit.
const FEWEST_BYTES: usize = 12;
const FEWEST_ROWS: usize = 3;

/// Values of JSON in a text that would be shorter without blanks. Numbers, texts and the order of
/// members stay as they are written: only blanks between tokens go.
pub(super) fn spots(text: &str) -> Vec<Spot> {
    values(text)
        .into_iter()
        .map(|(start, value)| Spot { range: start..start + value.len(), instead: minified(value) })
        .filter(|spot| spot.instead.len() < spot.range.len())
        .collect()
}

/// Objects and arrays in a text, the outermost, with where they start.
fn values(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find(['{', '[']).map(|at| from + at) {
        let mut values = Deserializer::from_str(&text[at..]).into_iter::<IgnoredAny>();
        let length = match values.next() {
            Some(Ok(_)) => values.byte_offset(),
            _ => 0,
        };
        if FEWEST_BYTES <= length {
            found.push((at, &text[at..at + length]));
        }
        // Of what is no value, a part may be one; but a text of nothing but brackets must not be
        // read again from each of them, so a broken value is passed with its run of brackets.
        let run = text[at..].bytes().take_while(|byte| b"[{".contains(byte)).count();
        from = at + length.max(run);
    }
    found
}

/// JSON without blanks between its tokens.
pub fn minified(json: &str) -> String {
    let mut short = String::with_capacity(json.len());
    let (mut is_string, mut is_escaped) = (false, false);
    for c in json.chars() {
        if is_string || !c.is_ascii_whitespace() {
            short.push(c);
        }
        if !is_escaped && c == '"' {
            is_string = !is_string;
        }
        is_escaped = is_string && !is_escaped && c == '\\';
    }
    short
}

/// A list of objects that all have the same members, none of them nested, as a table: a line of
/// names and a line for each object, tabs between. `None` where it is none.
pub fn as_table(json: &str) -> Option<String> {
    let Value::Array(rows) = serde_json::from_str(json).ok()? else { return None };
    let names: Vec<&String> = rows.first()?.as_object()?.keys().collect();
    if rows.len() < FEWEST_ROWS {
        return None;
    }
    let mut lines = vec![names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("\t")];
    for row in &rows {
        let row = row.as_object()?;
        if row.len() != names.len() {
            return None;
        }
        let cells = names.iter().map(|name| match row.get(*name)? {
            Value::String(text) if !text.contains(['\t', '\n']) => Some(text.clone()),
            Value::Object(_) | Value::Array(_) | Value::String(_) => None,
            value => Some(value.to_string()),
        });
        lines.push(cells.collect::<Option<Vec<_>>>()?.join("\t"));
    }
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_blanks_between_tokens_go() {
        let json = "{\"a \\\" b\" : [1.0e5,\n  \"x  y\"] }";
        assert_eq!(minified(json), "{\"a \\\" b\":[1.0e5,\"x  y\"]}");
        assert_eq!(spots("see {curly} and [1, 2, 3, 4, 5, 6]").len(), 1);
        assert!(spots("[[[[[[[[ {\"a\":1} not json").is_empty());
    }

    #[test]
    fn alike_objects_become_a_table_and_others_do_not() {
        let rows = r#"[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"b": "z", "a": null}]"#;
        assert_eq!(as_table(rows).unwrap(), "a\tb\n1\tx\n2\ty\nnull\tz");
        assert_eq!(as_table(r#"[{"a": 1}, {"a": 2}, {"c": 3}]"#), None);
        assert_eq!(as_table(r#"[{"a": [1]}, {"a": 2}, {"a": 3}]"#), None);
        assert_eq!(as_table(r#"[{"a": 1}]"#), None);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "[a-z \\\\\"\n\t]{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c \"]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_minified_says_the_same(value in json()) {
            let pretty = format!("{value:#}");
            prop_assert_eq!(&minified(&pretty), &value.to_string());
        }
    }
}
