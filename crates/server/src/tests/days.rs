//! Whole days against the simulated providers, with faults, in virtual time.
//! `examples/live_equals_replay` plays the same days with more seeds.

#[path = "../../examples/live_equals_replay/day.rs"]
mod day;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use scrimp_core::{Ending, Record, Time, Usd};
use scrimp_sim::workload::{Played, Request, Workload, day, drive, exchange};
use scrimp_sim::{FAULT_HEADER, FAULTS, Provider, Settings};
use tokio::io::duplex;
use tokio::time::Instant;

use super::rig::Rig;
use crate::{Clock, Config, Connector, Gateway, Setup};
use day::{Checked, Day, check, check_under, rules};

/// The whole of a day.
const SCALE: f64 = 1.0;

const RULES: &str = "[prompt_cache]\nstate = \"on\"\nstrategy = \"tail\"\nshare = 0.5\n\
                     [http]\nfirst_token_timeout = \"60s\"\nchunk_timeout = \"30s\"";

/// A gateway in front of a simulated provider.
fn rig(settings: Settings) -> (Rig, Arc<Provider>) {
    let provider = Provider::new(settings);
    let behind = provider.clone();
    let connector = Connector::Memory(Arc::new(move |_| {
        let (near, far) = duplex(256 << 10);
        tokio::spawn(behind.clone().serve(far));
        Ok(near)
    }));
    let rig = Rig::with(RULES, connector, Arc::new(Mutex::default()), Instant::now());
    (rig, provider)
}

async fn play(gateway: &Gateway, kind: Workload, scale: f64) -> Vec<Played> {
    let gateway = gateway.clone();
    let connect = move || {
        let (near, far) = duplex(256 << 10);
        let gateway = gateway.clone();
        tokio::spawn(async move { gateway.serve(far).await });
        std::future::ready(Ok(near))
    };
    drive(day(kind, 11, scale), connect).await
}

/// Everything that was settled, read back from the store.
async fn settled(rig: &Rig) -> Vec<Record> {
    rig.gateway.idle().await;
    rig.gateway.shared().store.flush();
    let scan = rig.gateway.shared().store.reader().scan(Time::EPOCH, Time::NEVER);
    scan.map(|record| record.unwrap()).collect()
}

fn ledger_calls(rig: &Rig) -> u64 {
    let reader = rig.gateway.shared().store.reader();
    let rows = reader.ledger(Time::EPOCH, Time::from_secs(4_000_000_000)).unwrap();
    rows.iter().map(|row| row.calls).sum()
}

/// Plays the day, or the beginning of one, and demands the same of every call.
fn live_equals_replay(kind: Workload, strategy: &str) {
    let Checked { counts, differ, complaints } = check(kind, strategy, 11, SCALE);
    assert!(complaints.is_empty(), "{differ} of {} differ: {complaints:#?}", counts.calls);
    assert_eq!(counts.missing(), Vec::<String>::new(), "a day that had it all: {counts:?}");
}

#[test]
fn live_equals_replay_for_support_chat() {
    live_equals_replay(Workload::SupportChat, "tail");
}

#[test]
fn live_equals_replay_for_rag() {
    live_equals_replay(Workload::Rag, "tail");
}

#[test]
fn live_equals_replay_for_a_coding_agent() {
    live_equals_replay(Workload::CodingAgent, "tail");
}

#[test]
fn live_equals_replay_for_batch_extraction() {
    live_equals_replay(Workload::BatchExtraction, "tail");
}

/// Most prompts of this day are never sent again, so that all that `auto` can do is lose by trying.
/// `examples/realised_saving` plays more days.
#[test]
fn a_day_on_which_nothing_can_be_saved_gets_hardly_dearer_by_auto() {
    let cost = |state: &str| {
        let rules = format!("[prompt_cache]\nstate = \"{state}\"\nstrategy = \"auto\"");
        let provider = Provider::new(Settings::usual(1));
        let day = Day::play(Workload::Rag, &rules, 1, SCALE, &provider);
        day.live.iter().filter_map(|record| record.cost).sum::<Usd>()
    };
    let (before, after) = (cost("observe"), cost("on"));
    assert!(after <= before.scaled(1_005, 1_000), "{before} became {after}");
    assert_ne!(before, after, "something was tried");
}

