//! A newer list in place of the one that ships: what it changes, and what of it is not believed.
//!
//! A price may be believable by itself and still be a slip: a comma, a unit, another model's row. So
//! it is compared with what the model cost before, and where it is far off it is held: the old one
//! stays until somebody who has looked says that it is meant.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use scrimp_core::money::Rate;
use scrimp_core::price::{Catalog, PriceRow};
use scrimp_core::time::{Span, Time};

use super::card::{CLASSES, Sparse};
use super::diff::headline;
use super::provider::vendor_of;
use super::report::Doubt;
use super::snapshot::{NotASnapshot, compose, day_of, is_same_model, parse, write};
use super::{Diff, Held, Kept, Report, diff, from_litellm, keep};

/// Beyond this many times as dear or as cheap as before a price is held. The largest true change in
/// the lists of two years is a fifth (o3, June 2025).
const FAR_OFF: u64 = 6;
const DAY: Span = Span::from_hours(24);
/// A list that has fewer than half of the models of the one before is cut off.
const FEWEST: usize = 2;

/// What to do with prices that are far from what they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Far {
    /// The old ones stay.
    Held,
    /// Somebody has looked: they are meant.
    Confirmed,
}

/// Why a list is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnUpdate {
    /// Not text.
    #[error("the list is not text in UTF-8: it goes wrong at byte {at}")]
    NotUtf8 {
        /// The position.
        at: usize,
    },
    /// Nothing in it prices a model.
    #[error("the list holds no prices: {why}")]
    Empty {
        /// What it says of itself.
        why: String,
    },
    /// It is of a day before that of the list in use.
    #[error("the list is of {taken}, the one in use of {current}")]
    Older {
        /// The new list's day.
        taken: String,
        /// That of the list in use.
        current: String,
    },
    /// Most models are gone.
    #[error("the list has {models} models where the one in use has {before}: it seems cut off")]
    CutOff {
        /// In the new list.
        models: usize,
        /// In the list in use.
        before: usize,
    },
    /// What was written could not be read again.
    #[error(transparent)]
    Unreadable(#[from] NotASnapshot),
}

/// A price that is far from what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jump {
    /// The price before.
    pub before: Arc<PriceRow>,
    /// The price in the new list.
    pub now: PriceRow,
    /// How many times as dear or as cheap, whole.
    pub times: u64,
    /// Whether it is dearer.
    pub is_dearer: bool,
}

/// A new list, ready to be written.
#[derive(Clone, Debug)]
pub struct Update {
    /// The list, as a text.
    pub list: String,
    /// The prices of other days, as a text.
    pub dated: String,
    /// What is different from the list in use.
    pub diff: Diff,
    /// Prices of the list in use that end.
    pub kept: Kept,
    /// Far-off prices: held, or taken because they were confirmed.
    pub jumps: Vec<Jump>,
    /// Prices in use of models whose new ones cannot be true: they stay.
    pub stayed: Vec<(Arc<PriceRow>, Held)>,
    /// What was not believed at all.
    pub report: Report,
}

/// A list and the prices of other days, as texts: those in use.
#[derive(Clone, Copy, Debug)]
pub struct InUse<'a> {
    /// The list.
    pub list: &'a str,
    /// The prices of other days.
    pub dated: &'a str,
}

impl InUse<'static> {
    /// Those that ship with the product.
    pub fn shipped() -> InUse<'static> {
        InUse {
            list: include_str!("../../data/prices.txt"),
            dated: include_str!("../../data/dated.txt"),
        }
    }
}

impl InUse<'_> {
    /// All of their prices, each for its time.
    ///
    /// # Errors
    /// With the line that cannot be read.
    pub fn catalog(&self) -> Result<Catalog, NotASnapshot> {
        compose(self.list, self.dated)
    }
}

