//! Both sides of a day, model, tier and account beside each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use scrimp_core::price::{Rates, Terms};
use scrimp_core::{Catalog, Digest, Span, Tier, Time, Usage, Usd};

use super::books::{Books, Doubt, LONG_CONTEXT, Slot, Stage, Sums, bare};
use super::claims::{self, Claim};
use super::report::{Account, Side, Used, day_at, tier};
use super::{Cause, Question, accounts};

/// What both sides are divided by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) day: usize,
    /// Without its date.
    pub(super) model: Arc<str>,
    pub(super) tier: Tier,
    pub(super) long: bool,
    pub(super) account: Account,
}

/// What the report has.
#[derive(Clone, Debug, Default)]
pub(super) struct Reported {
    pub(super) usage: Usage,
    pub(super) calls: Option<u64>,
    /// The model as the report names it, for its price.
    pub(super) model: Option<Arc<str>>,
}

/// Attempts of one cause whose tokens are not known for sure.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubted {
    pub(super) calls: u64,
    pub(super) usage: Usage,
    pub(super) cost: Usd,
    /// Input that is only an estimate.
    pub(super) guessed_input: u64,
    /// Of it, what nothing better is known of.
    pub(super) only_guessed: u64,
    /// What the rest is, and how much of it came from a cache: known.
    pub(super) known: Usage,
    /// What the rest is; how much of it came from a cache is not known.
    pub(super) known_input: u64,
    /// Output that it may have beyond what was seen.
    pub(super) more_output: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) reported: Option<Reported>,
    pub(super) certain: Sums,
    /// By cause, and by how far they came.
    pub(super) doubts: BTreeMap<(Cause, Stage), Doubted>,
}

/// One provider's two sides, ready to be compared.
pub(super) struct Study<'a> {
    pub(super) side: &'a Side,
    pub(super) books: &'a Books,
    pub(super) prices: &'a Catalog,
    /// The provider's name in the records.
    pub(super) called: &'a str,
    pub(super) offset: Span,
    accounts: FxHashMap<Digest, Account>,
    /// Whether both sides are divided by accounts.
    pub(super) by_account: bool,
    /// What each line of the bill is for.
    pub(super) claims: Vec<Claim>,
    /// What inputs turn out to be, by what they were estimated at, of each model.
    guesses: BTreeMap<Arc<str>, (u64, u64)>,
    /// What was measured of each model.
    measured: BTreeMap<Arc<str>, Usage>,
    /// Models by the days on which a report tells their tokens, and on any day.
    used: BTreeSet<(Option<usize>, Arc<str>)>,
    /// Models that the bill charges for.
    charged: BTreeSet<Arc<str>>,
}

impl Cell {
    /// What was computed here.
    pub(super) fn computed(&self) -> Usd {
        self.certain.cost + self.doubts.values().map(|doubted| doubted.cost).sum()
    }

    pub(super) fn calls(&self) -> u64 {
        self.certain.calls + self.doubts.values().map(|doubted| doubted.calls).sum::<u64>()
    }

    /// Everything counted or estimated here.
    pub(super) fn usage(&self) -> Usage {
        let mut usage = self.certain.usage;
        for doubted in self.doubts.values() {
            usage += doubted.usage;
        }
        usage
    }
}

