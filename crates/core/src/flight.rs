//! A call's way through all policies, as one state machine without IO.
//!
//! A driver feeds it events and carries out its commands. The gateway drives it with sockets and the
//! clock, the replay with recorded arrivals and a calendar; the decisions are the same because the
//! code is the same. Commands open or end *operations* by id, and events answer to that id, so a
//! hedge, a timer and a hang-up may be open together.
//!
//! What a driver owes: every `Send` is answered by `Opened` or `Failed`; every `Relay` by `Closed`,
//! `Failed`; every `Cancel` by `Cancelled`, unless the operation's own end crossed it; every `Wake`
//! by `Woke`, unless the flight has finished; `Shape`, `Rank` and `Trim`, which are about the request
//! itself and take no time, by `Shaped`, `Ranked` and `Trimmed` before anything else. After `Finish`
//! nothing more is asked of it.

mod commands;
mod prepare;

use std::sync::Arc;

pub use self::commands::{Command, Event, Op, Outcome};
use crate::call::Call;
use crate::money::Usd;
use crate::policy::guard::is_request_refused;
use crate::policy::prompt_cache::{self, Expected, Placement};
use crate::policy::shaping::Shaped;
use crate::policy::token_budget::Budgeted;
use crate::policy::{Arm, Memory, Policies, State};
use crate::price::{Catalog, Charge, PriceRow, Terms};
use crate::record::{Attempt, Ending, Fault, Record, Timing};
use crate::time::{Span, Time};
use crate::usage::{Metering, Usage, UsageState};

/// The state of one call.
#[derive(Debug)]
pub struct Flight {
    call: Arc<Call>,
    /// The call with the prompt that is sent, where that is another.
    sent: Option<Box<Call>>,
    shaped: Option<Box<Shaped>>,
    budgeted: Option<Box<Budgeted>>,
    placement: Option<Placement>,
    /// What the placement expects of the provider, until the provider has said.
    expected: Option<Expected>,
    requests: Vec<Request>,
    /// The next operation's number.
    next: u32,
    /// The timer that sends the hedge.
    hedge_timer: Option<Op>,
    /// The request whose answer goes to the client.
    relayed: Option<Op>,
    /// How the call ends once every request is over.
    ending: Option<Ending>,
    timing: Timing,
    waited: Span,
    finished: bool,
}

/// One request to the provider.
#[derive(Debug)]
struct Request {
    op: Op,
    is_open: bool,
    attempt: Attempt,
    cost_uncached: Option<Usd>,
}

impl Flight {
    /// A call that has been read and not yet decided about.
    pub fn new(call: Arc<Call>) -> Flight {
        Flight {
            call,
            sent: None,
            shaped: None,
            budgeted: None,
            placement: None,
            expected: None,
            requests: Vec::new(),
            next: 0,
            hedge_timer: None,
            relayed: None,
            ending: None,
            timing: Timing::default(),
            waited: Span::ZERO,
            finished: false,
        }
    }

    /// The call.
    pub fn call(&self) -> &Arc<Call> {
        &self.call
    }

    /// Whether [`Command::Finish`] has been given.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Decides what happens next. The order of the policies is written here and nowhere else.
    pub fn step(
        &mut self,
        event: Event,
        now: Time,
        policies: &Policies,
        memory: &Memory,
        out: &mut Vec<Command>,
    ) {
        if self.finished {
            return;
        }
        match event {
            Event::Arrived => match self.plan(policies) {
                Some(plan) => out.push(Command::Shape(plan)),
                None => self.admit(now, policies, memory, out),
            },
            Event::Shaped { blocks, would } => {
                self.note_shaped(blocks, would);
                self.admit(now, policies, memory, out);
            }
            Event::Ranked { scores } => self.fit(&scores, now, policies, memory, out),
            Event::Trimmed { tokens } => {
                self.check_trimmed(tokens);
                self.depart(now, policies, memory, out);
            }
            Event::Woke { op } => {
                let is_hedge = self.hedge_timer == Some(op);
                if is_hedge && self.relayed.is_none() && self.ending.is_none() {
                    self.send(now, out);
                }
            }
            Event::Opened { op, status } => {
                self.note_head(op, status, now);
                match self.relayed.is_none() && self.ending.is_none() {
                    true => self.relay(op, status, now, memory, out),
                    // A second head, or one that crossed the hang-up: nobody waits for it.
                    false => out.push(Command::Cancel { op }),
                }
            }
            Event::HungUp => {
                if self.ending.is_none() {
                    self.ending = Some(Ending::Abandoned);
                    self.timing.hung_up = Some(now.since(self.call.arrived));
                }
                self.cancel_others(None, out);
            }
            Event::Closed { op, outcome } => {
                let ending = self.ending_of(op, &outcome);
                self.compare(&outcome, memory);
                self.close(op, outcome, None, now, &policies.prices);
                self.ending.get_or_insert(ending);
            }
            Event::Cancelled { op, outcome } => {
                self.give_up_entries(memory);
                self.close(op, outcome, Some(Fault::Cancelled), now, &policies.prices);
            }
            Event::Failed { op, fault, outcome } => {
                self.give_up_entries(memory);
                self.close(op, outcome, Some(fault), now, &policies.prices);
                let was_relayed = self.relayed == Some(op);
                if was_relayed || (self.relayed.is_none() && !self.has_open_request()) {
                    self.ending.get_or_insert(Ending::Failed { fault });
                }
            }
        }
        if self.ending.is_some() && !self.has_open_request() {
            self.finish(now, out);
        }
    }

