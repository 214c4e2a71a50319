//! Each finding fires in one scenario and stays silent in another.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

use std::fmt::Write as _;
use std::sync::Arc;

use expect_test::expect;
use proptest::prelude::*;
use scrimp_core::call::{Block, Content, Outline, Role};
use scrimp_core::{Ending, Metering, Span, Time, Usage, Usd};

use super::{FINDINGS, Finding, Study, find};
use crate::profile::{Calendar, Profile, Spending, Spent};
use crate::replay::{Reading, Trace, Variant, whatif};
use crate::testing::{Sketch, entry, prices};

/// What is found of what can be applied.
fn advised(sketches: &[Sketch]) -> Vec<Finding> {
    found(sketches).into_iter().filter(|finding| finding.rule == "prompt-cache").collect()
}

fn found(sketches: &[Sketch]) -> Vec<Finding> {
    let entries: Vec<_> = sketches.iter().map(entry).collect();
    let prices = prices();
    let records = entries.iter().map(|entry| &entry.record);
    let profile = Profile::of(records, prices.clone(), Calendar::Real);
    let trace = Trace::from_entries(entries.clone());
    find(&Study { profile: &profile, trace: &trace, prices: &prices, reading: Reading::Covers })
}

/// Conversations that send everything again, minutes apart.
fn conversations(operation: &'static str, sessions: i64) -> Vec<Sketch> {
    let turn = move |session: i64, turn: i64| Sketch {
        at_s: session * 7_000 + turn * 120,
        operation,
        session: Some(session),
        prompt: [(1, 2_000), (2, 1_000)]
            .into_iter()
            .chain((0..=turn).map(|turn| (session * 100 + turn + 10, 800)))
            .collect(),
        ..Sketch::default()
    };
    (0..sessions).flat_map(|session| (0..8).map(move |at| turn(session, at))).collect()
}

/// Prompts that begin with something else each time and go on alike.
fn broken(calls: i64) -> Vec<Sketch> {
    let call = |at: i64| Sketch {
        at_s: at * 60,
        prompt: vec![(at + 1_000, 200), (2, 3_000), (at + 2_000, 50)],
        ..Sketch::default()
    };
    (0..calls).map(call).collect()
}

/// Prompts that share nothing.
fn one_shots(calls: i64) -> Vec<Sketch> {
    let call = |at: i64| Sketch {
        at_s: at * 60,
        prompt: vec![(at * 10 + 1, 2_000), (at * 10 + 2, 1_000)],
        ..Sketch::default()
    };
    (0..calls).map(call).collect()
}

fn timed(operation: &'static str, calls: i64, took_ms: impl Fn(i64) -> i64) -> Vec<Sketch> {
    let call =
        |at: i64| Sketch { at_s: at * 60, operation, took_ms: took_ms(at), ..Sketch::default() };
    (0..calls).map(call).collect()
}

/// Calls that show their examples after the question.
fn examples(calls: i64) -> Vec<Sketch> {
    let call = |at: i64| Sketch {
        at_s: at * 600,
        prompt: vec![(1, 400), (at + 1_000, 100), (2, 3_000), (3, 20)],
        ..Sketch::default()
    };
    (0..calls).map(call).collect()
}

/// Calls that used that much.
fn used(usage: Usage) -> Vec<Sketch> {
    let call = |at: i64| Sketch {
        at_s: at * 60,
        prompt: vec![(1, 300), (at + 1_000, 100)],
        metering: Some(Metering::measured(usage)),
        ..Sketch::default()
    };
    (0..60).map(call).collect()
}

/// Two tools, instructions, a question, and a call to one tool or to both.
fn tools(shape: fn(usize, Block) -> Block) -> Vec<Sketch> {
    let call = |at: i64| Sketch {
        at_s: at * 60,
        prompt: vec![(1, 500), (2, 500), (3, 300), (at + 1_000, 100), (at + 2_000, 20), (4, 20)],
        shape,
        ..Sketch::default()
    };
    (0..60).map(call).collect()
}

fn tool(at: usize, block: Block, called: &[u64]) -> Block {
    let (role, tools) = match at {
        0 | 1 => (Role::Tool, vec![at as u64]),
        2 => return Block { role: Role::System, ..block },
        4 | 5 => (Role::Assistant, vec![called[at - 4]]),
        _ => return block,
    };
    let outline = Some(Arc::new(Outline { tools, ..Outline::default() }));
    Block { role, content: Content::Tool, outline, ..block }
}

