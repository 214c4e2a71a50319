//! The key under which content is digested.
//!
//! A record holds digests, never text. They are keyed so that nobody without the key in the data
//! directory can test a guess of a text against them.

use scrimp_core::Digest;

use crate::ascii;

/// The domain of parameters.
const PARAMETERS: &str = "parameters";

/// Digests content under one secret.
#[derive(Clone)]
pub struct Key {
    root: [u8; 32],
    /// For the chunks of long blocks.
    chunks: [u8; 32],
    /// For single words.
    words: [u64; 2],
    /// For words that are mixed and not kept.
    mixing: Mixing,
    /// The digest of no parameters at all, which many requests have.
    no_parameters: Digest,
}

/// What words are mixed with.
#[derive(Clone)]
struct Mixing {
    /// One for each length of what is left of a word behind its whole eights, so that words which
    /// end in zeros differ.
    starts: [u64; 8],
    /// For what stands in an order. Odd, so that a product loses nothing.
    factor: u64,
}

impl Key {
    /// From 32 secret bytes.
    pub fn new(bytes: [u8; 32]) -> Key {
        let part = |purpose: &[u8]| *blake3::keyed_hash(&bytes, purpose).as_bytes();
        let [factor] = integers(&bytes, b"scrimp factor");
        let key = Key {
            root: part(b"scrimp"),
            chunks: part(b"scrimp chunks"),
            words: integers(&bytes, b"scrimp words"),
            mixing: Mixing { starts: integers(&bytes, b"scrimp starts"), factor: factor | 1 },
            no_parameters: Digest::default(),
        };
        Key { no_parameters: key.digest_parts(PARAMETERS, &[]), ..key }
    }

    /// Digests `bytes`. Digests of different domains never mean the same.
    pub fn digest(&self, domain: &str, bytes: &[u8]) -> Digest {
        self.digest_parts(domain, &[bytes])
    }

    /// Digests the parts as one, behind the domain's length, so that no domain runs into a part.
    pub(crate) fn digest_parts(&self, domain: &str, parts: &[&[u8]]) -> Digest {
        let length = (domain.len() as u64).to_le_bytes();
        let parts = [&length, domain.as_bytes()].into_iter().chain(parts.iter().copied());
        // What fits into one chunk of the hash is joined: to hash it in one go costs less than to
        // feed a hasher in pieces.
        let mut joined = [0; blake3::CHUNK_LEN];
        let mut end = 0;
        for part in parts.clone() {
            let Some(place) = joined.get_mut(end..end + part.len()) else {
                return self.digest_pieces(parts);
            };
            place.copy_from_slice(part);
            end += part.len();
        }
        short(blake3::keyed_hash(&self.root, &joined[..end]).as_bytes())
    }

    /// Digests parameters.
    pub(crate) fn parameters(&self, parts: &[&[u8]]) -> Digest {
        match parts {
            [] => self.no_parameters,
            parts => self.digest_parts(PARAMETERS, parts),
        }
    }

