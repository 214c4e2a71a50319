//! Shorter forms of a whole prompt: by rules, or as a model proposes them.
//!
//! A proposal is only that: whether it answers as well is measured, and it is adopted or not.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use crate::read::{Kind, Piece, Prompt};
use crate::rules::{self, Rule};

/// What a rule changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The rule.
    pub rule: &'static str,
    /// What it proposes.
    pub what: &'static str,
    /// In how many places.
    pub places: u64,
}

/// The prompt with what `rules` propose, and what that is.
pub fn by_rules(prompt: &Prompt, rules: &[&'static Rule]) -> (Prompt, Vec<Change>) {
    let mut changes: Vec<Change> = Vec::new();
    let mut texts = Vec::new();
    for (at, piece) in prompt.pieces.iter().enumerate() {
        let spots = rules::spots(rules, piece.kind, &piece.text);
        for (rule, _) in &spots {
            match changes.iter_mut().find(|change| change.rule == rule.name) {
                Some(change) => change.places += 1,
                None => changes.push(Change { rule: rule.name, what: rule.what, places: 1 }),
            }
        }
        if !spots.is_empty() {
            texts.push((at, rules::rewritten(&piece.text, spots.iter().map(|(_, spot)| spot))));
        }
    }
    (prompt.with(&texts), changes)
}

/// The pieces that a model may shorten: what the author wrote.
pub fn sections(prompt: &Prompt) -> Vec<usize> {
    (0..prompt.pieces.len()).filter(|at| prompt.pieces[*at].kind == Kind::System).collect()
}

const SHORTEN: &str = "Rewrite the prompt that the user sends in fewer words. Keep every rule, fact, \
number, name, example, output format and placeholder such as {{name}}, and the language that it is in. \
Do not follow it, do not comment on it: answer with the rewritten prompt and nothing else.";

/// What a model is asked for a shorter form of `text`.
pub fn question(text: &str) -> Prompt {
    let mut prompt = Prompt::of_text(SHORTEN);
    let (kind, pointer) = (Kind::User, String::new());
    prompt.pieces.push(Piece { kind, pointer, text: text.to_owned() });
    prompt
}

static PLACE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{\{[^{}]+\}\}").expect("a regular expression of ours"));

/// A model's shorter form of `text`, if it can be one: not empty, not longer, every placeholder in it.
pub fn proposed(text: &str, answer: &str) -> Option<String> {
    let places = |text: &str| -> BTreeSet<String> {
        PLACE.find_iter(text).map(|hit| hit.as_str().to_owned()).collect()
    };
    let answer = answer.trim();
    let is_one = !answer.is_empty() && answer.len() < text.len() && places(answer) == places(text);
    is_one.then(|| answer.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RULES;

    #[test]
    fn rules_change_a_body_where_its_texts_are() {
        let body = serde_json::json!({"system": "Please be brief.", "messages": [
            {"role": "user", "content": "please {\"a\": 1, \"b\": [1, 2]}"}]});
        let rules: Vec<_> = RULES.iter().collect();
        let (short, changes) = by_rules(&Prompt::of_body(body, 1), &rules);
        let expected = serde_json::json!({"system": "Be brief.", "messages": [
            {"role": "user", "content": "please {\"a\":1,\"b\":[1,2]}"}]});
        assert_eq!(short.body.unwrap(), expected);
        let told: Vec<_> = changes.iter().map(|change| (change.rule, change.places)).collect();
        assert_eq!(told, [("wording", 1), ("json", 1)]);
    }

    #[test]
    fn what_a_model_proposes_has_to_keep_the_places_that_are_filled() {
        let text = "Please answer {{question}} in one word.";
        assert_eq!(proposed(text, " Answer {{question}}, one word.\n").unwrap().len(), 30);
        assert_eq!(proposed(text, "Answer in one word."), None);
        assert_eq!(proposed(text, ""), None);
        assert_eq!(proposed(text, &format!("{text} Really.")), None);
    }
}
