//! `cargo xtask pictures`: the dashboard as the README shows it, after the demo has played.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::Server;
use crate::steps::{self, command, need, root, target};

/// The demo's two days are over long before this.
const PATIENCE: Duration = Duration::from_mins(5);

/// Writes `docs/dashboard-dark.png` and `docs/dashboard-light.png`.
pub(crate) fn run(_arguments: &[String]) -> Result<()> {
    need("chromium", "chromium")?;
    steps::npm_ci("web")?;
    steps::run(&mut command("cargo", &["build", "--release", "--quiet", "-p", "scrimp"]))?;
    let demo = demo()?;
    let url = format!("http://{}", demo.address);
    let mut node = command("node", &["tests/pictures.mjs", "--url", &url, "--out", "../docs"]);
    steps::run(node.current_dir(root().join("web")))
}

/// Plays the demo to its end. It stays up only for somebody at a terminal, so it gets one.
fn demo() -> Result<Server> {
    need("script", "bsdutils")?;
    let said = target().join("demo.txt");
    drop(std::fs::remove_file(&said));
    let scrimp = target().join("release/scrimp");
    let demo = format!("{} demo --no-open --listen 127.0.0.1:0 --for 20s", scrimp.display());
    let mut script = Command::new("script");
    script.args(["-qefc", &demo]).arg(&said).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut server = Server::of(script.spawn()?);
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let text = std::fs::read_to_string(&said).unwrap_or_default();
        if text.contains("the dashboard stays up") {
            let (_, address) = text.split_once("http://").context("the demo says where it is")?;
            let address = address.split_whitespace().next().context("and at which port")?;
            server.address.push_str(address);
            return Ok(server);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    bail!("the demo did not come to its end; see {}", said.display())
}
