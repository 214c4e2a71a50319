//! What `scrimp top` knows and draws. The API's answers and keys come in, cells of a terminal go out;
//! sockets, clock and terminal are the command's.

mod draw;
mod figures;
mod once;
mod state;
mod table;
mod told;

#[cfg(test)]
mod tests;

pub use draw::{Look, draw};
pub use once::text;
pub use state::{Key, News, Next, State};
pub use told::{Call, Group, Health, Percentiles, Point, Summary, Sums, Tokens, Window};
