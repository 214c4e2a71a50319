//! Takes the usage chunk out of a stream whose client did not ask for one.
//!
//! What the gateway's own question caused is taken out, and nothing else: the one event with the usage,
//! and the `"usage":null` that the provider then puts into every other one.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::scan::{Kind, Scanner, Wrong};
use crate::sse::Events;

/// No usage chunk is as long: from here on an event is passed on before its end has come.
const LONGEST: usize = 64 << 10;

/// Removes the usage-only chunk (`choices: []` and a `usage`) from an `OpenAI` stream. Holds back one
/// incomplete event at most.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each remembers one thing across a cut")]
pub struct UsageChunkFilter {
    held: BytesMut,
    /// The event at hand was too long to be held back.
    is_passing: bool,
    /// The last event was taken out, and with it goes the LF of a CRLF that was cut in two.
    was_removed: bool,
    /// The line at hand has bytes.
    has_line: bool,
    /// The last byte was a CR.
    after_cr: bool,
}

/// What is passed on of one piece: as long as that is its beginning, nothing is copied.
struct Output<'b> {
    bytes: &'b Bytes,
    until: usize,
    copied: Option<BytesMut>,
}

impl UsageChunkFilter {
    /// For a new stream.
    pub fn new() -> UsageChunkFilter {
        UsageChunkFilter::default()
    }

    /// Passes the next bytes on.
    pub fn pass(&mut self, bytes: &Bytes) -> Bytes {
        let mut out = Output { bytes, until: 0, copied: None };
        let mut at = self.second_half_of_crlf(&mut out);
        while let Some(end) = self.end_of_event(bytes, at) {
            let is_whole = self.held.is_empty();
            if !is_whole {
                self.held.extend_from_slice(&bytes[at..end]);
            }
            let event = if is_whole { &bytes[at..end] } else { &self.held };
            let null = null_usage(event);
            // Usage that is null is told apart without reading JSON, and so are most events.
            let is_removed = null.is_none() && !self.is_passing && is_usage_only(event);
            match (is_removed, is_whole, null) {
                (true, ..) => {}
                (false, true, None) => out.keep(at, end),
                (false, true, Some(null)) => {
                    out.keep(at, at + null.start);
                    out.keep(at + null.end, end);
                }
                (false, false, None) => out.keep_held(event),
                (false, false, Some(null)) => {
                    out.keep_held(&event[..null.start]);
                    out.keep_held(&event[null.end..]);
                }
            }
            self.held.clear();
            (self.is_passing, self.was_removed) = (false, is_removed);
            at = end;
        }
        match self.is_passing {
            true => out.keep(at, bytes.len()),
            false => self.held.extend_from_slice(&bytes[at..]),
        }
        if LONGEST < self.held.len() {
            self.is_passing = true;
            out.keep_held(&self.held);
            self.held = BytesMut::new();
        }
        out.done()
    }

    /// What was still held back when the stream ended.
    pub fn finish(&mut self) -> Bytes {
        let held = std::mem::take(&mut self.held);
        match is_usage_only(&held) {
            true => Bytes::new(),
            false => held.freeze(),
        }
    }

    /// A LF that completes the CR at the end of the last piece goes where that went.
    fn second_half_of_crlf(&mut self, out: &mut Output<'_>) -> usize {
        if out.bytes.is_empty() || !std::mem::take(&mut self.after_cr) || out.bytes[0] != b'\n' {
            return 0;
        }
        match (self.held.is_empty(), self.is_passing || !self.was_removed) {
            (false, _) => self.held.extend_from_slice(b"\n"),
            (true, true) => out.keep(0, 1),
            (true, false) => {}
        }
        1
    }

    /// Where the event at hand ends: behind its blank line.
    fn end_of_event(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        let mut at = start;
        loop {
            let Some(found) = memchr::memchr2(b'\n', b'\r', &bytes[at..]) else {
                self.has_line |= at < bytes.len();
                return None;
            };
            let had_line = std::mem::take(&mut self.has_line) || found != 0;
            let is_cr = bytes[at + found] == b'\r';
            at += found + 1;
            match (is_cr, bytes.get(at)) {
                (true, Some(b'\n')) => at += 1,
                (true, None) => self.after_cr = true,
                _ => {}
            }
            if !had_line {
                return Some(at);
            }
        }
    }
}

impl Output<'_> {
    fn keep(&mut self, start: usize, end: usize) {
        match &mut self.copied {
            None if start == self.until => self.until = end,
            _ => {
                let bytes = self.bytes;
                self.copy().extend_from_slice(&bytes[start..end]);
            }
        }
    }

    fn keep_held(&mut self, held: &[u8]) {
        self.copy().extend_from_slice(held);
    }

    fn copy(&mut self) -> &mut BytesMut {
        let (bytes, until) = (self.bytes, self.until);
        self.copied.get_or_insert_with(|| BytesMut::from(&bytes[..until]))
    }

    fn done(self) -> Bytes {
        match self.copied {
            Some(copied) => copied.freeze(),
            None => self.bytes.slice(..self.until),
        }
    }
}

