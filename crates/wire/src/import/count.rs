//! Numbers of tokens as logs hold them: usually a whole number, sometimes nonsense.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

use scrimp_core::usage::MOST_TOKENS;

use crate::meter::usage;

/// A number of tokens, or what stands in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Count {
    /// Nothing, or null.
    #[default]
    Absent,
    /// A number that can be believed.
    Of(u64),
    /// A negative, fractional or huge number, a text, an object: never to be added to anything.
    Nonsense,
}

impl Count {
    /// The number; nothing counts as none. `None` for nonsense.
    pub(super) fn or_zero(self) -> Option<u64> {
        match self {
            Count::Absent => Some(0),
            Count::Of(number) => Some(number),
            Count::Nonsense => None,
        }
    }

    fn believed(number: u64) -> Count {
        if MOST_TOKENS < number { Count::Nonsense } else { Count::Of(number) }
    }
}

impl From<Count> for usage::Count {
    fn from(count: Count) -> usage::Count {
        match count {
            Count::Absent => usage::Count::Absent,
            Count::Of(number) => usage::Count::Known(number),
            Count::Nonsense => usage::Count::Bad,
        }
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of tokens")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Count, E> {
        Ok(Count::believed(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Count, E> {
        Ok(u64::try_from(number).map_or(Count::Nonsense, Count::believed))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Count, E> {
        Ok(Count::Nonsense)
    }

    fn visit_str<E>(self, _: &str) -> Result<Count, E> {
        Ok(Count::Nonsense)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
        Ok(Count::Nonsense)
    }

    fn visit_unit<E>(self) -> Result<Count, E> {
        Ok(Count::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Count, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Count::Nonsense)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Count, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Count::Nonsense)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_kept_apart_from_nothing_and_from_numbers() {
        for (text, count) in [
            ("12", Count::Of(12)),
            ("0", Count::Of(0)),
            ("null", Count::Absent),
            ("-1", Count::Nonsense),
            ("1.5", Count::Nonsense),
            ("1e40", Count::Nonsense),
            ("18446744073709551615", Count::Nonsense),
            ("\"12\"", Count::Nonsense),
            ("{\"a\":[1]}", Count::Nonsense),
            ("[1,2]", Count::Nonsense),
            ("true", Count::Nonsense),
        ] {
            assert_eq!(serde_json::from_str::<Count>(text).unwrap(), count, "{text}");
        }
    }
}
