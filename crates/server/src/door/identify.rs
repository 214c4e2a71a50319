//! Who calls, and what the caller says about the call.

use std::iter;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use scrimp_core::{Caller, Digest, VirtualKey};
use scrimp_wire::Key;

use crate::keys;

static CREDENTIALS: [HeaderName; 4] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("api-key"),
];
/// For callers that send a provider their own key beside their virtual one.
static VIRTUAL: HeaderName = HeaderName::from_static("x-scrimp-key");
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

/// What a caller shows to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    /// A provider's key, something else, or nothing.
    Foreign,
    /// A virtual key of this or another gateway.
    Virtual,
}

/// What a head tells of a call.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) caller: Caller,
    /// The caller's own name for what the call does.
    pub(super) operation: Option<Arc<str>>,
    pub(super) credential: Credential,
}

/// The caller, as far as the head tells. Gemini's key may stand in the query. One look at each
/// header: nearly no call has any but the first.
pub(super) fn caller(headers: &HeaderMap, query: Option<&str>, key: &Key) -> Told {
    let (mut credential, mut session, mut user) = (None, None, None);
    let (mut operation, mut tags, mut words, mut properties) = (None, "", "", Vec::new());
    let mut is_virtual = false;
    for (name, value) in headers {
        let text = || value.to_str().unwrap_or_default();
        match says(name.as_str()) {
            Some(Says::Credential(rank)) => {
                is_virtual |= keys::is_virtual(bare(value.as_bytes()));
                earlier(&mut credential, rank, value);
            }
            Some(Says::Session(rank)) => earlier(&mut session, rank, value),
            Some(Says::User(rank)) => earlier(&mut user, rank, value),
            Some(Says::Operation) => operation = operation.or_else(|| operation_of(text())),
            Some(Says::Tags) if tags.is_empty() => tags = text(),
            Some(Says::Words) if words.is_empty() => words = text(),
            Some(Says::Property(at)) => properties.push((&name.as_str()[at..], text())),
            Some(Says::Tags | Says::Words) | None => {}
        }
    }
    let in_query = query.and_then(|query| query.split('&').find_map(|p| p.strip_prefix("key=")));
    let in_query = in_query.map(str::as_bytes);
    is_virtual |= in_query.is_some_and(keys::is_virtual);
    let credential = credential.map(|(_, value)| value.as_bytes()).or(in_query);
    let user = user.and_then(|(_, user)| user.to_str().ok()).map(|user| ("user", user));
    let own = tags.split(',').filter_map(|pair| pair.split_once('='));
    let words = words.split(',').filter(|word| !word.trim().is_empty()).map(|word| ("tag", word));
    let caller = Caller {
        key: credential.map_or_else(Digest::default, |shown| key.digest("key", lasting(shown))),
        session: session.map(|(_, session)| session_digest(session.as_bytes(), key)),
        tags: kept(own.chain(properties).chain(words).chain(user)),
    };
    let credential = if is_virtual { Credential::Virtual } else { Credential::Foreign };
    Told { caller, operation, credential }
}

/// What of a credential is the same in all calls of its holder.
fn lasting(credential: &[u8]) -> &[u8] {
    signer(credential).unwrap_or(credential)
}

/// The id of the key that a signature of Amazon's was made with.
fn signer(credential: &[u8]) -> Option<&[u8]> {
    let parts = credential.strip_prefix(b"AWS4-HMAC-SHA256 ")?;
    let at = memchr::memmem::find(parts, b"Credential=")? + b"Credential=".len();
    parts[at..].split(|byte| *byte == b'/').next()
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

/// The virtual key that a call came with, wherever it stands: in a place where a provider's key
/// would, or in a header of its own.
pub(super) fn virtual_key<'h>(headers: &'h HeaderMap, query: Option<&'h str>) -> Option<&'h [u8]> {
    let places = iter::once(&VIRTUAL).chain(&CREDENTIALS);
    let sent = places.flat_map(|name| headers.get_all(name)).map(HeaderValue::as_bytes);
    let in_query = query.into_iter().flat_map(|query| query.split('&'));
    let in_query = in_query.filter_map(|pair| pair.strip_prefix("key=")).map(str::as_bytes);
    sent.map(bare).chain(in_query).find(|credential| keys::is_virtual(credential))
}

/// Takes virtual keys away from where a provider's would stand: none must ever reach one.
pub(super) fn take_virtual_keys(headers: &mut HeaderMap) {
    for name in &CREDENTIALS {
        let mut sent = headers.get_all(name).iter();
        if sent.any(|value| keys::is_virtual(bare(value.as_bytes()))) {
            headers.remove(name);
        }
    }
}

/// A credential without the word before it. Amazon's SDKs send a key that is no access key over TLS
/// only, so a virtual one may also be the id of the access key that they sign with.
fn bare(credential: &[u8]) -> &[u8] {
    match credential.split_at_checked("Bearer ".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"Bearer ") => rest.trim_ascii_start(),
        _ => lasting(credential),
    }
}

