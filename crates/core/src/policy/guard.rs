//! A guard: a rule that edits prompts stops by itself when its treated calls fail more often than
//! the held-out ones.
//!
//! It watches only failures that an edit can cause: the provider's 4xx other than 401, 403, 404, 408
//! and 429. A stopped rule stays stopped until its configuration changes (a new experiment number).

use rustc_hash::FxHashMap;

use super::Arm;

/// Fewest treated calls before a rule is judged.
const FEWEST_CALLS: u64 = 20;
/// Half-width of the intervals compared, in standard errors (one-sided 0.1 %: a guard looks often).
const STANDARD_ERRORS: f64 = 3.1;

/// Calls and refused calls by experiment and arm.
#[derive(Debug, Default)]
pub struct Guard {
    tallies: FxHashMap<u64, Tally>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    treated: Count,
    held_out: Count,
    stopped: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    calls: u64,
    refused: u64,
}

/// Whether a provider's status says that the request itself was at fault.
pub const fn is_request_refused(status: u16) -> bool {
    matches!(status, 400..=499) && !matches!(status, 401 | 403 | 404 | 408 | 429)
}

impl Guard {
    /// Whether the rule of this experiment has been stopped.
    pub fn is_stopped(&self, experiment: u64) -> bool {
        self.tallies.get(&experiment).is_some_and(|tally| tally.stopped)
    }

    /// Takes the provider's status for one call into account.
    pub fn see(&mut self, experiment: u64, arm: Arm, status: u16) {
        let tally = self.tallies.entry(experiment).or_default();
        let count = match arm {
            Arm::Treated => &mut tally.treated,
            Arm::HeldOut => &mut tally.held_out,
        };
        count.calls += 1;
        count.refused += u64::from(is_request_refused(status));
        tally.stopped |= FEWEST_CALLS <= tally.treated.calls
            && tally.held_out.highest_share() < tally.treated.lowest_share();
    }
}

impl Count {
    /// Wilson score interval for the refused share.
    /// Source: E. B. Wilson, JASA 22 (1927).
    #[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
    fn interval(self) -> (f64, f64) {
        let (n, z2) = (self.calls as f64, STANDARD_ERRORS * STANDARD_ERRORS);
        if self.calls == 0 {
            // Without held-out calls a rule is compared with a provider that refuses one in ten.
            return (0.0, 0.1);
        }
        let share = self.refused as f64 / n;
        let centre = share + z2 / (2.0 * n);
        let width = STANDARD_ERRORS * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
        ((centre - width) / (1.0 + z2 / n), (centre + width) / (1.0 + z2 / n))
    }

    fn lowest_share(self) -> f64 {
        self.interval().0
    }

    fn highest_share(self) -> f64 {
        self.interval().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped_after(treated: &[u16], held_out: &[u16]) -> bool {
        let mut guard = Guard::default();
        for status in held_out {
            guard.see(1, Arm::HeldOut, *status);
        }
        for status in treated {
            guard.see(1, Arm::Treated, *status);
        }
        guard.is_stopped(1)
    }

    #[test]
    fn a_rule_whose_edits_are_refused_stops() {
        assert!(stopped_after(&[400; 20], &[200; 80]));
        assert!(stopped_after(&[400; 20], &[]), "even when nobody is held out");
    }

    #[test]
    fn errors_that_both_arms_share_stop_nothing() {
        assert!(!stopped_after(&[400; 40], &[400; 40]));
        assert!(!stopped_after(&[429; 500], &[200; 500]), "a rate limit is not the edit's fault");
        assert!(!stopped_after(&[400; 19], &[200; 80]), "too few calls to judge");
    }
}
