//! Virtual keys: who may call through a gateway that holds providers' keys, and which models.
//!
//! A key's secret is 256 random bits. What is kept is its hash, which is as good as nothing to
//! whoever reads it, and what the key may do. A key that was revoked stays, so that its calls keep
//! their name, and so that revoking the last one does not open the gateway to everybody.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::glob;
use crate::record::Refusal;
use crate::time::Time;

/// The hash of a key's secret. Two secrets never share one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualKey {
    /// Names it in records, lists and commands. Part of the key's text, and no secret.
    pub id: Arc<str>,
    /// What it is for, in its owner's words.
    pub name: Option<Arc<str>>,
    /// The hash of its secret.
    pub hash: KeyHash,
    /// Which models it may call: names with `*`, as a provider names them, or `provider/model`.
    /// Empty: all.
    pub models: Vec<Arc<str>>,
    /// From when on it is good for nothing.
    pub expires: Option<Time>,
    /// Whose it is. Every call that it makes carries this as the tag `team`.
    pub team: Option<Arc<str>>,
    /// Tags that every call carries that it makes.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
    /// When it was made.
    pub created: Time,
    /// When it was revoked.
    pub revoked: Option<Time>,
}

/// All keys there are, found by the hashes of their secrets. How long that takes says something of a
/// hash at most, and nothing of a secret follows from that.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    by_hash: FxHashMap<KeyHash, Arc<VirtualKey>>,
}

impl VirtualKey {
    /// Whether it is still good at `now`.
    pub fn check(&self, now: Time) -> Result<(), Refusal> {
        match self.expires {
            _ if self.revoked.is_some() => Err(Refusal::KeyRevoked { key: self.id.clone() }),
            Some(expires) if expires <= now => {
                Err(Refusal::KeyExpired { key: self.id.clone(), at: expires })
            }
            _ => Ok(()),
        }
    }

    /// Whether it may call `model` of `provider`, as the provider names it. A call of which the model
    /// is not known is not allowed to a key that may not call all.
    pub fn check_model(&self, provider: &str, model: &str) -> Result<(), Refusal> {
        let is_allowed = |pattern: &Arc<str>| match pattern.split_once('/') {
            Some((of, pattern)) => glob::fits(of, provider) && glob::fits(pattern, model),
            None => glob::fits(pattern, model),
        };
        let is_named = !model.is_empty();
        match self.models.is_empty() || is_named && self.models.iter().any(is_allowed) {
            true => Ok(()),
            false => Err(Refusal::ModelNotAllowed { key: self.id.clone(), model: model.into() }),
        }
    }

    /// What every call that it makes is tagged with.
    pub fn call_tags(&self) -> impl Iterator<Item = (Arc<str>, Arc<str>)> {
        let team = self.team.iter().map(|team| ("team".into(), team.clone()));
        [("key".into(), self.id.clone())].into_iter().chain(team).chain(self.tags.iter().cloned())
    }
}

impl KeyRing {
    /// The key whose secret has this hash, good or not.
    pub fn find(&self, hash: &KeyHash) -> Option<&Arc<VirtualKey>> {
        self.by_hash.get(hash)
    }

    /// Adds a key, or puts it in the place of the one with its hash.
    pub fn insert(&mut self, key: VirtualKey) {
        self.by_hash.insert(key.hash, Arc::new(key));
    }

    /// All keys, good or not, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<VirtualKey>> {
        self.by_hash.values()
    }

    /// Whether no key was ever made.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }
}

impl FromIterator<VirtualKey> for KeyRing {
    fn from_iter<I: IntoIterator<Item = VirtualKey>>(keys: I) -> KeyRing {
        let by_hash = keys.into_iter().map(|key| (key.hash, Arc::new(key))).collect();
        KeyRing { by_hash }
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({self})")
    }
}

/// A text that is no hash of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("64 hexadecimal digits are asked for")]
pub struct NotAHash;

impl FromStr for KeyHash {
    type Err = NotAHash;
    fn from_str(text: &str) -> Result<KeyHash, NotAHash> {
        let digits = text.bytes().map(|digit| char::from(digit).to_digit(16));
        let digits = digits.collect::<Option<Vec<_>>>().ok_or(NotAHash)?;
        let bytes: Vec<u8> = digits
            .chunks_exact(2)
            .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("two digits of four bits"))
            .collect();
        match digits.len() {
            64 => Ok(KeyHash(bytes.try_into().map_err(|_| NotAHash)?)),
            _ => Err(NotAHash),
        }
    }
}

