//! Scrimp.
fn main() {}
