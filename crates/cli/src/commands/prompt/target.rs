//! A model that cases are asked of: its address, its API, its key and its price.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use scrimp_core::call;
use scrimp_core::price::PriceRow;
use scrimp_prompt::Prompt;
use scrimp_prompt::call::{Form, Limit, Speaks, written_for};
use scrimp_server::Answerer;
use scrimp_wire::prices::quote;

use crate::args::DataDir;
use crate::args::prompt::{Dialect, Terms};
use crate::commands::price::{catalog_in, now};
use crate::ui::OrHint;

/// The version of Anthropic's API that bodies are written for.
const ANTHROPIC_VERSION: &str = "2023-06-01";
const OWN_KEY: &str = "SCRIMP_TARGET_KEY";

/// A target, connected to when it is first asked.
pub(super) struct Target {
    pub(super) answerer: Answerer,
    /// Where it is posted to.
    pub(super) path: String,
    /// As it was named.
    pub(super) name: String,
    /// By which its usage is read.
    pub(super) dialect: call::Dialect,
    pub(super) form: Form,
    /// `None`: unpriced.
    pub(super) row: Option<Arc<PriceRow>>,
}

impl Target {
    /// The target that was named, for calls of this prompt.
    pub(super) fn of(
        target: &str,
        terms: &Terms,
        prompt: &Prompt,
        data: &DataDir,
    ) -> Result<Target> {
        Target::named(target, terms, prompt, data, Own::Given)
    }

    /// Another one that is asked. What was named as the key is the target's, and goes to its host only.
    pub(super) fn beside(&self, name: &str, terms: &Terms, data: &DataDir) -> Result<Target> {
        let origin = |target: &str| split(target).map(|(origin, _, _)| origin.to_lowercase());
        let own = match origin(name) == origin(&self.name) {
            true => Own::Given,
            false => Own::Withheld,
        };
        Target::named(name, terms, &Prompt::of_text(""), data, own)
    }

    /// The same, of one that makes embeddings, as OpenAI's API does.
    pub(super) fn embedder(&self, name: &str, terms: &Terms, data: &DataDir) -> Result<Target> {
        let mut made = self.beside(name, terms, data)?;
        made.path = made.path.replace("chat/completions", "embeddings");
        made.dialect = call::Dialect::OpenaiEmbeddings;
        Ok(made)
    }

