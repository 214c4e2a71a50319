//! What a provider was paid against what was counted here: every difference named and sized.
//!
//! The difference of a day and model is split exactly: first by *quantity*, the tokens that the
//! provider reports and that the records do not hold, at list price; then by *price*, what was
//! charged beside what that many tokens cost by list. Each part gets the cause that the records and
//! the report allow, and only that; what no cause accounts for is said to be unexplained and is
//! never spread over others. All parts together are the difference, to the pico-dollar.

mod accounts;
mod books;
mod cell;
mod claims;
mod doubt;
mod fit;
mod halved;
mod money;
mod provider;
mod quantity;
mod report;
mod summary;
mod text;
mod tokens;
mod zone;

#[cfg(test)]
mod mended;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use scrimp_core::{Catalog, Time, Usd};
use serde::Serialize;

pub use books::{Books, DayCount};
pub use report::Report;
pub use summary::{By, Reconciled, Reconciliation, Share};

/// Why what was paid is not what was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The client hung up; the provider bills what it had read and generated.
    Aborted,
    /// Scrimp or the provider gave up waiting; what was generated until then is billed.
    TimedOut,
    /// A request that was sent again: the first one is billed as well.
    Retried,
    /// The answer broke off.
    Broken,
    /// An answer that never said how many tokens it used.
    Untold,
    /// Usage at the provider that never passed here.
    Bypassed,
    /// Usage of the provider's batch interface, which does not pass here.
    Batch,
    /// Calls that passed here and stand in no line of the report.
    Absent,
    /// Days of the period that no report covers.
    MissingDays,
    /// The report's days are not those of UTC.
    TimeZone,
    /// The same factor on all that was charged.
    Discount,
    /// Tokens are equal and dollars differ: another price than the one known here.
    Price,
    /// Credits, refunds and tokens that were not charged.
    Credit,
    /// Amounts that do not follow usage: commitments, reserved capacity, subscriptions.
    Commitment,
    /// What is not billed by the token: searches, code execution, storage.
    Service,
    /// Amounts were rounded.
    Rounding,
    /// Nothing known here accounts for it.
    Unexplained,
}

impl Cause {
    /// Every cause, in the order of a table.
    pub const ALL: [Cause; 17] = [
        Cause::Aborted,
        Cause::TimedOut,
        Cause::Retried,
        Cause::Broken,
        Cause::Untold,
        Cause::Bypassed,
        Cause::Batch,
        Cause::Absent,
        Cause::MissingDays,
        Cause::TimeZone,
        Cause::Discount,
        Cause::Price,
        Cause::Credit,
        Cause::Commitment,
        Cause::Service,
        Cause::Rounding,
        Cause::Unexplained,
    ];

    /// Its name for a person.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Aborted => "aborted",
            Cause::TimedOut => "timed out",
            Cause::Retried => "retried",
            Cause::Broken => "broken off",
            Cause::Untold => "untold",
            Cause::Bypassed => "bypassed",
            Cause::Batch => "batch",
            Cause::Absent => "absent",
            Cause::MissingDays => "missing days",
            Cause::TimeZone => "time zone",
            Cause::Discount => "discount",
            Cause::Price => "price",
            Cause::Credit => "credit",
            Cause::Commitment => "commitment",
            Cause::Service => "service",
            Cause::Rounding => "rounding",
            Cause::Unexplained => "unexplained",
        }
    }

    /// What it means, for a person.
    pub const fn meaning(self) -> &'static str {
        match self {
            Cause::Aborted => "clients hung up; what was generated is billed",
            Cause::TimedOut => "given up waiting for; what was generated is billed",
            Cause::Retried => "sent again; the first attempt is billed too",
            Cause::Broken => "answers that broke off and are billed",
            Cause::Untold => "answers that never told their tokens",
            Cause::Bypassed => "used at the provider, never passed here",
            Cause::Batch => "the provider's batch interface, never passed here",
            Cause::Absent => "passed here, in no line of the report",
            Cause::MissingDays => "days that no report covers",
            Cause::TimeZone => "the report's days are not UTC's",
            Cause::Discount => "one factor on all that was charged",
            Cause::Price => "equal tokens, another price",
            Cause::Credit => "credits, refunds, tokens not charged",
            Cause::Commitment => "amounts that do not follow usage",
            Cause::Service => "not billed by the token",
            Cause::Rounding => "amounts were rounded",
            Cause::Unexplained => "nothing known here accounts for it",
        }
    }
}

/// How sure a cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Several causes were possible, and how they share the amount is estimated from little.
    Low,
    /// Several causes were possible; how they share the amount is estimated from calls like these.
    Medium,
    /// No other cause was possible.
    High,
}

/// A part of the difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Why.
    pub cause: Cause,
    /// The other cause that it may as well be, where nothing in reports and records tells which.
    pub or: Option<Cause>,
    /// How sure that is.
    pub confidence: Confidence,
    /// How much more was paid than computed; negative: less.
    pub usd: Usd,
    /// Input tokens that the provider has beyond ours; negative: fewer.
    pub input_tokens: i64,
    /// Output tokens, likewise.
    pub output_tokens: i64,
    /// How many calls, where that is known.
    pub calls: Option<u64>,
    /// When its day begins.
    pub day: Time,
    /// The model; `None`: the report does not say.
    pub model: Option<Arc<str>>,
    /// The project or workspace, where the report is divided by it.
    pub project: Option<Arc<str>>,
    /// The provider's name of the key, where the report is divided by it.
    pub key: Option<Arc<str>>,
    /// What is to be known of it: a factor, the report's own words.
    pub why: Option<Arc<str>>,
}

impl Line {
    fn new(cause: Cause, confidence: Confidence, usd: Usd, day: Time) -> Line {
        Line {
            cause,
            or: None,
            confidence,
            usd,
            input_tokens: 0,
            output_tokens: 0,
            calls: None,
            day,
            model: None,
            project: None,
            key: None,
            why: None,
        }
    }

    fn of_model(self, model: Option<Arc<str>>) -> Line {
        Line { model, ..self }
    }

    /// Names both causes, for a person, too.
    fn or(self, other: Cause, why: &str) -> Line {
        let why = format!("or {}: {why}", other.name());
        Line { or: Some(other), ..self.because(why) }
    }

    fn because(self, why: impl Into<Arc<str>>) -> Line {
        Line { why: Some(why.into()), ..self }
    }

    fn is_empty(&self) -> bool {
        self.usd == Usd::ZERO && self.input_tokens == 0 && self.output_tokens == 0
    }
}

/// What is asked beside the reports and the books.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What tokens cost by list.
    pub prices: &'a Catalog,
    /// What the records call the provider, if not as the reports do.
    pub called: Option<&'a str>,
}

/// Sets the reports of each provider against the books.
pub fn reconcile(reports: &[Report<'_>], books: &Books, question: Question<'_>) -> Reconciliation {
    let sides = report::sides(reports);
    let offsets = zone::find(&sides, books, question.called);
    let of = |(side, offset)| provider::provider(side, offset, books, question);
    Reconciliation { providers: sides.iter().zip(offsets).map(of).collect() }
}
