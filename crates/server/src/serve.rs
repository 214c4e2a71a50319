//! The gateway as a program: threads, signals, the configuration's file.
//!
//! One single-threaded runtime for each core, each with a listener of its own on the same port and
//! its own connections to providers: the kernel spreads the clients, and no call ever moves between
//! threads.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use scrimp_store::Store;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::clock::Clock;
use crate::config::Config;
use crate::gateway::{Gateway, Phase, Setup};
use crate::journal::Files;
use crate::keys;
use crate::log::Log;
use crate::trouble::Watch;
use crate::upstream::{Connector, read_authorities};

/// Connections that wait to be accepted, for each thread.
const BACKLOG: i32 = 1_024;
/// How often the configuration's file and the store's health are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often rules are judged.
const JUDGE: Duration = Duration::from_mins(1);
/// What closed connections are given to settle their calls.
const CLOSING: Duration = Duration::from_secs(2);

/// Is told the address that the gateway listens on.
pub type Listening = dyn FnOnce(SocketAddr, &Gateway);

/// What a gateway is started with.
pub struct Program {
    /// Where the configuration lies.
    pub files: Files,
    /// Where to listen, whatever the configuration says.
    pub listen: Option<SocketAddr>,
    /// The open store.
    pub store: Arc<Store>,
    /// What tokens cost.
    pub prices: scrimp_core::Catalog,
    /// Where a line is written for each call.
    pub log: Option<Arc<Log>>,
    /// Told once the gateway listens.
    pub listening: Box<Listening>,
}

/// What a gateway for one command is started with.
pub struct Errand {
    /// The configuration, [`Config::for_one_command`].
    pub config: Config,
    /// The open store.
    pub store: Arc<Store>,
    /// What tokens cost.
    pub prices: scrimp_core::Catalog,
    /// Told once the gateway listens.
    pub listening: Box<Listening>,
}

/// What both kinds of gateway start with.
struct Start {
    config: Config,
    files: Option<Files>,
    store: Arc<Store>,
    prices: scrimp_core::Catalog,
    log: Option<Arc<Log>>,
    listening: Box<Listening>,
    signals: Signals,
}

/// Whose the signals are that ask to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signals {
    /// The gateway's: it stops by them, and looks for a new configuration.
    Ours,
    /// Somebody else's, who stops the gateway in another way.
    NotOurs,
}

