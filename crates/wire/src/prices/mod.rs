//! Prices: from published lists to a catalogue.
//!
//! A chore turns `LiteLLM`'s price map into a compact snapshot that ships with the product
//! ([`from_litellm`], [`write()`]), and keeps what a new map changes with its date ([`keep()`]);
//! [`snapshot`] loads both, [`update()`] takes a newer list in its place,
//! [`overlay`] puts a user's own prices on top, and
//! [`quote`](quote::quote) answers what a call would cost. The arithmetic is in `core::price`; what a
//! list leaves out is filled in here, once (`card`), and what cannot be true is held back (`doubt`).

mod cache_rules;
mod card;
mod context;
mod diff;
mod doubt;
mod keep;
mod list;
mod litellm;
mod nearest;
mod overlay;
pub(crate) mod provider;
pub mod quote;
mod report;
mod snapshot;
mod timeline;
mod update;

pub use context::{Contexts, contexts_of_litellm};
pub use diff::{Diff, diff};
pub use keep::{Kept, keep};
pub use list::{Caching, Listed, RateCard, holding};
pub use litellm::from_litellm;
pub use overlay::{NotAnOverlay, overlay};
pub use report::{Doubt, Held, Report};
pub use snapshot::{NotASnapshot, parse, snapshot, write};
pub use update::{Far, InUse, Jump, NotAnUpdate, Update, update};

use scrimp_core::money::Rate;
use scrimp_core::time::Time;

/// A multiplier such as `1.1` in thousandths.
fn multiplier(text: &str) -> Option<u32> {
    let thousandths = Rate::new(1_000, 0);
    let scaled = text.parse::<Rate>().ok()?.times_ratio(thousandths, Rate::new(1, 0))?;
    scaled.to_string().parse().ok().filter(|permille| (1..=100_000).contains(permille))
}

/// The start of `day` (`2026-11-23`) in UTC, as `--at` takes it.
pub fn day(day: &str) -> Option<Time> {
    snapshot::midnight(day)
}
