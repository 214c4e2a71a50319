//! Looking into a price list: the rows whose names fit, and a row as scripts and the dashboard get it.

use std::collections::BTreeSet;
use std::sync::Arc;

use scrimp_core::money::Rate;
use scrimp_core::price::{CacheKind, CacheRules, Card, Catalog, PriceRow, Tier};
use scrimp_core::{Span, Time};
use serde::Serialize;

use super::Contexts;

/// A model and what it costs.
#[derive(Clone, Debug, Serialize)]
pub struct Listed<'r> {
    /// The name that the provider's API uses.
    pub model: &'r str,
    /// Who serves it.
    pub provider: &'r str,
    /// By tier and length; the first is standard from 0 on.
    pub cards: Vec<RateCard>,
    /// How its prompts are cached; `None`: not at all.
    pub cache: Option<Caching>,
    /// The longest input, in tokens; `None`: the list does not say.
    pub context: Option<u64>,
}

/// Dollars per million tokens by class, for one tier and length; `None`: no rate of its own.
#[derive(Clone, Debug, Serialize)]
pub struct RateCard {
    tier: Tier,
    above: u64,
    uncached: String,
    cache_read: Option<String>,
    cache_write_short: Option<String>,
    cache_write_long: Option<String>,
    output: String,
}

/// The rules of a prompt cache.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Caching {
    kind: CacheKind,
    min_tokens: u64,
    short_ms: f64,
    long_ms: Option<f64>,
    marks: u8,
    look_back: Option<u32>,
    step: u64,
}

/// The rows that hold at `now` and whose names have every word in them, by provider and model.
pub fn holding(catalog: &Catalog, words: &[String], now: Time) -> Vec<Arc<PriceRow>> {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let fits = |row: &&Arc<PriceRow>| {
        let name = format!("{}/{}", row.provider, row.model).to_lowercase();
        words.iter().all(|word| name.contains(word))
    };
    let names: BTreeSet<(&str, &str)> =
        catalog.rows().filter(fits).map(|row| (&*row.provider, &*row.model)).collect();
    let found = |(provider, model)| catalog.find(provider, model, now).cloned();
    names.into_iter().filter_map(found).collect()
}

impl<'r> Listed<'r> {
    /// A row of a list, with the longest input that its model takes.
    pub fn of(row: &'r PriceRow, contexts: &Contexts) -> Listed<'r> {
        Listed {
            model: &row.model,
            provider: &row.provider,
            cards: row.cards.iter().map(RateCard::of).collect(),
            cache: row.cache.map(Caching::of),
            context: contexts.of(&row.provider, &row.model),
        }
    }
}

impl RateCard {
    fn of(card: &Card) -> RateCard {
        let rates = &card.rates;
        RateCard {
            tier: card.tier,
            above: card.above,
            uncached: rates.input.per_million(),
            cache_read: rates.cache_read.map(Rate::per_million),
            cache_write_short: rates.cache_write_short.map(Rate::per_million),
            cache_write_long: rates.cache_write_long.map(Rate::per_million),
            output: rates.output.per_million(),
        }
    }
}

impl Caching {
    fn of(rules: CacheRules) -> Caching {
        let CacheRules { kind, min_tokens, short, long, marks, look_back, step } = rules;
        let long_ms = long.map(Span::as_millis_f64);
        let short_ms = short.as_millis_f64();
        Caching { kind, min_tokens, short_ms, long_ms, marks, look_back, step }
    }
}