/// Why the gateway did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] crate::ConfigError),
    /// The virtual keys cannot be read.
    #[error("the virtual keys cannot be read: {0}")]
    Keys(#[from] scrimp_store::StoreError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The system refused something else.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves until a signal says to stop. Open calls are finished within the drain limit; a second
/// signal ends them at once, settled. The store is flushed before this returns.
pub fn serve(program: Program) -> Result<(), ServeError> {
    let Program { files, listen, store, prices, log, listening } = program;
    let mut config = files.load()?;
    if let Some(address) = listen {
        config = relisten(config, address)?;
    }
    let keys = keys::ring(&store)?;
    let named = if listen.is_some() { "--listen" } else { "the configuration" };
    config.check_keys(named, &keys)?;
    let (files, signals) = (Some(files), Signals::Ours);
    serve_until_stopped(Start { config, files, store, prices, log, listening, signals })
}

/// Serves one command, until whoever was told of the gateway stops it: signals are the command's
/// affair, and no file is looked at.
pub fn accompany(errand: Errand) -> Result<(), ServeError> {
    let Errand { config, store, prices, listening } = errand;
    keys::ring(&store)?;
    let (files, log, signals) = (None, None, Signals::NotOurs);
    serve_until_stopped(Start { config, files, store, prices, log, listening, signals })
}

fn serve_until_stopped(start: Start) -> Result<(), ServeError> {
    let Start { config, files, store, prices, log, listening, signals } = start;
    let runtime = runtime()?;
    let (address, workers) = (config.listen.address, config.listen.workers);
    let workers =
        workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
    let listeners = listen_on(address, workers.max(1))
        .map_err(|error| ServeError::Listen { address, error })?;
    if config.providers.values().any(|provider| provider.origin.is_tls) {
        read_authorities()?;
    }
    let bound = listeners.first().map_or(Ok(address), std::net::TcpListener::local_addr)?;
    let result = runtime.block_on(async {
        let gateway = Gateway::new(Setup {
            config,
            files,
            prices,
            store: store.clone(),
            clock: Clock::System,
            connector: Connector::Network,
            log,
            seed: seed(),
        });
        let threads = start_workers(&gateway, listeners)?;
        listening(bound, &gateway);
        supervise(&gateway, threads, signals).await
    });
    store.flush();
    Ok(result?)
}

/// The configuration with another address, refused where the address is not safe with it.
fn relisten(mut config: Config, address: SocketAddr) -> Result<Config, ServeError> {
    config.listen.address = address;
    config.check_exposure("--listen")?;
    Ok(config)
}

fn runtime() -> io::Result<Runtime> {
    // The default of 61 lets a busy thread look at its sockets too rarely for the first token of a
    // new stream.
    Builder::new_current_thread().enable_all().event_interval(31).build()
}

/// Differs from start to start, so that ids do not repeat.
fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Sockets on one port for each thread. The first is tried alone, so that a gateway that is there
/// already is not joined by accident.
fn listen_on(address: SocketAddr, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
    is_free(address)?;
    let mut listeners = Vec::with_capacity(workers);
    let mut address = address;
    for _ in 0..workers {
        let socket = socket(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener: std::net::TcpListener = socket.into();
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Whether an address could be listened on; the error says why not.
pub(crate) fn is_free(address: SocketAddr) -> io::Result<()> {
    socket(address)?.bind(&address.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn start_workers(
    gateway: &Gateway,
    listeners: Vec<std::net::TcpListener>,
) -> io::Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::with_capacity(listeners.len());
    for (n, listener) in listeners.into_iter().enumerate() {
        let (gateway, runtime) = (gateway.worker(), runtime()?);
        let thread = std::thread::Builder::new().name(format!("worker-{n}"));
        threads.push(thread.spawn(move || runtime.block_on(work(gateway, listener)))?);
    }
    Ok(threads)
}

/// Accepts and serves connections until the gateway stops.
async fn work(gateway: Gateway, listener: std::net::TcpListener) {
    let listener = TcpListener::from_std(listener).expect("a listening socket");
    let mut connections = JoinSet::new();
    tokio::spawn(sweep(gateway.clone()));
    let mut stopping = std::pin::pin!(gateway.reaches(Phase::Draining));
    loop {
        let accepted = tokio::select! {
            () = stopping.as_mut() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                // Without it a small write waits for the acknowledgement of the one before.
                stream.set_nodelay(true).ok();
                let gateway = gateway.clone();
                connections.spawn(async move { gateway.serve_socket(stream).await });
            }
            // Out of descriptors, most likely; open calls will give some back.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => {}
        () = gateway.reaches(Phase::Closing) => {}
    }
    timeout(CLOSING, async { while connections.join_next().await.is_some() {} }).await.ok();
    timeout(CLOSING, gateway.idle()).await.ok();
}

/// Closes upstream connections that nobody will use again, once a second. That often also because a
/// timer that would ring before all others makes the runtime interrupt itself by a system call, and
/// every call sets one that would: the time that its connection may stay idle. Now this one is earlier.
async fn sweep(gateway: Gateway) {
    let mut alarm = interval(Duration::from_secs(1));
    loop {
        alarm.tick().await;
        gateway.pool().sweep(&gateway.running().config);
    }
}

/// Watches over the workers: signals, the configuration's file, the store's health, the proofs.
async fn supervise(
    gateway: &Gateway,
    threads: Vec<JoinHandle<()>>,
    signals: Signals,
) -> io::Result<()> {
    let (mut stop, mut reload) = signals.heard()?;
    let (mut look, mut judge) = (interval(LOOK), interval(JUDGE));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = Watch::default();
    let look_at = || gateway.files().map(|files| files.stamps(&gateway.running().config));
    let mut stamps = look_at();
    loop {
        tokio::select! {
            () = any(&mut stop) => break,
            // Whoever was told of the gateway may stop it, too.
            () = gateway.reaches(Phase::Draining) => break,
            () = any(&mut reload) => gateway.reload_changed(),
            _ = look.tick() => {
                gateway.look(&mut watch);
                let now = look_at();
                if now != stamps {
                    stamps = now;
                    // A wrong one is told in the log and in health.
                    gateway.reload_changed();
                }
            }
            _ = judge.tick() => {
                let gateway = gateway.clone();
                tokio::task::spawn_blocking(move || gateway.guard().is_ok());
            }
        }
    }
    gateway.enter(Phase::Draining);
    let drain = gateway.running().config.limits.drain_timeout;
    let mut joined = tokio::task::spawn_blocking(move || {
        for thread in threads {
            drop(thread.join());
        }
    });
    tokio::select! {
        _ = &mut joined => return Ok(()),
        () = any(&mut stop) => {}
        () = tokio::time::sleep(drain) => {}
    }
    gateway.enter(Phase::Closing);
    joined.await.map_err(io::Error::other)
}

impl Signals {
    /// Those that ask to stop, and those that ask to look at the configuration.
    fn heard(self) -> io::Result<(Vec<Signal>, Vec<Signal>)> {
        if self == Signals::NotOurs {
            return Ok((Vec::new(), Vec::new()));
        }
        let stop = vec![signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
        Ok((stop, vec![signal(SignalKind::hangup())?]))
    }
}

/// Waits for one of the signals; of none, for ever.
async fn any(signals: &mut [Signal]) {
    std::future::poll_fn(|cx| {
        let has_come = signals.iter_mut().any(|signal| signal.poll_recv(cx).is_ready());
        if has_come { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
