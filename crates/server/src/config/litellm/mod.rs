//! LiteLLM's `config.yaml`: what of it maps to a configuration here, and what does not.
//!
//! Nothing is dropped in silence. What has no place here is listed with its line; and what decides who
//! may call, what may be spent or what may be sent refuses a start with the file as it is. A key that
//! LiteLLM would not know either, and that looks like one that it knows, is a slip and an error.

mod keys;
mod models;
mod write;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use keys::{Fate, Keys};
use models::Served;
use write::Lines;
use yaml::{Kind, Node, Place};

use super::problem::{ConfigError, distance, nearest};
use super::values;

/// What became of a file of LiteLLM's.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The same as a configuration here.
    pub toml: String,
    /// What was taken over.
    pub maps: Vec<Note>,
    /// What was left out, and matters to nobody.
    pub ignored: Vec<Note>,
    /// What was left out, and makes calls differ from LiteLLM's.
    pub not_yet: Vec<Note>,
    /// What must not be left out: a start with the file as it is would let somebody do what they must
    /// not.
    pub refused: Vec<Note>,
    /// Where each line of `toml` comes from.
    places: Vec<Option<Place>>,
}

/// One thing in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Line and column, both from 1.
    pub place: (usize, usize),
    /// Its path in the file.
    pub what: String,
    /// What became of it, or why nothing did.
    pub why: String,
}

/// Whether a file is LiteLLM's, by its name.
pub fn is_litellm(path: &std::path::Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| matches!(extension, "yaml" | "yml"))
}

/// Reads a file of LiteLLM's. `name` is what it is called in errors.
///
/// # Errors
/// If it is no YAML, if it is not shaped as LiteLLM's is, or if a key is a slip.
pub fn import(name: &str, text: &str) -> Result<Import, ConfigError> {
    let mut reading =
        Reading { name, import: Import::default(), http: BTreeMap::new(), retention: None };
    let root = yaml::read(text).map_err(|(place, why)| reading.wrong(place, why))?;
    let Some(root) = root else {
        return Err(reading.wrong((1, 1), "there is nothing in it".to_owned()));
    };
    reading.whole(&root)?;
    Ok(reading.import)
}

impl Import {
    /// Refuses a start with the file as it is.
    ///
    /// # Errors
    /// If something in it must not be left out.
    pub fn check(&self, name: &str) -> Result<(), ConfigError> {
        let Some(Note { place, what, why }) = self.refused.first() else { return Ok(()) };
        let others = match self.refused.len() {
            1 => String::new(),
            count => format!("; and {} more", count - 1),
        };
        let message = format!("`{what}` cannot be left out: {why}{others}");
        Err(ConfigError { file: name.to_owned(), place: Some(*place), message, suggestion: None })
    }

    /// An error in [`Import::toml`] with its place in the file that this came from.
    pub(crate) fn relocated(&self, mut error: ConfigError, name: &str) -> ConfigError {
        if error.file == name {
            let line = error.place.and_then(|(line, _)| self.places.get(line - 1).copied());
            error.place = line.flatten();
        }
        error
    }
}

/// A file that is being read.
struct Reading<'a> {
    name: &'a str,
    import: Import,
    /// Limits of size and time, by their key.
    http: BTreeMap<&'static str, (String, Place)>,
    retention: Option<(String, Place)>,
}

