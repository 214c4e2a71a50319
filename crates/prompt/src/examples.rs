//! Examples in a prompt: where they are, and the prompt with only some of them.
//!
//! Three forms are found in instructions (tags, headings, labelled pairs such as `Input:` and
//! `Output:`), and messages that are named as examples (`example_user`). Turns of a conversation look
//! like examples and are none; they are taken as such only where the caller says so.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::read::{Kind, Piece, Prompt};

/// One example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Its beginning, for people.
    pub title: String,
    /// Where it stands: a piece's number, and which bytes of its text.
    pub parts: Vec<(usize, Range<usize>)>,
}

/// Whether turns before the last message are examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// They are a conversation.
    Said,
    /// They are examples.
    Examples,
}

static TAG: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?is)<(example|sample|shot)\b[^>]*>.*?</(?:example|sample|shot)>[ \t]*\n?")
});
static HEADING: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?im)^[ \t]*(#+[ \t]*)?(?:\*\*)?(?:few[- ]shot )?(?:example|sample)[ \t]*(?:#?\d+|[a-z])[ \t]*(?:\*\*)?[:.)]?.*$",
    )
});
static ASKED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?im)^[ \t]*(?:[-*][ \t]+)?(?:\*\*)?(?:input|q|question|user|human|customer|text|review|sentence|query|problem|message|email|ticket)(?:\*\*)?:",
    )
});
static ANSWERED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?im)^[ \t]*(?:[-*][ \t]+)?(?:\*\*)?(?:output|a|answer|assistant|ai|label|response|sentiment|category|intent|class|result|reply|solution|json)(?:\*\*)?:[ \t]*(?:\S|\n[ \t]*\S)",
    )
});

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("a regular expression of ours")
}

/// The examples of a prompt, in their order.
pub fn find(prompt: &Prompt, turns: Turns) -> Vec<Example> {
    let instructions = prompt.pieces.iter().enumerate().filter(|(_, p)| p.kind == Kind::System);
    let mut found: Vec<Example> = instructions
        .flat_map(|(at, piece)| {
            let text = &piece.text;
            let example = move |range: Range<usize>| Example {
                title: title(&text[range.clone()]),
                parts: vec![(at, range)],
            };
            in_text(text).into_iter().map(example)
        })
        .collect();
    let named = |piece: &Piece| piece.kind == Kind::Example;
    found.extend(pairs(prompt, prompt.pieces.len(), &named));
    if found.is_empty() && turns == Turns::Examples {
        let last = prompt.pieces.iter().rposition(|piece| piece.kind == Kind::User).unwrap_or(0);
        let is_turn = |piece: &Piece| matches!(piece.kind, Kind::User | Kind::Assistant);
        found = pairs(prompt, last, &is_turn);
    }
    found
}

/// Where examples stand in instructions. The first form that is there twice counts, or a tag once.
pub(crate) fn in_text(text: &str) -> Vec<Range<usize>> {
    let tags: Vec<_> = TAG.find_iter(text).map(|hit| hit.range()).collect();
    if !tags.is_empty() {
        return tags;
    }
    let headed = under_headings(text);
    if 1 < headed.len() {
        return headed;
    }
    let labelled = labelled(text);
    if 1 < labelled.len() { labelled } else { Vec::new() }
}

/// `Example 1: …` up to the next, or to the next heading.
fn under_headings(text: &str) -> Vec<Range<usize>> {
    let starts: Vec<usize> = HEADING.find_iter(text).map(|hit| hit.start()).collect();
    let until = |at: usize, next: usize| {
        let body = &text[starts[at]..next];
        let mut lines = body.split_inclusive('\n');
        let mut length = lines.next().map_or(0, str::len);
        length += lines.take_while(|line| !line.starts_with('#')).map(str::len).sum::<usize>();
        starts[at]..starts[at] + length
    };
    let next = |at: usize| starts.get(at + 1).copied();
    // Without a next one the last ends where a paragraph does.
    let last = |at: usize| {
        let rest = &text[starts[at]..];
        starts[at] + rest.find("\n\n").map_or(rest.len(), |blank| blank + 2)
    };
    (0..starts.len()).map(|at| until(at, next(at).unwrap_or_else(|| last(at)))).collect()
}

/// `Input: … Output: …`. One without an answer is the question itself.
pub(crate) fn labelled(text: &str) -> Vec<Range<usize>> {
    let starts: Vec<usize> = ASKED.find_iter(text).map(|hit| hit.start()).collect();
    let mut found = Vec::new();
    for (at, start) in starts.iter().enumerate() {
        let next = starts.get(at + 1).copied().unwrap_or(text.len());
        let Some(answer) = ANSWERED.find(&text[*start..next]) else { continue };
        let behind = start + answer.end();
        // Behind the last one's answer a paragraph ends it; between others everything is theirs.
        let blank = text[behind..next].find("\n\n").map_or(next, |blank| behind + blank + 2);
        found.push(*start..if next == text.len() { blank } else { next });
    }
    found
}

