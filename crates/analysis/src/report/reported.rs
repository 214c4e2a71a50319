//! What providers themselves report, beside what was measured: sums over days, never calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_core::{Aggregate, Parts, Span, Time, Usage, UsageState, Usd};
use serde::Serialize;

use super::format::day;

/// More missing days than this are only counted.
const MOST_DAYS: usize = 31;

/// One provider's reports together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reported {
    /// The provider.
    pub provider: Arc<str>,
    /// The beginning of the first day of the reports, in milliseconds.
    pub from_ms: i64,
    /// The end of the last.
    pub until_ms: i64,
    /// How many calls they count, where they do.
    pub calls: Option<u64>,
    /// Tokens by class; `None`: the reports are of money only.
    pub tokens: Option<Usage>,
    /// What was charged; `None`: the reports are of tokens only.
    pub usd: Option<Usd>,
    /// By model, those with the most tokens first.
    pub models: Vec<ReportedModel>,
    /// Lines with numbers that cannot be, which are in no sum.
    pub suspect_lines: u64,
    /// Lines that stand in several files and count once.
    pub repeated_lines: u64,
    /// Days within the period that no report covers: unknown, not nothing. At most 31.
    pub missing_days: Vec<String>,
}

/// What a provider reports of one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportedModel {
    /// The model; `None`: the report does not say which.
    pub model: Option<Arc<str>>,
    /// Calls.
    pub calls: Option<u64>,
    /// Tokens by class.
    pub tokens: Option<Usage>,
    /// Dollars.
    pub usd: Option<Usd>,
}

/// Sums each provider's reports. A line that stands in several files counts once, as it was when it
/// had grown most: today's line grows until the day is over.
pub fn reported(aggregates: &[Aggregate]) -> Vec<Reported> {
    let mut lines: BTreeMap<Line<'_>, &Aggregate> = BTreeMap::new();
    let mut repeated: BTreeMap<&str, u64> = BTreeMap::new();
    for sum in aggregates {
        let line = (&*sum.provider, sum.from, sum.until, &sum.of, sum.is_of_money());
        match lines.get_mut(&line) {
            None => drop(lines.insert(line, sum)),
            Some(known) => {
                *repeated.entry(&sum.provider).or_default() += 1;
                if (size(known), known.usd) < (size(sum), sum.usd) {
                    *known = sum;
                }
            }
        }
    }
    let mut providers: BTreeMap<&str, Vec<&Aggregate>> = BTreeMap::new();
    for sum in lines.into_values() {
        providers.entry(&sum.provider).or_default().push(sum);
    }
    let of = |(provider, sums): (&str, Vec<&Aggregate>)| {
        let repeated = repeated.get(provider).copied().unwrap_or_default();
        together(provider, &sums, repeated)
    };
    providers.into_iter().map(of).collect()
}

/// What makes two lines the same line.
type Line<'a> = (&'a str, Time, Time, &'a Parts, bool);

fn size(sum: &Aggregate) -> u64 {
    sum.metering.usage.input().saturating_add(sum.metering.usage.total_output())
}

/// Sums that grow by lines, unknown until one line knows.
#[derive(Clone, Copy, Default)]
struct Totals {
    calls: Option<u64>,
    tokens: Option<Usage>,
    usd: Option<Usd>,
}

impl Totals {
    fn add(&mut self, sum: &Aggregate) {
        if let Some(calls) = sum.calls {
            self.calls = Some(self.calls.unwrap_or_default().saturating_add(calls));
        }
        if sum.metering.state != UsageState::Unknown {
            *self.tokens.get_or_insert_default() += sum.metering.usage;
        }
        if let Some(usd) = sum.usd {
            *self.usd.get_or_insert_default() += usd;
        }
    }
}

fn together(provider: &str, sums: &[&Aggregate], repeated_lines: u64) -> Reported {
    let (mut all, mut models) = (Totals::default(), BTreeMap::<_, Totals>::new());
    for sum in sums {
        all.add(sum);
        models.entry(sum.of.model.clone()).or_default().add(sum);
    }
    let of = |(model, Totals { calls, tokens, usd })| ReportedModel { model, calls, tokens, usd };
    let mut models: Vec<ReportedModel> = models.into_iter().map(of).collect();
    let input = |model: &ReportedModel| model.tokens.map(|tokens| tokens.input());
    models.sort_by_key(|model| std::cmp::Reverse((input(model), model.usd)));
    let from = sums.iter().map(|sum| sum.from).min().unwrap_or(Time::EPOCH);
    let until = sums.iter().map(|sum| sum.until).max().unwrap_or(Time::EPOCH);
    Reported {
        provider: provider.into(),
        from_ms: from.millis(),
        until_ms: until.millis(),
        calls: all.calls,
        tokens: all.tokens,
        usd: all.usd,
        models,
        suspect_lines: sums.iter().filter(|sum| sum.metering.suspect).count() as u64,
        repeated_lines,
        missing_days: missing(sums),
    }
}

