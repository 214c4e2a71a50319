//! The models of LiteLLM's file: whom a deployment is served by, under which name, with which key.

use super::super::file::Speaks;
use super::super::provider::PUBLIC;
use super::yaml::{Node, Place, Wrong};

/// A prefix of models, and the provider that serves them.
struct Prefix {
    /// What stands before the slash.
    names: &'static [&'static str],
    provider: &'static str,
    /// Where LiteLLM takes the key from if the file has none.
    key: Option<&'static str>,
}

const fn prefix(
    names: &'static [&'static str],
    provider: &'static str,
    key: Option<&'static str>,
) -> Prefix {
    Prefix { names, provider, key }
}

const PREFIXES: &[Prefix] = &[
    prefix(&["openai", "text-completion-openai"], "openai", Some("OPENAI_API_KEY")),
    prefix(&["anthropic", "anthropic_text"], "anthropic", Some("ANTHROPIC_API_KEY")),
    prefix(&["gemini"], "google", Some("GEMINI_API_KEY")),
    prefix(&["groq"], "groq", Some("GROQ_API_KEY")),
    prefix(&["mistral"], "mistral", Some("MISTRAL_API_KEY")),
    prefix(&["deepseek"], "deepseek", Some("DEEPSEEK_API_KEY")),
    prefix(&["xai"], "xai", Some("XAI_API_KEY")),
    prefix(&["openrouter"], "openrouter", Some("OPENROUTER_API_KEY")),
    prefix(&["together_ai"], "together", Some("TOGETHERAI_API_KEY")),
    prefix(&["fireworks_ai"], "fireworks", Some("FIREWORKS_AI_API_KEY")),
    prefix(&["cerebras"], "cerebras", Some("CEREBRAS_API_KEY")),
    prefix(&["azure"], "azure", Some("AZURE_API_KEY")),
    prefix(&["hosted_vllm", "vllm"], "vllm", None),
    prefix(&["ollama", "ollama_chat"], "ollama", None),
];

/// Names without a prefix that LiteLLM knows whose they are.
const BARE: &[(&str, &str)] = &[
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding-", "openai"),
    ("claude-", "anthropic"),
];

/// A deployment that can be served.
#[derive(Debug)]
pub(super) struct Deployment {
    /// Index of its provider.
    pub(super) provider: usize,
    /// The model, as the provider names it.
    pub(super) model: String,
}

/// A provider that deployments have in common.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Served {
    /// Its name here.
    pub(super) name: String,
    /// The provider whose dialect and prices it has.
    like: &'static str,
    /// Where it is, if not where the vendor is.
    pub(super) base_url: Option<(String, Place)>,
    /// The key, as it is written here.
    pub(super) api_key: Option<(String, Place)>,
}

impl Served {
    /// What must be written of it beside its key, because its name does not say it.
    pub(super) fn own(&self) -> Vec<(&'static str, String)> {
        let public = PUBLIC.iter().find(|public| public.name == self.like);
        let is_named_so = public.is_some_and(|public| public.name == self.name);
        let mut own = Vec::new();
        if let (None, false, Some(public)) = (&self.base_url, is_named_so, public) {
            own.push(("base_url", public.base_url.to_owned()));
        }
        match (public, is_named_so) {
            (_, true) => {}
            (Some(public), false) => {
                let dialect = match public.speaks {
                    Speaks::Anthropic => Some("anthropic"),
                    Speaks::Gemini => Some("gemini"),
                    Speaks::Openai | Speaks::Azure | Speaks::Bedrock => None,
                };
                own.extend(dialect.map(|dialect| ("dialect", dialect.to_owned())));
                own.push(("prices_as", public.prices_as.to_owned()));
            }
            // Azure's is the only one that is like nobody's.
            (None, false) => {
                own.push(("dialect", "azure".to_owned()));
                own.push(("prices_as", "azure".to_owned()));
            }
        }
        own
    }
}

/// How a text of the file is written here: variables as `${…}`, those that the file sets put in.
pub(super) type Write<'a> = &'a dyn Fn(&str) -> String;

