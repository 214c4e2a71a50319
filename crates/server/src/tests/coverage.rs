//! What `proof` says, against what only the simulator knows. `examples/proof_coverage` is the same
//! with many seeds.

#[path = "../../examples/proof_coverage/experiment.rs"]
mod experiment;

use experiment::{Outcome, Trial, run};
use scrimp_analysis::proof::Verdict;
use scrimp_sim::workload::Workload::{BatchExtraction, SupportChat};

use crate::{Clock, Config, Connector, Gateway, Setup};

const SEEDS: u64 = 3;

/// All but one interval hold the truth, and every verdict is the wanted one.
fn check(trial: Trial, wanted: Verdict) {
    let outcomes: Vec<Outcome> = (1..=SEEDS).map(|seed| run(trial, seed)).collect();
    let mut held = 0;
    for Outcome { proof, truth, joined, alone } in &outcomes {
        let (low, high) = proof.low.zip(proof.high).expect("there are enough sessions");
        held += u64::from(low <= *truth && *truth <= high);
        assert_eq!(proof.verdict, wanted, "{outcomes:?}");
        assert!(20 * alone < *joined, "the days are the same but for the rule: {outcomes:?}");
    }
    assert!(SEEDS <= held + 1, "{outcomes:?}");
}

#[test]
fn the_interval_holds_what_conversations_saved() {
    check(Trial { strategy: "tail", traffic: &[(SupportChat, 0.08)] }, Verdict::Worked);
}

#[test]
fn the_interval_holds_what_single_calls_lost() {
    check(Trial { strategy: "tail", traffic: &[(BatchExtraction, 0.03)] }, Verdict::Worse);
}
