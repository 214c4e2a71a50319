//! Strings and their escapes.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Scanner, Wrong};

/// A string as it stands in the body, between its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    raw: &'a [u8],
    is_escaped: bool,
}

impl<'a> Text<'a> {
    /// A string that a scanner has read, from quote to quote.
    pub(crate) fn read_before(quoted: &'a [u8]) -> Text<'a> {
        let raw = &quoted[1..quoted.len() - 1];
        Text { raw, is_escaped: memchr::memchr(b'\\', raw).is_some() }
    }

    /// What `bytes` begin with before a quote, an escape or a control character, and what is left.
    pub(super) fn plain(bytes: &'a [u8]) -> (Text<'a>, &'a [u8]) {
        let (raw, rest) = bytes.split_at(plain_run(bytes));
        (Text { raw, is_escaped: false }, rest)
    }

    /// The text with its escapes resolved. Lone surrogates keep three bytes of their own, as in
    /// WTF-8, so that different texts never become equal.
    #[inline]
    pub(crate) fn decoded(self) -> Cow<'a, [u8]> {
        match self.is_escaped {
            false => Cow::Borrowed(self.raw),
            true => Cow::Owned(self.unescaped()),
        }
    }

    fn unescaped(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            out.extend_from_slice(&rest[..at]);
            let (_, used) = unescape(&rest[at..], &mut out).expect("validated when it was read");
            rest = &rest[at + used..];
        }
        out.extend_from_slice(rest);
        out
    }

    /// The text for people and names; what is no Unicode becomes a replacement character.
    pub(crate) fn lossy(self) -> String {
        String::from_utf8_lossy(&self.decoded()).into_owned()
    }

    /// [`Text::lossy`], for what many hold.
    pub(crate) fn shared(self) -> Arc<str> {
        String::from_utf8_lossy(&self.decoded()).into()
    }

    pub(crate) fn raw(self) -> &'a [u8] {
        self.raw
    }

    pub(crate) fn is(self, wanted: &[u8]) -> bool {
        match self.is_escaped {
            false => self.raw == wanted,
            true => self.decoded().as_ref() == wanted,
        }
    }
}

impl<'a> Scanner<'a> {
    /// Reads a string.
    pub(crate) fn string(&mut self) -> Result<Text<'a>, Wrong> {
        self.expect_byte(b'"')?;
        self.quoted()
    }

    /// Reads a string whose quote is the next byte.
    #[inline]
    pub(super) fn quoted(&mut self) -> Result<Text<'a>, Wrong> {
        let start = self.at + 1;
        self.at = start + plain_run(&self.bytes[start..]);
        let is_escaped = !self.next_is(b'"');
        if is_escaped {
            self.reach_quote()?;
        }
        let raw = &self.bytes[start..self.at];
        self.at += 1;
        Ok(Text { raw, is_escaped })
    }

    /// Reads on from what is no plain text to the quote that ends a string.
    #[inline(never)]
    fn reach_quote(&mut self) -> Result<(), Wrong> {
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => return Ok(()),
                Some(b'\\') => self.at += self.escape_length()?,
                Some(_) => return Err(Wrong::Syntax { at: self.at }),
                None => return Err(Wrong::Truncated { at: self.at }),
            }
            self.at += plain_run(&self.bytes[self.at..]);
        }
    }

    /// Reads a string and appends it to `out`, escapes resolved: one pass for what is digested.
    pub(crate) fn string_into(&mut self, out: &mut Vec<u8>) -> Result<(), Wrong> {
        self.expect_byte(b'"')?;
        self.at += 1;
        loop {
            let run = plain_run(&self.bytes[self.at..]);
            out.extend_from_slice(&self.bytes[self.at..self.at + run]);
            self.at += run;
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    let rest = &self.bytes[self.at..];
                    self.at += match unescape(rest, out) {
                        Some((_, used)) => used,
                        None => return Err(self.bad_escape()),
                    };
                }
                Some(_) => return Err(Wrong::Syntax { at: self.at }),
                None => return Err(Wrong::Truncated { at: self.at }),
            }
        }
    }

    fn escape_length(&self) -> Result<usize, Wrong> {
        let rest = &self.bytes[self.at..];
        match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
            Some(b'u') if hex4(rest.get(2..6)).is_some() => Ok(6),
            _ => Err(self.bad_escape()),
        }
    }

    /// Broken off if the body ends inside the escape, wrong otherwise.
    fn bad_escape(&self) -> Wrong {
        let rest = &self.bytes[self.at + 1..];
        let is_short = match rest.first() {
            None => true,
            Some(b'u') => rest.len() < 5 && rest[1..].iter().all(u8::is_ascii_hexdigit),
            Some(_) => false,
        };
        match is_short {
            true => Wrong::Truncated { at: self.bytes.len() },
            false => Wrong::Syntax { at: self.at },
        }
    }
}

