//! Blocks: what is kept of a piece of a prompt in place of its text.

use scrimp_core::call::{Content, Digest};
use scrimp_core::{Block, Role};

use super::outline;
use crate::Key;

/// As much as the hash's vector lanes take at once (400 kB in chunks of 1, 2, 4, 8, 16 KiB: 467, 247,
/// 153, 106, 103 µs with AVX2).
const CHUNK: usize = Block::CHUNK_BYTES;

/// Tokens of an image where only its encoding is known: about what both vendors count for the
/// largest image that they do not scale down.
const IMAGE_TOKENS: u32 = 1_500;

/// What a block says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    pub(super) role: Role,
    pub(super) content: Content,
    /// Decoded text, or the canonical form of an object.
    pub(super) bytes: &'a [u8],
    /// How many of them are no words (signatures), for the estimate of tokens.
    pub(super) opaque: usize,
}

/// Makes a block of what it says. Marks are set by the caller.
pub(super) fn block(key: &Key, said: Said<'_>) -> Block {
    let Said { role, content, bytes, opaque } = said;
    let counts = Counts::of(bytes);
    let (digest, chunks) = digest(key, role, content, bytes);
    let outline = match (role, content) {
        (Role::Tool | Role::System, Content::Text | Content::Tool) => {
            Some(outline::known(digest, role, bytes, key))
        }
        (Role::Assistant, Content::Tool) => outline::of_call(bytes, key),
        _ => None,
    };
    Block {
        role,
        content,
        digest,
        chunks,
        characters: match content {
            Content::Image | Content::Audio => narrow(bytes.len()),
            _ => narrow(counts.characters),
        },
        tokens: tokens(content, &counts, opaque),
        features: None,
        outline,
        mark: None,
        markable: false,
    }
}

/// Mixes what a message says beside its content (a name, the id of a tool's call) into its block.
pub(super) fn with_extras(key: &Key, block: &mut Block, extras: &[u8]) {
    block.digest = key.digest_parts("message", &[&block.digest.0, extras]);
}

/// The digest of a block of several chunks is over those of its chunks, so that no byte is hashed
/// twice, and each chunk is hashed in one go, which uses the vector lanes far better than feeding it
/// in pieces.
fn digest(key: &Key, role: Role, content: Content, bytes: &[u8]) -> (Digest, Box<[u64]>) {
    let kind = [role as u8, content as u8];
    if bytes.len() <= CHUNK {
        return (key.digest_parts("block", &[&kind, bytes]), Box::default());
    }
    let mut all = Vec::with_capacity(bytes.len().div_ceil(CHUNK) * 32);
    let mut chunks = Vec::with_capacity(bytes.len().div_ceil(CHUNK));
    for chunk in bytes.chunks(CHUNK) {
        let hash = key.chunk(chunk);
        chunks.push(Digest(hash[..16].try_into().expect("16 of 32 bytes")).word());
        all.extend_from_slice(&hash);
    }
    (key.digest_parts("blocks", &[&kind, &all]), chunks.into())
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// What the estimate of tokens looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    characters: usize,
    bytes: usize,
    digits: usize,
    foreign: usize,
}

impl Counts {
    fn of(bytes: &[u8]) -> Counts {
        let mut sum = Counts { bytes: bytes.len(), ..Counts::default() };
        let mut later = 0;
        let count = |stride: &[u8], is: fn(u8) -> bool| {
            usize::from(stride.iter().fold(0_u8, |count, byte| count + u8::from(is(*byte))))
        };
        // Counters of a byte each, in strides that cannot overflow them: this is vectorised.
        for stride in bytes.chunks(192) {
            sum.digits += count(stride, |byte| byte.is_ascii_digit());
            // Most text is ASCII, of which nothing else has to be counted.
            if !stride.is_ascii() {
                sum.foreign += count(stride, |byte| !byte.is_ascii());
                later += count(stride, |byte| byte & 0xc0 == 0x80);
            }
        }
        sum.characters = sum.bytes - later;
        sum
    }
}

fn tokens(content: Content, counts: &Counts, opaque: usize) -> u32 {
    match content {
        Content::Image => IMAGE_TOKENS,
        // Ten tokens a second, of which each is about 20 kB in common encodings.
        Content::Audio => narrow(counts.bytes / 2_000 + 1),
        // A page of a PDF is about 2,000 tokens and some 100 kB; plain text inside is short.
        Content::Document => match counts.bytes {
            0..16_384 => text_tokens(counts, opaque),
            _ => narrow(counts.bytes / 50),
        },
        _ => text_tokens(counts, opaque),
    }
}

/// Estimates tokens from bytes: four plain bytes to a token, two digits, or three bytes of other
/// scripts. Within about a quarter of the vendors' counts for prose and code; the provider's usage
/// is the truth, this only divides it up between blocks.
fn text_tokens(counts: &Counts, opaque: usize) -> u32 {
    let Counts { bytes, digits, foreign, .. } = *counts;
    let plain = bytes.saturating_sub(digits + foreign + opaque);
    narrow((plain * 3 + digits * 6 + foreign * 4).div_ceil(12))
}

/// The same estimate for a text by itself.
pub(super) fn tokens_of_text(text: &str) -> u32 {
    text_tokens(&Counts::of(text.as_bytes()), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_follow_the_script() {
        let estimate = |text: &[u8]| text_tokens(&Counts::of(text), 0);
        assert_eq!(estimate(b""), 0);
        assert_eq!(estimate(b"a"), 1);
        assert_eq!(estimate("word ".repeat(100).as_bytes()), 125);
        assert_eq!(estimate("1234567890".repeat(10).as_bytes()), 50);
        assert_eq!(estimate("語".repeat(100).as_bytes()), 100);
    }

    #[test]
    fn characters_are_not_bytes() {
        let counts = Counts::of("aß語🙂1".repeat(100).as_bytes());
        assert_eq!((counts.characters, counts.digits, counts.foreign), (500, 100, 900));
    }

    #[test]
    fn long_blocks_that_differ_late_share_chunks() {
        fn said(bytes: &[u8]) -> Said<'_> {
            Said { role: Role::User, content: Content::Text, bytes, opaque: 0 }
        }
        let key = Key::new([1; 32]);
        let mut text = vec![b'x'; 20_000];
        let one = block(&key, said(&text));
        text[18_000] = b'y';
        let other = block(&key, said(&text));
        assert_ne!(one.digest, other.digest);
        assert_eq!((one.chunks.len(), &one.chunks[..2]), (3, &other.chunks[..2]));
        assert_ne!(one.chunks[2], other.chunks[2]);
        assert!(block(&key, said(&text[..CHUNK])).chunks.is_empty());
    }
}
