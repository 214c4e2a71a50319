//! What each simulated model costs, remembers and how fast it speaks: one row a model.
//!
//! Prices are those of LiteLLM's map 1.109.1 (2026-11), in pico-dollars per token:
//! 1 dollar per million tokens is 1,000,000 pico-dollars per token. They are written here a second
//! time on purpose: the simulator's bill must not come from the gateway's own price data.

/// Which vendor's interface a call speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// `OpenAI` chat completions.
    OpenAi,
    /// Anthropic messages.
    Anthropic,
}

/// How a model caches prompts. Minimum lengths are tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheRule {
    /// Anthropic: entries only where the caller put a mark.
    Marks {
        /// The shortest prefix that is written.
        minimum: u64,
    },
    /// `OpenAI` from GPT-5.6 on: an implicit breakpoint and explicit ones, writes charged.
    Breakpoints {
        /// The shortest prefix that is written.
        minimum: u64,
    },
    /// `OpenAI` before: automatic, in steps of 128 tokens, best effort, writes free.
    Automatic {
        /// The shortest prefix that is written.
        minimum: u64,
    },
}

/// Pico-dollars per token of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Input that came from no cache and went to none.
    pub uncached: u64,
    /// Input read from a cache.
    pub cache_read: u64,
    /// Input written for 5 minutes (Anthropic) or 30 (`OpenAI`).
    pub write_short: u64,
    /// Input written for an hour (Anthropic) or 12 (`OpenAI`).
    pub write_long: u64,
    /// Output, reasoning included.
    pub output: u64,
}

/// Other prices for a whole call once its prompt, cached part included, is longer than `above`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongContext {
    /// Tokens of prompt.
    pub above: u64,
    /// What such a call pays.
    pub rates: Rates,
}

/// How fast a model is. The tail on top of it is in [`crate::Latency`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Milliseconds before anything else.
    pub base_ms: f64,
    /// Prompt tokens a second that come from no cache.
    pub prefill_per_s: f64,
    /// Output tokens a second.
    pub output_per_s: f64,
}

/// One simulated model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    /// The name in requests. A date after it (`-20251001`, `-2024-08-06`) is understood.
    pub id: &'static str,
    /// Whose model it is.
    pub api: Api,
    /// How it caches.
    pub cache: CacheRule,
    /// What it costs.
    pub rates: Rates,
    /// What a long call costs.
    pub long: Option<LongContext>,
    /// The priority tier's price, in per mille of the standard one. 0 where it is not offered.
    pub priority_permille: u64,
    /// The flex tier's price, in per mille of the standard one. 0 where it is not offered.
    pub flex_permille: u64,
    /// How fast it is.
    pub speed: Speed,
    /// Median of hidden reasoning tokens; 0 where it does not reason unasked.
    pub reasoning: u64,
}

const ANTHROPIC: Model = Model {
    id: "",
    api: Api::Anthropic,
    cache: CacheRule::Marks { minimum: 1024 },
    rates: Rates { uncached: 0, cache_read: 0, write_short: 0, write_long: 0, output: 0 },
    long: None,
    priority_permille: 0,
    flex_permille: 0,
    speed: Speed { base_ms: 450.0, prefill_per_s: 6_000.0, output_per_s: 70.0 },
    reasoning: 0,
};

const OPENAI: Model = Model {
    id: "",
    api: Api::OpenAi,
    cache: CacheRule::Automatic { minimum: 1024 },
    rates: Rates { uncached: 0, cache_read: 0, write_short: 0, write_long: 0, output: 0 },
    long: None,
    priority_permille: 2000,
    flex_permille: 500,
    speed: Speed { base_ms: 350.0, prefill_per_s: 7_000.0, output_per_s: 90.0 },
    reasoning: 0,
};

/// Five prices in the order of [`Rates`]. Where a vendor charges no write, it is plain input.
const fn rates(
    uncached: u64,
    cache_read: u64,
    write_short: u64,
    write_long: u64,
    output: u64,
) -> Rates {
    Rates { uncached, cache_read, write_short, write_long, output }
}

const fn fast(base_ms: f64, prefill_per_s: f64, output_per_s: f64) -> Speed {
    Speed { base_ms, prefill_per_s, output_per_s }
}

/// Twice for input and cache, one and a half times for output, beyond 272k tokens of prompt.
const fn long_openai(rates: Rates) -> LongContext {
    let Rates { uncached, cache_read, write_short, write_long, output } = rates;
    let rates = Rates {
        uncached: uncached * 2,
        cache_read: cache_read * 2,
        write_short: write_short * 2,
        write_long: write_long * 2,
        output: output / 2 * 3,
    };
    LongContext { above: 272_000, rates }
}

const SOL_5_6: Rates = rates(4_000_000, 400_000, 5_000_000, 10_000_000, 20_000_000);
const SOL_6: Rates = rates(2_000_000, 200_000, 2_500_000, 5_000_000, 10_000_000);
const LUNA_6: Rates = rates(100_000, 10_000, 125_000, 250_000, 500_000);
const GPT_5_5: Rates = rates(5_000_000, 500_000, 5_000_000, 5_000_000, 30_000_000);

