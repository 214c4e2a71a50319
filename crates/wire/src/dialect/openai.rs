//! The words of `OpenAI`'s chat completions.
//!
//! Source: the types of the `openai` package 3.54 (`types/chat`).

use scrimp_core::call::Content;
use scrimp_core::{Role, Ttl};

use super::prompt::Words;

/// Chat completions.
pub(super) const WORDS: Words = Words {
    mark: b"prompt_cache_breakpoint",
    options: b"prompt_cache_options",
    long: b"12h",
    are_tools_markable: false,
    role,
    content,
    is_markable,
};

fn role(name: &[u8], _: Content) -> Role {
    match name {
        b"system" | b"developer" => Role::System,
        b"assistant" => Role::Assistant,
        b"tool" | b"function" => Role::ToolResult,
        _ => Role::User,
    }
}

fn content(kind: &[u8]) -> Content {
    match kind {
        b"text" | b"refusal" => Content::Text,
        b"image_url" => Content::Image,
        b"input_audio" => Content::Audio,
        b"file" => Content::Document,
        _ => Content::Other,
    }
}

/// Parts of what is said to the model take a breakpoint; what the model said does not.
fn is_markable(role: Role, content: Content) -> bool {
    matches!(role, Role::System | Role::User | Role::ToolResult)
        && !matches!(content, Content::Other | Content::Reasoning)
}

/// The life that a mark or the options ask for; `None` if they do not say.
pub(super) fn life(ttl: &[u8]) -> Option<Ttl> {
    match ttl {
        b"12h" | b"1h" => Some(Ttl::Long),
        b"30m" | b"5m" => Some(Ttl::Short),
        _ => None,
    }
}
