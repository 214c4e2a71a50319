//! Scenarios: what happens at which millisecond, and what the flight does about it.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::call::{Call, CallId, Caller, Delivery, Dialect, Digest, Parameters};
use crate::policy::hedge::Hedge;
use crate::price::{Card, Rates, Tier};
use crate::record::Refusal;
use crate::usage::Usage;

/// What a scripted provider does with a request, in milliseconds after it was sent.
#[derive(Clone, Copy, Debug)]
enum Script {
    /// A head with this status, then the end of the body.
    Answers { head: i64, status: u16, end: i64 },
    /// A failure before the head.
    Fails { at: i64, fault: Fault },
    /// A head, then a failure.
    Breaks { head: i64, at: i64 },
    /// Nothing, ever.
    Hangs,
}

fn call() -> Arc<Call> {
    Arc::new(Call {
        id: CallId(1),
        seed: 1,
        arrived: Time::from_secs(1_000),
        dialect: Dialect::OpenaiChat,
        provider: "openai".into(),
        model: "gpt".into(),
        operation: "chat".into(),
        caller: Caller::default(),
        delivery: Delivery::Stream,
        parameters: Parameters {
            max_output_tokens: None,
            temperature_permille: None,
            answers: 1,
            usage_in_stream: true,
            client_cache_options: false,
            digest: Digest::default(),
            rendered: None,
        },
        prompt: Vec::new(),
        body_bytes: 2,
    })
}

fn policies(hedge_after_ms: Option<i64>) -> Policies {
    let rates = Rates {
        input: "0.000001".parse().unwrap(),
        cache_read: None,
        cache_write_short: None,
        cache_write_long: None,
        audio_input: None,
        image_input: None,
        output: "0.000002".parse().unwrap(),
        reasoning: None,
        audio_output: None,
    };
    let mut prices = Catalog::new();
    prices.add(PriceRow {
        provider: "openai".into(),
        model: "gpt".into(),
        from: None,
        until: None,
        cards: vec![Card { tier: Tier::Standard, above: 0, rates }],
        fast_permille: None,
        us_permille: None,
        eu_permille: None,
        cache: None,
    });
    Policies {
        prompt_cache: Vec::new(),
        shaping: Vec::new(),
        token_budgets: Vec::new(),
        hedge: hedge_after_ms.map(|ms| Hedge { after: Span::from_millis(ms) }),
        prices: Arc::new(prices),
        is_bypassed: false,
    }
}

/// A whole answer: 100 tokens in, 10 out. A part of one: 100 in, 3 out, partly known.
fn seen(state: UsageState) -> Outcome {
    let output = if state == UsageState::Measured { 10 } else { 3 };
    let usage = Usage { uncached: 100, output, ..Usage::ZERO };
    Outcome { metering: Metering { usage, state, suspect: false }, ..Outcome::nothing() }
}

/// A driver in miniature: a calendar of events, and a provider that follows a script per request.
struct Driver<'a> {
    scripts: &'a [Script],
    /// Events by millisecond; at equal times in the order in which they were planned.
    agenda: BTreeMap<(i64, usize), Event>,
    open: BTreeMap<Op, Script>,
    planned: usize,
    sent: usize,
    lines: Vec<String>,
    records: Vec<Record>,
}

