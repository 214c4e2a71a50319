//! Errors in the caller's dialect, so that its SDK raises what its code expects.
//!
//! Both vendors' SDKs choose the exception by the status and read message, type and code from the
//! body; inside a stream the status has been sent, and the event alone has to say it.

use std::fmt::Write as _;

use bytes::Bytes;
use scrimp_core::call::{Dialect, Family};

use crate::event_stream;

/// The body of an error answer and its content type. `code` is a stable word for programs
/// (`no_route`), `message` is for people and says the way out.
pub fn error_body(
    dialect: Dialect,
    status: u16,
    code: &str,
    message: &str,
) -> (Bytes, &'static str) {
    (json(dialect, status, code, message).into(), "application/json")
}

/// An event that ends a stream with an error. `status` is the one that the error would have had as
/// an answer.
pub fn sse_error(dialect: Dialect, status: u16, code: &str, message: &str) -> Bytes {
    let json = json(dialect, status, code, message);
    match dialect.family() {
        // Unnamed events are skipped by these SDKs.
        Family::Anthropic => format!("event: error\ndata: {json}\n\n").into(),
        Family::Openai | Family::Gemini | Family::Bedrock | Family::Other => {
            format!("data: {json}\n\n").into()
        }
    }
}

/// The frame that ends one of Amazon's event streams with an error. It may stand where a frame may
/// begin, and nowhere else: a reader takes it for the rest of a frame that broke off.
pub fn event_stream_error(status: u16, message: &str) -> Bytes {
    let payload = format!(r#"{{"message":{}}}"#, json_string(message));
    event_stream::exception(bedrock_exception(status), payload.as_bytes()).into()
}

fn json(dialect: Dialect, status: u16, code: &str, message: &str) -> String {
    let (code, message) = (json_string(code), json_string(message));
    match dialect.family() {
        Family::Anthropic => {
            let kind = anthropic_type(status);
            format!(
                r#"{{"type":"error","error":{{"type":"{kind}","message":{message},"code":{code}}}}}"#
            )
        }
        Family::Gemini => {
            let kind = gemini_status(status);
            format!(
                r#"{{"error":{{"code":{status},"message":{message},"status":"{kind}","details":[{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":{code},"domain":"scrimp"}}]}}}}"#
            )
        }
        // The type stands in a header, `x-amzn-errortype`, or here. A `code` would be taken for it.
        Family::Bedrock => {
            let kind = bedrock_type(status);
            format!(r#"{{"__type":"{kind}","message":{message},"reason":{code}}}"#)
        }
        Family::Openai | Family::Other => {
            let kind = openai_type(status);
            format!(
                r#"{{"error":{{"message":{message},"type":"{kind}","param":null,"code":{code}}}}}"#
            )
        }
    }
}

fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// The words of `google.rpc.Code` for statuses of HTTP.
fn gemini_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        502 | 503 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

/// The type of an error of Bedrock's.
///
/// Source: `docs.aws.amazon.com/bedrock/latest/APIReference`, the errors of `API_runtime_Converse`.
pub fn bedrock_type(status: u16) -> &'static str {
    match status {
        401 | 403 => "AccessDeniedException",
        402 => "ServiceQuotaExceededException",
        404 => "ResourceNotFoundException",
        408 | 504 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        502 | 503 | 529 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    }
}

/// The exceptions of a stream are fewer: `API_runtime_ConverseStreamOutput`.
fn bedrock_exception(status: u16) -> &'static str {
    match status {
        408 | 424 | 502 | 504 => "modelStreamErrorException",
        429 => "throttlingException",
        503 | 529 => "serviceUnavailableException",
        500.. => "internalServerException",
        _ => "validationException",
    }
}

/// `text` as a JSON string, quotes included.
pub(crate) fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if u32::from(c) < 0x20 => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("strings take everything");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(dialect: Dialect, status: u16, expected: &Expect) {
        let (body, kind) = error_body(dialect, status, "no_key", "say \"please\"\n\u{1}");
        serde_json::from_slice::<serde_json::Value>(&body).unwrap();
        let event = sse_error(dialect, status, "no_key", "x");
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        expected.assert_eq(&format!("{kind}\n{}\n{}", text(&body), text(&event)));
    }

    #[test]
    fn openai_errors_have_message_type_param_and_code() {
        check(
            Dialect::OpenaiChat,
            401,
            &expect![[r#"
                application/json
                {"error":{"message":"say \"please\"\n\u0001","type":"authentication_error","param":null,"code":"no_key"}}
                data: {"error":{"message":"x","type":"authentication_error","param":null,"code":"no_key"}}

            "#]],
        );
    }

    #[test]
    fn gemini_errors_have_code_message_and_status() {
        check(
            Dialect::GeminiGenerate,
            429,
            &expect![[r#"
                application/json
                {"error":{"code":429,"message":"say \"please\"\n\u0001","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"no_key","domain":"scrimp"}]}}
                data: {"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"no_key","domain":"scrimp"}]}}

            "#]],
        );
    }

    #[test]
    fn bedrock_errors_have_a_type_and_a_message() {
        check(
            Dialect::BedrockConverse,
            429,
            &expect![[r#"
                application/json
                {"__type":"ThrottlingException","message":"say \"please\"\n\u0001","reason":"no_key"}
                data: {"__type":"ThrottlingException","message":"x","reason":"no_key"}

            "#]],
        );
    }

    #[test]
    fn errors_in_event_streams_are_exceptions() {
        let frame = event_stream_error(503, "say \"please\"");
        let text = String::from_utf8_lossy(&frame);
        assert!(text.contains("serviceUnavailableException") && text.contains("exception"));
        assert!(text.contains(r#"{"message":"say \"please\""}"#));
    }

    #[test]
    fn anthropic_errors_are_named_events() {
        check(
            Dialect::AnthropicMessages,
            529,
            &expect![[r#"
                application/json
                {"type":"error","error":{"type":"overloaded_error","message":"say \"please\"\n\u0001","code":"no_key"}}
                event: error
                data: {"type":"error","error":{"type":"overloaded_error","message":"x","code":"no_key"}}

            "#]],
        );
    }
}
