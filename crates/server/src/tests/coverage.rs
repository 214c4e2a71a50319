//! What `proof` says, against what only the simulator knows. `examples/proof_coverage` is the same
//! with many seeds.

#[path = "../../examples/proof_coverage/experiment.rs"]
mod experiment;

use experiment::{Outcome, Trial, run, run_alike};
use scrimp_analysis::proof::Verdict;
use scrimp_sim::workload::Workload::{BatchExtraction, SupportChat};

use crate::{Clock, Config, Connector, Gateway, Setup};

const SEEDS: u64 = 3;

/// All but one interval hold the truth, and every verdict is the wanted one.
fn check(trial: Trial, wanted: Verdict) {
    let outcomes: Vec<Outcome> = (1..=SEEDS).map(|seed| run(trial, seed)).collect();
    let mut held = 0;
    for Outcome { proof, truth, bills, joined, alone } in &outcomes {
        let (low, high) = proof.low.zip(proof.high).expect("there are enough sessions");
        held += u64::from(low <= *truth && *truth <= high);
        assert_eq!(proof.verdict, wanted, "{outcomes:?}");
        assert!(0.0 < bills.0 && 0.0 < bills.1, "both plays were billed: {outcomes:?}");
        assert!(20 * alone < *joined, "the days are the same but for the rule: {outcomes:?}");
    }
    assert!(SEEDS <= held + 1, "{outcomes:?}");
}

#[test]
fn the_interval_holds_what_conversations_saved() {
    check(
        Trial { strategy: "tail", traffic: &[(SupportChat, 0.08)], faults: false },
        Verdict::Worked,
    );
}

#[test]
fn the_interval_holds_what_single_calls_lost() {
    check(
        Trial { strategy: "tail", traffic: &[(BatchExtraction, 0.03)], faults: false },
        Verdict::Worse,
    );
}

/// All sessions are treated, so a difference between halves of them is chance. One in twenty
/// intervals leaves 0 out by definition; the bound has room for that and no more.
#[test]
fn a_rule_that_both_arms_follow_hardly_ever_seems_to_make_a_difference() {
    let trial = Trial { strategy: "tail", traffic: &[(SupportChat, 0.08)], faults: true };
    let proofs: Vec<_> = (1..=SEEDS).flat_map(|seed| run_alike(trial, seed, 100)).collect();
    let of = |wanted| proofs.iter().filter(|proof| proof.verdict == wanted).count();
    let said = proofs.iter().filter(|proof| proof.low.is_some()).count();
    assert!(2 * said > proofs.len(), "says something");
    let wrong = of(Verdict::Worked) + of(Verdict::Partial) + of(Verdict::Worse);
    assert!(10 * wrong <= said, "{wrong} of {said}");
}
