//! A few numbers for Prometheus. Everything else is in the summary.
//!
//! What is counted of the process begins anew with it; what is summed by provider and model comes
//! from the sums per day, which stay, so those counters go on where they were after a restart.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use http::{Response, StatusCode};
use scrimp_core::{Span, Time, Usage, Usd};
use scrimp_store::{StoreError, Width};

use super::semantic;
use crate::counts::Counted;
use crate::gateway::Gateway;
use crate::page::Page;

/// What calls to one model have used.
#[derive(Default)]
struct Used {
    calls: u64,
    errors: u64,
    unpriced: u64,
    unknown: u64,
    usage: Usage,
    cost: Usd,
    cost_uncached: Usd,
}

/// By provider and model.
type ByModel = BTreeMap<(Arc<str>, Arc<str>), Used>;

/// A number of each provider and model: its name, what it is, and where it stands.
type Figure = (&'static str, &'static str, fn(&Used) -> String);

const FIGURES: &[Figure] = &[
    ("model_calls_total", "Calls, however they ended.", |used| used.calls.to_string()),
    ("model_errors_total", "Calls that got no good answer.", |used| used.errors.to_string()),
    ("model_unpriced_calls_total", "Calls without a known price.", |used| {
        used.unpriced.to_string()
    }),
    ("model_unmetered_calls_total", "Calls whose usage is unknown.", |used| {
        used.unknown.to_string()
    }),
    ("cost_usd_total", "Dollars that the priced calls cost.", |used| used.cost.to_string()),
    (
        "cost_without_caching_usd_total",
        "Dollars that the same tokens would have cost without any prompt caching.",
        |used| used.cost_uncached.to_string(),
    ),
];

/// Reads the store; not on a thread that serves calls.
pub(super) fn page(gateway: &Gateway) -> Response<Page> {
    let mut text = String::new();
    write_process(gateway, &mut text);
    semantic::write(gateway, &mut text);
    match by_model(gateway) {
        Ok(models) => write_models(&models, &mut text),
        // The process's own numbers are wanted most when the store is in trouble.
        Err(error) => {
            let told = error.to_string().replace('\n', " ");
            line(&mut text, format_args!("# sums by model are missing: {told}"));
        }
    }
    Page::of(StatusCode::OK, "text/plain; version=0.0.4", text)
}

fn write_process(gateway: &Gateway, text: &mut String) {
    let Counted { began, in_flight, policy_panics, bypassed, reloads, refused_reloads } =
        gateway.counted();
    let is_bypassed = u64::from(gateway.running().policies.is_bypassed);
    let shared = gateway.shared();
    let store = shared.store.health();
    let is_unwritten = u64::from(store.last_flush_error.is_some());
    let is_unkempt = u64::from(store.last_maintenance_error.is_some());
    let is_refused = u64::from(shared.refused_config().is_some());
    let damaged = store.corrupt_files.len() as u64;
    let rows = [
        ("calls_total", "counter", "Calls that came in.", began),
        ("calls_in_flight", "gauge", "Calls that are open.", in_flight),
        ("settled_total", "counter", "Calls that were settled.", store.settled),
        ("details_dropped_total", "counter", "Records that found no room.", store.details_dropped),
        ("labels_folded_total", "counter", "Calls counted as another model.", store.labels_folded),
        ("keys_folded_total", "counter", "Calls counted under another key.", store.keys_folded),
        ("spend_folded_total", "counter", "Tags and sessions without a sum.", store.spend_folded),
        ("records_queued", "gauge", "Records that wait for the disk.", store.queued),
        ("store_bytes", "gauge", "Bytes in the data directory.", store.bytes_on_disk),
        ("flush_failing", "gauge", "1 while records cannot be written.", is_unwritten),
        ("maintenance_failing", "gauge", "1 while sealing or retention fail.", is_unkempt),
        ("damaged_files", "gauge", "Files that were damaged and set aside.", damaged),
        ("configuration_refused", "gauge", "1 while the one on disk is wrong.", is_refused),
        ("policy_panics_total", "counter", "Calls that went unshaped.", policy_panics),
        ("bypass", "gauge", "1 while all policies step aside by hand.", is_bypassed),
        ("bypassed_calls_total", "counter", "Calls that no policy was asked about.", bypassed),
        ("reloads_total", "counter", "Configurations put in force.", reloads),
        ("refused_reloads_total", "counter", "Configurations that were wrong.", refused_reloads),
    ];
    for (name, kind, help, value) in rows {
        begin(text, name, kind, help);
        line(text, format_args!("scrimp_{name} {value}"));
    }
}

fn by_model(gateway: &Gateway) -> Result<ByModel, StoreError> {
    let shared = gateway.shared();
    let to = shared.clock.now() + Span::from_nanos(1);
    let mut models = ByModel::new();
    for cell in shared.store.reader().cells(Time::EPOCH, to, Width::Day)? {
        let used = models.entry((cell.provider, cell.model)).or_default();
        used.calls += cell.calls;
        used.errors += cell.errors;
        used.unpriced += cell.unpriced;
        used.unknown += cell.unknown;
        used.usage += cell.usage;
        used.cost += cell.cost;
        used.cost_uncached += cell.cost_uncached;
    }
    Ok(models)
}

fn write_models(models: &ByModel, text: &mut String) {
    for (name, help, value) in FIGURES {
        begin(text, name, "counter", help);
        for (model, used) in models {
            line(text, format_args!("scrimp_{name}{{{}}} {}", labels(model), value(used)));
        }
    }
    begin(
        text,
        "tokens_total",
        "counter",
        "Tokens of the metered calls, by class; no token is in two.",
    );
    for (model, used) in models {
        for (class, tokens) in classes(&used.usage) {
            let labels = labels(model);
            line(text, format_args!("scrimp_tokens_total{{{labels},class=\"{class}\"}} {tokens}"));
        }
    }
}

fn classes(usage: &Usage) -> [(&'static str, u64); 9] {
    let Usage {
        uncached,
        cache_read,
        cache_write_short,
        cache_write_long,
        audio_input,
        image_input,
        output,
        reasoning,
        audio_output,
    } = *usage;
    [
        ("uncached", uncached),
        ("cache_read", cache_read),
        ("cache_write_short", cache_write_short),
        ("cache_write_long", cache_write_long),
        ("audio_input", audio_input),
        ("image_input", image_input),
        ("output", output),
        ("reasoning", reasoning),
        ("audio_output", audio_output),
    ]
}

fn labels((provider, model): &(Arc<str>, Arc<str>)) -> String {
    format!("provider=\"{}\",model=\"{}\"", escaped(provider), escaped(model))
}

/// A model's name is whatever a caller wrote.
pub(super) fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn begin(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP scrimp_{name} {help}\n# TYPE scrimp_{name} {kind}"));
}

pub(super) fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes everything");
}
