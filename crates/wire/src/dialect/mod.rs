//! Requests: what they ask, and how they are changed without being rewritten.
//!
//! A request is read once, front to back. What comes out is facts (for policies) and a layout (for
//! edits): where in the original bytes the few places lie that an edit may touch. Everything else
//! reaches the provider byte for byte, fields that this version does not know included.

mod anthropic;
mod bedrock;
mod block;
mod edit;
mod features;
mod gemini;
mod layout;
mod openai;
mod outline;
mod parameters;
mod prompt;
mod rank;
mod read;
mod section;
mod shape;
mod texts;
mod trim;

use std::ops::Range;
use std::sync::Arc;

use scrimp_core::call::Dialect;
use scrimp_core::{Block, Delivery, Parameters};

pub use crate::error::{error_body, sse_error};
pub use bedrock::{is_claude, model_of, percent_encoded};
pub use edit::{CannotEdit, WireEdit, edit};
pub use layout::Layout;
pub use rank::rank;
pub use read::read;
pub use shape::{ShapedBody, shape};
pub use trim::{OutputWord, trim};

/// One path of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The path without a provider's prefix and without a version; `{model}` stands for a model's
    /// name, before which there may be more.
    pub path: &'static str,
    /// What is spoken there.
    pub dialect: Dialect,
    /// Its name in recorded exchanges and as the default name of an operation.
    pub name: &'static str,
    /// How the answer comes, where the path says so and not the body.
    pub delivery: Option<Delivery>,
    /// Which models are spoken to so there.
    pub models: Models,
}

/// The models of a path on which each vendor's are spoken to in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Models {
    /// All, or all that no earlier row is for.
    All,
    /// Anthropic's.
    Claude,
}

/// Every path whose requests are understood. Each dialect has recorded exchanges in
/// `tests/exchanges`.
pub const DIALECTS: &[Row] = &[
    row("/chat/completions", Dialect::OpenaiChat, "chat"),
    row("/responses", Dialect::OpenaiResponses, "responses"),
    row("/completions", Dialect::OpenaiCompletions, "completions"),
    row("/embeddings", Dialect::OpenaiEmbeddings, "embeddings"),
    row("/messages", Dialect::AnthropicMessages, "messages"),
    row("/messages/count_tokens", Dialect::AnthropicCountTokens, "count_tokens"),
    row("/models/{model}:generateContent", Dialect::GeminiGenerate, "generate"),
    streamed(row("/models/{model}:streamGenerateContent", Dialect::GeminiGenerate, "generate")),
    row("/deployments/{model}/chat/completions", Dialect::OpenaiChat, "chat"),
    row("/deployments/{model}/completions", Dialect::OpenaiCompletions, "completions"),
    row("/deployments/{model}/embeddings", Dialect::OpenaiEmbeddings, "embeddings"),
    row("/models/{model}:embedContent", Dialect::GeminiEmbed, "embed"),
    row("/models/{model}:batchEmbedContents", Dialect::GeminiEmbed, "embed"),
    row("/model/{model}/converse", Dialect::BedrockConverse, "converse"),
    streamed(row("/model/{model}/converse-stream", Dialect::BedrockConverse, "converse")),
    of_claude(row("/model/{model}/invoke", Dialect::AnthropicMessages, "messages")),
    streamed(of_claude(row(
        "/model/{model}/invoke-with-response-stream",
        Dialect::AnthropicMessages,
        "messages",
    ))),
    row("/model/{model}/invoke", Dialect::Other, "invoke"),
    streamed(row("/model/{model}/invoke-with-response-stream", Dialect::Other, "invoke")),
];

const fn row(path: &'static str, dialect: Dialect, name: &'static str) -> Row {
    Row { path, dialect, name, delivery: None, models: Models::All }
}

const fn streamed(row: Row) -> Row {
    Row { delivery: Some(Delivery::Stream), ..row }
}

const fn of_claude(row: Row) -> Row {
    Row { models: Models::Claude, ..row }
}

impl Models {
    fn include(self, named: &str) -> bool {
        match self {
            Models::All => true,
            Models::Claude => is_claude(named),
        }
    }
}

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

