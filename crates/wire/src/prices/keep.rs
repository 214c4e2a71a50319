//! What an update of the list leaves behind: the prices that it changes, each with its last day.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use scrimp_core::price::{Card, Catalog, PriceRow, Tier};
use scrimp_core::time::Time;

use super::card::{CLASSES, Sparse};
use super::diff::headline;
use super::snapshot::{NotASnapshot, day_of, read, write_row};

/// The dated prices after an update of the list, and what was done to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The dated prices, as a text.
    pub text: String,
    /// What was charged until a day; sorted by provider and model.
    pub ended: Vec<PriceRow>,
    /// What was announced and did not come.
    pub cancelled: Vec<PriceRow>,
}

/// Writes into `dated` what the list `old` bills otherwise than the list `new` that replaces it.
///
/// Such a price ends on the day that the new list was taken; where `dated` has its end or announced
/// the price after it, on that day. Rates that the old list lacked are no change: nothing is known
/// of the time before. Nor is anything in a list of the same day or an earlier one, which corrects.
///
/// # Errors
///
/// `dated` cannot be read.
pub fn keep(dated: &str, old: &Catalog, new: &Catalog) -> Result<Kept, NotASnapshot> {
    let rows = read(dated)?.rows;
    let mut kept = Kept { text: dated.to_owned(), ..Kept::default() };
    let (Some(before), Some(taken)) = (old.taken, new.taken) else { return Ok(kept) };
    if taken <= before {
        return Ok(kept);
    }
    let mut update = Update { taken, edits: HashMap::new(), added: Vec::new() };
    for (model, row) in models(old, &rows) {
        let now = new.find(&model.0, &model.1, taken).map(Arc::as_ref);
        if row.is_none() && now.is_none() {
            // What no list has is for people to settle.
            continue;
        }
        let of_model = || rows.iter().filter(|(_, dated)| is_of(&model, dated));
        let mut due: Vec<&(usize, PriceRow)> =
            of_model().filter(|(_, row)| row.from.is_some_and(|from| from <= taken)).collect();
        due.sort_by_key(|(_, row)| row.from);
        let is_now = |row: &PriceRow| now.is_some_and(|now| !bills_otherwise(row, now));
        let came = due.last().is_some_and(|(_, row)| is_now(row));
        if row.as_deref().is_some_and(is_now) && !came {
            update.cancel(&due, &mut kept);
            continue;
        }
        let ends = of_model().any(|(_, row)| row.until.is_some_and(|until| before < until));
        update.end(row.as_deref().filter(|_| !ends), &due, now, &mut kept);
    }
    kept.text = update.applied(dated);
    Ok(kept)
}

/// A provider and its name for a model.
type Model = (Arc<str>, Arc<str>);

/// Every model with its price in the list, if it has one there.
fn models(list: &Catalog, dated: &[(usize, PriceRow)]) -> BTreeMap<Model, Option<Arc<PriceRow>>> {
    let model = |row: &PriceRow| (row.provider.clone(), row.model.clone());
    let mut models: BTreeMap<_, _> = dated.iter().map(|(_, row)| (model(row), None)).collect();
    models.extend(list.rows().map(|row| (model(row), Some(row.clone()))));
    models
}

fn is_of((provider, model): &Model, row: &PriceRow) -> bool {
    row.provider == *provider && row.model == *model
}

/// Whether `now` has another rate, multiplier or length step where `before` has one.
fn bills_otherwise(before: &PriceRow, now: &PriceRow) -> bool {
    let card = |row: &PriceRow, tier, above| {
        let card = row.cards.iter().find(|card| card.tier == tier && card.above == above);
        card.map(|card| Sparse::of(&card.rates))
    };
    let other_rates = before.cards.iter().any(|old| {
        let (old, now) = (Sparse::of(&old.rates), card(now, old.tier, old.above));
        let differs = |class| {
            old.get(class).is_some() && now.is_none_or(|now| now.get(class) != old.get(class))
        };
        CLASSES.into_iter().any(differs)
    });
    let is_new_step =
        |step: &Card| step.tier == Tier::Standard && card(before, step.tier, step.above).is_none();
    let multipliers = |row: &PriceRow| [row.fast_permille, row.us_permille, row.eu_permille];
    let other_multiplier = |(old, now): (Option<u32>, Option<u32>)| old.is_some() && old != now;
    other_rates
        || now.cards.iter().any(is_new_step)
        || multipliers(before).into_iter().zip(multipliers(now)).any(other_multiplier)
}

