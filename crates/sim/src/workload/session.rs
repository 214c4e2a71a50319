//! A session: calls that belong together, each made when the answer before it is known.

use super::client::Request;
use super::reply::Reply;
use crate::dice::Dice;
use crate::latency::milliseconds;
use crate::models::Api;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// A call that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Before it is sent, after the answer before it was read: thinking, reading, running a tool.
    pub wait: Duration,
    /// What is sent.
    pub request: Request,
    /// The client hangs up after so long, if the answer is not complete by then.
    pub patience: Option<Duration>,
}

/// Where a session's calls come from.
#[derive(Clone, Debug)]
pub struct Session {
    /// `x-scrimp-session`. Sub-agents have their parent's.
    pub id: String,
    /// `x-scrimp-op`.
    pub operation: &'static str,
    /// After the day's begin.
    pub start: Duration,
    pub(super) shape: Shape,
    pub(super) dice: Dice,
    /// Messages so far, as JSON.
    pub(super) messages: Vec<Value>,
    pub(super) turns_left: u64,
    /// Steps of tools left in the present turn.
    pub(super) steps_left: u64,
    pub(super) last: Option<Planned>,
    pub(super) retries_left: u32,
}

/// Where the client puts cache marks of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnMarks {
    None,
    /// On the system prompt and on the newest message.
    SystemAndTail,
}

/// What all calls of a session have in common.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) api: Api,
    pub(super) model: &'static str,
    pub(super) key: &'static str,
    pub(super) system: String,
    /// Already in the vendor's form.
    pub(super) tools: Vec<Value>,
    /// `response_format` or `output_config`.
    pub(super) format: Option<Value>,
    pub(super) stream: bool,
    pub(super) max_tokens: u64,
    pub(super) thinking: Option<u64>,
    pub(super) marks: OwnMarks,
    /// Median seconds that a person takes.
    pub(super) think_s: f64,
    /// Median seconds that a tool takes, and median tokens that it answers.
    pub(super) tool: (f64, f64),
    /// Median tokens of what a person says.
    pub(super) said_tokens: f64,
    /// How likely a client hangs up during a call.
    pub(super) hang_up_share: f64,
}

impl Session {
    /// The next call. `answer` is the body of the last one's answer, `None` at the start and where
    /// there was none; a call without an answer is tried once more before the session gives up.
    pub fn next(&mut self, answer: Option<&[u8]>) -> Option<Planned> {
        match (answer, self.last.take()) {
            (None, Some(last)) => self.again(last),
            (None, None) => {
                self.say();
                Some(self.plan(Duration::ZERO))
            }
            (Some(answer), _) => {
                let reply = Reply::read(self.shape.api, answer);
                let wait = self.take(&reply)?;
                Some(self.plan(wait))
            }
        }
    }

    fn again(&mut self, last: Planned) -> Option<Planned> {
        self.retries_left = self.retries_left.checked_sub(1)?;
        let again = Planned { wait: Duration::from_secs(2), patience: None, ..last };
        self.last = Some(again.clone());
        Some(again)
    }

    /// Takes an answer into the conversation, and what follows it: a tool's result or a person's
    /// words. Returns the wait, or `None` when the session is over.
    fn take(&mut self, reply: &Reply) -> Option<Duration> {
        self.messages.push(reply.as_message(self.shape.api));
        let (tool_s, _) = self.shape.tool;
        if !reply.calls.is_empty() {
            self.steps_left = self.steps_left.saturating_sub(1);
            self.answer_tools(reply);
            if self.steps_left == 0 {
                self.next_turn()?;
            }
            return Some(self.seconds(tool_s));
        }
        self.next_turn()?;
        self.say();
        Some(self.seconds(self.shape.think_s))
    }

    fn next_turn(&mut self) -> Option<()> {
        self.turns_left = self.turns_left.checked_sub(1)?;
        self.steps_left = self.dice.between(2, 9);
        (self.turns_left != 0).then_some(())
    }

    fn seconds(&mut self, median: f64) -> Duration {
        milliseconds(self.dice.lognormal(median, 0.9).clamp(0.02, 3600.0))
    }

