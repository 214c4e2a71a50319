//! Benchmarks. Machines are shared and noisy, so each figure is a ratio against a reference in the
//! same run, with its spread; nothing here can fail by noise, and none of it is part of the tests.

mod client;
mod gateway;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::process;
use crate::steps::{self, example, target};

/// A benchmark: its name, what it measures, and the function that runs it.
type Bench = (&'static str, &'static str, fn(&[String]) -> Result<()>);

const BENCHES: &[Bench] = &[
    (
        "gateway",
        "calls with a 1 kB body against nginx: throughput and processor time",
        gateway::calls,
    ),
    ("stream", "time to the first byte of a stream against nginx", gateway::streams),
    ("prompt", "what a 400 kB prompt adds to a call, against nginx", gateway::long_prompts),
    ("memory", "resident memory idle, under load, and for each open stream", gateway::memory),
    ("replay", "blocks per second, and `whatif FOLDER` if one is given", replay),
    ("proof", "what a proof says against the simulator's truth, over N seeds (default 100)", proof),
    (
        "reconcile",
        "what `reconcile` says of simulated invoices against the truth, over N seeds (default 200)",
        reconcile,
    ),
    (
        "import",
        "`analyze` over N megabytes of mixed logs (default 1000): time and peak memory",
        import,
    ),
    ("wire", "reading requests and metering streams", wire),
    ("tokens", "counting 10 MB against OpenAI's tiktoken: equal, and how much faster", tokens),
    ("keys", "finding a caller's virtual key among N (default 100,000)", keys),
    ("marks", "what `auto` takes to place marks in a prompt of N blocks (default 300)", marks),
    ("kill", "what a killed process loses, over N kills (default 50)", kill),
    ("hangup", "how soon a provider sees a client leave, N times (default 200) each", hangup),
    ("store", "every screen and its query over N million records (default 10)", store),
];

/// What each benchmark is called.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BENCHES.iter().map(|(name, ..)| *name)
}

/// `cargo xtask bench NAME`
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let name = arguments.first().map(String::as_str);
    let Some((_, _, bench)) = BENCHES.iter().find(|(known, ..)| Some(*known) == name) else {
        let list: Vec<_> =
            BENCHES.iter().map(|(name, what, _)| format!("  {name:8} {what}")).collect();
        bail!("name a benchmark:\n{}", list.join("\n"));
    };
    bench(&arguments[1..])
}

fn replay(arguments: &[String]) -> Result<()> {
    example("scrimp-analysis", "replay_speed", &[])?;
    if arguments.is_empty() {
        return Ok(());
    }
    let mut command = steps::command(gateway::binary()?, &["whatif"]);
    let modes = "none,system:short,system:long,tail:short,tail:long,bound";
    let started = std::time::Instant::now();
    steps::run(command.args(arguments).args(["--prompt-cache", modes]))?;
    println!("whatif: {:.2} s from start to end", started.elapsed().as_secs_f64());
    Ok(())
}

fn marks(arguments: &[String]) -> Result<()> {
    example("scrimp-server", "place_marks", arguments)
}

fn wire(arguments: &[String]) -> Result<()> {
    example("scrimp-wire", "read_speed", arguments)
}

fn tokens(arguments: &[String]) -> Result<()> {
    crate::oracle::tokens(arguments)
}

/// Reads made-up logs of several tools and says how long that took and how much memory.
fn import(arguments: &[String]) -> Result<()> {
    let folder = target().join("bench/import");
    let megabytes = arguments.first().map_or("1000", String::as_str).to_owned();
    example("scrimp-sim", "import_logs", &[folder.display().to_string(), megabytes])?;
    let mut command = steps::command(gateway::binary()?, &["analyze"]);
    command.arg(&folder).stdout(std::process::Stdio::null());
    let started = std::time::Instant::now();
    let mut analyze = command.spawn()?;
    let mut peak_kb = 0;
    while analyze.try_wait()?.is_none() {
        peak_kb = process::resident_kb(analyze.id()).unwrap_or(0).max(peak_kb);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let took = started.elapsed().as_secs_f64();
    println!("analyze: {took:.1} s, at most {} MB resident", peak_kb / 1_000);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn reconcile(arguments: &[String]) -> Result<()> {
    example("scrimp-server", "reconcile", arguments)
}

fn proof(arguments: &[String]) -> Result<()> {
    example("scrimp-server", "proof_coverage", arguments)
}

fn keys(arguments: &[String]) -> Result<()> {
    example("scrimp-server", "key_lookup", arguments)
}

fn kill(arguments: &[String]) -> Result<()> {
    example("scrimp-store", "killed", arguments)
}

fn hangup(arguments: &[String]) -> Result<()> {
    example("scrimp-server", "hang_up", arguments)
}

fn store(arguments: &[String]) -> Result<()> {
    let millions: u64 = arguments.first().map_or(Ok(10), |n| n.parse())?;
    let calls = (millions * 1_000_000).to_string();
    let named = arguments.get(1).map(PathBuf::from);
    let folder = named.clone().unwrap_or_else(|| target().join("bench/screens"));
    example("scrimp-store", "ten_million", &[calls, folder.display().to_string()])?;
    gateway::screens(&folder)?;
    if named.is_none() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}
