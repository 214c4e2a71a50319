//! An answer on its way to the client: its head as bytes, its body as it comes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode, Version};
use http_body::Body;
use tokio::io::AsyncWrite;

use super::date;
use crate::clock::Clock;
use crate::http1::{self, COPIED, Outbox, push};
use crate::page::Page;

/// Room for a head. The largest usual ones fit.
const HEAD: usize = 1024;

/// What an answer depends on beside itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) version: Version,
    /// Only the head was asked for.
    pub(super) is_head: bool,
    /// Another request may come over the connection.
    pub(super) keeps_alive: bool,
}

/// How the client is told where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// It has none.
    Bodiless,
    /// After so many more bytes.
    Length(u64),
    /// With a last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// How the writing of an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Whole, and the connection may carry another.
    AndAgain,
    /// Whole, and its head said that it is the last.
    AndLast,
    /// The body broke off. Closing the connection says so.
    Broken,
}

/// How far what was written has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flush {
    Done,
    Due,
    /// It lies in what encrypts it, and the client does not take it.
    Stuck,
}

/// An answer that is being written.
pub(super) struct Answer {
    body: Page,
    ends: Ends,
    outbox: Outbox<io::Cursor<Vec<u8>>>,
    keeps_alive: bool,
    /// What is there of the body stands behind the head.
    is_gathered: bool,
    flush: Flush,
    written: Option<Written>,
}

impl Answer {
    /// `before` is what has to leave first.
    pub(super) fn new(answer: Response<Page>, asked: Asked, clock: Clock, before: &[u8]) -> Answer {
        let (head, body) = answer.into_parts();
        let known = body.size_hint().exact();
        let small = known.unwrap_or(0).min(COPIED as u64);
        let mut out = Vec::with_capacity(HEAD + usize::try_from(small).unwrap_or(0));
        out.extend_from_slice(before);
        let (ends, keeps_alive) = encode(&mut out, &head, known, asked, clock);
        let outbox = Outbox { head: io::Cursor::new(out), ..Outbox::default() };
        Answer {
            body,
            ends,
            outbox,
            keeps_alive,
            is_gathered: false,
            flush: Flush::Due,
            written: None,
        }
    }

    /// Writes what is there of it. Ready at its end.
    pub(super) fn poll<I: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut I,
    ) -> Poll<io::Result<Written>> {
        loop {
            // What could not be written the last time leaves before more is taken.
            if self.is_gathered {
                ready!(self.outbox.poll_write(cx, io))?;
            }
            self.gather(cx);
            self.is_gathered = true;
            if self.outbox.is_empty() {
                break;
            }
            self.flush = Flush::Due;
        }
        // Pieces leave before the next is waited for, and all of them before the end.
        if self.flush != Flush::Done {
            self.flush = Flush::Stuck;
            ready!(Pin::new(io).poll_flush(cx))?;
            self.flush = Flush::Done;
        }
        self.written.map_or(Poll::Pending, |written| Poll::Ready(Ok(written)))
    }

    /// How much waits to be written; of what is being encrypted it is not known how much, only that.
    pub(super) fn waiting(&self) -> usize {
        self.outbox.len().max(usize::from(self.flush == Flush::Stuck))
    }

    /// Takes what is there of the body, as far as it leaves in one write, behind a head that has not
    /// left.
    fn gather(&mut self, cx: &mut Context<'_>) {
        if self.outbox.head.position() != 0 {
            self.outbox.head.set_position(0);
            self.outbox.head.get_mut().clear();
        }
        while self.written.is_none()
            && self.outbox.piece.is_empty()
            && self.outbox.head.remaining() < COPIED
        {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => self.finish(),
                Poll::Ready(Some(Err(_))) => self.written = Some(Written::Broken),
                Poll::Ready(Some(Ok(frame))) => self.add(frame.into_data().unwrap_or_default()),
            }
        }
    }

    fn add(&mut self, mut piece: Bytes) {
        match &mut self.ends {
            Ends::Bodiless => return,
            Ends::Length(left) if *left < piece.len() as u64 => {
                piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                self.written = Some(Written::Broken);
            }
            Ends::Length(left) => *left -= piece.len() as u64,
            Ends::Chunked | Ends::UntilClose => {}
        }
        // An empty chunk would be the last.
        if piece.is_empty() {
            return;
        }
        let is_chunk = self.ends == Ends::Chunked;
        let Outbox { head, piece: large, tail } = &mut self.outbox;
        let out = head.get_mut();
        if is_chunk {
            put_hexadecimal(out, piece.len());
            out.extend_from_slice(b"\r\n");
        }
        let end: &'static [u8] = if is_chunk { b"\r\n" } else { b"" };
        if COPIED < piece.len() {
            (*large, *tail) = (piece, Bytes::from_static(end));
            return;
        }
        out.extend_from_slice(&piece);
        out.extend_from_slice(end);
    }

    fn finish(&mut self) {
        if self.ends == Ends::Chunked {
            self.outbox.head.get_mut().extend_from_slice(b"0\r\n\r\n");
        }
        self.written = Some(match self.ends {
            Ends::Length(1..) => Written::Broken,
            _ if self.keeps_alive => Written::AndAgain,
            _ => Written::AndLast,
        });
    }
}

