//! Transcripts of Claude Code: `~/.claude/projects/**/*.jsonl`, or a session as the web exports it.
//!
//! Rules (from the transcripts themselves and the bug reports of the tools that read them):
//! - An answer is written in several lines, one for each content block, each with the usage *so
//!   far*: the lines of one `message.id` are one call, and the largest usage counts.
//! - The same call stands in several files when a session was resumed: it counts once.
//! - `<synthetic>` is no model: the client wrote that message itself.
//! - `cache_creation_input_tokens` is the sum; its split into lives may lack a part of it.
//! - No usage is unknown usage, not none.
//! - There are no latencies. The time from the line that is answered to the last line of the answer
//!   is the nearest thing, and only where a user's line is answered.
//! - A session of the web is one object whose `loglines` are the lines. They may have no names:
//!   then each answer is a call, and what it answers is not known.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use scrimp_core::price::{Region, Terms};
use scrimp_core::record::Timing;
use scrimp_core::{Delivery, Ending, Entry, Metering, Role, Span, Tier, Time, Usage, Usd, hash};

use super::chain::Chain;
use super::count::Count;
use super::logged::{Logged, block, call_id, digest, serves};
use super::{Clock, Import, Reading, Repeats, Source, lines, rows};

pub(super) const FORMAT: Import = Import {
    name: "claude-code",
    what: "Claude Code's transcripts (~/.claude/projects)",
    clock: Clock::Calendar,
    repeats: Repeats::Growing,
    lacks: &["claude-code: latency is the time between the lines of the transcript"],
    pieces: rows::whole,
    fits,
    read,
};

/// Longer than any answer takes: the lines belong to different days of a resumed session.
const LONGEST_ANSWER: Span = Span::from_hours(1);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    uuid: Option<String>,
    parent_uuid: Option<String>,
    session_id: Option<String>,
    timestamp: Option<String>,
    request_id: Option<String>,
    #[serde(default)]
    is_sidechain: bool,
    agent_id: Option<String>,
    cwd: Option<String>,
    #[serde(rename = "costUSD", borrow)]
    cost: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    // Early versions kept these here.
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    output_tokens: Count,
    #[serde(default)]
    cache_creation_input_tokens: Count,
    #[serde(default)]
    cache_read_input_tokens: Count,
}

#[derive(Deserialize)]
struct Message<'a> {
    id: Option<String>,
    model: Option<String>,
    stop_reason: Option<String>,
    usage: Option<Reported>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

/// Usage as the API reports it: `input_tokens` is only what no cache had a part in.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Reported {
    input_tokens: Count,
    output_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation: Option<Written>,
    service_tier: Option<String>,
    speed: Option<String>,
    inference_geo: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Written {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

/// A call, gathered from its lines.
struct Gathered {
    key: String,
    first: Option<Time>,
    last: Option<Time>,
    parent: Option<String>,
    session: Option<String>,
    agent: Option<String>,
    project: Option<String>,
    model: Option<String>,
    stop: Option<String>,
    usage: Option<Reported>,
    cost: Option<Usd>,
}

/// A transcript, as far as it was read.
#[derive(Default)]
struct Transcript {
    chain: Chain,
    has_parents: bool,
    calls: Vec<Gathered>,
    by_key: FxHashMap<String, usize>,
    /// When a user's line was written, by its uuid.
    asked: FxHashMap<String, Time>,
}

fn fits(bytes: &[u8]) -> Result<(), String> {
    let wants = "`type` and `message` as Claude Code writes them";
    let found = lines::any::<Line<'_>>(bytes, wants, |line| {
        let is_turn = matches!(line.kind.as_deref(), Some("user" | "assistant"));
        let is_known = matches!(line.kind.as_deref(), Some("summary" | "file-history-snapshot"));
        match &line.message {
            Some(message) => is_turn || message.usage.is_some(),
            None => is_known,
        }
    });
    found.or_else(|why| if is_export(bytes) { Ok(()) } else { Err(why) })
}

fn is_export(bytes: &[u8]) -> bool {
    rows::fits(bytes, &["loglines"]).is_ok()
}

