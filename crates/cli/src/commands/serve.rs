//! `scrimp serve`: the gateway, its API and its dashboard.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use scrimp_core::Span;
use scrimp_server::journal::Files;
use scrimp_server::{Config, Gateway, Log, Program, ServeError, serve};
use scrimp_store::{OpenError, Options, Store};

use super::data_dir;
use super::imported::tell;
use super::price::catalog_in;
use super::running::address_file;
use crate::args::Serve;
use crate::ui::{self, OrHint};

/// Serves until a signal says to stop.
pub(crate) fn run(arguments: &Serve) -> Result<()> {
    let data = data_dir(&arguments.data)?;
    let files = Files { config: arguments.config.clone(), data: data.clone() };
    tell(&files)?;
    let config = files.load().or_hint("`scrimp config reference` lists every setting")?;
    let prices = catalog_in(config.prices.as_deref(), &arguments.data)?;
    let store = Arc::new(open_store(&data, options(&config))?);
    let (log, writer) = match std::io::stderr().is_terminal() {
        true => Log::in_words(std::io::stderr()),
        false => Log::to(std::io::stderr()),
    };
    let place = address_file(&data);
    let noted = place.clone();
    let listening = Box::new(move |address: SocketAddr, gateway: &Gateway| {
        // Only commands from another terminal need it.
        drop(std::fs::write(noted, whereabouts(address, gateway)));
        greet(address, gateway);
    });
    let listen = arguments.listen;
    let result = serve(Program { files, listen, store, prices, log: Some(log.clone()), listening });
    log.close();
    drop(writer.join());
    drop(std::fs::remove_file(place));
    match result {
        // No address would help.
        Err(unread @ ServeError::Keys(_)) => Err(unread.into()),
        result => result.or_hint("another address can be given with --listen"),
    }
}

/// Opens the store for writing.
pub(crate) fn open_store(data: &Path, options: Options) -> Result<Store> {
    let opened = Store::open(data, options);
    let is_on_disk = matches!(opened, Err(OpenError::Io { .. } | OpenError::Database { .. }));
    let opened = opened.context("the data directory cannot be used");
    match is_on_disk {
        true => {
            opened.or_hint("another data directory is named with --data DIR, or by SCRIMP_DATA")
        }
        false => opened,
    }
}

/// What the configuration says of how long things are kept.
pub(crate) fn options(config: &Config) -> Options {
    let span = |kept: std::time::Duration| {
        Span::from_secs(i64::try_from(kept.as_secs()).unwrap_or(i64::MAX / 2_000_000_000))
    };
    let Config { retention, rollup_retention, .. } = config;
    let usual = Options::STANDARD;
    Options {
        keep_records: retention.map_or(usual.keep_records, span),
        keep_hours: rollup_retention.map_or(usual.keep_hours, span),
        ..usual
    }
}

/// Where the gateway is, for commands on this machine: its address, and where its certificate lies
/// if it speaks TLS.
fn whereabouts(address: SocketAddr, gateway: &Gateway) -> String {
    let running = gateway.running();
    let certificate = running.config.listen.tls.as_ref().map(|tls| &tls.certificate);
    let certificate = certificate.and_then(|path| path.canonicalize().ok());
    certificate.map_or_else(
        || address.to_string(),
        |certificate| format!("{address}\n{}", certificate.display()),
    )
}

/// Says where the gateway listens and how an SDK is pointed at it.
fn greet(address: SocketAddr, gateway: &Gateway) {
    let running = gateway.running();
    let is_observing = running.config.prompt_cache.is_empty();
    let what = match is_observing {
        true => "observing: edits, caches and retries nothing",
        false => "with the rules of its configuration",
    };
    let scheme = if running.config.listen.tls.is_some() { "https" } else { "http" };
    let text = format!(
        "{scheme}://{address}   {what}\n\
         export OPENAI_BASE_URL={scheme}://{address}/v1\n\
         export ANTHROPIC_BASE_URL={scheme}://{address}\n\
         prompts: not stored   outbound: your providers only\n"
    );
    // Nobody may be reading; the gateway serves all the same.
    drop(ui::print(&text));
}
