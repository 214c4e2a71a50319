//! Fields of foreign logs, read as tolerantly as logs are written carelessly.
//!
//! The same field is a number in one version of a tool and a text in the next, an object or that
//! object as a text. A field that makes no sense is no reason to lose its line: it says so itself.

use std::fmt;
use std::sync::Arc;

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};
use serde_json::value::RawValue;

use scrimp_core::{Span, Time, Usd};

use crate::meter::usage::Report;
use crate::scan::Scanner;

/// A word or a name; numbers are taken as they are written. Empty and anything else is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) Option<Arc<str>>);

/// A number, in digits or as a text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Number(pub(super) Option<f64>);

/// An amount in dollars, exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Money {
    #[default]
    Absent,
    Of(Usd),
    /// Negative, beyond belief, or no amount.
    Nonsense,
}

/// An amount on a bill, which may be money back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Charge(pub(super) Money);

/// A point in time: a date and time, or a number since 1970 whose size tells its unit. Without a
/// zone it is UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Moment {
    #[default]
    Absent,
    At(Time),
    Nonsense,
}

/// A value of its own kind, or the same as a text in JSON. `None` where it is neither.
#[derive(Clone, Debug)]
pub(super) struct Nested<T>(pub(super) Option<T>);

/// JSON as it stands, or out of the text that holds it.
#[derive(Clone, Debug, Default)]
pub(super) struct Json(pub(super) Option<Box<str>>);

/// Usage as an API reports it, of either family.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reported(pub(super) Option<Report>);

/// More than this for one line of a log is a mistake.
const MOST_DOLLARS: i128 = 1_000_000_000;

impl Text {
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// This, or else `other`.
    pub(super) fn or(self, other: Text) -> Text {
        Text(self.0.or(other.0))
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.get().is_some_and(|text| text.eq_ignore_ascii_case(word))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        let text = text.trim();
        Text((!text.is_empty()).then(|| text.into()))
    }
}

impl Number {
    /// As a span of so many seconds; a negative one is nobody's.
    pub(super) fn seconds(self) -> Option<Span> {
        self.0.filter(|number| 0.0 <= *number).map(Span::from_secs_f64)
    }

    /// As a span of so many milliseconds.
    pub(super) fn millis(self) -> Option<Span> {
        Number(self.0.map(|number| number / 1e3)).seconds()
    }
}

impl Money {
    /// Reads an amount; `$` before it does not matter.
    pub(super) fn read(text: &str) -> Money {
        let text = text.trim();
        let text = text.strip_prefix('$').unwrap_or(text);
        let limit = MOST_DOLLARS * 1_000_000_000_000;
        match (text, text.parse::<Usd>()) {
            ("" | "null", _) => Money::Absent,
            (_, Ok(usd)) if Usd::ZERO <= usd && usd.pico() <= limit => Money::Of(usd),
            _ => Money::Nonsense,
        }
    }

    /// This, or else so many cents.
    pub(super) fn or_cents(self, cents: Money) -> Money {
        match (self, cents) {
            (Money::Absent, Money::Of(usd)) => Money::Of(usd.scaled(1, 100)),
            (Money::Absent, other) => other,
            _ => self,
        }
    }

    pub(super) fn get(self) -> Option<Usd> {
        match self {
            Money::Of(usd) => Some(usd),
            Money::Absent | Money::Nonsense => None,
        }
    }
}

impl Moment {
    pub(super) fn get(self) -> Option<Time> {
        match self {
            Moment::At(time) => Some(time),
            Moment::Absent | Moment::Nonsense => None,
        }
    }

    pub(super) fn read(text: &str) -> Moment {
        let text = text.trim();
        if matches!(text, "" | "null" | "None") {
            return Moment::Absent;
        }
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        let time = match number {
            Some(number) => since_epoch(number),
            None => written(text),
        };
        time.map_or(Moment::Nonsense, Moment::At)
    }
}

/// Seconds, or as many thousands of them as the number is too large: a log is from 1973 to 5138.
#[expect(clippy::cast_possible_truncation, reason = "the unit was chosen so that it fits")]
fn since_epoch(number: f64) -> Option<Time> {
    let units: [(f64, f64); 4] = [(1e11, 1e9), (1e14, 1e6), (1e17, 1e3), (9e18, 1.0)];
    let (_, nanos) = units.into_iter().find(|(limit, _)| number < *limit)?;
    // Whole microseconds: a float holds no more of today's date.
    let micros = (number * (nanos / 1e3)).round();
    (0.0..9e15).contains(&micros).then(|| Time::from_nanos(micros as i64 * 1_000))
}

