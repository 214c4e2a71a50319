//! `scrimp sim`: the simulated providers on loopback, and the workloads as a client.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use scrimp_sim::command::{Arguments, Manner, run as start};
use scrimp_sim::workload::{Workload, day, exchange};
use tokio::net::TcpStream;

use crate::args::{self, Sim};
use crate::ui;

/// Serves until it is ended, or plays a workload against what is served elsewhere.
pub(crate) fn run(arguments: &Sim) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match (arguments.play, arguments.against) {
        (Some(workload), Some(address)) => runtime.block_on(play(arguments, workload, address)),
        _ => runtime.block_on(serve(arguments)),
    }
}

async fn serve(arguments: &Sim) -> Result<()> {
    let manner = match (arguments.bench, arguments.fast) {
        (true, _) => Manner::Bench,
        (false, true) => Manner::Exact,
        (false, false) => Manner::Usual,
    };
    let Sim { listen, seed, .. } = *arguments;
    let faults = arguments.fault.clone();
    let (address, _provider) = start(&Arguments { listen, seed, manner, faults }).await?;
    ui::print(&format!("http://{address}"))?;
    Ok(tokio::signal::ctrl_c().await?)
}

/// Sends a workload's calls one after the other, without its waits.
async fn play(arguments: &Sim, workload: args::Workload, address: SocketAddr) -> Result<()> {
    let kind = match workload {
        args::Workload::SupportChat => Workload::SupportChat,
        args::Workload::Rag => Workload::Rag,
        args::Workload::CodingAgent => Workload::CodingAgent,
        args::Workload::BatchExtraction => Workload::BatchExtraction,
    };
    let (mut sent, mut failed) = (0, 0);
    for mut session in day(kind, arguments.seed, 1.0) {
        let mut answer = None;
        while let Some(planned) = session.next(answer.as_deref()).filter(|_| sent < arguments.calls)
        {
            let io = TcpStream::connect(address)
                .await
                .with_context(|| format!("nothing answers at {address}"))?;
            let seen = exchange(io, &planned.request, planned.patience).await;
            sent += 1;
            failed += usize::from(seen.status != 200);
            answer = (seen.status == 200).then_some(seen.body);
        }
    }
    ui::print(&format!("{sent} calls, {failed} not answered"))
}
