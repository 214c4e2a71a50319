//! Prices and cache rules as data: per model, tier, context length and date.
//!
//! Rules that matter (all from the vendors' price pages, see `docs/prices.md`):
//! the tier that counts is the one the *answer* names; a long-context card applies to every token
//! of a request whose whole input, cached or not, is longer than its threshold; a class without a
//! rate of its own is billed as the class it is a part of.

mod charge;

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::call::Ttl;
use crate::money::{Rate, Usd};
use crate::time::{Span, Time};
use crate::usage::Usage;

pub(crate) use charge::Charge;
pub use charge::REPORTED;

/// The service tier that a call was billed at.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// What a call gets without asking.
    #[default]
    Standard,
    /// The provider's batch interface.
    Batch,
    /// Cheaper and slower.
    Flex,
    /// Dearer and faster.
    Priority,
    /// Dearest and fastest.
    Ultrafast,
}

/// What beside the tier changes the price of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Terms {
    /// The tier that the answer named.
    pub tier: Tier,
    /// The model ran in fast mode (Anthropic `speed: "fast"`).
    pub fast: bool,
    /// Inference was confined to a region that costs extra.
    pub region: Region,
}

/// Where inference was confined to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// Anywhere.
    #[default]
    Global,
    /// The United States only.
    Us,
    /// The European Union only.
    Eu,
}

/// Dollars per token by class. `None` where the provider publishes no rate for the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// Uncached input.
    pub input: Rate,
    /// Input read from the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Rate>,
    /// Input written with the short life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_short: Option<Rate>,
    /// Input written with the long life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_long: Option<Rate>,
    /// Audio input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<Rate>,
    /// Image input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_input: Option<Rate>,
    /// Visible output.
    pub output: Rate,
    /// Reasoning output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Rate>,
    /// Audio output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<Rate>,
}

/// The rates of one tier for inputs longer than `above` tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The tier.
    #[serde(default)]
    pub tier: Tier,
    /// Applies to requests whose whole input is longer than this many tokens.
    #[serde(default)]
    pub above: u64,
    /// The rates, for every token of such a request.
    #[serde(flatten)]
    pub rates: Rates,
}

/// How a model's provider caches prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheKind {
    /// The caller marks blocks; only marked prefixes are written (Anthropic).
    Marked,
    /// One implicit breakpoint at the end, explicit ones beside it; writes are billed
    /// (OpenAI from GPT-5.6 on).
    Breakpoints,
    /// The provider decides; nothing to mark and no write fee (OpenAI before GPT-5.6).
    Automatic,
}

/// A model's cache rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheRules {
    /// Who decides what is cached.
    pub kind: CacheKind,
    /// Prefixes shorter than this many tokens are silently not cached.
    pub min_tokens: u64,
    /// How long an entry with the short life lives after its last use.
    pub short: Span,
    /// How long an entry with the long life lives, if there is one.
    pub long: Option<Span>,
    /// How many marks a request may carry.
    pub marks: u8,
    /// How many blocks before a mark a read looks for an earlier entry. `None`: no limit.
    pub look_back: Option<u32>,
    /// Hits come in steps of this many tokens (1: exact).
    pub step: u64,
}

impl CacheRules {
    /// Whether a request can say what is cached.
    pub const fn takes_marks(&self) -> bool {
        matches!(self.kind, CacheKind::Marked | CacheKind::Breakpoints)
    }

    /// How long an entry of this life lives after its last use. Where there is no long life, the
    /// short one.
    pub fn life(&self, ttl: Ttl) -> Span {
        match ttl {
            Ttl::Short => self.short,
            Ttl::Long => self.long.unwrap_or(self.short),
        }
    }
}

/// The prices of one model at one provider for a span of dates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceRow {
    /// Who serves the model: `openai`, `anthropic`, …
    pub provider: Arc<str>,
    /// The name that the provider's API uses.
    pub model: Arc<str>,
    /// Valid from then on; `None`: always was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// Valid until before then; `None`: until further notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Sorted by tier, then by `above`. Never empty; the first is standard from 0 on.
    pub cards: Vec<Card>,
    /// Multiplier on every rate in fast mode, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fast_permille: Option<u32>,
    /// Multiplier on every rate where inference is confined to the US, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub us_permille: Option<u32>,
    /// The same for the EU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eu_permille: Option<u32>,
    /// How its prompts are cached; `None` where it has no prompt cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheRules>,
}

