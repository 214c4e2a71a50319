//! The gateway: serves connections, whatever they are made of.
//!
//! A client that closes its sending side has hung up, also if it would still read: over HTTP/1.1 the
//! two cannot be told apart, and a provider must not go on writing for somebody who has left.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use arc_swap::{ArcSwap, ArcSwapOption};
use scrimp_core::{AuditEntry, Catalog, JournalEntry, KeyRing, Memory, Record, Time, VirtualKey};
use scrimp_store::{Store, StoreError};
use scrimp_wire::Key;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::api::Findings;
use crate::audit::Act;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Limits};
use crate::counts::{Counted, Counts};
use crate::downstream::{self, SocketOf};
use crate::ids::Ids;
use crate::journal::{self, Application, Files, JournalError};
use crate::keys::{self, KeyError, Made, Wanted};
use crate::log::Log;
use crate::running::Running;
use crate::semantic::Semantic;
use crate::tls;
use crate::trouble::Watch;
use crate::upstream::{Connector, Pool};

/// Calls that somebody who watches them live may be behind.
const LIVE: usize = 256;

/// What a gateway is made of.
pub struct Setup {
    /// The configuration to begin with.
    pub config: Config,
    /// Where configuration is written by `apply`, if it may be.
    pub files: Option<Files>,
    /// What tokens cost.
    pub prices: Catalog,
    /// Where calls are recorded.
    pub store: Arc<Store>,
    /// What time it is.
    pub clock: Clock,
    /// How providers are reached.
    pub connector: Connector,
    /// Where a line is written for each call.
    pub log: Option<Arc<Log>>,
    /// What ids of calls are drawn from. The same seed gives the same ids.
    pub seed: u64,
}

/// A gateway with connections of its own. Clones share them; see [`Gateway::worker`].
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
}

/// What all workers share.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) key: Key,
    pub(crate) running: ArcSwap<Running>,
    /// What clients are shown that speak TLS.
    tls: ArcSwapOption<ServerConfig>,
    /// All virtual keys, needed now or not. Held while what is in force is changed.
    keys: Mutex<Arc<KeyRing>>,
    pub(crate) memory: Memory,
    pub(crate) store: Arc<Store>,
    pub(crate) counts: Counts,
    pub(crate) semantic: Semantic,
    pub(crate) ids: Ids,
    pub(crate) live: broadcast::Sender<Arc<Record>>,
    pub(crate) prices: Catalog,
    pub(crate) files: Option<Files>,
    pub(crate) started: Time,
    pub(crate) findings: Mutex<Findings>,
    /// Held while reports of providers are compared.
    pub(crate) reconciling: tokio::sync::Mutex<()>,
    /// The digest of the configuration's files when they were last read.
    loaded: Mutex<String>,
    /// What was wrong with the configuration that could not be put in force.
    refused_config: Mutex<Option<String>>,
    log: Option<Arc<Log>>,
    phase: watch::Sender<Phase>,
}

/// Why a policy cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum CannotChange {
    /// The gateway was given no place to write configuration to.
    #[error("this gateway has no files to write a rule into")]
    NoFiles,
    /// The change itself went wrong.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Whether all policies have stepped aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// They have.
    On,
    /// They decide.
    Off,
}

impl Bypass {
    pub(crate) fn of(running: &Running) -> Bypass {
        if running.policies.is_bypassed { Bypass::On } else { Bypass::Off }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Bypass::On => "on",
            Bypass::Off => "off",
        }
    }
}

/// How far the gateway has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It serves.
    Serving,
    /// Open calls go on, new ones are refused.
    Draining,
    /// Every connection is closed now.
    Closing,
}