/// Conversations whose answers come back as blocks of that many tokens, of a hundred.
fn answered(tokens: u32) -> Vec<Sketch> {
    let turn = move |session: i64, turn: i64| Sketch {
        at_s: session * 7_000 + turn * 120,
        session: Some(session),
        prompt: [(1, 300)]
            .into_iter()
            .chain(
                (0..=2 * turn)
                    .map(|at| (session * 100 + at + 10, if at % 2 == 0 { 50 } else { tokens })),
            )
            .collect(),
        shape: |at, block| match at {
            2.. if at % 2 == 0 => Block { role: Role::Assistant, ..block },
            _ => block,
        },
        metering: Some(Metering::measured(Usage { uncached: 500, output: 100, ..Usage::ZERO })),
        ..Sketch::default()
    };
    (0..10).flat_map(|session| (0..6).map(move |at| turn(session, at))).collect()
}

/// Questions about one image each.
fn images(output: u64) -> Vec<Sketch> {
    let call = |at: i64| Sketch {
        at_s: at * 60,
        prompt: vec![(1, 300), (at + 1_000, 1_500), (2, 30)],
        shape: |at, block| match at {
            1 => Block { content: Content::Image, ..block },
            _ => block,
        },
        metering: Some(Metering::measured(Usage { uncached: 1_830, output, ..Usage::ZERO })),
        ..Sketch::default()
    };
    (0..60).map(call).collect()
}

fn some(calls: i64, of: i64, odd: &Sketch) -> Vec<Sketch> {
    let call = |at: i64| match at < calls {
        true => Sketch { at_s: at * 60, ..odd.clone() },
        false => Sketch { at_s: at * 60, ..Sketch::default() },
    };
    (0..of).map(call).collect()
}

/// For every rule a scenario in which it fires, and one much like it in which it is silent.
fn scenarios() -> Vec<(&'static str, Vec<Sketch>, Vec<Sketch>)> {
    let unpriced = Sketch { model: "unheard-of", ..Sketch::default() };
    let unknown = Sketch { metering: Some(Metering::UNKNOWN), ..Sketch::default() };
    let cut = Sketch { ending: Ending::Truncated { status: 200 }, ..Sketch::default() };
    let two = |first: Vec<Sketch>, second: Vec<Sketch>| [first, second].concat();
    vec![
        ("prompt-cache", conversations("chat", 30), one_shots(200)),
        ("breaker", broken(60), conversations("chat", 30)),
        (
            "unused-tools",
            tools(|at, block| tool(at, block, &[0, 0])),
            tools(|at, block| tool(at, block, &[0, 1])),
        ),
        ("unread-output", answered(20), answered(95)),
        (
            "reasoning",
            used(Usage { uncached: 400, output: 40, reasoning: 900, ..Usage::ZERO }),
            used(Usage { uncached: 400, output: 900, reasoning: 900, ..Usage::ZERO }),
        ),
        ("images", images(40), images(900)),
        ("same-sections", examples(60), one_shots(200)),
        ("unpriced", some(1, 50, &unpriced), some(0, 50, &unpriced)),
        ("unknown-usage", some(1, 50, &unknown), some(0, 50, &unknown)),
        ("truncated", some(5, 50, &cut), some(2, 50, &cut)),
        (
            "slow",
            two(timed("a", 200, |_| 1_000), timed("b", 200, |at| 4_000 + at * 10)),
            // Slower, but too few calls to be sure.
            two(timed("a", 200, |_| 1_000), timed("b", 20, |at| 4_000 + at * 10)),
        ),
        (
            "variable",
            timed("a", 900, |at| if at % 30 == 0 { 20_000 } else { 1_000 + at }),
            // One outlier among many moves nothing.
            timed("a", 900, |at| if at == 0 { 900_000 } else { 1_000 + at }),
        ),
    ]
}

#[test]
fn every_rule_fires_in_one_scenario_and_is_silent_in_another() {
    let scenarios = scenarios();
    for rule in FINDINGS {
        let (_, fires, silent) =
            scenarios.iter().find(|(name, ..)| *name == rule.name).expect("each rule has two");
        let has = |sketches: &[Sketch]| found(sketches).iter().any(|f| f.rule == rule.name);
        assert!(has(fires), "{} should fire", rule.name);
        assert!(!has(silent), "{} should be silent", rule.name);
    }
}

