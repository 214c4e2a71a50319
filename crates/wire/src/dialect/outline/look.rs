//! What a piece of text with a digit in it looks like.

use std::ops::Range;

use scrimp_core::call::Look;

use crate::ascii;
use crate::scan::QUOTE;

/// What a word says of what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// It names something.
    Names,
    /// It means nothing.
    Chance,
    /// What the word before says.
    AsBefore,
}

/// Words, of which the first eight letters are enough, each in its [`slot`].
const WORDS: [(u64, Says); 64] = {
    let words: [(&[u8], Says); 20] = [
        (b"id", Says::Names),
        (b"uuid", Says::Names),
        (b"guid", Says::Names),
        (b"user", Says::Names),
        (b"session", Says::Names),
        (b"request", Says::Names),
        (b"trace", Says::Names),
        (b"conversa", Says::Names),
        (b"thread", Says::Names),
        (b"nonce", Says::Chance),
        (b"seed", Says::Chance),
        (b"salt", Says::Chance),
        (b"random", Says::Chance),
        (b"cch", Says::Chance),
        (b"hash", Says::Chance),
        (b"token", Says::Chance),
        (b"is", Says::AsBefore),
        (b"no", Says::AsBefore),
        (b"number", Says::AsBefore),
        (b"was", Says::AsBefore),
    ];
    let mut table = [(0, Says::AsBefore); 64];
    let mut n = 0;
    while n < words.len() {
        let (word, says) = words[n];
        let (mut packed, mut at) = (0, word.len());
        while 0 < at {
            at -= 1;
            packed = packed << 8 | word[at] as u64;
        }
        assert!(table[slot(packed)].0 == 0, "two words in one slot: choose another multiplier");
        table[slot(packed)] = (packed, says);
        n += 1;
    }
    table
};

/// Where a packed word stands in [`WORDS`], if it does.
const fn slot(packed: u64) -> usize {
    (packed.wrapping_mul(MULTIPLIER) >> 58) as usize
}

const MULTIPLIER: u64 = 0xec14_8cb4_8e73_ca47;

const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];
const DAYS: [&[u8]; 7] =
    [b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday", b"sunday"];

/// Letters and digits without a word's prefix mean something if they are fewer.
const SHORTEST_RANDOM: usize = 6;
/// Signs that may stand between a word and what it says.
const MOST_SIGNS: usize = 4;
/// Digits of a limit; seconds since 1970 have more.
const LONGEST_LIMIT: usize = 7;
/// Words that are looked at are no longer.
const LONGEST_WORD: usize = 24;

/// Bytes of which pieces consist.
const BELONGS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.' | b'/' | b'+');
        byte += 1;
    }
    table
};

/// Where the first digit is; one is there.
pub(super) fn first_digit(bytes: &[u8]) -> usize {
    const SOME: usize = 16;
    let (pieces, _) = bytes.as_chunks::<SOME>();
    let has_none = |piece: &&[u8; SOME]| {
        piece.iter().fold(0, |some, byte| some | u8::from(byte.is_ascii_digit())) == 0
    };
    let start = pieces.iter().take_while(has_none).count() * SOME;
    start + bytes[start..].iter().take_while(|byte| !byte.is_ascii_digit()).count()
}

/// How many digits there are in what is short.
pub(super) fn digits(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| byte.is_ascii_digit()).count()
}

/// The piece around a digit, not before `floor`.
pub(super) fn around(bytes: &[u8], digit: usize, floor: usize) -> Range<usize> {
    let belongs = |at: usize| BELONGS[usize::from(bytes[at])];
    let (mut start, mut end) = (digit, digit + 1);
    while floor < start && belongs(start - 1) {
        start -= 1;
    }
    while end < bytes.len() && belongs(end) {
        end += 1;
    }
    // Signs at the ends belong to the sentence.
    while !bytes[start].is_ascii_alphanumeric() {
        start += 1;
    }
    while !bytes[end - 1].is_ascii_alphanumeric() {
        end -= 1;
    }
    start..end
}

/// Whether the piece is a short number that is a value of its own in JSON: a limit or a default. With
/// another one a tool is another tool, so that it is part of what the text says.
pub(super) fn is_limit(bytes: &[u8], range: &Range<usize>) -> bool {
    let is_value = range.start.checked_sub(1).is_some_and(|before| bytes[before] == QUOTE)
        && matches!(bytes.get(range.end), Some(b',' | b'}' | b']' | &QUOTE));
    is_value && range.len() <= LONGEST_LIMIT && bytes[range.clone()].iter().all(u8::is_ascii_digit)
}

/// What the piece looks like, with the words around it that belong to it.
pub(super) fn of(bytes: &[u8], range: Range<usize>) -> (Look, Range<usize>) {
    let piece = &bytes[range.clone()];
    let before = word_before(bytes, range.start);
    if piece.iter().any(u8::is_ascii_alphabetic) {
        return match of_letters(piece) {
            Some(look) => (look, range),
            None => (by_word(bytes, &before).unwrap_or_else(|| plain(piece)), range),
        };
    }
    if is_time(piece) {
        return (Look::Time, range.start..end_of_day_half(bytes, range.end));
    }
    if is_date(piece) {
        return (Look::Date, with_day(bytes, before, range));
    }
    if is_epoch(piece) {
        return (Look::Time, range);
    }
    if piece.len() <= 2 {
        let after = word_after(bytes, range.end);
        if is_named(&bytes[before.clone()], &MONTHS) {
            let day = word_before(bytes, before.start);
            return (Look::Date, with_day(bytes, day, before.start..range.end));
        }
        if is_named(&bytes[after.clone()], &MONTHS) {
            return (Look::Date, with_day(bytes, before, range.start..after.end));
        }
    }
    (by_word(bytes, &before).unwrap_or(Look::Number), range)
}

