//! What gates compare between two short texts, as keyed hashes: numbers, names, negation, order.
//!
//! Words are hashed, so their cost is per word and not per byte. They are taken only where they can
//! matter: of the last short texts of the user and the system, within a budget.

use std::num::NonZero;

use scrimp_core::call::{Content, Features};
use scrimp_core::{Block, Role};

use crate::scan::{Piece, Text};
use crate::{Key, ascii};

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
        let text = Text::read_before(text.of(body));
        block.features = Some(Box::new(of(&text.decoded(), key)));
    }
}

fn of(text: &[u8], key: &Key) -> Features {
    let mut taking = Taking::new(key);
    let mut rest = text;
    while !rest.is_empty() {
        rest = taking.plain(rest);
        let length = taking.first(rest);
        rest = rest.get(length + 1..).unwrap_or_default();
    }
    taking.features()
}

/// Features of the words that have been seen so far.
struct Taking<'k> {
    key: &'k Key,
    sums: Sums,
    numbers: Vec<u64>,
    names: Vec<u64>,
}

/// What changes with every word. Whoever reads many copies it out, so that it stays in registers.
#[derive(Clone, Copy)]
struct Sums {
    order: u64,
    bag: u64,
    negations: u16,
    starts_sentence: bool,
}

impl Sums {
    fn take(&mut self, word: u64, is_negation: bool, key: &Key) {
        self.order = key.mix_next(self.order, word);
        // A sum does not depend on order, and needs no list of words to be sorted.
        self.bag = self.bag.wrapping_add(word);
        // Texts have fewer words than fit: see `LONGEST`.
        self.negations += u16::from(is_negation);
    }
}

impl<'k> Taking<'k> {
    fn new(key: &'k Key) -> Taking<'k> {
        let sums = Sums { order: 0, bag: 0, negations: 0, starts_sentence: true };
        Taking { key, sums, numbers: Vec::new(), names: Vec::new() }
    }

    fn features(self) -> Features {
        let Taking { key, sums: Sums { order, bag, negations, .. }, numbers, names } = self;
        Features { numbers, names, negations, order: key.seal(order), bag: key.seal(bag) }
    }

    /// Takes the words with which `text` begins, as long as they are of one to seven ASCII letters,
    /// are no names, and white space follows, maybe after one sign that ends a clause. Returns what
    /// is left. So are most words of most texts; they are read as one integer, no byte of them is
    /// looked at alone, and nothing is called.
    #[inline(never)]
    fn plain<'t>(&mut self, mut text: &'t [u8]) -> &'t [u8] {
        let Taking { mut sums, key, .. } = *self;
        // The longest word, the sign, and the white space.
        while let Some(window) = text.first_chunk::<9>() {
            let packed = u64::from_le_bytes(*window.first_chunk().expect("eight of nine"));
            let small = packed | ascii::SMALL;
            let Some(others) = NonZero::new(ascii::first_other_than_letters(small)) else { break };
            let letters = others.trailing_zeros() as usize / 8;
            let (end, ends_sentence) = match (window[letters], window[letters + 1]) {
                (b' ', _) => (letters, false),
                (byte, _) if class(byte) == SPACE => (letters, false),
                (_, next) if class(next) != SPACE => break,
                (b',' | b';', _) => (letters + 1, false),
                (b'.' | b'!' | b'?' | b':', _) => (letters + 1, true),
                _ => break,
            };
            let (word, head) = (packed & MASKS[letters], small & MASKS[letters]);
            // A capital that begins a sentence says nothing, any other makes a name.
            let is_plain = word == head || (sums.starts_sentence && word | 0x20 == head);
            if !is_plain || letters == 0 {
                break;
            }
            sums.take(key.mix_short(head, letters), is_listed(head), key);
            sums.starts_sentence = ends_sentence;
            text = &text[end + 1..];
        }
        self.sums = sums;
        text
    }

    /// Takes the word with which `text` begins, whatever it is, and says how long it is.
    #[inline(never)]
    fn first(&mut self, text: &[u8]) -> usize {
        let length = text.iter().position(|byte| class(*byte) == SPACE).unwrap_or(text.len());
        self.any(&text[..length]);
        length
    }

    fn any(&mut self, word: &[u8]) {
        let ends_sentence = matches!(word.last(), Some(b'.' | b'!' | b'?' | b':'));
        let word = Word::of(word);
        if word.text.is_empty() {
            self.sums.starts_sentence |= ends_sentence;
            return;
        }
        let head = ascii::lower(ascii::load(word.text));
        let is_negation = is_listed(head) || word.is_contracted_not();
        self.sums.take(self.key.mix_word(word.text, head), is_negation, self.key);
        if word.has_digit() {
            self.numbers.push(self.key.word(word.text));
        }
        if word.is_name(self.sums.starts_sentence) {
            self.names.push(self.key.word(word.text));
        }
        self.sums.starts_sentence = ends_sentence;
    }
}

