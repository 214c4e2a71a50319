//! The words of `OpenAI`'s chat completions, responses, completions and embeddings.
//!
//! Source: the types of the `openai` package 3.54 (`types/chat`, `types/responses`,
//! `types/completion_create_params.py`, `types/embedding_create_params.py`).

use scrimp_core::call::Content;
use scrimp_core::{Role, Ttl};

use super::prompt::Words;
use super::section::Section;

/// Chat completions.
pub(super) const CHAT: Words = Words {
    sections: &[
        (b"tools", Section::Tools),
        (b"system", Section::System),
        (b"messages", Section::Messages),
    ],
    parts: b"content",
    mark: Some(b"prompt_cache_breakpoint"),
    mark_behind: None,
    options: Some(b"prompt_cache_options"),
    long: b"12h",
    text: "text",
    are_tools_markable: false,
    is_system_markable: true,
    role,
    content,
    content_by_member: |_| None,
    is_markable,
};

/// Responses. Their instructions are a string and nothing else.
pub(super) const RESPONSES: Words = Words {
    sections: &[
        (b"tools", Section::Tools),
        (b"instructions", Section::System),
        (b"input", Section::Items),
    ],
    text: "input_text",
    is_system_markable: false,
    ..CHAT
};

/// Completions, the older ones.
pub(super) const COMPLETIONS: Words = Words {
    sections: &[(b"prompt", Section::Texts), (b"suffix", Section::Texts)],
    mark: None,
    options: None,
    ..CHAT
};

/// Embeddings.
pub(super) const EMBEDDINGS: Words =
    Words { sections: &[(b"input", Section::Texts)], mark: None, options: None, ..CHAT };

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
        b"text" | b"refusal" | b"input_text" | b"output_text" => Content::Text,
        b"image_url" | b"input_image" => Content::Image,
        b"input_audio" => Content::Audio,
        b"file" | b"input_file" => Content::Document,
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
