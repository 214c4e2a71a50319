//! Virtual keys: made, shown once, found again by their hashes, revoked.
//!
//! `sk-scrimp-ID-SECRET`: the id is public and names the key in lists; the secret is 256 random bits.
//! What is kept is the SHA-256 of the whole text. A slow hash would add nothing to so many bits but
//! time to each call. Everything here works on the store, with a gateway running or without one.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use scrimp_core::{KeyHash, KeyRing, Time, VirtualKey};
use scrimp_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::audit::Act;
use crate::config::Secret;

/// What every key begins with. A text that does is never sent to a provider.
pub const PREFIX: &str = "sk-scrimp-";

/// Names, tags and patterns are kept with calls and shown in lists.
const LONGEST: usize = 128;
const MOST_TAGS: usize = 8;
const MOST_MODELS: usize = 256;

/// What a key is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// What it is for.
    pub name: Option<Arc<str>>,
    /// The models that it may call; none: all.
    pub models: Vec<Arc<str>>,
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: Option<i64>,
    /// Whose it is.
    pub team: Option<Arc<str>>,
    /// Tags of its calls.
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
}

/// A key that was just made. Its text is known here and nowhere else.
#[derive(Debug)]
pub struct Made {
    /// What is kept.
    pub key: VirtualKey,
    /// What its owner sends.
    pub text: Secret,
}

/// Why a key is not made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is none with this id.
    #[error("there is no key `{0}`")]
    NoKey(String),
    /// It was revoked before.
    #[error("key `{0}` was revoked before")]
    Revoked(String),
    /// What is asked for makes no sense.
    #[error("{0}")]
    Wrong(String),
    /// The system gives no random bits.
    #[error("the system gives no random bits: {0}")]
    NoRandomBits(String),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A key as lists show it.
#[derive(Debug, Serialize)]
pub struct Shown {
    id: Arc<str>,
    name: Option<Arc<str>>,
    state: &'static str,
    models: Vec<Arc<str>>,
    team: Option<Arc<str>>,
    tags: BTreeMap<Arc<str>, Arc<str>>,
    created_ms: i64,
    expires_ms: Option<i64>,
    revoked_ms: Option<i64>,
}

/// Makes a key. `who` asks for it.
pub fn create(store: &Store, wanted: Wanted, who: &str, now: Time) -> Result<Made, KeyError> {
    let act = Act { who, action: "key_created", at: now };
    let made = check(&wanted, now).and_then(|()| draw(wanted, now));
    let Made { key, text } = act.noted_if_refused(store, "", made)?;
    // Of 2^48 ids one that is taken is drawn once in many lives; the other key must not go.
    if store.virtual_key(&key.id)?.is_some() {
        return Err(KeyError::Wrong("the id that was drawn is taken; try again".to_owned()));
    }
    let after = shown_text(&key, now);
    store.put_virtual_key(&key, act.entry(&key.id, None, Some(after)))?;
    Ok(Made { key, text })
}

/// Makes a key good for nothing from now on.
pub fn revoke(store: &Store, id: &str, who: &str, now: Time) -> Result<VirtualKey, KeyError> {
    let act = Act { who, action: "key_revoked", at: now };
    let found = find(store, id).and_then(|key| match key.revoked {
        None => Ok(key),
        Some(_) => Err(KeyError::Revoked(id.to_owned())),
    });
    let before = act.noted_if_refused(store, id, found)?;
    let key = VirtualKey { revoked: Some(now), ..before.clone() };
    let (was, is) = (shown_text(&before, now), shown_text(&key, now));
    store.put_virtual_key(&key, act.entry(id, Some(was), Some(is)))?;
    Ok(key)
}

/// All keys of a store, for looking callers up.
pub fn ring(store: &Store) -> Result<KeyRing, StoreError> {
    Ok(store.virtual_keys()?.into_iter().collect())
}

