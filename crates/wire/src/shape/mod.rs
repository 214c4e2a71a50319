//! Texts in fewer tokens: each transform takes a text and gives a shorter one that says the same, or
//! nothing if it leaves the text alone.
//!
//! All are pure functions of the text, and doing one again changes nothing. What is doubtful (a key
//! that stands twice, a number longer than any reader takes) is left alone.

mod canonical;
mod json;
mod table;
mod terminal;

pub use canonical::canonical;
pub use json::minify;
pub use table::{is_table, read_table, table};
pub use terminal::terminal;
