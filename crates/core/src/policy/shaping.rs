//! Shaping: writing what a block says in fewer tokens.
//!
//! A block is always shaped alike, whatever the turn: the prompt of the next turn begins with what
//! the provider saw of this one, and what it cached is read again. So a rule says which transforms
//! are made, and nothing here asks how long the prompt is or what was shaped before.

use serde::{Deserialize, Serialize};

use super::{Arm, Scope, Share};
use crate::call::{Block, Call, Content, Digest, Role};

/// A way to write a block in fewer tokens. Records name it by its place: new ones come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// JSON without white space between its parts. Numbers and strings stay as they are spelled.
    Minify,
    /// The keys of a tool's definition in order, so that the same tool is the same text.
    Canonical,
    /// Terminal output without colours, white space at the ends of lines, and rewritten progress.
    Terminal,
    /// A JSON array of objects with the same keys as a table. The model sees another notation.
    Tables,
    /// A text that stood in the prompt before is named and not repeated.
    References,
}

impl Transform {
    /// All of them, in the order in which they are made.
    pub const ALL: [Transform; 5] = [
        Transform::Canonical,
        Transform::Terminal,
        Transform::Tables,
        Transform::Minify,
        Transform::References,
    ];

    /// Its name in the configuration and in headers.
    pub const fn name(self) -> &'static str {
        match self {
            Transform::Minify => "minify",
            Transform::Canonical => "canonical",
            Transform::Terminal => "terminal",
            Transform::Tables => "tables",
            Transform::References => "references",
        }
    }

    /// Whether it is for blocks of this kind. What the model said itself and the instructions to it
    /// are left as they are.
    pub const fn is_for(self, role: Role, content: Content) -> bool {
        let is_said = matches!(content, Content::Text | Content::Tool);
        match self {
            Transform::Canonical => matches!(role, Role::Tool),
            Transform::Minify | Transform::Tables => {
                is_said && matches!(role, Role::ToolResult | Role::User)
            }
            Transform::Terminal | Transform::References => {
                is_said && matches!(role, Role::ToolResult)
            }
        }
    }
}

/// A set of transforms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Transform>", into = "Vec<Transform>")]
pub struct Transforms(u8);

impl Transforms {
    /// None of them.
    pub const NONE: Transforms = Transforms(0);

    /// These and another.
    #[must_use]
    pub const fn with(self, transform: Transform) -> Transforms {
        Transforms(self.0 | 1 << transform as u8)
    }

    /// These and the others.
    #[must_use]
    pub const fn and(self, others: Transforms) -> Transforms {
        Transforms(self.0 | others.0)
    }

    /// These but for one.
    #[must_use]
    pub const fn without(self, transform: Transform) -> Transforms {
        Transforms(self.0 & !(1 << transform as u8))
    }

    /// Whether it is one of them.
    pub const fn has(self, transform: Transform) -> bool {
        self.0 & 1 << transform as u8 != 0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, in the order in which they are made.
    pub fn iter(self) -> impl Iterator<Item = Transform> {
        Transform::ALL.into_iter().filter(move |transform| self.has(*transform))
    }

    /// Those that are for a block of this kind.
    #[must_use]
    pub fn of(self, role: Role, content: Content) -> Transforms {
        self.iter().filter(|transform| transform.is_for(role, content)).collect()
    }
}

impl FromIterator<Transform> for Transforms {
    fn from_iter<I: IntoIterator<Item = Transform>>(all: I) -> Transforms {
        all.into_iter().fold(Transforms::NONE, Transforms::with)
    }
}

impl From<Vec<Transform>> for Transforms {
    fn from(all: Vec<Transform>) -> Transforms {
        all.into_iter().collect()
    }
}

impl From<Transforms> for Vec<Transform> {
    fn from(set: Transforms) -> Vec<Transform> {
        set.iter().collect()
    }
}

/// A rule for shaping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shaping {
    /// Which calls it is about.
    pub scope: Scope,
    /// The transforms that act.
    pub on: Transforms,
    /// The transforms whose effect is only counted.
    pub observed: Transforms,
    /// The share of units that it acts on.
    pub share: Share,
    /// Names the experiment, as that of prompt caching does.
    pub experiment: u64,
}

/// What is to be done with one call's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// These transforms are made.
    pub made: Transforms,
    /// What these would do beside them is counted.
    pub counted: Transforms,
}

/// A block that a transform changed, or would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapedBlock {
    /// Index of the block in the prompt.
    pub block: u32,
    /// What changed it.
    pub by: Transforms,
    /// Its characters after that.
    pub characters: u32,
    /// Its tokens after that, by the estimate of [`Block::tokens`].
    pub tokens: u32,
    /// Its digest after that, of a definition whose keys were put in order: those of other orders
    /// have the same. Of other blocks it follows from the one before.
    pub digest: Option<Digest>,
}

