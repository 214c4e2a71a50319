//! What one event of a stream, or one whole answer, says.
//!
//! The keys of the dialects do not collide, so one reader serves all of them: `choices` with deltas
//! or messages, Anthropic's `delta`, `message` and `content`, `response` and `output` of the responses
//! API, Gemini's `candidates`, `output` as an object and `start` of Converse.

use std::ops::Range;
use std::sync::Arc;

use scrimp_core::Tier;

use super::usage::{Report, tier, word};
use crate::scan::{Kind, Scanner, Wrong};

/// Keys of texts that a model writes.
const WRITTEN: &[&[u8]] = &[
    b"content",
    b"text",
    b"thinking",
    b"partial_json",
    b"arguments",
    b"name",
    b"input",
    b"reasoning_content",
    b"reasoning",
    b"refusal",
    b"transcript",
    b"toolUse",
    b"reasoningContent",
    b"reasoningText",
    b"citationsContent",
];

/// The types of events that end a stream.
const LAST: [&[u8]; 4] =
    [b"message_stop", b"response.completed", b"response.incomplete", b"response.failed"];

/// Longer events are not worth remembering.
const LONGEST_PATTERN: usize = 4_096;

/// What was found. Whole only if the JSON was.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Characters that the model wrote.
    pub(super) characters: u64,
    /// Something of the answer came that is no text: a call to a tool, sound, a citation.
    pub(super) has_other_content: bool,
    pub(super) report: Option<Report>,
    /// What a host reports beside the model's own report.
    pub(super) by_host: Option<Report>,
    pub(super) model: Option<Arc<str>>,
    pub(super) tier: Option<Tier>,
    pub(super) finish: Option<Arc<str>>,
    /// The event that ends a stream of Anthropic's or of the responses API.
    pub(super) is_last: bool,
    /// The first part of an Anthropic stream: its usage is not the final one.
    pub(super) is_start: bool,
    pub(super) error: Option<Arc<str>>,
    /// The only text that was written, quotes included; empty where there was none or another.
    pub(super) text: Range<usize>,
    texts: u32,
}

/// Reads one JSON text. `known` is the model that has been seen already, so that it is not copied
/// out of every event.
pub(super) fn read(json: &[u8], known: Option<&str>) -> Result<Found, Wrong> {
    let mut found = Found::default();
    let mut scanner = Scanner::new(json);
    found.object(&mut scanner, known, 0)?;
    scanner.finish()?;
    Ok(found)
}

/// Reads one JSON text, or an array of them, as which Gemini sends a stream that was not asked for as
/// events.
pub(super) fn read_all(json: &[u8], mut each: impl FnMut(Found)) -> Result<(), Wrong> {
    let mut scanner = Scanner::new(json);
    if scanner.kind()? != Kind::Array {
        each(read(json, None)?);
        return Ok(());
    }
    let mut elements = scanner.enter_array()?;
    while scanner.element(&mut elements)? {
        let mut found = Found::default();
        found.object(&mut scanner, None, 0)?;
        each(found);
    }
    scanner.finish()
}

impl Found {
    /// Whether something of the answer itself came: text, thinking, a call to a tool, sound.
    pub(super) fn has_content(&self) -> bool {
        self.has_other_content || self.characters != 0
    }

