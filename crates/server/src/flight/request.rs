//! One request to a provider: opening, relayed, over. Polled, never spawned, so that dropping it
//! is cancelling it.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::response::Parts;
use scrimp_core::flight::Outcome;
use scrimp_core::{Call, Event, Fault, Metering, Op, Span, Usage, UsageState};
use scrimp_wire::meter::{self, End as Seen, Framing, Meter, UsageChunkFilter};

use super::answer;
use super::outbound::{Opening, Sending};
use crate::clock::Stopwatch;
use crate::config::{Limits, Provider};
use crate::encoding::Decoding;
use crate::gateway::Gateway;
use crate::patience::Patience;
use crate::reply::{End, Reply};
use crate::upstream::{Answer, Opened};

/// A request of one flight.
pub(super) struct Request {
    pub(super) op: Op,
    stage: Stage,
    provider: Arc<Provider>,
    hides_usage: bool,
    watch: Stopwatch,
    silence: Silence,
    /// A request that runs no model.
    is_free: bool,
}

enum Stage {
    Opening(Opening),
    /// The head came; whether it is relayed is not decided yet.
    Headed(Box<Opened>),
    Relaying(Box<Relaying>),
    /// What is to be told of it.
    Ending(Box<Event>),
    Over,
}

struct Relaying {
    answer: Answer,
    meter: Meter,
    decoding: Decoding,
    filter: Option<UsageChunkFilter>,
    framing: Framing,
    status: u16,
    is_free: bool,
    /// The client has not taken what it was given, so nothing is read from the provider.
    is_client_slow: bool,
}

/// How long a provider may say nothing, and a client may take nothing: one that does not has hung up
/// for all that can be known.
struct Silence {
    patience: Patience,
    between_pieces: Duration,
    has_begun: bool,
}

impl Silence {
    fn new(limits: &Limits) -> Silence {
        Silence {
            patience: Patience::new(limits.first_token_timeout, limits.chunk_timeout),
            between_pieces: limits.chunk_timeout,
            has_begun: false,
        }
    }

    fn heard(&mut self) {
        self.patience.give(self.between_pieces);
        self.has_begun = true;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        self.patience.poll(cx).map(|()| match self.has_begun {
            true => Fault::IdleTimeout,
            false => Fault::FirstByteTimeout,
        })
    }
}

impl Request {
    pub(super) fn new(op: Op, sending: Sending, limits: &Limits, watch: Stopwatch) -> Request {
        let Sending { opening, provider, hides_usage, is_free } = sending;
        Request {
            op,
            stage: Stage::Opening(opening),
            provider,
            hides_usage,
            watch,
            silence: Silence::new(limits),
            is_free,
        }
    }

    /// Begins to give the answer to the client. `own` is the time spent in this program so far,
    /// `waited` the time spent for others; `reason` says what policies made of the call.
    pub(super) fn relay(
        &mut self,
        call: &Call,
        reply: &Reply,
        own: Span,
        waited: Span,
        reason: Option<HeaderValue>,
    ) {
        let Stage::Headed(headed) = std::mem::replace(&mut self.stage, Stage::Over) else { return };
        let Opened { mut head, answer } = *headed;
        let status = head.status.as_u16();
        let framing = framing_of(&head);
        let hides = self.hides_usage && framing == Framing::Sse && head.status.is_success();
        let decoding = Decoding::of(&head.headers);
        let mut meter = Meter::new(call.dialect, framing, status);
        for (name, value) in &head.headers {
            meter.see_header(name.as_str(), value.as_bytes());
        }
        if hides {
            head.headers.remove(CONTENT_LENGTH);
        }
        answer::prepare(&mut head.headers, call, own, waited);
        if let Some(reason) = reason {
            head.headers.insert(answer::SCRIMP_REASON, reason);
        }
        reply.answer(head);
        self.stage = Stage::Relaying(Box::new(Relaying {
            answer,
            meter,
            decoding,
            filter: hides.then(UsageChunkFilter::new),
            framing,
            status,
            is_free: self.is_free,
            is_client_slow: false,
        }));
    }

    /// Ends the request. Its connection is closed with it.
    pub(super) fn cancel(&mut self, call: &Call, waited: Span) {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let outcome = match stage {
            // It ended by itself in the same moment, or long ago.
            Stage::Ending(_) | Stage::Over => {
                self.stage = stage;
                return;
            }
            Stage::Opening(_) => unanswered(call, Fault::Cancelled),
            Stage::Headed(headed) => match headed.head.status.is_success() {
                true => unanswered(call, Fault::Cancelled),
                false => Outcome::nothing(),
            },
            Stage::Relaying(relaying) => relaying.outcome(call, Seen::Broken),
        };
        let outcome = Outcome { waited, ..outcome };
        self.stage = Stage::Ending(Box::new(Event::Cancelled { op: self.op, outcome }));
    }