/// What is spoken at `path`, and where in it a model's name stands; `None` if that is not known. The
/// path comes without a provider's prefix; a query, a trailing slash and a leading version do not
/// matter.
pub fn of_path(path: &str) -> Option<(&'static Row, Option<Range<usize>>)> {
    let whole = path.split('?').next().unwrap_or(path);
    let whole = whole.strip_suffix('/').unwrap_or(whole);
    // Azure writes whose API it is before the version.
    let path = without_version(whole.strip_prefix("/openai").unwrap_or(whole));
    // Most paths name no model, and need no pattern to be taken apart.
    if let Some(row) = DIALECTS.iter().find(|row| row.path == path) {
        return Some((row, None));
    }
    DIALECTS.iter().find_map(|row| {
        let (before, after) = row.path.split_once("{model}")?;
        let end = whole.strip_suffix(after)?.len();
        let start = whole[..end].rfind('/')? + 1;
        let named = whole.get(start..end).filter(|named| !named.is_empty())?;
        let is_it = whole[..start].ends_with(before) && row.models.include(named);
        is_it.then_some((row, Some(start..end)))
    })
}

/// A path behind its version, if it has one: `/v1`, `/v1beta`, `/v4`.
pub fn without_version(path: &str) -> &str {
    let Some((version, rest)) = path.strip_prefix("/v").and_then(|rest| rest.split_once('/'))
    else {
        return path;
    };
    let is_version = version.starts_with(|first: char| first.is_ascii_digit());
    if is_version { &path[path.len() - rest.len() - 1..] } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_dialect_with_and_without_version() {
        for (path, dialect) in [
            ("/v1/chat/completions", Dialect::OpenaiChat),
            ("/chat/completions", Dialect::OpenaiChat),
            ("/v4/chat/completions", Dialect::OpenaiChat),
            ("/v1/responses", Dialect::OpenaiResponses),
            ("/v1/responses/resp_1", Dialect::Other),
            ("/v1/completions", Dialect::OpenaiCompletions),
            ("/embeddings", Dialect::OpenaiEmbeddings),
            ("/openai/v1/responses", Dialect::OpenaiResponses),
            ("/v1/messages?beta=true", Dialect::AnthropicMessages),
            ("/messages/", Dialect::AnthropicMessages),
            ("/v1/messages/count_tokens", Dialect::AnthropicCountTokens),
            ("/v1/messages/batches", Dialect::Other),
            ("/v1beta/models/gemini-2.5-pro:countTokens", Dialect::Other),
            ("/v1beta/models/:generateContent", Dialect::Other),
            ("/v1messages", Dialect::Other),
            ("/model/amazon.nova-pro-v1%3A0/converse", Dialect::BedrockConverse),
            ("/model/us.anthropic.claude-opus-5/converse-stream", Dialect::BedrockConverse),
            ("/model/us.anthropic.claude-opus-5/invoke", Dialect::AnthropicMessages),
            (
                "/model/anthropic.claude-v2%3A1/invoke-with-response-stream",
                Dialect::AnthropicMessages,
            ),
            ("/model/amazon.nova-pro-v1%3A0/invoke", Dialect::Other),
            ("/model//invoke", Dialect::Other),
            ("/v1", Dialect::Other),
            ("", Dialect::Other),
        ] {
            let found = of_path(path).map_or(Dialect::Other, |(row, _)| row.dialect);
            assert_eq!(found, dialect, "{path}");
        }
    }

    #[test]
    fn a_path_may_name_the_model_and_the_delivery() {
        for (path, name, model, delivery) in [
            ("/v1beta/models/gemini-2.5-pro:generateContent", "generate", "gemini-2.5-pro", None),
            (
                "/v1beta/models/gemini-4-argon:streamGenerateContent?alt=sse",
                "generate",
                "gemini-4-argon",
                Some(Delivery::Stream),
            ),
            (
                "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:generateContent",
                "generate",
                "gemini-2.5-pro",
                None,
            ),
            (
                "/openai/deployments/our-4o/chat/completions?api-version=2025-04-01-preview",
                "chat",
                "our-4o",
                None,
            ),
            (
                "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Aprompt-router%2Fx/converse-stream",
                "converse",
                "arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Aprompt-router%2Fx",
                Some(Delivery::Stream),
            ),
            (
                "/model/amazon.nova-pro-v1%3A0/invoke-with-response-stream",
                "invoke",
                "amazon.nova-pro-v1%3A0",
                Some(Delivery::Stream),
            ),
            ("/models/text-embedding-004:batchEmbedContents", "embed", "text-embedding-004", None),
        ] {
            let (row, at) = of_path(path).unwrap();
            let found = at.map(|at| &path[at]);
            assert_eq!((row.name, found, row.delivery), (name, Some(model), delivery), "{path}");
        }
    }
}