/// The first bytes of a packed word, by how many.
const MASKS: [u64; 8] = {
    let mut masks = [0; 8];
    let mut length = 1;
    while length < 8 {
        masks[length] = masks[length - 1] << 8 | 0xff;
        length += 1;
    }
    masks
};

/// A word without the punctuation around it, and what it looks like by its ASCII; letters of other
/// scripts count as small ones.
struct Word<'t> {
    /// Empty if there was only punctuation.
    text: &'t [u8],
    /// Class of its first byte.
    first: u8,
    /// Classes of all others.
    rest: u8,
}

fn class(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

const CAPITAL: u8 = 1;
const LETTER: u8 = 2;
const DIGIT: u8 = 4;
/// Signs that ordinary words do not have inside.
const SIGN: u8 = 8;
/// What is not trimmed away at a word's ends.
const INNER: u8 = 16;
/// What stands between words.
const SPACE: u8 = 32;

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
            b' ' | b'\t' | b'\n' | b'\x0c' | b'\r' => SPACE,
            _ => 0,
        };
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

impl<'t> Word<'t> {
    fn of(word: &'t [u8]) -> Word<'t> {
        let belongs = |byte: &u8| class(*byte) & INNER != 0;
        let start = word.iter().position(belongs).unwrap_or(word.len());
        let end = word.iter().rposition(belongs).map_or(start, |last| last + 1);
        let text = &word[start..end];
        let (first, rest) = match text.split_first() {
            Some((first, rest)) => (class(*first), rest.iter().fold(0, |all, b| all | class(*b))),
            None => (0, 0),
        };
        Word { text, first, rest }
    }

    fn has_digit(&self) -> bool {
        (self.first | self.rest) & DIGIT != 0
    }

    /// Capitals within a sentence, or a mixture that no ordinary word has.
    fn is_name(&self, starts_sentence: bool) -> bool {
        let all = self.first | self.rest;
        let is_odd = self.rest & CAPITAL != 0 || all & (DIGIT | SIGN) != 0;
        let is_capital = self.first & CAPITAL != 0 && !starts_sentence;
        all & LETTER != 0 && (is_odd || is_capital)
    }

    fn is_contracted_not(&self) -> bool {
        let ends_in = |ending: &str| {
            let at = self.text.len().checked_sub(ending.len());
            at.is_some_and(|at| self.text[at..].eq_ignore_ascii_case(ending.as_bytes()))
        };
        matches!(self.text, [.., b't' | b'T']) && (ends_in("n't") || ends_in("n’t"))
    }
}

/// Whether a packed word, which is not empty, is one of [`NEGATIONS`].
fn is_listed(packed: u64) -> bool {
    NEGATIONS[slot(packed)] == packed
}

/// Words that negate, packed as [`ascii::load`] packs them, each in its [`slot`]: comparing
/// with all twenty was a sixth of what a word costs.
const NEGATIONS: [u64; 128] = {
    let words: [&[u8]; 20] = [
        b"not", b"no", b"never", b"none", b"nothing", b"nobody", b"neither", b"nor", b"without",
        b"cannot", b"nicht", b"kein", b"keine", b"nie", b"ohne", b"pas", b"jamais", b"sans",
        b"nunca", b"sin",
    ];
    let mut table = [0; 128];
    let mut n = 0;
    while n < words.len() {
        let (mut packed, mut at) = (0, words[n].len());
        while 0 < at {
            at -= 1;
            packed = packed << 8 | words[n][at] as u64;
        }
        assert!(table[slot(packed)] == 0, "two words in one slot: choose another multiplier");
        table[slot(packed)] = packed;
        n += 1;
    }
    table
};

/// Where a packed word stands in [`NEGATIONS`], if it does.
const fn slot(packed: u64) -> usize {
    (packed.wrapping_mul(0xc2ce_6f44_7ed4_d57b) >> 57) as usize
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

    proptest::proptest! {
        #[test]
        fn plain_words_are_taken_as_any_others_are(text in "[ \nznotaBcZ1.,;!?:'\u{e9}]{0,40}") {
            let key = Key::new([3; 32]);
            let mut taking = Taking::new(&key);
            text.as_bytes().split(u8::is_ascii_whitespace).for_each(|word| taking.any(word));
            proptest::prop_assert_eq!(features(&text), taking.features());
        }
    }

    #[test]
    fn negation_is_seen_in_any_letters() {
        for text in ["never", "NEVER", "don't", "DOESN'T", "doesn’t", "sin", "Jamais!"] {
            assert_eq!(features(text).negations, 1, "{text}");
        }
        for text in ["knot", "nots", "present", "", "’t", "nothingness"] {
            assert_eq!(features(text).negations, 0, "{text}");
        }
    }
}
