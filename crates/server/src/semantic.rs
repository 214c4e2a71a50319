//! Counts by the names of OpenTelemetry's conventions for generative AI, for `/metrics`.
//!
//! The store's sums have no histogram of tokens, no durations of calls that went wrong, and not the
//! conventions' boundaries, so these are counted beside them, in memory, from the process's start.

use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;
use scrimp_core::{Call, Delivery, Dialect, Ending, Fault, Record};

/// `gen_ai.client.operation.duration`, and two more for models that think for minutes.
pub(crate) const DURATION: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84,
    327.68,
];
/// `gen_ai.server.time_to_first_token`, and five more for the same reason.
pub(crate) const FIRST_TOKEN: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    15.0, 20.0, 30.0, 45.0, 60.0,
];
/// `gen_ai.server.time_per_output_token`.
pub(crate) const PER_TOKEN: &[f64] =
    &[0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5];
/// `gen_ai.client.token.usage`.
pub(crate) const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Callers make up names of models; beyond so many they are counted together.
const MOST_SERIES: usize = 2_000;
/// The conventions' word for what has no name of its own.
const OTHER: &str = "_OTHER";

/// What a series is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Labels {
    pub(crate) operation: &'static str,
    /// As the configuration names it.
    pub(crate) provider: Arc<str>,
    pub(crate) model: Arc<str>,
    pub(crate) error: Option<ErrorKind>,
}

/// Why a call is no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ErrorKind {
    Status(u16),
    Fault(Fault),
    Abandoned,
    Truncated,
}

/// The calls of one series.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) duration: Buckets,
    pub(crate) first_token: Buckets,
    pub(crate) per_token: Buckets,
    pub(crate) input: Buckets,
    pub(crate) output: Buckets,
}

/// Counts between boundaries, which belong to what is below them.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    pub(crate) bounds: &'static [f64],
    /// One more than there are boundaries.
    pub(crate) counts: Box<[u64]>,
    pub(crate) sum: f64,
}

/// Every series since the start.
#[derive(Debug, Default)]
pub(crate) struct Semantic {
    series: Mutex<FxHashMap<Labels, Series>>,
}

impl Semantic {
    /// Counts a call that was sent to a model. Called once for each, and holds its lock for as long
    /// as a few additions take.
    pub(crate) fn count(&self, record: &Record) {
        let Some(operation) = operation(record.call.dialect) else { return };
        if record.attempts.is_empty() {
            return;
        }
        let Call { provider, model, .. } = &*record.call;
        let labels = Labels {
            operation,
            provider: provider.clone(),
            model: model.clone(),
            error: error_of(record),
        };
        let mut all = self.series.lock().expect("nothing here panics");
        let is_known = all.len() < MOST_SERIES || all.contains_key(&labels);
        let labels = if is_known { labels } else { Labels { model: OTHER.into(), ..labels } };
        all.entry(labels).or_default().add(record);
    }

    /// All of them as they stand, in no order.
    pub(crate) fn all(&self) -> Vec<(Labels, Series)> {
        let all = self.series.lock().expect("nothing here panics");
        all.iter().map(|(labels, series)| (labels.clone(), series.clone())).collect()
    }
}

impl Default for Series {
    fn default() -> Series {
        Series {
            duration: Buckets::new(DURATION),
            first_token: Buckets::new(FIRST_TOKEN),
            per_token: Buckets::new(PER_TOKEN),
            input: Buckets::new(TOKENS),
            output: Buckets::new(TOKENS),
        }
    }
}

impl Series {
    #[expect(clippy::cast_precision_loss, reason = "tokens of one call are far below 2^52")]
    fn add(&mut self, record: &Record) {
        let (timing, usage) = (&record.timing, &record.metering.usage);
        if let Some(ended) = timing.ended {
            self.duration.add(ended.as_secs_f64());
        }
        if record.is_metered() {
            self.input.add(usage.input() as f64);
            self.output.add(usage.total_output() as f64);
        }
        if record.call.delivery != Delivery::Stream || !record.is_success() {
            return;
        }
        if let Some(first) = timing.first_content {
            self.first_token.add(first.as_secs_f64());
        }
        let took = timing.first_content.zip(timing.last_content).map(|(from, to)| to - from);
        let further = usage.total_output().saturating_sub(1);
        if let Some(took) = took.filter(|_| record.is_metered() && 0 < further) {
            self.per_token.add(took.as_secs_f64() / further as f64);
        }
    }

    pub(crate) fn merge(&mut self, other: &Series) {
        let Series { duration, first_token, per_token, input, output } = other;
        self.duration.merge(duration);
        self.first_token.merge(first_token);
        self.per_token.merge(per_token);
        self.input.merge(input);
        self.output.merge(output);
    }
}

impl Buckets {
    fn new(bounds: &'static [f64]) -> Buckets {
        Buckets { bounds, counts: vec![0; bounds.len() + 1].into(), sum: 0.0 }
    }

    fn add(&mut self, value: f64) {
        self.counts[self.bounds.partition_point(|bound| *bound < value)] += 1;
        self.sum += value;
    }

    fn merge(&mut self, other: &Buckets) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.sum += other.sum;
    }
}

impl ErrorKind {
    /// As `error.type` says it.
    pub(crate) fn word(self) -> String {
        match self {
            ErrorKind::Status(status) => status.to_string(),
            ErrorKind::Fault(fault) => {
                let word = serde_json::to_value(fault).ok();
                word.and_then(|word| word.as_str().map(str::to_owned))
                    .unwrap_or_else(|| OTHER.to_owned())
            }
            ErrorKind::Abandoned => "canceled".to_owned(),
            ErrorKind::Truncated => "truncated".to_owned(),
        }
    }
}

/// What the conventions call what a dialect asks for; `None` for what runs no model.
fn operation(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        Dialect::OpenaiChat
        | Dialect::OpenaiResponses
        | Dialect::AnthropicMessages
        | Dialect::BedrockConverse => Some("chat"),
        Dialect::OpenaiCompletions => Some("text_completion"),
        Dialect::OpenaiEmbeddings | Dialect::GeminiEmbed => Some("embeddings"),
        Dialect::GeminiGenerate => Some("generate_content"),
        Dialect::AnthropicCountTokens | Dialect::Other => None,
    }
}

fn error_of(record: &Record) -> Option<ErrorKind> {
    match &record.ending {
        Ending::Answered { .. } if record.is_success() => None,
        Ending::Answered { status, .. } => Some(ErrorKind::Status(*status)),
        Ending::Truncated { .. } => Some(ErrorKind::Truncated),
        Ending::Failed { fault } => Some(ErrorKind::Fault(*fault)),
        Ending::Abandoned => Some(ErrorKind::Abandoned),
        Ending::Refused(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_belongs_to_what_is_below_it() {
        let mut buckets = Buckets::new(PER_TOKEN);
        for value in [0.0, 0.01, 0.011, 2.5, 2.6] {
            buckets.add(value);
        }
        assert_eq!((buckets.counts[0], buckets.counts[1]), (2, 1));
        assert_eq!((buckets.counts[12], buckets.counts[13]), (1, 1));
        assert_eq!(ErrorKind::Fault(Fault::ConnectTimeout).word(), "connect_timeout");
    }
}
