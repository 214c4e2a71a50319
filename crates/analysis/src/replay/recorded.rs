//! The world as it was: every request gets the outcome that was recorded.
//!
//! Replaying recorded arrivals in this world under the policies of their day must give the recorded
//! decisions again, call by call: arms, placements, edits, attempts, endings, costs.

use scrimp_core::flight::Outcome;
use scrimp_core::policy::prompt_cache::Edit;
use scrimp_core::policy::shaping::{Plan, ShapedBlock};
use scrimp_core::policy::token_budget::{Chunks, Trim};
use scrimp_core::price::REPORTED;
use scrimp_core::record::Timing;
use scrimp_core::{
    Attempt, Ending, Fault, Memory, Metering, Policies, Record, Refusal, Span, Time,
};

use super::calendar::{Arrival, End, Reply, World, drive};

/// Gives back what was recorded.
#[derive(Debug)]
pub struct Recorded<'a> {
    /// In the order of arrival.
    records: Vec<&'a Record>,
    unrecorded: usize,
}

/// Flies `records` again under `policies`, from an empty memory, and returns what the flights
/// recorded, in the order of `records`. A call that was refused before it had a flight comes back
/// as it is.
pub fn decisions(records: &[Record], policies: &Policies) -> Vec<Record> {
    let mut order: Vec<usize> = (0..records.len()).filter(|at| has_flown(&records[*at])).collect();
    order.sort_by_key(|at| (records[*at].call.arrived, records[*at].call.id));
    let flown: Vec<&Record> = order.iter().map(|at| &records[*at]).collect();
    let mut world = Recorded::new(flown.clone());
    let mut replayed = records.to_vec();
    let mut settled = |call: usize, record| replayed[order[call]] = record;
    let arrivals = flown.iter().map(|record| arrival(record));
    drive(arrivals, policies, &Memory::default(), &mut world, &mut settled);
    replayed
}

/// Whether a call had a flight, if only to be refused by a budget.
fn has_flown(record: &Record) -> bool {
    match &record.ending {
        Ending::Refused(refusal) => matches!(refusal, Refusal::InputTooLong { .. }),
        _ => true,
    }
}

/// A recorded call as an arrival: it comes when it came and hangs up when it hung up.
fn arrival(record: &Record) -> Arrival {
    let Timing { hung_up, ended, .. } = record.timing;
    let hung_up = hung_up.or(ended.filter(|_| record.ending == Ending::Abandoned));
    let arrived = record.call.arrived;
    Arrival { call: record.call.clone(), hangs_up: hung_up.map(|after| arrived + after) }
}

impl<'a> Recorded<'a> {
    /// The world of these records, which are in the order of their arrivals.
    pub fn new(records: Vec<&'a Record>) -> Recorded<'a> {
        Recorded { records, unrecorded: 0 }
    }

    /// How many requests were sent that had not been sent live. Each failed to connect.
    pub fn unrecorded(&self) -> usize {
        self.unrecorded
    }

    fn outcome(&self, call: usize, attempt: &Attempt) -> Outcome {
        let record = self.records[call];
        let arrived = record.call.arrived;
        let Timing { first_content, last_content, ended, overhead, .. } = record.timing;
        let waited = ended.zip(overhead).map_or(Span::ZERO, |(ended, own)| ended - own);
        let is_truncated = matches!(record.ending, Ending::Truncated { .. });
        Outcome {
            metering: attempt.metering,
            charged: attempt.cost.filter(|_| attempt.priced_as.as_deref() == Some(REPORTED)),
            model: Some(attempt.model.clone()),
            terms: attempt.terms,
            finish: match &record.ending {
                Ending::Answered { finish, .. } => finish.clone(),
                _ => None,
            },
            truncated: is_truncated && attempt.fault.is_none(),
            first_content: first_content.map(|after| arrived + after),
            last_content: last_content.map(|after| arrived + after),
            waited,
        }
    }

    /// When the head of this attempt's answer came. Of a call's heads only the first is recorded;
    /// a later one crossed its cancellation, and came before that was done.
    fn head(&self, call: usize, request: usize) -> Option<(Time, u16)> {
        let record = self.records[call];
        let status = record.attempts[request].status?;
        let is_first = |attempt: &Attempt| attempt.fault != Some(Fault::Cancelled);
        let first = record.attempts.iter().position(|a| a.status.is_some() && is_first(a));
        // All cancelled: the one that was relayed ended last, by the hang-up; the others were
        // cancelled as soon as it was relayed.
        let heads = record.attempts.iter().enumerate().filter(|(_, a)| a.status.is_some());
        let relayed = heads.rev().max_by_key(|(_, attempt)| attempt.ended).map(|(at, _)| at);
        let first = first.or(relayed);
        let after = match first == Some(request) {
            true => record.timing.head.unwrap_or(record.attempts[request].ended),
            false => record.attempts[request].ended,
        };
        Some((record.call.arrived + after, status))
    }
}

impl World for Recorded<'_> {
    fn shape(&mut self, call: usize, plan: Plan) -> (Vec<ShapedBlock>, Vec<ShapedBlock>) {
        let shaped = self.records[call].shaped.as_ref().filter(|shaped| shaped.asked() == plan);
        shaped.map(|shaped| (shaped.blocks.clone(), shaped.would.clone())).unwrap_or_default()
    }

    fn rank(&mut self, call: usize, _chunks: &Chunks) -> Vec<u32> {
        let budgeted = self.records[call].budgeted.as_ref();
        budgeted.map(|budgeted| budgeted.scores.clone()).unwrap_or_default()
    }

    fn trim(&mut self, call: usize, trim: &Trim) -> Option<u64> {
        let budgeted = self.records[call].budgeted.as_ref();
        budgeted.filter(|budgeted| budgeted.trim == *trim).map(|budgeted| budgeted.tokens_after)
    }

    fn send(&mut self, call: usize, request: usize, _edits: &[Edit], now: Time) -> Reply {
        let record = self.records[call];
        let Some(attempt) = record.attempts.get(request) else {
            self.unrecorded += 1;
            let end = Some((now, End::Failed(Fault::Connect)));
            return Reply { head: None, end, outcome: Outcome::nothing() };
        };
        let ended = record.call.arrived + attempt.ended;
        let end = match attempt.fault {
            None => Some((ended, End::Closed)),
            Some(Fault::Cancelled) => None,
            Some(fault) => Some((ended, End::Failed(fault))),
        };
        Reply { head: self.head(call, request), end, outcome: self.outcome(call, attempt) }
    }

    fn cancel(&mut self, call: usize, request: usize, now: Time) -> Option<(Time, Outcome)> {
        let record = self.records[call];
        match record.attempts.get(request) {
            // It was not cancelled live: its own end came first.
            Some(Attempt { fault: None, .. }) => None,
            Some(Attempt { fault: Some(fault), .. }) if *fault != Fault::Cancelled => None,
            Some(attempt) => {
                let ended = record.call.arrived + attempt.ended;
                Some((ended.max(now), self.outcome(call, attempt)))
            }
            None => Some((now, Outcome { metering: Metering::UNKNOWN, ..Outcome::nothing() })),
        }
    }
}
