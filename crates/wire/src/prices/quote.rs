//! What a call would cost: `scrimp price`.
//!
//! The names people type are looser than those that records carry: without a provider, with one in
//! front, misspelt. So the row that was used is always named, and an unknown model is an error that
//! lists its nearest names, never a price of zero.

use std::sync::Arc;

use scrimp_core::money::Usd;
use scrimp_core::price::{Catalog, Class, PriceRow, Rates, Region, Terms, Tier, without_date};
use scrimp_core::time::Time;
use scrimp_core::usage::{MOST_TOKENS, Usage};
use serde::{Deserialize, Serialize};

use super::nearest::nearest;
use super::provider::{of_people, preference, vendor_of};
use super::snapshot::{day_of, midnight};

/// A priced call. Its JSON is part of the product's interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// The model, as its provider calls it.
    pub model: Arc<str>,
    /// Whose price it is.
    pub provider: Arc<str>,
    /// The sum of the lines.
    pub usd: Usd,
    /// A line for each class of tokens that was used.
    pub lines: Vec<QuoteLine>,
    /// The first day (`2026-07-30`, UTC) of this price, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The day before whose start this price ends, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// What the same call costs from that day on, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then_usd: Option<Usd>,
    /// What a reader should know: a provider was chosen, a tier has no price of its own, the price
    /// changes on a day.
    pub notes: Vec<String>,
}

/// One line of a [`Quote`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuoteLine {
    /// The class of tokens.
    pub what: Class,
    /// How many.
    pub tokens: u64,
    /// Dollars per million of them, exact.
    pub usd_per_million: String,
    /// Dollars for all of them.
    pub usd: Usd,
}

/// Why there is no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpriced {
    /// Nobody serves a model of this name.
    #[error("no price is known for `{model}`{}", did_you_mean(nearest))]
    Unknown {
        /// As it was asked for.
        model: String,
        /// Similar names, as `provider/model`, the nearest first.
        nearest: Vec<String>,
    },
    /// There are prices for the model, but not for that date.
    #[error("`{provider}/{model}` has no price at that date")]
    NotThen {
        /// Who serves it.
        provider: Arc<str>,
        /// The model.
        model: Arc<str>,
    },
    /// A count that no call can have.
    #[error("{tokens} {what} tokens are more than any call has (2^40)")]
    TooMany {
        /// The class.
        what: &'static str,
        /// The count.
        tokens: u64,
    },
}

fn did_you_mean(nearest: &[String]) -> String {
    match nearest {
        [] => "; give your own in a price overlay".to_owned(),
        names => format!("; did you mean {}?", names.join(", ")),
    }
}

/// Prices `usage` of `model` at the time `at`.
///
/// `model` may carry its provider in front (`anthropic/claude-opus-5`); `provider` then may be left
/// out. With neither, the vendor's own price is taken before a host's.
pub fn quote(
    catalog: &Catalog,
    provider: Option<&str>,
    model: &str,
    usage: &Usage,
    terms: Terms,
    at: Time,
) -> Result<Quote, Unpriced> {
    refuse_hostile(usage)?;
    let (row, mut notes) = resolve(catalog, provider, model, at)?;
    notes.extend(notes_on(&row, terms));
    let (from, until) = catalog.validity(&row, at);
    let then = until.and_then(|until| catalog.find(&row.provider, &row.model, until));
    let (from, until) = (from.map(day_of), until.map(day_of));
    let rates = |row: &PriceRow| row.rates(usage.input(), terms);
    notes.extend(note_on_days(
        from.as_deref(),
        until.as_deref(),
        &rates(&row),
        then.map(|then| rates(then)).as_ref(),
    ));
    let lines: Vec<QuoteLine> = row
        .bill(usage, terms)
        .into_iter()
        .map(|line| QuoteLine {
            what: line.class,
            tokens: line.tokens,
            usd_per_million: line.rate.per_million(),
            usd: line.usd,
        })
        .collect();
    let usd = lines.iter().map(|line| line.usd).sum();
    Ok(Quote {
        model: row.model.clone(),
        provider: row.provider.clone(),
        usd,
        lines,
        from,
        until,
        then_usd: then.map(|then| then.cost(usage, terms)),
        notes,
    })
}

/// From when until when a price is valid, and what comes then.
fn note_on_days(
    from: Option<&str>,
    until: Option<&str>,
    now: &Rates,
    then: Option<&Rates>,
) -> Option<String> {
    let from = from.map(|day| format!(" from {day}")).unwrap_or_default();
    let Some(until) = until else {
        return (!from.is_empty()).then(|| format!("valid{from}"));
    };
    let then = match then {
        None => "no price is known".to_owned(),
        Some(then) if then == now => "the same for such a call".to_owned(),
        Some(Rates { input, output, .. }) => {
            format!("${}/M for input, ${}/M for output", input.per_million(), output.per_million())
        }
    };
    Some(format!("valid{from} until {until}, then {then}"))
}

fn refuse_hostile(usage: &Usage) -> Result<(), Unpriced> {
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
    let counts = [
        ("uncached", uncached),
        ("cache-read", cache_read),
        ("cache-write-short", cache_write_short),
        ("cache-write-long", cache_write_long),
        ("audio input", audio_input),
        ("image input", image_input),
        ("output", output),
        ("reasoning", reasoning),
        ("audio output", audio_output),
    ];
    match counts.into_iter().find(|(_, tokens)| MOST_TOKENS < *tokens) {
        Some((what, tokens)) => Err(Unpriced::TooMany { what, tokens }),
        None => Ok(()),
    }
}

