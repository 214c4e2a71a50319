//! Streams that ended without their terminal event. The official clients do not notice when they
//! are iterated over, so the application works with half an answer.

use super::{Finding, Rule, Study};
use crate::profile::Operation;
use crate::report::count;

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
    let name = &operation.name;
    let (some, all) = (count(truncated), count(calls));
    let title = format!("{name}: {some} of {all} answers broke off ({share:.1}%)");
    let facts = vec![
        "their streams ended without the terminal event, which clients may not notice".to_owned(),
        "their input was used and is billed; their output is known in part at best".to_owned(),
    ];
    Finding::noticed(RULE.name, title, truncated, facts)
}
