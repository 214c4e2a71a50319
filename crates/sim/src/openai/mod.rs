//! `OpenAI`'s chat completions: what a request means and what an answer looks like on the wire.
//! Shapes are those of the `openai` package for Python 3.54.0.

pub(crate) mod answer;
mod read;

pub(crate) use read::read;
