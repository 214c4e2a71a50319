//! Claude Code as a command-line client, direct and through the gateway: the same conversation, the
//! same counts, the same bill.
//!
//! A simulated provider remembers prompts, so each run has a provider of its own, and a home of its
//! own; only then is everything that a run prints comparable, down to the ids of its tool calls.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::steps::{self, command};

/// What the provider chooses to do with a question is a matter of its dice; one of these makes it
/// call tools, and then it goes on for some turns.
const TOOL_QUESTIONS: std::ops::Range<u32> = 1..9;

/// The program, and where it may write.
pub(crate) struct ClaudeCode {
    program: PathBuf,
    folder: PathBuf,
}

/// What one run printed, without what differs from run to run.
struct Printed {
    /// Every message of the user, the assistant and the tools.
    messages: Vec<Value>,
    /// How it ended: text, turns, usage with prompt-cache counts, cost.
    result: Value,
}

impl ClaudeCode {
    /// Unpacks the program that npm has installed under `modules`.
    pub(crate) fn install(modules: &Path, folder: &Path) -> Result<ClaudeCode> {
        let package = modules.join("@anthropic-ai/claude-code");
        steps::run(command("node", &["install.cjs"]).current_dir(&package))?;
        let folder = folder.join("claude-code");
        std::fs::create_dir_all(&folder)?;
        Ok(ClaudeCode { program: package.join("bin/claude.exe"), folder })
    }

    /// Runs twice, against each of the two base URLs. `fresh` starts a new pair of providers, the
    /// second one behind a gateway, and says where to reach them.
    pub(crate) fn compare<R>(&self, fresh: impl Fn() -> Result<(R, Addresses)>) -> Result<u32> {
        let (rig, at) = fresh()?;
        // With all its tools it may be told to start agents in the background, and what comes of
        // them depends on who is faster.
        self.ask_both(&at, &["-p", "say hello", "--tools", ""])?;
        drop(rig);
        for question in TOOL_QUESTIONS {
            let (_rig, at) = fresh()?;
            let question = format!("Look for file number {question}");
            let read_only =
                ["-p", &question, "--tools", "Read,Glob", "--permission-mode", "bypassPermissions"];
            if 1 < self.ask_both(&at, &read_only)? {
                return Ok(2);
            }
        }
        bail!("Claude Code was never made to call a tool")
    }

    /// Returns the number of turns.
    fn ask_both(&self, at: &Addresses, arguments: &[&str]) -> Result<u64> {
        let direct = self.ask(&at.direct, arguments)?;
        let through = self.ask(&at.gateway, arguments)?;
        ensure!(direct.result["is_error"] == false, "direct: {}", direct.result);
        same("result", &direct.result, &through.result)?;
        same("messages", &direct.messages.into(), &through.messages.into())?;
        let claimed = direct.result["total_cost_usd"].as_f64().context("a cost")?;
        for (who, usd) in [
            ("its provider", billed(&at.direct)?),
            ("the provider behind the gateway", billed(&at.behind)?),
            ("the gateway", measured(&at.gateway, claimed)?),
        ] {
            ensure!(is_same(usd, claimed), "Claude Code says ${claimed}, {who} ${usd}");
        }
        through.result["num_turns"].as_u64().context("a number of turns")
    }

    fn ask(&self, address: &str, arguments: &[&str]) -> Result<Printed> {
        // The same paths for both, because prompts name them.
        let [home, work] = ["home", "work"].map(|name| self.folder.join(name));
        for folder in [&home, &work] {
            drop(std::fs::remove_dir_all(folder));
            std::fs::create_dir_all(folder)?;
        }
        let mut claude = command(&self.program, arguments);
        claude.args(["--model", "claude-opus-4-5", "--output-format", "json", "--verbose"]);
        claude.env("HOME", &home).env("ANTHROPIC_API_KEY", "sk-ant-claude-code");
        claude.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").env("IS_SANDBOX", "1");
        claude.env("ANTHROPIC_BASE_URL", format!("http://{address}")).current_dir(&work);
        let printed = steps::output(claude.stdin(std::process::Stdio::null()))?;
        let mut events: Vec<Value> = serde_json::from_str(printed.trim())?;
        events.iter_mut().for_each(forget);
        let result = events.iter().rfind(|event| event["type"] == "result").cloned();
        // What `system` says is progress, and when it says it is a matter of time.
        let is_message = |event: &Value| event["type"] == "assistant" || event["type"] == "user";
        events.retain(is_message);
        Ok(Printed { messages: events, result: result.context("Claude Code gave no result")? })
    }
}

/// Where the two providers and the gateway listen.
pub(crate) struct Addresses {
    pub(crate) direct: String,
    pub(crate) behind: String,
    pub(crate) gateway: String,
}

/// Takes out what differs from run to run: times, and ids that the client draws.
fn forget(event: &mut Value) {
    let drawn = ["session_id", "uuid", "timestamp"];
    let is_kept =
        |name: &str| !name.ends_with("_ms") && !name.ends_with("Ms") && !drawn.contains(&name);
    match event {
        Value::Object(members) => {
            members.retain(|name, _| is_kept(name));
            members.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}

fn same(what: &str, direct: &Value, through: &Value) -> Result<()> {
    ensure!(
        direct == through,
        "Claude Code's {what} through the gateway differ:\ndirect:  {direct}\nthrough: {through}"
    );
    Ok(())
}

/// What the simulated provider at `address` has billed, in dollars.
fn billed(address: &str) -> Result<f64> {
    let log = get(address, "/__log")?;
    let bills = log["bills"].as_array().context("a log has bills")?;
    let pico = bills.iter().filter_map(|bill| bill["pico_usd"].as_u64()).sum::<u64>();
    Ok(pico as f64 / 1e12)
}

/// What the gateway at `address` has measured, in dollars. Its sums reach the disk a moment after
/// the calls, so it is asked until it has as much as is expected, or long enough.
fn measured(address: &str, expected: f64) -> Result<f64> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let summary = get(address, "/api/v1/summary?window=1h")?;
        let usd = summary["totals"]["usd"].as_str().map(str::parse).transpose()?.unwrap_or(0.0);
        if is_same(usd, expected) || deadline < Instant::now() {
            return Ok(usd);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn is_same(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

/// What a server on this machine answers to a GET.
pub(crate) fn get(address: &str, path: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
    Ok(serde_json::from_str(body)?)
}