/// Budgets that much of the day is larger than, and some of it cannot be made to fit.
#[test]
fn live_equals_replay_with_shaping_and_token_budgets() {
    for (kind, strategy, most, happened) in [
        (Workload::SupportChat, "drop_turns", 3_400, &["limited", "trimmed"][..]),
        (Workload::CodingAgent, "cut_results", 10_000, &["limited", "trimmed", "too long"]),
    ] {
        let rules = format!(
            "[shaping]\nminify = \"on\"\ncanonical = \"on\"\nterminal = \"on\"\ntables = \"observe\"\n\
             share = 0.5\n[token_budgets]\nstate = \"on\"\nmax_input_tokens = {most}\n\
             strategy = \"{strategy}\"\nmax_output_tokens = 300\n{}",
            rules("auto")
        );
        let Checked { counts, differ, complaints } = check_under(kind, &rules, 11, SCALE / 4.0);
        assert!(complaints.is_empty(), "{differ} of {} differ: {complaints:#?}", counts.calls);
        for kind in happened {
            assert!(counts.kinds.contains_key(kind), "{strategy}: no call is {kind}: {counts:?}");
        }
    }
}

#[test]
fn live_equals_replay_of_auto_for_support_chat() {
    live_equals_replay(Workload::SupportChat, "auto");
}

#[test]
fn live_equals_replay_of_auto_for_rag() {
    live_equals_replay(Workload::Rag, "auto");
}

#[test]
fn live_equals_replay_of_auto_for_a_coding_agent() {
    live_equals_replay(Workload::CodingAgent, "auto");
}

#[test]
fn live_equals_replay_of_auto_for_batch_extraction() {
    live_equals_replay(Workload::BatchExtraction, "auto");
}

#[tokio::test(start_paused = true)]
async fn what_was_charged_is_what_the_provider_bills() {
    let (rig, provider) = rig(Settings::usual(5));
    play(&rig.gateway, Workload::SupportChat, 0.04).await;
    let records = settled(&rig).await;
    let whole = records.iter().filter(|record| matches!(record.ending, Ending::Answered { .. }));
    let (mut compared, bills) = (0, provider.bills());
    assert_eq!(bills.len(), records.len());
    for record in whole {
        let usage = record.metering.usage;
        let same = bills.iter().any(|bill| {
            let theirs = bill.usage;
            theirs.cache_read == usage.cache_read
                && theirs.output + theirs.reasoning == usage.total_output()
        });
        assert!(same, "no bill has {usage:?}");
        compared += 1;
    }
    assert!(20 < compared);
}

#[tokio::test(start_paused = true)]
async fn every_fault_settles_exactly_once() {
    let mut calls = 0;
    let (mut rig, _provider) = rig(Settings::exact(3));
    let plain = "\"messages\":[{\"role\":\"user\",\"content\":\"hello there\"}],\"max_tokens\":50";
    for (name, _) in FAULTS {
        for (path, model) in
            [("/v1/chat/completions", "gpt-4o"), ("/v1/messages", "claude-sonnet-4-5")]
        {
            for stream in ["false", "true"] {
                let body = format!("{{\"model\":\"{model}\",\"stream\":{stream},{plain}}}");
                let request = Request {
                    api: match path {
                        "/v1/messages" => scrimp_sim::Api::Anthropic,
                        _ => scrimp_sim::Api::OpenAi,
                    },
                    path: path.to_owned(),
                    headers: vec![(FAULT_HEADER.to_owned(), (*name).to_owned())],
                    body: body.into(),
                };
                let io = rig.connect();
                let seen = exchange(io, &request, Some(Duration::from_secs(200))).await;
                calls += 1;
                let records = rig.records().await;
                assert_eq!(records.len(), 1, "{name} {path} {stream}: {seen:?}");
            }
        }
    }
    rig.gateway.shared().store.flush();
    assert_eq!(ledger_calls(&rig), calls);
    assert_eq!(rig.gateway.counted().in_flight, 0);
}