/// A class of tokens, as a bill names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Uncached input.
    Uncached,
    /// Input read from the cache.
    CacheRead,
    /// Input written with the short life.
    CacheWriteShort,
    /// Input written with the long life.
    CacheWriteLong,
    /// Audio input.
    AudioInput,
    /// Image input.
    ImageInput,
    /// Visible output.
    Output,
    /// Reasoning output.
    Reasoning,
    /// Audio output.
    AudioOutput,
}

/// One line of a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// What is billed.
    pub class: Class,
    /// How many tokens of it.
    pub tokens: u64,
    /// Dollars per token.
    pub rate: Rate,
    /// `tokens` × `rate`, rounded once.
    pub usd: Usd,
}

impl Rates {
    /// Every class with its tokens and its rate, in the order of a bill.
    pub fn lines(&self, usage: &Usage) -> [Line; 9] {
        let Usage {
            uncached,
            cache_read,
            cache_write_short,
            cache_write_long,
            audio_input,
            image_input,
            output,
            reasoning,
            audio_output,
        } = *usage;
        let write = self.cache_write_short.unwrap_or(self.input);
        let line =
            |class, tokens, rate: Rate| Line { class, tokens, rate, usd: rate.times(tokens) };
        [
            line(Class::Uncached, uncached, self.input),
            line(Class::CacheRead, cache_read, self.cache_read.unwrap_or(self.input)),
            line(Class::CacheWriteShort, cache_write_short, write),
            line(Class::CacheWriteLong, cache_write_long, self.cache_write_long.unwrap_or(write)),
            line(Class::AudioInput, audio_input, self.audio_input.unwrap_or(self.input)),
            line(Class::ImageInput, image_input, self.image_input.unwrap_or(self.input)),
            line(Class::Output, output, self.output),
            line(Class::Reasoning, reasoning, self.reasoning.unwrap_or(self.output)),
            line(Class::AudioOutput, audio_output, self.audio_output.unwrap_or(self.output)),
        ]
    }

    /// What `usage` costs at these rates.
    pub fn cost(&self, usage: &Usage) -> Usd {
        self.lines(usage).iter().map(|line| line.usd).sum()
    }

    /// These rates times `permille` / 1000.
    #[must_use]
    pub fn times_permille(self, permille: u32) -> Rates {
        let Rates {
            input,
            cache_read,
            cache_write_short,
            cache_write_long,
            audio_input,
            image_input,
            output,
            reasoning,
            audio_output,
        } = self;
        let scale = |rate: Option<Rate>| rate.map(|rate| rate.times_permille(permille));
        Rates {
            input: input.times_permille(permille),
            cache_read: scale(cache_read),
            cache_write_short: scale(cache_write_short),
            cache_write_long: scale(cache_write_long),
            audio_input: scale(audio_input),
            image_input: scale(image_input),
            output: output.times_permille(permille),
            reasoning: scale(reasoning),
            audio_output: scale(audio_output),
        }
    }
}

impl PriceRow {
    /// The rates for a request with `input` tokens of input under `terms`.
    /// A tier without a card of its own for that length is billed as standard: where priority is
    /// not sold for long inputs, the short priority rates would be too low.
    pub fn rates(&self, input: u64, terms: Terms) -> Rates {
        let card = |tier| {
            self.cards
                .iter()
                .filter(|c| c.tier == tier && (c.above == 0 || c.above < input))
                .max_by_key(|c| c.above)
        };
        let standard = card(Tier::Standard).expect("a row has a standard card from 0 on");
        let of_tier = card(terms.tier).filter(|card| standard.above <= card.above);
        let card = of_tier.unwrap_or(standard);
        let region = match terms.region {
            Region::Global => None,
            Region::Us => self.us_permille,
            Region::Eu => self.eu_permille,
        };
        [self.fast_permille.filter(|_| terms.fast), region]
            .into_iter()
            .flatten()
            .fold(card.rates, Rates::times_permille)
    }

    /// What `usage` costs under `terms`.
    pub fn cost(&self, usage: &Usage, terms: Terms) -> Usd {
        self.rates(usage.input(), terms).cost(usage)
    }

    /// The bill for `usage` under `terms`: its non-empty lines.
    pub fn bill(&self, usage: &Usage, terms: Terms) -> Vec<Line> {
        let lines = self.rates(usage.input(), terms).lines(usage);
        lines.into_iter().filter(|line| line.tokens > 0).collect()
    }

