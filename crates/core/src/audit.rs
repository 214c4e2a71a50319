//! What was done to a gateway, by whom, and what came of it.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// One action of control. Entries are added and never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number, in order of time.
    pub number: u64,
    /// When it was done.
    pub at: Time,
    /// Who did it: the name of a control token, `local` for a caller on this machine that needs
    /// none, `cli:USER` for a command without a gateway, `scrimp` for what happens by itself.
    pub who: String,
    /// What was done, as a word: `key_created`, `key_revoked`, `policy_applied`, `policy_undone`,
    /// `configuration_changed`.
    pub action: String,
    /// What it was done to: a key's id, a number in the journal, a file.
    pub subject: String,
    /// What was there before; `None` if nothing was. Never a secret.
    pub before: Option<String>,
    /// What is there now; `None` if nothing is.
    pub after: Option<String>,
    /// Why it was not done; `None` if it was.
    pub refused: Option<String>,
}
