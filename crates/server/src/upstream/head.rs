//! Heads: a request's as bytes, an answer's from bytes.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Version};

use crate::http1::{MOST_HEADERS, NotHttp, Place, has_token, push};

/// How the end of a request's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sized {
    /// By its length.
    Known(u64),
    /// By the length that stands in the head already.
    Said,
    /// By a last chunk.
    Chunked,
}

/// Headers of a request as they are written, line by line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// Adds a header. Its value is in parts, so that nobody has to put them together first.
    pub(crate) fn push(&mut self, name: &HeaderName, value: &[&[u8]]) {
        push(&mut self.0, name, value);
    }

    /// The headers, read back from what is written.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let lines = self.0.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let (name, value) = line.split_at(colon);
            let value = value.strip_prefix(b": ").unwrap_or(value);
            (std::str::from_utf8(name).expect("names are ASCII"), value)
        })
    }
}

/// The head of a request for a path and query, with room for a small body behind it.
pub(super) fn encode(method: &Method, target: &str, lines: &Lines, size: Sized) -> Vec<u8> {
    let mut out = Vec::with_capacity(2048);
    for part in [method.as_str(), " "] {
        out.extend_from_slice(part.as_bytes());
    }
    push_target(&mut out, target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    out.extend_from_slice(&lines.0);
    match size {
        Sized::Known(0) if !expects_body(method) => {}
        Sized::Known(length) => {
            let mut digits = itoa::Buffer::new();
            push(&mut out, &CONTENT_LENGTH, &[digits.format(length).as_bytes()]);
        }
        Sized::Said => {}
        Sized::Chunked => push(&mut out, &TRANSFER_ENCODING, &[b"chunked"]),
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Whoever made the target: nothing in it ends the line, so that one request never becomes two.
fn push_target(out: &mut Vec<u8>, target: &[u8]) {
    let ends_a_word = |byte: u8| byte <= b' ' || byte == 0x7f;
    if !target.iter().copied().any(ends_a_word) {
        out.extend_from_slice(target);
        return;
    }
    for byte in target.iter().copied() {
        match ends_a_word(byte) {
            true => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            false => out.push(byte),
        }
    }
}

/// Whether a provider may wait for a body if it is not told that there is none.
fn expects_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Takes an answer's head out of what has come. `None` if it has not come whole. Heads that only say
/// that the provider is still there (1xx) are read over.
pub(super) fn parse(seen: &mut BytesMut, limit: usize) -> Result<Option<Parts>, NotHttp> {
    loop {
        if seen.is_empty() {
            return Ok(None);
        }
        let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            seen,
            &mut headers,
        );
        let length = match parsed.map_err(|_| NotHttp)? {
            httparse::Status::Complete(length) if length <= limit => length,
            httparse::Status::Partial if seen.len() <= limit => return Ok(None),
            _ => return Err(NotHttp),
        };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or(NotHttp)?;
        let version = if response.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
        let places =
            response.headers.iter().map(|header| Place::of(seen, header)).collect::<Vec<_>>();
        let bytes = seen.split_to(length).freeze();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(NotHttp);
        }
        if !status.is_informational() {
            return Ok(Some(assemble(status, version, &bytes, &places)?));
        }
    }
}

fn assemble(
    status: StatusCode,
    version: Version,
    bytes: &Bytes,
    places: &[Place],
) -> Result<Parts, NotHttp> {
    let mut head = Response::new(()).into_parts().0;
    (head.status, head.version) = (status, version);
    head.headers = HeaderMap::with_capacity(places.len() + 4);
    for place in places {
        let (name, value) = place.read(bytes).ok_or(NotHttp)?;
        head.headers.append(name, value);
    }
    Ok(head)
}

/// Whether the connection that this head came over may carry another request.
pub(super) fn keeps_alive(head: &Parts) -> bool {
    let mut values = head.headers.get_all(CONNECTION).iter();
    let closes = values.any(|value| has_token(value, b"close"));
    head.version == Version::HTTP_11 && !closes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a constant each time")]
    fn sent(method: Method, size: Sized) -> String {
        let mut lines = Lines::default();
        for value in [b"1", b"2"] {
            lines.push(&HeaderName::from_static("x-a"), &[value]);
        }
        String::from_utf8(encode(&method, "/v1/x?y=z", &lines, size)).unwrap()
    }

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let post = sent(Method::POST, Sized::Known(0));
        assert_eq!(
            post,
            "POST /v1/x?y=z HTTP/1.1\r\nx-a: 1\r\nx-a: 2\r\ncontent-length: 0\r\n\r\n"
        );
        assert!(!sent(Method::GET, Sized::Known(0)).contains("content-length"));
        assert!(sent(Method::GET, Sized::Known(7)).contains("content-length: 7\r\n"));
        assert!(sent(Method::PUT, Sized::Chunked).contains("transfer-encoding: chunked\r\n"));
        assert!(!sent(Method::PUT, Sized::Said).contains("content-length"));
    }

    #[test]
    fn nothing_in_a_target_makes_a_second_request() {
        let target = "/a b\r\nDELETE /c\t\u{7f}";
        let bytes = encode(&Method::GET, target, &Lines::default(), Sized::Known(0));
        let expected = "GET /a%20b%0D%0ADELETE%20/c%09%7F HTTP/1.1\r\n\r\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn a_head_is_read_however_it_is_cut() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\nrest";
        for cut in 0..bytes.len() {
            let mut seen = BytesMut::from(&bytes[..cut]);
            let early = parse(&mut seen, 1_000).unwrap();
            seen.extend_from_slice(&bytes[cut..]);
            let head = early.or_else(|| parse(&mut seen, 1_000).unwrap()).expect("it is whole");
            let cookies =
                head.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
            let cookies = cookies.collect::<Vec<_>>();
            assert_eq!((head.status.as_u16(), &cookies[..]), (200, &["a", "b"][..]), "{cut}");
            assert_eq!(&seen[..], b"rest");
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for wrong in ["HTTP/2 200 OK\r\n\r\n", "SSH-2.0\r\n", "HTTP/1.1 20\r\n\r\n"] {
            assert!(parse(&mut BytesMut::from(wrong), 1_000).is_err(), "{wrong:?}");
        }
        let switch = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n";
        assert!(parse(&mut BytesMut::from(switch), 1_000).is_err());
        let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1_000));
        assert!(parse(&mut BytesMut::from(&*long), 1_000).is_err());
        assert!(parse(&mut BytesMut::from(&long[..990]), 1_000).unwrap().is_none());
        assert!(parse(&mut BytesMut::from(&*long), 2_000).unwrap().is_some());
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(MOST_HEADERS + 1));
        assert!(parse(&mut BytesMut::from(&*many), 10_000).is_err());
    }

    #[test]
    fn a_connection_that_will_be_closed_is_not_kept() {
        let keeps = |bytes: &str| {
            keeps_alive(&parse(&mut BytesMut::from(bytes), 1_000).unwrap().expect("whole"))
        };
        assert!(keeps("HTTP/1.1 200 OK\r\n\r\n"));
        assert!(!keeps("HTTP/1.1 200 OK\r\nconnection: x, Close\r\n\r\n"));
        assert!(!keeps("HTTP/1.0 200 OK\r\n\r\n"));
    }
}