/// Whose calls these are, by their virtual key. What it says wins over what its caller says.
pub(super) fn claim(caller: &mut Caller, holder: &VirtualKey, key: &Key) {
    caller.key = key.digest("key", holder.id.as_bytes());
    let mut tags: Vec<_> = holder.call_tags().collect();
    let own = tags.len();
    for tag in caller.tags.drain(..) {
        if tags[..own].iter().all(|(name, _)| *name != tag.0) {
            tags.push(tag);
        }
    }
    tags.truncate(MOST_TAGS);
    caller.tags = tags;
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
        let Told { caller: Caller { key: who, session, tags }, operation, .. } =
            caller(&headers, None, &key);
        assert_eq!(who, key.digest("key", b"sk-1"));
        assert_eq!(session, Some(session_digest(b"s", &key)));
        assert_eq!(tags, [("team".into(), "a".into()), ("feature".into(), "b".into())]);
        assert_eq!(operation.as_deref(), Some("review"));
        assert_eq!(caller(&HeaderMap::new(), None, &key).caller.key, Digest::default());
        let in_query = caller(&HeaderMap::new(), Some("alt=sse&key=k"), &key);
        assert_eq!(in_query.caller.key, key.digest("key", b"k"));
    }

    #[test]
    fn calls_that_one_key_signed_are_of_one_caller() {
        let key = Key::new([1; 32]);
        let who = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", value.parse().unwrap());
            caller(&headers, None, &key).caller.key
        };
        let of = |id: &str, proof: &str| {
            let scope = "20150830/us-east-1/bedrock/aws4_request";
            who(&format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders=host, {proof}"))
        };
        assert_eq!(of("AKID1", "Signature=1"), of("AKID1", "Signature=2"));
        assert_eq!(of("AKID1", "Signature=1"), key.digest("key", b"AKID1"));
        assert_ne!(of("AKID1", "Signature=1"), of("AKID2", "Signature=1"));
        assert_ne!(who("AWS4-HMAC-SHA256 a"), who("AWS4-HMAC-SHA256 b"));
    }

    #[test]
    fn a_virtual_key_is_found_in_every_place_and_taken_away_from_all() {
        const TEXT: &str = "sk-scrimp-1-x";
        let key = Key::new([1; 32]);
        for (name, value) in [
            ("authorization", "Bearer sk-scrimp-1-x"),
            ("authorization", "bearer  sk-scrimp-1-x"),
            ("x-api-key", TEXT),
            ("x-goog-api-key", TEXT),
            ("api-key", TEXT),
            ("x-scrimp-key", TEXT),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=sk-scrimp-1-x/20150830/us-east-1/bedrock/aws4_request, \
                 SignedHeaders=host, Signature=00",
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.append("authorization", "Bearer sk-own".parse().unwrap());
            headers.append(name, value.parse().unwrap());
            assert_eq!(virtual_key(&headers, None), Some(TEXT.as_bytes()), "{name}: {value}");
            take_virtual_keys(&mut headers);
            headers.remove("x-scrimp-key");
            assert_eq!(virtual_key(&headers, None), None, "{name}: {value}");
            let is_kept = headers.contains_key("authorization");
            assert_eq!(is_kept, name != "authorization", "another's key stays: {name}");
        }
        assert_eq!(
            virtual_key(&HeaderMap::new(), Some("a=b&key=sk-scrimp-1-x")),
            Some(TEXT.as_bytes())
        );
        let in_query = caller(&HeaderMap::new(), Some("key=sk-scrimp-1-x"), &key);
        assert_eq!(in_query.credential, Credential::Virtual);
        let none = caller(&HeaderMap::new(), Some("key=AIza"), &key);
        assert_eq!(none.credential, Credential::Foreign);
    }

    #[test]
    fn what_a_key_says_of_its_calls_wins_over_what_its_caller_says() {
        let key = Key::new([1; 32]);
        let mut headers = HeaderMap::new();
        headers.insert("x-scrimp-tags", "team=other,feature=ask,key=0".parse().unwrap());
        let mut who = caller(&headers, None, &key).caller;
        let holder = VirtualKey {
            id: "4f9a".into(),
            name: None,
            hash: keys::hash(b"x"),
            models: Vec::new(),
            expires: None,
            team: Some("search".into()),
            tags: Vec::new(),
            created: scrimp_core::Time::EPOCH,
            revoked: None,
        };
        claim(&mut who, &holder, &key);
        assert_eq!(who.key, key.digest("key", b"4f9a"));
        let tags: Vec<_> = who.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(tags, ["key=4f9a", "team=search", "feature=ask"]);
    }

    #[test]
    fn what_users_of_other_gateways_send_is_understood() {
        let mut headers = HeaderMap::new();
        headers.insert("helicone-property-Team", "search".parse().unwrap());
        headers.insert("helicone-user-id", "ada".parse().unwrap());
        headers.insert("x-litellm-tags", "beta, nightly".parse().unwrap());
        headers.insert("x-litellm-session-id", "s".parse().unwrap());
        let key = Key::new([1; 32]);
        let Caller { session, tags, .. } = caller(&headers, None, &key).caller;
        assert_eq!(session, Some(session_digest(b"s", &key)));
        let tags: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(tags, ["team=search", "tag=beta", "tag=nightly", "user=ada"]);
    }
}
