//! Lines of heads.

use std::ops::Range;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};

/// Headers beyond which a head is not believed to be one.
pub(crate) const MOST_HEADERS: usize = 100;

/// Where a header's name and value stand in a head that has come.
pub(crate) struct Place {
    name: Range<usize>,
    value: Range<usize>,
}

impl Place {
    pub(crate) fn of(seen: &[u8], header: &httparse::Header<'_>) -> Place {
        let range = |part| range_of(seen, part);
        Place { name: range(header.name.as_bytes()), value: range(header.value) }
    }

    /// The header itself. Its value shares the head's bytes.
    pub(crate) fn read(&self, head: &Bytes) -> Option<(HeaderName, HeaderValue)> {
        let name = HeaderName::from_bytes(&head[self.name.clone()]).ok()?;
        let value = HeaderValue::from_maybe_shared(head.slice(self.value.clone())).ok()?;
        Some((name, value))
    }
}

/// Where a part of what has come stands in it.
pub(crate) fn range_of(seen: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - seen.as_ptr().addr();
    start..start + part.len()
}

/// Writes a header. Its value is in parts, so that nobody has to put them together first.
pub(crate) fn push(out: &mut Vec<u8>, name: &HeaderName, value: &[&[u8]]) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    for part in value {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether a list of words, as `connection` has one, names this one.
pub(crate) fn has_token(value: &HeaderValue, word: &[u8]) -> bool {
    let mut tokens = value.as_bytes().split(|byte| *byte == b',');
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(word))
}
