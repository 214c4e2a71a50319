//! The shape of `analyze --json`. Scripts rest on the names; more may come, these stay.

use scrimp_core::{Usage, Usd};
use serde::Serialize;

use super::{Analysis, Input, Reported, Together};
use crate::findings::Finding;
use crate::profile::{Calendar, ClassTotal, Durations, Forecast, Model, Operation, Stats};

#[derive(Serialize)]
pub(super) struct View<'a> {
    inputs: &'a [Input],
    reported: &'a [Reported],
    period: Option<Period>,
    totals: Counted<'a>,
    forecast: Option<Forecast>,
    operations: Vec<OperationView<'a>>,
    findings: &'a [Finding],
    together: Option<Together>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Period {
    from_ms: i64,
    to_ms: i64,
    days: f64,
    /// Whether the times are dates.
    is_calendar: bool,
}

#[derive(Serialize)]
struct Counted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    errors: u64,
    abandoned: u64,
    truncated: u64,
    usd: Option<Usd>,
    usd_uncached: Option<Usd>,
    priced_calls: u64,
    unpriced_calls: u64,
    unknown_usage_calls: u64,
    estimated_usage_calls: u64,
    suspect_calls: u64,
    tokens: Option<Usage>,
    cached_share: Option<f64>,
    classes: Vec<ClassTotal>,
    latency_ms: &'a Durations,
    ttft_ms: &'a Durations,
    tpot_ms: &'a Durations,
}

#[derive(Serialize)]
struct OperationView<'a> {
    name: &'a str,
    kind: &'static str,
    #[serde(flatten)]
    counted: Counted<'a>,
    /// Needs traces with parents, which calls alone do not have.
    critical_path_ms: Option<f64>,
    usd_per_month: Option<Usd>,
    models: Vec<ModelView<'a>>,
}

#[derive(Serialize)]
struct ModelView<'a> {
    provider: &'a str,
    model: &'a str,
    #[serde(flatten)]
    counted: Counted<'a>,
}

impl<'a> View<'a> {
    pub(super) fn of(analysis: &'a Analysis) -> View<'a> {
        let Analysis { inputs, reported, profile, findings, notes } = analysis;
        let period = profile.period.map(|(from, to)| Period {
            from_ms: from.millis(),
            to_ms: to.millis(),
            days: (profile.covers().as_secs_f64() / 86.4).round() / 1e3,
            is_calendar: profile.calendar == Calendar::Real,
        });
        let operation = |Operation { name, kind, stats, models }: &'a Operation| OperationView {
            name,
            kind,
            counted: Counted::group(stats),
            critical_path_ms: None,
            usd_per_month: stats.usd.and_then(|usd| profile.per_month(usd)),
            models: models.iter().map(ModelView::of).collect(),
        };
        View {
            inputs,
            reported,
            period,
            totals: Counted::totals(&profile.totals),
            forecast: profile.forecast,
            operations: profile.operations.iter().map(operation).collect(),
            findings,
            together: analysis.together(),
            notes,
        }
    }
}

impl<'a> ModelView<'a> {
    fn of(Model { provider, model, stats }: &'a Model) -> ModelView<'a> {
        ModelView { provider, model, counted: Counted::group(stats) }
    }
}

impl<'a> Counted<'a> {
    fn totals(stats: &'a Stats) -> Counted<'a> {
        Counted { calls: Some(stats.calls), count: None, ..Counted::group(stats) }
    }

    fn group(stats: &'a Stats) -> Counted<'a> {
        let is_metered = stats.unknown_usage < stats.calls;
        Counted {
            calls: None,
            count: Some(stats.calls),
            errors: stats.errors,
            abandoned: stats.abandoned,
            truncated: stats.truncated,
            usd: stats.usd,
            usd_uncached: stats.usd.map(|_| stats.usd_uncached),
            priced_calls: stats.priced(),
            unpriced_calls: stats.unpriced,
            unknown_usage_calls: stats.unknown_usage,
            estimated_usage_calls: stats.estimated_usage,
            suspect_calls: stats.suspect,
            tokens: is_metered.then_some(stats.usage),
            cached_share: stats.cached_share(),
            classes: stats.classes(),
            latency_ms: &stats.latency,
            ttft_ms: &stats.first_token,
            tpot_ms: &stats.per_token,
        }
    }
}