fn read(bytes: &[u8], source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let mut transcript = Transcript::default();
    let mut see = |number: u64, line: Line<'_>, reading: &mut Reading| {
        let at = line.timestamp.as_deref().map(str::parse::<jiff::Timestamp>);
        match at.transpose() {
            Err(_) => reading.skip(number, "`timestamp` is no time"),
            Ok(at) => transcript.see(line, at.map(time), source),
        }
    };
    match is_export(bytes) {
        true => rows::pages(bytes, &mut reading, |number, json, reading| {
            match serde_json::from_slice(json) {
                Ok(line) => see(number, line, reading),
                Err(error) => reading.skip(number, lines::complaint(&error)),
            }
        }),
        false => lines::read(bytes, &mut reading, see),
    }
    transcript.entries(source, &mut reading);
    reading
}

fn time(at: jiff::Timestamp) -> Time {
    Time::from_nanos(i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX))
}

impl Transcript {
    fn see(&mut self, line: Line<'_>, at: Option<Time>, source: &Source<'_>) {
        let agent = line.agent();
        let session = line.session_id.as_deref().unwrap_or(source.name);
        if let Some(uuid) = &line.uuid {
            let content = line.message.as_ref().and_then(|message| message.content);
            let bytes = content.map_or(0, |content| content.get().len() as u64);
            let head = hash::text(&format!("{session}/{}", agent.as_deref().unwrap_or_default()));
            self.has_parents |= line.parent_uuid.is_some();
            self.chain.add(uuid, line.parent_uuid.as_deref(), head, bytes);
            if let (Some("user"), Some(at)) = (line.kind.as_deref(), at) {
                self.asked.entry(uuid.clone()).or_insert(at);
            }
        }
        let is_answer = match (&line.message, line.kind.as_deref()) {
            (Some(message), None) => message.usage.is_some(),
            (Some(_), kind) => kind == Some("assistant"),
            (None, _) => false,
        };
        if is_answer {
            self.gather(line, at, agent, source);
        }
    }

    fn gather(
        &mut self,
        line: Line<'_>,
        at: Option<Time>,
        agent: Option<String>,
        source: &Source<'_>,
    ) {
        let reported = line.reported();
        let cost = line.cost.and_then(|cost| cost.get().trim_matches('"').parse::<Usd>().ok());
        let Some(message) = line.message else { return };
        if message.model.as_deref() == Some("<synthetic>") {
            return;
        }
        let key = message
            .id
            .or(line.request_id)
            .or(line.uuid)
            .unwrap_or_else(|| format!("{}:{}", source.name, self.calls.len()));
        let at_call = *self.by_key.entry(key.clone()).or_insert(self.calls.len());
        if at_call == self.calls.len() {
            self.calls.push(Gathered {
                key,
                first: at,
                last: at,
                parent: line.parent_uuid,
                session: line.session_id,
                agent,
                project: line.cwd.as_deref().and_then(project),
                model: None,
                stop: None,
                usage: None,
                cost: None,
            });
        }
        let call = &mut self.calls[at_call];
        call.first = call.first.min(at).or(at);
        call.last = call.last.max(at);
        call.model = message.model.or(call.model.take());
        call.stop = message.stop_reason.or(call.stop.take());
        call.cost = cost.max(call.cost);
        if call.usage.as_ref().map(Reported::size) <= reported.as_ref().map(Reported::size) {
            call.usage = reported;
        }
    }

    fn entries(mut self, source: &Source<'_>, reading: &mut Reading) {
        let mut calls = std::mem::take(&mut self.calls);
        // Stable: calls without a time stay where they stood.
        calls.sort_by_key(|call| call.first);
        reading.entries = calls.into_iter().map(|call| self.entry(call, source)).collect();
    }

