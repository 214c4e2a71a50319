//! One file for each subcommand: arguments in, one call into a library, text out.

mod analyze;
pub(crate) mod apply;
mod bypass;
mod compare;
mod completions;
mod config;
mod doctor;
mod imported;
mod keys;
mod man;
mod models;
mod price;
mod prices;
mod prompt;
mod reconcile;
mod running;
mod serve;
mod sim;
mod store;
pub(crate) mod study;
mod tokens;
mod whatif;

pub(crate) use imported::tell;
pub(crate) use price::{catalog_in, now};
pub(crate) use running::Running;
pub(crate) use serve::{open_store, options};

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::args::{Cli, Command, DataDir};
use crate::ui::OrHint;

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> Result<()> {
    match cli.command {
        None => analyze::run_bare(),
        Some(Command::Demo(arguments)) => {
            crate::demo::run(&arguments, price::now(), scrimp_wire::prices::snapshot())
        }
        Some(Command::Serve(arguments)) => serve::run(&arguments),
        Some(Command::Run(arguments)) => crate::run::run(&arguments),
        Some(Command::Apply(arguments)) => apply::apply(&arguments),
        Some(Command::Undo(arguments)) => apply::undo(&arguments),
        Some(Command::Proof(arguments)) => apply::proof(&arguments),
        Some(Command::Keys(arguments)) => keys::run(&arguments),
        Some(Command::Bypass(arguments)) => bypass::run(&arguments),
        Some(Command::Top(arguments)) => crate::top::run(&arguments),
        Some(Command::Config(arguments)) => config::run(&arguments),
        Some(Command::Analyze(arguments)) => analyze::run(&arguments),
        Some(Command::Whatif(arguments)) => whatif::run(&arguments),
        Some(Command::Reconcile(arguments)) => reconcile::run(&arguments),
        Some(Command::Price(arguments)) => price::run(&arguments),
        Some(Command::Tokens(arguments)) => tokens::run(&arguments),
        Some(Command::Prompt(arguments)) => prompt::run(&arguments),
        Some(Command::Models(arguments)) => models::run(&arguments),
        Some(Command::Prices(arguments)) => prices::run(&arguments),
        Some(Command::Store(arguments)) => store::run(&arguments),
        Some(Command::Doctor(arguments)) => doctor::run(&arguments),
        Some(Command::Sim(arguments)) => sim::run(&arguments),
        Some(Command::Completions { shell }) => completions::run(shell),
        Some(Command::Man(arguments)) => man::run(&arguments),
    }
}

/// The data directory: as given, from the environment, or the usual place.
pub(crate) fn data_dir(given: &DataDir) -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let chosen = given.data.clone().or_else(|| variable("SCRIMP_DATA").map(PathBuf::from));
    let xdg = || variable("XDG_DATA_HOME").map(|folder| PathBuf::from(folder).join("scrimp"));
    let usual = || analyze::home().map(|home| home.join(".local/share/scrimp"));
    let missing = "no data directory: HOME is not set";
    chosen.or_else(xdg).or_else(usual).context(missing).or_hint("name one with --data DIR")
}