/// Reads `LiteLLM`'s price map as a list of the day `taken`, to take the place of the one in use.
///
/// # Errors
/// If it cannot be meant to: it is no list, or an older one, or most of it is missing.
pub fn update(
    json: &[u8],
    in_use: InUse<'_>,
    taken: Time,
    source: &str,
    far: Far,
) -> Result<Update, NotAnUpdate> {
    if let Err(error) = std::str::from_utf8(json) {
        return Err(NotAnUpdate::NotUtf8 { at: error.valid_up_to() });
    }
    let (mut rows, report) = from_litellm(json);
    if rows.is_empty() {
        let why = report.held.first().map_or_else(|| "it is empty".to_owned(), ToString::to_string);
        return Err(NotAnUpdate::Empty { why });
    }
    let taken = taken.floor(DAY);
    let mut old = parse(in_use.list)?;
    if let Some(current) = old.taken.filter(|current| taken < *current) {
        let (taken, current) = (day_of(taken), day_of(current));
        return Err(NotAnUpdate::Older { taken, current });
    }
    if old.taken == Some(taken) {
        // Confirmed on the same day: what was held until now ends on it, as if it had not been. What
        // has ended on it already is left as it is.
        old.taken = Some(taken - DAY);
    }
    let before = old.rows().count();
    if rows.len() * FEWEST < before && far == Far::Held {
        return Err(NotAnUpdate::CutOff { models: rows.len(), before });
    }
    let jumps = jumps(&old, &rows);
    if far == Far::Held {
        for row in &mut rows {
            if let Some(jump) = jumps.iter().find(|jump| is_same_model(&jump.now, row)) {
                *row = jump.before.as_ref().clone();
            }
        }
    }
    let stayed = stayed(&old, &rows, &report);
    rows.extend(stayed.iter().map(|(row, _)| row.as_ref().clone()));
    rows.sort_by(|a, b| (&a.provider, &a.model).cmp(&(&b.provider, &b.model)));
    let source: String = source.chars().filter(|c| !c.is_control()).collect();
    let list = write(&rows, &day_of(taken), &source);
    let new = parse(&list)?;
    let kept = keep(in_use.dated, &old, &new)?;
    let dated = kept.text.clone();
    InUse { list: &list, dated: &dated }.catalog()?;
    Ok(Update { diff: diff(&old, &new), list, dated, kept, jumps, stayed, report })
}

/// Models that have no new price only because that one is not believed.
fn stayed(old: &Catalog, rows: &[PriceRow], report: &Report) -> Vec<(Arc<PriceRow>, Held)> {
    let listed: BTreeSet<_> = rows.iter().map(|row| (&*row.provider, &*row.model)).collect();
    let is_whole = |held: &&Held| {
        held.field.is_none() && !matches!(held.doubt, Doubt::Conflict | Doubt::Minimum { .. })
    };
    let doubted: Vec<&Held> = report.held.iter().filter(is_whole).collect();
    let gone = old.rows().filter(|row| !listed.contains(&(&*row.provider, &*row.model)));
    let is_of = |row: &PriceRow, held: &Held| {
        let behind = held.entry.strip_suffix(&*row.model);
        behind.is_some_and(|before| match before.strip_suffix('/') {
            None => before.is_empty() && vendor_of(&row.model).is_none_or(|v| v == &*row.provider),
            Some(provider) => provider == &*row.provider,
        })
    };
    let doubt = |row: &Arc<PriceRow>| {
        let held = doubted.iter().find(|held| is_of(row, held))?;
        Some((row.clone(), (*held).clone()))
    };
    gone.filter_map(doubt).collect()
}

/// Prices that are far from what the same model cost before.
fn jumps(old: &Catalog, rows: &[PriceRow]) -> Vec<Jump> {
    let jump = |now: &PriceRow| {
        let before = old.rows().find(|before| is_same_model(before, now))?;
        let (times, is_dearer) = farthest(before, now);
        let jump = || Jump { before: before.clone(), now: now.clone(), times, is_dearer };
        (FAR_OFF <= times).then(jump)
    };
    rows.iter().filter_map(jump).collect()
}

/// The largest factor between the rates of two cards of the same tier and length.
fn farthest(before: &PriceRow, now: &PriceRow) -> (u64, bool) {
    let mut farthest = (1, true);
    for card in &before.cards {
        let same = now.cards.iter().find(|c| (c.tier, c.above) == (card.tier, card.above));
        let Some(same) = same else { continue };
        let (old, new) = (Sparse::of(&card.rates), Sparse::of(&same.rates));
        for class in CLASSES {
            let (Some(old), Some(new)) = (old.get(class), new.get(class)) else { continue };
            for (dear, cheap, is_dearer) in [(new, old, true), (old, new, false)] {
                let times = times(dear, cheap);
                if farthest.0 < times {
                    farthest = (times, is_dearer);
                }
            }
        }
    }
    farthest
}

