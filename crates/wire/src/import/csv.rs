//! Tables of text: records of cells, one a line unless a cell in quotes holds a line's end.

/// One record after the other.
pub(super) struct Records<'a> {
    rest: &'a [u8],
    delimiter: u8,
    line: u64,
}

/// A record's cells and the line at which it begins.
pub(super) struct Record {
    pub(super) line: u64,
    pub(super) cells: Vec<String>,
    /// A quote was opened and never closed.
    pub(super) is_open: bool,
}

/// What stands between the cells of a table with this header.
pub(super) fn delimiter(header: &[u8]) -> u8 {
    let count = |wanted: u8| memchr::memchr_iter(wanted, header).count();
    // At equal counts the comma, which comes last.
    [b'\t', b';', b','].into_iter().max_by_key(|byte| count(*byte)).unwrap_or(b',')
}

/// Where the last whole record of `bytes` ends, if one does: a line's end outside quotes.
pub(super) fn last_end(bytes: &[u8]) -> Option<usize> {
    let (mut is_quoted, mut end) = (false, None);
    for at in memchr::memchr2_iter(b'"', b'\n', bytes) {
        match bytes[at] {
            b'"' => is_quoted = !is_quoted,
            _ if !is_quoted => end = Some(at + 1),
            _ => {}
        }
    }
    end
}

impl<'a> Records<'a> {
    /// Of a table whose first line is line `line`.
    pub(super) fn new(bytes: &'a [u8], delimiter: u8, line: u64) -> Records<'a> {
        Records { rest: bytes, delimiter, line }
    }

    /// The cell at the beginning of the rest, and whether its quote was left open.
    fn cell(&mut self) -> (String, bool) {
        if self.rest.first() == Some(&b'"') {
            return self.quoted();
        }
        let cell = self.before_next().trim_ascii();
        (String::from_utf8_lossy(cell).into_owned(), false)
    }

    /// All up to the next delimiter or the line's end.
    fn before_next(&mut self) -> &'a [u8] {
        let end = memchr::memchr2(self.delimiter, b'\n', self.rest).unwrap_or(self.rest.len());
        let (before, rest) = self.rest.split_at(end);
        self.rest = rest;
        before
    }

    fn quoted(&mut self) -> (String, bool) {
        let mut cell = Vec::new();
        self.rest = &self.rest[1..];
        loop {
            let Some(at) = memchr::memchr(b'"', self.rest) else {
                cell.extend_from_slice(self.rest);
                self.rest = &[];
                return (String::from_utf8_lossy(&cell).into_owned(), true);
            };
            cell.extend_from_slice(&self.rest[..at]);
            self.rest = &self.rest[at + 1..];
            match self.rest.first() {
                Some(b'"') => {
                    cell.push(b'"');
                    self.rest = &self.rest[1..];
                }
                _ => break,
            }
        }
        // What follows a closing quote before the next cell is white space, or a mistake.
        cell.extend_from_slice(self.before_next().trim_ascii());
        (String::from_utf8_lossy(&cell).into_owned(), false)
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        // Blank lines are passed over.
        while let Some(byte @ (b'\n' | b'\r')) = self.rest.first() {
            self.line += u64::from(*byte == b'\n');
            self.rest = &self.rest[1..];
        }
        if self.rest.is_empty() {
            return None;
        }
        let (whole, line) = (self.rest, self.line);
        let mut record = Record { line, cells: Vec::new(), is_open: false };
        loop {
            let (cell, is_open) = self.cell();
            record.cells.push(cell);
            record.is_open |= is_open;
            match self.rest.split_first() {
                Some((byte, rest)) => {
                    self.rest = rest;
                    if *byte == b'\n' {
                        break;
                    }
                }
                None => break,
            }
        }
        let read = &whole[..whole.len() - self.rest.len()];
        self.line += memchr::memchr_iter(b'\n', read).count() as u64;
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_delimiters_quotes_and_line_ends() {
        let text = b"a,b\n\n\"x, \"\"y\"\"\nz\", 2 \r\nlast,\"open";
        let records: Vec<_> = Records::new(text, b',', 1).collect();
        let cells: Vec<_> = records.iter().map(|record| record.cells.join("|")).collect();
        assert_eq!(cells, ["a|b", "x, \"y\"\nz|2", "last|open"]);
        let lines: Vec<_> = records.iter().map(|record| record.line).collect();
        assert_eq!(lines, [1, 3, 5]);
        assert!(records[2].is_open && !records[1].is_open);
        assert_eq!(last_end(text), Some(23));
        assert_eq!(delimiter(b"a;b;c,d"), b';');
    }
}
