//! Paths: which provider is meant, what is spoken, and what path the provider sees.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method, Uri};
use scrimp_core::{Delivery, Dialect, Family, Refusal, glob};
use scrimp_wire::dialect::{self, Row, of_path, without_version};

use crate::config::{Config, Provider, Speaks};
use crate::keys::is_virtual;

/// Where a call's path leads.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) provider: Arc<Provider>,
    /// What is spoken there, if that is known.
    row: Option<&'static Row>,
    /// Where in the path the model's name stands, if it does.
    model: Option<Range<usize>>,
    /// The path below the provider, with the client's version if it wrote one.
    path: Box<str>,
    query: Option<Box<str>>,
    /// The path itself names the provider, so names of models are the provider's own.
    pub(super) is_named: bool,
}

static ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
static X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

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

/// More of a path is not told and not kept.
const LONGEST_TOLD: usize = 128;

/// What a configured key is sent to beside the paths of `DIALECTS`, without a version: calls to
/// models, and what there is of them. Nothing that reads or changes what the owner of the key has
/// stored, since all callers share it.
const FOR_CONFIGURED_KEYS: &[&str] = &[
    "GET /models",
    "GET /models/*",
    "HEAD /models",
    "HEAD /models/*",
    "POST /models/*:countTokens",
    "POST /models/*:predict",
    "POST /moderations",
    "POST /audio/speech",
    "POST /audio/transcriptions",
    "POST /audio/translations",
    "POST /images/generations",
    "POST /images/edits",
    "POST /images/variations",
    "POST /rerank",
    "POST /responses/input_tokens",
];

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
        let named = config.provider(first).filter(|_| !rest.is_empty());
        let path = if named.is_some() { rest } else { path };
        let spoken = of_path(path);
        let provider = match named {
            Some(provider) => provider.clone(),
            None => by_default(path, spoken.as_ref().map(|(row, _)| row.dialect), headers, config)?,
        };
        // The same paths list and delete what a provider has stored, and carry no prompt then.
        let (row, model) = spoken.filter(|_| *method == Method::POST).unzip();
        let route = Route {
            row,
            model: model.flatten(),
            query: uri.query().map(Into::into),
            is_named: named.is_some(),
            path: path.into(),
            provider,
        };
        let is_open = route.row.is_some() || OPEN_TO_OTHERS.contains(&route.family());
        (config.is_loopback() || is_open).then_some(route)
    }

    /// The first part of the path after its version, if it is a known one.
    pub(super) fn family(&self) -> &'static str {
        let (version, rest) = split_first(&self.path);
        let (family, _) = if is_version(version) { split_first(rest) } else { (version, rest) };
        FAMILIES.iter().find(|known| **known == family).copied().unwrap_or("other")
    }

    /// Whether the key that is configured for its provider, if one is, may be sent there. Asked of
    /// the provider that the call goes to in the end.
    pub(super) fn check_configured_key(&self, method: &Method) -> Result<(), Refusal> {
        if self.provider.stored_key.is_none() || self.row.is_some() && !climbs(&self.path) {
            return Ok(());
        }
        let azure =
            self.path.strip_prefix("/openai").filter(|_| self.provider.speaks == Speaks::Azure);
        let asked = format!("{method} {}", without_version(azure.unwrap_or(&self.path)));
        let asked = asked.trim_end_matches('/');
        let own = self.provider.routes.iter().map(String::as_str);
        let mut known = FOR_CONFIGURED_KEYS.iter().copied().chain(own);
        if !climbs(&self.path) && known.any(|pattern| glob::fits(pattern, asked)) {
            return Ok(());
        }
        let route =
            format!("{method} {}", self.path).chars().take(LONGEST_TOLD).collect::<String>();
        let provider = self.provider.name.clone();
        Err(Refusal::RouteNotAllowed { provider, route: route.into() })
    }

    /// Whether this asks which models there are, and runs none.
    pub(super) fn only_lists_models(&self, method: &Method) -> bool {
        matches!(*method, Method::GET | Method::HEAD) && self.family() == "models"
    }

    /// What is spoken there.
    pub(super) fn dialect(&self) -> Dialect {
        self.row.map_or(Dialect::Other, |row| row.dialect)
    }

    /// What errors are told in: also where the path is not understood, its provider's SDK reads them.
    pub(super) fn dialect_of_errors(&self) -> Dialect {
        match (self.dialect(), self.provider.speaks) {
            // Whoever's dialect is spoken to the model, the caller is one of Amazon's SDKs.
            _ if self.row.is_some_and(|row| row.path.starts_with("/model/")) => {
                Dialect::BedrockConverse
            }
            (Dialect::Other, Speaks::Anthropic) => Dialect::AnthropicMessages,
            (Dialect::Other, Speaks::Gemini) => Dialect::GeminiGenerate,
            (Dialect::Other, Speaks::Bedrock) => Dialect::BedrockConverse,
            (dialect, _) => dialect,
        }
    }

    /// The name of the operation where the caller gives none.
    pub(super) fn operation(&self) -> &'static str {
        self.row.map_or_else(|| self.family(), |row| row.name)
    }

    /// How the answer comes, where the path says so.
    pub(super) fn delivery(&self) -> Option<Delivery> {
        self.row?.delivery
    }

    /// What stands behind the path.
    pub(super) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The model that the path names.
    pub(super) fn model(&self) -> Option<&str> {
        self.model.clone().map(|at| &self.path[at])
    }

    /// The path and query that the provider sees. `renamed` takes the place of the model's name in
    /// the path, if it stands there.
    pub(super) fn target(&self, renamed: Option<&str>) -> String {
        let path = match (&self.model, renamed) {
            (Some(at), Some(model)) => {
                // The name was decoded to be read: an ARN has slashes in it, and whoever wrote the
                // path may have put a whole second request into it.
                let model = dialect::percent_encoded(model);
                [&self.path[..at.start], &model, &self.path[at.end..]].concat().into()
            }
            (None, _) | (_, None) => Cow::Borrowed(&*self.path),
        };
        let base = &self.provider.base_path;
        let mut target = match self.provider.speaks {
            Speaks::Azure | Speaks::Bedrock => [base, &*path].concat(),
            // Such a base has the version in it, if there is one.
            Speaks::Openai if self.provider.is_base_whole => {
                [base, path.strip_prefix("/v1").unwrap_or(&path)].concat()
            }
            Speaks::Openai | Speaks::Anthropic | Speaks::Gemini => join(base, &path),
        };
        // A caller's key may stand in the query, or its signature. A stored one takes its place, and
        // a virtual one is for nobody else.
        let has_stored_key = self.provider.stored_key.is_some();
        let is_kept = |pair: &&str| match pair.strip_prefix("key=") {
            Some(key) => !has_stored_key && !is_virtual(key.as_bytes()),
            None => !(has_stored_key && is_of_a_signature(pair)),
        };
        let query = self.query.iter().flat_map(|query| query.split('&')).filter(is_kept);
        for (at, pair) in query.enumerate() {
            target.extend([if at == 0 { "?" } else { "&" }, pair]);
        }
        target
    }
}

