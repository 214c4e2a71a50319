//! Values that are passed over, or written down in one canonical form.

use super::{Kind, Piece, Scanner, Wrong};

/// Stands for a string's quotes in canonical form. No UTF-8 text contains it, so no text can pass
/// for structure.
pub(crate) const QUOTE: u8 = 0xff;

/// What becomes of a value that is walked over.
trait Sink {
    fn mark(&mut self, byte: u8);
    fn plain(&mut self, bytes: &[u8]);
    fn string(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong>;
}

/// Nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn mark(&mut self, _: u8) {}
    fn plain(&mut self, _: &[u8]) {}
    fn string(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        scanner.string().map(|_| ())
    }
}

impl Sink for &mut Vec<u8> {
    fn mark(&mut self, byte: u8) {
        self.push(byte);
    }
    fn plain(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
    fn string(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        self.push(QUOTE);
        scanner.string_into(self)?;
        self.push(QUOTE);
        Ok(())
    }
}

impl<'a> Scanner<'a> {
    /// Passes over a value and says where it was.
    pub(crate) fn skip(&mut self) -> Result<Piece, Wrong> {
        self.peek()?;
        let start = self.at;
        self.walk(&mut Nowhere)?;
        Ok(Piece::new(start, self.at))
    }

    /// Appends a value in canonical form: without white space between its parts, and with the
    /// escapes of its strings resolved. What a provider sees is the same however it was spelled.
    pub(crate) fn canonical(&mut self, mut out: &mut Vec<u8>) -> Result<(), Wrong> {
        self.walk(&mut out)
    }

    /// Reads a number or one of the three words and returns its spelling.
    pub(crate) fn scalar(&mut self) -> Result<&'a [u8], Wrong> {
        match self.peek()? {
            b'n' => self.word(b"null"),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            _ => self.number(),
        }
    }

    /// Reads a number, whose first byte is the next, and returns its spelling.
    pub(crate) fn number(&mut self) -> Result<&'a [u8], Wrong> {
        let start = self.at;
        if self.next_is(b'-') {
            self.at += 1;
        }
        match self.next_is(b'0') {
            true => self.at += 1,
            false => self.digits()?,
        }
        if self.next_is(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if self.next_is(b'e') || self.next_is(b'E') {
            self.at += 1;
            if self.next_is(b'+') || self.next_is(b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.bytes[start..self.at])
    }

    /// Reads a number that is at most twelve digits right before a comma or a bracket, as most are, and
    /// returns its value. Anything else is left for [`Scanner::number`].
    pub(crate) fn short_whole(&mut self) -> Option<u64> {
        let rest = &self.bytes[self.at..];
        let mut value = 0;
        for (length, byte) in rest.iter().enumerate().take(13) {
            match byte {
                b'0'..=b'9' => value = value * 10 + u64::from(byte - b'0'),
                b',' | b'}' | b']' if length == 1 || (1 < length && rest[0] != b'0') => {
                    self.at += length;
                    return Some(value);
                }
                _ => return None,
            }
        }
        None
    }

    fn walk(&mut self, sink: &mut impl Sink) -> Result<(), Wrong> {
        match self.kind()? {
            Kind::String => sink.string(self),
            Kind::Object => {
                let mut members = self.enter_object()?;
                sink.mark(b'{');
                while !self.closes(&mut members, b'}')? {
                    self.expect_byte(b'"')?;
                    sink.string(self)?;
                    self.expect_byte(b':')?;
                    self.at += 1;
                    self.walk(sink)?;
                }
                sink.mark(b'}');
                Ok(())
            }
            Kind::Array => {
                let mut elements = self.enter_array()?;
                sink.mark(b'[');
                while !self.closes(&mut elements, b']')? {
                    self.walk(sink)?;
                    sink.mark(b',');
                }
                sink.mark(b']');
                Ok(())
            }
            Kind::Number | Kind::Bool | Kind::Null => {
                sink.plain(self.scalar()?);
                Ok(())
            }
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<&'static [u8], Wrong> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(word);
        }
        match word.starts_with(rest) {
            true => Err(Wrong::Truncated { at: self.bytes.len() }),
            false => Err(Wrong::Syntax { at: self.at }),
        }
    }

    pub(super) fn next_is(&self, byte: u8) -> bool {
        self.bytes.get(self.at) == Some(&byte)
    }

    fn digits(&mut self) -> Result<(), Wrong> {
        let rest = &self.bytes[self.at..];
        match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
            0 if rest.is_empty() => Err(Wrong::Truncated { at: self.at }),
            0 => Err(Wrong::Syntax { at: self.at }),
            count => {
                self.at += count;
                Ok(())
            }
        }
    }
}