    /// A person says something.
    fn say(&mut self) {
        let words = self.dice.size(self.shape.said_tokens, 0.6, 4..=20_000);
        let text = crate::speech::sentence(&mut self.dice, words);
        self.messages.push(json!({"role": "user", "content": text}));
    }

    fn answer_tools(&mut self, reply: &Reply) {
        let (_, median) = self.shape.tool;
        let mut results = Vec::new();
        for call in &reply.calls {
            let words = self.dice.size(median, 1.1, 8..=6_000);
            let text = crate::speech::sentence(&mut self.dice, words);
            match self.shape.api {
                Api::OpenAi => self
                    .messages
                    .push(json!({"role": "tool", "tool_call_id": call.id, "content": text})),
                Api::Anthropic => results
                    .push(json!({"type": "tool_result", "tool_use_id": call.id, "content": text})),
            }
        }
        if !results.is_empty() {
            self.messages.push(json!({"role": "user", "content": results}));
        }
    }

    fn plan(&mut self, wait: Duration) -> Planned {
        let hangs_up = self.dice.chance(self.shape.hang_up_share);
        let patience = hangs_up.then(|| self.seconds(1.5));
        let planned = Planned { wait, request: self.request(), patience };
        self.last = Some(planned.clone());
        self.retries_left = 1;
        planned
    }

    fn request(&self) -> Request {
        let Session { shape, .. } = self;
        let (path, body) = match shape.api {
            Api::OpenAi => ("/v1/chat/completions", self.chat()),
            Api::Anthropic => ("/v1/messages", self.message()),
        };
        let credential = match shape.api {
            Api::OpenAi => ("authorization", format!("Bearer {}", shape.key)),
            Api::Anthropic => ("x-api-key", shape.key.to_owned()),
        };
        let mut headers = vec![
            credential,
            ("x-scrimp-session", self.id.clone()),
            ("x-scrimp-op", self.operation.to_owned()),
        ];
        if shape.api == Api::Anthropic {
            headers.push(("anthropic-version", "2023-06-01".to_owned()));
        }
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        Request {
            api: shape.api,
            path: path.to_owned(),
            headers: headers.into_iter().map(owned).collect(),
            body: Bytes::from(body.to_string()),
        }
    }

    fn chat(&self) -> Value {
        let Session { shape, messages, .. } = self;
        let system = json!({"role": "system", "content": shape.system});
        let all: Vec<&Value> = std::iter::once(&system).chain(messages).collect();
        let mut body = json!({
            "model": shape.model, "messages": all, "max_completion_tokens": shape.max_tokens,
        });
        if shape.stream {
            body["stream"] = json!(true);
        }
        if let Some(format) = &shape.format {
            body["response_format"] = format.clone();
        }
        if !shape.tools.is_empty() {
            body["tools"] = json!(shape.tools);
        }
        body
    }

    fn message(&self) -> Value {
        let Session { shape, messages, .. } = self;
        let mut body = json!({
            "model": shape.model, "system": shape.system, "messages": messages,
            "max_tokens": shape.max_tokens,
        });
        if shape.stream {
            body["stream"] = json!(true);
        }
        if let Some(format) = &shape.format {
            body["output_config"] = format.clone();
        }
        if !shape.tools.is_empty() {
            body["tools"] = json!(shape.tools);
        }
        if let Some(budget) = shape.thinking {
            body["thinking"] = json!({"type": "enabled", "budget_tokens": budget});
        }
        if shape.marks == OwnMarks::SystemAndTail {
            let mark = json!({"type": "ephemeral"});
            body["system"] = json!([{"type": "text", "text": shape.system, "cache_control": mark}]);
            mark_tail(&mut body["messages"], &mark);
        }
        body
    }
}

/// Puts `mark` on the last block of the last message.
fn mark_tail(messages: &mut Value, mark: &Value) {
    let Some(last) = messages.as_array_mut().and_then(|all| all.last_mut()) else { return };
    match &mut last["content"] {
        Value::Array(blocks) => {
            if let Some(block) = blocks.last_mut() {
                block["cache_control"] = mark.clone();
            }
        }
        text => *text = json!([{"type": "text", "text": text.take(), "cache_control": mark}]),
    }
}
