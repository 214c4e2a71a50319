//! A JSON value as the flat text that a model would be shown: strings as they are, structure as
//! control bytes that cost no tokens, cache marks left out, pictures as their digest.
//!
//! Two bodies that differ only in white space, escapes or marks render alike; that is what makes
//! "the exact rendered prefix" a thing that can be compared.

use crate::dice::digest;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;

/// Members that say how to cache and nothing about what the model sees.
const MARKS: [&str; 2] = ["cache_control", "prompt_cache_breakpoint"];

/// A string this long under `data` or `url` is a picture or a file, not text.
const BLOB: usize = 256;

/// Appends `value` to `out`; says how many pictures or files were in it.
pub(crate) fn render(value: &RawValue, out: &mut Vec<u8>) -> u32 {
    let mut images = 0;
    let mut reader = serde_json::Deserializer::from_str(value.get());
    let seed = Render { out, images: &mut images, place: Place::Plain };
    seed.deserialize(&mut reader).expect("a raw value is valid JSON");
    images
}

/// Where in the value a string stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Plain,
    /// Under a name that may hold a picture.
    MaybeBlob,
}

struct Render<'a> {
    out: &'a mut Vec<u8>,
    images: &'a mut u32,
    place: Place,
}

impl Render<'_> {
    fn number(self, value: impl fmt::Display) {
        write!(self.out, "{value}").expect("a vector takes every write");
    }
}

impl<'de> DeserializeSeed<'de> for Render<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Render<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.number(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.number(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.number(value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.number(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.push(0x05);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.out.push(0x01);
        if self.place == Place::MaybeBlob && (BLOB < value.len() || value.starts_with("data:")) {
            *self.images += 1;
            self.out.extend(digest(&[value.as_bytes()]).to_le_bytes().map(|byte| byte & 0x0F));
        } else {
            self.out.extend(value.as_bytes());
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Render { out, images, place: _ } = self;
        out.push(0x02);
        while seq.next_element_seed(Render { out, images, place: Place::Plain })?.is_some() {}
        out.push(0x03);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Render { out, images, place: _ } = self;
        out.push(0x02);
        while let Some(key) = map.next_key::<Cow<str>>()? {
            if MARKS.contains(&key.as_ref()) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            out.push(0x04);
            out.extend(key.as_bytes());
            let place = match key.as_ref() {
                "data" | "url" | "file_data" => Place::MaybeBlob,
                _ => Place::Plain,
            };
            map.next_value_seed(Render { out, images, place })?;
        }
        out.push(0x03);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(json: &str) -> (Vec<u8>, u32) {
        let value: &RawValue = serde_json::from_str(json).expect("JSON");
        let mut out = Vec::new();
        let images = render(value, &mut out);
        (out, images)
    }

    #[test]
    fn marks_and_white_space_do_not_show() {
        let plain = rendered(r#"{"type":"x","a":[1,true,null]}"#);
        assert_eq!(
            rendered(
                r#"{ "type" : "x", "cache_control":{"type":"ephemeral"}, "a":[1,true,null] }"#
            ),
            plain
        );
        assert_ne!(rendered(r#"{"type":"x","a":[1,true,"null"]}"#), plain);
    }

    #[test]
    fn pictures_are_counted_and_cost_no_text() {
        let (out, images) = rendered(&format!(r#"{{"data":"{}"}}"#, "A".repeat(5000)));
        assert_eq!(images, 1);
        assert_eq!(crate::tokens::count(&out), 1, "only the name `data`");
    }
}
