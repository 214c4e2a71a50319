//! Providers' own reports: sums over spans of time, which are no calls.

use serde::de::DeserializeOwned;

use scrimp_core::{Aggregate, Metering, Parts, Span, Usage, Usd};

use super::count::Count;
use super::field::{Moment, Money, Text};
use super::{Reading, Source, rows};

/// One sum of a span of time.
pub(super) struct Line {
    pub(super) of: Parts,
    pub(super) calls: Count,
    pub(super) metering: Metering,
    pub(super) usd: Money,
    /// Dollars, if it is not said.
    pub(super) currency: Text,
}

/// Reads every bucket: from when, until when, and its lines. One without lines says that nothing
/// was used.
pub(super) fn read<T: DeserializeOwned>(
    bytes: &[u8],
    source: &Source<'_>,
    provider: &str,
    bucket: impl Fn(T) -> (Moment, Moment, Vec<Line>),
) -> Reading {
    let mut reading = Reading::default();
    let mut off_midnight = false;
    rows::records(bytes, source, &mut reading, |number, record, reading| {
        let (Moment::At(from), Moment::At(until), lines) = bucket(record) else {
            return reading.skip(number, "its time is no time");
        };
        if until <= from {
            return reading.skip(number, "it ends before it begins");
        }
        let day = Span::from_hours(24);
        off_midnight |= until.since(from) == day && from.floor(day) != from;
        let sum = |of, calls, metering, usd| Aggregate {
            from,
            until,
            provider: provider.into(),
            of,
            calls,
            metering,
            usd,
        };
        if lines.is_empty() {
            let nothing = Metering::measured(Usage::ZERO);
            reading.aggregates.push(sum(Parts::default(), Some(0), nothing, Some(Usd::ZERO)));
        }
        for line in lines {
            let Line { of, calls, mut metering, usd, currency } = line;
            if currency.get().is_some_and(|currency| !currency.eq_ignore_ascii_case("usd")) {
                reading.skip(number, "an amount is not in US dollars");
                continue;
            }
            let calls = match calls {
                Count::Of(calls) => Some(calls),
                Count::Absent | Count::Nonsense => None,
            };
            metering.suspect |= usd == Money::Nonsense;
            reading.aggregates.push(sum(of, calls, metering, usd.get()));
        }
    });
    if off_midnight {
        reading.notes.push(
            "days of the report do not begin at midnight UTC: it was asked for in another time \
             zone, and its days hold parts of two of ours"
                .to_owned(),
        );
    }
    if has_more(bytes) {
        reading.notes.push(
            "the report has more pages than this file: sums are too small until they are read, too"
                .to_owned(),
        );
    }
    reading
}

/// Whether the last page says that another follows.
fn has_more(bytes: &[u8]) -> bool {
    let last = memchr::memmem::rfind(bytes, b"\"has_more\"");
    let rest = last.and_then(|at| bytes.get(at + b"\"has_more\"".len()..)).unwrap_or_default();
    let rest = rest.trim_ascii_start().strip_prefix(b":").unwrap_or_default();
    rest.trim_ascii_start().starts_with(b"true")
}
