//! An answer as its client reads it: text, tool calls, usage, and whether it came to its end.

use crate::models::Api;
use serde::Serialize;
use serde_json::{Value, json};

/// Tokens as the answer's own usage tells them. `None` where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SeenUsage {
    /// The whole prompt, cached parts included.
    pub prompt: Option<u64>,
    /// The part of it that was read from a cache.
    pub cache_read: Option<u64>,
    /// The part of it that was written to one.
    pub cache_write: Option<u64>,
    /// The output, reasoning included.
    pub output: Option<u64>,
}

/// A tool that the model wants called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// The vendor's id of the call.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// JSON, as far as it came.
    pub arguments: String,
}

/// What a client makes of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// Visible thinking and the proof that comes with it.
    pub thinking: Option<(String, String)>,
    /// The calls of tools.
    pub calls: Vec<ToolCall>,
    /// The usage.
    pub usage: SeenUsage,
    /// Why the model stopped, in the vendor's word.
    pub finish: Option<String>,
    /// Whether the terminal event, or the whole body, was there.
    pub complete: bool,
}

impl Reply {
    /// Reads a body, whole or streamed.
    pub fn read(api: Api, body: &[u8]) -> Reply {
        let mut reply = Reply::default();
        if let Ok(whole) = serde_json::from_slice::<Value>(body) {
            reply.complete = whole.get("error").is_none();
            match api {
                Api::OpenAi => reply.chat(&whole, "message"),
                Api::Anthropic => reply.message(&whole),
            }
            return reply;
        }
        for line in String::from_utf8_lossy(body).lines() {
            let Some(data) = line.strip_prefix("data:") else { continue };
            let data = data.trim_start();
            if data == "[DONE]" {
                reply.complete = true;
            } else if let Ok(event) = serde_json::from_str::<Value>(data) {
                match api {
                    Api::OpenAi => reply.chat(&event, "delta"),
                    Api::Anthropic => reply.event(&event),
                }
            }
        }
        reply
    }

    fn chat(&mut self, body: &Value, part: &str) {
        let usage = &body["usage"];
        if usage.is_object() {
            let details = &usage["prompt_tokens_details"];
            self.usage = SeenUsage {
                prompt: usage["prompt_tokens"].as_u64(),
                cache_read: details["cached_tokens"].as_u64(),
                cache_write: details["cache_write_tokens"].as_u64(),
                output: usage["completion_tokens"].as_u64(),
            };
        }
        let choice = &body["choices"][0];
        if let Some(finish) = choice["finish_reason"].as_str() {
            self.finish = Some(finish.to_owned());
        }
        self.text.push_str(choice[part]["content"].as_str().unwrap_or_default());
        let calls = choice[part]["tool_calls"].as_array();
        for (place, call) in calls.into_iter().flatten().enumerate() {
            let index = call["index"].as_u64().and_then(|index| usize::try_from(index).ok());
            let own = self.call(index.unwrap_or(place));
            own.id.push_str(call["id"].as_str().unwrap_or_default());
            own.name.push_str(call["function"]["name"].as_str().unwrap_or_default());
            own.arguments.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
    }

    /// The call of this index; a foreign answer does not make us hold more than a few.
    fn call(&mut self, index: usize) -> &mut ToolCall {
        let index = index.min(63);
        if self.calls.len() <= index {
            self.calls.resize(index + 1, ToolCall::default());
        }
        &mut self.calls[index]
    }

    fn message(&mut self, body: &Value) {
        self.anthropic_usage(&body["usage"]);
        self.finish = body["stop_reason"].as_str().map(str::to_owned);
        for block in body["content"].as_array().into_iter().flatten() {
            self.block(block);
            if block["type"] == "tool_use" {
                let input = block["input"].to_string();
                if let Some(call) = self.calls.last_mut() {
                    call.arguments = input;
                }
            }
        }
    }

    fn block(&mut self, block: &Value) {
        let text = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
        match block["type"].as_str() {
            Some("text") => self.text.push_str(&text("text")),
            Some("thinking") => self.thinking = Some((text("thinking"), text("signature"))),
            Some("tool_use") => self.calls.push(ToolCall {
                id: text("id"),
                name: text("name"),
                arguments: String::new(),
            }),
            _ => {}
        }
    }

    fn event(&mut self, event: &Value) {
        match event["type"].as_str() {
            Some("message_start") => self.anthropic_usage(&event["message"]["usage"]),
            Some("content_block_start") => self.block(&event["content_block"]),
            Some("content_block_delta") => self.delta(&event["delta"]),
            Some("message_delta") => {
                self.anthropic_usage(&event["usage"]);
                self.finish = event["delta"]["stop_reason"].as_str().map(str::to_owned);
            }
            Some("message_stop") => self.complete = true,
            _ => {}
        }
    }

    fn delta(&mut self, delta: &Value) {
        let text = |name: &str| delta[name].as_str().unwrap_or_default();
        self.text.push_str(text("text"));
        if let Some(call) = self.calls.last_mut() {
            call.arguments.push_str(text("partial_json"));
        }
        if let Some((thinking, signature)) = &mut self.thinking {
            thinking.push_str(text("thinking"));
            signature.push_str(text("signature"));
        }
    }

    fn anthropic_usage(&mut self, usage: &Value) {
        if let Some(input) = usage["input_tokens"].as_u64() {
            let read = usage["cache_read_input_tokens"].as_u64();
            let write = usage["cache_creation_input_tokens"].as_u64();
            // Saturating, because one of the faults claims as many tokens as a number can say.
            let cached = read.unwrap_or(0).saturating_add(write.unwrap_or(0));
            self.usage.prompt = Some(input.saturating_add(cached));
            (self.usage.cache_read, self.usage.cache_write) = (read, write);
        }
        self.usage.output = usage["output_tokens"].as_u64().or(self.usage.output);
    }

    /// The answer as a message of the next request.
    pub fn as_message(&self, api: Api) -> Value {
        match api {
            Api::OpenAi => self.as_chat(),
            Api::Anthropic => self.as_blocks(),
        }
    }

    fn as_chat(&self) -> Value {
        let mut message = json!({"role": "assistant", "content": self.text});
        if !self.calls.is_empty() {
            let calls = self.calls.iter().map(|call| {
                json!({"id": call.id, "type": "function",
                       "function": {"name": call.name, "arguments": call.arguments}})
            });
            message["tool_calls"] = calls.collect();
        }
        message
    }

    fn as_blocks(&self) -> Value {
        let mut blocks = Vec::new();
        if let Some((thinking, signature)) = &self.thinking {
            blocks.push(json!({"type": "thinking", "thinking": thinking, "signature": signature}));
        }
        if !self.text.is_empty() {
            blocks.push(json!({"type": "text", "text": self.text}));
        }
        for call in &self.calls {
            let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
            blocks.push(
                json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}),
            );
        }
        if blocks.is_empty() {
            blocks.push(json!({"type": "text", "text": "(nothing)"}));
        }
        json!({"role": "assistant", "content": blocks})
    }
}
