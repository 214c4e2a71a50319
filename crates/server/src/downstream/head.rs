//! Heads: a request's from bytes, strictly.
//!
//! A request that two readers could read differently is refused, so that nobody before or behind this
//! gateway can be made to see another request than it does.
//! Source: RFC 9112 §2.2, §3.2, §5, §6, §11.2.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version};

use crate::http1::{Chunk, Framing, MOST_HEADERS, Place, has_token, range_of};

/// The longest target that can be taken apart.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;

/// A request's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) parts: Parts,
    /// Where its body ends.
    pub(super) framing: Framing,
    /// Its client would send another over the same connection.
    pub(super) keeps_alive: bool,
    /// Its client waits for leave before it sends the body.
    pub(super) awaits_leave: bool,
}

/// Why a head is not answered as a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    /// What its sender is told.
    pub(super) told: &'static str,
}

const TOO_LARGE: Refused = Refused {
    status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    told: "the head is larger than allowed; raise `header_bytes` in [http]",
};
const TOO_MANY: Refused = Refused {
    status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    told: "the head has more than 100 headers",
};
const TOO_SLOW: Refused =
    Refused { status: StatusCode::REQUEST_TIMEOUT, told: "the head did not arrive in time" };
const UNKNOWN_VERSION: Refused = Refused {
    status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
    told: "HTTP/1.1 and HTTP/1.0 are spoken here",
};
const UNKNOWN_CODING: Refused = Refused {
    status: StatusCode::NOT_IMPLEMENTED,
    told: "of transfer codings only `chunked` is understood",
};
const NO_TUNNEL: Refused =
    Refused { status: StatusCode::NOT_IMPLEMENTED, told: "CONNECT and TRACE are not done here" };
const LONG_TARGET: Refused =
    Refused { status: StatusCode::URI_TOO_LONG, told: "the address is too long" };

const fn bad(told: &'static str) -> Refused {
    Refused { status: StatusCode::BAD_REQUEST, told }
}

/// What is kept of a head's reading until it has come whole.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// So many bytes were looked at and do not end a line that was not looked at.
    searched: usize,
}

impl Search {
    /// Whether some of a head has come.
    pub(super) fn has_begun(&self) -> bool {
        0 < self.searched
    }

    /// What a head is told that did not come in time.
    pub(super) fn too_slow() -> Refused {
        TOO_SLOW
    }

    /// Takes a request's head out of what has come. `None` if it has not come whole. It is read again
    /// only after another of its lines ended, so that many small pieces cost no more than few.
    pub(super) fn parse(
        &mut self,
        seen: &mut BytesMut,
        limit: usize,
    ) -> Result<Option<Head>, Refused> {
        // Empty lines before a request, as some clients leave them behind a body.
        while self.searched == 0 && seen.starts_with(b"\r\n") {
            seen.advance(2);
        }
        if seen.is_empty() || (self.searched == 0 && **seen == *b"\r") {
            return Ok(None);
        }
        let window = seen.len().min(limit);
        let is_first_look = self.searched == 0;
        let is_news = memchr::memchr(b'\n', &seen[self.searched.min(window)..window]).is_some();
        self.searched = seen.len();
        let head = match is_first_look || is_news {
            true => parse(seen, window)?,
            false => None,
        };
        match head {
            None if limit <= seen.len() => Err(TOO_LARGE),
            head => Ok(head),
        }
    }
}

/// Reads a head that is within the first `window` bytes.
fn parse(seen: &mut BytesMut, window: usize) -> Result<Option<Head>, Refused> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_request_with_uninit_headers(
        &mut request,
        &seen[..window],
        &mut headers,
    );
    let length = match parsed.map_err(refused)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    if !ends_lines_as_it_should(&seen[..length]) {
        return Err(bad("a line of the head does not end as HTTP wants it"));
    }
    let method = request.method.unwrap_or_default().as_bytes();
    let method = Method::from_bytes(method).map_err(|_| bad("that is no method"))?;
    let target = range_of(seen, request.path.unwrap_or_default().as_bytes());
    let version = if request.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let places = request.headers.iter().map(|header| Place::of(seen, header)).collect::<Vec<_>>();
    let bytes = seen.split_to(length).freeze();
    if LONGEST_TARGET < target.len() {
        return Err(LONG_TARGET);
    }
    let uri = Uri::from_maybe_shared(bytes.slice(target)).map_err(|_| bad("that is no address"))?;
    // Neither tunnels nor echoes are made here, and none are asked of a provider.
    if matches!(method, Method::CONNECT | Method::TRACE) {
        return Err(NO_TUNNEL);
    }
    if uri.path_and_query().is_none() {
        return Err(bad("that is no address"));
    }

    let mut parts = Request::new(()).into_parts().0;
    (parts.method, parts.uri, parts.version) = (method, uri, version);
    parts.headers = HeaderMap::with_capacity(places.len());
    let mut said = Said { keeps_alive: version == Version::HTTP_11, ..Said::default() };
    said.read(&bytes, &places, &mut parts.headers)?;
    let framing = said.framing(version)?;
    if 1 < said.hosts || (said.hosts == 0 && version == Version::HTTP_11) {
        return Err(bad("it has to name one host"));
    }
    let keeps_alive = said.keeps_alive;
    let awaits_leave = said.awaits_leave && version == Version::HTTP_11;
    Ok(Some(Head { parts, framing, keeps_alive, awaits_leave }))
}

