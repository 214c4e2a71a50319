//! What went wrong: exact counts from the rollups and the ledger, and what exactly from the newest
//! calls concerned.
//!
//! Cells know errors, truncated and abandoned calls, the ledger knows how calls ended by day; which
//! fault or status it was stands only in records. So the counts are of all calls, and the kinds are
//! of a bounded number of records, which the answer says. A list of rare errors costs half of a
//! millisecond each, whatever lies between them, hence the bound.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_core::{Record, Span, Time};
use scrimp_store::{CallFilter, LedgerRow, Only, StoreError, Width};
use serde_json::{Value, json};

use super::advice::{Kind, trouble};
use super::sum::{Divided, MOST_GROUPS, Sum};
use super::window::{Narrowing, Stretch, Window, names};
use crate::gateway::Shared;

/// How many records are looked at.
const SAMPLE: usize = 100;
/// How many calls, models and operations a kind names.
const EXAMPLES: usize = 3;

/// All that did not end as they should have.
const fn wrong(sum: &Sum) -> u64 {
    sum.errors + sum.truncated + sum.abandoned
}

/// Calls, and those of them that went wrong.
fn counts(sum: &Sum) -> Value {
    json!({
        "calls": sum.calls,
        "errors": sum.errors,
        "truncated": sum.truncated,
        "abandoned": sum.abandoned,
        "wrong": wrong(sum),
    })
}

pub(super) fn errors(
    shared: &Shared,
    window: Window,
    narrowing: &Narrowing,
) -> Result<Value, StoreError> {
    let Stretch { from, to, cells } = window.cells(shared)?;
    let Divided { total, series, groups } = Divided::of(&cells, narrowing);
    let last = window.floor(to);
    let points = series.iter().map(|(at, sum)| {
        let mut point = counts(sum);
        point["at_ms"] = json!(at.millis());
        point["partial"] = json!(*at == last);
        point
    });
    let mut groups: Vec<_> = groups.into_iter().filter(|(_, sum)| 0 < wrong(sum)).collect();
    groups.sort_by_key(|(_, sum)| std::cmp::Reverse(wrong(sum)));
    let rest = groups.split_off(groups.len().min(MOST_GROUPS));
    let rest_wrong: u64 = rest.iter().map(|(_, sum)| wrong(sum)).sum();
    let rows = groups.iter().map(|((operation, model, provider), sum)| {
        let mut row = counts(sum);
        row["operation"] = json!(operation);
        row["model"] = json!(model);
        row["provider"] = json!(provider);
        row
    });
    Ok(json!({
        "window": window.json(from, to),
        "totals": counts(&total),
        "series": points.collect::<Vec<_>>(),
        "rows": rows.collect::<Vec<_>>(),
        "left_out": { "rows": rest.len(), "wrong": rest_wrong },
        "days": days(shared, from, to, narrowing)?,
        "sample": sample(shared, from, narrowing, wrong(&total))?,
        "names": names(&cells),
    }))
}

/// How calls ended, by days of UTC: every day that the window touches, whole.
fn days(
    shared: &Shared,
    from: Time,
    to: Time,
    narrowing: &Narrowing,
) -> Result<Vec<Value>, StoreError> {
    let mut days = BTreeMap::<Time, [u64; 7]>::new();
    for row in shared.store.reader().ledger(from, to + Span::from_nanos(1))? {
        if narrowing.passes(&row.provider, &row.model, &row.operation) {
            let day = days.entry(row.day).or_default();
            day.iter_mut().zip(endings(&row)).for_each(|(sum, calls)| *sum += calls);
        }
    }
    let today = to.floor(Width::Day.span());
    let told = days.iter().map(|(at, ended)| {
        let [calls, answered, rejected, truncated, failed, abandoned, refused] = ended;
        json!({
            "at_ms": at.millis(),
            "partial": *at == today,
            "calls": calls,
            "answered": answered,
            "rejected": rejected,
            "truncated": truncated,
            "failed": failed,
            "abandoned": abandoned,
            "refused": refused,
        })
    });
    Ok(told.collect())
}

const fn endings(row: &LedgerRow) -> [u64; 7] {
    let LedgerRow { calls, answered, rejected, truncated, failed, abandoned, refused, .. } = row;
    [*calls, *answered, *rejected, *truncated, *failed, *abandoned, *refused]
}

/// What went wrong with the newest calls concerned, of `wrong` in all.
fn sample(
    shared: &Shared,
    from: Time,
    narrowing: &Narrowing,
    wrong: u64,
) -> Result<Value, StoreError> {
    // No more than there are in the window: the next one may lie far before it.
    let limit = usize::try_from(wrong).map_or(SAMPLE, |wrong| wrong.min(SAMPLE));
    let filter = CallFilter {
        only: Only::Errors,
        provider: narrowing.provider.as_deref().map(Into::into),
        model: narrowing.model.as_deref().map(Into::into),
        operation: narrowing.operation.as_deref().map(Into::into),
        ..CallFilter::latest(limit)
    };
    // Nothing to look for is not looked for.
    let newest = match wrong {
        0 => Vec::new(),
        _ => shared.store.reader().recent(&filter)?,
    };
    let concerned: Vec<_> = newest.iter().filter(|record| from <= record.call.arrived).collect();
    let mut kinds = BTreeMap::<Kind, (&'static str, Vec<&Record>)>::new();
    for record in &concerned {
        if let Some((kind, advice)) = trouble(record) {
            kinds.entry(kind).or_insert_with(|| (advice, Vec::new())).1.push(record);
        }
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, (_, records))| std::cmp::Reverse(records.len()));
    let told = kinds.iter().map(|(kind, (advice, records))| {
        json!({
            "ending": kind.ending,
            "word": kind.word,
            "status": kind.status,
            "calls": records.len(),
            "advice": advice,
            "latest_ms": records.first().map(|record| record.call.arrived.millis()),
            "models": most_frequent(records, |record| &record.call.model),
            "operations": most_frequent(records, |record| &record.call.operation),
            "examples": records
                .iter()
                .take(EXAMPLES)
                .map(|record| record.call.id.to_string())
                .collect::<Vec<_>>(),
        })
    });
    Ok(json!({
        "calls": concerned.len(),
        "of": wrong,
        "oldest_ms": concerned.last().map(|record| record.call.arrived.millis()),
        "kinds": told.collect::<Vec<_>>(),
    }))
}

fn most_frequent<'r>(records: &[&'r Record], name: fn(&'r Record) -> &'r Arc<str>) -> Vec<&'r str> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for record in records {
        *counts.entry(name(record)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().map(|(name, _)| name).take(EXAMPLES).collect()
}
