//! Tables for a terminal. A narrow one loses the columns that are missed least.

use std::fmt::Write as _;

use super::format::{count, fit, money, percent, span};
use super::html::class_name;
use crate::profile::{ClassTotal, Durations, Profile, Stats};

/// A name keeps this much room, and two fifths of the width where that is more.
const LEAST_NAME: usize = 24;

/// Rows with a name and figures.
#[derive(Clone, Debug)]
pub struct Table {
    first: &'static str,
    names: Vec<String>,
    columns: Vec<Column>,
}

#[derive(Clone, Debug)]
struct Column {
    title: &'static str,
    /// The column with the highest goes first; those of equal rank go together.
    rank: usize,
    cells: Vec<String>,
}

impl Table {
    /// What calls cost and how long they take.
    pub(super) fn of_stats(
        first: &'static str,
        rows: &[(String, &Stats)],
        profile: &Profile,
    ) -> Table {
        let mut table = Table::new(first, names(rows));
        let mut column = |title, rank, cell: &dyn Fn(&Stats) -> Option<String>| {
            let cells: Vec<_> = rows.iter().map(|(_, stats)| cell(stats)).collect();
            // What no row knows is worth no room, unless readers look for it.
            if rank < 5 || cells.iter().any(Option::is_some) {
                table.column(title, rank, known(cells));
            }
        };
        let at = |durations: &Durations, q| durations.quantile(q).map(span);
        column("calls", 0, &|stats| Some(count(stats.calls)));
        column("errors", 5, &|stats| Some(count(stats.errors)));
        column("mean", 7, &|stats| stats.latency.histogram.mean().map(span));
        column("p50", 3, &|stats| at(&stats.latency, 0.5));
        column("p95", 2, &|stats| at(&stats.latency, 0.95));
        column("p99", 6, &|stats| at(&stats.latency, 0.99));
        column("max", 8, &|stats| at(&stats.latency, 1.0));
        column("ttft p50", 9, &|stats| at(&stats.first_token, 0.5));
        column("tpot p50", 10, &|stats| at(&stats.per_token, 0.5));
        column(money_title(profile), 1, &|stats| {
            stats.usd.map(|usd| money(profile.per_month(usd).unwrap_or(usd)))
        });
        column("cached", 4, &|stats| stats.cached_share().map(percent));
        table
    }

    /// Tokens and dollars by class, the dearest class first.
    pub(super) fn of_classes(
        first: &'static str,
        rows: &[(String, &Stats)],
        profile: &Profile,
    ) -> Table {
        let mut table = Table::new(first, names(rows));
        let mut classes = profile.totals.classes();
        classes.sort_by_key(|class| std::cmp::Reverse(class.usd));
        for (rank, ClassTotal { class, .. }) in classes.into_iter().enumerate() {
            let of = |stats: &Stats| {
                let mut all = stats.classes().into_iter();
                all.find(|total| total.class == class)
                    .map_or((0, None), |total| (total.tokens, stats.usd.map(|_| total.usd)))
            };
            let tokens = rows
                .iter()
                .map(|(_, stats)| (stats.unknown_usage < stats.calls).then(|| count(of(stats).0)));
            let usd = rows.iter().map(|(_, stats)| {
                let usd = of(stats).1.or(stats.usd.map(|_| scrimp_core::Usd::ZERO))?;
                Some(money(profile.per_month(usd).unwrap_or(usd)))
            });
            let (tokens, usd) = (known(tokens.collect()), known(usd.collect()));
            table.column(class_name(class), rank, tokens);
            table.column(money_title(profile), rank, usd);
        }
        table
    }

    /// Rows of these names, under the title `first`, without figures yet.
    pub fn new(first: &'static str, names: Vec<String>) -> Table {
        Table { first, names, columns: Vec::new() }
    }

    /// Adds a column with a cell for each row. The one of the highest rank is missed least.
    pub fn column(&mut self, title: &'static str, rank: usize, cells: Vec<String>) {
        self.columns.push(Column { title, rank, cells });
    }

    /// Whether there is no figure at all.
    pub fn is_bare(&self) -> bool {
        self.columns.is_empty()
    }

    /// The line of titles and the other lines, for a terminal of `width` columns.
    pub fn lines(mut self, width: usize) -> (String, Vec<String>) {
        let longest = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let longest = longest.max(self.first.len());
        let least = longest.min((width * 2 / 5).max(LEAST_NAME));
        while width < least + self.figures_width() && self.drop_column() {}
        let name_width = longest.min(width.saturating_sub(self.figures_width())).max(8);
        let line = |name: &str, cell: &dyn Fn(&Column) -> String| {
            let mut line = format!("{:<name_width$}", fit(name, name_width));
            for column in &self.columns {
                let cell_width = column.width();
                write!(line, "  {:>cell_width$}", cell(column)).expect("a string takes everything");
            }
            line
        };
        let titles = line(self.first, &|column| column.title.to_owned());
        let rows = self.names.iter().enumerate();
        let rows = rows.map(|(at, name)| line(name, &|column| column.cells[at].clone()));
        (titles, rows.collect())
    }

    fn figures_width(&self) -> usize {
        self.columns.iter().map(|column| 2 + column.width()).sum()
    }

    /// Drops what is missed least; `false`: all that is left must stay.
    fn drop_column(&mut self) -> bool {
        let last = self.columns.iter().map(|column| column.rank).max().unwrap_or(0);
        self.columns.retain(|column| column.rank < last || last == 0);
        0 < last
    }
}

impl Column {
    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|cell| cell.chars().count());
        cells.max().unwrap_or(0).max(self.title.chars().count())
    }
}

/// A call that was refused went to no model.
fn names(rows: &[(String, &Stats)]) -> Vec<String> {
    let name = |name: &String| if name.is_empty() { "–".to_owned() } else { name.clone() };
    rows.iter().map(|(known, _)| name(known)).collect()
}

fn known(cells: Vec<Option<String>>) -> Vec<String> {
    cells.into_iter().map(|cell| cell.unwrap_or_else(|| "?".to_owned())).collect()
}

fn money_title(profile: &Profile) -> &'static str {
    if profile.forecast.is_some() { "$/month" } else { "$" }
}
