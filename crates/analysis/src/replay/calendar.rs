//! The calendar: the driver of flights whose clock is the order of events.
//!
//! Calls meet in memory exactly as they did live, because everything happens in the order of its
//! time. What happens at one instant happens in this order: arrivals, heads of answers, hang-ups,
//! ends of answers, timers. So a hang-up at the very moment of a hedge sends no second request.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use scrimp_core::flight::Outcome;
use scrimp_core::policy::prompt_cache::Edit;
use scrimp_core::policy::shaping::{Plan, ShapedBlock};
use scrimp_core::policy::token_budget::{Chunks, Trim};
use scrimp_core::{Call, Command, Event, Fault, Flight, Memory, Op, Policies, Record, Time};

/// A call comes in.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The call.
    pub call: Arc<Call>,
    /// When its client hangs up if it has not been answered whole by then.
    pub hangs_up: Option<Time>,
}

/// What a provider does with one request if nobody cancels it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// When the answer's head comes, and its status. `None`: it never does.
    pub head: Option<(Time, u16)>,
    /// When and how the request is over. `None`: it hangs until it is cancelled.
    pub end: Option<(Time, End)>,
    /// What has been seen of the answer by its end.
    pub outcome: Outcome,
}

/// How a request is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its answer came to its end.
    Closed,
    /// It failed.
    Failed(Fault),
}

/// What a provider would have answered. The only place where a replay may guess.
pub trait World {
    /// Request number `request` of call number `call` (both counted from 0, calls in the order of
    /// their arrivals) is sent.
    fn send(&mut self, call: usize, request: usize, edits: &[Edit], now: Time) -> Reply;

    /// The same request is cancelled: when that is done, and what had been seen of the answer.
    /// `None`: its own end crosses the cancellation and comes as it was planned.
    fn cancel(&mut self, call: usize, request: usize, now: Time) -> Option<(Time, Outcome)>;

    /// What shaping makes of the call's blocks, and what it would make of them if what is counted was
    /// made, too. Without its text nothing is known of that.
    fn shape(&mut self, _call: usize, _plan: Plan) -> (Vec<ShapedBlock>, Vec<ShapedBlock>) {
        (Vec::new(), Vec::new())
    }

    /// How much chunks have to do with the question.
    fn rank(&mut self, _call: usize, _chunks: &Chunks) -> Vec<u32> {
        Vec::new()
    }

    /// The tokens of a trimmed prompt. `None`: as was decided.
    fn trim(&mut self, _call: usize, _trim: &Trim) -> Option<u64> {
        None
    }
}

/// Flies every call to its end. `arrivals` come in the order of their times; `settled` gets the
/// number of each call and its record, in the order in which they end. A call whose world leaves it
/// hanging and whose client never hangs up has no record.
pub fn drive(
    arrivals: impl IntoIterator<Item = Arrival>,
    policies: &Policies,
    memory: &Memory,
    world: &mut dyn World,
    settled: &mut dyn FnMut(usize, Record),
) {
    let mut arrivals = arrivals.into_iter().enumerate().peekable();
    let mut calendar = Calendar {
        policies,
        memory,
        world,
        settled,
        agenda: BTreeMap::new(),
        aloft: FxHashMap::default(),
        planned: 0,
        commands: Vec::new(),
    };
    loop {
        let next = calendar.agenda.first_key_value().map(|(moment, _)| moment.at);
        let is_due = |arrival: &(usize, Arrival)| next.is_none_or(|n| arrival.1.call.arrived <= n);
        if let Some((call, arrival)) = arrivals.next_if(is_due) {
            calendar.arrive(call, arrival);
        } else if let Some((moment, (call, event))) = calendar.agenda.pop_first() {
            calendar.happen(call, event, moment.at);
        } else {
            return;
        }
    }
}

/// Orders what happens at one instant: first by kind, then first come first served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    at: Time,
    kind: Kind,
    planned: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Arrival,
    Head,
    HangUp,
    End,
    Timer,
}

struct Calendar<'a> {
    policies: &'a Policies,
    memory: &'a Memory,
    world: &'a mut dyn World,
    settled: &'a mut dyn FnMut(usize, Record),
    agenda: BTreeMap<Moment, (usize, Event)>,
    /// Calls in the air.
    aloft: FxHashMap<usize, Aloft>,
    planned: u64,
    commands: Vec<Command>,
}

struct Aloft {
    flight: Flight,
    /// Requests that are not over, and whether they are being cancelled.
    open: Vec<Open>,
    /// How many requests have been sent.
    sent: usize,
}

struct Open {
    op: Op,
    request: usize,
    is_cancelled: bool,
}

