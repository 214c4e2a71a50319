//! The configuration of a gateway that one command has to itself.

use std::net::SocketAddr;
use std::sync::Arc;

use super::problem::ConfigError;
use super::proxy::Proxies;
use super::values::Lookup;
use super::{Config, Listen};

/// Where a variable of the environment had a command find a provider, before the gateway stood
/// between the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The variable, for whoever has to correct it.
    pub variable: &'static str,
    /// The provider's name.
    pub provider: &'static str,
    /// The address, as its SDK takes it.
    pub url: String,
}

impl Config {
    /// The same for one command on this machine: on a free port of its own, without names, tokens,
    /// TLS or keys, which are for others. A provider at its vendor's address moves to where the
    /// command was pointed; one that the file has somewhere else stays there.
    pub fn for_one_command(
        self,
        upstreams: &[Upstream],
        environment: Lookup<'_>,
    ) -> Result<Config, ConfigError> {
        let wrong = |why| ConfigError::nowhere("the environment", why);
        let proxies = Proxies::of(environment).map_err(wrong)?;
        let mut providers = self.providers;
        for Upstream { variable, provider, url } in upstreams {
            let Some(provider) = providers.get_mut(*provider).filter(|p| p.is_at_home()) else {
                continue;
            };
            let moved = provider.moved_to(url, &proxies);
            *provider = Arc::new(moved.map_err(|why| wrong(format!("{variable}: {why}")))?);
        }
        let listen = Listen {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: Vec::new(),
            tokens: Vec::new(),
            tls: None,
            workers: self.listen.workers,
        };
        Ok(Config { listen, keys_required: false, providers, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn private(text: &str, url: &str) -> Result<Config, ConfigError> {
        let environment =
            |name: &str| (name == "HTTPS_PROXY").then(|| "http://proxy:3128".to_owned());
        let config = Config::parse("test", text, None, &environment).unwrap();
        let upstream =
            Upstream { variable: "OPENAI_BASE_URL", provider: "openai", url: url.to_owned() };
        config.for_one_command(&[upstream], &environment)
    }

    fn openai(config: &Config) -> String {
        let provider = &config.providers["openai"];
        let proxy = provider.proxy.as_ref().map(|proxy| &proxy.host);
        format!("{} {} {proxy:?}", provider.origin.host, provider.base_path)
    }

    #[test]
    fn a_provider_moves_to_where_the_command_was_pointed_unless_the_file_says_where_it_is() {
        let url = "https://llm.example/compat";
        let moved = private("", url).unwrap();
        assert_eq!(openai(&moved), "llm.example /compat Some(\"proxy\")");
        let own = "[providers.openai]\nbase_url = \"https://own.example/v1\"";
        assert_eq!(openai(&private(own, url).unwrap()), "own.example /v1 Some(\"proxy\")");
        let keyed = "[providers.openai]\napi_key = \"sk-own\"";
        let keyed = private(keyed, url).unwrap();
        assert_eq!(openai(&keyed), "llm.example /compat Some(\"proxy\")");
        assert!(keyed.providers["openai"].stored_key.is_some());
    }

    #[test]
    fn what_is_for_others_is_left_out() {
        let text = "[listen]\naddress = \"0.0.0.0:4100\"\ncontrol_token = \"t\"\n\
                    [keys]\nrequired = true\n[providers.openai]\napi_key = \"sk-own\"";
        let config = private(text, "http://127.0.0.1:9/v1").unwrap();
        assert!(config.is_loopback() && config.listen.tokens.is_empty() && !config.keys_required);
    }

    #[test]
    fn an_address_that_is_none_is_told_with_its_variable() {
        let wrong = private("", "llm.example").unwrap_err().to_string();
        assert!(wrong.starts_with("the environment: OPENAI_BASE_URL: `llm.example`"), "{wrong}");
    }
}
