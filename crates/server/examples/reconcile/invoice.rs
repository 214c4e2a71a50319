//! What the provider reports, in the shapes of its administration API.

use std::collections::BTreeMap;

use scrimp_core::{Span, Time};
use scrimp_sim::{Api, TrueUsage};
use serde_json::{Value, json};

use super::play::{Entry, Played, Way};
use super::scenario::{Reports, Scenario};

const DAY: Span = Span::from_hours(24);
/// A credit and a service, in pico-dollars.
pub(super) const CREDIT: i128 = -250_000_000_000;
pub(super) const SERVICE: i128 = 40_000_000_000;

/// What rows are divided by: day, key, model, whether batch.
type Place = (u64, String, String, bool);

/// A row's sums.
#[derive(Clone, Copy, Default)]
struct Sum {
    usage: TrueUsage,
    calls: u64,
    pico: [u128; 5],
}

/// The day of the reports that a time is in; `None`: in none of them.
pub(super) fn day_of(scenario: &Scenario, played: &Played, at: Time) -> Option<u64> {
    let local = (at + Span::from_hours(scenario.zone_hours)).since(played.start).nanos();
    let day = u64::try_from(local.div_euclid(DAY.nanos())).ok()?;
    (day < scenario.days && Some(day) != scenario.missing).then_some(day)
}

/// Every report of the seed, as files.
pub(super) fn reports(scenario: &Scenario, played: &Played) -> Vec<String> {
    let mut files = Vec::new();
    for api in [Api::OpenAi, Api::Anthropic] {
        let rows = rows(scenario, played, api);
        let (usage, costs): (Rows, Rows) = match api {
            Api::OpenAi => (openai_usage, openai_costs),
            Api::Anthropic => (anthropic_usage, anthropic_costs),
        };
        if scenario.reports != Reports::Costs {
            files.push(page(scenario, played, api, &rows, usage));
        }
        if scenario.reports != Reports::Usage {
            files.push(page(scenario, played, api, &rows, costs));
        }
    }
    files
}

type Rows = fn(&Scenario, &[(&Place, &Sum)]) -> Vec<Value>;

fn page(
    scenario: &Scenario,
    played: &Played,
    api: Api,
    rows: &BTreeMap<Place, Sum>,
    results: Rows,
) -> String {
    let days = (0..scenario.days).filter(|day| Some(*day) != scenario.missing);
    let bucket = |day: u64| {
        let from = played.start + Span::from_hours(24 * i64::try_from(day).expect("a few days"));
        let of_day: Vec<_> = rows.iter().filter(|((of, ..), _)| *of == day).collect();
        let results = results(scenario, &of_day);
        match api {
            Api::OpenAi => json!({"object": "bucket", "start_time": from.secs(),
                "end_time": (from + DAY).secs(), "results": results}),
            Api::Anthropic => {
                json!({"starting_at": rfc3339(from), "ending_at": rfc3339(from + DAY),
                "results": results})
            }
        }
    };
    let data: Vec<Value> = days.map(bucket).collect();
    json!({"object": "page", "data": data, "has_more": false, "next_page": null}).to_string()
}

fn rfc3339(at: Time) -> String {
    jiff::Timestamp::from_second(at.secs()).expect("this century").to_string()
}

fn rows(scenario: &Scenario, played: &Played, api: Api) -> BTreeMap<Place, Sum> {
    let mut rows: BTreeMap<Place, Sum> = BTreeMap::new();
    for entry in &played.entries {
        let Some(bill) = entry.bill.as_ref().filter(|bill| bill.api == api) else { continue };
        let Some(day) = day_of(scenario, played, entry.at) else { continue };
        let is_batch = entry.way == Way::Batch;
        let place = (day, key(scenario, entry), snapshot(&bill.model), is_batch);
        let sum = rows.entry(place).or_default();
        let TrueUsage { uncached, cache_read, write_short, write_long, output, reasoning } =
            bill.usage;
        sum.usage.uncached += uncached;
        sum.usage.cache_read += cache_read;
        sum.usage.write_short += write_short;
        sum.usage.write_long += write_long;
        sum.usage.output += output;
        sum.usage.reasoning += reasoning;
        sum.calls += 1;
        let parts = by_class(entry);
        for (sum, part) in sum.pico.iter_mut().zip(parts) {
            *sum += part;
        }
    }
    rows
}

