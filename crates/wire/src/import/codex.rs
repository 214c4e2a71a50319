//! Sessions of Codex: `~/.codex/sessions/**/*.jsonl`.
//!
//! - A `token_count` event tells one call in `last_token_usage`; `total_token_usage` grows with the
//!   session. An event that repeats the totals before it is the same call told again; where only the
//!   totals are given, the call is what they grew by.
//! - Input includes what was cached, output includes reasoning.
//! - A session that was forked or resumed begins with a copy of the first one's lines: a call is
//!   known by its time and its totals, in whichever file it stands.
//! - A call's prompt is every item up to the last one that the model did not write itself.

use serde::Deserialize;
use serde_json::value::RawValue;

use scrimp_core::{Span, Time, hash};

use super::chain::Chain;
use super::count::Count;
use super::field::{Moment, Text};
use super::told::Told;
use super::{Clock, Import, Reading, Repeats, Source, lines, rows};
use crate::meter::usage::Report;

pub(super) const FORMAT: Import = Import {
    name: "codex",
    what: "Codex's sessions (~/.codex/sessions)",
    clock: Clock::Calendar,
    repeats: Repeats::Copies,
    lacks: &["codex: latency is the time between the lines of the session; no cost is recorded"],
    pieces: rows::whole,
    fits,
    read,
};

/// Longer than any answer takes: the lines belong to different days of a resumed session.
const LONGEST_ANSWER: Span = Span::from_hours(1);

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default)]
    timestamp: Moment,
    #[serde(default, rename = "type")]
    kind: Text,
    #[serde(borrow)]
    payload: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    #[serde(rename = "type")]
    kind: Text,
    role: Text,
    id: Text,
    cwd: Text,
    model: Text,
    info: Option<Info>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    model: Text,
    last_token_usage: Option<Tokens>,
    total_token_usage: Option<Tokens>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Tokens {
    #[serde(rename = "input_tokens")]
    input: Count,
    #[serde(rename = "cached_input_tokens")]
    cached: Count,
    #[serde(rename = "output_tokens")]
    output: Count,
    #[serde(rename = "reasoning_output_tokens")]
    reasoning: Count,
}

/// Every call's path holds every item before it: beyond so many, only what was used is kept of a call.
const MOST_ITEMS: u64 = 5_000;

/// A session, as far as it was read.
#[derive(Default)]
struct Session {
    id: Text,
    project: Text,
    model: Text,
    totals: Option<Tokens>,
    /// When the last thing was written that the model answers.
    asked: Option<Time>,
    chain: Chain,
    items: u64,
    /// The last item that the model did not write.
    end: Option<String>,
}

fn fits(bytes: &[u8]) -> Result<(), String> {
    let kinds = ["session_meta", "turn_context", "event_msg", "response_item"];
    let wants = "`timestamp`, `type` and `payload` as Codex writes them";
    lines::any::<Line<'_>>(bytes, wants, |line| kinds.iter().any(|kind| line.kind.is(kind)))
}

fn read(bytes: &[u8], source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let mut session = Session::default();
    lines::read(
        bytes,
        &mut reading,
        |number, line: Line<'_>, reading| match serde_json::from_str::<Payload>(line.payload.get())
        {
            Ok(payload) => session.see(number, &line, payload, source, reading),
            Err(error) => reading.skip(number, lines::complaint(&error)),
        },
    );
    reading
}

impl Session {
    fn see(
        &mut self,
        number: u64,
        line: &Line<'_>,
        payload: Payload,
        source: &Source<'_>,
        reading: &mut Reading,
    ) {
        let is_input = payload.role.is("user")
            || payload.role.is("developer")
            || payload.kind.is("user_message")
            || payload.kind.get().is_some_and(|kind| kind.ends_with("_output"));
        if is_input {
            self.asked = line.timestamp.get().or(self.asked);
        }
        match (line.kind.get(), payload.kind.get()) {
            (Some("session_meta"), _) => {
                // A fork's first lines are a copy: the session's own come first.
                self.id = std::mem::take(&mut self.id).or(payload.id);
                self.project = project(&payload.cwd).or(std::mem::take(&mut self.project));
            }
            (Some("turn_context"), _) => {
                self.model = payload.model.or(std::mem::take(&mut self.model));
                self.asked = line.timestamp.get().or(self.asked);
            }
            (Some("response_item"), _) => self.item(line.payload.get().len() as u64, is_input),
            (Some("event_msg"), Some("token_count")) => {
                if let Some(info) = payload.info {
                    self.call(number, line.timestamp, info, source, reading);
                }
            }
            _ => {}
        }
    }