#[test]
fn statements_name_the_counts_that_they_rest_on() {
    let mut text = String::new();
    for (name, fires, _) in scenarios().into_iter().skip(1) {
        for finding in found(&fires).iter().filter(|finding| finding.rule == name) {
            writeln!(text, "{} {} [{}]", finding.id, finding.title, finding.evidence.calls)
                .unwrap();
            finding.evidence.facts.iter().for_each(|fact| writeln!(text, "   {fact}").unwrap());
        }
    }
    expect![[r#"
        N1 chat: another text in block 1 (instructions) ends what the cache can give [59]
           59 of 60 calls differ there from one shortly before that has nearly all of the prompt: another text
           3,000 tokens a call could have been read from the cache, as the provider's rules are published
           to do: put it behind all that stays the same: into the last message
           59 calls carry no cache mark, and need one as well
        N1 chat: 1 of 2 tools are never called [60]
           by their places among the tools: 2
           about 500 tokens a call, in 60 calls with 61 calls to other tools
           to do: leave them out, or have the provider load them only when they are searched for
        N1 chat: 80% of what the model says is not kept [50]
           50 calls whose answer is in the next prompt: 100 tokens were answered each, about 20 kept
           to do: ask for what is used and no more: a schema, a length, no explanation
        N1 chat: 95% of the output is reasoning, for short answers [60]
           900 tokens a call are reasoning, half of the answers have at most 40 that are seen
           it cost $1.35 in 60 calls
           to do: try less effort on a share of the calls, and compare the answers
        N1 chat: images are most of the input, for short answers [60]
           60 images in 60 calls, about 1,500 tokens each; 40 tokens are answered on average
           they cost about $0.45
           to do: try low detail, or images scaled down, on a share of the calls, and compare
        N1 chat: 3,420 tokens a call never change [60]
           2 example messages, 1 instruction: the same in 60 calls
           they cost $1.03, of $1.13 in all
           3,020 of these tokens stand behind something that changes: move what never changes to the front
        N1 no price for anthropic/unheard-of: 1 call in no sum [1]
           1 call with 100 input tokens
           a price of your own in the configuration's prices counts from the next run
        N1 chat: usage unknown of 1 of 50 calls [1]
           they are in no sum of tokens or money
        N1 chat: 5 of 50 answers broke off (10.0%) [5]
           their streams ended without the terminal event, which clients may not notice
           their input was used and is billed; their output is known in part at best
        N1 b: 5.0 times slower than the other calls [200]
           median 4.9s (4.8s to 5.2s with 95% confidence) over 200 calls; 995ms over the 200 others
           100 tokens in and 50 out a call on average
        N1 a: one call in a hundred takes over 13 times the median [900]
           median 1.5s, 99th percentile 20.0s (20.0s to 20.0s with 95% confidence) over 900 calls
    "#]]
    .assert_eq(&text);
}

#[test]
fn the_cache_finding_says_what_to_add_and_what_it_rests_on() {
    let mut both = conversations("chat", 30);
    both.extend(one_shots(300).into_iter().map(|call| Sketch { operation: "on\"ce", ..call }));
    let mut text = String::new();
    for finding in advised(&both) {
        let usd = finding.usd.unwrap();
        writeln!(
            text,
            "{} {} ${:.2} ({:.2} to {:.2}), {} calls, part of {:?}, hits {:.2?}\n{}",
            finding.id,
            finding.title,
            usd.likely,
            usd.low.unwrap(),
            usd.high.unwrap(),
            finding.evidence.calls,
            finding.part_of,
            finding.evidence.hit_share.map(|hits| (hits.before, hits.after)),
            finding.change.unwrap(),
        )
        .unwrap();
        assert!(finding.evidence.tried.iter().all(|tried| tried.usd <= usd.likely));
    }
    expect![[r#"
        F1 short cache mark at the prompt's end, chat $5.51 (5.51 to 5.51), 240 calls, part of None, hits Some((Some(0.00), 0.82))
        [prompt_cache."op:chat"]
        state = "on"
        strategy = "tail"
        ttl = "short"

    "#]].assert_eq(&text);
}

#[test]
fn one_rule_for_all_calls_comes_before_its_parts_even_where_one_of_them_saves_more() {
    let mut both = conversations("chat", 30);
    // Two calls that a mark makes a little dearer, so that the one rule saves less than its part.
    let strangers = one_shots(3).into_iter().skip(1);
    both.extend(strangers.map(|call| Sketch { operation: "once", ..call }));
    let found = advised(&both);
    let names: Vec<_> = found.iter().map(|f| (f.title.as_str(), f.part_of.as_deref())).collect();
    let (all, chat) = ("all calls", "chat");
    let title = |whose: &str| format!("short cache mark at the prompt's end, {whose}");
    assert_eq!(names, [(&*title(all), None), (&*title(chat), Some("F1"))]);
    assert!(found[0].usd.unwrap().likely < found[1].usd.unwrap().likely);
}

#[test]
fn a_few_calls_tell_no_range() {
    let few: Vec<Sketch> = conversations("chat", 1).into_iter().take(3).collect();
    let finding = found(&few).remove(0);
    let usd = finding.usd.unwrap();
    assert!(Usd::ZERO < usd.likely);
    assert_eq!((usd.low, usd.high), (None, None));
    expect![[r#"
        3 calls with both bills replayed by the provider's published cache rules
        no range: too few sessions, at too few times, to tell one"#]]
    .assert_eq(&finding.evidence.facts.join("\n"));
}

#[test]
fn a_month_is_claimed_only_where_the_calls_cover_a_day() {
    let long = found(&conversations("chat", 30));
    assert!(long[0].usd_per_month.is_some());
    let short = found(&conversations("chat", 5));
    assert_eq!((short[0].usd.is_some(), short[0].usd_per_month), (true, None));
}

/// What is found in the latest calls of a longer time.
fn found_within(sketches: &[Sketch], spent: &[Spent], now: Time) -> Vec<Finding> {
    let entries: Vec<_> = sketches.iter().map(entry).collect();
    let prices = prices();
    let records = entries.iter().map(|entry| &entry.record);
    let profile = Profile::of(records, prices.clone(), Calendar::Real);
    let profile = profile.within(&Spending::of(spent, now));
    let trace = Trace::from_entries(entries.clone());
    find(&Study { profile: &profile, trace: &trace, prices: &prices, reading: Reading::Covers })
}

/// So many dollars an hour for an operation, from the hour in which the calls begin.
fn hourly(operation: &str, hours: i64, dollars: i64) -> Vec<Spent> {
    let first = entry(&Sketch::default()).record.call;
    let spent = |hour: i64| Spent {
        hour: first.arrived.floor(Span::from_hours(1)) + Span::from_hours(hour),
        operation: operation.into(),
        provider: first.provider.clone(),
        model: first.model.clone(),
        usd: Usd::from_pico(i128::from(dollars) * 1_000_000_000_000),
    };
    (0..hours).map(spent).collect()
}

#[test]
fn a_month_beyond_the_calls_studied_weighs_each_operation_by_what_it_cost() {
    let shares_nothing = |sketch| Sketch { operation: "extract", ..sketch };
    let extract = one_shots(20).into_iter().map(shares_nothing);
    let sketches: Vec<Sketch> = conversations("chat", 5).into_iter().chain(extract).collect();
    let likely = |found: &[Finding]| {
        let month = found.iter().map(|finding| finding.usd_per_month.unwrap().likely.as_f64());
        month.collect::<Vec<_>>()
    };
    let share = |finding: &Finding| {
        let ppm = f64::from(i32::try_from(finding.predicted_ppm.unwrap()).unwrap());
        -ppm / 1e6
    };
    let of = |chat: i64, extract: i64, hours: i64| {
        let spent = [hourly("chat", hours, chat), hourly("extract", hours, extract)].concat();
        found_within(&sketches, &spent, spent[0].hour + Span::from_hours(hours))
    };
    let found = of(1, 9, 49);
    let part = found.iter().find(|finding| finding.title.ends_with("chat")).unwrap();
    // $1 an hour of what is saved on, whatever else there is.
    let month = 24.0 * 30.437 * share(part);
    let near = |dollars: &f64| (dollars / month - 1.0).abs() < 0.01;
    assert!(likely(&found).iter().all(near), "{month} {found:#?}");
    assert_eq!(likely(&found), likely(&of(1, 90, 49)));
    assert!(likely(&of(2, 9, 49))[0] > 1.9 * month);
    // A day of whole hours, and one less.
    assert!(of(1, 9, 25)[0].usd_per_month.is_some());
    assert_eq!(of(1, 9, 24)[0].usd_per_month, None);
    // What was studied of another operation says nothing of this one.
    let other = hourly("other", 49, 9);
    let found = found_within(&sketches, &other, other[0].hour + Span::from_hours(49));
    assert_eq!(found[0].usd_per_month.unwrap().likely, Usd::ZERO);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_finding_saves_more_than_the_bound_allows(
        calls in prop::collection::vec((0_i64..9, 0_i64..4_000, 1_i64..6), 4..60)
    ) {
        let sketches: Vec<Sketch> = calls.iter().map(|(session, at_s, blocks)| Sketch {
            at_s: *at_s,
            session: Some(*session),
            prompt: (0..*blocks).map(|at| (session % 3 * 100 + at, 900)).collect(),
            ..Sketch::default()
        }).collect();
        let entries: Vec<_> = sketches.iter().map(entry).collect();
        let trace = Trace::from_entries(entries);
        let variants = [Variant::None, Variant::Bound];
        let rows = whatif(&trace, &variants, &prices(), Reading::Covers).rows;
        let [none, bound] = [0, 1].map(|row: usize| rows[row].input_usd.unwrap());
        for finding in advised(&sketches) {
            let usd = finding.usd.unwrap();
            let (low, high) = (usd.low.unwrap_or(usd.likely), usd.high.unwrap_or(usd.likely));
            prop_assert!(low <= usd.likely && usd.likely <= high);
            prop_assert!(usd.likely <= none - bound, "{:?} of {:?}", usd, none - bound);
            prop_assert!(Usd::ZERO < low);
        }
    }
}
