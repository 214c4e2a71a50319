//! Files of prompts, opened, and models by name.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use scrimp_prompt::read::{self, NotAPrompt};
use scrimp_prompt::{Model, Prompt, Source};
use scrimp_tokens::Vocabulary;
use scrimp_wire::prices::quote;

use crate::args::DataDir;
use crate::commands::price::{catalog_in, now};
use crate::input;
use crate::ui::OrHint;

/// One of each large vendor, for prompts that name none.
const USUAL: [&str; 3] = ["openai/gpt-5.5", "anthropic/claude-opus-5-5", "gemini/gemini-2.5-pro"];

/// What in a folder is taken for prompts; a licence or a program beside them is none. Files that are
/// named are, whatever they are called.
const PROMPTS: [&str; 8] = ["json", "jsonl", "ndjson", "txt", "md", "prompt", "j2", "tmpl"];

/// Every prompt of files and folders.
pub(super) fn all(paths: &[PathBuf]) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let is_one = |path: &PathBuf| paths.contains(path) || is_called_like_one(path);
    for path in input::files(paths)?.into_iter().filter(is_one) {
        let file = path.display().to_string();
        let prompts = prompts(&path)?;
        sources.extend(prompts.into_iter().map(|prompt| Source { file: file.clone(), prompt }));
    }
    match sources.is_empty() {
        true => bail!("no prompts were found: no file that ends in {}", PROMPTS.join(", ")),
        false => Ok(sources),
    }
}

/// By the end of its name, behind which that of a compression may stand.
fn is_called_like_one(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = [".gz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    name.rsplit_once('.').is_some_and(|(_, end)| PROMPTS.contains(&end))
}

/// The one prompt of a file.
pub(super) fn one(path: &Path) -> Result<Prompt> {
    let mut prompts = prompts(path)?;
    match (prompts.pop(), prompts.len()) {
        (Some(prompt), 0) => Ok(prompt),
        (_, more) => Err(anyhow!("{}: {} prompts in it", path.display(), more + 1))
            .or_hint("one prompt is asked for: a text, or the body of one request"),
    }
}

fn prompts(path: &Path) -> Result<Vec<Prompt>> {
    let text = text(path)?;
    read::read(&text).map_err(|error| {
        let file = path.display();
        match error {
            NotAPrompt::NotJson { line, column, why } => {
                anyhow!("{file}:{line}:{column}: not JSON: {why}")
            }
            NotAPrompt::Other { line } => anyhow!("{file}:{line}: {}", NotAPrompt::WITHOUT),
            NotAPrompt::Empty => anyhow!("{file}: {error}"),
        }
    })
}

/// A file's text, decompressed.
pub(super) fn text(path: &Path) -> Result<String> {
    let file = path.display();
    let mut bytes = Vec::new();
    let opened = input::open(path).and_then(|mut reader| reader.read_to_end(&mut bytes));
    opened.with_context(|| file.to_string())?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        anyhow!("{file}:{line}: not text in UTF-8: it goes wrong at byte {at}")
    })
}

/// The models that were named, else the one that all prompts name, else the usual ones.
pub(super) fn models(
    asked: &[String],
    sources: &[Source],
    data: &DataDir,
) -> Result<(Vec<Model>, Vec<String>)> {
    let catalog = catalog_in(None, data)?;
    let mut names: Vec<&str> = asked.iter().map(String::as_str).collect();
    if names.is_empty() {
        names = sources.iter().filter_map(|source| source.prompt.model()).collect();
        names.sort_unstable();
        names.dedup();
    }
    let mut notes = Vec::new();
    if names.is_empty() {
        names = USUAL.to_vec();
        notes.push(
            "no model is named: one of each large vendor; --model MODEL for yours".to_owned(),
        );
    }
    let mut models = Vec::new();
    for name in names {
        let (row, told) = quote::resolve(&catalog, None, name, now())
            .or_hint("`scrimp models FILTER` lists what is known; --model MODEL names another")?;
        notes.extend(told);
        let vocabulary = Vocabulary::of_model(&row.model).unwrap_or_else(Vocabulary::unknown);
        models.push(Model { row, vocabulary });
    }
    Ok((models, notes))
}
