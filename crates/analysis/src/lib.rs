//! What records tell: replay under other policies, and proof of what a policy saved.
//!
//! Takes records from an iterator and opens no file. The replay runs the very code that decides
//! live; what a provider would have answered comes from a [`replay::World`], and each figure says
//! which of the two it rests on.

mod bound;
mod breaks;
pub mod findings;
pub mod noninferiority;
pub mod profile;
pub mod proof;
pub mod reconcile;
pub mod replay;
pub mod report;

#[cfg(test)]
mod testing;
