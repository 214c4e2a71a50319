//! The figures above the tables: a label and a value each, in as many columns as there is room for.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use scrimp_analysis::report::{count, money, span};
use scrimp_core::{Span, Usd};

use crate::draw::{Look, put};
use crate::state::{Heard, Today};
use crate::told::{Percentiles, Summary, Tokens};

/// A column is no narrower, as long as there are several.
const NARROWEST: u16 = 39;
const MOST_COLUMNS: u16 = 3;
const LABEL: u16 = 12;

/// What is not known.
pub(crate) const UNKNOWN: &str = "–";

/// A figure, and whether something is wrong with it.
struct Figure {
    label: &'static str,
    value: String,
    is_bad: bool,
}

/// How many lines all figures take.
pub(crate) fn lines(width: u16) -> u16 {
    8_u16.div_ceil(columns(width))
}

fn columns(width: u16) -> u16 {
    (width / NARROWEST).clamp(1, MOST_COLUMNS)
}

/// Draws as many as there is room for, the weightiest first.
pub(crate) fn draw(heard: &Heard, look: Look, area: Rect, buffer: &mut Buffer) {
    let columns = columns(area.width);
    let width = area.width / columns;
    for (place, figure) in (0_u16..).zip(figures(heard)) {
        let (x, y) = (area.x + place % columns * width, area.y + place / columns);
        if area.bottom() <= y {
            return;
        }
        let value = if figure.is_bad { look.bad() } else { look.strong() };
        let end = put(buffer, x, y, LABEL.min(width), figure.label, look.faint());
        let at = end.max(x + LABEL).min(x + width);
        put(buffer, at, y, (x + width).saturating_sub(at + 1), &figure.value, value);
    }
}

fn figures(heard: &Heard) -> Vec<Figure> {
    let Some(hour) = heard.hour.as_deref() else { return Vec::new() };
    let fine = |label, value| Figure { label, value, is_bad: false };
    let pace = heard.calls_per_second();
    let pace = pace.map_or_else(|| UNKNOWN.to_owned(), |pace| format!("{pace:.1}"));
    let tokens = hour.totals.tokens;
    vec![
        fine("calls", format!("{pace}/s  {} in flight", count(hour.health.in_flight))),
        fine("spend", spend(hour, heard.today)),
        errors(hour),
        fine("latency", percentiles(hour.totals.latency_ms)),
        fine("first token", percentiles(hour.totals.ttft_ms)),
        fine("overhead", percentiles(hour.health.overhead_ms)),
        fine("input", tokens.map_or_else(|| UNKNOWN.to_owned(), input)),
        fine("output", tokens.map_or_else(|| UNKNOWN.to_owned(), output)),
    ]
}

fn errors(hour: &Summary) -> Figure {
    let share = hour.totals.error_share();
    let share = share.map_or_else(|| UNKNOWN.to_owned(), percent);
    Figure {
        label: "errors",
        value: format!("{share}  {} of {}", count(hour.totals.errors), count(hour.totals.calls)),
        is_bad: 0 < hour.totals.errors,
    }
}

/// `$1.87/h  $23.10 today`
fn spend(hour: &Summary, today: Option<Today>) -> String {
    let more = |unpriced: u64| if unpriced == 0 { "" } else { "+" };
    let Today { usd, unpriced } = today.unwrap_or(Today { usd: None, unpriced: 0 });
    let totals = &hour.totals;
    format!(
        "{}{}/h  {}{} today",
        dollars(totals.usd),
        more(totals.unpriced_calls + totals.unknown_usage_calls),
        dollars(usd),
        more(unpriced)
    )
}

fn input(tokens: Tokens) -> String {
    let Tokens { uncached, cache_read, .. } = tokens;
    let written = match tokens.cache_written() {
        0 => String::new(),
        written => format!(", {} written", count(written)),
    };
    format!("{} new, {} cached{written}", count(uncached), count(cache_read))
}

fn output(tokens: Tokens) -> String {
    let Tokens { output, reasoning, .. } = tokens;
    format!("{} visible, {} reasoning", count(output), count(reasoning))
}

fn percentiles(told: Option<Percentiles>) -> String {
    let Percentiles { p50, p95 } = told.unwrap_or(Percentiles { p50: None, p95: None });
    format!("p50 {}  p95 {}", milliseconds(p50), milliseconds(p95))
}

pub(crate) fn dollars(usd: Option<Usd>) -> String {
    usd.map_or_else(|| UNKNOWN.to_owned(), |usd| format!("${}", money(usd)))
}

pub(crate) fn milliseconds(ms: Option<f64>) -> String {
    ms.map_or_else(|| UNKNOWN.to_owned(), |ms| span(Span::from_secs_f64(ms / 1e3)))
}

pub(crate) fn percent(share: f64) -> String {
    let digits = usize::from(0.0 < share && share < 0.0995);
    format!("{:.digits$}%", share * 100.0)
}
