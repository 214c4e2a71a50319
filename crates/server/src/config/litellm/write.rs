//! Writing a configuration whose lines know where they come from.

use std::collections::BTreeMap;

use super::yaml::Place;

/// Lines of a configuration.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
    places: Vec<Option<Place>>,
}

impl Lines {
    pub(super) fn put(&mut self, line: &str, place: Option<Place>) {
        self.text.push_str(line);
        self.text.push('\n');
        self.places.push(place);
    }

    /// A comment, of which nothing gets out, whatever is in it.
    pub(super) fn comment(&mut self, text: &str) {
        self.put(&format!("# {}", text.replace(char::is_control, " ")), None);
    }

    /// The text, and where each of its lines comes from.
    pub(super) fn done(self) -> (String, Vec<Option<Place>>) {
        (self.text, self.places)
    }
}

/// A text as TOML writes it, on one line.
pub(super) fn quoted(text: &str) -> String {
    // What JSON escapes TOML escapes alike, but for a slash that JSON need not escape and does not.
    serde_json::to_string(text).unwrap_or_default().replace('\u{7f}', "\\u007f")
}

/// A key as TOML writes it.
pub(super) fn key(text: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_bare) {
        true => text.to_owned(),
        false => quoted(text),
    }
}

/// How a text of LiteLLM's is written here: a variable as `${NAME}`, and one that the file itself sets
/// as what it is set to.
pub(super) fn text(text: &str, variables: &BTreeMap<String, String>) -> String {
    let Some(name) = text.strip_prefix("os.environ/") else { return text.to_owned() };
    match variables.get(name) {
        // It may be a variable of the environment in turn, but not of the file.
        Some(value) => self::text(value, &BTreeMap::new()),
        None => format!("${{{name}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_survives_toml() {
        for text in ["a", "a\"b\\c", "ünï", "tab\there", "line\nbreak", "\u{7f}\u{1}"] {
            let toml = format!("{} = {}\n", key(text), quoted(text));
            let table: toml::Table = toml::from_str(&toml).unwrap();
            assert_eq!(table[text].as_str(), Some(text), "{toml}");
        }
    }
}
