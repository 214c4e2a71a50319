//! What an update of the list leaves behind: the prices that it changes, each with its last day.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use scrimp_core::price::{Card, Catalog, PriceRow, Tier};
use scrimp_core::time::Time;

use super::card::{CLASSES, Sparse};
use super::diff::headline;
use super::snapshot::{NotASnapshot, day_of, is_same_model, read, write_row};

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
    for row in sorted(old) {
        let now = new.find(&row.provider, &row.model, taken);
        let of_model = || rows.iter().filter(|(_, dated)| is_same_model(dated, &row));
        let mut due: Vec<&(usize, PriceRow)> =
            of_model().filter(|(_, row)| row.from.is_some_and(|from| from <= taken)).collect();
        due.sort_by_key(|(_, row)| row.from);
        let ends = of_model().any(|(_, row)| row.until.is_some_and(|until| before < until));
        match now {
            Some(now) if !bills_otherwise(&row, now) => update.cancel(&due, &mut kept),
            _ if ends => (),
            _ => update.end(&row, &due, now.map(Arc::as_ref), &mut kept),
        }
    }
    kept.text = update.applied(dated);
    Ok(kept)
}

/// The rows of a list by provider and model.
fn sorted(list: &Catalog) -> Vec<Arc<PriceRow>> {
    let mut rows: Vec<Arc<PriceRow>> = list.rows().cloned().collect();
    rows.sort_by(|a, b| (&a.provider, &a.model).cmp(&(&b.provider, &b.model)));
    rows
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
    /// Ends the price of the old list, and those that were announced after it.
    fn end(
        &mut self,
        row: &PriceRow,
        due: &[&(usize, PriceRow)],
        now: Option<&PriceRow>,
        kept: &mut Kept,
    ) {
        let ended = |row: &PriceRow, until| PriceRow { from: None, until, ..row.clone() };
        let mut last = row;
        for (line, announced) in due {
            let before = ended(last, announced.from);
            self.edits.insert(*line, written(&before));
            kept.ended.push(before);
            last = announced;
        }
        if now.is_none_or(|now| bills_otherwise(last, now)) {
            let before = ended(last, Some(self.taken));
            self.added.push(before.clone());
            kept.ended.push(before);
        }
    }

    /// Sets aside what was announced for a day that came and went at the old price.
    fn cancel(&mut self, due: &[&(usize, PriceRow)], kept: &mut Kept) {
        for (line, announced) in due {
            let day = day_of(self.taken);
            let told = format!("# Did not come, by the list of {day}: {}", written(announced));
            self.edits.insert(*line, told);
            kept.cancelled.push(announced.clone());
        }
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
        let again = keep(&kept.text, &list("2027-02-01", new), &list("2027-02-01", new)).unwrap();
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
    fn a_list_of_the_same_day_corrects_and_keeps_nothing() {
        let kept = keep("", &list("2027-02-01", OLD), &list("2027-02-01", "m i=3 o=4")).unwrap();
        assert_eq!(kept, Kept::default());
    }
}
