//! A reconciliation for a terminal.

use std::fmt::Write as _;

use scrimp_core::{Time, Usd};

use super::provider::clock;
use super::summary::{Basis, By, CauseSum, Reconciled, Reconciliation, Share};
use super::{Cause, Confidence};
use crate::report::{Table, count, day, money, plural, wrap};

/// What a line of notes begins with.
const NOTE: &str = "! ";

impl Reconciliation {
    /// Tables no wider than `width`; `by` adds one of days, models, keys or projects.
    pub fn text(&self, by: Option<By>, width: usize) -> String {
        let each = self.providers.iter().map(|provider| provider.text(by, width));
        each.collect::<Vec<_>>().join("\n")
    }
}

impl Reconciled {
    fn text(&self, by: Option<By>, width: usize) -> String {
        let mut text = self.head();
        let causes = self.causes();
        if !causes.is_empty() {
            text.push('\n');
            table(&mut text, causes_table(&causes, self.paid), width);
        }
        for CauseSum { cause, why, .. } in &causes {
            let first = format!("{}: ", cause.name());
            let meaning = std::iter::once(cause.meaning());
            let shown = meaning.chain(why.iter().take(3).map(AsRef::as_ref));
            let more = why.len().saturating_sub(3);
            let rest = if more == 0 { String::new() } else { format!("; {more} more") };
            let told = shown.collect::<Vec<_>>().join("; ") + &rest;
            lines(&mut text, wrap(&first, "  ", &told, width));
        }
        if let Some(by) = by {
            text.push('\n');
            table(&mut text, shares_table(by, &self.shares(by)), width);
        }
        for note in &self.notes {
            lines(&mut text, wrap(NOTE, "  ", note, width));
        }
        text
    }

    fn head(&self) -> String {
        let Reconciled { provider, from, until, days, paid, computed, gap, calls, .. } = self;
        let from = from.map(day).unwrap_or_default();
        // The last day, not the moment after it.
        let last = until.map(|until| day(Time::from_millis(until.millis().saturating_sub(1))));
        let last = last.unwrap_or_default();
        let mut text = format!("{provider}  {from} to {last}, {} reported", plural(*days, "day"));
        if self.zone_minutes != 0 {
            let offset = scrimp_core::Span::from_minutes(self.zone_minutes);
            write!(text, ", which begin at midnight of {}", clock(offset)).expect("a string");
        }
        if !self.missing_days.is_empty() {
            let missing: Vec<&str> = self.missing_days.iter().map(String::as_str).take(5).collect();
            let more = self.missing_days.len().saturating_sub(5);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            write!(text, "; missing: {}{more}", missing.join(", ")).expect("a string");
        }
        let rests_on = match self.basis {
            Basis::Paid => "as charged",
            Basis::PartlyPaid => {
                "as charged; for days without costs, reported tokens at list price"
            }
            Basis::Listed => "reported tokens at list price: no report tells what was charged",
        };
        let explained = match self.explained_share() {
            Some(share) => format!("; {} explained", percent(share)),
            None => String::new(),
        };
        let calls = plural(*calls, "call");
        write!(
            text,
            "\n  {:<9}{:>10}  {rests_on}\n  {:<9}{:>10}  {calls} here\n  {:<9}{:>10}{explained}\n",
            "paid",
            dollars(*paid),
            "computed",
            dollars(*computed),
            "gap",
            change(*gap)
        )
        .expect("a string");
        text
    }
}

fn causes_table(causes: &[CauseSum], paid: Usd) -> Table {
    let mut table = Table::new("cause", causes.iter().map(|sum| sum.cause.name().into()).collect());
    let mut column = |title, rank, cell: &dyn Fn(&CauseSum) -> String| {
        table.column(title, rank, causes.iter().map(cell).collect());
    };
    let share = |sum: &CauseSum| match paid == Usd::ZERO {
        true => String::new(),
        false => percent(sum.usd.as_f64().abs() / paid.as_f64().abs()),
    };
    column("$", 0, &|sum| change(sum.usd));
    column("of paid", 1, &share);
    column("tokens", 3, &|sum| tokens(sum.input_tokens.saturating_add(sum.output_tokens)));
    column(
        "calls",
        4,
        &|sum| match (sum.calls, sum.input_tokens.saturating_add(sum.output_tokens)) {
            (Some(calls), _) => count(calls),
            // What is no tokens is no calls.
            (None, 0) => String::new(),
            (None, _) => "?".to_owned(),
        },
    );
    column("sure", 2, &|sum| sure(sum).to_owned());
    table
}

fn sure(sum: &CauseSum) -> &'static str {
    match (sum.cause, sum.confidence) {
        (Cause::Unexplained, _) => "",
        (_, Confidence::High) => "high",
        (_, Confidence::Medium) => "medium",
        (_, Confidence::Low) => "low",
    }
}

fn shares_table(by: By, shares: &[Share]) -> Table {
    let (first, none) = match by {
        By::Day => ("day", ""),
        By::Model => ("model", "no model"),
        By::Key => ("key", "no key"),
        By::Project => ("project", "no project"),
    };
    let name = |share: &Share| share.name.as_deref().unwrap_or(none).to_owned();
    let mut table = Table::new(first, shares.iter().map(name).collect());
    let mut column = |title, rank, cell: &dyn Fn(&Share) -> String| {
        table.column(title, rank, shares.iter().map(cell).collect());
    };
    column("calls", 2, &|share| count(share.calls));
    column("computed", 1, &|share| dollars(share.computed));
    column("total", 0, &|share| dollars(share.total));
    column("gap", 0, &|share| change(share.gap));
    column("basis", 3, &|share| match share.basis {
        Basis::Paid => "paid".to_owned(),
        Basis::PartlyPaid => "partly paid".to_owned(),
        Basis::Listed => "listed".to_owned(),
    });
    table
}

fn table(text: &mut String, table: Table, width: usize) {
    let (titles, rows) = table.lines(width);
    for line in [titles].iter().chain(&rows) {
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn lines(text: &mut String, lines: Vec<String>) {
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
}

fn dollars(usd: Usd) -> String {
    let sign = if usd < Usd::ZERO { "−" } else { "" };
    format!("{sign}${}", money(usd).trim_start_matches(['-', '>']))
}

/// With its sign.
fn change(usd: Usd) -> String {
    let sign = if Usd::ZERO < usd { "+" } else { "" };
    format!("{sign}{}", dollars(usd))
}

fn tokens(tokens: i64) -> String {
    match tokens {
        0 => String::new(),
        ..0 => format!("−{}", count(tokens.unsigned_abs())),
        _ => format!("+{}", count(tokens.unsigned_abs())),
    }
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        whole if 100.0 <= whole => "100%".to_owned(),
        percent => format!("{percent:.2}%"),
    }
}
