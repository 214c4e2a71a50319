//! Where a body ends, and which of a connection's bytes are its own.
//!
//! Source: RFC 9112 §6.3 (length of a body) and §7.1 (chunks).

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::lines::MOST_HEADERS;

/// A line with a chunk's length, or of a trailer, may not be longer.
const LONGEST_LINE: usize = 16 << 10;

/// What is still to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes.
    Length(u64),
    /// Chunks, and where in them the next byte stands.
    Chunked(Chunk),
    /// All that comes until the other side closes the connection.
    UntilClose,
    /// Nothing.
    Over,
}

/// The part of a chunked body that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// The line that says how long the next chunk is.
    Size,
    /// A chunk, of which so many bytes are left.
    Data(u64),
    /// The line end behind a chunk.
    End,
    /// Lines behind the last chunk, of which so many may still come. They are read over: nobody asks
    /// for them.
    Trailers(usize),
}

/// What came is not HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was sent is not HTTP/1.1")]
pub(crate) struct NotHttp;

impl Framing {
    /// How the body of this answer to a `method` request is framed. A length beside chunks is taken
    /// out of the head: it does not count, and must not be passed on.
    pub(crate) fn of(method: &Method, head: &mut Parts) -> Result<Framing, NotHttp> {
        let has_none = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if has_none || *method == Method::HEAD {
            return Ok(Framing::Over);
        }
        if let Some(last) = head.headers.get_all(TRANSFER_ENCODING).iter().next_back() {
            let coding = last.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
            let is_chunked = coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
            head.headers.remove(CONTENT_LENGTH);
            return Ok(match is_chunked {
                true => Framing::Chunked(Chunk::Size),
                false => Framing::UntilClose,
            });
        }
        Ok(match length(&head.headers)? {
            None => Framing::UntilClose,
            Some(0) => Framing::Over,
            Some(length) => Framing::Length(length),
        })
    }

    /// Takes the body's next bytes out of what has come. `None` if more has to come first, or nothing
    /// will.
    pub(crate) fn take(&mut self, seen: &mut BytesMut) -> Result<Option<Bytes>, NotHttp> {
        match self {
            Framing::Over => Ok(None),
            _ if seen.is_empty() => Ok(None),
            Framing::UntilClose => Ok(Some(seen.split().freeze())),
            Framing::Length(left) => {
                let piece = take_some(seen, left);
                if *left == 0 {
                    *self = Framing::Over;
                }
                Ok(Some(piece.freeze()))
            }
            Framing::Chunked(_) => self.take_chunks(seen),
        }
    }

    /// Chunks that came together leave together.
    fn take_chunks(&mut self, seen: &mut BytesMut) -> Result<Option<Bytes>, NotHttp> {
        let mut all: Option<BytesMut> = None;
        while let Framing::Chunked(chunk) = self {
            match chunk {
                Chunk::Size => {
                    let Some(line) = take_line(seen)? else { break };
                    *chunk = match size(&line)? {
                        0 => Chunk::Trailers(MOST_HEADERS),
                        size => Chunk::Data(size),
                    };
                }
                Chunk::Data(left) => {
                    if seen.is_empty() {
                        break;
                    }
                    let piece = take_some(seen, left);
                    if *left == 0 {
                        *chunk = Chunk::End;
                    }
                    match &mut all {
                        None => all = Some(piece),
                        Some(all) => all.extend_from_slice(&piece),
                    }
                }
                Chunk::End => match take_line(seen)? {
                    None => break,
                    Some(line) if line.is_empty() => *chunk = Chunk::Size,
                    Some(_) => return Err(NotHttp),
                },
                Chunk::Trailers(left) => match take_line(seen)? {
                    None => break,
                    Some(line) if line.is_empty() => *self = Framing::Over,
                    Some(line) if 0 < *left && is_header(&line) => *left -= 1,
                    Some(_) => return Err(NotHttp),
                },
            }
        }
        Ok(all.map(BytesMut::freeze))
    }
}

