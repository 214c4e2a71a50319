//! Rules: places in a text that a shorter form could stand in for, or that break a prompt's cache.
//!
//! A rule sees one text. What it finds is a *spot*: a range of bytes, and what could stand there
//! instead, where that is known. Nothing here decides whether the shorter text answers as well;
//! that is measured.

mod breakers;
mod compact;
mod json;
mod layout;
mod repeated;
mod wording;

use std::ops::Range;

use crate::examples::in_text;
use crate::read::Kind;

pub use breakers::{Breaker, breakers};
pub use json::{as_table, minified};

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Which bytes.
    pub range: Range<usize>,
    /// What could stand there.
    pub instead: String,
}

/// What changes when a spot is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// The model is told the same data.
    None,
    /// The words are others.
    Wording,
}

/// A rule that proposes a shorter form.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name in tables, JSON and on the command line.
    pub name: &'static str,
    /// What it proposes.
    pub what: &'static str,
    /// What changes.
    pub loss: Loss,
    applies: fn(Kind) -> bool,
    /// Whether it may change what stands in an example.
    in_examples: bool,
    find: fn(&str) -> Vec<Spot>,
}

/// Every rule, in the order in which they may claim a place.
pub const RULES: &[Rule] = &[
    Rule {
        name: "json",
        what: "JSON written with blanks: the same without",
        loss: Loss::None,
        // What the model wrote, it wrote as it does.
        applies: |kind| !matches!(kind, Kind::Assistant | Kind::ToolCall),
        in_examples: true,
        find: json::spots,
    },
    Rule {
        name: "compact",
        what: "examples of one line each: question => answer instead of labels",
        loss: Loss::Wording,
        applies: is_ours,
        in_examples: true,
        find: compact::spots,
    },
    Rule {
        name: "repeated",
        what: "said before, word for word",
        loss: Loss::Wording,
        applies: is_ours,
        in_examples: false,
        find: repeated::spots,
    },
    Rule {
        name: "wording",
        what: "politeness and filler",
        loss: Loss::Wording,
        applies: is_ours,
        in_examples: false,
        find: wording::spots,
    },
    Rule {
        name: "layout",
        what: "rulers, decorated headings, blank lines, spaces at the ends of lines",
        loss: Loss::Wording,
        applies: is_ours,
        in_examples: false,
        find: layout::spots,
    },
];

/// What the author of the prompt wrote, and not a user, a model or a tool. An example's words are
/// what it shows.
fn is_ours(kind: Kind) -> bool {
    kind == Kind::System
}

impl Rule {
    /// The rule of this name.
    pub fn named(name: &str) -> Option<&'static Rule> {
        RULES.iter().find(|rule| rule.name == name)
    }
}

/// What `rules` find in a text of this kind, in its order, no two in the same place.
pub fn spots(rules: &[&'static Rule], kind: Kind, text: &str) -> Vec<(&'static Rule, Spot)> {
    let mut all: Vec<(&'static Rule, Spot)> = Vec::new();
    let shown = if kind == Kind::System { in_text(text) } else { Vec::new() };
    for rule in rules.iter().filter(|rule| (rule.applies)(kind)) {
        for spot in (rule.find)(text) {
            let meets =
                |other: &Range<usize>| spot.range.start < other.end && other.start < spot.range.end;
            let is_shown = !rule.in_examples && shown.iter().any(meets);
            if !is_shown && !all.iter().any(|(_, other)| meets(&other.range)) {
                all.push((rule, spot));
            }
        }
    }
    all.sort_by_key(|(_, spot)| spot.range.start);
    all
}

/// `text` with what could stand in its spots.
pub fn rewritten<'s>(text: &str, spots: impl Iterator<Item = &'s Spot>) -> String {
    let mut short = String::with_capacity(text.len());
    let mut from = 0;
    for Spot { range, instead } in spots {
        short.push_str(&text[from..range.start]);
        short.push_str(instead);
        from = range.end;
    }
    short + &text[from..]
}

/// Lines with where they start; those of fenced code, which is data, left out.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    let mut is_code = false;
    let mut lines = Vec::new();
    for line in text.split_inclusive('\n') {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if !is_code && !is_fence {
            lines.push((at, line));
        }
        at += line.len();
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn short(text: &str) -> String {
        let rules: Vec<_> = RULES.iter().collect();
        let found = spots(&rules, Kind::System, text);
        rewritten(text, found.iter().map(|(_, spot)| spot))
    }

    #[test]
    fn the_mechanical_part_is_done_and_the_rest_stays() {
        let text = "==== RULES ====\n\n\n\nPlease always answer in French, the language of the \
            user.\nIn order to help, make sure to look at {\"id\": 1, \"tags\": [\"a\", \"b\"]}.   \n\
            ```\nplease  keep\n```\nAlways answer in French, the language of the user.\n";
        expect_test::expect![[r#"
            RULES

            Always answer in French, the language of the user.
            To help, look at {"id":1,"tags":["a","b"]}.
            ```
            please  keep
            ```
        "#]]
        .assert_eq(&short(text));
    }

    /// An answer that two examples share is said once by each of them.
    #[test]
    fn what_examples_show_stays_as_it_is() {
        let text = "Sort.\n<example>Please help -> no, I cannot do this for you.</example>\n\n\n\n\
            <example>Kindly help -> no, I cannot do this for you.</example>\n";
        assert_eq!(short(text), text.replace("\n\n\n\n", "\n\n"));
        let pairs = "Input: a\nOutput: b\n\nInput: c\nOutput: d\n\nInput: e\nOutput: f\n\nInput: {{x}}\nOutput:";
        expect_test::expect![[r#"
            Input => Output
            a => b
            c => d
            e => f
            Input: {{x}}
            Output:"#]]
        .assert_eq(&short(pairs));
    }

    proptest! {
        /// Whatever the text, spots lie on letters, in order and apart, and never make it longer.
        #[test]
        fn a_rewritten_text_is_never_longer(text in "[-=*#a-c .\n{}\"1é,:\\[\\]]{0,200}|(please |In order to |\\{\"a\": \\[1, 2\\]\\}|-----\n|\n\n\n){0,9}") {
            prop_assert!(short(&text).len() <= text.len());
        }
    }
}
