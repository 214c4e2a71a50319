//! The shipped price list: one line per model, in a text that diffs well and loads in milliseconds.
//!
//! ```text
//! [anthropic]
//! claude-opus-5 i=5 o=25 r=.5 w=6.25 l=10 | batch*.5 | us*1.1 | cache=claude/512
//! ```
//!
//! Rates are dollars per million tokens. A card that is a multiple of the standard card at the same
//! context length is written as that multiple, which is how the vendors state it; one that is not
//! stands out with rates of its own.

use std::fmt::Write as _;
use std::sync::Arc;

use scrimp_core::money::Rate;
use scrimp_core::price::{Card, Catalog, Class, PriceRow, Tier};
use scrimp_core::time::Time;

use super::cache_rules;
use super::card::{CLASSES, Sparse};
use super::multiplier;
use super::timeline::timelines;
use super::update::InUse;

/// The letter of each class, in the order of [`CLASSES`].
const LETTERS: [char; 9] = ['i', 'r', 'w', 'l', 'a', 'p', 'o', 't', 'v'];

const TIERS: [(Tier, &str); 5] = [
    (Tier::Standard, ""),
    (Tier::Batch, "batch"),
    (Tier::Flex, "flex"),
    (Tier::Priority, "priority"),
    (Tier::Ultrafast, "ultrafast"),
];

const HEADER: &str = "\
# Prices of language models, made by `cargo xtask prices` from LiteLLM's price map
# (model_prices_and_context_window.json, MIT licence, Copyright 2023 Berri AI). Do not edit:
# own prices go into an overlay. See docs/prices.md.
# Dollars per million tokens: i input, r cache read, w short cache write, l long cache write,
# a audio input, p image input, o output, t reasoning, v audio output.
# `batch*.5`: the standard card at the same length, times that. `>200k`: for requests whose whole
# input is longer. `cache=family/shortest prefix that is cached`.
";

