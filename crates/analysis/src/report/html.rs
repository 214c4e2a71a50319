//! The report as one page for a browser: nothing is fetched, no script runs, and every foreign text
//! is escaped, so that a model named `<script>` is just a model with an odd name.

use std::fmt::Write as _;

use scrimp_core::price::Class;
use scrimp_core::{Span, Usd};

use super::chart::{self, Bar, escape};
use super::format::{count, date, days, money, percent, plural, span};
use super::text::{basis, range, share};
use super::{Analysis, Input, Reported};
use crate::findings::Finding;
use crate::profile::{ClassTotal, Durations, Hour, Operation, Profile, Stats};

const STYLE: &str = include_str!("style.css");
/// No more rows in a chart; the table behind it has all.
const MOST_ROWS: usize = 12;
/// No more columns in a chart over time.
const MOST_COLUMNS: usize = 60;

/// The page.
pub fn html(analysis: &Analysis) -> String {
    let profile = &analysis.profile;
    let sections = [
        summary(analysis),
        warnings(analysis),
        findings(analysis),
        spend(profile),
        by_operation(profile),
        latency(profile),
        latency_shape(&profile.totals.latency),
        models(profile),
        reported(&analysis.reported),
        inputs(&analysis.inputs),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>Scrimp: analysis</title><style>{STYLE}</style></head><body><main>\
         <h1>Scrimp: analysis</h1>{}</main></body></html>\n",
        sections.concat()
    )
}

fn summary(analysis: &Analysis) -> String {
    let Analysis { profile, .. } = analysis;
    let totals = &profile.totals;
    let cost = totals.usd.map_or("unknown".to_owned(), |usd| format!("${}", money(usd)));
    let month = profile.forecast.map_or_else(
        || {
            (
                "not extrapolated".to_owned(),
                "the records cover too little time, or no dates".to_owned(),
            )
        },
        |month| {
            let range = format!("{}\u{2013}{}", money(month.low), money(month.high));
            (
                format!("${}", money(month.usd_per_month)),
                format!("90% range {range}; from {}", days(month.days)),
            )
        },
    );
    let saving = analysis.together().map_or_else(
        || ("nothing found".to_owned(), "that a replay of these calls confirms".to_owned()),
        |together| {
            let (usd, per) = match together.usd_per_month {
                Some(month) => (month, "a month"),
                None => (together.usd, "on these calls"),
            };
            let share =
                together.share.map_or(String::new(), |share| format!(", {}", percent(share)));
            (format!("${}", money(usd.likely)), format!("{per}{share}; replayed"))
        },
    );
    let at = |q| totals.latency.quantile(q).map_or("?".to_owned(), span);
    let cards = [
        (
            "calls",
            count(totals.calls),
            format!("{} errors, {} truncated", count(totals.errors), count(totals.truncated)),
        ),
        ("cost", cost, format!("measured on {}", plural(totals.priced(), "call"))),
        ("a month", month.0, month.1),
        ("could be saved", saving.0, saving.1),
        (
            "latency p50 / p95",
            format!("{} / {}", at(0.5), at(0.95)),
            format!("of {}", plural(totals.latency.calls(), "answered call")),
        ),
        (
            "read from cache",
            totals.cached_share().map_or("?".to_owned(), percent),
            format!("of {} input tokens", count(totals.usage.input())),
        ),
    ];
    let card = |(name, value, note): (&str, String, String)| {
        format!(
            "<div class=\"card\"><h2>{name}</h2><b>{}</b><p>{}</p></div>",
            escape(&value),
            escape(&note)
        )
    };
    format!("<section class=\"cards\">{}</section>", join(cards.into_iter().map(card)))
}