/// Which provider an unnamed path is meant for.
fn by_default(
    path: &str,
    spoken: Option<Dialect>,
    headers: &HeaderMap,
    config: &Config,
) -> Option<Arc<Provider>> {
    let (first, rest) = split_first(path);
    let (family, _) = if first == "v1" { split_first(rest) } else { (first, rest) };
    let is_known =
        spoken.is_some() || matches!(first, "v1" | "v1beta" | "ws") || FAMILIES.contains(&family);
    let name = match spoken.map_or(Family::Other, Dialect::family) {
        // Whoever's dialect is spoken to the model.
        _ if first == "model" => "bedrock",
        Family::Anthropic => "anthropic",
        Family::Gemini => "google",
        Family::Bedrock => "bedrock",
        Family::Openai | Family::Other if headers.contains_key(&ANTHROPIC_VERSION) => "anthropic",
        // Gemini's live connections begin with `/ws/`.
        Family::Other
            if first == "v1beta" || first == "ws" || headers.contains_key(&X_GOOG_API_KEY) =>
        {
            "google"
        }
        Family::Openai | Family::Other => "openai",
    };
    config.providers.get(name).filter(|_| is_known).cloned()
}

/// Whether a part of a path leads out of what stands before it, for somebody who takes it apart
/// another way than we do.
fn climbs(path: &str) -> bool {
    if !path.contains(['%', '\\']) && !path.contains("/.") {
        return false;
    }
    let decoded = ["%25", "%2e", "%2f", "%5c", "\\"].into_iter().zip(["%", ".", "/", "/", "/"]);
    let plain = decoded.fold(path.to_ascii_lowercase(), |path, (from, to)| path.replace(from, to));
    plain.split('/').any(|part| part == "." || part == "..")
}

