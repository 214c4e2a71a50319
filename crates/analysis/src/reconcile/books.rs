//! Our side: what the records hold, by quarter of an hour, so that days of any time zone can be
//! summed; and the attempts whose tokens are not known for sure, one by one.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use scrimp_core::price::without_date;
use scrimp_core::{
    Attempt, Digest, Ending, Fault, Metering, Record, Span, Tier, Time, Usage, UsageState, Usd,
    hash,
};

use super::Cause;

/// Every time zone in use is a whole number of these from UTC.
pub(super) const SLOT: Span = Span::from_minutes(15);
/// A request that comes again so soon after the first one broke off is the same request.
const REPEATED_WITHIN: Span = Span::from_minutes(10);
/// A client's clock for giving up may run a little before ours.
const SLACK: Span = Span::from_secs(2);
/// Inputs longer than this stand apart where a report is divided by the length of the context.
pub(super) const LONG_CONTEXT: u64 = 200_000;
/// What an answer without a limit may have grown to.
const MOST_OUTPUT: u64 = 32_000;

/// Calls by what reports divide them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    /// Where the quarter of an hour begins.
    pub(super) at: Time,
    /// Provider and model, by number.
    pub(super) label: u32,
    pub(super) key: Digest,
    pub(super) tier: Tier,
    pub(super) long: bool,
}

/// Who served a call, by the names in the records; the model without its date.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Label {
    pub(super) provider: Arc<str>,
    pub(super) model: Arc<str>,
}

/// What is known for sure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) calls: u64,
    pub(super) usage: Usage,
    pub(super) cost: Usd,
    /// Calls with tokens and without a price.
    pub(super) unpriced: u64,
    /// What their input was estimated at before it was known, and what it was, where both are.
    pub(super) guessed: (u64, u64),
}

/// How far an attempt in doubt came. What a provider bills of it depends on this, and not on why it
/// ended there or whether it was sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Nothing came until waiting was given up.
    Silent,
    /// Nothing had come yet.
    Unanswered,
    /// It broke off before the input was told.
    Begun,
    /// It broke off after the input was told.
    Told,
    /// All of it came, without its tokens.
    Whole,
}

/// An attempt whose tokens are not known for sure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    pub(super) slot: Slot,
    pub(super) cause: Cause,
    /// As far as it was seen, or estimated.
    pub(super) usage: Usage,
    pub(super) cost: Usd,
    pub(super) stage: Stage,
    /// Input of the same request as it was measured when it was sent again.
    pub(super) again: Option<Usage>,
    /// More than so many output tokens it cannot have.
    pub(super) most_output: u64,
    ended: Time,
}

/// A day's calls of one provider, model and key, as a ledger counts them: the model asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayCount {
    /// Midnight UTC at which the day begins.
    pub day: Time,
    /// Configured name of the provider.
    pub provider: Arc<str>,
    /// The model asked for.
    pub model: Arc<str>,
    /// Keyed digest of the caller's credential.
    pub key: Digest,
    /// Calls.
    pub calls: u64,
    /// Tokens of those that were metered.
    pub usage: Usage,
    /// What they cost.
    pub cost: Usd,
}

type DayKey = (Time, Arc<str>, Arc<str>, Digest);

/// What was counted here.
#[derive(Debug, Default)]
pub struct Books {
    labels: Vec<Label>,
    numbers: FxHashMap<Label, u32>,
    slots: FxHashMap<Slot, Sums>,
    doubts: Vec<Doubt>,
    /// Doubts that a repetition may follow, by what was asked.
    asked: FxHashMap<u64, Vec<usize>>,
    days: FxHashMap<DayKey, (u64, Usage, Usd)>,
    first: Option<Time>,
    last: Option<Time>,
    by_day_only: u64,
}

impl Books {
    /// Nothing counted yet.
    pub fn new() -> Books {
        Books::default()
    }

