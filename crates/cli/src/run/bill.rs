//! What a command's calls came to.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use scrimp_analysis::profile::{Calendar, Profiler, Stats};
use scrimp_analysis::replay::{SentAgain, Trace};
use scrimp_analysis::report::plural;
use scrimp_core::{Catalog, Entry, Usd};
use scrimp_store::{Reader, Store};
use serde_json::{Value, json};

use super::environment::MOST_READ;
use crate::commands::now;
use crate::ui;

/// The sums of one run.
#[derive(Debug)]
pub(super) struct Bill {
    stats: Stats,
    again: SentAgain,
    /// Calls that are in no sum, since their details found no room.
    lost: u64,
}

impl Bill {
    /// Of the calls that the store has settled since `began`, which is when it was opened.
    pub(super) fn of(store: &Store, began: scrimp_core::Time, prices: &Arc<Catalog>) -> Bill {
        let (stats, again) = sums(&store.reader(), began, prices);
        let lost = store.health().settled.saturating_sub(stats.calls);
        Bill { stats, again, lost }
    }

    /// One line for a person.
    pub(super) fn line(&self) -> String {
        let Stats { calls, errors, unpriced, unknown_usage, estimated_usage, usd, .. } = self.stats;
        if calls + self.lost == 0 {
            return format!("scrimp: no calls came through; the command may not read {MOST_READ}");
        }
        let word = if estimated_usage == 0 { "measured" } else { "partly estimated" };
        let cost =
            usd.map_or("cost unknown".to_owned(), |usd| format!("{} {word}", ui::dollars(usd)));
        let mut parts = vec![format!("scrimp: {}, {cost}", plural(calls + self.lost, "call"))];
        if let Some(share) = self.again.uncached_share() {
            parts.push(format!("{:.0}% of input sent again uncached", share * 100.0));
        }
        let odd = [
            (errors, "error", "errors"),
            (unpriced, "unpriced", "unpriced"),
            (unknown_usage, "unmetered", "unmetered"),
            (self.lost, "lost from the sums", "lost from the sums"),
        ];
        for (number, one, many) in odd.into_iter().filter(|(number, ..)| 0 < *number) {
            parts.push(format!("{number} {}", if number == 1 { one } else { many }));
        }
        parts.join("; ")
    }

    /// The same for a program. The names stay.
    pub(super) fn json(&self, exit: u8) -> Value {
        let Bill { stats, again, lost } = self;
        let is_metered = stats.calls == 0 || stats.unknown_usage < stats.calls;
        let usd = stats.usd.or((stats.calls == 0).then_some(Usd::ZERO));
        json!({
            "exit": exit,
            "calls": stats.calls + lost,
            "errors": stats.errors,
            "abandoned": stats.abandoned,
            "truncated": stats.truncated,
            "lost_calls": lost,
            "usd": usd,
            "unpriced_calls": stats.unpriced,
            "unknown_usage_calls": stats.unknown_usage,
            "estimated_usage_calls": stats.estimated_usage,
            "tokens": is_metered.then_some(stats.usage),
            "input_tokens": again.input,
            "sent_again_tokens": again.again,
            "sent_again_uncached_tokens": again.again_uncached,
            "sent_again_uncached_share": again.uncached_share(),
        })
    }

    /// Writes them into a file.
    pub(super) fn write(&self, file: &Path, exit: u8) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.json(exit))? + "\n";
        std::fs::write(file, text).with_context(|| file.display().to_string())
    }
}

fn sums(reader: &Reader, began: scrimp_core::Time, prices: &Arc<Catalog>) -> (Stats, SentAgain) {
    let mut profiler = Profiler::new(prices.clone(), Calendar::Real);
    let until = now() + scrimp_core::Span::from_secs(1);
    let entries = reader.scan(began, until).flatten().map(|record| {
        profiler.see(&record);
        Entry { record, trail: None }
    });
    let trace = Trace::from_entries(entries);
    (profiler.profile().totals, SentAgain::of(&trace))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill(set: impl FnOnce(&mut Stats)) -> Bill {
        let mut stats = Stats::default();
        set(&mut stats);
        Bill { stats, again: SentAgain::default(), lost: 0 }
    }

    #[test]
    fn a_line_says_what_is_known_and_what_is_not() {
        let well = bill(|stats| {
            (stats.calls, stats.usd) = (312, Some("1.87".parse().unwrap()));
        });
        let again = SentAgain { input: 100, again: 60, again_uncached: 41 };
        let well = Bill { again, ..well };
        assert_eq!(
            well.line(),
            "scrimp: 312 calls, $1.87 measured; 41% of input sent again uncached"
        );
        let odd = bill(|stats| (stats.calls, stats.errors, stats.unpriced) = (2, 1, 1));
        assert_eq!(
            Bill { lost: 3, ..odd }.line(),
            "scrimp: 5 calls, cost unknown; 1 error; 1 unpriced; 3 lost from the sums"
        );
        assert!(bill(|_| {}).line().contains("no calls came through"));
    }

    #[test]
    fn what_is_not_known_is_null() {
        let json = bill(|stats| (stats.calls, stats.unknown_usage) = (1, 1)).json(0);
        assert!(json["usd"].is_null() && json["tokens"].is_null(), "{json}");
        assert_eq!(bill(|_| {}).json(0)["usd"], "0");
    }
}
