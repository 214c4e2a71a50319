//! The metrics of OpenTelemetry's conventions for generative AI, in Prometheus' spelling.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::metrics::{escaped, line};
use crate::config::{Config, Speaks};
use crate::gateway::Gateway;
use crate::semantic::{Buckets, Labels, Series};

/// A histogram: its name, what it is, and the parts of a series with the labels that tell them apart.
type Family = (&'static str, &'static str, &'static [Part]);
type Part = (&'static str, fn(&Series) -> &Buckets);

const FAMILIES: &[Family] = &[
    (
        "gen_ai_client_operation_duration_seconds",
        "From a call's arrival to its end, since the start.",
        &[("", |series| &series.duration)],
    ),
    (
        "gen_ai_client_token_usage",
        "Tokens of the metered calls; input with what was cached, output with reasoning.",
        &[
            ("gen_ai_token_type=\"input\",", |series| &series.input),
            ("gen_ai_token_type=\"output\",", |series| &series.output),
        ],
    ),
    (
        "gen_ai_server_time_to_first_token_seconds",
        "From a call's arrival to the first content of its stream, seen from here.",
        &[("", |series| &series.first_token)],
    ),
    (
        "gen_ai_server_time_per_output_token_seconds",
        "Time of a stream for each output token after the first, seen from here.",
        &[("", |series| &series.per_token)],
    ),
];

/// What the conventions call providers that are named otherwise here.
const PROVIDERS: &[(&str, &str)] =
    &[("google", "gcp.gemini"), ("mistral", "mistral_ai"), ("xai", "x_ai")];

pub(super) fn write(gateway: &Gateway, text: &mut String) {
    let running = gateway.running();
    let mut all = BTreeMap::<String, Series>::new();
    // Two providers may have one name in the conventions.
    for (labels, series) in gateway.shared().semantic.all() {
        all.entry(written(&labels, &running.config)).or_default().merge(&series);
    }
    for (name, help, parts) in FAMILIES {
        line(text, format_args!("# HELP {name} {help}\n# TYPE {name} histogram"));
        for (labels, series) in &all {
            for (own, buckets) in *parts {
                write_histogram(text, name, &format!("{own}{labels}"), buckets(series));
            }
        }
    }
}

/// Nothing is said of what never was.
fn write_histogram(text: &mut String, name: &str, labels: &str, buckets: &Buckets) {
    let mut below = 0;
    if buckets.counts.iter().all(|count| *count == 0) {
        return;
    }
    for (bound, count) in buckets.bounds.iter().zip(&buckets.counts) {
        below += count;
        line(text, format_args!("{name}_bucket{{{labels},le=\"{bound}\"}} {below}"));
    }
    let count: u64 = buckets.counts.iter().sum();
    line(text, format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {count}"));
    line(text, format_args!("{name}_sum{{{labels}}} {}", buckets.sum));
    line(text, format_args!("{name}_count{{{labels}}} {count}"));
}

fn written(labels: &Labels, config: &Config) -> String {
    let Labels { operation, provider, model, error } = labels;
    let provider = match config.providers.get(provider).map(|provider| provider.speaks) {
        Some(Speaks::Azure) => "azure.ai.openai",
        Some(Speaks::Bedrock) => "aws.bedrock",
        _ => PROVIDERS.iter().find(|(ours, _)| **ours == **provider).map_or(&**provider, |p| p.1),
    };
    let (provider, model) = (escaped(provider), escaped(model));
    let mut written = format!(
        "gen_ai_operation_name=\"{operation}\",gen_ai_provider_name=\"{provider}\",\
         gen_ai_system=\"{provider}\",gen_ai_request_model=\"{model}\""
    );
    if let Some(error) = error {
        write!(written, ",error_type=\"{}\"", error.word()).expect("a string takes everything");
    }
    written
}
