//! JSON without white space between its parts.

use crate::scan::{Kind, Scanner, Text, Wrong};

/// A number of more digits is read differently by different programs; no measurement has as many.
const LONGEST_NUMBER: usize = 100;

/// An object or array of JSON without the white space between its parts. Strings and numbers stay
/// as they are spelled.
///
/// `None` for all that is no JSON, for what is as short already, and for what two readers could read
/// differently: a key that stands twice, a number of more than a hundred characters.
pub fn minify(text: &str) -> Option<String> {
    let trimmed = text.trim_ascii();
    let is_worth_it = trimmed.starts_with(['{', '['])
        && (trimmed.len() < text.len() || trimmed.bytes().any(|byte| byte.is_ascii_whitespace()));
    if !is_worth_it {
        return None;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut scanner = Scanner::new(trimmed.as_bytes());
    compact(&mut scanner, &mut out).ok()?;
    scanner.finish().ok()?;
    shorter(out, text)
}

/// `out` as a text, if it is shorter than `text`.
fn shorter(out: Vec<u8>, text: &str) -> Option<String> {
    (out.len() < text.len()).then(|| String::from_utf8(out).expect("parts of a text"))
}

/// A value that is not written in fewer bytes: it is no JSON, or it is doubtful.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeftAlone;

impl From<Wrong> for LeftAlone {
    fn from(_: Wrong) -> LeftAlone {
        LeftAlone
    }
}

/// Appends the next value without white space.
pub(super) fn compact(scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<(), LeftAlone> {
    match scanner.kind()? {
        Kind::String => {
            let text = scanner.string()?;
            quote(text, out);
        }
        Kind::Object => {
            let mut keys = Vec::new();
            let mut members = scanner.enter_object()?;
            out.push(b'{');
            while let Some(member) = scanner.member(&mut members)? {
                if !member.is_first {
                    out.push(b',');
                }
                quote(member.key, out);
                out.push(b':');
                keys.push(member.key);
                compact(scanner, out)?;
            }
            out.push(b'}');
            refuse_twice(&keys)?;
        }
        Kind::Array => {
            let mut elements = scanner.enter_array()?;
            let start = out.len() + 1;
            out.push(b'[');
            while scanner.element(&mut elements)? {
                if start < out.len() {
                    out.push(b',');
                }
                compact(scanner, out)?;
            }
            out.push(b']');
        }
        Kind::Number | Kind::Bool | Kind::Null => {
            let word = scanner.scalar()?;
            if LONGEST_NUMBER < word.len() {
                return Err(LeftAlone);
            }
            out.extend_from_slice(word);
        }
    }
    Ok(())
}

/// A string as it is spelled.
pub(super) fn quote(text: Text<'_>, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text.raw());
    out.push(b'"');
}

/// Refuses an object in which a key stands twice, however it is spelled.
pub(super) fn refuse_twice(keys: &[Text<'_>]) -> Result<(), LeftAlone> {
    if keys.len() < 2 {
        return Ok(());
    }
    let mut names: Vec<_> = keys.iter().map(|key| key.decoded()).collect();
    names.sort_unstable();
    match names.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(LeftAlone),
        false => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// JSON as people and programs write it: any values, indented by two or four, with Python's
    /// spaces, or without any.
    pub(crate) fn any_json() -> impl Strategy<Value = (Value, String)> {
        let text = prop_oneof!["[ -~]{0,12}", "\\PC{0,6}", any::<String>()];
        let number = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter_map("finite", serde_json::Number::from_f64)
                .prop_map(Value::Number),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number,
            text.clone().prop_map(Value::String),
        ];
        let value = leaf.prop_recursive(4, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
                prop::collection::btree_map(text.clone(), inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        });
        (value, 0_u8..4).prop_map(|(value, style)| {
            let written = match style {
                0 => serde_json::to_string(&value),
                1 => serde_json::to_string_pretty(&value),
                2 => serde_json::to_string(&value).map(|text| format!(" \r\n{text}\t")),
                _ => serde_json::to_string_pretty(&value).map(|text| text.replace("\n  ", "\n\t")),
            };
            // A reader may take a fraction for its neighbour, but always for the same one.
            let written = written.unwrap();
            (serde_json::from_str(&written).unwrap(), written)
        })
    }

    proptest! {
        #[test]
        fn the_same_value_is_read_from_what_is_shorter((value, written) in any_json()) {
            let Some(short) = minify(&written) else { return Ok(()) };
            prop_assert!(short.len() < written.len());
            prop_assert_eq!(serde_json::from_str::<Value>(&short).unwrap(), value);
            prop_assert_eq!(minify(&short), None);
        }

        #[test]
        fn any_text_is_valid_json_afterwards_only_if_it_was_before(text in "[\\[\\]{}\",: \n0-9a-e\\\\-]{0,40}") {
            if let Some(short) = minify(&text) {
                let before: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(serde_json::from_str::<Value>(&short).unwrap(), before);
            }
        }

        #[test]
        fn no_white_space_is_left_outside_of_strings((value, written) in any_json()) {
            if !matches!(value, Value::Object(_) | Value::Array(_)) {
                return Ok(());
            }
            let short = minify(&written).unwrap_or(written);
            let (mut is_inside, mut is_escaped) = (false, false);
            for c in short.chars() {
                prop_assert!(is_inside || !c.is_ascii_whitespace(), "{}", short);
                is_inside ^= c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
            }
        }
    }

    #[test]
    fn numbers_and_strings_stay_as_they_are_spelled() {
        for (text, short) in [
            (r#"{ "a" : 1.50 }"#, Some(r#"{"a":1.50}"#)),
            (r"[ 1e5, -0.0, 10000000000000000000000 ]", Some("[1e5,-0.0,10000000000000000000000]")),
            (r#"[ "\u0041\/\ud800", "a  b" ]"#, Some(r#"["\u0041\/\ud800","a  b"]"#)),
            ("\n{}\n", Some("{}")),
            (r#"{"a":[{},[]," "]}"#, None),
            ("true ", None),
            ("\"a string\" ", None),
            ("12.50 ", None),
            ("{} {}", None),
            ("{\"a\": 1,}", None),
            ("{ \"a\": NaN }", None),
            ("Error: [ 1 ]", None),
            ("", None),
        ] {
            assert_eq!(minify(text).as_deref(), short, "{text}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_left_alone() {
        let digits = "1".repeat(400);
        for text in [
            r#"{ "a": 1, "a": 2 }"#.to_owned(),
            r#"[ { "b": { "a": 1, "\u0061": 2 } } ]"#.to_owned(),
            format!("{{ \"n\": {digits} }}"),
            format!("[ 0.{digits} ]"),
            format!("{}{}", "[ ".repeat(200), "] ".repeat(200)),
        ] {
            assert_eq!(minify(&text), None, "{text}");
        }
    }
}