impl<'a> Study<'a> {
    pub(super) fn new(
        side: &'a Side,
        offset: Span,
        books: &'a Books,
        question: Question<'a>,
    ) -> Study<'a> {
        let Question { prices, called } = question;
        let called = called.unwrap_or(&side.provider);
        let accounts = match side.divided.accounts {
            true => accounts::assign(side, books, called, offset),
            false => None,
        };
        let by_account = accounts.is_some();
        let accounts = accounts.unwrap_or_default();
        let model = |used: &Used| bare(&used.model);
        let days = side.used.iter().map(|used| (Some(used.day), model(used)));
        let used: BTreeSet<_> = days.chain(side.used.iter().map(|u| (None, model(u)))).collect();
        let is_model = |name: &str| {
            let at = side.days.first().map_or(Time::EPOCH, |day| day.from);
            prices.find(&side.provider, name, at).is_some() || used.contains(&(None, name.into()))
        };
        let claims: Vec<Claim> =
            side.charged.iter().map(|charged| claims::read(charged, &is_model)).collect();
        let charged = claims.iter().filter_map(Claim::model).cloned().collect();
        let mut measured: BTreeMap<Arc<str>, Usage> = BTreeMap::new();
        let mut guesses: BTreeMap<Arc<str>, (u64, u64)> = BTreeMap::new();
        for (slot, sums) in books.certain(called) {
            let model = &books.label_of(slot).model;
            *measured.entry(model.clone()).or_default() += side.told.fold(&sums.usage);
            let guess = guesses.entry(model.clone()).or_default();
            *guess = (guess.0 + sums.guessed.0, guess.1 + sums.guessed.1);
        }
        Study {
            side,
            books,
            prices,
            called,
            offset,
            accounts,
            by_account,
            claims,
            guesses,
            measured,
            used,
            charged,
        }
    }

    /// What an estimated input may be expected to be.
    pub(super) fn expected(&self, model: &Arc<str>, guess: u64) -> u64 {
        match self.guesses.get(model) {
            Some((guessed, was)) if 0 < *guessed => {
                let expected = u128::from(guess) * u128::from(*was) / u128::from(*guessed);
                u64::try_from(expected).unwrap_or(u64::MAX)
            }
            _ => guess,
        }
    }

    /// What a token of this model's input costs, with as much of it from the cache as usual.
    pub(super) fn usual_input(&self, model: &Arc<str>, rates: &Rates) -> f64 {
        let Some(measured) = self.measured.get(model).filter(|usage| 0 < usage.input()) else {
            return rates.input.as_f64();
        };
        let input = Usage { output: 0, reasoning: 0, audio_output: 0, ..*measured };
        rates.cost(&input).as_f64() / as_f64(input.input())
    }

    /// Whether a report tells the tokens of this model on this day. A model that is only charged for
    /// is in another report of usage, which is not there.
    pub(super) fn is_told(&self, day: usize, model: &Arc<str>) -> bool {
        let is_used = |day| self.used.contains(&(day, model.clone()));
        self.side.days[day].has_tokens && (is_used(None) || !self.charged.contains(model))
    }

    /// Anthropic leaves the priority tier out of its cost report: it is paid by commitment.
    pub(super) fn is_charged_apart(&self, key: &Key) -> bool {
        let has_line = || {
            let mut tiers = self.side.charged.iter().map(|charged| charged.of.tier.as_deref());
            tiers.any(|word| tier(word) == Tier::Priority)
        };
        &*self.side.provider == "anthropic"
            && key.tier == Tier::Priority
            && self.side.days[key.day].has_money
            && !has_line()
    }

    /// Every cell of the days that a report covers.
    pub(super) fn cells(&self) -> BTreeMap<Key, Cell> {
        let mut cells: BTreeMap<Key, Cell> = BTreeMap::new();
        for used in &self.side.used {
            let key = Key {
                day: used.day,
                model: bare(&used.model),
                tier: used.tier,
                long: used.long,
                account: if self.by_account { used.account.clone() } else { Account::default() },
            };
            let reported = cells.entry(key).or_default().reported.get_or_insert_default();
            reported.usage += self.side.told.fold(&used.usage);
            reported.calls = match (reported.calls, used.calls) {
                (Some(known), Some(more)) => Some(known.saturating_add(more)),
                (known, more) => known.or(more),
            };
            reported.model = Some(used.model.clone());
        }
        for (slot, sums) in self.books.certain(self.called) {
            if let Some(key) = self.key(slot) {
                let Sums { calls, usage, cost, unpriced, guessed: _ } = sums;
                let known = &mut cells.entry(key).or_default().certain;
                known.calls += calls;
                known.usage += self.side.told.fold(usage);
                known.cost += *cost;
                known.unpriced += unpriced;
            }
        }
        for doubt in self.books.doubts(self.called) {
            if let Some(key) = self.key(&doubt.slot) {
                let cell = cells.entry(key).or_default();
                self.add(doubt, cell.doubts.entry((doubt.cause, doubt.stage)).or_default());
            }
        }
        cells
    }

    fn add(&self, doubt: &Doubt, doubted: &mut Doubted) {
        let Doubt { usage, cost, stage, again, most_output, .. } = doubt;
        doubted.calls += 1;
        doubted.usage += self.side.told.fold(usage);
        doubted.cost += *cost;
        if *stage != Stage::Told {
            doubted.guessed_input += usage.input();
            match again {
                None => doubted.only_guessed += usage.input(),
                // What the second found in no cache, the first did not find there either.
                Some(again) if again.cache_read == 0 => doubted.known += self.side.told.fold(again),
                Some(again) => doubted.known_input += again.input(),
            }
        }
        doubted.more_output += most_output.saturating_sub(usage.total_output());
    }

    /// Where a call of ours belongs; `None`: on no day that a report covers.
    fn key(&self, slot: &Slot) -> Option<Key> {
        let side = self.side;
        let day = day_at(&side.days, slot.at + self.offset)?;
        let covered = side.days[day].has_tokens || side.days[day].has_money;
        let account = || match self.accounts.get(&slot.key) {
            Some(account) => account.clone(),
            None => Account { project: None, key: Some(unknown(slot.key)) },
        };
        covered.then(|| Key {
            day,
            model: self.books.label_of(slot).model.clone(),
            tier: if side.divided.tier { slot.tier } else { Tier::Standard },
            long: side.divided.long && slot.long,
            account: if self.by_account { account() } else { Account::default() },
        })
    }

    /// What was computed by day, with days that begin `offset` before those of the report.
    pub(super) fn computed(&self, offset: Span) -> Vec<Usd> {
        let mut days = vec![Usd::ZERO; self.side.days.len()];
        let certain = self.books.certain(self.called).map(|(slot, sums)| (slot.at, sums.cost));
        let doubts = self.books.doubts(self.called).map(|doubt| (doubt.slot.at, doubt.cost));
        for (at, cost) in certain.chain(doubts) {
            if let Some(day) = day_at(&self.side.days, at + offset) {
                days[day] += cost;
            }
        }
        days
    }

    /// Calls of all days from the first to the last, whether a report covers them or not.
    pub(super) fn calls(&self) -> u64 {
        let is_in = |slot: &Slot| day_at(&self.side.days, slot.at + self.offset).is_some();
        let certain = self.books.certain(self.called).filter(|(slot, _)| is_in(slot));
        let doubts = self.books.doubts(self.called).filter(|doubt| is_in(&doubt.slot));
        certain.map(|(_, sums)| sums.calls).sum::<u64>() + doubts.count() as u64
    }

    /// The list price of a cell's tokens; `None`: no price is known.
    pub(super) fn rates(&self, key: &Key, reported: Option<&Reported>) -> Option<Rates> {
        let named = reported.and_then(|reported| reported.model.as_ref());
        let model = named.unwrap_or(&key.model);
        let at = self.side.days[key.day].from;
        let find = |provider: &str| self.prices.find(provider, model, at);
        let row = find(&self.side.provider).or_else(|| find(self.called))?;
        let input = if key.long { LONG_CONTEXT + 1 } else { 0 };
        let rates = row.rates(input, Terms { tier: key.tier, ..Terms::default() });
        // Where a list has no price for batches, they are half of the standard one all the same.
        let has_card = row.cards.iter().any(|card| card.tier == key.tier);
        let is_unlisted = key.tier == Tier::Batch && !has_card;
        Some(if is_unlisted { rates.times_permille(500) } else { rates })
    }
}

#[expect(clippy::cast_precision_loss, reason = "an average")]
fn as_f64(tokens: u64) -> f64 {
    tokens as f64
}

/// How a key of ours is shown that is none of the provider's.
fn unknown(key: Digest) -> Arc<str> {
    let digits = key.to_string();
    format!("{} (here)", digits.get(..8).unwrap_or_default()).into()
}
