//! The report for a terminal: what matters first, never wider than it.

use std::fmt::Write as _;

use super::format::{count, days, fit, money, percent, plural, span, wrap};
use super::table::Table;
use super::{Analysis, Input};
use crate::findings::{Finding, Range};
use crate::profile::{Calendar, Operation, Profile, Stats};
use crate::replay::Basis;

/// Whether the terminal takes colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Bold and dim.
    Colour,
    /// Nothing but characters.
    Plain,
}

/// The most operations and models that are listed.
const MOST_ROWS: usize = 12;
/// The most findings that are listed.
const MOST_FINDINGS: usize = 8;
/// The most skipped lines that are shown with their reasons.
const MOST_SKIPPED: usize = 5;
const NARROWEST: usize = 40;
const WIDEST: usize = 100;

/// The report, for a terminal of `width` columns.
pub fn text(analysis: &Analysis, width: usize, paint: Paint) -> String {
    let full = width.max(NARROWEST);
    let mut page = Page { out: String::new(), width: full.min(WIDEST), full, paint };
    page.head(analysis);
    page.warnings(analysis);
    page.reported(analysis);
    if 0 < analysis.profile.totals.calls {
        page.operations(&analysis.profile);
        page.models(&analysis.profile);
        page.worth_doing(analysis);
        page.noticed(analysis);
    }
    page.out
}

struct Page {
    out: String,
    /// For sentences, which read badly in long lines.
    width: usize,
    /// For tables.
    full: usize,
    paint: Paint,
}

