//! Seeded workloads and the client that plays them.
//!
//! Later calls of a session hold earlier answers, so a day is no list of requests: each
//! [`Session`] makes its next call when it is given the last one's answer. [`drive`] does that for
//! a whole day over any stream of bytes; other clients can do it by hand.

mod client;
mod day;
mod drive;
mod reply;
mod session;

pub use client::{Exchange, Request, exchange};
pub use day::{Workload, day};
pub use drive::{End, Played, drive};
pub use reply::{Reply, SeenUsage, ToolCall};
pub use session::{Planned, Session};
