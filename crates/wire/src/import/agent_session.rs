//! Sessions of coding agents with block ids: one JSON object a file.
//!
//! Format of kv-cache-tester (`traces/`, Apache-2.0). `requests` in order, each with `t` in seconds
//! from the session's beginning, token counts and `hash_ids`: one id for each *full* block of
//! `block_size` tokens of the prompt, local to the file. Sub-agents are nested, and their requests'
//! `t` counts from the sub-agent's own beginning: in every one of 33 nested runs the first `t` is 0
//! and the last is below the run's `duration_ms`, while the run itself begins minutes into the file.
//! A request of `type` `s` was streamed; one without `api_time` and `stop` was not seen to its end.
//!
//! The arrays of ids are nearly all of such a file, so they are read straight into integers, and
//! requests are taken one by one: of a file that breaks off, all that came before is kept.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use scrimp_core::price::Terms;
use scrimp_core::record::{Timing, TrailEnd};
use scrimp_core::{
    Block, Delivery, Digest, Ending, Entry, Metering, Role, Span, Time, Trail, Usage, UsageState,
    hash,
};

use super::count::Count;
use super::logged::{Logged, block, call_id, digest, serves};
use super::{Clock, Import, Reading, Repeats, Source, lines, rows};

pub(super) const FORMAT: Import = Import {
    name: "agent-session",
    what: "coding-agent sessions with block ids (kv-cache-tester): one JSON file each",
    clock: Clock::Relative,
    repeats: Repeats::Never,
    lacks: &["agent-session: what was read from a cache is not recorded: \
         costs are those without prompt caching"],
    pieces: rows::whole,
    fits,
    read,
};

/// Where the marks of this format must stand at the latest.
const HEAD_BYTES: usize = 64 * 1024;

fn fits(bytes: &[u8]) -> Result<(), String> {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    if !head.trim_ascii_start().starts_with(b"{") {
        return Err("it does not begin with `{`".to_owned());
    }
    let has = |name: &&str| head.windows(name.len()).any(|window| window == name.as_bytes());
    match ["\"block_size\"", "\"requests\""].iter().find(|name| !has(name)) {
        None => Ok(()),
        Some(missing) => Err(format!("its beginning has no {missing}")),
    }
}

fn read(bytes: &[u8], source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let mut session = Session::default();
    let mut json = serde_json::Deserializer::from_slice(bytes);
    if let Err(error) = Whole(&mut session).deserialize(&mut json) {
        let line = u64::try_from(error.line()).unwrap_or(0);
        reading.skip(line, lines::complaint(&error));
    }
    session.entries(source, &mut reading);
    reading
}

/// A file, as far as it could be read.
#[derive(Default)]
struct Session {
    id: Option<String>,
    block_size: u64,
    tool_tokens: u64,
    system_tokens: u64,
    requests: Vec<Request>,
}

/// A request, or a sub-agent that made requests of its own.
#[derive(Deserialize)]
struct Request {
    t: f64,
    #[serde(default, rename = "type")]
    kind: Kind,
    #[serde(default)]
    model: String,
    #[serde(default, rename = "in")]
    input: Count,
    #[serde(default, rename = "out")]
    output: Count,
    #[serde(default)]
    hash_ids: Vec<u64>,
    #[serde(default)]
    stop: Option<String>,
    #[serde(default)]
    api_time: Option<f64>,
    #[serde(default)]
    ttft: Option<f64>,
    #[serde(default)]
    subagent_type: Option<String>,
    #[serde(default)]
    tool_tokens: u64,
    #[serde(default)]
    system_tokens: u64,
    #[serde(default)]
    requests: Vec<Request>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum Kind {
    #[serde(rename = "s")]
    Streamed,
    #[serde(rename = "subagent")]
    SubAgent,
    #[default]
    #[serde(rename = "n", other)]
    Whole,
}

/// Reads a file into a [`Session`] that keeps what had come before an error.
struct Whole<'s>(&'s mut Session);

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Session { id, block_size, tool_tokens, system_tokens, requests } = self.0;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "id" => *id = map.next_value()?,
                "block_size" => *block_size = map.next_value()?,
                "tool_tokens" => *tool_tokens = map.next_value()?,
                "system_tokens" => *system_tokens = map.next_value()?,
                "requests" => map.next_value_seed(OneByOne(requests))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct OneByOne<'s>(&'s mut Vec<Request>);

impl<'de> DeserializeSeed<'de> for OneByOne<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for OneByOne<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of requests")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(request) = seq.next_element()? {
            self.0.push(request);
        }
        Ok(())
    }
}

/// One run of an agent: what its requests have in common.
struct Run<'a> {
    source: &'a Source<'a>,
    scope: u64,
    session: Digest,
    name: String,
    operation: Arc<str>,
    began: Time,
    block_size: u64,
    tool_tokens: u64,
    system_tokens: u64,
}