/// A snapshot that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the price snapshot: {what}")]
pub struct NotASnapshot {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// The prices that ship with the product, each for its time.
pub fn snapshot() -> Catalog {
    InUse::shipped().catalog().expect("the shipped prices are tested")
}

/// The prices of a list and of other days, with what vendors have retired.
pub(super) fn compose(list: &str, dated: &str) -> Result<Catalog, NotASnapshot> {
    let List { taken, mut rows } = read(list)?;
    // Logs outlive lists: what a vendor has retired is still priced, unless the list has it.
    let retired = super::overlay(include_str!("../../data/retired.toml"));
    for row in retired.expect("the shipped rows are tested") {
        if !rows.iter().any(|(_, listed)| is_same_model(listed, &row)) {
            rows.push((0, row));
        }
    }
    let rows = timelines(rows, read(dated)?.rows)?;
    let mut catalog = catalog(taken, rows.into_iter());
    for (name, listed_as) in super::provider::OTHER_NAMES {
        catalog.also_called(name, listed_as);
    }
    Ok(catalog)
}

pub(super) fn is_same_model(one: &PriceRow, other: &PriceRow) -> bool {
    one.model == other.model && one.provider == other.provider
}

fn catalog(taken: Option<Time>, rows: impl Iterator<Item = PriceRow>) -> Catalog {
    let mut catalog = Catalog::new();
    catalog.taken = taken;
    rows.for_each(|row| catalog.add(row));
    catalog
}

/// Writes `rows`, taken on the day `taken` (`2026-11-23`) from `source`, as a snapshot.
/// Rows must be sorted by provider.
pub fn write(rows: &[PriceRow], taken: &str, source: &str) -> String {
    let mut text = format!("{HEADER}taken {taken}\nsource {source}\n");
    let mut provider = "";
    for row in rows {
        if row.provider.as_ref() != provider {
            provider = &row.provider;
            write_to(&mut text, format_args!("[{provider}]\n"));
        }
        write_row(&mut text, row);
    }
    text
}

fn write_to(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a string takes everything");
}

pub(super) fn write_row(text: &mut String, row: &PriceRow) {
    text.push_str(&row.model);
    for (n, card) in row.cards.iter().enumerate() {
        if 0 < n {
            let (_, tier) = TIERS.iter().find(|(tier, _)| *tier == card.tier).expect("all tiers");
            write_to(text, format_args!(" | {tier}"));
            match card.above {
                0 => (),
                above if above % 1_000 == 0 => write_to(text, format_args!(">{}k", above / 1_000)),
                above => write_to(text, format_args!(">{above}")),
            }
        }
        match multiple(row, card) {
            Some(factor) => write_to(text, format_args!("*{}", short(factor.to_string()))),
            None => write_rates(text, card),
        }
    }
    let multipliers =
        [("fast", row.fast_permille), ("us", row.us_permille), ("eu", row.eu_permille)];
    for (name, permille) in multipliers {
        if let Some(permille) = permille {
            let factor = Rate::new(permille.into(), 3).to_string();
            write_to(text, format_args!(" | {name}*{}", short(factor)));
        }
    }
    if let Some(rules) = row.cache {
        let family = cache_rules::family_of(&row.provider, &row.model).name;
        write_to(text, format_args!(" | cache={family}/{}", rules.min_tokens));
    }
    for (name, time) in [("from", row.from), ("until", row.until)] {
        if let Some(time) = time {
            write_to(text, format_args!(" | {name}={}", day_of(time)));
        }
    }
    text.push('\n');
}

fn write_rates(text: &mut String, card: &Card) {
    let sparse = Sparse::of(&card.rates);
    for (class, letter) in CLASSES.into_iter().zip(LETTERS) {
        if let Some(rate) = sparse.get(class) {
            write_to(text, format_args!(" {letter}={}", short(rate.per_million())));
        }
    }
}

/// What the standard card at the same length must be multiplied by to give `card`, if that is short.
fn multiple(row: &PriceRow, card: &Card) -> Option<Rate> {
    let standard = standard_at(&row.cards, card)?;
    let one = Rate::new(1, 0);
    let factor = one.times_ratio(card.rates.input, standard.get(Class::Uncached)?)?;
    let exact = standard.times_ratio(factor, one)? == Sparse::of(&card.rates);
    (exact && factor.to_string().len() < 7).then_some(factor)
}

fn standard_at(cards: &[Card], card: &Card) -> Option<Sparse> {
    let same = |other: &&Card| other.tier == Tier::Standard && other.above == card.above;
    let standard = cards.iter().find(same).filter(|_| card.tier != Tier::Standard)?;
    Some(Sparse::of(&standard.rates))
}

/// `.5` for `0.5`.
fn short(mut decimal: String) -> String {
    if decimal.starts_with("0.") {
        decimal.remove(0);
    }
    decimal
}

/// Reads a snapshot.
pub fn parse(text: &str) -> Result<Catalog, NotASnapshot> {
    let List { taken, rows } = read(text)?;
    Ok(catalog(taken, rows.into_iter().map(|(_, row)| row)))
}

/// A text in the notation of a snapshot.
pub(super) struct List {
    /// The day it was taken, if it says one.
    taken: Option<Time>,
    /// Each row with its line, counted from 1.
    pub(super) rows: Vec<(usize, PriceRow)>,
}

pub(super) fn read(text: &str) -> Result<List, NotASnapshot> {
    let mut list = List { taken: None, rows: Vec::new() };
    let mut provider: Arc<str> = "".into();
    for (n, line) in text.lines().enumerate() {
        let fail = |what| NotASnapshot { line: n + 1, what };
        match line.as_bytes().first() {
            None | Some(b'#') => (),
            Some(b'[') => provider = line[1..].strip_suffix(']').ok_or(fail("no `]`"))?.into(),
            _ if provider.is_empty() => {
                if let Some(day) = line.strip_prefix("taken ") {
                    list.taken = Some(midnight(day).ok_or(fail("no date"))?);
                }
            }
            _ => list.rows.push((n + 1, read_row(&provider, line).map_err(fail)?)),
        }
    }
    Ok(list)
}

/// The day (`2026-11-23`) that `time` is in, in UTC.
pub(super) fn day_of(time: Time) -> String {
    let at = jiff::Timestamp::from_second(time.secs()).unwrap_or_default();
    at.strftime("%Y-%m-%d").to_string()
}

/// The start of `day` (`2026-11-23`) in UTC.
pub(super) fn midnight(day: &str) -> Option<Time> {
    let date: jiff::civil::Date = day.parse().ok()?;
    let start = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Time::from_secs(start.timestamp().as_second()))
}

