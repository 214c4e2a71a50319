//! A call as a foreign log tells it, and the record made of it.

use std::sync::Arc;

use scrimp_core::call::Content;
use scrimp_core::price::Terms;
use scrimp_core::record::Timing;
use scrimp_core::{
    Attempt, Block, Call, CallId, Caller, Delivery, Dialect, Digest, Ending, Metering, Parameters,
    Record, Role, Span, Time, Usd, hash,
};

use super::Assumed;

/// The part of an imported call's id that names the call; the rest is its time.
pub(super) const KEY_BITS: u128 = (1 << 80) - 1;

/// What logs say of a call. What they do not say gets its "unknown" here, once.
pub(super) struct Logged {
    pub(super) id: CallId,
    pub(super) arrived: Time,
    pub(super) whose: Assumed,
    pub(super) operation: Arc<str>,
    pub(super) session: Option<Digest>,
    pub(super) tags: Vec<(Arc<str>, Arc<str>)>,
    pub(super) delivery: Delivery,
    pub(super) prompt: Vec<Block>,
    pub(super) ending: Ending,
    pub(super) metering: Metering,
    pub(super) terms: Terms,
    pub(super) cost: Option<Usd>,
    pub(super) timing: Timing,
}

impl Logged {
    /// The record. Its one attempt is the call itself: logs of this kind do not tell them apart.
    pub(super) fn record(self) -> Record {
        let Logged { whose: Assumed { provider, model }, metering, cost, timing, .. } = self;
        let status = match self.ending {
            Ending::Answered { status, .. } | Ending::Truncated { status } => Some(status),
            Ending::Failed { .. } | Ending::Abandoned | Ending::Refused(_) => None,
        };
        let attempt = Attempt {
            provider: provider.clone(),
            model: model.clone(),
            sent: Span::ZERO,
            ended: timing.ended.unwrap_or_default(),
            status,
            fault: None,
            metering,
            terms: self.terms,
            cost,
            priced_as: None,
        };
        let call = Call {
            seed: hash::mix(u64::try_from(self.id.0 & u128::from(u64::MAX)).expect("64 bits")),
            id: self.id,
            arrived: self.arrived,
            dialect: dialect_of(&provider),
            provider,
            model,
            operation: self.operation,
            caller: Caller { key: Digest::default(), session: self.session, tags: self.tags },
            delivery: self.delivery,
            parameters: UNKNOWN_PARAMETERS,
            prompt: self.prompt,
            body_bytes: 0,
        };
        Record {
            call: Arc::new(call),
            placement: None,
            shaped: None,
            budgeted: None,
            attempts: vec![attempt],
            ending: self.ending,
            metering,
            cost,
            cost_uncached: None,
            timing,
        }
    }
}

const UNKNOWN_PARAMETERS: Parameters = Parameters {
    max_output_tokens: None,
    temperature_permille: None,
    answers: 1,
    usage_in_stream: false,
    client_cache_options: false,
    digest: Digest([0; 16]),
    rendered: None,
};

/// Policies place marks by dialect, so a log's calls get that of their provider.
fn dialect_of(provider: &str) -> Dialect {
    match provider {
        "anthropic" => Dialect::AnthropicMessages,
        "openai" => Dialect::OpenaiChat,
        _ => Dialect::Other,
    }
}

/// Who serves a model of this name in a log of Claude's own tools. Not guessed for others' models.
pub(super) fn serves(model: &str) -> Assumed {
    let provider = match model {
        _ if model.contains("anthropic.") => "bedrock",
        _ if model.starts_with("claude") && model.contains('@') => "vertex",
        _ if model.starts_with("claude") => "anthropic",
        _ => "unknown",
    };
    Assumed { provider: provider.into(), model: model.into() }
}

/// Names a call of a log: sorts by time, and the same `key` always gives the same name.
pub(super) fn call_id(at: Time, key: &str) -> CallId {
    let millis = u128::try_from(at.millis().max(0)).expect("not negative");
    CallId((millis << 80) | (u128::from_be_bytes(digest(key).0) & KEY_BITS))
}

/// Names a text. Not keyed: what was read from a log is not stored, so nothing leaks.
pub(super) fn digest(text: &str) -> Digest {
    let first = hash::text(text);
    let second = hash::chain(first, hash::text(text.get(1..).unwrap_or_default()));
    Digest((u128::from(first) << 64 | u128::from(second)).to_be_bytes())
}

/// A block of which only its length and a hash are known.
pub(super) fn block(role: Role, hash: u64, tokens: u64) -> Block {
    let digest = Digest((u128::from(hash) << 64 | u128::from(hash::mix(hash))).to_be_bytes());
    let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
    Block {
        role,
        content: if role == Role::Tool { Content::Tool } else { Content::Text },
        digest,
        chunks: Box::default(),
        characters: 0,
        tokens,
        features: None,
        outline: None,
        mark: None,
        markable: true,
    }
}
