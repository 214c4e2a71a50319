//! From single dates to intervals.
//!
//! A dated line says only when a price ended (`until`) or is announced to begin (`from`); the list
//! is what counts between the two. So the prices of a listed model leave no gap, and
//! two can never hold at once, whatever is written.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use scrimp_core::price::PriceRow;
use scrimp_core::time::Time;

use super::snapshot::NotASnapshot;

type Rows = Vec<(usize, PriceRow)>;

/// The rows of the list and the dated ones, each with its interval. `dated` come with their lines.
pub(super) fn timelines(list: Rows, dated: Rows) -> Result<Vec<PriceRow>, NotASnapshot> {
    let mut by_model: FxHashMap<(Arc<str>, Arc<str>), Rows> = HashMap::default();
    for (line, row) in dated {
        if row.from.is_some() == row.until.is_some() {
            return Err(NotASnapshot { line, what: "one date is asked for: `from` or `until`" });
        }
        by_model.entry((row.provider.clone(), row.model.clone())).or_default().push((line, row));
    }
    let mut rows = Vec::with_capacity(list.len() + by_model.len());
    for (_, row) in list {
        match by_model.remove(&(row.provider.clone(), row.model.clone())) {
            None => rows.push(row),
            Some(dated) => rows.extend(timeline(Some(row), dated)?),
        }
    }
    for dated in by_model.into_values() {
        rows.extend(timeline(None, dated)?);
    }
    Ok(rows)
}

/// The prices of one model, the first to hold before the others.
fn timeline(listed: Option<PriceRow>, dated: Rows) -> Result<Vec<PriceRow>, NotASnapshot> {
    let (mut announced, mut past): (Rows, Rows) =
        dated.into_iter().partition(|(_, row)| row.from.is_some());
    past.sort_by_key(|(_, row)| row.until);
    announced.sort_by_key(|(_, row)| row.from);
    let mut last: Option<Time> = None;
    for (line, row) in past.iter_mut().chain(&mut announced) {
        let day = row.from.or(row.until);
        if day <= last {
            let what = "a price of this model holds until that day or from it already";
            return Err(NotASnapshot { line: *line, what });
        }
        row.from = row.from.or(last);
        last = day;
    }
    let mut row = listed;
    if let Some(row) = &mut row {
        row.from = past.last().and_then(|(_, row)| row.until);
    }
    let mut rows: Vec<PriceRow> = past.into_iter().map(|(_, row)| row).chain(row).collect();
    for (_, row) in announced {
        if let Some(before) = rows.last_mut() {
            before.until = before.until.or(row.from);
        }
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::{day_of, read};
    use super::*;

    fn rows(lines: &str) -> Rows {
        read(&format!("[p]\n{lines}")).unwrap().rows
    }

    /// Each price of `m` with its first day and the day it ends before.
    fn laid(list: &str, dated: &str) -> Vec<String> {
        let rows = timelines(rows(list), rows(dated)).unwrap();
        let day = |time: Option<Time>| time.map(day_of).unwrap_or_default();
        let told = |row: &PriceRow| {
            let input = row.cards[0].rates.input.per_million();
            format!("{input}: {}..{}", day(row.from), day(row.until))
        };
        rows.iter().map(told).collect()
    }

    #[test]
    fn a_price_holds_from_the_end_of_the_one_before_until_the_next_begins() {
        let dated = "m i=4 o=9 | from=2027-01-01\nm i=2 o=9 | until=2026-06-01\n\
                     m i=1 o=9 | until=2026-02-01\nm i=5 o=9 | from=2027-03-01";
        assert_eq!(
            laid("m i=3 o=9\nother i=7 o=9", dated),
            [
                "1: ..2026-02-01",
                "2: 2026-02-01..2026-06-01",
                "3: 2026-06-01..2027-01-01",
                "4: 2027-01-01..2027-03-01",
                "5: 2027-03-01..",
                "7: .."
            ]
        );
    }

    #[test]
    fn what_the_list_no_longer_has_is_priced_until_it_left() {
        assert_eq!(laid("", "m i=1 o=9 | until=2026-02-01"), ["1: ..2026-02-01"]);
    }

    #[test]
    fn what_could_hold_at_once_is_refused_with_its_line() {
        for (dated, line) in [
            ("m i=1 o=9", 2),
            ("m i=1 o=9 | from=2026-01-01 | until=2026-02-01", 2),
            ("m i=1 o=9 | until=2026-02-01\nm i=2 o=9 | until=2026-02-01", 3),
            ("m i=1 o=9 | from=2026-02-01\nm i=2 o=9 | until=2026-03-01", 2),
        ] {
            assert_eq!(
                timelines(rows("m i=3 o=9"), rows(dated)).unwrap_err().line,
                line,
                "{dated}"
            );
        }
    }
}
