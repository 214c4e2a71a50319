//! How long a model's input may be: what lists say beside prices.
//!
//! A text of its own, because nothing that is billed depends on it. A line has a number of tokens and
//! the models of the provider above it that take so many.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use scrimp_core::price::without_date;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::provider::{model_of, of_litellm};

/// A provider and its name for a model.
type Model = (String, String);

/// The longest inputs of models.
#[derive(Clone, Debug, Default)]
pub struct Contexts {
    tokens: FxHashMap<Model, u64>,
}

impl Contexts {
    /// Those that ship with the product, read once.
    pub fn shipped() -> &'static Contexts {
        static SHIPPED: LazyLock<Contexts> = LazyLock::new(Contexts::read_shipped);
        &SHIPPED
    }

    fn read_shipped() -> Contexts {
        let mut contexts = Contexts::default();
        let mut provider = "";
        for line in include_str!("../../data/contexts.txt").lines() {
            if let Some(name) = line.strip_prefix('[') {
                provider = name.trim_end_matches(']');
                continue;
            }
            let Some((tokens, models)) = line.split_once(' ') else { continue };
            let Ok(tokens) = tokens.parse() else { continue };
            for model in models.split(' ') {
                contexts.tokens.insert((provider.to_owned(), model.to_owned()), tokens);
            }
        }
        contexts
    }

    /// The longest input of a model, in tokens; `None` where the list does not say.
    pub fn of(&self, provider: &str, model: &str) -> Option<u64> {
        let of = |model: &str| self.tokens.get(&(provider.to_owned(), model.to_owned())).copied();
        of(model).or_else(|| of(without_date(model)?))
    }
}

/// What an entry of `LiteLLM`'s map says.
#[derive(Deserialize)]
struct Entry {
    litellm_provider: String,
    max_input_tokens: serde_json::Number,
}

/// The longest inputs that `LiteLLM`'s price map names, as the text that ships, for the models that
/// `is_listed` knows.
pub fn contexts_of_litellm(json: &[u8], is_listed: impl Fn(&str, &str) -> bool) -> String {
    let entries: BTreeMap<String, &RawValue> = serde_json::from_slice(json).unwrap_or_default();
    let mut found: BTreeMap<String, BTreeMap<u64, Vec<String>>> = BTreeMap::new();
    for (name, entry) in &entries {
        let Ok(entry) = serde_json::from_str::<Entry>(entry.get()) else { continue };
        let Entry { litellm_provider, max_input_tokens } = entry;
        let tokens = max_input_tokens.as_u64().filter(|tokens| 0 < *tokens);
        let (provider, model) = (of_litellm(&litellm_provider), model_of(name, &litellm_provider));
        if let Some(tokens) = tokens.filter(|_| is_listed(provider, model)) {
            let models = found.entry(provider.to_owned()).or_default().entry(tokens).or_default();
            models.push(model.to_owned());
        }
    }
    let mut text =
        "# Longest inputs in tokens, made by `cargo xtask prices`; see prices.txt.\n".to_owned();
    for (provider, lines) in found {
        writeln!(text, "[{provider}]").expect("a string takes everything");
        for (tokens, mut models) in lines {
            models.sort();
            models.dedup();
            writeln!(text, "{tokens} {}", models.join(" ")).expect("a string takes everything");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_the_longest_input_of_what_is_priced() {
        let json = br#"{
            "gpt-x": {"litellm_provider": "openai", "max_input_tokens": 128000},
            "xai/g": {"litellm_provider": "xai", "max_input_tokens": 9},
            "gpt-y": {"litellm_provider": "openai", "max_input_tokens": "many"},
            "dall-e": {"litellm_provider": "openai", "max_input_tokens": 1000}
        }"#;
        let text = contexts_of_litellm(json, |_, model| model != "dall-e");
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines, ["[openai]", "128000 gpt-x", "[xai]", "9 g"]);
    }

    #[test]
    fn the_shipped_ones_are_found_by_provider_model_and_without_a_date() {
        let contexts = Contexts::shipped();
        assert_eq!(contexts.of("openai", "gpt-4o"), Some(128_000));
        assert_eq!(contexts.of("openai", "gpt-4o-2099-01-01"), Some(128_000));
        assert_eq!(contexts.of("openai", "no-such-model"), None);
        assert!(2_000 < contexts.tokens.len(), "{}", contexts.tokens.len());
    }
}
