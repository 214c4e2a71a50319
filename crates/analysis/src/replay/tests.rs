//! Scenarios for the calendar: scripted providers, hedges, hang-ups, and the same again from
//! records.

use std::sync::Arc;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use scrimp_core::call::{Caller, Delivery, Dialect, Digest, Parameters};
use scrimp_core::flight::Outcome;
use scrimp_core::policy::hedge::Hedge;
use scrimp_core::policy::prompt_cache::Edit;
use scrimp_core::price::{Card, Rates};
use scrimp_core::{
    Call, CallId, Catalog, Fault, Memory, Metering, Policies, PriceRow, Record, Span, Tier, Time,
    Usage, UsageState,
};

use super::{Arrival, End, Reply, World, decisions, drive};

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

/// A provider that follows a script for each request of each call, and writes down what it sees.
#[derive(Default)]
struct Scripted {
    start: Option<Time>,
    scripts: Vec<Vec<Script>>,
    lines: Vec<String>,
}

impl Scripted {
    fn note(&mut self, now: Time, what: &str) {
        let since = now.since(self.start.expect("set by fly")).nanos() / 1_000_000;
        self.lines.push(format!("{since} {what}"));
    }
}

impl World for Scripted {
    fn send(&mut self, call: usize, request: usize, _: &[Edit], now: Time) -> Reply {
        self.note(now, &format!("call {call} sends {request}"));
        let script = self.scripts[call].get(request).copied().unwrap_or(Script::Hangs);
        let at = |after| now + Span::from_millis(after);
        let (head, end, state) = match script {
            Script::Answers { head, status, end } => (
                Some((at(head), status)),
                Some((at(head + end), End::Closed)),
                UsageState::Measured,
            ),
            Script::Fails { at: after, fault } => {
                (None, Some((at(after), End::Failed(fault))), UsageState::Unknown)
            }
            Script::Breaks { head, at: after } => {
                let end = End::Failed(Fault::BrokenBody);
                (Some((at(head), 200)), Some((at(head + after), end)), UsageState::Partial)
            }
            Script::Hangs => (None, None, UsageState::Unknown),
        };
        Reply { head, end, outcome: seen(state) }
    }

    fn cancel(&mut self, call: usize, request: usize, now: Time) -> Option<(Time, Outcome)> {
        self.note(now, &format!("call {call} cancels {request}"));
        Some((now + Span::from_millis(1), seen(UsageState::Partial)))
    }
}

/// A whole answer: 100 tokens in, 10 out. A part of one: 100 in, 3 out, partly known.
fn seen(state: UsageState) -> Outcome {
    let output = if state == UsageState::Measured { 10 } else { 3 };
    let usage = Usage { uncached: 100, output, ..Usage::ZERO };
    match state {
        UsageState::Unknown => Outcome::nothing(),
        _ => Outcome { metering: Metering { usage, state, suspect: false }, ..Outcome::nothing() },
    }
}

fn start() -> Time {
    Time::from_secs(1_000)
}

