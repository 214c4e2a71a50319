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
const BUDGET: u32 = 4_096;

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
        block.features = Some(Box::new(of(&string.decoded(), key)));
    }
}

fn of(text: &[u8], key: &Key) -> Features {
    let mut features = Features::default();
    let mut words = Vec::with_capacity(text.len() / 5);
    let mut lower = Vec::new();
    let mut starts_sentence = true;
    for word in text.split(u8::is_ascii_whitespace) {
        let ends_sentence = matches!(word.last(), Some(b'.' | b'!' | b'?' | b':'));
        let shape = Shape::of(trim(word), &mut lower);
        if lower.is_empty() {
            starts_sentence |= ends_sentence;
            continue;
        }
        let hashed = key.word(&lower);
        words.push(hashed);
        if shape.has_digit {
            features.numbers.push(hashed);
        }
        if shape.is_name(starts_sentence) {
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

/// A word without the punctuation around it.
fn trim(word: &[u8]) -> &[u8] {
    let belongs =
        |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"$%_@#".contains(byte);
    let start = word.iter().position(belongs).unwrap_or(word.len());
    let end = word.iter().rposition(belongs).map_or(start, |last| last + 1);
    &word[start..end]
}

/// What a word looks like, by its ASCII; letters of other scripts count as small ones.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one word")]
struct Shape {
    starts_large: bool,
    has_inner_capital: bool,
    has_letter: bool,
    has_digit: bool,
    has_sign: bool,
}

impl Shape {
    /// Looks at a word and writes it in small letters.
    fn of(word: &[u8], lower: &mut Vec<u8>) -> Shape {
        let mut shape = Shape::default();
        lower.clear();
        for (at, byte) in word.iter().enumerate() {
            shape.starts_large |= at == 0 && byte.is_ascii_uppercase();
            shape.has_inner_capital |= at != 0 && byte.is_ascii_uppercase();
            shape.has_letter |= byte.is_ascii_alphabetic() || !byte.is_ascii();
            shape.has_digit |= byte.is_ascii_digit();
            shape.has_sign |= matches!(byte, b'_' | b'@' | b'/' | b'\\' | b'#' | b'.' | b':');
            lower.push(byte.to_ascii_lowercase());
        }
        shape
    }

    /// Capitals within a sentence, or a mixture that no ordinary word has.
    fn is_name(&self, starts_sentence: bool) -> bool {
        let is_odd = self.has_inner_capital || self.has_digit || self.has_sign;
        self.has_letter && (is_odd || (self.starts_large && !starts_sentence))
    }
}

fn is_negation(lower: &[u8]) -> bool {
    match lower {
        b"not" | b"no" | b"never" | b"none" | b"nothing" | b"nobody" | b"neither" | b"nor"
        | b"without" | b"cannot" | b"nicht" | b"kein" | b"keine" | b"nie" | b"ohne" | b"pas"
        | b"jamais" | b"sans" | b"nunca" | b"sin" => true,
        _ => lower.ends_with(b"n't") || lower.ends_with("n’t".as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(text: &str) -> Features {
        of(text.as_bytes(), &Key::new([3; 32]))
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
        assert_eq!((found.numbers.len(), found.names.len()), (3, 1), "{found:?}");
        assert_eq!(features("ada PAID").bag, features("Ada paid").bag);
        assert_ne!(found.numbers[0], features("4712").numbers[0]);
    }
}
