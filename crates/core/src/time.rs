//! Points in time and lengths of time: integer nanoseconds, always passed in, never read.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A point in time: nanoseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time {
    nanos: i64,
}

/// A length of time in nanoseconds. Negative where an end precedes its start.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Span {
    nanos: i64,
}

impl Time {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Time = Time { nanos: 0 };
    /// Later than every call.
    pub const NEVER: Time = Time { nanos: i64::MAX };

    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Time {
        Time { nanos }
    }

    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Time {
        Time { nanos: millis.saturating_mul(1_000_000) }
    }

    /// From seconds since the Unix epoch.
    pub const fn from_secs(seconds: i64) -> Time {
        Time { nanos: seconds.saturating_mul(NANOS_PER_SECOND) }
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn nanos(self) -> i64 {
        self.nanos
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.nanos.div_euclid(1_000_000)
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn secs(self) -> i64 {
        self.nanos.div_euclid(NANOS_PER_SECOND)
    }

    #[must_use]
    /// The start of the bucket of `width` that this time lies in. Buckets are aligned to the epoch.
    pub const fn floor(self, width: Span) -> Time {
        Time { nanos: self.nanos.div_euclid(width.nanos).saturating_mul(width.nanos) }
    }

    /// From `earlier` to here; negative if `earlier` is later.
    pub const fn since(self, earlier: Time) -> Span {
        Span { nanos: self.nanos.saturating_sub(earlier.nanos) }
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span { nanos: 0 };

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Span {
        Span { nanos }
    }

    /// From microseconds.
    pub const fn from_micros(micros: i64) -> Span {
        Span { nanos: micros.saturating_mul(1_000) }
    }

    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Span {
        Span { nanos: millis.saturating_mul(1_000_000) }
    }

    /// From seconds.
    pub const fn from_secs(seconds: i64) -> Span {
        Span { nanos: seconds.saturating_mul(NANOS_PER_SECOND) }
    }

    /// From minutes.
    pub const fn from_minutes(minutes: i64) -> Span {
        Span::from_secs(minutes.saturating_mul(60))
    }

    /// From hours.
    pub const fn from_hours(hours: i64) -> Span {
        Span::from_minutes(hours.saturating_mul(60))
    }

    /// From fractional seconds, as logs carry them. Not finite becomes zero.
    #[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
    pub fn from_secs_f64(seconds: f64) -> Span {
        Span { nanos: (seconds * 1e9).round() as i64 }
    }

    /// In nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.nanos
    }

    /// In milliseconds, for display and charts.
    #[expect(clippy::cast_precision_loss, reason = "shown to people, never summed")]
    pub fn as_millis_f64(self) -> f64 {
        self.nanos as f64 / 1e6
    }

    /// In seconds, for display and statistics.
    #[expect(clippy::cast_precision_loss, reason = "shown to people, never summed")]
    pub fn as_secs_f64(self) -> f64 {
        self.nanos as f64 / 1e9
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time { nanos: self.nanos.saturating_add(span.nanos) }
    }
}

impl Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time { nanos: self.nanos.saturating_sub(span.nanos) }
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span { nanos: self.nanos.saturating_add(other.nanos) }
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Span) {
        *self = *self + other;
    }
}

impl Sub for Span {
    type Output = Span;
    fn sub(self, other: Span) -> Span {
        Span { nanos: self.nanos.saturating_sub(other.nanos) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.nanos.unsigned_abs() {
            0..1_000_000 => write!(f, "{}µs", self.nanos / 1_000),
            1_000_000..1_000_000_000 => write!(f, "{:.1}ms", self.as_millis_f64()),
            _ => write!(f, "{:.1}s", self.as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_aligned_before_the_epoch_too() {
        assert_eq!(Time::from_secs(-1).floor(Span::from_minutes(1)), Time::from_secs(-60));
        assert_eq!(Time::from_secs(61).floor(Span::from_minutes(1)), Time::from_secs(60));
    }

    #[test]
    fn far_ends_saturate_instead_of_wrapping() {
        assert_eq!(Time::NEVER + Span::from_hours(1), Time::NEVER);
        assert_eq!(Span::from_secs_f64(f64::NAN), Span::ZERO);
    }
}
