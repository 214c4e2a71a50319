//! Who may look at a gateway, and who may change it.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};

use crate::config::{Config, Role};

/// The header without which nothing is changed: no page of another origin can send it unasked.
const CONTROL: &str = "x-scrimp-control";
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

/// Who asks, as the audit log calls them. Without tokens, whoever reaches a loopback address may
/// look, and changes need a header that no foreign page can send. With them both need one.
pub(super) fn who(config: &Config, method: &Method, headers: &HeaderMap) -> Result<String, Denied> {
    let is_look = matches!(*method, Method::GET | Method::HEAD);
    let sent = headers.get(CONTROL).map(HeaderValue::as_bytes);
    let tokens = &config.listen.tokens;
    if tokens.is_empty() {
        let may = is_look || sent.is_some();
        return if may { Ok(LOCAL.to_owned()) } else { Err(Denied::Unknown) };
    }
    let bearer = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let bearer = bearer.and_then(|value| value.strip_prefix(b"Bearer "));
    let mut guesses = [bearer, sent].into_iter().flatten();
    let token = guesses.find_map(|guess| tokens.iter().find(|token| token.is(guess)));
    let token = token.ok_or(Denied::Unknown)?;
    match token.role {
        Role::Viewer if !is_look => Err(Denied::Viewer { name: token.name.clone() }),
        Role::Viewer | Role::Operator => Ok(token.name.clone()),
    }
}
