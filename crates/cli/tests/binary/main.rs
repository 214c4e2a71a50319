//! The program as its users meet it: the real binary, in a home of its own, with nothing outside
//! it but loopback. One crate, so that it is linked once.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without has to be there")]

mod configuration;
mod demo;
mod doctor;
mod gateway;
mod hang_up;
mod help;
mod keys;
mod litellm;
mod logs;
mod models;
mod price;
mod prices;
mod prompt;
mod reconcile;
mod records;
mod reference;
mod ruled;
mod run;
mod support;
mod tls;
mod tokens;
mod top;