/// Whom a deployment is served by, or why it is by nobody.
pub(super) fn deployment(
    parameters: &Node,
    providers: &mut Vec<Served>,
    write: Write<'_>,
) -> Result<Result<Deployment, String>, Wrong> {
    let text = |key: &str| parameters.get(key).and_then(|node| Some((node.text()?, node.place)));
    let Some((written, _)) = text("model") else {
        return Err((parameters.place, "litellm_params names no `model`".to_owned()));
    };
    let given = text("custom_llm_provider").map(|(name, _)| name);
    let (prefix, model) = match (given, written.split_once('/')) {
        (Some(given), Some((first, rest))) if given == first => (given, rest),
        (Some(given), _) => (given, written),
        (None, Some((first, rest))) => (first, rest),
        (None, None) => match BARE.iter().find(|(start, _)| written.starts_with(start)) {
            Some((_, provider)) => (*provider, written),
            None => {
                return Ok(Err(format!(
                    "whose `{written}` is cannot be told; write PROVIDER/MODEL"
                )));
            }
        },
    };
    let Some(row) = PREFIXES.iter().find(|row| row.names.contains(&prefix)) else {
        return Ok(Err(format!("`{prefix}` is no provider that is served here")));
    };
    if model.contains('*') {
        return Ok(
            Err("a pattern is no model; PROVIDER/MODEL is understood without it".to_owned()),
        );
    }
    let base = text("api_base").or_else(|| text("base_url"));
    // Where LiteLLM looks for it if the file does not say.
    let azure = || ("os.environ/AZURE_API_BASE", parameters.place);
    let base = base.or_else(|| (row.provider == "azure").then(azure));
    let base = base.map(|(url, place)| (base_url(row.provider, &write(url)), place));
    // A vendor's key goes to the vendor only, unless the file says otherwise.
    let usual = row.key.filter(|_| base.is_none() || row.provider == "azure");
    let key = text("api_key").map(|(key, place)| (write(key), place));
    let key = key.or_else(|| usual.map(|name| (format!("${{{name}}}"), parameters.place)));
    let provider = shared(row.provider, base, key, providers);
    Ok(Ok(Deployment { provider, model: model.to_owned() }))
}

/// Azure's first version of its API without versions takes the deployment as the model.
fn base_url(provider: &str, url: &str) -> String {
    let url = url.trim_end_matches('/');
    match provider {
        "azure" => format!("{}/openai", before_openai(url)),
        // LiteLLM speaks Ollama's own API; here it is OpenAI's, which lies below this.
        "ollama" if !url.ends_with("/v1") => format!("{url}/v1"),
        _ => url.to_owned(),
    }
}

/// A path that begins with `openai` says the same as none, with whatever follows.
fn before_openai(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + "://".len());
    let path = url[host..].find("/openai").map(|at| host + at);
    path.map_or(url, |at| &url[..at])
}

/// The provider with this address and key; a new one if there is none yet.
fn shared(
    like: &'static str,
    base_url: Option<(String, Place)>,
    api_key: Option<(String, Place)>,
    providers: &mut Vec<Served>,
) -> usize {
    let said = |pair: &Option<(String, Place)>| pair.as_ref().map(|(text, _)| text.clone());
    let is_same = |served: &Served| {
        served.like == like
            && said(&served.base_url) == said(&base_url)
            && said(&served.api_key) == said(&api_key)
    };
    if let Some(at) = providers.iter().position(is_same) {
        return at;
    }
    let stem = match base_url.as_ref().and_then(|(url, _)| host_word(url)) {
        Some(word) => format!("{like}-{word}"),
        None if base_url.is_some() => format!("{like}-own"),
        None => like.to_owned(),
    };
    let is_free = |name: &String| providers.iter().all(|served| served.name != *name);
    let numbered = (2..).map(|n| format!("{stem}-{n}"));
    let name = std::iter::once(stem.clone()).chain(numbered).find(is_free).expect("some number is");
    providers.push(Served { name, like, base_url, api_key });
    providers.len() - 1
}

/// The host's first word, or all of an address of numbers.
fn host_word(url: &str) -> Option<String> {
    let host = url.split_once("://")?.1.split(['/', ':']).next()?;
    let first = match host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        true => host,
        false => host.split('.').next()?,
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    (!first.is_empty() && first.bytes().all(is_plain)).then(|| first.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_azure_s_leads_to_its_api_without_versions() {
        for url in [
            "https://openai-eu.openai.azure.com",
            "https://openai-eu.openai.azure.com/",
            "https://openai-eu.openai.azure.com/openai/v1/",
            "https://openai-eu.openai.azure.com/openai/deployments/o1/chat/completions?api-version=1",
        ] {
            assert_eq!(base_url("azure", url), "https://openai-eu.openai.azure.com/openai");
        }
        assert_eq!(base_url("azure", "${AZURE_API_BASE}"), "${AZURE_API_BASE}/openai");
        assert_eq!(base_url("azure", "https://apim/team"), "https://apim/team/openai");
        assert_eq!(base_url("ollama", "http://localhost:11434/"), "http://localhost:11434/v1");
        assert_eq!(base_url("ollama", "http://localhost:11434/v1"), "http://localhost:11434/v1");
    }
}
