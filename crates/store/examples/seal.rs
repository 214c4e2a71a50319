//! Seals the hot tail of a store that nobody has open, for a look at the segment with other tools.
//!
//! `cargo run -p scrimp-store --example seal -- DIRECTORY`

use scrimp_store::{Options, Store};

fn main() {
    let directory = std::env::args().nth(1).expect("usage: seal DIRECTORY");
    let store = Store::open(directory.as_ref(), Options::STANDARD).expect("the store opens");
    store.seal().expect("the tail is sealed");
}
