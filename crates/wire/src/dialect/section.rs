//! The members of a request that hold its prompt: lists of messages, texts, and what lies between.

use scrimp_core::call::Content;
use scrimp_core::{Block, Role};

use super::layout::Place;
use super::prompt::{Draft, Read, Reader, Speaker};
use crate::scan::{Kind, Scanner};

/// What a member of a request holds of the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// An array of tools.
    Tools,
    /// An object with an array of tools and parameters beside it.
    ToolConfig,
    /// System instructions: a string, an array of blocks, or an object with these.
    System,
    /// An array of messages.
    Messages,
    /// What the user says: a string, or an array of messages and of what stands between them.
    Items,
    /// What is to be continued or embedded: a string, an array of strings, or of tokens.
    Texts,
    /// A message, or an array of requests that hold one each.
    Anything,
}

impl Reader<'_> {
    /// Reads a member of the request.
    pub(super) fn section(
        &mut self,
        section: Section,
        scanner: &mut Scanner<'_>,
        out: &mut Vec<Draft>,
    ) -> Read<()> {
        match (section, scanner.kind()?) {
            (_, Kind::Null) => scanner.skip().map(drop)?,
            (Section::Tools | Section::ToolConfig, _) => {
                self.content(scanner, Speaker::Tool, out)?;
            }
            (Section::System, Kind::Object) => self.instruction(scanner, out)?,
            (Section::System, _) => self.content(scanner, Speaker::System, out)?,
            (Section::Messages, _) => self.messages(scanner, out)?,
            (Section::Items, Kind::Array) => self.items(scanner, out)?,
            (Section::Texts, Kind::Array) => self.texts(scanner, out)?,
            (Section::Items | Section::Texts, Kind::String) => out.push(self.said(scanner)?),
            (Section::Items | Section::Texts, _) => {
                out.push(self.anything(scanner, Role::User, Content::Other)?);
            }
            (Section::Anything, Kind::Object) => self.message(scanner, out)?,
            (Section::Anything, _) => {
                out.push(self.anything(scanner, Role::User, Content::Text)?);
            }
        }
        Ok(())
    }

    /// System instructions that are an object with blocks inside.
    fn instruction(&mut self, scanner: &mut Scanner<'_>, out: &mut Vec<Draft>) -> Read<()> {
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match *member.key.decoded() == *self.words.parts {
                true => self.content(scanner, Speaker::System, out)?,
                false => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// What the user says, where it is a string that cannot become anything else.
    fn said(&mut self, scanner: &mut Scanner<'_>) -> Read<Draft> {
        let draft = self.text(scanner, Speaker::Message(b"user"))?;
        let block = Block { markable: false, ..draft.block };
        Ok(Draft { block, place: Place::Fixed, ..draft })
    }

    /// Messages, and what stands between them: calls to tools, their results, reasoning.
    fn items(&mut self, scanner: &mut Scanner<'_>, out: &mut Vec<Draft>) -> Read<()> {
        let mut elements = scanner.enter_array()?;
        while scanner.element(&mut elements)? {
            if scanner.kind()? != Kind::Object {
                out.push(self.anything(scanner, Role::User, Content::Other)?);
                continue;
            }
            match item(scanner.clone())? {
                None => self.message(scanner, out)?,
                Some((role, content)) => out.push(self.anything(scanner, role, content)?),
            }
        }
        Ok(())
    }

    /// Texts, or one text as tokens.
    fn texts(&mut self, scanner: &mut Scanner<'_>, out: &mut Vec<Draft>) -> Read<()> {
        let mut ahead = scanner.clone();
        let mut elements = ahead.enter_array()?;
        if ahead.element(&mut elements)? && ahead.kind()? == Kind::Number {
            return self.anything(scanner, Role::User, Content::Other).map(|draft| out.push(draft));
        }
        let mut elements = scanner.enter_array()?;
        while scanner.element(&mut elements)? {
            out.push(match scanner.kind()? {
                Kind::String => self.said(scanner)?,
                _ => self.anything(scanner, Role::User, Content::Other)?,
            });
        }
        Ok(())
    }
}

/// Who says an item that is no message, and what it holds.
fn item(mut scanner: Scanner<'_>) -> Read<Option<(Role, Content)>> {
    let mut kind = None;
    let mut members = scanner.enter_object()?;
    while let Some(member) = scanner.member(&mut members)? {
        match (&*member.key.decoded(), scanner.kind()?) {
            (b"role", Kind::String) => return Ok(None),
            (b"type", Kind::String) => kind = Some(scanner.string()?.decoded()),
            _ => drop(scanner.skip()?),
        }
    }
    Ok(Some(match kind.as_deref().unwrap_or_default() {
        b"message" => return Ok(None),
        b"" => (Role::User, Content::Text),
        b"reasoning" | b"compaction" => (Role::Assistant, Content::Reasoning),
        kind if kind.ends_with(b"_output") => (Role::ToolResult, Content::Tool),
        kind if kind.ends_with(b"_call") => (Role::Assistant, Content::Tool),
        _ => (Role::Assistant, Content::Other),
    }))
}
