//! `scrimp prompt lint`: what prompts cost by section and model, and what could be shorter.

use std::fmt::Write as _;

use anyhow::Result;
use scrimp_analysis::report::{Table, count, money, wrap};
use scrimp_prompt::lint;
use scrimp_prompt::lint::{Costs, Lint, Section, Suggestion};

use super::source;
use crate::args::prompt;
use crate::ui;

/// `scrimp prompt lint FILE…`
pub(super) fn run(arguments: &prompt::Lint) -> Result<()> {
    let sources = source::all(&arguments.files)?;
    let (models, notes) = source::models(&arguments.models, &sources, &arguments.data)?;
    let mut found = lint::lint(&sources, &models);
    found.notes.extend(notes);
    match arguments.json.json {
        true => ui::print_json(&found),
        false => ui::print(&told(&found, arguments.most)?),
    }
}

fn told(lint: &Lint, most: usize) -> Result<String> {
    let mut text = String::new();
    let about = if lint.exact { "" } else { "about " };
    let prompts = scrimp_analysis::report::plural(lint.prompts, "prompt");
    let each = if lint.prompts == 1 { "" } else { " each" };
    writeln!(text, "{prompts}, {about}{} tokens{each} ({})", count(lint.tokens), lint.model)?;
    table(&mut text, sections(&lint.sections))?;
    table(&mut text, models(&lint.models))?;
    if 0 < lint.examples.count {
        let examples = scrimp_analysis::report::plural(lint.examples.count, "example");
        let (tokens, share) = (count(lint.examples.tokens), percent(lint.examples.share));
        writeln!(text, "\n{examples}: {tokens} tokens, {share} of a call")?;
    }
    if !lint.tools.is_empty() {
        table(&mut text, tools(lint))?;
    }
    suggestions(&mut text, &lint.suggestions, most)?;
    if !lint.notes.is_empty() {
        text.push('\n');
        text.push_str(&ui::notes(&lint.notes));
    }
    Ok(text)
}

fn table(text: &mut String, table: Table) -> Result<()> {
    let (titles, rows) = table.lines(ui::width());
    writeln!(text, "\n{titles}")?;
    for row in rows {
        writeln!(text, "{row}")?;
    }
    Ok(())
}

fn sections(sections: &[Section]) -> Table {
    let name = |section: &Section| match &section.heading {
        None => section.kind.to_owned(),
        Some(heading) => format!("  {heading}"),
    };
    let mut table = Table::new("section", sections.iter().map(name).collect());
    table.column("tokens", 0, sections.iter().map(|s| count(s.tokens)).collect());
    table.column("share", 1, sections.iter().map(|s| percent(s.share)).collect());
    table
}

fn models(models: &[Costs]) -> Table {
    let name = |costs: &Costs| format!("{}/{}", costs.provider, costs.model);
    let mut table = Table::new("input of 1,000 calls", models.iter().map(name).collect());
    let tokens =
        |costs: &Costs| format!("{}{}", if costs.exact { "" } else { "~" }, count(costs.tokens));
    let cached = |costs: &Costs| costs.usd_per_1000_cached.map_or("–".to_owned(), ui::dollars);
    let held = |costs: &Costs| costs.cached_tokens.map_or("–".to_owned(), count);
    table.column("tokens", 2, models.iter().map(tokens).collect());
    table.column("uncached", 0, models.iter().map(|m| ui::dollars(m.usd_per_1000)).collect());
    table.column("cached", 0, models.iter().map(cached).collect());
    table.column("tokens held", 1, models.iter().map(held).collect());
    table
}

fn tools(lint: &Lint) -> Table {
    let tools = &lint.tools;
    let mut table = Table::new("tool", tools.iter().map(|tool| tool.name.clone()).collect());
    table.column(
        "tokens",
        0,
        tools.iter().map(|tool| format!("~{}", count(tool.tokens))).collect(),
    );
    table.column("$/1,000", 0, tools.iter().map(|tool| money(tool.usd_per_1000)).collect());
    if 1 < lint.prompts {
        table.column("called in", 1, tools.iter().map(|tool| count(tool.called_in)).collect());
    }
    table
}

fn suggestions(text: &mut String, all: &[Suggestion], most: usize) -> Result<()> {
    if all.is_empty() {
        writeln!(text, "\nnothing to suggest")?;
        return Ok(());
    }
    let shown = &all[..most.min(all.len())];
    let name = |s: &Suggestion| s.rule.to_owned();
    let mut table = Table::new("suggestion", shown.iter().map(name).collect());
    let less = |s: &Suggestion| match s.tokens {
        0 => "0".to_owned(),
        tokens => format!("−{}", count(tokens)),
    };
    let cached = |s: &Suggestion| s.usd_per_1000_cached.map_or("–".to_owned(), money);
    table.column("tokens", 0, shown.iter().map(less).collect());
    table.column("$/1,000", 0, shown.iter().map(|s| money(s.usd_per_1000)).collect());
    table.column("cached", 0, shown.iter().map(cached).collect());
    table.column("prompts", 1, shown.iter().map(|s| count(s.prompts)).collect());
    let (titles, rows) = table.lines(ui::width());
    writeln!(text, "\n{titles}")?;
    for (row, s) in rows.iter().zip(shown) {
        writeln!(text, "{row}")?;
        let line = format!("{}: {} ({})", s.place, s.found, s.advice);
        for line in wrap("  ", "  ", &line, ui::width()) {
            writeln!(text, "{line}")?;
        }
    }
    if shown.len() < all.len() {
        writeln!(text, "{} more: --most N", all.len() - shown.len())?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}