impl Reading<'_> {
    fn wrong(&self, place: Place, message: String) -> ConfigError {
        ConfigError { file: self.name.to_owned(), place: Some(place), message, suggestion: None }
    }

    fn note(&mut self, fate: Fate, place: Place, what: String, why: impl Into<String>) {
        let note = Note { place, what, why: why.into() };
        let Import { maps, ignored, not_yet, refused, .. } = &mut self.import;
        match fate {
            Fate::Maps => maps.push(note),
            Fate::Harmless => ignored.push(note),
            Fate::NotYet => not_yet.push(note),
            Fate::Unsafe => refused.push(note),
        }
    }

    /// Notes the keys of a section that do not map. Returns those that do.
    fn section<'n>(
        &mut self,
        path: &str,
        node: &'n Node,
        table: &'static [Keys],
    ) -> Result<Vec<(&'n str, &'n Node, Place)>, ConfigError> {
        if !matches!(node.kind, Kind::Map(_)) && !node.is_null() {
            return Err(self.wrong(node.place, format!("{path} must be a mapping")));
        }
        let mut mapping = Vec::new();
        for entry in node.entries() {
            let key = entry.key.as_str();
            let (fate, why) = match keys::fate(table, key) {
                Some(known) => known,
                None => self.stranger(path, key, entry.place, table)?,
            };
            let what = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            match fate {
                Fate::Maps => mapping.push((key, &entry.value, entry.place)),
                Fate::Unsafe | Fate::NotYet if entry.value.is_off() => {
                    self.note(Fate::Harmless, entry.place, what, "off");
                }
                _ => self.note(fate, entry.place, what, why),
            }
        }
        Ok(mapping)
    }

    /// A key that is in no table: a slip if it is near to one that is.
    fn stranger(
        &self,
        path: &str,
        key: &str,
        place: Place,
        table: &'static [Keys],
    ) -> Result<(Fate, &'static str), ConfigError> {
        const SLIPS: usize = 2;
        let near = nearest(key, keys::names(table));
        match near.filter(|near| distance(key, near) <= SLIPS) {
            None => Ok(keys::stranger(key)),
            suggestion => {
                let within = if path.is_empty() { "the file" } else { path };
                let wrong = self.wrong(place, format!("unknown field `{key}` in {within}"));
                Err(ConfigError { suggestion, ..wrong })
            }
        }
    }

    fn whole(&mut self, root: &Node) -> Result<(), ConfigError> {
        let sections = self.section("", root, keys::TOP)?;
        let variables = variables(root);
        let write = |text: &str| write::text(text, &variables);
        let mut models = Models::default();
        for (name, node, _) in &sections {
            match *name {
                "model_list" => self.models(node, &mut models, &write)?,
                "litellm_settings" => self.settings(node)?,
                "general_settings" => self.general(node)?,
                _ => {}
            }
        }
        for (name, node, place) in &sections {
            match *name {
                "router_settings" => self.router(node, &mut models)?,
                "environment_variables" => {
                    self.note(
                        Fate::Maps,
                        *place,
                        (*name).to_owned(),
                        "put in where they are named",
                    );
                }
                _ => {}
            }
        }
        let Import { maps, ignored, not_yet, refused, .. } = &mut self.import;
        for notes in [maps, ignored, not_yet, refused] {
            notes.sort_by_key(|note| note.place);
        }
        self.write(&models);
        Ok(())
    }

    fn models(
        &mut self,
        list: &Node,
        models: &mut Models,
        write: models::Write<'_>,
    ) -> Result<(), ConfigError> {
        if !matches!(list.kind, Kind::List(_)) && !list.is_null() {
            return Err(self.wrong(list.place, "model_list must be a list".to_owned()));
        }
        for (n, entry) in list.items().iter().enumerate() {
            let path = format!("model_list[{n}]");
            let found = self.section(&path, entry, keys::MODEL)?;
            let part = |name: &str| found.iter().find(|(key, ..)| *key == name);
            if let Some((_, info, _)) = part("model_info") {
                self.section(&format!("{path}.model_info"), info, keys::MODEL_INFO)?;
            }
            let alias = part("model_name").and_then(|(_, name, _)| name.text());
            let alias = alias
                .ok_or_else(|| self.wrong(entry.place, format!("{path} has no `model_name`")))?;
            let (_, parameters, _) = part("litellm_params").ok_or_else(|| {
                self.wrong(entry.place, format!("{path} has no `litellm_params`"))
            })?;
            self.section(&format!("{path}.litellm_params"), parameters, keys::PARAMS)?;
            let deployment = models::deployment(parameters, &mut models.providers, write)
                .map_err(|(place, why)| self.wrong(place, why))?;
            let place = entry.place;
            let what = format!("{path} `{alias}`");
            match deployment {
                Err(why) => self.note(Fate::NotYet, place, what, why),
                Ok(_) if models.targets.iter().any(|(known, ..)| known == alias) => {
                    let why = "a name leads to one target; calls go to the first of this name only";
                    self.note(Fate::NotYet, place, what, why);
                }
                Ok(models::Deployment { provider, model }) => {
                    let served = &models.providers[provider];
                    let target = format!("{}/{model}", served.name);
                    let whose = match &served.api_key {
                        Some(_) => "",
                        None => ", with the caller's own key",
                    };
                    self.note(Fate::Maps, place, what, format!("calls go to {target}{whose}"));
                    models.used.insert(provider);
                    models.targets.push((alias.to_owned(), target, place));
                }
            }
        }
        Ok(())
    }

    fn settings(&mut self, node: &Node) -> Result<(), ConfigError> {
        for (key, value, place) in self.section("litellm_settings", node, keys::SETTINGS)? {
            let what = format!("litellm_settings.{key}");
            if key == "request_timeout" {
                self.first_token(what, value, place)?;
                continue;
            }
            for item in value.items() {
                let name = item.text().unwrap_or("(no name)");
                let (fate, why) = keys::callback(name);
                self.note(fate, item.place, format!("{what}: {name}"), why);
            }
        }
        Ok(())
    }

    fn router(&mut self, node: &Node, models: &mut Models) -> Result<(), ConfigError> {
        for (key, value, place) in self.section("router_settings", node, keys::ROUTER)? {
            if key == "timeout" {
                self.first_token(format!("router_settings.{key}"), value, place)?;
                continue;
            }
            for alias in value.entries() {
                let what = format!("router_settings.model_group_alias.{}", alias.key);
                let named = alias.value.get("model").unwrap_or(&alias.value).text().unwrap_or("");
                let target = models.targets.iter().find(|(known, ..)| known == named);
                let Some((_, target, _)) = target.cloned() else {
                    let why = format!("`{named}` is no model of the list that is served here");
                    self.note(Fate::NotYet, alias.place, what, why);
                    continue;
                };
                self.note(Fate::Maps, alias.place, what, format!("calls go to {target}"));
                // As LiteLLM has it, it wins over a model of the same name.
                models.targets.retain(|(known, ..)| *known != alias.key);
                models.targets.push((alias.key.clone(), target, alias.place));
            }
        }
        Ok(())
    }

    fn general(&mut self, node: &Node) -> Result<(), ConfigError> {
        for (key, value, place) in self.section("general_settings", node, keys::GENERAL)? {
            let what = format!("general_settings.{key}");
            let text = value.text().unwrap_or_default();
            let whole = || text.parse::<u64>().ok().filter(|number| 0 < *number);
            match key {
                "max_request_size_mb" if whole().is_some() => {
                    self.note(Fate::Maps, place, what, "`body_bytes` in [http]");
                    self.http.insert("body_bytes", (format!("\"{text}MiB\""), place));
                }
                "global_max_parallel_requests" if whole().is_some() => {
                    self.note(Fate::Maps, place, what, "`calls` in [http]; more get 503");
                    self.http.insert("calls", (text.to_owned(), place));
                }
                "maximum_spend_logs_retention_period" if values::is_length(text) => {
                    self.note(Fate::Maps, place, what, "`retention` in [store]");
                    self.retention = Some((text.to_owned(), place));
                }
                _ if value.is_off() => self.note(Fate::Harmless, place, what, "off"),
                _ => self.note(Fate::NotYet, place, what, format!("`{text}` is not understood")),
            }
        }
        Ok(())
    }

    /// How long an answer may take to begin, which for one that does not stream is all of it.
    fn first_token(&mut self, what: String, value: &Node, place: Place) -> Result<(), ConfigError> {
        let text = value.text().unwrap_or_default();
        let seconds =
            text.parse::<f64>().ok().filter(|seconds| 0.001 <= *seconds && *seconds < 1e9);
        let seconds = seconds.ok_or_else(|| {
            self.wrong(value.place, format!("`{text}` is no length of time in seconds"))
        })?;
        let length = match seconds.fract() == 0.0 {
            true => format!("\"{seconds:.0}s\""),
            false => format!("\"{:.0}ms\"", seconds * 1e3),
        };
        self.note(Fate::Maps, place, what, "`first_token_timeout` in [http]");
        self.http.insert("first_token_timeout", (length, place));
        Ok(())
    }

    /// The configuration, each of whose lines knows where it comes from.
    fn write(&mut self, models: &Models) {
        let mut lines = Lines::default();
        lines.comment(&format!("Made from {}.", self.name));
        for Note { what, why, .. } in self.import.refused.iter().chain(&self.import.not_yet) {
            lines.comment(&format!("left out: {what}: {why}"));
        }
        for at in &models.used {
            provider(&mut lines, &models.providers[*at]);
        }
        for (alias, target, place) in &models.targets {
            lines.put("", None);
            lines.put(&format!("[models.{}]", write::key(alias)), Some(*place));
            lines.put(&format!("targets = [{}]", write::quoted(target)), Some(*place));
        }
        let mut table = |header: &str, keys: Vec<(&str, &(String, Place))>| {
            if !keys.is_empty() {
                lines.put("", None);
                lines.put(header, None);
            }
            for (key, (value, place)) in keys {
                lines.put(&format!("{key} = {value}"), Some(*place));
            }
        };
        table("[http]", self.http.iter().map(|(key, value)| (*key, value)).collect());
        let retention = self.retention.as_ref().map(|(text, at)| (write::quoted(text), *at));
        table("[store]", retention.iter().map(|value| ("retention", value)).collect());
        (self.import.toml, self.import.places) = lines.done();
    }
}

