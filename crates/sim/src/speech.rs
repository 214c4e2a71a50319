//! What the model says. It is nonsense, but it repeats: the words depend on the request's
//! fingerprint and the provider's seed alone, so that an answer that came through a gateway can
//! be compared with one that did not.

use crate::ask::{Ask, Form, Tool, ToolChoice};
use crate::dice::{Dice, Key, float, whole};
use crate::tokens;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Short words, each one token by the simulator's counter.
pub(crate) const WORDS: &[&str] = &[
    "the", "a", "of", "to", "and", "in", "that", "it", "is", "was", "for", "on", "are", "with",
    "as", "his", "they", "be", "at", "one", "have", "this", "from", "or", "had", "by", "hot",
    "but", "some", "what", "there", "we", "can", "out", "other", "were", "all", "your", "when",
    "up", "use", "word", "how", "said", "an", "each", "she", "which", "do", "their", "time", "if",
    "will", "way", "about", "many", "then", "them", "would", "write", "like", "so", "these", "her",
    "long", "make", "thing", "see", "him", "two", "has", "look", "more", "day", "could", "go",
    "come", "did", "my", "sound", "no", "most", "number", "who", "over", "know", "water", "than",
    "call", "first", "people", "may", "down", "side", "been", "now", "find", "order", "refund",
    "token", "cache", "file", "test", "error", "value", "field", "table", "index", "query",
];

/// A text and where its fragments end, each one event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spoken {
    pub(crate) text: String,
    /// Byte offsets in `text`, and the tokens of each fragment.
    pub(crate) fragments: Vec<(usize, u64)>,
}

impl Spoken {
    /// Cuts `text` into fragments of `step` tokens, at most `limit` tokens in all.
    fn cut(text: &str, step: u64, limit: u64) -> Spoken {
        let mut spoken = Spoken::default();
        let mut left = limit;
        let mut start = 0;
        let ends = tokens::cuts(text.as_bytes(), 0, step.max(1));
        let rest = (text.len(), 0);
        for (end, _) in ends.into_iter().chain([rest]) {
            let fragment = &text[start..end];
            let own = tokens::count(fragment.as_bytes());
            if own == 0 || left < own {
                break;
            }
            spoken.text.push_str(fragment);
            spoken.fragments.push((spoken.text.len(), own));
            left -= own;
            start = end;
        }
        spoken
    }

    /// Tokens of the whole text.
    pub(crate) fn tokens(&self) -> u64 {
        self.fragments.iter().map(|(_, own)| own).sum()
    }

    /// The fragments with their tokens.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&str, u64)> {
        let starts = std::iter::once(0).chain(self.fragments.iter().map(|(end, _)| *end));
        starts.zip(&self.fragments).map(|(start, (end, own))| (&self.text[start..*end], *own))
    }
}

/// A call of a tool.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: Spoken,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
    Tools,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Visible thinking (Anthropic).
    pub(crate) thinking: Option<Spoken>,
    /// Hidden reasoning (`OpenAI`), tokens.
    pub(crate) reasoning: u64,
    pub(crate) text: Option<Spoken>,
    pub(crate) calls: Vec<Called>,
    pub(crate) finish: Finish,
}

impl Answer {
    /// All tokens that were generated.
    pub(crate) fn output(&self) -> u64 {
        let text = self.text.as_ref().map_or(0, Spoken::tokens);
        let calls: u64 = self.calls.iter().map(|call| call.arguments.tokens()).sum();
        self.thought() + text + calls
    }

    /// Those of them that are reasoning, hidden or not.
    pub(crate) fn thought(&self) -> u64 {
        self.reasoning + self.thinking.as_ref().map_or(0, Spoken::tokens)
    }
}

/// How answers are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speech {
    /// Median tokens of an answer in prose.
    pub median_tokens: u64,
    /// Spread of the logarithm of that length.
    pub sigma: f64,
    /// How likely a tool is called where the caller leaves it open.
    pub tool_share: f64,
    /// Tokens in one event of a stream.
    pub tokens_per_event: u64,
}

