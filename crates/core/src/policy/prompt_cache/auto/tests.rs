//! Scenarios for `auto`: calls as they come, and where the marks of the last one go.

use expect_test::{Expect, expect};
use proptest::prelude::{prop, prop_assert, proptest};

use super::super::*;
use super::*;
use crate::call::{Block, CallId, Caller, Content, Delivery, Dialect, Digest, Parameters, Role};
use crate::flight::{Command, Event, Flight, Op, Outcome};
use crate::policy::{Memory, Policies};
use crate::price::{CacheKind, Card, Catalog, PriceRow, Tier};
use crate::record::Fault;
use crate::time::Time;
use crate::usage::Usage;

const RULES: CacheRules = CacheRules {
    kind: CacheKind::Marked,
    min_tokens: 1_024,
    short: Span::from_minutes(5),
    long: Some(Span::from_hours(1)),
    marks: 4,
    look_back: Some(20),
    step: 1,
};

fn rates() -> Rates {
    let rate = |text: &str| text.parse().expect("a rate");
    Rates {
        input: rate("0.000003"),
        cache_read: Some(rate("0.0000003")),
        cache_write_short: Some(rate("0.00000375")),
        cache_write_long: Some(rate("0.000006")),
        audio_input: None,
        image_input: None,
        output: rate("0.000015"),
        reasoning: None,
        audio_output: None,
    }
}

fn rule() -> PromptCache {
    PromptCache {
        scope: Scope::All,
        state: State::On,
        strategy: Strategy::Auto,
        ttl: Ttl::Long,
        share: Share::ALL,
        experiment: 1,
        client_marks: ClientMarks::Keep,
    }
}

/// A prompt of words, one block each, of 2,000 tokens unless it says otherwise after a colon. Words
/// that begin with `T` are tools, with `S` instructions, with `a` the model's; with `!` at their end
/// they carry the client's mark.
fn call(at_s: i64, prompt: &str) -> Call {
    let block = |word: &str| {
        let (name, tokens) = word.split_once(':').unwrap_or((word, "2000"));
        let (role, content) = match name.chars().next() {
            Some('T') => (Role::Tool, Content::Tool),
            Some('S') => (Role::System, Content::Text),
            Some('a') => (Role::Assistant, Content::Text),
            _ => (Role::User, Content::Text),
        };
        let mark = name.ends_with('!').then_some(Ttl::Short);
        let mut digest = [0; 16];
        digest[..8].copy_from_slice(&hash::text(name.trim_end_matches('!')).to_le_bytes());
        Block {
            role,
            content,
            digest: Digest(digest),
            chunks: Box::default(),
            characters: 0,
            tokens: tokens.trim_end_matches('!').parse().expect("tokens"),
            features: None,
            outline: None,
            mark,
            markable: true,
        }
    };
    Call {
        id: CallId(1),
        seed: 1,
        arrived: Time::from_secs(1_000_000 + at_s),
        dialect: Dialect::AnthropicMessages,
        provider: "anthropic".into(),
        model: "claude".into(),
        operation: "chat".into(),
        caller: Caller::default(),
        delivery: Delivery::Whole,
        parameters: Parameters {
            max_output_tokens: None,
            temperature_permille: None,
            answers: 1,
            usage_in_stream: false,
            client_cache_options: false,
            digest: Digest::default(),
            rendered: None,
        },
        prompt: prompt.split_whitespace().map(block).collect(),
        body_bytes: 0,
    }
}

/// Calls one after another, whose answers begin at once, to a provider that does what is expected of
/// it. Returns what was decided about each.
fn fly(memory: &mut AutoMemory, rule: &PromptCache, calls: &[Call]) -> Vec<Placement> {
    let decide = |call: &Call| {
        let (placement, expected) = rule.place_by(memory, call, &RULES, &rates());
        memory.began(&expected, call.arrived);
        let read = expected.read[0];
        let uncached = expected.tokens - read;
        let usage = Usage { cache_read: read, uncached, ..Usage::ZERO };
        memory.learn(&expected, &Metering::measured(usage));
        placement
    };
    calls.iter().map(decide).collect()
}

fn told(placement: &Placement) -> String {
    let edits = placement.edits.iter().map(|edit| match edit {
        Edit::SetMark(Mark { block, ttl }) => {
            let reason = placement.reasons.iter().find(|reason| reason.block == *block);
            let why = reason.map_or_else(String::new, |reason| format!(" ({:?})", reason.because));
            format!("mark {block} {ttl:?}{why}")
        }
        Edit::RemoveMark { block } => format!("unmark {block}"),
        other => format!("{other:?}"),
    });
    let why = placement.stood_down.iter().map(|why| format!("leaves it: {why:?}"));
    edits.chain(why).collect::<Vec<_>>().join(", ")
}

