//! Rate limits as the vendors have them: requests and tokens a minute for each key and model,
//! refilled all the time. Cached tokens count at `OpenAI` and not at Anthropic.

use crate::dice::{Key, float, whole};
use rustc_hash::FxHashMap;
use std::time::Duration;

/// What a key may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests a minute for each model.
    pub requests_per_minute: u64,
    /// Input tokens a minute for each model.
    pub tokens_per_minute: u64,
}

impl Limits {
    /// So wide that nobody meets them.
    pub const WIDE: Limits =
        Limits { requests_per_minute: 1_000_000, tokens_per_minute: 10_000_000_000 };
}

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Until it is full again.
    pub(crate) reset: Duration,
}

/// What is left of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) requests: Left,
    pub(crate) tokens: Left,
}

/// Which limit was met, and when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted {
    pub(crate) what: &'static str,
    pub(crate) limit: u64,
    pub(crate) retry_after: Duration,
    pub(crate) allowance: Allowance,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    requests: f64,
    tokens: f64,
    at_ms: u64,
}

/// All buckets.
#[derive(Debug)]
pub(crate) struct Meters {
    limits: Limits,
    buckets: FxHashMap<Key, Bucket>,
}

impl Meters {
    pub(crate) fn new(limits: Limits) -> Meters {
        Meters { limits, buckets: FxHashMap::default() }
    }

    /// Takes one request of `tokens` from the bucket of `key`.
    pub(crate) fn take(
        &mut self,
        key: Key,
        tokens: u64,
        now_ms: u64,
    ) -> Result<Allowance, Exhausted> {
        let Limits { requests_per_minute, tokens_per_minute } = self.limits;
        let (most_requests, most_tokens) = (float(requests_per_minute), float(tokens_per_minute));
        let full = Bucket { requests: most_requests, tokens: most_tokens, at_ms: now_ms };
        let bucket = self.buckets.entry(key).or_insert(full);
        let minutes = float(now_ms - bucket.at_ms) / 60_000.0;
        bucket.requests = (bucket.requests + minutes * most_requests).min(most_requests);
        bucket.tokens = (bucket.tokens + minutes * most_tokens).min(most_tokens);
        bucket.at_ms = now_ms;
        let missing_requests = 1.0 - bucket.requests;
        // A call larger than the whole limit passes when the bucket is full.
        let missing_tokens = float(tokens).min(most_tokens) - bucket.tokens;
        let refused = |what, limit, missing: f64, allowance| {
            let retry_after = Duration::from_secs_f64(missing / float(limit).max(1.0) * 60.0);
            Err(Exhausted { what, limit, retry_after, allowance })
        };
        if 0.0 < missing_requests {
            let allowance = allowance(bucket, self.limits);
            return refused("requests", requests_per_minute, missing_requests, allowance);
        }
        if 0.0 < missing_tokens {
            let allowance = allowance(bucket, self.limits);
            return refused("tokens", tokens_per_minute, missing_tokens, allowance);
        }
        bucket.requests -= 1.0;
        bucket.tokens -= float(tokens);
        Ok(allowance(bucket, self.limits))
    }
}

fn allowance(bucket: &Bucket, limits: Limits) -> Allowance {
    let left = |level: f64, limit: u64| {
        let missing = (float(limit) - level).max(0.0);
        let reset = Duration::from_secs_f64(missing / float(limit).max(1.0) * 60.0);
        Left { limit, remaining: whole(level), reset }
    };
    Allowance {
        requests: left(bucket.requests, limits.requests_per_minute),
        tokens: left(bucket.tokens, limits.tokens_per_minute),
    }
}
