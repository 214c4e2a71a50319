//! Heads, good and bad, however they are cut; and what hyper makes of the same.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use http::{Request, Response, Version, request};
use http_body_util::Empty;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::head::{Head, Refused, Search};
use crate::http1::{Chunk, Framing};

const LIMIT: usize = 8 << 10;

/// Heads that are answered: how the body is framed, whether the connection is kept, whether leave is
/// awaited.
const GOOD: &[(&str, Framing, bool, bool)] = &[
    ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", Framing::Over, true, false),
    ("GET /a/b?c=d%20e&f=:// HTTP/1.1\r\nHost: a\r\n\r\n", Framing::Over, true, false),
    ("\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", Framing::Over, true, false),
    ("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n", Framing::Over, true, false),
    ("GET / HTTP/1.0\r\n\r\n", Framing::Over, false, false),
    ("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", Framing::Over, true, false),
    ("GET / HTTP/1.0\r\nconnection: x, Keep-Alive\r\n\r\n", Framing::Over, true, false),
    ("GET / HTTP/1.1\r\nhost: a\r\nConnection: CLOSE\r\n\r\n", Framing::Over, false, false),
    ("GET / HTTP/1.1\r\nhost: a\r\nconnection: te, close\r\n\r\n", Framing::Over, false, false),
    (
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nconnection: keep-alive\r\n\r\n",
        Framing::Over,
        false,
        false,
    ),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n", Framing::Length(12), true, false),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", Framing::Over, true, false),
    (
        "POST / HTTP/1.1\r\nhost: a\r\nContent-Length:\t007 \r\n\r\n",
        Framing::Length(7),
        true,
        false,
    ),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n",
        Framing::Length(5),
        true,
        false,
    ),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
        Framing::Chunked(Chunk::Size),
        true,
        false,
    ),
    (
        "POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding:  ChunKed\t\r\nte: trailers\r\n\r\n",
        Framing::Chunked(Chunk::Size),
        true,
        false,
    ),
    (
        "PUT / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 3\r\n\r\n",
        Framing::Length(3),
        true,
        true,
    ),
    (
        "PUT / HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n",
        Framing::Length(3),
        false,
        false,
    ),
    ("PUT / HTTP/1.1\r\nhost: a\r\nexpect: miracles\r\n\r\n", Framing::Over, true, false),
    ("brew /pot HTTP/1.1\r\nhost: a\r\n\r\n", Framing::Over, true, false),
    ("M-SEARCH * HTTP/1.1\r\nhost: a\r\n\r\n", Framing::Over, true, false),
    ("GET http://a.example/b?c HTTP/1.1\r\nhost: a.example\r\n\r\n", Framing::Over, true, false),
    (
        "GET / HTTP/1.1\r\nhost: a\r\nx:\r\ny: \r\nz:a\t b\r\nz: \u{e9}\r\n\r\n",
        Framing::Over,
        true,
        false,
    ),
];