impl Page {
    fn line(&mut self, text: &str) {
        let text = fit(text, self.full);
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn styled(&mut self, code: &str, text: &str) {
        let text = fit(text, self.full);
        match self.paint {
            Paint::Plain => writeln!(self.out, "{}", text.trim_end()),
            Paint::Colour => writeln!(self.out, "\u{1b}[{code}m{}\u{1b}[0m", text.trim_end()),
        }
        .expect("a string takes everything");
    }

    /// A sentence, broken between words.
    fn wrapped(&mut self, first: &str, rest: &str, text: &str) {
        for line in wrap(first, rest, text, self.width) {
            self.line(&line);
        }
    }

    fn head(&mut self, analysis: &Analysis) {
        let Analysis { inputs, profile, .. } = analysis;
        let totals = &profile.totals;
        let read = inputs.iter().filter(|input| input.error.is_none()).count();
        let mut facts = vec![plural(read as u64, "file"), plural(totals.calls, "call")];
        facts.extend(match (profile.period, profile.calendar) {
            (None, _) => None,
            (Some(_), Calendar::Relative) => Some(format!("{} (relative times)", covered(profile))),
            (Some(_), Calendar::Real) => Some(covered(profile)),
        });
        self.line(&facts.join(", "));
        if totals.calls == 0 {
            return;
        }
        let money = match (totals.usd, profile.forecast) {
            (None, _) => "cost unknown".to_owned(),
            (Some(usd), None) => format!("${}", money(usd)),
            (Some(usd), Some(month)) => format!(
                "${} = ${}/month ({}\u{2013}{})",
                money(usd),
                money(month.usd_per_month),
                money(month.low),
                money(month.high)
            ),
        };
        let unpriced = format!("unpriced {}", count(totals.unpriced));
        let unknown = format!("unknown usage {}", count(totals.unknown_usage));
        let errors = format!("errors {}", percent(share(totals.errors, totals.calls)));
        let line = [&*money, &*unpriced, &*unknown, &*errors].join("   ");
        if line.chars().count() <= self.width {
            self.styled("1", &line);
        } else {
            self.styled("1", &money);
            self.wrapped("", "", &[unpriced, unknown, errors].join(", "));
        }
        self.wrapped("", "", &rests_on(totals));
    }

    fn warnings(&mut self, analysis: &Analysis) {
        for note in &analysis.notes {
            self.wrapped("! ", "  ", note);
        }
        let unread = analysis.inputs.iter().filter(|input| input.error.is_some());
        for input in unread.clone().take(MOST_SKIPPED) {
            let Input { path, error, .. } = input;
            for (at, part) in error.as_deref().unwrap_or_default().lines().enumerate() {
                match at {
                    0 => self.wrapped("! ", "  ", &format!("{path}: {part}")),
                    _ => self.wrapped("    ", "      ", part),
                }
            }
        }
        let more = unread.count().saturating_sub(MOST_SKIPPED) as u64;
        if 0 < more {
            self.line(&format!("! and {} more that could not be read", plural(more, "file")));
        }
        let skipped: u64 = analysis.inputs.iter().map(|input| input.skipped_lines).sum();
        if skipped == 0 {
            return;
        }
        self.line(&format!("! {} skipped:", plural(skipped, "line")));
        let lines = analysis.inputs.iter().flat_map(|input| {
            let line = |skipped: &super::SkippedLine| {
                format!("{}:{}: {}", input.path, skipped.line, skipped.why)
            };
            input.skipped.iter().map(line)
        });
        for line in lines.take(MOST_SKIPPED) {
            self.wrapped("    ", "      ", &line);
        }
        let more = skipped.saturating_sub(MOST_SKIPPED as u64);
        if 0 < more {
            self.line(&format!("    and {} more (--json has them)", count(more)));
        }
    }

    /// What providers report, apart from everything that was counted call by call.
    fn reported(&mut self, analysis: &Analysis) {
        if analysis.reported.is_empty() {
            return;
        }
        self.line("");
        self.styled("2", "reported by providers: sums, not among the calls");
        for reported in &analysis.reported {
            self.wrapped("", "  ", &reported.sentence());
            for limit in reported.limits() {
                self.wrapped("! ", "  ", &limit);
            }
        }
    }

    fn operations(&mut self, profile: &Profile) {
        let rows = profile
            .operations
            .iter()
            .map(|Operation { name, stats, .. }| (name.to_string(), stats));
        let rows: Vec<_> = rows.collect();
        let shown = &rows[..rows.len().min(MOST_ROWS)];
        self.table(Table::of_stats("operation", shown, profile), rows.len());
        self.table(Table::of_classes("operation", shown, profile), rows.len());
    }

    fn models(&mut self, profile: &Profile) {
        let mut models: Vec<(String, Stats)> = Vec::new();
        for model in profile.operations.iter().flat_map(|operation| &operation.models) {
            let name = model.model.to_string();
            match models.iter_mut().find(|(known, _)| *known == name) {
                Some((_, stats)) => stats.merge(&model.stats),
                None => models.push((name, model.stats.clone())),
            }
        }
        models.sort_by_key(|(_, stats)| std::cmp::Reverse((stats.usd, stats.calls)));
        let rows: Vec<_> = models.iter().map(|(name, stats)| (name.clone(), stats)).collect();
        let shown = &rows[..rows.len().min(MOST_ROWS)];
        self.table(Table::of_stats("model", shown, profile), rows.len());
    }

    fn table(&mut self, table: Table, all: usize) {
        // Names alone say nothing.
        if table.is_bare() {
            return;
        }
        let (titles, rows) = table.lines(self.full);
        self.line("");
        self.styled("2", &titles);
        for row in &rows {
            self.line(row);
        }
        let hidden = all - rows.len();
        if 0 < hidden {
            self.styled("2", &format!("and {hidden} more (--json has them)"));
        }
    }

    fn worth_doing(&mut self, analysis: &Analysis) {
        let findings = &analysis.findings;
        let applicable: Vec<&Finding> =
            findings.iter().filter(|finding| finding.change.is_some()).collect();
        self.line("");
        if applicable.is_empty() {
            self.wrapped("", "", "worth doing: nothing found that the replay confirms");
            return;
        }
        let is_monthly = analysis.profile.forecast.is_some();
        let unit = if is_monthly { "$/month" } else { "$ on these calls" };
        self.styled("2", &format!("worth doing: {unit} (90% range)"));
        for finding in applicable.iter().take(MOST_FINDINGS) {
            let amount = if is_monthly { finding.usd_per_month } else { finding.usd };
            let amount = amount.map_or("?".to_owned(), range);
            let indent = if finding.part_of.is_some() { "  " } else { "" };
            let tail = format!("  {amount}  {}", basis(finding));
            let head = format!("{indent}{:<3} {}", finding.id, finding.title);
            let room = self.width.saturating_sub(tail.chars().count());
            if head.chars().count() <= room {
                self.line(&format!("{head:<room$}{tail}"));
                continue;
            }
            self.wrapped(&format!("{indent}{:<3} ", finding.id), "    ", &finding.title);
            self.line(&format!("{:>width$}", tail.trim_start(), width = self.width));
        }
        let hidden = applicable.len().saturating_sub(MOST_FINDINGS);
        if 0 < hidden {
            self.styled("2", &format!("and {hidden} more (--json has them)"));
        }
        self.together(analysis);
        self.details(applicable[0]);
    }

    fn together(&mut self, analysis: &Analysis) {
        let Some(together) = analysis.together().filter(|_| 1 < analysis.applicable()) else {
            return;
        };
        let amount = range(together.usd_per_month.unwrap_or(together.usd));
        let share = together.share.map_or(String::new(), |share| format!(" ({})", percent(share)));
        self.wrapped("", "  ", &format!("together {amount}{share}, overlap removed"));
    }

    /// What the first finding rests on; the others' details are in `--json` and `--html`.
    fn details(&mut self, finding: &Finding) {
        let evidence = &finding.evidence;
        let mut facts = vec![format!("over {}", plural(evidence.calls, "call"))];
        if let Some(hits) = evidence.hit_share {
            let before = hits.before.map_or("unknown".to_owned(), percent);
            facts.push(format!("read from cache: {before} now, {} then", percent(hits.after)));
        }
        self.wrapped(&format!("{} ", finding.id), "   ", &facts.join("; "));
        for fact in &evidence.facts {
            self.wrapped("   ", "   ", fact);
        }
        for line in finding.change.as_deref().unwrap_or_default().lines() {
            self.line(&format!("   + {line}"));
        }
    }

    fn noticed(&mut self, analysis: &Analysis) {
        let noticed: Vec<_> = analysis.findings.iter().filter(|f| f.change.is_none()).collect();
        if noticed.is_empty() {
            return;
        }
        self.line("");
        let is_measured = noticed.iter().all(|finding| finding.basis == Basis::Measured);
        self.styled("2", if is_measured { "noticed: measured" } else { "noticed" });
        for finding in noticed {
            self.wrapped(&format!("{:<3} ", finding.id), "    ", &finding.title);
            let a_month = finding.usd_per_month.map(|usd| (usd, "a month"));
            if let Some((usd, per)) = a_month.or(finding.usd.map(|usd| (usd, "on these calls"))) {
                let amount = format!("${} {per}, {}", range(usd), basis(finding));
                self.wrapped("    ", "    ", &amount);
            }
            for fact in &finding.evidence.facts {
                self.wrapped("    ", "    ", fact);
            }
        }
    }
}

fn covered(profile: &Profile) -> String {
    match profile.covers().as_secs_f64() / 86_400.0 {
        ..1.0 => span(profile.covers()),
        covered => days(covered),
    }
}

fn rests_on(totals: &Stats) -> String {
    let tokens = &totals.usage;
    let mut text = format!(
        "measured: cost of {} calls, latency of {}; {} tokens in, {} out",
        count(totals.priced()),
        count(totals.latency.calls()),
        count(tokens.input()),
        count(tokens.total_output()),
    );
    if 0 < totals.suspect {
        let calls = count(totals.suspect);
        write!(text, "; {calls} told token counts that cannot be, which are left out")
            .expect("a string takes everything");
    }
    if 0 < totals.estimated_usage {
        let calls = count(totals.estimated_usage);
        write!(text, "; usage estimated in part of {calls}").expect("a string takes everything");
    }
    text
}

pub(super) fn range(range: Range) -> String {
    let Range { low, likely, high } = range;
    match low.zip(high) {
        Some((low, high)) => format!("{} ({}\u{2013}{})", money(likely), money(low), money(high)),
        None => format!("{} (?)", money(likely)),
    }
}

pub(super) fn basis(finding: &Finding) -> &'static str {
    match finding.basis {
        Basis::Measured => "measured",
        Basis::Replayed => "replayed",
        Basis::Modelled => "modelled",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
