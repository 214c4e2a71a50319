//! Examples of one line each, without their labels.

use super::Spot;
use crate::examples::labelled;

/// Two pairs hardly pay for the line that says what stands where.
const FEWEST: usize = 3;
const BETWEEN: &str = " => ";

/// Labelled pairs whose question and answer are a line each, all with the same labels.
pub(super) fn spots(text: &str) -> Vec<Spot> {
    let ranges = labelled(text);
    let pairs: Option<Vec<Pair<'_>>> =
        ranges.iter().map(|range| pair(&text[range.clone()])).collect();
    let Some(pairs) = pairs.filter(|pairs| FEWEST <= pairs.len()) else { return Vec::new() };
    let Pair { labels, .. } = pairs[0];
    if pairs.iter().any(|pair| pair.labels != labels) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (range, Pair { asked, answered, .. }) in ranges.into_iter().zip(pairs) {
        let head = if found.is_empty() {
            format!("{}{BETWEEN}{}\n", labels[0], labels[1])
        } else {
            String::new()
        };
        found.push(Spot { range, instead: format!("{head}{asked}{BETWEEN}{answered}\n") });
    }
    // The line that says what stands where has to be earned by all of them.
    let (before, after) = found.iter().fold((0, 0), |(before, after), spot| {
        (before + spot.range.len(), after + spot.instead.len())
    });
    if before <= after {
        return Vec::new();
    }
    found
}

struct Pair<'t> {
    labels: [&'t str; 2],
    asked: &'t str,
    answered: &'t str,
}

fn pair(text: &str) -> Option<Pair<'_>> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let (asked, answered, None) = (lines.next()?, lines.next()?, lines.next()) else { return None };
    let (first, asked) = asked.split_once(':')?;
    let (second, answered) = answered.split_once(':')?;
    let is_plain = |text: &str| !text.contains([':', '{', '[']) && !text.contains(BETWEEN.trim());
    let (asked, answered) = (asked.trim(), answered.trim());
    (is_plain(asked) && is_plain(answered)).then(|| Pair {
        labels: [first.trim_matches(['*', ' ', '-']), second.trim_matches(['*', ' ', '-'])],
        asked,
        answered,
    })
}
