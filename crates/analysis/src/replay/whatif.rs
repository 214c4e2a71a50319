//! The same calls under each of several prompt-cache policies, one row each.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_core::policy::prompt_cache::PromptCache;
use scrimp_core::price::{Class, Rates};
use scrimp_core::{Catalog, Memory, Policies, Record, Usage, Usd};
use serde::Serialize;

use super::calendar::{Arrival, drive};
use super::provider::{Priced, PromptCacheWorld, Reading};
use super::trace::{Gaps, ShapedTokens, Trace};
use super::traced::{Common, Traced};
use super::variant::Variant;
use crate::bound;
use crate::report::count;

/// What a sweep found. Its JSON is what scripts rest on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhatIf {
    /// How many calls every row is about.
    pub calls: usize,
    /// How the vendor's rule about mixed lives was read.
    pub reading: Reading,
    /// One row for each policy, in the order asked for.
    pub rows: Vec<Row>,
    /// What shaping saved and would save of the prompts, by estimate; `None`: no rule of it was for
    /// any call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shaping: Option<ShapedTokens>,
    /// What the records lack and what follows from that, for a person.
    pub notes: Vec<String>,
}

/// What the calls would have cost under one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The policy's name.
    pub policy: String,
    /// What the figures rest on.
    pub basis: Basis,
    /// What the input cost; `None`: the records do not say.
    pub input_usd: Option<Usd>,
    /// What input and output cost.
    pub total_usd: Option<Usd>,
    /// Input cost over that of the same calls without any caching.
    pub input_ratio: Option<f64>,
    /// Cache reads' share of the input tokens.
    pub hit_share: Option<f64>,
    /// Whether lives were mixed: only then do the figures rest on the reading.
    #[serde(skip)]
    pub mixes_lives: bool,
}

/// What a figure rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// It happened.
    Measured,
    /// Decisions were made again over recorded facts.
    Replayed,
    /// An outcome was estimated.
    Modelled,
}

/// Sums of one row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) input_usd: Usd,
    pub(crate) total_usd: Usd,
    pub(crate) input: u64,
    pub(crate) cache_read: u64,
    pub(crate) mixes_lives: bool,
}

/// Flies every call of the trace that has a price under `policies`, from an empty memory and cold
/// caches, and returns the records in the order of arrival. Decisions are those that the gateway
/// would make; usage and cost are the model's.
pub fn under(trace: &Trace, policies: &Policies, reading: Reading) -> Vec<Record> {
    let (calls, _) = priced(trace, &policies.prices);
    let mut records: Vec<Option<Record>> = vec![None; calls.len()];
    let mut settled = |call: usize, record| records[call] = Some(record);
    fly(trace, &calls, policies, reading, &mut settled);
    records.into_iter().flatten().collect()
}

/// Replays the trace under each variant.
pub fn whatif(trace: &Trace, variants: &[Variant], catalog: &Catalog, reading: Reading) -> WhatIf {
    let (calls, unpriced) = priced(trace, catalog);
    let prices = Arc::new(catalog.clone());
    let none = sums(calls.iter().map(|call| (call, call.traced.uncached())));
    let rows = variants.iter().map(|variant| {
        let (basis, sums) = match variant {
            Variant::None => (Basis::Replayed, Some(none)),
            Variant::Client => client(trace, &calls, &prices, reading),
            Variant::System(_)
            | Variant::Tail(_)
            | Variant::SystemAndTail
            | Variant::Anchor(_)
            | Variant::Auto => {
                (Basis::Replayed, Some(replayed(trace, &calls, rules(*variant), &prices, reading)))
            }
            Variant::Bound => (Basis::Modelled, Some(lowest(trace, &calls))),
        };
        // Of calls without a price nothing is known; that is not nothing.
        let sums = sums.filter(|_| !calls.is_empty());
        // The bound is on money; it says nothing about which tokens are read.
        let row = Row::new(variant.to_string(), basis, sums, &none);
        Row { hit_share: row.hit_share.filter(|_| *variant != Variant::Bound), ..row }
    });
    let rows = rows.collect();
    let shaping = Some(trace.shaping()).filter(|shaping| 0 < shaping.calls);
    let notes = notes(trace, &unpriced, &calls);
    WhatIf { calls: calls.len(), reading, rows, shaping, notes }
}

