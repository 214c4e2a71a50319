//! One pass over a request's body.

use std::sync::Arc;

use scrimp_core::call::Dialect;
use scrimp_core::{Delivery, Family, Ttl};

use super::layout::{Layout, Object, Options, Slot};
use super::parameters::{self, Collected};
use super::prompt::{Draft, Reader, Speaker, Words, refuse_second};
use super::section::Section;
use super::{Facts, Malformed, Request, anthropic, bedrock, features, gemini, openai};
use crate::Key;
use crate::scan::{Kind, Member, Piece, Scanner, Wrong};

/// Bytes that hold most blocks: a tool's definition is written down piece by piece.
const USUAL_BLOCK: usize = 1_024;

/// Reads a request.
///
/// A body of an unknown dialect is never refused: its model and delivery are noted if it is a JSON
/// object that names them.
///
/// # Errors
/// If the body is not one JSON object in UTF-8, is nested more than 128 levels deep, or has a key
/// twice that decides where it goes or what would be edited. Fields that are missing or make no
/// sense otherwise are no error: the provider says so in better words.
pub fn read(dialect: Dialect, body: &[u8], key: &Key) -> Result<Request, Malformed> {
    if u32::try_from(body.len()).is_err() {
        return Err(Malformed::TooLong { bytes: body.len() });
    }
    let Some(words) = words(dialect) else {
        return Ok(other(body).unwrap_or_else(|_| nothing(body.len())));
    };
    // Most bodies are ASCII, and that is seen several times faster.
    if !body.is_ascii()
        && let Err(error) = std::str::from_utf8(body)
    {
        return Err(Malformed::NotUtf8 { at: error.valid_up_to() });
    }
    let mut scanner = Scanner::new(body);
    if scanner.kind()? != Kind::Object {
        let at = scanner.at();
        scanner.skip()?;
        return Err(Malformed::WrongType { field: "body", wanted: "a JSON object", at });
    }
    let mut top = Top::new(words, key);
    let mut members = scanner.enter_object()?;
    top.object.end = Piece::new(0, scanner.at()).end;
    while let Some(member) = scanner.member(&mut members)? {
        top.member(&mut scanner, &member)?;
        top.object.end = Piece::new(0, scanner.at()).end;
        top.object.members += 1;
    }
    scanner.finish()?;
    Ok(top.request(dialect, body))
}

pub(super) fn words(dialect: Dialect) -> Option<&'static Words> {
    match dialect {
        Dialect::OpenaiChat => Some(&openai::CHAT),
        Dialect::OpenaiResponses => Some(&openai::RESPONSES),
        Dialect::OpenaiCompletions => Some(&openai::COMPLETIONS),
        Dialect::OpenaiEmbeddings => Some(&openai::EMBEDDINGS),
        Dialect::AnthropicMessages | Dialect::AnthropicCountTokens => Some(&anthropic::WORDS),
        Dialect::GeminiGenerate => Some(&gemini::GENERATE),
        Dialect::GeminiEmbed => Some(&gemini::EMBED),
        Dialect::BedrockConverse => Some(&bedrock::CONVERSE),
        Dialect::Other => None,
    }
}

/// No dialect has more members with parts of the prompt.
const MOST_SECTIONS: usize = 5;

impl Words {
    /// The place, name and kind of the section that a member is.
    fn section(&self, name: &[u8]) -> Option<(usize, &'static str, Section)> {
        let at = self.sections.iter().position(|(own, _)| *own == name)?;
        let (name, section) = self.sections[at];
        Some((at, std::str::from_utf8(name).expect("ASCII"), section))
    }
}

/// What is known while the members of a request pass by.
struct Top<'k> {
    reader: Reader<'k>,
    object: Object,
    model: Option<(Arc<str>, Piece)>,
    streams: Option<bool>,
    stream_options: Option<Options>,
    cache_options: Option<Options>,
    /// The prompt, in the sections that the dialect has.
    prompt: [Option<Vec<Draft>>; MOST_SECTIONS],
    user: Option<String>,
    parameters: Collected,
}

