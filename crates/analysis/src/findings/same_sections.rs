//! What never changes: tools, sections and examples that are the same in all calls of an operation, and
//! what they cost. What of it stands behind something that changes cannot be read from a cache.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use scrimp_core::{Digest, Role, Usd};

use super::weigh::{Members, Scales};
use super::{Finding, Rule, Study, by_operation, is_worth};
use crate::replay::{Basis, Link};
use crate::report::{count, money, plural};

pub(super) const RULE: Rule = Rule {
    name: "same-sections",
    why: "What never changes can be kept in a cache, shortened once, or taught to a smaller model.",
    find,
};

/// A block in fewer of the calls is not always there.
const LEAST_PERCENT_OF_CALLS: usize = 95;
/// Tokens behind what changes, fewer of which are not worth moving.
const LEAST_BEHIND: u64 = 256;
/// Of what the calls cost.
const LEAST_PERCENT: u64 = 20;

fn find(study: &Study<'_>) -> Vec<Finding> {
    by_operation(study, finding)
}

/// The blocks that nearly all of the calls have.
fn always(study: &Study<'_>, scales: &Scales<'_>, members: &Members) -> FxHashSet<Digest> {
    let mut counts: FxHashMap<Digest, usize> = FxHashMap::default();
    let mut links: Vec<Link> = Vec::new();
    for at in members {
        study.trace.prompts.links_into(scales.calls()[*at].traced.prompt, &mut links);
        let digests: FxHashSet<Digest> = links.iter().map(|link| link.digest).collect();
        for digest in digests {
            *counts.entry(digest).or_default() += 1;
        }
    }
    let least = members.len() * LEAST_PERCENT_OF_CALLS / 100;
    counts.into_iter().filter(|(_, calls)| least <= *calls).map(|(digest, _)| digest).collect()
}

fn finding(
    study: &Study<'_>,
    scales: &Scales<'_>,
    operation: &Arc<str>,
    members: &Members,
) -> Option<Finding> {
    let always = always(study, scales, members);
    let (mut usd, mut tokens, mut behind) = (Usd::ZERO, 0, 0);
    let mut kinds: BTreeMap<&str, FxHashSet<Digest>> = BTreeMap::new();
    let mut links = Vec::new();
    for at in members {
        let traced = scales.calls()[*at].traced;
        study.trace.prompts.links_into(traced.prompt, &mut links);
        let mut is_behind = false;
        let pieces = study.trace.nodes.pieces(&links, traced.input());
        for (link, piece) in links.iter().zip(pieces) {
            if !always.contains(&link.digest) {
                is_behind = true;
                continue;
            }
            let length = piece.end - piece.start;
            tokens += length;
            behind += if is_behind { length } else { 0 };
            usd += scales.cost_of_piece(*at, piece);
            kinds.entry(kind(link.role)).or_default().insert(link.digest);
        }
    }
    let calls = members.len() as u64;
    // Instructions in front are where they belong, and what a cache would give is said elsewhere.
    let tells_something = LEAST_BEHIND <= behind / calls || kinds.contains_key(EXAMPLE);
    if !tells_something || !is_worth(usd, scales, members, LEAST_PERCENT) {
        return None;
    }
    let kinds: Vec<String> =
        kinds.iter().map(|(kind, blocks)| plural(blocks.len() as u64, kind)).collect();
    let mut facts = vec![
        format!("{}: the same in {}", kinds.join(", "), plural(calls, "call")),
        format!("they cost ${}, of ${} in all", money(usd), money(scales.cost_now(members))),
    ];
    if LEAST_BEHIND <= behind / calls {
        facts.push(format!(
            "{} of these tokens stand behind something that changes: {FIX}",
            count(behind / calls)
        ));
    }
    let title = format!("{operation}: {} tokens a call never change", count(tokens / calls));
    let noticed = Finding::noticed(RULE.name, title, calls, facts);
    Some(Finding { basis: Basis::Modelled, effort: FIX, ..noticed })
}

fn kind(role: Role) -> &'static str {
    match role {
        Role::Tool => "tool",
        Role::System => "instruction",
        Role::User | Role::Assistant | Role::ToolResult => EXAMPLE,
    }
}

const EXAMPLE: &str = "example message";

const FIX: &str = "move what never changes to the front";
