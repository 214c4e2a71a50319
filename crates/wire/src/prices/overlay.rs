//! A user's own prices: contracts, own hosts, models that no list has.
//!
//! ```toml
//! [[price]]
//! provider = "openai"
//! model = "gpt-5.6"
//! from = "2026-10-01"                  # from the start of that day in UTC
//! until = "2027-01-01"                 # until before it
//! input_per_million = "3.20"           # dollars; a bare 3.20 is as exact
//! cache_read_per_million = "0.32"
//! output_per_million = "16"
//!
//! [[price.card]]                       # other tiers, longer inputs
//! tier = "batch"
//! input_per_million = "1.60"
//! output_per_million = "8"
//! ```
//!
//! Own rows are added after the snapshot's and so win. A price of zero is believed here.

use std::ops::Range;

use scrimp_core::money::Rate;
use scrimp_core::price::{Class, PriceRow, Tier};
use scrimp_core::time::Time;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::card::{CLASSES, Cards, Missing, Sparse, complete};
use super::nearest::nearest;
use super::snapshot::midnight;
use super::{cache_rules, multiplier};

/// The field of each class, in the order of [`CLASSES`].
const RATES: [&str; 9] = [
    "input_per_million",
    "cache_read_per_million",
    "cache_write_short_per_million",
    "cache_write_long_per_million",
    "audio_input_per_million",
    "image_input_per_million",
    "output_per_million",
    "reasoning_per_million",
    "audio_output_per_million",
];

const ROW: [&str; 9] =
    ["provider", "model", "from", "until", "card", "fast", "us", "eu", "cache_min_tokens"];

const CARD: [&str; 2] = ["tier", "above"];

const TIERS: [(&str, Tier); 5] = [
    ("standard", Tier::Standard),
    ("batch", Tier::Batch),
    ("flex", Tier::Flex),
    ("priority", Tier::Priority),
    ("ultrafast", Tier::Ultrafast),
];

/// Beyond this many dollars per million tokens the unit is not understood.
const DEAREST: Rate = Rate::new(100_000, 0);

/// What is wrong with a file of own prices, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct NotAnOverlay {
    /// Counted from 1.
    pub line: usize,
    /// Counted in characters from 1.
    pub column: usize,
    /// What is wrong, and the way out.
    pub what: String,
}

type Result<T> = std::result::Result<T, Wrong>;

/// Where in the text (in bytes) something is wrong.
struct Wrong(Range<usize>, String);

/// Reads own prices. Add the rows to a catalogue after the snapshot's.
pub fn overlay(toml: &str) -> std::result::Result<Vec<PriceRow>, NotAnOverlay> {
    read(toml).map_err(|Wrong(span, what)| {
        let before = toml.get(..span.start).unwrap_or(toml);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        NotAnOverlay { line, column: before[start..].chars().count() + 1, what }
    })
}

fn read(toml: &str) -> Result<Vec<PriceRow>> {
    let table = DeTable::parse(toml)
        .map_err(|error| Wrong(error.span().unwrap_or(0..0), error.message().to_owned()))?;
    known(table.get_ref(), &["price"])?;
    let Some(prices) = table.get_ref().get("price") else { return Ok(Vec::new()) };
    tables(prices)?.into_iter().map(read_row).collect()
}

fn read_row(table: &Spanned<DeValue<'_>>) -> Result<PriceRow> {
    let fields = fields(table)?;
    known(fields, &[&ROW[..], &RATES[..]].concat())?;
    let provider = required(table, fields, "provider")?;
    let model = required(table, fields, "model")?;
    let mut cards = Cards::new();
    cards.insert((Tier::Standard, 0), read_rates(fields)?);
    for card in fields.get("card").map(tables).transpose()?.unwrap_or_default() {
        read_card(card, &mut cards)?;
    }
    for (class, name) in [(Class::Uncached, RATES[0]), (Class::Output, RATES[6])] {
        if cards[&(Tier::Standard, 0)].get(class).is_none() {
            return Err(Wrong(table.span(), format!("`{name}` is missing for {provider}/{model}")));
        }
    }
    let (from, until) = (date(fields, "from")?, date(fields, "until")?);
    if from.zip(until).is_some_and(|(from, until)| until <= from) {
        return Err(Wrong(fields["until"].span(), "`until` is not after `from`".to_owned()));
    }
    let cards = complete(&mut cards, Missing::Scaled);
    let family = cache_rules::family_of(&provider, &model);
    let min_tokens = count(fields, "cache_min_tokens")?;
    let has_cache = cards[0].rates.cache_read.is_some() || min_tokens.is_some();
    let min_tokens = min_tokens.unwrap_or_else(|| cache_rules::minimum(family, &model));
    Ok(PriceRow {
        from,
        until,
        cache: has_cache.then(|| family.of(min_tokens, &cards[0].rates)),
        cards,
        fast_permille: factor(fields, "fast")?,
        us_permille: factor(fields, "us")?,
        eu_permille: factor(fields, "eu")?,
        provider: provider.into(),
        model: model.into(),
    })
}

