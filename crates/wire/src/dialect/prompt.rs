//! Prompts: tools, system instructions and messages become blocks and the places of their marks.
//!
//! The dialects have much the same shape (objects with a type, texts that may be plain strings); where
//! they differ is a handful of words, which each dialect's file holds.

use std::borrow::Cow;

use scrimp_core::call::Content;
use scrimp_core::{Block, Role, Ttl};

use super::block::{Said, block, with_extras};
use super::layout::{Object, Place, Slot};
use super::section::Section;
use super::{Malformed, openai};
use crate::Key;
use crate::scan::{Kind, Member, Piece, QUOTE, Scanner};

/// The words of a dialect.
pub(super) struct Words {
    /// The members that hold the prompt, in the order in which the provider renders them.
    pub(super) sections: &'static [(&'static [u8], Section)],
    /// The member of a message with its blocks.
    pub(super) parts: &'static [u8],
    /// The member of a block that marks it.
    pub(super) mark: Option<&'static [u8]>,
    /// The only member of what stands behind a block and marks it.
    pub(super) mark_behind: Option<&'static [u8]>,
    /// The member of the request with its cache options.
    pub(super) options: Option<&'static [u8]>,
    /// How the long life is spelled.
    pub(super) long: &'static [u8],
    /// The type of a block of text that takes a mark.
    pub(super) text: &'static str,
    /// Whether a tool's definition takes a mark.
    pub(super) are_tools_markable: bool,
    /// Whether system instructions that stand outside the messages take a mark.
    pub(super) is_system_markable: bool,
    /// Who speaks in a block of a message of this role.
    pub(super) role: fn(&[u8], Content) -> Role,
    /// What a block of this type holds.
    pub(super) content: fn(&[u8]) -> Content,
    /// What a block without a type holds, by the name of one of its members.
    pub(super) content_by_member: fn(&[u8]) -> Option<Content>,
    /// Whether such a block of a message takes a mark.
    pub(super) is_markable: fn(Role, Content) -> bool,
}

/// A block, and what is only needed until the whole request has been read.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) block: Block,
    pub(super) place: Place,
    /// Where all of it lies.
    pub(super) span: Piece,
    /// Where its text lies, if it is one string.
    pub(super) text: Option<Piece>,
    /// Its mark names no life and has that of the request's options.
    pub(super) inherits: bool,
}

/// Whose block is read.
#[derive(Clone, Copy)]
pub(super) enum Speaker<'n> {
    Tool,
    System,
    /// A message of this role.
    Message(&'n [u8]),
}

/// Reads prompts.
pub(super) struct Reader<'k> {
    pub(super) words: &'static Words,
    pub(super) key: &'k Key,
    /// See [`super::layout::Layout`].
    pub(super) strays: usize,
    /// Decoded text of the block at hand, reused from block to block.
    pub(super) scratch: Vec<u8>,
}

/// An object that is being read as a block.
#[derive(Default)]
struct Part {
    object: Object,
    content: Option<Content>,
    /// Its text: where in the scratch, and where in the body.
    text: Option<(std::ops::Range<usize>, Piece)>,
    /// Behind it.
    end: u32,
    mark: Option<Slot>,
    is_marked: bool,
    life: Option<Ttl>,
    /// Members beside its type and text.
    others: u32,
    opaque: usize,
    is_deferred: bool,
}

pub(super) type Read<T> = Result<T, Malformed>;

