//! The live driver: carries out what a call's [`Flight`] commands, with sockets and the clock.
//!
//! A flight outlives the client's connection. It waits for all open requests, timers and the client's
//! hang-up together. No policy is decided here: whoever wants to
//! add an `if` about a provider's answer wants a policy.

mod answer;
mod body;
mod carried;
mod outbound;
mod request;
mod settle;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use scrimp_core::policy::prompt_cache::Edit;
use scrimp_core::policy::shaping::Plan;
use scrimp_core::policy::token_budget::{Chunks, Trim};
use scrimp_core::{Call, Command, Dialect, Event, Flight, Op, Policies, Record, Span};
use tokio::time::{Sleep, sleep_until};

use crate::clock::Stopwatch;
use crate::gateway::Gateway;
use crate::reply::{self, Reply};
use crate::running::Running;
pub(crate) use answer::{fault_text, refusal_text};
pub(crate) use body::Body;
pub(crate) use carried::Carried;
pub(crate) use outbound::Outbound;
use request::Request;
pub(crate) use settle::{Unsettled, refuse, status_of};

/// A call that was read and is to be flown.
pub(crate) struct Departure {
    pub(crate) call: Arc<Call>,
    /// What its caller reads errors in.
    pub(crate) errors_in: Dialect,
    pub(crate) outbound: Outbound,
    pub(crate) watch: Stopwatch,
    /// Time already spent waiting for the client's body.
    pub(crate) waited: Span,
    pub(crate) running: Arc<Running>,
    pub(crate) unsettled: Unsettled,
}

/// Everything of one call that is open.
struct Operations {
    gateway: Gateway,
    call: Arc<Call>,
    errors_in: Dialect,
    outbound: Outbound,
    reply: Reply,
    running: Arc<Running>,
    watch: Stopwatch,
    /// Time spent waiting for anybody else.
    waited: Span,
    requests: Vec<Request>,
    timers: Vec<(Op, Pin<Box<Sleep>>)>,
    has_hung_up: bool,
}

/// Begins to fly a call.
pub(crate) fn depart(gateway: Gateway, departure: Departure) -> Carried {
    let (reply, awaiting) = reply::pair();
    Carried::new(fly(gateway, departure, reply), awaiting)
}

/// Flies a call to its end.
async fn fly(gateway: Gateway, departure: Departure, reply: Reply) {
    let Departure { call, errors_in, outbound, watch, waited, running, unsettled } = departure;
    if running.policies.is_bypassed {
        gateway.shared().counts.bypassed();
    }
    let mut flight = Flight::new(call.clone());
    let mut open = Operations {
        gateway,
        call,
        errors_in,
        outbound,
        reply,
        running,
        watch,
        waited,
        requests: Vec::with_capacity(1),
        timers: Vec::new(),
        has_hung_up: false,
    };
    let record = drive(&mut flight, &mut open).await;
    open.tell(&record);
    unsettled.settle(record);
}

async fn drive(flight: &mut Flight, open: &mut Operations) -> Record {
    let mut commands = Vec::with_capacity(2);
    let mut event = Event::Arrived;
    loop {
        step(flight, event, open, &mut commands);
        let mut at_once = None;
        for command in commands.drain(..) {
            match command {
                Command::Shape(plan) => at_once = Some(open.shape(plan)),
                Command::Rank(chunks) => at_once = Some(open.rank(&chunks)),
                Command::Trim(trim) => at_once = Some(open.trim(&trim)),
                Command::Send { op, edits } => open.send(op, &edits),
                Command::Relay { op } => open.relay(op),
                Command::Cancel { op } => open.cancel(op),
                Command::Wake { op, at } => open.wake(op, at),
                Command::Finish(record) => return *record,
            }
        }
        event = match at_once {
            Some(event) => event,
            None => open.next().await,
        };
    }
}

