//! What is likely to change from call to call, and ends the part of a prompt that a cache can hold.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// A place that ends a cacheable prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// What it looks like.
    pub what: &'static str,
    /// Which bytes of its text.
    pub range: Range<usize>,
}

/// What it is, and how it looks. The first that fits a place names it.
const LOOKS: &[(&str, &str)] = &[
    ("unique id", r"(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"),
    (
        "time of day",
        r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2}| [A-Z]{3,4}\b)?",
    ),
    ("time of day", r"(?i)\b(?:current|local) time(?: is|:)? \d{1,2}:\d{2}(?::\d{2})?"),
    ("seconds since 1970", r"\b1[6-9]\d{8}(?:\d{3})?\b"),
    (
        "date",
        r"(?i)(?:today(?:'s date)?(?: is|:)|current date(?: is|:)|as of) *(?:\d{4}-\d{2}-\d{2}|\w+,? \w+ \d{1,2},? \d{4}|\w+ \d{1,2},? \d{4}|\d{1,2}[./]\d{1,2}[./]\d{2,4})",
    ),
    (
        "hexadecimal id",
        r"\b(?:[0-9a-f]*[0-9][0-9a-f]*[a-f][0-9a-f]*|[0-9a-f]*[a-f][0-9a-f]*[0-9][0-9a-f]*)\b",
    ),
    (
        "name or id of a request",
        r"(?i)\b(?:request|trace|session|user|conversation)[ _-]?id\b *(?:is|[:=]) *[\w@.-]{4,}",
    ),
    ("template's variable", r"\{\{[^{}]{1,60}\}\}"),
];

/// Shorter hexadecimal numbers are colours and the like.
const SHORTEST_HEX: usize = 16;

static ALL: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let made = |(what, look): &(&'static str, &str)| {
        (*what, Regex::new(look).expect("the table holds regular expressions"))
    };
    LOOKS.iter().map(made).collect()
});

/// What in `text` looks as if it were another at every call, in its order.
pub fn breakers(text: &str) -> Vec<Breaker> {
    let mut found: Vec<Breaker> = Vec::new();
    for (what, regex) in ALL.iter() {
        for hit in regex.find_iter(text) {
            let range = hit.range();
            let is_short = *what == "hexadecimal id" && range.len() < SHORTEST_HEX;
            let meets =
                |other: &Breaker| range.start < other.range.end && other.range.start < range.end;
            if !is_short && !found.iter().any(meets) {
                found.push(Breaker { what, range });
            }
        }
    }
    found.sort_by_key(|breaker| breaker.range.start);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(&'static str, &str)> {
        breakers(text).into_iter().map(|b| (b.what, &text[b.range])).collect()
    }

    #[test]
    fn what_changes_is_seen_and_what_only_has_digits_is_not() {
        assert_eq!(
            told("The current time is 2024-05-15 15:00:00 EST. Request id: abc-123"),
            [
                ("time of day", "2024-05-15 15:00:00 EST"),
                ("name or id of a request", "Request id: abc-123")
            ]
        );
        assert_eq!(
            told("Today is Monday, May 5, 2026."),
            [("date", "Today is Monday, May 5, 2026")]
        );
        assert_eq!(told("3f2b8c1d9e7a4b6c5d0e"), [("hexadecimal id", "3f2b8c1d9e7a4b6c5d0e")]);
        assert_eq!(told("at 1732700000, hi {{name}}").len(), 2);
        let plain = "Version 2024-05-15 of the rules: 30 dollars, #ff00ff, order 1234567, 24 hours, \
                     facade, deadbeef, user id, email";
        assert_eq!(told(plain), []);
    }
}
