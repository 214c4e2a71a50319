//! A price card while it is being read: any class may still be missing.
//!
//! Published lists leave classes out where a rule says what they cost. [`complete`] applies those
//! rules once, when a list is read, so that the arithmetic knows nothing about them and a snapshot
//! shows every rate that is charged.

use std::collections::BTreeMap;

use scrimp_core::money::Rate;
use scrimp_core::price::{Card, Class, Rates, Tier};

/// Every class, in the order of a bill.
pub(super) const CLASSES: [Class; 9] = [
    Class::Uncached,
    Class::CacheRead,
    Class::CacheWriteShort,
    Class::CacheWriteLong,
    Class::AudioInput,
    Class::ImageInput,
    Class::Output,
    Class::Reasoning,
    Class::AudioOutput,
];

/// The rates that a list publishes, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sparse {
    rates: [Option<Rate>; 9],
}

/// The cards of one model, by tier and by the length that they begin above.
pub(super) type Cards = BTreeMap<(Tier, u64), Sparse>;

/// What a tier's card charges for a class that the list leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The tier's discount is on every class: Anthropic's batches ("all usage", stacks with
    /// caching), `OpenAI`'s batch, flex and priority cards.
    Scaled,
    /// Cached input costs the same in every tier, and the discount is on everything else: Google's
    /// tiers ("50% discount", of audio and images as of text).
    CacheAsStandard,
}

impl Sparse {
    pub(super) fn get(&self, class: Class) -> Option<Rate> {
        self.rates[class as usize]
    }

    pub(super) fn set(&mut self, class: Class, rate: Option<Rate>) {
        self.rates[class as usize] = rate;
    }

    /// As the arithmetic wants it; `None` without a rate for input or output.
    pub(super) fn rates(&self) -> Option<Rates> {
        Some(Rates {
            input: self.get(Class::Uncached)?,
            cache_read: self.get(Class::CacheRead),
            cache_write_short: self.get(Class::CacheWriteShort),
            cache_write_long: self.get(Class::CacheWriteLong),
            audio_input: self.get(Class::AudioInput),
            image_input: self.get(Class::ImageInput),
            output: self.get(Class::Output)?,
            reasoning: self.get(Class::Reasoning),
            audio_output: self.get(Class::AudioOutput),
        })
    }

    /// The card of `rates`.
    pub(super) fn of(rates: &Rates) -> Sparse {
        let Rates {
            input,
            cache_read,
            cache_write_short,
            cache_write_long,
            audio_input,
            image_input,
            output,
            reasoning,
            audio_output,
        } = *rates;
        Sparse {
            rates: [
                Some(input),
                cache_read,
                cache_write_short,
                cache_write_long,
                audio_input,
                image_input,
                Some(output),
                reasoning,
                audio_output,
            ],
        }
    }

    /// Every rate, by class, times `numerator` / `denominator`; `None` if one has no exact value.
    pub(super) fn times_ratio(&self, numerator: Rate, denominator: Rate) -> Option<Sparse> {
        let mut scaled = Sparse::default();
        for class in CLASSES {
            let rate = match self.get(class) {
                Some(rate) => Some(rate.times_ratio(numerator, denominator)?),
                None => None,
            };
            scaled.set(class, rate);
        }
        Some(scaled)
    }
}

/// Adds a batch card at half of everything, for vendors whose batches always cost that.
pub(super) fn add_half_price_batch(cards: &mut Cards) {
    let half = |rate: Rate| rate.times_permille(500);
    let base = cards[&(Tier::Standard, 0)];
    cards.entry((Tier::Batch, 0)).or_insert_with(|| {
        let mut batch = Sparse::default();
        for class in CLASSES {
            batch.set(class, base.get(class).map(half));
        }
        batch
    });
}

/// Fills in what the list left out, by the rules of the vendors, and drops tiers without an input
/// rate. `cards` must have a standard card from 0 on with input and output.
///
/// 1. A long-context card charges a class that it omits in proportion: input classes as its input
///    rose, output classes as its output did.
/// 2. A tier's card charges a class that it omits as `missing` says.
/// 3. A cheaper tier has the long-context steps of the standard tier, cheaper by as much as it is
///    below them. A dearer one (priority, ultrafast) is not sold above them where it has no card,
///    and costs what standard costs there.
/// 4. A class that costs what it is a part of is left out.
pub(super) fn complete(cards: &mut Cards, missing: Missing) -> Vec<Card> {
    let base = cards[&(Tier::Standard, 0)];
    let steps: Vec<u64> = standard(cards).map(|(above, _)| above).filter(|a| 0 < *a).collect();
    for above in &steps {
        let step = cards.get_mut(&(Tier::Standard, *above)).expect("just listed");
        fill_in_proportion(step, &base);
    }
    for tier in [Tier::Batch, Tier::Flex, Tier::Priority, Tier::Ultrafast] {
        complete_tier(cards, tier, &steps, missing);
    }
    cards
        .iter()
        .filter_map(|((tier, above), card)| {
            let rates = without_repeats(card).rates()?;
            Some(Card { tier: *tier, above: *above, rates })
        })
        .collect()
}

