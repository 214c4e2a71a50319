//! Server-sent events from bytes that may be cut anywhere.
//!
//! After the WHATWG's rules: lines end with LF, CR or CRLF, a byte-order mark may come first, several
//! `data` lines are one text, a space after the colon is optional, comments are ignored.

/// An event or a line longer than this is dropped, so that no provider can fill the memory.
pub(crate) const MOST_BYTES: usize = 8 << 20;

/// Buffers that have grown beyond this are let go after use.
pub(crate) const KEPT_BYTES: usize = 32 << 10;

/// Puts events together.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each remembers one thing across a cut")]
pub(crate) struct Events {
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// The data of the event at hand.
    data: Vec<u8>,
    has_data: bool,
    /// The last byte was a CR: a LF that follows belongs to it.
    after_cr: bool,
    /// The first line, which may begin with a byte-order mark, has passed.
    has_begun: bool,
    /// The line at hand is too long and is being dropped.
    is_dropping: bool,
    /// Something was too long and was dropped.
    overflowed: bool,
}

impl Events {
    /// Takes the next bytes and gives the data of every event that they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut on_event: impl FnMut(&[u8])) {
        let mut rest = bytes;
        if std::mem::take(&mut self.after_cr) && !rest.is_empty() {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        } else if rest.is_empty() {
            return;
        }
        while !rest.is_empty() {
            let Some(at) = memchr::memchr2(b'\n', b'\r', rest) else {
                return self.hold(rest);
            };
            match (std::mem::take(&mut self.is_dropping), self.line.is_empty()) {
                (true, _) => {}
                (false, true) => self.take_line(&rest[..at], &mut on_event),
                (false, false) => {
                    self.hold(&rest[..at]);
                    let mut line = std::mem::take(&mut self.line);
                    self.take_line(&line, &mut on_event);
                    line.clear();
                    line.shrink_to(KEPT_BYTES);
                    self.line = line;
                }
            }
            let is_cr = rest[at] == b'\r';
            rest = &rest[at + 1..];
            if is_cr {
                self.after_cr = rest.is_empty();
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
        }
    }

    /// The data of an event that was begun and whose blank line never came.
    pub(crate) fn unfinished(&self) -> Vec<u8> {
        let mut data = self.data.clone();
        data.extend_from_slice(self.line.strip_prefix(b"data:").unwrap_or_default());
        data
    }

    /// Whether something was too long and was dropped.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.is_dropping {
            return;
        }
        if MOST_BYTES < self.line.len() + bytes.len() {
            (self.overflowed, self.is_dropping) = (true, true);
            self.line = Vec::new();
            return;
        }
        self.line.extend_from_slice(bytes);
    }

    fn take_line(&mut self, line: &[u8], on_event: &mut impl FnMut(&[u8])) {
        let mut line = line;
        if !std::mem::replace(&mut self.has_begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                on_event(&self.data);
                self.data.clear();
                self.data.shrink_to(KEPT_BYTES);
            }
            return;
        }
        let Some(rest) = line.strip_prefix(b"data") else { return };
        let value = match rest {
            [b':', b' ', value @ ..] | [b':', value @ ..] => value,
            [] => rest,
            _ => return,
        };
        if MOST_BYTES < self.data.len() + value.len() {
            self.overflowed = true;
            return;
        }
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let (mut events, mut seen) = (Events::default(), Vec::new());
        for piece in pieces {
            events.feed(piece, |data| seen.push(String::from_utf8_lossy(data).into_owned()));
        }
        seen
    }

    #[test]
    fn all_spellings_of_an_event_are_one() {
        for (text, expected) in [
            ("data: a\n\ndata: b\n\n", vec!["a", "b"]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", vec!["a", "b"]),
            ("data: a\r\rdata: b\r\r", vec!["a", "b"]),
            ("\u{feff}data:a\n\n", vec!["a"]),
            (": hello\n\nevent: x\nid: 1\nretry: 5\ndata:  a\n\n", vec![" a"]),
            ("data: a\ndata: b\ndata\n\n", vec!["a\nb\n"]),
            ("data: a\ndatable: b\n\n", vec!["a"]),
            ("event: ping\n\n\n\ndata: a", vec![]),
        ] {
            assert_eq!(events(&[text.as_bytes()]), expected, "{text:?}");
            let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
            assert_eq!(events(&bytes), expected, "{text:?} byte by byte");
        }
    }

    #[test]
    fn what_is_too_long_is_dropped_and_the_rest_is_read() {
        let mut events = Events::default();
        let mut seen = Vec::new();
        let piece = vec![b'x'; 1 << 20];
        events.feed(b"data: ", |_| ());
        for _ in 0..10 {
            events.feed(&piece, |_| ());
        }
        events.feed(b"\n\ndata: a\n\n", |data| seen.push(data.len()));
        assert!(events.overflowed());
        assert!(events.line.capacity() <= KEPT_BYTES && events.data.capacity() <= KEPT_BYTES);
        assert_eq!(seen, [1]);
    }

    proptest! {
        #[test]
        fn where_bytes_were_cut_does_not_matter(
            lines in prop::collection::vec("(data: ?[a\r\n]{0,3}|:c|event: e|\r|\n|\r\n){1,4}", 0..8),
            cuts in prop::collection::vec(1_usize..5, 0..40),
        ) {
            let text = lines.join("\n");
            let whole = events(&[text.as_bytes()]);
            let mut rest = text.as_bytes();
            let mut pieces = Vec::new();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            prop_assert_eq!(events(&pieces), whole);
        }
    }
}
