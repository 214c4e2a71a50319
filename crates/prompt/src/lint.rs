//! What prompts cost by section and model, and what a shorter form would save.
//!
//! Figures are of one call and of a thousand: means over all prompts that were given. Only input is
//! priced; how much a model answers is not in its prompt. *With caching* takes a thousand calls to
//! come within the life of a cache: the part that all begin with is written once and read 999 times.

mod cost;
mod prefix;
mod suggest;

use std::collections::BTreeMap;

use scrimp_core::Usd;
use scrimp_tokens::{PartKind, Request, Vocabulary};
use serde::Serialize;

use crate::examples::{self, Turns};
use crate::read::{Kind, Prompt};

pub use cost::{Model, uncached};
pub use suggest::Suggestion;

/// A prompt and the file that it is from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file, as people named it.
    pub file: String,
    /// The prompt.
    pub prompt: Prompt,
}

/// What was found in prompts. Its JSON is part of the product's interface.
#[derive(Clone, Debug, Serialize)]
pub struct Lint {
    /// How many prompts.
    pub prompts: u64,
    /// The model that sections and suggestions are counted for, the first of `models`.
    pub model: String,
    /// Tokens of one call.
    pub tokens: u64,
    /// Whether the vendor counts the same.
    pub exact: bool,
    /// Parts of a call, the instructions by heading.
    pub sections: Vec<Section>,
    /// What a thousand calls cost.
    pub models: Vec<Costs>,
    /// Examples in a call.
    pub examples: Share,
    /// Tools, the dearest first.
    pub tools: Vec<ToolCost>,
    /// What could be otherwise, what saves most first.
    pub suggestions: Vec<Suggestion>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// A part of a call.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// Of what kind it is.
    pub kind: &'static str,
    /// Its heading, where it has one.
    pub heading: Option<String>,
    /// Tokens in one call, on average.
    pub tokens: u64,
    /// Its share of the call.
    pub share: f64,
}

/// What a thousand calls cost with one model.
#[derive(Clone, Debug, Serialize)]
pub struct Costs {
    /// The model.
    pub model: String,
    /// Who serves it.
    pub provider: String,
    /// Tokens of one call.
    pub tokens: u64,
    /// Whether the vendor counts the same.
    pub exact: bool,
    /// Tokens that a cache can hold; 0 where the prefix is too short for it. `null`: the model has
    /// no prompt cache.
    pub cached_tokens: Option<u64>,
    /// Input of a thousand calls.
    pub usd_per_1000: Usd,
    /// The same with caching; `null` where the model has no cache.
    pub usd_per_1000_cached: Option<Usd>,
}

/// Examples.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Share {
    /// How many in all prompts.
    pub count: u64,
    /// Tokens in one call, on average.
    pub tokens: u64,
    /// Their share of the call.
    pub share: f64,
}

/// A tool.
#[derive(Clone, Debug, Serialize)]
pub struct ToolCost {
    /// Its name.
    pub name: String,
    /// Tokens in one call, on average. An estimate: no vendor documents what tools are turned into.
    pub tokens: u64,
    /// What they cost in a thousand calls, uncached.
    pub usd_per_1000: Usd,
    /// In how many of the prompts it was called.
    pub called_in: u64,
}

/// Looks at prompts. `models` is not empty; the first is what sections are counted for.
pub fn lint(sources: &[Source], models: &[Model]) -> Lint {
    let first = &models[0];
    let prompts = sources.len().max(1) as u64;
    let sizes = |model: &Model| {
        sources.iter().map(|source| whole(&source.prompt, model)).sum::<u64>() / prompts
    };
    let tokens = sizes(first);
    let share = |part: u64| ratio(part, tokens * prompts);
    let prefix = prefix::of(sources);
    let costs = models.iter().map(|model| {
        let tokens = sizes(model);
        cost::costs(
            model,
            tokens,
            prefix.tokens(model),
            sources.iter().all(|s| is_exact(&s.prompt, model)),
        )
    });
    let costs: Vec<Costs> = costs.collect();
    let tools = tools(sources, first, prompts);
    let mut notes: Vec<String> = prefix.notes(first, tokens).into_iter().collect();
    notes.extend(models.iter().filter_map(Model::notes));
    Lint {
        prompts,
        model: first.name(),
        tokens,
        exact: costs[0].exact,
        sections: sections(sources, first)
            .into_iter()
            .map(|((kind, heading), sum)| Section {
                kind,
                heading,
                tokens: sum / prompts,
                share: share(sum),
            })
            .collect(),
        examples: all_examples(sources, first, prompts, tokens),
        suggestions: suggest::suggestions(sources, first, &prefix, tokens, &tools),
        models: costs,
        tools,
        notes,
    }
}

/// Tokens of a whole prompt, as this model's provider would count them, about.
pub fn tokens(prompt: &Prompt, model: &Model) -> u64 {
    whole(prompt, model)
}

fn whole(prompt: &Prompt, model: &Model) -> u64 {
    match request(prompt) {
        Some(request) => {
            let parts = request.count(model.vocabulary, &model.row.model);
            parts.iter().map(|part| part.tokens).sum()
        }
        None => prompt.pieces.iter().map(|p| model.vocabulary.count(&p.text).tokens).sum(),
    }
}

