//! Makes LLM applications faster and cheaper, and proves it. `scrimp --help` says how.

mod args;
mod commands;
mod demo;
mod input;
mod reference;
mod run;
mod top;
mod ui;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ui::report(&error),
    }
}