    /// The next thing that happens to it.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        reply: &Reply,
        call: &Call,
        gateway: &Gateway,
        waited: Span,
    ) -> Poll<Event> {
        match &mut self.stage {
            Stage::Over | Stage::Headed(_) => Poll::Pending,
            Stage::Ending(_) => match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Ending(event) => Poll::Ready(*event),
                _ => Poll::Pending,
            },
            Stage::Opening(opening) => {
                let opened = match opening.as_mut().poll(cx) {
                    Poll::Ready(opened) => opened,
                    Poll::Pending => Err(ready!(self.silence.poll(cx))),
                };
                Poll::Ready(self.opened(opened, call, waited))
            }
            Stage::Relaying(relaying) => {
                let ended = match relaying.poll(cx, reply, &mut self.silence, self.watch) {
                    Poll::Ready(ended) => ended,
                    Poll::Pending => {
                        let fault = ready!(self.silence.poll(cx));
                        if relaying.is_client_slow {
                            return Poll::Ready(Event::HungUp);
                        }
                        Err(fault)
                    }
                };
                Poll::Ready(self.relayed(ended, reply, call, gateway, waited))
            }
        }
    }

    fn opened(&mut self, opened: Result<Opened, Fault>, call: &Call, waited: Span) -> Event {
        self.stage = Stage::Over;
        let op = self.op;
        match opened {
            Ok(Opened { head, .. }) if is_redirect(&head) => {
                let outcome = Outcome { waited, ..Outcome::nothing() };
                Event::Failed { op, fault: Fault::Redirect, outcome }
            }
            Ok(opened) => {
                let status = opened.head.status.as_u16();
                self.stage = Stage::Headed(Box::new(opened));
                Event::Opened { op, status }
            }
            Err(fault) => {
                let outcome = Outcome { waited, ..unanswered(call, fault) };
                Event::Failed { op, fault, outcome }
            }
        }
    }

    fn relayed(
        &mut self,
        ended: Result<(), Fault>,
        reply: &Reply,
        call: &Call,
        gateway: &Gateway,
        waited: Span,
    ) -> Event {
        let op = self.op;
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let Stage::Relaying(relaying) = stage else { unreachable!("it was being relayed") };
        match ended {
            Ok(()) => {
                reply.end(End::Clean, None);
                let outcome = Outcome { waited, ..relaying.outcome(call, Seen::Complete) };
                gateway.pool().keep(&self.provider, relaying.answer);
                Event::Closed { op, outcome }
            }
            Err(fault) => {
                let words = answer::last_words(call.dialect, relaying.framing, fault);
                reply.end(End::Broken, words.filter(|_| relaying.meter.is_between_events()));
                let outcome = Outcome { waited, ..relaying.outcome(call, Seen::Broken) };
                Event::Failed { op, fault, outcome }
            }
        }
    }
}

impl Relaying {
    /// Passes pieces on until the answer's end.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        reply: &Reply,
        silence: &mut Silence,
        watch: Stopwatch,
    ) -> Poll<Result<(), Fault>> {
        loop {
            if reply.poll_ready(cx).is_pending() {
                self.is_client_slow = true;
                return Poll::Pending;
            }
            if std::mem::take(&mut self.is_client_slow) {
                // The provider was not listened to meanwhile.
                silence.heard();
            }
            let piece = ready!(self.answer.poll_piece(cx)).transpose()?;
            silence.heard();
            // A client that was told the length leaves with the last byte, and has not hung up then:
            // the end is told together with it.
            let is_over = self.answer.is_over();
            self.pass(piece.unwrap_or_default(), is_over, reply, watch);
            if is_over {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn pass(&mut self, piece: Bytes, is_last: bool, reply: &Reply, watch: Stopwatch) {
        let (now, meter) = (watch.now(), &mut self.meter);
        self.decoding.read(&piece, |plain| meter.see(plain, now));
        let piece = match &mut self.filter {
            None => piece,
            Some(filter) => {
                let passed = filter.pass(&piece);
                match if is_last { filter.finish() } else { Bytes::new() } {
                    held if held.is_empty() => passed,
                    held => [passed, held].concat().into(),
                }
            }
        };
        if !piece.is_empty() {
            reply.push(piece);
        }
    }

    fn outcome(&self, call: &Call, seen: Seen) -> Outcome {
        let mut outcome = self.meter.outcome(seen);
        if self.is_free && outcome.metering.state == UsageState::Unknown {
            outcome.metering = Metering::measured(Usage::ZERO);
        }
        let is_billed = (200..300).contains(&self.status);
        if outcome.metering.state == UsageState::Unknown && is_billed && has_facts(call) {
            let characters = self.meter.characters();
            outcome.metering =
                meter::estimate(outcome.metering, call.estimated_tokens(), characters);
        }
        outcome
    }
}

/// What a request used that was sent and got no answer: the provider may well have read it.
fn unanswered(call: &Call, fault: Fault) -> Outcome {
    let never_sent = fault.was_never_sent();
    let metering = match has_facts(call) && !never_sent {
        true => meter::estimate(Metering::UNKNOWN, call.estimated_tokens(), 0),
        false if never_sent => Metering::measured(Usage::ZERO),
        false => Metering::UNKNOWN,
    };
    Outcome { metering, ..Outcome::nothing() }
}

/// Whether enough is known of a request to estimate what it used.
fn has_facts(call: &Call) -> bool {
    !call.prompt.is_empty()
}

fn is_redirect(head: &Parts) -> bool {
    matches!(head.status.as_u16(), 300..=303 | 305..=308)
}

fn framing_of(head: &Parts) -> Framing {
    let content_type = head.headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    Framing::of(content_type.unwrap_or_default())
}