/// What is kept of a key's text.
pub fn hash(text: &[u8]) -> KeyHash {
    let digest = ring::digest::digest(&ring::digest::SHA256, text);
    KeyHash(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// Whether a credential is a virtual key, good or not.
pub(crate) fn is_virtual(credential: &[u8]) -> bool {
    credential.starts_with(PREFIX.as_bytes())
}

impl Shown {
    /// A key as it is at `now`.
    pub fn of(key: &VirtualKey, now: Time) -> Shown {
        let VirtualKey { id, name, hash: _, models, expires, team, tags, created, revoked } = key;
        Shown {
            id: id.clone(),
            name: name.clone(),
            state: state(key, now),
            models: models.clone(),
            team: team.clone(),
            tags: tags.iter().cloned().collect(),
            created_ms: created.millis(),
            expires_ms: expires.map(Time::millis),
            revoked_ms: revoked.map(Time::millis),
        }
    }
}

/// `active`, `expired` or `revoked`.
pub fn state(key: &VirtualKey, now: Time) -> &'static str {
    match key.check(now) {
        Ok(()) => "active",
        Err(_) if key.revoked.is_some() => "revoked",
        Err(_) => "expired",
    }
}

fn find(store: &Store, id: &str) -> Result<VirtualKey, KeyError> {
    store.virtual_key(id)?.ok_or_else(|| KeyError::NoKey(id.to_owned()))
}

fn shown_text(key: &VirtualKey, now: Time) -> String {
    serde_json::to_string(&Shown::of(key, now)).expect("texts and numbers")
}

fn check(wanted: &Wanted, now: Time) -> Result<(), KeyError> {
    let Wanted { name, models, expires_ms, team, tags } = wanted;
    let wrong = |why: &str| Err(KeyError::Wrong(why.to_owned()));
    let is_word = |text: &str| {
        let is_plain = !text.chars().any(char::is_control) && text.trim() == text;
        is_plain && !text.is_empty() && text.len() <= LONGEST
    };
    let pairs = tags.iter().flat_map(|(name, value)| [name, value]);
    let mut words = name.iter().chain(models).chain(team).chain(pairs);
    if !words.all(|word| is_word(word)) {
        return wrong("names, models, teams and tags are texts of 1 to 128 bytes in one line");
    }
    if MOST_TAGS < tags.len() || MOST_MODELS < models.len() {
        return wrong("a key has at most 8 tags and 256 models");
    }
    if tags.contains_key("key") || tags.contains_key("team") {
        return wrong("the tags `key` and `team` are the key's id and its team");
    }
    match expires_ms {
        Some(ms) if *ms <= now.millis() => wrong("a key must expire in the future"),
        _ => Ok(()),
    }
}

fn draw(wanted: Wanted, now: Time) -> Result<Made, KeyError> {
    let (mut id, mut secret) = ([0; 8], [0; 32]);
    for bytes in [&mut id[2..], &mut secret[..]] {
        getrandom::fill(bytes).map_err(|error| KeyError::NoRandomBits(error.to_string()))?;
    }
    let id = format!("{:012x}", u64::from_be_bytes(id));
    let text = format!("{PREFIX}{id}-{}", URL_SAFE_NO_PAD.encode(secret));
    let Wanted { name, models, expires_ms, team, tags } = wanted;
    let key = VirtualKey {
        id: id.into(),
        name,
        hash: hash(text.as_bytes()),
        models,
        expires: expires_ms.map(Time::from_millis),
        team,
        tags: tags.into_iter().collect(),
        created: now,
        revoked: None,
    };
    Ok(Made { key, text: Secret::new(text) })
}

#[cfg(test)]
mod tests {
    use scrimp_store::Options;

    use super::*;

    const NOW: Time = Time::from_secs(1_790_000_000);

    fn store() -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Store::open(folder.path(), Options::STANDARD).unwrap(), folder)
    }

    #[test]
    fn a_key_is_found_by_its_text_and_only_its_hash_is_kept() {
        let (store, folder) = store();
        let wanted = Wanted { team: Some("search".into()), ..Wanted::default() };
        let Made { key, text } = create(&store, wanted.clone(), "ada", NOW).unwrap();
        let other = create(&store, wanted, "ada", NOW).unwrap();
        let text = text.reveal();
        assert_eq!(text.len(), "sk-scrimp-".len() + 12 + 1 + 43);
        assert!(text.starts_with(&format!("sk-scrimp-{}-", key.id)));
        let ring = ring(&store).unwrap();
        assert_eq!(ring.find(&hash(text.as_bytes())).map(|found| &**found), Some(&key));
        assert_eq!(ring.find(&hash(other.text.reveal().as_bytes())).unwrap().id, other.key.id);
        assert!(ring.find(&hash(&text.as_bytes()[..text.len() - 1])).is_none());
        store.close().unwrap();
        let secret = text.rsplit_once(&*key.id).unwrap().1.trim_start_matches('-').as_bytes();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap_or_default();
            let is_there = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!is_there, "the secret is in {}", path.display());
        }
    }

    #[test]
    fn the_hash_is_plain_sha_256() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash(b"abc").to_string(), known);
    }

    #[test]
    fn a_revoked_key_stays_and_is_not_revoked_twice() {
        let (store, _folder) = store();
        let id = create(&store, Wanted::default(), "ada", NOW).unwrap().key.id;
        let revoked = revoke(&store, &id, "bob", NOW).unwrap();
        assert_eq!(state(&revoked, NOW), "revoked");
        assert_eq!(store.virtual_keys().unwrap(), [revoked]);
        let again = revoke(&store, &id, "bob", NOW).unwrap_err();
        assert_eq!(again.to_string(), format!("key `{id}` was revoked before"));
        let missing = revoke(&store, "nobody", "bob", NOW).unwrap_err();
        assert_eq!(missing.to_string(), "there is no key `nobody`");
        let said = store.reader().audit(10, None).unwrap();
        let said = said.iter().map(|entry| {
            let refused = entry.refused.as_deref().unwrap_or("done");
            format!("{} {} {} {refused}", entry.who, entry.action, entry.subject)
        });
        let expected = [
            "bob key_revoked nobody there is no key `nobody`".to_owned(),
            format!("bob key_revoked {id} key `{id}` was revoked before"),
            format!("bob key_revoked {id} done"),
            format!("ada key_created {id} done"),
        ];
        assert_eq!(said.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let (store, _folder) = store();
        let word = |text: &str| Some(Arc::from(text));
        let tag = |name: &str| BTreeMap::from([(Arc::from(name), Arc::from("x"))]);
        let usual = Wanted::default;
        for wanted in [
            Wanted { name: word(""), ..usual() },
            Wanted { name: word("a\nb"), ..usual() },
            Wanted { team: word(&"x".repeat(129)), ..usual() },
            Wanted { models: vec![" gpt".into()], ..usual() },
            Wanted { expires_ms: Some(NOW.millis()), ..usual() },
            Wanted { tags: tag("team"), ..usual() },
            Wanted { tags: (0..9).flat_map(|n| tag(&n.to_string())).collect(), ..usual() },
        ] {
            let refused = create(&store, wanted.clone(), "ada", NOW);
            assert!(matches!(refused, Err(KeyError::Wrong(_))), "{wanted:?}");
        }
        assert_eq!(store.virtual_keys().unwrap(), []);
    }
}
