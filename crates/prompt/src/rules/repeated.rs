//! Sentences that were said before in the same text.

use std::collections::BTreeSet;

use super::{Spot, prose};

/// Shorter ones may mean another thing each time.
const FEWEST_WORDS: usize = 6;

/// Sentences and list items of which an earlier one has the same words. Letters' case, punctuation
/// and politeness make no difference; numbers and every other word do.
pub(super) fn spots(text: &str) -> Vec<Spot> {
    let mut said = BTreeSet::new();
    let mut found = Vec::new();
    for (start, line) in prose(text) {
        let ends = sentences(line);
        let mut all_are_repeated = !ends.is_empty();
        let mut of_line = Vec::new();
        for (from, to) in ends {
            let words = words(&line[from..to]);
            let is_new = words.len() < FEWEST_WORDS || said.insert(words);
            all_are_repeated &= !is_new;
            if !is_new {
                of_line.push(Spot { range: start + from..start + to, instead: String::new() });
            }
        }
        match all_are_repeated {
            // Nothing would be left of the line but its dash.
            true => found.push(Spot { range: start..start + line.len(), instead: String::new() }),
            false => found.extend(of_line),
        }
    }
    found
}

/// Where sentences begin and end in a line, the blanks behind them included.
fn sentences(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    let bytes = line.as_bytes();
    for at in 0..bytes.len() {
        let is_end =
            b".!?".contains(&bytes[at]) && bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace);
        if is_end {
            let blanks = bytes[at + 1..].iter().take_while(|byte| **byte == b' ').count();
            found.push((from, at + 1 + blanks));
            from = at + 1 + blanks;
        }
    }
    if !line[from..].trim().is_empty() {
        found.push((from, line.trim_end_matches('\n').len()));
    }
    found
}

fn words(sentence: &str) -> Vec<String> {
    let words = sentence.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '.');
    let words = words.map(|word| word.trim_matches('.').to_lowercase());
    words.filter(|word| !word.is_empty() && word != "please").collect()
}
