//! Control tokens: who may look at a gateway, and who may change it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use scrimp_core::KeyHash;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::file::TokenTable;
use super::problem::{ConfigError, Source};
use super::provider::secret;
use super::values::Lookup;
use crate::keys;

/// The name of the token in `control_token`.
const UNNAMED: &str = "control_token";

/// What the bearer of a token may do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Look; apply and take back rules, make and revoke keys.
    Operator,
}

/// A control token. Its text is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What the audit log calls its bearer.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// The SHA-256 of its text.
    hash: KeyHash,
}

impl Token {
    /// Whether `guess` is the token. How long that takes says something of the guess's hash only.
    pub fn is(&self, guess: &[u8]) -> bool {
        keys::hash(guess) == self.hash
    }
}

/// All tokens: `control_token`, whose bearer is an operator, and those with a name.
pub(super) fn all(
    source: &Source<'_>,
    unnamed: Option<Spanned<String>>,
    named: BTreeMap<Spanned<String>, TokenTable>,
    environment: Lookup<'_>,
) -> Result<Vec<Token>, ConfigError> {
    let unnamed = unnamed.map(|written| -> Result<Token, ConfigError> {
        let text = secret(source, &written, environment)?;
        let hash = keys::hash(text.reveal().as_bytes());
        Ok(Token { name: UNNAMED.to_owned(), role: Role::Operator, hash })
    });
    let named = named.into_iter().map(|(name, table)| one(source, &name, table, environment));
    unnamed.into_iter().chain(named).collect()
}

fn one(
    source: &Source<'_>,
    name: &Spanned<String>,
    table: TokenTable,
    environment: Lookup<'_>,
) -> Result<Token, ConfigError> {
    let TokenTable { token, sha256, role } = table;
    let text = name.as_ref();
    let wrong = |why: &str| {
        Err(source.wrong(Some(name.span()), format!("the control token `{text}` {why}")))
    };
    // The audit log has these words for others.
    let is_taken = ["", "local", "scrimp", "file", UNNAMED].contains(&text.as_str());
    if is_taken || text.starts_with("cli:") || text.chars().any(char::is_control) {
        return wrong("cannot be called so: the audit log calls others by this name");
    }
    let hash = match (token, sha256) {
        (Some(written), None) => {
            keys::hash(secret(source, &written, environment)?.reveal().as_bytes())
        }
        (None, Some(written)) => written.as_ref().parse().map_err(|error| {
            source.wrong(Some(written.span()), format!("this is no SHA-256: {error}"))
        })?,
        (Some(_), Some(_)) | (None, None) => {
            return wrong("needs either `token`, its text, or `sha256`, the hash of its text");
        }
    };
    Ok(Token { name: text.clone(), role, hash })
}