impl Driver<'_> {
    fn plan(&mut self, at: i64, event: Event) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), event);
    }

    /// Whether an event still means something: its request may have been cancelled meanwhile.
    fn is_current(&mut self, event: &Event) -> bool {
        match event {
            Event::Opened { op, .. } => self.open.contains_key(op),
            Event::Closed { op, .. } | Event::Failed { op, .. } => self.open.remove(op).is_some(),
            Event::Arrived
            | Event::Shaped { .. }
            | Event::Ranked { .. }
            | Event::Trimmed { .. }
            | Event::Cancelled { .. }
            | Event::Woke { .. }
            | Event::HungUp => true,
        }
    }

    fn carry_out(&mut self, command: Command, now: i64, start: Time) {
        match command {
            Command::Shape(_) | Command::Rank(_) | Command::Trim(_) => {
                unreachable!("no rule of these scenarios asks for it")
            }
            Command::Send { op, .. } => self.send(op, now),
            Command::Relay { op } => self.relay(op, now),
            Command::Cancel { op } => {
                self.lines.push(format!("{now} cancel {}", op.0));
                if self.open.remove(&op).is_some() {
                    let outcome = seen(UsageState::Partial);
                    self.plan(now + 1, Event::Cancelled { op, outcome });
                }
            }
            Command::Wake { op, at } => {
                self.plan(at.since(start).nanos() / 1_000_000, Event::Woke { op });
            }
            Command::Finish(record) => {
                let cost = record.cost.map_or("unknown".to_owned(), |cost| cost.to_string());
                self.lines.push(format!("{now} finish {:?} ${cost}", record.ending));
                self.records.push(*record);
            }
        }
    }

    fn send(&mut self, op: Op, now: i64) {
        self.lines.push(format!("{now} send {}", op.0));
        let script = self.scripts.get(self.sent).copied().unwrap_or(Script::Hangs);
        self.sent += 1;
        self.open.insert(op, script);
        match script {
            Script::Answers { head, status, .. } => {
                self.plan(now + head, Event::Opened { op, status });
            }
            Script::Breaks { head, .. } => self.plan(now + head, Event::Opened { op, status: 200 }),
            Script::Fails { at, fault } => {
                let outcome = Outcome::nothing();
                self.plan(now + at, Event::Failed { op, fault, outcome });
            }
            Script::Hangs => {}
        }
    }

    fn relay(&mut self, op: Op, now: i64) {
        self.lines.push(format!("{now} relay {}", op.0));
        match self.open[&op] {
            Script::Answers { end, .. } => {
                let outcome = seen(UsageState::Measured);
                self.plan(now + end, Event::Closed { op, outcome });
            }
            Script::Breaks { at, .. } => {
                let (fault, outcome) = (Fault::BrokenBody, seen(UsageState::Partial));
                self.plan(now + at, Event::Failed { op, fault, outcome });
            }
            Script::Fails { .. } | Script::Hangs => unreachable!("it never opened"),
        }
    }
}

/// Returns what the flight did, a line each, and its records.
fn fly(
    hedge: Option<i64>,
    scripts: &[Script],
    hangs_up: Option<i64>,
) -> (Vec<String>, Vec<Record>) {
    let (call, policies, memory) = (call(), policies(hedge), Memory::default());
    let start = call.arrived;
    let mut flight = Flight::new(call);
    let mut driver = Driver {
        scripts,
        agenda: BTreeMap::new(),
        open: BTreeMap::new(),
        planned: 0,
        sent: 0,
        lines: Vec::new(),
        records: Vec::new(),
    };
    driver.plan(0, Event::Arrived);
    if let Some(at) = hangs_up {
        driver.plan(at, Event::HungUp);
    }
    while let Some(((now, _), event)) = driver.agenda.pop_first() {
        if !driver.is_current(&event) {
            continue;
        }
        let mut commands = Vec::new();
        flight.step(event, start + Span::from_millis(now), &policies, &memory, &mut commands);
        for command in commands {
            driver.carry_out(command, now, start);
        }
    }
    (driver.lines, driver.records)
}

#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn check(hedge: Option<i64>, scripts: &[Script], hangs_up: Option<i64>, expected: Expect) {
    let (lines, _) = fly(hedge, scripts, hangs_up);
    expected.assert_eq(&lines.join("\n"));
}

const QUICK: Script = Script::Answers { head: 50, status: 200, end: 100 };
const SLOW: Script = Script::Answers { head: 500, status: 200, end: 100 };