    fn item(&mut self, bytes: u64, is_input: bool) {
        let parent = self.items.to_string();
        self.items += 1;
        if MOST_ITEMS < self.items {
            self.end = None;
            return;
        }
        let name = self.items.to_string();
        let head = hash::text(self.id.get().unwrap_or_default());
        self.chain.add(&name, (1 < self.items).then_some(&parent), head, bytes);
        if is_input {
            self.end = Some(name);
        }
    }

    fn call(
        &mut self,
        number: u64,
        at: Moment,
        info: Info,
        source: &Source<'_>,
        reading: &mut Reading,
    ) {
        let before = self.totals;
        self.totals = info.total_token_usage.or(self.totals);
        if info.total_token_usage.is_some() && before == info.total_token_usage {
            return;
        }
        let grown = || info.total_token_usage.map(|total| total.since(before.unwrap_or_default()));
        let Some(tokens) = info.last_token_usage.or_else(grown) else { return };
        let totals = info.total_token_usage.unwrap_or(tokens);
        let ended = at.get();
        let took = ended.zip(self.asked).map(|(ended, asked)| ended.since(asked));
        let took = took.filter(|took| Span::ZERO < *took && *took <= LONGEST_ANSWER);
        let arrived = ended.map(|ended| ended - took.unwrap_or_default());
        let told = Told {
            id: ended.map(|ended| totals.key(ended)).as_deref().map_or(Text(None), Text::from),
            arrived: arrived.map_or(at, Moment::At),
            took,
            provider: "openai".into(),
            model: info.model.or(self.model.clone()),
            operation: "codex".into(),
            session: self.id.clone().or(source.name.into()),
            tags: vec![("project", self.project.clone())],
            streams: Some(true),
            usage: tokens.report(),
            ..Told::default()
        };
        match told.entry(source, number) {
            Ok(mut entry) => {
                let input = entry.record.metering.usage.input();
                let end = self.end.as_deref().filter(|_| 0 < input);
                if let Some(end) = end.and_then(|end| self.chain.find(end)) {
                    let scope = hash::text(self.id.get().unwrap_or(source.name));
                    let (prompt, trail) = self.chain.prompt(end, scope, input);
                    let call = std::sync::Arc::get_mut(&mut entry.record.call);
                    call.expect("nobody else has it yet").prompt = prompt;
                    entry.trail = Some(trail);
                }
                reading.entries.push(entry);
            }
            Err(why) => reading.skip(number, why),
        }
    }
}

impl Tokens {
    fn report(self) -> Report {
        Report {
            is_inclusive: true,
            input: self.input.into(),
            cached: self.cached.into(),
            output: self.output.into(),
            reasoning: self.reasoning.into(),
            ..Report::default()
        }
    }

    /// What was added since `before`; where a total fell, a new count has begun.
    fn since(self, before: Tokens) -> Tokens {
        let grown = |now: Count, before: Count| match (now, before) {
            (Count::Of(now), Count::Of(before)) if before <= now => Count::Of(now - before),
            (now, _) => now,
        };
        Tokens {
            input: grown(self.input, before.input),
            cached: grown(self.cached, before.cached),
            output: grown(self.output, before.output),
            reasoning: grown(self.reasoning, before.reasoning),
        }
    }

    fn key(self, at: Time) -> String {
        format!("codex:{}:{:?}:{:?}", at.nanos(), self.input, self.output)
    }
}

/// The last part of a working directory, of either kind of system.
fn project(cwd: &Text) -> Text {
    let name = cwd.get().and_then(|cwd| cwd.rsplit(['/', '\\']).find(|part| !part.is_empty()));
    name.map_or(Text(None), Text::from)
}