fn read_row(provider: &Arc<str>, line: &str) -> Result<PriceRow, &'static str> {
    let (model, rest) = line.split_once(' ').ok_or("no rates")?;
    let mut row = PriceRow {
        provider: provider.clone(),
        model: model.into(),
        from: None,
        until: None,
        cards: Vec::new(),
        fast_permille: None,
        us_permille: None,
        eu_permille: None,
        cache: None,
    };
    for part in rest.split(" | ") {
        read_part(&mut row, part)?;
    }
    if row.cards.first().is_none_or(|card| card.tier != Tier::Standard || card.above != 0) {
        return Err("the first card is not the standard one");
    }
    // Most rows have one card, and room for four would be most of what a list takes in memory.
    row.cards.shrink_to_fit();
    Ok(row)
}

fn read_part(row: &mut PriceRow, part: &str) -> Result<(), &'static str> {
    if let Some(cache) = part.strip_prefix("cache=") {
        let (family, min_tokens) = cache.split_once('/').ok_or("no minimum")?;
        let family = cache_rules::named(family).ok_or("an unknown cache family")?;
        let rates = &row.cards.first().ok_or("no rates")?.rates;
        row.cache = Some(family.of(min_tokens.parse().map_err(|_| "no minimum")?, rates));
        return Ok(());
    }
    if let Some(day) = part.strip_prefix("from=") {
        row.from = Some(midnight(day).ok_or("no date")?);
        return Ok(());
    }
    if let Some(day) = part.strip_prefix("until=") {
        row.until = Some(midnight(day).ok_or("no date")?);
        return Ok(());
    }
    if let Some((name, factor)) = part.split_once('*') {
        let permille = || multiplier(factor).map(Some).ok_or("no multiplier");
        match name {
            "fast" => row.fast_permille = permille()?,
            "us" => row.us_permille = permille()?,
            "eu" => row.eu_permille = permille()?,
            _ => row.cards.push(read_multiple(&row.cards, name, factor)?),
        }
        return Ok(());
    }
    let (head, rates) =
        part.split_at(if row.cards.is_empty() { 0 } else { part.find(' ').ok_or("no rates")? });
    let (tier, above) = read_head(head)?;
    row.cards.push(read_card(tier, above, rates)?);
    Ok(())
}

fn read_head(head: &str) -> Result<(Tier, u64), &'static str> {
    let (tier, above) = match head.split_once('>') {
        None => (head, 0),
        Some((tier, above)) => {
            let (count, unit) = above.strip_suffix('k').map_or((above, 1), |above| (above, 1_000));
            let above = count.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
            (tier, above.ok_or("no length")?)
        }
    };
    let (tier, _) = TIERS.iter().find(|(_, name)| *name == tier).ok_or("an unknown tier")?;
    Ok((*tier, above))
}

fn read_multiple(cards: &[Card], head: &str, factor: &str) -> Result<Card, &'static str> {
    let (tier, above) = read_head(head)?;
    let factor = digits(factor).ok_or("no multiplier")?;
    let like = |card: &&Card| card.tier == Tier::Standard && card.above == above;
    let standard = Sparse::of(&cards.iter().find(like).ok_or("a multiple of nothing")?.rates);
    let scaled = times(&standard, factor).and_then(|card| card.rates());
    Ok(Card { tier, above, rates: scaled.ok_or("a multiple that does not fit")? })
}

fn read_card(tier: Tier, above: u64, text: &str) -> Result<Card, &'static str> {
    let mut card = Sparse::default();
    for field in text.split(' ').filter(|field| !field.is_empty()) {
        let (letter, decimal) = field.split_once('=').ok_or("a rate without `=`")?;
        let known = |l: &char| letter.len() == 1 && letter.starts_with(*l);
        let position = LETTERS.iter().position(known).ok_or("an unknown class")?;
        card.set(CLASSES[position], Some(per_token(decimal).ok_or("a rate that is no number")?));
    }
    Ok(Card { tier, above, rates: card.rates().ok_or("no rate for input or output")? })
}

