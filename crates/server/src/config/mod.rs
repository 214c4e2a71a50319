//! The configuration: one TOML file, refused as a whole if any of it is wrong.
//!
//! A wrong file is told with line, column and what was probably meant; it never replaces a running
//! configuration. Rules that `apply` wrote where there is no file lie in a second file in the data
//! directory, layered on top.

mod aws;
mod file;
pub mod litellm;
mod private;
mod problem;
mod provider;
mod proxy;
mod reference;
mod schema;
mod scoped;
mod shaping;
mod token;
mod values;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use scrimp_core::KeyRing;
use scrimp_core::policy::prompt_cache::PromptCache;
use scrimp_core::policy::shaping::Shaping;
use scrimp_core::policy::token_budget::TokenBudget;
use toml::Spanned;

pub use aws::AccessKey;
use file::{File, HttpTable, ListenTable, ModelTable};
pub use file::{Speaks, TlsFiles};
pub use private::Upstream;
pub use problem::ConfigError;
use problem::{Source, nearest};
pub use provider::{Metering, Origin, Provider, Secret, StoredKey};
pub use proxy::Proxy;
pub use reference::reference;
pub use schema::schema;
use scoped::Rules;
pub use token::{Role, Token};
pub use values::Lookup;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where and for whom the gateway listens.
    pub listen: Listen,
    /// Whether every call needs a virtual key, also where none was made yet.
    pub keys_required: bool,
    /// Limits of size and time.
    pub limits: Limits,
    /// The providers by name, the public ones included.
    pub providers: BTreeMap<Arc<str>, Arc<Provider>>,
    /// What names of models stand for.
    pub models: BTreeMap<Arc<str>, Target>,
    /// Where to place prompt-cache marks, in order of precedence.
    pub prompt_cache: Vec<PromptCache>,
    /// How texts are written in fewer tokens, in order of precedence.
    pub shaping: Vec<Shaping>,
    /// How many tokens a call may send and have back, in order of precedence.
    pub token_budgets: Vec<TokenBudget>,
    /// A file with prices of the user's own.
    pub prices: Option<PathBuf>,
    /// How long single calls are kept.
    pub retention: Option<Duration>,
    /// How long hourly and daily sums are kept.
    pub rollup_retention: Option<Duration>,
}

/// Where and for whom the gateway listens.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The address.
    pub address: SocketAddr,
    /// Names by which clients may call it, beside `localhost` and IP addresses.
    pub hosts: Vec<String>,
    /// What control routes ask for; none: callers on this machine need none.
    pub tokens: Vec<Token>,
    /// What clients are shown that speak TLS; `None`: they speak none.
    pub tls: Option<TlsFiles>,
    /// How many threads serve; `None`: one for each core.
    pub workers: Option<usize>,
}

/// Limits of size and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest head of a request or an answer, in bytes. At least 8 KiB.
    pub header_bytes: usize,
    /// The largest body of a request, in bytes.
    pub body_bytes: u64,
    /// How long a head may take. Also how long an idle connection of a client is kept.
    pub header_timeout: Duration,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// How long a connection to a provider may take to be made, TLS included.
    pub connect_timeout: Duration,
    /// How long a provider may take to begin its answer.
    pub first_token_timeout: Duration,
    /// How long a provider may be silent between two pieces of its answer.
    pub chunk_timeout: Duration,
    /// How long open calls are waited for when the gateway stops.
    pub drain_timeout: Duration,
    /// How many calls may be open at the same time.
    pub calls: usize,
}

/// What an alias stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The provider's name.
    pub provider: Arc<str>,
    /// The model, as the provider names it.
    pub model: Arc<str>,
}

impl Limits {
    /// What holds where the file says nothing.
    pub const USUAL: Limits = Limits {
        header_bytes: 64 << 10,
        body_bytes: 50_000_000,
        header_timeout: Duration::from_mins(1),
        body_timeout: Duration::from_mins(2),
        connect_timeout: Duration::from_secs(5),
        first_token_timeout: Duration::from_mins(10),
        chunk_timeout: Duration::from_mins(5),
        drain_timeout: Duration::from_secs(30),
        calls: 16_384,
    };
}

impl Config {
    /// What holds without a file: the public providers with the caller's own key, observing.
    pub fn usual() -> Config {
        Config::parse("built-in", "", None, &|_| None).expect("the empty configuration is valid")
    }

    /// Reads a file's text, and above it the text of the rules that `apply` wrote elsewhere.
    pub fn parse(
        name: &str,
        text: &str,
        applied: Option<(&str, &str)>,
        environment: Lookup<'_>,
    ) -> Result<Config, ConfigError> {
        let source = Source { file: name, text };
        let file: File = toml::from_str(text).map_err(|error| source.misread(&error))?;
        let File {
            listen,
            keys,
            providers,
            models,
            prompt_cache,
            shaping,
            token_budgets,
            http,
            store,
            prices,
        } = file;
        let providers = provider::all(&source, providers, environment)?;
        let mut rules = Rules::of(&source, &prompt_cache)?;
        if let Some((file, text)) = applied {
            let source = Source { file, text };
            let File { prompt_cache, .. } =
                toml::from_str(text).map_err(|error| source.misread(&error))?;
            rules.add(&source, &prompt_cache)?;
        }
        let config = Config {
            listen: listen_at(&source, listen, environment)?,
            keys_required: keys.required,
            limits: limits(&source, http)?,
            models: aliases(&source, models, &providers)?,
            prompt_cache: rules.in_order(),
            shaping: Rules::of(&source, &shaping)?.in_order(),
            token_budgets: Rules::of(&source, &token_budgets)?.in_order(),
            prices: prices.file,
            retention: store.retention.map(|length| length.0),
            rollup_retention: store.rollup_retention.map(|length| length.0),
            providers,
        };
        config.check_exposure(name)?;
        Ok(config)
    }

