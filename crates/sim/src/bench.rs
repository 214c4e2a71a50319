//! The fixed answers for benchmarks: nothing is read but the path and whether a stream is wanted.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use memchr::memmem;

/// How many milliseconds a fixed answer takes to come, as a model takes time to begin.
const WAIT_HEADER: &str = "x-sim-wait-ms";

const CHAT: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1795392000,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"All is well.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":250,"completion_tokens":4,"total_tokens":254,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_bench"}"#;

const CHAT_STREAM: &str = concat!(
    r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1795392000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_bench","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1795392000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_bench","choices":[{"index":0,"delta":{"content":"All is well."},"logprobs":null,"finish_reason":null}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1795392000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_bench","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1795392000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_bench","choices":[],"usage":{"prompt_tokens":250,"completion_tokens":4,"total_tokens":254}}"#,
    "\n\ndata: [DONE]\n\n",
);

const MESSAGE: &str = r#"{"id":"msg_bench","type":"message","role":"assistant","model":"claude-sonnet-5-5","content":[{"type":"text","text":"All is well.","citations":null}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":250,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":4,"service_tier":"standard"}}"#;

const MESSAGE_STREAM: &str = concat!(
    "event: message_start\n",
    r#"data: {"type":"message_start","message":{"id":"msg_bench","type":"message","role":"assistant","model":"claude-sonnet-5-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":250,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}}"#,
    "\n\nevent: content_block_start\n",
    r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"","citations":null}}"#,
    "\n\nevent: content_block_delta\n",
    r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"All is well."}}"#,
    "\n\nevent: content_block_stop\n",
    r#"data: {"type":"content_block_stop","index":0}"#,
    "\n\nevent: message_delta\n",
    r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":4}}"#,
    "\n\nevent: message_stop\n",
    r#"data: {"type":"message_stop"}"#,
    "\n\n",
);

/// Answers at once, or after the milliseconds in [`WAIT_HEADER`].
pub(crate) async fn answer(request: Request<Incoming>) -> Response<Bytes> {
    let messages = request.uri().path().starts_with("/v1/messages");
    let wait =
        request.headers().get(WAIT_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
    // A body that breaks off gets an answer too; nobody is there to read it.
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    let body = body.unwrap_or_default();
    if let Some(wait) = wait {
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    let stream = [&br#""stream":true"#[..], br#""stream": true"#];
    let stream = stream.iter().any(|mark| memmem::find(&body, mark).is_some());
    let (text, kind) = match (messages, stream) {
        (false, false) => (CHAT, "application/json"),
        (false, true) => (CHAT_STREAM, "text/event-stream"),
        (true, false) => (MESSAGE, "application/json"),
        (true, true) => (MESSAGE_STREAM, "text/event-stream"),
    };
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    let kind = http::HeaderValue::from_static(kind);
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}
