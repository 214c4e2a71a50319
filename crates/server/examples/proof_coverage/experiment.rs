//! One day played twice: once as an experiment, once with nobody treated. What the treated sessions
//! were billed in the first over what the same sessions were billed in the second is the truth that
//! an experiment can only estimate. The bills are the provider's own, so that an error in our
//! accounting shows as well.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use scrimp_analysis::proof::{Proof, judge};
use scrimp_core::experiment::UnitTotals;
use scrimp_core::policy::Arm;
use scrimp_core::{Record, Time, hash};
use scrimp_sim::workload::{Played, Workload, day, drive};
use scrimp_sim::{FaultRule, Provider, Settings};
use scrimp_store::{Options, Store};
use tokio::io::duplex;

use super::{Clock, Config, Connector, Gateway, Setup};

const PIPE_BYTES: usize = 256 << 10;
/// Of these the provider's bills are made.
const PICO: u128 = 1_000_000_000_000;
/// The number of the only experiment.
const EXPERIMENT: u64 = 1;
/// Longer than any answer takes that nobody waits for any more.
const AFTERMATH: Duration = Duration::from_hours(2);

/// What is tried, and on what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    /// The rule's strategy, as the configuration names it.
    pub(super) strategy: &'static str,
    /// Which days are played together, and how large (1.0 is about 2,000 calls).
    pub(super) traffic: &'static [(Workload, f64)],
    /// Whether the provider has bad days too.
    pub(super) faults: bool,
}

/// What happens on bad days, each to one call in a hundred. What providers claim in bad faith
/// (usage beyond all measure) is not among it: no proof can be better than the bills it is made of.
const FAULTS: [&str; 10] =
    ["429:1", "500", "503", "529", "reset", "stall", "midreset", "nodone", "nousage", "slow"];
const FAULT_SHARE: f64 = 0.01;

/// What was estimated, and what is true.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// As `scrimp proof` says it, without a prediction.
    pub(super) proof: Proof,
    /// The change of the treated sessions' bills, as a share.
    pub(super) truth: f64,
    /// What it is the change of: the treated sessions' bills with the rule and without, in dollars.
    pub(super) bills: (f64, f64),
    /// Calls of treated sessions that were made in both plays, and in one of them only.
    pub(super) joined: usize,
    pub(super) alone: usize,
}

