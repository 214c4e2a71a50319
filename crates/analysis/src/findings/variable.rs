//! Operations whose slow calls are far slower than their usual ones.
//!
//! Quantiles of few calls wander, so the statement is made only if it holds for the unfavourable
//! ends of both confidence intervals: the 99th percentile at its low end against the median at its
//! high end. Both come from order statistics; no shape of the distribution is assumed, and a single
//! outlier moves neither.

use super::{Finding, Rule, Study};
use crate::profile::Operation;
use crate::report::{plural, span};

pub(super) const RULE: Rule = Rule {
    name: "variable",
    why: "An operation with a long tail makes somebody wait although it is usually fast.",
    find,
};

/// The low end of the 99th percentile's interval needs about this many calls to lie inside the data.
const LEAST_CALLS: u64 = 300;
/// How many times the median the 99th percentile has to be.
const TIMES: f64 = 5.0;

fn find(study: &Study<'_>) -> Vec<Finding> {
    study.profile.operations.iter().filter_map(finding).collect()
}

fn finding(operation: &Operation) -> Option<Finding> {
    let latency = &operation.stats.latency;
    if latency.calls() < LEAST_CALLS {
        return None;
    }
    let ((_, usual), (tail_low, tail_high)) = (latency.interval(0.5)?, latency.interval(0.99)?);
    let surely = tail_low.as_secs_f64() / usual.as_secs_f64().max(1e-9);
    if surely < TIMES {
        return None;
    }
    let (p50, p99) = (latency.quantile(0.5)?, latency.quantile(0.99)?);
    let title = format!(
        "{}: one call in a hundred takes over {} times the median",
        operation.name,
        surely.floor()
    );
    let facts = vec![format!(
        "median {}, 99th percentile {} ({} to {} with 95% confidence) over \
         {}",
        span(p50),
        span(p99),
        span(tail_low),
        span(tail_high),
        plural(latency.calls(), "call")
    )];
    Some(Finding::noticed(RULE.name, title, latency.calls(), facts))
}
