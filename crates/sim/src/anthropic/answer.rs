//! Messages on the wire: whole, as events, and errors.

use crate::ask::Refusal;
use crate::speech::{Answer, Called, Finish, Spoken, signature};
use crate::telling::{Frame, Numbers, Part, Telling, quoted};
use bytes::Bytes;
use serde_json::json;

/// The body of a whole answer.
pub(crate) fn whole(telling: &Telling) -> Vec<Frame> {
    let answer = telling.answer;
    let mut blocks = Vec::new();
    if let Some(thinking) = &answer.thinking {
        blocks.push(format!(
            r#"{{"type":"thinking","thinking":{},"signature":{}}}"#,
            quoted(&thinking.text),
            quoted(&signature(telling.fingerprint))
        ));
    }
    if let Some(text) = said(answer.text.as_ref()) {
        blocks.push(format!(r#"{{"type":"text","text":{},"citations":null}}"#, quoted(&text.text)));
    }
    blocks.extend(answer.calls.iter().map(|call| tool_use(call, &object(&call.arguments))));
    let stop = quoted(stop_reason(answer));
    let thinking = telling.numbers.tell(telling.usage.reasoning);
    let details = format!(r#","output_tokens_details":{{"thinking_tokens":{thinking}}}"#);
    let output = format!("{}{details}", telling.numbers.tell(telling.usage.generated()));
    let body = message(telling, &blocks.join(","), &stop, &output);
    vec![Frame { bytes: Bytes::from(body), tokens_to_here: answer.output(), part: Part::Content }]
}

/// Text, unless nothing was said.
fn said(text: Option<&Spoken>) -> Option<&Spoken> {
    text.filter(|text| !text.text.is_empty())
}

/// The arguments of a call; a call that was cut off has none that are JSON.
fn object(arguments: &Spoken) -> String {
    match serde_json::from_str::<serde::de::IgnoredAny>(&arguments.text) {
        Ok(_) => arguments.text.clone(),
        Err(_) => "{}".to_owned(),
    }
}

fn tool_use(call: &Called, input: &str) -> String {
    let name = quoted(&call.name);
    format!(r#"{{"type":"tool_use","id":"toolu_{}","name":{name},"input":{input}}}"#, call.id)
}

fn message(telling: &Telling, blocks: &str, stop: &str, output: &str) -> String {
    let usage = match input_usage(telling) {
        None => String::new(),
        Some(usage) if usage == "null" => r#","usage":null"#.to_owned(),
        Some(usage) => format!(
            r#","usage":{{{usage},"output_tokens":{output},"service_tier":"standard","inference_geo":"not_available"}}"#
        ),
    };
    format!(
        r#"{{"id":"msg_{}","type":"message","role":"assistant","model":{},"content":[{blocks}],"stop_reason":{stop},"stop_sequence":null{usage}}}"#,
        telling.id,
        quoted(&telling.ask.model_name),
    )
}

/// The events of a streamed answer.
pub(crate) fn stream(telling: &Telling) -> Vec<Frame> {
    let answer = telling.answer;
    let mut events = Events::default();
    let start = message(telling, "", "null", &telling.numbers.tell(1));
    events.push(
        "message_start",
        &format!(r#"{{"type":"message_start","message":{start}}}"#),
        Part::Head,
    );
    if let Some(thinking) = &answer.thinking {
        events.open(r#"{"type":"thinking","thinking":"","signature":""}"#);
        events.deltas(thinking, "thinking_delta", "thinking");
        let signature = quoted(&signature(telling.fingerprint));
        events.delta(&format!(r#"{{"type":"signature_delta","signature":{signature}}}"#));
        events.close();
    }
    if let Some(text) = said(answer.text.as_ref()) {
        events.open(r#"{"type":"text","text":"","citations":null}"#);
        events.push("ping", r#"{"type":"ping"}"#, Part::Head);
        events.deltas(text, "text_delta", "text");
        events.close();
    }
    for call in &answer.calls {
        events.open(&tool_use(call, "{}"));
        events.deltas(&call.arguments, "input_json_delta", "partial_json");
        events.close();
    }
    let delta = format!(
        r#"{{"type":"message_delta","delta":{{"stop_reason":"{}","stop_sequence":null}},"usage":{}}}"#,
        stop_reason(answer),
        final_usage(telling)
    );
    events.push("message_delta", &delta, Part::Finish);
    events.push("message_stop", r#"{"type":"message_stop"}"#, Part::End);
    events.frames
}

/// Builds the events of one stream.
#[derive(Default)]
struct Events {
    frames: Vec<Frame>,
    /// The index of the open content block.
    index: usize,
    tokens: u64,
}

impl Events {
    fn push(&mut self, name: &str, data: &str, part: Part) {
        let bytes = Bytes::from(format!("event: {name}\ndata: {data}\n\n"));
        self.frames.push(Frame { bytes, tokens_to_here: self.tokens, part });
    }

    fn open(&mut self, block: &str) {
        let index = self.index;
        let data =
            format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#);
        self.push("content_block_start", &data, Part::Head);
    }

    fn delta(&mut self, delta: &str) {
        let index = self.index;
        let data = format!(r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#);
        self.push("content_block_delta", &data, Part::Content);
    }

    fn deltas(&mut self, spoken: &Spoken, kind: &str, field: &str) {
        for (fragment, own) in spoken.each() {
            self.tokens += own;
            self.delta(&format!(r#"{{"type":"{kind}","{field}":{}}}"#, quoted(fragment)));
        }
    }

    fn close(&mut self) {
        let index = self.index;
        let data = format!(r#"{{"type":"content_block_stop","index":{index}}}"#);
        self.push("content_block_stop", &data, Part::Content);
        self.index += 1;
    }
}

/// The members of a usage that are known when the answer begins. `None` where none are told.
fn input_usage(telling: &Telling) -> Option<String> {
    let Telling { usage, numbers, .. } = telling;
    match numbers {
        Numbers::Missing => return None,
        Numbers::Null => return Some("null".to_owned()),
        _ => {}
    }
    let input = numbers.tell(usage.uncached);
    let read = numbers.tell_cached(usage.cache_read, usage.prompt());
    let written = numbers.tell(usage.write_short + usage.write_long);
    let (short, long) = (numbers.tell(usage.write_short), numbers.tell(usage.write_long));
    Some(format!(
        r#""input_tokens":{input},"cache_creation_input_tokens":{written},"cache_read_input_tokens":{read},"cache_creation":{{"ephemeral_5m_input_tokens":{short},"ephemeral_1h_input_tokens":{long}}}"#
    ))
}

/// The cumulative usage at a stream's end.
fn final_usage(telling: &Telling) -> String {
    let Telling { usage, numbers, .. } = telling;
    match numbers {
        Numbers::Missing => return "{}".to_owned(),
        Numbers::Null => return "null".to_owned(),
        _ => {}
    }
    let input = numbers.tell(usage.uncached);
    let read = numbers.tell_cached(usage.cache_read, usage.prompt());
    let written = numbers.tell(usage.write_short + usage.write_long);
    let output = numbers.tell(usage.generated());
    let thinking = numbers.tell(usage.reasoning);
    format!(
        r#"{{"input_tokens":{input},"cache_creation_input_tokens":{written},"cache_read_input_tokens":{read},"output_tokens":{output},"output_tokens_details":{{"thinking_tokens":{thinking}}}}}"#
    )
}

fn stop_reason(answer: &Answer) -> &'static str {
    match answer.finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Tools => "tool_use",
    }
}

/// An error in the vendor's shape.
pub(crate) fn error(refusal: &Refusal, request_id: &str) -> Bytes {
    let Refusal { status: _, kind, code: _, message } = refusal;
    let body = json!({
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": request_id,
    });
    Bytes::from(body.to_string())
}

/// An error in the middle of a stream.
pub(crate) fn stream_error() -> Bytes {
    Bytes::from_static(
        b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
    )
}
