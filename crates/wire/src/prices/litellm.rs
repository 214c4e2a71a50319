//! `LiteLLM`'s price map (`model_prices_and_context_window.json`, MIT) to price rows.
//!
//! Numbers are taken from the JSON text and never become floats. An entry's fields are a base name
//! (`cache_creation_input_token_cost`), then a life (`_above_1hr`), then a context length
//! (`_above_200k_tokens`), then a tier (`_batches`); the tables below are that grammar.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use scrimp_core::money::Rate;
use scrimp_core::price::{Class, PriceRow, Tier};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::card::{Cards, Missing, add_half_price_batch, complete};
use super::doubt;
use super::provider::{model_of, of_litellm};
use super::report::{Doubt, Held, Report};
use super::{cache_rules, multiplier};

/// The fields of a rate, longest first where one begins with another.
const CLASSES: &[(&str, Class)] = &[
    ("input_cost_per_token", Class::Uncached),
    ("output_cost_per_token", Class::Output),
    ("cache_read_input_token_cost", Class::CacheRead),
    ("cache_creation_input_token_cost_above_12hr", Class::CacheWriteLong),
    ("cache_creation_input_token_cost_above_1hr", Class::CacheWriteLong),
    ("cache_creation_input_token_cost", Class::CacheWriteShort),
    ("input_cost_per_audio_token", Class::AudioInput),
    ("input_cost_per_image_token", Class::ImageInput),
    ("output_cost_per_reasoning_token", Class::Reasoning),
    ("output_cost_per_audio_token", Class::AudioOutput),
];

/// An older name for the rate of cached input.
const OLD_CACHE_READ: &str = "input_cost_per_token_cache_hit";

/// The endings of a tier.
const TIERS: &[(&str, Tier)] = &[
    ("", Tier::Standard),
    ("_batches", Tier::Batch),
    ("_flex", Tier::Flex),
    ("_priority", Tier::Priority),
    ("_ultrafast", Tier::Ultrafast),
];

/// Kinds of models that are billed by the token of text.
const MODES: &[&str] = &["chat", "responses", "completion", "embedding"];

/// Providers whose long-context price begins *at* the length in a field's name instead of above it
/// (docs.x.ai, "Models and pricing": requests that reach 200k tokens).
const REACHING_IS_ENOUGH: &[&str] = &["xai"];

type Fields<'j> = BTreeMap<Cow<'j, str>, &'j RawValue>;

/// Reads `LiteLLM`'s price map. What is doubtful is in the report and not in the rows; the rows are
/// sorted by provider and model.
pub fn from_litellm(json: &[u8]) -> (Vec<PriceRow>, Report) {
    let mut report = Report::default();
    let entries: BTreeMap<String, &RawValue> = match serde_json::from_slice(json) {
        Ok(entries) => entries,
        Err(error) => {
            report.hold("the list", None, Doubt::Malformed(error.to_string()));
            return (Vec::new(), report);
        }
    };
    let mut rows = BTreeMap::new();
    for (name, entry) in &entries {
        if name == "sample_spec" {
            continue;
        }
        report.entries += 1;
        if let Some(row) = read_entry(name, entry, &mut report) {
            add(&mut rows, name, row, &mut report);
        }
    }
    report.rows = rows.len();
    (rows.into_values().collect(), report)
}

/// Of two entries for one model the one with more cards stays: the other is an older copy.
fn add(
    rows: &mut BTreeMap<(String, String), PriceRow>,
    name: &str,
    row: PriceRow,
    report: &mut Report,
) {
    match rows.entry((row.provider.to_string(), row.model.to_string())) {
        Slot::Vacant(slot) => {
            slot.insert(row);
        }
        Slot::Occupied(mut slot) => {
            report.repeated += 1;
            let kept = slot.get_mut();
            if kept.cards[0].rates != row.cards[0].rates {
                report.hold(name, None, Doubt::Conflict);
            }
            let mut row = row;
            if kept.cards.len() < row.cards.len() {
                std::mem::swap(kept, &mut row);
            }
            // Either may lack the multipliers of regions.
            kept.fast_permille = kept.fast_permille.or(row.fast_permille);
            kept.us_permille = kept.us_permille.or(row.us_permille);
            kept.eu_permille = kept.eu_permille.or(row.eu_permille);
        }
    }
}