fn read_card(table: &Spanned<DeValue<'_>>, cards: &mut Cards) -> Result<()> {
    let fields = fields(table)?;
    known(fields, &[&CARD[..], &RATES[..]].concat())?;
    let tier = match fields.get("tier") {
        None => Tier::Standard,
        Some(value) => {
            let name = text(value)?;
            let tier = TIERS.iter().find(|(known, _)| *known == name).map(|(_, tier)| *tier);
            let names = TIERS.iter().map(|(name, _)| *name);
            tier.ok_or_else(|| Wrong(value.span(), unknown("tier", &name, names)))?
        }
    };
    let above = count(fields, "above")?.unwrap_or(0);
    if (tier, above) == (Tier::Standard, 0) {
        let what = "a card needs a `tier`, or `above` for inputs longer than that many tokens";
        return Err(Wrong(table.span(), what.to_owned()));
    }
    let card = read_rates(fields)?;
    if card.get(Class::Uncached).is_none() {
        return Err(Wrong(table.span(), format!("`{}` is missing in this card", RATES[0])));
    }
    cards.insert((tier, above), card);
    Ok(())
}

fn read_rates(fields: &DeTable<'_>) -> Result<Sparse> {
    let mut card = Sparse::default();
    for (class, name) in CLASSES.into_iter().zip(RATES) {
        let Some(value) = fields.get(name) else { continue };
        let wrong = |what: &str| Wrong(value.span(), format!("`{name}` {what}"));
        let per_million: Rate = number(value)?.parse().map_err(|_| {
            wrong("must be dollars per million tokens, zero or more, such as \"2.50\"")
        })?;
        if DEAREST < per_million {
            return Err(wrong("is dollars per million tokens; this is too much to be meant"));
        }
        let million = Rate::new(1_000_000, 0);
        let per_token = per_million.times_ratio(Rate::new(1, 0), million);
        card.set(class, Some(per_token.ok_or_else(|| wrong("has too many decimal places"))?));
    }
    Ok(card)
}

fn tables<'v, 't>(value: &'v Spanned<DeValue<'t>>) -> Result<Vec<&'v Spanned<DeValue<'t>>>> {
    match value.get_ref() {
        DeValue::Array(items) => Ok(items.iter().collect()),
        _ => Err(Wrong(value.span(), "write this as [[price]], with two brackets".to_owned())),
    }
}

fn fields<'v, 't>(value: &'v Spanned<DeValue<'t>>) -> Result<&'v DeTable<'t>> {
    match value.get_ref() {
        DeValue::Table(fields) => Ok(fields),
        _ => Err(Wrong(value.span(), "a table of fields is expected here".to_owned())),
    }
}

fn known(fields: &DeTable<'_>, names: &[&str]) -> Result<()> {
    match fields.keys().find(|key| !names.contains(&key.get_ref().as_ref())) {
        None => Ok(()),
        Some(key) => Err(Wrong(key.span(), unknown("field", key.get_ref(), names.iter().copied()))),
    }
}

fn unknown<'n>(kind: &str, name: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    if let Some(meant) = nearest(name, names.clone(), 1).first() {
        return format!("`{name}` is no {kind}; did you mean `{meant}`?");
    }
    let names: Vec<&str> = names.collect();
    format!("`{name}` is no {kind}; there are {}", names.join(", "))
}

fn required(table: &Spanned<DeValue<'_>>, fields: &DeTable<'_>, name: &str) -> Result<String> {
    match fields.get(name) {
        None => Err(Wrong(table.span(), format!("`{name}` is missing"))),
        Some(value) => match text(value)? {
            text if text.is_empty() => Err(Wrong(value.span(), format!("`{name}` is empty"))),
            text => Ok(text),
        },
    }
}

fn text(value: &Spanned<DeValue<'_>>) -> Result<String> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err(Wrong(value.span(), "a text in quotes is expected here".to_owned())),
    }
}

/// A number's digits as they stand in the file, quoted or not.
fn number(value: &Spanned<DeValue<'_>>) -> Result<String> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(integer) if integer.radix() == 10 => Ok(integer.as_str().to_owned()),
        DeValue::Float(float) => Ok(float.as_str().to_owned()),
        _ => Err(Wrong(value.span(), "a number is expected here".to_owned())),
    }
}

fn count(fields: &DeTable<'_>, name: &str) -> Result<Option<u64>> {
    let Some(value) = fields.get(name) else { return Ok(None) };
    let wrong = |_| Wrong(value.span(), format!("`{name}` must be a whole number of tokens"));
    number(value)?.parse().map(Some).map_err(wrong)
}

fn factor(fields: &DeTable<'_>, name: &str) -> Result<Option<u32>> {
    let Some(value) = fields.get(name) else { return Ok(None) };
    let wrong = || Wrong(value.span(), format!("`{name}` must be a multiplier such as 1.1"));
    multiplier(&number(value)?).map(Some).ok_or_else(wrong)
}

/// The start of a day in UTC, quoted or as TOML's own date.
fn date(fields: &DeTable<'_>, name: &str) -> Result<Option<Time>> {
    let Some(value) = fields.get(name) else { return Ok(None) };
    let day = match value.get_ref() {
        DeValue::Datetime(day) => day.to_string(),
        _ => text(value)?,
    };
    let wrong = || Wrong(value.span(), format!("`{name}` must be a day such as \"2026-11-23\""));
    midnight(&day).map(Some).ok_or_else(wrong)
}
