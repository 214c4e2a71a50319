//! What is kept of a call: everything that a policy saw or decided, and everything that happened.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::money::Usd;
use crate::policy;
use crate::policy::prompt_cache::Placement;
use crate::policy::shaping::Shaped;
use crate::policy::token_budget::Budgeted;
use crate::price::{Catalog, Charge, Terms};
use crate::time::{Span, Time};
use crate::usage::{Metering, Usage, UsageState};

/// The version of [`Record`]'s shape. A store writes it beside every record.
pub const RECORD_VERSION: u16 = 2;

/// Everything kept of one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What was asked.
    pub call: Arc<Call>,
    /// What the prompt-cache policy decided; `None` if no rule's scope covered the call.
    pub placement: Option<Placement>,
    /// What became of its text; `None` if no shaping rule's scope covered the call.
    #[serde(default)]
    pub shaped: Option<Box<Shaped>>,
    /// What a token budget decided; `None` if the call was within it.
    #[serde(default)]
    pub budgeted: Option<Box<Budgeted>>,
    /// Every request that was sent to a provider for it, in the order of sending.
    pub attempts: Vec<Attempt>,
    /// How it ended.
    pub ending: Ending,
    /// What it used, all attempts together.
    pub metering: Metering,
    /// What it cost, all attempts together, at the prices of its day; `None`: unpriced or unknown.
    pub cost: Option<Usd>,
    /// What the same tokens would have cost without any prompt caching. The measure against which
    /// savings are proved, since no cache policy changes it.
    pub cost_uncached: Option<Usd>,
    /// When things happened.
    pub timing: Timing,
}

/// One request to a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Configured name of the provider.
    pub provider: Arc<str>,
    /// The model that the provider says answered; the one asked for if it never said.
    pub model: Arc<str>,
    /// When it was sent, from the call's arrival.
    pub sent: Span,
    /// When it was over, from the call's arrival.
    pub ended: Span,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong, if something did.
    pub fault: Option<Fault>,
    /// What it used.
    pub metering: Metering,
    /// Tier, speed and region that the answer named.
    pub terms: Terms,
    /// What it cost.
    pub cost: Option<Usd>,
    /// The provider and model of the price row it was charged at, or [`crate::price::REPORTED`].
    pub priced_as: Option<Arc<str>>,
}

/// When things happened, from the call's arrival. `None`: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// The answer's head came from the provider.
    pub head: Option<Span>,
    /// The first piece of content came.
    pub first_content: Option<Span>,
    /// The last piece of content came.
    pub last_content: Option<Span>,
    /// The client hung up. A replay needs the moment itself: cancelling takes its own time after it.
    #[serde(default)]
    pub hung_up: Option<Span>,
    /// The call was over. Known of every call that went through the gateway; some logs lack it.
    pub ended: Option<Span>,
    /// Time spent in the gateway rather than waiting for the provider or the client.
    pub overhead: Option<Span>,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The provider's answer, whatever its status, reached the client whole.
    Answered {
        /// The provider's status.
        status: u16,
        /// Why the model stopped, in the provider's word.
        finish: Option<Arc<str>>,
    },
    /// The stream ended without its terminal event. The client may not have noticed.
    Truncated {
        /// The provider's status.
        status: u16,
    },
    /// No provider could be made to answer, or the answer broke off.
    Failed {
        /// What went wrong.
        fault: Fault,
    },
    /// The client hung up before the end.
    Abandoned,
    /// It was never sent: the gateway refused it.
    Refused(Refusal),
}

/// What can go wrong with a provider. Records name a fault by its place: new ones come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No connection: refused, unreachable, or its name is not known.
    Connect,
    /// The connection was not made in time.
    ConnectTimeout,
    /// TLS failed: certificate or protocol.
    Tls,
    /// Nothing of the answer came in time.
    FirstByteTimeout,
    /// The answer stalled for too long between two pieces.
    IdleTimeout,
    /// The connection broke before the answer's head.
    Reset,
    /// The connection broke inside the answer's body.
    BrokenBody,
    /// What came was no HTTP, or larger than is allowed.
    Protocol,
    /// The provider answered with a redirect, which is never followed.
    Redirect,
    /// Cancelled by us: the client hung up, or another attempt won.
    Cancelled,
    /// What the client was still sending grew larger than is allowed, and was cut off.
    TooLarge,
    /// The proxy on the way cannot be reached, or makes no tunnel.
    Proxy,
}

impl Fault {
    /// Whether no provider can have run the request: none was reached, or it was cut off and so never
    /// whole.
    pub fn was_never_sent(self) -> bool {
        matches!(
            self,
            Fault::Connect | Fault::ConnectTimeout | Fault::Tls | Fault::TooLarge | Fault::Proxy
        )
    }
}

