//! How much texts of a prompt have to do with its question: BM25.
//!
//! Source: Robertson and Zaragoza, *The Probabilistic Relevance Framework: BM25 and Beyond* (2009),
//! with the usual `k1` of 1.2 and `b` of 0.75. The collection is the prompt's own chunks.

use std::collections::{BTreeMap, BTreeSet};

use scrimp_core::Block;
use scrimp_core::policy::token_budget::Chunks;

use super::layout::Layout;
use super::texts::{decoded, searched};

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// Scores of the chunks in their order, in thousandths. A layout of another body gives none.
pub fn rank(body: &[u8], layout: &Layout, prompt: &[Block], chunks: &Chunks) -> Vec<u32> {
    if layout.body_bytes != body.len() || layout.spans.len() != prompt.len() {
        return Vec::new();
    }
    let words_of = |block: u32| {
        let span = layout.spans.get(block as usize).copied().unwrap_or_default();
        let texts = searched(body, span).into_iter();
        let texts = texts.filter_map(|piece| decoded(piece.of(body)));
        texts.flat_map(|text| words(&text)).collect::<Vec<_>>()
    };
    let question: BTreeSet<String> = words_of(chunks.question).into_iter().collect();
    let counted: Vec<(BTreeMap<String, u32>, usize)> = chunks
        .chunks
        .iter()
        .map(|block| {
            let words = words_of(*block);
            let length = words.len();
            let mut counts = BTreeMap::new();
            for word in words.into_iter().filter(|word| question.contains(word)) {
                *counts.entry(word).or_insert(0) += 1;
            }
            (counts, length)
        })
        .collect();
    scores(&question, &counted)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a score, not an amount"
)]
fn scores(question: &BTreeSet<String>, chunks: &[(BTreeMap<String, u32>, usize)]) -> Vec<u32> {
    let count = chunks.len() as f64;
    let mean = chunks.iter().map(|(_, length)| *length as f64).sum::<f64>() / count.max(1.0);
    let mut scores = vec![0.0; chunks.len()];
    for word in question {
        let with = chunks.iter().filter(|(counts, _)| counts.contains_key(word)).count() as f64;
        let rarity = (1.0 + (count - with + 0.5) / (with + 0.5)).ln();
        for (score, (counts, length)) in scores.iter_mut().zip(chunks) {
            let Some(times) = counts.get(word) else { continue };
            let times = f64::from(*times);
            let length = *length as f64 / mean.max(1.0);
            *score += rarity * times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * length));
        }
    }
    scores.into_iter().map(|score| (score * 1_000.0).round() as u32).collect()
}

/// Words without regard to case; a letter of a script that puts no spaces between words is one.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let is_alone = matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
        if (is_alone || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        match (is_alone, c.is_alphanumeric()) {
            (true, _) => words.push(c.to_string()),
            (false, true) => word.extend(c.to_lowercase()),
            (false, false) => {}
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

#[cfg(test)]
mod tests {
    use scrimp_core::Dialect;
    use serde_json::json;

    use super::super::{Request, read};
    use super::*;
    use crate::Key;

    fn ranked(chunks: &[&str], question: &str) -> Vec<u32> {
        let texts = chunks.iter().chain([&question]);
        let parts: Vec<_> = texts.map(|text| json!({"type": "text", "text": text})).collect();
        let body = json!({"messages": [{"role": "user", "content": parts}]}).to_string();
        let Request { facts, layout } =
            read(Dialect::AnthropicMessages, body.as_bytes(), &Key::new([1; 32])).unwrap();
        let count = u32::try_from(chunks.len()).unwrap();
        let asked = Chunks { chunks: (0..count).collect(), question: count };
        rank(body.as_bytes(), &layout, &facts.prompt, &asked)
    }

    fn best(chunks: &[&str], question: &str) -> usize {
        let scores = ranked(chunks, question);
        (0..scores.len()).max_by_key(|at| scores[*at]).unwrap()
    }

    #[test]
    fn the_chunk_that_has_the_rare_words_of_the_question_is_first() {
        let chunks = [
            "The refund policy allows a refund within thirty days of the purchase.",
            "The office is open from Monday to Friday, and the phone is answered then.",
            "The Zürich branch ships to Switzerland, Austria and Liechtenstein.",
        ];
        assert_eq!(best(&chunks, "How many days do I have for a refund?"), 0);
        assert_eq!(best(&chunks, "does the ZÜRICH branch ship?"), 2);
        assert_eq!(ranked(&chunks, "something else entirely"), [0, 0, 0]);
        assert_eq!(best(&["返金は三十日以内", "電話は月曜日"], "返金"), 0);
    }

    #[test]
    fn of_two_with_the_same_words_the_shorter_is_first() {
        let long = format!("refund {}", "and other things ".repeat(50));
        assert_eq!(best(&[&long, "refund here"], "refund"), 1);
    }
}
