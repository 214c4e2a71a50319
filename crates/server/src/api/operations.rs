//! How long operations take: percentiles by operation and model, and how they spread over time.

use std::collections::BTreeMap;

use scrimp_core::{Histogram, Span, Time};
use scrimp_store::StoreError;
use serde_json::{Value, json};

use super::sum::{Divided, MOST_GROUPS, Name, Sum};
use super::window::{Narrowing, Stretch, Window, names};
use super::{Unanswered, parameter};
use crate::gateway::Shared;

/// The most rows of the heatmap.
const MOST_BANDS: usize = 40;
/// Into how many parts a doubling may be cut, the finest first.
const PARTS: [u32; 4] = [8, 4, 2, 1];

/// What the heatmap shows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Measure {
    Latency,
    FirstToken,
    PerOutputToken,
}

impl Measure {
    pub(super) fn asked(query: &str) -> Result<Measure, Unanswered> {
        match parameter(query, "measure").as_deref() {
            None | Some("" | "latency") => Ok(Measure::Latency),
            Some("first_token") => Ok(Measure::FirstToken),
            Some("per_output_token") => Ok(Measure::PerOutputToken),
            Some(name) => Err(Unanswered::Wrong(format!(
                "there is no measure `{name}`: it is latency, first_token or per_output_token"
            ))),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Measure::Latency => "latency",
            Measure::FirstToken => "first_token",
            Measure::PerOutputToken => "per_output_token",
        }
    }

    const fn of(self, sum: &Sum) -> &Histogram {
        match self {
            Measure::Latency => &sum.latency,
            Measure::FirstToken => &sum.first_content,
            Measure::PerOutputToken => &sum.per_output_token,
        }
    }
}

pub(super) fn operations(
    shared: &Shared,
    window: Window,
    narrowing: &Narrowing,
    measure: Measure,
) -> Result<Value, StoreError> {
    let Stretch { from, to, cells } = window.cells(shared)?;
    let Divided { total, series, groups } = Divided::of(&cells, narrowing);
    let last = window.floor(to);
    let points = series.iter().map(|(at, sum)| {
        let mut point = sum.json();
        point["at_ms"] = json!(at.millis());
        point["partial"] = json!(*at == last);
        point
    });
    let mut groups: Vec<(Name, Sum)> = groups.into_iter().collect();
    groups.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.calls));
    let rest = groups.split_off(groups.len().min(MOST_GROUPS));
    let rest_calls: u64 = rest.iter().map(|(_, sum)| sum.calls).sum();
    let rows = groups.iter().map(|((operation, model, provider), sum)| {
        let mut row = sum.json();
        row["operation"] = json!(operation);
        row["model"] = json!(model);
        row["provider"] = json!(provider);
        row
    });
    Ok(json!({
        "window": window.json(from, to),
        "totals": total.json(),
        "series": points.collect::<Vec<_>>(),
        "rows": rows.collect::<Vec<_>>(),
        "left_out": { "rows": rest.len(), "calls": rest_calls },
        "heatmap": heatmap(&series, measure),
        "names": names(&cells),
    }))
}

/// How many calls took how long, by time: columns are the buckets of the series, rows are bands of
/// equal ratio, at most [`MOST_BANDS`]. `None` where nothing was measured.
fn heatmap(series: &BTreeMap<Time, Sum>, measure: Measure) -> Option<Value> {
    let bands = |parts| {
        let counts = series.values().flat_map(|sum| measure.of(sum).bands(parts));
        let (low, high) = counts
            .fold((i32::MAX, i32::MIN), |(low, high), (band, _)| (low.min(band), high.max(band)));
        (low <= high).then_some(low..=high)
    };
    let fits = |parts: &u32| bands(*parts).is_none_or(|bands| bands.count() <= MOST_BANDS);
    let parts = PARTS.into_iter().find(fits).unwrap_or(1);
    let bands = bands(parts)?;
    let low = *bands.start();
    let columns = series.values().map(|sum| {
        let mut column = vec![0; bands.clone().count()];
        for (band, count) in measure.of(sum).bands(parts) {
            column[usize::try_from(band - low).unwrap_or(0)] += count;
        }
        column
    });
    let edges = (low..=*bands.end() + 1).map(|band| Histogram::band_begin(band, parts));
    Some(json!({
        "measure": measure.name(),
        "at_ms": series.keys().map(|at| at.millis()).collect::<Vec<_>>(),
        "edges_ms": edges.map(Span::as_millis_f64).collect::<Vec<_>>(),
        "counts": columns.collect::<Vec<_>>(),
    }))
}
