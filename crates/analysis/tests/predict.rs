//! Predictions are what the replay says, no more, and nothing where a rule would stand down.

mod support;

use scrimp_analysis::replay::{Trace, Variant, predict};
use scrimp_core::call::Digest;
use scrimp_core::policy::Scope;
use scrimp_core::policy::prompt_cache::{ClientMarks, PromptCache};
use scrimp_core::price::{CacheKind, CacheRules};
use scrimp_core::{Catalog, Ttl};
use support::{Asks, Says};

const SESSIONS: u64 = 40;

/// Sessions of two turns each, a minute apart; each session has its own words.
fn trace(mark: Option<Ttl>) -> Trace {
    let turns = (0..SESSIONS).flat_map(|session| (0..2).map(move |turn| (session, turn)));
    let entries = turns.enumerate().map(|(number, (session, turn))| {
        let words = |n| Says(100 * session + n, 1_000, mark.filter(|_| n == turn));
        let at = i64::try_from(session * 10_000 + turn * 60).expect("small");
        let prompt = (0..=turn).map(words).collect();
        let mut entry = support::entry(number, &Asks { at, begins: 1, prompt });
        let mut call = (*entry.record.call).clone();
        call.caller.session = Some(Digest(u128::from(session + 1).to_le_bytes()));
        entry.record.call = call.into();
        entry
    });
    Trace::from_entries(entries)
}

fn prices(cache: CacheRules) -> Catalog {
    support::catalog(support::rates(support::PLAIN, [100, 1_250, 2_000]), cache)
}

fn tail() -> PromptCache {
    let rule = Variant::Tail(Ttl::Short).rule().expect("a tail mark is a rule");
    PromptCache { client_marks: ClientMarks::Keep, ..rule }
}

#[test]
fn a_prediction_is_the_change_of_the_total_cost_in_scope() {
    let prediction = predict(&trace(None), &tail(), &prices(support::rules())).unwrap();
    // Of 3,000 input and 2 output tokens: 1,000 and 1,000 written, 1,000 read.
    let (now, then) = (3_002.0, 2.0 * 1_250.0 + 100.0 + 2.0);
    assert_eq!(prediction.ppm, -133_245);
    assert!((f64::from(-133_245) / 1e6 - (then / now - 1.0)).abs() < 1e-6);
    assert_eq!((prediction.calls, prediction.units), (80, 40));
    assert!(prediction.low_ppm <= prediction.ppm && prediction.ppm <= prediction.high_ppm);
}

#[test]
fn where_the_rule_stands_down_nothing_is_promised() {
    let marked = predict(&trace(Some(Ttl::Short)), &tail(), &prices(support::rules())).unwrap();
    assert_eq!((marked.ppm, marked.low_ppm, marked.high_ppm), (0, 0, 0), "the client's own marks");
    let automatic = CacheRules { kind: CacheKind::Automatic, ..support::rules() };
    let automatic = predict(&trace(None), &tail(), &prices(automatic)).unwrap();
    assert_eq!((automatic.ppm, automatic.low_ppm, automatic.high_ppm), (0, 0, 0));
}

#[test]
fn without_calls_in_scope_there_is_no_prediction() {
    let other = PromptCache { scope: Scope::Model("another".into()), ..tail() };
    assert_eq!(predict(&trace(None), &other, &prices(support::rules())), None);
}