    /// Counts a call. Calls come in the order of their arrival, so that a repetition is seen as one.
    pub fn see(&mut self, record: &Record) {
        let call = &record.call;
        self.first = Some(self.first.map_or(call.arrived, |first| first.min(call.arrived)));
        self.last = self.last.max(Some(call.arrived));
        let day = call.arrived.floor(Span::from_hours(24));
        let key = (day, call.provider.clone(), call.model.clone(), call.caller.key);
        let (calls, usage, cost) = self.days.entry(key).or_default();
        *calls += 1;
        *usage += record.metering.usage;
        *cost += record.cost.unwrap_or_default();
        let asked = asked(record);
        self.answer_repeated(asked, call.arrived);
        for (at, attempt) in record.attempts.iter().enumerate() {
            self.attempt(record, at, attempt, asked);
        }
        self.tell_repeated(asked, record);
    }

    /// Adds what a ledger counted and no record shows any more: details are kept for a while, sums
    /// for ever. They are known by the day only. Give it whole days.
    pub fn fill(&mut self, counted: &[DayCount]) {
        let mut in_ledger: FxHashMap<(Time, &str, &str), u64> = FxHashMap::default();
        for DayCount { day, provider, model, calls, .. } in counted {
            *in_ledger.entry((*day, provider, model)).or_default() += calls;
        }
        let mut in_records: FxHashMap<(Time, Arc<str>, Arc<str>), u64> = FxHashMap::default();
        for ((day, provider, model, _), (calls, ..)) in &self.days {
            let place = (*day, provider.clone(), model.clone());
            *in_records.entry(place).or_default() += calls;
        }
        for count in counted {
            let DayCount { day, provider, model, .. } = count;
            let seen = in_records.get(&(*day, provider.clone(), model.clone()));
            // A ledger folds keys beyond its limit: only sums over all keys can be compared.
            if seen.copied().unwrap_or_default() < in_ledger[&(*day, &**provider, &**model)] {
                self.fill_one(count);
            }
        }
    }

    fn fill_one(&mut self, counted: &DayCount) {
        let DayCount { day, provider, model, key, calls, usage, cost } = counted;
        let known = (*day, provider.clone(), model.clone(), *key);
        let (seen, seen_usage, seen_cost) = self.days.get(&known).copied().unwrap_or_default();
        if *calls <= seen {
            return;
        }
        self.days.insert(known, (*calls, *usage, *cost));
        let noon = *day + Span::from_hours(12);
        let label = self.label(provider, model);
        let slot = Slot { at: noon, label, key: *key, tier: Tier::Standard, long: false };
        let sums = self.slots.entry(slot).or_default();
        sums.calls += calls - seen;
        sums.usage += usage.beyond(&seen_usage);
        sums.cost += *cost - seen_cost;
        self.by_day_only += calls - seen;
        self.first = Some(self.first.map_or(*day, |first| first.min(*day)));
        self.last = self.last.max(Some(noon));
    }

    /// When the first and the last call arrived.
    pub fn period(&self) -> Option<(Time, Time)> {
        self.first.zip(self.last)
    }

    /// Calls of which only the day is known.
    pub fn by_day_only(&self) -> u64 {
        self.by_day_only
    }

