//! Which prices are not believed.
//!
//! The bounds are those of the lists of 2026: the dearest model in use costs 150 and 600 dollars
//! per million tokens, the cheapest 0.004. Real mistakes in lists are off by a thousand or a million
//! (a price per thousand or per million tokens), so the bounds need not be tight.

use scrimp_core::money::Rate;
use scrimp_core::price::{Class, Tier};

use super::card::{CLASSES, Cards, Sparse};
use super::report::{Doubt, Report};

/// No input dearer, in dollars per token: 200 per million.
const DEAREST_INPUT: Rate = Rate::new(2, 4);
/// No output dearer: 1,000 per million.
const DEAREST_OUTPUT: Rate = Rate::new(1, 3);
/// No embedding dearer: 10 per million.
const DEAREST_EMBEDDING: Rate = Rate::new(1, 5);
/// Nothing cheaper: 0.003 per million.
const CHEAPEST: Rate = Rate::new(3, 9);

/// Takes doubtful rates out of `cards` and names them in `report`. `None` if nothing is left that
/// could price a call.
pub(super) fn check(entry: &str, cards: &mut Cards, report: &mut Report) -> Option<()> {
    let base = *cards.entry((Tier::Standard, 0)).or_default();
    if let Err(doubt) = believe(&base) {
        report.hold(entry, None, doubt);
        return None;
    }
    let standard: Vec<(u64, Sparse)> = standard_of(cards);
    for ((tier, above), card) in cards.iter_mut() {
        let beside =
            standard.iter().rfind(|(from, _)| from <= above).map_or(&base, |(_, card)| card);
        for class in CLASSES {
            if let Err(doubt) = believe_rate(class, *tier, card, beside) {
                report.hold(entry, Some(&field(class, *tier, *above)), doubt);
                card.set(class, None);
            }
        }
    }
    // A card without input prices nothing; what it says beside is of no use.
    cards.retain(|_, card| card.get(Class::Uncached).is_some());
    Some(())
}

fn standard_of(cards: &Cards) -> Vec<(u64, Sparse)> {
    let standard = cards.iter().filter(|((tier, _), _)| *tier == Tier::Standard);
    standard.map(|((_, above), card)| (*above, *card)).collect()
}

/// Claude in batches costs half of everything, at Anthropic and at its hosts ("Batch processing" and
/// "Pricing" there). A card that says otherwise is a copy of another model's, and is replaced.
pub(super) fn check_half_price(entry: &str, cards: &mut Cards, report: &mut Report) {
    let half = |rate: Rate| rate.times_permille(500);
    for (above, standard) in standard_of(cards) {
        let Some(batch) = cards.get_mut(&(Tier::Batch, above)) else { continue };
        let odd = [Class::Uncached, Class::Output].into_iter().find(|class| {
            let (of_batch, of_standard) = (batch.get(*class), standard.get(*class));
            of_batch.is_some() && of_batch != of_standard.map(half)
        });
        if let Some(class) = odd {
            report.hold(entry, Some(&field(class, Tier::Batch, above)), Doubt::NotHalf);
            for class in CLASSES {
                batch.set(class, standard.get(class).map(half));
            }
        }
    }
}

/// Whether a model's standard card can be true at all.
fn believe(card: &Sparse) -> Result<(), Doubt> {
    let input = card.get(Class::Uncached).ok_or(Doubt::Missing("input"))?;
    let output = card.get(Class::Output).ok_or(Doubt::Missing("output"))?;
    let embedding = output == Rate::ZERO && input < DEAREST_EMBEDDING;
    if input == Rate::ZERO || output == Rate::ZERO && !embedding {
        return Err(if output == Rate::ZERO && DEAREST_EMBEDDING < input {
            Doubt::WrongUnit(input.per_million())
        } else {
            Doubt::Zero
        });
    }
    for (rate, dearest) in [(input, DEAREST_INPUT), (output, DEAREST_OUTPUT)] {
        if dearest < rate || rate < CHEAPEST && rate != Rate::ZERO {
            return Err(Doubt::WrongUnit(rate.per_million()));
        }
    }
    Ok(())
}

/// Whether `card`'s rate for `class` can be true beside its other rates.
fn believe_rate(class: Class, tier: Tier, card: &Sparse, base: &Sparse) -> Result<(), Doubt> {
    let (Some(rate), Some(input)) = (card.get(class), card.get(Class::Uncached)) else {
        return Ok(());
    };
    let free_output = base.get(Class::Output) == Some(Rate::ZERO);
    match class {
        Class::Output if free_output => return Ok(()),
        _ if rate == Rate::ZERO => return Err(Doubt::Zero),
        _ if DEAREST_OUTPUT < rate => return Err(Doubt::WrongUnit(rate.per_million())),
        Class::CacheRead if input < rate => return Err(Doubt::DearRead),
        Class::CacheWriteShort | Class::CacheWriteLong => believe_write(rate, input)?,
        _ => (),
    }
    let standard = base.get(class).unwrap_or(rate);
    if matches!(tier, Tier::Batch | Tier::Flex) && standard < rate {
        return Err(Doubt::DearDiscount);
    }
    Ok(())
}

/// Published writes cost from 1 to 2.5 times the input.
fn believe_write(rate: Rate, input: Rate) -> Result<(), Doubt> {
    if rate < input.times_permille(900) || input.times_permille(4_000) < rate {
        let share = rate.as_f64() / input.as_f64();
        return Err(Doubt::OddWrite(format!("{share:.2}")));
    }
    Ok(())
}

/// A rate's place, for people.
fn field(class: Class, tier: Tier, above: u64) -> String {
    format!("{class:?} in {tier:?} above {above}")
}
