//! What gates compare between two short texts, as keyed hashes: numbers, names, negation, order.
//!
//! Words are hashed, so their cost is per word and not per byte. They are taken only where they can
//! matter: of the last short texts of the user and the system, within a budget.

use scrimp_core::call::{Content, Features};
use scrimp_core::{Block, Role, hash};

use crate::Key;
use crate::scan::{Piece, Scanner};

/// Texts longer than this have no features.
const LONGEST: u32 = 4_096;
/// Characters of all texts of one prompt that have features.
const BUDGET: u32 = 8_192;

/// Takes features of the last texts of `prompt`, whose strings lie at `texts` in `body`.
pub(super) fn take(prompt: &mut [Block], texts: &[Option<Piece>], body: &[u8], key: &Key) {
    let mut left = BUDGET;
    for (block, text) in prompt.iter_mut().zip(texts).rev() {
        let is_eligible = block.content == Content::Text
            && matches!(block.role, Role::User | Role::System)
            && block.characters <= LONGEST;
        let Some(text) = text.filter(|_| is_eligible) else { continue };
        let Some(rest) = left.checked_sub(block.characters) else { return };
        left = rest;
        let mut scanner = Scanner::new(text.of(body));
        let string = scanner.string().expect("read before");
        block.features = Some(Box::new(of(&String::from_utf8_lossy(&string.decoded()), key)));
    }
}

fn of(text: &str, key: &Key) -> Features {
    let mut features = Features::default();
    let mut words = Vec::new();
    let mut lower = String::new();
    let mut starts_sentence = true;
    for word in text.split_whitespace() {
        let ends_sentence = word.ends_with(['.', '!', '?', ':']);
        let word = word.trim_matches(|c: char| !c.is_alphanumeric() && !"$€%_@#".contains(c));
        if word.is_empty() {
            starts_sentence |= ends_sentence;
            continue;
        }
        lower.clear();
        lower.extend(word.chars().flat_map(char::to_lowercase));
        let hashed = key.word(lower.as_bytes());
        words.push(hashed);
        if word.contains(|c: char| c.is_numeric()) {
            features.numbers.push(hashed);
        }
        if is_name(word, starts_sentence) {
            features.names.push(hashed);
        }
        features.negations = features.negations.saturating_add(u16::from(is_negation(&lower)));
        starts_sentence = ends_sentence;
    }
    features.order = words.iter().fold(0, |state, word| hash::chain(state, *word));
    words.sort_unstable();
    words.dedup();
    features.bag = words.iter().fold(0, |state, word| hash::chain(state, *word));
    features
}

/// Capitals within a sentence, or a mixture that no ordinary word has.
fn is_name(word: &str, starts_sentence: bool) -> bool {
    let is_capital = |c: char| c.is_uppercase();
    let inner_capital = word.chars().skip(1).any(is_capital);
    let mixed = word.contains(|c: char| c.is_numeric()) && word.contains(char::is_alphabetic);
    let marked = word.contains(['_', '@', '/', '\\', '#', '.']) || word.contains("::");
    inner_capital || mixed || marked || (!starts_sentence && word.starts_with(is_capital))
}

fn is_negation(lower: &str) -> bool {
    const WORDS: &[&str] = &[
        "not", "no", "never", "none", "nothing", "nobody", "neither", "nor", "without", "cannot",
        "nicht", "kein", "keine", "nie", "ohne", "pas", "jamais", "sans", "nunca", "sin",
    ];
    WORDS.contains(&lower) || lower.ends_with("n't") || lower.ends_with("n’t")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(text: &str) -> Features {
        of(text, &Key::new([3; 32]))
    }

    #[test]
    fn order_and_negation_show() {
        let (one, other) = (features("Does A beat B?"), features("Does B beat A?"));
        assert_ne!(one.order, other.order);
        assert_eq!(one.bag, other.bag);
        assert_eq!(features("Do not stop, don't wait").negations, 2);
    }

    #[test]
    fn numbers_and_names_are_found_in_order() {
        let found = features("Refund order 4711 of Ada, paid 12.50 on 2026-11-23.");
        assert_eq!((found.numbers.len(), found.names.len()), (3, 3), "{found:?}");
        assert_eq!(features("ada PAID").bag, features("Ada paid").bag);
        assert_ne!(found.numbers[0], features("4712").numbers[0]);
    }
}
