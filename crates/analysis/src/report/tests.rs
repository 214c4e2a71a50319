//! What a report shows of one analysis, in each of its forms.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

use std::sync::Arc;

use expect_test::{Expect, expect};
use scrimp_core::Metering;

use super::{Analysis, Input, Paint, SkippedLine, html, text};
use crate::findings::{Study, find};
use crate::profile::{Calendar, Profile};
use crate::replay::{Reading, Trace};
use crate::testing::{Sketch, entry, prices};

fn analysis(sketches: &[Sketch], calendar: Calendar) -> Analysis {
    let entries: Vec<_> = sketches.iter().map(entry).collect();
    let prices = prices();
    let profile =
        Profile::of(entries.iter().map(|entry| &entry.record), Arc::clone(&prices), calendar);
    let trace = Trace::from_entries(entries.clone());
    let study =
        Study { profile: &profile, trace: &trace, prices: &prices, reading: Reading::Covers };
    let findings = find(&study);
    let inputs = vec![
        Input {
            format: Some("scrimp".to_owned()),
            calls: entries.len() as u64,
            skipped_lines: 1,
            skipped: vec![SkippedLine { line: 7, why: "it breaks off after 55 bytes".to_owned() }],
            ..Input::new("logs/a.jsonl".to_owned())
        },
        Input {
            error: Some("it is none of the known formats".to_owned()),
            ..Input::new("logs/LICENSE".to_owned())
        },
    ];
    Analysis {
        inputs,
        reported: Vec::new(),
        profile,
        findings,
        notes: vec!["costs are those without caching".to_owned()],
    }
}

/// Two days: conversations that repeat themselves, and an operation with an odd model.
fn two_days() -> Vec<Sketch> {
    let turn = |session: i64, turn: i64| Sketch {
        at_s: session * 7_000 + turn * 120,
        operation: "support-answer",
        session: Some(session),
        prompt: [(1, 3_000)]
            .into_iter()
            .chain((0..=turn).map(|turn| (session * 100 + turn + 10, 800)))
            .collect(),
        took_ms: 900 + 40 * turn,
        ..Sketch::default()
    };
    let mut calls: Vec<_> =
        (0..25).flat_map(|session| (0..8).map(move |at| turn(session, at))).collect();
    calls.push(Sketch {
        operation: "\"><img src=x onerror=alert(1)>",
        model: "<script>alert(1)</script>",
        ..Sketch::default()
    });
    calls
}

fn check(sketches: &[Sketch], calendar: Calendar, width: usize, expected: &Expect) {
    let text = text(&analysis(sketches, calendar), width, Paint::Plain);
    for line in text.lines() {
        assert!(line.chars().count() <= width, "{line}");
    }
    expected.assert_eq(&text);
}

