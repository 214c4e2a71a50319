//! `scrimp whatif`: the same calls under other prompt-caching rules.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use scrimp_analysis::replay::{self, Basis, Row, VARIANTS, Variant, WhatIf};
use scrimp_analysis::report::count;
use scrimp_core::policy::prompt_cache::PromptCache;
use scrimp_server::Config;

use super::price::catalog;
use super::study;
use crate::args::{Reading, Whatif};
use crate::ui::{self, OrHint, dollars};

/// `scrimp whatif PATH…`
pub(crate) fn run(arguments: &Whatif) -> Result<()> {
    let files = arguments.policies.iter().map(|file| Ok((file, rules(file)?)));
    let files = files.collect::<Result<Vec<_>>>()?;
    let variants: Vec<Variant> = match arguments.prompt_cache.as_slice() {
        [] if !files.is_empty() => vec![Variant::None, Variant::Client],
        [] => VARIANTS.map(|(_, variant)| variant).to_vec(),
        modes => modes.to_vec(),
    };
    let prices = Arc::new(catalog(None)?);
    let calls =
        study::read_logs(&arguments.paths, arguments.format, arguments.model.as_deref(), &prices)?;
    let reading = match arguments.reading {
        Reading::Covers => replay::Reading::Covers,
        Reading::WritesOnly => replay::Reading::WritesOnly,
    };
    let mut found = replay::whatif(&calls.trace, &variants, &prices, reading);
    for (file, rules) in files {
        let name = file.display().to_string();
        found.rows.push(replay::with_rules(&calls.trace, &name, rules, &prices, reading));
    }
    if found.calls == 0 && arguments.model.is_none() {
        found.notes.push("nothing could be priced: name a model with --model".to_owned());
    }
    found.notes.extend(calls.inputs.troubles());
    found.notes.extend(calls.inputs.notes);
    match arguments.json.json {
        true => ui::print_json(&found),
        false => ui::print(&table(&found)?),
    }
}

/// The prompt-cache rules of a configuration file.
fn rules(file: &Path) -> Result<Vec<PromptCache>> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    let config = Config::parse(&name, &text, None, &|name| std::env::var(name).ok())
        .or_hint("`scrimp config reference` lists every setting")?;
    Ok(config.prompt_cache)
}

fn table(found: &WhatIf) -> Result<String> {
    let mut text = format!("{} calls\n\n", count(found.calls as u64));
    let head = ["policy", "input", "÷ no caching", "read from cache", "with output", "basis"];
    let [policy, input, ratio, share, total, basis] = head;
    let names = found.rows.iter().map(|row| row.policy.chars().count());
    let wide = names.max().unwrap_or(0).max(11) + 2;
    writeln!(text, "{policy:<wide$}{input:>12}{ratio:>14}{share:>17}{total:>13}  {basis}")?;
    for row in &found.rows {
        let Row { policy, basis, input_usd, total_usd, input_ratio, hit_share } = row;
        let input = input_usd.map_or("unknown".to_owned(), dollars);
        let total = total_usd.map_or("unknown".to_owned(), dollars);
        let ratio = input_ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.4}"));
        let share = hit_share.map_or("–".to_owned(), |share| format!("{:.1}%", share * 100.0));
        let basis = basis_word(*basis);
        writeln!(text, "{policy:<wide$}{input:>12}{ratio:>14}{share:>17}{total:>13}  {basis}")?;
    }
    for note in &found.notes {
        write!(text, "\nnote: {note}")?;
    }
    Ok(text)
}

fn basis_word(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "measured",
        Basis::Replayed => "replayed",
        Basis::Modelled => "modelled",
    }
}
