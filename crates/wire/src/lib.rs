//! What bytes mean: API dialects, event streams, usage, foreign log formats.
//!
//! Bytes in, values out. Nothing here opens anything, and nothing here knows a policy: a request
//! becomes facts, a policy's edit becomes a splice, an answer becomes an outcome.

mod ascii;
pub mod dialect;
mod error;
mod event_stream;
mod filter;
pub mod import;
mod key;
pub mod meter;
pub mod prices;
mod scan;
pub mod shape;
mod sse;

pub use error::{bedrock_type, error_body, event_stream_error, sse_error};
pub use key::Key;
