//! Days of traffic: through the gateway, past it, and in batches; and what the provider's books say.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use scrimp_core::{Record, Time, hash};
use scrimp_server::{Clock, Config, Connector, Gateway, Setup};
use scrimp_sim::workload::{Session, Workload, day, drive};
use scrimp_sim::{Bill, FaultRule, Logged, Provider, Settings, cost, model};
use scrimp_store::{LedgerRow, Options, Store};
use tokio::io::{DuplexStream, copy_bidirectional, duplex};

use super::scenario::Scenario;

const PIPE_BYTES: usize = 256 << 10;
/// Time limits short enough that an answer that stalls ends by them.
pub(super) const TIME_LIMITS: &str =
    "[http]\nfirst_token_timeout = \"60s\"\nchunk_timeout = \"30s\"";
/// Longer than any answer takes that nobody waits for any more.
const AFTERMATH: Duration = Duration::from_hours(1);
/// One connection in so many is cut.
const CUT_ONE_IN: u64 = 40;
/// What goes wrong at the provider, each for one call in 250.
const FAULTS: [&str; 8] = ["429:1", "500", "529", "hang", "stall", "midreset", "nodone", "nousage"];
const FAULT_SHARE: f64 = 0.004;
/// A day through the gateway: 1.0 is about 2,000 calls of a workload.
const SCALE: [(Workload, f64); 4] = [
    (Workload::SupportChat, 0.05),
    (Workload::Rag, 0.05),
    (Workload::CodingAgent, 0.06),
    (Workload::BatchExtraction, 0.05),
];

/// How a request came to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Gateway,
    PastIt,
    Batch,
}

/// A request as the provider's books have it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) way: Way,
    pub(super) at: Time,
    pub(super) logged: Logged,
    /// `None`: it was refused, or nothing was billed.
    pub(super) bill: Option<Bill>,
}

/// What was played, and what both sides wrote down.
pub(super) struct Played {
    pub(super) start: Time,
    pub(super) entries: Vec<Entry>,
    pub(super) records: Vec<Record>,
    pub(super) ledger: Vec<LedgerRow>,
}

/// Plays the seed's days.
pub(super) fn play(scenario: &Scenario) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime needs nothing that could be missing");
    let directory = tempfile::tempdir().expect("there is room for a temporary directory");
    let seed = scenario.seed;
    let store = open(directory.path(), seed);
    let rule = |name: &&str| FaultRule {
        fault: name.parse().expect("the simulator knows it"),
        probability: FAULT_SHARE,
    };
    let faults = FAULTS.iter().map(rule).collect();
    let behind = Provider::new(Settings { faults, ..Settings::usual(seed) });
    let [past, batch] = [1, 2].map(|n| Provider::new(Settings::usual(seed ^ n << 40)));
    let start =
        Time::from_secs(i64::try_from(Settings::usual(seed).epoch_s).expect("this century"));
    runtime.block_on(async {
        for provider in [&behind, &past, &batch] {
            // Its clock starts when it is first asked.
            provider.now_ms();
        }
        let gateway = gateway(seed, start, store.clone(), &behind);
        tokio::join!(
            through(&gateway, seed, sessions(&SCALE, seed, scenario.days)),
            straight(&past, sessions(&past_it(seed), seed ^ 1 << 32, scenario.days)),
            straight(&batch, sessions(&in_batch(seed), seed ^ 2 << 32, scenario.days)),
        );
        gateway.idle().await;
        // The provider still speaks to those who hung up, and bills it when it has ended.
        tokio::time::sleep(AFTERMATH).await;
    });
    store.flush();
    let reader = store.reader();
    let records = reader.scan(Time::EPOCH, Time::NEVER);
    let far = Time::from_secs(4_000_000_000);
    let mut entries = Vec::new();
    for (way, provider) in [(Way::Gateway, behind), (Way::PastIt, past), (Way::Batch, batch)] {
        entries.extend(books(scenario, way, start, &provider));
    }
    Played {
        start,
        entries,
        records: records.map(|record| record.expect("it was just written")).collect(),
        ledger: reader.ledger(Time::EPOCH, far).expect("the store was just written"),
    }
}

/// What passes by: some of it on most seeds.
fn past_it(seed: u64) -> Vec<(Workload, f64)> {
    match hash::mix(seed ^ 0x4d) % 5 {
        0 => Vec::new(),
        1 => vec![(Workload::Rag, 0.005), (Workload::SupportChat, 0.01)],
        2 => vec![(Workload::Rag, 0.01), (Workload::SupportChat, 0.01)],
        3 => vec![(Workload::Rag, 0.015), (Workload::SupportChat, 0.01)],
        _ => vec![(Workload::Rag, 0.02), (Workload::SupportChat, 0.01)],
    }
}

