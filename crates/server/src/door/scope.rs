//! What a call may do: by its virtual key, and by the provider's key that would be sent with it.
//!
//! Asked twice: when the head is there, so that nobody who may not come in sends a body, and once
//! all of the call is known, right before it leaves.

use std::fmt;

use http::{HeaderMap, Method};
use scrimp_core::{Call, KeyRing, Refusal, Time, VirtualKey};
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};

use super::identify;
use super::route::Route;
use crate::flight::Body;
use crate::keys;

/// A virtual key of a call, and whether it is good.
pub(super) struct Presented<'k> {
    pub(super) holder: Option<&'k std::sync::Arc<VirtualKey>>,
    pub(super) verdict: Result<(), Refusal>,
}

/// Finds the key that a call came with among `ring`.
pub(super) fn present<'k>(
    ring: &'k KeyRing,
    headers: &HeaderMap,
    query: Option<&str>,
    now: Time,
) -> Presented<'k> {
    let Some(text) = identify::virtual_key(headers, query) else {
        return Presented { holder: None, verdict: Err(Refusal::NoVirtualKey) };
    };
    let holder = ring.find(&keys::hash(text));
    let verdict = holder.map_or(Err(Refusal::UnknownKey), |holder| holder.check(now));
    Presented { holder, verdict }
}

/// Whether a key may make this call.
pub(super) fn check(
    holder: &VirtualKey,
    call: &Call,
    method: &Method,
    route: &Route,
    body: &Body,
) -> Result<(), Refusal> {
    if holder.models.is_empty() || route.only_lists_models(method) {
        return Ok(());
    }
    holder.check_model(&call.provider, &call.model)?;
    let is_one = match body {
        // In the path, and nothing in a body says otherwise.
        _ if route.model().is_some() => true,
        Body::Read(bytes, _) => names_one_model(bytes),
        Body::Opaque(_) | Body::Passing(_) | Body::Gone => false,
    };
    match is_one {
        true => Ok(()),
        false => Err(Refusal::ModelNotAllowed { key: holder.id.clone(), model: "".into() }),
    }
}

/// Whether a body names its model once, and no others to fall back to, as `OpenRouter` understands.
fn names_one_model(body: &[u8]) -> bool {
    let mut read = serde_json::Deserializer::from_slice(body);
    read.deserialize_map(Models).is_ok_and(|(named, others)| named == 1 && others == 0)
}

/// How often `model` stands in an object, and how often `models` or `fallbacks`.
struct Models;

impl<'de> Visitor<'de> for Models {
    type Value = (usize, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(usize, usize), A::Error> {
        let (mut named, mut others) = (0, 0);
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            map.next_value::<IgnoredAny>()?;
            match &*key {
                "model" => named += 1,
                "models" | "fallbacks" => others += 1,
                _ => {}
            }
        }
        Ok((named, others))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_its_model_once_and_no_others() {
        assert!(names_one_model(br#"{"model":"a","input":{"models":1}}"#));
        for body in [
            &br#"{"model":"a","model":"b"}"#[..],
            br#"{"model":"a","mod\u0065l":"b"}"#,
            br#"{"model":"a","models":["b"]}"#,
            br#"{"model":"a","fallbacks":[{"model":"b"}]}"#,
            br#"{"input":1}"#,
            br#"[{"model":"a"}]"#,
            br#"{"model":"a""#,
        ] {
            assert!(!names_one_model(body), "{}", String::from_utf8_lossy(body));
        }
    }
}
