//! A call as rows of a log tell it, and the entry that it becomes.
//!
//! Here is decided, once for all formats, what a missing or senseless field means: no usage is
//! unknown usage, a cost of nothing for tokens is no cost, an answered call without any tokens did
//! not say how many, and what makes no sense is left out of every sum and marked.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use scrimp_core::call::Content;
use scrimp_core::price::Terms;
use scrimp_core::record::{Timing, TrailEnd};
use scrimp_core::{
    Delivery, Dialect, Ending, Entry, Metering, Role, Span, Tier, Time, Trail, Usage, Usd, hash,
};

use super::field::{Json, Moment, Money, Number, Reported, Text};
use super::logged::{Logged, block, call_id, digest};
use super::{Assumed, Source};
use crate::meter::usage::Report;
use crate::prices::provider::{model_of, of_litellm, of_people, vendor_of};
use crate::{Key, dialect};

/// Digests of prompts read from logs. Not secret: what was read from a log is not stored.
static KEY: LazyLock<Key> = LazyLock::new(|| Key::new([0; 32]));
/// Longer than any call takes: an end a day after its beginning is a mistake.
const LONGEST_CALL: Span = Span::from_hours(24);

/// What a row says of a call. What it does not say stays as it is by default.
#[derive(Default)]
pub(super) struct Told {
    /// The provider's name for its answer, else the tool's for the call: it is the same call
    /// wherever this stands.
    pub(super) id: Text,
    pub(super) arrived: Moment,
    /// When the call was over; or how long it took.
    pub(super) ended: Moment,
    pub(super) took: Option<Span>,
    /// When the first piece of the answer came; or how long that took.
    pub(super) first: Moment,
    pub(super) waited: Option<Span>,
    pub(super) provider: Text,
    pub(super) model: Text,
    pub(super) operation: Text,
    pub(super) session: Text,
    pub(super) tags: Vec<(&'static str, Text)>,
    pub(super) streams: Option<bool>,
    /// `None`: it went well.
    pub(super) status: Option<u16>,
    pub(super) finish: Text,
    pub(super) usage: Report,
    /// In place of `usage`, where the answer itself was measured.
    pub(super) metered: Option<Metering>,
    pub(super) terms: Option<Terms>,
    pub(super) cost: Money,
    /// Answered from the tool's own cache: the provider was not asked.
    pub(super) is_cached: bool,
    /// The request's body, where the log has it.
    pub(super) request: Option<(Dialect, String)>,
    /// Names of the prompt's blocks, where the log has them.
    pub(super) blocks: Option<Blocks>,
    /// Times are counted from the file's beginning.
    pub(super) since_start: Option<Span>,
}

/// A prompt as names of blocks of so many tokens that mean the same all over the log.
pub(super) struct Blocks {
    pub(super) tokens: u64,
    pub(super) names: Vec<u64>,
}

impl Told {
    /// The entry, or why there is none.
    pub(super) fn entry(mut self, source: &Source<'_>, line: u64) -> Result<Entry, &'static str> {
        let arrived = match (self.since_start, self.arrived) {
            (Some(since), _) => source.start + since,
            (None, Moment::At(arrived)) => arrived,
            (None, Moment::Absent) => return Err("it says no time"),
            (None, Moment::Nonsense) => return Err("its time is no time"),
        };
        let key = self.id.0.take().unwrap_or_else(|| format!("{}:{line}", source.name).into());
        let metering = self.metering();
        let timing = self.timing(arrived);
        let cost = self.cost(&metering);
        let request = self.request.take().and_then(|(dialect, body)| {
            dialect::read(dialect, body.as_bytes(), &KEY).ok().map(|request| request.facts)
        });
        let streams = request.as_ref().map(|facts| facts.delivery == Delivery::Stream);
        let parameters = request.as_ref().map(|facts| facts.parameters.clone());
        let input = metering.usage.input();
        let (prompt, trail) = match (self.blocks.take(), request) {
            (Some(blocks), _) => blocks.prompt(input),
            (None, Some(facts)) if !facts.prompt.is_empty() => (facts.prompt, None),
            // Nothing can be replayed over it, so nothing is made up.
            (None, _) => (Vec::new(), None),
        };
        let tag = |(name, text): (&str, Text)| Some((Arc::from(name), text.0?));
        let logged = Logged {
            id: call_id(arrived, &key),
            arrived,
            whose: self.whose(source),
            operation: self.operation.0.take().unwrap_or_else(|| "chat".into()),
            session: self.session.get().map(digest),
            tags: std::mem::take(&mut self.tags).into_iter().filter_map(tag).collect(),
            delivery: match self.streams.or(streams) {
                Some(true) => Delivery::Stream,
                Some(false) | None => Delivery::Whole,
            },
            prompt,
            ending: Ending::Answered {
                status: self.status.unwrap_or(200),
                finish: self.finish.0.take(),
            },
            metering,
            terms: self.terms(),
            cost,
            timing,
        };
        let mut record = logged.record();
        if let Some(parameters) = parameters {
            Arc::get_mut(&mut record.call).expect("nobody else has it yet").parameters = parameters;
        }
        if self.is_cached {
            record.attempts.clear();
        }
        Ok(Entry { record, trail })
    }

    fn is_success(&self) -> bool {
        self.status.is_none_or(|status| (200..300).contains(&status))
    }

    fn metering(&self) -> Metering {
        if self.is_cached {
            return Metering::measured(Usage::ZERO);
        }
        let found = self.metered.unwrap_or_else(|| self.usage.metering());
        let suspect = found.suspect || self.cost == Money::Nonsense;
        let says_nothing = match self.is_success() {
            true => found.usage == Usage::ZERO,
            // The input of a call that failed is what was sent, not what anybody was charged for.
            false => found.usage.total_output() == 0 && found.usage != Usage::ZERO,
        };
        match says_nothing {
            true => Metering { suspect, ..Metering::UNKNOWN },
            false => Metering { suspect, ..found },
        }
    }

    /// Tools write a cost of nothing where they know no price.
    fn cost(&self, metering: &Metering) -> Option<Usd> {
        match self.cost.get() {
            _ if self.is_cached => Some(Usd::ZERO),
            Some(Usd::ZERO) if metering.usage != Usage::ZERO || self.is_success() => None,
            cost => cost,
        }
    }

    fn timing(&self, arrived: Time) -> Timing {
        let since = |moment: Moment| moment.get().map(|at| at.since(arrived));
        let is_believable = |took: &Span| Span::ZERO <= *took && *took <= LONGEST_CALL;
        // A span was measured; the end may be when the log was written.
        let ended = self.took.or(since(self.ended)).filter(is_believable);
        let first = since(self.first).or(self.waited).filter(is_believable);
        // Tools write the end as the first piece where the answer came whole.
        let first = first.filter(|first| ended.is_none_or(|ended| *first < ended));
        let last_content = first.and(ended);
        Timing { first_content: first, last_content, ended, ..Timing::default() }
    }

    fn terms(&self) -> Terms {
        self.terms.unwrap_or(Terms {
            tier: self.usage.tier.unwrap_or(Tier::Standard),
            fast: self.usage.is_fast.unwrap_or_default(),
            region: self.usage.region.unwrap_or_default(),
        })
    }

    fn whose(&self, source: &Source<'_>) -> Assumed {
        match (self.model.get(), source.assumed) {
            (Some(model), _) => whose(self.provider.get(), model),
            (None, Some(assumed)) => assumed.clone(),
            (None, None) => Assumed {
                provider: self.provider.get().unwrap_or("unknown").into(),
                model: "unknown".into(),
            },
        }
    }
}

/// Who serves `model`, and what its API calls it: as the log says, else the model's vendor.
pub(super) fn whose(provider: Option<&str>, model: &str) -> Assumed {
    // The last part of an ARN names the model or the profile.
    let model = match model.starts_with("arn:") {
        true => model.rsplit('/').next().unwrap_or(model),
        false => model,
    };
    let named = provider.map(str::to_ascii_lowercase).map(|name| name.replace([' ', '-'], "_"));
    let provider = match (&named, model.split_once('/')) {
        (Some(named), _) => of_people(of_litellm(named)).to_owned(),
        (None, Some((first, _))) => of_people(of_litellm(first)).to_owned(),
        (None, None) => {
            vendor_of(model).filter(|vendor| !vendor.is_empty()).unwrap_or("unknown").to_owned()
        }
    };
    let model = model_of(model, named.as_deref().unwrap_or(&provider));
    Assumed { model: model.into(), provider: provider.into() }
}

impl Blocks {
    /// Only full blocks can be shared; what is left of the input is this call's own.
    fn prompt(mut self, input: u64) -> (Vec<scrimp_core::Block>, Option<Trail>) {
        let full = usize::try_from(input / self.tokens.max(1)).unwrap_or(usize::MAX);
        let full = full.min(self.names.len());
        self.names.truncate(full);
        let shared = full as u64 * self.tokens;
        let end = |tokens| TrailEnd { symbols: u32::try_from(full).unwrap_or(u32::MAX), tokens };
        let name = self.names.last().map_or(0, |last| hash::chain(full as u64, *last));
        let rest = scrimp_core::Block {
            markable: false,
            content: Content::Text,
            ..block(Role::User, hash::chain(name, input), input - shared)
        };
        let trail = Trail {
            scope: hash::text("blocks"),
            symbols: self.names.into(),
            ends: vec![end(shared), end(input)],
            blocks_known: false,
        };
        (vec![block(Role::User, name, shared), rest], Some(trail))
    }
}

/// An answer's body, where a log has it: the provider's name for it, and what it used.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) id: Text,
    pub(super) usage: Reported,
}

/// A body for `messages` that a log keeps without the rest of its request.
pub(super) fn of_messages(messages: &Json) -> Option<(Dialect, String)> {
    let messages = messages.0.as_deref().filter(|messages| messages.starts_with('['))?;
    Some((Dialect::OpenaiChat, format!("{{\"messages\":{messages}}}")))
}

/// A whole body: chat or messages, as its members tell.
pub(super) fn of_body(body: &Json) -> Option<(Dialect, String)> {
    let body =
        body.0.as_deref().filter(|body| body.starts_with('{') && body.contains("\"messages\""))?;
    let is_anthropic = body.contains("\"anthropic_version\"") || body.contains("\"system\":");
    let dialect = if is_anthropic { Dialect::AnthropicMessages } else { Dialect::OpenaiChat };
    Some((dialect, body.to_owned()))
}

impl Number {
    /// As the status of an answer.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    pub(super) fn status(self) -> Option<u16> {
        self.0.filter(|number| (100.0..1000.0).contains(number)).map(|number| number as u16)
    }
}
