//! Findings: what would be worth changing, and what is worth knowing.
//!
//! A finding contains no arithmetic about money. It proposes rules; the replay says what they would
//! have saved on the very same calls, and a proposal that saves nothing is not shown. What is only
//! noticed (a slow operation, a model without a price) claims no money at all.

mod breaker;
mod images;
mod prompt_cache;
mod reasoning;
mod same_sections;
mod slow;
mod truncated;
mod unknown_usage;
mod unpriced;
mod unread_output;
mod unused_tools;
mod variable;
mod weigh;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use scrimp_core::{Catalog, Usd};
use serde::Serialize;

use crate::profile::Profile;
use crate::replay::{Basis, Reading, Trace};
use weigh::{Members, Scales};

/// Every rule, in the order of the report. A new rule is a new file and a line here.
pub const FINDINGS: &[Rule] = &[
    prompt_cache::RULE,
    breaker::RULE,
    unused_tools::RULE,
    unread_output::RULE,
    reasoning::RULE,
    images::RULE,
    same_sections::RULE,
    unpriced::RULE,
    unknown_usage::RULE,
    truncated::RULE,
    slow::RULE,
    variable::RULE,
];

/// What finds something.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// Why it is looked for.
    pub why: &'static str,
    /// Looks.
    pub find: fn(&Study<'_>) -> Vec<Finding>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Study<'a> {
    /// The calls, counted.
    pub profile: &'a Profile,
    /// The calls, to be replayed.
    pub trace: &'a Trace,
    /// What tokens cost.
    pub prices: &'a Arc<Catalog>,
    /// How the vendor's rule about mixed lives is read.
    pub reading: Reading,
}

/// Something worth changing or knowing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// `F1`, `F2`, … for what can be applied, the most saving first; `N1`, … for what is noticed.
    pub id: String,
    /// The rule that found it.
    pub rule: &'static str,
    /// What it is, in a line.
    pub title: String,
    /// What its figures rest on.
    pub basis: Basis,
    /// What it saves a month; `None`: it claims nothing, or the records do not cover enough time.
    pub usd_per_month: Option<Range>,
    /// What it would have saved on these very calls.
    pub usd: Option<Range>,
    /// The predicted change of what the calls in its scope cost, in millionths; negative is a
    /// saving. What the journal keeps when it is applied, and the proof compares with.
    pub predicted_ppm: Option<i64>,
    /// What it does to latency; `None`: not known.
    pub latency_ms: Option<LatencyChange>,
    /// What it takes to apply it.
    pub effort: &'static str,
    /// What can go wrong.
    pub risk: String,
    /// The configuration to add (TOML); `None`: there is nothing to apply.
    pub change: Option<String>,
    /// What it rests on.
    pub evidence: Evidence,
    /// The finding that already contains this one: their savings do not add up.
    pub part_of: Option<String>,
}

/// An amount with its 90 % range, whose ends are unknown where too few calls tell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The low end.
    pub low: Option<Usd>,
    /// What is expected.
    pub likely: Usd,
    /// The high end.
    pub high: Option<Usd>,
}

/// A change of latency in milliseconds; negative is faster.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LatencyChange {
    /// Of the median.
    pub p50: f64,
    /// Of the 95th percentile.
    pub p95: f64,
}

/// What a finding rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// How many calls.
    pub calls: u64,
    /// The facts, in sentences.
    pub facts: Vec<String>,
    /// Cache reads' share of the input before and after, where that is what changes.
    pub hit_share: Option<HitShare>,
    /// What else was tried and would have saved less.
    pub tried: Vec<Tried>,
    /// A call that shows it.
    pub example: Option<Example>,
}

/// Cache reads' share of the input tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HitShare {
    /// As it was; `None`: the records do not say.
    pub before: Option<f64>,
    /// As replayed.
    pub after: f64,
}

/// One alternative.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// Its name, as `whatif` calls it.
    pub policy: String,
    /// What it would have saved on these calls; negative: it would have cost that much more.
    pub usd: Usd,
}

