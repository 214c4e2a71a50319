//! `scrimp sim`: the simulated providers on loopback.

use anyhow::Result;
use scrimp_sim::command::{Arguments, Manner, run as start};

use crate::args::Sim;
use crate::ui;

/// Serves until it is ended.
pub(crate) fn run(arguments: &Sim) -> Result<()> {
    let manner = match (arguments.bench, arguments.fast) {
        (true, _) => Manner::Bench,
        (false, true) => Manner::Exact,
        (false, false) => Manner::Usual,
    };
    let Sim { listen, seed, .. } = *arguments;
    let faults = arguments.fault.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (address, _provider) = start(&Arguments { listen, seed, manner, faults }).await?;
        ui::print(&format!("http://{address}"))?;
        Ok(tokio::signal::ctrl_c().await?)
    })
}
