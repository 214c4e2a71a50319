//! Reasoning that makes up most of what is answered. Whether less effort answers as well is for a test
//! to say; where it is not asked, nobody knows. So no saving is claimed, only what it costs is said.

use std::sync::Arc;

use scrimp_core::{Usage, UsageState, Usd};

use super::weigh::{Members, Scales};
use super::{Finding, Rule, Study, by_operation, is_worth};
use crate::report::{count, money, plural};

pub(super) const RULE: Rule = Rule {
    name: "reasoning",
    why: "Reasoning is billed as output and waited for; easy calls do not need much of it.",
    find,
};

/// Of the output.
const LEAST_PERCENT_OF_OUTPUT: u64 = 60;
/// Of what the calls cost.
const LEAST_PERCENT: u64 = 10;
/// Answers that are shorter are easy ones as often as not: a label, a number, a short record.
const MOST_VISIBLE: u64 = 300;

fn find(study: &Study<'_>) -> Vec<Finding> {
    by_operation(study, finding)
}

fn finding(
    study: &Study<'_>,
    scales: &Scales<'_>,
    operation: &Arc<str>,
    members: &Members,
) -> Option<Finding> {
    let metering = |at: &usize| scales.calls()[*at].traced.metering;
    let measured = members.iter().filter(|at| metering(at).state == UsageState::Measured);
    let measured: Members = measured.copied().collect();
    let (mut reasoning, mut visible) = (0, Vec::with_capacity(measured.len()));
    for at in &measured {
        let usage: Usage = metering(at).usage;
        reasoning += usage.reasoning;
        visible.push(usage.output);
    }
    let output: u64 = visible.iter().sum();
    visible.sort_unstable();
    let median = *visible.get(visible.len() / 2)?;
    let usd: Usd = measured.iter().map(|at| scales.cost_of_reasoning(*at)).sum();
    let is_most = (reasoning + output) * LEAST_PERCENT_OF_OUTPUT <= reasoning * 100;
    if !is_most || MOST_VISIBLE < median || !is_worth(usd, scales, &measured, LEAST_PERCENT) {
        return None;
    }
    let calls = measured.len() as u64;
    let share = reasoning * 100 / (reasoning + output).max(1);
    let a_month = match study.profile.longer_days() {
        None => study.profile.per_month(usd),
        Some(_) => None,
    };
    let a_month = a_month.map_or(String::new(), |usd| format!(", ${} a month", money(usd)));
    let facts = vec![
        format!(
            "{} tokens a call are reasoning, half of the answers have at most {} that are seen",
            count(reasoning / calls.max(1)),
            count(median)
        ),
        format!("it cost ${} in {}{a_month}", money(usd), plural(calls, "call")),
        format!("to do: {FIX}"),
    ];
    let title = format!("{operation}: {share}% of the output is reasoning, for short answers");
    Some(Finding { effort: FIX, ..Finding::noticed(RULE.name, title, calls, facts) })
}

const FIX: &str = "try less effort on a share of the calls, and compare the answers";