fn warnings(analysis: &Analysis) -> String {
    let broken = analysis
        .inputs
        .iter()
        .filter_map(|input| Some(format!("{}: {}", input.path, input.error.as_ref()?)));
    let skipped = analysis.inputs.iter().filter(|input| 0 < input.skipped_lines).map(|input| {
        let lines = input.skipped.iter().take(5).map(|s| format!("line {}: {}", s.line, s.why));
        let lines: Vec<_> = lines.collect();
        format!(
            "{}: {} skipped ({})",
            input.path,
            plural(input.skipped_lines, "line"),
            lines.join("; ")
        )
    });
    let all: Vec<String> = analysis.notes.iter().cloned().chain(broken).chain(skipped).collect();
    if all.is_empty() {
        return String::new();
    }
    let items = join(all.iter().take(30).map(|text| format!("<li>{}</li>", escape(text))));
    format!("<section><h2>To be known</h2><ul class=\"notes\">{items}</ul></section>")
}

fn findings(analysis: &Analysis) -> String {
    let body = match analysis.findings.is_empty() {
        true => "<p>Nothing found that a replay of these calls confirms.</p>".to_owned(),
        false => join(analysis.findings.iter().map(finding)),
    };
    format!("<section><h2>Findings</h2>{body}</section>")
}

fn finding(finding: &Finding) -> String {
    let Finding { id, title, usd, usd_per_month, effort, risk, change, evidence, part_of, .. } =
        finding;
    let mut facts = Vec::new();
    if let Some(usd) = usd_per_month {
        facts.push(format!("${} a month", range(*usd)));
    }
    if let Some(usd) = usd {
        facts.push(format!("${} on these calls", range(*usd)));
    }
    facts.push(format!("{} on {}", basis(finding), plural(evidence.calls, "call")));
    facts.extend(part_of.iter().map(|whole| format!("part of {whole}, not in addition to it")));
    let mut more: Vec<String> = evidence.facts.clone();
    if let Some(hits) = evidence.hit_share {
        let before = hits.before.map_or("unknown".to_owned(), percent);
        more.push(format!("read from cache: {before} now, {} then", percent(hits.after)));
    }
    more.extend(evidence.example.iter().map(|example| {
        let (before, after) = (money(example.usd_before), money(example.usd_after));
        let tokens = count(example.input_tokens);
        format!("for example call {}: {tokens} tokens in, ${before} now, ${after} then", example.id)
    }));
    if change.is_some() {
        more.extend([format!("effort: {effort}"), format!("risk: {risk}")]);
    }
    let items = join(more.iter().map(|text| format!("<li>{}</li>", escape(text))));
    let change = change
        .as_ref()
        .map_or(String::new(), |change| format!("<pre>{}</pre>", escape_lines(change)));
    let (id, title) = (escape(id), escape(title));
    let facts = escape(&facts.join(" · "));
    let body = format!("<ul>{items}</ul>{change}{}", alternatives(finding));
    match part_of {
        None => format!("<article><h3>{id} {title}</h3><p>{facts}</p>{body}</article>"),
        Some(_) => format!(
            "<article><h3>{id} {title}</h3><p>{facts}</p>\
             <details><summary>More</summary>{body}</details></article>"
        ),
    }
}

/// What else was tried, beside what was chosen.
fn alternatives(finding: &Finding) -> String {
    let Some(usd) = finding.usd.filter(|_| !finding.evidence.tried.is_empty()) else {
        return String::new();
    };
    let mut all: Vec<(String, Usd, usize)> = vec![("this".to_owned(), usd.likely, 2)];
    all.extend(finding.evidence.tried.iter().map(|tried| (tried.policy.clone(), tried.usd, 0)));
    let bar = |(name, usd, colour): &(String, Usd, usize)| Bar {
        label: name.clone(),
        parts: vec![(*colour, usd.as_f64())],
        shown: format!("${}", money(*usd)),
    };
    let bars: Vec<Bar> = all.iter().map(bar).collect();
    let table = table(
        &["policy", "saves on these calls"],
        all.iter().map(|(name, usd, _)| vec![name.clone(), usd.to_string()]),
    );
    format!(
        "<p class=\"caption\">Saved on these calls, by policy</p>{}{table}",
        chart::rows("Saved by policy", &bars)
    )
}