fn of_letters(piece: &[u8]) -> Option<Look> {
    let is_stamp = || 10 < piece.len() && matches!(piece[10], b'T' | b't') && is_date(&piece[..10]);
    let clock = piece.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b':').count();
    if is_stamp() || is_time(&piece[..clock]) {
        return Some(Look::Time);
    }
    is_uuid(piece).then_some(Look::Id)
}

/// Without a word that says more.
fn plain(piece: &[u8]) -> Look {
    let prefix = piece.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let is_split = matches!(piece.get(prefix), Some(b'_' | b'-' | b':'));
    match piece.len() {
        _ if 2 <= prefix && is_split => Look::Id,
        SHORTEST_RANDOM.. => Look::Random,
        _ => Look::Number,
    }
}

fn by_word(bytes: &[u8], before: &Range<usize>) -> Option<Look> {
    let says = says(&bytes[before.clone()])?;
    let says = match says {
        Says::AsBefore => self::says(&bytes[word_before(bytes, before.start)])?,
        other => other,
    };
    match says {
        Says::Names => Some(Look::Id),
        Says::Chance => Some(Look::Random),
        Says::AsBefore => None,
    }
}

fn says(word: &[u8]) -> Option<Says> {
    if let [.., b'a'..=b'z', b'I', b'd' | b'D'] = word {
        return Some(Says::Names);
    }
    let last = word.iter().rposition(|byte| *byte == b'_').map_or(0, |at| at + 1);
    let packed = ascii::lower(ascii::load(&word[last..]));
    let (known, says) = WORDS[slot(packed)];
    (known == packed && packed != 0).then_some(says)
}

/// The word before a place, a few signs back at most; empty if there is none.
fn word_before(bytes: &[u8], at: usize) -> Range<usize> {
    let floor = at.saturating_sub(LONGEST_WORD);
    let is_word =
        |at: usize| floor < at && (bytes[at - 1].is_ascii_alphabetic() || bytes[at - 1] == b'_');
    let mut end = at;
    while !is_word(end) {
        let is_between = floor < end
            && at - end < MOST_SIGNS
            && matches!(
                bytes[end - 1],
                b' ' | b',' | b'.' | b':' | b'=' | b'#' | b'"' | b'\'' | b'-' | QUOTE
            );
        if !is_between {
            return at..at;
        }
        end -= 1;
    }
    let mut start = end;
    while is_word(start) {
        start -= 1;
    }
    start..end
}

/// The word right behind a place and one or two signs.
fn word_after(bytes: &[u8], at: usize) -> Range<usize> {
    let near = &bytes[at..bytes.len().min(at + LONGEST_WORD)];
    let signs = near.iter().take(2).take_while(|byte| matches!(byte, b' ' | b'.')).count();
    let length = near[signs..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    at + signs..at + signs + length
}

/// With the day of the week that stands before a date.
fn with_day(bytes: &[u8], word: Range<usize>, date: Range<usize>) -> Range<usize> {
    match is_named(&bytes[word.clone()], &DAYS) {
        true => word.start..date.end,
        false => date,
    }
}

/// Behind the `am` or `pm` that follows, if one does.
fn end_of_day_half(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at..at + 3) {
        Some([b' ', b'a' | b'A' | b'p' | b'P', b'm' | b'M'])
            if !bytes.get(at + 3).is_some_and(u8::is_ascii_alphanumeric) =>
        {
            at + 3
        }
        _ => at,
    }
}

/// One of these names, whole or cut to its first three letters.
fn is_named(word: &[u8], names: &[&[u8]]) -> bool {
    let fits =
        |name: &&[u8]| name.eq_ignore_ascii_case(word) || name[..3].eq_ignore_ascii_case(word);
    (3..10).contains(&word.len()) && names.iter().any(fits)
}

/// `10:15`, with seconds and fractions or without.
fn is_time(piece: &[u8]) -> bool {
    matches!(
        piece,
        [b'0'..=b'9', b':', b'0'..=b'5', b'0'..=b'9', ..]
            | [b'0'..=b'2', b'0'..=b'9', b':', b'0'..=b'5', b'0'..=b'9', ..]
    )
}

/// Three numbers, of which the first or the last may be a year.
fn is_date(piece: &[u8]) -> bool {
    let mut lengths = [0_usize; 3];
    let mut parts = piece.split(|byte| matches!(byte, b'-' | b'.' | b'/'));
    for length in &mut lengths {
        match parts.next() {
            Some(part) if part.iter().all(u8::is_ascii_digit) => *length = part.len(),
            _ => return false,
        }
    }
    let is_known = matches!(lengths, [4, 1..=2, 1..=2] | [1..=2, 1..=2, 4 | 2]);
    is_known && parts.next().is_none()
}

/// Seconds or milliseconds since 1970, from 2017 on.
fn is_epoch(piece: &[u8]) -> bool {
    let digits = piece.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_whole = matches!(piece.get(digits), None | Some(b'.'));
    is_whole && matches!((digits, piece), (10 | 13, [b'1', b'5'..=b'9', ..]))
}

fn is_uuid(piece: &[u8]) -> bool {
    let is_right = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    piece.len() == 36 && piece.iter().enumerate().all(is_right)
}