/// Days between two lines in the order of time that no line covers.
fn missing(sums: &[&Aggregate]) -> Vec<String> {
    let mut spans: Vec<(Time, Time)> = sums.iter().map(|sum| (sum.from, sum.until)).collect();
    spans.sort_unstable();
    let (mut days, mut covered) = (Vec::new(), None);
    for (from, until) in spans {
        let mut gap = covered.unwrap_or(from);
        while gap < from && days.len() < MOST_DAYS {
            days.push(day(gap));
            gap = gap + Span::from_hours(24);
        }
        covered = covered.max(Some(until));
    }
    days
}

impl Reported {
    /// In one line, for a person.
    pub fn sentence(&self) -> String {
        let from = day(Time::from_millis(self.from_ms));
        // The last day, not the moment after it.
        let until = day(Time::from_millis(self.until_ms.saturating_sub(1)));
        let mut parts = Vec::new();
        parts.extend(self.calls.map(|calls| super::plural(calls, "call")));
        parts.extend(self.tokens.map(|tokens| {
            format!(
                "{} tokens in ({} read from cache), {} out",
                super::count(tokens.input()),
                super::count(tokens.cache_read),
                super::count(tokens.total_output())
            )
        }));
        parts.extend(self.usd.map(|usd| format!("${}", super::money(usd))));
        format!("{} {from} to {until}: {}", self.provider, parts.join(", "))
    }

    /// What limits these sums, in sentences.
    pub fn limits(&self) -> Vec<String> {
        let mut limits = Vec::new();
        if !self.missing_days.is_empty() {
            let days = self.missing_days.join(", ");
            limits.push(format!("no report covers {days}: unknown, not nothing"));
        }
        if 0 < self.suspect_lines {
            let lines = super::plural(self.suspect_lines, "line");
            limits.push(format!("{lines} told numbers that cannot be, which are left out"));
        }
        if 0 < self.repeated_lines {
            let lines = super::plural(self.repeated_lines, "line");
            limits.push(format!("{lines} stood in several files and count once"));
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use scrimp_core::Metering;

    use super::*;

    fn sum(day: i64, input: Option<u64>, usd: Option<&str>) -> Aggregate {
        let usage = |uncached| Usage { uncached, ..Usage::ZERO };
        Aggregate {
            from: Time::from_secs(day * 86_400),
            until: Time::from_secs((day + 1) * 86_400),
            provider: "openai".into(),
            of: Parts { model: Some("gpt-4o".into()), ..Parts::default() },
            calls: input.map(|_| 2),
            metering: input.map_or(Metering::UNKNOWN, |input| Metering::measured(usage(input))),
            usd: usd.map(|usd| usd.parse().unwrap()),
        }
    }

    #[test]
    fn tokens_and_money_of_two_reports_stand_beside_each_other() {
        let found = reported(&[sum(0, Some(100), None), sum(0, None, Some("0.5"))]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].sentence(),
            "openai 1970-01-01 to 1970-01-01: 2 calls, 100 tokens in (0 read from cache), 0 out, $0.50"
        );
    }

    #[test]
    fn a_day_that_was_reported_twice_counts_once_as_it_was_last() {
        let found =
            reported(&[sum(0, Some(100), None), sum(0, Some(130), None), sum(0, Some(130), None)]);
        assert_eq!(found[0].tokens.map(|tokens| tokens.uncached), Some(130));
        assert_eq!((found[0].calls, found[0].repeated_lines), (Some(2), 2));
    }

    #[test]
    fn a_missing_day_is_named_and_an_empty_one_is_not_missing() {
        let found =
            reported(&[sum(0, Some(1), None), sum(1, Some(0), None), sum(4, Some(1), None)]);
        assert_eq!(found[0].missing_days, ["1970-01-03", "1970-01-04"]);
        assert_eq!(found[0].limits().len(), 1);
    }
}
