//! Sums and distributions over a group of calls.

use scrimp_core::price::{Class, Line};
use scrimp_core::{
    Attempt, Catalog, Delivery, Ending, Histogram, Record, Span, Time, Usage, UsageState, Usd,
};
use serde::{Serialize, Serializer};

/// A group of calls. Merging two groups is counting them together.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Calls.
    pub calls: u64,
    /// Calls that failed or were refused; hang-ups and truncated streams are not among them.
    pub errors: u64,
    /// Calls whose client hung up.
    pub abandoned: u64,
    /// Streams that ended without their terminal event.
    pub truncated: u64,
    /// Calls with known usage and no price.
    pub unpriced: u64,
    /// Calls whose usage is not known. They are in no token sum and have no cost.
    pub unknown_usage: u64,
    /// Calls whose usage is partly or wholly estimated.
    pub estimated_usage: u64,
    /// Calls that went through a gateway, which sees what was cached; logs may not say.
    pub through_gateway: u64,
    /// Calls whose provider reported usage that cannot be believed; it was left out.
    pub suspect: u64,
    /// Tokens of the metered calls.
    pub usage: Usage,
    /// Cost of the priced calls; `None` if no call has a price.
    pub usd: Option<Usd>,
    /// What the priced calls would have cost without any prompt caching.
    pub usd_uncached: Usd,
    /// Cost by class of token, in the order of a bill.
    by_class: [Usd; 9],
    /// Cost that a log gave as one number, or that other prices made, more than rounding away from
    /// what the present ones make.
    unattributed: Usd,
    /// From arrival to end, of calls that were answered.
    pub latency: Durations,
    /// From arrival to the first content, of streams.
    pub first_token: Durations,
    /// Time for each further output token, of streams.
    pub per_token: Durations,
}

/// Tokens and money of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClassTotal {
    /// The class; `None`: money that cannot be attributed to one.
    pub class: Option<Class>,
    /// Its tokens.
    pub tokens: u64,
    /// Its cost.
    pub usd: Usd,
}

/// Lengths of time with their exact maximum.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    /// The distribution; quantiles are within 1.1 %.
    pub histogram: Histogram,
    longest: Span,
}

/// What is told of a distribution, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many calls it rests on.
    pub calls: u64,
    /// Exact mean.
    pub mean: f64,
    /// Half of the calls took no longer.
    pub p50: f64,
    /// 95 % of the calls took no longer.
    pub p95: f64,
    /// 99 % of the calls took no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Stats {
    /// Counts one record.
    pub(super) fn see(&mut self, record: &Record, prices: &Catalog) {
        self.calls += 1;
        // A log's call has no body.
        self.through_gateway += u64::from(0 < record.call.body_bytes);
        match &record.ending {
            Ending::Answered { .. } if record.is_success() => self.see_timing(record),
            Ending::Truncated { .. } => self.truncated += 1,
            Ending::Abandoned => self.abandoned += 1,
            Ending::Answered { .. } | Ending::Failed { .. } | Ending::Refused(_) => {
                self.errors += 1;
            }
        }
        self.suspect += u64::from(record.metering.suspect);
        match record.metering.state {
            UsageState::Unknown => {
                self.unknown_usage += 1;
                return;
            }
            UsageState::Partial | UsageState::Estimated => self.estimated_usage += 1,
            UsageState::Measured => {}
        }
        self.usage += record.metering.usage;
        let Some(cost) = record.cost else {
            self.unpriced += 1;
            return;
        };
        self.usd = Some(self.known_usd() + cost);
        self.usd_uncached += record.cost_uncached.unwrap_or(cost);
        let mut attributed = Usd::ZERO;
        for attempt in &record.attempts {
            attributed += self.attribute(attempt, record.call.arrived, prices);
        }
        self.unattributed += cost - attributed;
    }

    /// Splits an attempt's cost by class, if the present prices make about the cost that was
    /// charged; returns how much it split.
    fn attribute(&mut self, attempt: &Attempt, at: Time, prices: &Catalog) -> Usd {
        let row = prices.find(&attempt.provider, &attempt.model, at);
        let usage = &attempt.metering.usage;
        let lines = row.map(|row| row.rates(usage.input(), attempt.terms).lines(usage));
        let split = attempt.cost.zip(lines).and_then(|(cost, lines)| split(cost, &lines));
        let Some(split) = split else { return Usd::ZERO };
        for (total, usd) in self.by_class.iter_mut().zip(split) {
            *total += usd;
        }
        split.into_iter().sum()
    }

    fn see_timing(&mut self, record: &Record) {
        let timing = &record.timing;
        if let Some(ended) = timing.ended {
            self.latency.add(ended);
        }
        let Some(first) = timing.first_content else { return };
        if record.call.delivery != Delivery::Stream {
            return;
        }
        self.first_token.add(first);
        let further = record.metering.usage.total_output().checked_sub(1);
        let further = further.and_then(|tokens| i64::try_from(tokens).ok());
        if let (Some(last), Some(1..)) = (timing.last_content, further) {
            let each = (last - first).nanos().max(0) / further.expect("just seen");
            self.per_token.add(Span::from_nanos(each));
        }
    }

    /// Adds another group's calls.
    pub(crate) fn merge(&mut self, other: &Stats) {
        let Stats {
            calls,
            errors,
            abandoned,
            truncated,
            unpriced,
            unknown_usage,
            estimated_usage,
            through_gateway,
            suspect,
            usage,
            usd,
            usd_uncached,
            by_class,
            unattributed,
            latency,
            first_token,
            per_token,
        } = other;
        self.calls += calls;
        self.errors += errors;
        self.abandoned += abandoned;
        self.truncated += truncated;
        self.unpriced += unpriced;
        self.unknown_usage += unknown_usage;
        self.estimated_usage += estimated_usage;
        self.through_gateway += through_gateway;
        self.suspect += suspect;
        self.usage += *usage;
        if let Some(usd) = usd {
            self.usd = Some(self.known_usd() + *usd);
        }
        self.usd_uncached += *usd_uncached;
        for (total, more) in self.by_class.iter_mut().zip(by_class) {
            *total += *more;
        }
        self.unattributed += *unattributed;
        self.latency.merge(latency);
        self.first_token.merge(first_token);
        self.per_token.merge(per_token);
    }

    /// The cost as far as it is known.
    pub fn known_usd(&self) -> Usd {
        self.usd.unwrap_or(Usd::ZERO)
    }

    /// Calls whose usage and price are known: those that `usd` rests on.
    pub fn priced(&self) -> u64 {
        self.calls - self.unpriced - self.unknown_usage
    }

    /// Tokens and money by class: the classes that occur, then what has no class.
    pub fn classes(&self) -> Vec<ClassTotal> {
        let Usage {
            uncached,
            cache_read,
            cache_write_short,
            cache_write_long,
            audio_input,
            image_input,
            output,
            reasoning,
            audio_output,
        } = self.usage;
        let classes = [
            (Class::Uncached, uncached),
            (Class::CacheRead, cache_read),
            (Class::CacheWriteShort, cache_write_short),
            (Class::CacheWriteLong, cache_write_long),
            (Class::AudioInput, audio_input),
            (Class::ImageInput, image_input),
            (Class::Output, output),
            (Class::Reasoning, reasoning),
            (Class::AudioOutput, audio_output),
        ];
        let known = classes
            .into_iter()
            .zip(self.by_class)
            .map(|((class, tokens), usd)| ClassTotal { class: Some(class), tokens, usd });
        let rest = ClassTotal { class: None, tokens: 0, usd: self.unattributed };
        known.chain([rest]).filter(|total| 0 < total.tokens || total.usd != Usd::ZERO).collect()
    }

    /// Cache reads' share of the input; `None` without input, and where only logs tell of the calls
    /// and none of them mentions a cache: that is silence, not nothing.
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn cached_share(&self) -> Option<f64> {
        let input = self.usage.input();
        let Usage { cache_read, cache_write_short, cache_write_long, .. } = self.usage;
        let is_told = 0 < self.through_gateway + cache_read + cache_write_short + cache_write_long;
        (0 < input && is_told).then(|| cache_read as f64 / input as f64)
    }
}

