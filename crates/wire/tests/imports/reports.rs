//! Providers' reports of usage and costs: sums, never calls.

use expect_test::{Expect, expect};
use scrimp_core::{Aggregate, UsageState};
use scrimp_wire::import::IMPORTS;

use crate::{read, sample};

fn line(sum: &Aggregate) -> String {
    let Aggregate { from, until, provider, of, calls, metering, usd } = sum;
    let usage = &metering.usage;
    let tokens = match metering.state {
        UsageState::Unknown => "unknown".to_owned(),
        _ => format!(
            "in {}+{}r+{}s+{}l out {}",
            usage.uncached,
            usage.cache_read,
            usage.cache_write_short,
            usage.cache_write_long,
            usage.total_output()
        ),
    };
    let parts = [&of.model, &of.project, &of.key, &of.user, &of.tier, &of.item];
    let parts: Vec<&str> = parts.into_iter().map(|part| part.as_deref().unwrap_or("-")).collect();
    format!(
        "{}..{} {provider} [{}] calls {calls:?}: {tokens}; {}{}\n",
        from.secs(),
        until.secs(),
        parts.join(" "),
        usd.map_or("no cost".to_owned(), |usd| format!("${usd}")),
        if metering.suspect { "; suspect" } else { "" },
    )
}

fn check(name: &str, expected: &Expect) {
    let reading = read(&sample(name));
    assert!(reading.entries.is_empty(), "a sum is no call");
    let mut text: String = reading.aggregates.iter().map(line).collect();
    text.extend(reading.notes.iter().map(|note| format!("note: {note}\n")));
    text.extend(reading.skipped.iter().map(|skipped| format!("skipped {skipped}\n")));
    expected.assert_eq(&text);
}

#[test]
fn openai_usage_and_costs() {
    check(
        "openai-usage",
        &expect![[r#"
        1772409600..1772496000 openai [gpt-4o-2024-08-06 proj_shop key_1 - - -] calls Some(10): in 41201+100000r+0s+0l out 9756; no cost
        1772409600..1772496000 openai [gpt-4o-2024-08-06 proj_shop key_1 - - -] calls Some(10): unknown; no cost; suspect
        1772496000..1772582400 openai [- - - - - -] calls Some(0): in 0+0r+0s+0l out 0; $0
        1772755200..1772841600 openai [gpt-4o-2024-08-06 proj_shop key_1 - - -] calls Some(10): in 45949+0r+0s+0l out 282; no cost
        1772409600..1772496000 openai [- proj_shop - - - gpt-4o, input] calls None: unknown; $1.06
        note: the report has more pages than this file: sums are too small until they are read, too
        skipped line 1: its time is no time
        skipped line 2: an amount is not in US dollars
    "#]],
    );
}

#[test]
fn anthropic_usage_and_costs_in_cents() {
    check(
        "anthropic-usage",
        &expect![[r#"
            1772409600..1772496000 anthropic [claude-sonnet-4-5-20250929 wrkspc_1 apikey_1 - standard 0-200k] calls None: in 1500+200r+500s+1000l out 500; no cost
            1772409600..1772496000 anthropic [claude-sonnet-4-5-20250929 - - - - -] calls None: unknown; no cost; suspect
            1772524800..1772611200 anthropic [claude-sonnet-4-5-20250929 - - - - Claude Sonnet 4.5 input] calls None: unknown; $1.23456
            1772524800..1772611200 anthropic [- - - - - -] calls None: unknown; $-0.01
            note: days of the report do not begin at midnight UTC: it was asked for in another time zone, and its days hold parts of two of ours
        "#]],
    );
}

#[test]
fn openrouter_days() {
    check(
        "openrouter-activity",
        &expect![[r#"
        1772409600..1772496000 openrouter [openai/gpt-4.1 - - - - OpenAI] calls Some(5): in 50+0r+0s+0l out 125; $0.015
        1772582400..1772668800 openrouter [x - - - - Y] calls None: unknown; no cost; suspect
        skipped line 1: its time is no time
    "#]],
    );
}

#[test]
fn formats_of_calls_give_no_sums() {
    for import in IMPORTS {
        let reading = read(&sample(import.name));
        assert!(reading.entries.is_empty() || reading.aggregates.is_empty(), "{}", import.name);
    }
}