impl Session {
    fn entries(self, source: &Source<'_>, reading: &mut Reading) {
        let name = format!("{}:{}", source.name, self.id.as_deref().unwrap_or_default());
        let run = Run {
            source,
            scope: hash::text(&name),
            session: digest(&name),
            name,
            operation: "coding-agent".into(),
            began: source.start,
            block_size: self.block_size.max(1),
            tool_tokens: self.tool_tokens,
            system_tokens: self.system_tokens,
        };
        run.entries(self.requests, reading);
    }
}

impl Run<'_> {
    fn entries(&self, requests: Vec<Request>, reading: &mut Reading) {
        reading.entries.reserve(requests.len());
        for (number, request) in (1..).zip(requests) {
            let at = self.began + Span::from_secs_f64(request.t);
            if request.kind == Kind::SubAgent {
                let kind = request.subagent_type.as_deref().unwrap_or("sub-agent");
                let run = Run {
                    operation: format!("coding-agent/{kind}").into(),
                    name: format!("{}/{number}", self.name),
                    began: at,
                    tool_tokens: request.tool_tokens,
                    system_tokens: request.system_tokens,
                    ..*self
                };
                run.entries(request.requests, reading);
                continue;
            }
            match self.entry(number, at, request) {
                Some(entry) => reading.entries.push(entry),
                None => reading.skip(
                    1,
                    format_args!("request {number}: a token count is no believable number"),
                ),
            }
        }
    }

    fn entry(&self, number: u64, at: Time, request: Request) -> Option<Entry> {
        let usage = Usage {
            uncached: request.input.or_zero()?,
            output: request.output.or_zero()?,
            ..Usage::ZERO
        };
        let ending = request.ending();
        let state = match ending {
            Ending::Truncated { .. } => UsageState::Partial,
            _ => UsageState::Measured,
        };
        let span = |seconds: Option<f64>| seconds.map(Span::from_secs_f64);
        let (prompt, trail) = self.prompt(request.hash_ids, usage.uncached);
        let logged = Logged {
            id: call_id(at, &format!("{}:{number}", self.name)),
            arrived: at,
            whose: self.source.assumed.cloned().unwrap_or_else(|| serves(&request.model)),
            operation: self.operation.clone(),
            session: Some(self.session),
            tags: Vec::new(),
            delivery: match request.kind {
                Kind::Streamed => Delivery::Stream,
                Kind::Whole | Kind::SubAgent => Delivery::Whole,
            },
            prompt,
            ending,
            metering: Metering { usage, state, suspect: false },
            terms: Terms::default(),
            cost: None,
            timing: Timing {
                first_content: span(request.ttft),
                last_content: span(request.ttft.and(request.api_time)),
                ended: span(request.api_time),
                ..Timing::default()
            },
        };
        Some(Entry { record: logged.record(), trail: Some(trail) })
    }

    /// The prompt as tools, system instructions and conversation, and its trail.
    fn prompt(&self, symbols: Vec<u64>, input: u64) -> (Vec<Block>, Trail) {
        let tools = self.tool_tokens.min(input);
        let head = tools.saturating_add(self.system_tokens).min(input);
        let whole = symbols.len();
        let at = |tokens: u64| {
            usize::try_from(tokens / self.block_size).unwrap_or(usize::MAX).min(whole)
        };
        let parts = [(Role::Tool, tools), (Role::System, head), (Role::User, input)];
        let (mut blocks, mut ends) = (Vec::with_capacity(3), Vec::with_capacity(3));
        let (mut from, mut before) = (0, 0);
        for (role, tokens) in parts {
            // The last block ends where the prompt ends, on a full block of ids or not.
            let until = if tokens == input { whole } else { at(tokens) };
            if before < tokens {
                let seed = hash::chain(self.scope, role as u64);
                let hash = symbols[from..until].iter().fold(seed, |state, id| {
                    (state.rotate_left(5) ^ id).wrapping_mul(0x517c_c1b7_2722_0a95)
                });
                blocks.push(block(role, hash::mix(hash), tokens - before));
                ends.push(TrailEnd { symbols: u32::try_from(until).unwrap_or(u32::MAX), tokens });
            }
            (from, before) = (until, tokens);
        }
        let symbols = symbols.into();
        (blocks, Trail { scope: self.scope, symbols, ends, blocks_known: false })
    }
}

impl Request {
    fn ending(&self) -> Ending {
        match self.stop.as_deref() {
            None | Some("") if self.api_time.is_none() => Ending::Truncated { status: 200 },
            stop => Ending::Answered {
                status: 200,
                finish: stop.filter(|stop| !stop.is_empty()).map(Arc::from),
            },
        }
    }
}
