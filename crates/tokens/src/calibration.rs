//! Corrects an estimate by what providers reported for earlier calls.
//!
//! A call's input is a sum: what each kind of text is counted as, times how much the vendor's
//! vocabulary differs on that kind; something for each message; something for each call; and what its
//! tools are rendered to, which no vendor documents. All but the last are weights that change slowly,
//! learnt by recursive least squares (a Kalman filter without a model of motion) from where the
//! estimate stands without any usage. Tools are learnt for each set by itself, so that the second
//! call with the same tools is counted with what the first one told.
//!
//! What the error is is not derived but seen: every call is predicted before it is learnt from.

use std::collections::BTreeMap;

use scrimp_core::{Block, Role, call::Content};

use crate::content::Kind;
use crate::vocabulary::{precise, round};

/// Weights: a factor for each kind of text, one for tools, one for images, tokens for each message,
/// tokens for each call.
const WEIGHTS: usize = 8;
/// A call's reported input is not a sum of such parts to the token: a word more or less in a block is
/// more or fewer tokens than its length says. As a share of the whole.
const NOISE: f64 = 0.02;
/// How far the factors may be off before any usage, as a share.
const FACTOR: f64 = 0.35;
/// How far a tool set's rendering may be off, as a share of its own count.
const TOOLS: f64 = 0.3;
/// Older calls count less: a vendor changes what it adds. Half after 140 calls.
const MEMORY: f64 = 0.995;
/// Nothing is said of the error before so many calls were predicted.
const FEWEST: u32 = 8;
/// Tool sets that are kept; one that was not seen for longest goes.
const MOST_TOOL_SETS: usize = 1_024;

/// The input of a call, as it is counted here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Tokens of text by kind, in the order of [`Kind::ALL`], tools left out.
    pub text: [f64; 4],
    /// Tokens of the definitions of its tools.
    pub tools: f64,
    /// Names the set of tools; `None` without any.
    pub tool_set: Option<u64>,
    /// Tokens of images and other media.
    pub media: f64,
    /// How many messages.
    pub messages: f64,
}

/// An estimate, corrected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corrected {
    /// How many tokens.
    pub tokens: u64,
    /// Of these for tools, their share of what is learnt for the set included.
    pub tools: u64,
    /// How far off it was on calls before, as a share that nineteen of twenty did not pass; `None`
    /// until enough were seen.
    pub error: Option<f64>,
    /// From how many calls it was learnt.
    pub calls: u32,
}

/// What is learnt of a family of models.
#[derive(Clone, Debug)]
pub struct Calibration {
    weights: [f64; WEIGHTS],
    covariance: [[f64; WEIGHTS]; WEIGHTS],
    sets: BTreeMap<u64, ToolSet>,
    /// Mean of the squares of relative errors of predictions.
    squares: f64,
    calls: u32,
}

/// What a tool set's rendering has beyond its count.
#[derive(Clone, Copy, Debug)]
struct ToolSet {
    beyond: f64,
    variance: f64,
    seen: u32,
}

impl Default for Calibration {
    fn default() -> Calibration {
        Calibration::new()
    }
}

