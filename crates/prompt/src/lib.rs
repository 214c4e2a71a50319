//! Prompts: what in them costs money, shorter forms, and whether those answer as well.
//!
//! [`read::read`] takes a file apart into prompts and their pieces; [`lint::lint`] says what each
//! section costs and what a shorter form would save; [`search::search`] finds the fewest examples that
//! answer as well, and says what to ask for that. All of it is pure: nothing here opens a file
//! or calls a model.

pub mod call;
pub mod cases;
pub mod examples;
pub mod lint;
pub mod read;
pub mod rewrite;
pub mod rules;
pub mod schema;
pub mod search;

pub use lint::{Lint, Model, Source};
pub use read::{Kind, NotAPrompt, Piece, Prompt, Tool};
