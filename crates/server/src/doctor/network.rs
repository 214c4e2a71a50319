//! The address to listen on, and the way to each provider.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Check;
use crate::config::{Config, Provider};
use crate::serve::is_free;
use crate::upstream::{Stage, probe};

/// What each provider is given, from its name to its certificate.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the address is free, or a gateway on the same data listens there.
pub(super) fn port(address: SocketAddr, data: &Path) -> Check {
    let name = "address";
    let Err(error) = is_free(address) else {
        return Check::fine(name, format!("{address} is free"));
    };
    let noted = std::fs::read_to_string(data.join("gateway.address")).unwrap_or_default();
    let elsewhere = "name another with --listen, or `address` in [listen]";
    match error.kind() {
        io::ErrorKind::AddrInUse if noted.trim() == address.to_string() => Check::fine(
            name,
            format!("{address}: the gateway on this data directory listens there"),
        ),
        io::ErrorKind::AddrInUse => {
            Check::problem(name, format!("{address}: somebody else listens there"), elsewhere)
        }
        _ => Check::problem(name, format!("{address}: {error}"), elsewhere),
    }
}

/// Connects to every provider that the configuration names, all at the same time.
pub(super) fn providers(config: &Config) -> Vec<Check> {
    let named = named(config);
    if named.is_empty() {
        let found = "none is named; calls go to the vendors'".to_owned();
        return vec![Check::fine("providers", found)];
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let found = format!("not connected to: {error}");
            return vec![Check::problem("providers", found, "see `open files` below")];
        }
    };
    let mut checks = runtime.block_on(async {
        let mut probes = JoinSet::new();
        for (at, provider) in named.into_iter().enumerate() {
            probes.spawn(async move { (at, provider_check(&provider, reach(&provider).await)) });
        }
        probes.join_all().await
    });
    // A name that is still being looked up must not hold the answer back.
    runtime.shutdown_background();
    checks.sort_by_key(|(at, _)| *at);
    checks.into_iter().map(|(_, check)| check).collect()
}

async fn reach(provider: &Provider) -> Result<(), (Stage, String)> {
    let mut stage = Stage::Name;
    match timeout(PATIENCE, probe(provider, &mut stage)).await {
        Ok(reached) => reached.map_err(|error| (stage, error.to_string())),
        Err(_) => Err((stage, format!("nothing came within {} s", PATIENCE.as_secs()))),
    }
}

fn provider_check(provider: &Provider, reached: Result<(), (Stage, String)>) -> Check {
    let name = format!("provider {}", provider.name);
    let origin = &provider.origin;
    let at = format!("{}:{}", origin.host, origin.port);
    let (stage, why) = match reached {
        Ok(()) if origin.is_tls => return Check::fine(name, format!("{at}: certificate trusted")),
        Ok(()) => return Check::fine(name, format!("{at}: connected, no TLS")),
        Err(failed) => failed,
    };
    let (what, way_out) = match stage {
        Stage::Name => {
            ("its name does not resolve", "look at `base_url`, and at this machine's DNS")
        }
        Stage::Connect => {
            ("no connection", "is it running, and is the way there open? Look at `base_url`")
        }
        Stage::Tls => (
            "TLS fails",
            "a certificate that the system does not trust is named by `ca_file`; a server without \
             TLS by http://",
        ),
    };
    Check::problem(name, format!("{at}: {what}: {why}"), way_out)
}

/// Those that the file says something about, or that a name for a model leads to.
fn named(config: &Config) -> Vec<Arc<Provider>> {
    let usual = Config::usual();
    let is_changed = |provider: &Provider| {
        let Some(usual) = usual.providers.get(&provider.name) else { return true };
        usual.is_guessed() != provider.is_guessed()
            || usual.origin != provider.origin
            || usual.base_path != provider.base_path
            || usual.metering != provider.metering
            || provider.stored_key.is_some()
            || provider.ca_file.is_some()
    };
    let is_target = |name: &str| config.models.values().any(|target| &*target.provider == name);
    let all = config.providers.values();
    all.filter(|provider| is_changed(provider) || is_target(&provider.name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn only_what_the_file_names_is_connected_to() {
        let names = |text: &str| {
            let config = Config::parse("t", text, None, &|_| None).unwrap();
            named(&config).iter().map(|provider| provider.name.to_string()).collect::<Vec<_>>()
        };
        assert!(names("").is_empty());
        assert_eq!(names("[providers.groq]\napi_key = \"k\""), ["groq"]);
        assert_eq!(names("[providers.ollama]"), ["ollama"]);
        assert_eq!(names("[models.m]\ntargets = [\"xai/grok\"]"), ["xai"]);
        assert_eq!(names("[providers.own]\nbase_url = \"http://127.0.0.1:9\""), ["own"]);
    }

    #[test]
    fn an_address_is_free_ours_or_somebody_else_s() {
        let data = tempfile::tempdir().unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(port(address, data.path()).state, State::Problem);
        std::fs::write(data.path().join("gateway.address"), address.to_string()).unwrap();
        assert_eq!(port(address, data.path()).state, State::Fine);
        drop(taken);
        assert!(port(address, data.path()).found.ends_with("is free"));
    }
}
