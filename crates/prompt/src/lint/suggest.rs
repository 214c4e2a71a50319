//! Suggestions, each with its tokens and dollars.

use std::collections::BTreeMap;

use scrimp_core::Usd;
use serde::Serialize;

use super::cost::{self, Model};
use super::prefix::Prefix;
use super::{Source, ToolCost};
use crate::examples::{self, Turns};
use crate::read::{Kind, Piece};
use crate::rules::{self, Loss, RULES, Rule};

/// A repeated answer of a tool below this is not worth a word.
const FEWEST_TOKENS: u64 = 50;
const LONGEST_QUOTE: usize = 60;

/// Something that could be otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suggestion {
    /// The rule that found it.
    pub rule: &'static str,
    /// Where: a kind of piece, and a line where there is one.
    pub place: String,
    /// What stands there, or how much of it there is.
    pub found: String,
    /// What could be done.
    pub advice: &'static str,
    /// In how many of the prompts.
    pub prompts: u64,
    /// Tokens less in one call, on average.
    pub tokens: u64,
    /// Dollars less in a thousand calls, uncached.
    pub usd_per_1000: Usd,
    /// The same with caching; `null` where the model has no cache.
    pub usd_per_1000_cached: Option<Usd>,
    /// Whether `scrimp prompt rewrite` can do it.
    pub rewritable: bool,
}

/// Where a suggestion is: in what every call begins with, or behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Prefix,
    Behind,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    advice: &'static str,
    side: Side,
    prompts: u64,
    /// The last prompt counted, from 1 on.
    last: usize,
    pieces: u64,
    tokens: u64,
    rewritable: bool,
}

