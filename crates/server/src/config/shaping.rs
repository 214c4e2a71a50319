//! `[shaping]` and `[token_budgets]`: what a prompt is written in, and how large it may be.

use schemars::JsonSchema;
use scrimp_core::policy::Scope;
use scrimp_core::policy::shaping::{Shaping, Transform, Transforms};
use scrimp_core::policy::token_budget::{Strategy, TokenBudget};
use scrimp_core::{Share, State, hash};
use serde::Deserialize;
use serde::de::MapAccess;

use super::schema;
use super::scoped::RuleTable;
use super::values::Portion;

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ShapingTable {
    /// JSON in tool results and in what users say is written without white space between its parts;
    /// strings and numbers stay as they are spelled.
    #[schemars(with = "Option<schema::StateWord>", extend("default" = "off"))]
    pub(super) minify: Option<State>,
    /// Keys of tools' definitions and of the schemas in them are put in order, so that a program that
    /// writes them in another order each time sends the same text.
    #[schemars(with = "Option<schema::StateWord>", extend("default" = "off"))]
    pub(super) canonical: Option<State>,
    /// Terminal output in tool results loses its colours, white space at the ends of lines, and the
    /// states of a progress bar before its last.
    #[schemars(with = "Option<schema::StateWord>", extend("default" = "off"))]
    pub(super) terminal: Option<State>,
    /// JSON arrays of objects with the same keys are written as tables, which the model sees.
    #[schemars(with = "Option<schema::StateWord>", extend("default" = "off"))]
    pub(super) tables: Option<State>,
    /// A long tool result that stood before is named in place of being repeated, which the model sees.
    #[schemars(with = "Option<schema::StateWord>", extend("default" = "off"))]
    pub(super) references: Option<State>,
    /// The share of *units* that is shaped, as in `[prompt_cache]`; of the others it is counted.
    #[schemars(extend("default" = 1.0))]
    pub(super) share: Option<Portion>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TokenBudgetTable {
    /// What it does.
    #[schemars(with = "Option<schema::StateWord>", extend("default" = "observe"))]
    pub(super) state: Option<State>,
    /// The most tokens of a prompt, by estimate, after shaping.
    pub(super) max_input_tokens: Option<u64>,
    /// What becomes of a larger prompt. Tools, system instructions, the user's last question, and
    /// calls with their results stay whole; where they are too much the call is refused.
    #[schemars(with = "Option<StrategyWord>", extend("default" = "refuse"))]
    pub(super) strategy: Option<Strategy>,
    /// The most tokens of an answer: calls that ask for more, or do not say, ask for these.
    pub(super) max_output_tokens: Option<u64>,
    /// What calls ask for that do not say, in place of `max_output_tokens`.
    pub(super) default_output_tokens: Option<u64>,
}

/// [`scrimp_core::policy::token_budget::Strategy`], which knows nothing of schemas.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is wanted")]
pub(super) enum StrategyWord {
    /// The call is refused with its provider's own error for a prompt that is too long.
    Refuse,
    /// The oldest turns are left out, whole.
    DropTurns,
    /// Long tool results lose their middle.
    CutResults,
    /// Of the texts and documents beside the user's last question, those go that have least to do
    /// with it (BM25).
    RankChunks,
}

impl RuleTable for ShapingTable {
    type Rule = Shaping;
    const SECTION: &'static str = "shaping";
    const FIELDS: &'static [&'static str] =
        &["minify", "canonical", "terminal", "tables", "references", "share"];

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "minify" => self.minify = Some(map.next_value()?),
            "canonical" => self.canonical = Some(map.next_value()?),
            "terminal" => self.terminal = Some(map.next_value()?),
            "tables" => self.tables = Some(map.next_value()?),
            "references" => self.references = Some(map.next_value()?),
            "share" => self.share = Some(map.next_value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn over(&self, base: &ShapingTable) -> ShapingTable {
        ShapingTable {
            minify: self.minify.or(base.minify),
            canonical: self.canonical.or(base.canonical),
            terminal: self.terminal.or(base.terminal),
            tables: self.tables.or(base.tables),
            references: self.references.or(base.references),
            share: self.share.or(base.share),
        }
    }

    fn is_said(&self) -> bool {
        self.states().any(|(_, state)| state.is_some())
    }

    fn resolved(&self, scope: Scope) -> Shaping {
        let of = |wanted: State| -> Transforms {
            let states = self.states().filter(|(_, state)| *state == Some(wanted));
            states.map(|(transform, _)| transform).collect()
        };
        Shaping {
            scope,
            on: of(State::On),
            observed: of(State::Observe),
            share: self.share.map_or(Share::ALL, |portion| portion.0),
            // Another split than that of prompt caching, whose rules by hand are experiment 0.
            experiment: hash::text("shaping"),
        }
    }
}

impl ShapingTable {
    fn states(&self) -> impl Iterator<Item = (Transform, Option<State>)> {
        Transform::ALL.into_iter().map(|transform| {
            let state = match transform {
                Transform::Minify => self.minify,
                Transform::Canonical => self.canonical,
                Transform::Terminal => self.terminal,
                Transform::Tables => self.tables,
                Transform::References => self.references,
            };
            (transform, state)
        })
    }
}

impl RuleTable for TokenBudgetTable {
    type Rule = TokenBudget;
    const SECTION: &'static str = "token_budgets";
    const FIELDS: &'static [&'static str] =
        &["state", "max_input_tokens", "strategy", "max_output_tokens", "default_output_tokens"];

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "state" => self.state = Some(map.next_value()?),
            "max_input_tokens" => self.max_input_tokens = Some(map.next_value()?),
            "strategy" => self.strategy = Some(map.next_value()?),
            "max_output_tokens" => self.max_output_tokens = Some(map.next_value()?),
            "default_output_tokens" => self.default_output_tokens = Some(map.next_value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn over(&self, base: &TokenBudgetTable) -> TokenBudgetTable {
        TokenBudgetTable {
            state: self.state.or(base.state),
            max_input_tokens: self.max_input_tokens.or(base.max_input_tokens),
            strategy: self.strategy.or(base.strategy),
            max_output_tokens: self.max_output_tokens.or(base.max_output_tokens),
            default_output_tokens: self.default_output_tokens.or(base.default_output_tokens),
        }
    }

    fn is_said(&self) -> bool {
        self.state.is_some()
    }

    fn resolved(&self, scope: Scope) -> TokenBudget {
        TokenBudget {
            scope,
            state: self.state.unwrap_or(State::Observe),
            max_input: self.max_input_tokens,
            strategy: self.strategy.unwrap_or(Strategy::Refuse),
            max_output: self.max_output_tokens,
            default_output: self.default_output_tokens,
        }
    }
}
