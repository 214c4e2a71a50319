//! What is said in the audit log of an action, done or refused.

use std::fmt::Display;

use scrimp_core::{AuditEntry, Time};
use scrimp_store::Store;

/// Somebody's action.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act<'a> {
    pub(crate) who: &'a str,
    pub(crate) action: &'static str,
    pub(crate) at: Time,
}

impl Act<'_> {
    /// Of an action that is done.
    pub(crate) fn entry(
        &self,
        subject: &str,
        before: Option<String>,
        after: Option<String>,
    ) -> AuditEntry {
        AuditEntry {
            number: 0,
            at: self.at,
            who: self.who.to_owned(),
            action: self.action.to_owned(),
            subject: subject.to_owned(),
            before,
            after,
            refused: None,
        }
    }

    /// Notes a refusal, and hands it on: that the store cannot say so is no other reason.
    pub(crate) fn noted_if_refused<T, E: Display>(
        &self,
        store: &Store,
        subject: &str,
        result: Result<T, E>,
    ) -> Result<T, E> {
        result.inspect_err(|error| {
            let refused = Some(error.to_string());
            store.add_audit(AuditEntry { refused, ..self.entry(subject, None, None) }).ok();
        })
    }
}
