//! One seeded day of one workload through the gateway against a provider with faults, in virtual
//! time, then its records once more through the same policies without any provider. Whatever the
//! two decided differently is told, and what the day had in it is counted: a comparison of calls to
//! which nothing happened would hold for any code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use scrimp_analysis::replay::decisions;
use scrimp_core::policy::Arm;
use scrimp_core::{Ending, Record, Time, hash};
use scrimp_sim::workload::{Played, Workload, day, drive};
use scrimp_sim::{FAULTS, FaultRule, Provider, Settings};
use scrimp_store::{Options, Store};
use tempfile::TempDir;
use tokio::io::{DuplexStream, copy_bidirectional, duplex};

use super::{Clock, Config, Connector, Gateway, Setup};

const PIPE_BYTES: usize = 256 << 10;

/// The rule, and time limits short enough that an answer that stalls ends by them.
pub(super) fn rules(strategy: &str) -> String {
    format!(
        "[prompt_cache]\nstate = \"on\"\nstrategy = \"{strategy}\"\nshare = 0.5\n\
         [http]\nfirst_token_timeout = \"60s\"\nchunk_timeout = \"30s\""
    )
}

/// How likely each fault is for a call. All of them together befall about one call in six.
const FAULT_SHARE: f64 = 0.004;
/// Statuses that are played beside the faults with a name, with the ways to come back.
const STATUSES: [&str; 6] = ["400", "429:1", "429:reset=3s", "500", "503:2", "529"];
/// Faults whose usual size would be most of the day's work.
const SMALLER: [(&str, &str); 3] =
    [("bomb", "bomb:2"), ("hugeline", "hugeline:1"), ("hdrdrip", "hdrdrip:200")];
/// One connection in so many is cut, whatever the workload's own people do.
const CUT_ONE_IN: u64 = 60;

/// What can happen to a call. A day is there for each of them.
pub(super) const KINDS: [&str; 9] = [
    "treated",
    "held out",
    "edited",
    "answered",
    "refused",
    "abandoned",
    "truncated",
    "failed",
    "unpriced",
];

/// How often what can happen to a call happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: usize,
    /// By the names of [`KINDS`], and what shaping and budgets did.
    pub(super) kinds: BTreeMap<&'static str, usize>,
    /// The provider's faults by name, as its own log counts them.
    pub(super) faults: BTreeMap<String, usize>,
}

impl Counts {
    fn of(live: &[Record], provider: &Provider) -> Counts {
        let mut counts = Counts { calls: live.len(), ..Counts::default() };
        for kind in live.iter().flat_map(kinds) {
            *counts.kinds.entry(kind).or_default() += 1;
        }
        for fault in provider.log().into_iter().filter_map(|entry| entry.fault) {
            *counts.faults.entry(fault).or_default() += 1;
        }
        counts
    }

    /// What never happened.
    pub(super) fn missing(&self) -> Vec<String> {
        let kinds = KINDS.into_iter().filter(|kind| !self.kinds.contains_key(kind));
        let faults = fault_names().into_iter().filter(|name| !self.faults.contains_key(name));
        kinds.map(str::to_owned).chain(faults).collect()
    }
}

/// What of [`KINDS`] happened to one call.
fn kinds(record: &Record) -> Vec<&'static str> {
    let mut kinds = vec![match &record.ending {
        Ending::Answered { status: 200..300, .. } => "answered",
        Ending::Answered { .. } | Ending::Refused(_) => "refused",
        Ending::Abandoned => "abandoned",
        Ending::Truncated { .. } => "truncated",
        Ending::Failed { .. } => "failed",
    }];
    if let Some(placement) = &record.placement {
        kinds.push(if placement.arm == Arm::Treated { "treated" } else { "held out" });
        if placement.is_applied() && !placement.edits.is_empty() {
            kinds.push("edited");
        }
    }
    kinds.extend(record.shaped.iter().filter(|s| !s.blocks.is_empty()).map(|_| "shaped"));
    kinds.extend(record.budgeted.iter().map(|budgeted| match budgeted.too_much {
        Some(_) => "too long",
        None if budgeted.trim.changes_prompt() => "trimmed",
        None => "limited",
    }));
    if record.cost.is_none() {
        kinds.push("unpriced");
    }
    kinds
}

