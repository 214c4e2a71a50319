//! Streams that ended without their terminal event. The official clients do not notice when they
//! are iterated over, so the application works with half an answer.

use super::{Finding, Rule, Study};
use crate::profile::Operation;

pub(super) const RULE: Rule = Rule {
    name: "truncated",
    why: "A stream without its terminal event is half an answer that nobody noticed.",
    find,
};

/// Fewer than this may be chance.
const LEAST: u64 = 3;

fn find(study: &Study<'_>) -> Vec<Finding> {
    let operations = study.profile.operations.iter();
    operations.filter(|operation| LEAST <= operation.stats.truncated).map(finding).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
fn finding(operation: &Operation) -> Finding {
    let (truncated, calls) = (operation.stats.truncated, operation.stats.calls);
    let share = truncated as f64 / calls as f64 * 100.0;
    let title =
        format!("{}: {truncated} of {calls} answers broke off ({share:.1}%)", operation.name);
    let facts = vec![
        format!("{truncated} of {calls} streams ended without their terminal event"),
        "their input was used and is billed; their output is known in part at best".to_owned(),
    ];
    Finding::noticed(RULE.name, title, truncated, facts)
}
