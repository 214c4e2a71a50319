//! Seeded workloads and the client that plays them.

mod client;

pub use client::{Exchange, Request, exchange};
