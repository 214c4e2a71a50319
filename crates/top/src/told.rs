//! What the gateway's API tells, as far as it is shown. What is not named here is passed over, so that
//! an older `scrimp top` understands a newer gateway.

use scrimp_core::Usd;
use serde::Deserialize;

/// `/api/v1/summary`.
#[derive(Clone, Debug, Deserialize)]
pub struct Summary {
    /// What it looks back over.
    pub window: Window,
    /// Everything in it.
    pub totals: Sums,
    /// The same by minute, hour or day.
    pub series: Vec<Point>,
    /// By provider and model.
    pub models: Vec<Group>,
    /// By operation.
    pub operations: Vec<Group>,
    /// The gateway's own state.
    pub health: Health,
}

/// A span of time.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Window {
    /// Its end, in milliseconds since 1970.
    pub to_ms: i64,
}

/// Sums over calls.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Sums {
    /// How many.
    pub calls: u64,
    /// How many of them failed.
    pub errors: u64,
    /// Those of which nobody told the tokens; in no sum.
    pub unknown_usage_calls: u64,
    /// Those without a known price; in no sum of money.
    pub unpriced_calls: u64,
    /// What they cost.
    pub usd: Option<Usd>,
    /// Their tokens.
    pub tokens: Option<Tokens>,
    /// Until the end of the answer.
    pub latency_ms: Option<Percentiles>,
    /// Until the first content.
    pub ttft_ms: Option<Percentiles>,
}

/// Tokens by class.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Tokens {
    /// Input neither read from a cache nor written to one.
    pub uncached: u64,
    /// Input read from a cache.
    pub cache_read: u64,
    /// Input written to a cache with the short life.
    pub cache_write_short: u64,
    /// The same with the long life.
    pub cache_write_long: u64,
    /// Output, without what was spent on reasoning.
    pub output: u64,
    /// Output spent on reasoning.
    pub reasoning: u64,
}

/// Where a half and nineteen twentieths of a distribution lie below, in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Percentiles {
    /// The median.
    pub p50: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
}

/// One step of a series.
#[derive(Clone, Debug, Deserialize)]
pub struct Point {
    /// Its beginning, in milliseconds since 1970.
    pub at_ms: i64,
    /// What was in it.
    #[serde(flatten)]
    pub sums: Sums,
}

/// A model or an operation.
#[derive(Clone, Debug, Deserialize)]
pub struct Group {
    /// Whose model it is; empty for an operation.
    #[serde(default)]
    pub provider: String,
    /// Its name.
    #[serde(alias = "model")]
    pub name: String,
    /// Its calls.
    #[serde(flatten)]
    pub sums: Sums,
}

/// The gateway's own state.
#[derive(Clone, Debug, Deserialize)]
pub struct Health {
    /// Its version.
    pub version: String,
    /// How long it has run.
    pub uptime_s: i64,
    /// Whether no rule acts.
    pub observing: bool,
    /// Whether all policies step aside.
    pub bypass: bool,
    /// The time that it adds to calls.
    pub overhead_ms: Option<Percentiles>,
    /// Calls that ended since its start.
    pub settled: u64,
    /// Calls under way.
    pub in_flight: u64,
    /// Why the changed configuration was not taken.
    pub refused_config: Option<String>,
    /// Why records cannot be written.
    pub last_flush_error: Option<String>,
}

/// A call that ended: a row of `/api/v1/calls`, an event of `/api/v1/live`.
#[derive(Clone, Debug, Deserialize)]
pub struct Call {
    /// Which.
    pub id: String,
    /// When it came, in milliseconds since 1970.
    pub at_ms: i64,
    /// Its operation.
    pub operation: String,
    /// Who answered.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// The status that the client got.
    pub status: u16,
    /// What it cost.
    pub usd: Option<Usd>,
    /// Its tokens.
    pub tokens: Option<Tokens>,
    /// Until the end of the answer.
    pub latency_ms: Option<f64>,
    /// Until the first content.
    pub ttft_ms: Option<f64>,
}

impl Tokens {
    /// All input.
    pub(crate) fn input(&self) -> u64 {
        self.uncached + self.cache_read + self.cache_written()
    }

    pub(crate) fn cache_written(&self) -> u64 {
        self.cache_write_short + self.cache_write_long
    }

    /// The cache's share of the input; `None` without input.
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub(crate) fn cached(&self) -> Option<f64> {
        let input = self.input();
        (0 < input).then(|| self.cache_read as f64 / input as f64)
    }
}

impl Sums {
    /// The failed calls' share; `None` without calls.
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub(crate) fn error_share(&self) -> Option<f64> {
        (0 < self.calls).then(|| self.errors as f64 / self.calls as f64)
    }
}

impl Group {
    /// `openai/gpt-4o`, `chat`.
    pub(crate) fn full_name(&self) -> String {
        match self.provider.is_empty() {
            true => self.name.clone(),
            false => format!("{}/{}", self.provider, self.name),
        }
    }
}
