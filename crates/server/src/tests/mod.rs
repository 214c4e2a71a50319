//! The gateway over pipes in memory, in virtual time.

mod aws;
mod busy;
mod bypass;
mod connections;
mod control;
mod coverage;
mod days;
mod faults;
mod fidelity;
mod hang_up;
mod keys;
mod listening;
mod metrics;
mod openapi;
mod proxy;
mod reconcile;
pub(crate) mod rig;
mod roles;
mod screens;
mod shaping;
mod spend;
mod tls;
