//! Calls for grades: each answer is kept before the next call is made, and a cap holds.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use scrimp_core::price;
use scrimp_core::{Usage, UsageState, Usd};
use scrimp_prompt::call;
use scrimp_prompt::{Prompt, lint};
use scrimp_wire::Key;
use scrimp_wire::meter::{End, Framing, Meter};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::target::Target;
use crate::args::prompt::Terms;
use crate::commands::price::now;
use crate::ui::OrHint;

/// How often a call that a provider was too busy for is made again.
const ATTEMPTS: u32 = 5;

/// Why no more is asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    #[error("stopped")]
    Interrupted,
    #[error("the next call could pass the {0} that may be spent")]
    Spend(String),
    #[error("{0} calls were made, and no more may be")]
    Calls(usize),
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

/// An answer as a line of the file that keeps them. The prompt is in it only as a digest.
#[derive(Serialize, Deserialize)]
struct Kept {
    ask: String,
    answer: Option<String>,
    /// `None`: the answer did not say what it used, or the target is unpriced.
    usd: Option<Usd>,
    /// The most that it may have cost.
    at_most: Option<Usd>,
}

impl Kept {
    /// What it counts as under a cap.
    fn counted(&self) -> Option<Usd> {
        self.usd.or(self.at_most)
    }
}

/// Asks, remembers every answer, and stops at a cap.
pub(super) struct Asking {
    known: BTreeMap<String, Kept>,
    file: File,
    pub(super) path: PathBuf,
    most_usd: Usd,
    most_calls: Option<usize>,
    interrupted: Arc<AtomicBool>,
    /// Calls that were made this time, and what all that are known cost.
    pub(super) calls: usize,
    pub(super) reused: usize,
    pub(super) spent: Usd,
    /// Answers whose cost nobody told: counted as the most that they may have cost.
    pub(super) untold: usize,
}

impl Asking {
    /// Opens the file of answers, and hears Ctrl-C from then on.
    pub(super) fn of(path: PathBuf, terms: &Terms) -> Result<Asking> {
        let known = read(&path)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&path);
        if let Ok(file) = &mut file {
            end_line(&path, file)?;
        }
        let file = file.with_context(|| path.display().to_string())?;
        Ok(Asking {
            spent: known.values().filter_map(Kept::counted).sum(),
            untold: known.values().filter(|kept| kept.usd.is_none()).count(),
            known,
            file,
            path,
            most_usd: terms.spend,
            most_calls: terms.calls,
            interrupted: hear()?,
            calls: 0,
            reused: 0,
        })
    }

    /// The text that was answered to a filled prompt; `None` where there was none.
    pub(super) fn ask(&mut self, target: &Target, prompt: &Prompt) -> Result<Option<String>, Stop> {
        let body = call::body(&target.form, prompt);
        let body = body.map_err(|why| Stop::Failed(anyhow!(why)))?;
        let worst = worst(target, prompt, &body);
        self.answer(target, &body, worst, &|value| call::text(target.form.speaks, value))
    }

    /// The embeddings of texts.
    pub(super) fn embed(
        &mut self,
        target: &Target,
        texts: &[String],
    ) -> Result<Vec<Vec<f64>>, Stop> {
        let body = serde_json::json!({ "model": target.form.model, "input": texts });
        let worst = priced(target, &Prompt::of_text(&texts.join("\n")), 0);
        let vectors = |value: &Value| {
            let all = value["data"].as_array()?.iter().map(|one| one["embedding"].clone());
            Some(Value::from(all.collect::<Vec<_>>()).to_string())
        };
        let told = self.answer(target, &body, worst, &vectors)?;
        let read = serde_json::from_str(told.as_deref().unwrap_or("[]"));
        read.context("the embeddings are no numbers").map_err(Stop::Failed)
    }

    fn answer(
        &mut self,
        target: &Target,
        body: &Value,
        worst: Option<Usd>,
        text: &dyn Fn(&Value) -> Option<String>,
    ) -> Result<Option<String>, Stop> {
        let ask = digest(target, body);
        if let Some(kept) = self.known.get(&ask) {
            self.reused += 1;
            return Ok(kept.answer.clone());
        }
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        if let Some(most) = self.most_calls.filter(|most| *most <= self.calls) {
            return Err(Stop::Calls(most));
        }
        if worst.is_some_and(|worst| self.most_usd < self.spent + worst) {
            return Err(Stop::Spend(format!("${}", self.most_usd)));
        }
        let kept =
            Kept { at_most: worst, ..self.call(target, ask, body, text).map_err(Stop::Failed)? };
        self.spent += kept.counted().unwrap_or(Usd::ZERO);
        self.untold += usize::from(kept.usd.is_none());
        let answer = kept.answer.clone();
        self.keep(kept).map_err(Stop::Failed)?;
        Ok(answer)
    }

    fn call(
        &mut self,
        target: &Target,
        ask: String,
        body: &Value,
        text: &dyn Fn(&Value) -> Option<String>,
    ) -> Result<Kept> {
        let answered = patiently(target, body)?;
        self.calls += 1;
        let name = &target.name;
        let said = String::from_utf8_lossy(&answered);
        let value: Value = serde_json::from_str(&said)
            .with_context(|| format!("{name} answered no JSON: {}", brief(&said)))?;
        let mut meter = Meter::new(target.dialect, Framing::Whole, 200);
        meter.see(&answered, now());
        let outcome = meter.outcome(End::Complete);
        let is_told = outcome.metering.state == UsageState::Measured;
        let row = target.row.as_ref().filter(|_| is_told);
        let usd = row.map(|row| row.cost(&outcome.metering.usage, outcome.terms));
        Ok(Kept { ask, answer: text(&value), usd, at_most: None })
    }

    fn keep(&mut self, kept: Kept) -> Result<()> {
        let line = serde_json::to_string(&kept)? + "\n";
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.with_context(|| self.path.display().to_string())?;
        self.known.insert(kept.ask.clone(), kept);
        Ok(())
    }
}