/// Where a member `"usage":null` stands, with the comma that goes with it. Inside a text its quotes
/// would be escaped.
fn null_usage(lines: &[u8]) -> Option<Range<usize>> {
    let name = memchr::memmem::find(lines, b"\"usage\":")?;
    let spaces =
        |from: usize| lines[from..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let value = name + b"\"usage\":".len();
    let value = value + spaces(value);
    let end = value + b"null".len();
    if lines.get(value..end) != Some(b"null".as_slice()) {
        return None;
    }
    let before = lines[..name].iter().rposition(|byte| !matches!(byte, b' ' | b'\t'))?;
    let behind = end + spaces(end);
    match (lines[before], lines.get(behind)) {
        (b',', _) => Some(before..end),
        (b'{', Some(b',')) => Some(name..behind + 1 + spaces(behind + 1)),
        _ => None,
    }
}

/// Whether these are the lines of a chunk without choices, with usage.
fn is_usage_only(lines: &[u8]) -> bool {
    // Most events are told apart by this alone.
    if memchr::memmem::find(lines, b"\"usage\"").is_none() {
        return false;
    }
    let mut found = false;
    let mut events = Events::default();
    events.feed(lines, |data| found |= has_usage_only(data).unwrap_or(false));
    events.feed(b"\n\n", |data| found |= has_usage_only(data).unwrap_or(false));
    found
}

fn has_usage_only(data: &[u8]) -> Result<bool, Wrong> {
    let mut scanner = Scanner::new(data);
    let (mut has_usage, mut has_no_choices) = (false, false);
    let mut members = scanner.enter_object()?;
    while let Some(member) = scanner.member(&mut members)? {
        if member.key.is(b"usage") {
            has_usage = scanner.kind()? == Kind::Object;
        }
        if member.key.is(b"choices") && scanner.kind()? == Kind::Array {
            let mut inside = scanner.clone();
            let mut elements = inside.enter_array()?;
            has_no_choices = !inside.element(&mut elements)?;
        }
        scanner.skip()?;
    }
    scanner.finish()?;
    Ok(has_usage && has_no_choices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ASKED: &str =
        r#"data: {"choices":[{"delta":{"content":"\"usage\":null"}}],"usage": null}"#;
    const DELTA: &str = r#"data: {"choices":[{"delta":{"content":"\"usage\":null"}}]}"#;
    const USAGE: &str = r#"data: {"choices":[],"usage":{"prompt_tokens":5}}"#;
    const DONE: &str = "data: [DONE]";

    fn passed(text: &str, cuts: &[usize]) -> String {
        let (mut filter, mut out, mut at) = (UsageChunkFilter::new(), Vec::new(), 0);
        for cut in cuts.iter().copied().chain([text.len()]) {
            let end = text.len().min(at + cut);
            out.extend(filter.pass(&Bytes::copy_from_slice(&text.as_bytes()[at..end])));
            at = end;
        }
        out.extend(filter.finish());
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn only_the_usage_chunk_goes_wherever_bytes_are_cut(
            cuts in prop::collection::vec(0_usize..60, 0..12),
            end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        ) {
            let stream = |events: &[&str]| -> String {
                let blank = [end, end].concat();
                events.iter().flat_map(|event| [*event, &blank]).collect()
            };
            let text = stream(&[ASKED, ": ping", USAGE, DONE]);
            prop_assert_eq!(passed(&text, &cuts), stream(&[DELTA, ": ping", DONE]));
        }
    }

    #[test]
    fn a_null_usage_goes_with_the_comma_that_belongs_to_it() {
        let check = |json: &str, expected: &str| {
            let passed = passed(&format!("data: {json}\n\n"), &[]);
            assert_eq!(passed, format!("data: {expected}\n\n"));
        };
        check(r#"{"usage": null, "a":[1]}"#, r#"{"a":[1]}"#);
        check(r#"{"a":[1] ,"usage":null}"#, r#"{"a":[1] }"#);
        check(r#"{"a":[1], "usage":null,"b":2}"#, r#"{"a":[1],"b":2}"#);
        check(r#"{"a":[1],"usage":{"b":null}}"#, r#"{"a":[1],"usage":{"b":null}}"#);
        check(r#"{"a":"\"usage\":null"}"#, r#"{"a":"\"usage\":null"}"#);
        check(r#"{"usage":null}"#, r#"{"usage":null}"#);
    }

    #[test]
    fn a_piece_that_holds_no_usage_chunk_is_not_copied() {
        let piece = Bytes::from(format!("{DELTA}\n\n{DELTA}\n\n"));
        let out = UsageChunkFilter::new().pass(&piece);
        assert_eq!((out.as_ptr(), out.len()), (piece.as_ptr(), piece.len()));
    }

    #[test]
    fn an_event_beyond_measure_is_not_held_back() {
        let mut filter = UsageChunkFilter::new();
        let piece = Bytes::from(vec![b'x'; LONGEST]);
        assert!(filter.pass(&piece).is_empty());
        assert_eq!(filter.pass(&piece).len(), 2 * LONGEST);
        assert_eq!(filter.pass(&piece).len(), LONGEST);
        assert_eq!(filter.pass(&Bytes::from(format!("\n\n{USAGE}\n\n"))), "\n\n");
    }

    #[test]
    fn an_unfinished_event_comes_out_at_the_end() {
        assert_eq!(passed("data: [DO", &[3]), "data: [DO");
        assert_eq!(passed(USAGE, &[]), "");
    }
}