/// The length of a chunk.
fn put_hexadecimal(out: &mut Vec<u8>, number: usize) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    let digit = |place: u32| b"0123456789abcdef"[number >> (4 * place) & 15];
    out.extend((0..digits).rev().map(digit));
}

/// Writes a head. How its body ends, and whether another request may follow.
fn encode(
    out: &mut Vec<u8>,
    head: &Parts,
    known: Option<u64>,
    asked: Asked,
    clock: Clock,
) -> (Ends, bool) {
    put_status(out, head.status, asked.version);
    let is_dated = put_headers(out, &head.headers);
    let (ends, length) = ends(head, known, asked);
    if let Some(length) = length {
        push(out, &CONTENT_LENGTH, &[itoa::Buffer::new().format(length).as_bytes()]);
    }
    if ends == Ends::Chunked {
        push(out, &TRANSFER_ENCODING, &[b"chunked"]);
    }
    let keeps_alive = asked.keeps_alive && ends != Ends::UntilClose;
    match (asked.version, keeps_alive) {
        (Version::HTTP_10, true) => push(out, &CONNECTION, &[b"keep-alive"]),
        (Version::HTTP_10, false) | (_, true) => {}
        (_, false) => push(out, &CONNECTION, &[b"close"]),
    }
    if !is_dated {
        push(out, &DATE, &[&date::spell(clock.now())]);
    }
    out.extend_from_slice(b"\r\n");
    (ends, keeps_alive)
}

