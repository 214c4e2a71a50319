//! Virtual keys and the audit log.

use scrimp_store::StoreError;
use serde_json::{Value, json};

use super::{MOST_ROWS, parameter};
use crate::gateway::Gateway;
use crate::keys::{KeyError, Made, Shown, Wanted};

pub(super) fn list(gateway: &Gateway) -> Result<Value, StoreError> {
    let shared = gateway.shared();
    let (now, keys) = (shared.clock.now(), shared.store.reader().virtual_keys()?);
    let shown: Vec<_> = keys.iter().map(|key| Shown::of(key, now)).collect();
    Ok(json!({ "keys": shown, "required": gateway.running().keys.is_some() }))
}

pub(super) fn show(gateway: &Gateway, id: &str) -> Result<Option<Value>, StoreError> {
    let shared = gateway.shared();
    let now = shared.clock.now();
    Ok(shared.store.virtual_key(id)?.map(|key| json!(Shown::of(&key, now))))
}

/// The only answer that a key's text stands in.
pub(super) fn create(gateway: &Gateway, wanted: Wanted, who: &str) -> Result<Value, KeyError> {
    let Made { key, text } = gateway.create_key(wanted, who)?;
    let mut made = json!(Shown::of(&key, gateway.shared().clock.now()));
    made["key"] = json!(text.reveal());
    Ok(made)
}

pub(super) fn revoke(gateway: &Gateway, id: &str, who: &str) -> Result<Value, KeyError> {
    let revoked = gateway.revoke_key(id, who)?;
    Ok(json!(Shown::of(&revoked, gateway.shared().clock.now())))
}

/// Pages of the audit log, the latest entries first.
pub(super) fn audit(gateway: &Gateway, query: &str) -> Result<Value, StoreError> {
    let number = |name| parameter(query, name).and_then(|number| number.parse::<u64>().ok());
    let limit = number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100);
    let entries = gateway.shared().store.reader().audit(limit.min(MOST_ROWS), number("before"))?;
    let shown = entries.into_iter().map(|entry| {
        let at_ms = entry.at.millis();
        let mut shown = json!(entry);
        shown["at_ms"] = json!(at_ms);
        shown.as_object_mut().map(|members| members.remove("at"));
        shown
    });
    Ok(json!({ "entries": shown.collect::<Vec<_>>() }))
}