impl Calendar<'_> {
    fn arrive(&mut self, call: usize, Arrival { call: facts, hangs_up }: Arrival) {
        let now = facts.arrived;
        if let Some(at) = hangs_up {
            self.plan(at, call, Event::HungUp);
        }
        self.aloft.insert(call, Aloft { flight: Flight::new(facts), open: Vec::new(), sent: 0 });
        self.step(call, Event::Arrived, now);
    }

    fn happen(&mut self, call: usize, event: Event, now: Time) {
        let Some(aloft) = self.aloft.get_mut(&call) else { return };
        if aloft.lets_happen(&event) {
            self.step(call, event, now);
        }
    }

    fn step(&mut self, call: usize, event: Event, now: Time) {
        let Some(aloft) = self.aloft.get_mut(&call) else { return };
        let mut commands = std::mem::take(&mut self.commands);
        aloft.flight.step(event, now, self.policies, self.memory, &mut commands);
        for command in commands.drain(..) {
            self.obey(call, command, now);
        }
        self.commands = commands;
    }

    fn obey(&mut self, call: usize, command: Command, now: Time) {
        match command {
            Command::Shape(plan) => {
                let (blocks, would) = self.world.shape(call, plan);
                self.step(call, Event::Shaped { blocks, would }, now);
            }
            Command::Rank(chunks) => {
                let scores = self.world.rank(call, &chunks);
                self.step(call, Event::Ranked { scores }, now);
            }
            Command::Trim(trim) => {
                let tokens = self.world.trim(call, &trim);
                self.step(call, Event::Trimmed { tokens }, now);
            }
            Command::Send { op, edits } => self.send(call, op, &edits, now),
            // The end of an answer was planned when its request was sent.
            Command::Relay { .. } => {}
            Command::Cancel { op } => self.cancel(call, op, now),
            Command::Wake { op, at } => self.plan(at, call, Event::Woke { op }),
            Command::Finish(record) => {
                self.aloft.remove(&call);
                (self.settled)(call, *record);
            }
        }
    }

    fn send(&mut self, call: usize, op: Op, edits: &[Edit], now: Time) {
        let Some(aloft) = self.aloft.get_mut(&call) else { return };
        let request = aloft.sent;
        aloft.sent += 1;
        let Reply { head, end, outcome } = self.world.send(call, request, edits, now);
        aloft.open.push(Open { op, request, is_cancelled: false });
        // Logs may hold ends before their heads; nothing happens before its cause.
        let earliest = head.map_or(now, |(at, _)| at.max(now));
        if let Some((_, status)) = head {
            self.plan(earliest, call, Event::Opened { op, status });
        }
        match end {
            None => {}
            Some((at, End::Closed)) => {
                self.plan(at.max(earliest), call, Event::Closed { op, outcome });
            }
            Some((at, End::Failed(fault))) => {
                self.plan(at.max(earliest), call, Event::Failed { op, fault, outcome });
            }
        }
    }

    fn cancel(&mut self, call: usize, op: Op, now: Time) {
        let Some(aloft) = self.aloft.get_mut(&call) else { return };
        let open = aloft.open.iter_mut().find(|open| open.op == op && !open.is_cancelled);
        let Some(open) = open else { return };
        if let Some((at, outcome)) = self.world.cancel(call, open.request, now) {
            open.is_cancelled = true;
            self.plan(at.max(now), call, Event::Cancelled { op, outcome });
        }
    }

    fn plan(&mut self, at: Time, call: usize, event: Event) {
        self.planned += 1;
        let moment = Moment { at, kind: kind_of(&event), planned: self.planned };
        self.agenda.insert(moment, (call, event));
    }
}

impl Aloft {
    /// Whether a planned event still happens: what was cancelled does not end by itself.
    fn lets_happen(&mut self, event: &Event) -> bool {
        match event {
            Event::Opened { op, .. } => self.open.iter().any(|open| open.op == *op),
            Event::Closed { op, .. } | Event::Failed { op, .. } => {
                self.end(|open| open.op == *op && !open.is_cancelled)
            }
            Event::Cancelled { op, .. } => self.end(|open| open.op == *op),
            Event::Arrived
            | Event::Shaped { .. }
            | Event::Ranked { .. }
            | Event::Trimmed { .. }
            | Event::Woke { .. }
            | Event::HungUp => true,
        }
    }

    fn end(&mut self, is_it: impl Fn(&Open) -> bool) -> bool {
        let at = self.open.iter().position(is_it);
        at.map(|at| self.open.swap_remove(at)).is_some()
    }
}

fn kind_of(event: &Event) -> Kind {
    match event {
        Event::Arrived | Event::Shaped { .. } | Event::Ranked { .. } | Event::Trimmed { .. } => {
            Kind::Arrival
        }
        Event::Opened { .. } => Kind::Head,
        Event::HungUp => Kind::HangUp,
        Event::Closed { .. } | Event::Failed { .. } | Event::Cancelled { .. } => Kind::End,
        Event::Woke { .. } => Kind::Timer,
    }
}