/// The length that a head gives, if it does. Several must agree.
pub(crate) fn length(headers: &HeaderMap) -> Result<Option<u64>, NotHttp> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for said in value.as_bytes().split(|byte| *byte == b',') {
            let said = said.trim_ascii();
            let is_number = !said.is_empty() && said.iter().all(u8::is_ascii_digit);
            let said = std::str::from_utf8(said).ok().filter(|_| is_number);
            let said: u64 = said.and_then(|said| said.parse().ok()).ok_or(NotHttp)?;
            if *length.get_or_insert(said) != said {
                return Err(NotHttp);
            }
        }
    }
    Ok(length)
}

fn take_some(seen: &mut BytesMut, left: &mut u64) -> BytesMut {
    let most = usize::try_from(*left).unwrap_or(usize::MAX).min(seen.len());
    *left -= most as u64;
    seen.split_to(most)
}

/// The next line without its end, if it has come whole.
fn take_line(seen: &mut BytesMut) -> Result<Option<BytesMut>, NotHttp> {
    match memchr::memchr(b'\n', seen) {
        None if LONGEST_LINE < seen.len() => Err(NotHttp),
        None => Ok(None),
        Some(end) => {
            let line = seen.split_to(end);
            seen.advance(1);
            match line.strip_suffix(b"\r") {
                Some(_) => Ok(Some(line).map(|mut line| line.split_to(end - 1))),
                None => Err(NotHttp),
            }
        }
    }
}

/// The length in the line before a chunk; extensions are read over. Nothing in it may be taken for
/// a line's end by another reader.
fn size(line: &[u8]) -> Result<u64, NotHttp> {
    if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(NotHttp);
    }
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_number).ok_or(NotHttp)?;
    u64::from_str_radix(digits, 16).map_err(|_| NotHttp)
}