impl Gateway {
    /// A gateway. Call it inside a runtime.
    pub fn new(setup: Setup) -> Gateway {
        let Setup { config, files, prices, store, clock, connector, log, seed } = setup;
        // Keys that cannot be read let nobody in; a program asks before and says why.
        let (keys, keys_required) = match keys::ring(&store) {
            Ok(keys) => (Arc::new(keys), config.keys_required),
            Err(_) => (Arc::default(), true),
        };
        let config = Config { keys_required, ..config };
        let tls = config.listen.tls.as_ref().and_then(|files| tls::load(files).ok());
        let shared = Shared {
            key: Key::new(store.key()),
            running: ArcSwap::from_pointee(Running::new(config, &prices, keys.clone())),
            keys: Mutex::new(keys),
            tls: ArcSwapOption::new(tls),
            memory: Memory::default(),
            counts: Counts::default(),
            semantic: Semantic::default(),
            ids: Ids::new(seed),
            live: broadcast::channel(LIVE).0,
            started: clock.now(),
            findings: Mutex::default(),
            reconciling: tokio::sync::Mutex::default(),
            loaded: Mutex::new(files.as_ref().map(Files::digest).unwrap_or_default()),
            refused_config: Mutex::default(),
            phase: watch::channel(Phase::Serving).0,
            clock,
            store,
            prices,
            files,
            log,
        };
        Gateway { shared: Arc::new(shared), pool: Arc::new(Pool::new(connector)) }
    }

    /// The same gateway with upstream connections of its own, for another thread.
    #[must_use]
    pub fn worker(&self) -> Gateway {
        let pool = Arc::new(Pool::new(self.pool.connector().clone()));
        Gateway { shared: self.shared.clone(), pool }
    }

    /// Serves one connection from the network to its end, over TLS where that is configured.
    pub async fn serve_socket(&self, socket: TcpStream) {
        let Some(identity) = self.shared.tls.load_full() else {
            // Without its certificate nobody is answered: least of all in plain text.
            let is_plain = self.shared.running.load().config.listen.tls.is_none();
            if is_plain && let Some(broken) = self.serve_over(socket, |tcp| Some(tcp)).await {
                broken.set_zero_linger().ok();
            }
            return;
        };
        let patience = self.shared.running.load().config.limits.header_timeout;
        let greeting = timeout(patience, TlsAcceptor::from(identity).accept(socket));
        let greeted = tokio::select! {
            greeted = greeting => greeted,
            () = self.reaches(Phase::Draining) => return,
        };
        // One that is dropped lacks the farewell of TLS, which says by itself that it broke off.
        if let Ok(Ok(connection)) = greeted {
            self.serve_over(connection, |tls| Some(tls.get_ref().0)).await;
        }
    }

    /// Serves one connection of a client to its end. Gives it back if its other side has to see that
    /// it broke off, and could take closing it for the end of an answer.
    pub async fn serve<I: AsyncRead + AsyncWrite + Unpin>(&self, io: I) -> Option<I> {
        self.serve_over(io, |_| None).await
    }

