//! The keys of an object in one order.

use super::json::{LeftAlone, compact, quote, refuse_twice};
use crate::scan::{Kind, Scanner};

/// An object with its keys in order, those of the objects in it too, and without white space between
/// its parts. A program that writes the keys of a tool in another order each time then still sends
/// the same text.
///
/// `None` if they are in order already, and for what [`super::minify`] leaves alone.
pub fn canonical(text: &str) -> Option<String> {
    let mut scanner = Scanner::new(text.as_bytes());
    let mut sorted = Vec::with_capacity(text.len());
    ordered(&mut scanner, &mut sorted).ok()?;
    scanner.finish().ok()?;
    let mut plain = Vec::with_capacity(text.len());
    compact(&mut Scanner::new(text.as_bytes()), &mut plain).ok()?;
    (sorted != plain).then(|| String::from_utf8(sorted).expect("parts of a text"))
}

fn ordered(scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<(), LeftAlone> {
    match scanner.kind()? {
        Kind::Object => {
            let mut parts = Vec::new();
            let mut members = scanner.enter_object()?;
            while let Some(member) = scanner.member(&mut members)? {
                let mut value = Vec::new();
                ordered(scanner, &mut value)?;
                parts.push((member.key, value));
            }
            let keys: Vec<_> = parts.iter().map(|(key, _)| *key).collect();
            refuse_twice(&keys)?;
            parts.sort_by_cached_key(|(key, _)| key.decoded().into_owned());
            out.push(b'{');
            for (at, (key, value)) in parts.iter().enumerate() {
                if 0 < at {
                    out.push(b',');
                }
                quote(*key, out);
                out.push(b':');
                out.extend_from_slice(value);
            }
            out.push(b'}');
        }
        Kind::Array => {
            let mut elements = scanner.enter_array()?;
            let start = out.len() + 1;
            out.push(b'[');
            while scanner.element(&mut elements)? {
                if start < out.len() {
                    out.push(b',');
                }
                ordered(scanner, out)?;
            }
            out.push(b']');
        }
        Kind::String | Kind::Number | Kind::Bool | Kind::Null => compact(scanner, out)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::json::tests::any_json;
    use super::*;

    proptest! {
        #[test]
        fn the_same_value_is_read_and_again_changes_nothing((value, written) in any_json()) {
            let Some(sorted) = canonical(&written) else { return Ok(()) };
            prop_assert_eq!(serde_json::from_str::<Value>(&sorted).unwrap(), value);
            prop_assert_eq!(canonical(&sorted), None);
        }

        #[test]
        fn any_order_of_keys_gives_the_same_text(
            members in prop::collection::btree_map("[a-z]{1,3}", "[a-z]{0,3}", 2..8), seed: u64
        ) {
            let object = |members: &[(&String, &String)]| {
                let parts: Vec<_> = members.iter().map(|(k, v)| format!("\"{k}\": \"{v}\"")).collect();
                format!("{{{}}}", parts.join(", "))
            };
            let in_order: Vec<_> = members.iter().collect();
            let mut shuffled = in_order.clone();
            shuffled.sort_by_key(|(key, _)| scrimp_core::hash::chain(seed, scrimp_core::hash::text(key)));
            let compact = super::super::minify(&object(&in_order)).unwrap();
            let sorted = canonical(&object(&shuffled));
            prop_assert_eq!(sorted.is_none(), shuffled == in_order);
            prop_assert_eq!(sorted.unwrap_or_else(|| compact.clone()), compact);
        }
    }

    #[test]
    fn keys_of_all_levels_are_in_order_and_lists_stay() {
        for (text, sorted) in [
            (r#"{"name":"f","description":"d"}"#, Some(r#"{"description":"d","name":"f"}"#)),
            (r#"{"a": [{"z": 1, "b": [3, 1]}]}"#, Some(r#"{"a":[{"b":[3,1],"z":1}]}"#)),
            (r#"{ "a": 1, "b": 2 }"#, None),
            (r#"{"b":1,"a":1,"a":2}"#, None),
            ("[2, 1]", None),
            ("", None),
        ] {
            assert_eq!(canonical(text).as_deref(), sorted, "{text}");
        }
    }
}