/// Heads that are refused, and with which status.
const BAD: &[(&str, u16)] = &[
    // Two lengths, or none that is a number.
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5, 5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5 5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551616\r\n\r\n", 400),
    // A length beside a coding, in either order.
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n", 400),
    // Codings.
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, chunked\r\n\r\n", 400),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n",
        400,
    ),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked;q=1\r\n\r\n", 400),
    ("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 501),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n",
        501,
    ),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \u{b}chunked\r\n\r\n", 400),
    // A host that is not said, or twice.
    ("GET / HTTP/1.1\r\nx: host\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
    ("GET / HTTP/1.0\r\nhost: a\r\nHost: b\r\n\r\n", 400),
    // Lines that end where another reader sees no end, and the other way round.
    ("GET / HTTP/1.1\nhost: a\n\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\n\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n", 400),
    ("\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("\rGET / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\nx: a\r\r\n\r\n", 400),
    ("GET / HTTP/1.1\rx: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\n x: a\r\n\r\n", 400),
    // Names and values.
    ("GET / HTTP/1.1\r\nhost: a\r\nx : a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\nx\t: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\n: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\nx y: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\nx\0: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: a\r\nx: a\u{7f}\r\n\r\n", 400),
    // The first line.
    ("GET /\r\n\r\n", 400),
    ("GET  / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("GET /a b HTTP/1.1\r\nhost: a\r\n\r\n", 505),
    ("G(T / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (" GET / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("GET nowhere:// HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0", 400),
    // Versions.
    ("CONNECT a.example:443 HTTP/1.1\r\nhost: a.example\r\n\r\n", 501),
    ("TRACE /v1/models HTTP/1.1\r\nhost: a\r\n\r\n", 501),
    ("GET localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n", 400),
    ("GET / HTTP/1.2\r\n\r\n", 505),
    ("GET / HTTP/0.9\r\n\r\n", 505),
    ("GET / http/1.1\r\n\r\n", 505),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
];

/// Reads a head that comes in pieces. What is left behind it is given back, too.
fn read(pieces: &[&[u8]], limit: usize) -> Result<Option<(Head, Vec<u8>)>, Refused> {
    let (mut search, mut seen, mut found) = (Search::default(), BytesMut::new(), None);
    for piece in pieces {
        seen.extend_from_slice(piece);
        if found.is_none() {
            found = search.parse(&mut seen, limit)?;
        }
    }
    Ok(found.map(|head| (head, seen.to_vec())))
}

fn status(pieces: &[&[u8]], limit: usize) -> u16 {
    read(pieces, limit).map_or_else(|refused| refused.status.as_u16(), |_| 0)
}

fn one_by_one(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.chunks(1).collect()
}

#[test]
fn heads_that_are_answered() {
    for (text, framing, keeps_alive, awaits_leave) in GOOD {
        let (head, rest) = read(&[text.as_bytes(), b"rest"], LIMIT).unwrap().expect("whole");
        let got = (head.framing, head.keeps_alive, head.awaits_leave);
        assert_eq!(got, (*framing, *keeps_alive, *awaits_leave), "{text:?}");
        assert_eq!(rest, b"rest");
        let last = read(&[&text.as_bytes()[..text.len() - 1]], LIMIT).unwrap();
        assert!(last.is_none(), "{text:?}");
    }
}

#[test]
fn heads_that_are_refused() {
    for (text, expected) in BAD {
        assert_eq!(status(&[text.as_bytes()], LIMIT), *expected, "{text:?}");
        assert_eq!(status(&one_by_one(text.as_bytes()), LIMIT), *expected, "{text:?}");
    }
}

#[test]
fn a_length_that_is_said_twice_is_passed_on_once() {
    let twice = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n";
    let (head, _) = read(&[twice], LIMIT).unwrap().expect("whole");
    assert_eq!(head.parts.headers.get_all("content-length").iter().count(), 1);
}

#[test]
fn a_head_may_not_be_too_large() {
    let head = |bytes: usize| {
        let bare = "GET / HTTP/1.1\r\nhost: a\r\nx: \r\n\r\n";
        bare.replace("x: ", &format!("x: {}", "y".repeat(bytes - bare.len())))
    };
    for (bytes, expected) in [(999, 0), (1_000, 0), (1_001, 431), (2_000, 431)] {
        let head = head(bytes);
        assert_eq!(status(&[head.as_bytes()], 1_000), expected, "{bytes}");
        assert_eq!(status(&one_by_one(head.as_bytes()), 1_000), expected, "{bytes}");
    }
    assert_eq!(status(&[&[b'a'; 1_000]], 1_000), 431, "it never ends");
    assert_eq!(status(&[&[b'a'; 999]], 1_000), 0);
    let many =
        |count: usize| format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(count - 1));
    assert_eq!(status(&[many(100).as_bytes()], LIMIT), 0);
    assert_eq!(status(&[many(101).as_bytes()], LIMIT), 431);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000));
    assert_eq!(status(&[long.as_bytes()], 100_000), 414);
}

type Shown = (String, String, Version, Vec<(String, Vec<u8>)>);

fn shown(parts: &request::Parts) -> Shown {
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    (parts.method.to_string(), parts.uri.to_string(), parts.version, headers.collect())
}

