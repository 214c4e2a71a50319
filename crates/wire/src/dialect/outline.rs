//! Outlines: what tells how two blocks differ, without their text.
//!
//! A block that differs in a date from the one before it should be told from one whose parts stand in
//! another order, and from one that says something else. So the pieces that look as if they changed
//! are told apart from the rest, and of the rest there is a sum over its bytes that does not depend on
//! their order. Only texts that prompts begin with have an outline: tools and instructions.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;
use scrimp_core::call::{Digest, Look, Outline, Role, Varying};

use crate::scan::QUOTE;
use crate::{Key, ascii};

mod look;

/// Bytes that are counted and added up at once: short enough for counters of a byte, and for sums of
/// 32 bits.
const STRIDE: usize = 192;
/// Numbers that are kept of a block, and pieces that are none: lists are numbered, and would crowd out
/// the rest.
const MOST: usize = 32;
/// Pieces that are looked at, so that a table of numbers costs no more than any other text.
const MOST_LOOKED_AT: usize = 512;
/// Tools that one block may define.
const MOST_TOOLS: usize = 256;

/// Outlines that each thread has at hand. Tools and instructions come again with nearly every call,
/// and to look at all their bytes costs some tenth of what reading a request does.
const AT_HAND: usize = 512;

type AtHand = Vec<Option<(Digest, Arc<Outline>)>>;

thread_local! {
    static MADE: RefCell<AtHand> = RefCell::new(vec![None; AT_HAND]);
}

/// The outline of a tool's definition or of instructions with this digest, made where it is not at
/// hand.
pub(super) fn known(digest: Digest, role: Role, bytes: &[u8], key: &Key) -> Arc<Outline> {
    MADE.with_borrow_mut(|made| {
        let place = usize::from(digest.0[0]) | usize::from(digest.0[1] & 1) << 8;
        match &made[place] {
            Some((known, outline)) if *known == digest => outline.clone(),
            _ => {
                let mut outline = Outlining::new(bytes, key).outline();
                if role == Role::Tool {
                    outline.tools = tools(bytes, key);
                }
                let outline = Arc::new(outline);
                made[place] = Some((digest, outline.clone()));
                outline
            }
        }
    })
}

/// The outline of a call to a tool: which it is.
pub(super) fn of_call(canonical: &[u8], key: &Key) -> Option<Arc<Outline>> {
    let tools = tools(canonical, key);
    (!tools.is_empty()).then(|| Arc::new(Outline { tools, ..Outline::default() }))
}

/// Makes the outline of what a block says.
struct Outlining<'a> {
    bytes: &'a [u8],
    key: &'a Key,
    sum: u64,
    spans: Vec<Varying>,
    /// Up to where pieces have been looked for.
    done: usize,
    /// How many pieces are kept: numbers come second.
    counts: [usize; 2],
    surplus: Option<Surplus>,
    looked_at: usize,
}

/// Names of tools in what a block says. Of a call, and of most definitions, the first that is given
/// is its own; any other belongs to what it holds.
fn tools(canonical: &[u8], key: &Key) -> Vec<u64> {
    static NAME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\xffname\xff\xff"));
    let holds_many = [&b"\xfffunctionDeclarations"[..], b"\xfffunction_declarations"];
    let most = match holds_many.iter().any(|name| canonical.starts_with(name)) {
        true => MOST_TOOLS,
        false => 1,
    };
    let name = |at: usize| {
        let rest = &canonical[at + NAME.needle().len()..];
        let name = &rest[..memchr::memchr(QUOTE, rest).unwrap_or(rest.len())];
        key.word(name)
    };
    NAME.find_iter(canonical).take(most).map(name).collect()
}

/// The sum of the squares of all bytes: of no use for finding a text, and the same for two texts of
/// the same bytes. Of two others of one length it is the same by a chance of one in some thousand at
/// worst, where they differ in few letters; findings rest on many pairs. This is vectorised.
fn squares(stride: &[u8]) -> u64 {
    let square =
        |sum: i32, byte: &u8| sum + i32::from(i16::from(*byte)) * i32::from(i16::from(*byte));
    let (strides, rest) = stride.as_chunks::<32>();
    let sum = strides.iter().fold(0, |sum, stride| stride.iter().fold(sum, square));
    u64::from(rest.iter().fold(sum, square).cast_unsigned())
}

fn all_squares(piece: &[u8]) -> u64 {
    piece.chunks(STRIDE).map(squares).sum()
}

/// Numbers that are not kept.
struct Surplus {
    /// Where the first starts.
    start: usize,
    length: usize,
    hashes: u64,
    squares: u64,
}