/// The row that prices `model`, and what to say about the choice.
pub fn resolve(
    catalog: &Catalog,
    provider: Option<&str>,
    model: &str,
    at: Time,
) -> Result<(Arc<PriceRow>, Vec<String>), Unpriced> {
    let found = |provider, model| catalog.find(provider, model, at).cloned();
    let provider = provider.map(of_people);
    if let Some(row) = provider.and_then(|provider| found(provider, model)) {
        return Ok((row, Vec::new()));
    }
    if let Some((named, rest)) = model.split_once('/') {
        let own = of_people(named);
        if let Some(row) = found(own, rest) {
            let renamed = (own != named).then(|| format!("{named} is listed as {own}"));
            return Ok((row, renamed.into_iter().collect()));
        }
        // Hosts sell models under `vendor/model`. Whoever names the vendor of a model that only it
        // makes asks for its own price; open weights are the hosts' to sell.
        if own != named && vendor_of(rest) == Some(own) && !rest.starts_with("gemma") {
            return Err(missing(catalog, &[own.into()], rest));
        }
    }
    let hosts = match provider {
        Some(provider) => vec![provider.into()],
        None => hosts_of(catalog, model),
    };
    let mut rows = hosts.iter().filter_map(|host| found(host, model));
    let Some(row) = rows.next() else { return Err(missing(catalog, &hosts, model)) };
    let others: Vec<Arc<str>> = rows.map(|row| row.provider.clone()).collect();
    let note = match others.len() {
        0 => None,
        n @ 1..=3 => Some(format!("priced at {}; {n} more: {}", row.provider, others.join(", "))),
        n => Some(format!(
            "priced at {}; {n} more, such as {}",
            row.provider,
            others[..3].join(", ")
        )),
    };
    Ok((row, note.into_iter().collect()))
}

/// Who serves `model`, the preferred one first.
fn hosts_of(catalog: &Catalog, model: &str) -> Vec<Arc<str>> {
    let mut hosts = catalog.providers_of(model);
    if let (true, Some(stem)) = (hosts.is_empty(), without_date(model)) {
        hosts = catalog.providers_of(stem);
    }
    hosts.sort_by_key(|host| (preference(host, model), host.clone()));
    hosts
}

fn missing(catalog: &Catalog, hosts: &[Arc<str>], model: &str) -> Unpriced {
    let at_other_times =
        |row: &&Arc<PriceRow>| row.model.as_ref() == model && hosts.contains(&row.provider);
    if let Some(row) = catalog.rows().find(at_other_times) {
        return Unpriced::NotThen { provider: row.provider.clone(), model: row.model.clone() };
    }
    let wanted = model.rsplit('/').next().unwrap_or(model);
    let mut names: Vec<&str> = catalog.rows().map(|row| row.model.as_ref()).collect();
    names.sort_unstable();
    names.dedup();
    let nearest = nearest(wanted, names.into_iter(), 5);
    let with_host = |name: &str| match hosts_of(catalog, name).first() {
        Some(host) => format!("{host}/{name}"),
        None => name.to_owned(),
    };
    Unpriced::Unknown {
        model: model.to_owned(),
        nearest: nearest.into_iter().map(with_host).collect(),
    }
}

/// What the terms ask for that the row has no price for.
fn notes_on(row: &PriceRow, terms: Terms) -> Vec<String> {
    let name = &row.model;
    let mut notes = Vec::new();
    if !row.cards.iter().any(|card| card.tier == terms.tier) {
        let tier = format!("{:?}", terms.tier).to_lowercase();
        notes.push(format!("{name} has no {tier} price here: billed as standard"));
    }
    if terms.fast && row.fast_permille.is_none() {
        notes.push(format!("{name} has no price for fast mode here: left out"));
    }
    let uplift = match terms.region {
        Region::Global => Some(1_000),
        Region::Us => row.us_permille,
        Region::Eu => row.eu_permille,
    };
    if uplift.is_none() {
        notes.push(format!("{name} has no price for a region here: left out"));
    }
    notes
}

/// A line of `scrimp price --batch`: many questions in one go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The model, with or without its provider in front.
    pub model: String,
    /// Its provider.
    #[serde(default)]
    pub provider: Option<String>,
    /// Tokens by class.
    #[serde(default)]
    pub usage: Usage,
    /// The service tier.
    #[serde(default)]
    pub tier: Tier,
    /// Fast mode.
    #[serde(default)]
    pub fast: bool,
    /// A region that inference is confined to.
    #[serde(default)]
    pub region: Region,
    /// The day (UTC) whose prices count.
    #[serde(default)]
    pub at: Option<String>,
}

/// Answers one line of `scrimp price --batch`: the quote, or `{"model", "error"}`. Without a date of
/// its own a question is about `now`.
pub fn answer(catalog: &Catalog, line: &str, now: Time) -> String {
    let failed = |model: Option<&str>, error: String| {
        serde_json::json!({ "model": model, "error": error }).to_string()
    };
    let question: Question = match serde_json::from_str(line) {
        Ok(question) => question,
        Err(error) => return failed(None, error.to_string()),
    };
    let Question { model, provider, usage, tier, fast, region, at } = question;
    let at = match at.as_deref().map(|day| midnight(day).ok_or(day)) {
        None => now,
        Some(Ok(at)) => at,
        Some(Err(day)) => return failed(Some(&model), format!("`{day}` is no day")),
    };
    let terms = Terms { tier, fast, region };
    match quote(catalog, provider.as_deref(), &model, &usage, terms, at) {
        Ok(quote) => serde_json::to_string(&quote).expect("a quote is plain data"),
        Err(unpriced) => failed(Some(&model), unpriced.to_string()),
    }
}