/// What hyper's server makes of a head; `None` if it answers without asking anybody.
async fn hyper_reads(bytes: &[u8]) -> Option<Shown> {
    let (mut near, far) = tokio::io::duplex(64 << 10);
    let heard = Arc::new(Mutex::new(None));
    let noted = heard.clone();
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        *noted.lock().unwrap() = Some(shown(&request.into_parts().0));
        async { Ok::<_, Infallible>(Response::new(Empty::<bytes::Bytes>::new())) }
    });
    let server = hyper::server::conn::http1::Builder::new();
    tokio::spawn(server.serve_connection(TokioIo::new(far), service));
    near.write_all(bytes).await.unwrap();
    near.shutdown().await.unwrap();
    near.read_to_end(&mut Vec::new()).await.ok();
    heard.lock().unwrap().take()
}

#[tokio::test(start_paused = true)]
async fn hyper_understands_the_same_of_what_is_answered() {
    for (text, ..) in GOOD {
        let (head, _) = read(&[text.as_bytes()], LIMIT).unwrap().expect("whole");
        assert_eq!(Some(shown(&head.parts)), hyper_reads(text.as_bytes()).await, "{text:?}");
    }
    let mut only_hyper = Vec::new();
    for (text, _) in BAD {
        if hyper_reads(text.as_bytes()).await.is_some() {
            only_hyper.push(format!("{text:?}"));
        }
    }
    expect_test::expect![[r#"
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n"
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, chunked\r\n\r\n"
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n"
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
        "GET / HTTP/1.1\r\nx: host\r\n\r\n"
        "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n"
        "GET / HTTP/1.0\r\nhost: a\r\nHost: b\r\n\r\n"
        "GET / HTTP/1.1\nhost: a\n\n"
        "GET / HTTP/1.1\r\nhost: a\r\n\n"
        "GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n"
        "\nGET / HTTP/1.1\r\nhost: a\r\n\r\n"
        "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example\r\n\r\n"
        "TRACE /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"
        "GET localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n""#]]
    .assert_eq(&only_hyper.join("\n"));
}

proptest! {
    #[test]
    fn cuts_do_not_matter(n in 0..GOOD.len() + BAD.len(), mut cuts in prop::collection::vec(0_usize..90, 0..5)) {
        cuts.sort_unstable();
        let good = GOOD.iter().map(|(text, ..)| *text);
        let text = good.chain(BAD.iter().map(|(text, _)| *text)).nth(n).unwrap().as_bytes();
        let (mut pieces, mut from) = (Vec::new(), 0);
        for cut in cuts {
            let cut = cut.clamp(from, text.len());
            pieces.push(&text[from..cut]);
            from = cut;
        }
        pieces.push(&text[from..]);
        let shown = |pieces: &[&[u8]]| {
            let read = read(pieces, LIMIT).map(|found| found.map(|(head, rest)| (shown(&head.parts), rest)));
            read.map_err(|refused| refused.status)
        };
        prop_assert_eq!(shown(&pieces), shown(&[text]));
    }

    #[test]
    fn no_bytes_make_it_fall_over(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        status(&[&bytes], 100);
        let after = [b"GET / HTTP/1.1\r\nhost: a\r\n", &bytes[..]].concat();
        status(&one_by_one(&after), 150);
    }

    /// Whatever is answered has only lines that every reader ends at the same place.
    #[test]
    fn what_is_answered_has_no_odd_ends(
        words in prop::collection::vec(prop::sample::select(vec![
            "\r", "\n", "\r\n", " ", "\t", ":", "x", "y: z", "\0", "content-length: 3",
            "transfer-encoding: chunked", "HTTP/1.1",
        ]), 0..12),
    ) {
        let text = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n\r\n", words.concat());
        if let Ok(Some((head, rest))) = read(&[text.as_bytes()], LIMIT) {
            let read = &text[..text.len() - rest.len()];
            prop_assert!(!read.replace("\r\n", "").contains(['\r', '\n', '\0']), "{:?}", read);
            let both = head.parts.headers.contains_key("content-length")
                && head.parts.headers.contains_key("transfer-encoding");
            prop_assert!(!both);
        }
    }
}
