//! What only a person sees: rulers, decoration around headings, blank lines, trailing spaces.

use std::sync::LazyLock;

use regex::Regex;

use super::{Spot, prose};

/// A line of nothing but a ruler.
static RULER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^[ \t]*(?:[-=*_#~]{4,}|[─━═]{3,})[ \t]*$"));
/// A heading between runs of signs.
static FRAMED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^[ \t]*(?:[=*#~_-]{3,}|[─━═]{2,})[ \t]*(.*?\w.*?)[ \t]*(?:[=*#~_-]{3,}|[─━═]{2,})[ \t]*$",
    )
});
/// A heading that is bold as well.
static BOLD: LazyLock<Regex> = LazyLock::new(|| regex(r"^(#+ )\*\*([^*]+)\*\*[ \t]*$"));

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("a regular expression of ours")
}

/// Decoration that could go.
pub(super) fn spots(text: &str) -> Vec<Spot> {
    let mut found = Vec::new();
    let mut blanks = 0;
    for (start, whole) in prose(text) {
        let line = whole.trim_end_matches('\n');
        let kept = line.trim_end();
        blanks = if kept.is_empty() { blanks + 1 } else { 0 };
        let instead = match () {
            // Of blank lines one says all; the last line's end is no line.
            () if 1 < blanks && whole.ends_with('\n') => {
                found.push(Spot { range: start..start + whole.len(), instead: String::new() });
                continue;
            }
            () if RULER.is_match(line) => {
                found.push(Spot { range: start..start + whole.len(), instead: String::new() });
                continue;
            }
            () => match FRAMED.captures(line).or_else(|| BOLD.captures(line)) {
                Some(parts) => parts.iter().skip(1).flatten().map(|part| part.as_str()).collect(),
                None => kept.to_owned(),
            },
        };
        if instead.len() < line.len() {
            let same = common(line, &instead);
            let range = start + same..start + line.len();
            found.push(Spot { range, instead: instead[same..].to_owned() });
        }
    }
    found
}

/// How many bytes two lines begin with alike, so that a spot is no larger than what changes.
fn common(line: &str, instead: &str) -> usize {
    let pairs = line.char_indices().zip(instead.chars());
    pairs.take_while(|((_, a), b)| a == b).map(|((at, a), _)| at + a.len_utf8()).last().unwrap_or(0)
}
