//! Up to eight bytes of text at a time, in one integer.

/// The bytes of `text`, the first lowest, zeros above. Two reads that may overlap take the place of
/// a copy of unknown length. What is behind the eighth byte does not matter.
pub(crate) fn load(text: &[u8]) -> u64 {
    let text = &text[..text.len().min(8)];
    let length = text.len();
    let byte = |at: usize| u64::from(text[at]) << (at * 8);
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let last = u64::from(u32::from_le_bytes(*last)) << ((length - 4) * 8);
            u64::from(u32::from_le_bytes(*first)) | last
        }
        _ if length == 0 => 0,
        // The first, the middle and the last of one to three.
        _ => byte(0) | byte(length / 2) | byte(length - 1),
    }
}

const ONES: u64 = u64::MAX / 255;
/// The bit that tells a small letter from a capital, in every byte.
pub(crate) const SMALL: u64 = ONES * 0x20;

/// The lowest bit that is set stands in the first of eight bytes that is no ASCII letter; those behind
/// it may be marked wrongly. `small` has [`SMALL`] set in all of them.
pub(crate) fn first_other_than_letters(small: u64) -> u64 {
    // No byte but a capital became a small letter by that bit. A subtraction borrows only from what
    // is above a byte that is none.
    let below_a = small.wrapping_sub(ONES * u64::from(b'a'));
    let beyond_z = (ONES * u64::from(b'z')).wrapping_sub(small);
    (below_a | beyond_z) & (ONES * 0x80)
}

/// Eight bytes with their ASCII letters made small.
pub(crate) fn lower(word: u64) -> u64 {
    let low = word & (ONES * 0x7f);
    // The high bit of every byte that is at least `A`, and of every one beyond `Z`.
    let from_a = low + ONES * u64::from(0x80 - b'A');
    let beyond_z = low + ONES * u64::from(0x7f - b'Z');
    let is_capital = (from_a ^ beyond_z) & !word & (ONES * 0x80);
    word | (is_capital >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_loaded_in_its_place() {
        let text = b"\x01\x02\x03\x04\x05\x06\x07\x08";
        for length in 0..=8 {
            let mut word = [0; 8];
            word[..length].copy_from_slice(&text[..length]);
            assert_eq!(load(&text[..length]), u64::from_le_bytes(word), "{length}");
        }
    }

    #[test]
    fn letters_are_those_of_the_standard_library() {
        for byte in 0..=u8::MAX {
            let text = [byte, b'A', 0xff, byte, b'Z', b'[', byte, b'@'];
            let small = u64::from_le_bytes(text.map(|byte| byte.to_ascii_lowercase()));
            assert_eq!(lower(u64::from_le_bytes(text)), small, "{byte}");
            for text in [[b'a', b'Z', byte, byte, b'q', b'0', b'a', byte], [byte; 8]] {
                let found = first_other_than_letters(u64::from_le_bytes(text) | SMALL);
                let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
                assert_eq!(found.trailing_zeros() as usize / 8, letters, "{byte}");
            }
        }
    }
}