    fn digest_pieces<'p>(&self, pieces: impl Iterator<Item = &'p [u8]>) -> Digest {
        let mut hasher = blake3::Hasher::new_keyed(&self.root);
        for piece in pieces {
            hasher.update(piece);
        }
        short(hasher.finalize().as_bytes())
    }

    /// Digests one chunk of a long block.
    pub(crate) fn chunk(&self, bytes: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.chunks, bytes).as_bytes()
    }

    /// Hashes a word whose ASCII letters count as small ones. `SipHash-1-3` (Aumasson, Bernstein
    /// 2012): keyed as well, and some thirty times faster than a digest for the few bytes of a word.
    pub(crate) fn word(&self, word: &[u8]) -> u64 {
        let mut state = self.sip();
        let (words, rest) = word.as_chunks::<8>();
        for bytes in words {
            state.absorb(ascii::lower(u64::from_le_bytes(*bytes)));
        }
        state.absorb(ascii::lower(ascii::load(rest)) | (word.len() as u64) << 56);
        state.finish()
    }

    /// Mixes a word into an integer; `head` is [`ascii::lower`] of its first eight bytes. Some ten
    /// times faster than [`Key::word`], and not to be kept: what is made of many of these is to be
    /// sealed with [`Key::seal`]. The secrets keep anybody from choosing words that collide.
    pub(crate) fn mix_word(&self, word: &[u8], head: u64) -> u64 {
        if word.len() < 8 {
            return self.mix_short(head, word.len());
        }
        let (words, rest) = word.as_chunks::<8>();
        let next = |state, bytes: &[u8; 8]| {
            fold(state ^ self.mixing.starts[0] ^ ascii::lower(u64::from_le_bytes(*bytes)))
        };
        let state = words.iter().fold(0, next);
        fold(state ^ self.mixing.starts[rest.len()] ^ ascii::lower(ascii::load(rest)))
    }

    /// [`Key::mix_word`] of a word of up to seven bytes.
    pub(crate) fn mix_short(&self, head: u64, length: usize) -> u64 {
        fold(self.mixing.starts[length] ^ head)
    }

    /// Mixes the next of some mixed words into what was mixed of those before; order matters. Not to
    /// be kept either.
    pub(crate) fn mix_next(&self, state: u64, word: u64) -> u64 {
        (state.rotate_left(23) ^ word).wrapping_mul(self.mixing.factor)
    }

    /// Hashes an integer.
    pub(crate) fn seal(&self, value: u64) -> u64 {
        let mut state = self.sip();
        state.absorb(value);
        // No word of eight bytes ends so.
        state.absorb(u64::MAX);
        state.finish()
    }

    fn sip(&self) -> Sip {
        let [k0, k1] = self.words;
        Sip([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Mixes a value into which a secret went, well enough for what is sealed later. It is multiplied by
/// itself and not by a secret, because sums of multiples of one number are often equal: those of
/// words that differ in one letter would be.
fn fold(value: u64) -> u64 {
    let (low, high) = value.carrying_mul(value.rotate_left(32), 0);
    low ^ high
}

/// Secret integers for a purpose.
fn integers<const N: usize>(secret: &[u8; 32], purpose: &[u8]) -> [u64; N] {
    let mut bytes = blake3::Hasher::new_keyed(secret).update(purpose).finalize_xof();
    [(); N].map(|()| {
        let mut integer = [0; 8];
        bytes.fill(&mut integer);
        u64::from_le_bytes(integer)
    })
}

struct Sip([u64; 4]);

impl Sip {
    fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.0[0] ^= word;
    }

    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        for _ in 0..3 {
            self.round();
        }
        let [a, b, c, d] = self.0;
        a ^ b ^ c ^ d
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.0 = [a, b, c, d];
    }
}

fn short(hash: &[u8; 32]) -> Digest {
    let (digest, _) = hash.split_first_chunk().expect("sixteen bytes of thirty-two");
    Digest(*digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn digests_depend_on_key_domain_and_bytes() {
        let (one, other) = (Key::new([1; 32]), Key::new([2; 32]));
        assert_eq!(one.digest("a", b"x"), one.digest("a", b"x"));
        assert_ne!(one.digest("a", b"x"), other.digest("a", b"x"));
        assert_ne!(one.digest("a", b"x"), one.digest("b", b"x"));
        assert_ne!(one.digest("a", b"\0x"), one.digest("a\0", b"x"));
    }

    #[test]
    fn the_digest_of_no_parameters_is_like_any_other() {
        let key = Key::new([1; 32]);
        assert_eq!(key.parameters(&[]), key.digest("parameters", b""));
        assert_eq!(key.parameters(&[b"a", b"b"]), key.digest("parameters", b"ab"));
    }

    #[test]
    fn a_digest_is_that_of_its_pieces_however_long_they_are() {
        let (key, bytes) = (Key::new([1; 32]), [b'x'; 1_100]);
        for length in [0, 1, 1_014, 1_015, 1_016, 1_024, 1_100] {
            let (head, tail) = bytes[..length].split_at(length / 3);
            let pieces = [&1_u64.to_le_bytes(), b"a".as_slice(), &bytes[..length]];
            let expected = key.digest_pieces(pieces.into_iter());
            assert_eq!(key.digest_parts("a", &[head, tail]), expected, "{length}");
        }
    }

    #[test]
    fn words_are_hashed_with_the_key_and_in_small_letters() {
        let hash = |key: u8, word: &[u8]| {
            let (key, head) = (Key::new([key; 32]), ascii::lower(ascii::load(word)));
            let (kept, mixed) = (key.word(word), key.mix_word(word, head));
            (kept, key.seal(mixed))
        };
        let differ = |one: (u64, u64), other: (u64, u64)| one.0 != other.0 && one.1 != other.1;
        assert!(differ(hash(1, b"seven"), hash(2, b"seven")));
        assert!(differ(hash(1, b""), hash(1, b"\0")));
        assert!(differ(hash(1, b"sevenths"), hash(1, b"sevenths\0")));
        assert_eq!(hash(1, b"Internationally"), hash(1, b"internationallY"));
    }

    #[test]
    fn mixed_words_and_their_pairs_are_all_different() {
        let key = Key::new([1; 32]);
        let letters = || b'a'..=b'z';
        let words = letters().flat_map(|a| letters().map(move |b| [a, b]));
        let mixed: Vec<u64> = words.map(|word| key.mix_short(ascii::load(&word), 2)).collect();
        let pairs = || mixed.iter().flat_map(|one| mixed.iter().map(move |other| (*one, *other)));
        let orders: BTreeSet<u64> = pairs().map(|(a, b)| key.mix_next(a, b)).collect();
        assert_eq!(orders.len(), mixed.len() * mixed.len());
        let bags: BTreeSet<u64> = pairs().map(|(a, b)| a.wrapping_add(b)).collect();
        assert_eq!(bags.len(), mixed.len() * (mixed.len() + 1) / 2);
    }

    #[test]
    fn a_key_does_not_show_itself() {
        assert_eq!(format!("{:?}", Key::new([7; 32])), "Key(…)");
    }
}
