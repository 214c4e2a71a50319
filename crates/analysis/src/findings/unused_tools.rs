//! Tools that are defined in every prompt and never called.
//!
//! A call to a tool is seen in the prompt that comes after it. Where answers end with calls that no
//! later prompt shows, or where a call may have been demanded, nothing is known of what is called.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use scrimp_core::call::Content;
use scrimp_core::{Role, Usd};

use super::weigh::{Members, Scales};
use super::{Evidence, Finding, Rule, Study, by_operation, is_worth};
use crate::replay::Basis;
use crate::report::{count, plural};

pub(super) const RULE: Rule = Rule {
    name: "unused-tools",
    why: "A tool that is never called is paid for with every prompt that defines it.",
    find,
};

/// Of what the calls cost.
const LEAST_PERCENT: u64 = 1;
/// How many places of tools are named.
const MOST_NAMED: usize = 12;

/// What was seen of the tools of one operation.
#[derive(Default)]
struct Seen {
    /// Of each tool: in how many calls, at which place last, what it cost call by call.
    defined: FxHashMap<u64, Defined>,
    called: FxHashSet<u64>,
    /// Blocks with calls to tools, each once.
    calls: FxHashSet<u64>,
    /// Answers that ended with a call.
    answers: usize,
    /// Whether no parameter can have demanded a call.
    is_free: bool,
}

#[derive(Default)]
struct Defined {
    place: usize,
    tokens: u64,
    usd: Vec<(usize, Usd)>,
}

fn find(study: &Study<'_>) -> Vec<Finding> {
    by_operation(study, finding)
}

fn seen(study: &Study<'_>, scales: &Scales<'_>, members: &Members) -> Seen {
    let mut seen = Seen { is_free: true, ..Seen::default() };
    let mut links = Vec::new();
    for at in members {
        let traced = scales.calls()[*at].traced;
        study.trace.prompts.links_into(traced.prompt, &mut links);
        seen.answers += usize::from(traced.common.calls_tool);
        seen.is_free &= traced.common.parameters.rendered == Some(0);
        let pieces = study.trace.nodes.pieces(&links, traced.input());
        for (place, (link, piece)) in links.iter().zip(pieces).enumerate() {
            if link.content != Content::Tool {
                continue;
            }
            let tools = study.trace.prompts.outline(link).map_or(&[][..], |outline| &outline.tools);
            match link.role {
                Role::Tool => {
                    let usd = scales.cost_of_piece(*at, piece.clone());
                    for tool in tools {
                        let defined = seen.defined.entry(*tool).or_default();
                        let share = usd.scaled(1, tools.len() as u64);
                        defined.place = place + 1;
                        defined.tokens += (piece.end - piece.start) / tools.len() as u64;
                        defined.usd.push((*at, share));
                    }
                }
                Role::Assistant => {
                    seen.calls.insert(link.digest.word());
                    seen.called.extend(tools);
                }
                _ => {}
            }
        }
    }
    seen
}

fn finding(
    study: &Study<'_>,
    scales: &Scales<'_>,
    operation: &Arc<str>,
    members: &Members,
) -> Option<Finding> {
    let Seen { mut defined, called, calls, answers, is_free } = seen(study, scales, members);
    let is_known =
        if calls.is_empty() { answers == 0 && is_free } else { answers <= 2 * calls.len() };
    let all = defined.len();
    // Of a tool that has just come nothing is known.
    defined
        .retain(|tool, defined| !called.contains(tool) && members.len() <= 2 * defined.usd.len());
    if !is_known || defined.is_empty() {
        return None;
    }
    let less: Vec<(usize, Usd)> = defined.values().flat_map(|tool| tool.usd.clone()).collect();
    let cost: Usd = less.iter().map(|(_, usd)| *usd).sum();
    if !is_worth(cost, scales, members, LEAST_PERCENT) {
        return None;
    }
    let bill = scales.bill_without(&less);
    let usd = scales.saving_range(&bill, members);
    let mut places: Vec<usize> = defined.values().map(|tool| tool.place).collect();
    places.sort_unstable();
    let tokens: u64 = defined.values().map(|tool| tool.tokens).sum();
    let named: Vec<String> = places.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    let more = places.len().saturating_sub(MOST_NAMED);
    let more = if 0 < more { format!(" and {more} more") } else { String::new() };
    let members_count = members.len() as u64;
    let facts = vec![
        format!("by their places among the tools: {}{more}", named.join(", ")),
        format!(
            "about {} tokens a call, in {} with {} to other tools",
            count(tokens / members_count),
            plural(members_count, "call"),
            plural(calls.len() as u64, "call"),
        ),
        format!("to do: {FIX}"),
    ];
    Some(Finding {
        title: format!("{operation}: {} of {all} tools are never called", defined.len()),
        basis: Basis::Modelled,
        usd_per_month: scales.per_month(usd, &bill, members),
        usd: Some(usd),
        effort: FIX,
        risk: "a tool that is needed seldom is missing then".to_owned(),
        evidence: Evidence {
            calls: members_count,
            facts,
            hit_share: None,
            tried: Vec::new(),
            example: scales.example(&bill, members),
        },
        ..Finding::noticed(RULE.name, String::new(), members_count, Vec::new())
    })
}

const FIX: &str = "leave them out, or have the provider load them only when they are searched for";
