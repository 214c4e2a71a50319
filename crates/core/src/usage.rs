//! What a call used: a partition of its tokens in which no token is counted twice.
//!
//! Providers report sums that overlap in different ways (cached tokens inside or beside the input,
//! reasoning inside or beside the output). They are normalised into this partition once, where the
//! bytes are read, and nothing after that knows which provider they came from.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// A count beyond this is hostile or broken, and is refused before it reaches a sum.
pub const MOST_TOKENS: u64 = 1 << 40;

/// Tokens by class. The classes never overlap: input is the sum of the first five plus image input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Text input that was neither read from nor written to a cache.
    pub uncached: u64,
    /// Input read from the provider's cache.
    pub cache_read: u64,
    /// Input written to the provider's cache with its short life (Anthropic 5 min, OpenAI 30 min).
    pub cache_write_short: u64,
    /// Input written to the provider's cache with its long life (Anthropic 1 h, OpenAI 12 h).
    pub cache_write_long: u64,
    /// Audio input, where the provider counts it apart.
    pub audio_input: u64,
    /// Image input, where the provider counts it apart.
    pub image_input: u64,
    /// Output that the caller can see.
    pub output: u64,
    /// Output spent on reasoning.
    pub reasoning: u64,
    /// Audio output, where the provider counts it apart.
    pub audio_output: u64,
}

impl Usage {
    /// Nothing used.
    pub const ZERO: Usage = Usage {
        uncached: 0,
        cache_read: 0,
        cache_write_short: 0,
        cache_write_long: 0,
        audio_input: 0,
        image_input: 0,
        output: 0,
        reasoning: 0,
        audio_output: 0,
    };

    /// All input tokens, cached or not. Long-context tiers compare this sum.
    pub const fn input(&self) -> u64 {
        self.prompt_text().saturating_add(self.audio_input).saturating_add(self.image_input)
    }

    /// Text input, cached or not. Saturates, so that a hostile log cannot stop a sum.
    const fn prompt_text(&self) -> u64 {
        self.uncached
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write_short)
            .saturating_add(self.cache_write_long)
    }

    /// All output tokens, visible or not.
    pub const fn total_output(&self) -> u64 {
        self.output.saturating_add(self.reasoning).saturating_add(self.audio_output)
    }

    /// What of it is more than in `other`, class by class.
    #[must_use]
    pub const fn beyond(&self, other: &Usage) -> Usage {
        Usage {
            uncached: self.uncached.saturating_sub(other.uncached),
            cache_read: self.cache_read.saturating_sub(other.cache_read),
            cache_write_short: self.cache_write_short.saturating_sub(other.cache_write_short),
            cache_write_long: self.cache_write_long.saturating_sub(other.cache_write_long),
            audio_input: self.audio_input.saturating_sub(other.audio_input),
            image_input: self.image_input.saturating_sub(other.image_input),
            output: self.output.saturating_sub(other.output),
            reasoning: self.reasoning.saturating_sub(other.reasoning),
            audio_output: self.audio_output.saturating_sub(other.audio_output),
        }
    }

    /// The same tokens with every cache class counted as plain input: the call without caching.
    #[must_use]
    pub const fn without_caching(&self) -> Usage {
        Usage {
            uncached: self.prompt_text(),
            cache_read: 0,
            cache_write_short: 0,
            cache_write_long: 0,
            ..*self
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Usage) {
        let Usage {
            uncached,
            cache_read,
            cache_write_short,
            cache_write_long,
            audio_input,
            image_input,
            output,
            reasoning,
            audio_output,
        } = other;
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.uncached, uncached);
        add(&mut self.cache_read, cache_read);
        add(&mut self.cache_write_short, cache_write_short);
        add(&mut self.cache_write_long, cache_write_long);
        add(&mut self.audio_input, audio_input);
        add(&mut self.image_input, image_input);
        add(&mut self.output, output);
        add(&mut self.reasoning, reasoning);
        add(&mut self.audio_output, audio_output);
    }
}

/// How much is known of a call's usage. Unknown is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageState {
    /// The provider reported it at the end of the call.
    Measured,
    /// The provider reported a part (the input) before the call broke off; the rest is estimated.
    Partial,
    /// Nothing was reported; characters were counted and converted.
    Estimated,
    /// Nothing is known. Such a call is in no token sum, and is counted as unknown.
    Unknown,
}

/// A call's usage, how it is known, and what was odd about the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metering {
    /// Tokens by class; all zero when `state` is unknown.
    pub usage: Usage,
    /// How they are known.
    pub state: UsageState,
    /// The provider's numbers were negative, no numbers, huge, or contradicted each other, and were
    /// left out of `usage`.
    pub suspect: bool,
}

impl Metering {
    /// Nothing is known.
    pub const UNKNOWN: Metering =
        Metering { usage: Usage::ZERO, state: UsageState::Unknown, suspect: false };

    /// Reported by the provider, nothing odd.
    pub const fn measured(usage: Usage) -> Metering {
        Metering { usage, state: UsageState::Measured, suspect: false }
    }
}