fn spend(profile: &Profile) -> String {
    let Some((first, last)) = profile.hours.first().zip(profile.hours.last()) else {
        return String::new();
    };
    let hour = Span::from_hours(1);
    let hours = usize::try_from(last.at.since(first.at).nanos() / hour.nanos()).unwrap_or(0) + 1;
    let per_bar = hours.div_ceil(MOST_COLUMNS).max(1);
    let per_bar = if per_bar > 6 { per_bar.div_ceil(24) * 24 } else { per_bar };
    let mut sums = vec![(0_u64, 0_u64, Usd::ZERO); hours.div_ceil(per_bar)];
    for Hour { at, calls, errors, usd } in &profile.hours {
        let place =
            usize::try_from(at.since(first.at).nanos() / hour.nanos()).unwrap_or(0) / per_bar;
        let sum = &mut sums[place];
        *sum = (sum.0 + calls, sum.1 + errors, sum.2 + *usd);
    }
    let name = |place: usize| {
        let hours = i64::try_from(place * per_bar).unwrap_or(0);
        date(first.at + Span::from_hours(hours))
    };
    let bar = |(place, (_, _, usd)): (usize, &(u64, u64, Usd))| Bar {
        label: name(place),
        parts: vec![(0, usd.as_f64())],
        shown: format!("${}", money(*usd)),
    };
    let bars: Vec<Bar> = sums.iter().enumerate().map(bar).collect();
    let largest = sums.iter().map(|(_, _, usd)| *usd).max().unwrap_or_default();
    let ends = (name(0), name(sums.len().saturating_sub(1)));
    let top = format!("${} in {}", money(largest), hours_text(per_bar));
    let rows = sums.iter().enumerate().map(|(place, (calls, errors, usd))| {
        vec![name(place), count(*calls), count(*errors), usd.to_string()]
    });
    let table = table(&["from (UTC)", "calls", "errors", "usd"], rows);
    section(
        "Cost over time",
        "measured; priced calls only",
        &(chart::columns("Cost over time", &bars, &top, (&ends.0, &ends.1)) + &table),
    )
}

fn hours_text(hours: usize) -> String {
    match hours {
        24 => "a day".to_owned(),
        1 => "an hour".to_owned(),
        _ if hours.is_multiple_of(24) => format!("{} days", hours / 24),
        _ => format!("{hours} hours"),
    }
}

fn by_operation(profile: &Profile) -> String {
    let priced: Vec<&Operation> =
        profile.operations.iter().filter(|operation| operation.stats.usd.is_some()).collect();
    if priced.is_empty() {
        return String::new();
    }
    let bar = |operation: &&Operation| Bar {
        label: operation.name.to_string(),
        parts: operation
            .stats
            .classes()
            .iter()
            .map(|class| (colour(class), class.usd.as_f64()))
            .collect(),
        shown: format!("${}", money(operation.stats.known_usd())),
    };
    let bars: Vec<Bar> = priced.iter().take(MOST_ROWS).map(bar).collect();
    let classes = profile.totals.classes();
    let legend = join(classes.iter().map(|class| {
        format!("<span><i class=\"c{}\"></i>{}</span>", colour(class), class_name(class.class))
    }));
    let rows = priced.iter().flat_map(|operation| {
        operation.stats.classes().into_iter().map(|class| {
            vec![
                operation.name.to_string(),
                class_name(class.class).to_owned(),
                count(class.tokens),
                class.usd.to_string(),
            ]
        })
    });
    let table = table(&["operation", "tokens of", "tokens", "usd"], rows);
    let body = format!(
        "<p class=\"legend\">{legend}</p>{}{table}",
        chart::rows("Cost by operation and class of token", &bars)
    );
    let basis = format!("measured on {}", plural(profile.totals.priced(), "call"));
    section("Cost by operation and class of token", &basis, &body)
}

