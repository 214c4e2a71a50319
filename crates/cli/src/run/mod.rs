//! `scrimp run`: a gateway for one command.
//!
//! The gateway runs in this process, on a free port of loopback, for as long as the command does.
//! Standard input, output and error are the command's own; ours is one line at the end.

mod bill;
mod child;
mod environment;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::channel;

use anyhow::{Context, Result};
use scrimp_core::Catalog;
use scrimp_server::journal::Files;
use scrimp_server::{Config, Errand, Gateway, Phase, accompany};
use scrimp_store::Store;

use crate::args::{DataDir, Run};
use crate::commands::{catalog_in, now, open_store, options, tell};
use crate::ui::{Ended, OrHint};
use bill::Bill;

/// A command that is not there, and one that cannot be run, as shells tell it.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;

/// Runs the command, and ends as it did.
pub(crate) fn run(arguments: &Run) -> Result<()> {
    let folder = Folder::of(arguments)?;
    let files = Files { config: arguments.config.clone(), data: folder.path.clone() };
    tell(&files)?;
    let variable = |name: &str| std::env::var(name).ok();
    let config = files.load().or_hint("`scrimp config reference` lists every setting")?;
    let config = config.for_one_command(&environment::upstreams(&variable), &variable)?;
    let prices = catalog_in(config.prices.as_deref(), &DataDir { data: arguments.data.clone() })?;
    let began = now();
    let store = Arc::new(open_store(&folder.path, options(&config))?);
    let known = Arc::new(prices.clone());
    let ended = beside_a_gateway(arguments, config, &store, prices)?;
    let code = match ended {
        Ok(status) => child::code(status),
        Err(error) => return Err(not_started(&error, arguments).into()),
    };
    let bill = Bill::of(&store, began, &known);
    eprintln!("{}", bill.line());
    if folder.is_kept && arguments.keep {
        let folder = folder.path.display();
        eprintln!("scrimp: the records are in {folder}; `scrimp analyze --data {folder}`");
    }
    if let Some(file) = &arguments.json {
        bill.write(file, code)?;
    }
    match code {
        0 => Ok(()),
        code => Err(Ended { code, why: None }.into()),
    }
}

/// The command's end, or why it did not begin.
fn beside_a_gateway(
    arguments: &Run,
    config: Config,
    store: &Arc<Store>,
    prices: Catalog,
) -> Result<io::Result<ExitStatus>> {
    let (command, (end, ended)) = (arguments.command.clone(), channel());
    let listening = Box::new(move |address: SocketAddr, gateway: &Gateway| {
        let gateway = gateway.clone();
        std::thread::spawn(move || {
            let variable = |name: &str| std::env::var(name).ok();
            end.send(child::run(&command, environment::changes(address, &variable))).ok();
            // Whoever is left of the command has nobody to answer to.
            gateway.enter(Phase::Closing);
        });
    });
    accompany(Errand { config, store: store.clone(), prices, listening })?;
    ended.recv().context("the command's thread broke down")
}

fn not_started(error: &io::Error, arguments: &Run) -> Ended {
    let command = arguments.command.first().map(|command| command.display().to_string());
    let command = command.unwrap_or_default();
    match error.kind() {
        ErrorKind::NotFound => {
            Ended { code: NOT_FOUND, why: Some(format!("{command}: command not found")) }
        }
        _ => Ended { code: NOT_RUN, why: Some(format!("{command}: {error}")) },
    }
}

/// Where the records of a run lie.
struct Folder {
    path: PathBuf,
    is_kept: bool,
}

impl Folder {
    fn of(arguments: &Run) -> Result<Folder> {
        if let Some(path) = &arguments.data {
            return Ok(Folder { path: path.clone(), is_kept: true });
        }
        let name = format!("scrimp-run-{}-{}", std::process::id(), now().nanos());
        let path = std::env::temp_dir().join(name);
        make_private(&path).with_context(|| path.display().to_string())?;
        Ok(Folder { path, is_kept: arguments.keep })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}

/// A folder that was not there, for its owner only.
fn make_private(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path)
}
