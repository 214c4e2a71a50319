//! Who calls, and what the caller says about the call.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use scrimp_core::{Caller, Digest};
use scrimp_wire::Key;

/// Headers that name a session, in order of precedence: ours, then those of Claude Code, Codex and
/// of the gateways whose users come from there.
static SESSIONS: [HeaderName; 7] = [
    HeaderName::from_static("x-scrimp-session"),
    HeaderName::from_static("x-claude-code-session-id"),
    HeaderName::from_static("session_id"),
    HeaderName::from_static("session-id"),
    HeaderName::from_static("conversation_id"),
    HeaderName::from_static("helicone-session-id"),
    HeaderName::from_static("x-litellm-session-id"),
];
static CREDENTIALS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("api-key"),
];
static OPERATION: HeaderName = HeaderName::from_static("x-scrimp-op");
static TAGS: HeaderName = HeaderName::from_static("x-scrimp-tags");
/// Words without a name, separated by commas, as users of `LiteLLM` send them.
static WORDS: HeaderName = HeaderName::from_static("x-litellm-tags");
/// Headers that name the end user of an application, as users of other gateways send them.
static USERS: [HeaderName; 3] = [
    HeaderName::from_static("helicone-user-id"),
    HeaderName::from_static("x-litellm-end-user-id"),
    HeaderName::from_static("x-litellm-customer-id"),
];
/// What begins the names of other gateways' headers.
const OTHERS: [&str; 2] = ["helicone-", "x-litellm-"];
/// What begins the names of headers that are tags with Helicone.
const PROPERTY: &str = "helicone-property-";
/// Tags beyond these are left out: they are kept with every call.
const MOST_TAGS: usize = 16;
const LONGEST_NAME: usize = 128;

/// The caller, as far as the head tells. Gemini's key may stand in the query.
pub(super) fn caller(headers: &HeaderMap, query: Option<&str>, key: &Key) -> Caller {
    let in_query = || query?.split('&').find_map(|pair| pair.strip_prefix("key="));
    let credential = headers
        .get(AUTHORIZATION)
        .or_else(|| CREDENTIALS.iter().find_map(|name| headers.get(name)))
        .map(HeaderValue::as_bytes)
        .or_else(|| in_query().map(str::as_bytes));
    let session = SESSIONS.iter().find_map(|name| headers.get(name)).map(HeaderValue::as_bytes);
    Caller {
        key: credential.map_or_else(Digest::default, |credential| key.digest("key", credential)),
        session: session.map(|session| session_digest(session, key)),
        tags: tags(headers),
    }
}

/// The digest of a session's name, wherever the name stood.
pub(super) fn session_digest(name: &[u8], key: &Key) -> Digest {
    key.digest("session", name)
}

/// The caller's own name for what the call does.
pub(super) fn operation(headers: &HeaderMap) -> Option<Arc<str>> {
    let name = headers.get(&OPERATION)?.to_str().ok()?.trim();
    (!name.is_empty() && name.len() <= LONGEST_NAME).then(|| name.into())
}

fn tags(headers: &HeaderMap) -> Vec<(Arc<str>, Arc<str>)> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let own = text(&TAGS).into_iter().flat_map(|list| list.split(','));
    let own = own.filter_map(|pair| pair.split_once('='));
    // Nearly no call has any of the others: one look at the names is cheaper than to ask for each.
    let is_other = |name: &HeaderName| OTHERS.iter().any(|start| name.as_str().starts_with(start));
    if !headers.keys().any(is_other) {
        return kept(own);
    }
    let words = text(&WORDS).into_iter().flat_map(|list| list.split(','));
    let properties = headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().strip_prefix(PROPERTY)?, value.to_str().ok()?))
    });
    let users = USERS.iter().filter_map(text);
    let words = words.map(|word| ("tag", word));
    let users = users.map(|user| ("user", user)).take(1);
    kept(own.chain(properties).chain(words).chain(users))
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
        let Caller { key: who, session, tags } = caller(&headers, None, &key);
        assert_eq!(who, key.digest("key", b"sk-1"));
        assert_eq!(session, Some(session_digest(b"s", &key)));
        assert_eq!(tags, [("team".into(), "a".into()), ("feature".into(), "b".into())]);
        assert_eq!(operation(&headers).as_deref(), Some("review"));
        assert_eq!(caller(&HeaderMap::new(), None, &key).key, Digest::default());
        let in_query = caller(&HeaderMap::new(), Some("alt=sse&key=k"), &key);
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
        let Caller { session, tags, .. } = caller(&headers, None, &key);
        assert_eq!(session, Some(session_digest(b"s", &key)));
        let tags: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(tags, ["team=search", "tag=beta", "tag=nightly", "user=ada"]);
    }
}
