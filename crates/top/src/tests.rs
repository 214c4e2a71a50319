//! Pictures of what is drawn, as letters.

use expect_test::{Expect, expect};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use scrimp_core::{Span, Time};
use serde_json::{Value, json};

use crate::once::rows;
use crate::{Key, Look, News, Next, State, draw, text};

/// 2026-11-27 10:30:00 UTC
const NOW: Time = Time::from_secs(1_795_775_400);

fn sums(calls: u64, errors: u64, usd: &str) -> Value {
    json!({
        "calls": calls, "errors": errors, "unknown_usage_calls": 0, "unpriced_calls": 0,
        "usd": usd, "tokens": {
            "uncached": 1_200 * calls, "cache_read": 400 * calls, "cache_write_short": 0,
            "cache_write_long": 0, "output": 150 * calls, "reasoning": 0,
        },
        "latency_ms": { "mean": 900.0, "p50": 810.5, "p95": 2_400.0, "p99": 4_000.0 },
        "ttft_ms": { "mean": 300.0, "p50": 260.0, "p95": 900.0, "p99": 1_000.0 },
    })
}

fn named(mut sums: Value, names: &[(&str, &str)]) -> Value {
    for (key, name) in names {
        sums[*key] = json!(name);
    }
    sums
}

fn summary(settled: u64) -> Value {
    let mut unpriced = named(sums(2, 0, "0"), &[("provider", "local"), ("model", "own-model")]);
    (unpriced["usd"], unpriced["unpriced_calls"]) = (Value::Null, json!(2));
    let mut totals = sums(1_730, 12, "1.8734");
    totals["unpriced_calls"] = json!(2);
    let hour = |hours: i64, usd: &str| {
        let mut point = sums(100, 0, usd);
        point["at_ms"] = json!(NOW.floor(Span::from_hours(1)).millis() - hours * 3_600_000);
        point
    };
    json!({
        "window": { "from_ms": 0, "to_ms": NOW.millis(), "width_ms": 60_000 },
        "totals": totals,
        // Ten o'clock, midnight, and the hour before, which is yesterday.
        "series": [hour(11, "100"), hour(10, "3.1"), hour(0, "20")],
        "models": [
            named(sums(1_500, 2, "1.5"), &[("provider", "openai"), ("model", "gpt-4o-mini")]),
            named(sums(228, 10, "0.3734"), &[("provider", "anthropic"), ("model", "claude-haiku-4-5")]),
            unpriced,
        ],
        "operations": [
            named(sums(1_730, 12, "1.8734"), &[("name", "support-answer\u{1b}[2J")]),
        ],
        "health": {
            "version": "0.1.0", "uptime_s": 11_520, "observing": true, "bypass": false,
            "overhead_ms": { "mean": 0.2, "p50": 0.12, "p95": 0.41, "p99": 1.0 },
            "settled": settled, "in_flight": 8, "refused_config": null, "last_flush_error": null,
        },
    })
}

fn call(id: u32, status: u16) -> News {
    let call = json!({
        "id": format!("c{id}"), "at_ms": NOW.millis() - 4_000 - i64::from(id) * 60_000,
        "operation": "support-answer", "provider": "openai", "model": "gpt-4o-mini",
        "status": status, "usd": if status < 400 { json!("0.00123") } else { Value::Null },
        "tokens": if status < 400 { sums(1, 0, "0")["tokens"].clone() } else { Value::Null },
        "latency_ms": 812.0, "ttft_ms": null, "something_new": [1],
    });
    News::Call(Box::new(serde_json::from_value(call).unwrap()))
}

/// A gateway of which all is known.
fn known() -> State {
    let mut state = State::new("http://127.0.0.1:4100");
    let told = |settled| Box::new(serde_json::from_value(summary(settled)).unwrap());
    state.hear(News::Hour(told(1_000)), NOW - Span::from_secs(2));
    state.hear(News::Hour(told(1_025)), NOW);
    state.hear(News::Day(told(1_025)), NOW);
    state.hear(call(1, 200), NOW);
    state.hear(call(0, 429), NOW);
    state
}