fn standard(cards: &Cards) -> impl Iterator<Item = (u64, &Sparse)> {
    cards.range((Tier::Standard, 0)..(Tier::Batch, 0)).map(|((_, above), card)| (*above, card))
}

fn complete_tier(cards: &mut Cards, tier: Tier, steps: &[u64], missing: Missing) {
    let has_input = |cards: &Cards, above| {
        cards.get(&(tier, above)).is_some_and(|card| card.get(Class::Uncached).is_some())
    };
    if !has_input(cards, 0) {
        cards.retain(|(of, _), _| *of != tier);
        return;
    }
    let base = cards[&(Tier::Standard, 0)];
    let mut tier_base = cards[&(tier, 0)];
    if (tier, missing, tier_base.get(Class::Output)) == (Tier::Batch, Missing::Scaled, None) {
        let half = base.get(Class::Output).map(|rate| rate.times_permille(500));
        tier_base.set(Class::Output, half);
    }
    fill(&mut tier_base, &base, missing);
    cards.insert((tier, 0), tier_base);
    for above in steps {
        let long = cards[&(Tier::Standard, *above)];
        let card = match cards.get(&(tier, *above)) {
            Some(card) if card.get(Class::Uncached).is_some() => {
                let mut card = *card;
                fill(&mut card, &long, missing);
                card
            }
            _ => step_of(tier, &long, &tier_base, &base),
        };
        cards.insert((tier, *above), card);
    }
    cards.retain(|(of, above), _| *of != tier || *above == 0 || steps.contains(above));
}

/// Rule 1.
fn fill_in_proportion(step: &mut Sparse, base: &Sparse) {
    for class in CLASSES {
        let whole = if is_input(class) { Class::Uncached } else { Class::Output };
        let (stepped, before) = (step.get(whole).or(base.get(whole)), base.get(whole));
        let filled = base.get(class).map(|rate| scaled(rate, stepped, before));
        step.set(class, step.get(class).or(filled));
    }
}

/// Rule 2.
fn fill(card: &mut Sparse, standard: &Sparse, missing: Missing) {
    let input = (card.get(Class::Uncached), standard.get(Class::Uncached));
    let output =
        (card.get(Class::Output).or(standard.get(Class::Output)), standard.get(Class::Output));
    for class in CLASSES {
        let (of_tier, of_standard) = if is_input(class) { input } else { output };
        let filled = standard.get(class).map(|rate| match missing {
            // Never dearer than the input that it is a part of.
            Missing::CacheAsStandard if is_cache(class) => {
                of_tier.map_or(rate, |input| rate.min(input))
            }
            Missing::Scaled | Missing::CacheAsStandard => scaled(rate, of_tier, of_standard),
        });
        card.set(class, card.get(class).or(filled));
    }
}

/// Rule 3.
fn step_of(tier: Tier, long: &Sparse, tier_base: &Sparse, base: &Sparse) -> Sparse {
    let mut card = *long;
    if matches!(tier, Tier::Batch | Tier::Flex) {
        for class in CLASSES {
            let rate = long.get(class);
            card.set(class, rate.map(|rate| scaled(rate, tier_base.get(class), base.get(class))));
        }
    }
    card
}

/// Rule 4, so that a card says only what is special.
fn without_repeats(card: &Sparse) -> Sparse {
    let mut lean = *card;
    for class in CLASSES {
        let whole = match class {
            Class::Uncached | Class::Output => continue,
            Class::CacheWriteLong => card.get(Class::CacheWriteShort).or(card.get(Class::Uncached)),
            _ if is_input(class) => card.get(Class::Uncached),
            _ => card.get(Class::Output),
        };
        if card.get(class) == whole {
            lean.set(class, None);
        }
    }
    lean
}

fn is_input(class: Class) -> bool {
    !matches!(class, Class::Output | Class::Reasoning | Class::AudioOutput)
}

fn is_cache(class: Class) -> bool {
    matches!(class, Class::CacheRead | Class::CacheWriteShort | Class::CacheWriteLong)
}

/// `rate` × `to` / `from`, or `rate` itself where that has no exact value.
fn scaled(rate: Rate, to: Option<Rate>, from: Option<Rate>) -> Rate {
    match (to, from) {
        (Some(to), Some(from)) => rate.times_ratio(to, from).unwrap_or(rate),
        _ => rate,
    }
}