/// Dollars per token from dollars per million.
fn per_token(per_million: &str) -> Option<Rate> {
    let (mantissa, scale) = digits(per_million)?;
    Some(Rate::new(mantissa, scale + 6))
}

/// A card times a factor: nearly all are whole thousandths, which need no division.
fn times(card: &Sparse, (mantissa, scale): (u64, u8)) -> Option<Sparse> {
    let thousandths =
        3_u8.checked_sub(scale).map(|zeros| mantissa.saturating_mul(10_u64.pow(zeros.into())));
    let Some(permille) = thousandths.and_then(|factor| u32::try_from(factor).ok()) else {
        return card.times_ratio(Rate::new(mantissa, scale), Rate::new(1, 0));
    };
    let mut scaled = Sparse::default();
    for class in CLASSES {
        scaled.set(class, card.get(class).map(|rate| rate.times_permille(permille)));
    }
    Some(scaled)
}

/// A plain decimal's digits and how many of them stand after the point. Without an allocation:
/// there are twenty thousand of them in a snapshot.
fn digits(text: &str) -> Option<(u64, u8)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut mantissa: u64 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        mantissa = mantissa.checked_mul(10)?.checked_add(digit)?;
    }
    let scale = u8::try_from(fraction.len()).ok().filter(|scale| *scale <= 24)?;
    Some((mantissa, scale))
}

#[cfg(test)]
mod tests {
    use super::super::from_litellm;
    use super::*;

    #[test]
    fn what_is_written_reads_back_the_same() {
        let list = r#"{
            "m1": {"mode": "chat", "litellm_provider": "openai", "input_cost_per_token": 2.5e-06,
                "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.3e-07,
                "input_cost_per_token_above_272k_tokens": 5e-06,
                "output_cost_per_token_above_272k_tokens": 1.5e-05,
                "input_cost_per_token_batches": 1.25e-06, "output_cost_per_token_batches": 5.1e-06,
                "input_cost_per_token_priority": 5e-06, "output_cost_per_token_priority": 2e-05,
                "regional_processing_uplift_multiplier_eu": 1.1},
            "claude-opus-5-x": {"mode": "chat", "litellm_provider": "anthropic",
                "input_cost_per_token": 9.99999e-06, "output_cost_per_token": 5e-05,
                "cache_read_input_token_cost": 1e-06, "cache_creation_input_token_cost": 1.25e-05,
                "cache_creation_input_token_cost_above_1hr": 2e-05,
                "prompt_cache_min_tokens": 512.0, "provider_specific_entry": {"fast": 2, "us": 1.1}},
            "xai/g": {"mode": "chat", "litellm_provider": "xai", "input_cost_per_token": 2e-06,
                "output_cost_per_token": 6e-06, "input_cost_per_token_above_200k_tokens": 4e-06}
        }"#;
        let (rows, report) = from_litellm(list.as_bytes());
        assert_eq!((rows.len(), report.held.len()), (3, 0), "{report}");
        let catalog = parse(&write(&rows, "2026-11-23", "a test")).unwrap();
        for row in &rows {
            let at = catalog.taken.unwrap();
            let found = catalog.find(&row.provider, &row.model, at).unwrap();
            assert_eq!(found.as_ref(), row);
        }
    }

    #[test]
    fn a_damaged_snapshot_is_refused_with_its_line() {
        for (line, what) in [
            ("taken yesterday", "no date"),
            ("[p\nm i=1 o=1", "no `]`"),
            ("[p]\nm", "no rates"),
            ("[p]\nm i=1", "no rate for input or output"),
            ("[p]\nm i=1 o=x", "a rate that is no number"),
            ("[p]\nm i=1 o=1 z=1", "an unknown class"),
            ("[p]\nm i=1 o=1 | slow i=1 o=1", "an unknown tier"),
            ("[p]\nm i=1 o=1 | batch>9k*.5", "a multiple of nothing"),
            ("[p]\nm i=1 o=1 | cache=magic/1", "an unknown cache family"),
            ("[p]\nm i=1 o=1 | until=soon", "no date"),
        ] {
            assert_eq!(parse(line).unwrap_err().what, what, "{line}");
        }
    }
}