    fn place(&mut self, policies: &Policies, memory: &Memory) -> Option<Placement> {
        let call = self.sent.as_deref().unwrap_or(&self.call);
        let rule = prompt_cache::rule_for(&policies.prompt_cache, call)?;
        if policies.is_bypassed {
            return Some(rule.stand_aside(call));
        }
        let row = self.price_row(&policies.prices, None);
        let guard = memory.guard.lock().expect("no step panics");
        let is_stopped = guard.is_stopped(rule.experiment);
        drop(guard);
        if rule.strategy == prompt_cache::Strategy::Auto
            && !is_stopped
            && let Some(row) = row
            && let Some(cache) = row.cache.as_ref().filter(|cache| cache.takes_marks())
            && call.dialect.takes_marks(cache.kind)
        {
            let rates = row.rates(call.estimated_tokens(), Terms::default());
            let mut auto = memory.auto.lock().expect("no step panics");
            let (placement, expected) = rule.place_by(&mut auto, call, cache, &rates);
            self.expected = Some(expected);
            return Some(placement);
        }
        Some(rule.place(call, row.and_then(|row| row.cache.as_ref()), is_stopped))
    }

    /// The row for the model that answered if it has one, else for the model asked for.
    fn price_row<'a>(
        &self,
        prices: &'a Catalog,
        answered: Option<&str>,
    ) -> Option<&'a Arc<PriceRow>> {
        let Call { provider, model, arrived, .. } = &*self.call;
        let answered = answered.filter(|answered| *answered != model.as_ref());
        answered
            .and_then(|answered| prices.find(provider, answered, *arrived))
            .or_else(|| prices.find(provider, model, *arrived))
    }

    fn new_op(&mut self) -> Op {
        let op = Op(self.next);
        self.next += 1;
        op
    }

    fn send(&mut self, now: Time, out: &mut Vec<Command>) {
        let op = self.new_op();
        let edits = match &self.placement {
            Some(placement) if placement.is_applied() => placement.edits.clone(),
            _ => Vec::new(),
        };
        let sent = now.since(self.call.arrived);
        let attempt = Attempt {
            provider: self.call.provider.clone(),
            model: self.call.model.clone(),
            sent,
            ended: sent,
            status: None,
            fault: None,
            metering: Metering::UNKNOWN,
            terms: Terms::default(),
            cost: None,
            priced_as: None,
        };
        self.requests.push(Request { op, is_open: true, attempt, cost_uncached: None });
        out.push(Command::Send { op, edits });
    }

    fn note_head(&mut self, op: Op, status: u16, now: Time) {
        let arrived = self.call.arrived;
        if let Some(request) = self.request(op) {
            request.attempt.status = Some(status);
        }
        self.timing.head.get_or_insert(now.since(arrived));
    }

    fn relay(&mut self, op: Op, status: u16, now: Time, memory: &Memory, out: &mut Vec<Command>) {
        self.relayed = Some(op);
        if let Some(placement) = self.placement.as_ref().filter(|p| p.state == State::On) {
            let mut guard = memory.guard.lock().expect("no step panics");
            guard.see(placement.experiment, placement.arm, status);
        }
        if let Some(expected) = &self.expected {
            let mut auto = memory.auto.lock().expect("no step panics");
            match status {
                200..=299 => auto.began(expected, now),
                _ => auto.failed(expected),
            }
        }
        // The client first: ending the loser may wait behind its first byte.
        out.push(Command::Relay { op });
        self.cancel_others(Some(op), out);
    }

    /// What the provider says that it read tells whether what was expected of it is right.
    fn compare(&mut self, outcome: &Outcome, memory: &Memory) {
        let Some(expected) = self.expected.take() else { return };
        memory.auto.lock().expect("no step panics").learn(&expected, &outcome.metering);
    }

    /// What no answer began to write is not there. Of a hedge the other request may still write it.
    fn give_up_entries(&mut self, memory: &Memory) {
        let open = self.requests.iter().filter(|request| request.is_open).count();
        if self.relayed.is_none()
            && open <= 1
            && let Some(expected) = self.expected.take()
        {
            memory.auto.lock().expect("no step panics").failed(&expected);
        }
    }

    fn cancel_others(&self, kept: Option<Op>, out: &mut Vec<Command>) {
        let open = self.requests.iter().filter(|request| request.is_open);
        let losers = open.filter(|request| Some(request.op) != kept);
        out.extend(losers.map(|request| Command::Cancel { op: request.op }));
    }

    fn ending_of(&mut self, op: Op, outcome: &Outcome) -> Ending {
        let status = self.request(op).and_then(|request| request.attempt.status).unwrap_or(0);
        match outcome.truncated {
            true => Ending::Truncated { status },
            false => Ending::Answered { status, finish: outcome.finish.clone() },
        }
    }

    fn close(
        &mut self,
        op: Op,
        outcome: Outcome,
        fault: Option<Fault>,
        now: Time,
        prices: &Catalog,
    ) {
        let row = self.price_row(prices, outcome.model.as_deref()).cloned();
        let arrived = self.call.arrived;
        if self.relayed == Some(op) || self.relayed.is_none() {
            self.timing.first_content = outcome.first_content.map(|at| at.since(arrived));
            self.timing.last_content = outcome.last_content.map(|at| at.since(arrived));
            self.waited = outcome.waited;
        }
        let Some(request) = self.request(op).filter(|request| request.is_open) else { return };
        request.is_open = false;
        let Attempt {
            model, ended, status, fault: faulted, metering, terms, cost, priced_as, ..
        } = &mut request.attempt;
        *ended = now.since(arrived);
        *faulted = fault;
        *metering = metering_of(outcome.metering, *status, fault);
        *terms = outcome.terms;
        if let Some(answered) = outcome.model {
            *model = answered;
        }
        if metering.state == UsageState::Unknown && outcome.charged.is_none() {
            return;
        }
        let charge = Charge::of(&metering.usage, outcome.terms, row.as_deref(), outcome.charged);
        (*cost, request.cost_uncached) = (charge.cost, charge.cost_uncached);
        *priced_as = charge.priced_as;
    }

    fn request(&mut self, op: Op) -> Option<&mut Request> {
        self.requests.iter_mut().find(|request| request.op == op)
    }

    fn has_open_request(&self) -> bool {
        self.requests.iter().any(|request| request.is_open)
    }

    fn finish(&mut self, now: Time, out: &mut Vec<Command>) {
        self.finished = true;
        let ended = now.since(self.call.arrived);
        let overhead = Some(ended - self.waited);
        let timing = Timing { ended: Some(ended), overhead, ..self.timing };
        let sum = |part: fn(&Request) -> Option<Usd>| self.requests.iter().map(part).sum();
        out.push(Command::Finish(Box::new(Record {
            cost: sum(|request| request.attempt.cost),
            cost_uncached: sum(|request| request.cost_uncached),
            metering: self
                .requests
                .iter()
                .map(|r| r.attempt.metering)
                .reduce(together)
                // It was never sent.
                .unwrap_or(Metering::measured(Usage::ZERO)),
            call: self.call.clone(),
            placement: self.placement.take(),
            shaped: self.shaped.take(),
            budgeted: self.budgeted.take(),
            attempts: self.requests.drain(..).map(|request| request.attempt).collect(),
            ending: self.ending.take().expect("a flight finishes with an ending"),
            timing,
        })));
    }
}

