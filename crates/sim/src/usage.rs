//! The truth about a call: what was used and what it costs, by the vendors' rules.

use crate::ask::Tier;
use crate::models::{Api, Model, Rates};
use serde::Serialize;

/// Tokens by class. The classes never overlap: their sum is the prompt and the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrueUsage {
    /// Input at the full price.
    pub uncached: u64,
    /// Input read from a cache.
    pub cache_read: u64,
    /// Input written to a cache with the short life.
    pub write_short: u64,
    /// Input written to a cache with the long life.
    pub write_long: u64,
    /// Output that is no reasoning.
    pub output: u64,
    /// Output that is reasoning, shown or hidden.
    pub reasoning: u64,
}

impl TrueUsage {
    /// The whole prompt.
    pub fn prompt(&self) -> u64 {
        self.uncached + self.cache_read + self.write_short + self.write_long
    }

    /// The whole output.
    pub fn generated(&self) -> u64 {
        self.output + self.reasoning
    }
}

/// Pico-dollars that `usage` of `model` costs in `tier`.
pub fn cost(model: &Model, usage: &TrueUsage, tier: Tier) -> u128 {
    let Rates { uncached, cache_read, write_short, write_long, output } = match model.long {
        Some(long) if long.above < usage.prompt() => long.rates,
        _ => model.rates,
    };
    let lines = [
        (usage.uncached, uncached),
        (usage.cache_read, cache_read),
        (usage.write_short, write_short),
        (usage.write_long, write_long),
        (usage.generated(), output),
    ];
    let standard: u128 =
        lines.map(|(count, price)| u128::from(count) * u128::from(price)).iter().sum();
    match tier {
        Tier::Standard => standard,
        Tier::Flex => standard * u128::from(model.flex_permille) / 1000,
        Tier::Priority => standard * u128::from(model.priority_permille) / 1000,
    }
}

/// When and where a call broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Milliseconds since the provider's first call.
    pub at_ms: u64,
    /// Output tokens that had been generated, and are billed.
    pub at_token: u64,
}

/// What one call cost, as the provider's own books have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bill {
    /// The number of the request, as in the log.
    pub call: u64,
    /// The id in the answer's `x-request-id` or `request-id`.
    pub request_id: String,
    /// Milliseconds since the provider's first call.
    pub at_ms: u64,
    /// Whose interface.
    pub api: Api,
    /// The model as the caller wrote it.
    pub model: String,
    /// The tier that served it.
    pub tier: Tier,
    /// What was used. Nothing for a call that was refused.
    pub usage: TrueUsage,
    /// What it costs.
    pub pico_usd: u128,
    /// Set when the answer did not reach its end.
    pub broken: Option<Broken>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::model;

    fn check(
        name: &str,
        tier: Tier,
        [uncached, cache_read, write_short, write_long, output]: [u64; 5],
        dollars: &str,
    ) {
        let usage =
            TrueUsage { uncached, cache_read, write_short, write_long, output, reasoning: 0 };
        let pico = cost(model(name).expect("a model"), &usage, tier);
        let text = format!("{}.{:012}", pico / 1_000_000_000_000, pico % 1_000_000_000_000);
        assert_eq!(text.trim_end_matches('0'), dollars, "{name}");
    }

    #[test]
    fn bills_follow_the_published_prices() {
        check("claude-sonnet-4-5", Tier::Standard, [1000, 0, 0, 0, 1000], "0.018");
        check("claude-opus-5-5", Tier::Standard, [10, 90_000, 2_000, 1_000, 500], "0.04604");
        check("gpt-4o", Tier::Priority, [1000, 1000, 0, 0, 100], "0.008075");
        check("gpt-5.6-sol", Tier::Flex, [1000, 0, 1000, 1000, 0], "0.0095");
    }

    #[test]
    fn a_long_prompt_changes_the_price_of_all_its_tokens() {
        check("claude-haiku-5-5", Tier::Standard, [100_000, 0, 0, 0, 0], "0.01");
        check("claude-haiku-5-5", Tier::Standard, [1, 100_000, 0, 0, 0], "0.0050005");
        check("gpt-6-sol", Tier::Standard, [272_001, 0, 0, 0, 100], "1.089504");
    }
}
