//! Edits of a body, as splices: what is not meant stays byte for byte.
//!
//! All edits of one call are first gathered into what shall be at each place (a mark that is
//! removed and set again is one change), then written in the order of the body.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use scrimp_core::call::Dialect;
use scrimp_core::policy::prompt_cache::Edit;
use scrimp_core::{Family, Ttl};

use super::layout::{Layout, Object, Options, Place, Slot};
use super::prompt::Words;
use super::read::words;
use crate::scan::Piece;

/// How many marks both vendors write for one request.
const MOST_MARKS: usize = 4;

/// A change to a request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireEdit {
    /// What a policy decided.
    Policy(Edit),
    /// Ask for usage at the end of the stream. Changes nothing where the dialect always gives it, or
    /// where the client asked for it.
    IncludeUsage,
    /// Ask another model.
    Model(Arc<str>),
}

/// Why a body cannot be edited as asked. The body goes out as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotEdit {
    /// The layout is not of this body.
    #[error("the layout is of a body of {expected} bytes, this one has {found}")]
    OtherBody {
        /// Length of the layout's body.
        expected: usize,
        /// Length of this body.
        found: usize,
    },
    /// There is no such block.
    #[error("there is no block {block}: the prompt has {blocks}")]
    NoSuchBlock {
        /// The block asked for.
        block: u32,
        /// How many there are.
        blocks: usize,
    },
    /// The block takes no mark.
    #[error("block {block} takes no cache mark")]
    NotMarkable {
        /// The block.
        block: u32,
    },
    /// More marks than the provider takes.
    #[error("the request would carry {marks} cache marks, and the provider takes 4")]
    TooManyMarks {
        /// How many it would have.
        marks: usize,
    },
    /// Anthropic and Bedrock want marks with the long life before those with the short one.
    #[error("block {block} would carry a mark with the long life behind one with the short life")]
    LongAfterShort {
        /// The block.
        block: u32,
    },
    /// The block cannot be left out without what stands around it.
    #[error("block {block}, or one behind it, cannot be left out by itself")]
    NotRemovable {
        /// The first block that was to be left out.
        block: u32,
    },
    /// The dialect has no way to say it.
    #[error("this dialect cannot express {what}")]
    Inexpressible {
        /// What was asked for.
        what: &'static str,
    },
}

/// Makes `edits` in `body`. Without edits, or if they change nothing, the same bytes come back.
///
/// # Errors
/// If the provider would refuse the result. Nothing is changed then.
pub fn edit(
    body: &Bytes,
    dialect: Dialect,
    layout: &Layout,
    edits: &[WireEdit],
) -> Result<Bytes, CannotEdit> {
    if edits.is_empty() {
        return Ok(body.clone());
    }
    if layout.body_bytes != body.len() {
        let (expected, found) = (layout.body_bytes, body.len());
        return Err(CannotEdit::OtherBody { expected, found });
    }
    let wish = Wish::of(dialect, layout, edits)?;
    let mut splices = Splices::of(body);
    if let Some(words) = words(dialect) {
        wish.check_marks(dialect, body, layout)?;
        wish.write_marks(dialect, words, layout, &mut splices);
        wish.write_cache_options(words, layout, &mut splices);
    }
    wish.write_rest(dialect, layout, &mut splices)?;
    Ok(splices.apply())
}

/// What shall be, gathered from all edits.
#[derive(Debug, Default)]
struct Wish<'e> {
    /// By block, in order: the mark that it shall have.
    marks: Vec<(u32, Option<Ttl>)>,
    removes_options: bool,
    explicit_only: bool,
    implicit_ttl: Option<Ttl>,
    includes_usage: bool,
    model: Option<&'e str>,
}

