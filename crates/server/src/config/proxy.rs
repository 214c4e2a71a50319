//! Proxies on the way to providers: which, for whom, and for whom none.
//!
//! As curl and others understand `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in small letters, too.
//! This machine itself is never called through a proxy.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::uri::Authority;

use super::provider::{Origin, Secret};
use super::values::Lookup;

/// A proxy that makes tunnels (`CONNECT`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its name or address, without brackets.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
    /// What it is told of who asks, if anything.
    pub authorization: Option<Secret>,
}

/// The proxies of the environment.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    https: Option<Arc<Proxy>>,
    http: Option<Arc<Proxy>>,
    /// Hosts that are called directly.
    direct: Vec<String>,
}

impl Proxies {
    /// Of this environment. The error names the variable.
    pub(super) fn of(environment: Lookup<'_>) -> Result<Proxies, String> {
        let named = |name: &str| {
            let either = environment(&name.to_lowercase()).or_else(|| environment(name));
            either.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let proxy = |name: &str| {
            let read = named(name).map(|text| Proxy::read(&text).map(Arc::new)).transpose();
            read.map_err(|why| format!("{name} in the environment {why}"))
        };
        let direct = named("NO_PROXY").unwrap_or_default();
        let direct = direct.split(',').map(|entry| entry.trim().to_ascii_lowercase());
        Ok(Proxies {
            https: proxy("HTTPS_PROXY")?,
            http: proxy("HTTP_PROXY")?,
            direct: direct.filter(|entry| !entry.is_empty()).collect(),
        })
    }

    /// The one to call `origin` through.
    pub(super) fn to(&self, origin: &Origin) -> Option<Arc<Proxy>> {
        let proxy = if origin.is_tls { &self.https } else { &self.http };
        let is_direct = is_here(origin) || self.direct.iter().any(|entry| names(entry, origin));
        proxy.clone().filter(|_| !is_direct)
    }
}

impl Proxy {
    /// `http://user:password@host:port`; a word for programs stands before `://` or nothing. The
    /// error says what is wrong with it, and never what it is: there may be a password in it.
    pub(super) fn read(text: &str) -> Result<Proxy, String> {
        let wanted = || "is no proxy such as http://user:password@host:3128".to_owned();
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) => {
                return Err(format!("names a proxy that is spoken to by `{scheme}`, not by http"));
            }
            None => text,
        };
        let (user, host) = match rest.trim_end_matches('/').rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, rest.trim_end_matches('/')),
        };
        let authority: Authority = host.parse().map_err(|_| wanted())?;
        let user = user.map(|user| decoded(user).ok_or_else(wanted)).transpose()?;
        let host: Box<str> = authority.host().trim_matches(['[', ']']).into();
        if host.is_empty() {
            return Err(wanted());
        }
        let basic = |user: Vec<u8>| Secret::new(format!("Basic {}", STANDARD.encode(user)));
        let port = authority.port_u16().unwrap_or(80);
        Ok(Proxy { host, port, authorization: user.map(basic) })
    }
}