fn drawn(state: &State, look: Look, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(state, NOW, look, frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().buffer().clone()
}

#[track_caller]
fn check(state: &State, (width, height): (u16, u16), expected: &Expect) {
    expected.assert_eq(&rows(&drawn(state, Look::Plain, width, height)));
}

fn press(state: &mut State, keys: &str) {
    for letter in keys.chars() {
        let key = match letter {
            '\t' => Key::Next,
            '\n' => Key::Enter,
            '↓' => Key::Down,
            letter => Key::Char(letter),
        };
        assert_eq!(state.press(key), Next::Go);
    }
}

#[test]
fn a_wide_terminal_shows_all() {
    check(
        &known(),
        (120, 24),
        &expect![[r#"
        scrimp top  http://127.0.0.1:4100  observing  up 3.2h  0.1.0
        calls       12.5/s  8 in flight         spend       $1.87+/h  $23.10 today      errors      0.7%  12 of 1,730
        latency     p50 810ms  p95 2.4s         first token p50 260ms  p95 900ms        overhead    p50 0.12ms  p95 0.41ms
        input       2.08M new, 692k cached      output      260k visible, 0 reasoning
        [Models]  Operations  Calls  last hour: 1,730 calls, 2 unpriced
        model                                              calls errors   spend/h   input  output cached     p50     p95   first
        openai/gpt-4o-mini                                 1,500   0.1%     $1.50   2.40M    225k    25%   810ms    2.4s   260ms
        anthropic/claude-haiku-4-5                           228   4.4%     $0.37    365k   34.2k    25%   810ms    2.4s   260ms
        local/own-model                                        2     0%         –   3,200     300    25%   810ms    2.4s   260ms





        Newest calls
           age operation                 model                                  status   input  output     spend latency   first
          4.0s support-answer            openai/gpt-4o-mini                        429       –       –         –   812ms       –
         64.0s support-answer            openai/gpt-4o-mini                        200   1,600     150   $0.0012   812ms       –





        q quit  Tab view  s sort: spend  / filter  p pause  ? help
    "#]],
    );
}

#[test]
fn a_usual_terminal_has_fewer_columns() {
    check(
        &known(),
        (80, 24),
        &expect![[r#"
        scrimp top  http://127.0.0.1:4100  observing  up 3.2h  0.1.0
        calls       12.5/s  8 in flight         spend       $1.87+/h  $23.10 today
        errors      0.7%  12 of 1,730           latency     p50 810ms  p95 2.4s
        first token p50 260ms  p95 900ms        overhead    p50 0.12ms  p95 0.41ms
        input       2.08M new, 692k cached      output      260k visible, 0 reasoning
        [Models]  Operations  Calls  last hour: 1,730 calls, 2 unpriced
        model                              calls errors   spend/h cached     p50     p95
        openai/gpt-4o-mini                 1,500   0.1%     $1.50    25%   810ms    2.4s
        anthropic/claude-haiku-4-5           228   4.4%     $0.37    25%   810ms    2.4s
        local/own-model                        2     0%         –    25%   810ms    2.4s




        Newest calls
           age operation        model                   status  output     spend latency
          4.0s support-answer   openai/gpt-4o-mini         429       –         –   812ms
         64.0s support-answer   openai/gpt-4o-mini         200     150   $0.0012   812ms





        q quit  Tab view  s sort: spend  / filter  p pause  ? help
    "#]],
    );
}

#[test]
fn a_narrow_and_a_short_terminal_keep_what_says_most() {
    check(
        &known(),
        (40, 12),
        &expect![[r#"
        scrimp top  http://127.0.0.1:4100  obser
        calls       12.5/s  8 in flight
        spend       $1.87+/h  $23.10 today
        errors      0.7%  12 of 1,730
        latency     p50 810ms  p95 2.4s
        [Models]  Operations  Calls  last hour:
        model                    calls   spend/h
        openai/gpt-4o-mini       1,500     $1.50
        anthropic/claude-haiku     228     $0.37
        local/own-model              2         –

        q quit  Tab view  s sort: spend  / filte
    "#]],
    );
    check(
        &known(),
        (80, 6),
        &expect![[r#"
        scrimp top  http://127.0.0.1:4100  observing  up 3.2h  0.1.0
        calls       12.5/s  8 in flight         spend       $1.87+/h  $23.10 today
        errors      0.7%  12 of 1,730           latency     p50 810ms  p95 2.4s
        first token p50 260ms  p95 900ms        overhead    p50 0.12ms  p95 0.41ms
        input       2.08M new, 692k cached      output      260k visible, 0 reasoning

    "#]],
    );
    check(
        &known(),
        (20, 3),
        &expect![[r#"
        scrimp top  http://1
        calls       12.5/s
        spend       $1.87+/
    "#]],
    );
}

#[test]
fn nothing_is_known_at_first() {
    check(
        &State::new("http://127.0.0.1:4100"),
        (80, 12),
        &expect![[r#"
        scrimp top  http://127.0.0.1:4100  waiting for the first figures




        [Models]  Operations  Calls
        model                              calls errors   spend/h cached     p50     p95




        q quit  Tab view  s sort: spend  / filter  p pause  ? help
    "#]],
    );
}

#[test]
fn no_size_is_too_small() {
    let mut state = known();
    for keys in ["", "\t", "\t", "?"] {
        press(&mut state, keys);
        for (width, height) in [0, 1, 5, 12, 13, 38, 77, 78, 117, 118].iter().flat_map(|width| {
            [0, 1, 2, 3, 5, 6, 7, 9, 10, 15, 22].iter().map(move |height| (*width, *height))
        }) {
            drawn(&state, Look::Colour, width, height);
        }
    }
}

#[test]
fn a_gateway_that_is_gone_is_told_with_the_last_figures() {
    let mut state = known();
    state.hear(News::Lost("connection refused".to_owned()), NOW - Span::from_secs(30));
    state.hear(News::Lost("connection refused".to_owned()), NOW - Span::from_secs(1));
    check(
        &state,
        (80, 7),
        &expect![[r#"
        gone for 30.0s, trying again: connection refused  scrimp top  http://127.0.0.1:4
        calls       –/s  8 in flight            spend       $1.87+/h  $23.10 today
        errors      0.7%  12 of 1,730           latency     p50 810ms  p95 2.4s
        first token p50 260ms  p95 900ms        overhead    p50 0.12ms  p95 0.41ms
        input       2.08M new, 692k cached      output      260k visible, 0 reasoning


    "#]],
    );
    let told = Box::new(serde_json::from_value(summary(3)).unwrap());
    state.hear(News::Hour(told), NOW);
    check(
        &state,
        (80, 3),
        &expect![[r#"
        scrimp top  http://127.0.0.1:4100  observing  up 3.2h  0.1.0
        calls       –/s  8 in flight            spend       $1.87+/h  $23.10 today
        errors      0.7%  12 of 1,730           latency     p50 810ms  p95 2.4s
    "#]],
    );
}

#[test]
fn a_held_picture_stays_and_loses_nothing() {
    let mut state = known();
    press(&mut state, "\t\tp");
    state.hear(call(2, 503), NOW);
    assert!(state.is_stopped());
    check(
        &state,
        (80, 10),
        &expect![[r#"
        paused  scrimp top  http://127.0.0.1:4100  observing  up 3.2h  0.1.0
        calls       12.5/s  8 in flight         spend       $1.87+/h  $23.10 today
        errors      0.7%  12 of 1,730           latency     p50 810ms  p95 2.4s
        first token p50 260ms  p95 900ms        overhead    p50 0.12ms  p95 0.41ms
        input       2.08M new, 692k cached      output      260k visible, 0 reasoning
        Models  Operations  [Calls]  last hour: 1,730 calls, 2 unpriced
           age operation        model                   status  output     spend latency
          4.0s support-answer   openai/gpt-4o-mini         429       –         –   812ms
         64.0s support-answer   openai/gpt-4o-mini         200     150   $0.0012   812ms
        q quit  Tab view  / filter  p go on  ? help
    "#]],
    );
    press(&mut state, "p");
    assert_eq!(state.calls().next().unwrap().status, 503);
}

#[test]
fn rows_are_sorted_filtered_and_selected() {
    let mut state = known();
    let names = |state: &State| {
        let groups = state.groups(crate::state::View::Models);
        groups.iter().map(|group| group.name.clone()).collect::<Vec<_>>()
    };
    let dearest = ["gpt-4o-mini", "claude-haiku-4-5", "own-model"];
    assert_eq!(names(&state), dearest);
    press(&mut state, "ss");
    assert_eq!(names(&state), ["claude-haiku-4-5", "gpt-4o-mini", "own-model"]);
    press(&mut state, "/OWN");
    check(
        &state,
        (80, 10),
        &expect![[r#"
        scrimp top  http://127.0.0.1:4100  observing  up 3.2h  0.1.0
        calls       12.5/s  8 in flight         spend       $1.87+/h  $23.10 today
        errors      0.7%  12 of 1,730           latency     p50 810ms  p95 2.4s
        first token p50 260ms  p95 900ms        overhead    p50 0.12ms  p95 0.41ms
        input       2.08M new, 692k cached      output      260k visible, 0 reasoning
        [Models]  Operations  Calls  only “OWN”  last hour: 1,730 calls, 2 unpriced
        model                              calls errors   spend/h cached     p50     p95
        local/own-model                        2     0%         –    25%   810ms    2.4s

        /OWN▏ Enter keeps, Esc clears
    "#]],
    );
    press(&mut state, "\n");
    assert_eq!(names(&state), ["own-model"]);
    assert_eq!(state.press(Key::Escape), Next::Go);
    press(&mut state, "↓↓↓");
    assert_eq!(state.selected, 2);
    let buffer = drawn(&state, Look::Plain, 80, 12);
    let reversed = |y: u16| buffer[(0, y)].modifier.contains(ratatui::style::Modifier::REVERSED);
    assert_eq!((0..12).filter(|y| reversed(*y)).collect::<Vec<_>>(), [9]);
    assert_eq!(state.press(Key::Char('q')), Next::Quit);
}

#[test]
fn the_filter_takes_letters_that_are_keys_elsewhere() {
    let mut state = known();
    press(&mut state, "/q");
    assert_eq!(state.filter, "q");
    assert_eq!(state.press(Key::Backspace), Next::Go);
    assert_eq!(state.filter, "");
}

#[test]
fn help_lies_above_the_picture_until_a_key() {
    let mut state = known();
    press(&mut state, "?");
    check(
        &state,
        (60, 18),
        &expect![[r#"
        scrimp top  http://127.0.0.1:4100  observing  up 3.2h  0.1.0
        call┌ any key closes ──────────────────────────────────┐
        spen│ q, Ctrl-C        leave                           │
        erro│ Tab, ← →         models, operations, calls       │
        late│ ↑ ↓ PgUp PgDn    another row; Home, End          │
        firs│ s                sort the tables by spend, calls │
        over│                  errors, p95 or name             │
        inpu│ /                only rows with a text in them;  │
        outp│                  Esc shows all again             │
        [Mod│ p, Space         hold the picture; go on         │npri
        mode│                                                  │ p95
        open│ Sums are of the last hour, by all calls.         │2.4s
        anth│ today: since midnight in UTC.                    │2.4s
        loca│ $1.20+: some calls had no known price or usage   │2.4s
            │ and are in no sum.   –: not known                │
            │ overhead: what the gateway adds to a call        │
            └──────────────────────────────────────────────────┘
        q quit  Tab view  s sort: spend  / filter  p pause  ? help
    "#]],
    );
    press(&mut state, "q");
    assert!(!state.is_helping);
}

#[test]
fn without_colours_nothing_has_one() {
    let state = known();
    let colours = |look| {
        let buffer = drawn(&state, look, 100, 24);
        let cells = buffer.content().iter();
        cells.filter(|cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset)).count()
    };
    assert_eq!((colours(Look::Plain), colours(Look::Text)), (0, 0));
    assert!(0 < colours(Look::Colour));
}

#[test]
fn calls_are_listed_once_and_old_ones_go() {
    let mut state = known();
    state.hear(call(0, 429), NOW);
    assert_eq!(state.calls().count(), 2);
    for id in 10..700 {
        state.hear(call(id, 200), NOW);
    }
    assert_eq!(state.calls().count(), 500);
}

#[test]
fn calls_that_are_not_listed_are_told_in_every_view_and_size() {
    let mut state = known();
    let told = |state: &State, height| {
        rows(&drawn(state, Look::Plain, 80, height)).matches("too fast to be listed").count()
    };
    assert_eq!(told(&state, 24), 0);
    state.hear(News::Missed, NOW);
    for keys in ["", "\t", "\t"] {
        press(&mut state, keys);
        assert_eq!((told(&state, 24), told(&state, 12)), (1, 1));
    }
    state.hear(News::Recent(Vec::new()), NOW);
    assert_eq!(told(&state, 24), 0);
}

#[test]
fn one_goes_up_from_the_row_that_is_shown_where_rows_have_gone() {
    for (key, at) in [(Key::Up, 1), (Key::PageUp, 0)] {
        let mut state = known();
        for id in 2..30 {
            state.hear(call(id, 200), NOW);
        }
        press(&mut state, "\t\t");
        assert_eq!((state.press(Key::End), state.selected), (Next::Go, 29));
        let News::Call(kept) = call(1, 200) else { unreachable!("a call") };
        state.hear(News::Recent(vec![*kept.clone(), *kept.clone(), *kept]), NOW);
        assert_eq!((state.press(key), state.selected), (Next::Go, at));
    }
}

#[test]
fn a_restarted_gateway_counts_anew() {
    let mut state = known();
    assert_eq!(state.shown().calls_per_second(), Some(12.5));
    let told = Box::new(serde_json::from_value(summary(3)).unwrap());
    state.hear(News::Hour(told), NOW + Span::from_secs(1));
    assert_eq!(state.shown().calls_per_second(), None);
}

#[test]
fn the_snapshot_is_plain_lines() {
    expect![[r#"
        last hour: 1,730 calls, 2 unpriced
        calls       12.5/s  8 in flight                   spend       $1.87+/h  $23.10 today
        errors      0.7%  12 of 1,730                     latency     p50 810ms  p95 2.4s
        first token p50 260ms  p95 900ms                  overhead    p50 0.12ms  p95 0.41ms
        input       2.08M new, 692k cached                output      260k visible, 0 reasoning

        model                                  calls errors   spend/h   input  output cached     p50     p95
        openai/gpt-4o-mini                     1,500   0.1%     $1.50   2.40M    225k    25%   810ms    2.4s
        anthropic/claude-haiku-4-5               228   4.4%     $0.37    365k   34.2k    25%   810ms    2.4s
        local/own-model                            2     0%         –   3,200     300    25%   810ms    2.4s

        operation                              calls errors   spend/h   input  output cached     p50     p95
        support-answer�[2J                     1,730   0.7%     $1.87   2.77M    260k    25%   810ms    2.4s

           age operation            model                           status   input  output     spend latency
          4.0s support-answer       openai/gpt-4o-mini                 429       –       –         –   812ms
         64.0s support-answer       openai/gpt-4o-mini                 200   1,600     150   $0.0012   812ms
    "#]].assert_eq(&text(&known(), NOW, 100));
}
