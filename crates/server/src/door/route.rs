//! Paths: which provider is meant, what is spoken, and what path the provider sees.

use std::sync::Arc;

use http::{HeaderMap, Method, Uri};
use scrimp_core::Dialect;
use scrimp_wire::dialect::of_path;

use crate::config::{Config, Provider};

/// Where a call's path leads.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) provider: Arc<Provider>,
    pub(super) dialect: Dialect,
    /// The path below the provider, with the client's version if it wrote one.
    path: Box<str>,
    query: Option<Box<str>>,
    /// The path itself names the provider, so names of models are the provider's own.
    pub(super) is_named: bool,
}

/// Families of paths that providers serve, and so the names of operations that are passed through.
/// Anything else is called `other`, so that no caller can make up names without end.
const FAMILIES: &[&str] = &[
    "assistants",
    "audio",
    "batches",
    "chat",
    "completions",
    "containers",
    "conversations",
    "embeddings",
    "evals",
    "files",
    "fine_tuning",
    "images",
    "messages",
    "models",
    "moderations",
    "realtime",
    "responses",
    "threads",
    "uploads",
    "vector_stores",
    "videos",
];

/// What may be called from elsewhere than this machine: calls to models, and nothing that reads or
/// changes what the owner of a key has stored.
const OPEN_TO_OTHERS: &[&str] =
    &["chat", "completions", "embeddings", "messages", "models", "moderations", "responses"];

impl Route {
    /// The route of a path; `None` if no provider is meant by it.
    pub(super) fn of(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        config: &Config,
    ) -> Option<Route> {
        let path = uri.path();
        let (first, rest) = split_first(path);
        let named = config.providers.get(first).filter(|_| !rest.is_empty());
        let (provider, path) = match named {
            Some(provider) => (provider.clone(), rest),
            None => (by_default(path, headers, config)?, path),
        };
        let route = Route {
            // The same paths list and delete what a provider has stored, and carry no prompt then.
            dialect: if *method == Method::POST { of_path(path) } else { Dialect::Other },
            query: uri.query().map(Into::into),
            is_named: named.is_some(),
            path: path.into(),
            provider,
        };
        (config.is_loopback() || OPEN_TO_OTHERS.contains(&route.family())).then_some(route)
    }

    /// The first part of the path after its version, if it is a known one.
    pub(super) fn family(&self) -> &'static str {
        let (version, rest) = split_first(&self.path);
        let (family, _) = if is_version(version) { split_first(rest) } else { (version, rest) };
        FAMILIES.iter().find(|known| **known == family).copied().unwrap_or("other")
    }

    /// The name of the operation where the caller gives none.
    pub(super) fn operation(&self) -> &'static str {
        let known = scrimp_wire::dialect::DIALECTS.iter().find(|row| row.dialect == self.dialect);
        known.map_or_else(|| self.family(), |row| row.name)
    }

    /// The path and query that the provider sees.
    pub(super) fn target(&self) -> String {
        let mut target = join(&self.provider.base_path, &self.path);
        if let Some(query) = &self.query {
            target.extend(["?", query]);
        }
        target
    }
}

/// Which provider an unnamed path is meant for.
fn by_default(path: &str, headers: &HeaderMap, config: &Config) -> Option<Arc<Provider>> {
    let (first, rest) = split_first(path);
    let (family, _) = if first == "v1" { split_first(rest) } else { (first, rest) };
    let is_known = first == "v1" || FAMILIES.contains(&family);
    let speaks_anthropic =
        matches!(of_path(path), Dialect::AnthropicMessages | Dialect::AnthropicCountTokens)
            || headers.contains_key("anthropic-version");
    let name = if speaks_anthropic { "anthropic" } else { "openai" };
    config.providers.get(name).filter(|_| is_known).cloned()
}

/// Splits `/first/rest` into `first` and `/rest`.
fn split_first(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.find('/').map_or((path, ""), |at| path.split_at(at))
}

/// Whether a part of a path is a version: `v1`, `v1beta`, `v4`.
fn is_version(part: &str) -> bool {
    let mut letters = part.bytes();
    letters.next() == Some(b'v')
        && letters.next().is_some_and(|b| b.is_ascii_digit())
        && letters.all(|b| b.is_ascii_alphanumeric())
}

/// The provider's base and the client's path make one path with one version in it. Clients write
/// `/v1` whether or not the provider does; any other version is meant as it is written.
fn join(base: &str, path: &str) -> String {
    let (first, rest) = split_first(path);
    let client = Some(first).filter(|part| is_version(part));
    let (root, own) = base.rsplit_once('/').unwrap_or(("", base));
    match (client, is_version(own)) {
        (Some("v1"), true) => [base, rest].concat(),
        (Some(_), true) => [root, path].concat(),
        (None, false) => [base, "/v1", path].concat(),
        (Some(_), false) | (None, true) => [base, path].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> String {
        let (method, path) = path.split_once(' ').unwrap_or(("POST", path));
        let text = "[providers.local]\nbase_url = \"http://127.0.0.1:9/api/v4\"";
        let config = Config::parse("test", text, None, &|_| None).unwrap();
        let method = method.parse().unwrap();
        let route = Route::of(&method, &path.parse().unwrap(), &HeaderMap::new(), &config);
        route.map_or("nowhere".to_owned(), |route| {
            let target = route.target();
            format!("{} {:?} {} {target}", route.provider.name, route.dialect, route.operation())
        })
    }

    #[test]
    fn paths_lead_to_providers() {
        for (path, expected) in [
            ("/v1/chat/completions", "openai OpenaiChat chat /v1/chat/completions"),
            ("/chat/completions", "openai OpenaiChat chat /v1/chat/completions"),
            (
                "/v1/messages?beta=true",
                "anthropic AnthropicMessages messages /v1/messages?beta=true",
            ),
            ("/openai/chat/completions", "openai OpenaiChat chat /v1/chat/completions"),
            ("/anthropic/v1/messages", "anthropic AnthropicMessages messages /v1/messages"),
            (
                "/v1/messages/count_tokens",
                "anthropic AnthropicCountTokens count_tokens /v1/messages/count_tokens",
            ),
            ("GET /v1/chat/completions?limit=2", "openai Other chat /v1/chat/completions?limit=2"),
            ("/v1/files/file-1/content", "openai Other files /v1/files/file-1/content"),
            ("/anthropic/v1/whatever/x", "anthropic Other other /v1/whatever/x"),
            ("/local/chat/completions", "local OpenaiChat chat /api/v4/chat/completions"),
            ("/local/v1/chat/completions", "local OpenaiChat chat /api/v4/chat/completions"),
            ("/local/v2/rerank", "local Other other /api/v2/rerank"),
            ("/favicon.ico", "nowhere"),
            ("/openai", "nowhere"),
            ("/other/v1/chat/completions", "nowhere"),
            ("//evil.example/v1/messages", "nowhere"),
        ] {
            assert_eq!(route(path), expected, "{path}");
        }
    }
}