/// Whether an origin is this machine itself.
pub(super) fn is_here(origin: &Origin) -> bool {
    let host = origin.host.to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Whether an entry of `NO_PROXY` names an origin: `*`, a domain with all below it, an address, or a
/// network such as `10.0.0.0/8`; a port behind it says that only this one is meant.
fn names(entry: &str, origin: &Origin) -> bool {
    let host = origin.host.to_ascii_lowercase();
    let is_bare = entry.parse::<IpAddr>().is_ok();
    let with_port = entry.rsplit_once(':').filter(|_| !is_bare);
    let with_port = with_port.and_then(|(before, port)| Some((before, port.parse::<u16>().ok()?)));
    let (entry, port) = with_port.map_or((entry, None), |(before, port)| (before, Some(port)));
    let entry = entry.trim_matches(['[', ']']);
    if port.is_some_and(|port| port != origin.port) {
        return false;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return entry == "*" || is_in(entry, address);
    }
    let domain = entry.strip_prefix("*.").or(entry.strip_prefix('.')).unwrap_or(entry);
    let below = host.strip_suffix(domain).is_some_and(|before| before.ends_with('.'));
    entry == "*" || host == domain || !domain.is_empty() && below
}

/// Whether an address is the one named, or in the network named.
fn is_in(network: &str, address: IpAddr) -> bool {
    let (first, length) = match network.split_once('/') {
        Some((first, length)) => (first, length.parse::<u32>().ok()),
        None => (network, Some(u32::MAX)),
    };
    let (Ok(first), Some(length)) = (first.parse::<IpAddr>(), length) else { return false };
    let differing = match (first, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros().min(32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => return false,
    };
    length.min(if first.is_ipv4() { 32 } else { 128 }) <= differing
}

/// Text in which `%XX` stands for a byte.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((byte, tail)) = rest.split_first() {
        if *byte != b'%' {
            bytes.push(*byte);
            rest = tail;
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn through(variables: &[(&str, &str)], base_url: &str) -> Option<String> {
        let environment = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let text = format!("[providers.mine]\nbase_url = \"{base_url}\"\n");
        let config = Config::parse("test", &text, None, &environment).unwrap();
        let proxy = config.providers["mine"].proxy.as_ref();
        proxy.map(|proxy| format!("{}:{}", proxy.host, proxy.port))
    }

    #[test]
    fn the_environment_says_which_proxy_is_for_whom() {
        let both = [("HTTPS_PROXY", "http://safe:1"), ("http_proxy", "plain:2")];
        for (base_url, expected) in [
            ("https://api.example", Some("safe:1")),
            ("http://api.example", Some("plain:2")),
            ("https://127.0.0.1:9", None),
            ("https://127.8.8.8:9", None),
            ("http://localhost:9", None),
            ("http://LocalHost:9", None),
            ("http://a.localhost", None),
            ("http://[::1]:9", None),
            ("http://[::ffff:127.0.0.1]:9", None),
            ("http://10.0.0.1:9", Some("plain:2")),
        ] {
            assert_eq!(through(&both, base_url).as_deref(), expected, "{base_url}");
        }
        let small = [("HTTPS_PROXY", "large:1"), ("https_proxy", "small:1")];
        assert_eq!(through(&small, "https://x").as_deref(), Some("small:1"));
        assert_eq!(through(&[("HTTPS_PROXY", " ")], "https://x"), None);
        assert_eq!(through(&[("HTTPS_PROXY", "p")], "https://x").as_deref(), Some("p:80"));
    }

    #[test]
    fn hosts_in_no_proxy_are_called_directly() {
        for (entry, base_url, is_direct) in [
            ("*", "https://api.example", true),
            ("api.example", "https://api.example", true),
            ("api.example", "https://API.example", true),
            ("example", "https://api.example", true),
            (".example", "https://api.example", true),
            ("*.example", "https://api.example", true),
            ("ample", "https://api.example", false),
            ("other, api.example", "https://api.example", true),
            ("api.example:443", "https://api.example", true),
            ("api.example:8443", "https://api.example", false),
            ("10.0.0.0/8", "https://10.9.9.9", true),
            ("10.0.0.0/8", "https://11.0.0.1", false),
            ("0.0.0.0/0", "https://11.0.0.1", true),
            ("10.9.9.9", "https://10.9.9.9", true),
            ("10.9.9.9", "https://10.9.9.8", false),
            ("fd00::/8", "https://[fd12::1]", true),
            ("fd12::1", "https://[fd12::1]", true),
            ("[fd12::1]:443", "https://[fd12::1]", true),
            ("10.0.0.0/x", "https://10.9.9.9", false),
            (",", "https://api.example", false),
        ] {
            let variables = [("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", entry)];
            assert_eq!(through(&variables, base_url).is_none(), is_direct, "{entry} {base_url}");
        }
    }

    #[test]
    fn a_proxy_may_ask_who_calls() {
        let proxy = Proxy::read("http://ada:p%40ss%3A@[fd00::1]:3128/").unwrap();
        assert_eq!((&*proxy.host, proxy.port), ("fd00::1", 3_128));
        let authorization = proxy.authorization.as_ref().unwrap().reveal();
        assert_eq!(authorization, format!("Basic {}", STANDARD.encode("ada:p@ss:")));
        assert!(!format!("{proxy:?}").contains("YWRh"), "{proxy:?}");
        for wrong in ["socks5://p:1", "https://p:1", "http://", "http://a b", "http://%zz@p", ""] {
            let why = Proxy::read(wrong).unwrap_err();
            assert!(!why.contains("zz"), "{why}");
        }
    }
}
