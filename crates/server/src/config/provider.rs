//! Providers: where they are, whose API they speak, whose key they get.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::Uri;
use scrimp_wire::dialect;
use toml::Spanned;

use super::aws::{self, AccessKey};
use super::file::{MeteringWord, ProviderTable, Speaks};
use super::problem::{ConfigError, Source};
use super::proxy::{Proxies, Proxy, is_here};
use super::values::{Lookup, resolve};

/// A provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name in the configuration and in paths.
    pub name: Arc<str>,
    /// Whose API it speaks.
    pub speaks: Speaks,
    /// The host that calls go to.
    pub origin: Origin,
    /// What stands before the path of every call, without a slash at its end.
    pub base_path: Box<str>,
    /// What every call is made with, instead of the caller's key.
    pub stored_key: Option<StoredKey>,
    /// Whether streams are asked for their usage.
    pub metering: Metering,
    /// The provider whose prices it has.
    pub prices_as: Arc<str>,
    /// A file of certificates that it is trusted by, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// What `stored_key` is used for beside calls to models: `METHOD /path`, with `*`, without a version.
    pub routes: Vec<String>,
    /// The proxy that it is called through.
    pub proxy: Option<Arc<Proxy>>,
    /// Nothing but what an SDK puts behind its base URL comes behind `base_path`, no version either.
    pub(crate) is_base_whole: bool,
    /// A server on this machine that the file does not name.
    pub(super) is_guessed: bool,
}

impl Provider {
    /// Whether nobody named it: a server that may or may not run on this machine.
    pub(crate) fn is_guessed(&self) -> bool {
        self.is_guessed
    }

    /// Whether it is on this machine.
    pub(crate) fn is_here(&self) -> bool {
        is_here(&self.origin)
    }

    /// Whether it is a vendor's, at the vendor's own address.
    pub(super) fn is_at_home(&self) -> bool {
        let public = PUBLIC.iter().find(|public| *public.name == *self.name);
        let home = public.and_then(|public| split(public.base_url).ok());
        home.is_some_and(|(origin, path)| origin == self.origin && path == self.base_path)
    }

    /// The same at another address, written as an SDK takes it: for `OpenAI`'s with the version, if
    /// there is one, for the others without. The error says what is wrong with the address.
    pub(super) fn moved_to(&self, url: &str, proxies: &Proxies) -> Result<Provider, String> {
        let (origin, base_path) = split(url)?;
        let had_usual = self.proxy == proxies.to(&self.origin);
        let proxy = if had_usual { proxies.to(&origin) } else { self.proxy.clone() };
        let is_base_whole = self.speaks == Speaks::Openai;
        Ok(Provider { origin, base_path, proxy, is_base_whole, ..self.clone() })
    }
}

/// A key that the gateway holds for a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredKey {
    /// It is sent with every call.
    Sent(Secret),
    /// Every call is signed with it.
    Signing(AccessKey),
}

/// A host to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Whether TLS is spoken.
    pub is_tls: bool,
    /// Its name or address, without brackets.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
    /// What the `host` header says.
    pub authority: HeaderValue,
}

/// How a stream's usage comes to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metering {
    /// It is asked for, and taken out of the answer where the client did not ask.
    Active,
    /// It is known only where the client asks for it.
    Passive,
}

