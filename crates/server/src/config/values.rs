//! How single values are written in the file: lengths of time, sizes, shares, secrets.

use std::time::Duration;

use scrimp_core::Share;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// A length of time: `"500ms"`, `"30s"`, `"5m"`, `"1h"`, `"14d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Length(pub(super) Duration);

/// A size in bytes: a number, or `"64KiB"`, `"50MB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

/// A share: `0.2` or `"20%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Portion(pub(super) Share);

/// How to look a variable of the environment up.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

const LENGTHS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: &[(&str, u64)] = &[
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Whether a text is a length of time.
pub(super) fn is_length(text: &str) -> bool {
    measured(text, LENGTHS).is_some_and(|length| 0 < length)
}

/// A number and its unit. The longest unit that fits wins, so `ms` is not read as `s`.
fn measured(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let fits = units.iter().filter(|(unit, _)| text.ends_with(unit));
    let (unit, factor) = fits.max_by_key(|(unit, _)| unit.len())?;
    let number = text.strip_suffix(unit)?.trim().replace('_', "");
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

struct Words<T> {
    expected: &'static str,
    read: fn(&str) -> Option<T>,
    number: fn(f64) -> Option<T>,
}

impl<T> Visitor<'_> for Words<T> {
    type Value = T;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.expected)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text.trim()).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
    #[expect(clippy::cast_precision_loss, reason = "sizes and shares are far below 2^52")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        let wrong = E::invalid_value(Unexpected::Signed(number), &self);
        (self.number)(number as f64).ok_or(wrong)
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        (self.number)(number).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Length, D::Error> {
        deserializer.deserialize_any(Words {
            expected: "a length of time above 0, such as \"500ms\", \"30s\", \"5m\", \"1h\" or \"14d\"",
            read: |text| {
                let ms = measured(text, LENGTHS).filter(|ms| 0 < *ms)?;
                Some(Length(Duration::from_millis(ms)))
            },
            number: |_| None,
        })
    }
}

impl<'de> Deserialize<'de> for Size {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range is checked")]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        deserializer.deserialize_any(Words {
            expected: "a size in bytes, such as 65536, \"64KiB\" or \"50MB\"",
            read: |text| measured(text, SIZES).map(Size),
            number: |n| ((0.0..1e15).contains(&n) && n.fract() == 0.0).then_some(Size(n as u64)),
        })
    }
}

impl<'de> Deserialize<'de> for Portion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Portion, D::Error> {
        deserializer.deserialize_any(Words {
            expected: "a share between 0 and 1, such as 0.2 or \"20%\"",
            read: |text| portion(text.strip_suffix('%')?.trim().parse::<f64>().ok()? / 100.0),
            number: portion,
        })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range is checked")]
fn portion(share: f64) -> Option<Portion> {
    let millionths = (share * 1e6).round() as u32;
    (0.0..=1.0).contains(&share).then(|| Portion(Share::from_millionths(millionths)))
}

/// Puts variables of the environment in: `${VAR}` anywhere, `env.VAR` and `os.environ/VAR` as the
/// whole text. The error is the name of a variable that is not set.
pub(super) fn resolve(text: &str, environment: Lookup<'_>) -> Result<String, String> {
    let named = |name: &str| environment(name).ok_or_else(|| name.to_owned());
    if let Some(name) = text.strip_prefix("env.").or_else(|| text.strip_prefix("os.environ/")) {
        return named(name);
    }
    let (mut resolved, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else { break };
        resolved.push_str(before);
        resolved.push_str(&named(name)?);
        rest = tail;
    }
    Ok(resolved + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_whole() {
        assert_eq!(measured("500ms", LENGTHS), Some(500));
        assert_eq!(measured("5m", LENGTHS), Some(300_000));
        assert_eq!(measured("50MB", SIZES), Some(50_000_000));
        assert_eq!(measured("50 MiB", SIZES), Some(50 << 20));
        assert_eq!(measured("5 parsecs", LENGTHS), None);
        assert_eq!(measured("99999999999999999999d", LENGTHS), None);
    }

    #[test]
    fn variables_resolve_in_the_three_ways_of_the_field() {
        let environment = |name: &str| (name == "KEY").then(|| "sk-1".to_owned());
        for text in ["${KEY}", "env.KEY", "os.environ/KEY"] {
            assert_eq!(resolve(text, &environment), Ok("sk-1".to_owned()));
        }
        assert_eq!(resolve("a-${KEY}-b", &environment), Ok("a-sk-1-b".to_owned()));
        assert_eq!(resolve("plain", &environment), Ok("plain".to_owned()));
        assert_eq!(resolve("${OTHER}", &environment), Err("OTHER".to_owned()));
    }
}