/// `cost` in the proportion of the lines of a bill, without a rest; `None` where the bill is too far
/// from it to have made it.
fn split(cost: Usd, lines: &[Line; 9]) -> Option<[Usd; 9]> {
    let listed: Usd = lines.iter().map(|line| line.usd).sum();
    if cost == listed {
        return Some(lines.map(|line| line.usd));
    }
    if !is_about(cost, listed) {
        return None;
    }
    let (mut billed, mut given) = (Usd::ZERO, Usd::ZERO);
    let mut parts = [Usd::ZERO; 9];
    for (part, line) in parts.iter_mut().zip(lines) {
        // What all lines up to this one get, less what was given: so the last one takes the rest.
        billed += line.usd;
        let up_to_here = cost.pico().checked_mul(billed.pico())? / listed.pico();
        *part = Usd::from_pico(up_to_here) - given;
        given += *part;
    }
    Some(parts)
}

/// Whether a log that says `cost` may mean `listed`: it rounds, or adds up in floats.
fn is_about(cost: Usd, listed: Usd) -> bool {
    let apart = cost.pico().abs_diff(listed.pico());
    let is_rounded = cost.pico() % LOG_STEP == 0 && apart <= LOG_STEP.unsigned_abs() / 2;
    Usd::ZERO < listed && (is_rounded || apart <= listed.pico().unsigned_abs() / 50)
}

/// The steps that logs round to: hundredths of a cent, in pico-dollars.
const LOG_STEP: i128 = 100_000_000;

impl Durations {
    fn add(&mut self, length: Span) {
        self.histogram.add(length);
        self.longest = self.longest.max(length);
    }

    pub(crate) fn merge(&mut self, other: &Durations) {
        self.histogram.merge(&other.histogram);
        self.longest = self.longest.max(other.longest);
    }

    /// How many were counted.
    pub fn calls(&self) -> u64 {
        self.histogram.count()
    }

    /// The length that a share `q` do not exceed, never beyond the longest.
    pub fn quantile(&self, q: f64) -> Option<Span> {
        self.histogram.quantile(q).map(|length| length.min(self.longest))
    }

    /// The 95 % confidence interval of a quantile, by order statistics: no shape is assumed.
    #[expect(clippy::cast_precision_loss, reason = "a rank's standard error")]
    pub fn interval(&self, q: f64) -> Option<(Span, Span)> {
        let error = 1.96 * (q * (1.0 - q) / self.calls() as f64).sqrt();
        self.quantile((q - error).max(0.0)).zip(self.quantile((q + error).min(1.0)))
    }

    /// What is told of it; `None` if nothing was counted.
    pub fn summary(&self) -> Option<Summary> {
        let at = |q| self.quantile(q).map(millis);
        Some(Summary {
            calls: self.calls(),
            mean: millis(self.histogram.mean()?),
            p50: at(0.5)?,
            p95: at(0.95)?,
            p99: at(0.99)?,
            max: millis(self.longest),
        })
    }
}

/// In milliseconds, to the microsecond.
fn millis(span: Span) -> f64 {
    (span.as_millis_f64() * 1e3).round() / 1e3
}

impl Serialize for Durations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.summary().serialize(serializer)
    }
}
