//! `scrimp models`: what is known of each model.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Result, bail};
use scrimp_analysis::report::count;
use scrimp_core::money::Rate;
use scrimp_core::price::{CacheKind, CacheRules, Card, Catalog, PriceRow};
use scrimp_core::{Span, Time};
use scrimp_tokens::{Basis, Vocabulary};
use scrimp_wire::prices::{Contexts, quote};
use serde::Serialize;

use super::price::{catalog_in, now};
use super::{data_dir, prices};
use crate::args::Models;
use crate::ui;

/// A model as scripts get it.
#[derive(Serialize)]
struct Known<'a> {
    model: &'a str,
    provider: &'a str,
    cards: Vec<RateCard>,
    cache: Option<Cache>,
    /// The longest input, in tokens; `null`: the list does not say.
    context: Option<u64>,
    vocabulary: Option<&'static str>,
    /// Whether `scrimp tokens` counts as the vendor does.
    exact: bool,
}

/// Dollars per million tokens by class, for one tier and length; `null`: no rate of its own.
#[derive(Serialize)]
struct RateCard {
    tier: scrimp_core::price::Tier,
    above: u64,
    uncached: String,
    cache_read: Option<String>,
    cache_write_short: Option<String>,
    cache_write_long: Option<String>,
    output: String,
}

#[derive(Serialize)]
struct Cache {
    kind: CacheKind,
    min_tokens: u64,
    short_ms: f64,
    long_ms: Option<f64>,
    marks: u8,
    look_back: Option<u32>,
    step: u64,
}

/// `scrimp models [FILTER…]`
pub(crate) fn run(arguments: &Models) -> Result<()> {
    let catalog = catalog_in(None, &arguments.data)?;
    let rows = chosen(&catalog, &arguments.filter, now());
    if rows.is_empty() {
        bail!("{}", nothing(&catalog, &arguments.filter));
    }
    let contexts = Contexts::shipped();
    if arguments.json.json {
        let known = rows.iter().map(|row| model(row, &contexts));
        return ui::print_json(&known.collect::<Vec<_>>());
    }
    let note = prices::note(data_dir(&arguments.data).ok().as_deref())?;
    ui::print(&(table(&rows, &contexts)? + &ui::notes(note.as_slice())))
}

/// The rows that hold at `now` and whose names have every word in them, by provider and model.
fn chosen(catalog: &Catalog, filter: &[String], now: Time) -> Vec<Arc<PriceRow>> {
    let words: Vec<String> = filter.iter().map(|word| word.to_lowercase()).collect();
    let fits = |row: &&Arc<PriceRow>| {
        let name = format!("{}/{}", row.provider, row.model).to_lowercase();
        words.iter().all(|word| name.contains(word))
    };
    let names: BTreeSet<(&str, &str)> =
        catalog.rows().filter(fits).map(|row| (&*row.provider, &*row.model)).collect();
    let found = |(provider, model)| catalog.find(provider, model, now).cloned();
    names.into_iter().filter_map(found).collect()
}

fn nothing(catalog: &Catalog, filter: &[String]) -> String {
    let filter = filter.join(" ");
    match quote::resolve(catalog, None, &filter, now()) {
        Err(error) => error.to_string(),
        Ok((row, _)) => format!("no model is called `{filter}`; did you mean {}?", row.model),
    }
}

fn model<'r>(row: &'r PriceRow, contexts: &Contexts) -> Known<'r> {
    let vocabulary = Vocabulary::of_model(&row.model);
    Known {
        model: &row.model,
        provider: &row.provider,
        cards: row.cards.iter().map(rates).collect(),
        cache: row.cache.map(cache),
        context: contexts.of(&row.provider, &row.model),
        vocabulary: vocabulary.map(|vocabulary| vocabulary.encoding()),
        exact: vocabulary.is_some_and(|vocabulary| vocabulary.basis() == Basis::Published),
    }
}

fn rates(card: &Card) -> RateCard {
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

fn cache(rules: CacheRules) -> Cache {
    let CacheRules { kind, min_tokens, short, long, marks, look_back, step } = rules;
    let long_ms = long.map(Span::as_millis_f64);
    Cache { kind, min_tokens, short_ms: short.as_millis_f64(), long_ms, marks, look_back, step }
}

fn table(rows: &[Arc<PriceRow>], contexts: &Contexts) -> Result<String> {
    let name = |row: &PriceRow| format!("{}/{}", row.provider, row.model);
    let longest = rows.iter().map(|row| name(row).chars().count()).max().unwrap_or(0).clamp(12, 60);
    let mut text = format!(
        "{:<longest$} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8}  cached from\n",
        "$ per million", "input", "read", "write", "long", "output", "context"
    );
    let rate = |rate: Option<Rate>| rate.map_or_else(|| "-".to_owned(), Rate::per_million);
    for row in rows {
        let rates = &row.cards[0].rates;
        let context = contexts.of(&row.provider, &row.model);
        let context = context.map_or_else(|| "-".to_owned(), count);
        let kind = |rules: CacheRules| match rules.kind {
            CacheKind::Marked => "marks",
            CacheKind::Breakpoints => "breakpoints",
            CacheKind::Automatic => "automatic",
        };
        let cache = row.cache.map(|rules| format!("{} tokens, {}", rules.min_tokens, kind(rules)));
        writeln!(
            text,
            "{:<longest$} {:>9} {:>9} {:>9} {:>9} {:>9} {context:>8}  {}",
            name(row),
            rates.input.per_million(),
            rate(rates.cache_read),
            rate(rates.cache_write_short),
            rate(rates.cache_write_long),
            rates.output.per_million(),
            cache.as_deref().unwrap_or("-"),
        )?;
    }
    Ok(text)
}
