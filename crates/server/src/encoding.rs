//! Reads a copy of a compressed answer, so that it can be metered while it passes untouched.

use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// An answer that unpacks to more than this many times its own length is not read further: what is
/// metered is text, and text does not compress like that.
const MOST_RATIO: u64 = 200;

/// How an answer is encoded.
pub(crate) enum Decoding {
    Plain,
    Gzip(Box<Decompress>),
    /// Not read: its usage stays unknown.
    Unread,
}

impl Decoding {
    pub(crate) fn of(headers: &HeaderMap) -> Decoding {
        match headers.get(CONTENT_ENCODING).map(http::HeaderValue::as_bytes) {
            None | Some(b"identity" | b"") => Decoding::Plain,
            Some(b"gzip" | b"x-gzip") => Decoding::Gzip(Box::new(Decompress::new_gzip(15))),
            Some(_) => Decoding::Unread,
        }
    }

    /// Gives what `piece` unpacks to, in pieces of its own.
    pub(crate) fn read(&mut self, piece: &[u8], mut see: impl FnMut(&[u8])) {
        match self {
            Decoding::Plain => see(piece),
            Decoding::Unread => {}
            Decoding::Gzip(inflate) => {
                if unpack(inflate, piece, &mut see).is_none() {
                    *self = Decoding::Unread;
                }
            }
        }
    }
}

fn unpack(inflate: &mut Decompress, mut piece: &[u8], see: &mut dyn FnMut(&[u8])) -> Option<()> {
    let mut plain = [0; 4096];
    loop {
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(piece, &mut plain, FlushDecompress::None).ok()?;
        let read = usize::try_from(inflate.total_in() - read).ok()?;
        let written = usize::try_from(inflate.total_out() - written).ok()?;
        see(plain.get(..written)?);
        piece = piece.get(read..)?;
        let is_bomb = MOST_RATIO.saturating_mul(inflate.total_in()) < inflate.total_out();
        if is_bomb {
            return None;
        }
        let is_drained = piece.is_empty() && written < plain.len();
        if is_drained || status == Status::StreamEnd || (read == 0 && written == 0) {
            return Some(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn read_in_steps(bytes: &[u8], step: usize) -> Vec<u8> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        let mut decoding = Decoding::of(&headers);
        let mut plain = Vec::new();
        for piece in bytes.chunks(step) {
            decoding.read(piece, |piece| plain.extend_from_slice(piece));
        }
        plain
    }

    #[test]
    fn cuts_do_not_matter() {
        let plain = (0..20_000).map(|n: u32| b' ' + (n * n % 90) as u8).collect::<Vec<_>>();
        let bytes = packed(&plain);
        for step in [1, 7, 1000, bytes.len()] {
            assert_eq!(read_in_steps(&bytes, step), plain, "{step}");
        }
    }

    #[test]
    fn a_bomb_is_left_unread_and_garbage_is_no_panic() {
        let bomb = packed(&vec![0; 2_000_000]);
        assert!(read_in_steps(&bomb, 1024).len() < 1_000_000);
        assert_eq!(read_in_steps(b"this is not gzip at all", 5), b"");
    }
}
