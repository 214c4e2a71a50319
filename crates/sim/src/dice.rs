//! Chance that repeats: every draw comes from a seed and a purpose, never from the order in which
//! calls arrive, so that two runs of the same day differ only where the traffic differs.

/// A 128-bit digest, the first half of a BLAKE3 hash.
pub(crate) type Key = u128;

/// The digest of `parts`, each closed by its length so that no two lists run together.
pub(crate) fn digest(parts: &[&[u8]]) -> Key {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
        hasher.update(&(part.len() as u64).to_le_bytes());
    }
    key_of(&hasher)
}

/// The key that a hasher stands at.
pub(crate) fn key_of(hasher: &blake3::Hasher) -> Key {
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Key::from_le_bytes(half)
}

/// A stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Draws that depend on nothing but `seed`, `purpose` and `about`.
    pub(crate) fn new(seed: u64, purpose: &str, about: Key) -> Dice {
        let key = digest(&[&seed.to_le_bytes(), purpose.as_bytes(), &about.to_le_bytes()]);
        Dice(low(key))
    }

    /// The next 64 bits (`SplitMix64`, Steele et al. 2014).
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        float(self.bits() >> 11) / float(1 << 53)
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Evenly in `0..bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or_default()
    }

    /// Evenly in `low..=high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// One of `choices`.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let place = usize::try_from(self.below(choices.len() as u64)).unwrap_or_default();
        &choices[place]
    }

    /// Exponential with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Lognormal with this median and spread of the logarithm.
    pub(crate) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        // Box and Muller's transform; its second value is not needed.
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.unit()).cos();
        median * (sigma * normal).exp()
    }

    /// A lognormal draw as a whole number within limits.
    pub(crate) fn size(
        &mut self,
        median: f64,
        sigma: f64,
        limits: std::ops::RangeInclusive<u64>,
    ) -> u64 {
        whole(self.lognormal(median, sigma)).clamp(*limits.start(), *limits.end())
    }

    /// `length` letters and digits, as they stand in ids.
    pub(crate) fn id(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789";
        (0..length).map(|_| char::from(*self.pick(LETTERS))).collect()
    }
}

/// The lower half of a key.
pub(crate) fn low(key: Key) -> u64 {
    u64::try_from(key & u128::from(u64::MAX)).unwrap_or_default()
}

/// A count as a float.
#[expect(clippy::cast_precision_loss, reason = "counts here stay far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// A float as a whole number, rounded down; what is negative or no number is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and a fraction is to be cut off"
)]
pub(crate) fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_and_differ_by_purpose() {
        let draw = |purpose| Dice::new(7, purpose, 9).bits();
        assert_eq!(draw("tail"), draw("tail"));
        assert_ne!(draw("tail"), draw("eviction"));
    }

    #[test]
    fn lognormal_draws_have_the_median_that_was_asked_for() {
        let mut dice = Dice::new(1, "median", 0);
        let below = (0..4000).filter(|_| dice.lognormal(100.0, 0.7) < 100.0).count();
        assert!((1850..2150).contains(&below), "{below} of 4000 lie below the median");
    }
}
