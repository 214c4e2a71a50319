//! Calls whose tokens nobody reported. They are in no sum of tokens or money.

use super::{Finding, Rule, Study};
use crate::report::count;

pub(super) const RULE: Rule = Rule {
    name: "unknown-usage",
    why: "Calls without usage are in no sum; a report of usage that cannot be believed is one too.",
    find,
};

fn find(study: &Study<'_>) -> Vec<Finding> {
    let operations = study.profile.operations.iter();
    let unknown = operations.filter(|operation| 0 < operation.stats.unknown_usage);
    let finding = |operation: &crate::profile::Operation| {
        let (unknown, calls) = (operation.stats.unknown_usage, operation.stats.calls);
        let title = format!(
            "{}: usage unknown of {} of {} calls",
            operation.name,
            count(unknown),
            count(calls)
        );
        let mut facts = vec!["they are in no sum of tokens or money".to_owned()];
        if 0 < operation.stats.suspect {
            facts.push(format!(
                "{} of them reported negative, huge or contradictory counts, which were left out",
                operation.stats.suspect
            ));
        }
        Finding::noticed(RULE.name, title, unknown, facts)
    };
    unknown.map(finding).collect()
}