    /// A provider by its name. Servers on this machine that nobody named in the file are there for
    /// callers on this machine only.
    pub(crate) fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.get(name).filter(|provider| !provider.is_guessed || self.is_loopback())
    }

    /// Whether only this machine can reach the gateway.
    pub fn is_loopback(&self) -> bool {
        self.listen.address.ip().is_loopback()
    }

    /// Whoever reaches the gateway would see everybody's calls. `named` says where the address was
    /// written.
    pub(crate) fn check_exposure(&self, named: &str) -> Result<(), ConfigError> {
        if self.is_loopback() || !self.listen.tokens.is_empty() {
            return Ok(());
        }
        let address = self.listen.address;
        let message = format!(
            "listening on {address}, which is not loopback, needs `control_token` in [listen]"
        );
        Err(Source { file: named, text: "" }.wrong(None, message))
    }

    /// Whoever reaches the gateway could spend a provider's key that it holds, unless callers need
    /// keys of their own.
    pub(crate) fn check_keys(&self, named: &str, keys: &KeyRing) -> Result<(), ConfigError> {
        if self.keys_required || !keys.is_empty() {
            return Ok(());
        }
        self.exposed_provider().map_or(Ok(()), |provider| {
            let message = format!(
                "provider `{}` has a stored key, and on {} anybody who reaches the gateway could \
                 spend it: make virtual keys with `scrimp keys create`, or write `required = true` \
                 in [keys] and make them later",
                provider.name, self.listen.address
            );
            Err(Source { file: named, text: "" }.wrong(None, message))
        })
    }

    /// A provider whose key others than this machine could spend.
    pub(crate) fn exposed_provider(&self) -> Option<&Arc<Provider>> {
        let mut keyed = self.providers.values().filter(|provider| provider.stored_key.is_some());
        keyed.find(|_| !self.is_loopback())
    }
}

fn listen_at(
    source: &Source<'_>,
    table: ListenTable,
    environment: Lookup<'_>,
) -> Result<Listen, ConfigError> {
    let ListenTable { address, hosts, control_token, tokens, tls, workers } = table;
    let address = match address {
        None => SocketAddr::from(([127, 0, 0, 1], 4100)),
        Some(written) => {
            let text = provider::resolved(source, &written, environment)?;
            parse_address(&text).ok_or_else(|| {
                let message = format!("`{text}` is no address such as 127.0.0.1:4100");
                source.wrong(Some(written.span()), message)
            })?
        }
    };
    let tokens = token::all(source, control_token, tokens, environment)?;
    let hosts = hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
    Ok(Listen { address, hosts, tokens, tls, workers })
}

/// An address and port; `localhost` and a bare port mean loopback.
pub fn parse_address(text: &str) -> Option<SocketAddr> {
    let local = |port: &str| Some((IpAddr::from([127, 0, 0, 1]), port.parse().ok()?).into());
    match text.strip_prefix("localhost:").or(text.strip_prefix(':')) {
        Some(port) => local(port),
        None => text.parse().ok().or_else(|| local(text)),
    }
}

fn limits(source: &Source<'_>, table: HttpTable) -> Result<Limits, ConfigError> {
    let usual = Limits::USUAL;
    let header_bytes = match table.header_bytes {
        None => usual.header_bytes,
        Some(size) if size.as_ref().0 < 8 << 10 || 1 << 20 < size.as_ref().0 => {
            let message = "`header_bytes` must lie between 8KiB and 1MiB".to_owned();
            return Err(source.wrong(Some(size.span()), message));
        }
        Some(size) => usize::try_from(size.as_ref().0).expect("at most a mebibyte"),
    };
    let or = |length: Option<values::Length>, usual: Duration| length.map_or(usual, |l| l.0);
    Ok(Limits {
        header_bytes,
        body_bytes: table.body_bytes.map_or(usual.body_bytes, |size| size.0),
        header_timeout: or(table.header_timeout, usual.header_timeout),
        body_timeout: or(table.body_timeout, usual.body_timeout),
        connect_timeout: or(table.connect_timeout, usual.connect_timeout),
        first_token_timeout: or(table.first_token_timeout, usual.first_token_timeout),
        chunk_timeout: or(table.chunk_timeout, usual.chunk_timeout),
        drain_timeout: or(table.drain_timeout, usual.drain_timeout),
        calls: table.calls.unwrap_or(usual.calls),
    })
}

fn aliases(
    source: &Source<'_>,
    models: BTreeMap<Spanned<String>, ModelTable>,
    providers: &BTreeMap<Arc<str>, Arc<Provider>>,
) -> Result<BTreeMap<Arc<str>, Target>, ConfigError> {
    let mut aliases = BTreeMap::new();
    for (alias, ModelTable { targets }) in models {
        let [written] = &targets[..] else {
            let message = format!(
                "`{}` names {} targets; this version routes an alias to exactly one",
                alias.as_ref(),
                targets.len()
            );
            return Err(source.wrong(Some(alias.span()), message));
        };
        let (provider, model) = written.as_ref().split_once('/').ok_or_else(|| {
            let message = format!("`{}` is not `provider/model`", written.as_ref());
            source.wrong(Some(written.span()), message)
        })?;
        let known = providers.get_key_value(provider).ok_or_else(|| {
            let message = format!("no provider is named `{provider}`");
            let suggestion = nearest(provider, providers.keys().map(AsRef::as_ref));
            ConfigError { suggestion, ..source.wrong(Some(written.span()), message) }
        })?;
        let target = Target { provider: known.0.clone(), model: model.into() };
        aliases.insert(alias.into_inner().into(), target);
    }
    Ok(aliases)
}

#[cfg(test)]
mod tests;