/// The changes to the text of the dated prices.
struct Update {
    taken: Time,
    /// What stands in place of a line, by its number counted from 1.
    edits: HashMap<usize, String>,
    /// What stands after all lines.
    added: Vec<PriceRow>,
}

impl Update {
    /// Ends the price of the old list, unless its end is known, and those announced after it.
    fn end<'r>(
        &mut self,
        mut last: Option<&'r PriceRow>,
        due: &[&'r (usize, PriceRow)],
        now: Option<&PriceRow>,
        kept: &mut Kept,
    ) {
        let ended = |row: &PriceRow, until| PriceRow { from: None, until, ..row.clone() };
        for (line, announced) in due {
            match last {
                Some(last) => {
                    let before = ended(last, announced.from);
                    self.edits.insert(*line, written(&before));
                    kept.ended.push(before);
                }
                // What was charged before it stands there already, or nobody knows.
                None => self.set_aside("Came", *line, announced),
            }
            last = Some(announced);
        }
        // One announced for this very day, and otherwise than it came, was never charged.
        let charged = last.filter(|last| last.from < Some(self.taken));
        if let Some(last) = charged.filter(|last| now.is_none_or(|now| bills_otherwise(last, now)))
        {
            let before = ended(last, Some(self.taken));
            self.added.push(before.clone());
            kept.ended.push(before);
        }
    }

    /// Sets aside what was announced for a day that came and went at the old price.
    fn cancel(&mut self, due: &[&(usize, PriceRow)], kept: &mut Kept) {
        for (line, announced) in due {
            self.set_aside("Did not come", *line, announced);
            kept.cancelled.push(announced.clone());
        }
    }

    fn set_aside(&mut self, why: &str, line: usize, row: &PriceRow) {
        let day = day_of(self.taken);
        let told = format!("# {why}, by the list of {day}: {}", written(row));
        self.edits.insert(line, told);
    }

    fn applied(&self, dated: &str) -> String {
        let mut text = String::new();
        for (n, line) in dated.lines().enumerate() {
            match self.edits.get(&(n + 1)) {
                Some(edit) => text.push_str(edit),
                None => text.extend([line, "\n"]),
            }
        }
        if !self.added.is_empty() {
            let day = day_of(self.taken);
            text.extend(["\n# Otherwise, or not at all, in the list of ", &day, ".\n"]);
        }
        let mut provider = "";
        for row in &self.added {
            if row.provider.as_ref() != provider {
                provider = &row.provider;
                text.extend(["[", provider, "]\n"]);
            }
            write_row(&mut text, row);
        }
        text
    }
}

