//! How much of their input calls sent again, and how much of that no cache was read for.

use scrimp_core::Usage;
use serde::Serialize;

use super::Trace;

/// Input tokens of the calls whose prompt and usage are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SentAgain {
    /// All of it.
    pub input: u64,
    /// The beginnings of prompts that an earlier call had sent to the same model with the same key.
    /// Measured as a whole, split within a prompt by estimate.
    pub again: u64,
    /// What of these was not read from the provider's cache.
    pub again_uncached: u64,
}

impl SentAgain {
    /// Counts the calls of a trace, in the order of their arrival.
    pub fn of(trace: &Trace) -> SentAgain {
        let mut was_sent = vec![false; trace.nodes.len()];
        let mut sums = SentAgain::default();
        for traced in &trace.calls {
            let Usage { cache_read, .. } = traced.metering.usage;
            sums.input += traced.metering.usage.input();
            let Some(last) = trace.prompts.end(traced.prompt) else { continue };
            let known = trace.nodes.up_from(last).find(|node| was_sent[node.0 as usize]);
            let again = known.map_or(0, |node| trace.nodes.tokens(node, traced.input()));
            sums.again += again;
            sums.again_uncached += again.saturating_sub(cache_read);
            for node in trace.nodes.up_from(last) {
                was_sent[node.0 as usize] = true;
            }
        }
        sums
    }

    /// The share of all input that was sent again and not read from a cache; `None` without input.
    #[expect(clippy::cast_precision_loss, reason = "a share, for people")]
    pub fn uncached_share(&self) -> Option<f64> {
        (0 < self.input).then(|| self.again_uncached as f64 / self.input as f64)
    }
}

#[cfg(test)]
mod tests {
    use scrimp_core::Metering;

    use super::*;
    use crate::testing::{Sketch, entry};

    fn of(sketches: &[Sketch]) -> SentAgain {
        SentAgain::of(&Trace::from_entries(sketches.iter().map(entry)))
    }

    fn sketch(at_s: i64, prompt: &[(i64, u32)]) -> Sketch {
        Sketch { at_s, prompt: prompt.to_vec(), ..Sketch::default() }
    }

    #[test]
    fn only_what_an_earlier_call_began_with_is_sent_again() {
        let first = sketch(1, &[(1, 600), (2, 400)]);
        let longer = sketch(2, &[(1, 600), (2, 400), (3, 500)]);
        let other_end = sketch(3, &[(1, 600), (4, 100)]);
        let other_beginning = sketch(4, &[(5, 600), (2, 400)]);
        let sums = of(&[first, longer, other_end, other_beginning]);
        let all = 1_000 + 1_500 + 700 + 1_000;
        assert_eq!(sums, SentAgain { input: all, again: 1_600, again_uncached: 1_600 });
        assert_eq!(sums.uncached_share(), Some(1_600.0 / 4_200.0));
    }

    #[test]
    fn what_a_cache_was_read_for_is_no_waste_and_other_models_know_nothing_of_it() {
        let first = sketch(1, &[(1, 1_000)]);
        let other = Sketch { model: "claude-other", ..sketch(2, &[(1, 1_000)]) };
        let usage = Usage { uncached: 300, cache_read: 700, output: 5, ..Usage::ZERO };
        let read = Sketch { metering: Some(Metering::measured(usage)), ..sketch(3, &[(1, 1_000)]) };
        let sums = of(&[first, other, read]);
        assert_eq!(sums, SentAgain { input: 3_000, again: 1_000, again_uncached: 300 });
    }

    #[test]
    fn without_input_there_is_no_share() {
        assert_eq!(of(&[]).uncached_share(), None);
    }
}
