//! Reports: what an analysis found, for a terminal, for scripts and for a browser.
//!
//! Every figure comes with how many calls it rests on and on what basis. What is not known is left
//! empty or `null`, never shown as nothing.

mod chart;
mod format;
mod html;
mod input;
mod json;
mod reported;
mod table;
mod text;

use scrimp_core::Usd;
use serde::{Serialize, Serializer};

use crate::findings::{Finding, Range};
use crate::profile::Profile;

pub use format::{count, day, money, one_line, plural, span, wrap};
pub use html::html;
pub use input::{Input, Lacks, SkippedLine};
pub use reported::{Reported, ReportedModel, reported};
pub use table::Table;
pub use text::{Paint, text};

/// Everything that a report shows.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// What was read.
    pub inputs: Vec<Input>,
    /// What providers report themselves: sums, in none of the figures of calls.
    pub reported: Vec<Reported>,
    /// The calls, counted.
    pub profile: Profile,
    /// What is worth changing or knowing.
    pub findings: Vec<Finding>,
    /// What the inputs do not say and what follows from that, in sentences.
    pub notes: Vec<String>,
}

impl Analysis {
    /// What all that can be applied saves together, as counted by one replay: either the one rule
    /// for all calls or the rules for single operations, whichever saves more. Never their sum.
    pub fn together(&self) -> Option<Together> {
        let applicable = || self.findings.iter().filter(|finding| finding.change.is_some());
        let parts = sum(applicable().filter(|finding| finding.part_of.is_some()));
        let wholes = sum(applicable().filter(|finding| finding.part_of.is_none()));
        let (usd, usd_per_month) =
            parts.into_iter().chain(wholes).max_by_key(|(usd, _)| usd.likely)?;
        let total = self.profile.totals.known_usd().as_f64();
        let share = (0.0 < total).then(|| usd.likely.as_f64() / total);
        Some(Together { usd, usd_per_month, share })
    }

    /// How many findings can be applied.
    pub fn applicable(&self) -> usize {
        self.findings.iter().filter(|finding| finding.change.is_some()).count()
    }
}

/// What everything saves together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Together {
    /// On these calls.
    pub usd: Range,
    /// A month; `None` where nothing is extrapolated.
    pub usd_per_month: Option<Range>,
    /// As a share of what the calls cost.
    pub share: Option<f64>,
}

/// Ends of ranges are added as they are: the parts come from one replay and may move together, so
/// this is wider than the truth, never narrower.
fn sum<'a>(findings: impl Iterator<Item = &'a Finding>) -> Option<(Range, Option<Range>)> {
    findings.filter_map(|finding| Some((finding.usd?, finding.usd_per_month))).reduce(
        |(usd, month), (more, more_month)| {
            (usd.plus(more), month.zip(more_month).map(|(a, b)| a.plus(b)))
        },
    )
}

impl Range {
    fn plus(self, other: Range) -> Range {
        let Range { low, likely, high } = other;
        let sum = |one: Option<Usd>, other: Option<Usd>| Some(one? + other?);
        Range { low: sum(self.low, low), likely: self.likely + likely, high: sum(self.high, high) }
    }
}

impl Serialize for Analysis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json::View::of(self).serialize(serializer)
    }
}

#[cfg(test)]
mod tests;