/// Every model.
pub const MODELS: &[Model] = &[
    Model {
        id: "claude-opus-5-5",
        cache: CacheRule::Marks { minimum: 512 },
        rates: rates(4_000_000, 200_000, 5_000_000, 8_000_000, 20_000_000),
        speed: fast(700.0, 4_000.0, 55.0),
        ..ANTHROPIC
    },
    Model {
        id: "claude-sonnet-5-5",
        cache: CacheRule::Marks { minimum: 512 },
        rates: rates(2_000_000, 100_000, 2_500_000, 4_000_000, 10_000_000),
        ..ANTHROPIC
    },
    Model {
        id: "claude-haiku-5-5",
        cache: CacheRule::Marks { minimum: 512 },
        rates: rates(100_000, 10_000, 125_000, 200_000, 500_000),
        long: Some(LongContext {
            above: 100_000,
            rates: rates(500_000, 50_000, 625_000, 1_000_000, 2_500_000),
        }),
        speed: fast(250.0, 12_000.0, 140.0),
        ..ANTHROPIC
    },
    Model {
        id: "claude-sonnet-4-5",
        rates: rates(3_000_000, 300_000, 3_750_000, 6_000_000, 15_000_000),
        ..ANTHROPIC
    },
    Model {
        id: "claude-haiku-4-5",
        cache: CacheRule::Marks { minimum: 4096 },
        rates: rates(1_000_000, 100_000, 1_250_000, 2_000_000, 5_000_000),
        speed: fast(300.0, 10_000.0, 120.0),
        ..ANTHROPIC
    },
    Model {
        id: "claude-opus-4-5",
        cache: CacheRule::Marks { minimum: 4096 },
        rates: rates(5_000_000, 500_000, 6_250_000, 10_000_000, 25_000_000),
        speed: fast(800.0, 3_500.0, 50.0),
        ..ANTHROPIC
    },
    Model {
        id: "gpt-4o",
        rates: rates(2_500_000, 1_250_000, 2_500_000, 2_500_000, 10_000_000),
        priority_permille: 1700,
        flex_permille: 0,
        ..OPENAI
    },
    Model {
        id: "gpt-4o-mini",
        rates: rates(150_000, 75_000, 150_000, 150_000, 600_000),
        priority_permille: 0,
        flex_permille: 0,
        speed: fast(250.0, 12_000.0, 120.0),
        ..OPENAI
    },
    Model {
        id: "gpt-4.1",
        rates: rates(2_000_000, 500_000, 2_000_000, 2_000_000, 8_000_000),
        priority_permille: 1750,
        flex_permille: 0,
        ..OPENAI
    },
    Model {
        id: "gpt-5-mini",
        rates: rates(250_000, 25_000, 250_000, 250_000, 2_000_000),
        priority_permille: 1800,
        reasoning: 90,
        ..OPENAI
    },
    Model {
        id: "gpt-5.5",
        rates: GPT_5_5,
        long: Some(long_openai(GPT_5_5)),
        priority_permille: 2500,
        reasoning: 200,
        ..OPENAI
    },
    Model {
        id: "gpt-5.6-sol",
        cache: CacheRule::Breakpoints { minimum: 1024 },
        rates: SOL_5_6,
        long: Some(long_openai(SOL_5_6)),
        reasoning: 150,
        ..OPENAI
    },
    Model {
        id: "gpt-6-sol",
        cache: CacheRule::Breakpoints { minimum: 1024 },
        rates: SOL_6,
        long: Some(long_openai(SOL_6)),
        reasoning: 120,
        ..OPENAI
    },
    Model {
        id: "gpt-6-luna",
        cache: CacheRule::Breakpoints { minimum: 1024 },
        rates: LUNA_6,
        long: Some(long_openai(LUNA_6)),
        speed: fast(220.0, 15_000.0, 160.0),
        ..OPENAI
    },
];

/// The model of this name; a date at its end is ignored.
pub fn model(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| {
        name.strip_prefix(model.id).is_some_and(|rest| rest.is_empty() || is_date(rest))
    })
}

/// `-20251001` and `-2024-08-06`.
fn is_date(rest: &str) -> bool {
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    digits == 8 && rest.starts_with('-') && rest.bytes().all(|b| b == b'-' || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_date_are_the_same_model() {
        for (name, id) in [
            ("gpt-4o", Some("gpt-4o")),
            ("gpt-4o-mini", Some("gpt-4o-mini")),
            ("gpt-4o-2024-08-06", Some("gpt-4o")),
            ("claude-haiku-4-5-20251001", Some("claude-haiku-4-5")),
            ("gpt-4o-audio", None),
            ("gpt-3", None),
        ] {
            assert_eq!(model(name).map(|model| model.id), id, "{name}");
        }
    }
}