impl<'k> Top<'k> {
    fn new(words: &'static Words, key: &'k Key) -> Top<'k> {
        Top {
            reader: Reader { words, key, strays: 0, scratch: Vec::with_capacity(USUAL_BLOCK) },
            object: Object::default(),
            model: None,
            streams: None,
            stream_options: None,
            cache_options: None,
            prompt: [const { None }; MOST_SECTIONS],
            user: None,
            parameters: Collected::default(),
        }
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, member: &Member<'_>) -> Result<(), Malformed> {
        let name = member.key.decoded();
        match &*name {
            b"model" => {
                refuse_second(self.model.is_some(), "model", member)?;
                self.model = Some(model(scanner)?);
            }
            b"stream" => {
                refuse_second(self.streams.is_some(), "stream", member)?;
                let value = scanner.skip()?;
                self.streams = Some(value.of(scanner.bytes()) == b"true");
            }
            b"stream_options" => {
                refuse_second(self.stream_options.is_some(), "stream_options", member)?;
                self.stream_options = Some(options(scanner, member)?);
            }
            options_name if self.reader.words.options == Some(options_name) => {
                refuse_second(self.cache_options.is_some(), "cache options", member)?;
                self.cache_options = Some(options(scanner, member)?);
            }
            b"user" | b"safety_identifier" if scanner.kind()? == Kind::String => {
                self.user = Some(scanner.string()?.lossy());
            }
            b"metadata" => self.user = user_id(scanner)?.or(self.user.take()),
            other => match self.reader.words.section(other) {
                Some((at, name, section)) => {
                    refuse_second(self.prompt[at].is_some(), name, member)?;
                    let out = self.prompt[at].insert(Vec::new());
                    match (section, scanner.kind()?) {
                        (Section::ToolConfig, Kind::Object) => {
                            tool_config(&mut self.reader, &mut self.parameters, scanner, out)?;
                        }
                        _ => self.reader.section(section, scanner, out)?,
                    }
                }
                None => self.parameters.take(other, scanner)?,
            },
        }
        Ok(())
    }

    fn request(self, dialect: Dialect, body: &[u8]) -> Request {
        let Top { reader, object, model, streams, stream_options, cache_options, .. } = self;
        let drafts = self.prompt;
        let count = drafts.iter().flatten().map(Vec::len).sum();
        let drafts = drafts.into_iter().flatten().flatten();
        let inherited = cache_options.and_then(|options| options.life).unwrap_or(Ttl::Short);
        let (mut prompt, mut places) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let (mut texts, mut spans) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for mut draft in drafts {
            if draft.inherits && dialect.family() == Family::Openai {
                draft.block.mark = Some(inherited);
            }
            prompt.push(draft.block);
            places.push(draft.place);
            texts.push(draft.text);
            spans.push(draft.span);
        }
        features::take(&mut prompt, &texts, body, reader.key);
        let mut parameters = self.parameters.finish(reader.key);
        parameters.usage_in_stream = stream_options.is_some_and(|options| options.includes_usage);
        parameters.client_cache_options = cache_options.is_some_and(|o| o.object.is_some());
        let session = match dialect.family() {
            Family::Anthropic => self.user.as_deref().and_then(anthropic::session),
            Family::Openai | Family::Gemini | Family::Bedrock | Family::Other => None,
        };
        let (model, model_at) = model.unzip();
        Request {
            facts: Facts {
                model: model.unwrap_or_default(),
                delivery: match streams {
                    Some(true) => Delivery::Stream,
                    _ => Delivery::Whole,
                },
                parameters,
                prompt,
                session,
                user: self.user,
            },
            layout: Layout {
                body_bytes: body.len(),
                top: Some(object),
                model: model_at,
                stream_options,
                cache_options,
                places,
                strays: reader.strays,
                spans,
            },
        }
    }
}

/// Reads tools, and what is beside them, such as which of them has to be called.
fn tool_config(
    reader: &mut Reader<'_>,
    parameters: &mut Collected,
    scanner: &mut Scanner<'_>,
    out: &mut Vec<Draft>,
) -> Result<(), Malformed> {
    let mut are_read = false;
    let mut members = scanner.enter_object()?;
    while let Some(member) = scanner.member(&mut members)? {
        match &*member.key.decoded() {
            b"tools" => {
                refuse_second(std::mem::replace(&mut are_read, true), "tools", &member)?;
                reader.content(scanner, Speaker::Tool, out)?;
            }
            other => parameters.take(other, scanner)?,
        }
    }
    Ok(())
}

fn model(scanner: &mut Scanner<'_>) -> Result<(Arc<str>, Piece), Malformed> {
    let kind = scanner.kind()?;
    let start = scanner.at();
    if kind != Kind::String {
        return Err(Malformed::WrongType { field: "model", wanted: "a string", at: start });
    }
    let name = scanner.string()?.shared();
    Ok((name, Piece::new(start, scanner.at())))
}

