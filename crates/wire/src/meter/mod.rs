//! Measures an answer while its bytes pass by: usage, finish, content times, truncation.
//!
//! Nothing is held back or changed. A stream ends when its terminal event has come (`message_stop`,
//! `[DONE]`, `response.completed`, `metadata`); a connection that merely closes cleanly proves nothing, and the vendors' SDKs do not
//! notice the difference.

mod bedrock;
mod event;
mod framing;
pub(crate) mod usage;

use std::sync::Arc;

use scrimp_core::call::Dialect;
use scrimp_core::flight::Outcome;
use scrimp_core::price::Terms;
use scrimp_core::{Delivery, Metering, Span, Tier, Time, Usage, UsageState};

use crate::event_stream::{Frame, Frames, Kind};
pub use crate::filter::UsageChunkFilter;
use crate::sse::{Events, MOST_BYTES};
use event::{Found, Pattern};
pub use framing::Framing;
use usage::Report;

/// How an answer's bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As HTTP says it should.
    Complete,
    /// The connection broke, or the answer was cancelled.
    Broken,
}

/// Measures one answer.
#[derive(Debug)]
pub struct Meter {
    dialect: Dialect,
    framing: Framing,
    status: u16,
    /// The events of a stream, or the frames that they are in.
    events: Events,
    frames: Frames,
    /// The body of a whole answer.
    whole: Vec<u8>,
    is_too_long: bool,
    /// What the answer's head says of usage, for bodies that say nothing.
    by_head: Option<Report>,
    seen: Seen,
}

/// What has been seen so far.
#[derive(Clone, Debug, Default)]
struct Seen {
    report: Option<Report>,
    /// The report is the provider's last word.
    is_final: bool,
    model: Option<Arc<str>>,
    tier: Option<Tier>,
    finish: Option<Arc<str>>,
    error: Option<Arc<str>>,
    is_done: bool,
    characters: u64,
    first_content: Option<Time>,
    last_content: Option<Time>,
    /// Events, or a whole answer, that were no JSON.
    malformed: u64,
    pattern: Pattern,
}

impl Meter {
    /// For an answer with this status. `framing` is what the answer's content type says, whatever the
    /// request asked for.
    pub fn new(dialect: Dialect, framing: Framing, status: u16) -> Meter {
        Meter {
            dialect,
            framing,
            status,
            events: Events::default(),
            frames: Frames::default(),
            whole: Vec::new(),
            is_too_long: false,
            by_head: None,
            seen: Seen::default(),
        }
    }

    /// Sees the next bytes, which came at `now`. Where they were cut does not matter.
    pub fn see(&mut self, bytes: &[u8], now: Time) {
        let Meter { events, frames, seen, .. } = self;
        match self.framing {
            Framing::Sse => events.feed(bytes, |data| seen.event(data, now)),
            Framing::EventStream => frames.feed(bytes, |frame| seen.frame(frame, now)),
            Framing::Whole if self.whole.len() + bytes.len() <= MOST_BYTES => {
                self.whole.extend_from_slice(bytes);
            }
            Framing::Whole => {
                self.is_too_long = true;
                self.whole = Vec::new();
            }
        }
    }

    /// Sees a header of the answer. Bedrock tells there what a model used that does not tell it itself.
    pub fn see_header(&mut self, name: &str, value: &[u8]) {
        if let Some(kind) = name.strip_prefix("x-amzn-bedrock-") {
            self.by_head.get_or_insert_default().header(kind, value);
        }
    }

    /// Unicode characters that the model has written so far, for [`estimate`]. Of a whole answer
    /// they are known at its end.
    pub fn characters(&self) -> u64 {
        match self.framing.delivery() {
            Delivery::Stream => self.seen.characters,
            Delivery::Whole => self.whole_seen().characters,
        }
    }

    /// Whether something was passed over because it could not be read: an event or a whole answer
    /// that was no JSON, a frame that contradicted its checksums, or more than 8 MiB of any.
    pub fn is_malformed(&self) -> bool {
        let is_malformed = 0 < self.seen.malformed;
        match self.framing {
            Framing::Sse => is_malformed || self.events.overflowed(),
            Framing::EventStream => {
                is_malformed || self.frames.is_broken() || self.frames.overflowed()
            }
            Framing::Whole => self.is_too_long || 0 < self.whole_seen().malformed,
        }
    }

    /// The type of the error that the answer carries, in a stream or as a whole.
    pub fn error(&self) -> Option<Arc<str>> {
        match self.framing.delivery() {
            Delivery::Stream => self.seen.error.clone(),
            Delivery::Whole => self.whole_seen().error,
        }
    }

    /// Whether an event may be put behind what came so far. A frame that was begun cannot be ended by
    /// others; a server-sent event can.
    pub fn is_between_events(&self) -> bool {
        self.framing != Framing::EventStream || self.frames.is_whole()
    }

    /// What was seen, now that the answer is over. `waited` is the caller's to fill in.
    ///
    /// Content times are of streams only: of a whole answer nobody knows when its content began.
    pub fn outcome(&self, end: End) -> Outcome {
        match self.framing.delivery() {
            Delivery::Stream => self.outcome_of(&self.seen, end),
            Delivery::Whole => self.outcome_of(&self.whole_seen(), end),
        }
    }