fn latency(profile: &Profile) -> String {
    let timed = |stats: &Stats| {
        let at = |q| stats.latency.quantile(q);
        Some([at(0.5)?, at(0.95)?, at(0.99)?])
    };
    let rows: Vec<(String, [Span; 3])> = profile
        .operations
        .iter()
        .filter_map(|operation| Some((operation.name.to_string(), timed(&operation.stats)?)))
        .take(MOST_ROWS)
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let legend = "<p class=\"legend\"><span><i class=\"c0\"></i>p50</span>\
                  <span><i class=\"c1\"></i>p95</span><span><i class=\"c2\"></i>p99</span></p>";
    let cells = profile.operations.iter().map(|Operation { name, stats, .. }| {
        let of = |durations: &Durations, q| durations.quantile(q).map_or("?".to_owned(), span);
        vec![
            name.to_string(),
            count(stats.latency.calls()),
            of(&stats.latency, 0.5),
            of(&stats.latency, 0.95),
            of(&stats.latency, 0.99),
            of(&stats.first_token, 0.5),
            of(&stats.first_token, 0.95),
            of(&stats.per_token, 0.5),
        ]
    });
    let table = table(
        &[
            "operation",
            "answered calls",
            "p50",
            "p95",
            "p99",
            "first token p50",
            "p95",
            "per token p50",
        ],
        cells,
    );
    let basis = format!(
        "measured on {} that say how long they took",
        plural(profile.totals.latency.calls(), "answered call")
    );
    section(
        "Latency by operation",
        &basis,
        &(legend.to_owned() + &chart::quantiles("Latency by operation", &rows) + &table),
    )
}

/// The distribution of all latencies: four columns for each doubling.
fn latency_shape(latency: &Durations) -> String {
    if latency.calls() < 20 {
        return String::new();
    }
    let mut bins: Vec<(i64, u64)> = Vec::new();
    for (upper, calls) in latency.histogram.bars() {
        let bin = bin_of(upper);
        match bins.last_mut() {
            Some((last, sum)) if *last == bin => *sum += calls,
            _ => {
                let from = bins.last().map_or(bin, |(last, _)| last + 1);
                bins.extend((from..bin).map(|empty| (empty, 0)));
                bins.push((bin, calls));
            }
        }
    }
    let bar = |(bin, calls): &(i64, u64)| Bar {
        label: format!("up to {}", span(upper_of(*bin))),
        parts: vec![(0, share(*calls, latency.calls()))],
        shown: plural(*calls, "call"),
    };
    let bars: Vec<Bar> = bins.iter().map(bar).collect();
    let largest = bins.iter().map(|(_, calls)| *calls).max().unwrap_or(0);
    let ends = (bins.first(), bins.last());
    let end = |bin: Option<&(i64, u64)>| bin.map_or(String::new(), |(bin, _)| span(upper_of(*bin)));
    let top = format!("{} ({})", plural(largest, "call"), percent(share(largest, latency.calls())));
    let table = table(
        &["up to", "calls"],
        bins.iter().map(|(bin, calls)| vec![span(upper_of(*bin)), count(*calls)]),
    );
    let chart = chart::columns("How long answers took", &bars, &top, (&end(ends.0), &end(ends.1)));
    let basis = format!("measured on {}; logarithmic", plural(latency.calls(), "answered call"));
    section("How long answers took", &basis, &(chart + &table))
}

#[expect(clippy::cast_possible_truncation, reason = "a logarithm is small")]
fn bin_of(upper: Span) -> i64 {
    (upper.as_secs_f64().max(1e-6).log2() * 4.0).ceil() as i64
}