/// Why the gateway did not send a call on. The fault is the caller's unless said otherwise. Records
/// name a refusal by its place: new ones come last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The body is not what its dialect asks for.
    Malformed {
        /// What is wrong and where, for a person.
        why: Arc<str>,
    },
    /// The body is larger than the configured limit.
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The body did not arrive in time.
    BodyTimeout,
    /// No provider is configured for this model or path.
    NoRoute {
        /// What was asked for.
        what: Arc<str>,
    },
    /// No key: neither in the call nor in the configuration.
    NoKey,
    /// The gateway is stopping. Its own fault.
    Stopping,
    /// The gateway is at its limit of concurrent calls. Its own fault.
    Overloaded,
    /// The gateway takes virtual keys, and the call came with none.
    NoVirtualKey,
    /// The call came with a virtual key that was never made here.
    UnknownKey,
    /// The call came with a virtual key that was revoked.
    KeyRevoked {
        /// The key's id.
        key: Arc<str>,
    },
    /// The call came with a virtual key that is too old.
    KeyExpired {
        /// The key's id.
        key: Arc<str>,
        /// When it expired.
        at: Time,
    },
    /// The call's virtual key may not call this model.
    ModelNotAllowed {
        /// The key's id.
        key: Arc<str>,
        /// The model, as its provider names it; empty if the call does not say.
        model: Arc<str>,
    },
    /// The configured key of a provider is not sent to this path.
    RouteNotAllowed {
        /// The provider.
        provider: Arc<str>,
        /// The method and path.
        route: Arc<str>,
    },
    /// The call was to become a WebSocket, which is not carried.
    NoWebSocket {
        /// The provider.
        provider: Arc<str>,
    },
    /// A page of another site made its reader's browser send the call, and the configured key of a
    /// provider would have paid for it.
    ForeignPage,
    /// The prompt has more tokens than its token budget allows, by estimate.
    InputTooLong {
        /// The tokens of the prompt.
        tokens: u64,
        /// The tokens of what has to stay of it under the budget's strategy.
        needed: u64,
        /// The most that are allowed.
        limit: u64,
    },
}

/// A record and what a replay needs beside it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The record.
    pub record: Record,
    /// The prompt as a path, where it is known. Gateway records have none here: theirs follows from
    /// the blocks of the call.
    pub trail: Option<Trail>,
}

/// A prompt as a path of symbols: two prompts of the same scope share a prefix as long as their
/// symbols are equal. Logs that hold block ids or chains of messages give these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trail {
    /// Symbols of different scopes never mean the same (a session whose ids are local to it).
    pub scope: u64,
    /// The path.
    pub symbols: Arc<[u64]>,
    /// Where each block of `record.call.prompt` ends. Same length as the prompt.
    pub ends: Vec<TrailEnd>,
    /// Whether `ends` are the provider's own content blocks, so that look-back can be modelled.
    pub blocks_known: bool,
}

/// The end of a block on a trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrailEnd {
    /// How many symbols up to here.
    pub symbols: u32,
    /// How many tokens up to here.
    pub tokens: u64,
}

impl Record {
    /// The record of a call that was refused before it had a flight.
    pub fn refused(call: Arc<Call>, refusal: Refusal, now: Time) -> Record {
        let took = now.since(call.arrived);
        Record {
            call,
            placement: None,
            shaped: None,
            budgeted: None,
            attempts: Vec::new(),
            ending: Ending::Refused(refusal),
            metering: Metering::measured(Usage::ZERO),
            cost: Some(Usd::ZERO),
            cost_uncached: Some(Usd::ZERO),
            timing: Timing { ended: Some(took), overhead: Some(took), ..Timing::default() },
        }
    }

    /// Charges attempts that have no cost yet, for records read from logs. Costs already fixed at the
    /// prices of their day are left as they are.
    pub fn charge(&mut self, prices: &Catalog) {
        let arrived = self.call.arrived;
        let uncached = self.attempts.iter_mut().map(|attempt| {
            if attempt.cost.is_none() && attempt.metering.state == UsageState::Unknown {
                return None;
            }
            let row = prices.find(&attempt.provider, &attempt.model, arrived).map(|row| &**row);
            let charge = Charge::of(&attempt.metering.usage, attempt.terms, row, attempt.cost);
            if attempt.cost.is_none() {
                (attempt.cost, attempt.priced_as) = (charge.cost, charge.priced_as);
            }
            charge.cost_uncached
        });
        let cost_uncached = uncached.sum();
        self.cost_uncached = self.cost_uncached.or(cost_uncached);
        self.cost = self.attempts.iter().map(|attempt| attempt.cost).sum();
    }

    /// The call as its provider saw it.
    pub fn sent_call(&self) -> Cow<'_, Call> {
        match policy::as_sent(&self.call, self.shaped.as_deref(), self.budgeted.as_deref()) {
            Some(sent) => Cow::Owned(sent),
            None => Cow::Borrowed(&self.call),
        }
    }

    /// Whether the caller got what it asked for.
    pub fn is_success(&self) -> bool {
        matches!(self.ending, Ending::Answered { status: 200..=299, .. })
    }

    /// Whether its tokens belong into a sum.
    pub fn is_metered(&self) -> bool {
        self.metering.state != UsageState::Unknown
    }
}
