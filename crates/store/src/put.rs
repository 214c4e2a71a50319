//! Values as bytes at the end of a vector, just as postcard lays them out.
//!
//! Postcard's own way there is a call for each field and, for an array, for each of its bytes: five
//! times the work for a record. What is rare still goes through it.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// Appends values to bytes.
pub(crate) trait Put {
    /// A whole number in as few bytes as it needs.
    fn word(&mut self, value: u64);
    /// One that may be negative.
    fn signed(&mut self, value: i64);
    /// The same, twice as wide.
    fn wide(&mut self, value: i128);
    /// Yes or no.
    fn flag(&mut self, value: bool);
    /// A text with its length before it.
    fn text(&mut self, value: &str);
    /// A list of numbers with its length before it.
    fn words(&mut self, values: &[u64]);
    /// Whether there is a value, and the value.
    fn maybe<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T));
    /// Any value at all.
    fn any(&mut self, value: &impl Serialize);
}

impl Put for Vec<u8> {
    fn word(&mut self, value: u64) {
        match u8::try_from(value) {
            Ok(byte @ ..0x80) => self.push(byte),
            Ok(_) | Err(_) => put_varint(self, value),
        }
    }

    fn signed(&mut self, value: i64) {
        self.word((value << 1 ^ value >> 63).cast_unsigned());
    }

    fn wide(&mut self, value: i128) {
        let value = (value << 1 ^ value >> 127).cast_unsigned();
        match u64::try_from(value) {
            Ok(value) => self.word(value),
            Err(_) => put_wide_varint(self, value),
        }
    }

    fn flag(&mut self, value: bool) {
        self.push(u8::from(value));
    }

    fn text(&mut self, value: &str) {
        self.word(value.len() as u64);
        self.extend_from_slice(value.as_bytes());
    }

    fn words(&mut self, values: &[u64]) {
        self.word(values.len() as u64);
        for value in values {
            self.word(*value);
        }
    }

    fn maybe<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn any(&mut self, value: &impl Serialize) {
        let out = AtEnd(std::mem::take(self));
        *self = postcard::serialize_with_flavor(value, out)
            .expect("a record is plain data and a vector grows");
    }
}

/// Seven bits in each byte, the lowest first; all but the last have their highest bit set.
fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    let mut bytes = [0; u64::BITS.div_ceil(7) as usize];
    let mut last = 0;
    while 0x80 <= value {
        bytes[last] = low(value) | 0x80;
        value >>= 7;
        last += 1;
    }
    bytes[last] = low(value);
    out.extend_from_slice(&bytes[..=last]);
}

fn put_wide_varint(out: &mut Vec<u8>, mut value: u128) {
    while let Err(_) | Ok(0x80..) = u64::try_from(value) {
        let [byte, ..] = value.to_le_bytes();
        out.push(byte | 0x80);
        value >>= 7;
    }
    out.push(low(value.try_into().expect("below 0x80")));
}

fn low(value: u64) -> u8 {
    let [byte, ..] = value.to_le_bytes();
    byte
}

/// Bytes at the end of a vector. Postcard's own goes through `Extend`, one byte at a time.
struct AtEnd(Vec<u8>);

impl Flavor for AtEnd {
    type Output = Vec<u8>;

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_are_laid_out_as_postcard_does(
            word: u64, shift in 0..64, signed: i64, wide: i128, flag: bool,
            text: String, words: Vec<u64>, maybe: Option<u64>
        ) {
            let mut out = Vec::new();
            out.word(word >> shift);
            out.signed(signed >> shift);
            out.wide(wide >> shift);
            out.wide(wide >> 64);
            out.flag(flag);
            out.text(&text);
            out.words(&words);
            out.maybe(maybe, Vec::word);
            out.any(&(text.as_str(), flag));
            let values = (
                word >> shift, signed >> shift, wide >> shift, wide >> 64, flag, &text, &words, maybe,
                (&text, flag),
            );
            prop_assert_eq!(out, postcard::to_stdvec(&values).unwrap());
        }
    }
}
