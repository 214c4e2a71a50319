//! The words of Anthropic's messages.
//!
//! Source: the types of the `anthropic` package 2.12 (`types/*_param.py`).

use scrimp_core::Role;
use scrimp_core::call::Content;

use super::prompt::Words;
use super::section::Section;

/// Messages, and counting their tokens.
pub(super) const WORDS: Words = Words {
    sections: &[
        (b"tools", Section::Tools),
        (b"system", Section::System),
        (b"messages", Section::Messages),
    ],
    parts: b"content",
    mark: Some(b"cache_control"),
    mark_behind: None,
    options: Some(b"cache_control"),
    long: b"1h",
    text: "text",
    are_tools_markable: true,
    is_system_markable: true,
    role,
    content,
    content_by_member: |_| None,
    is_markable,
};

fn role(name: &[u8], content: Content) -> Role {
    match (name, content) {
        (b"assistant", _) => Role::Assistant,
        (b"system", _) => Role::System,
        (_, Content::Tool) => Role::ToolResult,
        _ => Role::User,
    }
}

fn content(kind: &[u8]) -> Content {
    match kind {
        b"text" => Content::Text,
        b"image" => Content::Image,
        b"document" | b"search_result" | b"container_upload" => Content::Document,
        b"thinking" | b"redacted_thinking" => Content::Reasoning,
        _ if kind.ends_with(b"tool_use") || kind.ends_with(b"tool_result") => Content::Tool,
        _ => Content::Other,
    }
}

/// Thinking takes no mark; what is not known is left alone.
fn is_markable(_: Role, content: Content) -> bool {
    !matches!(content, Content::Other | Content::Reasoning)
}

/// The session that `metadata.user_id` names: Claude Code writes `user_…_session_<uuid>`, newer
/// versions a JSON object with `session_id`.
pub(super) fn session(user_id: &str) -> Option<String> {
    if user_id.starts_with('{') {
        return session_member(user_id);
    }
    let (_, session) = user_id.rsplit_once("_session_")?;
    (!session.is_empty()).then(|| session.to_owned())
}

fn session_member(json: &str) -> Option<String> {
    let mut scanner = crate::scan::Scanner::new(json.as_bytes());
    let mut members = scanner.enter_object().ok()?;
    while let Some(member) = scanner.member(&mut members).ok()? {
        if member.key.is(b"session_id") {
            return scanner.string().ok().map(crate::scan::Text::lossy).filter(|id| !id.is_empty());
        }
        scanner.skip().ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_may_name_a_session() {
        let long = "user_5f_account_ab-1_session_0b6c3a1e-77aa";
        assert_eq!(session(long).as_deref(), Some("0b6c3a1e-77aa"));
        let json = r#"{"device_id":"d","session_id":"s-1","x":[{}]}"#;
        assert_eq!(session(json).as_deref(), Some("s-1"));
        for other in ["", "alice", "user_1_session_", "{", r#"{"session_id":5}"#] {
            assert_eq!(session(other), None, "{other}");
        }
    }
}