    fn named(
        target: &str,
        terms: &Terms,
        prompt: &Prompt,
        data: &DataDir,
        own: Own,
    ) -> Result<Target> {
        let (origin, base, model) = split(target)
            .with_context(|| format!("`{target}` is no URL with a model behind it"))
            .or_hint(
                "such as https://api.openai.com/v1/gpt-4o or http://127.0.0.1:4100/v1/gpt-4o",
            )?;
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        let speaks = speaks(terms.dialect, prompt, target);
        let version = if base.ends_with("/v1") { "" } else { "/v1" };
        let (place, at_home, variable) = match speaks {
            Speaks::Openai => ("chat/completions", "api.openai.com", "OPENAI_API_KEY"),
            Speaks::Anthropic => ("messages", "api.anthropic.com", "ANTHROPIC_API_KEY"),
        };
        let is_home = host == at_home;
        let open = |headers: &[(&'static str, String)]| Answerer::at(origin, headers);
        let probe = open(&[])?;
        let held = |name: &str| std::env::var(name).ok().filter(|key| !key.is_empty());
        let vendors = Some(variable).filter(|_| is_home || probe.is_here());
        let key = key(terms.key_env.as_deref(), own, vendors, &held)?;
        if key.is_some() && !probe.is_private() && !probe.is_here() {
            bail!("{origin} would get the key unencrypted: name it with https://");
        }
        let limit = match is_home && speaks == Speaks::Openai {
            true => Limit::MaxCompletionTokens,
            false => Limit::MaxTokens,
        };
        let catalog = catalog_in(None, data)?;
        Ok(Target {
            answerer: open(&headers(speaks, key))?,
            path: format!("{base}{version}/{place}"),
            name: target.to_owned(),
            dialect: match speaks {
                Speaks::Openai => call::Dialect::OpenaiChat,
                Speaks::Anthropic => call::Dialect::AnthropicMessages,
            },
            row: quote::resolve(&catalog, None, model, now()).ok().map(|(row, _)| row),
            form: Form { speaks, model: model.to_owned(), longest: terms.max_tokens, limit },
        })
    }
}

/// Origin, base path and model: a path is the base's up to its version, where it has one.
fn split(target: &str) -> Option<(&str, &str, &str)> {
    let scheme = target.find("://")?;
    let slash = scheme + 3 + target[scheme + 3..].find('/')?;
    let (origin, path) = target.split_at(slash);
    let cut = path.rfind("/v1/").map_or(0, |at| at + 3);
    let (base, model) = path.split_at(cut);
    let model = model.trim_matches('/');
    let is_web = ["http", "https"].contains(&&target[..scheme]);
    (is_web && !model.is_empty()).then_some((origin, base, model))
}

fn speaks(named: Option<Dialect>, prompt: &Prompt, target: &str) -> Speaks {
    match named {
        Some(Dialect::Openai) => Speaks::Openai,
        Some(Dialect::Anthropic) => Speaks::Anthropic,
        None if target.contains("://api.anthropic.com") => Speaks::Anthropic,
        None => written_for(prompt).unwrap_or(Speaks::Openai),
    }
}

/// Whether the key that was named for the target may be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    Given,
    Withheld,
}

/// The key of one who is asked. `vendors` is the variable of the vendor's, where that may be had: by the
/// vendor, and by this machine, where a gateway may stand; by nobody else.
fn key(
    named: Option<&str>,
    own: Own,
    vendors: Option<&str>,
    held: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<String>> {
    match (named, own) {
        (Some(name), Own::Given) => {
            held(name).with_context(|| format!("the variable {name} is not set")).map(Some)
        }
        (None, Own::Given) => Ok(held(OWN_KEY).or_else(|| held(vendors?))),
        (_, Own::Withheld) => Ok(vendors.and_then(held)),
    }
}

fn headers(speaks: Speaks, key: Option<String>) -> Vec<(&'static str, String)> {
    let mut headers = match speaks {
        Speaks::Openai => Vec::new(),
        Speaks::Anthropic => vec![("anthropic-version", ANTHROPIC_VERSION.to_owned())],
    };
    headers.extend(key.map(|key| match speaks {
        Speaks::Openai => ("authorization", format!("Bearer {key}")),
        Speaks::Anthropic => ("x-api-key", key),
    }));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_to_whom_it_was_meant_for() {
        let all = |name: &str| Some(format!("value of {name}"));
        let got = |named, own, vendors| key(named, own, vendors, &all).unwrap();
        assert_eq!(got(Some("MINE"), Own::Given, Some("V")).unwrap(), "value of MINE");
        assert_eq!(got(None, Own::Given, Some("V")).unwrap(), "value of SCRIMP_TARGET_KEY");
        assert_eq!(got(Some("MINE"), Own::Withheld, Some("V")).unwrap(), "value of V");
        assert_eq!(got(Some("MINE"), Own::Withheld, None), None);
        let vendors_only = |name: &str| (name == "V").then(|| name.to_owned());
        assert_eq!(key(None, Own::Given, Some("V"), &vendors_only).unwrap().unwrap(), "V");
        assert_eq!(key(None, Own::Given, None, &vendors_only).unwrap(), None);
        assert!(key(Some("MINE"), Own::Given, None, &vendors_only).is_err());
    }

    #[test]
    fn a_target_is_a_base_url_and_a_model() {
        let openai = split("https://api.openai.com/v1/gpt-4o");
        assert_eq!(openai, Some(("https://api.openai.com", "/v1", "gpt-4o")));
        let routed = split("http://127.0.0.1:4100/openrouter/v1/meta/llama");
        assert_eq!(routed, Some(("http://127.0.0.1:4100", "/openrouter/v1", "meta/llama")));
        let bare = split("https://api.anthropic.com/claude-opus-5-5");
        assert_eq!(bare, Some(("https://api.anthropic.com", "", "claude-opus-5-5")));
        for wrong in ["gpt-4o", "https://api.openai.com", "https://x/v1/", "file:///v1/x"] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }
}