/// The deployments that are served, and by whom.
#[derive(Default)]
struct Models {
    providers: Vec<Served>,
    /// Those of them that a name leads to.
    used: BTreeSet<usize>,
    /// Names, what they lead to, and where that is written.
    targets: Vec<(String, String, Place)>,
}

fn provider(lines: &mut Lines, served: &Served) {
    let Served { name, base_url, api_key, .. } = served;
    let own = served.own();
    if own.is_empty() && base_url.is_none() && api_key.is_none() {
        return;
    }
    let place = base_url.as_ref().or(api_key.as_ref()).map(|(_, place)| *place);
    lines.put("", None);
    lines.put(&format!("[providers.{}]", write::key(name)), place);
    if let Some((url, place)) = base_url {
        lines.put(&format!("base_url = {}", write::quoted(url)), Some(*place));
    }
    for (key, value) in own {
        lines.put(&format!("{key} = {}", write::quoted(&value)), place);
    }
    if let Some((key, place)) = api_key {
        lines.put(&format!("api_key = {}", write::quoted(key)), Some(*place));
    }
}

/// The variables that the file sets.
fn variables(root: &Node) -> BTreeMap<String, String> {
    let section = root.get("environment_variables");
    let entries = section.into_iter().flat_map(Node::entries);
    entries.filter_map(|entry| Some((entry.key.clone(), entry.value.text()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests;