    async fn serve_over<I: AsyncRead + AsyncWrite + Unpin>(
        &self,
        io: I,
        socket_of: SocketOf<I>,
    ) -> Option<I> {
        let mut connection = pin!(downstream::serve(self, io, socket_of));
        let mut phase = self.shared.phase.subscribe();
        // A connection that has used its task's budget up must not keep this from being told.
        let stops = phase.wait_for(|phase| Phase::Serving < *phase);
        let mut stops = pin!(tokio::task::unconstrained(stops));
        let mut told: Option<Waker> = None;
        let is_over = poll_fn(|cx| {
            if let Poll::Ready(broken) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(broken));
            }
            // Whom to wake is said once, and not with each of a connection's polls: nothing but a
            // change of the phase uses it up.
            let is_told = told.as_ref().is_some_and(|told| told.will_wake(cx.waker()));
            if is_told && self.phase() == Phase::Serving {
                return Poll::Pending;
            }
            told = Some(cx.waker().clone());
            stops.as_mut().poll(cx).map(|_| None)
        });
        if let Some(broken) = is_over.await {
            return broken;
        }
        // It sees by itself that it has to stop, and is polled for that. Dropping it hangs its calls
        // up, and so settles them.
        tokio::select! {
            biased;
            broken = connection.as_mut() => broken,
            () = tokio::task::unconstrained(self.reaches(Phase::Closing)) => None,
        }
    }

    /// Puts another configuration in force. Calls in flight keep theirs.
    pub fn reconfigure(&self, config: Config) {
        let keys = self.shared.keys();
        let running = Running::new(config, &self.shared.prices, keys.clone());
        // Whoever stepped aside did not mean until the next change of a file.
        let running = running.with_bypass(self.running().policies.is_bypassed);
        self.shared.running.store(Arc::new(running));
        drop(keys);
        self.shared.counts.reloaded();
        self.shared.refuse_config(None);
    }

    /// The same because the file was changed, or because somebody asked by a signal. That is noted,
    /// unless it was this gateway that changed it.
    pub(crate) fn reload_changed(&self) {
        let Some(files) = &self.shared.files else { return };
        let before = self.shared.loaded.lock().expect("nothing here panics").clone();
        let now = files.digest();
        let reloaded = self.reload();
        if now == before {
            return;
        }
        let act = Act { who: "file", action: "configuration_changed", at: self.shared.clock.now() };
        let subject = files.writable().display().to_string();
        let refused = reloaded.err().map(|wrong| wrong.to_string());
        let entry = AuditEntry { refused, ..act.entry(&subject, Some(before), Some(now)) };
        self.shared.store.add_audit(entry).ok();
    }

    /// Notes that somebody who may not wanted to change something.
    pub(crate) fn note_denied(&self, who: &str, subject: &str, why: &str) {
        let act = Act { who, action: "control_denied", at: self.shared.clock.now() };
        let entry = AuditEntry { refused: Some(why.to_owned()), ..act.entry(subject, None, None) };
        self.shared.store.add_audit(entry).ok();
    }

    /// Puts the configuration in force that is on disk now. One that is wrong leaves the running one
    /// in force, and is told in the log and in health.
    pub fn reload(&self) -> Result<(), ConfigError> {
        let Some(files) = &self.shared.files else { return Ok(()) };
        // The sockets stay where they are, and what is safe depends on where that is.
        let address = self.running().config.listen.address;
        *self.shared.loaded.lock().expect("nothing here panics") = files.digest();
        let loaded = files.load().and_then(|mut config| {
            config.listen.address = address;
            let named = "the changed configuration";
            config.check_exposure(named)?;
            config.check_keys(named, &self.shared.keys())?;
            let tls = config.listen.tls.as_ref().map(tls::load).transpose();
            let tls = tls.map_err(|why| ConfigError::nowhere(named, why.to_string()))?;
            Ok((config, tls))
        });
        match loaded {
            Ok((config, tls)) => {
                self.shared.tls.store(tls);
                self.reconfigure(config);
                self.note("configuration_changed", "the changed configuration is in force");
                Ok(())
            }
            Err(wrong) => {
                self.shared.counts.refused_reload();
                self.note("configuration_refused", &wrong.to_string());
                self.shared.refuse_config(Some(wrong.to_string()));
                Err(wrong)
            }
        }
    }

    /// Writes a rule into the configuration and puts it in force, because `who` asks for it. Returns
    /// its number.
    pub fn apply(&self, application: &Application, who: &str) -> Result<u64, CannotChange> {
        let files = self.shared.files.as_ref().ok_or(CannotChange::NoFiles)?;
        let now = self.shared.clock.now();
        let number = journal::apply(files, &self.shared.store, application, who, now)?;
        self.reload().map_err(JournalError::from)?;
        Ok(number)
    }

    /// Takes a rule back, out of the configuration and out of force.
    pub fn undo(
        &self,
        number: u64,
        because: &str,
        who: &str,
    ) -> Result<JournalEntry, CannotChange> {
        let files = self.shared.files.as_ref().ok_or(CannotChange::NoFiles)?;
        let now = self.shared.clock.now();
        let entry = journal::undo(files, &self.shared.store, number, because, who, now)?;
        self.reload().map_err(JournalError::from)?;
        Ok(entry)
    }

    /// Makes a virtual key, which is good at once. From the first one on every call needs one.
    /// Blocks on the store.
    pub fn create_key(&self, wanted: Wanted, who: &str) -> Result<Made, KeyError> {
        let made = keys::create(&self.shared.store, wanted, who, self.shared.clock.now())?;
        self.keep(made.key.clone());
        Ok(made)
    }

    /// Makes a virtual key good for nothing, at once for calls that come in from now on. Blocks on
    /// the store.
    pub fn revoke_key(&self, id: &str, who: &str) -> Result<VirtualKey, KeyError> {
        let revoked = keys::revoke(&self.shared.store, id, who, self.shared.clock.now())?;
        self.keep(revoked.clone());
        Ok(revoked)
    }

    /// Puts a key in force as it is now.
    fn keep(&self, key: VirtualKey) {
        let mut keys = self.shared.keys();
        Arc::make_mut(&mut keys).insert(key);
        let running = self.running().with_keys(keys.clone());
        self.shared.running.store(Arc::new(running));
    }

    /// Has all policies step aside, or back into their place, because `who` asks for it: calls that
    /// come in from now on pass unedited, and are recorded as bypassed where a rule would have
    /// decided. Until the gateway ends; a reload changes nothing of it. Blocks on the store.
    pub fn bypass(&self, wanted: Bypass, who: &str) -> Result<(), StoreError> {
        let held = self.shared.keys();
        let running = self.running();
        let before = Bypass::of(&running);
        self.shared.running.store(Arc::new(running.with_bypass(wanted == Bypass::On)));
        drop(held);
        let told = match wanted {
            Bypass::On => "calls pass unedited until `scrimp bypass off`, or the next start",
            Bypass::Off => "policies decide again",
        };
        self.note("bypass", told);
        let act = Act { who, action: "bypass", at: self.shared.clock.now() };
        let said = |bypass: Bypass| Some(bypass.word().to_owned());
        self.shared.store.add_audit(act.entry("policies", said(before), said(wanted))).map(drop)
    }

    /// Takes back every rule that has proved dearer. Asked once a minute; blocks on the store.
    pub fn guard(&self) -> Result<(), CannotChange> {
        let Some(files) = &self.shared.files else { return Ok(()) };
        let now = self.shared.clock.now();
        let undone = journal::guard(files, &self.shared.store, now)?;
        for entry in &undone {
            let because = entry.undone_because.as_deref().unwrap_or_default();
            self.note("policy_undone", &format!("journal #{}: {because}", entry.number));
        }
        if !undone.is_empty() {
            self.reload().map_err(JournalError::from)?;
        }
        Ok(())
    }

    /// Tells in the log what has gone wrong with the store, or well again, since the last look.
    pub(crate) fn look(&self, watch: &mut Watch) {
        for (event, message) in watch.look(&self.shared.store.health()) {
            self.note(event, &message);
        }
    }

    fn note(&self, event: &str, message: &str) {
        if let Some(log) = &self.shared.log {
            log.note(event, message);
        }
    }

    /// What is in force.
    pub fn running(&self) -> Arc<Running> {
        self.shared.running.load_full()
    }

    /// The limits in force.
    pub(crate) fn limits(&self) -> Limits {
        self.shared.running.load().config.limits
    }

    /// Counters as they stand.
    pub fn counted(&self) -> Counted {
        self.shared.counts.counted()
    }

    /// Stops to take calls, or closes every connection. There is no way back.
    pub fn enter(&self, phase: Phase) {
        self.shared.phase.send_if_modified(|current| {
            let goes_on = *current < phase;
            *current = phase.max(*current);
            goes_on
        });
    }

    /// How far the gateway has stopped.
    pub fn phase(&self) -> Phase {
        *self.shared.phase.borrow()
    }

    /// Waits until the gateway has stopped so far.
    pub(crate) async fn reaches(&self, phase: Phase) {
        let mut current = self.shared.phase.subscribe();
        // The sender lives as long as this gateway.
        current.wait_for(|current| phase <= *current).await.ok();
    }

    /// Where the configuration lies.
    pub(crate) fn files(&self) -> Option<&Files> {
        self.shared.files.as_ref()
    }

    /// Waits until no call is open.
    pub async fn idle(&self) {
        self.shared.counts.idle().await;
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
}

impl Shared {
    /// All virtual keys. Whoever holds them may change what is in force.
    fn keys(&self) -> MutexGuard<'_, Arc<KeyRing>> {
        self.keys.lock().expect("nothing here panics")
    }

    /// What is wrong with the configuration on disk, if it could not be put in force.
    pub(crate) fn refused_config(&self) -> Option<String> {
        self.refused_config.lock().expect("nothing here panics").clone()
    }

    fn refuse_config(&self, why: Option<String>) {
        *self.refused_config.lock().expect("nothing here panics") = why;
    }

    /// Puts a record where it belongs. Called once for each call, and never waits.
    pub(crate) fn settle(&self, record: Arc<Record>) {
        if let Some(log) = &self.log {
            log.call(&record);
        }
        self.semantic.count(&record);
        // First, so that whoever comes too late to hear it finds it in the list.
        self.store.settle(record.clone());
        if 0 < self.live.receiver_count() {
            // Nobody may be left to hear it by now.
            self.live.send(record).ok();
        }
    }
}