/// Posts until there is an answer, as often as that may help.
fn patiently(target: &Target, body: &Value) -> Result<Vec<u8>> {
    let Target { answerer, path, name, .. } = target;
    for attempt in 1.. {
        let answered = answerer.post(path, body.to_string()).context(name.clone())?;
        let is_busy = matches!(answered.status, 429 | 500 | 502 | 503 | 504 | 529);
        match answered.status {
            200 => return Ok(answered.body),
            _ if is_busy && attempt < ATTEMPTS => {
                let usual = Duration::from_secs(1 << attempt);
                let wait = answered.retry_after.unwrap_or(usual).min(Duration::from_mins(1));
                std::thread::sleep(wait);
            }
            status => {
                let text = String::from_utf8_lossy(&answered.body);
                bail!("{name} answered {status}: {}", brief(&text))
            }
        }
    }
    unreachable!("the last attempt returns")
}

/// Where answers to these cases are kept.
pub(super) fn answers(cases: &Path, terms: &Terms) -> PathBuf {
    terms.answers.clone().unwrap_or_else(|| {
        let mut name = cases.as_os_str().to_owned();
        name.push(".answers.jsonl");
        name.into()
    })
}

/// A target whose price is not known needs another limit than a sum.
pub(super) fn limited(target: &Target, terms: &Terms) -> Result<()> {
    match (&target.row, terms.calls) {
        (None, None) => Err(anyhow!("no price of {} is known", target.form.model))
            .or_hint("so no sum can be the limit: --calls N says how many calls may be made"),
        _ => Ok(()),
    }
}

/// The answers of earlier runs. A line that broke off at the end of the file is none.
fn read(path: &Path) -> Result<BTreeMap<String, Kept>> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = super::source::text(path)?;
    let mut known = BTreeMap::new();
    for (at, line) in text.split_inclusive('\n').enumerate() {
        match serde_json::from_str::<Kept>(line) {
            Ok(kept) => drop(known.insert(kept.ask.clone(), kept)),
            Err(_) if !line.ends_with('\n') => {}
            Err(error) => {
                let place = format!("{}:{}", path.display(), at + 1);
                return Err(anyhow!("{place}: no kept answer: {error}"))
                    .or_hint("--answers FILE names another file to keep answers in");
            }
        }
    }
    Ok(known)
}

/// Ends a line that broke off, so that the next one is whole.
fn end_line(path: &Path, file: &mut File) -> Result<()> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    if bytes.last().is_some_and(|last| *last != b'\n') {
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// By what an answer is found again: who is asked, and what.
fn digest(target: &Target, body: &Value) -> String {
    let asked = format!("{}\n{}\n{body}", target.name, target.path);
    Key::new([0; 32]).digest("ask", asked.as_bytes()).to_string()
}

/// The most that a call may cost: nothing cached, and the longest answer. `None`: unpriced.
pub(super) fn worst(target: &Target, prompt: &Prompt, body: &Value) -> Option<Usd> {
    let longest = call::longest(body).unwrap_or(target.form.longest);
    priced(target, prompt, longest)
}

/// A prompt's input and an answer of so many tokens, nothing cached.
pub(super) fn priced(target: &Target, prompt: &Prompt, output: u64) -> Option<Usd> {
    let row = target.row.clone()?;
    let model = super::model(row.clone());
    let usage = Usage { uncached: lint::tokens(prompt, &model), output, ..Usage::ZERO };
    Some(row.cost(&usage, price::Terms::default()))
}

/// Once: the call that is under way is waited for and kept, and none made after it. Twice: the end.
fn hear() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut heard = {
        let _guard = runtime.enter();
        signal(SignalKind::interrupt()).context("Ctrl-C cannot be heard")?
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            heard.recv().await;
            eprintln!("stopping after the call that is under way; Ctrl-C again ends it");
            flag.store(true, Ordering::Relaxed);
            heard.recv().await;
            std::process::exit(130);
        });
    });
    Ok(interrupted)
}

fn brief(text: &str) -> String {
    scrimp_analysis::report::one_line(&text.chars().take(300).collect::<String>())
}
