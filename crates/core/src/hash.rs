//! Fixed, seedless mixing of integers.
//!
//! Policies must not draw random numbers: what looks random is a hash of the call's recorded seed
//! (or of its unit) and a purpose, so that a replay repeats it on any machine and in any version.
//! The constants are part of the recorded format: changing them changes past assignments.

/// Mixes `value` so that every input bit reaches every output bit.
///
/// Source of the constants: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
pub const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Combines a running hash with the next value; order matters.
pub const fn chain(state: u64, next: u64) -> u64 {
    mix(state.rotate_left(23) ^ mix(next))
}

/// A stable hash of a short text, such as a purpose.
pub fn text(text: &str) -> u64 {
    text.as_bytes().chunks(8).fold(text.len() as u64, |state, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        chain(state, u64::from_le_bytes(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_recorded_by_earlier_versions_still_hold() {
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(1), 0x910a_2dec_8902_5cc1);
    }

    #[test]
    fn order_and_length_matter() {
        assert_ne!(chain(chain(0, 1), 2), chain(chain(0, 2), 1));
        assert_ne!(text("ab"), text("ab\0"));
    }
}