#[expect(clippy::cast_precision_loss, reason = "a logarithm is small")]
fn upper_of(bin: i64) -> Span {
    Span::from_secs_f64(2_f64.powf(bin as f64 / 4.0))
}

fn models(profile: &Profile) -> String {
    let rows = profile.operations.iter().flat_map(|operation| {
        operation.models.iter().map(|model| {
            let stats = &model.stats;
            vec![
                operation.name.to_string(),
                match (&*model.provider, &*model.model) {
                    // A call that was refused went to nobody.
                    ("", "") => "–".to_owned(),
                    (provider, model) => format!("{provider}/{model}"),
                },
                count(stats.calls),
                count(stats.errors),
                stats.usd.map_or("unpriced".to_owned(), |usd| format!("${}", money(usd))),
                count(stats.usage.input()),
                count(stats.usage.total_output()),
                stats.cached_share().map_or("?".to_owned(), percent),
            ]
        })
    });
    let titles =
        ["operation", "model", "calls", "errors", "cost", "tokens in", "tokens out", "cached"];
    section("Models", "measured", &grid(&titles, rows))
}

fn reported(reported: &[Reported]) -> String {
    if reported.is_empty() {
        return String::new();
    }
    let lines = |one: &Reported| [vec![one.sentence()], one.limits()].concat();
    let items = reported.iter().flat_map(lines).map(|line| format!("<li>{}</li>", escape(&line)));
    let list = format!("<ul class=\"notes\">{}</ul>", join(items));
    section("Reported by providers", "sums, in none of the figures of calls", &list)
}

fn inputs(inputs: &[Input]) -> String {
    let rows = inputs.iter().take(1_000).map(|input| {
        let format = input.format.clone().unwrap_or_else(|| "not read".to_owned());
        vec![input.path.clone(), format, count(input.calls), count(input.skipped_lines)]
    });
    let table = table(&["input", "format", "calls", "skipped lines"], rows);
    format!(
        "<section><h2>Inputs</h2><p>{}</p>{table}</section>",
        plural(inputs.len() as u64, "input")
    )
}

fn section(title: &str, basis: &str, body: &str) -> String {
    format!("<section><h2>{title}</h2><p class=\"caption\">{}</p>{body}</section>", escape(basis))
}

/// A table behind a chart.
fn table(titles: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    format!("<details><summary>Table</summary>{}</details>", grid(titles, rows))
}

fn grid(titles: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut html = String::from("<div class=\"scroll\"><table><thead><tr>");
    for title in titles {
        write!(html, "<th scope=\"col\">{}</th>", escape(title))
            .expect("a string takes everything");
    }
    html += "</tr></thead><tbody>";
    for row in rows {
        html += "<tr>";
        for cell in row {
            write!(html, "<td>{}</td>", escape(&cell)).expect("a string takes everything");
        }
        html += "</tr>";
    }
    html + "</tbody></table></div>"
}

fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().concat()
}

fn colour(class: &ClassTotal) -> usize {
    match class.class {
        Some(Class::Uncached) => 0,
        Some(Class::CacheRead) => 3,
        Some(Class::CacheWriteShort) => 1,
        Some(Class::CacheWriteLong) => 4,
        Some(Class::Output) => 2,
        Some(Class::Reasoning) => 5,
        Some(Class::AudioInput | Class::ImageInput | Class::AudioOutput) => 6,
        None => 7,
    }
}

pub(super) fn class_name(class: Option<Class>) -> &'static str {
    match class {
        Some(Class::Uncached) => "uncached input",
        Some(Class::CacheRead) => "cache read",
        Some(Class::CacheWriteShort) => "cache write, short",
        Some(Class::CacheWriteLong) => "cache write, long",
        Some(Class::AudioInput) => "audio input",
        Some(Class::ImageInput) => "image input",
        Some(Class::Output) => "output",
        Some(Class::Reasoning) => "reasoning",
        Some(Class::AudioOutput) => "audio output",
        None => "not told apart",
    }
}