/// What a call's classes of tokens cost; together exactly its bill.
fn by_class(entry: &Entry) -> [u128; 5] {
    let Some(bill) = &entry.bill else { return [0; 5] };
    let TrueUsage { uncached, cache_read, write_short, write_long, output, reasoning } = bill.usage;
    let only = |usage: TrueUsage| {
        let model = scrimp_sim::model(&bill.model).expect("it was billed");
        let pico = scrimp_sim::cost(model, &usage, bill.tier);
        if entry.way == Way::Batch { pico / 2 } else { pico }
    };
    let none = TrueUsage::default();
    let mut parts = [
        only(TrueUsage { uncached, ..none }),
        only(TrueUsage { cache_read, ..none }),
        only(TrueUsage { write_short, ..none }),
        only(TrueUsage { write_long, ..none }),
        only(TrueUsage { output, reasoning, ..none }),
    ];
    // A long prompt has other rates than its parts.
    let others: u128 = parts[1..].iter().sum();
    parts[0] = bill.pico_usd.saturating_sub(others);
    parts
}

/// The provider's name of a key: its own short name of the credential.
fn key(scenario: &Scenario, entry: &Entry) -> String {
    let credential = |(name, _): &&(String, String)| {
        ["authorization", "x-api-key"].contains(&name.to_lowercase().as_str())
    };
    let seen = entry.logged.headers.iter().find(credential).map_or("none", |(_, value)| value);
    let name = seen.trim_start_matches("digest:");
    match entry.way {
        Way::PastIt if scenario.own_key => "key_notebook".to_owned(),
        Way::Batch if scenario.own_key => "key_nightly".to_owned(),
        Way::Gateway | Way::PastIt | Way::Batch => format!("key_{name}"),
    }
}

/// Reports name snapshots of some models.
fn snapshot(model: &str) -> String {
    match model {
        "gpt-4o" => "gpt-4o-2024-08-06".to_owned(),
        "claude-haiku-4-5" => "claude-haiku-4-5-20251001".to_owned(),
        other => other.to_owned(),
    }
}

/// Rows that differ by nothing that is asked for, together.
fn grouped(
    scenario: &Scenario,
    rows: &[(&Place, &Sum)],
) -> BTreeMap<(Option<String>, String, Option<bool>), Sum> {
    let mut groups: BTreeMap<_, Sum> = BTreeMap::new();
    for ((_, key, model, batch), sum) in rows {
        let key = scenario.by_key.then(|| key.clone());
        let tier = scenario.by_tier.then_some(*batch);
        let group = groups.entry((key, model.clone(), tier)).or_default();
        let TrueUsage { uncached, cache_read, write_short, write_long, output, reasoning } =
            sum.usage;
        group.usage.uncached += uncached;
        group.usage.cache_read += cache_read;
        group.usage.write_short += write_short;
        group.usage.write_long += write_long;
        group.usage.output += output;
        group.usage.reasoning += reasoning;
        group.calls += sum.calls;
        for (total, part) in group.pico.iter_mut().zip(sum.pico) {
            *total += part;
        }
    }
    groups
}

fn openai_usage(scenario: &Scenario, rows: &[(&Place, &Sum)]) -> Vec<Value> {
    let row = |((key, model, batch), sum): ((Option<String>, String, Option<bool>), Sum)| {
        json!({"object": "organization.usage.completions.result",
            "input_tokens": sum.usage.prompt(), "input_cached_tokens": sum.usage.cache_read,
            "input_audio_tokens": 0, "output_audio_tokens": 0,
            "output_tokens": sum.usage.generated(), "num_model_requests": sum.calls,
            "project_id": null, "user_id": null, "api_key_id": key, "model": model,
            "batch": batch, "service_tier": batch.map(|_| "default")})
    };
    grouped(scenario, rows).into_iter().map(row).collect()
}