/// A text that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `guess` is the text, in time that does not depend on where they differ.
    pub fn is(&self, guess: &[u8]) -> bool {
        let same_length = self.0.len() == guess.len();
        let differing = self.0.bytes().zip(guess).fold(0, |sum, (a, b)| sum | (a ^ b));
        same_length && differing == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A provider that needs no configuration.
pub(super) struct Public {
    pub(super) name: &'static str,
    pub(super) base_url: &'static str,
    pub(super) speaks: Speaks,
    /// The provider in the list of prices.
    pub(super) prices_as: &'static str,
}

/// The providers that need no configuration: those of the vendors, and the addresses at which servers
/// on this machine listen unless they are told otherwise. Whether one of them counts cached and
/// reasoning tokens within others or beside them is not a matter of the row: what it reports says so,
/// and `wire::meter` reads it. Each row has an exchange among those of `wire`.
pub(super) const PUBLIC: &[Public] = &[
    openai("openai", "https://api.openai.com/v1", "openai"),
    Public {
        name: "anthropic",
        base_url: "https://api.anthropic.com",
        speaks: Speaks::Anthropic,
        prices_as: "anthropic",
    },
    Public {
        name: "google",
        base_url: "https://generativelanguage.googleapis.com",
        speaks: Speaks::Gemini,
        prices_as: "gemini",
    },
    openai("groq", "https://api.groq.com/openai/v1", "groq"),
    openai("mistral", "https://api.mistral.ai/v1", "mistral"),
    openai("deepseek", "https://api.deepseek.com/v1", "deepseek"),
    openai("xai", "https://api.x.ai/v1", "xai"),
    openai("openrouter", "https://openrouter.ai/api/v1", "openrouter"),
    openai("together", "https://api.together.xyz/v1", "together_ai"),
    openai("fireworks", "https://api.fireworks.ai/inference/v1", "fireworks_ai"),
    openai("cerebras", "https://api.cerebras.ai/v1", "cerebras"),
    openai("vllm", "http://127.0.0.1:8000/v1", "vllm"),
    openai("ollama", "http://127.0.0.1:11434/v1", "ollama"),
    openai("llamacpp", "http://127.0.0.1:8080/v1", "llamacpp"),
];

const fn openai(name: &'static str, base_url: &'static str, prices_as: &'static str) -> Public {
    Public { name, base_url, speaks: Speaks::Openai, prices_as }
}

/// First parts of paths that are the gateway's own.
const RESERVED: &[&str] = &["api", "assets", "healthz", "readyz", "metrics", "v1", "v1beta"];

pub(super) fn all(
    source: &Source<'_>,
    tables: BTreeMap<Spanned<String>, ProviderTable>,
    environment: Lookup<'_>,
) -> Result<BTreeMap<Arc<str>, Arc<Provider>>, ConfigError> {
    let proxies = Proxies::of(environment).map_err(|why| source.wrong(None, why))?;
    let mut providers = BTreeMap::new();
    for public in PUBLIC {
        let (origin, base_path) =
            split(public.base_url).expect("a public provider's address is valid");
        let provider = Provider {
            name: public.name.into(),
            speaks: public.speaks,
            proxy: proxies.to(&origin),
            is_base_whole: false,
            origin,
            base_path,
            stored_key: None,
            metering: Metering::Active,
            prices_as: public.prices_as.into(),
            ca_file: None,
            routes: Vec::new(),
            is_guessed: public.base_url.starts_with("http:"),
        };
        providers.insert(provider.name.clone(), Arc::new(provider));
    }
    for (name, table) in tables {
        let provider = one(source, &name, table, &proxies, environment)?;
        providers.insert(provider.name.clone(), Arc::new(provider));
    }
    Ok(providers)
}

fn one(
    source: &Source<'_>,
    name: &Spanned<String>,
    table: ProviderTable,
    proxies: &Proxies,
    environment: Lookup<'_>,
) -> Result<Provider, ConfigError> {
    let ProviderTable {
        base_url,
        dialect,
        api_key,
        access_key_id,
        secret_access_key,
        session_token,
        region,
        metering,
        prices_as,
        ca_file,
        routes,
        proxy,
    } = table;
    let wrong = |message: String| source.wrong(Some(name.span()), message);
    let text = name.as_ref();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if RESERVED.contains(&text.as_str()) || text.is_empty() || !text.bytes().all(is_plain) {
        return Err(wrong(format!("`{text}` cannot name a provider: it is a part of paths")));
    }
    let public = PUBLIC.iter().find(|public| public.name == text);
    let (origin, base_path) = match (&base_url, public) {
        (Some(written), _) => {
            let url = resolved(source, written, environment)?;
            split(&url).map_err(|why| source.wrong(Some(written.span()), why))?
        }
        (None, Some(public)) => {
            split(public.base_url).expect("a public provider's address is valid")
        }
        (None, None) => return Err(wrong(format!("provider `{text}` needs a `base_url`"))),
    };
    let speaks = dialect.or(public.map(|public| public.speaks)).unwrap_or(Speaks::Openai);
    let signing =
        aws::Written { id: access_key_id, secret: secret_access_key, session_token, region };
    let stored_key = StoredKey::of(source, api_key, signing, speaks, &origin, environment)?;
    let proxy = match proxy {
        None => proxies.to(&origin),
        Some(written) => own_proxy(source, &written, &origin, environment)?,
    };
    Ok(Provider {
        name: text.as_str().into(),
        proxy,
        is_base_whole: false,
        speaks,
        origin,
        base_path,
        stored_key,
        metering: metering.map_or(Metering::Active, Metering::from),
        prices_as: prices_as
            .as_deref()
            .or(public.map(|public| public.prices_as))
            .unwrap_or(text)
            .into(),
        ca_file,
        routes: routes.iter().map(|written| route(source, written)).collect::<Result<_, _>>()?,
        is_guessed: false,
    })
}

impl StoredKey {
    fn of(
        source: &Source<'_>,
        api_key: Option<Spanned<String>>,
        signing: aws::Written,
        speaks: Speaks,
        origin: &Origin,
        environment: Lookup<'_>,
    ) -> Result<Option<StoredKey>, ConfigError> {
        let span = signing.span();
        let refuse = |why: &str| Err(source.wrong(span.clone(), why.to_owned()));
        match (&api_key, &span) {
            (Some(_), Some(_)) => {
                return refuse("`api_key` is sent and an access key signs: a provider takes one");
            }
            (None, Some(_)) if speaks != Speaks::Bedrock => {
                return refuse("only requests to `dialect = \"bedrock\"` are signed");
            }
            _ => {}
        }
        let sent = api_key.map(|written| secret(source, &written, environment)).transpose()?;
        let signing = aws::access_key(source, signing, origin, environment)?;
        Ok(sent.map(StoredKey::Sent).or(signing.map(StoredKey::Signing)))
    }
}

/// A provider's own proxy, or none though the environment has one.
fn own_proxy(
    source: &Source<'_>,
    written: &Spanned<String>,
    origin: &Origin,
    environment: Lookup<'_>,
) -> Result<Option<Arc<Proxy>>, ConfigError> {
    let text = resolved(source, written, environment)?;
    let wrong = |why: &str| source.wrong(Some(written.span()), format!("`proxy` {why}"));
    match text.as_str() {
        "none" => Ok(None),
        _ if is_here(origin) => {
            Err(wrong("makes no sense: this machine is never called through a proxy"))
        }
        text => Proxy::read(text).map(|proxy| Some(Arc::new(proxy))).map_err(|why| wrong(&why)),
    }
}

/// `GET /v1/files*`, without the version.
fn route(source: &Source<'_>, written: &Spanned<String>) -> Result<String, ConfigError> {
    let text = written.as_ref();
    let is_method = |word: &str| {
        word == "*" || !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase())
    };
    match text.split_once(' ') {
        Some((method, path)) if is_method(method) && path.starts_with('/') => {
            Ok(format!("{method} {}", dialect::without_version(path)))
        }
        _ => {
            let message = format!("`{text}` is no route such as \"GET /v1/files*\"");
            Err(source.wrong(Some(written.span()), message))
        }
    }
}