fn in_batch(seed: u64) -> Vec<(Workload, f64)> {
    match hash::mix(seed ^ 0x4e) % 3 {
        0 => Vec::new(),
        _ => vec![(Workload::BatchExtraction, 0.03)],
    }
}

fn sessions(scale: &[(Workload, f64)], seed: u64, days: u64) -> Vec<Session> {
    let of_day = |number: u64| {
        scale.iter().flat_map(move |(kind, scale)| {
            let sessions = day(*kind, hash::mix(seed ^ number << 16) >> 8, *scale);
            let later = Duration::from_hours(24 * number);
            sessions.into_iter().map(move |mut own| {
                own.start += later;
                own
            })
        })
    };
    (0..days).flat_map(of_day).collect()
}

fn open(directory: &Path, seed: u64) -> Arc<Store> {
    std::fs::write(directory.join("key"), seed.to_le_bytes().repeat(4)).expect("it is our own");
    Arc::new(Store::open(directory, Options::STANDARD).expect("it is new"))
}

fn gateway(seed: u64, start: Time, store: Arc<Store>, provider: &Arc<Provider>) -> Gateway {
    let behind = provider.clone();
    let dial = move |_: &_| {
        let (near, far) = duplex(PIPE_BYTES);
        tokio::spawn(behind.clone().serve(far));
        Ok(near)
    };
    Gateway::new(Setup {
        config: Config::parse("days", TIME_LIMITS, None, &|_| None).expect("the limits are valid"),
        files: None,
        prices: scrimp_wire::prices::snapshot(),
        store,
        clock: Clock::starting_at(start),
        connector: Connector::Memory(Arc::new(dial)),
        log: None,
        seed,
    })
}

async fn through(gateway: &Gateway, seed: u64, sessions: Vec<Session>) {
    let (gateway, connections) = (gateway.clone(), AtomicU64::new(0));
    let connect = move || {
        let (near, far) = duplex(PIPE_BYTES);
        let gateway = gateway.clone();
        tokio::spawn(async move { gateway.serve(far).await });
        let draw = hash::mix(seed ^ connections.fetch_add(1, Relaxed).rotate_left(32));
        std::future::ready(Ok(match draw % CUT_ONE_IN {
            0 => cut(near, Duration::from_millis(draw / CUT_ONE_IN % 6_000)),
            _ => near,
        }))
    };
    drive(sessions, connect).await;
}

async fn straight(provider: &Arc<Provider>, sessions: Vec<Session>) {
    let provider = provider.clone();
    let connect = move || {
        let (near, far) = duplex(PIPE_BYTES);
        tokio::spawn(provider.clone().serve(far));
        std::future::ready(Ok(near))
    };
    drive(sessions, connect).await;
}

/// A connection whose client vanishes after a while.
fn cut(mut gateway: DuplexStream, after: Duration) -> DuplexStream {
    let (near, mut far) = duplex(PIPE_BYTES);
    tokio::spawn(async move {
        let talk = copy_bidirectional(&mut far, &mut gateway);
        tokio::time::timeout(after, talk).await.ok();
    });
    near
}

fn books(scenario: &Scenario, way: Way, start: Time, provider: &Provider) -> Vec<Entry> {
    let mut bills = provider.bills();
    for bill in &mut bills {
        if scenario.goes_on && bill.broken.is_some() {
            go_on(bill, scenario.seed);
        }
        if way == Way::Batch {
            bill.pico_usd /= 2;
        }
    }
    let entry = |logged: Logged| Entry {
        way,
        at: start + scrimp_core::Span::from_millis(i64::try_from(logged.at_ms).expect("days")),
        bill: bills.iter().find(|bill| bill.call == logged.call).cloned(),
        logged,
    };
    provider.log().into_iter().map(entry).collect()
}

/// Up to three times as much output as had been generated when the client left.
fn go_on(bill: &mut Bill, seed: u64) {
    let more = hash::mix(seed ^ hash::mix(bill.call)) % 201;
    bill.usage.output += bill.usage.output * more / 100 + more / 4;
    if let Some(model) = model(&bill.model) {
        bill.pico_usd = cost(model, &bill.usage, bill.tier);
    }
}