/// Answers `ask`.
pub(crate) fn answer(ask: &Ask, fingerprint: Key, seed: u64, speech: &Speech) -> Answer {
    let mut dice = Dice::new(seed, "answer", fingerprint);
    let limit = ask.max_output.unwrap_or(16_384);
    let step = speech.tokens_per_event;
    let wanted = dice.size(float(ask.model.reasoning), 0.8, 0..=20_000);
    let reasoning = (wanted * ask.reasoning_permille / 1000).min(limit);
    let thinking = (ask.thinking != 0).then(|| {
        let most = ask.thinking.min(limit);
        prose(&mut dice, step, most, 140, 0.7)
    });
    let mut left = limit - reasoning - thinking.as_ref().map_or(0, Spoken::tokens);
    let Some(tool) = chosen(ask, &mut dice, speech) else {
        let text = match &ask.form {
            Form::Prose => prose(&mut dice, step, left, speech.median_tokens, speech.sigma),
            Form::Json => json_text(&json!({"answer": sentence(&mut dice, 24)}), step, left),
            Form::Schema(schema) => json_text(&example(schema, &mut dice, 0), step, left),
        };
        let finish = if text.tokens() == left { Finish::Length } else { Finish::Stop };
        return Answer { thinking, reasoning, text: Some(text), calls: Vec::new(), finish };
    };
    let text = dice.chance(0.5).then(|| prose(&mut dice, step, left, 20, 0.4));
    left -= text.as_ref().map_or(0, Spoken::tokens);
    let arguments = json_text(&example(&tool.schema, &mut dice, 0), step, left);
    let finish = if arguments.tokens() == left { Finish::Length } else { Finish::Tools };
    let id = dice.id(24);
    let calls = vec![Called { id, name: tool.name.clone(), arguments }];
    Answer { thinking, reasoning, text, calls, finish }
}

fn chosen<'a>(ask: &'a Ask, dice: &mut Dice, speech: &Speech) -> Option<&'a Tool> {
    let wants = dice.chance(speech.tool_share);
    if ask.tools.is_empty() {
        return None;
    }
    match &ask.tool_choice {
        ToolChoice::None => None,
        ToolChoice::Auto if !wants => None,
        ToolChoice::Auto | ToolChoice::Any => Some(dice.pick(&ask.tools)),
        ToolChoice::Named(name) => ask.tools.iter().find(|tool| tool.name == *name),
    }
}

fn prose(dice: &mut Dice, step: u64, limit: u64, median: u64, sigma: f64) -> Spoken {
    let wanted = whole(dice.lognormal(float(median), sigma)).clamp(6, 8_000);
    Spoken::cut(&sentence(dice, wanted), step, limit)
}

/// About `words` words, with full stops.
pub(crate) fn sentence(dice: &mut Dice, words: u64) -> String {
    let mut text = String::new();
    for place in 0..words {
        if !text.is_empty() {
            text.push_str(if place % 14 == 0 { ". " } else { " " });
        }
        let word: &&str = dice.pick(WORDS);
        text.push_str(word);
    }
    text
}

fn json_text(value: &Value, step: u64, limit: u64) -> Spoken {
    Spoken::cut(&value.to_string(), step, limit)
}

/// A value that a JSON schema allows, as far as the common words of such schemas go.
fn example(schema: &Value, dice: &mut Dice, depth: u32) -> Value {
    if let Some(choices) = schema["enum"].as_array().filter(|choices| !choices.is_empty()) {
        return dice.pick(choices).clone();
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("integer") => json!(dice.between(1, 40)),
        Some("number") => json!(float(dice.between(1, 400)) / 4.0),
        Some("boolean") => json!(dice.chance(0.5)),
        Some("null") => Value::Null,
        Some("array") if depth < 3 => json!([example(&schema["items"], dice, depth + 1)]),
        Some("array") => json!([]),
        Some("object") => object(schema, dice, depth),
        _ if schema["properties"].is_object() => object(schema, dice, depth),
        Some("string") => {
            let words = dice.between(1, 8);
            json!(sentence(dice, words))
        }
        _ => json!({}),
    }
}

fn object(schema: &Value, dice: &mut Dice, depth: u32) -> Value {
    let mut object = serde_json::Map::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if depth < 4 {
            object.insert(name.clone(), example(property, dice, depth + 1));
        }
    }
    Value::Object(object)
}

/// The opaque proof that comes with a thinking block.
pub(crate) fn signature(fingerprint: Key) -> String {
    let mut text = String::from("EqoB");
    write!(text, "{fingerprint:032x}").expect("a string takes every write");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_join_to_the_text_and_keep_the_limit() {
        let mut dice = Dice::new(1, "test", 0);
        let text = sentence(&mut dice, 50);
        let spoken = Spoken::cut(&text, 4, 21);
        let joined: String = spoken.each().map(|(fragment, _)| fragment).collect();
        assert_eq!(joined, spoken.text);
        assert!(text.starts_with(&joined));
        assert!(spoken.tokens() <= 21 && 17 <= spoken.tokens(), "{}", spoken.tokens());
    }

    #[test]
    fn examples_fit_their_schema() {
        let schema = json!({"type": "object", "properties": {
            "city": {"type": "string"}, "unit": {"enum": ["c"]}, "days": {"type": "integer"}}});
        let value = example(&schema, &mut Dice::new(1, "test", 0), 0);
        assert!(value["city"].is_string() && value["unit"] == "c" && value["days"].is_u64());
    }
}
