//! Who may be meant by a request: against pages that rebind a name of theirs to this machine.
//!
//! Rebinding needs a name, so addresses are always known, and of names only `localhost` and those
//! in the configuration.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Request};

use crate::config::Config;

/// Whether the request is meant for this gateway.
pub(super) fn is_known<B>(request: &Request<B>, config: &Config) -> bool {
    // HTTP/1.0 needs none, and no head with two has come so far.
    let Some(host) = request.headers().get(HOST) else {
        return request.uri().host().is_none();
    };
    let host = host.to_str().ok();
    // An address that names a host of its own must not be read as ours by one reader only.
    let named = request.uri().authority().is_none_or(|named| is_ours(named.as_str(), config));
    named && host.is_some_and(|host| is_ours(host, config))
}

/// Whether a page that sends this request, if one does, is the gateway's own.
pub(crate) fn is_own_origin(headers: &HeaderMap, config: &Config) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
    let origin = origin.to_str().unwrap_or("null");
    let authority = origin.strip_prefix("http://").or(origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority == host && is_ours(authority, config))
}

fn is_ours(authority: &str, config: &Config) -> bool {
    let host = name_of(authority);
    if host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return true;
    }
    let host = host.to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost") || config.listen.hosts.contains(&host)
}

/// The name without a port.
fn name_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_refused() {
        let text = "[listen]\nhosts = [\"Gate.internal\"]";
        let config = Config::parse("test", text, None, &|_| None).unwrap();
        for host in ["localhost:4100", "127.0.0.1", "[::1]:4100", "10.0.0.7:80", "gate.internal"] {
            assert!(is_ours(host, &config), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:4100", ""] {
            assert!(!is_ours(host, &config), "{host}");
        }
    }

    #[test]
    fn a_page_from_elsewhere_is_not_ours() {
        let config = Config::usual();
        let headers = |host: &str, origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            headers.insert(ORIGIN, origin.parse().unwrap());
            headers
        };
        let own = headers("localhost:4100", "http://localhost:4100");
        assert!(is_own_origin(&own, &config));
        assert!(is_own_origin(&HeaderMap::new(), &config));
        for origin in ["http://evil.example", "null", "http://localhost:3000"] {
            assert!(!is_own_origin(&headers("localhost:4100", origin), &config), "{origin}");
        }
    }
}
