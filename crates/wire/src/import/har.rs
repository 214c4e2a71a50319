//! HAR 1.2: what a browser or a proxy recorded. Only requests to an API of language models are
//! calls; the others are passed over. Of a stream's pieces no times are kept, only when the answer's
//! head came.

use std::borrow::Cow;

use serde::Deserialize;

use scrimp_core::{Dialect, Time};

use super::field::{Moment, Money, Number, Text};
use super::told::Told;
use super::{Clock, Import, Reading, Repeats, Source, lines, rows};
use crate::dialect::{DIALECTS, of_path};
use crate::meter::{End, Framing, Meter};

pub(super) const FORMAT: Import = Import {
    name: "har",
    what: "HAR files of browsers and proxies",
    clock: Clock::Calendar,
    repeats: Repeats::Copies,
    lacks: &["har: of streams only the time of the head is known, not of the first content"],
    pieces: rows::whole,
    fits,
    read,
};

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    log: Log<'a>,
}

#[derive(Deserialize)]
struct Log<'a> {
    #[serde(borrow)]
    entries: Vec<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    started_date_time: Moment,
    #[serde(default)]
    time: Number,
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    url: String,
    post_data: Option<Content>,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    status: Number,
    content: Option<Content>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Content {
    mime_type: Text,
    text: Option<String>,
    encoding: Text,
}

/// What names an answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    id: Text,
    message: super::field::Nested<Id>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Id {
    id: Text,
}

fn fits(bytes: &[u8]) -> Result<(), String> {
    let head = &bytes[..bytes.len().min(1 << 16)];
    let has = |name: &[u8]| memchr::memmem::find(head, name).is_some();
    match head.trim_ascii_start().starts_with(b"{") && has(b"\"log\"") && has(b"\"entries\"") {
        true => Ok(()),
        false => Err("its beginning has no `log` with `entries`".to_owned()),
    }
}

fn read(bytes: &[u8], source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let file: File<'_> = match serde_json::from_slice(bytes) {
        Ok(file) => file,
        Err(error) => {
            reading.skip(error.line() as u64, lines::complaint(&error));
            return reading;
        }
    };
    for (number, entry) in (1..).zip(file.log.entries) {
        let told = match serde_json::from_str::<Entry>(entry.get()) {
            Ok(entry) => entry.told(),
            Err(error) => {
                let why = lines::complaint(&error);
                reading.skip(1, format_args!("entry {number}: {why}"));
                continue;
            }
        };
        match told.map(|told| told.entry(source, number)) {
            None => {}
            Some(Ok(entry)) => reading.entries.push(entry),
            Some(Err(why)) => reading.skip(1, format_args!("entry {number}: {why}")),
        }
    }
    reading
}

impl Entry {
    fn told(self) -> Option<Told> {
        let (host, path) = self.request.url.split_once("://")?.1.split_once('/')?;
        let path = format!("/{}", path.split(['?', '#']).next().unwrap_or_default());
        let known = DIALECTS.iter().find(|row| path.ends_with(row.path));
        let known = known.or_else(|| of_path(&path).map(|(row, _)| row));
        let row = known?;
        let (dialect, operation) = (row.dialect, row.name);
        let content = self.response.content.unwrap_or_default();
        let framing = Framing::of(content.mime_type.get().unwrap_or_default().as_bytes());
        let status = self.response.status.status();
        let body = content.bytes();
        let mut meter = Meter::new(dialect, framing, status.unwrap_or(200));
        meter.see(&body, Time::EPOCH);
        let outcome = meter.outcome(End::Complete);
        let text = self.request.post_data.and_then(|data| data.text).unwrap_or_default();
        let asked =
            crate::dialect::read(Dialect::Other, text.as_bytes(), &crate::Key::new([0; 32]));
        let asked = asked.ok().map(|request| request.facts.model).filter(|model| !model.is_empty());
        Some(Told {
            id: id(&body),
            arrived: self.started_date_time,
            took: self.time.millis(),
            provider: provider(host),
            model: Text(outcome.model.or(asked)),
            operation: operation.into(),
            streams: Some(framing != Framing::Whole),
            status,
            finish: Text(outcome.finish),
            metered: Some(outcome.metering),
            cost: outcome.charged.map_or(Money::Absent, Money::Of),
            terms: Some(outcome.terms),
            request: Some((dialect, text)),
            ..Told::default()
        })
    }
}

impl Content {
    fn bytes(&self) -> Cow<'_, [u8]> {
        let text = self.text.as_deref().unwrap_or_default();
        match self.encoding.is("base64") {
            true => base64(text).into(),
            false => text.as_bytes().into(),
        }
    }
}

/// Who answers at `host`.
fn provider(host: &str) -> Text {
    let host = host.split(':').next().unwrap_or(host);
    let known = [
        ("api.openai.com", "openai"),
        ("api.anthropic.com", "anthropic"),
        ("openrouter.ai", "openrouter"),
        ("api.mistral.ai", "mistral"),
        ("api.deepseek.com", "deepseek"),
        ("api.groq.com", "groq"),
        ("api.x.ai", "xai"),
        ("api.cerebras.ai", "cerebras"),
        ("generativelanguage.googleapis.com", "gemini"),
    ];
    match known.iter().find(|(name, _)| *name == host) {
        Some((_, provider)) => (*provider).into(),
        None if host.ends_with(".openai.azure.com") => "azure".into(),
        None => Text(None),
    }
}

/// The answer's own name: of a stream in one of its first events.
fn id(body: &[u8]) -> Text {
    let events = body.split(|byte| *byte == b'\n').take(10);
    let events = events.filter_map(|line| line.strip_prefix(b"data:"));
    let named = events.chain([body]).find_map(|json| serde_json::from_slice::<Named>(json).ok());
    let named = named.unwrap_or_default();
    named.id.or(named.message.0.unwrap_or_default().id)
}

/// Decodes as far as it can be decoded.
fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0_u32);
    for six in text.bytes().filter_map(value) {
        bits = bits << 6 | u32::from(six);
        held += 6;
        if 8 <= held {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).expect("one byte"));
        }
    }
    bytes
}
