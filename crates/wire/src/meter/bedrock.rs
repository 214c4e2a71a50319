//! What Amazon Bedrock's answers say: Converse's, and the chunks that other events come in.
//!
//! Source: `docs.aws.amazon.com/bedrock/latest/APIReference`, `API_runtime_ConverseStreamOutput`,
//! `API_runtime_PayloadPart` and `API_runtime_TokenUsage`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::event::Found;
use super::usage::{tier, word};
use crate::scan::{Kind, Scanner, Wrong};

/// The event in a chunk of a model that was invoked in its own dialect.
pub(super) fn chunk(payload: &[u8]) -> Option<Vec<u8>> {
    let mut scanner = Scanner::new(payload);
    let mut members = scanner.enter_object().ok()?;
    while let Some(member) = scanner.member(&mut members).ok()? {
        if member.key.is(b"bytes") && scanner.kind() == Ok(Kind::String) {
            return STANDARD.decode(scanner.string().ok()?.decoded()).ok();
        }
        scanner.skip().ok()?;
    }
    None
}

impl Found {
    /// The message that is a whole answer.
    pub(super) fn output(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match (&*member.key.decoded(), scanner.kind()?) {
                (b"message", Kind::Object) => self.written(scanner)?,
                _ => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// The start of a block that is no text: a call to a tool, an image.
    pub(super) fn start(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        let mut members = scanner.enter_object()?;
        while scanner.member(&mut members)?.is_some() {
            self.has_other_content = true;
            self.written(scanner)?;
        }
        Ok(())
    }

    /// What the model thought, or its encrypted form. A signature is no content.
    pub(super) fn thought(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match (&*member.key.decoded(), scanner.kind()?) {
                (b"text", Kind::String) => self.written(scanner)?,
                (b"redactedContent", Kind::String) => {
                    self.has_other_content = true;
                    scanner.skip()?;
                }
                _ => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// The tier in which the call was served.
    pub(super) fn served(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match member.key.is(b"type") {
                true => self.tier = word(scanner)?.as_deref().map(tier),
                false => drop(scanner.skip()?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_holds_an_event() {
        for (payload, event) in [
            (r#"{"bytes":"eyJhIjoxfQ=="}"#, Some(&br#"{"a":1}"#[..])),
            (r#"{"p":"abc","bytes":"eyJhIjoxfQ==","x":1}"#, Some(br#"{"a":1}"#)),
            (r#"{"bytes":"eyJhIjoxfQ"}"#, None),
            (r#"{"bytes":"é"}"#, None),
            (r#"{"bytes":5}"#, None),
            (r#"{"p":"abc"}"#, None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(chunk(payload.as_bytes()).as_deref(), event, "{payload}");
        }
    }
}