    /// The names of providers in the records, in order.
    pub fn providers(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.labels.iter().map(|label| label.provider.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    pub(super) fn label_of(&self, slot: &Slot) -> &Label {
        &self.labels[slot.label as usize]
    }

    /// What is known for sure of a provider's calls, in no order.
    pub(super) fn certain<'b>(
        &'b self,
        provider: &'b str,
    ) -> impl Iterator<Item = (&'b Slot, &'b Sums)> {
        self.slots.iter().filter(move |(slot, _)| *self.label_of(slot).provider == *provider)
    }

    /// What is not, in the order of arrival.
    pub(super) fn doubts<'b>(&'b self, provider: &'b str) -> impl Iterator<Item = &'b Doubt> {
        let of = move |doubt: &&Doubt| *self.label_of(&doubt.slot).provider == *provider;
        self.doubts.iter().filter(of)
    }

    fn answer_repeated(&mut self, asked: u64, now: Time) {
        for at in self.asked.get(&asked).into_iter().flatten() {
            let doubt = &mut self.doubts[*at];
            if doubt.ended <= now + SLACK && now <= doubt.ended + REPEATED_WITHIN {
                doubt.cause = Cause::Retried;
            }
        }
    }

    /// The same request has the same input, however it ended before.
    fn tell_repeated(&mut self, asked: u64, record: &Record) {
        let mut told = record.attempts.iter().rev().map(|attempt| &attempt.metering);
        let is_told = |metering: &&Metering| {
            metering.state == UsageState::Measured && 0 < metering.usage.input()
        };
        let Some(metering) = told.find(is_told) else { return };
        for at in self.asked.remove(&asked).into_iter().flatten() {
            self.doubts[at].again = Some(input(metering.usage));
        }
    }

    fn attempt(&mut self, record: &Record, at: usize, attempt: &Attempt, asked: u64) {
        let Attempt { provider, model, metering, terms, cost, .. } = attempt;
        let label = self.label(provider, model);
        let usage = metering.usage;
        let slot = Slot {
            at: record.call.arrived.floor(SLOT),
            label,
            key: record.call.caller.key,
            tier: terms.tier,
            long: LONG_CONTEXT < usage.input(),
        };
        let is_refused = attempt.status.is_some_and(|status| 400 <= status);
        let is_known = metering.state == UsageState::Measured;
        if is_known || is_refused {
            // Providers do not bill their errors.
            if is_known && usage != Usage::ZERO {
                let sums = self.slots.entry(slot).or_default();
                sums.calls += 1;
                sums.usage += usage;
                sums.cost += cost.unwrap_or_default();
                sums.unpriced += u64::from(cost.is_none());
                let guess = record.call.estimated_tokens();
                if 0 < guess {
                    sums.guessed = (sums.guessed.0 + guess, sums.guessed.1 + usage.input());
                }
            }
            return;
        }
        self.asked.entry(asked).or_default().push(self.doubts.len());
        self.doubts.push(Doubt {
            slot,
            cause: cause(record, at, attempt),
            usage,
            cost: cost.unwrap_or_default(),
            stage: stage(attempt),
            again: None,
            most_output: record.call.parameters.max_output_tokens.unwrap_or(MOST_OUTPUT),
            ended: record.call.arrived + attempt.ended,
        });
    }

    fn label(&mut self, provider: &Arc<str>, model: &Arc<str>) -> u32 {
        let label = Label { provider: provider.clone(), model: bare(model) };
        if let Some(number) = self.numbers.get(&label) {
            return *number;
        }
        let number = u32::try_from(self.labels.len()).expect("fewer models than that");
        self.labels.push(label.clone());
        self.numbers.insert(label, number);
        number
    }
}

/// Why the tokens of an attempt are not known.
fn cause(record: &Record, at: usize, attempt: &Attempt) -> Cause {
    let is_last = at + 1 == record.attempts.len();
    match (attempt.fault, &record.ending) {
        _ if !is_last => Cause::Retried,
        (Some(Fault::FirstByteTimeout | Fault::IdleTimeout), _) => Cause::TimedOut,
        (Some(Fault::Cancelled), _) | (_, Ending::Abandoned) => Cause::Aborted,
        (None, Ending::Answered { .. }) => Cause::Untold,
        _ => Cause::Broken,
    }
}

fn stage(attempt: &Attempt) -> Stage {
    let is_timeout = matches!(attempt.fault, Some(Fault::FirstByteTimeout | Fault::IdleTimeout));
    match (attempt.status, attempt.metering.state) {
        (None, _) if is_timeout => Stage::Silent,
        (None, _) => Stage::Unanswered,
        (_, UsageState::Partial) => Stage::Told,
        _ if attempt.fault.is_none() => Stage::Whole,
        _ => Stage::Begun,
    }
}

fn input(usage: Usage) -> Usage {
    Usage { output: 0, reasoning: 0, audio_output: 0, ..usage }
}

/// What makes two calls the same request: who asked which model what.
fn asked(record: &Record) -> u64 {
    let call = &record.call;
    let who = hash::chain(hash::text(&call.model), call.caller.key.word());
    let how = hash::chain(who, call.parameters.digest.word());
    call.prompt.iter().fold(how, |state, block| hash::chain(state, block.digest.word()))
}

/// A model's name without the date of its snapshot: reports name snapshots, calls often do not.
pub(super) fn bare(model: &Arc<str>) -> Arc<str> {
    without_date(model).map_or_else(|| model.clone(), Into::into)
}
