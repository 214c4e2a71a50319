//! The policies of a what-if sweep, by the names that people type.

use std::fmt;
use std::str::FromStr;

use scrimp_core::Ttl;
use scrimp_core::policy::prompt_cache::{ClientMarks, PromptCache, Strategy};
use scrimp_core::policy::{Scope, Share, State};

/// A prompt-cache policy to replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// No caching at all, even where a provider caches by itself: what ratios are relative to.
    None,
    /// The client's own marks.
    Client,
    /// A mark after the tools and system instructions.
    System(Ttl),
    /// A mark at the end.
    Tail(Ttl),
    /// A short mark at the end and a long one after the tools and system instructions.
    SystemAndTail,
    /// A short mark at the end and a long one at the last block end before the last full so many
    /// thousand tokens.
    Anchor(u32),
    /// Marks where they are expected to save most.
    Auto,
    /// A lower bound that no policy can pass.
    Bound,
}

/// Every variant with its name, in the order in which a sweep shows them.
pub const VARIANTS: [(&str, Variant); 14] = [
    ("none", Variant::None),
    ("client", Variant::Client),
    ("system:short", Variant::System(Ttl::Short)),
    ("system:long", Variant::System(Ttl::Long)),
    ("tail:short", Variant::Tail(Ttl::Short)),
    ("tail:long", Variant::Tail(Ttl::Long)),
    ("system+tail", Variant::SystemAndTail),
    ("anchor:2k", Variant::Anchor(2)),
    ("anchor:4k", Variant::Anchor(4)),
    ("anchor:8k", Variant::Anchor(8)),
    ("anchor:16k", Variant::Anchor(16)),
    ("anchor:32k", Variant::Anchor(32)),
    ("auto", Variant::Auto),
    ("bound", Variant::Bound),
];

/// What a sweep shows unless it is asked for others.
pub const SWEEP: [Variant; 8] = [
    Variant::None,
    Variant::Client,
    Variant::System(Ttl::Short),
    Variant::System(Ttl::Long),
    Variant::Tail(Ttl::Short),
    Variant::Tail(Ttl::Long),
    Variant::Auto,
    Variant::Bound,
];

/// A name that is none of [`VARIANTS`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no prompt-cache policy that can be replayed; there are {}", names())]
pub struct UnknownVariant {
    /// The name that was given.
    pub name: String,
}

fn names() -> String {
    VARIANTS.map(|(name, _)| name).join(", ")
}

impl Variant {
    /// The rule that a call meets under this variant; `None` where no rule makes it.
    pub fn rule(self) -> Option<PromptCache> {
        let (strategy, ttl) = match self {
            Variant::None | Variant::Bound => return None,
            Variant::Client => (Strategy::Client, Ttl::Short),
            Variant::System(ttl) => (Strategy::System, ttl),
            Variant::Tail(ttl) => (Strategy::Tail, ttl),
            Variant::SystemAndTail => (Strategy::SystemAndTail, Ttl::Long),
            Variant::Anchor(thousands) => {
                (Strategy::Anchor(thousands.saturating_mul(1_000)), Ttl::Long)
            }
            Variant::Auto => (Strategy::Auto, Ttl::Long),
        };
        Some(PromptCache {
            scope: Scope::All,
            state: State::On,
            strategy,
            ttl,
            share: Share::ALL,
            experiment: 0,
            client_marks: ClientMarks::Replace,
        })
    }
}

impl FromStr for Variant {
    type Err = UnknownVariant;
    fn from_str(text: &str) -> Result<Variant, UnknownVariant> {
        let found = VARIANTS.iter().find(|(name, _)| *name == text);
        let (_, variant) = found.ok_or_else(|| UnknownVariant { name: text.to_owned() })?;
        Ok(*variant)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = VARIANTS.iter().find(|(_, variant)| variant == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}