fn is_exact(prompt: &Prompt, model: &Model) -> bool {
    match request(prompt) {
        Some(request) => {
            request.count(model.vocabulary, &model.row.model).iter().all(|part| part.exact)
        }
        None => model.vocabulary.count("").exact,
    }
}

fn request(prompt: &Prompt) -> Option<Request> {
    Request::read(&prompt.body.as_ref()?.to_string()).ok()
}

/// Tokens of one tool as a part of a request.
fn of_tool(definition: &serde_json::Value, vocabulary: Vocabulary, model: &str) -> u64 {
    let tokens = |tools: Vec<&serde_json::Value>| {
        let body = serde_json::json!({ "messages": [], "tools": tools }).to_string();
        let parts = Request::read(&body).map(|request| request.count(vocabulary, model));
        let mut parts = parts.into_iter().flatten();
        parts.find(|part| part.kind == PartKind::Tools).map_or(0, |part| part.tokens)
    };
    // What comes with any tools is not this one's.
    tokens(vec![definition, definition]).saturating_sub(tokens(vec![definition]))
}

type Named = (&'static str, Option<String>);

/// Tokens of all prompts by kind, and those of instructions by heading, in the order in which they
/// first come.
fn sections(sources: &[Source], model: &Model) -> Vec<(Named, u64)> {
    let mut order: Vec<Named> = Vec::new();
    let mut sums: BTreeMap<Named, u64> = BTreeMap::new();
    let mut add = |name: Named, tokens: u64| {
        if !sums.contains_key(&name) {
            order.push(name.clone());
        }
        *sums.entry(name).or_default() += tokens;
    };
    for Source { prompt, .. } in sources {
        let mut parts = 0;
        for tool in &prompt.tools {
            let tokens = of_tool(&tool.definition, model.vocabulary, &model.row.model);
            parts += tokens;
            add(("tools", None), tokens);
        }
        for piece in &prompt.pieces {
            for (heading, text) in by_heading(piece.kind, &piece.text) {
                let tokens = model.vocabulary.count(text).tokens;
                parts += tokens;
                add((piece.kind.name(), heading), tokens);
            }
        }
        // Names, images, what vendors write around messages.
        add(("other", None), whole(prompt, model).saturating_sub(parts));
    }
    let sum = |name: Named| {
        let sum = sums[&name];
        (name, sum)
    };
    order.into_iter().map(sum).filter(|(_, sum)| 0 < *sum).collect()
}

/// A text of instructions cut before its headings (`# …`, or a tag that stands alone).
fn by_heading(kind: Kind, text: &str) -> Vec<(Option<String>, &str)> {
    if kind != Kind::System {
        return vec![(None, text)];
    }
    let mut starts = vec![(0, None)];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let name = line.trim();
        let is_tag = name.starts_with('<') && name.ends_with('>') && !name.starts_with("</");
        if is_tag && !name.contains(' ') || name.starts_with('#') && name.contains("# ") {
            let heading = name.trim_matches(['#', '<', '>', ' ', '*']).to_owned();
            starts.push((at, Some(heading)));
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
    let cut = starts.iter().zip(ends).map(|((from, name), to)| (name.clone(), &text[*from..to]));
    cut.filter(|(_, part)| !part.trim().is_empty()).collect()
}

fn all_examples(sources: &[Source], model: &Model, prompts: u64, tokens: u64) -> Share {
    let mut sum = Share::default();
    for Source { prompt, .. } in sources {
        for example in examples::find(prompt, Turns::Said) {
            sum.count += 1;
            let texts =
                example.parts.iter().map(|(at, range)| &prompt.pieces[*at].text[range.clone()]);
            sum.tokens += texts.map(|text| model.vocabulary.count(text).tokens).sum::<u64>();
        }
    }
    sum.share = ratio(sum.tokens, tokens * prompts);
    sum.tokens /= prompts;
    sum
}

fn tools(sources: &[Source], model: &Model, prompts: u64) -> Vec<ToolCost> {
    let mut all: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut known: Vec<(&serde_json::Value, u64)> = Vec::new();
    for Source { prompt, .. } in sources {
        for tool in &prompt.tools {
            let seen = known.iter().find(|(other, _)| **other == tool.definition);
            let tokens = match seen {
                Some((_, tokens)) => *tokens,
                None => of_tool(&tool.definition, model.vocabulary, &model.row.model),
            };
            if seen.is_none() {
                known.push((&tool.definition, tokens));
            }
            let (sum, called) = all.entry(&tool.name).or_default();
            *sum += tokens;
            *called += u64::from(prompt.called.contains(&tool.name));
        }
    }
    let told = |(name, (sum, called_in)): (&str, (u64, u64))| ToolCost {
        name: name.to_owned(),
        tokens: sum / prompts,
        usd_per_1000: cost::uncached(model, sum / prompts),
        called_in,
    };
    let mut tools: Vec<ToolCost> = all.into_iter().map(told).collect();
    tools.sort_by_key(|tool| std::cmp::Reverse(tool.tokens));
    tools
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