fn read_entry(name: &str, entry: &RawValue, report: &mut Report) -> Option<PriceRow> {
    let fields: Fields<'_> = match serde_json::from_str(entry.get()) {
        Ok(fields) => fields,
        Err(error) => {
            report.hold(name, None, Doubt::Malformed(error.to_string()));
            return None;
        }
    };
    let text = |field: &str| -> Option<Cow<'_, str>> {
        serde_json::from_str::<Text<'_>>(fields.get(field)?.get()).ok().map(|Text(text)| text)
    };
    let mode = text("mode").filter(|mode| MODES.contains(&mode.as_ref()));
    let (Some(mode), Some(litellm_provider)) = (mode, text("litellm_provider")) else {
        report.other_kinds += 1;
        return None;
    };
    let provider = of_litellm(&litellm_provider);
    let model = model_of(name, &litellm_provider);
    let mut cards = read_cards(name, &fields, report);
    if mode == "embedding" || model.contains("embed") {
        let card = cards.entry((Tier::Standard, 0)).or_default();
        card.set(Class::Output, card.get(Class::Output).or(Some(Rate::ZERO)));
    }
    doubt::check(name, &mut cards, report)?;
    if model.contains("claude") {
        doubt::check_half_price(name, &mut cards, report);
    }
    if REACHING_IS_ENOUGH.contains(&provider) {
        cards =
            cards.into_iter().map(|((t, above), c)| ((t, above.saturating_sub(1)), c)).collect();
    }
    if batches_are_half_price(provider, model) {
        add_half_price_batch(&mut cards);
    }
    let cards = complete(&mut cards, missing(provider, model));
    let cache = cards[0].rates.cache_read.map(|_| {
        let family = cache_rules::family_of(provider, model);
        let min_tokens = minimum(name, &fields, cache_rules::minimum(family, model), report);
        family.of(min_tokens, &cards[0].rates)
    });
    let [fast_permille, us_permille, eu_permille] = multipliers(&fields);
    Some(PriceRow {
        provider: provider.into(),
        model: model.into(),
        from: None,
        until: None,
        cards,
        fast_permille,
        us_permille,
        eu_permille,
        cache,
    })
}

#[derive(Deserialize)]
struct Text<'j>(#[serde(borrow)] Cow<'j, str>);

fn read_cards(name: &str, fields: &Fields<'_>, report: &mut Report) -> Cards {
    let mut cards = Cards::new();
    for (field, value) in fields {
        match meaning(field) {
            Some((class, tier, above)) => {
                let rate = read_rate(name, field, value, report);
                cards.entry((tier, above)).or_default().set(class, rate);
            }
            None if field.contains("cost") && field != OLD_CACHE_READ || field.contains("peak") => {
                *report.unused.entry(field.to_string()).or_default() += 1;
            }
            None => (),
        }
    }
    if let Some(value) = fields.get(OLD_CACHE_READ) {
        let card = cards.entry((Tier::Standard, 0)).or_default();
        if card.get(Class::CacheRead).is_none() {
            card.set(Class::CacheRead, read_rate(name, OLD_CACHE_READ, value, report));
        }
    }
    if let Some(ranges) = fields.get("tiered_pricing") {
        read_ranges(name, ranges, &mut cards, report);
    }
    cards
}

/// What a price field is the rate of.
fn meaning(field: &str) -> Option<(Class, Tier, u64)> {
    CLASSES.iter().find_map(|(base, class)| {
        let rest = field.strip_prefix(base)?;
        let (above, rest) = match rest.strip_prefix("_above_") {
            None => (0, rest),
            Some(rest) => {
                let (thousands, rest) = rest.split_once("k_tokens")?;
                (thousands.parse::<u64>().ok()?.checked_mul(1_000)?, rest)
            }
        };
        let (_, tier) = TIERS.iter().find(|(ending, _)| *ending == rest)?;
        Some((*class, *tier, above))
    })
}

fn read_rate(name: &str, field: &str, value: &RawValue, report: &mut Report) -> Option<Rate> {
    let text = value.get().trim_matches('"');
    if text == "null" {
        return None;
    }
    let doubt = match text.parse::<Rate>() {
        Ok(rate) => return Some(without_noise(rate)),
        Err(_) if text.starts_with('-') => Doubt::Negative(text.to_owned()),
        Err(_) => Doubt::NotANumber(text.to_owned()),
    };
    report.hold(name, Some(field), doubt);
    None
}

