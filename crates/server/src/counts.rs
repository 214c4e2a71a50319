//! What the gateway counts of itself, for `/metrics` and health.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::Notify;

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    began: AtomicU64,
    ended: AtomicU64,
    policy_panics: AtomicU64,
    bypassed: AtomicU64,
    reloads: AtomicU64,
    refused_reloads: AtomicU64,
    /// Told when no call is open any more.
    idle: Notify,
}

/// Counters as they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Calls that were begun.
    pub began: u64,
    /// Calls that are open.
    pub in_flight: u64,
    /// Calls that went unshaped since a policy panicked.
    pub policy_panics: u64,
    /// Calls that came in while all policies stepped aside.
    pub bypassed: u64,
    /// Configurations put in force since the start.
    pub reloads: u64,
    /// Configurations that were wrong and did not replace the running one.
    pub refused_reloads: u64,
}

impl Counts {
    pub(crate) fn began(&self) {
        self.began.fetch_add(1, Relaxed);
    }

    pub(crate) fn ended(&self) {
        self.ended.fetch_add(1, Relaxed);
        if self.in_flight() == 0 {
            self.idle.notify_waiters();
        }
    }

    pub(crate) fn bypassed(&self) {
        self.bypassed.fetch_add(1, Relaxed);
    }

    pub(crate) fn policy_panicked(&self) {
        self.policy_panics.fetch_add(1, Relaxed);
    }

    pub(crate) fn reloaded(&self) {
        self.reloads.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused_reload(&self) {
        self.refused_reloads.fetch_add(1, Relaxed);
    }

    pub(crate) fn in_flight(&self) -> u64 {
        // Ended first: a call that begins between the two reads must not make this negative.
        let ended = self.ended.load(Relaxed);
        self.began.load(Relaxed).saturating_sub(ended)
    }

    /// Waits until no call is open.
    pub(crate) async fn idle(&self) {
        loop {
            let told = self.idle.notified();
            if self.in_flight() == 0 {
                return;
            }
            told.await;
        }
    }

    pub(crate) fn counted(&self) -> Counted {
        Counted {
            in_flight: self.in_flight(),
            began: self.began.load(Relaxed),
            policy_panics: self.policy_panics.load(Relaxed),
            bypassed: self.bypassed.load(Relaxed),
            reloads: self.reloads.load(Relaxed),
            refused_reloads: self.refused_reloads.load(Relaxed),
        }
    }
}
