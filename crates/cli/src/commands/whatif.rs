//! `scrimp whatif`: the same calls under other prompt-caching rules.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use scrimp_analysis::replay::{self, Basis, Row, SWEEP, Variant, WhatIf};
use scrimp_analysis::report::{Table, plural, wrap};
use scrimp_core::Usd;
use scrimp_core::policy::prompt_cache::PromptCache;
use scrimp_server::Config;

use super::price::catalog;
use super::study;
use crate::args::{Reading, Whatif};
use crate::input::lacking;
use crate::ui::{self, OrHint, dollars};

/// `scrimp whatif PATH…`
pub(crate) fn run(arguments: &Whatif) -> Result<()> {
    let files = arguments.policies.iter().map(|file| Ok((file, rules(file)?)));
    let files = files.collect::<Result<Vec<_>>>()?;
    let variants: Vec<Variant> = match arguments.prompt_cache.as_slice() {
        [] if !files.is_empty() => vec![Variant::None, Variant::Client],
        [] => SWEEP.to_vec(),
        modes => modes.to_vec(),
    };
    let prices = Arc::new(catalog(None)?);
    let calls = study::read_logs(&arguments.paths, &arguments.logs, &prices)?;
    let reading = match arguments.reading {
        Reading::Covers => replay::Reading::Covers,
        Reading::WritesOnly => replay::Reading::WritesOnly,
    };
    let mut found = replay::whatif(&calls.trace, &variants, &prices, reading);
    for (file, rules) in files {
        let name = file.display().to_string();
        found.rows.push(replay::with_rules(&calls.trace, &name, rules, &prices, reading));
    }
    if found.calls == 0 && arguments.logs.model.is_none() {
        found.notes.push("nothing could be priced: name a model with --model".to_owned());
    }
    found.notes.extend(calls.inputs.troubles());
    found.notes.extend(lacking(&calls.inputs.files));
    found.notes.extend(calls.inputs.notes);
    if !calls.inputs.aggregates.is_empty() {
        found
            .notes
            .push("providers' reports are sums, not calls: nothing of them is replayed".into());
    }
    match arguments.json.json {
        true => ui::print_json(&found),
        false => ui::print(table(&found).trim_end()),
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

fn table(found: &WhatIf) -> String {
    let rows = &found.rows;
    let cells = |cell: &dyn Fn(&Row) -> String| rows.iter().map(cell).collect::<Vec<_>>();
    let usd = |usd: Option<Usd>| usd.map_or("unknown".to_owned(), dollars);
    let ratio = |ratio: f64| format!("{ratio:.4}");
    let share = |share: f64| format!("{:.1}%", share * 100.0);
    let unknown = || "–".to_owned();
    let mut table = Table::new("policy", cells(&|row| row.policy.clone()));
    table.column("input", 0, cells(&|row| usd(row.input_usd)));
    table.column("÷ no caching", 1, cells(&|row| row.input_ratio.map_or_else(unknown, ratio)));
    table.column("read from cache", 2, cells(&|row| row.hit_share.map_or_else(unknown, share)));
    table.column("with output", 3, cells(&|row| usd(row.total_usd)));
    table.column("basis", 4, cells(&|row| basis_word(row.basis).to_owned()));
    let (titles, lines) = table.lines(ui::width());
    let flown = plural(found.calls as u64, "call");
    let (reading, notes) = (reading(found), ui::notes(&found.notes));
    format!("{flown}\n\n{titles}\n{}\n\n{reading}{notes}", lines.join("\n"))
}

/// How the vendors' silence about mixed lives was read, where that makes a difference.
fn reading(found: &WhatIf) -> String {
    let (is, other) = match found.reading {
        replay::Reading::Covers => ("a long mark covers the whole prefix", "writes-only"),
        replay::Reading::WritesOnly => ("a long mark covers only what it writes", "covers"),
    };
    let mixed: Vec<&str> =
        found.rows.iter().filter(|row| row.mixes_lives).map(|row| row.policy.as_str()).collect();
    if mixed.is_empty() {
        return String::new();
    }
    let text = format!("{is} (--reading {other} for the other); lives mix in {}", mixed.join(", "));
    wrap("reading: ", "         ", &text, ui::width()).join("\n") + "\n"
}

fn basis_word(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "measured",
        Basis::Replayed => "replayed",
        Basis::Modelled => "modelled",
    }
}