fn put_status(out: &mut Vec<u8>, status: StatusCode, version: Version) {
    if (status, version) == (StatusCode::OK, Version::HTTP_11) {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    let version = if version == Version::HTTP_10 { "HTTP/1.0 " } else { "HTTP/1.1 " };
    let reason = status.canonical_reason().unwrap_or("<none>");
    for part in [version, status.as_str(), " ", reason, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Writes all headers but those that are the connection's own affair. Whether there was a date.
fn put_headers(out: &mut Vec<u8>, headers: &HeaderMap) -> bool {
    let mut is_dated = false;
    for (name, value) in headers {
        match *name {
            CONTENT_LENGTH | CONNECTION | TRANSFER_ENCODING => continue,
            DATE => is_dated = true,
            _ => {}
        }
        push(out, name, &[value.as_bytes()]);
    }
    is_dated
}

/// How a body ends, and the length that is said of it. What the body itself knows counts before what
/// its head says.
fn ends(head: &Parts, known: Option<u64>, asked: Asked) -> (Ends, Option<u64>) {
    if matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return (Ends::Bodiless, None);
    }
    // A head that says nothing reasonable says nothing.
    let said = || http1::length(&head.headers).ok().flatten();
    if asked.is_head {
        // What a provider says is the length that the body would have had.
        return (Ends::Bodiless, said().or(known.filter(|length| 0 < *length)));
    }
    match (known.or_else(said), asked.version) {
        (Some(length), _) => (Ends::Length(length), Some(length)),
        (None, Version::HTTP_10) => (Ends::UntilClose, None),
        (None, _) => (Ends::Chunked, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use scrimp_core::Time;

    const EPOCH: &str = "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";

    fn asked(version: Version) -> Asked {
        Asked { version, is_head: false, keeps_alive: true }
    }

    fn encoded(
        status: u16,
        headers: &[(&'static str, &'static str)],
        known: Option<u64>,
        asked: Asked,
    ) -> (String, Ends, bool) {
        let mut head = Response::builder().status(status).body(()).unwrap().into_parts().0;
        for (name, value) in headers {
            head.headers.append(*name, HeaderValue::from_static(value));
        }
        let mut out = Vec::new();
        let (ends, keeps_alive) =
            encode(&mut out, &head, known, asked, Clock::starting_at(Time::EPOCH));
        (String::from_utf8(out).unwrap().replace(EPOCH, ""), ends, keeps_alive)
    }

    type Headers = &'static [(&'static str, &'static str)];
    type Case = (u16, Headers, Option<u64>, Asked, &'static str, Ends);

    #[test]
    fn a_head_tells_where_its_body_ends() {
        let (new, old) = (asked(Version::HTTP_11), asked(Version::HTTP_10));
        let head = Asked { is_head: true, ..new };
        let length: Headers = &[("content-length", "7")];
        let cases: &[Case] = &[
            (200, &[], Some(3), new, "content-length: 3\r\n", Ends::Length(3)),
            (200, &[], Some(0), new, "content-length: 0\r\n", Ends::Length(0)),
            (200, length, None, new, "content-length: 7\r\n", Ends::Length(7)),
            (
                200,
                length,
                None,
                old,
                "content-length: 7\r\nconnection: keep-alive\r\n",
                Ends::Length(7),
            ),
            (200, length, Some(3), new, "content-length: 3\r\n", Ends::Length(3)),
            (
                200,
                &[("content-length", "7, 7")],
                None,
                new,
                "content-length: 7\r\n",
                Ends::Length(7),
            ),
            (
                200,
                &[("content-length", "x")],
                None,
                new,
                "transfer-encoding: chunked\r\n",
                Ends::Chunked,
            ),
            (
                200,
                &[("transfer-encoding", "gzip")],
                None,
                new,
                "transfer-encoding: chunked\r\n",
                Ends::Chunked,
            ),
            (200, &[], None, old, "", Ends::UntilClose),
            (200, length, Some(0), head, "content-length: 7\r\n", Ends::Bodiless),
            (200, &[], Some(3), head, "content-length: 3\r\n", Ends::Bodiless),
            (200, &[], Some(0), head, "", Ends::Bodiless),
            (204, length, Some(0), new, "", Ends::Bodiless),
            (304, length, Some(0), new, "", Ends::Bodiless),
        ];
        for (status, headers, known, asked, lines, expected) in cases {
            let (text, ends, _) = encoded(*status, headers, *known, *asked);
            let rest = text.split_once("\r\n").unwrap().1;
            assert_eq!((rest, ends), (&*format!("{lines}\r\n"), *expected), "{status} {headers:?}");
        }
    }

    #[test]
    fn a_head_says_whether_it_is_the_last() {
        let last = |version| Asked { keeps_alive: false, ..asked(version) };
        for (asked, line, connection) in [
            (asked(Version::HTTP_11), "HTTP/1.1 200 OK\r\n", ""),
            (last(Version::HTTP_11), "HTTP/1.1 200 OK\r\n", "connection: close\r\n"),
            (asked(Version::HTTP_10), "HTTP/1.0 200 OK\r\n", "connection: keep-alive\r\n"),
            (last(Version::HTTP_10), "HTTP/1.0 200 OK\r\n", ""),
        ] {
            let (text, _, keeps_alive) = encoded(200, &[("connection", "x")], Some(0), asked);
            assert_eq!(text, format!("{line}content-length: 0\r\n{connection}\r\n"));
            assert_eq!(keeps_alive, asked.keeps_alive);
        }
        assert!(!encoded(200, &[], None, asked(Version::HTTP_10)).2, "its end is the connection's");
    }

    #[test]
    fn a_date_is_added_where_there_is_none() {
        let head = Response::new(()).into_parts().0;
        let mut out = Vec::new();
        encode(&mut out, &head, Some(0), asked(Version::HTTP_11), Clock::starting_at(Time::EPOCH));
        assert!(String::from_utf8(out).unwrap().contains(EPOCH));
        let (text, ..) = encoded(599, &[("date", "then")], Some(0), asked(Version::HTTP_11));
        assert!(text.starts_with("HTTP/1.1 599 <none>\r\ndate: then\r\n"), "{text}");
        assert_eq!(text.matches("date").count(), 1);
    }

    #[test]
    fn lengths_of_chunks_are_hexadecimal() {
        for number in [0, 1, 15, 16, 255, 256, 4095, 65_536, usize::MAX] {
            let mut out = Vec::new();
            put_hexadecimal(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{number:x}"));
        }
    }
}