impl<'e> Wish<'e> {
    fn of(
        dialect: Dialect,
        layout: &Layout,
        edits: &'e [WireEdit],
    ) -> Result<Wish<'e>, CannotEdit> {
        let mut wish = Wish::default();
        for edit in edits {
            match edit {
                WireEdit::IncludeUsage => wish.includes_usage = true,
                WireEdit::Model(model) => wish.model = Some(model),
                WireEdit::Policy(Edit::SetMark(mark)) => {
                    match place(layout, mark.block)? {
                        Place::Fixed => {
                            return Err(CannotEdit::NotMarkable { block: mark.block });
                        }
                        Place::Object { .. } | Place::Behind { .. } | Place::Text(_) => {}
                    }
                    wish.mark(mark.block, Some(mark.ttl));
                }
                WireEdit::Policy(Edit::RemoveMark { block }) => {
                    place(layout, *block)?;
                    wish.mark(*block, None);
                }
                WireEdit::Policy(Edit::RemoveCacheOptions) => wish.removes_options = true,
                WireEdit::Policy(Edit::ExplicitOnly) => wish.explicit_only = true,
                WireEdit::Policy(Edit::ImplicitTtl(ttl)) => wish.implicit_ttl = Some(*ttl),
            }
        }
        let has_options = wish.explicit_only || wish.implicit_ttl.is_some();
        if has_options && dialect.family() != Family::Openai {
            return Err(CannotEdit::Inexpressible { what: "OpenAI's prompt cache options" });
        }
        // Marks take 12 hours; the options of chat completions (unlike those of responses) take
        // 30 minutes only, and a request with another value would be refused.
        if wish.implicit_ttl == Some(Ttl::Long) && dialect != Dialect::OpenaiResponses {
            return Err(CannotEdit::Inexpressible { what: "a long life for unmarked prefixes" });
        }
        Ok(wish)
    }

    fn mark(&mut self, block: u32, ttl: Option<Ttl>) {
        self.marks.retain(|(other, _)| *other != block);
        self.marks.push((block, ttl));
    }

    /// The mark that a block will have, where `now` is the one that it has.
    fn mark_after(&self, block: u32, now: Option<Ttl>) -> Option<Ttl> {
        let wanted = self.marks.iter().find(|(other, _)| *other == block);
        wanted.map_or(now, |(_, ttl)| *ttl)
    }

    fn cuts_options(&self) -> bool {
        self.removes_options && !self.explicit_only
    }

    /// Refuses what the provider would refuse, if a mark is added.
    fn check_marks(
        &self,
        dialect: Dialect,
        body: &[u8],
        layout: &Layout,
    ) -> Result<(), CannotEdit> {
        if !self.marks.iter().any(|(_, ttl)| ttl.is_some()) {
            return Ok(());
        }
        let options = layout.cache_options.filter(|o| o.object.is_some() && !self.removes_options);
        let is_openai = dialect.family() == Family::Openai;
        let mut marks = usize::from(options.is_some() && !is_openai) + layout.strays;
        let mut has_short = false;
        for (block, place) in (0..).zip(&layout.places) {
            let ttl = self.mark_after(block, place.mark(body));
            marks += usize::from(ttl.is_some());
            if has_short && ttl == Some(Ttl::Long) && !is_openai {
                return Err(CannotEdit::LongAfterShort { block });
            }
            has_short |= ttl == Some(Ttl::Short);
        }
        match MOST_MARKS < marks {
            true => Err(CannotEdit::TooManyMarks { marks }),
            false => Ok(()),
        }
    }

    fn write_marks(
        &self,
        dialect: Dialect,
        words: &Words,
        layout: &Layout,
        splices: &mut Splices<'_>,
    ) {
        let Some(name) = words.mark.or(words.mark_behind) else { return };
        let name = std::str::from_utf8(name).expect("ASCII");
        for (block, wanted) in &self.marks {
            match (layout.places[*block as usize], wanted) {
                (place, wanted) if let Some(slot) = place.slot() => match wanted {
                    None => splices.cut(slot.cut),
                    Some(ttl) => splices.replace(slot.value, mark(dialect, words, *ttl)),
                },
                (Place::Behind { at, .. }, Some(ttl)) => {
                    let mark = mark(dialect, words, *ttl);
                    splices.put(at, format!(r#",{{"{name}":{mark}}}"#));
                }
                (Place::Object { object, .. }, Some(ttl)) => {
                    splices.insert(object, name, &mark(dialect, words, *ttl));
                }
                (Place::Text(text), Some(ttl)) => {
                    splices.put(text.start, format!(r#"[{{"type":"{}","text":"#, words.text));
                    let mark = mark(dialect, words, *ttl);
                    splices.put(text.end, format!(r#","{name}":{mark}}}]"#));
                }
                (_, None) | (Place::Fixed, Some(_)) => {}
            }
        }
    }

    fn write_cache_options(&self, words: &Words, layout: &Layout, splices: &mut Splices<'_>) {
        let mode = self.explicit_only.then(|| ("mode", r#""explicit""#.to_owned()));
        let is_kept = layout.cache_options.filter(|_| !self.removes_options);
        let ttl = match self.implicit_ttl {
            Some(Ttl::Long) => Some(("ttl", r#""12h""#.to_owned())),
            // The short life is what the provider gives unasked.
            Some(Ttl::Short) => {
                is_kept.and_then(|options| options.ttl).map(|_| ("ttl", r#""30m""#.to_owned()))
            }
            None => None,
        };
        let wanted: Vec<_> = mode.into_iter().chain(ttl).collect();
        let Some(name) = words.options else { return };
        let name = std::str::from_utf8(name).expect("ASCII");
        let Some(options) = layout.cache_options else {
            if let (Some(top), false) = (layout.top, wanted.is_empty()) {
                splices.insert(top, name, &object(&wanted));
            }
            return;
        };
        match (self.removes_options, options.object, wanted.as_slice()) {
            (true, _, []) => splices.cut(options.slot.cut),
            (false, _, []) => {}
            (true, _, wanted) | (false, None, wanted) => {
                splices.replace(options.slot.value, object(wanted));
            }
            (false, Some(inner), wanted) => splices.merge(inner, &options, wanted),
        }
    }

    fn write_rest(
        &self,
        dialect: Dialect,
        layout: &Layout,
        splices: &mut Splices<'_>,
    ) -> Result<(), CannotEdit> {
        let top = layout.top.map(|top| match layout.cache_options {
            // Its only member has just been cut out.
            Some(_) if self.cuts_options() && top.members == 1 => Object { members: 0, ..top },
            _ => top,
        });
        let top = top.ok_or(CannotEdit::Inexpressible { what: "a field of no object" });
        if self.includes_usage && dialect.family() == Family::Openai {
            let wanted = [("include_usage", "true".to_owned())];
            match layout.stream_options {
                Some(options) if options.includes_usage => {}
                Some(options) => match options.object {
                    Some(inner) => splices.merge(inner, &options, &wanted),
                    None => splices.replace(options.slot.value, object(&wanted)),
                },
                None => splices.insert(top?, "stream_options", &object(&wanted)),
            }
        }
        if let Some(model) = self.model {
            let model = crate::error::json_string(model);
            match layout.model {
                Some(value) => splices.replace(value, model),
                None => splices.insert(top?, "model", &model),
            }
        }
        Ok(())
    }
}

impl Place {
    fn slot(&self) -> Option<Slot> {
        match self {
            Place::Object { mark, .. } | Place::Behind { mark, .. } => *mark,
            Place::Text(_) | Place::Fixed => None,
        }
    }

    /// The mark that is there now.
    fn mark(&self, body: &[u8]) -> Option<Ttl> {
        let value = self.slot()?.value.of(body);
        match value {
            b"null" => None,
            _ if memchr::memmem::find(value, b"\"1h\"").is_some() => Some(Ttl::Long),
            _ if memchr::memmem::find(value, b"\"12h\"").is_some() => Some(Ttl::Long),
            _ => Some(Ttl::Short),
        }
    }
}

fn place(layout: &Layout, block: u32) -> Result<&Place, CannotEdit> {
    let blocks = layout.places.len();
    layout.places.get(block as usize).ok_or(CannotEdit::NoSuchBlock { block, blocks })
}

/// A mark in the words of the dialect; the short life is what each gives unasked.
fn mark(dialect: Dialect, words: &Words, ttl: Ttl) -> String {
    let head = match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => r#"{"mode":"explicit""#,
        Dialect::BedrockConverse => r#"{"type":"default""#,
        _ => r#"{"type":"ephemeral""#,
    };
    match ttl {
        Ttl::Short => format!("{head}}}"),
        Ttl::Long => format!(r#"{head},"ttl":"{}"}}"#, String::from_utf8_lossy(words.long)),
    }
}

fn object(members: &[(&str, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// Changes to a body, by position.
pub(super) struct Splices<'b> {
    body: &'b Bytes,
    all: Vec<(Piece, String)>,
}

impl<'b> Splices<'b> {
    pub(super) fn of(body: &'b Bytes) -> Splices<'b> {
        Splices { body, all: Vec::new() }
    }

    pub(super) fn replace(&mut self, piece: Piece, by: String) {
        if piece.of(self.body) != by.as_bytes() {
            self.all.push((piece, by));
        }
    }

    pub(super) fn cut(&mut self, piece: Piece) {
        self.all.push((piece, String::new()));
    }

    fn put(&mut self, at: u32, text: String) {
        self.all.push((Piece { start: at, end: at }, text));
    }

    /// Adds a member at the end of an object.
    pub(super) fn insert(&mut self, object: Object, key: &str, value: &str) {
        let comma = if object.members == 0 { "" } else { "," };
        self.put(object.end, format!("{comma}\"{key}\":{value}"));
    }

    /// Sets members of an object of options; those that it has are replaced.
    fn merge(&mut self, inner: Object, options: &Options, wanted: &[(&str, String)]) {
        let mut inner = inner;
        for (key, value) in wanted {
            let present = match *key {
                "mode" => options.mode,
                "ttl" => options.ttl,
                _ => options.include_usage,
            };
            let Some(piece) = present else {
                self.insert(inner, key, value);
                inner.members += 1;
                continue;
            };
            self.replace(piece, value.clone());
        }
    }

    pub(super) fn apply(mut self) -> Bytes {
        if self.all.is_empty() {
            return self.body.clone();
        }
        // Stable: what is put at the same position stays in the order in which it was asked for.
        self.all.sort_by_key(|(piece, _)| (piece.start, piece.end));
        let added: usize = self.all.iter().map(|(_, text)| text.len()).sum();
        let mut out = BytesMut::with_capacity(self.body.len() + added);
        let mut at = 0;
        for (piece, text) in &self.all {
            out.extend_from_slice(&self.body[at..piece.start as usize]);
            out.extend_from_slice(text.as_bytes());
            at = piece.end as usize;
        }
        out.extend_from_slice(&self.body[at..]);
        out.freeze()
    }
}