/// Many words, from the first to this one.
fn words(letter: &str, last: i64) -> String {
    (0..=last).map(|n| format!("{letter}{n}")).collect::<Vec<_>>().join(" ")
}

/// Many conversations of three turns, half a minute between them: what an hour of chat looks like.
fn chats() -> Vec<Call> {
    (0..60)
        .flat_map(|n| {
            let turn = move |turn: i64, text: &str| call(n * 60 + turn * 30, text);
            [
                turn(0, &format!("T S u{n}")),
                turn(1, &format!("T S u{n} a{n} v{n}")),
                turn(2, &format!("T S u{n} a{n} v{n} a{n}b w{n}")),
            ]
        })
        .collect()
}

/// One question each, all of them to the same instructions.
fn questions(head: &str) -> Vec<Call> {
    (0..60).map(|n| call(n * 20, &format!("{head} q{n}"))).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn check(before: Vec<Call>, last: &[(i64, &str)], expected: Expect) {
    let mut memory = AutoMemory::default();
    let until = before.iter().map(|call| call.arrived).max();
    let since =
        until.map_or(0, |until| until.since(Time::from_secs(1_000_000)).nanos() / 1_000_000_000);
    let mut calls = before;
    calls.sort_by_key(|call| call.arrived);
    let seen = calls.len();
    calls.extend(last.iter().map(|(at_s, prompt)| call(since + at_s, prompt)));
    let decided = fly(&mut memory, &rule(), &calls);
    let lines: Vec<String> = decided[seen..].iter().map(told).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn the_first_conversation_of_all_is_tried() {
    check(
        vec![],
        &[(0, "T S x"), (20, "T S x a v")],
        expect![[r#"
            mark 1 Short (SomeLeave), mark 2 Short (SentAgain)
            mark 2 Long (LivesLonger), mark 4 Short (SentAgain)"#]],
    );
}

#[test]
fn of_questions_that_nobody_asks_again_only_what_they_share_is_written() {
    let first = questions("T S").into_iter().take(1).collect();
    check(
        first,
        &[(20, "T S b"), (40, "T S c")],
        expect![[r#"
            mark 2 Short (SentAgain)
            mark 2 Short (SentAgain)"#]],
    );
    check(questions("T S"), &[(20, "T S new")], expect!["mark 1 Long (LivesLonger)"]);
}

#[test]
fn prompts_that_share_nothing_are_left_alone() {
    let alone = (0..60).map(|n| call(n * 20, &format!("S{n} q{n}"))).collect();
    check(alone, &[(20, "Snew new")], expect!["leaves it: NotSentAgain"]);
}

#[test]
fn a_conversation_goes_on_so_its_end_is_written_and_what_it_reads_is_kept_longer() {
    check(
        chats(),
        &[(30, "T S x"), (60, "T S x a v")],
        expect![[r#"
            mark 1 Long (LivesLonger), mark 2 Short (SentAgain)
            mark 2 Long (LivesLonger), mark 4 Short (SentAgain)"#]],
    );
}

#[test]
fn a_last_block_that_each_call_replaces_is_not_written_but_the_one_before_it_is() {
    let turns = (0..40).map(|n| call(n * 20, &format!("T S {} now{n}", words("u", n))));
    let said = words("u", 40);
    check(
        turns.collect(),
        &[(20, &format!("T S {said} now40"))],
        expect!["mark 41 Long (LivesLonger), mark 42 Short (SentAgain)"],
    );
}

#[test]
fn a_turn_longer_than_the_look_back_marks_what_it_reads() {
    let long = words("r", 30);
    check(
        chats(),
        &[(0, "T S x"), (20, &format!("T S x {long}"))],
        expect![[r#"
            mark 1 Long (LivesLonger), mark 2 Short (SentAgain)
            mark 2 Long (LivesLonger), mark 33 Short (SentAgain)"#]],
    );
}

#[test]
fn what_the_provider_has_lost_is_written_again() {
    // A long mark on what is read would write it again at once.
    let rule = PromptCache { ttl: Ttl::Short, ..rule() };
    for lost in [false, true] {
        let mut memory = AutoMemory::default();
        fly(&mut memory, &rule, &chats());
        let first = call(3_700, "T S:9000 x");
        fly(&mut memory, &rule, std::slice::from_ref(&first));
        let (_, expected) =
            rule.place_by(&mut memory, &call(3_720, "T S:9000 y"), &RULES, &rates());
        assert!(9_000 < expected.read[0], "{expected:?}");
        let cache_read = if lost { 0 } else { expected.read[0] };
        let usage = Usage { cache_read, uncached: expected.tokens - cache_read, ..Usage::ZERO };
        memory.learn(&expected, &Metering::measured(usage));
        let next = rule.place_by(&mut memory, &call(3_740, "T S:9000 z"), &RULES, &rates()).0;
        let is_written = blocks(&next.edits).contains(&1);
        assert_eq!(is_written, lost, "{next:?}");
    }
}

#[test]
fn what_another_call_is_writing_is_not_written_twice() {
    let mut memory = AutoMemory::default();
    fly(&mut memory, &rule(), &questions("T:9000 S:9000"));
    let fan = [call(9_000, "T2:9000 S2:9000 a1"), call(9_001, "T2:9000 S2:9000 a2")];
    let told = fan.map(|call| told(&rule().place_by(&mut memory, &call, &RULES, &rates()).0));
    expect![[r#"
        mark 1 Long (SentAgainLater)
        leaves it: NotSentAgain"#]]
    .assert_eq(&told.join("\n"));
}

/// Flies a call as far as these events and returns what was sent.
fn send(memory: &Memory, call: Call, after: &[fn(Op) -> Event]) -> Vec<Edit> {
    let mut prices = Catalog::new();
    prices.add(PriceRow {
        provider: "anthropic".into(),
        model: "claude".into(),
        from: None,
        until: None,
        cards: vec![Card { tier: Tier::Standard, above: 0, rates: rates() }],
        fast_permille: None,
        us_permille: None,
        eu_permille: None,
        cache: Some(RULES),
    });
    let policies = Policies {
        prompt_cache: vec![rule()],
        shaping: Vec::new(),
        token_budgets: Vec::new(),
        hedge: None,
        prices: prices.into(),
        is_bypassed: false,
    };
    let now = call.arrived;
    let (mut flight, mut commands) = (Flight::new(call.into()), Vec::new());
    flight.step(Event::Arrived, now, &policies, memory, &mut commands);
    let Some(Command::Send { op, edits }) = commands.first().cloned() else { panic!("it is sent") };
    for event in after {
        flight.step(event(op), now, &policies, memory, &mut commands);
    }
    edits
}

fn blocks(edits: &[Edit]) -> Vec<u32> {
    let block = |edit: &Edit| match edit {
        Edit::SetMark(mark) => Some(mark.block),
        _ => None,
    };
    edits.iter().filter_map(block).collect()
}

#[test]
fn what_a_call_did_not_come_to_write_is_written_by_the_next() {
    let hung_up: &[fn(Op) -> Event] =
        &[|_| Event::HungUp, |op| Event::Cancelled { op, outcome: Outcome::nothing() }];
    let failed: &[fn(Op) -> Event] =
        &[|op| Event::Failed { op, fault: Fault::Reset, outcome: Outcome::nothing() }];
    let refused: &[fn(Op) -> Event] = &[|op| Event::Opened { op, status: 529 }];
    for never_written in [hung_up, failed, refused] {
        let memory = Memory::default();
        let first = send(&memory, call(0, "T:9000 S:9000 u"), never_written);
        assert!(!first.is_empty());
        let next = send(&memory, call(10, "T:9000 S:9000 u"), &[]);
        assert_eq!(blocks(&next), blocks(&first));
    }
    // While its answer is awaited it may still come to be.
    let memory = Memory::default();
    send(&memory, call(0, "T:9000 S:9000 u"), &[]);
    assert_eq!(send(&memory, call(10, "T:9000 S:9000 u"), &[]), []);
}

#[test]
fn of_conversations_without_a_name_some_try_what_is_not_known_and_some_do_not() {
    let first = |n: i64| call(n, &format!("T S u{n}"));
    let lives = fly(&mut AutoMemory::default(), &rule(), &(0..40).map(first).collect::<Vec<_>>());
    let count = |ttl| {
        let has = |placement: &&Placement| {
            placement
                .edits
                .iter()
                .any(|edit| matches!(edit, Edit::SetMark(mark) if mark.ttl == ttl))
        };
        lives.iter().filter(has).count()
    };
    assert!(5 < count(Ttl::Short) && 5 < count(Ttl::Long), "{lives:?}");
}

#[test]
fn sessions_with_one_large_prompt_are_not_one_conversation() {
    let turns = |n: i64| {
        let first = format!("T S:9000 u{n}");
        [call(n * 60, &first), call(n * 60 + 30, &format!("{first} a{n} v{n}"))]
    };
    let calls: Vec<Call> = (0..60).flat_map(turns).collect();
    let decided = fly(&mut AutoMemory::default(), &rule(), &calls);
    let keeps = |placement: &&Placement| {
        let kept = Edit::SetMark(Mark { block: 2, ttl: Ttl::Long });
        placement.edits.contains(&kept)
    };
    let second = || decided[60..].iter().skip(1).step_by(2);
    let (some, all) = (second().filter(keeps).count(), second().count());
    assert!(5 < some && some < all - 5, "{some} of {all} keep what they read");
}

#[test]
fn what_a_last_turn_repeats_is_not_written() {
    // Every eighth question has a second turn, and none a third.
    let asked = |n: i64, turn: i64| {
        let second = if turn == 0 { String::new() } else { format!(" a{n} v{n}") };
        call(n * 40 + turn * 20, &format!("S:500 p{n}:3000 q{n}:50{second}"))
    };
    let sessions =
        (0..160).flat_map(|n| (0..=i64::from(n % 8 == 0)).map(move |turn| asked(n, turn)));
    check(
        sessions.collect(),
        &[(20, "S:500 p:3000 q:50"), (40, "S:500 p:3000 q:50 a v")],
        expect![[r#"
            leaves it: NotSentAgain
            leaves it: NotSentAgain"#]],
    );
}

#[test]
fn a_prefix_that_comes_every_ten_minutes_gets_the_long_life() {
    let jobs = (0..40).map(|n| call(n * 600, &format!("T S j{n}"))).collect();
    check(
        jobs,
        &[(600, "T S new"), (1_200, "T S next")],
        expect![[r#"
            mark 1 Long (LivesLonger)
            mark 1 Long (LivesLonger)"#]],
    );
}

#[test]
fn the_client_s_marks_are_kept_and_only_free_places_are_filled() {
    let mut memory = AutoMemory::default();
    fly(&mut memory, &rule(), &chats());
    let marked = call(9_000, "T S! u");
    let kept = rule().place_by(&mut memory, &marked, &RULES, &rates()).0;
    expect!["leaves it: ClientMarks"].assert_eq(&told(&kept));
    for (client_marks, expected) in [
        (ClientMarks::Fill, expect!["mark 2 Short (SentAgain)"]),
        (
            ClientMarks::Replace,
            expect!["unmark 1, mark 1 Short (SomeLeave), mark 2 Short (SentAgain)"],
        ),
    ] {
        let mut memory = AutoMemory::default();
        fly(&mut memory, &rule(), &chats());
        let rule = PromptCache { client_marks, ..rule() };
        expected.assert_eq(&told(&rule.place_by(&mut memory, &marked, &RULES, &rates()).0));
    }
}

#[test]
fn a_provider_that_never_reads_what_it_should_is_left_to_the_plain_rule() {
    let mut memory = AutoMemory::default();
    let mut last = String::new();
    for call in chats() {
        let (placement, expected) = rule().place_by(&mut memory, &call, &RULES, &rates());
        memory.began(&expected, call.arrived);
        let usage = Usage { uncached: expected.tokens, ..Usage::ZERO };
        memory.learn(&expected, &Metering::measured(usage));
        last = told(&placement);
    }
    expect!["mark 6 Short"].assert_eq(&last);
}

proptest! {
    /// Whatever comes, marks stand on blocks that can carry them, are no more than the provider
    /// takes, and the long ones come first.
    #[test]
    fn marks_are_what_a_provider_takes(
        calls in prop::collection::vec((0_i64..4_000, "[STuav]( [uavw]){0,30}"), 1..60),
        capacity in 1_usize..200,
        fill: bool,
    ) {
        let mut memory = AutoMemory::with_capacity(capacity);
        let client_marks = if fill { ClientMarks::Fill } else { ClientMarks::Keep };
        let rule = PromptCache { client_marks, ..rule() };
        let mut calls: Vec<Call> = calls.iter().map(|(at, prompt)| call(*at, prompt)).collect();
        calls.sort_by_key(|call| call.arrived);
        for (placement, call) in fly(&mut memory, &rule, &calls).iter().zip(&calls) {
            let marks: Vec<Mark> = placement.edits.iter().filter_map(|edit| match edit {
                Edit::SetMark(mark) => Some(*mark),
                _ => None,
            }).collect();
            prop_assert!(marks.len() <= 4);
            prop_assert!(marks.is_sorted_by(|a, b| a.block < b.block && b.ttl <= a.ttl));
            prop_assert!(marks.iter().all(|mark| (mark.block as usize) < call.prompt.len()));
        }
    }
}
