//! Usage and costs as Anthropic's administration API reports them: buckets of time with sums.
//!
//! Tokens are of disjoint classes. Amounts are decimal texts in cents.

use serde::Deserialize;

use scrimp_core::{Metering, Parts};

use super::count::Count;
use super::field::{Charge, Moment, Money, Text};
use super::report::{self, Line};
use super::{Clock, Import, Repeats, rows};
use crate::meter::usage::Report;

pub(super) const FORMAT: Import = Import {
    name: "anthropic-usage",
    what: "usage and cost reports from Anthropic's administration API (sums, not calls)",
    clock: Clock::Calendar,
    repeats: Repeats::Never,
    lacks: &[],
    pieces: rows::whole,
    fits: |bytes| rows::fits(bytes, &["starting_at", "ending_at", "results"]),
    read: |bytes, source| {
        report::read(bytes, source, "anthropic", |bucket: Bucket| {
            let lines = bucket.results.into_iter().map(line).collect();
            (bucket.starting_at, bucket.ending_at, lines)
        })
    },
};

#[derive(Deserialize)]
struct Bucket {
    starting_at: Moment,
    ending_at: Moment,
    #[serde(default)]
    results: Vec<Sum>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sum {
    uncached_input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation: Written,
    output_tokens: Count,
    model: Text,
    workspace_id: Text,
    api_key_id: Text,
    account_id: Text,
    service_tier: Text,
    context_window: Text,
    description: Text,
    amount: Charge,
    currency: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

fn line(sum: Sum) -> Line {
    let report = Report {
        input: sum.uncached_input_tokens.into(),
        cached: sum.cache_read_input_tokens.into(),
        written_short: sum.cache_creation.ephemeral_5m_input_tokens.into(),
        written_long: sum.cache_creation.ephemeral_1h_input_tokens.into(),
        output: sum.output_tokens.into(),
        ..Report::default()
    };
    Line {
        of: Parts {
            model: sum.model.0,
            project: sum.workspace_id.0,
            key: sum.api_key_id.0,
            user: sum.account_id.0,
            tier: sum.service_tier.0,
            item: sum.description.or(sum.context_window).0,
        },
        calls: Count::Absent,
        metering: match sum.uncached_input_tokens {
            Count::Absent => Metering::UNKNOWN,
            Count::Of(_) | Count::Nonsense => report.metering(),
        },
        usd: match sum.amount.0 {
            Money::Of(cents) => Money::Of(cents.scaled(1, 100)),
            other => other,
        },
        currency: sum.currency,
    }
}
