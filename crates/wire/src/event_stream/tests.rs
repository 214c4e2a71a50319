//! Frames, whole, cut and broken.

use super::*;
use proptest::prelude::*;

/// What came out, and whether what went in was frames and nothing else.
fn frames(pieces: &[&[u8]]) -> (Vec<(Kind, String, String)>, bool) {
    let (mut frames, mut seen) = (Frames::default(), Vec::new());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for piece in pieces {
        frames.feed(piece, |Frame { kind, name, payload }| {
            seen.push((kind, text(name), text(payload)));
        });
    }
    (seen, frames.is_whole())
}

fn event(name: &str, payload: &str) -> Vec<u8> {
    framed(&texts(&[(":event-type", name), (":message-type", "event")]), payload.as_bytes())
}

/// Frames that Amazon's own SDK for Python is tested with (botocore,
/// `tests/unit/test_eventstream.py`).
#[test]
fn frames_of_others_are_read() {
    let empty = b"\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2\x48\xeb\x7d\x98\xc8\xff";
    let payload = b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36";
    let number =
        b"\x00\x00\x00\x17\x00\x00\x00\x07\x29\x86\x01\x58\x04byte\x02\xff\xc2\xf8\x69\xdc";
    let nothing = || (Kind::Event, String::new(), String::new());
    assert_eq!(frames(&[empty]), (vec![nothing()], true));
    assert_eq!(frames(&[number]), (vec![nothing()], true));
    let said = (Kind::Event, String::new(), "{'foo':'bar'}".to_owned());
    assert_eq!(frames(&[payload, empty]), (vec![said, nothing()], true));
}

#[test]
fn an_exception_is_read_as_it_was_written() {
    let frame = exception("throttlingException", b"{}");
    let expected = (Kind::Exception, "throttlingException".to_owned(), "{}".to_owned());
    assert_eq!(frames(&[&frame]), (vec![expected], true));
}

#[test]
fn every_kind_of_header_is_passed_over() {
    let mut headers = Vec::new();
    for (kind, value) in [
        (0, &b""[..]),
        (1, b""),
        (2, b"1"),
        (3, b"12"),
        (4, b"1234"),
        (5, b"12345678"),
        (6, b"\0\x021 "),
        (7, b"\0\0"),
        (8, b"12345678"),
        (9, b"0123456789abcdef"),
    ] {
        headers.extend_from_slice(&[1, b'x', kind]);
        headers.extend_from_slice(value);
    }
    headers.extend_from_slice(b"\x0b:error-code\x07\0\x01E\x0d:message-type\x07\0\x05error");
    let expected = (Kind::Error, "E".to_owned(), "p".to_owned());
    assert_eq!(frames(&[&framed(&headers, b"p")]), (vec![expected], true));
    for headers in [&b"\x01x\x0a"[..], b"\x05x", b"\x01x", b"\x01x\x07\0\x05ab", b"\0\x05"] {
        assert_eq!(frames(&[&framed(headers, b"p")]), (vec![], false), "{headers:?}");
    }
}

#[test]
fn a_frame_that_lies_is_passed_over_and_a_lying_prelude_ends_everything() {
    let (broken, next) = (event("a", "x"), event("b", "y"));
    let after = |at: usize, bit: u8| {
        let mut bytes = [&broken[..], &next[..]].concat();
        bytes[at] ^= bit;
        let (seen, is_whole) = frames(&[&bytes]);
        assert!(!is_whole, "bit {bit} of byte {at}");
        seen.len()
    };
    for at in 0..broken.len() {
        for bit in (0..8).map(|bit| 1 << bit) {
            assert_eq!(after(at, bit), usize::from(PRELUDE <= at), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn what_breaks_off_is_not_whole() {
    let frame = event("a", "x");
    assert!(frames(&[]).1);
    for at in 1..frame.len() {
        assert_eq!(frames(&[&frame[..at]]), (vec![], false), "cut at {at}");
    }
}

#[test]
fn what_is_too_long_is_dropped_and_the_rest_is_read() {
    let mut bytes = event("a", &"x".repeat(MOST_BYTES));
    let long = bytes.len();
    bytes.extend(event("b", "y"));
    for cut in [1, PRELUDE, 1 << 20, long] {
        let (mut frames, mut seen) = (Frames::default(), Vec::new());
        for piece in bytes.chunks(cut.max(1 << 10)) {
            frames.feed(piece, |frame| seen.push(frame.payload.to_vec()));
        }
        assert!(frames.overflowed() && frames.is_whole());
        assert!(frames.held.capacity() <= KEPT_BYTES);
        assert_eq!(seen, [b"y"]);
    }
}

proptest! {
    #[test]
    fn where_bytes_were_cut_does_not_matter(
        payloads in prop::collection::vec("[a-z]{0,40}", 0..6),
        flipped in prop::option::of(any::<usize>()),
        cuts in prop::collection::vec(1_usize..40, 0..40),
    ) {
        let mut bytes: Vec<u8> = payloads.iter().flat_map(|text| event("e", text)).collect();
        if let (Some(at), false) = (flipped, bytes.is_empty()) {
            let at = at % (bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
        }
        let whole = frames(&[&bytes]);
        let mut rest = bytes.as_slice();
        let mut pieces = Vec::new();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(frames(&pieces), whole);
    }

    #[test]
    fn arbitrary_bytes_are_no_frames(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(frames(&[&bytes]).0, vec![]);
    }
}