    fn covers(&self, at: Time) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// Every known price. Later rows win over earlier ones for the same model and date, so an overlay
/// with a user's own prices is added last. The rows that ship with the product never overlap.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    rows: FxHashMap<Box<str>, Vec<Arc<PriceRow>>>,
    /// Other names of providers, and those under which they are listed.
    other_names: FxHashMap<Box<str>, Box<str>>,
    /// The rows that are a user's own.
    own: Vec<Arc<PriceRow>>,
    /// When the snapshot was taken, for showing the age of prices.
    pub taken: Option<Time>,
}

impl Catalog {
    /// An empty catalogue: every model is unpriced.
    pub fn new() -> Catalog {
        Catalog::default()
    }

    /// Adds a row; it wins over rows added before.
    pub fn add(&mut self, row: PriceRow) {
        self.rows.entry(row.model.as_ref().into()).or_default().push(Arc::new(row));
    }

    /// Adds a row of a user's own.
    pub fn add_own(&mut self, row: PriceRow) {
        let row = Arc::new(row);
        self.rows.entry(row.model.as_ref().into()).or_default().push(row.clone());
        self.own.push(row);
    }

    /// Whether a row of this catalogue is a user's own.
    pub fn is_own(&self, row: &Arc<PriceRow>) -> bool {
        self.own.iter().any(|own| Arc::ptr_eq(own, row))
    }

    /// Lets a provider be found under another name than it is listed by.
    pub fn also_called(&mut self, name: &str, listed_as: &str) {
        let listed_as = self.listed(listed_as).into();
        self.other_names.insert(name.into(), listed_as);
    }

    fn listed<'n>(&'n self, provider: &'n str) -> &'n str {
        self.other_names.get(provider).map_or(provider, |listed| listed)
    }

    /// The row for `model` at `provider` at the time `at`, or `None`: the call is unpriced.
    ///
    /// A dated snapshot (`gpt-4o-2024-08-06`, `claude-opus-4-5-20251101`) without a row of its own
    /// is priced as the model it is a snapshot of. A provider unknown to the catalogue (a base URL
    /// of the user's own) is not guessed: only an overlay prices it.
    pub fn find(&self, provider: &str, model: &str, at: Time) -> Option<&Arc<PriceRow>> {
        let provider = self.listed(provider);
        self.exact(provider, model, at).or_else(|| self.exact(provider, without_date(model)?, at))
    }

    fn exact(&self, provider: &str, model: &str, at: Time) -> Option<&Arc<PriceRow>> {
        let rows = self.rows.get(model)?;
        rows.iter().rev().find(|row| row.provider.as_ref() == provider && row.covers(at))
    }

    /// From when and until when `row`, which was found at the time `at`, is the one that counts,
    /// with the rows that win over it in view. `None`: no such day is known.
    pub fn validity(&self, row: &PriceRow, at: Time) -> (Option<Time>, Option<Time>) {
        let same = |time: Time| {
            self.exact(&row.provider, &row.model, time).is_some_and(|found| found.as_ref() == row)
        };
        let rows = self.rows.get(row.model.as_ref()).into_iter().flatten();
        let days = rows
            .filter(|other| other.provider == row.provider)
            .flat_map(|other| [other.from, other.until])
            .flatten()
            // Days further away than a time can tell are no days.
            .filter(|day| Time::from_nanos(i64::MIN) < *day && *day < Time::NEVER);
        let before = |day: Time| Time::from_nanos(day.nanos() - 1);
        let from = days.clone().filter(|day| *day <= at && !same(before(*day))).max();
        let until = days.filter(|day| at < *day && !same(*day)).min();
        (from, until)
    }

    /// Every row, in no order.
    pub fn rows(&self) -> impl Iterator<Item = &Arc<PriceRow>> {
        self.rows.values().flatten()
    }

    /// Every provider that serves a model of this name.
    pub fn providers_of(&self, model: &str) -> Vec<Arc<str>> {
        let mut providers: Vec<Arc<str>> =
            self.rows.get(model).into_iter().flatten().map(|row| row.provider.clone()).collect();
        providers.sort();
        providers.dedup();
        providers
    }
}

/// `model` without a trailing `-20251101`, `@20251101` (Vertex) or `-2024-08-06`.
pub fn without_date(model: &str) -> Option<&str> {
    let is_date = |text: &str| {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        digits == 8
            && text.starts_with("20")
            && text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
    };
    [9, 11].into_iter().find_map(|length| {
        let (stem, date) = model.split_at_checked(model.len().checked_sub(length)?)?;
        is_date(date.strip_prefix(['-', '@'])?).then_some(stem)
    })
}

#[cfg(test)]
mod tests;
