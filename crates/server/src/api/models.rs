//! Every model that was called, beside its price, and the price list itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_core::{Catalog, PriceRow, Time};
use scrimp_store::StoreError;
use scrimp_wire::prices::{Contexts, Listed, holding};
use serde_json::{Value, json};

use super::parameter;
use super::sum::{MOST_GROUPS, Sum};
use super::window::{Narrowing, Stretch, Window, names};
use crate::gateway::Shared;

/// The most prices of an answer.
const MOST_PRICES: usize = 100;

/// The models of a window, the dearest first.
pub(super) fn models(
    shared: &Shared,
    window: Window,
    narrowing: &Narrowing,
) -> Result<Value, StoreError> {
    let Stretch { from, to, cells } = window.cells(shared)?;
    let mut total = Sum::default();
    let mut groups = BTreeMap::<(Arc<str>, Arc<str>), Sum>::new();
    for cell in &cells {
        if narrowing.passes(&cell.provider, &cell.model, &cell.operation) {
            total.add(cell);
            groups.entry((cell.provider.clone(), cell.model.clone())).or_default().add(cell);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, sum)| std::cmp::Reverse((sum.cost, sum.calls)));
    let rest = groups.split_off(groups.len().min(MOST_GROUPS));
    let rest_calls: u64 = rest.iter().map(|(_, sum)| sum.calls).sum();
    let running = shared.running.load();
    let (prices, contexts) = (&running.policies.prices, Contexts::shipped());
    let rows = groups.iter().map(|((provider, model), sum)| {
        let mut row = sum.json();
        row["provider"] = json!(provider);
        row["model"] = json!(model);
        let price = prices.find(provider, model, to);
        row["price"] = json!(price.map(|price| listed(prices, price, contexts, to)));
        row
    });
    Ok(json!({
        "window": window.json(from, to),
        "totals": total.json(),
        "rows": rows.collect::<Vec<_>>(),
        "left_out": { "rows": rest.len(), "calls": rest_calls },
        "prices": age(prices, to),
        "names": names(&cells),
    }))
}

/// The prices whose names have every word of a search in them.
pub(super) fn prices(shared: &Shared, query: &str) -> Value {
    let now = shared.clock.now();
    let running = shared.running.load();
    let (prices, contexts) = (&running.policies.prices, Contexts::shipped());
    let search = parameter(query, "search").unwrap_or_default();
    let words: Vec<String> = search.split_whitespace().map(str::to_owned).collect();
    let limit = parameter(query, "limit").and_then(|limit| limit.parse().ok());
    let found = holding(prices, &words, now);
    let shown = found.iter().take(limit.unwrap_or(MOST_PRICES).min(MOST_PRICES));
    json!({
        "rows": shown.map(|row| listed(prices, row, contexts, now)).collect::<Vec<_>>(),
        "found": found.len(),
        "prices": age(prices, now),
    })
}

/// A price, from when and until when it counts as far as that is known, and whether it is the user's
/// own.
fn listed(prices: &Catalog, row: &Arc<PriceRow>, contexts: &Contexts, now: Time) -> Value {
    let (from, until) = prices.validity(row, now);
    let mut price = json!(Listed::of(row, contexts));
    price["own"] = json!(prices.is_own(row));
    price["from_ms"] = json!(from.map(Time::millis));
    price["until_ms"] = json!(until.map(Time::millis));
    price
}

/// When the list was taken. Own prices are as old as their file.
fn age(prices: &Catalog, now: Time) -> Value {
    let taken = prices.taken;
    json!({
        "taken": taken.map(scrimp_analysis::report::day),
        "age_days": taken.map(|at| now.since(at).nanos() / 86_400_000_000_000),
    })
}
