//! A pull scanner over JSON bytes: validates as it goes and builds nothing.
//!
//! A prompt may be megabytes of which a few fields matter. The scanner hands out slices of the
//! original bytes and their positions; what is skipped is still checked, because a body that two
//! parsers read differently must not be routed by one and answered by the other.

mod text;
mod walk;

pub(crate) use text::Text;
pub(crate) use walk::QUOTE;

/// How deeply values may be nested.
pub(crate) const MOST_DEEP: u32 = 128;

/// A range of bytes of a body. Bodies are shorter than 4 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Piece {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Why bytes are not the JSON that was expected, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// They break off.
    Truncated { at: usize },
    /// They go wrong.
    Syntax { at: usize },
    /// They go on after the end.
    Trailing { at: usize },
    /// They are nested deeper than [`MOST_DEEP`].
    TooDeep { at: usize },
}

/// What kind of value comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// Reads values from front to back.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
}

/// Where a loop over members or elements stands.
#[derive(Debug)]
pub(crate) struct Loop {
    is_first: bool,
}

/// A member of an object, its value not read yet.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    /// Its key.
    pub(crate) key: Text<'a>,
    /// Where it starts: at the comma before it, or at its key if it is the first.
    pub(crate) start: usize,
    /// Whether it is the first of its object.
    pub(crate) is_first: bool,
}

impl Piece {
    pub(crate) fn new(start: usize, end: usize) -> Piece {
        let narrow = |at| u32::try_from(at).expect("bodies are shorter than 4 GiB");
        Piece { start: narrow(start), end: narrow(end) }
    }

    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }
}

impl Wrong {
    /// The position.
    #[cfg(test)]
    pub(crate) fn at(self) -> usize {
        match self {
            Wrong::Truncated { at }
            | Wrong::Syntax { at }
            | Wrong::Trailing { at }
            | Wrong::TooDeep { at } => at,
        }
    }
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Scanner<'a> {
        Scanner { bytes, at: 0, depth: 0 }
    }

    /// The same bytes again from an earlier position, at the present depth.
    pub(crate) fn again_from(&self, at: usize) -> Scanner<'a> {
        Scanner { bytes: self.bytes, at, depth: self.depth }
    }

    /// How many bytes have been read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What comes next.
    pub(crate) fn kind(&mut self) -> Result<Kind, Wrong> {
        Ok(match self.peek()? {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            b'-' | b'0'..=b'9' => Kind::Number,
            _ => return Err(Wrong::Syntax { at: self.at }),
        })
    }

    /// Enters an object. Its members come from [`Scanner::member`].
    pub(crate) fn enter_object(&mut self) -> Result<Loop, Wrong> {
        self.enter(b'{')
    }

    /// Enters an array. Its elements come from [`Scanner::element`].
    pub(crate) fn enter_array(&mut self) -> Result<Loop, Wrong> {
        self.enter(b'[')
    }

    /// The next member's key; its value must be read before the next call. `None` at the end.
    pub(crate) fn member(&mut self, state: &mut Loop) -> Result<Option<Member<'a>>, Wrong> {
        let is_first = state.is_first;
        if let Some(member) = self.compact_member(is_first) {
            state.is_first = false;
            return Ok(Some(member));
        }
        if self.closes(state, b'}')? {
            return Ok(None);
        }
        // `closes` stands behind the comma, if there was one.
        let comma = self.at - usize::from(!is_first);
        self.expect_byte(b'"')?;
        let start = if is_first { self.at } else { comma };
        let key = self.quoted()?;
        self.expect_byte(b':')?;
        self.at += 1;
        Ok(Some(Member { key, start, is_first }))
    }

    /// The next member if it is written as most are: no white space around its key, no escape in it.
    fn compact_member(&mut self, is_first: bool) -> Option<Member<'a>> {
        let start = self.at;
        let rest = self.bytes.get(start..)?;
        let rest = if is_first { rest } else { rest.strip_prefix(b",")? };
        let (key, rest) = Text::plain(rest.strip_prefix(b"\"")?);
        self.at = self.bytes.len() - rest.strip_prefix(b"\":")?.len();
        Some(Member { key, start, is_first })
    }

    /// Whether another element follows; it must be read before the next call.
    pub(crate) fn element(&mut self, state: &mut Loop) -> Result<bool, Wrong> {
        Ok(!self.closes(state, b']')?)
    }

    /// Where a member that starts at `start` and whose value was just read would have to be cut out.
    pub(crate) fn cut(&mut self, member_start: usize, is_first: bool) -> Result<Piece, Wrong> {
        let end = self.at;
        let has_next = self.peek()? == b',';
        let cut = match is_first && has_next {
            true => Piece::new(member_start, self.at + 1),
            false => Piece::new(member_start, end),
        };
        self.at = end;
        Ok(cut)
    }

    /// Makes sure that nothing but white space is left.
    pub(crate) fn finish(mut self) -> Result<(), Wrong> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => Err(Wrong::Trailing { at: self.at }),
        }
    }

    /// The next byte that is no white space, not consumed.
    #[inline]
    fn peek(&mut self) -> Result<u8, Wrong> {
        loop {
            match self.bytes.get(self.at) {
                Some(byte) if b' ' < *byte => return Ok(*byte),
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return Err(Wrong::Truncated { at: self.at }),
            }
        }
    }

    fn expect_byte(&mut self, wanted: u8) -> Result<(), Wrong> {
        match self.peek()? == wanted {
            true => Ok(()),
            false => Err(Wrong::Syntax { at: self.at }),
        }
    }

    fn enter(&mut self, open: u8) -> Result<Loop, Wrong> {
        self.expect_byte(open)?;
        if self.depth == MOST_DEEP {
            return Err(Wrong::TooDeep { at: self.at });
        }
        self.depth += 1;
        self.at += 1;
        Ok(Loop { is_first: true })
    }

    /// Leaves at `close`, or stands behind the comma before the next item.
    fn closes(&mut self, state: &mut Loop, close: u8) -> Result<bool, Wrong> {
        let next = self.peek()?;
        if next == close {
            self.at += 1;
            self.depth -= 1;
            return Ok(true);
        }
        match (state.is_first, next) {
            (true, _) => state.is_first = false,
            (false, b',') => {
                self.at += 1;
                // A comma before the end is no JSON: the item after it is read by the caller, who
                // will not find one at `close`.
                return Ok(false);
            }
            (false, _) => return Err(Wrong::Syntax { at: self.at }),
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