/// A call that shows a finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Example {
    /// The call.
    pub id: String,
    /// Its input tokens.
    pub input_tokens: u64,
    /// What it cost.
    pub usd_before: Usd,
    /// What it would have cost.
    pub usd_after: Usd,
}

/// Looks for everything. What can be applied comes first, the most saving first; parts follow their
/// whole, also where one of them saves more.
pub fn find(study: &Study<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = FINDINGS.iter().flat_map(|rule| (rule.find)(study)).collect();
    let likely = |finding: &Finding| finding.usd.map(|range| range.likely);
    let wholes: FxHashMap<String, Option<Usd>> =
        found.iter().map(|finding| (finding.id.clone(), likely(finding))).collect();
    // Stable: notes stay in the order of the rules.
    found.sort_by_key(|finding| {
        let of_whole = finding.part_of.as_ref().and_then(|whole| wholes.get(whole).copied());
        let place = of_whole.unwrap_or_else(|| likely(finding));
        let is_part = of_whole.is_some();
        (finding.usd.is_none(), Reverse(place), is_part, Reverse(likely(finding)))
    });
    number(&mut found);
    found
}

fn number(found: &mut [Finding]) {
    let (mut applicable, mut noticed) = (0, 0);
    let mut ids = Vec::with_capacity(found.len());
    for finding in &mut *found {
        let (letter, count) = match finding.change {
            Some(_) => ("F", &mut applicable),
            None => ("N", &mut noticed),
        };
        *count += 1;
        ids.push((std::mem::take(&mut finding.id), format!("{letter}{count}")));
    }
    let final_id = |name: &str| ids.iter().find(|(old, _)| old == name).map(|(_, new)| new.clone());
    for (finding, (_, id)) in found.iter_mut().zip(&ids) {
        finding.id.clone_from(id);
        finding.part_of = finding.part_of.take().and_then(|name| final_id(&name));
    }
}

impl Finding {
    /// Something noticed: no money, nothing to apply.
    fn noticed(rule: &'static str, title: String, calls: u64, facts: Vec<String>) -> Finding {
        Finding {
            id: String::new(),
            rule,
            title,
            basis: Basis::Measured,
            usd_per_month: None,
            usd: None,
            predicted_ppm: None,
            latency_ms: None,
            effort: "look into it",
            risk: "none".to_owned(),
            change: None,
            evidence: Evidence { calls, facts, hit_share: None, tried: Vec::new(), example: None },
            part_of: None,
        }
    }
}

/// Asked of few calls, traffic says little about what it never does.
const LEAST_CALLS: usize = 50;

/// What `finding` says of each operation, at what was measured.
fn by_operation(
    study: &Study<'_>,
    finding: fn(&Study<'_>, &Scales<'_>, &Arc<str>, &Members) -> Option<Finding>,
) -> Vec<Finding> {
    let Some(scales) = Scales::measured(study) else { return Vec::new() };
    let operations = operations(&scales);
    operations.iter().filter_map(|(name, calls)| finding(study, &scales, name, calls)).collect()
}

/// The operations that have enough calls with a price to tell something, each with these.
fn operations(scales: &Scales<'_>) -> Vec<(Arc<str>, Members)> {
    let mut operations: BTreeMap<Arc<str>, Members> = BTreeMap::new();
    for (at, call) in scales.calls().iter().enumerate() {
        operations.entry(call.traced.common.operation.clone()).or_default().push(at);
    }
    operations.into_iter().filter(|(_, calls)| LEAST_CALLS <= calls.len()).collect()
}

/// Whether this is a share of what the calls cost that is worth a line.
fn is_worth(usd: Usd, scales: &Scales<'_>, calls: &Members, percent: u64) -> bool {
    Usd::ZERO < usd && scales.cost_now(calls).scaled(percent, 100) <= usd
}

#[cfg(test)]
mod tests;