/// A user's text and the answer behind it, each a piece of its own.
fn pairs(prompt: &Prompt, before: usize, is: &dyn Fn(&Piece) -> bool) -> Vec<Example> {
    let pieces: Vec<usize> = (0..before).filter(|at| is(&prompt.pieces[*at])).collect();
    let whole = |at: usize| (at, 0..prompt.pieces[at].text.len());
    pieces
        .chunks_exact(2)
        .map(|pair| Example {
            title: title(&prompt.pieces[pair[0]].text),
            parts: vec![whole(pair[0]), whole(pair[1])],
        })
        .collect()
}

fn title(text: &str) -> String {
    let words: Vec<&str> =
        text.split_whitespace().filter(|word| !word.starts_with('<')).take(9).collect();
    words.join(" ")
}

/// The prompt with only those of its `examples` that `keep` says.
pub fn keeping(prompt: &Prompt, examples: &[Example], keep: &[bool]) -> Prompt {
    let gone = examples.iter().zip(keep).filter(|(_, kept)| !**kept);
    let mut gone: Vec<(usize, Range<usize>)> =
        gone.flat_map(|(example, _)| example.parts.iter().cloned()).collect();
    // From the end, so that what is before stays where it is.
    gone.sort_by_key(|(at, range)| std::cmp::Reverse((*at, range.start)));
    let mut short = prompt.clone();
    for (at, range) in gone {
        if prompt.pieces[at].kind == Kind::System {
            let mut text = short.pieces[at].text.clone();
            text.replace_range(range, "");
            short = short.with(&[(at, text)]);
        } else {
            short.remove_message(at);
        }
    }
    short
}

impl Prompt {
    /// Takes the message that a piece is of out of the body, with the piece.
    fn remove_message(&mut self, at: usize) {
        let pointer = self.pieces.remove(at).pointer;
        let mut names = pointer.split('/').skip(1);
        let list = names.next().and_then(|name| self.body.as_mut()?.get_mut(name));
        let number = names.next().and_then(|number| number.parse::<usize>().ok());
        if let (Some(Value::Array(messages)), Some(number)) = (list, number)
            && number < messages.len()
        {
            messages.remove(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    fn titles(text: &str) -> Vec<String> {
        find(&Prompt::of_text(text), Turns::Said).into_iter().map(|e| e.title).collect()
    }

    const TAGGED: &str = "Sort.\n<examples>\n<example>a -> b</example>\n<example id=\"2\">\nc -> d\n</example>\n</examples>\nNow.";
    const LABELLED: &str = "Classify.\n\nInput: I love it\nOutput: good\n\nInput: no\nOutput: bad\n\nBe brief.\nInput: {{input}}\nOutput:";

    #[test]
    fn examples_are_found_in_each_form_and_the_question_is_none() {
        assert_eq!(titles(TAGGED).len(), 2);
        assert_eq!(
            titles(LABELLED),
            ["Input: I love it Output: good", "Input: no Output: bad Be brief."]
        );
        let headed = "Do.\n\n### Example 1\nx\n\ny\n### Example 2\nz\n\n## Rules\nNone.";
        assert_eq!(titles(headed), ["### Example 1 x y", "### Example 2 z"]);
        assert!(titles("For example: say hello. Question: none.").is_empty());
    }

    #[test]
    fn those_that_are_left_out_are_gone_and_the_rest_is_as_it_was() {
        let prompt = Prompt::of_text(TAGGED);
        let examples = find(&prompt, Turns::Said);
        let short = keeping(&prompt, &examples, &[false, true]);
        assert!(
            !short.pieces[0].text.contains("a -> b") && short.pieces[0].text.contains("c -> d")
        );
        assert_eq!(keeping(&prompt, &examples, &[true, true]), prompt);
    }

    #[test]
    fn turns_are_examples_only_where_that_was_said() {
        let said = |role: &str, text: &str| serde_json::json!({"role": role, "content": text});
        let messages = [
            said("user", "a"),
            said("assistant", "1"),
            said("user", "b"),
            said("assistant", "2"),
            said("user", "{{input}}"),
        ];
        let body = serde_json::json!({ "messages": messages });
        let prompt = &read::read(&body.to_string()).unwrap()[0];
        assert!(find(prompt, Turns::Said).is_empty());
        let examples = find(prompt, Turns::Examples);
        let short = keeping(prompt, &examples, &[false, true]).body.unwrap();
        assert_eq!(short["messages"].as_array().unwrap()[..], messages[2..]);
    }
}
