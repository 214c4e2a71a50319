//! `scrimp keys`: virtual keys, with a gateway running or without one.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use scrimp_core::{Time, VirtualKey};
use scrimp_server::keys::{self, Made, Shown, Wanted, state};
use scrimp_store::{OpenError, Options, Reader, Store};
use serde_json::{Value, json};

use super::data_dir;
use super::price::now;
use super::running::{Running, user};
use crate::args::keys::{Create, Expiry, Keys, List, One};
use crate::ui::{self, OrHint};

const ELSEWHERE: &str = "another data directory is named with --data DIR, or by SCRIMP_DATA";

/// `scrimp keys …`
pub(crate) fn run(arguments: &Keys) -> Result<()> {
    match arguments {
        Keys::Create(arguments) => create(arguments),
        Keys::List(arguments) => list(arguments),
        Keys::Show(arguments) => show(arguments),
        Keys::Revoke(arguments) => revoke(arguments),
    }
}

fn create(arguments: &Create) -> Result<()> {
    let data = data_dir(&arguments.data)?;
    let made = match Store::open(&data, Options::STANDARD) {
        Ok(store) => {
            let made = keys::create(&store, wanted(arguments), &user(), now())?;
            store.close()?;
            let Made { key, text } = made;
            let mut made = json!(Shown::of(&key, now()));
            made["key"] = json!(text.reveal());
            made
        }
        Err(busy @ OpenError::Locked { .. }) => {
            let running = Running::on(&data).ok_or(busy)?;
            running.post("keys", &asked(&wanted(arguments)))?
        }
        Err(error) => return Err(error.into()),
    };
    if arguments.json.json {
        return ui::print_json(&made);
    }
    let word = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    eprintln!(
        "key {}: shown this once and kept nowhere; send it where the provider's would stand",
        word("id")
    );
    ui::print(&word("key"))
}

fn wanted(arguments: &Create) -> Wanted {
    let expires = arguments.expires.map(|expiry| match expiry {
        Expiry::After(span) => now() + span,
        Expiry::On(day) => day,
    });
    let tags = arguments.tags.iter();
    Wanted {
        name: arguments.name.as_deref().map(Into::into),
        models: arguments.models.iter().map(|model| model.as_str().into()).collect(),
        expires_ms: expires.map(Time::millis),
        team: arguments.team.as_deref().map(Into::into),
        tags: tags.map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect(),
    }
}

/// What the interface of a running gateway takes.
fn asked(wanted: &Wanted) -> Value {
    let Wanted { name, models, expires_ms, team, tags } = wanted;
    json!({ "name": name, "models": models, "expires_ms": expires_ms, "team": team, "tags": tags })
}

fn list(arguments: &List) -> Result<()> {
    let data = data_dir(&arguments.data)?;
    let mut keys = Reader::open(&data).or_hint(ELSEWHERE)?.virtual_keys()?;
    keys.sort_by_key(|key| key.created);
    if arguments.json.json {
        let shown: Vec<_> = keys.iter().map(|key| Shown::of(key, now())).collect();
        return ui::print_json(&json!({ "keys": shown }));
    }
    if keys.is_empty() {
        return ui::print("no key was made yet; `scrimp keys create` makes one");
    }
    let row = |id: &str, state: &str, expires: &str, team: &str, models: &str, name: &str| {
        format!("{id:<12}  {state:<7}  {expires:<9}  {team:<12}  {models:<24}  {name}")
    };
    let mut lines = vec![row("key", "state", "expires", "team", "models", "name")];
    for key in &keys {
        let (team, name) = (key.team.as_deref(), key.name.as_deref());
        let (team, name) = (team.unwrap_or("-"), name.unwrap_or(""));
        lines.push(row(&key.id, state(key, now()), &expires(key), team, &models(key), name));
    }
    ui::print(&lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n"))
}

fn show(arguments: &One) -> Result<()> {
    let data = data_dir(&arguments.data)?;
    let keys = Reader::open(&data).or_hint(ELSEWHERE)?.virtual_keys()?;
    let found = keys.iter().find(|key| *key.id == *arguments.id);
    let key = found
        .with_context(|| format!("there is no key `{}`", arguments.id))
        .or_hint("`scrimp keys list` lists them")?;
    match arguments.json.json {
        true => ui::print_json(&Shown::of(key, now())),
        false => ui::print(&described(key)?),
    }
}

fn described(key: &VirtualKey) -> Result<String> {
    let mut text = format!("{}  {}\n", key.id, state(key, now()));
    let mut line = |label: &str, value: &str| writeln!(text, "{label:<8} {value}");
    line("name", key.name.as_deref().unwrap_or("-"))?;
    line("models", &models(key))?;
    line("expires", &expires(key))?;
    line("team", key.team.as_deref().unwrap_or("-"))?;
    let tags: Vec<_> = key.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    match tags.is_empty() {
        true => line("tags", "-")?,
        false => line("tags", &tags.join(", "))?,
    }
    Ok(text)
}

fn revoke(arguments: &One) -> Result<()> {
    let data = data_dir(&arguments.data)?;
    // Opening for writing would make a store where there is none.
    drop(Reader::open(&data).or_hint(ELSEWHERE)?);
    let revoked = match Store::open(&data, Options::STANDARD) {
        Ok(store) => {
            let revoked = keys::revoke(&store, &arguments.id, &user(), now());
            store.close()?;
            json!(Shown::of(&revoked.or_hint("`scrimp keys list` lists them")?, now()))
        }
        Err(busy @ OpenError::Locked { .. }) => {
            let running = Running::on(&data).ok_or(busy)?;
            if !arguments.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                bail!("there is no key `{}`", arguments.id);
            }
            running.delete(&format!("keys/{}", arguments.id))?
        }
        Err(error) => return Err(error.into()),
    };
    match arguments.json.json {
        true => ui::print_json(&revoked),
        false => ui::print(&format!("revoked: {}", arguments.id)),
    }
}

fn models(key: &VirtualKey) -> String {
    match key.models.is_empty() {
        true => "all".to_owned(),
        false => key.models.join(", "),
    }
}

/// `in 90d`, `3h ago`, `never`
fn expires(key: &VirtualKey) -> String {
    let Some(at) = key.expires else { return "never".to_owned() };
    let minutes = at.since(now()).nanos() / 60_000_000_000;
    let length = match minutes.unsigned_abs() {
        minutes if minutes < 120 => format!("{minutes}m"),
        minutes if minutes < 48 * 60 => format!("{}h", minutes / 60),
        minutes => format!("{}d", minutes / 1_440),
    };
    match now() < at {
        true => format!("in {length}"),
        false => format!("{length} ago"),
    }
}
