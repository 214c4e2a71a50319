//! Scenarios for placement: a prompt in short, a rule, and where the marks go.

use std::sync::Arc;

use expect_test::{Expect, expect};

use super::*;
use crate::call::{CallId, Caller, Content, Delivery, Digest, Parameters};
use crate::time::{Span, Time};

/// A prompt as a word: `t`ool, `s`ystem, `u`ser, `a`ssistant, tool `r`esult; upper case carries the
/// client's mark; `.` after a block makes it unmarkable. Every block has 1,000 tokens.
fn call(prompt: &str) -> Call {
    let mut blocks: Vec<Block> = Vec::new();
    for letter in prompt.chars() {
        let role = match letter.to_ascii_lowercase() {
            't' => Role::Tool,
            's' => Role::System,
            'u' => Role::User,
            'a' => Role::Assistant,
            'r' => Role::ToolResult,
            _ => {
                blocks.last_mut().expect("a block before the dot").markable = false;
                continue;
            }
        };
        blocks.push(Block {
            role,
            content: Content::Text,
            digest: Digest([u8::try_from(blocks.len() % 256).unwrap(); 16]),
            chunks: Box::default(),
            characters: 4_000,
            tokens: 1_000,
            features: None,
            outline: None,
            mark: letter.is_ascii_uppercase().then_some(Ttl::Short),
            markable: true,
        });
    }
    Call {
        id: CallId(1),
        seed: 1,
        arrived: Time::from_secs(1),
        dialect: Dialect::AnthropicMessages,
        provider: "anthropic".into(),
        model: "claude".into(),
        operation: "chat".into(),
        caller: Caller { session: Some(Digest([7; 16])), ..Caller::default() },
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
        prompt: blocks,
        body_bytes: 0,
    }
}

const MARKED: CacheRules = CacheRules {
    kind: CacheKind::Marked,
    min_tokens: 1_024,
    short: Span::from_minutes(5),
    long: Some(Span::from_hours(1)),
    marks: 4,
    look_back: Some(20),
    step: 1,
};
const BREAKPOINTS: CacheRules =
    CacheRules { kind: CacheKind::Breakpoints, look_back: None, ..MARKED };
const AUTOMATIC: CacheRules = CacheRules { kind: CacheKind::Automatic, long: None, ..MARKED };