fn written(row: &PriceRow) -> String {
    let mut line = String::new();
    write_row(&mut line, row);
    line
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kept { text: _, ended, cancelled } = self;
        let day = |time: Option<Time>| time.map(day_of).unwrap_or_default();
        for row in ended {
            let (name, rates) = (format!("{}/{}", row.provider, row.model), headline(row));
            writeln!(f, "ended    {name} {rates} until {}", day(row.until))?;
        }
        for row in cancelled {
            let (name, rates) = (format!("{}/{}", row.provider, row.model), headline(row));
            writeln!(f, "no more  {name} {rates} announced from {}", day(row.from))?;
        }
        writeln!(f, "{} prices ended, {} announced did not come", ended.len(), cancelled.len())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::snapshot::parse;
    use super::super::timeline::timelines;
    use super::*;

    fn list(day: &str, rows: &str) -> Catalog {
        parse(&format!("taken {day}\n[p]\n{rows}")).unwrap()
    }

    const OLD: &str = "m i=1 r=.1 o=2 | >200k i=2 r=.2 o=3 | batch*.5 | batch>200k*.5 | us*1.1 \
                       | cache=assumed/1024";

    #[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
    fn check(dated: &str, new: &str, expected: Expect) {
        let kept = keep(dated, &list("2026-11-23", OLD), &list("2027-02-01", new)).unwrap();
        expected.assert_eq(&format!("{}---\n{kept}", kept.text));
        let dated = read(&kept.text).unwrap().rows;
        timelines(read(&format!("[p]\n{new}")).unwrap().rows, dated).expect("it can be used");
        // As after a stop between writing this and the list.
        let again = keep(&kept.text, &list("2026-11-23", OLD), &list("2027-02-01", new)).unwrap();
        assert_eq!(again.text, kept.text, "once is enough");
    }

    #[test]
    fn what_the_new_list_bills_otherwise_ends_on_its_day() {
        check(
            "# own words\n[q]\nx i=1 o=1 | until=2026-01-01\n",
            "m i=1 r=.1 o=2 | batch*.5 | us*1.1 | cache=assumed/1024",
            expect![[r#"
                # own words
                [q]
                x i=1 o=1 | until=2026-01-01

                # Otherwise, or not at all, in the list of 2027-02-01.
                [p]
                m i=1 r=.1 o=2 | >200k i=2 r=.2 o=3 | batch*.5 | batch>200k*.5 | us*1.1 | cache=assumed/1024 | until=2027-02-01
                ---
                ended    p/m 1/2 until 2027-02-01
                1 prices ended, 0 announced did not come
            "#]],
        );
    }

    #[test]
    fn what_the_new_list_lacks_ends_on_its_day() {
        check(
            "",
            "other i=1 o=1",
            expect![[r#"

            # Otherwise, or not at all, in the list of 2027-02-01.
            [p]
            m i=1 r=.1 o=2 | >200k i=2 r=.2 o=3 | batch*.5 | batch>200k*.5 | us*1.1 | cache=assumed/1024 | until=2027-02-01
            ---
            ended    p/m 1/2 until 2027-02-01
            1 prices ended, 0 announced did not come
        "#]],
        );
    }

    #[test]
    fn what_was_not_known_before_is_no_change() {
        let more = OLD.replace("o=2", "w=1.25 o=2").replace("us*", "flex*.5 | us*");
        check(
            "",
            &more,
            expect![[r#"
            ---
            0 prices ended, 0 announced did not come
        "#]],
        );
        check(
            "",
            &OLD.replace("assumed/1024", "assumed/2048"),
            expect![[r#"
            ---
            0 prices ended, 0 announced did not come
        "#]],
        );
    }

    #[test]
    fn a_better_date_stays() {
        check(
            "[p]\nm i=1 o=2 | until=2026-12-24\n",
            "m i=3 o=4",
            expect![[r#"
            [p]
            m i=1 o=2 | until=2026-12-24
            ---
            0 prices ended, 0 announced did not come
        "#]],
        );
    }

    #[test]
    fn what_was_announced_and_came_ends_the_price_before_it_on_its_day() {
        let dated = "# the source\n[p]\nm i=3 o=4 | from=2027-01-01\n";
        check(
            dated,
            "m i=3 o=4",
            expect![[r#"
            # the source
            [p]
            m i=1 r=.1 o=2 | >200k i=2 r=.2 o=3 | batch*.5 | batch>200k*.5 | us*1.1 | cache=assumed/1024 | until=2027-01-01
            ---
            ended    p/m 1/2 until 2027-01-01
            1 prices ended, 0 announced did not come
        "#]],
        );
        check(
            dated,
            "m i=5 o=6",
            expect![[r#"
            # the source
            [p]
            m i=1 r=.1 o=2 | >200k i=2 r=.2 o=3 | batch*.5 | batch>200k*.5 | us*1.1 | cache=assumed/1024 | until=2027-01-01

            # Otherwise, or not at all, in the list of 2027-02-01.
            [p]
            m i=3 o=4 | until=2027-02-01
            ---
            ended    p/m 1/2 until 2027-01-01
            ended    p/m 3/4 until 2027-02-01
            2 prices ended, 0 announced did not come
        "#]],
        );
    }

    #[test]
    fn what_was_announced_and_did_not_come_is_set_aside() {
        check(
            "[p]\nm i=3 o=4 | from=2027-01-01\n",
            OLD,
            expect![[r#"
            [p]
            # Did not come, by the list of 2027-02-01: m i=3 o=4 | from=2027-01-01
            ---
            no more  p/m 3/4 announced from 2027-01-01
            0 prices ended, 1 announced did not come
        "#]],
        );
        check(
            "[p]\nm i=3 o=4 | from=2027-06-01\n",
            OLD,
            expect![[r#"
            [p]
            m i=3 o=4 | from=2027-06-01
            ---
            0 prices ended, 0 announced did not come
        "#]],
        );
    }

    #[test]
    fn what_was_announced_for_the_day_of_the_list_and_came_otherwise_was_never_charged() {
        check(
            "[p]\nm i=3 o=4 | from=2027-02-01\n",
            "m i=5 o=6",
            expect![[r#"
            [p]
            m i=1 r=.1 o=2 | >200k i=2 r=.2 o=3 | batch*.5 | batch>200k*.5 | us*1.1 | cache=assumed/1024 | until=2027-02-01
            ---
            ended    p/m 1/2 until 2027-02-01
            1 prices ended, 0 announced did not come
        "#]],
        );
    }

    #[test]
    fn an_announcement_is_settled_also_where_the_price_before_it_has_its_end() {
        check(
            "[p]\nm i=1 o=2 | until=2026-12-24\nm i=3 o=4 | from=2027-01-01\n",
            "m i=9 o=9",
            expect![[r#"
                [p]
                m i=1 o=2 | until=2026-12-24
                # Came, by the list of 2027-02-01: m i=3 o=4 | from=2027-01-01

                # Otherwise, or not at all, in the list of 2027-02-01.
                [p]
                m i=3 o=4 | until=2027-02-01
                ---
                ended    p/m 3/4 until 2027-02-01
                1 prices ended, 0 announced did not come
            "#]],
        );
    }

    #[test]
    fn a_promotion_that_came_and_went_between_two_lists_is_kept() {
        check(
            &format!("[p]\nm i=.5 o=1 | from=2027-01-01\n{OLD} | from=2027-01-15\n"),
            OLD,
            expect![[r#"
                [p]
                m i=1 r=.1 o=2 | >200k i=2 r=.2 o=3 | batch*.5 | batch>200k*.5 | us*1.1 | cache=assumed/1024 | until=2027-01-01
                m i=.5 o=1 | until=2027-01-15
                ---
                ended    p/m 1/2 until 2027-01-01
                ended    p/m 0.5/1 until 2027-01-15
                2 prices ended, 0 announced did not come
            "#]],
        );
    }

    #[test]
    fn a_model_that_was_announced_and_is_listed_since_is_settled() {
        check(
            "[p]\nnew i=3 o=4 | from=2027-01-01\nnowhere i=3 o=4 | from=2027-01-01\n",
            &format!("{OLD}\nnew i=3 o=4"),
            expect![[r#"
                [p]
                # Came, by the list of 2027-02-01: new i=3 o=4 | from=2027-01-01
                nowhere i=3 o=4 | from=2027-01-01
                ---
                0 prices ended, 0 announced did not come
            "#]],
        );
    }

    #[test]
    fn a_list_of_the_same_day_corrects_and_keeps_nothing() {
        let kept = keep("", &list("2027-02-01", OLD), &list("2027-02-01", "m i=3 o=4")).unwrap();
        assert_eq!(kept, Kept::default());
    }
}