impl Calibration {
    /// Nothing is learnt yet: estimates stand as they are, with three tokens a message and a call,
    /// as `OpenAI` documents.
    pub fn new() -> Calibration {
        let weights = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 3.0, 3.0];
        let deviations = [FACTOR, FACTOR, FACTOR, FACTOR, FACTOR, 1.0, 3.0, 10.0];
        let mut covariance = [[0.0; WEIGHTS]; WEIGHTS];
        for (n, deviation) in deviations.into_iter().enumerate() {
            covariance[n][n] = deviation * deviation;
        }
        Calibration { weights, covariance, sets: BTreeMap::new(), squares: 0.0, calls: 0 }
    }

    /// How many calls were learnt from.
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// The input tokens of a call like `sample`.
    pub fn correct(&self, sample: &Sample) -> Corrected {
        let beyond = self.set_of(sample).map_or(0.0, |set| set.beyond);
        let tools = self.weights[4] * sample.tools + beyond;
        Corrected {
            tokens: round(self.linear(sample) + beyond),
            tools: round(tools),
            error: (FEWEST <= self.calls).then(|| 2.0 * self.squares.sqrt()),
            calls: self.calls,
        }
    }

    /// Learns that a call's input was `reported` tokens.
    pub fn learn(&mut self, sample: &Sample, reported: u64) {
        if reported == 0 {
            return;
        }
        let reported = precise(reported);
        let set = self.set_of(sample).copied();
        let new = ToolSet { beyond: 0.0, variance: (TOOLS * sample.tools).powi(2), seen: 0 };
        let mut set = set.unwrap_or(new);
        let uses_tools = sample.tool_set.is_some();
        let beyond = if uses_tools { set } else { ToolSet { variance: 0.0, ..new } };
        let wrong = reported - self.linear(sample) - beyond.beyond;
        self.note_error(wrong / reported);

        let inputs = inputs(sample);
        let spread = self.covariance.map(|row| dot(&row, &inputs));
        let noise = (NOISE * reported).powi(2) + 1.0;
        let total = dot(&spread, &inputs) + beyond.variance + noise;
        for (n, part) in spread.iter().enumerate() {
            self.weights[n] += part / total * wrong;
            for (m, other) in spread.iter().enumerate() {
                self.covariance[n][m] = (self.covariance[n][m] - part * other / total) / MEMORY;
            }
        }
        self.bound();
        if let Some(name) = sample.tool_set {
            set.beyond += set.variance / total * wrong;
            set.variance *= 1.0 - set.variance / total;
            set.seen = self.calls;
            self.keep(name, set);
        }
        self.calls += 1;
    }

    fn linear(&self, sample: &Sample) -> f64 {
        dot(&self.weights, &inputs(sample))
    }

    fn set_of(&self, sample: &Sample) -> Option<&ToolSet> {
        self.sets.get(&sample.tool_set?)
    }

    /// The first calls say what is to be learnt, not how good it is when it is learnt.
    fn note_error(&mut self, relative: f64) {
        let n = self.calls.saturating_sub(FEWEST / 2).max(1);
        let share = (1.0 / f64::from(n)).max(0.05);
        self.squares += share * (relative.powi(2) - self.squares);
    }

    /// What no call tells anything of would grow without end.
    fn bound(&mut self) {
        let most = [FACTOR, FACTOR, FACTOR, FACTOR, FACTOR, 1.0, 3.0, 10.0];
        for (n, most) in most.into_iter().enumerate() {
            let deviation = self.covariance[n][n].max(0.0).sqrt();
            if most < deviation {
                let scale = most / deviation;
                for m in 0..WEIGHTS {
                    self.covariance[n][m] *= scale;
                    self.covariance[m][n] *= scale;
                }
            }
        }
    }

    fn keep(&mut self, name: u64, set: ToolSet) {
        self.sets.insert(name, set);
        if MOST_TOOL_SETS < self.sets.len() {
            let oldest = self.sets.iter().min_by_key(|(_, set)| set.seen).map(|(name, _)| *name);
            oldest.map(|name| self.sets.remove(&name));
        }
    }
}

impl Sample {
    /// The blocks of a recorded call, whose text is not kept: by what each of them holds, and by how
    /// dense its tokens are.
    pub fn of_blocks(blocks: &[Block]) -> Sample {
        let mut sample = Sample { messages: messages(blocks), ..Sample::default() };
        let mut set = 0;
        for block in blocks {
            let tokens = f64::from(block.tokens);
            match (block.role, block.content) {
                (Role::Tool, _) => {
                    sample.tools += tokens;
                    set = scrimp_core::hash::chain(set, block.digest.word());
                    sample.tool_set = Some(set);
                }
                (_, Content::Image | Content::Audio | Content::Document) => sample.media += tokens,
                _ => sample.text[kind(block) as usize] += tokens,
            }
        }
        sample
    }
}

/// Blocks of one role that follow each other are about a message.
fn messages(blocks: &[Block]) -> f64 {
    let said: Vec<Role> =
        blocks.iter().map(|b| b.role).filter(|role| *role != Role::Tool).collect();
    precise(said.chunk_by(|a, b| a == b).count() as u64)
}

fn kind(block: &Block) -> Kind {
    let density = f64::from(block.tokens) / f64::from(block.characters.max(1));
    match (block.role, block.content) {
        _ if 0.5 < density => Kind::Foreign,
        (_, Content::Tool) => Kind::Data,
        _ if 0.27 < density => Kind::Code,
        _ => Kind::Prose,
    }
}