fn written(text: &str) -> Option<Time> {
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    let in_utc = || {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    let at = text.parse::<jiff::Timestamp>().ok().or_else(in_utc)?;
    i64::try_from(at.as_nanosecond()).ok().map(Time::from_nanos)
}

/// A raw value without the quotes of a text.
fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'de str, D::Error> {
    let value = <&RawValue>::deserialize(deserializer)?.get();
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Ok(inner.unwrap_or(value))
}

/// The JSON that stands here or in the text that stands here; `None` if neither does.
fn unwrapped<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<std::borrow::Cow<'de, str>>, D::Error> {
    let value = <&RawValue>::deserialize(deserializer)?.get();
    let json = match value.starts_with('"') {
        false => value.into(),
        true => serde_json::from_str::<String>(value).map_err(D::Error::custom)?.into(),
    };
    let is_json = |json: &std::borrow::Cow<'_, str>| json.trim_start().starts_with(['{', '[']);
    Ok(Some(json).filter(is_json))
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        raw(deserializer).map(Money::read)
    }
}

impl Charge {
    /// Reads an amount with its sign.
    pub(super) fn read(text: &str) -> Charge {
        Charge(match text.trim().strip_prefix('-').map(Money::read) {
            Some(Money::Of(usd)) => Money::Of(-usd),
            Some(_) => Money::Nonsense,
            None => Money::read(text),
        })
    }
}

impl<'de> Deserialize<'de> for Charge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Charge, D::Error> {
        raw(deserializer).map(Charge::read)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        raw(deserializer).map(Moment::read)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        let number = raw(deserializer)?.trim().parse().ok();
        Ok(Number(number.filter(|number: &f64| number.is_finite())))
    }
}

impl<T> Default for Nested<T> {
    fn default() -> Nested<T> {
        Nested(None)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Nested<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Nested<T>, D::Error> {
        let json = unwrapped(deserializer)?;
        Ok(Nested(json.and_then(|json| serde_json::from_str(&json).ok())))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        Ok(Json(unwrapped(deserializer)?.map(Into::into)))
    }
}

impl<'de> Deserialize<'de> for Reported {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Reported, D::Error> {
        let json = unwrapped(deserializer)?;
        let read = |json: &str| Report::read(&mut Scanner::new(json.as_bytes())).ok();
        Ok(Reported(json.and_then(|json| read(&json))))
    }
}

struct AnyText;

impl<'de> Visitor<'de> for AnyText {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(text.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string().into())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string().into())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string().into())))
    }

    fn visit_bool<E>(self, is: bool) -> Result<Text, E> {
        Ok(if is { "true" } else { "false" }.into())
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        deserializer.deserialize_any(AnyText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_the_same_in_every_spelling() {
        let expected = Moment::At(Time::from_nanos(1_737_710_446_847_371_000));
        for text in [
            "1737710446.847371",
            "1737710446847.371",
            "1737710446847371",
            "2025-01-24 09:20:46.847371",
            "2025-01-24T09:20:46.847371Z",
            "2025-01-24T10:20:46.847371+01:00",
            "2025-01-24 09:20:46.847371 UTC",
        ] {
            assert_eq!(Moment::read(text), expected, "{text}");
        }
        for text in ["soon", "-5", "1e300", "2025-13-40", "inf"] {
            assert_eq!(Moment::read(text), Moment::Nonsense, "{text}");
        }
        assert_eq!(Moment::read("null"), Moment::Absent);
    }

    #[test]
    fn an_amount_is_exact_or_not_believed() {
        let of = |text: &str| Money::Of(text.parse().unwrap());
        assert_eq!(Money::read("0.00022500000000000002"), of("0.000225"));
        assert_eq!(Money::read("$1.25"), of("1.25"));
        for text in ["-1", "1e30", "free", "NaN"] {
            assert_eq!(Money::read(text), Money::Nonsense, "{text}");
        }
        assert_eq!(Money::read(""), Money::Absent);
    }

    #[test]
    fn a_bill_has_money_back() {
        let of = |text: &str| Charge(Money::Of(text.parse().unwrap()));
        assert_eq!(Charge::read("-12.5"), of("-12.5"));
        assert_eq!(Charge::read("12.5"), of("12.5"));
        for text in ["--1", "-", "-x", "-1e30"] {
            assert_eq!(Charge::read(text), Charge(Money::Nonsense), "{text}");
        }
        assert_eq!(Charge::read("null"), Charge(Money::Absent));
    }
}
