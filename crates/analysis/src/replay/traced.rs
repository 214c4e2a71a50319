//! A call of a trace: little of its own, and what many calls have in common kept once.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use scrimp_core::call::{Caller, Delivery, Dialect, Digest, Parameters};
use scrimp_core::price::Terms;
use scrimp_core::record::Timing;
use scrimp_core::{Call, CallId, Ending, Metering, Record, Time, UsageState};

use super::prompts::{PromptId, Prompts};

/// One call of a trace.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) id: CallId,
    seed: u64,
    pub(crate) arrived: Time,
    pub(crate) session: Option<Digest>,
    body_bytes: u64,
    pub(crate) common: Arc<Common>,
    pub(crate) prompt: PromptId,
    /// What a share is a share of, see [`Call::unit`].
    pub(crate) unit: u64,
    /// Whether the client marked a block of the prompt.
    pub(crate) is_marked: bool,
    /// Whether the blocks are the provider's own.
    pub(crate) are_blocks_known: bool,
    pub(crate) metering: Metering,
    /// Whether the split of the usage by cache class is what the provider reported.
    pub(crate) is_split_known: bool,
    /// When the answer began: from then on others can read what the call wrote.
    pub(crate) began: Time,
    pub(crate) ended: Time,
}

/// What many calls have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Common {
    dialect: Dialect,
    pub(crate) provider: Arc<str>,
    pub(crate) model: Arc<str>,
    pub(crate) operation: Arc<str>,
    /// Its session is each call's own.
    pub(crate) caller: Caller,
    delivery: Delivery,
    pub(crate) parameters: Parameters,
    pub(crate) terms: Terms,
    /// The model that answered.
    pub(crate) answered: Arc<str>,
    /// Whether the answer ended with a call to a tool.
    pub(crate) calls_tool: bool,
}

/// What calls had in common so far.
#[derive(Debug, Default)]
pub(super) struct Commons(FxHashSet<Arc<Common>>);

impl Traced {
    pub(super) fn of(record: &Record, prompt: PromptId, commons: &mut Commons) -> Traced {
        let Timing { head, first_content, ended, .. } = record.timing;
        let call = &*record.call;
        let arrived = call.arrived;
        // The answer that reached the client; without one the last that was tried.
        let attempt = record.attempts.iter().find(|attempt| attempt.fault.is_none());
        let attempt = attempt.or(record.attempts.last());
        let sent = attempt.map_or(arrived, |attempt| arrived + attempt.sent);
        let began = head.or(first_content).map_or(sent, |after| arrived + after);
        let terms = attempt.map_or_else(Terms::default, |attempt| attempt.terms);
        let answered = attempt.map_or(&call.model, |attempt| &attempt.model).clone();
        Traced {
            id: call.id,
            seed: call.seed,
            arrived,
            session: call.caller.session,
            body_bytes: call.body_bytes,
            common: commons.one(Common::of(record, terms, answered)),
            prompt,
            unit: call.unit(),
            is_marked: call.prompt.iter().any(|block| block.mark.is_some()),
            are_blocks_known: false,
            metering: record.metering,
            is_split_known: false,
            began,
            ended: ended.map_or(began, |after| arrived + after),
        }
    }

    /// Input that a cache may hold, in tokens.
    pub(crate) fn input(&self) -> u64 {
        self.metering.usage.without_caching().uncached
    }

    /// Whether the provider itself said how the input splits: it does so with the answer's
    /// beginning, so of a call that broke off too.
    pub(super) fn is_reported(&self) -> bool {
        matches!(self.metering.state, UsageState::Measured | UsageState::Partial)
    }

    /// The call as policies see it, but for what only tells texts apart.
    pub(crate) fn call(&self, prompts: &Prompts) -> Call {
        let Common { dialect, provider, model, operation, caller, delivery, parameters, .. } =
            &*self.common;
        Call {
            id: self.id,
            seed: self.seed,
            arrived: self.arrived,
            dialect: *dialect,
            provider: provider.clone(),
            model: model.clone(),
            operation: operation.clone(),
            caller: Caller { session: self.session, ..caller.clone() },
            delivery: *delivery,
            parameters: parameters.clone(),
            prompt: prompts.blocks(self.prompt),
            body_bytes: self.body_bytes,
        }
    }
}

/// Whether the provider's word for why the model stopped says that it called a tool.
fn calls_tool(ending: &Ending) -> bool {
    match ending {
        Ending::Answered { finish: Some(finish), .. } => {
            matches!(&**finish, "tool_calls" | "tool_use" | "function_call")
        }
        _ => false,
    }
}

impl Common {
    fn of(record: &Record, terms: Terms, answered: Arc<str>) -> Common {
        let call = &*record.call;
        Common {
            dialect: call.dialect,
            provider: call.provider.clone(),
            model: call.model.clone(),
            operation: call.operation.clone(),
            caller: Caller { session: None, ..call.caller.clone() },
            delivery: call.delivery,
            parameters: call.parameters.clone(),
            terms,
            answered,
            calls_tool: calls_tool(&record.ending),
        }
    }
}

impl Commons {
    fn one(&mut self, common: Common) -> Arc<Common> {
        if let Some(known) = self.0.get(&common) {
            return known.clone();
        }
        let common = Arc::new(common);
        self.0.insert(common.clone());
        common
    }
}