/// Whether a line is a name, a colon, and what may stand behind it.
fn is_header(line: &[u8]) -> bool {
    let mut parts = line.splitn(2, |byte| *byte == b':');
    let name = parts.next().is_some_and(|name| HeaderName::from_bytes(name).is_ok());
    name && parts.next().is_some_and(|value| HeaderValue::from_bytes(value).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;
    use proptest::prelude::*;

    fn head(status: u16, headers: &[(&'static str, &'static str)]) -> Parts {
        let mut head = Response::builder().status(status).body(()).unwrap().into_parts().0;
        for (name, value) in headers {
            head.headers.append(*name, HeaderValue::from_static(value));
        }
        head
    }

    fn framing(status: u16, headers: &[(&'static str, &'static str)]) -> Result<Framing, NotHttp> {
        Framing::of(&Method::POST, &mut head(status, headers))
    }

    type Headers = &'static [(&'static str, &'static str)];

    #[test]
    fn the_head_says_where_the_body_ends() {
        let chunked = Ok(Framing::Chunked(Chunk::Size));
        let cases: &[(u16, Headers, Result<Framing, NotHttp>)] = &[
            (200, &[("content-length", "12")], Ok(Framing::Length(12))),
            (200, &[("content-length", "0")], Ok(Framing::Over)),
            (200, &[("content-length", "12"), ("content-length", "12")], Ok(Framing::Length(12))),
            (200, &[("content-length", "12, 13")], Err(NotHttp)),
            (200, &[("content-length", "+12")], Err(NotHttp)),
            (200, &[("content-length", "99999999999999999999")], Err(NotHttp)),
            (200, &[], Ok(Framing::UntilClose)),
            (200, &[("transfer-encoding", "chunked")], chunked),
            (200, &[("transfer-encoding", "gzip, Chunked"), ("content-length", "7")], chunked),
            (200, &[("transfer-encoding", "gzip")], Ok(Framing::UntilClose)),
            (204, &[("content-length", "12")], Ok(Framing::Over)),
            (304, &[("transfer-encoding", "chunked")], Ok(Framing::Over)),
        ];
        for (status, headers, expected) in cases {
            assert_eq!(framing(*status, headers), *expected, "{status} {headers:?}");
        }
        let mut both = head(200, &[("transfer-encoding", "chunked"), ("content-length", "7")]);
        Framing::of(&Method::POST, &mut both).unwrap();
        assert_eq!(both.headers.get(CONTENT_LENGTH), None);
        let to_head = Framing::of(&Method::HEAD, &mut head(200, &[("content-length", "7")]));
        assert_eq!(to_head, Ok(Framing::Over));
    }

    /// Feeds `bytes` in steps; what came out, and what was left over.
    fn run(
        mut framing: Framing,
        bytes: &[u8],
        cuts: &[usize],
    ) -> Result<(Vec<u8>, Vec<u8>), NotHttp> {
        let (mut seen, mut out, mut from) = (BytesMut::new(), Vec::new(), 0);
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            let cut = cut.clamp(from, bytes.len());
            seen.extend_from_slice(&bytes[from..cut]);
            from = cut;
            while let Some(piece) = framing.take(&mut seen)? {
                out.extend_from_slice(&piece);
            }
        }
        assert_eq!(framing, Framing::Over, "{:?}", String::from_utf8_lossy(bytes));
        Ok((out, seen.to_vec()))
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for broken in [
            "x\r\n",
            "5\nhello",
            "5\r\nhelloX\r\n",
            "-1\r\n",
            "\r\n",
            "11111111111111111\r\n",
            " 5\r\n",
            "0x5\r\n",
            "5 5\r\n",
            "5;a\rb\r\n",
            "5;a\0\r\n",
            "0\r\nno header\r\n",
            "0\r\n: x\r\n",
            "0\r\nx : y\r\n",
            "0\r\nx: \r\r\n",
        ] {
            let mut seen = BytesMut::from(broken);
            let mut framing = Framing::Chunked(Chunk::Size);
            assert_eq!(framing.take(&mut seen), Err(NotHttp), "{broken:?}");
        }
        let mut endless = BytesMut::from(&vec![b'1'; LONGEST_LINE + 1][..]);
        assert_eq!(Framing::Chunked(Chunk::Size).take(&mut endless), Err(NotHttp));
        let many = format!("0\r\n{}\r\n", "x: y\r\n".repeat(MOST_HEADERS + 1));
        let mut many_seen = BytesMut::from(&*many);
        assert_eq!(Framing::Chunked(Chunk::Size).take(&mut many_seen), Err(NotHttp));
        let fits = many.replacen("x: y\r\n", "", 1);
        assert_eq!(Framing::Chunked(Chunk::Size).take(&mut BytesMut::from(&*fits)), Ok(None));
    }

    #[test]
    fn chunks_that_came_together_leave_together() {
        let mut seen = BytesMut::from("1\r\na\r\n2;x=y\r\nbc\r\n0\r\nx-t: 1\r\n\r\nHTTP/1.1");
        let mut framing = Framing::Chunked(Chunk::Size);
        assert_eq!(framing.take(&mut seen), Ok(Some(Bytes::from_static(b"abc"))));
        assert_eq!((framing, &seen[..]), (Framing::Over, &b"HTTP/1.1"[..]));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            mut cuts in prop::collection::vec(0_usize..400, 0..12),
        ) {
            cuts.sort_unstable();
            let body = pieces.concat();
            let mut chunked = Vec::new();
            for piece in &pieces {
                chunked.extend_from_slice(format!("{:X}\r\n", piece.len()).as_bytes());
                chunked.extend_from_slice(piece);
                chunked.extend_from_slice(b"\r\n");
            }
            chunked.extend_from_slice(b"0\r\n\r\nrest");
            let (out, rest) = run(Framing::Chunked(Chunk::Size), &chunked, &cuts).unwrap();
            prop_assert_eq!((&out, &rest[..]), (&body, &b"rest"[..]));
            if !body.is_empty() {
                let plain = [&body[..], b"rest"].concat();
                let (out, rest) = run(Framing::Length(body.len() as u64), &plain, &cuts).unwrap();
                prop_assert_eq!((&out, &rest[..]), (&body, &b"rest"[..]));
            }
        }
    }
}