fn inputs(sample: &Sample) -> [f64; WEIGHTS] {
    let [prose, code, data, foreign] = sample.text;
    [prose, code, data, foreign, sample.tools, sample.media, sample.messages, 1.0]
}

fn dot(a: &[f64; WEIGHTS], b: &[f64; WEIGHTS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random and are the same in every run.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> f64 {
            precise(self.side(sides))
        }

        fn side(&mut self, sides: u64) -> u64 {
            self.0 = scrimp_core::hash::chain(self.0, 1);
            self.0 % sides
        }
    }

    fn of_set(set: u64, tokens: [f64; 3]) -> f64 {
        tokens[usize::try_from(set).unwrap()]
    }

    fn call(dice: &mut Dice) -> Sample {
        let tool_set = dice.side(3);
        Sample {
            text: [dice.roll(2_000) + 50.0, dice.roll(900), dice.roll(900), 0.0],
            tools: of_set(tool_set, [0.0, 700.0, 1_900.0]),
            tool_set: (tool_set != 0).then_some(tool_set),
            media: 0.0,
            messages: dice.roll(9) + 1.0,
        }
    }

    /// What a vendor reports whose vocabulary is dearer, and who renders tools in its own way.
    fn reported(call: &Sample, dice: &mut Dice) -> u64 {
        let [prose, code, data, _] = call.text;
        let tools = of_set(call.tool_set.unwrap_or(0), [0.0, 1_250.0, 2_100.0]);
        let noise = 0.97 + dice.roll(61) / 1_000.0;
        round((1.2 * prose + 1.38 * code + 1.3 * data) * noise + tools + 5.0 * call.messages + 7.0)
    }

    #[test]
    fn after_fifty_calls_an_estimate_is_within_five_percent() {
        for seed in 0..20 {
            let mut dice = Dice(seed);
            let mut calibration = Calibration::new();
            for _ in 0..50 {
                let call = call(&mut dice);
                calibration.learn(&call, reported(&call, &mut dice));
            }
            let mut wrong = Vec::new();
            for _ in 0..200 {
                let call = call(&mut dice);
                let truth = precise(reported(&call, &mut dice));
                wrong.push((precise(calibration.correct(&call).tokens) / truth - 1.0).abs());
            }
            let mean = wrong.iter().sum::<f64>() / 200.0;
            let beyond = wrong.iter().filter(|wrong| 0.05 < **wrong).count();
            assert!(mean < 0.025 && beyond <= 4, "seed {seed}: {mean}, {beyond} beyond 5 %");
            let said = calibration.correct(&call(&mut dice)).error.unwrap();
            assert!((0.01..0.12).contains(&said), "seed {seed}: says {said}");
        }
    }

    #[test]
    fn tools_are_known_after_one_call_with_them() {
        let mut calibration = Calibration::new();
        let with = |text, set| Sample {
            text: [text, 0.0, 0.0, 0.0],
            tools: 2_000.0,
            tool_set: Some(set),
            media: 0.0,
            messages: 1.0,
        };
        for n in 0..20 {
            let plain = Sample { tools: 0.0, tool_set: None, ..with(f64::from(100 * n), 0) };
            calibration.learn(&plain, u64::try_from(100 * n + 6).unwrap());
        }
        calibration.learn(&with(300.0, 1), 300 + 6 + 2_500);
        let found = calibration.correct(&with(900.0, 1));
        let wrong = precise(found.tokens) / (900.0 + 6.0 + 2_500.0) - 1.0;
        assert!(wrong.abs() < 0.05, "{found:?}");
    }

    #[test]
    fn without_usage_an_estimate_stands_and_says_nothing_of_its_error() {
        let sample = Sample { text: [100.0, 0.0, 0.0, 0.0], messages: 1.0, ..Sample::default() };
        let found = Calibration::new().correct(&sample);
        assert_eq!(found, Corrected { tokens: 106, tools: 0, error: None, calls: 0 });
    }

    #[test]
    fn one_odd_report_does_not_spoil_the_rest() {
        let sample = Sample { text: [1_000.0, 0.0, 0.0, 0.0], messages: 1.0, ..Sample::default() };
        let mut calibration = Calibration::new();
        (0..100).for_each(|_| calibration.learn(&sample, 1_200));
        calibration.learn(&sample, 0);
        calibration.learn(&sample, 1_500);
        let found = calibration.correct(&sample).tokens;
        assert!((1_190..1_240).contains(&found), "{found}");
    }
}
