//! Estimates corrected by usage, on real texts: a vocabulary that the estimate knows nothing of plays
//! the vendor's, and only what records keep of a prompt is learnt from.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without has to be there")]
#![expect(clippy::cast_precision_loss, reason = "counts of tokens are small")]
#![expect(clippy::print_stdout, reason = "docs/tokens.md has what it prints")]

use scrimp_core::call::Dialect;
use scrimp_tokens::{Calibration, Sample, Vocabulary};
use scrimp_wire::{Key, dialect};

const PROSE: &[&str] = &[
    include_str!("../../../ARCHITECTURE.md"),
    include_str!("../../../README.md"),
    include_str!("../../../docs/proof.md"),
    include_str!("../../../docs/whatif.md"),
];
const CODE: &[&str] = &[
    include_str!("../../../xtask/src/tidy.rs"),
    include_str!("../../core/src/price.rs"),
    include_str!("../../core/src/flight.rs"),
    include_str!("../../../oracles/costs.py"),
];
const DATA: &[&str] =
    &[include_str!("../../../Cargo.lock"), include_str!("../../wire/data/prices.txt")];

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = scrimp_core::hash::chain(self.0, 1);
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    /// A piece of one of `texts`, of `about` bytes.
    fn piece(&mut self, texts: &[&str], about: usize) -> String {
        let text = texts[self.below(texts.len())];
        let length = (about / 2 + self.below(about)).min(text.len() - 1);
        let start = self.below(text.len() - length);
        let bytes = &text.as_bytes()[start..start + length];
        String::from_utf8_lossy(bytes).replace('\u{fffd}', "")
    }
}

/// What an application asks.
#[derive(Clone, Copy)]
enum Application {
    /// Instructions and a question, both prose.
    Support,
    /// Prose, code and what tools returned, over several turns.
    Agent,
}

/// A request's body and the texts in it.
fn call(application: Application, dice: &mut Dice) -> (String, Vec<String>) {
    let user = |text: &str| serde_json::json!({"role": "user", "content": text});
    let (system, turns) = match application {
        Application::Support => (&PROSE[0][..3_000], vec![dice.piece(PROSE, 1_500)]),
        Application::Agent => {
            let turns = 2 + dice.below(5);
            let texts = [PROSE, CODE, CODE, DATA];
            let turn = |dice: &mut Dice| {
                let kind = texts[dice.below(texts.len())];
                dice.piece(kind, 3_000)
            };
            (&PROSE[1][..2_000], (0..turns).map(|_| turn(dice)).collect())
        }
    };
    let messages: Vec<_> = turns.iter().map(|turn| user(turn)).collect();
    let body = serde_json::json!({"model": "m", "system": system, "messages": messages});
    let texts = [vec![system.to_owned()], turns].concat();
    (body.to_string(), texts)
}

/// How far off estimates are after 50 calls.
#[derive(Default)]
struct Off {
    mean: f64,
    /// What nineteen of twenty do not pass.
    most: f64,
    /// The share that is off by no more than was stated.
    within: f64,
}

fn off(application: Application, vendor: &str, seed: u64) -> Off {
    let vendor = Vocabulary::of_encoding(vendor).unwrap();
    let (mut dice, key) = (Dice(seed), Key::new([7; 32]));
    let mut next = || {
        let (body, texts) = call(application, &mut dice);
        let request = dialect::read(Dialect::AnthropicMessages, body.as_bytes(), &key).unwrap();
        let text: u64 = texts.iter().map(|text| vendor.count(text).tokens).sum();
        (Sample::of_blocks(&request.facts.prompt), text * 6 / 5 + 5 * texts.len() as u64 + 20)
    };
    let mut calibration = Calibration::new();
    for _ in 0..50 {
        let (sample, reported) = next();
        calibration.learn(&sample, reported);
    }
    let (mut wrong, mut within) = (Vec::new(), 0.0);
    for _ in 0..100 {
        let (sample, reported) = next();
        let found = calibration.correct(&sample);
        let off = (found.tokens as f64 / reported as f64 - 1.0).abs();
        within += if off <= found.error.unwrap() { 0.01 } else { 0.0 };
        wrong.push(off);
    }
    wrong.sort_by(f64::total_cmp);
    Off { mean: wrong.iter().sum::<f64>() / 100.0, most: wrong[95], within }
}

/// Five runs: means, and the worst of what nineteen of twenty do not pass.
fn runs(application: Application, name: &str, vendor: &str) -> Off {
    let mut all = Off::default();
    for seed in 1..=5 {
        let Off { mean, most, within } = off(application, vendor, seed);
        all.mean += mean / 5.0;
        all.most = all.most.max(most);
        all.within += within / 5.0;
    }
    let [mean, most, within] = [all.mean, all.most, all.within].map(|share| share * 100.0);
    println!(
        "{name:8} {vendor:12} {mean:4.1} % {most:5.1} %   within what is stated: {within:.0} %"
    );
    all
}

#[test]
fn after_fifty_calls_of_a_family_estimates_are_within_five_percent_in_the_mean() {
    for (application, name) in [(Application::Support, "support"), (Application::Agent, "agent")] {
        for vendor in ["cl100k_base", "mistral_v3", "qwen2", "deepseek_v3", "glm5"] {
            let Off { mean, within, .. } = runs(application, name, vendor);
            assert!(mean < 0.05 && 0.85 < within, "{name}, {vendor}: {mean}, {within}");
        }
    }
}

/// A token for every space of an indent: what records keep of a block says nothing of that.
#[test]
fn what_cannot_be_learnt_is_told_as_error() {
    let Off { within, .. } = runs(Application::Agent, "agent", "r50k_base");
    assert!(0.8 < within, "{within}");
}