    fn object(
        &mut self,
        scanner: &mut Scanner<'_>,
        known: Option<&str>,
        level: u32,
    ) -> Result<(), Wrong> {
        let mut is_sound = false;
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            let key = member.key.decoded();
            match (&*key, scanner.kind()?) {
                (_, Kind::Null) => drop(scanner.skip()?),
                (b"choices", Kind::Array) => self.choices(scanner)?,
                (b"usage" | b"usageMetadata", Kind::Object) => {
                    self.report = Some(Report::read(scanner)?);
                }
                (b"amazon-bedrock-invocationMetrics", Kind::Object) => {
                    self.by_host = Some(Report::read(scanner)?);
                }
                (b"x_groq", Kind::Object) => self.host(scanner)?,
                (b"model" | b"modelVersion", Kind::String) => self.model(scanner, known)?,
                (b"candidates", Kind::Array) => self.candidates(scanner)?,
                (b"output", Kind::Array) if level == 0 => self.written(scanner)?,
                (b"output", Kind::Object) if level == 0 => self.output(scanner)?,
                (b"start", Kind::Object) if level == 0 => self.start(scanner)?,
                (b"serviceTier", Kind::Object) => self.served(scanner)?,
                (b"status", Kind::String) => self.status(scanner)?,
                (b"incomplete_details", Kind::Object) => self.reason(scanner)?,
                (b"service_tier", Kind::String) => {
                    self.tier = word(scanner)?.as_deref().map(tier);
                }
                (b"error", kind) => self.error(scanner, kind)?,
                // The responses API writes an error's parts beside its type.
                (b"code", Kind::String) if self.error.is_some() => self.error = name(scanner)?,
                (b"type", Kind::String) => {
                    let kind = scanner.string()?;
                    self.is_last |= LAST.iter().any(|last| kind.is(last));
                    self.is_start |= kind.is(b"message_start");
                    if kind.is(b"error") && self.error.is_none() {
                        self.error = Some("error".into());
                    }
                    is_sound = kind.is(b"response.audio.delta");
                }
                (b"message" | b"response", Kind::Object) if level == 0 => {
                    self.object(scanner, known, 1)?;
                }
                (b"delta", Kind::Object) => self.delta(scanner)?,
                (b"delta", Kind::String) if is_sound => {
                    self.has_other_content = true;
                    scanner.skip()?;
                }
                (b"content_block", Kind::Object) => self.block_start(scanner)?,
                (b"delta", Kind::String) | (b"content", Kind::Array) => self.written(scanner)?,
                (b"stop_reason" | b"stopReason", Kind::String) => self.finish = name(scanner)?,
                _ => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// What Groq puts beside a stream's chunks: with the last one usage, also where nobody asked.
    fn host(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match (&*member.key.decoded(), scanner.kind()?) {
                (b"usage", Kind::Object) => self.by_host = Some(Report::read(scanner)?),
                _ => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// How a response ended. Of one that did not end by itself its reason says more, and stands behind
    /// it.
    fn status(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        let status = scanner.string()?;
        let is_end = [&b"completed"[..], b"incomplete", b"failed", b"cancelled"];
        if self.finish.is_none() && is_end.iter().any(|end| status.is(end)) {
            self.finish = Some(status.shared());
        }
        Ok(())
    }

    fn reason(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match (&*member.key.decoded(), scanner.kind()?) {
                (b"reason", Kind::String) => self.finish = name(scanner)?,
                _ => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// Gemini's answers, or pieces of them.
    fn candidates(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        each_object(scanner, |scanner| {
            let mut members = scanner.enter_object()?;
            while let Some(member) = scanner.member(&mut members)? {
                match (&*member.key.decoded(), scanner.kind()?) {
                    (b"content", Kind::Object) => self.parts(scanner)?,
                    (b"finishReason", Kind::String) => self.finish = name(scanner)?,
                    _ => drop(scanner.skip()?),
                }
            }
            Ok(())
        })
    }

    fn parts(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            if !member.key.is(b"parts") || scanner.kind()? != Kind::Array {
                scanner.skip()?;
                continue;
            }
            each_object(scanner, |scanner| self.part(scanner))?;
        }
        Ok(())
    }

    fn part(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match (&*member.key.decoded(), scanner.kind()?) {
                (b"text", Kind::String) => self.written(scanner)?,
                (b"inlineData" | b"executableCode" | b"codeExecutionResult", _) => {
                    self.has_other_content = true;
                    scanner.skip()?;
                }
                (b"functionCall", Kind::Object) => {
                    self.has_other_content = true;
                    self.written(scanner)?;
                }
                _ => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    fn model(&mut self, scanner: &mut Scanner<'_>, known: Option<&str>) -> Result<(), Wrong> {
        let model = scanner.string()?;
        if !model.raw().is_empty() && known.map(str::as_bytes) != Some(model.raw()) {
            self.model = Some(model.shared());
        }
        Ok(())
    }

    fn choices(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        each_object(scanner, |scanner| {
            let mut members = scanner.enter_object()?;
            while let Some(member) = scanner.member(&mut members)? {
                match (&*member.key.decoded(), scanner.kind()?) {
                    (b"delta" | b"message", Kind::Object) => self.said(scanner)?,
                    (b"finish_reason", Kind::String) => self.finish = name(scanner)?,
                    (b"text", Kind::String) => self.written(scanner)?,
                    _ => drop(scanner.skip()?),
                }
            }
            Ok(())
        })
    }

    /// What a message or a piece of it says. A role alone is no content.
    fn said(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match &*member.key.decoded() {
                b"content" | b"reasoning_content" | b"reasoning" | b"refusal" | b"tool_calls"
                | b"function_call" => self.written(scanner)?,
                b"audio" => {
                    self.has_other_content |= scanner.kind()? == Kind::Object;
                    self.written(scanner)?;
                }
                _ => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// A piece of an Anthropic block or of Converse's, or the end of a message.
    fn delta(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match (&*member.key.decoded(), scanner.kind()?) {
                (b"text" | b"thinking" | b"partial_json" | b"toolUse", _) => {
                    self.written(scanner)?;
                }
                (b"stop_reason", Kind::String) => self.finish = name(scanner)?,
                (b"reasoningContent", Kind::Object) => self.thought(scanner)?,
                (b"citation" | b"image", Kind::Object) => {
                    self.has_other_content = true;
                    scanner.skip()?;
                }
                _ => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// The start of an Anthropic block. Text and thinking start empty; the name of a tool, its
    /// result, or redacted thinking are content.
    fn block_start(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match (&*member.key.decoded(), scanner.kind()?) {
                (b"type", Kind::String) => {
                    let kind = scanner.string()?;
                    self.has_other_content |= !kind.is(b"text") && !kind.is(b"thinking");
                }
                (b"text" | b"thinking" | b"name", _) => self.written(scanner)?,
                _ => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// Counts what was written in a value: a text, or the texts under known keys inside.
    pub(super) fn written(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        match scanner.kind()? {
            Kind::String => {
                let start = scanner.at();
                let characters = characters(&scanner.string()?.decoded());
                self.characters += characters;
                self.texts += 1;
                self.text = if self.texts == 1 { start..scanner.at() } else { 0..0 };
            }
            Kind::Array => {
                let mut elements = scanner.enter_array()?;
                while scanner.element(&mut elements)? {
                    self.written(scanner)?;
                }
            }
            Kind::Object => {
                let mut members = scanner.enter_object()?;
                while let Some(member) = scanner.member(&mut members)? {
                    let key = member.key.decoded();
                    match key.as_ref() == b"function" || WRITTEN.contains(&&*key) {
                        true => self.written(scanner)?,
                        false => drop(scanner.skip()?),
                    }
                }
            }
            _ => drop(scanner.skip()?),
        }
        Ok(())
    }

    fn error(&mut self, scanner: &mut Scanner<'_>, kind: Kind) -> Result<(), Wrong> {
        let mut what: Option<Arc<str>> = None;
        match kind {
            Kind::Object => {
                let mut members = scanner.enter_object()?;
                while let Some(member) = scanner.member(&mut members)? {
                    match (&*member.key.decoded(), scanner.kind()?) {
                        (b"type", Kind::String) => what = name(scanner)?,
                        (b"code" | b"status", Kind::String) if what.is_none() => {
                            what = name(scanner)?;
                        }
                        _ => drop(scanner.skip()?),
                    }
                }
            }
            _ => drop(scanner.skip()?),
        }
        self.error = Some(what.unwrap_or_else(|| "error".into()));
        Ok(())
    }
}

/// The last event that said nothing but a piece of text.
///
/// Nearly all events of a stream are alike but for that text. What stands before and after it is
/// compared instead of read: the same bytes around another string mean the same as before.
#[derive(Clone, Debug, Default)]
pub(super) struct Pattern {
    event: Vec<u8>,
    text: Range<usize>,
}

impl Pattern {
    /// Remembers an event that was read.
    pub(super) fn learn(&mut self, event: &[u8], found: &Found) {
        let Found { report, by_host, model, finish, is_last, is_start, error, text, .. } = found;
        let says_more = found.has_other_content
            || report.is_some()
            || by_host.is_some()
            || model.is_some()
            || finish.is_some()
            || error.is_some()
            || *is_last
            || *is_start;
        if says_more || text.is_empty() || LONGEST_PATTERN < event.len() {
            return;
        }
        self.event.clear();
        self.event.extend_from_slice(event);
        self.text = text.clone();
    }

    /// How many characters `event` adds, if it is like the last one.
    pub(super) fn characters(&self, event: &[u8]) -> Option<u64> {
        let before = self.event.get(..self.text.start).filter(|before| !before.is_empty())?;
        let after = &self.event[self.text.end..];
        let text = event.strip_prefix(before)?.strip_suffix(after)?;
        let mut scanner = Scanner::new(text);
        let string = scanner.string().ok().filter(|_| scanner.at() == text.len())?;
        Some(characters(&string.decoded()))
    }
}

/// Reads the objects of an array; what is none is passed over.
fn each_object<'a>(
    scanner: &mut Scanner<'a>,
    mut read: impl FnMut(&mut Scanner<'a>) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    let mut elements = scanner.enter_array()?;
    while scanner.element(&mut elements)? {
        match scanner.kind()? {
            Kind::Object => read(scanner)?,
            _ => drop(scanner.skip()?),
        }
    }
    Ok(())
}

fn name(scanner: &mut Scanner<'_>) -> Result<Option<Arc<str>>, Wrong> {
    Ok(Some(scanner.string()?.shared()))
}

fn characters(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u64
}