fn refused(error: httparse::Error) -> Refused {
    match error {
        httparse::Error::TooManyHeaders => TOO_MANY,
        httparse::Error::Version => UNKNOWN_VERSION,
        _ => bad("that is no HTTP request"),
    }
}

/// Whether nothing but CR LF ends a line. The parser takes a bare LF for an end, others do not.
fn ends_lines_as_it_should(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).all(|end| head[..end].ends_with(b"\r"))
}

/// What a head says of its body and its connection.
#[derive(Default)]
struct Said {
    length: Option<u64>,
    coding: Option<Coding>,
    keeps_alive: bool,
    is_closing: bool,
    awaits_leave: bool,
    hosts: usize,
}

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    /// Something else, and chunked at last.
    Other,
    /// Something else, which does not tell its end.
    Endless,
    /// Chunked, and something else behind it.
    Broken,
}

impl Said {
    fn read(
        &mut self,
        head: &Bytes,
        places: &[Place],
        headers: &mut HeaderMap,
    ) -> Result<(), Refused> {
        for place in places {
            let (name, value) = place.read(head).ok_or(bad("a header is not as HTTP wants it"))?;
            if self.note(&name, &value)? {
                headers.append(name, value);
            }
        }
        Ok(())
    }

    /// Notes what one header says. Whether it says something new.
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<bool, Refused> {
        match *name {
            CONTENT_LENGTH => {
                let length = digits(value.as_bytes()).ok_or(bad("that is no content-length"))?;
                match self.length.replace(length) {
                    Some(before) if before != length => {
                        return Err(bad("it has two lengths"));
                    }
                    before => return Ok(before.is_none()),
                }
            }
            TRANSFER_ENCODING => self.coding = Some(coding(self.coding, value)),
            CONNECTION => {
                self.is_closing |= has_token(value, b"close");
                self.keeps_alive |= has_token(value, b"keep-alive");
                self.keeps_alive &= !self.is_closing;
            }
            HOST => self.hosts += 1,
            EXPECT => self.awaits_leave |= value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
            _ => {}
        }
        Ok(true)
    }

    /// Where the body ends.
    fn framing(&self, version: Version) -> Result<Framing, Refused> {
        match (self.coding, self.length) {
            (Some(_), Some(_)) => Err(bad("it has a length and a transfer coding")),
            (Some(_), None) if version != Version::HTTP_11 => {
                Err(bad("HTTP/1.0 has no transfer codings"))
            }
            (Some(Coding::Chunked), None) => Ok(Framing::Chunked(Chunk::Size)),
            (Some(Coding::Other), None) => Err(UNKNOWN_CODING),
            (Some(Coding::Endless | Coding::Broken), None) => {
                Err(bad("its transfer coding does not tell its end"))
            }
            (None, None | Some(0)) => Ok(Framing::Over),
            (None, Some(length)) => Ok(Framing::Length(length)),
        }
    }
}

/// A number without anything around it.
fn digits(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok()
}

/// How a body is coded after one more header says so. Chunked stands at the end, and once.
fn coding(before: Option<Coding>, value: &HeaderValue) -> Coding {
    let mut coding = before;
    for word in value.as_bytes().split(|byte| *byte == b',') {
        let is_chunked = word.trim_ascii().eq_ignore_ascii_case(b"chunked");
        coding = Some(match (coding, is_chunked) {
            (None, true) => Coding::Chunked,
            (Some(Coding::Endless), true) => Coding::Other,
            (None | Some(Coding::Endless), false) => Coding::Endless,
            (Some(Coding::Chunked | Coding::Other | Coding::Broken), _) => Coding::Broken,
        });
    }
    coding.unwrap_or(Coding::Endless)
}
