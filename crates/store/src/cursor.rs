//! Reads values that [`crate::put`] laid out, or steps over them, without a value for each field.

use serde::Deserialize;

use crate::blob::{self, Torn};

/// The bytes break off or are something else. Without a word of its own, so that it costs a reader
/// nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Misshapen;

/// The bytes that are not read yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl From<Misshapen> for Torn {
    fn from(Misshapen: Misshapen) -> Torn {
        Torn::Shape
    }
}

impl<'a> Cursor<'a> {
    /// One byte.
    pub(crate) fn byte(&mut self) -> Result<u8, Misshapen> {
        let (byte, rest) = self.0.split_first().ok_or(Misshapen)?;
        self.0 = rest;
        Ok(*byte)
    }

    /// So many bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Misshapen> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Misshapen)?;
        self.0 = rest;
        Ok(*bytes)
    }

    /// A whole number.
    pub(crate) fn word(&mut self) -> Result<u64, Misshapen> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Misshapen)
    }

    /// A whole number that has to be small enough for its type.
    pub(crate) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Misshapen> {
        T::try_from(self.word()?).map_err(|_| Misshapen)
    }

    /// One that may be negative.
    pub(crate) fn signed(&mut self) -> Result<i64, Misshapen> {
        let value = self.word()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self) -> Result<bool, Misshapen> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Misshapen),
        }
    }

    /// One of these, by its place.
    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> Result<T, Misshapen> {
        all.get(usize::from(self.byte()?)).copied().ok_or(Misshapen)
    }

    /// A text.
    pub(crate) fn text(&mut self) -> Result<&'a str, Misshapen> {
        let length = self.small()?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Misshapen)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| Misshapen)
    }

    /// A value, if there is one.
    pub(crate) fn maybe<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Misshapen>,
    ) -> Result<Option<T>, Misshapen> {
        match self.flag()? {
            true => read(self).map(Some),
            false => Ok(None),
        }
    }

    /// Any value at all.
    pub(crate) fn any<T: Deserialize<'a>>(&mut self) -> Result<T, Misshapen> {
        blob::take(&mut self.0).map_err(|_| Misshapen)
    }

    /// Steps over so many bytes.
    pub(crate) fn skip(&mut self, bytes: usize) -> Result<(), Misshapen> {
        self.0 = self.0.get(bytes..).ok_or(Misshapen)?;
        Ok(())
    }

    /// Steps over so many numbers of any width.
    pub(crate) fn skip_words(&mut self, mut words: u64) -> Result<(), Misshapen> {
        if words == 0 {
            return Ok(());
        }
        let is_last = |byte: &u8| {
            words -= u64::from(*byte < 0x80);
            words == 0
        };
        let at = self.0.iter().position(is_last).ok_or(Misshapen)?;
        self.skip(at + 1)
    }

    /// Steps over a list of numbers.
    pub(crate) fn skip_list(&mut self) -> Result<(), Misshapen> {
        let words = self.word()?;
        self.skip_words(words)
    }

    /// Steps over a text.
    pub(crate) fn skip_text(&mut self) -> Result<(), Misshapen> {
        let length = self.small()?;
        self.skip(length)
    }
}
