//! The words of Gemini's `generateContent` and `embedContent`.
//!
//! Source: `ai.google.dev/api/generate-content` and `…/embeddings`; fields come in camel case and, from
//! clients that speak protocol buffers, with underscores.

use scrimp_core::Role;
use scrimp_core::call::Content;

use super::prompt::Words;
use super::section::Section;

/// Generating content.
pub(super) const GENERATE: Words = Words {
    sections: &[
        (b"tools", Section::Tools),
        (b"systemInstruction", Section::System),
        (b"system_instruction", Section::System),
        (b"contents", Section::Messages),
    ],
    parts: b"parts",
    mark: None,
    mark_behind: None,
    options: None,
    long: b"",
    text: "",
    are_tools_markable: false,
    is_system_markable: false,
    role,
    content: |_| Content::Other,
    content_by_member,
    is_markable: |_, _| false,
};

/// Embedding one text, or several.
pub(super) const EMBED: Words = Words {
    sections: &[(b"content", Section::Anything), (b"requests", Section::Items)],
    ..GENERATE
};

fn role(name: &[u8], content: Content) -> Role {
    match (name, content) {
        (b"model", _) => Role::Assistant,
        (b"function" | b"tool", _) | (_, Content::Tool) => Role::ToolResult,
        _ => Role::User,
    }
}

fn content_by_member(name: &[u8]) -> Option<Content> {
    match name {
        b"text" => Some(Content::Text),
        b"inlineData" | b"inline_data" => Some(Content::Image),
        b"fileData" | b"file_data" => Some(Content::Document),
        b"functionCall" | b"function_call" | b"functionResponse" | b"function_response" => {
            Some(Content::Tool)
        }
        b"thought" => Some(Content::Reasoning),
        _ => None,
    }
}