impl Serialize for KeyHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<KeyHash, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(models: &[&str]) -> VirtualKey {
        VirtualKey {
            id: "4f9a1c2e7b30".into(),
            name: None,
            hash: KeyHash([7; 32]),
            models: models.iter().map(|model| Arc::from(*model)).collect(),
            expires: Some(Time::from_secs(100)),
            team: Some("search".into()),
            tags: vec![("stage".into(), "test".into())],
            created: Time::EPOCH,
            revoked: None,
        }
    }

    #[test]
    fn a_key_is_good_until_it_expires_or_is_revoked() {
        let (id, at) = (key(&[]).id, Time::from_secs(100));
        assert_eq!(key(&[]).check(Time::from_nanos(at.nanos() - 1)), Ok(()));
        let expired = Refusal::KeyExpired { key: id.clone(), at };
        assert_eq!(key(&[]).check(at), Err(expired));
        let revoked = VirtualKey { revoked: Some(Time::EPOCH), ..key(&[]) };
        assert_eq!(revoked.check(Time::EPOCH), Err(Refusal::KeyRevoked { key: id }));
    }

    #[test]
    fn a_key_calls_the_models_that_it_names_and_no_others() {
        for (models, provider, model, is_allowed) in [
            (&[][..], "openai", "gpt-4o", true),
            (&[], "openai", "", true),
            (&["gpt-4o"], "openai", "gpt-4o", true),
            (&["gpt-4o"], "openai", "gpt-4o-mini", false),
            (&["gpt-4o"], "openai", "", false),
            (&["*"], "openai", "", false),
            (&["gpt-4o*", "claude-*"], "anthropic", "claude-opus-5", true),
            (&["openai/*"], "openai", "gpt-4o", true),
            (&["openai/*"], "azure", "gpt-4o", false),
            // A model's own name may have a slash in it, and be nobody's provider.
            (&["openai/*"], "openrouter", "openai/gpt-4o", false),
            (&["openrouter/openai/*"], "openrouter", "openai/gpt-4o", true),
            (&["*/gpt-4o"], "azure", "gpt-4o", true),
        ] {
            let found = key(models).check_model(provider, model).is_ok();
            assert_eq!(found, is_allowed, "{models:?} {provider} {model}");
        }
    }

    #[test]
    fn a_ring_finds_each_key_by_its_hash_and_keeps_the_newest() {
        let keys = (1..4).map(|n| VirtualKey { hash: KeyHash([n; 32]), ..key(&["gpt-*"]) });
        let mut ring: KeyRing = keys.collect();
        let revoked = VirtualKey { revoked: Some(Time::EPOCH), ..key(&["gpt-*"]) };
        let revoked = VirtualKey { hash: KeyHash([2; 32]), ..revoked };
        ring.insert(revoked.clone());
        let found = |n| ring.find(&KeyHash([n; 32])).map(|key| key.revoked.is_some());
        assert_eq!([1, 2, 3, 4].map(found), [Some(false), Some(true), Some(false), None]);
        assert_eq!(ring.find(&revoked.hash).map(|found| &**found), Some(&revoked));
        assert!(!ring.is_empty() && KeyRing::default().is_empty());
    }

    #[test]
    fn a_key_names_itself_its_team_and_its_tags() {
        let key = key(&[]);
        let tags = key.call_tags().map(|(name, value)| format!("{name}={value}"));
        assert_eq!(tags.collect::<Vec<_>>(), ["key=4f9a1c2e7b30", "team=search", "stage=test"]);
    }

    #[test]
    fn a_hash_is_written_in_hexadecimal_and_read_again() {
        let text = serde_json::to_string(&key(&[])).unwrap();
        assert!(text.contains(&format!("\"hash\":\"{}\"", "07".repeat(32))), "{text}");
        assert_eq!(serde_json::from_str::<VirtualKey>(&text).unwrap(), key(&[]));
        for wrong in ["", "07", &"07".repeat(33), &"zz".repeat(32), &"é".repeat(32)] {
            assert_eq!(wrong.parse::<KeyHash>(), Err(NotAHash), "{wrong}");
        }
    }
}
