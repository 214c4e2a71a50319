//! Charts as inline SVG: no script, nothing fetched, readable in print.
//!
//! Colours are classes (`c0` … `c9`) that the page's style sheet fills in for light and dark. Every
//! chart has a title for those who cannot see it, and the page puts a table behind it.

use std::fmt::Write as _;

use super::format::{fit, span};
use scrimp_core::Span;

const WIDTH: f64 = 720.0;
const LABEL: f64 = 170.0;
const VALUE: f64 = 90.0;
const ROW: f64 = 26.0;

/// One column or row of a chart.
pub(super) struct Bar {
    pub(super) label: String,
    /// Parts by colour, drawn one after the other.
    pub(super) parts: Vec<(usize, f64)>,
    /// What the bar amounts to, as text.
    pub(super) shown: String,
}

/// Text that is safe inside HTML and SVG, in elements and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// Rows of parts that lie beside each other.
pub(super) fn rows(title: &str, bars: &[Bar]) -> String {
    let largest = bars.iter().map(Bar::total).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let height = ROW * length(bars.len()) + 6.0;
    let mut svg = open(title, height);
    let room = WIDTH - LABEL - VALUE;
    for (at, bar) in bars.iter().enumerate() {
        let y = ROW * length(at) + 4.0;
        let mut x = LABEL;
        label(&mut svg, LABEL - 8.0, y + 14.0, "end", &fit(&bar.label, 24), "t");
        for (colour, value) in &bar.parts {
            let width = value.max(0.0) / largest * room;
            rect(&mut svg, (x, y), (width, ROW - 8.0), *colour, &bar.label);
            x += width;
        }
        label(&mut svg, x + 6.0, y + 14.0, "start", &bar.shown, "v");
    }
    svg + "</svg>"
}

/// Columns from left to right, with the largest value written at the top.
pub(super) fn columns(
    title: &str,
    bars: &[Bar],
    largest_shown: &str,
    ends: (&str, &str),
) -> String {
    let largest = bars.iter().map(Bar::total).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let (top, floor) = (20.0, 160.0);
    let mut svg = open(title, floor + 24.0);
    let step = WIDTH / length(bars.len().max(1));
    line(&mut svg, (0.0, top), (WIDTH, top), "g");
    line(&mut svg, (0.0, floor), (WIDTH, floor), "a");
    label(&mut svg, 0.0, top - 6.0, "start", largest_shown, "v");
    for (at, bar) in bars.iter().enumerate() {
        let mut y = floor;
        for (colour, value) in &bar.parts {
            let height = value.max(0.0) / largest * (floor - top);
            y -= height;
            let x = step * length(at) + step * 0.1;
            let hint = format!("{}: {}", bar.label, bar.shown);
            rect(&mut svg, (x, y), (step * 0.8, height), *colour, &hint);
        }
    }
    label(&mut svg, 0.0, floor + 16.0, "start", ends.0, "v");
    label(&mut svg, WIDTH, floor + 16.0, "end", ends.1, "v");
    svg + "</svg>"
}

/// One row for each name: its median, 95th and 99th percentile on a logarithmic axis.
pub(super) fn quantiles(title: &str, rows: &[(String, [Span; 3])]) -> String {
    let all = rows.iter().flat_map(|(_, at)| at).map(|length| log10(*length));
    let (low, high) = all.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
    let (low, high) = ((low - 0.05).floor(), (high + 0.05).ceil());
    let room = WIDTH - LABEL - 20.0;
    let x = |at: f64| LABEL + (at - low) / (high - low).max(1.0) * room;
    let height = ROW * length(rows.len()) + 26.0;
    let mut svg = open(title, height);
    let mut tick = low;
    while tick <= high {
        line(&mut svg, (x(tick), 0.0), (x(tick), height - 20.0), "g");
        let text = span(Span::from_secs_f64(10_f64.powf(tick)));
        label(&mut svg, x(tick), height - 4.0, "middle", &text, "v");
        tick += 1.0;
    }
    for (at, (name, quantiles)) in rows.iter().enumerate() {
        let y = ROW * length(at) + 14.0;
        label(&mut svg, LABEL - 8.0, y + 4.0, "end", &fit(name, 24), "t");
        let [p50, p95, p99] = quantiles.map(|length| x(log10(length)));
        line(&mut svg, (p50, y), (p99, y), "w");
        for (colour, (cx, length)) in [p50, p95, p99].into_iter().zip(quantiles).enumerate() {
            let name = ["p50", "p95", "p99"][colour];
            let hint = escape(&format!("{name} {}", span(*length)));
            write!(svg, r#"<circle class="c{colour}" cx="{cx:.1}" cy="{y:.1}" r="5"><title>{hint}</title></circle>"#)
                .expect("a string takes everything");
        }
    }
    svg + "</svg>"
}

impl Bar {
    fn total(&self) -> f64 {
        self.parts.iter().map(|(_, value)| value.max(0.0)).sum()
    }
}

fn open(title: &str, height: f64) -> String {
    let title = escape(title);
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {height:.0}" role="img" aria-label="{title}"><title>{title}</title>"#
    )
}

fn rect(
    svg: &mut String,
    (x, y): (f64, f64),
    (width, height): (f64, f64),
    colour: usize,
    hint: &str,
) {
    let hint = escape(hint);
    write!(
        svg,
        r#"<rect class="c{colour}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"><title>{hint}</title></rect>"#
    )
    .expect("a string takes everything");
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
    write!(svg, r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#)
        .expect("a string takes everything");
}

fn label(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str, class: &str) {
    let text = escape(text);
    write!(
        svg,
        r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
    )
    .expect("a string takes everything");
}

fn log10(length: Span) -> f64 {
    length.as_secs_f64().max(1e-4).log10()
}

#[expect(clippy::cast_precision_loss, reason = "positions on a chart")]
fn length(count: usize) -> f64 {
    count as f64
}
