//! Politeness and filler that a model does not need: a table of phrases and what says the same.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::{Spot, prose};

/// What is written, in any case, and what could be. They are tried in this order.
const PHRASES: &[(&str, &str)] = &[
    (r"I would (?:really )?(?:like|appreciate it if) you (?:to|could) ", ""),
    (r"I want you to ", ""),
    (r"(?:could|can|would) you (?:please|kindly) ", ""),
    (r"your (?:task|job) is to ", ""),
    (r"(?:please|kindly),? (?:make sure|be sure|ensure) (?:to|that you) ", ""),
    (r"(?:make|be) sure (?:to|that you) ", ""),
    (r"it is (?:very |extremely )?important (?:to note )?that ", ""),
    (r"please (?:note|remember|keep in mind) that ", ""),
    (r"(?:please|kindly),? ", ""),
    (r", please\b", ""),
    (r"thank you(?: very much| so much)?(?: in advance)?[.!]*[ ]?", ""),
    (r"in order to ", "to "),
    (r"due to the fact that ", "because "),
    (r"in the event that ", "if "),
    (r"for the purpose of ", "for "),
    (r"at this point in time", "now"),
    (r"with regards? to ", "about "),
    (r"a (?:large|great) number of ", "many "),
    (r"has the ability to ", "can "),
    (r"as well as ", "and "),
    (r"(?:very|really|extremely) (?:important|crucial|essential)", "important"),
];

static ALL: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let regex = |phrase: &str| Regex::new(&format!("(?i){}{phrase}", boundary(phrase)));
    let made = |(phrase, short): &(&str, &'static str)| {
        (regex(phrase).expect("the table holds regular expressions"), *short)
    };
    PHRASES.iter().map(made).collect()
});

fn boundary(phrase: &str) -> &'static str {
    if phrase.starts_with(',') { "" } else { r"\b" }
}

/// Phrases that could be shorter. What stood at the beginning of a sentence begins it again.
pub(super) fn spots(text: &str) -> Vec<Spot> {
    let mut found: Vec<Spot> = Vec::new();
    for (start, line) in prose(text) {
        for (regex, short) in ALL.iter() {
            for hit in regex.find_iter(line) {
                let range = start + hit.start()..start + hit.end();
                let meets =
                    |other: &Spot| range.start < other.range.end && other.range.start < range.end;
                if !found.iter().any(meets) {
                    found.push(shorter(line, start, hit.range(), short));
                }
            }
        }
    }
    found
}

/// The spot of a phrase. Where nothing takes the place of a sentence's beginning, the letter behind it
/// begins the sentence.
fn shorter(line: &str, start: usize, hit: Range<usize>, short: &str) -> Spot {
    let mut instead = cased(short, &line[hit.clone()]);
    let mut end = hit.end;
    let begins = line[hit.clone()].starts_with(char::is_uppercase);
    if let Some(next) = line[end..].chars().next().filter(|_| begins && instead.is_empty()) {
        instead = next.to_uppercase().collect();
        end += next.len_utf8();
    }
    Spot { range: start + hit.start..start + end, instead }
}

fn cased(short: &str, long: &str) -> String {
    let mut letters = short.chars();
    match (letters.next(), long.chars().next()) {
        (Some(first), Some(like)) if like.is_uppercase() => {
            first.to_uppercase().chain(letters).collect()
        }
        _ => short.to_owned(),
    }
}
