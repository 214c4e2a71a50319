//! How long the simulated models take.

use crate::ask::{Ask, Tier};
use crate::dice::{Dice, Key, float, whole};
use crate::models::Speed;
use crate::usage::TrueUsage;
use std::time::Duration;

/// How much slower reading a token from a cache is than not having it at all, beside computing
/// it: cached tokens cost one thirtieth of uncached ones.
const CACHED_SHARE: f64 = 1.0 / 30.0;

/// How long calls take.
#[derive(Clone, Debug, PartialEq)]
pub enum Latency {
    /// Nothing waits.
    None,
    /// First token = base + uncached prompt tokens / prefill speed (cached ones a thirtieth),
    /// times a lognormal tail; then the output at its speed.
    Believable {
        /// Spread of the tail's logarithm; 0 for none.
        tail_sigma: f64,
        /// Speeds that replace those of the table, by model.
        speeds: Vec<(String, Speed)>,
    },
}

/// When the parts of an answer are there, counted from the call's arrival.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    pub(crate) first_token: Duration,
    /// Seconds for each token after it.
    pub(crate) per_token: f64,
}

impl Pace {
    /// When `tokens` of output have been generated.
    pub(crate) fn at(&self, tokens: u64) -> Duration {
        self.first_token + milliseconds(self.per_token * float(tokens))
    }

    /// How many of `output` tokens have been generated after `elapsed`.
    pub(crate) fn generated(&self, elapsed: Duration, output: u64) -> u64 {
        let Some(since) = elapsed.checked_sub(self.first_token) else { return 0 };
        if self.per_token <= 0.0 {
            return output;
        }
        whole(since.as_secs_f64() / self.per_token).min(output)
    }
}

impl Latency {
    /// The pace of one answer. It depends on the request, not on when it came.
    pub(crate) fn pace(&self, ask: &Ask, input: &TrueUsage, fingerprint: Key, seed: u64) -> Pace {
        let Latency::Believable { tail_sigma, speeds } = self else {
            return Pace { first_token: Duration::ZERO, per_token: 0.0 };
        };
        let own = speeds.iter().find(|(name, _)| *name == ask.model_name).map(|(_, speed)| *speed);
        let Speed { base_ms, prefill_per_s, output_per_s } = own.unwrap_or(ask.model.speed);
        let computed = float(input.uncached + input.write_short + input.write_long);
        let prefill = (computed + float(input.cache_read) * CACHED_SHARE) / prefill_per_s;
        let mut dice = Dice::new(seed, "latency", fingerprint);
        let slower = tier_factor(ask.tier);
        let first = (base_ms / 1000.0 + prefill) * dice.lognormal(1.0, *tail_sigma) * slower;
        let per_token = dice.lognormal(1.0, tail_sigma / 4.0) * slower / output_per_s;
        Pace { first_token: milliseconds(first), per_token }
    }
}

/// Whole milliseconds, rounded up: timers have no finer grain, and what falls between two ticks
/// would make a day depend on when within a millisecond its clock was started.
pub(crate) fn milliseconds(seconds: f64) -> Duration {
    Duration::from_millis(whole((seconds * 1000.0).ceil()))
}

fn tier_factor(tier: Tier) -> f64 {
    match tier {
        Tier::Standard => 1.0,
        Tier::Flex => 2.5,
        Tier::Priority => 0.7,
    }
}