/// Whether a part of a query belongs to the signature of a request that Amazon's clients signed in
/// advance.
fn is_of_a_signature(pair: &str) -> bool {
    pair.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
}

/// Splits `/first/rest` into `first` and `/rest`.
fn split_first(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    // By bytes: a search by characters costs several times as much for a few letters.
    path.bytes().position(|byte| byte == b'/').map_or((path, ""), |at| path.split_at(at))
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
    use crate::config::Upstream;

    #[test]
    fn servers_on_this_machine_are_for_callers_on_this_machine() {
        let remote = "[listen]\naddress = \"0.0.0.0:4100\"\ncontrol_token = \"t\"\n";
        let named = "[providers.ollama]\nbase_url = \"http://127.0.0.1:11434/v1\"\n";
        for (text, is_there) in [("", true), (remote, false), (&[remote, named].concat(), true)] {
            let config = Config::parse("test", text, None, &|_| None).unwrap();
            let path = "/ollama/v1/chat/completions".parse().unwrap();
            let route = Route::of(&Method::POST, &path, &HeaderMap::new(), &config);
            assert_eq!(route.is_some(), is_there, "{text}");
        }
    }

    #[test]
    fn a_model_and_a_key_in_the_address_are_replaced() {
        let text = "[providers.google]\napi_key = \"own\"";
        let config = Config::parse("test", text, None, &|_| None).unwrap();
        let path = "/v1beta/models/fast:generateContent?key=caller&alt=sse".parse().unwrap();
        let route = Route::of(&Method::POST, &path, &HeaderMap::new(), &config).unwrap();
        assert_eq!(route.model(), Some("fast"));
        let target = route.target(Some("gemini-2.5-pro"));
        assert_eq!(target, "/v1beta/models/gemini-2.5-pro:generateContent?alt=sse");
    }

    #[test]
    fn a_stored_key_takes_the_place_of_a_signature_in_the_address() {
        let path = "/bedrock/model/m/converse?X-Amz-Signature=1&a=b&x-amz-date=2&X-Am%20=3";
        let keyed = "[providers.bedrock]\nbase_url = \"https://x.aws.com\"\ndialect = \"bedrock\"";
        for (key, query) in [
            ("", "X-Amz-Signature=1&a=b&x-amz-date=2&X-Am%20=3"),
            ("\napi_key = \"own\"", "a=b&X-Am%20=3"),
        ] {
            let config = Config::parse("test", &[keyed, key].concat(), None, &|_| None).unwrap();
            let uri = path.parse().unwrap();
            let route = Route::of(&Method::POST, &uri, &HeaderMap::new(), &config).unwrap();
            assert_eq!(route.target(None), format!("/model/m/converse?{query}"));
        }
    }

    #[test]
    fn a_name_that_goes_into_a_path_of_bedrock_s_is_encoded() {
        let text = "[providers.bedrock]\nbase_url = \"https://x.aws.com\"\ndialect = \"bedrock\"";
        let config = Config::parse("test", text, None, &|_| None).unwrap();
        let uri = "/model/fast/converse".parse().unwrap();
        let route = Route::of(&Method::POST, &uri, &HeaderMap::new(), &config).unwrap();
        assert_eq!(
            route.target(Some("arn:aws:x/eu.m-1")),
            "/model/arn%3Aaws%3Ax%2Feu.m-1/converse"
        );
    }

    #[test]
    fn a_base_that_an_sdk_was_given_is_continued_as_the_sdk_would() {
        for (base, expected) in [
            ("https://a.example", "/chat/completions"),
            ("https://a.example/v1", "/v1/chat/completions"),
            ("https://a.example/x/compat/", "/x/compat/chat/completions"),
        ] {
            let upstream =
                Upstream { variable: "OPENAI_BASE_URL", provider: "openai", url: base.to_owned() };
            let config = Config::usual().for_one_command(&[upstream], &|_| None).unwrap();
            let path = "/v1/chat/completions".parse().unwrap();
            let route = Route::of(&Method::POST, &path, &HeaderMap::new(), &config).unwrap();
            assert_eq!(route.target(None), expected, "{base}");
        }
    }

    fn route(path: &str) -> String {
        let (method, path) = path.split_once(' ').unwrap_or(("POST", path));
        let text = "[providers.local]\nbase_url = \"http://127.0.0.1:9/api/v4\"\n\
                    [providers.azure]\nbase_url = \"https://x.azure.com\"\ndialect = \"azure\"\n\
                    [providers.bedrock]\nbase_url = \"https://x.aws.com\"\ndialect = \"bedrock\"";
        let config = Config::parse("test", text, None, &|_| None).unwrap();
        let method = method.parse().unwrap();
        let route = Route::of(&method, &path.parse().unwrap(), &HeaderMap::new(), &config);
        route.map_or("nowhere".to_owned(), |route| {
            let (target, provider) = (route.target(None), &route.provider.name);
            format!("{provider} {:?} {} {target}", route.dialect(), route.operation())
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
            (
                "/azure/openai/deployments/our-4o/chat/completions?api-version=1",
                "azure OpenaiChat chat /openai/deployments/our-4o/chat/completions?api-version=1",
            ),
            ("/azure/openai/v1/responses", "azure OpenaiResponses responses /openai/v1/responses"),
            (
                "/bedrock/model/us.anthropic.claude-sonnet-5-v1%3A0/converse-stream",
                "bedrock BedrockConverse converse \
                 /model/us.anthropic.claude-sonnet-5-v1%3A0/converse-stream",
            ),
            (
                "/model/amazon.nova-pro-v1:0/converse",
                "bedrock BedrockConverse converse /model/amazon.nova-pro-v1:0/converse",
            ),
            (
                "/model/anthropic.claude-opus-5/invoke",
                "bedrock AnthropicMessages messages /model/anthropic.claude-opus-5/invoke",
            ),
            (
                "/model/amazon.nova-pro-v1:0/invoke",
                "bedrock Other invoke /model/amazon.nova-pro-v1:0/invoke",
            ),
            ("/v1/responses", "openai OpenaiResponses responses /v1/responses"),
            ("GET /v1/responses/resp_1", "openai Other responses /v1/responses/resp_1"),
            ("/v1/embeddings", "openai OpenaiEmbeddings embeddings /v1/embeddings"),
            (
                "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse&key=k",
                "google GeminiGenerate generate \
                 /v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse&key=k",
            ),
            (
                "/google/v1beta/models/gemini-2.5-pro:countTokens",
                "google Other models /v1beta/models/gemini-2.5-pro:countTokens",
            ),
            ("/groq/v1/chat/completions", "groq OpenaiChat chat /openai/v1/chat/completions"),
            ("/openrouter/chat/completions", "openrouter OpenaiChat chat /api/v1/chat/completions"),
            ("/ollama/v1/embeddings", "ollama OpenaiEmbeddings embeddings /v1/embeddings"),
            ("GET /v1/realtime?model=m", "openai Other realtime /v1/realtime?model=m"),
            ("GET /ws/google.x.Y", "google Other other /v1/ws/google.x.Y"),
            ("/favicon.ico", "nowhere"),
            ("/openai", "nowhere"),
            ("/other/v1/chat/completions", "nowhere"),
            ("//evil.example/v1/messages", "nowhere"),
        ] {
            assert_eq!(route(path), expected, "{path}");
        }
    }
}
