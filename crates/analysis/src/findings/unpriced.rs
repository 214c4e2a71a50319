//! Models without a price. They are not free: what they cost is in no sum.

use super::{Finding, Rule, Study};
use crate::report::{count, plural};

pub(super) const RULE: Rule = Rule {
    name: "unpriced",
    why: "Calls to a model without a price are in no sum of money.",
    find,
};

fn find(study: &Study<'_>) -> Vec<Finding> {
    let models = study.profile.operations.iter().flat_map(|operation| &operation.models);
    let mut unpriced: Vec<(String, u64, u64)> = Vec::new();
    for model in models.filter(|model| 0 < model.stats.unpriced) {
        let name = format!("{}/{}", model.provider, model.model);
        let more = (model.stats.unpriced, model.stats.usage.input());
        match unpriced.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, calls, tokens)) => (*calls, *tokens) = (*calls + more.0, *tokens + more.1),
            None => unpriced.push((name, more.0, more.1)),
        }
    }
    unpriced.sort_by_key(|(_, calls, _)| std::cmp::Reverse(*calls));
    let finding = |(name, calls, tokens): (String, u64, u64)| {
        let title = format!("no price for {name}: {} in no sum", plural(calls, "call"));
        let facts = vec![
            format!("{} with {} input tokens", plural(calls, "call"), count(tokens)),
            "a price of your own in the configuration's prices counts from the next run".to_owned(),
        ];
        Finding { effort: "one price", ..Finding::noticed(RULE.name, title, calls, facts) }
    };
    unpriced.into_iter().map(finding).collect()
}
