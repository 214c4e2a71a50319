//! `scrimp demo`: the whole loop on simulated traffic, with the gateway's real code.
//!
//! Two days of traffic run in virtual time, through pipes in memory, on a thread of their own: the
//! first with the gateway observing, the second with the best finding applied to half of the
//! sessions. Meanwhile the dashboard is served on a real socket from the same store.

mod story;
mod traffic;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{TryRecvError, channel};
use std::time::Duration;

use anyhow::{Result, bail};
use scrimp_core::{Catalog, Span, Time};
use scrimp_server::journal::Files;
use scrimp_server::{Gateway, Phase, Program, serve};
use scrimp_store::{Options, Store};

use crate::args::Demo;
use crate::ui::{OrHint, Stopped};

/// What every part of the demo needs.
pub(crate) struct Stage {
    pub(crate) store: Arc<Store>,
    pub(crate) prices: Arc<Catalog>,
    pub(crate) files: Files,
    pub(crate) seed: u64,
    /// How much traffic a day has; see [`scrimp_sim::workload::day`].
    pub(crate) scale: f64,
    /// When the first of the two days begins, so that the second ends about now.
    pub(crate) begins: Time,
    /// Real time that both days together may take at least.
    pub(crate) pace: Duration,
}

/// Runs the loop, then leaves the dashboard up for as long as somebody is at the terminal.
pub(crate) fn run(arguments: &Demo, now: Time, prices: Catalog) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("scrimp-demo-{}", std::process::id()));
    let played = play(arguments, now, prices, &folder);
    // What was simulated is of no use to anybody afterwards.
    drop(std::fs::remove_dir_all(&folder));
    played
}

fn play(arguments: &Demo, now: Time, prices: Catalog, folder: &Path) -> Result<()> {
    // The demo's own age would otherwise drop or seal its records at odd moments.
    let seal_after = Span::from_hours(24 * 30);
    // The key names the sessions, and by their names they are treated or held out.
    let known_key = Some(key_of(arguments.seed));
    let options = Options { seal_after, known_key, ..Options::STANDARD };
    let store = Store::open(folder, options)
        .or_hint("the demo keeps its records in the folder for temporary files: is there space?")?;
    let files = Files { config: None, data: folder.to_path_buf() };
    let store = Arc::new(store);
    let stage = Stage {
        store: store.clone(),
        prices: Arc::new(prices.clone()),
        files: files.clone(),
        seed: arguments.seed,
        scale: arguments.scale,
        begins: now - Span::from_hours(48),
        pace: Duration::from_secs_f64(arguments.time * 0.8),
    };
    let (open, opened) = channel();
    let is_open = !arguments.no_open;
    let listening = move |address: SocketAddr, gateway: &Gateway| {
        eprintln!("dashboard: http://{address}");
        if is_open {
            open_browser(address);
        }
        open.send(gateway.clone()).ok();
    };
    let (end, ended) = channel();
    std::thread::Builder::new().name("demo".to_owned()).spawn(move || {
        let told = story::tell(&stage);
        let stays = told.is_ok() && story::stays();
        // First, so that it is there when serving ends.
        end.send(told).ok();
        let gateway = opened.recv().ok();
        if let Some(gateway) = gateway.filter(|_| !stays) {
            gateway.enter(Phase::Draining);
        }
    })?;
    let listen = Some(arguments.listen);
    let listening = Box::new(listening);
    let served = serve(Program { files, listen, store, prices, log: None, listening });
    served.or_hint("another address can be given with --listen, such as 127.0.0.1:0")?;
    match ended.try_recv() {
        Ok(told) => told,
        // Somebody pressed Ctrl-C.
        Err(TryRecvError::Empty) => Err(Stopped.into()),
        Err(TryRecvError::Disconnected) => bail!("the demo's thread broke down"),
    }
}

/// The store's key. Nobody's prompts are behind it.
fn key_of(seed: u64) -> [u8; 32] {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key
}

/// Opens the dashboard where there is a desktop; the address was printed in any case.
fn open_browser(address: SocketAddr) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(opener);
    command.arg(format!("http://{address}")).stdout(Stdio::null()).stderr(Stdio::null());
    drop(command.spawn());
}
