//! Output that is paid for and not used: answers of which the next prompt keeps a small part.
//!
//! What an application does with an answer is not in the records. But where it goes on with the
//! conversation and sends back a quarter of what was said, nobody needs the rest.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use scrimp_core::call::Content;
use scrimp_core::{NodeId, Role, UsageState, Usd};

use super::weigh::{Members, Scales};
use super::{Evidence, Finding, Rule, Study, by_operation, is_worth};
use crate::replay::Basis;
use crate::report::{count, plural};

pub(super) const RULE: Rule = Rule {
    name: "unread-output",
    why: "Output is the dearest kind of token, and what is thrown away had to be waited for too.",
    find,
};

/// Answers that were sent back, fewer of which say nothing.
const LEAST_ANSWERS: usize = 30;
/// Blocks' tokens are estimates: only what is far below is sure to be less.
const MOST_PERCENT_USED: u64 = 50;
/// Of what the calls cost.
const LEAST_PERCENT: u64 = 2;

/// An answer and how much of it came back.
struct Answer {
    call: usize,
    said: u64,
    kept: u64,
}

fn find(study: &Study<'_>) -> Vec<Finding> {
    by_operation(study, finding)
}

/// Each answer that a later prompt goes on from.
fn answers(study: &Study<'_>, scales: &Scales<'_>, members: &Members) -> Vec<Answer> {
    // The latest call that ended there, and whether its answer was seen already.
    let mut ended: FxHashMap<NodeId, (usize, bool)> = FxHashMap::default();
    let (mut answers, mut links) = (Vec::new(), Vec::new());
    for at in members {
        let traced = scales.calls()[*at].traced;
        if !traced.are_blocks_known {
            continue;
        }
        study.trace.prompts.links_into(traced.prompt, &mut links);
        let before = links.iter().rposition(|link| ended.contains_key(&link.end));
        if let Some(before) = before
            && let Some((call, is_seen @ false)) = ended.get_mut(&links[before].end)
        {
            let after = links[before + 1..].iter().take_while(|link| link.role == Role::Assistant);
            let kept = after.clone().filter(|link| link.content != Content::Reasoning);
            let kept = kept.map(|link| u64::from(link.tokens)).sum();
            let metering = scales.calls()[*call].traced.metering;
            if after.count() != 0 && metering.state == UsageState::Measured {
                *is_seen = true;
                answers.push(Answer { call: *call, said: metering.usage.output, kept });
            }
        }
        if let Some(last) = links.last() {
            ended.insert(last.end, (*at, false));
        }
    }
    answers
}

fn finding(
    study: &Study<'_>,
    scales: &Scales<'_>,
    operation: &Arc<str>,
    members: &Members,
) -> Option<Finding> {
    let answers = answers(study, scales, members);
    let said: u64 = answers.iter().map(|answer| answer.said).sum();
    let kept: u64 = answers.iter().map(|answer| answer.kept.min(answer.said)).sum();
    if answers.len() < LEAST_ANSWERS || said * MOST_PERCENT_USED <= kept * 100 {
        return None;
    }
    let less = answers.iter().map(|answer| {
        let unread = answer.said.saturating_sub(answer.kept);
        (answer.call, scales.cost_of_output(answer.call, unread))
    });
    let less: Vec<(usize, Usd)> = less.collect();
    let cost: Usd = less.iter().map(|(_, usd)| *usd).sum();
    if !is_worth(cost, scales, members, LEAST_PERCENT) {
        return None;
    }
    let bill = scales.bill_without(&less);
    let usd = scales.saving_range(&bill, members);
    let calls = answers.len() as u64;
    let facts = vec![
        format!(
            "{} whose answer is in the next prompt: {} tokens were answered each, about {} kept",
            plural(calls, "call"),
            count(said / calls),
            count(kept / calls)
        ),
        format!("to do: {FIX}"),
    ];
    Some(Finding {
        title: format!(
            "{operation}: {}% of what the model says is not kept",
            100 - kept * 100 / said.max(1)
        ),
        basis: Basis::Modelled,
        usd_per_month: scales.per_month(usd, &bill, members),
        usd: Some(usd),
        effort: FIX,
        risk: "what is left out of the conversation may have been shown to somebody".to_owned(),
        evidence: Evidence {
            calls,
            facts,
            hit_share: None,
            tried: Vec::new(),
            example: scales.example(&bill, members),
        },
        ..Finding::noticed(RULE.name, String::new(), calls, Vec::new())
    })
}

const FIX: &str = "ask for what is used and no more: a schema, a length, no explanation";