impl<'a> Outlining<'a> {
    fn new(bytes: &'a [u8], key: &'a Key) -> Outlining<'a> {
        let spans = Vec::new();
        Outlining {
            bytes,
            key,
            sum: 0,
            spans,
            done: 0,
            counts: [0; 2],
            surplus: None,
            looked_at: 0,
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a hash; bodies are shorter than 4 GiB")]
    fn outline(mut self) -> Outline {
        for (at, stride) in self.bytes.chunks(STRIDE).enumerate() {
            let start = at * STRIDE;
            self.sum += squares(stride);
            // A counter of a byte each, which is vectorised.
            let digits = stride.iter().fold(0, |sum, byte| sum + u8::from(byte.is_ascii_digit()));
            if digits != 0 {
                self.through(start..start + stride.len(), usize::from(digits));
            }
        }
        let Outlining { bytes, key, mut sum, mut spans, surplus, .. } = self;
        let mut rest = bytes.len();
        for Varying { start, length, .. } in &spans {
            let piece = &bytes[*start as usize..][..usize::from(*length)];
            sum -= all_squares(piece);
            rest -= piece.len();
        }
        if let Some(Surplus { start, length, hashes, squares }) = surplus {
            sum -= squares;
            rest -= length;
            let hash = key.seal(hashes) as u32;
            spans.push(Varying { look: Look::Number, hash, start: start as u32, length: 0 });
        }
        // Of another length is another text. The sum has less than 48 bits.
        let bag = key.seal(sum ^ (rest as u64).rotate_right(16));
        Outline { bag, spans, tools: Vec::new() }
    }

    #[inline(never)]
    fn through(&mut self, stride: Range<usize>, mut digits: usize) {
        let mut from = stride.start.max(self.done);
        // Those that belong to what was begun before.
        digits -= look::digits(&self.bytes[stride.start..from.min(stride.end)]);
        while digits != 0 && self.looked_at < MOST_LOOKED_AT {
            self.looked_at += 1;
            let digit = from + look::first_digit(&self.bytes[from..stride.end]);
            let range = look::around(self.bytes, digit, self.done);
            from = range.end;
            digits -= look::digits(&self.bytes[digit..from.min(stride.end)]);
            match look::is_limit(self.bytes, &range) {
                true => self.done = range.end,
                false => self.note(range),
            }
        }
    }

    fn note(&mut self, range: Range<usize>) {
        let last = self.spans.last().map(|last| last.start as usize + usize::from(last.length));
        self.done = range.end;
        // The year behind a day.
        if let (Some(end), Some(last)) = (last, self.spans.last_mut())
            && last.look == Look::Date
            && range.len() == 4
            && range.start <= end + 2
        {
            let start = last.start as usize;
            *last = varying(self.bytes, self.key, Look::Date, start..range.end);
            return;
        }
        let (look, range) = look::of(self.bytes, range);
        let floor = last.unwrap_or(0);
        let range = range.start.max(floor)..range.end;
        self.done = self.done.max(range.end);
        let count = &mut self.counts[usize::from(look == Look::Number)];
        if *count < MOST {
            *count += 1;
            self.spans.push(varying(self.bytes, self.key, look, range));
        } else if look == Look::Number {
            let piece = &self.bytes[range.clone()];
            let hash = self.key.mix_word(piece, ascii::lower(ascii::load(piece)));
            let none = Surplus { start: range.start, length: 0, hashes: 0, squares: 0 };
            let surplus = self.surplus.get_or_insert(none);
            surplus.length += piece.len();
            surplus.hashes = surplus.hashes.wrapping_add(hash);
            surplus.squares += all_squares(piece);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a hash; bodies are shorter than 4 GiB")]
fn varying(bytes: &[u8], key: &Key, look: Look, range: Range<usize>) -> Varying {
    // The rest of what is longer is part of the text.
    let length = u16::try_from(range.len()).unwrap_or(u16::MAX);
    let piece = &bytes[range.start..][..usize::from(length)];
    Varying { look, hash: key.word(piece) as u32, start: range.start as u32, length }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(text: &str) -> Outline {
        of(text, &Key::new([3; 32]))
    }

    fn of(text: &str, key: &Key) -> Outline {
        Outlining::new(text.as_bytes(), key).outline()
    }

    fn told(text: &str) -> Vec<(Look, &str)> {
        let piece = |span: &Varying| {
            let start = span.start as usize;
            (span.look, &text[start..start + usize::from(span.length)])
        };
        outline(text).spans.iter().map(piece).collect()
    }

    proptest::proptest! {
        #[test]
        fn an_outline_at_hand_is_the_one_that_would_be_made(texts in proptest::collection::vec("[a-z0-9: ]{0,9}", 1..40)) {
            let key = Key::new([3; 32]);
            for text in texts.iter().chain(&texts) {
                let digest = key.digest("test", text.as_bytes());
                let known = known(digest, Role::System, text.as_bytes(), &key);
                proptest::prop_assert_eq!(&*known, &outline(text));
            }
        }
    }

    #[test]
    fn what_may_change_is_told_by_its_look() {
        use Look::{Date, Id, Number, Random, Time};
        let table: &[(&str, &[(Look, &str)])] = &[
            ("It is 10:15.", &[(Time, "10:15")]),
            ("It is 10:15:30 PM, Ada.", &[(Time, "10:15:30 PM")]),
            ("now=2026-11-23T10:15:30.5Z", &[(Time, "2026-11-23T10:15:30.5Z")]),
            ("now=2026-11-23 10:15", &[(Date, "2026-11-23"), (Time, "10:15")]),
            ("t: 1795392000", &[(Time, "1795392000")]),
            ("t: 1795392000123", &[(Time, "1795392000123")]),
            ("Today is 2026-11-23.", &[(Date, "2026-11-23")]),
            ("Today is Monday, November 23, 2026.", &[(Date, "Monday, November 23, 2026")]),
            ("Today is Mon 23 Nov 2026!", &[(Date, "Mon 23 Nov 2026")]),
            ("Date: 23.11.2026", &[(Date, "23.11.2026")]),
            (
                "Trace 0b6c3a1e-77aa-4b2c-9d1e-001122334455",
                &[(Id, "0b6c3a1e-77aa-4b2c-9d1e-001122334455")],
            ),
            ("Request id: 4711", &[(Id, "4711")]),
            ("requestId is 8f3a9c", &[(Id, "8f3a9c")]),
            ("user req_8f3a9c01", &[(Id, "req_8f3a9c01")]),
            ("nonce 8f3a9c01d2e4", &[(Random, "8f3a9c01d2e4")]),
            ("seed=42", &[(Random, "42")]),
            ("x aGVsbG8gd29ybGQ9/9+a", &[(Random, "aGVsbG8gd29ybGQ9/9+a")]),
            ("This is call 17.", &[(Number, "17")]),
            ("It costs $12.50 or 3%", &[(Number, "12.50"), (Number, "3")]),
            ("no digits at all", &[]),
        ];
        for (text, looks) in table {
            assert_eq!(told(text), *looks, "{text}");
        }
    }

    #[test]
    fn two_texts_that_differ_in_such_a_piece_or_in_their_order_have_one_bag() {
        let same = [
            ("It is 10:15 now.", "It is 9:05 PM now."),
            ("Today is Monday, May 5, 2026.", "Today is Tuesday, November 16, 2027."),
            (
                "Id: 0b6c3a1e-77aa-4b2c-9d1e-001122334455",
                "Id: 1b6c3a1e-77aa-4b2c-9d1e-00112233445f",
            ),
            (r#"{"name": "a", "size": 3}"#, r#"{"size": 3, "name": "a"}"#),
            ("one\ntwo\nthree", "two\none\nthree"),
        ];
        for (one, other) in same {
            assert_eq!(outline(one).bag, outline(other).bag, "{one}");
        }
        for (one, other) in
            [("You are Ada.", "You are Bob."), ("Be brief.", "Be brief"), ("a", "b")]
        {
            assert_ne!(outline(one).bag, outline(other).bag, "{one}");
        }
    }

    #[test]
    fn a_bag_depends_on_the_key() {
        let other = of("Be brief.", &Key::new([4; 32]));
        assert_ne!(outline("Be brief.").bag, other.bag);
    }

    #[test]
    fn a_table_of_numbers_does_not_crowd_out_what_comes_after_it() {
        let text = format!("{} id 0b6c3a1e-77aa-4b2c-9d1e-001122334455", "7 ".repeat(100));
        let spans = outline(&text).spans;
        let looks: Vec<Look> = spans[MOST..].iter().map(|span| span.look).collect();
        assert_eq!(looks, [Look::Id, Look::Number]);
        assert_eq!(outline(&"7 ".repeat(100_000)).spans.len(), MOST + 1);
    }

    #[test]
    fn numbers_that_are_too_many_to_be_kept_differ_as_one() {
        let [one, other] = ["8", "9"].map(|last| outline(&format!("{}{last} m", "7 ".repeat(100))));
        assert_eq!(one.bag, other.bag);
        assert_eq!(one.spans[..MOST], other.spans[..MOST]);
        assert_ne!(one.spans[MOST].hash, other.spans[MOST].hash);
    }

    proptest::proptest! {
        #[test]
        fn spans_are_in_order_apart_and_inside(text in "[ a-fT0-9:,./_é\u{ff}PMay-]{0,400}") {
            let spans = outline(&text).spans;
            let end = |span: &Varying| span.start as usize + usize::from(span.length);
            let kept: Vec<_> = spans.iter().filter(|span| span.length != 0).collect();
            for pair in kept.windows(2) {
                proptest::prop_assert!(end(pair[0]) <= pair[1].start as usize, "{spans:?}");
            }
            proptest::prop_assert!(spans.iter().all(|span| end(span) <= text.len()));
        }
    }
}