#[test]
fn a_terminal_of_the_usual_width() {
    check(
        &two_days(),
        Calendar::Real,
        80,
        &expect![[r#"
            1 file, 201 calls, 2.0 days
            $6.85 = $106.69/month (102.10–112.08)   unpriced 1   unknown usage 0   errors 0%
            measured: cost of 200 calls, latency of 201; 1.32M tokens in, 10.1k out
            ! costs are those without caching
            ! logs/LICENSE: it is none of the known formats
            ! 1 line skipped:
                logs/a.jsonl:7: it breaks off after 55 bytes

            operation                       calls  errors    p50    p95  $/month  cached
            support-answer                    200       0   1.0s   1.2s   106.69      0%
            "><img src=x onerror=alert(1)>      1       0  995ms  995ms        ?      0%

            operation                       uncached input  $/month  output  $/month
            support-answer                           1.32M   102.80   10.0k     3.89
            "><img src=x onerror=alert(1)>             100        ?      50        ?

            model                      calls  errors    p50    p95    p99  $/month  cached
            claude-test                  200       0   1.0s   1.2s   1.2s   106.69      0%
            <script>alert(1)</script>      1       0  995ms  995ms  995ms        ?      0%

            worth doing: $/month (90% range)
            F1  short cache mark at the prompt's end, all calls
                                                               71.47 (68.39–75.08)  replayed
              F2  short cache mark at the prompt's end, support-answer
                                                               71.47 (68.39–75.08)  replayed
            together 71.47 (68.39–75.08) (67%), overlap removed
            F1 over 200 calls; read from cache: 0% now, 82% then
               200 calls with both bills replayed by the provider's published cache rules
               + [prompt_cache]
               + state = "on"
               + strategy = "tail"
               + ttl = "short"

            noticed: measured
            N1  no price for anthropic/<script>alert(1)</script>: 1 call in no sum
                1 call with 100 input tokens
                a price of your own in the configuration's prices counts from the next run
        "#]],
    );
}

#[test]
fn a_wide_terminal_has_every_figure_and_refused_calls_are_of_no_model() {
    let mut calls = two_days();
    calls.truncate(200);
    let unknown = Some(Metering::UNKNOWN);
    let refused = Sketch { model: "", metering: unknown, operation: "chat", ..Sketch::default() };
    calls.push(refused);
    let text = text(&analysis(&calls, Calendar::Real), 140, Paint::Plain);
    let tables: Vec<&str> = text.split("\n\n").skip(1).take(3).collect();
    expect![[r#"
        operation       calls  errors  mean    p50    p95    p99    max  $/month  cached
        support-answer    200       0  1.0s   1.0s   1.2s   1.2s   1.2s   106.69      0%
        chat                1       0  1.0s  995ms  995ms  995ms  995ms        ?       ?

        operation       uncached input  $/month  output  $/month
        support-answer           1.32M   102.80   10.0k     3.89
        chat                         ?        ?       ?        ?

        model        calls  errors  mean    p50    p95    p99    max  $/month  cached
        claude-test    200       0  1.0s   1.0s   1.2s   1.2s   1.2s   106.69      0%
        –                1       0  1.0s  995ms  995ms  995ms  995ms        ?       ?"#]]
    .assert_eq(&tables.join("\n\n"));
}

#[test]
fn a_narrow_terminal_loses_columns_and_no_figures() {
    check(
        &two_days(),
        Calendar::Relative,
        44,
        &expect![[r#"
            1 file, 201 calls, 2.0 days (relative times)
            $6.85
            unpriced 1, unknown usage 0, errors 0%
            measured: cost of 200 calls, latency of 201;
            1.32M tokens in, 10.1k out
            ! costs are those without caching
            ! logs/LICENSE: it is none of the known
              formats
            ! 1 line skipped:
                logs/a.jsonl:7: it breaks off after 55
                  bytes

            operation                 calls    p95     $
            support-answer              200   1.2s  6.85
            "><img src=x onerror=al…      1  995ms     ?

            operation               uncached input     $
            support-answer                   1.32M  6.60
            "><img src=x onerror=…             100     ?

            model                     calls    p95     $
            claude-test                 200   1.2s  6.85
            <script>alert(1)</scrip…      1  995ms     ?

            worth doing: $ on these calls (90% range)
            F1  short cache mark at the prompt's end,
                all calls
                              4.59 (4.59–4.59)  replayed
              F2  short cache mark at the prompt's end,
                support-answer
                              4.59 (4.59–4.59)  replayed
            together 4.59 (4.59–4.59) (67%), overlap
              removed
            F1 over 200 calls; read from cache: 0% now,
               82% then
               200 calls with both bills replayed by the
               provider's published cache rules
               + [prompt_cache]
               + state = "on"
               + strategy = "tail"
               + ttl = "short"

            noticed: measured
            N1  no price for
                anthropic/<script>alert(1)</script>: 1
                call in no sum
                1 call with 100 input tokens
                a price of your own in the
                configuration's prices counts from the
                next run
        "#]],
    );
}

#[test]
fn nothing_read_is_told_and_not_divided_by() {
    check(
        &[],
        Calendar::Real,
        80,
        &expect![[r#"
            1 file, 0 calls
            ! costs are those without caching
            ! logs/LICENSE: it is none of the known formats
            ! 1 line skipped:
                logs/a.jsonl:7: it breaks off after 55 bytes
        "#]],
    );
    assert!(html(&analysis(&[], Calendar::Real)).contains("</html>"));
}

#[test]
fn colour_is_only_used_when_it_is_wanted() {
    let analysis = analysis(&two_days(), Calendar::Real);
    assert!(!text(&analysis, 80, Paint::Plain).contains('\u{1b}'));
    assert!(text(&analysis, 80, Paint::Colour).contains('\u{1b}'));
}

#[test]
fn a_page_fetches_nothing_runs_nothing_and_keeps_foreign_text_text() {
    let page = html(&analysis(&two_days(), Calendar::Real));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "the name is shown");
    for forbidden in [
        "<script", "<img", "<link", "<iframe", "src=\"", "href=", "url(", "http:", "https:",
        "@import",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    assert!(4 <= page.matches("<svg").count(), "charts");
    assert!(page.matches("<svg").count() <= page.matches("<table").count(), "a table behind each");
}

#[test]
fn json_has_the_names_that_scripts_rest_on() {
    let json = serde_json::to_value(analysis(&two_days(), Calendar::Real)).unwrap();
    let has = |path: &str| {
        assert!(json.pointer(path).is_some(), "{path} is missing");
        json.pointer(path).unwrap()
    };
    for path in [
        "/inputs/0/path",
        "/totals/calls",
        "/totals/errors",
        "/totals/usd",
        "/totals/unpriced_calls",
        "/totals/tokens/uncached",
        "/totals/tokens/cache_read",
        "/totals/tokens/cache_write_short",
        "/totals/tokens/cache_write_long",
        "/totals/tokens/output",
        "/totals/tokens/reasoning",
        "/operations/0/name",
        "/operations/0/kind",
        "/operations/0/count",
        "/operations/0/errors",
        "/operations/0/latency_ms/mean",
        "/operations/0/latency_ms/p50",
        "/operations/0/latency_ms/p95",
        "/operations/0/latency_ms/p99",
        "/operations/0/latency_ms/max",
        "/operations/0/ttft_ms",
        "/operations/0/tpot_ms",
        "/operations/0/critical_path_ms",
        "/findings/0/id",
        "/findings/0/title",
        "/findings/0/basis",
        "/findings/0/usd_per_month/low",
        "/findings/0/usd_per_month/likely",
        "/findings/0/usd_per_month/high",
        "/findings/0/latency_ms",
        "/findings/0/effort",
        "/findings/0/risk",
        "/findings/0/change",
        "/findings/0/evidence/calls",
    ] {
        has(path);
    }
    assert!(has("/totals/usd").as_str().unwrap().parse::<scrimp_core::Usd>().is_ok());
    assert!(has("/operations/0/ttft_ms").is_null(), "unknown is null");
    assert!(has("/operations/1/usd").is_null(), "unpriced is null");
    assert_eq!(has("/findings/0/basis"), "replayed");
}
