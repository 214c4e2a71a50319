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
        features.order = hash::chain(features.order, hashed);
        // A sum does not depend on order, and needs no list of words to be sorted.
        features.bag = features.bag.wrapping_add(hash::mix(hashed));
        if shape.has_digit() {
            features.numbers.push(hashed);
        }
        if shape.is_name(starts_sentence) {
            features.names.push(hashed);
        }
        features.negations = features.negations.saturating_add(u16::from(is_negation(&lower)));
        starts_sentence = ends_sentence;
    }
    features
}

/// A word without the punctuation around it.
fn trim(word: &[u8]) -> &[u8] {
    let belongs = |byte: &u8| CLASS[usize::from(*byte)] & INNER != 0;
    let start = word.iter().position(belongs).unwrap_or(word.len());
    let end = word.iter().rposition(belongs).map_or(start, |last| last + 1);
    &word[start..end]
}

/// What a word looks like, by its ASCII; letters of other scripts count as small ones.
struct Shape {
    first: u8,
    /// Classes of all its bytes, and of those behind the first.
    all: u8,
    rest: u8,
}

const CAPITAL: u8 = 1;
const LETTER: u8 = 2;
const DIGIT: u8 = 4;
/// Signs that ordinary words do not have inside.
const SIGN: u8 = 8;
/// What is not trimmed away at a word's ends.
const INNER: u8 = 16;

/// Classes of bytes: one look-up for all questions.
const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = match byte {
            b'A'..=b'Z' => CAPITAL | LETTER | INNER,
            b'a'..=b'z' | 0x80.. => LETTER | INNER,
            b'0'..=b'9' => DIGIT | INNER,
            b'_' | b'@' | b'#' => SIGN | INNER,
            b'/' | b'\\' | b'.' | b':' => SIGN,
            b'$' | b'%' => INNER,
            _ => 0,
        };
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

impl Shape {
    /// Looks at a word and writes it in small letters.
    fn of(word: &[u8], lower: &mut Vec<u8>) -> Shape {
        lower.clear();
        lower.extend(word.iter().map(u8::to_ascii_lowercase));
        let class = |byte: &u8| CLASS[usize::from(*byte)];
        let first = word.first().map_or(0, class);
        let rest = word.iter().skip(1).fold(0, |all, byte| all | class(byte));
        Shape { first, all: first | rest, rest }
    }

    fn has_digit(&self) -> bool {
        self.all & DIGIT != 0
    }

    /// Capitals within a sentence, or a mixture that no ordinary word has.
    fn is_name(&self, starts_sentence: bool) -> bool {
        let is_odd = self.rest & CAPITAL != 0 || self.all & (DIGIT | SIGN) != 0;
        let is_capital = self.first & CAPITAL != 0 && !starts_sentence;
        self.all & LETTER != 0 && (is_odd || is_capital)
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