#[test]
fn one_request_is_relayed_and_charged() {
    check(
        None,
        &[QUICK],
        None,
        expect![[r#"
        0 send 0
        50 relay 0
        150 finish Answered { status: 200, finish: None } $0.00012"#]],
    );
}

#[test]
fn an_error_is_the_provider_s_answer_and_is_relayed_as_it_is() {
    let refused = Script::Answers { head: 5, status: 429, end: 1 };
    check(
        None,
        &[refused],
        None,
        expect![[r#"
        0 send 0
        5 relay 0
        6 finish Answered { status: 429, finish: None } $0.00012"#]],
    );
}

#[test]
fn a_slow_answer_is_hedged_and_the_first_head_wins() {
    check(
        Some(100),
        &[SLOW, QUICK],
        None,
        expect![[r#"
        0 send 0
        100 send 2
        150 relay 2
        150 cancel 0
        250 finish Answered { status: 200, finish: None } $0.000226"#]],
    );
}

#[test]
fn a_quick_answer_is_not_hedged() {
    check(
        Some(100),
        &[QUICK],
        None,
        expect![[r#"
        0 send 0
        50 relay 0
        150 finish Answered { status: 200, finish: None } $0.00012"#]],
    );
}

#[test]
fn a_hang_up_before_the_first_byte_cancels_and_settles() {
    check(
        None,
        &[SLOW],
        Some(20),
        expect![[r#"
        0 send 0
        20 cancel 0
        21 finish Abandoned $0.000106"#]],
    );
}

#[test]
fn a_hang_up_in_the_stream_cancels_and_settles() {
    check(
        None,
        &[QUICK],
        Some(70),
        expect![[r#"
        0 send 0
        50 relay 0
        70 cancel 0
        71 finish Abandoned $0.000106"#]],
    );
}

#[test]
fn a_hang_up_while_the_hedge_is_out_cancels_both_and_charges_both() {
    check(
        Some(100),
        &[SLOW, SLOW],
        Some(120),
        expect![[r#"
        0 send 0
        100 send 2
        120 cancel 0
        120 cancel 2
        121 finish Abandoned $0.000212"#]],
    );
}

#[test]
fn a_hang_up_at_the_very_moment_of_the_hedge_sends_no_orphan() {
    check(
        Some(100),
        &[SLOW, SLOW],
        Some(100),
        expect![[r#"
        0 send 0
        100 cancel 0
        101 finish Abandoned $0.000106"#]],
    );
}

#[test]
fn the_first_request_may_fail_while_the_hedge_saves_the_call() {
    let fails = Script::Fails { at: 120, fault: Fault::Reset };
    check(
        Some(100),
        &[fails, QUICK],
        None,
        expect![[r#"
        0 send 0
        100 send 2
        150 relay 2
        250 finish Answered { status: 200, finish: None } $unknown"#]],
    );
}

#[test]
fn a_request_that_was_never_connected_cost_nothing() {
    let fails = Script::Fails { at: 3, fault: Fault::Connect };
    check(
        None,
        &[fails],
        None,
        expect![[r#"
        0 send 0
        3 finish Failed { fault: Connect } $0"#]],
    );
}

#[test]
fn an_answer_that_breaks_off_is_failed_and_charged_for_what_was_seen() {
    check(
        None,
        &[Script::Breaks { head: 10, at: 30 }],
        None,
        expect![[r#"
        0 send 0
        10 relay 0
        40 finish Failed { fault: BrokenBody } $0.000106"#]],
    );
}

fn any_script() -> impl Strategy<Value = Script> {
    prop_oneof![
        (0_i64..200, 0_i64..200).prop_map(|(head, end)| Script::Answers { head, status: 200, end }),
        (0_i64..200).prop_map(|at| Script::Fails { at, fault: Fault::Reset }),
        (0_i64..200, 0_i64..200).prop_map(|(head, at)| Script::Breaks { head, at }),
        Just(Script::Hangs),
    ]
}

proptest! {
    /// Whatever happens in whatever order: a client that hangs up at last gets exactly one record,
    /// with an attempt for each request, and no request is left open.
    #[test]
    fn every_call_settles_exactly_once(
        hedge in prop::option::of(0_i64..200),
        scripts in prop::collection::vec(any_script(), 2),
        hangs_up in 0_i64..600,
    ) {
        let (lines, records) = fly(hedge, &scripts, Some(hangs_up));
        prop_assert_eq!(records.len(), 1, "{:?}", lines);
        let sent = lines.iter().filter(|line| line.contains("send")).count();
        let relayed = lines.iter().filter(|line| line.contains("relay")).count();
        prop_assert_eq!(records[0].attempts.len(), sent);
        prop_assert!(relayed <= 1, "{:?}", lines);
        prop_assert!(!matches!(records[0].ending, Ending::Refused(Refusal::Stopping)));
    }
}
