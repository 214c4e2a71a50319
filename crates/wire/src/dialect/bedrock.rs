//! The words of Amazon Bedrock's Converse, and how its paths name models.
//!
//! Source: `docs.aws.amazon.com/bedrock/latest/APIReference`, `API_runtime_Converse` and the types
//! that it names. Parts have no type: each is an object with one member, which says what it is.

use std::borrow::Cow;
use std::fmt::Write as _;

use scrimp_core::Role;
use scrimp_core::call::Content;

use super::prompt::Words;
use super::section::Section;

/// Converse, whole and as a stream.
pub(super) const CONVERSE: Words = Words {
    sections: &[
        (b"toolConfig", Section::ToolConfig),
        (b"system", Section::System),
        (b"messages", Section::Messages),
    ],
    parts: b"content",
    mark: None,
    mark_behind: Some(b"cachePoint"),
    options: None,
    long: b"1h",
    text: "",
    are_tools_markable: true,
    is_system_markable: true,
    role,
    content: |_| Content::Other,
    content_by_member,
    is_markable,
};

fn role(name: &[u8], content: Content) -> Role {
    match (name, content) {
        (b"assistant", _) => Role::Assistant,
        (_, Content::Tool) => Role::ToolResult,
        _ => Role::User,
    }
}

/// A cache point behind a document or behind reasoning is refused: AWS turns the former into text and
/// loses it on the way (aws/aws-sdk-java-v2#6277), and says so of the latter.
fn is_markable(_: Role, content: Content) -> bool {
    matches!(content, Content::Text | Content::Image | Content::Tool)
}

fn content_by_member(name: &[u8]) -> Option<Content> {
    match name {
        b"text" | b"guardContent" | b"citationsContent" => Some(Content::Text),
        b"image" => Some(Content::Image),
        b"audio" => Some(Content::Audio),
        b"document" | b"searchResult" => Some(Content::Document),
        b"toolUse" | b"toolResult" => Some(Content::Tool),
        b"reasoningContent" => Some(Content::Reasoning),
        _ => None,
    }
}

/// The model that a path names, as price lists call it.
///
/// Names come percent-encoded. The ARN of a foundation model or of one of Amazon's own inference
/// profiles ends with the model's name; any other ARN does not tell its model, and stays as it is.
pub fn model_of(named: &str) -> Cow<'_, str> {
    let name = percent_decoded(named);
    let resource = name.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4));
    let tells = ["foundation-model/", "inference-profile/"];
    let own = resource.and_then(|of| tells.iter().find_map(|kind| of.strip_prefix(kind)));
    match own {
        Some(own) => Cow::Owned(own.to_owned()),
        None => name,
    }
}

/// Whether a path names a model of Anthropic's, so that it is invoked by Anthropic's messages.
pub fn is_claude(named: &str) -> bool {
    let name = model_of(named);
    name.contains("anthropic.") || name.contains("claude")
}

/// `text` with what is percent-encoded in it decoded. What is no such code stays, and so does all of
/// it if it decodes to no text.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find('%') else { return Cow::Borrowed(text) };
    let mut bytes = text.as_bytes()[..first].to_vec();
    let mut rest = &text.as_bytes()[first..];
    while let Some((byte, after)) = rest.split_first() {
        let coded = after.first_chunk::<2>().filter(|_| *byte == b'%');
        let digits = coded.and_then(|[high, low]| Some((hex(*high)?, hex(*low)?)));
        bytes.push(digits.map_or(*byte, |(high, low)| high << 4 | low));
        rest = if digits.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// `text` as one part of a path: all is encoded but what needs it nowhere.
pub fn percent_encoded(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match is_plain(byte) {
            true => out.push(char::from(byte)),
            false => write!(out, "%{byte:02X}").expect("strings take everything"),
        }
    }
    Cow::Owned(out)
}

fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_model_by_its_name_or_by_an_arn() {
        let arn = "arn:aws:bedrock:us-east-1:";
        for (named, model, claude) in [
            ("anthropic.claude-sonnet-5", "anthropic.claude-sonnet-5", true),
            (
                "us.anthropic.claude-haiku-4-5-20251001-v1%3A0",
                "us.anthropic.claude-haiku-4-5-20251001-v1:0",
                true,
            ),
            ("amazon.nova-pro-v1%3a0", "amazon.nova-pro-v1:0", false),
            (
                "arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fanthropic.claude-opus-5",
                "anthropic.claude-opus-5",
                true,
            ),
            (
                &format!("{arn}123456789012:inference-profile/us.anthropic.claude-sonnet-4-6"),
                "us.anthropic.claude-sonnet-4-6",
                true,
            ),
            (
                &format!("{arn}123456789012:inference-profile%2Fglobal.amazon.nova-2-lite-v1:0"),
                "global.amazon.nova-2-lite-v1:0",
                false,
            ),
            (
                &format!("{arn}123456789012:application-inference-profile/abc1def2"),
                &format!("{arn}123456789012:application-inference-profile/abc1def2"),
                false,
            ),
            ("100%", "100%", false),
            ("%zz%4", "%zz%4", false),
            ("a%FFb", "a%FFb", false),
            ("arn:", "arn:", false),
            ("", "", false),
        ] {
            assert_eq!(model_of(named), model, "{named}");
            assert_eq!(is_claude(named), claude, "{named}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_can_be_read(name in "\\PC{0,30}", coded in "(%[0-9a-fA-F]{2}|%|ä){0,8}") {
            let (both, _) = (format!("{name}{coded}"), model_of(&name));
            proptest::prop_assert!(model_of(&both).len() <= both.len());
        }

        #[test]
        fn what_is_encoded_is_one_part_of_a_path_and_means_the_same(text in "\\PC{0,30}") {
            let part = percent_encoded(&text);
            proptest::prop_assert!(part.is_ascii() && !part.contains(['/', '?', '#', ':']));
            proptest::prop_assert_eq!(&*percent_decoded(&part), &*text);
        }
    }
}
