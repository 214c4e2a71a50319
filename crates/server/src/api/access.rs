//! Who may look at a gateway, and who may change it.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};

use serde::Serialize;

use crate::config::{Config, Role};

/// The header without which nothing is changed: no page of another origin can send it unasked.
const CONTROL: &str = "x-scrimp-control";
/// Somebody who may look at least.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Who {
    /// As the audit log calls them.
    pub(super) name: String,
    pub(super) role: Role,
}

/// Who does what is done without a token.
const LOCAL: &str = "local";

/// Why somebody may not.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// There is no token, or an unknown one.
    Unknown,
    /// The token is a viewer's, and this is a change.
    Viewer {
        /// The token's name.
        name: String,
    },
}

/// Who asks. Without tokens, whoever reaches a loopback address may
/// look, and changes need a header that no foreign page can send. With them both need one.
pub(super) fn who(config: &Config, method: &Method, headers: &HeaderMap) -> Result<Who, Denied> {
    let is_look = matches!(*method, Method::GET | Method::HEAD);
    let sent = headers.get(CONTROL).map(HeaderValue::as_bytes);
    let tokens = &config.listen.tokens;
    if tokens.is_empty() {
        let may = is_look || sent.is_some();
        let who = Who { name: LOCAL.to_owned(), role: Role::Operator };
        return if may { Ok(who) } else { Err(Denied::Unknown) };
    }
    let bearer = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let bearer = bearer.and_then(|value| value.strip_prefix(b"Bearer "));
    let mut guesses = [bearer, sent].into_iter().flatten();
    let token = guesses.find_map(|guess| tokens.iter().find(|token| token.is(guess)));
    let token = token.ok_or(Denied::Unknown)?;
    match token.role {
        Role::Viewer if !is_look => Err(Denied::Viewer { name: token.name.clone() }),
        Role::Viewer | Role::Operator => Ok(Who { name: token.name.clone(), role: token.role }),
    }
}