/// One step of the policies. A policy that panics must not take the call down: it then flies on as
/// if no policy were configured.
fn step(flight: &mut Flight, event: Event, open: &Operations, commands: &mut Vec<Command>) {
    let now = open.watch.now();
    let memory = &open.gateway.shared().memory;
    let policies = &*open.running.policies;
    let is_arrival = matches!(
        event,
        Event::Arrived | Event::Shaped { .. } | Event::Ranked { .. } | Event::Trimmed { .. }
    );
    let shaped = catch_unwind(AssertUnwindSafe(|| {
        flight.step(event, now, policies, memory, commands);
    }));
    if shaped.is_err() && is_arrival {
        open.gateway.shared().counts.policy_panicked();
        commands.clear();
        *flight = Flight::new(open.call.clone());
        let bare = Policies {
            prompt_cache: Vec::new(),
            shaping: Vec::new(),
            token_budgets: Vec::new(),
            hedge: None,
            ..policies.clone()
        };
        flight.step(Event::Arrived, now, &bare, memory, commands);
    } else if let Err(panic) = shaped {
        std::panic::resume_unwind(panic);
    }
}

impl Operations {
    /// Shapes the request. A transform that panics must not take the call down: it goes unshaped.
    fn shape(&mut self, plan: Plan) -> Event {
        let Operations { outbound, call, gateway, .. } = self;
        let key = &gateway.shared().key;
        let shaped = catch_unwind(AssertUnwindSafe(|| outbound.shape(call, plan, key)));
        let (blocks, would) = shaped.unwrap_or_else(|_| {
            gateway.shared().counts.policy_panicked();
            Default::default()
        });
        Event::Shaped { blocks, would }
    }

    fn rank(&self, chunks: &Chunks) -> Event {
        Event::Ranked { scores: self.outbound.rank(&self.call, chunks) }
    }

    fn trim(&mut self, trim: &Trim) -> Event {
        let key = &self.gateway.shared().key;
        Event::Trimmed { tokens: self.outbound.trim(&self.call, trim, key) }
    }

    fn send(&mut self, op: Op, edits: &[Edit]) {
        let sending = self.outbound.depart(&self.gateway, &self.running, &self.call, edits);
        let limits = self.running.config.limits;
        self.requests.push(Request::new(op, sending, &limits, self.watch));
    }

    fn relay(&mut self, op: Op) {
        // Nothing is sent again once an answer is being relayed, so its body may go.
        self.outbound.let_go();
        let own = self.watch.now().since(self.call.arrived) - self.waited;
        if let Some(request) = self.requests.iter_mut().find(|request| request.op == op) {
            let reason = self.outbound.reason();
            request.relay(&self.call, &self.reply, own, self.waited, reason);
        }
    }

    fn cancel(&mut self, op: Op) {
        if let Some(request) = self.requests.iter_mut().find(|request| request.op == op) {
            request.cancel(&self.call, self.waited);
        }
    }

    fn wake(&mut self, op: Op, at: scrimp_core::Time) {
        self.timers.push((op, Box::pin(sleep_until(self.watch.instant(at)))));
    }

    /// The next thing that happens, whatever it is.
    async fn next(&mut self) -> Event {
        let mut idle_since = None;
        std::future::poll_fn(|cx| {
            if let Some(since) = idle_since.take() {
                self.waited += self.watch.now().since(since);
            }
            let polled = self.poll(cx);
            // What was done meanwhile (a piece read, counted, passed on) is no waiting.
            if polled.is_pending() {
                idle_since = Some(self.watch.now());
            }
            polled
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if !self.has_hung_up && self.reply.poll_hung_up(cx).is_ready() {
            self.has_hung_up = true;
            return Poll::Ready(Event::HungUp);
        }
        let rung = self.timers.iter_mut().position(|(_, timer)| timer.as_mut().poll(cx).is_ready());
        if let Some(rung) = rung {
            return Poll::Ready(Event::Woke { op: self.timers.swap_remove(rung).0 });
        }
        let Operations { requests, reply, call, gateway, waited, .. } = self;
        for request in requests {
            if let Poll::Ready(event) = request.poll(cx, reply, call, gateway, *waited) {
                self.has_hung_up |= event == Event::HungUp;
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }

    /// Tells the client how the call ended, if nothing was said yet.
    fn tell(&self, record: &Record) {
        if self.reply.is_answered() {
            self.reply.amend(|headers| answer::add_cost(headers, record));
            return;
        }
        let (head, body) = answer::failure(record, self.errors_in, self.outbound.provider());
        self.reply.answer_whole(head, body);
    }
}
