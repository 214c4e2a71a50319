//! The provider: its settings, its books, and the one state that all its connections share.

use crate::ask::Ask;
use crate::cache::{Caches, Hazards, LongMark, Served, Write};
use crate::connection;
use crate::dice::{Dice, Key, low};
use crate::fault::{Fault, FaultRule};
use crate::latency::Latency;
use crate::limits::{Allowance, Exhausted, Limits, Meters};
use crate::log::Logged;
use crate::speech::Speech;
use crate::usage::Bill;
use rustc_hash::FxHashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Whether answers are worked out or always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Each request is read, remembered, answered and billed.
    Believable,
    /// One fixed answer for each dialect and delivery; nothing is read, logged or billed.
    Fixed,
}

/// Whether the log keeps the bodies of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// Their digest only.
    Digest,
    /// All of them.
    Keep,
}

/// How a provider behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What all chance comes from.
    pub seed: u64,
    /// The time of the first call, in seconds since 1970, for what answers say about time.
    pub epoch_s: u64,
    /// How long answers take.
    pub latency: Latency,
    /// What goes wrong with prompt caches.
    pub hazards: Hazards,
    /// What a one-hour mark covers.
    pub long_mark: LongMark,
    /// Faults that are played by chance.
    pub faults: Vec<FaultRule>,
    /// Rate limits.
    pub limits: Limits,
    /// How answers are drawn.
    pub speech: Speech,
    /// What the log keeps.
    pub bodies: Bodies,
    /// Whether to work at all.
    pub answers: Answers,
}

impl Settings {
    /// Everything as it usually is: believable latency, evictions, cold machines, no faults.
    pub fn usual(seed: u64) -> Settings {
        Settings {
            seed,
            epoch_s: 1_795_392_000,
            latency: Latency::Believable { tail_sigma: 0.35, speeds: Vec::new() },
            hazards: Hazards::USUAL,
            long_mark: LongMark::WholePrefix,
            faults: Vec::new(),
            limits: Limits::WIDE,
            speech: Speech { median_tokens: 160, sigma: 0.6, tool_share: 0.8, tokens_per_event: 4 },
            bodies: Bodies::Digest,
            answers: Answers::Believable,
        }
    }

    /// The vendors' rules to the letter and no waiting: for tests of what is sent.
    pub fn exact(seed: u64) -> Settings {
        Settings { latency: Latency::None, hazards: Hazards::NONE, ..Settings::usual(seed) }
    }

    /// A fixed answer as fast as possible: an upstream for benchmarks.
    pub fn bench() -> Settings {
        Settings { answers: Answers::Fixed, ..Settings::exact(0) }
    }
}

#[derive(Debug)]
struct State {
    caches: Caches,
    meters: Meters,
    bills: Vec<Bill>,
    log: Vec<Logged>,
    /// The number of the first request in the log.
    first_logged: u64,
    /// How often each request was seen, so that a repeated one can have other luck.
    seen: FxHashMap<Key, u64>,
}

/// `OpenAI` and Anthropic behind one HTTP service.
#[derive(Debug)]
pub struct Provider {
    settings: Settings,
    started: OnceLock<Instant>,
    state: Mutex<State>,
}

impl Provider {
    /// A provider with empty caches and books.
    pub fn new(settings: Settings) -> Arc<Provider> {
        let state = State {
            caches: Caches::new(settings.seed, settings.hazards, settings.long_mark),
            meters: Meters::new(settings.limits),
            bills: Vec::new(),
            log: Vec::new(),
            first_logged: 0,
            seen: FxHashMap::default(),
        };
        Arc::new(Provider { settings, started: OnceLock::new(), state: Mutex::new(state) })
    }