fn rule(strategy: Strategy, ttl: Ttl) -> PromptCache {
    PromptCache {
        scope: Scope::All,
        state: State::On,
        strategy,
        ttl,
        share: Share::ALL,
        experiment: 1,
        client_marks: ClientMarks::Keep,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn check(prompt: &str, rule: &PromptCache, cache: &CacheRules, expected: Expect) {
    let placement = rule.place(&call(prompt), Some(cache), false);
    let edits = placement.edits.iter().map(|edit| match edit {
        Edit::SetMark(Mark { block, ttl }) => format!("mark {block} {ttl:?}"),
        Edit::RemoveMark { block } => format!("unmark {block}"),
        other => format!("{other:?}"),
    });
    let why = placement.stood_down.iter().map(|why| format!("leaves it: {why:?}"));
    expected.assert_eq(&edits.chain(why).collect::<Vec<_>>().join(", "));
}

#[test]
fn system_marks_the_last_block_of_the_instructions() {
    check("ttsu", &rule(Strategy::System, Ttl::Long), &MARKED, expect!["mark 2 Long"]);
}

#[test]
fn system_without_instructions_has_nothing_to_mark() {
    let expected = expect!["leaves it: NothingToMark"];
    check("uau", &rule(Strategy::System, Ttl::Short), &MARKED, expected);
}

#[test]
fn tail_marks_the_last_block_that_can_carry_a_mark() {
    check("su.", &rule(Strategy::Tail, Ttl::Short), &MARKED, expect!["mark 0 Short"]);
    check("suau", &rule(Strategy::Tail, Ttl::Short), &MARKED, expect!["mark 3 Short"]);
}

#[test]
fn a_turn_longer_than_the_look_back_gets_a_mark_from_which_the_last_turn_is_in_sight() {
    let turn = format!("su{}{}", "a".repeat(15), "r".repeat(15));
    let expected = expect!["mark 20 Short, mark 31 Short"];
    check(&turn, &rule(Strategy::Tail, Ttl::Short), &MARKED, expected);
}

#[test]
fn a_first_turn_of_many_blocks_needs_no_bridge_because_nothing_was_written_before() {
    let turn = format!("s{}", "u".repeat(40));
    check(&turn, &rule(Strategy::Tail, Ttl::Short), &MARKED, expect!["mark 40 Short"]);
}

#[test]
fn the_client_s_own_marks_stay_unless_they_are_to_be_replaced() {
    let expected = expect!["leaves it: ClientMarks"];
    check("tSu", &rule(Strategy::Tail, Ttl::Short), &MARKED, expected);
    let mut replacing = rule(Strategy::Tail, Ttl::Short);
    replacing.client_marks = ClientMarks::Replace;
    check("tSu", &replacing, &MARKED, expect!["unmark 1, mark 2 Short"]);
    replacing.strategy = Strategy::None;
    check("tSu", &replacing, &MARKED, expect!["unmark 1"]);
}

#[test]
fn a_prompt_that_is_certainly_too_short_is_left_alone() {
    let cache = CacheRules { min_tokens: 4_096, ..MARKED };
    check("su", &rule(Strategy::Tail, Ttl::Short), &cache, expect!["leaves it: TooShort"]);
    check("suau", &rule(Strategy::Tail, Ttl::Short), &cache, expect!["mark 3 Short"]);
}

#[test]
fn where_the_provider_marks_the_end_by_itself_system_keeps_it_from_writing_more() {
    let expected = expect!["ExplicitOnly, mark 0 Short"];
    check("su", &rule(Strategy::System, Ttl::Short), &BREAKPOINTS, expected);
    let expected = expect!["ImplicitTtl(Long)"];
    check("su", &rule(Strategy::Tail, Ttl::Long), &BREAKPOINTS, expected);
    check("su", &rule(Strategy::Tail, Ttl::Short), &BREAKPOINTS, expect![""]);
}

#[test]
fn chat_completions_are_never_asked_for_the_long_life() {
    let chat = Call { dialect: Dialect::OpenaiChat, ..call("su") };
    let placement = rule(Strategy::System, Ttl::Long).place(&chat, Some(&BREAKPOINTS), false);
    let mark = Edit::SetMark(Mark { block: 0, ttl: Ttl::Short });
    assert_eq!(placement.edits, [Edit::ExplicitOnly, mark]);
}

#[test]
fn where_the_provider_takes_no_marks_nothing_is_edited() {
    let expected = expect!["leaves it: Automatic"];
    check("su", &rule(Strategy::Tail, Ttl::Short), &AUTOMATIC, expected);
}

#[test]
fn a_model_without_a_long_life_gets_the_short_one() {
    let cache = CacheRules { long: None, ..MARKED };
    check("su", &rule(Strategy::Tail, Ttl::Long), &cache, expect!["mark 1 Short"]);
}

#[test]
fn a_stopped_rule_and_an_unknown_model_change_nothing() {
    let rule = rule(Strategy::Tail, Ttl::Short);
    let stopped = rule.place(&call("su"), Some(&MARKED), true);
    assert_eq!((stopped.edits.len(), stopped.stood_down), (0, Some(StoodDown::Stopped)));
    let unknown = rule.place(&call("su"), None, false);
    assert_eq!((unknown.edits.len(), unknown.stood_down), (0, Some(StoodDown::NoCache)));
}

#[test]
fn the_first_rule_whose_scope_covers_the_call_decides_even_to_do_nothing() {
    let mut narrow = rule(Strategy::System, Ttl::Short);
    narrow.scope = Scope::Operation("chat".into());
    narrow.state = State::Off;
    let rules = [narrow, rule(Strategy::Tail, Ttl::Short)];
    assert_eq!(rule_for(&rules, &call("su")), None, "off for this operation");
    let other = Call { operation: Arc::from("other"), ..call("su") };
    assert_eq!(rule_for(&rules, &other), Some(&rules[1]));
}