fn call(number: u32, arrives_ms: i64) -> Arc<Call> {
    Arc::new(Call {
        id: CallId(u128::from(number)),
        seed: u64::from(number),
        arrived: start() + Span::from_millis(arrives_ms),
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

/// One call: when it arrives, what its requests meet, when its client hangs up (all in ms, the
/// last after its arrival).
type Scenario = (i64, Vec<Script>, Option<i64>);

fn fly(policies: &Policies, scenario: &[Scenario]) -> (Vec<String>, Vec<Record>) {
    let scripts = scenario.iter().map(|(_, scripts, _)| scripts.clone()).collect();
    let mut world = Scripted { start: Some(start()), scripts, lines: Vec::new() };
    let mut records = Vec::new();
    let arrivals = (0..).zip(scenario).map(|(number, (at, _, hangs_up))| {
        let call = call(number, *at);
        let hangs_up = hangs_up.map(|after| call.arrived + Span::from_millis(after));
        Arrival { call, hangs_up }
    });
    let mut settled = |call: usize, record: Record| records.push((call, record));
    drive(arrivals, policies, &Memory::default(), &mut world, &mut settled);
    let mut lines = world.lines;
    lines.extend(records.iter().map(|(call, record)| {
        let ended = record.timing.ended.expect("every flight ends").nanos() / 1_000_000;
        let cost = record.cost.map_or("unknown".to_owned(), |cost| cost.to_string());
        format!("call {call} after {ended}: {:?} ${cost}", record.ending)
    }));
    (lines, records.into_iter().map(|(_, record)| record).collect())
}

#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn check(hedge: Option<i64>, scenario: &[Scenario], expected: Expect) {
    let policies = policies(hedge);
    let (lines, records) = fly(&policies, scenario);
    expected.assert_eq(&lines.join("\n"));
    assert_eq!(decisions(&records, &policies), records, "the replay decides as it was decided");
}

const QUICK: Script = Script::Answers { head: 50, status: 200, end: 100 };
const SLOW: Script = Script::Answers { head: 500, status: 200, end: 100 };

#[test]
fn a_hedge_together_with_a_hang_up_cancels_both_and_charges_both() {
    check(
        Some(100),
        &[(0, vec![SLOW, SLOW], Some(120))],
        expect![[r#"
        0 call 0 sends 0
        100 call 0 sends 1
        120 call 0 cancels 0
        120 call 0 cancels 1
        call 0 after 121: Abandoned $0.000212"#]],
    );
}

#[test]
fn a_hang_up_at_the_very_moment_of_the_hedge_sends_no_orphan() {
    check(
        Some(100),
        &[(0, vec![SLOW, SLOW], Some(100))],
        expect![[r#"
        0 call 0 sends 0
        100 call 0 cancels 0
        call 0 after 101: Abandoned $0.000106"#]],
    );
}

#[test]
fn a_hang_up_after_the_hedge_has_won_cancels_the_winner() {
    check(
        Some(100),
        &[(0, vec![SLOW, QUICK], Some(170))],
        expect![[r#"
        0 call 0 sends 0
        100 call 0 sends 1
        150 call 0 cancels 0
        170 call 0 cancels 1
        call 0 after 171: Abandoned $0.000212"#]],
    );
}

#[test]
fn the_hedge_saves_a_call_whose_first_request_fails() {
    let fails = Script::Fails { at: 120, fault: Fault::Reset };
    check(
        Some(100),
        &[(0, vec![fails, QUICK], None)],
        expect![[r#"
        0 call 0 sends 0
        100 call 0 sends 1
        call 0 after 250: Answered { status: 200, finish: None } $unknown"#]],
    );
}

#[test]
fn an_answer_that_breaks_off_is_charged_for_what_was_seen() {
    check(
        None,
        &[(0, vec![Script::Breaks { head: 10, at: 30 }], None)],
        expect![[r#"
        0 call 0 sends 0
        call 0 after 40: Failed { fault: BrokenBody } $0.000106"#]],
    );
}

#[test]
fn calls_in_the_air_together_are_flown_in_the_order_of_their_events() {
    check(
        Some(100),
        &[(0, vec![SLOW, SLOW], Some(300)), (20, vec![QUICK], None)],
        expect![[r#"
        0 call 0 sends 0
        20 call 1 sends 0
        100 call 0 sends 1
        300 call 0 cancels 0
        300 call 0 cancels 1
        call 1 after 150: Answered { status: 200, finish: None } $0.00012
        call 0 after 301: Abandoned $0.000212"#]],
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

#[test]
fn of_two_cancelled_requests_the_one_that_was_relayed_had_the_first_head() {
    let answers = |head, end| Script::Answers { head, status: 200, end };
    let policies = policies(Some(67));
    let scenario = [(0, vec![answers(80, 0), answers(12, 35)], Some(81))];
    let (_, records) = fly(&policies, &scenario);
    assert_eq!(decisions(&records, &policies), records);
}

proptest! {
    /// Records of any scenario, flown again in the recorded world, come out as they were.
    #[test]
    fn a_replay_of_records_decides_as_the_records_say(
        hedge in prop::option::of(0_i64..200),
        scenario in prop::collection::vec(
            (0_i64..500, prop::collection::vec(any_script(), 2), (0_i64..600).prop_map(Some)),
            1..6,
        ),
    ) {
        let policies = policies(hedge);
        let mut scenario = scenario;
        scenario.sort_by_key(|(at, _, _)| *at);
        let (lines, records) = fly(&policies, &scenario);
        prop_assert_eq!(records.len(), scenario.len(), "{:?}", lines);
        prop_assert_eq!(decisions(&records, &policies), records);
    }
}