/// What became of a call's text under a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shaped {
    /// The experiment that decided.
    pub experiment: u64,
    /// On which side the call's unit is.
    pub arm: Arm,
    /// The unit.
    pub unit: u64,
    /// The transforms that acted.
    pub made: Transforms,
    /// The transforms that were counted only.
    pub counted: Transforms,
    /// The blocks that were changed, in order.
    pub blocks: Vec<ShapedBlock>,
    /// The blocks as they would be if what was counted had acted, too; empty if nothing was counted.
    pub would: Vec<ShapedBlock>,
}

impl ShapedBlock {
    /// Makes its block what it is now. What it says is another text, and so not what another call was
    /// cached with.
    pub fn apply(&self, prompt: &mut [Block]) {
        let Some(block) = prompt.get_mut(self.block as usize) else { return };
        (block.characters, block.tokens) = (self.characters, self.tokens);
        let marked = || block.digest.marked(u64::from(self.by.0) | 1 << 8);
        block.digest = self.digest.unwrap_or_else(marked);
        block.chunks = Box::default();
    }
}

/// What blocks say before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortened {
    /// How many blocks.
    pub blocks: usize,
    /// Their characters as they came.
    pub characters_before: u64,
    /// Their characters after.
    pub characters_after: u64,
    /// Their tokens as they came, by estimate.
    pub tokens_before: u64,
    /// Their tokens after, by estimate.
    pub tokens_after: u64,
}

/// The rule that decides about `call`, if any does.
pub fn rule_for<'a>(rules: &'a [Shaping], call: &Call) -> Option<&'a Shaping> {
    let rule = rules.iter().find(|rule| rule.scope.covers(call))?;
    let is_asked = !rule.on.and(rule.observed).is_empty() && call.dialect.is_conversation();
    is_asked.then_some(rule)
}

impl Shaping {
    /// What is to be done with `call`, and what is recorded of that.
    pub fn plan(&self, call: &Call) -> Shaped {
        let unit = call.unit();
        let arm = self.share.arm(unit, self.experiment);
        let (made, counted) = match arm {
            Arm::Treated => (self.on, self.observed),
            Arm::HeldOut => (Transforms::NONE, self.on.and(self.observed)),
        };
        let (blocks, would) = (Vec::new(), Vec::new());
        Shaped { experiment: self.experiment, arm, unit, made, counted, blocks, would }
    }
}

impl Shaped {
    /// Names no text that may be left out: a reference to it would lead nowhere.
    pub fn keep_whole(&mut self) {
        self.made = self.made.without(Transform::References);
        self.counted = self.counted.without(Transform::References);
    }

    /// What the driver is asked for.
    pub fn asked(&self) -> Plan {
        Plan { made: self.made, counted: self.counted }
    }

    /// The sum of what was done to `prompt`.
    pub fn done(&self, prompt: &[Block]) -> Shortened {
        Shortened::of(&self.blocks, prompt)
    }

    /// The sum of what would have been done to `prompt`, what was done included.
    pub fn possible(&self, prompt: &[Block]) -> Shortened {
        match self.counted.is_empty() {
            true => self.done(prompt),
            false => Shortened::of(&self.would, prompt),
        }
    }
}

impl Shortened {
    fn of(shaped: &[ShapedBlock], prompt: &[Block]) -> Shortened {
        let mut sum = Shortened::default();
        for shaped in shaped {
            let Some(block) = prompt.get(shaped.block as usize) else { continue };
            sum.blocks += 1;
            sum.characters_before += u64::from(block.characters);
            sum.characters_after += u64::from(shaped.characters);
            sum.tokens_before += u64::from(block.tokens);
            sum.tokens_after += u64::from(shaped.tokens);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_its_transforms() {
        let set: Transforms = [Transform::Tables, Transform::Minify].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Transform::Tables, Transform::Minify]);
        assert!(set.has(Transform::Minify) && !set.has(Transform::Terminal));
        assert_eq!(Transforms::from(Vec::from(set)), set);
    }

    #[test]
    fn what_the_model_said_and_what_instructs_it_is_left_alone() {
        let all: Transforms = Transform::ALL.into_iter().collect();
        for role in [Role::System, Role::Assistant] {
            for content in [Content::Text, Content::Tool, Content::Reasoning] {
                assert_eq!(all.of(role, content), Transforms::NONE, "{role:?} {content:?}");
            }
        }
        let images = all.of(Role::User, Content::Image);
        assert_eq!(images, Transforms::NONE);
        assert!(all.of(Role::Tool, Content::Tool).has(Transform::Canonical));
        let said = all.of(Role::User, Content::Text);
        assert!(said.has(Transform::Minify) && !said.has(Transform::Terminal));
    }
}
