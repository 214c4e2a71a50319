//! Who calls, and what the caller says about the call.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use scrimp_core::{Caller, Digest};
use scrimp_wire::Key;

/// Tags beyond these are left out: they are kept with every call.
const MOST_TAGS: usize = 16;
const LONGEST_NAME: usize = 128;

/// What a header says of the caller. Of several that say the same, the first in order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Credential(u8),
    Session(u8),
    /// The end user of an application.
    User(u8),
    Operation,
    Tags,
    /// Words without a name, separated by commas.
    Words,
    /// One tag, named behind this many letters of the header's name.
    Property(usize),
}

/// Ours come first, then those of Claude Code, Codex, and of the gateways whose users come from there
/// (Helicone, `LiteLLM`).
fn says(name: &str) -> Option<Says> {
    Some(match name {
        "authorization" => Says::Credential(0),
        "x-api-key" => Says::Credential(1),
        "x-goog-api-key" => Says::Credential(2),
        "api-key" => Says::Credential(3),
        "x-scrimp-session" => Says::Session(0),
        "x-claude-code-session-id" => Says::Session(1),
        "session_id" => Says::Session(2),
        "session-id" => Says::Session(3),
        "conversation_id" => Says::Session(4),
        "helicone-session-id" => Says::Session(5),
        "x-litellm-session-id" => Says::Session(6),
        "helicone-user-id" => Says::User(0),
        "x-litellm-end-user-id" => Says::User(1),
        "x-litellm-customer-id" => Says::User(2),
        "x-scrimp-op" => Says::Operation,
        "x-scrimp-tags" => Says::Tags,
        "x-litellm-tags" => Says::Words,
        _ => {
            let property = "helicone-property-";
            return name.starts_with(property).then_some(Says::Property(property.len()));
        }
    })
}

/// The caller and its own name for what the call does, as far as the head tells. Gemini's key may
/// stand in the query. One look at each header: nearly no call has any but the first.
pub(super) fn caller(
    headers: &HeaderMap,
    query: Option<&str>,
    key: &Key,
) -> (Caller, Option<Arc<str>>) {
    let (mut credential, mut session, mut user) = (None, None, None);
    let (mut operation, mut tags, mut words, mut properties) = (None, "", "", Vec::new());
    for (name, value) in headers {
        let text = || value.to_str().unwrap_or_default();
        match says(name.as_str()) {
            Some(Says::Credential(rank)) => earlier(&mut credential, rank, value),
            Some(Says::Session(rank)) => earlier(&mut session, rank, value),
            Some(Says::User(rank)) => earlier(&mut user, rank, value),
            Some(Says::Operation) => operation = operation.or_else(|| operation_of(text())),
            Some(Says::Tags) if tags.is_empty() => tags = text(),
            Some(Says::Words) if words.is_empty() => words = text(),
            Some(Says::Property(at)) => properties.push((&name.as_str()[at..], text())),
            Some(Says::Tags | Says::Words) | None => {}
        }
    }
    let in_query = || query?.split('&').find_map(|pair| pair.strip_prefix("key="));
    let credential = credential.map(|(_, value)| value.as_bytes());
    let credential = credential.or_else(|| in_query().map(str::as_bytes));
    let user = user.and_then(|(_, user)| user.to_str().ok()).map(|user| ("user", user));
    let own = tags.split(',').filter_map(|pair| pair.split_once('='));
    let words = words.split(',').filter(|word| !word.trim().is_empty()).map(|word| ("tag", word));
    let caller = Caller {
        key: credential.map_or_else(Digest::default, |credential| key.digest("key", credential)),
        session: session.map(|(_, session)| session_digest(session.as_bytes(), key)),
        tags: kept(own.chain(properties).chain(words).chain(user)),
    };
    (caller, operation)
}

/// Keeps the one that comes first in order, and of the same the first.
fn earlier<'h>(kept: &mut Option<(u8, &'h HeaderValue)>, rank: u8, value: &'h HeaderValue) {
    if kept.is_none_or(|(other, _)| rank < other) {
        *kept = Some((rank, value));
    }
}

fn operation_of(name: &str) -> Option<Arc<str>> {
    let name = name.trim();
    (!name.is_empty() && name.len() <= LONGEST_NAME).then(|| name.into())
}

/// The digest of a session's name, wherever the name stood.
pub(super) fn session_digest(name: &[u8], key: &Key) -> Digest {
    key.digest("session", name)
}

/// Tags that are worth keeping.
fn kept<'t>(tags: impl Iterator<Item = (&'t str, &'t str)>) -> Vec<(Arc<str>, Arc<str>)> {
    tags.map(|(name, value)| (name.trim(), value.trim()))
        .filter(|(name, value)| !name.is_empty() && name.len() + value.len() <= LONGEST_NAME)
        .take(MOST_TAGS)
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_who_calls() {
        let key = Key::new([1; 32]);
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", "sk-1".parse().unwrap());
        headers.insert("x-claude-code-session-id", "s".parse().unwrap());
        headers.insert("x-scrimp-tags", "team=a, feature = b,broken,=c".parse().unwrap());
        headers.insert("x-scrimp-op", " review ".parse().unwrap());
        let (Caller { key: who, session, tags }, operation) = caller(&headers, None, &key);
        assert_eq!(who, key.digest("key", b"sk-1"));
        assert_eq!(session, Some(session_digest(b"s", &key)));
        assert_eq!(tags, [("team".into(), "a".into()), ("feature".into(), "b".into())]);
        assert_eq!(operation.as_deref(), Some("review"));
        assert_eq!(caller(&HeaderMap::new(), None, &key).0.key, Digest::default());
        let (in_query, _) = caller(&HeaderMap::new(), Some("alt=sse&key=k"), &key);
        assert_eq!(in_query.key, key.digest("key", b"k"));
    }

    #[test]
    fn what_users_of_other_gateways_send_is_understood() {
        let mut headers = HeaderMap::new();
        headers.insert("helicone-property-Team", "search".parse().unwrap());
        headers.insert("helicone-user-id", "ada".parse().unwrap());
        headers.insert("x-litellm-tags", "beta, nightly".parse().unwrap());
        headers.insert("x-litellm-session-id", "s".parse().unwrap());
        let key = Key::new([1; 32]);
        let (Caller { session, tags, .. }, _) = caller(&headers, None, &key);
        assert_eq!(session, Some(session_digest(b"s", &key)));
        let tags: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(tags, ["team=search", "tag=beta", "tag=nightly", "user=ada"]);
    }
}