impl Reader<'_> {
    /// Reads an array of messages.
    pub(super) fn messages(&mut self, scanner: &mut Scanner<'_>, out: &mut Vec<Draft>) -> Read<()> {
        if scanner.kind()? != Kind::Array {
            return self.anything(scanner, Role::User, Content::Other).map(|draft| out.push(draft));
        }
        let mut elements = scanner.enter_array()?;
        while scanner.element(&mut elements)? {
            match scanner.kind()? {
                Kind::Object => self.message(scanner, out)?,
                _ => out.push(self.anything(scanner, Role::User, Content::Other)?),
            }
        }
        Ok(())
    }

    pub(super) fn message(&mut self, scanner: &mut Scanner<'_>, out: &mut Vec<Draft>) -> Read<()> {
        let (first, start) = (out.len(), scanner.at());
        let mut role = None;
        let mut content_at = None;
        let mut is_content_read = false;
        let mut extras = Vec::new();
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            let name = member.key.decoded();
            let is_null = scanner.kind()? == Kind::Null;
            match &*name {
                b"role" => {
                    refuse_second(role.is_some(), "role", &member)?;
                    role = Some(role_name(scanner)?);
                }
                parts if *parts == *self.words.parts => {
                    refuse_second(is_content_read || content_at.is_some(), "content", &member)?;
                    is_content_read = role.is_some();
                    // Who speaks is part of what a block is: come back when it is known.
                    let Some(role) = &role else {
                        content_at = Some(scanner.at());
                        scanner.skip()?;
                        continue;
                    };
                    self.content(scanner, Speaker::Message(role), out)?;
                }
                _ if is_null => drop(scanner.skip()?),
                b"tool_calls" => self.said_beside(scanner, Content::Tool, out)?,
                b"function_call" => {
                    out.push(self.anything(scanner, Role::Assistant, Content::Tool)?);
                }
                b"reasoning" | b"reasoning_content" | b"reasoning_details" => {
                    out.push(self.anything(scanner, Role::Assistant, Content::Reasoning)?);
                }
                b"refusal" => out.push(self.anything(scanner, Role::Assistant, Content::Text)?),
                other => extras.push(extra(other, scanner)?),
            }
        }
        if let Some(at) = content_at {
            let mut again = scanner.again_from(at);
            self.content(&mut again, Speaker::Message(role.as_deref().unwrap_or(b"")), out)?;
        }
        if !extras.is_empty() {
            extras.sort_unstable();
            let span = Piece::new(start, scanner.at());
            self.extras(&extras.concat(), role.as_deref().unwrap_or(b""), span, out, first);
        }
        Ok(())
    }

    /// What a message says beside its content is part of its first block, or a block of its own where
    /// there is no other (the id of an earlier sound).
    fn extras(
        &mut self,
        extras: &[u8],
        role: &[u8],
        span: Piece,
        out: &mut Vec<Draft>,
        first: usize,
    ) {
        if let Some(draft) = out.get_mut(first) {
            return with_extras(self.key, &mut draft.block, extras);
        }
        let role = self.role(Speaker::Message(role), Content::Other);
        let said = Said { role, content: Content::Other, bytes: extras, opaque: 0 };
        let block = block(self.key, said);
        out.push(Draft { block, place: Place::Fixed, span, text: None, inherits: false });
    }

    /// Reads calls to tools, which stand beside an assistant's content.
    fn said_beside(
        &mut self,
        scanner: &mut Scanner<'_>,
        content: Content,
        out: &mut Vec<Draft>,
    ) -> Read<()> {
        if scanner.kind()? != Kind::Array {
            return self.anything(scanner, Role::Assistant, content).map(|draft| out.push(draft));
        }
        let mut elements = scanner.enter_array()?;
        while scanner.element(&mut elements)? {
            out.push(self.anything(scanner, Role::Assistant, content)?);
        }
        Ok(())
    }

    pub(super) fn content(
        &mut self,
        scanner: &mut Scanner<'_>,
        speaker: Speaker<'_>,
        out: &mut Vec<Draft>,
    ) -> Read<()> {
        match scanner.kind()? {
            Kind::Null => drop(scanner.skip()?),
            Kind::String => out.push(self.text(scanner, speaker)?),
            Kind::Array => {
                let mut elements = scanner.enter_array()?;
                let (first, mut end) = (scanner.at(), scanner.at());
                while scanner.element(&mut elements)? {
                    let role = self.role(speaker, Content::Other);
                    match scanner.kind()? {
                        Kind::Object if self.marks_behind(scanner, end, end == first, out)? => {}
                        Kind::Object => out.push(self.part(scanner, speaker)?),
                        _ => out.push(self.anything(scanner, role, Content::Other)?),
                    }
                    end = scanner.at();
                }
            }
            _ => {
                let role = self.role(speaker, Content::Other);
                out.push(self.anything(scanner, role, Content::Other)?);
            }
        }
        Ok(())
    }

    /// Reads what is no block but the mark of the one before it. Where none is before it in the same
    /// section it marks nothing. `end`: where the element before it ends.
    fn marks_behind(
        &mut self,
        scanner: &mut Scanner<'_>,
        end: usize,
        is_first: bool,
        out: &mut [Draft],
    ) -> Read<bool> {
        let Some(name) = self.words.mark_behind else { return Ok(false) };
        let mut ahead = scanner.clone();
        let mut members = ahead.enter_object()?;
        match ahead.member(&mut members)? {
            Some(member) if member.key.is(name) => {}
            _ => return Ok(false),
        }
        ahead.kind()?;
        let value = ahead.at();
        let life = life(&mut ahead)?;
        let value = Piece::new(value, ahead.at());
        scanner.skip()?;
        let slot = Slot { cut: scanner.cut(end, is_first)?, value };
        let mut last = out.last_mut();
        if let Some(draft) = &mut last {
            draft.block.mark = Some(life.unwrap_or(Ttl::Short));
        }
        match last.map(|draft| &mut draft.place) {
            Some(Place::Behind { mark: mark @ None, .. }) => *mark = Some(slot),
            _ => self.strays += 1,
        }
        Ok(true)
    }

    /// A plain string in place of an array of blocks.
    pub(super) fn text(&mut self, scanner: &mut Scanner<'_>, speaker: Speaker<'_>) -> Read<Draft> {
        let start = scanner.at();
        self.scratch.clear();
        scanner.string_into(&mut self.scratch)?;
        let piece = Piece::new(start, scanner.at());
        let role = self.role(speaker, Content::Text);
        let content = content_of(role, Content::Text);
        let mut block = block(self.key, Said { role, content, bytes: &self.scratch, opaque: 0 });
        // Nothing can stand behind a plain string.
        let is_alone = self.words.mark_behind.is_some();
        block.markable =
            block.characters != 0 && !is_alone && self.is_markable(speaker, role, content);
        let place = if block.markable { Place::Text(piece) } else { Place::Fixed };
        Ok(Draft { block, place, span: piece, text: Some(piece), inherits: false })
    }

    /// A value that is kept as it is and takes no mark.
    pub(super) fn anything(
        &mut self,
        scanner: &mut Scanner<'_>,
        role: Role,
        content: Content,
    ) -> Read<Draft> {
        self.scratch.clear();
        let kind = scanner.kind()?;
        let start = scanner.at();
        match kind {
            Kind::String => scanner.string_into(&mut self.scratch)?,
            _ => scanner.canonical(&mut self.scratch)?,
        }
        let span = Piece::new(start, scanner.at());
        let block = block(self.key, Said { role, content, bytes: &self.scratch, opaque: 0 });
        Ok(Draft { block, place: Place::Fixed, span, text: None, inherits: false })
    }

    /// An object that is a block.
    fn part(&mut self, scanner: &mut Scanner<'_>, speaker: Speaker<'_>) -> Read<Draft> {
        self.scratch.clear();
        let (mut part, start) = (Part::default(), scanner.at());
        let mut members = scanner.enter_object()?;
        part.object.end = Piece::new(0, scanner.at()).end;
        while let Some(member) = scanner.member(&mut members)? {
            self.part_member(scanner, &member, &mut part)?;
            part.object.end = Piece::new(0, scanner.at()).end;
            part.object.members += 1;
        }
        part.end = Piece::new(0, scanner.at()).end;
        let draft = self.draft(part, speaker);
        Ok(Draft { span: Piece::new(start, scanner.at()), ..draft })
    }

    fn part_member(
        &mut self,
        scanner: &mut Scanner<'_>,
        member: &Member<'_>,
        part: &mut Part,
    ) -> Read<()> {
        let name = member.key.decoded();
        let kind = scanner.kind()?;
        if self.words.mark == Some(&*name) {
            refuse_second(part.mark.is_some(), "cache mark", member)?;
            let value = scanner.at();
            part.is_marked = kind != Kind::Null;
            part.life = life(scanner)?;
            let value = Piece::new(value, scanner.at());
            part.mark = Some(Slot { cut: scanner.cut(member.start, member.is_first)?, value });
            return Ok(());
        }
        if kind == Kind::Null {
            scanner.skip()?;
            return Ok(());
        }
        match (self.words.content_by_member)(&name) {
            // What the model thought is text as well.
            Some(Content::Reasoning) => part.content = Some(Content::Reasoning),
            Some(content) => _ = part.content.get_or_insert(content),
            None => {}
        }
        self.scratch.push(QUOTE);
        self.scratch.extend_from_slice(&name);
        self.scratch.push(QUOTE);
        let (value_at, start) = (scanner.at(), self.scratch.len());
        match (&*name, kind) {
            (b"type", Kind::String) => {
                refuse_second(part.content.is_some(), "type", member)?;
                scanner.string_into(&mut self.scratch)?;
                part.content = Some((self.words.content)(&self.scratch[start..]));
                return Ok(());
            }
            (b"text" | b"refusal", Kind::String) => {
                refuse_second(part.text.is_some(), "text", member)?;
                scanner.string_into(&mut self.scratch)?;
                let piece = Piece::new(value_at, scanner.at());
                part.text = Some((start..self.scratch.len(), piece));
                return Ok(());
            }
            (b"defer_loading", Kind::Bool) => {
                part.is_deferred = scanner.clone().scalar()? == b"true";
            }
            _ => {}
        }
        scanner.canonical(&mut self.scratch)?;
        part.others += 1;
        if matches!(&*name, b"signature" | b"encrypted_content" | b"data") {
            part.opaque += self.scratch.len() - start;
        }
        Ok(())
    }

    fn draft(&self, part: Part, speaker: Speaker<'_>) -> Draft {
        let Part { object, content, text, end, mark, is_marked, life, .. } = part;
        let Part { others, opaque, is_deferred, .. } = part;
        let content = match speaker {
            Speaker::Tool => Content::Tool,
            _ => content.unwrap_or(Content::Other),
        };
        let role = self.role(speaker, content);
        let content = content_of(role, content);
        // A text with nothing beside it is the same whether it comes as a string or as an object.
        let bytes = match &text {
            Some((range, _)) if others == 0 => &self.scratch[range.clone()],
            _ => self.scratch.as_slice(),
        };
        let mut block = block(self.key, Said { role, content, bytes, opaque });
        let is_empty_text = text.as_ref().is_some_and(|(range, _)| range.is_empty());
        block.markable = !is_empty_text && !is_deferred && self.is_markable(speaker, role, content);
        block.mark = is_marked.then_some(life.unwrap_or(Ttl::Short));
        Draft {
            block,
            place: match self.words.mark_behind {
                Some(_) => Place::Behind { at: end, mark: None },
                None => Place::Object { object, mark },
            },
            span: Piece::default(),
            text: text.map(|(_, piece)| piece).filter(|_| others == 0),
            inherits: is_marked && life.is_none(),
        }
    }

    fn role(&self, speaker: Speaker<'_>, content: Content) -> Role {
        match speaker {
            Speaker::Tool => Role::Tool,
            Speaker::System => Role::System,
            Speaker::Message(name) => (self.words.role)(name, content),
        }
    }

    fn is_markable(&self, speaker: Speaker<'_>, role: Role, content: Content) -> bool {
        match speaker {
            Speaker::Tool => self.words.are_tools_markable,
            Speaker::System if !self.words.is_system_markable => false,
            _ => (self.words.is_markable)(role, content),
        }
    }
}

