//! What a command finds in its environment, so that its SDKs call the gateway.

use std::ffi::OsString;
use std::net::SocketAddr;

use scrimp_server::config::Upstream;

/// Variables that SDKs and tools read their base URL from, each with the provider that it is about
/// and what stands behind the gateway's own address. Of several for one provider the first that is
/// set says where the provider is.
const VARIABLES: &[(&str, &str, &str)] = &[
    // OpenAI's SDKs in every language.
    ("OPENAI_BASE_URL", "openai", "/v1"),
    // OpenAI's SDK for Python before 1.0, LangChain, LiteLLM, aider.
    ("OPENAI_API_BASE", "openai", "/v1"),
    // Anthropic's SDKs, Claude Code.
    ("ANTHROPIC_BASE_URL", "anthropic", ""),
    // LangChain.
    ("ANTHROPIC_API_URL", "anthropic", ""),
    // LiteLLM.
    ("ANTHROPIC_API_BASE", "anthropic", ""),
    // Google's Gen AI SDKs, Gemini CLI.
    ("GOOGLE_GEMINI_BASE_URL", "google", ""),
    // LiteLLM and LangChain; Together's SDK.
    ("DEEPSEEK_API_BASE", "deepseek", "/deepseek/v1"),
    ("FIREWORKS_API_BASE", "fireworks", "/fireworks/v1"),
    ("MISTRAL_API_BASE", "mistral", "/mistral/v1"),
    ("OPENROUTER_API_BASE", "openrouter", "/openrouter/v1"),
    ("TOGETHER_BASE_URL", "together", "/together/v1"),
    ("XAI_API_BASE", "xai", "/xai/v1"),
];

/// Variables that send calls through a proxy, unless the other one names the host.
const PROXIES: &[&str] = &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const NO_PROXY: &[&str] = &["NO_PROXY", "no_proxy"];

/// How a variable of the environment is looked up.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where the environment has the providers.
pub(super) fn upstreams(environment: Lookup<'_>) -> Vec<Upstream> {
    let mut found: Vec<Upstream> = Vec::new();
    for (variable, provider, _) in VARIABLES {
        let url = environment(variable).map(|url| url.trim().to_owned());
        let Some(url) = url.filter(|url| !url.is_empty()) else { continue };
        if found.iter().all(|upstream| upstream.provider != *provider) {
            found.push(Upstream { variable, provider, url });
        }
    }
    found
}

/// What is different in the environment of a command that calls the gateway at `address`.
pub(super) fn changes(address: SocketAddr, environment: Lookup<'_>) -> Vec<(OsString, OsString)> {
    let base = |(name, _, path): &(&str, &str, &str)| {
        (OsString::from(name), OsString::from(format!("http://{address}{path}")))
    };
    let mut changes: Vec<_> = VARIABLES.iter().map(base).collect();
    let is_set = |name: &&'static str| environment(name).is_some_and(|value| !value.is_empty());
    if PROXIES.iter().any(is_set) {
        // Many SDKs would ask the proxy for this machine's own loopback.
        let given = NO_PROXY.iter().find(|name| is_set(name)).and_then(|name| environment(name));
        let direct = given.map_or_else(String::new, |given| format!("{given},"));
        let direct = OsString::from(format!("{direct}{}", address.ip()));
        changes.extend(NO_PROXY.iter().map(|name| (OsString::from(name), direct.clone())));
    }
    changes
}

/// Names of the variables that matter most, for whoever made no calls.
pub(super) const MOST_READ: &str = "OPENAI_BASE_URL, ANTHROPIC_BASE_URL or GOOGLE_GEMINI_BASE_URL";

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(name: &str, environment: Lookup<'_>) -> Option<String> {
        let changes = changes(SocketAddr::from(([127, 0, 0, 1], 9)), environment);
        let found = changes.into_iter().find(|(variable, _)| variable == name);
        found.map(|(_, value)| value.into_string().unwrap())
    }

    #[test]
    fn the_first_variable_that_is_set_says_where_a_provider_is() {
        let upstreams = upstreams(&|name| match name {
            "OPENAI_BASE_URL" => Some(" ".to_owned()),
            "OPENAI_API_BASE" => Some("https://llm.example/v1 ".to_owned()),
            "ANTHROPIC_BASE_URL" => Some("https://a.example".to_owned()),
            "ANTHROPIC_API_URL" => Some("https://b.example".to_owned()),
            _ => None,
        });
        let found: Vec<_> = upstreams.iter().map(|u| (u.variable, u.url.as_str())).collect();
        let expected = [
            ("OPENAI_API_BASE", "https://llm.example/v1"),
            ("ANTHROPIC_BASE_URL", "https://a.example"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_proxy_is_kept_out_of_the_way_to_the_gateway() {
        assert_eq!(changed("NO_PROXY", &|_| None), None);
        let proxy = |name: &str| (name == "http_proxy").then(|| "http://proxy".to_owned());
        assert_eq!(changed("no_proxy", &proxy).as_deref(), Some("127.0.0.1"));
        let both = |name: &str| match name {
            "no_proxy" => Some("intern.example".to_owned()),
            name => proxy(name),
        };
        assert_eq!(changed("NO_PROXY", &both).as_deref(), Some("intern.example,127.0.0.1"));
    }

    #[test]
    fn each_sdk_finds_the_path_that_it_expects() {
        let value = |name| changed(name, &|_| None).unwrap();
        assert_eq!(value("OPENAI_BASE_URL"), "http://127.0.0.1:9/v1");
        assert_eq!(value("ANTHROPIC_BASE_URL"), "http://127.0.0.1:9");
        assert_eq!(value("MISTRAL_API_BASE"), "http://127.0.0.1:9/mistral/v1");
    }
}