impl Placement {
    /// Whether the edits are made.
    pub fn is_applied(&self) -> bool {
        self.state == State::On && self.arm == Arm::Treated
    }
}

/// A request that never reached a model used nothing, which is known and not a guess: it could not
/// be connected, or the provider refused it before running it.
fn metering_of(seen: Metering, status: Option<u16>, fault: Option<Fault>) -> Metering {
    let never_sent = fault.is_some_and(Fault::was_never_sent);
    let refused = status.is_some_and(|s| {
        s == 429 || s == 529 || s == 503 || is_request_refused(s) || matches!(s, 401 | 403 | 404)
    });
    match seen.state == UsageState::Unknown && (never_sent || refused) {
        true => Metering::measured(Usage::ZERO),
        false => seen,
    }
}

/// Usage of several attempts: known as well as the least known of them.
fn together(sum: Metering, next: Metering) -> Metering {
    let rank = |state| match state {
        UsageState::Measured => 0,
        UsageState::Partial => 1,
        UsageState::Estimated => 2,
        UsageState::Unknown => 3,
    };
    let state = if rank(sum.state) < rank(next.state) { next.state } else { sum.state };
    let mut usage = sum.usage;
    usage += next.usage;
    Metering { usage, state, suspect: sum.suspect | next.suspect }
}

#[cfg(test)]
mod tests;
