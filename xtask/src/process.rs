//! Child processes: started, watched through `/proc`, ended when dropped.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A server that runs as long as this value lives.
pub(crate) struct Server {
    child: Child,
    /// `host:port` that it listens on.
    pub(crate) address: String,
}

impl Server {
    /// Starts a server that prints a line with its `http://host:port` when it is ready.
    pub(crate) fn start(mut command: Command) -> Result<Server> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        for line in BufReader::new(stdout).lines() {
            if let Some((_, rest)) = line?.split_once("http://") {
                let address = rest.split(['/', ' ']).next().unwrap_or(rest).to_owned();
                return Ok(Server { child, address });
            }
        }
        bail!("{command:?} ended without saying where it listens")
    }

    /// Starts a server that says nothing and listens on `address` soon.
    pub(crate) fn start_at(mut command: Command, address: &str) -> Result<Server> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let server = Server { child, address: address.to_owned() };
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(address).is_err() {
            if deadline < Instant::now() {
                bail!("{command:?} does not listen on {address}");
            }
            std::thread::yield_now();
        }
        Ok(server)
    }

    /// A server that was started otherwise; where it listens is still to be said.
    pub(crate) fn of(child: Child) -> Server {
        Server { child, address: String::new() }
    }

    /// Processor time of it and its children so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        // 100 ticks a second on every Linux that this runs on (getconf CLK_TCK).
        tree(self.child.id()).iter().filter_map(|pid| ticks(*pid)).sum::<u64>() as f64 / 100.0
    }

    /// Resident memory of it and its children, in kilobytes.
    pub(crate) fn resident_kb(&self) -> u64 {
        tree(self.child.id()).iter().filter_map(|pid| resident_kb(*pid)).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for pid in tree(self.child.id()) {
            // Children may have ended with their parent; nobody needs to hear of that.
            let ended = Command::new("kill").arg(pid.to_string()).stderr(Stdio::null()).status();
            drop(ended);
        }
        drop(self.child.wait());
    }
}

fn tree(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(path).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    std::iter::once(pid).chain(children.flat_map(tree)).collect()
}

fn ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

pub(crate) fn resident_kb(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