fn anthropic_usage(scenario: &Scenario, rows: &[(&Place, &Sum)]) -> Vec<Value> {
    let row = |((key, model, batch), sum): ((Option<String>, String, Option<bool>), Sum)| {
        let tier = batch.map(|batch| if batch { "batch" } else { "standard" });
        json!({"uncached_input_tokens": sum.usage.uncached,
            "cache_read_input_tokens": sum.usage.cache_read,
            "cache_creation": {"ephemeral_5m_input_tokens": sum.usage.write_short,
                "ephemeral_1h_input_tokens": sum.usage.write_long},
            "output_tokens": sum.usage.generated(), "api_key_id": key, "workspace_id": null,
            "model": model, "service_tier": tier, "context_window": null,
            "server_tool_use": {"web_search_requests": 0}})
    };
    grouped(scenario, rows).into_iter().map(row).collect()
}

fn charged(scenario: &Scenario, pico: u128) -> u128 {
    pico * u128::from(scenario.charged_permille) / 1_000
}

#[expect(clippy::cast_precision_loss, reason = "vendors give floats")]
fn float(pico: u128) -> f64 {
    pico as f64
}

/// Dollars as a float, as `OpenAI` gives them.
fn openai_costs(scenario: &Scenario, rows: &[(&Place, &Sum)]) -> Vec<Value> {
    let line = |item: Option<String>, pico: f64| {
        json!({"object": "organization.costs.result",
            "amount": {"value": pico / 1e12, "currency": "usd"},
            "line_item": item, "project_id": null})
    };
    let mut items: BTreeMap<Option<String>, u128> = BTreeMap::new();
    for ((_, _, model, _), sum) in rows {
        let names = ["input", "cached input", "input", "input", "output"];
        for (name, pico) in names.iter().zip(sum.pico) {
            let item = scenario.by_item.then(|| format!("{model}, {name}"));
            *items.entry(item).or_default() += pico;
        }
    }
    let mut lines: Vec<Value> =
        items.into_iter().map(|(item, pico)| line(item, float(charged(scenario, pico)))).collect();
    let is_first = rows.first().is_some_and(|((day, ..), _)| *day == 0);
    if scenario.has_credit && is_first {
        lines.push(line(
            scenario.by_item.then(|| "Promotional credit".to_owned()),
            -float(CREDIT.unsigned_abs()),
        ));
    }
    lines
}

/// Cents as decimal texts with four places, as Anthropic gives them.
fn anthropic_costs(scenario: &Scenario, rows: &[(&Place, &Sum)]) -> Vec<Value> {
    let cents = |pico: u128| format!("{:.4}", float(pico) / 1e10);
    let mut items: BTreeMap<(Option<String>, bool, &str), u128> = BTreeMap::new();
    let classes = [
        "uncached_input_tokens",
        "cache_read_input_tokens",
        "cache_creation.ephemeral_5m_input_tokens",
        "cache_creation.ephemeral_1h_input_tokens",
        "output_tokens",
    ];
    for ((_, _, model, batch), sum) in rows {
        for (class, pico) in classes.iter().zip(sum.pico) {
            let item = match scenario.by_item {
                true => (Some(model.clone()), *batch, *class),
                false => (None, false, ""),
            };
            *items.entry(item).or_default() += pico;
        }
    }
    let line = |((model, batch, class), pico): ((Option<String>, bool, &str), u128)| {
        let tier = model.as_ref().map(|_| if batch { "batch" } else { "standard" });
        let words = model.as_ref().map(|model| format!("{model} Usage - {class}"));
        json!({"amount": cents(charged(scenario, pico)), "currency": "USD",
            "cost_type": model.as_ref().map(|_| "tokens"), "description": words,
            "model": model, "service_tier": tier, "token_type": model.as_ref().map(|_| class),
            "workspace_id": null, "context_window": null})
    };
    let mut lines: Vec<Value> = items.into_iter().map(line).collect();
    if scenario.has_service && scenario.by_item && !rows.is_empty() {
        lines.push(json!({"amount": cents(SERVICE.unsigned_abs()), "currency": "USD",
            "cost_type": "web_search", "description": "Web Search Usage", "model": null,
            "service_tier": null, "token_type": null, "workspace_id": null}));
    }
    lines
}