impl From<MeteringWord> for Metering {
    fn from(word: MeteringWord) -> Metering {
        match word {
            MeteringWord::Active => Metering::Active,
            MeteringWord::Passive => Metering::Passive,
        }
    }
}

/// Splits an address into the host and the path before every call's own.
fn split(url: &str) -> Result<(Origin, Box<str>), String> {
    let refuse = |why: &str| format!("`{url}` is no address such as https://host/v1: {why}");
    let uri: Uri = url.parse().map_err(|_| refuse("it cannot be parsed"))?;
    let is_tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(refuse("it must begin with http:// or https://")),
    };
    let authority = uri.authority().ok_or_else(|| refuse("it names no host"))?;
    if authority.as_str().contains('@') || uri.query().is_some() {
        return Err(refuse("it must not hold credentials or a query"));
    }
    let origin = Origin {
        is_tls,
        host: authority.host().trim_matches(['[', ']']).into(),
        port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
        authority: HeaderValue::from_str(authority.as_str()).map_err(|_| refuse("bad host"))?,
    };
    Ok((origin, uri.path().trim_end_matches('/').into()))
}

pub(super) fn resolved(
    source: &Source<'_>,
    written: &Spanned<String>,
    environment: Lookup<'_>,
) -> Result<String, ConfigError> {
    resolve(written.as_ref(), environment).map_err(|name| {
        let message = format!("the environment variable `{name}` is not set");
        source.wrong(Some(written.span()), message)
    })
}

pub(super) fn secret(
    source: &Source<'_>,
    written: &Spanned<String>,
    environment: Lookup<'_>,
) -> Result<Secret, ConfigError> {
    let text = resolved(source, written, environment)?;
    let is_sendable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_sendable {
        return Ok(Secret::new(text));
    }
    let message = "a key is one word of printable characters; this one is not".to_owned();
    Err(source.wrong(Some(written.span()), message))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_row_has_an_exchange() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/exchanges");
        let own = ["openai", "anthropic", "google"];
        for public in PUBLIC.iter().filter(|public| !own.contains(&public.name)) {
            let name = format!("chat_by_{}", public.name);
            let files = [format!("{name}.response.json"), format!("{name}_stream.response.txt")];
            assert!(files.iter().any(|file| folder.join(file).is_file()), "{name} is missing");
        }
    }
}
