//! The file's shape, as it is written. What it means is decided in [`super`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use scrimp_core::policy::prompt_cache::{ClientMarks, Strategy};
use scrimp_core::{State, Ttl};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::values::{Length, Portion, Size};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) listen: ListenTable,
    pub(super) providers: BTreeMap<Spanned<String>, ProviderTable>,
    pub(super) models: BTreeMap<Spanned<String>, ModelTable>,
    pub(super) prompt_cache: PromptCacheTable,
    pub(super) http: HttpTable,
    pub(super) store: StoreTable,
    pub(super) prices: PricesTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListenTable {
    pub(super) address: Option<Spanned<String>>,
    pub(super) hosts: Vec<String>,
    pub(super) control_token: Option<Spanned<String>>,
    pub(super) workers: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProviderTable {
    pub(super) base_url: Option<Spanned<String>>,
    pub(super) dialect: Option<Speaks>,
    pub(super) api_key: Option<Spanned<String>>,
    pub(super) metering: Option<MeteringWord>,
    pub(super) prices_as: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
}

/// Whose API a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaks {
    /// `POST /v1/chat/completions` and its relatives, keys in `Authorization: Bearer`.
    Openai,
    /// `POST /v1/messages` and its relatives, keys in `x-api-key`.
    Anthropic,
    /// `OpenAI`'s as Azure serves it: `POST /openai/deployments/…/chat/completions` or
    /// `/openai/v1/…`, keys in `api-key`.
    Azure,
    /// Amazon Bedrock's: `POST /model/…/converse` and its relatives, with an API key of Bedrock's in
    /// `Authorization: Bearer`.
    Bedrock,
    /// `POST /v1beta/models/…:generateContent` and its relatives, keys in `x-goog-api-key`.
    Gemini,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MeteringWord {
    Active,
    Passive,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelTable {
    pub(super) targets: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpTable {
    pub(super) header_bytes: Option<Spanned<Size>>,
    pub(super) body_bytes: Option<Size>,
    pub(super) header_timeout: Option<Length>,
    pub(super) body_timeout: Option<Length>,
    pub(super) connect_timeout: Option<Length>,
    pub(super) first_token_timeout: Option<Length>,
    pub(super) chunk_timeout: Option<Length>,
    pub(super) drain_timeout: Option<Length>,
    pub(super) calls: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoreTable {
    pub(super) retention: Option<Length>,
    pub(super) rollup_retention: Option<Length>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PricesTable {
    pub(super) file: Option<PathBuf>,
}

/// `[prompt_cache]` holds a rule for every call and, below it, rules by scope.
#[derive(Debug, Default)]
pub(super) struct PromptCacheTable {
    pub(super) base: RuleTable,
    pub(super) scoped: Vec<(Spanned<String>, RuleTable)>,
    /// What is neither: told with its place, which an error from here would not have.
    pub(super) unknown: Option<Spanned<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RuleTable {
    pub(super) state: Option<State>,
    pub(super) strategy: Option<StrategyWord>,
    pub(super) ttl: Option<TtlWord>,
    pub(super) share: Option<Portion>,
    pub(super) client_marks: Option<ClientMarks>,
    pub(super) experiment: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StrategyWord {
    None,
    Client,
    System,
    Tail,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TtlWord {
    Short,
    Long,
    #[serde(rename = "5m")]
    FiveMinutes,
    #[serde(rename = "1h")]
    OneHour,
}

impl From<StrategyWord> for Strategy {
    fn from(word: StrategyWord) -> Strategy {
        match word {
            StrategyWord::None => Strategy::None,
            StrategyWord::Client => Strategy::Client,
            StrategyWord::System => Strategy::System,
            StrategyWord::Tail => Strategy::Tail,
        }
    }
}

impl From<TtlWord> for Ttl {
    fn from(word: TtlWord) -> Ttl {
        match word {
            TtlWord::Short | TtlWord::FiveMinutes => Ttl::Short,
            TtlWord::Long | TtlWord::OneHour => Ttl::Long,
        }
    }
}

/// The fields of a rule.
pub(super) const RULE_FIELDS: &[&str] =
    &["state", "strategy", "ttl", "share", "client_marks", "experiment"];

struct Section;

impl<'de> Visitor<'de> for Section {
    type Value = PromptCacheTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a prompt-cache rule, or rules by scope such as \"op:code-review\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PromptCacheTable, A::Error> {
        let mut table = PromptCacheTable::default();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let base = &mut table.base;
            match key.as_ref().as_str() {
                "state" => base.state = Some(map.next_value()?),
                "strategy" => base.strategy = Some(map.next_value()?),
                "ttl" => base.ttl = Some(map.next_value()?),
                "share" => base.share = Some(map.next_value()?),
                "client_marks" => base.client_marks = Some(map.next_value()?),
                "experiment" => base.experiment = Some(map.next_value()?),
                scope if scope.contains(':') => table.scoped.push((key, map.next_value()?)),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    table.unknown = Some(key);
                }
            }
        }
        Ok(table)
    }
}

impl<'de> Deserialize<'de> for PromptCacheTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PromptCacheTable, D::Error> {
        deserializer.deserialize_map(Section)
    }
}
