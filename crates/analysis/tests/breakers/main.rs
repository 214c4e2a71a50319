//! Prefix breakers in generated traffic: each kind that is planted is found and named, and none is
//! seen where nothing breaks.

mod traffic;

use scrimp_analysis::findings::{FINDINGS, Finding, Study};
use scrimp_analysis::profile::{Calendar, Profile};
use scrimp_analysis::replay::{Basis, Reading, Trace};
use scrimp_core::{Entry, Usd};
use traffic::{ALL, Planted, broken, clean, prices};

const SEEDS: u64 = 20;

fn breakers(entries: Vec<Entry>) -> Vec<Finding> {
    let prices = prices();
    let records = entries.iter().map(|entry| &entry.record);
    let profile = Profile::of(records, prices.clone(), Calendar::Real);
    let trace = Trace::from_entries(entries);
    let study =
        Study { profile: &profile, trace: &trace, prices: &prices, reading: Reading::Covers };
    let rule = FINDINGS.iter().find(|rule| rule.name == "breaker").expect("a rule");
    (rule.find)(&study)
}

fn words(planted: Planted) -> &'static str {
    match planted {
        Planted::Time => "a time of day",
        Planted::Date => "a date",
        Planted::Id => "an id",
        Planted::Random => "a random value",
        Planted::Number => "a number",
        Planted::KeyOrder | Planted::ToolKeyOrder => "another order of the same parts",
        Planted::ToolOrder => "another order of the same tools",
        Planted::ToolChanged => "a changed tool",
        Planted::ToolSet => "another set of tools",
        Planted::Trimmed => "earlier turns that were left out",
        Planted::Rewritten => "earlier turns that were changed",
        Planted::Model => "another model",
        Planted::Parameter => "another value of tool_choice, thinking or the answer's schema",
    }
}

#[test]
fn every_planted_breaker_is_found_and_named_and_no_other_is() {
    let mut wrong = Vec::new();
    for planted in ALL {
        for seed in 0..SEEDS {
            let found = breakers(broken(planted, seed));
            let titles: Vec<&str> = found.iter().map(|finding| &*finding.title).collect();
            let expected = format!("chat: {} in ", words(planted));
            let [finding] = &found[..] else {
                wrong.push(format!("{planted:?} {seed}: {titles:?}"));
                continue;
            };
            if !finding.title.starts_with(&expected) {
                wrong.push(format!("{planted:?} {seed}: {titles:?}"));
            }
            let usd = finding.usd.expect("it costs something");
            assert!(Usd::ZERO < usd.likely && finding.basis == Basis::Modelled);
            assert!(finding.change.is_none() && 3 <= finding.evidence.calls);
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn nothing_is_found_where_nothing_breaks() {
    for seed in 0..SEEDS {
        let found = breakers(clean(seed));
        let titles: Vec<&str> = found.iter().map(|finding| &*finding.title).collect();
        assert!(titles.is_empty(), "{seed}: {titles:#?}");
    }
}
