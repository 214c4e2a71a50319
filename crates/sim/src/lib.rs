//! Providers that are not there. They speak `OpenAI`'s chat completions and Anthropic's messages
//! over any stream of bytes, take as long as real ones do, cache prompts and bill by the vendors'
//! rules, and fail on request; seeded workloads and a client that plays them come with them.
//!
//! Nothing here shares a line with the gateway: rules, prices and token counts are written a
//! second time from the vendors' publications, with evictions, cold machines and overflow that no
//! policy knows. So when the gateway's figures agree with these, that means something.
//!
//! All waiting goes through `tokio::time`: under a paused clock a day takes seconds.

mod anthropic;
mod ask;
mod bench;
mod cache;
pub mod command;
mod connection;
mod dice;
mod fault;
mod heads;
mod latency;
mod limits;
mod log;
mod mangle;
pub mod models;
mod openai;
mod paced;
mod provider;
mod raw;
mod render;
mod service;
mod speech;
mod telling;
mod ticket;
pub mod tokens;
mod usage;
pub mod workload;

pub use ask::{Delivery, Tier};
pub use cache::{Hazards, LongMark};
pub use fault::{FAULT_HEADER, FAULTS, Fault, FaultKind, FaultRule, UnknownFault};
pub use latency::Latency;
pub use limits::Limits;
pub use log::Logged;
pub use models::{Api, Model, model};
pub use provider::{Answers, Bodies, Provider, Settings};
pub use speech::Speech;
pub use usage::{Bill, Broken, TrueUsage, cost};
