//! Anthropic's messages: what a request means and what an answer looks like on the wire.
//! Shapes are those of the `anthropic` package for Python 2.12.0.

pub(crate) mod answer;
mod read;

pub(crate) use read::read;
