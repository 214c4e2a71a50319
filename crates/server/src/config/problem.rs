//! What is wrong with a configuration: where, and what was probably meant.

use std::fmt;
use std::ops::Range;

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: String,
    /// Line and column, both from 1; `None` where the fault is in no single place.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// A fault in no single place.
    pub(crate) fn nowhere(file: &str, message: String) -> ConfigError {
        ConfigError { file: file.to_owned(), place: None, message, suggestion: None }
    }
}

/// A text and its name, to point into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn wrong(&self, span: Option<Range<usize>>, message: String) -> ConfigError {
        let place = span.map(|span| place(self.text, span.start));
        ConfigError { file: self.file.to_owned(), place, message, suggestion: None }
    }

    pub(super) fn misread(&self, error: &toml::de::Error) -> ConfigError {
        let mut wrong = self.wrong(error.span(), error.message().trim().replace('\n', "; "));
        wrong.suggestion = suggestion(error.message());
        wrong
    }
}

fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let lines = before.split(|byte| *byte == b'\n');
    let column = lines.clone().next_back().map_or(0, <[u8]>::len) + 1;
    (lines.count(), column)
}

/// Serde's message names in backticks first what was found, then what may stand there.
fn suggestion(message: &str) -> Option<String> {
    let quoted = message.split('`').skip(1).step_by(2).collect::<Vec<_>>();
    let (found, known) = quoted.split_first()?;
    nearest(found, known.iter().copied())
}

/// The known name that `found` is most likely a slip of, if any is near.
pub(super) fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let near = known.map(|name| (distance(found, name), name)).min()?;
    (near.0 <= 1 + found.len() / 4).then(|| near.1.to_owned())
}

/// Levenshtein's distance in bytes.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let mut row = (0..=b.len()).collect::<Vec<_>>();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["state", "strategy", "ttl"];
        assert_eq!(nearest("stat", known.into_iter()), Some("state".to_owned()));
        assert_eq!(nearest("stratgey", known.into_iter()), Some("strategy".to_owned()));
        assert_eq!(nearest("colour", known.into_iter()), None);
    }
}