/// A day that was played, and what of it does not hold.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) counts: Counts,
    /// Calls of which replay and gateway say something else.
    pub(super) differ: usize,
    /// Each with the call's number and both sides; empty when all is well.
    pub(super) complaints: Vec<String>,
}

/// Every fault that is played, as the provider's log names it.
pub(super) fn fault_names() -> Vec<String> {
    let names = FAULTS.iter().map(|(name, _)| *name).chain(STATUSES);
    let smaller =
        |name: &str| SMALLER.iter().find(|(own, _)| *own == name).map(|(_, small)| *small);
    names.map(|name| smaller(name).unwrap_or(name).to_owned()).collect()
}

/// Plays the seed's day and flies it again.
pub(super) fn check(kind: Workload, strategy: &str, seed: u64, scale: f64) -> Checked {
    check_under(kind, &rules(strategy), seed, scale)
}

/// The same under any rules.
pub(super) fn check_under(kind: Workload, rules: &str, seed: u64, scale: f64) -> Checked {
    let rule = |fault: &String| FaultRule {
        fault: fault.parse().expect("a name from the list of faults"),
        probability: FAULT_SHARE,
    };
    let faults = fault_names().iter().map(rule).collect();
    let provider = Provider::new(Settings { faults, ..Settings::usual(seed) });
    let day = Day::play(kind, rules, seed, scale, &provider);
    let replayed = decisions(&day.live, &day.gateway.running().policies);
    let mut complaints = incomplete(&day.played, &day.live, &day.store);
    let differing: Vec<String> = day.live.iter().zip(&replayed).filter_map(difference).collect();
    let differ = differing.len();
    complaints.extend(differing);
    Checked { counts: Counts::of(&day.live, &provider), differ, complaints }
}

/// A day that went by.
pub(super) struct Day {
    pub(super) gateway: Gateway,
    played: Vec<Played>,
    /// What was recorded of it.
    pub(super) live: Vec<Record>,
    store: Arc<Store>,
    _directory: TempDir,
}

impl Day {
    /// Plays the seed's day through a gateway with these rules.
    pub(super) fn play(
        kind: Workload,
        rules: &str,
        seed: u64,
        scale: f64,
        provider: &Arc<Provider>,
    ) -> Day {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime needs nothing that could be missing");
        let directory = tempfile::tempdir().expect("there is room for a temporary directory");
        let store = open(directory.path(), seed);
        let (gateway, played) = runtime.block_on(async {
            let gateway = gateway(rules, seed, store.clone(), provider);
            let played = all_day(&gateway, kind, seed, scale).await;
            gateway.idle().await;
            (gateway, played)
        });
        store.flush();
        let live = store.reader().scan(Time::EPOCH, Time::NEVER);
        let live = live.map(|record| record.expect("it was just written")).collect();
        Day { gateway, played, live, store, _directory: directory }
    }
}

/// Opens a store whose digest key comes from the seed: by default it is drawn, and with it which
/// sessions are treated.
fn open(directory: &Path, seed: u64) -> Arc<Store> {
    std::fs::write(directory.join("key"), seed.to_le_bytes().repeat(4)).expect("it is our own");
    Arc::new(Store::open(directory, Options::STANDARD).expect("it is new"))
}

fn gateway(rules: &str, seed: u64, store: Arc<Store>, provider: &Arc<Provider>) -> Gateway {
    let behind = provider.clone();
    let dial = move |_: &_| {
        let (near, far) = duplex(PIPE_BYTES);
        tokio::spawn(behind.clone().serve(far));
        Ok(near)
    };
    let epoch_s = i64::try_from(Settings::usual(seed).epoch_s).expect("it is of this century");
    Gateway::new(Setup {
        config: Config::parse("day", rules, None, &|_| None).expect("the rule is valid"),
        files: None,
        prices: scrimp_wire::prices::snapshot(),
        store,
        clock: Clock::starting_at(Time::from_secs(epoch_s)),
        connector: Connector::Memory(Arc::new(dial)),
        log: None,
        seed,
    })
}

