//! Chat completions on the wire: whole, as chunks, and errors.

use crate::ask::{Refusal, Tier};
use crate::speech::{Answer, Called, Finish, Spoken};
use crate::telling::{Frame, Numbers, Part, Telling, quoted};
use bytes::Bytes;
use serde_json::json;

/// The body of a whole answer.
pub(crate) fn whole(telling: &Telling) -> Vec<Frame> {
    let Telling { ask, answer, .. } = telling;
    let content = answer.text.as_ref().map_or("null".to_owned(), |text| quoted(&text.text));
    let calls: Vec<String> = answer.calls.iter().map(called).collect();
    let calls = match calls.is_empty() {
        true => String::new(),
        false => format!(r#","tool_calls":[{}]"#, calls.join(",")),
    };
    let usage = usage(telling).map_or(String::new(), |usage| format!(r#","usage":{usage}"#));
    let body = format!(
        r#"{{"id":"chatcmpl-{}","object":"chat.completion","created":{},"model":{},"choices":[{{"index":0,"message":{{"role":"assistant","content":{content},"refusal":null,"annotations":[]{calls}}},"logprobs":null,"finish_reason":"{}"}}]{usage},"service_tier":"{}","system_fingerprint":"{}"}}"#,
        telling.id,
        telling.created_s,
        quoted(&ask.model_name),
        finish(answer),
        tier(ask.tier),
        system_fingerprint(ask.model.id),
    );
    vec![Frame { bytes: Bytes::from(body), tokens_to_here: answer.output(), part: Part::Content }]
}

fn called(call: &Called) -> String {
    format!(
        r#"{{"id":"call_{}","type":"function","function":{{"name":{},"arguments":{}}}}}"#,
        call.id,
        quoted(&call.name),
        quoted(&call.arguments.text)
    )
}

/// The chunks of a streamed answer.
pub(crate) fn stream(telling: &Telling) -> Vec<Frame> {
    let Telling { ask, answer, .. } = telling;
    let mut chunks = Chunks::new(telling);
    let mut tokens = answer.reasoning;
    chunks.delta(r#"{"role":"assistant","content":"","refusal":null}"#, tokens, Part::Head);
    for (fragment, own) in answer.text.iter().flat_map(Spoken::each) {
        tokens += own;
        chunks.delta(&format!(r#"{{"content":{}}}"#, quoted(fragment)), tokens, Part::Content);
    }
    for (place, call) in answer.calls.iter().enumerate() {
        let opening = format!(
            r#"{{"tool_calls":[{{"index":{place},"id":"call_{}","type":"function","function":{{"name":{},"arguments":""}}}}]}}"#,
            call.id,
            quoted(&call.name)
        );
        chunks.delta(&opening, tokens, Part::Content);
        for (fragment, own) in call.arguments.each() {
            tokens += own;
            let arguments = quoted(fragment);
            let delta = format!(
                r#"{{"tool_calls":[{{"index":{place},"function":{{"arguments":{arguments}}}}}]}}"#
            );
            chunks.delta(&delta, tokens, Part::Content);
        }
    }
    let choice = format!(
        r#"{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{}"}}"#,
        finish(answer)
    );
    chunks.push(&choice, "null", tokens, Part::Finish);
    if let (true, Some(usage)) = (ask.include_usage, usage(telling)) {
        chunks.push("", &usage, tokens, Part::Finish);
    }
    chunks.event("[DONE]", tokens, Part::End);
    chunks.frames
}

/// Builds the chunks of one stream around their common head.
struct Chunks {
    head: String,
    include_usage: bool,
    frames: Vec<Frame>,
}

impl Chunks {
    fn new(telling: &Telling) -> Chunks {
        let ask = telling.ask;
        let head = format!(
            r#"{{"id":"chatcmpl-{}","object":"chat.completion.chunk","created":{},"model":{},"service_tier":"{}","system_fingerprint":"{}","choices":["#,
            telling.id,
            telling.created_s,
            quoted(&ask.model_name),
            tier(ask.tier),
            system_fingerprint(ask.model.id),
        );
        let told = *telling.numbers != Numbers::Missing;
        Chunks { head, include_usage: ask.include_usage && told, frames: Vec::new() }
    }

    fn delta(&mut self, delta: &str, tokens: u64, part: Part) {
        let choice =
            format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":null}}"#);
        self.push(&choice, "null", tokens, part);
    }

    fn push(&mut self, choice: &str, usage: &str, tokens: u64, part: Part) {
        let head = &self.head;
        let chunk = match self.include_usage {
            true => format!(r#"{head}{choice}],"usage":{usage}}}"#),
            false => format!("{head}{choice}]}}"),
        };
        self.event(&chunk, tokens, part);
    }

    fn event(&mut self, data: &str, tokens_to_here: u64, part: Part) {
        let bytes = Bytes::from(format!("data: {data}\n\n"));
        self.frames.push(Frame { bytes, tokens_to_here, part });
    }
}

fn usage(telling: &Telling) -> Option<String> {
    let Telling { usage, numbers, .. } = telling;
    match numbers {
        Numbers::Missing => return None,
        Numbers::Null => return Some("null".to_owned()),
        _ => {}
    }
    let prompt = numbers.tell(usage.prompt());
    let output = numbers.tell(usage.generated());
    let total = numbers.tell(usage.prompt() + usage.generated());
    let cached = numbers.tell_cached(usage.cache_read, usage.prompt());
    let written = numbers.tell(usage.write_short + usage.write_long);
    let reasoning = numbers.tell(usage.reasoning);
    Some(format!(
        r#"{{"prompt_tokens":{prompt},"completion_tokens":{output},"total_tokens":{total},"prompt_tokens_details":{{"cached_tokens":{cached},"cache_write_tokens":{written},"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#
    ))
}

fn finish(answer: &Answer) -> &'static str {
    match answer.finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Tools => "tool_calls",
    }
}

fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Standard => "default",
        Tier::Flex => "flex",
        Tier::Priority => "priority",
    }
}

fn system_fingerprint(model: &str) -> String {
    let key = crate::dice::low(crate::dice::digest(&[model.as_bytes()]));
    format!("fp_{:010x}", key & 0xFF_FFFF_FFFF)
}

/// An error in the vendor's shape.
pub(crate) fn error(refusal: &Refusal) -> Bytes {
    let Refusal { status: _, kind, code, message } = refusal;
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    Bytes::from(body.to_string())
}

/// An error in the middle of a stream.
pub(crate) fn stream_error() -> Bytes {
    Bytes::from_static(
        b"data: {\"error\":{\"message\":\"The server had an error while processing your request. Sorry about that!\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n",
    )
}
