//! Operations that are slower than the rest, beyond doubt.
//!
//! "Slow" has no absolute measure: an answer of a thousand tokens takes its time. An operation is
//! named when the low end of the confidence interval of its median lies above twice the high end of
//! that of all other calls, each with enough calls for an interval that means something.

use super::{Finding, Rule, Study};
use crate::profile::{Durations, Operation};
use crate::report::{count, plural, span};

pub(super) const RULE: Rule = Rule {
    name: "slow",
    why: "The operation that is slower than the others is where waiting can be saved.",
    find,
};

/// Calls on either side without which nothing is said.
const LEAST_CALLS: u64 = 100;
/// How many times slower than the others.
const TIMES: f64 = 2.0;

fn find(study: &Study<'_>) -> Vec<Finding> {
    let operations = &study.profile.operations;
    let judge = |operation: &Operation| {
        let mut others = Durations::default();
        for other in operations.iter().filter(|other| other.name != operation.name) {
            others.merge(&other.stats.latency);
        }
        finding(operation, &others)
    };
    operations.iter().filter_map(judge).collect()
}

fn finding(operation: &Operation, others: &Durations) -> Option<Finding> {
    let own = &operation.stats.latency;
    if own.calls().min(others.calls()) < LEAST_CALLS {
        return None;
    }
    let ((low, high), (_, others_high)) = (own.interval(0.5)?, others.interval(0.5)?);
    if low.as_secs_f64() < others_high.as_secs_f64() * TIMES {
        return None;
    }
    let (p50, others_p50) = (own.quantile(0.5)?, others.quantile(0.5)?);
    let times = p50.as_secs_f64() / others_p50.as_secs_f64().max(1e-9);
    let title = format!("{}: {times:.1} times slower than the other calls", operation.name);
    let mut facts = vec![format!(
        "median {} ({} to {} with 95% confidence) over {}; {} over the \
         {} others",
        span(p50),
        span(low),
        span(high),
        plural(own.calls(), "call"),
        span(others_p50),
        count(others.calls())
    )];
    facts.extend(why(operation));
    Some(Finding::noticed(RULE.name, title, own.calls(), facts))
}

/// Where the time goes, as far as streams tell.
#[expect(clippy::cast_precision_loss, reason = "a mean for people")]
fn why(operation: &Operation) -> Vec<String> {
    let stats = &operation.stats;
    let metered = stats.calls - stats.unknown_usage;
    let mut facts = Vec::new();
    if 0 < metered {
        let mean = |tokens: u64| tokens as f64 / metered as f64;
        facts.push(format!(
            "{:.0} tokens in and {:.0} out a call on average",
            mean(stats.usage.input()),
            mean(stats.usage.total_output())
        ));
    }
    let parts = (stats.first_token.quantile(0.5), stats.per_token.quantile(0.5));
    if let (Some(first), Some(each)) = parts {
        facts.push(format!(
            "in {} streams the first token takes {}, each further one {}",
            count(stats.first_token.calls()),
            span(first),
            span(each)
        ));
    }
    facts
}
