//! Counts tokens: exactly where a vocabulary is published, as an estimate with its error elsewhere.
//!
//! [`Vocabulary::of_model`] says how a model's text is cut into tokens and counts it;
//! [`Request::read`] takes a request's body apart, so that each part is counted by itself;
//! [`Calibration`] corrects an estimate by what providers reported for earlier calls. All of it is
//! pure. None of it is on the way of a call: there the provider's own usage is the truth, and
//! `wire::dialect` only divides it up between blocks.

mod calibration;
mod content;
mod families;
mod image;
mod request;
mod tools;
mod vocabulary;

pub use calibration::{Calibration, Corrected, Sample};
pub use content::Kind;
pub use image::Size;
pub use request::{Form, NotARequest, Part, PartKind, Request};
pub use vocabulary::{Basis, Count, Vocabulary, encodings};
