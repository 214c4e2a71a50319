//! The profile: how many calls, how long, how many tokens, how much money, by operation and model.
//!
//! One pass over the records, constant memory for each operation and model. What is not known is
//! counted as unknown and enters no sum: a call without usage is not a call of zero tokens, and a
//! model without a price is not free.

mod forecast;
mod spending;
mod stats;

use std::sync::Arc;

use rustc_hash::FxHashMap;
use scrimp_core::{Catalog, Dialect, Record, Span, Time, Usd};
use serde::Serialize;

pub use forecast::{Forecast, LEAST_DAYS};
pub use spending::{Spending, Spent};
pub use stats::{ClassTotal, Durations, Stats, Summary};

use crate::findings::Range;
use forecast::Ledger;
use spending::Weights;

/// What the times of the records are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calendar {
    /// Dates mean something.
    Real,
    /// Only gaps within a session mean something: nothing is extrapolated to a month.
    Relative,
}

/// Counts records, one by one.
#[derive(Debug)]
pub struct Profiler {
    prices: Arc<Catalog>,
    calendar: Calendar,
    groups: FxHashMap<Key, Group>,
    ledger: Ledger,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    operation: Arc<str>,
    provider: Arc<str>,
    model: Arc<str>,
}

#[derive(Debug)]
struct Group {
    dialect: Dialect,
    stats: Stats,
}

/// What was counted.
#[derive(Clone, Debug)]
pub struct Profile {
    /// All calls together.
    pub totals: Stats,
    /// By operation, the dearest first; at equal cost the more frequent first.
    pub operations: Vec<Operation>,
    /// Money extrapolated to a month, where the records cover enough time.
    pub forecast: Option<Forecast>,
    /// The arrival of the first and of the last call; `None` without calls, and where some have
    /// dates and others do not.
    pub period: Option<(Time, Time)>,
    /// Whether `period` means dates.
    pub calendar: Calendar,
    /// Calls, errors and money by hour, for charts; empty where times are relative.
    pub hours: Vec<Hour>,
    /// Where these are the latest calls of a longer time, which says what is claimed of a month.
    weights: Option<Weights>,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its name.
    pub name: Arc<str>,
    /// What it does: `chat`, `count_tokens`, `other`.
    pub kind: &'static str,
    /// All its calls together.
    pub stats: Stats,
    /// By model, the dearest first.
    pub models: Vec<Model>,
}

/// One model of an operation.
#[derive(Clone, Debug)]
pub struct Model {
    /// Who serves it.
    pub provider: Arc<str>,
    /// Its name in the provider's API.
    pub model: Arc<str>,
    /// Its calls.
    pub stats: Stats,
}

/// One hour of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// When it begins.
    pub at: Time,
    /// Calls that arrived in it.
    pub calls: u64,
    /// Of these, calls that failed.
    pub errors: u64,
    /// What they cost, as far as it is known.
    pub usd: Usd,
}

impl Profiler {
    /// Counts nothing yet. `prices` split costs by class of token.
    pub fn new(prices: Arc<Catalog>, calendar: Calendar) -> Profiler {
        Profiler { prices, calendar, groups: FxHashMap::default(), ledger: Ledger::default() }
    }

    /// From here on the times are counted from this. Once relative, the whole stays relative.
    pub fn note_calendar(&mut self, calendar: Calendar) {
        if calendar == Calendar::Relative {
            self.calendar = Calendar::Relative;
        }
    }

    /// Counts one record.
    pub fn see(&mut self, record: &Record) {
        let call = &record.call;
        let key = Key {
            operation: call.operation.clone(),
            provider: call.provider.clone(),
            model: call.model.clone(),
        };
        let group = self
            .groups
            .entry(key)
            .or_insert_with(|| Group { dialect: call.dialect, stats: Stats::default() });
        group.stats.see(record, &self.prices);
        self.ledger.see(record);
    }