/// The decimal that was published. Some entries went through somebody's binary floats and say
/// `2.9999900000000002e-06`: with 16 digits and more the last ones are noise.
fn without_noise(rate: Rate) -> Rate {
    rate.rounded_to_digits(15)
}

/// `tiered_pricing`: a list of `{range: [from, to], input_cost_per_token, …}`.
fn read_ranges(name: &str, ranges: &RawValue, cards: &mut Cards, report: &mut Report) {
    let Ok(ranges) = serde_json::from_str::<Vec<Fields<'_>>>(ranges.get()) else {
        return report.hold(name, Some("tiered_pricing"), Doubt::Malformed("no list".to_owned()));
    };
    for range in ranges {
        let from = range.get("range").and_then(|range| {
            let ends: Vec<&RawValue> = serde_json::from_str(range.get()).ok()?;
            whole(ends.first()?)
        });
        let Some(from) = from else {
            let doubt = Doubt::Malformed("a range without its start".to_owned());
            report.hold(name, Some("tiered_pricing"), doubt);
            continue;
        };
        for (field, value) in &range {
            if let Some((class, Tier::Standard, 0)) = meaning(field) {
                let rate = read_rate(name, field, value, report);
                cards.entry((Tier::Standard, from)).or_default().set(class, rate);
            }
        }
    }
}

/// A whole number, also where it is written `4096.0`.
fn whole(value: &RawValue) -> Option<u64> {
    let rate = value.get().parse::<Rate>().ok()?;
    rate.to_string().parse().ok()
}

/// The shortest prefix that is cached, by the list, else as `documented`.
fn minimum(name: &str, fields: &Fields<'_>, documented: u64, report: &mut Report) -> u64 {
    let listed = fields.get("prompt_cache_min_tokens").and_then(|value| whole(value));
    let Some(list) = listed else { return documented };
    if list != documented && name.contains("claude") {
        let doubt = Doubt::Minimum { list, documents: documented };
        report.hold(name, Some("prompt_cache_min_tokens"), doubt);
    }
    list
}

/// Fast mode, US only, EU only; in thousandths. Sources: Anthropic "Pricing" (fast mode, data
/// residency), `OpenAI` "Pricing" (regional processing), Google "Pricing" (non-global endpoints).
fn multipliers(fields: &Fields<'_>) -> [Option<u32>; 3] {
    let specific: Fields<'_> = fields
        .get("provider_specific_entry")
        .and_then(|entry| serde_json::from_str(entry.get()).ok())
        .unwrap_or_default();
    let of = |fields: &Fields<'_>, field: &str| multiplier(fields.get(field)?.get());
    let regional = of(fields, "regional_endpoint_uplift_multiplier");
    let us = of(fields, "regional_processing_uplift_multiplier_us").or(of(&specific, "us"));
    let eu = of(fields, "regional_processing_uplift_multiplier_eu").or(of(&specific, "eu"));
    [of(&specific, "fast"), us.or(regional), eu.or(regional)]
}

/// Whose tiers are discounts on every class. Sources: Anthropic "Batch processing" ("all usage is
/// charged at 50 % of the standard API prices", stacks with caching); `OpenAI` "Pricing", where every
/// tier lists cached input and writes at the tier's ratio. Google's are so on all but cached input:
/// "Flex inference" ("50% discount"), and every kind of input that its "Pricing" lists for a tier.
fn missing(provider: &str, model: &str) -> Missing {
    let openai = matches!(provider, "openai" | "azure") || model.starts_with("openai.");
    if openai || model.contains("claude") { Missing::Scaled } else { Missing::CacheAsStandard }
}

/// Whose batches cost half whatever the model. Sources: Anthropic "Batch processing", `OpenAI` "Batch
/// API", AWS and Google for Claude in batches ("50 % of on-demand").
fn batches_are_half_price(provider: &str, model: &str) -> bool {
    match provider {
        "openai" | "anthropic" => true,
        "bedrock" | "vertex_ai" => model.contains("claude"),
        _ => false,
    }
}

impl Report {
    pub(super) fn hold(&mut self, entry: &str, field: Option<&str>, doubt: Doubt) {
        self.held.push(Held { entry: entry.to_owned(), field: field.map(str::to_owned), doubt });
    }
}
