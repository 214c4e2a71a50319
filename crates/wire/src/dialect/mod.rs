//! Requests: what they ask, and how they are changed without being rewritten.
//!
//! A request is read once, front to back. What comes out is facts (for policies) and a layout (for
//! edits): where in the original bytes the few places lie that an edit may touch. Everything else
//! reaches the provider byte for byte, fields that this version does not know included.

mod anthropic;
mod block;
mod edit;
mod features;
mod layout;
mod openai;
mod parameters;
mod prompt;
mod read;

use std::sync::Arc;

use scrimp_core::call::Dialect;
use scrimp_core::{Block, Delivery, Parameters};

pub use crate::error::{error_body, sse_error};
pub use edit::{CannotEdit, WireEdit, edit};
pub use layout::Layout;
pub use read::read;

/// One path of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The path without a provider's prefix and without `/v1`.
    pub path: &'static str,
    /// What is spoken there.
    pub dialect: Dialect,
    /// Its name in recorded exchanges and as the default name of an operation.
    pub name: &'static str,
}

/// Every path whose requests are understood. Each row has recorded exchanges in `tests/exchanges`.
pub const DIALECTS: &[Row] = &[
    Row { path: "/chat/completions", dialect: Dialect::OpenaiChat, name: "chat" },
    Row { path: "/messages", dialect: Dialect::AnthropicMessages, name: "messages" },
    Row {
        path: "/messages/count_tokens",
        dialect: Dialect::AnthropicCountTokens,
        name: "count_tokens",
    },
];

/// What a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What policies may know.
    pub facts: Facts,
    /// Where edits would go.
    pub layout: Layout,
}

/// The facts of a request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The model asked for; empty if the body names none.
    pub model: Arc<str>,
    /// How the answer is wanted.
    pub delivery: Delivery,
    /// Parameters beside the prompt.
    pub parameters: Parameters,
    /// The prompt, in the order in which the provider renders it.
    pub prompt: Vec<Block>,
    /// The session that the body names (in Anthropic's `metadata.user_id`, as Claude Code does).
    pub session: Option<String>,
    /// The end user that the body names.
    pub user: Option<String>,
}

/// Why a body cannot be read. The caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It breaks off.
    #[error("the body is not JSON: it breaks off at byte {at}")]
    Truncated {
        /// The position.
        at: usize,
    },
    /// It goes wrong.
    #[error("the body is not JSON: it goes wrong at byte {at}")]
    NotJson {
        /// The position.
        at: usize,
    },
    /// It is not text.
    #[error("the body is not UTF-8: it goes wrong at byte {at}")]
    NotUtf8 {
        /// The position.
        at: usize,
    },
    /// Something follows it.
    #[error("the body is one JSON value and then more, at byte {at}")]
    Trailing {
        /// The position.
        at: usize,
    },
    /// It is nested too deeply.
    #[error("the body is nested more than 128 levels deep at byte {at}")]
    TooDeep {
        /// The position.
        at: usize,
    },
    /// A key stands twice, so that two parsers could read different values.
    #[error(
        "`{field}` stands twice in the same object, the second time at byte {at}; send it once"
    )]
    Duplicate {
        /// The key.
        field: &'static str,
        /// The position.
        at: usize,
    },
    /// A field has a type that cannot be read.
    #[error("`{field}` at byte {at} is not {wanted}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// What it has to be.
        wanted: &'static str,
        /// The position.
        at: usize,
    },
    /// It is too large to be read.
    #[error("the body has {bytes} bytes; more than 4 GiB cannot be read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

/// Which dialect is spoken at `path`. The path comes without a provider's prefix; a query, a
/// trailing slash and a leading `/v1` do not matter.
pub fn of_path(path: &str) -> Dialect {
    let path = path.split('?').next().unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let row = DIALECTS.iter().find(|row| row.path == path);
    row.map_or(Dialect::Other, |row| row.dialect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_dialect_with_and_without_version() {
        for (path, dialect) in [
            ("/v1/chat/completions", Dialect::OpenaiChat),
            ("/chat/completions", Dialect::OpenaiChat),
            ("/v1/messages?beta=true", Dialect::AnthropicMessages),
            ("/messages/", Dialect::AnthropicMessages),
            ("/v1/messages/count_tokens", Dialect::AnthropicCountTokens),
            ("/v1/messages/batches", Dialect::Other),
            ("/v1messages", Dialect::Other),
            ("/v1", Dialect::Other),
            ("", Dialect::Other),
        ] {
            assert_eq!(of_path(path), dialect, "{path}");
        }
    }
}