/// Replays the trace under rules of one's own, as a row called `policy`.
pub fn with_rules(
    trace: &Trace,
    policy: &str,
    rules: Vec<PromptCache>,
    catalog: &Catalog,
    reading: Reading,
) -> Row {
    let (calls, _) = priced(trace, catalog);
    let prices = Arc::new(catalog.clone());
    let none = sums(calls.iter().map(|call| (call, call.traced.uncached())));
    let known = !calls.is_empty();
    let replayed = known.then(|| replayed(trace, &calls, rules, &prices, reading));
    Row::new(policy.to_owned(), Basis::Replayed, replayed, &none)
}

impl Row {
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    fn new(policy: String, basis: Basis, sums: Option<Sums>, none: &Sums) -> Row {
        let ratio = |part: f64, whole: f64| (0.0 < whole).then(|| part / whole);
        Row {
            policy,
            basis,
            input_usd: sums.map(|sums| sums.input_usd),
            total_usd: sums.map(|sums| sums.total_usd),
            input_ratio: sums
                .and_then(|sums| ratio(sums.input_usd.as_f64(), none.input_usd.as_f64())),
            hit_share: sums.and_then(|sums| ratio(sums.cache_read as f64, sums.input as f64)),
            mixes_lives: sums.is_some_and(|sums| sums.mixes_lives),
        }
    }
}

/// The calls that have prices, and how many calls of which model have none.
pub(crate) fn priced<'a>(
    trace: &'a Trace,
    catalog: &'a Catalog,
) -> (Vec<Priced<'a>>, BTreeMap<Arc<str>, usize>) {
    let mut unpriced = BTreeMap::new();
    let mut calls = Vec::with_capacity(trace.calls.len());
    for traced in &trace.calls {
        let Common { provider, model, answered, .. } = &*traced.common;
        let find = |model: &str| catalog.find(provider, model, traced.arrived);
        let asked = find(model);
        match (asked, find(answered).or(asked)) {
            (asked, Some(answered)) => {
                let asked = asked.unwrap_or(answered);
                calls.push(Priced { traced, asked, answered });
            }
            (_, None) => *unpriced.entry(answered.clone()).or_default() += 1,
        }
    }
    (calls, unpriced)
}

