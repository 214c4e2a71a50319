//! Scenarios for token budgets: a prompt in short, a budget, and what is left of the prompt.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::Strategy;
use super::*;
use crate::call::{CallId, Caller, Delivery, Digest, Parameters};
use crate::time::Time;

/// A prompt as a word: `t`ool, `s`ystem, `u`ser, `a`ssistant, tool `r`esult, `d`ocument of the user.
/// Every block has 1,000 tokens; a digit behind it is its number of thousands.
fn call(prompt: &str) -> Call {
    let mut blocks: Vec<Block> = Vec::new();
    for letter in prompt.chars() {
        if let Some(thousands) = letter.to_digit(10) {
            blocks.last_mut().expect("a block before its size").tokens = thousands * 1_000;
            continue;
        }
        let role = match letter {
            't' => Role::Tool,
            's' => Role::System,
            'a' => Role::Assistant,
            'r' => Role::ToolResult,
            _ => Role::User,
        };
        let content = match letter {
            't' | 'r' => Content::Tool,
            'd' => Content::Document,
            _ => Content::Text,
        };
        blocks.push(Block {
            role,
            content,
            digest: Digest([7; 16]),
            chunks: Box::default(),
            characters: 4_000,
            tokens: 1_000,
            features: None,
            outline: None,
            mark: None,
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
        prompt: blocks,
        body_bytes: 0,
    }
}

fn rule(strategy: Strategy, max_input: u64) -> TokenBudget {
    TokenBudget {
        scope: Scope::All,
        state: State::On,
        max_input: Some(max_input),
        strategy,
        max_output: None,
        default_output: None,
    }
}

fn sizes(call: &Call) -> Vec<u32> {
    call.prompt.iter().map(|block| block.tokens).collect()
}

/// What is left of a prompt: `-` for a block that is left out, its tokens behind one that was cut.
fn left(prompt: &str, strategy: Strategy, max_input: u64, scores: &[u32]) -> String {
    let call = call(prompt);
    let decided = rule(strategy, max_input).decide(&call, &sizes(&call), scores);
    let Some(Budgeted { trim, too_much, tokens, tokens_after, .. }) = decided else {
        return format!("{prompt}  fits");
    };
    if let Some(needed) = too_much {
        return format!("{prompt}  refused: {tokens} tokens, {needed} needed, {max_input} allowed");
    }
    let letters = prompt.chars().filter(|letter| !letter.is_ascii_digit());
    let dropped = trim.dropped_of(call.prompt.len());
    let said = letters.zip(0_u32..).zip(&dropped).map(|((letter, at), is_dropped)| {
        match trim.cut.iter().find(|cut| cut.block == at) {
            _ if *is_dropped => "-".to_owned(),
            Some(cut) => format!("{letter}({})", cut.tokens),
            None => letter.to_string(),
        }
    });
    format!("{}  {tokens} to {tokens_after}", said.collect::<String>())
}

fn check(strategy: Strategy, rows: &[(&str, u64)], expected: &Expect) {
    let lines = rows.iter().map(|(prompt, most)| left(prompt, strategy, *most, &[]) + "\n");
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn a_prompt_that_is_too_large_is_refused_with_the_numbers() {
    check(
        Strategy::Refuse,
        &[("tsu", 3_000), ("tsu", 2_999), ("u", 500), ("", 0)],
        &expect![[r#"
            tsu  fits
            tsu  refused: 3000 tokens, 3000 needed, 2999 allowed
            u  refused: 1000 tokens, 1000 needed, 500 allowed
              fits
        "#]],
    );
}

#[test]
fn the_oldest_turns_go_and_tools_instructions_and_the_last_turn_stay() {
    check(
        Strategy::DropTurns,
        &[
            ("tsuauau", 7_000),
            ("tsuauau", 6_000),
            ("tsuauau", 5_000),
            ("tsuauau", 3_000),
            ("tsuauau", 2_999),
            ("tsu", 2_500),
            ("suasuau", 4_000),
            ("aauau", 3_000),
        ],
        &expect![[r#"
            tsuauau  fits
            ts--uau  7000 to 5000
            ts----u  7000 to 3000
            ts----u  7000 to 3000
            tsuauau  refused: 7000 tokens, 3000 needed, 2999 allowed
            tsu  refused: 3000 tokens, 3000 needed, 2500 allowed
            s--s--u  7000 to 3000
            aa--u  5000 to 3000
        "#]],
    );
}

#[test]
fn a_call_is_never_parted_from_its_result() {
    check(
        Strategy::DropTurns,
        &[
            ("suararau", 6_000),
            ("suararau", 2_000),
            // A user's words beside a result are of the turn before.
            ("suaruauaru", 8_000),
            ("suarar", 5_000),
        ],
        &expect![[r#"
            s------u  8000 to 2000
            s------u  8000 to 2000
            s-----uaru  10000 to 5000
            suarar  refused: 6000 tokens, 6000 needed, 5000 allowed
        "#]],
    );
}

#[test]
fn long_results_are_cut_to_one_size() {
    check(
        Strategy::CutResults,
        &[
            ("suar9ar2au", 16_000),
            ("suar9ar2au", 14_999),
            ("suar9ar2au", 10_000),
            ("suar9ar2au", 5_000),
            ("suaua", 4_000),
        ],
        &expect![[r#"
            suar(6144)arau  17000 to 14144
            suar(6144)arau  17000 to 14144
            suar(1536)ar(1536)au  17000 to 9072
            suar9ar2au  refused: 17000 tokens, 6256 needed, 5000 allowed
            suaua  refused: 5000 tokens, 5000 needed, 4000 allowed
        "#]],
    );
}

#[test]
fn chunks_with_the_least_score_go_first_and_the_question_stays() {
    let lines = [
        left("sddddu", Strategy::RankChunks, 4_000, &[5, 1, 9, 2]),
        left("sddddu", Strategy::RankChunks, 4_000, &[]),
        left("sddddu", Strategy::RankChunks, 2_000, &[5, 1, 9, 2]),
        left("sddddu", Strategy::RankChunks, 1_000, &[5, 1, 9, 2]),
        left("suauud", Strategy::RankChunks, 5_000, &[1, 2]),
        left("su", Strategy::RankChunks, 1_000, &[]),
    ];
    expect![[r#"
        sd-d-u  6000 to 4000
        sdd--u  6000 to 4000
        s----u  6000 to 2000
        sddddu  refused: 6000 tokens, 2000 needed, 1000 allowed
        sua-ud  6000 to 5000
        su  refused: 2000 tokens, 2000 needed, 1000 allowed"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn turns_go_in_steps_so_that_a_growing_prompt_keeps_its_beginning() {
    let turns = |n: usize| format!("s{}u", "ua".repeat(n));
    let starts: Vec<usize> = (40..80)
        .map(|n| {
            let call = call(&turns(n));
            let decided = rule(Strategy::DropTurns, 40_000).decide(&call, &sizes(&call), &[]);
            decided.map_or(0, |decided| decided.trim.dropped_blocks())
        })
        .collect();
    let changes = starts.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes * 2 < starts.len(), "{starts:?}");
}

#[test]
fn the_answer_is_capped_and_has_a_default() {
    for (asked, default, most, written) in [
        (None, None, None, None),
        (None, Some(500), None, Some(500)),
        (None, None, Some(800), Some(800)),
        (None, Some(500), Some(800), Some(500)),
        (None, Some(900), Some(800), Some(800)),
        (Some(700), Some(500), Some(800), None),
        (Some(900), Some(500), Some(800), Some(800)),
        (Some(900), None, None, None),
    ] {
        let mut call = call("su");
        call.parameters.max_output_tokens = asked;
        let rule = TokenBudget {
            max_input: None,
            max_output: most,
            default_output: default,
            ..rule(Strategy::Refuse, 0)
        };
        let decided = rule.decide(&call, &sizes(&call), &[]);
        let found = decided.and_then(|decided| decided.trim.max_output);
        assert_eq!(found, written, "{asked:?} {default:?} {most:?}");
        call.dialect = Dialect::OpenaiEmbeddings;
        assert_eq!(rule.decide(&call, &sizes(&call), &[]), None);
    }
}

#[test]
fn ten_thousand_blocks_are_one_decision() {
    let call = call(&format!("ts{}u", "uarara".repeat(1_700)));
    for strategy in [Strategy::DropTurns, Strategy::CutResults] {
        let decided = rule(strategy, 8_000_000).decide(&call, &sizes(&call), &[]).unwrap();
        assert!(decided.too_much.is_none() && decided.tokens_after <= 8_000_000, "{strategy:?}");
    }
}

proptest! {
    #[test]
    fn what_stays_is_within_the_budget_and_whole(
        prompt in "t{0,2}s{0,2}[uard1-9]{0,40}", most in 0_u64..60_000, scores in prop::collection::vec(0_u32..5, 0..9)
    ) {
        let prompt = prompt.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
        let call = call(&prompt);
        let sizes = sizes(&call);
        for strategy in [Strategy::DropTurns, Strategy::CutResults, Strategy::RankChunks] {
            let rule = rule(strategy, most);
            let Some(decided) = rule.decide(&call, &sizes, &scores) else {
                prop_assert!(sum(&sizes) <= most);
                continue;
            };
            let again = rule.decide(&call, &sizes, &scores);
            prop_assert_eq!(again.as_ref(), Some(&decided));
            if let Some(needed) = decided.too_much {
                prop_assert!(most < needed && decided.trim.is_empty());
                continue;
            }
            let after = decided.trim.apply(&call.prompt);
            let tokens: u64 = after.iter().map(|block| u64::from(block.tokens)).sum();
            prop_assert_eq!(tokens, decided.tokens_after);
            prop_assert!(tokens <= most);
            let of = |role: Role, prompt: &[Block]| prompt.iter().filter(|block| block.role == role).count();
            for role in [Role::Tool, Role::System] {
                prop_assert_eq!(of(role, &after), of(role, &call.prompt));
            }
            // Where a call goes its result goes, too: what the model and its tools said goes in runs
            // that begin with the user and end before the user.
            let dropped = decided.trim.dropped_of(call.prompt.len());
            let last = turns(&call.prompt).last().copied().unwrap_or(0);
            if strategy == Strategy::DropTurns {
                prop_assert!(!dropped[last..].contains(&true));
                let starts = turns(&after);
                prop_assert_eq!(starts.is_empty(), turns(&call.prompt).is_empty());
            }
        }
    }
}
