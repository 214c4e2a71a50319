//! Replay: recorded calls under the same or other policies.
//!
//! Decisions are exact, because [`scrimp_core::Flight`] makes them here as it does live. Outcomes
//! are what a [`World`] says: [`Recorded`] gives back what happened; [`whatif`] asks a model of the
//! providers' prompt caches.

mod again;
mod calendar;
mod predict;
mod prompts;
mod provider;
mod recorded;
mod trace;
mod traced;
mod variant;
mod whatif;

pub use again::SentAgain;
pub use calendar::{Arrival, End, Reply, World, drive};
pub use predict::{Prediction, predict};
pub(crate) use prompts::{Link, Prompts};
pub(crate) use provider::Priced;
pub use provider::Reading;
pub use recorded::{Recorded, decisions};
pub(crate) use trace::Nodes;
pub use trace::{Gaps, ShapedTokens, Trace};
pub(crate) use traced::{Common, Traced};
pub use variant::{SWEEP, UnknownVariant, VARIANTS, Variant};
pub use whatif::{Basis, Row, WhatIf, under, whatif, with_rules};
pub(crate) use whatif::{fly, priced};

#[cfg(test)]
mod tests;
