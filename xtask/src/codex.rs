//! Codex as a command-line client, direct and through the gateway: the same conversation, the same
//! counts; and its session is the gateway's.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::claude_code::get;
use crate::steps::{self, command};

/// One is answered at once; the other has Codex run a command and tell the model what it printed.
const QUESTIONS: [(&str, u64); 2] = [("Say hello to the reader.", 1), ("Look for the file.", 2)];

/// The program, and where it may write.
pub(crate) struct Codex {
    program: PathBuf,
    folder: PathBuf,
}

impl Codex {
    /// Finds the program that npm has installed under `modules`.
    pub(crate) fn install(modules: &Path, folder: &Path) -> Result<Codex> {
        let folder = folder.join("codex");
        std::fs::create_dir_all(&folder)?;
        Ok(Codex { program: modules.join(".bin/codex"), folder })
    }

    /// Asks everything twice, of a provider and of the gateway in front of it.
    pub(crate) fn compare(&self, provider: &str, gateway: &str) -> Result<usize> {
        let (mut calls, mut sessions) = (0, Vec::new());
        for (question, turns) in QUESTIONS {
            let direct = self.ask(provider, question)?;
            let through = self.ask(gateway, question)?;
            ensure!(
                direct == through,
                "Codex differs through the gateway:\ndirect:  {direct:?}\nthrough: {through:?}"
            );
            let ended = direct.last().context("Codex printed nothing")?;
            ensure!(ended["type"] == "turn.completed", "Codex ended with {ended}");
            calls += turns;
            let rows = recorded(gateway, calls)?;
            sessions.push(session(&rows[..turns.try_into()?], &ended["usage"])?);
        }
        ensure!(sessions[0] != sessions[1], "two runs of Codex are one session");
        Ok(QUESTIONS.len())
    }

    /// What it prints, without what differs from run to run.
    fn ask(&self, address: &str, question: &str) -> Result<Vec<Value>> {
        let [home, work] = ["home", "work"].map(|name| self.folder.join(name));
        for folder in [&home, &work] {
            drop(std::fs::remove_dir_all(folder));
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(
            home.join("config.toml"),
            format!(
                "model = \"gpt-4o\"\nmodel_provider = \"here\"\n[model_providers.here]\n\
                 name = \"here\"\nbase_url = \"http://{address}/v1\"\nwire_api = \"responses\"\n\
                 env_key = \"OPENAI_API_KEY\"\n"
            ),
        )?;
        // Its sandbox needs what a container may not give; the only command is one that prints.
        let arguments = ["exec", "--json", "--skip-git-repo-check"];
        let mut codex = command(&self.program, &arguments);
        codex.args(["--dangerously-bypass-approvals-and-sandbox", question]);
        codex.env("HOME", &home).env("CODEX_HOME", &home).env("OPENAI_API_KEY", "sk-codex");
        let printed = steps::output(codex.stdin(Stdio::null()).current_dir(&work))?;
        let events = printed.lines().map(serde_json::from_str);
        let mut events = events.collect::<Result<Vec<Value>, _>>()?;
        for event in events.iter_mut().filter_map(Value::as_object_mut) {
            event.remove("thread_id");
        }
        Ok(events)
    }
}

/// The rows of all calls so far, the latest first. They reach the disk a moment after the calls.
fn recorded(gateway: &str, calls: u64) -> Result<Vec<Value>> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let mut answer = get(gateway, "/api/v1/calls")?;
        let rows = answer["calls"].as_array_mut().context("a list of calls")?;
        if calls <= rows.len() as u64 {
            return Ok(std::mem::take(rows));
        }
        ensure!(Instant::now() < deadline, "{} of {calls} calls were recorded", rows.len());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The one session of all turns, whose tokens are what Codex counted.
fn session(turns: &[Value], usage: &Value) -> Result<Value> {
    let sum =
        |class: &str| turns.iter().filter_map(|row| row["tokens"][class].as_u64()).sum::<u64>();
    let counted = json!([sum("uncached"), sum("output")]);
    let claimed = json!([usage["input_tokens"], usage["output_tokens"]]);
    ensure!(counted == claimed, "Codex counted {claimed}, the gateway {counted}");
    let session = turns[0]["session"].clone();
    let is_one = session.is_string() && turns.iter().all(|row| row["session"] == session);
    ensure!(is_one, "a run of Codex is not one session: {turns:?}");
    Ok(session)
}
