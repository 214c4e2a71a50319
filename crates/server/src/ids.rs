//! Names and seeds of calls.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use scrimp_core::{CallId, Time, hash};

/// Draws ids that sort by time. One seed gives one sequence, so a simulated day repeats.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: u64,
    drawn: AtomicU64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Ids {
        Ids { seed, drawn: AtomicU64::new(0) }
    }

    /// An id for a call that arrives now, and the seed of all its "random" choices.
    pub(crate) fn draw(&self, now: Time) -> (CallId, u64) {
        let drawn = self.drawn.fetch_add(1, Relaxed);
        let high = hash::chain(self.seed, drawn);
        let low = hash::mix(high);
        let millis = u128::from(now.millis().unsigned_abs()) << 80;
        let random = u128::from(high & 0xffff) << 64 | u128::from(low);
        (CallId(millis | random), hash::mix(low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_differ_within_it() {
        let ids = Ids::new(1);
        let (early, _) = ids.draw(Time::from_millis(5));
        let (later, one) = ids.draw(Time::from_millis(6));
        let (also, other) = ids.draw(Time::from_millis(6));
        assert!(early < later && early < also);
        assert!(later != also && one != other);
    }
}