/// A call by what it is the same by in both plays: session, operation, turn.
type Place = (String, &'static str, u64);

/// What one play of the day left behind.
struct Play {
    units: Vec<UnitTotals>,
    /// What was billed for each call, in pico-dollars. Helpers of one session share their places.
    billed: BTreeMap<Place, Vec<u128>>,
    treated: BTreeSet<String>,
}

/// Plays the seed's day twice and compares.
pub(super) fn run(trial: Trial, seed: u64) -> Outcome {
    let Play { units, billed, treated } = play(trial, 0.5, seed);
    let proof = judge(&units, None);
    let without = play(trial, 0.0, seed).billed;
    let (mut with_sum, mut without_sum, mut joined, mut alone) = (0, 0, 0, 0);
    for (place, with) in billed.iter().filter(|((session, ..), _)| treated.contains(session)) {
        match without.get(place) {
            Some(without) if without.len() == with.len() => {
                with_sum += with.iter().sum::<u128>();
                without_sum += without.iter().sum::<u128>();
                joined += with.len();
            }
            without => alone += with.len() + without.map_or(0, Vec::len),
        }
    }
    let missing = |place: &Place| treated.contains(&place.0) && !billed.contains_key(place);
    alone += without.keys().filter(|place| missing(place)).count();
    let bills = (share(with_sum, PICO), share(without_sum, PICO));
    Outcome { proof, truth: share(with_sum, without_sum) - 1.0, bills, joined, alone }
}

/// Plays the seed's day once with everybody treated, and judges it as often as `draws` says with
/// arms that are drawn only afterwards. Whatever is said of a difference between them is wrong.
pub(super) fn run_alike(trial: Trial, seed: u64, draws: u64) -> Vec<Proof> {
    let units = play(trial, 1.0, seed).units;
    let arm = |draw: u64, unit: u64| match hash::mix(hash::mix(draw) ^ unit) & 1 {
        0 => Arm::HeldOut,
        _ => Arm::Treated,
    };
    let divided = |draw| -> Vec<UnitTotals> {
        units.iter().map(|unit| UnitTotals { arm: arm(draw, unit.unit), ..*unit }).collect()
    };
    (1..=draws).map(|draw| judge(&divided(draw), None)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a share for statistics")]
fn share(part: u128, whole: u128) -> f64 {
    part as f64 / whole as f64
}

fn play(trial: Trial, treated_share: f64, seed: u64) -> Play {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime needs nothing that could be missing");
    runtime.block_on(async {
        let directory = tempfile::tempdir().expect("there is room for a temporary directory");
        let store = open(directory.path(), seed);
        let provider = Provider::new(settings(&trial, seed));
        let gateway = gateway(&trial, treated_share, seed, store.clone(), &provider);
        let played = all_day(&gateway, trial.traffic, seed).await;
        gateway.idle().await;
        // The provider still speaks to those who hung up, and bills it when it has ended.
        tokio::time::sleep(AFTERMATH).await;
        store.flush();
        let units = store.reader().units(EXPERIMENT).expect("the store was just written");
        let billed = billed(&played, &provider);
        Play { units, billed, treated: treated(&played, &store) }
    })
}

fn settings(trial: &Trial, seed: u64) -> Settings {
    let rule = |name: &&str| FaultRule {
        fault: name.parse().expect("the simulator knows it"),
        probability: FAULT_SHARE,
    };
    let faults = FAULTS.iter().filter(|_| trial.faults).map(rule).collect();
    Settings { faults, ..Settings::usual(seed) }
}

/// Opens a store whose digest key comes from the seed: by default it is drawn, and with it which
/// sessions are treated.
fn open(directory: &Path, seed: u64) -> Arc<Store> {
    std::fs::write(directory.join("key"), seed.to_le_bytes().repeat(4)).expect("it is our own");
    Arc::new(Store::open(directory, Options::STANDARD).expect("it is new"))
}

fn gateway(
    trial: &Trial,
    share: f64,
    seed: u64,
    store: Arc<Store>,
    provider: &Arc<Provider>,
) -> Gateway {
    let rule = format!(
        "[prompt_cache]\nstate = \"on\"\nstrategy = \"{}\"\nttl = \"short\"\nshare = {share:?}\n\
         experiment = {EXPERIMENT}",
        trial.strategy
    );
    let behind = provider.clone();
    let dial = move |_: &_| {
        let (near, far) = duplex(PIPE_BYTES);
        tokio::spawn(behind.clone().serve(far));
        Ok(near)
    };
    let epoch_s = i64::try_from(Settings::usual(seed).epoch_s).expect("it is of this century");
    Gateway::new(Setup {
        config: Config::parse("experiment", &rule, None, &|_| None).expect("the rule is valid"),
        files: None,
        prices: scrimp_wire::prices::snapshot(),
        store,
        clock: Clock::starting_at(Time::from_secs(epoch_s)),
        connector: Connector::Memory(Arc::new(dial)),
        log: None,
        seed,
    })
}

async fn all_day(gateway: &Gateway, traffic: &[(Workload, f64)], seed: u64) -> Vec<Played> {
    let sessions = traffic.iter().flat_map(|(kind, scale)| day(*kind, seed, *scale)).collect();
    let gateway = gateway.clone();
    let connect = move || {
        let (near, far) = duplex(PIPE_BYTES);
        let gateway = gateway.clone();
        tokio::spawn(async move { gateway.serve(far).await });
        std::future::ready(Ok(near))
    };
    drive(sessions, connect).await
}

fn billed(played: &[Played], provider: &Provider) -> BTreeMap<Place, Vec<u128>> {
    let bills = provider.bills().into_iter().map(|bill| (bill.request_id, bill.pico_usd));
    let bills: HashMap<String, u128> = bills.collect();
    let mut billed: BTreeMap<Place, Vec<u128>> = BTreeMap::new();
    for call in played {
        if let Some(bill) = call.request_id.as_ref().and_then(|id| bills.get(id)) {
            let place = (call.session.clone(), call.operation, call.turn);
            billed.entry(place).or_default().push(*bill);
        }
    }
    billed
}

/// The sessions on the treated side, as the records say it.
fn treated(played: &[Played], store: &Store) -> BTreeSet<String> {
    let is_treated =
        |record: &Record| record.placement.as_ref().is_some_and(|own| own.arm == Arm::Treated);
    let records = store.reader().scan(Time::EPOCH, Time::NEVER);
    let records = records.map(|record| record.expect("it was just written"));
    let ids: BTreeSet<String> =
        records.filter(is_treated).map(|record| record.call.id.to_string()).collect();
    let own = |call: &&Played| call.gateway_id.as_ref().is_some_and(|id| ids.contains(id));
    played.iter().filter(own).map(|call| call.session.clone()).collect()
}
