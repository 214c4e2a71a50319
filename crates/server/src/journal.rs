//! Policies that are applied, taken back, and judged.
//!
//! A rule is written into the configuration's file, comments and order kept, and noted in the
//! journal under a number that is also its experiment's. Everything here works on files and store,
//! with a gateway running or without one; a running gateway sees the file change.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use scrimp_analysis::proof::{Proof, Verdict, judge};
use scrimp_core::{JournalEntry, Share, Time};
use scrimp_store::{Reader, Store, StoreError};
use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, Item, Table, value};

use crate::audit::Act;
use crate::config::ConfigError;
pub use crate::files::{Files, Stamps};

/// What is to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// The finding, by id and title.
    pub finding: String,
    /// The rule, as configuration text.
    pub change: String,
    /// The share of units that it acts on.
    pub share: Share,
    /// What it is predicted to change, in millionths of the cost.
    pub predicted_ppm: Option<i64>,
}

/// Why a rule cannot be applied or taken back.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The rule is no rule.
    #[error("the rule cannot be read as TOML with a [prompt_cache] table: {0}")]
    NoRule(String),
    /// With the rule the configuration would be wrong.
    #[error("with this change the configuration would be wrong: {0}")]
    Config(#[from] ConfigError),
    /// The file cannot be read or written.
    #[error("the configuration's file cannot be changed: {0}")]
    File(#[from] io::Error),
    /// The journal cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An entry and what it has shown so far.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The entry.
    pub entry: JournalEntry,
    /// What it has shown.
    pub proof: Proof,
}

/// The file before and after, so that undoing the last change restores every byte.
#[derive(Debug, Serialize, Deserialize)]
struct Texts {
    before: String,
    after: String,
    /// Which file it is: whoever undoes may not have been told.
    #[serde(default)]
    file: Option<PathBuf>,
}

/// Who does what nobody asked for.
const ITSELF: &str = "scrimp";

/// A place in `[prompt_cache]`: its scope's table, or the fields for every call.
type Rules = BTreeMap<String, Item>;

/// Writes a rule into the configuration and notes it, because `who` asks for it. Returns its number.
pub fn apply(
    files: &Files,
    store: &Store,
    application: &Application,
    who: &str,
    now: Time,
) -> Result<u64, JournalError> {
    let act = Act { who, action: "policy_applied", at: now };
    let applied = write_rule(files, store, application, now);
    let (number, replaced) = act.noted_if_refused(store, &application.finding, applied)?;
    let before = (!replaced.is_empty()).then_some(replaced);
    let subject = format!("journal #{number}: {}", application.finding);
    store.add_audit(act.entry(&subject, before, Some(application.change.clone())))?;
    Ok(number)
}

/// Gives the rule's number, and what it replaced.
fn write_rule(
    files: &Files,
    store: &Store,
    application: &Application,
    now: Time,
) -> Result<(u64, String), JournalError> {
    let rules = rules_in(&application.change)?;
    let before = files.text()?;
    let replaced = replaced(&before, &rules)?;
    // Whether it can be written is known before it is noted.
    files.preview(&with(&before, &rules, application.share, 0)?)?;
    let number = store.add_journal(JournalEntry {
        number: 0,
        applied: now,
        undone: None,
        undone_because: None,
        finding: application.finding.clone(),
        added: application.change.clone(),
        replaced: replaced.clone(),
        predicted_ppm: application.predicted_ppm,
        share_millionths: application.share.millionths(),
    })?;
    let after = with(&before, &rules, application.share, number)?;
    if let Err(error) = files.write(&after) {
        store.undo_journal(number, now, "the configuration's file could not be written")?;
        return Err(error.into());
    }
    let file = files.writable().canonicalize().ok();
    let texts = serde_json::to_string(&Texts { before, after, file }).unwrap_or_default();
    store.set_state(&state_key(number), &texts)?;
    Ok((number, replaced))
}

/// Takes a rule back, because `who` asks for it. If nothing was changed since, the file is restored
/// byte for byte; else only the rule itself is taken out, and what it replaced is put back.
pub fn undo(
    files: &Files,
    store: &Store,
    number: u64,
    because: &str,
    who: &str,
    now: Time,
) -> Result<JournalEntry, JournalError> {
    let act = Act { who, action: "policy_undone", at: now };
    let subject = format!("journal #{number}");
    let undone = take_rule_back(files, store, number, because, now);
    let entry = act.noted_if_refused(store, &subject, undone)?;
    let after = (!entry.replaced.is_empty()).then(|| entry.replaced.clone());
    let subject = format!("{subject}: {}", entry.finding);
    store.add_audit(act.entry(&subject, Some(entry.added.clone()), after))?;
    Ok(entry)
}

fn take_rule_back(
    files: &Files,
    store: &Store,
    number: u64,
    because: &str,
    now: Time,
) -> Result<JournalEntry, JournalError> {
    let found = store.journal()?.into_iter().find(|entry| entry.number == number);
    let entry = found.ok_or(StoreError::NoEntry(number))?;
    if entry.undone.is_some() {
        return Err(StoreError::AlreadyUndone(number).into());
    }
    let texts = store.state(&state_key(number));
    let texts = texts.and_then(|texts| serde_json::from_str::<Texts>(&texts).ok());
    let files = &written(files, texts.as_ref());
    let current = files.text()?;
    let restored = match texts {
        Some(texts) if texts.after == current => texts.before,
        _ => without(&current, &entry)?,
    };
    files.preview(&restored)?;
    files.write(&restored)?;
    Ok(store.undo_journal(number, now, because)?)
}

/// The files as they were when the rule was written: it is taken out where it stands, whatever
/// configuration is named now.
fn written(files: &Files, texts: Option<&Texts>) -> Files {
    let Some(file) = texts.and_then(|texts| texts.file.clone()) else { return files.clone() };
    let is_applied = files.applied().canonicalize().is_ok_and(|applied| applied == file);
    let config = (!is_applied).then_some(file);
    Files { config, data: files.data.clone() }
}

/// What every entry has shown so far.
pub fn proofs(reader: &Reader) -> Result<Vec<Judged>, StoreError> {
    let judged = |entry: JournalEntry| {
        let units = reader.units(entry.number)?;
        Ok(Judged { proof: judge(&units, entry.predicted_ppm), entry })
    };
    reader.journal()?.into_iter().map(judged).collect()
}

/// Takes back every rule that has proved dearer. Returns the entries that were taken back.
pub fn guard(files: &Files, store: &Store, now: Time) -> Result<Vec<JournalEntry>, JournalError> {
    let mut undone = Vec::new();
    for Judged { entry, proof } in proofs(&store.reader())? {
        if entry.undone.is_none() && proof.verdict == Verdict::Worse {
            let low = proof.low.unwrap_or(0.0) * 100.0;
            let because = format!("by itself: treated units cost at least {low:.1} % more");
            undone.push(undo(files, store, entry.number, &because, ITSELF, now)?);
        }
    }
    Ok(undone)
}

fn state_key(number: u64) -> String {
    format!("journal/{number}")
}

fn no_rule(why: impl std::fmt::Display) -> JournalError {
    JournalError::NoRule(why.to_string())
}

/// The rules of a change: what stands directly in `[prompt_cache]` under an empty name, and each
/// scope's table under its own.
fn rules_in(change: &str) -> Result<Rules, JournalError> {
    let document = change.parse::<DocumentMut>().map_err(no_rule)?;
    let table = document.get("prompt_cache").and_then(Item::as_table);
    let table = table.ok_or_else(|| no_rule("there is no [prompt_cache]"))?;
    let (scoped, plain): (Vec<_>, Vec<_>) = table.iter().partition(|(_, item)| item.is_table());
    let mut rules = Rules::new();
    for (name, item) in scoped {
        rules.insert(name.to_owned(), item.clone());
    }
    if !plain.is_empty() {
        let mut base = Table::new();
        for (name, item) in plain {
            base.insert(name, item.clone());
        }
        rules.insert(String::new(), Item::Table(base));
    }
    match rules.is_empty() {
        true => Err(no_rule("[prompt_cache] is empty")),
        false => Ok(rules),
    }
}

/// The configuration's text with the rules in it.
fn with(text: &str, rules: &Rules, share: Share, number: u64) -> Result<String, JournalError> {
    let mut document = text.parse::<DocumentMut>().map_err(no_rule)?;
    let section = document.entry("prompt_cache").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let section = section.as_table_mut().ok_or_else(|| no_rule("`prompt_cache` is no table"))?;
    for (scope, rule) in rules {
        let rule = rule.as_table().ok_or_else(|| no_rule("a rule is no table"))?;
        let target = match scope.as_str() {
            "" => &mut *section,
            scope => {
                section.insert(scope, Item::Table(Table::new()));
                section[scope].as_table_mut().ok_or_else(|| no_rule("a rule is no table"))?
            }
        };
        for (name, item) in rule {
            target.insert(name, item.clone());
        }
        target.insert("share", value(f64::from(share.millionths()) / 1e6));
        target.insert("experiment", value(i64::try_from(number).unwrap_or(i64::MAX)));
    }
    Ok(document.to_string())
}

/// What the rules would replace, as configuration text; empty if nothing.
fn replaced(text: &str, rules: &Rules) -> Result<String, JournalError> {
    let mut document = text.parse::<DocumentMut>().map_err(no_rule)?;
    let Some(section) = document.get_mut("prompt_cache").and_then(Item::as_table_mut) else {
        return Ok(String::new());
    };
    let has_base = rules.contains_key("");
    let kept = section.iter().filter(|(name, item)| match item.is_table() {
        true => rules.contains_key(*name),
        false => has_base,
    });
    let mut kept_section = Table::new();
    for (name, item) in kept {
        kept_section.insert(name, item.clone());
    }
    if kept_section.is_empty() {
        return Ok(String::new());
    }
    let mut document = DocumentMut::new();
    document.insert("prompt_cache", Item::Table(kept_section));
    Ok(document.to_string())
}

/// The configuration's text without the rules of `entry`, and with what they had replaced.
fn without(text: &str, entry: &JournalEntry) -> Result<String, JournalError> {
    let mut document = text.parse::<DocumentMut>().map_err(no_rule)?;
    let rules = rules_in(&entry.added)?;
    let replaced = match entry.replaced.is_empty() {
        true => Rules::new(),
        false => rules_in(&entry.replaced)?,
    };
    let section = document.get_mut("prompt_cache").and_then(Item::as_table_mut);
    let Some(section) = section else { return Ok(document.to_string()) };
    for scope in rules.keys() {
        let is_own = |table: &Table| {
            let number = table.get("experiment").and_then(Item::as_integer);
            number.and_then(|number| u64::try_from(number).ok()) == Some(entry.number)
        };
        match scope.as_str() {
            "" if is_own(section) => {
                section.retain(|_, item| item.is_table());
            }
            scope if section.get(scope).and_then(Item::as_table).is_some_and(is_own) => {
                section.remove(scope);
            }
            // Somebody has written another rule in its place since: that one stays.
            _ => continue,
        }
        let before = replaced.get(scope).and_then(Item::as_table);
        match (scope.as_str(), before) {
            (_, None) => {}
            ("", Some(fields)) => fields.iter().for_each(|(name, item)| {
                section.insert(name, item.clone());
            }),
            (scope, Some(table)) => {
                section.insert(scope, Item::Table(table.clone()));
            }
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests;