/// How many whole times `dear` is of `cheap`.
fn times(dear: Rate, cheap: Rate) -> u64 {
    // It decides whether somebody has to look, not what is billed: a float will do.
    let ratio = dear.as_f64() / cheap.as_f64();
    match ratio.is_finite() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
        true => (ratio + 1e-9).clamp(0.0, 1e15) as u64,
        false => u64::from(dear != cheap) * u64::MAX,
    }
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Jump { before, now, times, is_dearer } = self;
        let word = if *is_dearer { "dearer" } else { "cheaper" };
        let name = format!("{}/{}", now.provider, now.model);
        write!(f, "{name} {} -> {} ({times} times {word})", headline(before), headline(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::day;

    const OLD: &str = "taken 2026-11-23\nsource x\n[openai]\ngpt-a i=2 r=.2 o=8\ngpt-b i=1 o=4\n";

    fn entry(name: &str, input: &str, output: &str) -> String {
        format!(
            r#""{name}": {{"mode": "chat", "litellm_provider": "openai",
                "input_cost_per_token": {input}, "output_cost_per_token": {output}}}"#
        )
    }

    fn updated(entries: &[String], far: Far) -> Result<Update, NotAnUpdate> {
        let json = format!("{{{}}}", entries.join(","));
        let in_use = InUse { list: OLD, dated: "" };
        update(json.as_bytes(), in_use, day("2026-12-01").unwrap(), "a test", far)
    }

    #[test]
    fn a_price_far_from_before_is_held_until_it_is_confirmed() {
        let list = [entry("gpt-a", "2e-6", "9e-6"), entry("gpt-b", "7e-6", "4e-6")];
        let held = updated(&list, Far::Held).unwrap();
        let told: Vec<String> = held.jumps.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["openai/gpt-b 1/4 -> 7/4 (7 times dearer)"]);
        assert!(held.list.contains("gpt-b i=1 o=4\n"), "{}", held.list);
        assert!(held.list.contains("gpt-a i=2 o=9"), "the others are taken");
        let confirmed = updated(&list, Far::Confirmed).unwrap();
        assert!(confirmed.list.contains("gpt-b i=7 o=4"));
        let ended = "gpt-b i=1 o=4 | until=2026-12-01";
        assert!(confirmed.dated.contains(ended));
        // Later on the same day, with what was held before.
        let in_use = InUse { list: &held.list, dated: &held.dated };
        let json = format!("{{{}}}", list.join(","));
        let day = day("2026-12-01").unwrap();
        let later = update(json.as_bytes(), in_use, day, "a test", Far::Confirmed).unwrap();
        assert_eq!(later.list, confirmed.list);
        let lines = |text: &str| text.lines().filter(|line| line.contains("until=")).count();
        assert!(later.dated.contains(ended) && lines(&later.dated) == lines(&confirmed.dated));
    }

    #[test]
    fn a_price_a_thousand_times_dearer_or_cheaper_is_far_off() {
        let old = parse(OLD).unwrap();
        for (row, expected) in
            [("gpt-b i=150 o=4", 150), ("gpt-b i=1 o=.004", 1_000), ("gpt-b i=5 o=4", 0)]
        {
            let new = parse(&format!("taken 2026-12-01\n[openai]\n{row}")).unwrap();
            let rows: Vec<PriceRow> = new.rows().map(|row| row.as_ref().clone()).collect();
            let times = jumps(&old, &rows).first().map_or(0, |jump| jump.times);
            assert_eq!(times, expected, "{row}");
        }
    }

    #[test]
    fn a_price_that_cannot_be_true_leaves_the_one_before() {
        let list = [entry("gpt-a", "2e-3", "9e-6"), entry("gpt-b", "1e-6", "4e-6")];
        let update = updated(&list, Far::Confirmed).unwrap();
        assert!(update.list.contains("gpt-a i=2 r=.2 o=8\n"), "{}", update.list);
        let (row, held) = &update.stayed[0];
        assert_eq!((&*row.model, &*held.entry), ("gpt-a", "gpt-a"));
        assert!(update.diff.removed.is_empty());
    }

    #[test]
    fn what_is_no_newer_list_is_refused() {
        let in_use = InUse { list: OLD, dated: "" };
        let take = |json: &[u8], day_of_list: &str| {
            let taken = day(day_of_list).unwrap();
            update(json, in_use, taken, "", Far::Held).unwrap_err().to_string()
        };
        let told = take(b"{\"a\xff\": 1}", "2026-12-01");
        assert_eq!(told, "the list is not text in UTF-8: it goes wrong at byte 3");
        assert!(take(b"nonsense", "2026-12-01").contains("holds no prices"));
        let list = format!("{{{}}}", entry("gpt-a", "2e-6", "9e-6"));
        let told = take(list.as_bytes(), "2026-11-22");
        assert_eq!(told, "the list is of 2026-11-22, the one in use of 2026-11-23");
    }
}