/// How many leading bytes are neither a quote, nor a backslash, nor a control character.
///
/// First by eight, within a few of which keys and short values end; then in strides of 32, which the
/// compiler turns into vector instructions, and by eight again to find the place.
fn plain_run(bytes: &[u8]) -> usize {
    // Only the end of a body is shorter.
    let Some(start) = bytes.first_chunk::<SHORT>() else { return plain_words(bytes) };
    match plain_words(start) {
        SHORT => SHORT + long_plain_run(&bytes[SHORT..]),
        run => run,
    }
}

/// What is longer is read in strides.
const SHORT: usize = 32;

#[inline(never)]
fn long_plain_run(bytes: &[u8]) -> usize {
    let (strides, _) = bytes.as_chunks::<32>();
    let is_plain = |stride: &&[u8; 32]| stride.iter().fold(0, |hit, b| hit | special(*b)) == 0;
    let start = strides.iter().take_while(is_plain).count() * 32;
    start + plain_words(&bytes[start..])
}

#[inline]
fn plain_words(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let hits = special_in(u64::from_le_bytes(*word));
        if hits != 0 {
            return at * 8 + hits.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + rest.iter().take_while(|byte| special(**byte) == 0).count()
}

/// What makes the quote the neighbour of the control characters, in the place of the space.
const SWAP: u8 = b'"' ^ b' ';

fn special(byte: u8) -> u8 {
    u8::from(byte ^ SWAP <= b' ') | u8::from(byte == b'\\')
}

/// The high bit of every special byte, exact for the lowest: a subtraction borrows only from what is
/// above a hit.
fn special_in(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let quote_or_control = (word ^ (ONES * u64::from(SWAP))).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    (quote_or_control | backslash) & !word & HIGH
}

/// Resolves the escape that `bytes` begins with. Returns the character and how many bytes it took.
fn unescape(bytes: &[u8], out: &mut Vec<u8>) -> Option<(u32, usize)> {
    let plain = match bytes.get(1)? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 8,
        b'f' => 12,
        b'u' => return unescape_unicode(bytes, out),
        other @ (b'"' | b'\\' | b'/') => *other,
        _ => return None,
    };
    out.push(plain);
    Some((u32::from(plain), 2))
}

fn unescape_unicode(bytes: &[u8], out: &mut Vec<u8>) -> Option<(u32, usize)> {
    let first = hex4(bytes.get(2..6))?;
    if (0xd800..0xdc00).contains(&first) && bytes.get(6..8) == Some(b"\\u") {
        let second = hex4(bytes.get(8..12))?;
        if (0xdc00..0xe000).contains(&second) {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            push_code(code, out);
            return Some((code, 12));
        }
    }
    push_code(first, out);
    Some((first, 6))
}

#[expect(clippy::cast_possible_truncation, reason = "six bits at a time")]
fn push_code(code: u32, out: &mut Vec<u8>) {
    let tail = |shift: u32| 0x80 | ((code >> shift) & 0x3f) as u8;
    match code {
        0..0x80 => out.push(code as u8),
        0x80..0x800 => out.extend([0xc0 | (code >> 6) as u8, tail(0)]),
        0x800..0x1_0000 => out.extend([0xe0 | (code >> 12) as u8, tail(6), tail(0)]),
        _ => out.extend([0xf0 | (code >> 18) as u8, tail(12), tail(6), tail(0)]),
    }
}

fn hex4(digits: Option<&[u8]>) -> Option<u32> {
    digits?.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
}
