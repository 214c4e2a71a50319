//! Replay: recorded calls under the same or other policies.
//!
//! Decisions are exact, because [`scrimp_core::Flight`] makes them here as it does live. Outcomes
//! are what a [`World`] says: [`Recorded`] gives back what happened.

mod calendar;
mod recorded;

pub use calendar::{Arrival, End, Reply, World, drive};
pub use recorded::{Recorded, decisions};

#[cfg(test)]
mod tests;