/// Flies every call under one policy; `settled` gets each call's number and record. Returns whether
/// lives were mixed, so that the reading matters.
pub(crate) fn fly(
    trace: &Trace,
    calls: &[Priced<'_>],
    policies: &Policies,
    reading: Reading,
    settled: &mut dyn FnMut(usize, Record),
) -> bool {
    let mut world = PromptCacheWorld::new(trace, calls, reading);
    // Nobody hangs up: an abandoned call used what its record says, under any cache policy.
    let arrivals = calls
        .iter()
        .map(|call| Arrival { call: Arc::new(call.traced.call(&trace.prompts)), hangs_up: None });
    drive(arrivals, policies, &Memory::default(), &mut world, settled);
    world.mixes_lives()
}

fn replayed(
    trace: &Trace,
    calls: &[Priced<'_>],
    prompt_cache: Vec<PromptCache>,
    prices: &Arc<Catalog>,
    reading: Reading,
) -> Sums {
    let policies = Policies {
        prompt_cache,
        shaping: Vec::new(),
        token_budgets: Vec::new(),
        hedge: None,
        prices: prices.clone(),
        is_bypassed: false,
    };
    let mut sums = Sums::default();
    let mut settled = |call: usize, record: Record| sums.add(&calls[call], &record.metering.usage);
    let mixes_lives = fly(trace, calls, &policies, reading, &mut settled);
    Sums { mixes_lives, ..sums }
}

/// What the client's own marks did: as measured where that is known, else replayed where there are
/// marks at all.
fn client(
    trace: &Trace,
    calls: &[Priced<'_>],
    prices: &Arc<Catalog>,
    reading: Reading,
) -> (Basis, Option<Sums>) {
    let has_marks = |call: &Priced<'_>| call.traced.is_marked;
    let is_known = |call: &Priced<'_>| call.traced.is_split_known;
    if calls.iter().any(is_known) {
        let basis = if calls.iter().all(is_known) { Basis::Measured } else { Basis::Modelled };
        (basis, Some(recorded(calls)))
    } else if calls.iter().any(has_marks) {
        (Basis::Replayed, Some(replayed(trace, calls, rules(Variant::Client), prices, reading)))
    } else {
        (Basis::Replayed, None)
    }
}

fn rules(variant: Variant) -> Vec<PromptCache> {
    variant.rule().into_iter().collect()
}

fn recorded(calls: &[Priced<'_>]) -> Sums {
    sums(calls.iter().map(|call| (call, call.traced.metering.usage)))
}

fn lowest(trace: &Trace, calls: &[Priced<'_>]) -> Sums {
    let bound = bound::lowest_input_cost(trace, calls);
    // What was measured may have read what was written before the records began.
    let input_usd = bound.min(recorded(calls).input_usd);
    let output: Usd = calls
        .iter()
        .map(|call| {
            let usage = call.traced.metering.usage;
            let rates = call.answered.rates(usage.input(), call.traced.common.terms);
            rates.cost(&usage) - input_cost(&rates, &usage)
        })
        .sum();
    Sums { input_usd, total_usd: input_usd + output, ..Sums::default() }
}

fn sums<'a>(calls: impl Iterator<Item = (&'a Priced<'a>, Usage)>) -> Sums {
    calls.fold(Sums::default(), |mut sums, (call, usage)| {
        sums.add(call, &usage);
        sums
    })
}

impl Sums {
    pub(crate) fn add(&mut self, call: &Priced<'_>, usage: &Usage) {
        let rates = call.answered.rates(usage.input(), call.traced.common.terms);
        self.input_usd += input_cost(&rates, usage);
        self.total_usd += rates.cost(usage);
        self.input += usage.input();
        self.cache_read += usage.cache_read;
    }
}

fn input_cost(rates: &Rates, usage: &Usage) -> Usd {
    let is_input = |class| !matches!(class, Class::Output | Class::Reasoning | Class::AudioOutput);
    rates.lines(usage).iter().filter(|line| is_input(line.class)).map(|line| line.usd).sum()
}

impl Traced {
    fn uncached(&self) -> Usage {
        self.metering.usage.without_caching()
    }
}

/// What shaping did, which is in every row, and would do, which is in none.
fn shaping_told(tokens: u64, saved: u64, would_save: u64) -> String {
    format!(
        "under a shaping rule: {} of {} prompt tokens saved, {} if all that is observed was on \
         (by the estimate of their texts; rows are of what was sent)",
        count(saved),
        count(tokens),
        count(would_save)
    )
}

fn notes(trace: &Trace, unpriced: &BTreeMap<Arc<str>, usize>, calls: &[Priced<'_>]) -> Vec<String> {
    let Gaps { without_prompt, without_usage, without_blocks, without_input: _ } = trace.gaps();
    let mut notes = Vec::new();
    let mut note = |count: usize, what: &str| {
        if count > 0 {
            notes.push(format!("{count} {} {what}", if count == 1 { "call" } else { "calls" }));
        }
    };
    let ShapedTokens { calls: shaped, tokens, saved, would_save } = trace.shaping();
    note(shaped, &shaping_told(tokens, saved, would_save));
    note(without_prompt, "without a prompt in the records: in no row");
    note(without_usage, "with unknown usage: in no row");
    for (model, count) in unpriced {
        note(*count, &format!("to {model}, which has no price: in no row"));
    }
    note(without_blocks, "with unknown block boundaries: look-back not modelled");
    let count = |is: fn(&Traced) -> bool| calls.iter().filter(|call| is(call.traced)).count();
    let (known, unknown) = (count(|call| call.is_split_known), count(|call| !call.is_split_known));
    if known > 0 {
        note(unknown, "that do not say what they read from a cache: uncached in `client`");
    }
    let is_uncached = |call: &&Priced<'_>| call.asked.cache.is_none();
    note(
        calls.iter().filter(is_uncached).count(),
        "to models without known cache rules: as recorded",
    );
    notes
}
