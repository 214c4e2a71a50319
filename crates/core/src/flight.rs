//! A call's way through all policies, as one state machine without IO.
//!
//! A driver feeds it events and carries out its commands. The gateway drives it with sockets and the
//! clock, the replay with recorded arrivals and a calendar; the decisions are the same because the
//! code is the same. Commands open or end *operations* by id, and events answer to that id, so a
//! hedge, a timer and a hang-up may be open together.
//!
//! What a driver owes: every `Send` is answered by `Opened` or `Failed`; every `Relay` by `Closed`,
//! `Failed`; every `Cancel` by `Cancelled`, unless the operation's own end crossed it; every `Wake`
//! by `Woke`, unless the flight has finished. After `Finish` nothing more is asked of it.

use std::sync::Arc;

use crate::call::Call;
use crate::money::Usd;
use crate::policy::guard::is_request_refused;
use crate::policy::prompt_cache::{self, Edit, Expected, Placement};
use crate::policy::{Arm, Memory, Policies, State};
use crate::price::{Catalog, Charge, PriceRow, Terms};
use crate::record::{Attempt, Ending, Fault, Record, Timing};
use crate::time::{Span, Time};
use crate::usage::{Metering, Usage, UsageState};

/// Names an operation of one flight: a request to a provider, or a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Op(pub u32);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The call was read. Always the first event.
    Arrived,
    /// The head of an answer came.
    Opened {
        /// The request that it answers.
        op: Op,
        /// The HTTP status.
        status: u16,
    },
    /// A request failed, before or in its answer.
    Failed {
        /// The request.
        op: Op,
        /// What went wrong.
        fault: Fault,
        /// What had been seen of the answer.
        outcome: Outcome,
    },
    /// An answer was relayed to its end.
    Closed {
        /// The request.
        op: Op,
        /// What was seen of the answer.
        outcome: Outcome,
    },
    /// A request was cancelled, as commanded.
    Cancelled {
        /// The request.
        op: Op,
        /// What had been seen of the answer.
        outcome: Outcome,
    },
    /// A timer rang.
    Woke {
        /// The timer.
        op: Op,
    },
    /// The client hung up.
    HungUp,
}

/// What to do. Carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Send the call to its provider.
    Send {
        /// Names the request.
        op: Op,
        /// Changes to the body; empty: send the client's own bytes.
        edits: Vec<Edit>,
    },
    /// Give this request's answer to the client, and say when it is over.
    Relay {
        /// The request.
        op: Op,
    },
    /// End a request. Its connection is not used again.
    Cancel {
        /// The request.
        op: Op,
    },
    /// Ring at this time.
    Wake {
        /// Names the timer.
        op: Op,
        /// When.
        at: Time,
    },
    /// The call is over: tell the client if it has not been answered, settle, record.
    Finish(Box<Record>),
}

/// What was seen of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it used, as far as is known.
    pub metering: Metering,
    /// What the provider says that it charged.
    pub charged: Option<Usd>,
    /// The model that the answer names.
    pub model: Option<Arc<str>>,
    /// Tier, speed and region that the answer names.
    pub terms: Terms,
    /// Why the model stopped.
    pub finish: Option<Arc<str>>,
    /// The stream ended without its terminal event.
    pub truncated: bool,
    /// When the first piece of content came.
    pub first_content: Option<Time>,
    /// When the last piece of content came.
    pub last_content: Option<Time>,
    /// Time spent waiting for the provider or the client since the call arrived, so that the rest
    /// is this program's own.
    pub waited: Span,
}

/// The state of one call.
#[derive(Debug)]
pub struct Flight {
    call: Arc<Call>,
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

impl Outcome {
    /// Nothing was seen.
    pub fn nothing() -> Outcome {
        Outcome {
            metering: Metering::UNKNOWN,
            charged: None,
            model: None,
            terms: Terms::default(),
            finish: None,
            truncated: false,
            first_content: None,
            last_content: None,
            waited: Span::ZERO,
        }
    }
}

impl Flight {
    /// A call that has been read and not yet decided about.
    pub fn new(call: Arc<Call>) -> Flight {
        Flight {
            call,
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
            Event::Arrived => {
                self.placement = self.place(policies, memory);
                self.send(now, out);
                if let Some(hedge) = policies.hedge.as_ref().filter(|_| !policies.is_bypassed) {
                    let op = self.new_op();
                    self.hedge_timer = Some(op);
                    out.push(Command::Wake { op, at: now + hedge.after });
                }
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
        let rule = prompt_cache::rule_for(&policies.prompt_cache, &self.call)?;
        if policies.is_bypassed {
            return Some(rule.stand_aside(&self.call));
        }
        let row = self.price_row(&policies.prices, None);
        let guard = memory.guard.lock().expect("no step panics");
        let is_stopped = guard.is_stopped(rule.experiment);
        drop(guard);
        if rule.strategy == prompt_cache::Strategy::Auto
            && !is_stopped
            && let Some(row) = row
            && let Some(cache) = row.cache.as_ref().filter(|cache| cache.takes_marks())
            && self.call.dialect.takes_marks(cache.kind)
        {
            let rates = row.rates(self.call.estimated_tokens(), Terms::default());
            let mut auto = memory.auto.lock().expect("no step panics");
            let (placement, expected) = rule.place_by(&mut auto, &self.call, cache, &rates);
            self.expected = Some(expected);
            return Some(placement);
        }
        Some(rule.place(&self.call, row.and_then(|row| row.cache.as_ref()), is_stopped))
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
                .unwrap_or(Metering::UNKNOWN),
            call: self.call.clone(),
            placement: self.placement.take(),
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
