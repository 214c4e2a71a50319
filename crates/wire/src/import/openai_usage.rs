//! Usage and costs as `OpenAI`'s administration API reports them: buckets of time with sums.
//!
//! Input tokens are of text and contain cached ones; audio stands beside them. A bucket without
//! results says that nothing was used, which is not the same as a bucket that is not there.

use serde::Deserialize;

use scrimp_core::{Metering, Parts};

use super::count::Count;
use super::field::{Charge, Moment, Text};
use super::report::{self, Line};
use super::{Clock, Import, Repeats, rows};
use crate::meter::usage::Report;

pub(super) const FORMAT: Import = Import {
    name: "openai-usage",
    what: "usage and costs from OpenAI's administration API (sums, not calls)",
    clock: Clock::Calendar,
    repeats: Repeats::Never,
    lacks: &[],
    pieces: rows::whole,
    fits: |bytes| rows::fits(bytes, &["start_time", "end_time", "results|result"]),
    read: |bytes, source| {
        report::read(bytes, source, "openai", |bucket: Bucket| {
            let results = bucket.results.into_iter().chain(bucket.result);
            (bucket.start_time, bucket.end_time, results.map(line).collect())
        })
    },
};

#[derive(Deserialize)]
struct Bucket {
    start_time: Moment,
    end_time: Moment,
    #[serde(default)]
    results: Vec<Sum>,
    #[serde(default)]
    result: Vec<Sum>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sum {
    input_tokens: Count,
    input_cached_tokens: Count,
    input_audio_tokens: Count,
    output_tokens: Count,
    output_audio_tokens: Count,
    num_model_requests: Count,
    model: Text,
    project_id: Text,
    user_id: Text,
    api_key_id: Text,
    batch: Text,
    service_tier: Text,
    line_item: Text,
    amount: Amount,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Amount {
    value: Charge,
    currency: Text,
}

fn line(sum: Sum) -> Line {
    let report = Report {
        is_inclusive: true,
        input: sum.input_tokens.into(),
        cached: sum.input_cached_tokens.into(),
        output: sum.output_tokens.into(),
        ..Report::default()
    };
    let mut metering = match sum.input_tokens {
        // A report of money, or of what is not counted in tokens.
        Count::Absent => Metering::UNKNOWN,
        Count::Of(_) | Count::Nonsense => report.metering(),
    };
    match (sum.input_audio_tokens.or_zero(), sum.output_audio_tokens.or_zero()) {
        (Some(input), Some(output)) => {
            metering.usage.audio_input += input;
            metering.usage.audio_output += output;
        }
        _ => metering.suspect = true,
    }
    let batch = Text(sum.batch.is("true").then(|| "batch".into()));
    Line {
        of: Parts {
            model: sum.model.0,
            project: sum.project_id.0,
            key: sum.api_key_id.0,
            user: sum.user_id.0,
            tier: batch.or(sum.service_tier).0,
            item: sum.line_item.0,
        },
        calls: sum.num_model_requests,
        metering,
        usd: sum.amount.value.0,
        currency: sum.amount.currency,
    }
}