    fn outcome_of(&self, seen: &Seen, end: End) -> Outcome {
        let report = seen.report.as_ref().or(self.by_head.as_ref());
        Outcome {
            metering: self.metering(seen),
            charged: report.and_then(|report| report.charge.dollars()),
            terms: Terms {
                tier: seen.tier.or(report.and_then(|report| report.tier)).unwrap_or_default(),
                fast: report.and_then(|report| report.is_fast).unwrap_or_default(),
                region: report.and_then(|report| report.region).unwrap_or_default(),
            },
            truncated: end == End::Complete && self.is_success() && !self.is_over(seen),
            model: seen.model.clone(),
            finish: seen.finish.clone(),
            first_content: seen.first_content,
            last_content: seen.last_content,
            waited: Span::ZERO,
        }
    }

    fn metering(&self, seen: &Seen) -> Metering {
        // Counting tokens is free.
        if self.dialect == Dialect::AnthropicCountTokens && self.is_success() {
            return Metering::measured(Usage::ZERO);
        }
        let report = seen.report.as_ref().or(self.by_head.as_ref());
        let Some(report) = report else { return Metering::UNKNOWN };
        let mut metering = report.metering();
        if metering.state == UsageState::Measured && !seen.is_final && !self.is_over(seen) {
            // The input was reported, the output is still growing: what was written counts.
            metering.state = UsageState::Partial;
            let hidden = metering.usage.reasoning + metering.usage.audio_output;
            let written = output_tokens(seen.characters).saturating_sub(hidden);
            metering.usage.output = metering.usage.output.max(written);
        }
        metering
    }

    /// Whether the answer's own terminal event came.
    ///
    /// For `OpenAI` that is `[DONE]`; some that imitate it never send it, so a finish reason together
    /// with usage, after which nothing else can come, will do.
    fn is_over(&self, seen: &Seen) -> bool {
        if self.framing == Framing::Whole {
            return seen.is_done || self.is_too_long || self.dialect == Dialect::Other;
        }
        if !self.is_between_events() {
            return false;
        }
        match self.dialect {
            Dialect::OpenaiChat | Dialect::OpenaiCompletions => {
                let is_done = seen.is_done || self.events.unfinished().trim_ascii() == b"[DONE]";
                is_done || (seen.finish.is_some() && seen.report.is_some())
            }
            Dialect::AnthropicMessages
            | Dialect::AnthropicCountTokens
            | Dialect::BedrockConverse => seen.is_done,
            Dialect::OpenaiResponses => seen.is_done || seen.error.is_some(),
            // No event ends such a stream; the last one says why the model stopped.
            Dialect::GeminiGenerate => seen.finish.is_some() || seen.error.is_some(),
            Dialect::OpenaiEmbeddings | Dialect::GeminiEmbed | Dialect::Other => true,
        }
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn whole_seen(&self) -> Seen {
        let mut seen = Seen::default();
        match event::read_all(&self.whole, |found| seen.take(found)) {
            Ok(()) => Seen { is_done: true, is_final: true, ..seen },
            Err(_) => Seen { malformed: 1, ..Seen::default() },
        }
    }
}

impl Seen {
    fn event(&mut self, data: &[u8], now: Time) {
        if data.trim_ascii_end() == b"[DONE]" {
            self.is_done = true;
            return;
        }
        if let Some(characters) = self.pattern.characters(data) {
            self.characters += characters;
            return self.content(characters != 0, now);
        }
        let Ok(found) = event::read(data, self.model.as_deref()) else {
            self.malformed += 1;
            return;
        };
        self.content(found.has_content(), now);
        self.pattern.learn(data, &found);
        self.is_done |= found.is_last;
        self.take(found);
    }

    fn frame(&mut self, frame: Frame<'_>, now: Time) {
        let Frame { kind, name, payload } = frame;
        match (kind, name) {
            (Kind::Event, b"chunk") => match bedrock::chunk(payload) {
                Some(event) => self.event(&event, now),
                None => self.malformed += 1,
            },
            (Kind::Event, name) => {
                self.is_done |= name == b"metadata";
                self.event(payload, now);
            }
            (Kind::Exception | Kind::Error, name) => {
                self.error = Some(String::from_utf8_lossy(name).into());
            }
        }
    }

    fn content(&mut self, has_content: bool, now: Time) {
        if has_content {
            self.first_content.get_or_insert(now);
            self.last_content = Some(now);
        }
    }

    fn take(&mut self, found: Found) {
        let Found { characters, report, model, tier, finish, error, is_start, .. } = found;
        self.characters += characters;
        // The host's own count is less than the model's, which came before it.
        let report = report.or(found.by_host.filter(|_| self.report.is_none()));
        if let Some(report) = report {
            self.report = Some(match &self.report {
                Some(earlier) => earlier.then(&report),
                None => report,
            });
            // A running total is final once the model has stopped.
            self.is_final = !is_start && (finish.is_some() || self.finish.is_some());
        }
        self.model = model.or(self.model.take());
        self.tier = tier.or(self.tier);
        self.finish = finish.or(self.finish.take());
        self.error = error.or(self.error.take());
    }
}

/// Fills in what the provider did not report: `found` as it is if it holds anything, else an
/// estimate from the request's estimated tokens and the characters that came back.
pub fn estimate(found: Metering, request_tokens: u64, characters: u64) -> Metering {
    match found.state {
        UsageState::Measured | UsageState::Partial | UsageState::Estimated => found,
        UsageState::Unknown => Metering {
            usage: Usage {
                uncached: request_tokens,
                output: output_tokens(characters),
                ..Usage::ZERO
            },
            state: UsageState::Estimated,
            suspect: found.suspect,
        },
    }
}

/// About four characters to a token.
fn output_tokens(characters: u64) -> u64 {
    characters.div_ceil(4)
}

#[cfg(test)]
mod tests;