async fn all_day(gateway: &Gateway, kind: Workload, seed: u64, scale: f64) -> Vec<Played> {
    let (gateway, connections) = (gateway.clone(), AtomicU64::new(0));
    let connect = move || {
        let (near, far) = duplex(PIPE_BYTES);
        let gateway = gateway.clone();
        tokio::spawn(async move { gateway.serve(far).await });
        let draw = hash::mix(seed ^ connections.fetch_add(1, Relaxed).rotate_left(32));
        std::future::ready(Ok(match draw % CUT_ONE_IN {
            0 => cut(near, Duration::from_millis(draw / CUT_ONE_IN % 8_000)),
            _ => near,
        }))
    };
    drive(day(kind, seed, scale), connect).await
}

/// A connection whose client vanishes after a while, as when a train goes into a tunnel. Only the
/// support workload has people who hang up; this happens to all.
fn cut(mut gateway: DuplexStream, after: Duration) -> DuplexStream {
    let (near, mut far) = duplex(PIPE_BYTES);
    tokio::spawn(async move {
        let talk = copy_bidirectional(&mut far, &mut gateway);
        // Ended or cut, both pipes are dropped here, which is what either side sees of it.
        tokio::time::timeout(after, talk).await.ok();
    });
    near
}

/// What the store does not have of the day.
fn incomplete(played: &[Played], live: &[Record], store: &Store) -> Vec<String> {
    let ledger = store.reader().ledger(Time::EPOCH, Time::from_secs(4_000_000_000));
    let rows = ledger.expect("the store was just written");
    let in_ledger: u64 = rows.iter().map(|row| row.calls).sum();
    let distinct: BTreeSet<String> = live.iter().map(|record| record.call.id.to_string()).collect();
    let counts = [
        ("records", live.len() as u64),
        ("distinct numbers", distinct.len() as u64),
        ("calls in the ledger", in_ledger),
    ];
    let wanted = played.len() as u64;
    let wrong = counts.into_iter().filter(|(_, found)| *found != wanted);
    let mut told: Vec<String> =
        wrong.map(|(what, found)| format!("{found} {what} of {wanted} calls made")).collect();
    let twice = store.health().settled_twice;
    if twice != 0 {
        told.push(format!("{twice} calls were settled twice"));
    }
    told
}

/// What replay and gateway say differently about one call. Times of the gateway itself are left
/// out: a replay takes none.
fn difference((live, replayed): (&Record, &Record)) -> Option<String> {
    let mut fields = Vec::new();
    let mut compare = |name: &str, live: &dyn std::fmt::Debug, replayed: &dyn std::fmt::Debug| {
        // As text, since that is told anyway, and every field is told whole.
        let (live, replayed) = (format!("{live:?}"), format!("{replayed:?}"));
        if live != replayed {
            fields.push(format!("{name}: live {live}, replayed {replayed}"));
        }
    };
    let Record {
        call,
        placement,
        shaped,
        budgeted,
        attempts,
        ending,
        metering,
        cost,
        cost_uncached,
        timing: _,
    } = live;
    compare("shaped", shaped, &replayed.shaped);
    compare("budgeted", budgeted, &replayed.budgeted);
    compare("placement", placement, &replayed.placement);
    compare("ending", ending, &replayed.ending);
    compare("attempts", attempts, &replayed.attempts);
    compare("metering", metering, &replayed.metering);
    compare("cost", cost, &replayed.cost);
    compare("uncached cost", cost_uncached, &replayed.cost_uncached);
    (!fields.is_empty()).then(|| format!("{}: {}", call.id, fields.join("; ")))
}
