//! `scrimp models`: what is known of each model.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Result, bail};
use scrimp_analysis::report::count;
use scrimp_core::money::Rate;
use scrimp_core::price::{CacheKind, CacheRules, Catalog, PriceRow};
use scrimp_tokens::{Basis, Vocabulary};
use scrimp_wire::prices::{Contexts, Listed, holding, quote};
use serde::Serialize;

use super::price::{catalog_in, now};
use super::{data_dir, prices};
use crate::args::Models;
use crate::ui;

/// A model as scripts get it.
#[derive(Serialize)]
struct Known<'a> {
    #[serde(flatten)]
    listed: Listed<'a>,
    vocabulary: Option<&'static str>,
    /// Whether `scrimp tokens` counts as the vendor does.
    exact: bool,
}

/// `scrimp models [FILTER…]`
pub(crate) fn run(arguments: &Models) -> Result<()> {
    let catalog = catalog_in(None, &arguments.data)?;
    let rows = holding(&catalog, &arguments.filter, now());
    if rows.is_empty() {
        bail!("{}", nothing(&catalog, &arguments.filter));
    }
    let contexts = Contexts::shipped();
    if arguments.json.json {
        let known = rows.iter().map(|row| model(row, contexts));
        return ui::print_json(&known.collect::<Vec<_>>());
    }
    let note = prices::note(data_dir(&arguments.data).ok().as_deref())?;
    ui::print(&(table(&rows, contexts)? + &ui::notes(note.as_slice())))
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
        listed: Listed::of(row, contexts),
        vocabulary: vocabulary.map(|vocabulary| vocabulary.encoding()),
        exact: vocabulary.is_some_and(|vocabulary| vocabulary.basis() == Basis::Published),
    }
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