/// Reads `user_id` of Anthropic's metadata; `OpenAI`'s has free keys.
fn user_id(scanner: &mut Scanner<'_>) -> Result<Option<String>, Wrong> {
    let mut user = None;
    if scanner.kind()? != Kind::Object {
        return scanner.skip().map(|_| None);
    }
    let mut members = scanner.enter_object()?;
    while let Some(member) = scanner.member(&mut members)? {
        match member.key.is(b"user_id") && scanner.kind()? == Kind::String {
            true => user = Some(scanner.string()?.lossy()),
            false => drop(scanner.skip()?),
        }
    }
    Ok(user)
}

/// Reads an object of options.
fn options(scanner: &mut Scanner<'_>, member: &Member<'_>) -> Result<Options, Malformed> {
    let kind = scanner.kind()?;
    let start = scanner.at();
    let mut found = Options {
        slot: Slot { cut: Piece::default(), value: Piece::default() },
        object: None,
        include_usage: None,
        mode: None,
        ttl: None,
        life: None,
        is_explicit: false,
        includes_usage: false,
    };
    if kind == Kind::Object {
        let mut object = Object::default();
        let mut members = scanner.enter_object()?;
        object.end = Piece::new(0, scanner.at()).end;
        while let Some(option) = scanner.member(&mut members)? {
            let value = scanner.skip()?;
            found.note(&option, value, scanner.bytes())?;
            object.end = value.end;
            object.members += 1;
        }
        found.object = Some(object);
    } else {
        scanner.skip()?;
    }
    let value = Piece::new(start, scanner.at());
    found.slot = Slot { cut: scanner.cut(member.start, member.is_first)?, value };
    Ok(found)
}

impl Options {
    fn note(&mut self, option: &Member<'_>, value: Piece, body: &[u8]) -> Result<(), Malformed> {
        let slot = match &*option.key.decoded() {
            b"include_usage" => {
                self.includes_usage = value.of(body) == b"true";
                &mut self.include_usage
            }
            b"mode" => {
                self.is_explicit = value.of(body) == b"\"explicit\"";
                &mut self.mode
            }
            b"ttl" => {
                self.life = openai::life(value.of(body).trim_ascii().trim_quotes());
                &mut self.ttl
            }
            _ => return Ok(()),
        };
        refuse_second(slot.is_some(), "an option", option)?;
        *slot = Some(value);
        Ok(())
    }
}

trait TrimQuotes {
    fn trim_quotes(&self) -> &[u8];
}

impl TrimQuotes for [u8] {
    fn trim_quotes(&self) -> &[u8] {
        self.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(self)
    }
}

/// A body of an unknown dialect.
fn other(body: &[u8]) -> Result<Request, Wrong> {
    let mut request = nothing(body.len());
    let mut scanner = Scanner::new(body);
    let mut members = scanner.enter_object()?;
    let mut object = Object { end: Piece::new(0, scanner.at()).end, members: 0 };
    while let Some(member) = scanner.member(&mut members)? {
        match (&*member.key.decoded(), scanner.kind()?) {
            (b"model", Kind::String) => {
                let start = scanner.at();
                request.facts.model = scanner.string()?.shared();
                request.layout.model = Some(Piece::new(start, scanner.at()));
            }
            (b"stream", Kind::Bool) if scanner.clone().scalar()? == b"true" => {
                request.facts.delivery = Delivery::Stream;
                scanner.skip()?;
            }
            _ => drop(scanner.skip()?),
        }
        object = Object { end: Piece::new(0, scanner.at()).end, members: object.members + 1 };
    }
    scanner.finish()?;
    request.layout.top = Some(object);
    Ok(request)
}

fn nothing(body_bytes: usize) -> Request {
    Request {
        facts: Facts {
            model: Arc::default(),
            delivery: Delivery::Whole,
            parameters: parameters::none(),
            prompt: Vec::new(),
            session: None,
            user: None,
        },
        layout: Layout { body_bytes, ..Layout::default() },
    }
}

impl From<Wrong> for Malformed {
    fn from(wrong: Wrong) -> Malformed {
        match wrong {
            Wrong::Truncated { at } => Malformed::Truncated { at },
            Wrong::Syntax { at } => Malformed::NotJson { at },
            Wrong::Trailing { at } => Malformed::Trailing { at },
            Wrong::TooDeep { at } => Malformed::TooDeep { at },
        }
    }
}