/// By rule, place and quote.
type All = BTreeMap<(&'static str, String, String), Found>;

/// What could be otherwise in `sources`, what saves most first.
pub(super) fn suggestions(
    sources: &[Source],
    model: &Model,
    prefix: &Prefix,
    tokens: u64,
    tools: &[ToolCost],
) -> Vec<Suggestion> {
    let mut all = All::new();
    for (number, source) in sources.iter().enumerate() {
        by_rules(number + 1, source, model, &mut all);
        tables(number + 1, source, model, &mut all);
        repeated_results(number + 1, source, model, &mut all);
    }
    let prompts = sources.len().max(1) as u64;
    unused(sources, tools, prompts, &mut all);
    many_examples(sources, model, &mut all);
    let kept = cost::kept(model, prefix.tokens(model).min(tokens));
    let told = |((rule, place, quote), found): ((&'static str, String, String), Found)| {
        let less = ((found.tokens + prompts / 2) / prompts).min(tokens);
        let kept_less = |kept: u64| match found.side {
            // The tokens are none that are cached, where none are.
            Side::Prefix => kept.saturating_sub(less),
            Side::Behind => kept,
        };
        let cached = |kept| {
            cost::cached(model, tokens, kept) - cost::cached(model, tokens - less, kept_less(kept))
        };
        Suggestion {
            rule,
            place,
            found: match quote.is_empty() {
                true => format!("{} places", found.pieces),
                false => quote,
            },
            advice: found.advice,
            prompts: found.prompts,
            tokens: less,
            usd_per_1000: cost::uncached(model, tokens) - cost::uncached(model, tokens - less),
            usd_per_1000_cached: kept.map(cached),
            rewritable: found.rewritable,
        }
    };
    let mut suggestions: Vec<Suggestion> = all.into_iter().map(told).collect();
    // Less than half a token a call.
    suggestions.retain(|suggestion| 0 < suggestion.tokens);
    suggestions.extend(breaker(model, prefix, tokens, prompts));
    suggestions.sort_by_key(|s| {
        let most = s.usd_per_1000.max(s.usd_per_1000_cached.unwrap_or(Usd::ZERO));
        (std::cmp::Reverse(most), s.place.clone())
    });
    suggestions
}

fn add(all: &mut All, key: (&'static str, String, String), number: usize, new: Found) {
    let found =
        all.entry(key).or_insert(Found { prompts: 0, last: 0, pieces: 0, tokens: 0, ..new });
    found.prompts += u64::from(found.last != number);
    found.last = number;
    found.pieces += 1;
    found.tokens += new.tokens;
}

fn found(advice: &'static str, side: Side, tokens: u64) -> Found {
    Found { advice, side, prompts: 1, last: 0, pieces: 1, tokens, rewritable: false }
}

fn side(kind: Kind) -> Side {
    if kind == Kind::System { Side::Prefix } else { Side::Behind }
}

/// What the rules of [`RULES`] find. In instructions every place is told, elsewhere their number.
fn by_rules(number: usize, source: &Source, model: &Model, all: &mut All) {
    let rules: Vec<&'static Rule> = RULES.iter().collect();
    for piece in &source.prompt.pieces {
        for (rule, spot) in rules::spots(&rules, piece.kind, &piece.text) {
            let long = &piece.text[spot.range.clone()];
            let count = |text: &str| model.vocabulary.count(text).tokens;
            let tokens = count(long).saturating_sub(count(&spot.instead));
            // Blank lines and rulers are many, and nobody wants to read each.
            let is_told = piece.kind == Kind::System && rule.name != "layout";
            let (place, quote) = match is_told {
                true => (placed(piece, spot.range.start), quoted(long)),
                false => (piece.kind.name().to_owned(), String::new()),
            };
            let rewritable = is_told || rule.loss == Loss::None || piece.kind == Kind::System;
            let new = Found { rewritable, ..found(rule.what, side(piece.kind), tokens) };
            add(all, (rule.name, place, quote), number, new);
        }
    }
    all.retain(|_, found| 0 < found.tokens);
}

/// Whole pieces that are a list of alike objects.
fn tables(number: usize, source: &Source, model: &Model, all: &mut All) {
    let count = |text: &str| model.vocabulary.count(text).tokens;
    for piece in source.prompt.pieces.iter().filter(|piece| piece.kind == Kind::ToolResult) {
        let Some(table) = rules::as_table(&piece.text) else { continue };
        let less = count(&rules::minified(&piece.text)).saturating_sub(count(&table));
        if 0 < less {
            let advice = "a list of alike objects: a table, beyond what JSON without blanks saves";
            let key = ("table", piece.kind.name().to_owned(), String::new());
            add(all, key, number, found(advice, Side::Behind, less));
        }
    }
}

/// What tools answered again, letter by letter.
fn repeated_results(number: usize, source: &Source, model: &Model, all: &mut All) {
    let mut said: Vec<&str> = Vec::new();
    for piece in source.prompt.pieces.iter().filter(|piece| piece.kind == Kind::ToolResult) {
        if !said.contains(&piece.text.as_str()) {
            said.push(&piece.text);
            continue;
        }
        let tokens = model.vocabulary.count(&piece.text).tokens;
        if FEWEST_TOKENS <= tokens {
            let advice = "a tool's answer that stands in the conversation already";
            let key = ("repeated", piece.kind.name().to_owned(), String::new());
            add(all, key, number, found(advice, Side::Behind, tokens));
        }
    }
}

/// Tools that none of several prompts called.
fn unused(sources: &[Source], tools: &[ToolCost], prompts: u64, all: &mut All) {
    if !sources.iter().any(|source| !source.prompt.called.is_empty()) || sources.len() < 2 {
        return;
    }
    for tool in tools.iter().filter(|tool| tool.called_in == 0) {
        let advice = "never called in these prompts: is it needed?";
        let new = found(advice, Side::Prefix, tool.tokens * prompts);
        add(all, ("unused tool", "tools".to_owned(), tool.name.clone()), 1, new);
    }
    for (key, found) in all.iter_mut().filter(|(key, _)| key.0 == "unused tool") {
        let has = |source: &&Source| source.prompt.tools.iter().any(|tool| tool.name == key.2);
        found.prompts = sources.iter().filter(has).count() as u64;
    }
}

/// Two examples and more may be fewer.
fn many_examples(sources: &[Source], model: &Model, all: &mut All) {
    for (number, Source { prompt, .. }) in sources.iter().enumerate() {
        let examples = examples::find(prompt, Turns::Said);
        if examples.len() < 2 {
            continue;
        }
        for example in &examples {
            let (at, _) = example.parts[0];
            let texts =
                example.parts.iter().map(|(at, range)| &prompt.pieces[*at].text[range.clone()]);
            let tokens = texts.map(|text| model.vocabulary.count(text).tokens).sum();
            let piece = &prompt.pieces[at];
            let advice = "an example: `scrimp prompt examples` measures whether it is needed";
            let place = placed(piece, example.parts[0].1.start);
            let key = ("example", place, quoted(&example.title));
            add(all, key, number + 1, found(advice, side(piece.kind), tokens));
        }
    }
}

/// What ends the prefix: nothing is shorter without it, but more is read from the cache.
fn breaker(model: &Model, prefix: &Prefix, tokens: u64, prompts: u64) -> Option<Suggestion> {
    let breaker = prefix.ended_by.as_ref()?;
    let then = prefix.tokens_without_end(model);
    let less = cost::dearer(model, tokens, then, prefix.tokens(model))?;
    Some(Suggestion {
        rule: "breaker",
        place: format!("system, line {}", prefix.line()),
        found: format!("{}, {}", quoted(&prefix.quote()), breaker.what),
        advice: "ends what a cache can hold: move it behind the instructions, or into the last message",
        prompts,
        tokens: 0,
        usd_per_1000: Usd::ZERO,
        usd_per_1000_cached: Some(less),
        rewritable: false,
    })
}

fn placed(piece: &Piece, at: usize) -> String {
    let line = piece.text[..at].matches('\n').count() + 1;
    format!("{}, line {line}", piece.kind.name())
}

fn quoted(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.chars().count() <= LONGEST_QUOTE {
        true => words,
        false => words.chars().take(LONGEST_QUOTE - 1).collect::<String>() + "…",
    }
}
