//! What time it is.
//!
//! A call is dated once, by the wall clock, and measured from there by the monotonic one: a wall
//! clock that jumps then moves a call but never stretches it. All timers are tokio's, so a paused
//! runtime gives virtual time and a simulated day takes seconds.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use scrimp_core::{Span, Time};
use tokio::time::Instant;

/// Where dates come from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The wall clock.
    System,
    /// The runtime's own clock, which may be paused, counted from a fixed date.
    Runtime {
        /// The date at `anchor`.
        start: Time,
        /// When counting began.
        anchor: Instant,
    },
}

/// Measures one call from its arrival on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    pub(crate) arrived: Time,
    started: Instant,
}

impl Clock {
    /// A clock that shows `start` now and goes as the runtime's does. Call it inside the runtime.
    pub fn starting_at(start: Time) -> Clock {
        Clock::Runtime { start, anchor: Instant::now() }
    }

    /// The date.
    pub fn now(&self) -> Time {
        match self {
            Clock::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                Time::EPOCH + span(since.unwrap_or(Duration::ZERO))
            }
            Clock::Runtime { start, anchor } => *start + span(anchor.elapsed()),
        }
    }

    /// Starts to measure a call.
    pub(crate) fn start(&self) -> Stopwatch {
        let arrived = match self {
            Clock::System => self.now(),
            // Where time stands still, calls come in an order all the same, which a replay has to
            // know.
            Clock::Runtime { .. } => apart(self.now()),
        };
        Stopwatch { arrived, started: Instant::now() }
    }
}

impl Stopwatch {
    pub(crate) fn now(&self) -> Time {
        self.arrived + span(self.started.elapsed())
    }

    /// The runtime's instant for a date after the arrival.
    pub(crate) fn instant(&self, at: Time) -> Instant {
        let nanos = u64::try_from(at.since(self.arrived).nanos()).unwrap_or(0);
        self.started + Duration::from_nanos(nanos)
    }
}

/// The same time, a nanosecond later each time that it is asked about on this thread.
fn apart(now: Time) -> Time {
    thread_local! {
        static LAST: Cell<(Time, i64)> = const { Cell::new((Time::EPOCH, 0)) };
    }
    let (last, times) = LAST.get();
    let times = if now == last { times + 1 } else { 0 };
    LAST.set((now, times));
    now + Span::from_nanos(times)
}

/// A length of time as the core counts it.
pub(crate) fn span(length: Duration) -> Span {
    Span::from_nanos(i64::try_from(length.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_paused_runtime_gives_virtual_time() {
        let clock = Clock::starting_at(Time::from_secs(1_000));
        let watch = clock.start();
        tokio::time::advance(Duration::from_hours(24)).await;
        assert_eq!(clock.now(), Time::from_secs(87_400));
        assert_eq!(watch.now(), clock.now());
        assert_eq!(watch.instant(watch.now()), Instant::now());
    }
}
