//! Who serves a model, and what that provider's own API calls it.
//!
//! `LiteLLM` names entries for its own router: some with the provider in front, some without, and
//! one provider under several names. Here each provider has one name, and each model the name that
//! a request to that provider carries.

/// `LiteLLM`'s names for parts of one provider, and the name of the whole.
const SAME_PROVIDER: &[(&str, &str)] = &[
    ("azure_text", "azure"),
    ("bedrock_converse", "bedrock"),
    ("cohere_chat", "cohere"),
    ("fireworks_ai-embedding-models", "fireworks_ai"),
    ("text-completion-codestral", "codestral"),
    ("text-completion-inception", "inception"),
    ("text-completion-openai", "openai"),
];

/// What stands before the model's name where it is not the provider's own name.
const OTHER_PREFIX: &[(&str, &str)] = &[("amazon_nova", "amazon-nova")];

/// Whose model it is, by how its name starts. The first match counts.
const VENDORS: &[(&str, &str)] = &[
    ("claude", "anthropic"),
    // Open weights, served by many: nobody is its vendor.
    ("gpt-oss", ""),
    ("gpt", "openai"),
    ("chatgpt", "openai"),
    ("codex", "openai"),
    ("computer-use", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding-3", "openai"),
    ("text-embedding-ada", "openai"),
    ("gemini", "gemini"),
    ("gemma", "gemini"),
    ("grok", "xai"),
    ("deepseek", "deepseek"),
    ("mistral", "mistral"),
    ("ministral", "mistral"),
    ("magistral", "mistral"),
    ("codestral", "mistral"),
    ("devstral", "mistral"),
    ("pixtral", "mistral"),
    ("command", "cohere"),
    ("embed-", "cohere"),
    ("kimi", "moonshot"),
    ("moonshot", "moonshot"),
    ("glm", "zai"),
    ("qwen", "dashscope"),
    ("minimax", "minimax"),
    ("sonar", "perplexity"),
    ("voyage", "voyage"),
    ("muse", "meta"),
    ("jamba", "ai21"),
    ("anthropic.", "bedrock"),
    ("amazon.", "bedrock"),
];

/// Names that people know a provider by beside its one name here.
pub(super) const OTHER_NAMES: &[(&str, &str)] = &[
    ("google", "gemini"),
    ("vertex", "vertex_ai"),
    ("together", "together_ai"),
    ("fireworks", "fireworks_ai"),
    ("azure_openai", "azure"),
    ("mistral_ai", "mistral"),
    ("x_ai", "xai"),
];

/// Where several hosts serve a model and none is its vendor: these first, then by name.
const HOSTS: &[&str] = &["openai", "anthropic", "gemini", "azure", "bedrock", "vertex_ai"];

/// The one name of the provider that people call `name`.
pub(crate) fn of_people(name: &str) -> &str {
    let other = OTHER_NAMES.iter().find(|(known, _)| *known == name);
    other.map_or(name, |(_, own)| own)
}

/// The one name of the provider that `LiteLLM` calls `litellm_provider`.
pub(crate) fn of_litellm(litellm_provider: &str) -> &str {
    if litellm_provider.starts_with("vertex_ai-") {
        return "vertex_ai";
    }
    let same = SAME_PROVIDER.iter().find(|(part, _)| *part == litellm_provider);
    same.map_or(litellm_provider, |(_, whole)| whole)
}

/// What the provider's API calls the model that `LiteLLM` has under `entry`.
///
/// A region or zone that `LiteLLM` puts before the model (`us-gov-west-1/…` at Bedrock, `eu/…` at
/// Azure) stays: the price is that of a deployment there.
pub(crate) fn model_of<'e>(entry: &'e str, litellm_provider: &str) -> &'e str {
    let provider = of_litellm(litellm_provider);
    let other = OTHER_PREFIX.iter().find(|(name, _)| *name == provider).map(|(_, prefix)| *prefix);
    [Some(litellm_provider), Some(provider), other]
        .into_iter()
        .flatten()
        .find_map(|prefix| entry.strip_prefix(prefix)?.strip_prefix('/'))
        .unwrap_or(entry)
}

/// The vendor of `model`, where its name tells.
pub(crate) fn vendor_of(model: &str) -> Option<&'static str> {
    VENDORS.iter().find(|(start, _)| model.starts_with(start)).map(|(_, vendor)| *vendor)
}

/// Where a provider stands when several serve `model` and the caller named none: the vendor of the
/// model, then the large hosts, then the rest. Smaller is first.
pub(super) fn preference(provider: &str, model: &str) -> usize {
    match HOSTS.iter().position(|host| *host == provider) {
        _ if vendor_of(model) == Some(provider) => 0,
        Some(position) => position + 1,
        None => HOSTS.len() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_the_name_that_its_own_api_uses() {
        for (entry, litellm_provider, provider, model) in [
            ("gpt-4o", "openai", "openai", "gpt-4o"),
            ("gemini/gemini-2.5-pro", "gemini", "gemini", "gemini-2.5-pro"),
            ("gemini-2.5-pro", "vertex_ai-language-models", "vertex_ai", "gemini-2.5-pro"),
            ("vertex_ai/claude-opus-5", "vertex_ai-anthropic_models", "vertex_ai", "claude-opus-5"),
            ("azure/eu/gpt-4o", "azure", "azure", "eu/gpt-4o"),
            ("anthropic.claude-opus-5", "bedrock_converse", "bedrock", "anthropic.claude-opus-5"),
            ("amazon-nova/nova-pro-v1", "amazon_nova", "amazon_nova", "nova-pro-v1"),
            ("together_ai/Qwen/QwQ-32B", "together_ai", "together_ai", "Qwen/QwQ-32B"),
            ("groq/openai/gpt-oss-20b", "groq", "groq", "openai/gpt-oss-20b"),
        ] {
            assert_eq!(of_litellm(litellm_provider), provider, "{entry}");
            assert_eq!(model_of(entry, litellm_provider), model, "{entry}");
        }
    }

    #[test]
    fn the_vendor_comes_before_every_host() {
        assert!(preference("anthropic", "claude-opus-5") < preference("openai", "claude-opus-5"));
        assert!(preference("gemini", "gemini-2.5-pro") < preference("vertex_ai", "gemini-2.5-pro"));
        assert!(preference("azure", "x") < preference("deepinfra", "x"));
    }
}
