//! Days of traffic through the real gateway, in virtual time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use scrimp_core::{Span, Time, Usd};
use scrimp_server::journal::Application;
use scrimp_server::{Clock, Connector, Gateway, Setup};
use scrimp_sim::workload::{Workload, day, drive};
use scrimp_sim::{Provider, Settings};
use tokio::io::duplex;

use super::Stage;

/// Coding agents beside the other workloads.
const AGENTS: f64 = 3.0;
const PIPE_BYTES: usize = 256 << 10;
const DAY: Duration = Duration::from_hours(24);

/// A gateway in front of simulated providers, on a clock of its own.
pub(super) struct World {
    runtime: tokio::runtime::Runtime,
    gateway: Gateway,
    provider: Arc<Provider>,
    seed: u64,
    scale: f64,
    pace: Duration,
    days: u64,
}

impl World {
    pub(super) fn new(stage: &Stage) -> Result<World> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()?;
        let provider = Provider::new(Settings {
            epoch_s: u64::try_from(stage.begins.secs()).unwrap_or(0),
            ..Settings::usual(stage.seed)
        });
        let behind = provider.clone();
        let dial = move |_: &scrimp_server::config::Origin| {
            let (near, far) = duplex(PIPE_BYTES);
            tokio::spawn(behind.clone().serve(far));
            Ok(near)
        };
        let gateway = runtime.block_on(async {
            Ok::<Gateway, anyhow::Error>(Gateway::new(Setup {
                config: stage.files.load()?,
                files: Some(stage.files.clone()),
                prices: stage.prices.as_ref().clone(),
                store: stage.store.clone(),
                clock: Clock::starting_at(stage.begins),
                connector: Connector::Memory(Arc::new(dial)),
                log: None,
                seed: stage.seed,
            }))
        })?;
        let (seed, scale, pace) = (stage.seed, stage.scale, stage.pace / 2);
        Ok(World { runtime, gateway, provider, seed, scale, pace, days: 0 })
    }

    /// Plays the next day to its end.
    pub(super) fn play_day(&mut self) {
        let World { runtime, gateway, seed, scale, pace, days, .. } = self;
        let seed = *seed * 1_000 + *days;
        let scale = |kind| match kind {
            // Few sessions with many calls each: a proof needs dozens of them on either side.
            Workload::CodingAgent => *scale * AGENTS,
            Workload::SupportChat | Workload::Rag | Workload::BatchExtraction => *scale,
        };
        let kinds = Workload::ALL.into_iter();
        let sessions = kinds.flat_map(|kind| day(kind, seed, scale(kind))).collect();
        let connect = {
            let gateway = gateway.clone();
            move || {
                let (near, far) = duplex(PIPE_BYTES);
                let gateway = gateway.clone();
                tokio::spawn(async move { gateway.serve(far).await });
                std::future::ready(Ok(near))
            }
        };
        runtime.block_on(async {
            let midnight = tokio::time::Instant::now() + DAY;
            let pacer = tokio::spawn(keep_pace(*pace));
            drive(sessions, connect).await;
            gateway.idle().await;
            pacer.abort();
            // The night before the next day: provider-side caches have gone cold by then.
            tokio::time::sleep_until(midnight).await;
        });
        *days += 1;
    }

    /// Applies a rule as the gateway's own interface does.
    pub(super) fn apply(&self, application: &Application) -> Result<u64> {
        let _inside = self.runtime.enter();
        Ok(self.gateway.apply(application, "demo")?)
    }

    /// What the providers billed since `from`, and for how many calls.
    pub(super) fn billed(&self, from: Span) -> (Usd, usize) {
        let from = u64::try_from(from.nanos() / 1_000_000).unwrap_or(0);
        let bills = self.provider.bills();
        let bills = bills.iter().filter(|bill| from <= bill.at_ms);
        let pico = |bill: &scrimp_sim::Bill| i128::try_from(bill.pico_usd).unwrap_or(i128::MAX);
        bills.fold((Usd::ZERO, 0), |(sum, calls), bill| {
            (sum + Usd::from_pico(pico(bill)), calls + 1)
        })
    }
}

/// Holds virtual time back, so that a watcher sees the day go by on the dashboard. Blocks the
/// thread on purpose: nothing else runs on it.
async fn keep_pace(pace: Duration) {
    const STEP: Duration = Duration::from_mins(5);
    let began = Instant::now();
    let mut gone = Duration::ZERO;
    loop {
        tokio::time::sleep(STEP).await;
        gone += STEP;
        let due = pace.mul_f64((gone.as_secs_f64() / DAY.as_secs_f64()).min(1.0));
        if let Some(early) = due.checked_sub(began.elapsed()) {
            std::thread::sleep(early);
        }
    }
}

/// The day that a time belongs to, counted from the first.
pub(super) fn first_day(begins: Time) -> (Time, Time) {
    (begins, begins + Span::from_hours(24))
}
