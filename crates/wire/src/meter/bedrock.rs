//! The chunks that events come in where Amazon Bedrock passes a model's own stream on.
//!
//! Source: `docs.aws.amazon.com/bedrock/latest/APIReference`, `API_runtime_PayloadPart`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::scan::{Kind, Scanner};

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