    /// Serves one connection until it ends.
    pub async fn serve<T>(self: Arc<Provider>, io: T)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        connection::serve(self, io, |_| {}).await;
    }

    /// Listens on `address`, which has to be a loopback one, and serves whoever connects.
    /// Returns the address that was bound; connections are served by tasks of the current runtime.
    pub async fn listen(self: Arc<Provider>, address: SocketAddr) -> std::io::Result<SocketAddr> {
        if !address.ip().is_loopback() {
            let message = format!(
                "{address} is no loopback address; simulated providers listen on 127.0.0.1 or [::1]"
            );
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        tokio::spawn(self.accept(listener));
        Ok(bound)
    }

    /// Serves whoever connects to `listener`, for ever.
    pub async fn accept(self: Arc<Provider>, listener: TcpListener) {
        loop {
            // A connection that fails while it is accepted is its client's affair.
            let Ok((stream, _)) = listener.accept().await else { continue };
            let reset = |stream: &TcpStream| drop(stream.set_zero_linger());
            drop(stream.set_nodelay(true));
            tokio::spawn(connection::serve(self.clone(), stream, reset));
        }
    }

    /// Every call's true usage and cost, in the order of arrival. Calls that are still in progress
    /// are not in it.
    pub fn bills(&self) -> Vec<Bill> {
        let mut bills = self.state().bills.clone();
        bills.sort_by_key(|bill| bill.call);
        bills
    }

    /// Every request so far.
    pub fn log(&self) -> Vec<Logged> {
        self.state().log.clone()
    }

    /// Forgets bills and log, and keeps the caches.
    pub fn clear_books(&self) {
        let mut state = self.state();
        state.bills.clear();
        state.first_logged += state.log.len() as u64;
        state.log.clear();
    }

    /// Milliseconds since the first call.
    pub fn now_ms(&self) -> u64 {
        let started = self.started.get_or_init(Instant::now);
        u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Seconds since 1970 in the provider's own time.
    pub(crate) fn unix_s(&self) -> u64 {
        self.settings.epoch_s + self.now_ms() / 1000
    }

    /// Reads the prompt caches for `ask`.
    pub(crate) fn serve_cache(&self, ask: &Ask, owner: Key, now_ms: u64) -> Served {
        self.state().caches.serve(ask, owner, now_ms)
    }

    pub(crate) fn commit(&self, writes: &[Write], now_ms: u64, readable_from_ms: u64) {
        self.state().caches.commit(writes, now_ms, readable_from_ms);
    }

    pub(crate) fn withdraw(&self, writes: &[Write], readable_from_ms: u64) {
        self.state().caches.withdraw(writes, readable_from_ms);
    }

    pub(crate) fn take(&self, key: Key, tokens: u64, now_ms: u64) -> Result<Allowance, Exhausted> {
        self.state().meters.take(key, tokens, now_ms)
    }

    pub(crate) fn settle(&self, bill: Bill) {
        self.state().bills.push(bill);
    }

    /// A new request in the log; returns its number.
    pub(crate) fn log_request(&self, mut entry: Logged) -> u64 {
        let mut state = self.state();
        entry.call = state.first_logged + state.log.len() as u64;
        let call = entry.call;
        state.log.push(entry);
        call
    }

    pub(crate) fn note(&self, call: u64, change: impl FnOnce(&mut Logged)) {
        let mut state = self.state();
        // The books may have been cleared while the call was in progress.
        let place =
            call.checked_sub(state.first_logged).and_then(|place| usize::try_from(place).ok());
        if let Some(entry) = place.and_then(|place| state.log.get_mut(place)) {
            change(entry);
        }
    }

    /// The fault that chance has for a request, which may differ each time that it is sent.
    pub(crate) fn chance_fault(&self, fingerprint: Key) -> Option<Fault> {
        if self.settings.faults.is_empty() {
            return None;
        }
        let times = {
            let mut state = self.state();
            let seen = state.seen.entry(fingerprint).or_default();
            *seen += 1;
            *seen
        };
        let about = fingerprint ^ Key::from(times);
        let mut dice = Dice::new(self.settings.seed, "fault", about);
        let hit = self.settings.faults.iter().find(|rule| dice.chance(rule.probability));
        hit.map(|rule| rule.fault.clone())
    }

    /// The id of request `call`.
    pub(crate) fn request_id(&self, call: u64) -> String {
        let mut dice = Dice::new(self.settings.seed, "request id", Key::from(call));
        format!("req_{}", dice.id(24))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

/// A short name of a credential for the log.
pub(crate) fn veiled(value: &[u8]) -> String {
    format!("digest:{:08x}", low(crate::dice::digest(&[value])) & 0xFFFF_FFFF)
}