    fn entry(&mut self, call: Gathered, source: &Source<'_>) -> Entry {
        let metering = call.usage.as_ref().map_or(Metering::UNKNOWN, Reported::metering);
        let timing = self.timing(&call);
        let ended = timing.ended.unwrap_or_default();
        let arrived = call.last.map_or(source.start, |last| last - ended);
        let session = call.session.as_deref().unwrap_or(source.name);
        let known = metering.usage.input();
        let end = call.parent.as_deref().filter(|_| self.has_parents && 0 < known);
        let (prompt, trail) = match end.and_then(|parent| self.chain.find(parent)) {
            Some(end) => {
                let (prompt, trail) = self.chain.prompt(end, hash::text(session), known);
                (prompt, Some(trail))
            }
            None => (vec![block(Role::User, hash::text(&call.key), known)], None),
        };
        let mut tags = Vec::new();
        tags.extend(call.project.map(|project| (Arc::from("project"), Arc::from(project))));
        let operation = match &call.agent {
            None => "claude-code",
            Some(_) => "claude-code/sub-agent",
        };
        let logged = Logged {
            id: call_id(call.first.unwrap_or(source.start), &call.key),
            arrived,
            whose: serves(call.model.as_deref().unwrap_or("unknown")),
            operation: operation.into(),
            session: Some(digest(session)),
            tags,
            delivery: Delivery::Stream,
            prompt,
            ending: Ending::Answered { status: 200, finish: call.stop.map(Arc::from) },
            metering,
            terms: call.usage.as_ref().map(Reported::terms).unwrap_or_default(),
            cost: call.cost,
            timing,
        };
        Entry { record: logged.record(), trail }
    }

    fn timing(&self, call: &Gathered) -> Timing {
        let asked = call.parent.as_ref().and_then(|parent| self.asked.get(parent));
        let took = asked.zip(call.last).map(|(asked, last)| last.since(*asked));
        let believable = |took: &Span| Span::ZERO < *took && *took <= LONGEST_ANSWER;
        Timing { ended: took.filter(believable), ..Timing::default() }
    }
}

impl Line<'_> {
    fn agent(&self) -> Option<String> {
        let named = self.agent_id.clone().filter(|_| self.is_sidechain);
        named.or_else(|| self.is_sidechain.then(|| "sidechain".to_owned()))
    }

    fn reported(&self) -> Option<Reported> {
        let early = Reported {
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cache_creation_input_tokens: self.cache_creation_input_tokens,
            cache_read_input_tokens: self.cache_read_input_tokens,
            ..Reported::default()
        };
        let reported = self.message.as_ref().and_then(|message| message.usage.clone());
        reported.or_else(|| (self.output_tokens != Count::Absent).then_some(early))
    }
}

impl Reported {
    /// The more of an answer a line has seen, the larger this is.
    fn size(&self) -> u64 {
        let Reported { input_tokens, output_tokens, .. } = self;
        let (input, output) = (input_tokens.or_zero(), output_tokens.or_zero());
        output.unwrap_or(0).saturating_add(input.unwrap_or(0).min(1))
    }

    fn metering(&self) -> Metering {
        match self.usage() {
            Some(usage) => Metering::measured(usage),
            None => Metering { suspect: true, ..Metering::UNKNOWN },
        }
    }

    /// `None` if any number is nonsense: the others cannot be trusted either.
    fn usage(&self) -> Option<Usage> {
        let written = self.cache_creation_input_tokens.or_zero()?;
        let split = self.cache_creation.clone().unwrap_or_default();
        let short = split.ephemeral_5m_input_tokens.or_zero()?;
        let long = split.ephemeral_1h_input_tokens.or_zero()?;
        Some(Usage {
            uncached: self.input_tokens.or_zero()?,
            cache_read: self.cache_read_input_tokens.or_zero()?,
            // What the split does not account for was written with the default life.
            cache_write_short: short + written.saturating_sub(short + long),
            cache_write_long: long,
            output: self.output_tokens.or_zero()?,
            ..Usage::ZERO
        })
    }

    fn terms(&self) -> Terms {
        Terms {
            tier: match self.service_tier.as_deref() {
                Some("batch") => Tier::Batch,
                Some("priority") => Tier::Priority,
                _ => Tier::Standard,
            },
            fast: self.speed.as_deref() == Some("fast"),
            region: match self.inference_geo.as_deref() {
                Some("us") => Region::Us,
                Some("eu") => Region::Eu,
                _ => Region::Global,
            },
        }
    }
}

/// The last part of a working directory, of either kind of system.
fn project(cwd: &str) -> Option<String> {
    let name = cwd.rsplit(['/', '\\']).find(|part| !part.is_empty())?;
    Some(name.to_owned())
}