    /// What was counted.
    pub fn profile(&self) -> Profile {
        let mut by_operation: FxHashMap<Arc<str>, Operation> = FxHashMap::default();
        let mut totals = Stats::default();
        for (Key { operation, provider, model }, Group { dialect, stats }) in &self.groups {
            totals.merge(stats);
            let whole = by_operation.entry(operation.clone()).or_insert_with(|| Operation {
                name: operation.clone(),
                kind: kind_of(*dialect, stats),
                stats: Stats::default(),
                models: Vec::new(),
            });
            whole.stats.merge(stats);
            let (provider, model) = (provider.clone(), model.clone());
            whole.models.push(Model { provider, model, stats: stats.clone() });
        }
        let mut operations: Vec<Operation> = by_operation.into_values().collect();
        let weight = |stats: &Stats| std::cmp::Reverse((stats.usd, stats.calls));
        operations.sort_by(|a, b| (weight(&a.stats), &a.name).cmp(&(weight(&b.stats), &b.name)));
        for operation in &mut operations {
            operation.models.sort_by(|a, b| {
                let (names_a, names_b) = ((&a.provider, &a.model), (&b.provider, &b.model));
                (weight(&a.stats), names_a).cmp(&(weight(&b.stats), names_b))
            });
        }
        let is_real = self.calendar == Calendar::Real;
        Profile {
            forecast: is_real.then(|| self.ledger.forecast()).flatten(),
            hours: if is_real { self.ledger.hours() } else { Vec::new() },
            period: self.ledger.period(),
            calendar: self.calendar,
            totals,
            operations,
            weights: None,
        }
    }
}

impl Profile {
    /// Counts every record at once.
    pub fn of<'a>(
        records: impl IntoIterator<Item = &'a Record>,
        prices: Arc<Catalog>,
        calendar: Calendar,
    ) -> Profile {
        let mut profiler = Profiler::new(prices, calendar);
        records.into_iter().for_each(|record| profiler.see(record));
        profiler.profile()
    }

    /// How much time the calls cover: from the first arrival to the last.
    pub fn covers(&self) -> Span {
        self.period.map_or(Span::ZERO, |(first, last)| last.since(first))
    }

    /// How much was spent in the time that a month is extrapolated from, for each dollar of calls
    /// like these that are counted here. `None` where it was on these calls alone.
    pub fn weight(
        &self,
        operation: &Arc<str>,
        provider: &Arc<str>,
        model: &Arc<str>,
    ) -> Option<f64> {
        let (operation, provider) = (operation.clone(), provider.clone());
        let key = Key { operation, provider, model: model.clone() };
        self.weights.as_ref().map(|weights| weights.weight(&key))
    }

    /// The days that a month is extrapolated from, where these are only the latest of their calls.
    pub fn longer_days(&self) -> Option<f64> {
        self.weights.as_ref().and(self.forecast).map(|forecast| forecast.days)
    }

    /// `usd` of the whole period as an amount a month; `None` where nothing is extrapolated.
    pub fn per_month(&self, usd: Usd) -> Option<Usd> {
        self.forecast.as_ref().map(|forecast| forecast.scale(usd))
    }

    /// A range of the whole period as a range a month: as wide as itself and as the volume of calls
    /// together. `None` where nothing is extrapolated.
    pub fn per_month_of(&self, usd: Range) -> Option<Range> {
        self.forecast.as_ref().map(|forecast| forecast.scale_range(usd))
    }
}

fn kind_of(dialect: Dialect, stats: &Stats) -> &'static str {
    match dialect {
        Dialect::OpenaiChat
        | Dialect::OpenaiResponses
        | Dialect::AnthropicMessages
        | Dialect::GeminiGenerate
        | Dialect::BedrockConverse => "chat",
        Dialect::OpenaiCompletions => "completion",
        Dialect::OpenaiEmbeddings | Dialect::GeminiEmbed => "embedding",
        Dialect::AnthropicCountTokens => "count_tokens",
        Dialect::Other if 0 < stats.usage.total_output() => "chat",
        Dialect::Other => "other",
    }
}

#[cfg(test)]
mod tests;