/// What a tool returned is a tool's content, also where it is plain text.
fn content_of(role: Role, content: Content) -> Content {
    match (role, content) {
        (Role::ToolResult, Content::Text) => Content::Tool,
        _ => content,
    }
}

pub(super) fn refuse_second(is_second: bool, field: &'static str, member: &Member<'_>) -> Read<()> {
    match is_second {
        true => Err(Malformed::Duplicate { field, at: member.start }),
        false => Ok(()),
    }
}

fn role_name<'a>(scanner: &mut Scanner<'a>) -> Read<Cow<'a, [u8]>> {
    if scanner.kind()? == Kind::String {
        return Ok(scanner.string()?.decoded());
    }
    scanner.skip()?;
    Ok(Cow::default())
}

/// A member in a form that can be compared.
fn extra(name: &[u8], scanner: &mut Scanner<'_>) -> Read<Vec<u8>> {
    let mut out = name.to_vec();
    out.push(QUOTE);
    scanner.canonical(&mut out)?;
    out.push(QUOTE);
    Ok(out)
}

/// The life that a mark asks for, if it says so.
fn life(scanner: &mut Scanner<'_>) -> Read<Option<Ttl>> {
    let mut life = None;
    if scanner.kind()? != Kind::Object {
        scanner.skip()?;
        return Ok(None);
    }
    let mut members = scanner.enter_object()?;
    while let Some(member) = scanner.member(&mut members)? {
        match member.key.is(b"ttl") && scanner.kind()? == Kind::String {
            true => life = openai::life(&scanner.string()?.decoded()),
            false => drop(scanner.skip()?),
        }
    }
    Ok(life)
}
