//! Images that are most of what is sent. How much detail a model needs to see is not in the records, so
//! no saving is claimed, only what they cost is said. Their tokens are estimates within a prompt whose
//! sum was measured.

use std::sync::Arc;

use scrimp_core::Usd;
use scrimp_core::call::Content;

use super::weigh::{Members, Scales};
use super::{Finding, Rule, Study, by_operation, is_worth};
use crate::replay::Basis;
use crate::report::{count, money, plural};

pub(super) const RULE: Rule = Rule {
    name: "images",
    why: "An image in full detail costs as much as a page of text, whatever is asked about it.",
    find,
};

/// Of what the calls cost.
const LEAST_PERCENT: u64 = 25;
/// Whoever asks for more than this looks closely.
const MOST_OUTPUT: u64 = 200;

fn find(study: &Study<'_>) -> Vec<Finding> {
    by_operation(study, finding)
}

fn finding(
    study: &Study<'_>,
    scales: &Scales<'_>,
    operation: &Arc<str>,
    members: &Members,
) -> Option<Finding> {
    let (mut images, mut tokens, mut usd, mut output) = (0_u64, 0, Usd::ZERO, 0);
    let mut links = Vec::new();
    for at in members {
        let traced = scales.calls()[*at].traced;
        study.trace.prompts.links_into(traced.prompt, &mut links);
        output += traced.metering.usage.total_output();
        let pieces = study.trace.nodes.pieces(&links, traced.input());
        for (_, piece) in
            links.iter().zip(pieces).filter(|(link, _)| link.content == Content::Image)
        {
            images += 1;
            tokens += piece.end - piece.start;
            usd += scales.cost_of_piece(*at, piece);
        }
    }
    let calls = members.len() as u64;
    if images == 0 || MOST_OUTPUT < output / calls || !is_worth(usd, scales, members, LEAST_PERCENT)
    {
        return None;
    }
    let facts = vec![
        format!(
            "{} in {}, about {} tokens each; {} tokens are answered on average",
            plural(images, "image"),
            plural(calls, "call"),
            count(tokens / images),
            count(output / calls)
        ),
        format!("they cost about ${}", money(usd)),
        format!("to do: {FIX}"),
    ];
    let title = format!("{operation}: images are most of the input, for short answers");
    let noticed = Finding::noticed(RULE.name, title, calls, facts);
    Some(Finding { basis: Basis::Modelled, effort: FIX, ..noticed })
}

const FIX: &str = "try low detail, or images scaled down, on a share of the calls, and compare";
