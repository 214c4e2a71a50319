//! Sockets: drives calls through the policies, and serves the gateway, its API and the dashboard.
//!
//! [`Gateway::serve`] takes a connection of any kind, and [`Connector`] and [`Clock`] decide what
//! providers and time are made of, so that a whole day runs in memory and virtual time as it does
//! on sockets. [`serve`] is the program around it: threads, signals, the configuration's file.
//!
//! Decisions are [`scrimp_core::Flight`]'s. What bytes mean is in `scrimp-wire`.

mod api;
mod ask;
mod audit;
mod clock;
pub mod config;
mod counts;
pub mod doctor;
mod door;
mod downstream;
mod encoding;
mod fetch;
mod files;
mod flight;
mod gateway;
mod http1;
mod ids;
pub mod journal;
pub mod keys;
mod log;
mod page;
mod patience;
pub mod reconcile;
mod reply;
mod running;
mod semantic;
mod serve;
pub mod tls;
mod trouble;
mod upstream;

#[cfg(test)]
mod tests;

pub use ask::{Answered, Answerer};
pub use clock::Clock;
pub use config::{Config, ConfigError};
pub use counts::Counted;
pub use fetch::{FetchError, fetch};
pub use gateway::{Bypass, CannotChange, Gateway, Phase, Setup};
pub use log::Log;
pub use running::Running;
pub use serve::{Errand, Listening, Program, ServeError, accompany, serve};
pub use upstream::{Connector, Dial};
