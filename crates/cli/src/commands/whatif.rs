//! `scrimp whatif`: the same calls under other prompt-caching rules.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Result;
use scrimp_analysis::replay::{self, Basis, Row, VARIANTS, Variant, WhatIf};
use scrimp_analysis::report::{count, money};

use super::price::catalog;
use super::study;
use crate::args::{Reading, Whatif};
use crate::ui;

/// `scrimp whatif PATH…`
pub(crate) fn run(arguments: &Whatif) -> Result<()> {
    let variants: Vec<Variant> = match arguments.prompt_cache.as_slice() {
        [] => VARIANTS.map(|(_, variant)| variant).to_vec(),
        names => names.iter().map(|name| name.trim().parse()).collect::<Result<_, _>>()?,
    };
    let prices = Arc::new(catalog(None)?);
    let calls = study::read_logs(
        &arguments.paths,
        arguments.format.as_deref(),
        arguments.model.as_deref(),
        &prices,
    )?;
    let reading = match arguments.reading {
        Reading::Covers => replay::Reading::Covers,
        Reading::WritesOnly => replay::Reading::WritesOnly,
    };
    let mut found = replay::whatif(&calls.trace, &variants, &prices, reading);
    found.notes.extend(calls.inputs.notes);
    match arguments.json.json {
        true => ui::print_json(&found),
        false => ui::print(&table(&found)?),
    }
}

fn table(found: &WhatIf) -> Result<String> {
    let mut text = format!("{} calls\n\n", count(found.calls as u64));
    let head = ["policy", "input", "÷ no caching", "read from cache", "with output", "basis"];
    let [policy, input, ratio, share, total, basis] = head;
    writeln!(text, "{policy:<13}{input:>12}{ratio:>14}{share:>17}{total:>13}  {basis}")?;
    for row in &found.rows {
        let Row { policy, basis, input_usd, total_usd, input_ratio, hit_share } = row;
        let input = input_usd.map_or("unknown".to_owned(), money);
        let total = total_usd.map_or("unknown".to_owned(), money);
        let ratio = input_ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.4}"));
        let share = hit_share.map_or("–".to_owned(), |share| format!("{:.1}%", share * 100.0));
        let basis = basis_word(*basis);
        writeln!(text, "{policy:<13}{input:>12}{ratio:>14}{share:>17}{total:>13}  {basis}")?;
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
