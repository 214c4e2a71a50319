//! The end of a call: exactly one record, whatever happened.

use std::sync::Arc;

use bytes::Bytes;
use http::response::Parts;
use scrimp_core::record::Timing;
use scrimp_core::{Call, Dialect, Ending, Fault, Metering, Record, Refusal, Span, Time, Usage};

use super::answer;
use crate::gateway::Gateway;

/// A call that has to be settled. Dropped without, it settles itself: as abandoned while it was being
/// read, as failed once its flight was under way.
#[must_use = "a call that is not settled settles as failed"]
pub(crate) struct Unsettled {
    gateway: Gateway,
    /// `None` once it is settled.
    call: Option<Arc<Call>>,
    is_flying: bool,
}

const HELD: &str = "settling takes this value away";

impl Unsettled {
    pub(crate) fn new(gateway: Gateway, call: Call) -> Unsettled {
        gateway.shared().counts.began();
        Unsettled { gateway, call: Some(Arc::new(call)), is_flying: false }
    }

    pub(crate) fn call(&self) -> &Arc<Call> {
        self.call.as_ref().expect(HELD)
    }

    /// The call, to say more of it while it is read.
    pub(crate) fn call_mut(&mut self) -> &mut Call {
        Arc::make_mut(self.call.as_mut().expect(HELD))
    }

    /// The call was read, and its flight begins.
    pub(crate) fn take_off(&mut self) -> Arc<Call> {
        self.is_flying = true;
        self.call().clone()
    }

    pub(crate) fn settle(mut self, record: Record) {
        self.call = None;
        self.record(record);
    }

    fn record(&self, record: Record) {
        let shared = self.gateway.shared();
        shared.settle(Arc::new(record));
        shared.counts.ended();
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        let Some(call) = self.call.take() else { return };
        let ended = self.gateway.shared().clock.now().since(call.arrived);
        self.record(match self.is_flying {
            false => unsent(call, Ending::Abandoned, ended, ended),
            // What was sent and used is not known any more.
            true => Record {
                metering: Metering::UNKNOWN,
                cost: None,
                cost_uncached: None,
                ..unsent(call, Ending::Failed { fault: Fault::Cancelled }, ended, ended)
            },
        });
    }
}

/// Settles a call that is not sent on, and says what its caller is told in `dialect`.
pub(crate) fn refuse(
    unsettled: Unsettled,
    dialect: Dialect,
    refusal: Refusal,
    now: Time,
    waited: Span,
) -> (Parts, Bytes) {
    let (status, code, text) = answer::told(&refusal, dialect);
    let call = unsettled.call().clone();
    let told = answer::error(dialect, &call, status, code, &text);
    let ended = now.since(call.arrived);
    unsettled.settle(unsent(call, Ending::Refused(refusal), ended, waited));
    told
}

/// The record of a call that reached no provider: it used nothing, and that is known.
pub(crate) fn unsent(call: Arc<Call>, ending: Ending, ended: Span, waited: Span) -> Record {
    let timing = Timing { ended: Some(ended), overhead: Some(ended - waited), ..Timing::default() };
    Record {
        call,
        placement: None,
        shaped: None,
        budgeted: None,
        attempts: Vec::new(),
        ending,
        metering: Metering::measured(Usage::ZERO),
        cost: Some(scrimp_core::Usd::ZERO),
        cost_uncached: Some(scrimp_core::Usd::ZERO),
        timing,
    }
}

/// The status that a call's client saw, or would have seen.
pub(crate) fn status_of(record: &Record) -> u16 {
    match &record.ending {
        Ending::Answered { status, .. } | Ending::Truncated { status } => *status,
        Ending::Failed { fault } => answer::fault_status(*fault),
        // What nginx writes for a client that hung up.
        Ending::Abandoned => 499,
        Ending::Refused(refusal) => answer::refusal_text(refusal).0,
    }
}
