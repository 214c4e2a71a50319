//! A file as prompts, and a prompt as pieces.
//!
//! A file is a plain text, the body of a request, a list of bodies (JSON or JSON lines), or records
//! that have a body in them (`body`, `request`, `params`, `traj`). Every piece knows where in its
//! body it stands, so that a shorter text can be put back.

use serde_json::Value;

/// What a piece of a prompt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Instructions, or a prompt that is only a text.
    System,
    /// An example given as a message.
    Example,
    /// What the user said.
    User,
    /// What the model said.
    Assistant,
    /// Calls to tools.
    ToolCall,
    /// What tools answered.
    ToolResult,
}

impl Kind {
    /// Its name in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::System => "system",
            Kind::Example => "examples",
            Kind::User => "user",
            Kind::Assistant => "assistant",
            Kind::ToolCall => "tool calls",
            Kind::ToolResult => "tool results",
        }
    }
}

/// A text of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// A JSON pointer to it in the body; empty where the prompt is only a text.
    pub pointer: String,
    /// The text.
    pub text: String,
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// As the body defines it.
    pub definition: Value,
}

/// A prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// The line of its file on which it begins, from 1 on.
    pub line: usize,
    /// The body of the request; `None` where it is only a text.
    pub body: Option<Value>,
    /// Its texts, in the order in which a model gets them.
    pub pieces: Vec<Piece>,
    /// The tools that it defines.
    pub tools: Vec<Tool>,
    /// The names of the tools that were called in it.
    pub called: Vec<String>,
}

/// A file holds no prompts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPrompt {
    /// It looks like JSON and is none.
    #[error("line {line}, column {column}: not JSON: {why}")]
    NotJson {
        /// From 1 on.
        line: usize,
        /// From 1 on.
        column: usize,
        /// What is wrong.
        why: String,
    },
    /// JSON without a prompt in it.
    #[error("line {line}: {}", NotAPrompt::WITHOUT)]
    Other {
        /// From 1 on.
        line: usize,
    },
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
}

impl NotAPrompt {
    /// What is said of JSON without a prompt.
    pub const WITHOUT: &str = "no `messages`, `input`, `contents`, `system` or `prompt` in it";
}

/// Where records keep the body of the request.
const AROUND: [&str; 4] = ["body", "request", "params", "traj"];
const INSTRUCTIONS: [&str; 4] =
    ["system", "instructions", "systemInstruction", "system_instruction"];
const SAID: [&str; 4] = ["messages", "contents", "input", "prompt"];

/// The prompts of a file.
///
/// # Errors
/// If it is JSON that is broken or has no prompt in it.
pub fn read(text: &str) -> Result<Vec<Prompt>, NotAPrompt> {
    if text.trim().is_empty() {
        return Err(NotAPrompt::Empty);
    }
    if !looks_like_json(text) {
        return Ok(vec![Prompt::of_text(text)]);
    }
    let whole = match serde_json::from_str::<Value>(text) {
        Ok(value) => return of_value(&value, 1),
        Err(whole) => whole,
    };
    let is_lines = text.lines().find(|line| !line.trim().is_empty());
    if is_lines.is_none_or(|line| serde_json::from_str::<Value>(line).is_err()) {
        return Err(not_json(&whole, 0));
    }
    let mut prompts = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let value = serde_json::from_str(line).map_err(|error| not_json(&error, at))?;
        prompts.extend(of_value(&value, at + 1)?);
    }
    Ok(prompts)
}

/// A template such as `{{name}}` or `[name]` is text.
fn looks_like_json(text: &str) -> bool {
    let text = text.trim_start();
    let inside = |open: char, next: [char; 2]| {
        text.strip_prefix(open).is_some_and(|rest| rest.trim_start().starts_with(next))
    };
    inside('{', ['"', '}']) || inside('[', ['{', '['])
}

fn not_json(error: &serde_json::Error, before: usize) -> NotAPrompt {
    let why = error.to_string();
    let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why).to_owned();
    NotAPrompt::NotJson { line: before + error.line(), column: error.column(), why }
}

fn of_value(value: &Value, line: usize) -> Result<Vec<Prompt>, NotAPrompt> {
    let is_message = |value: &Value| value.get("role").is_some();
    match value {
        Value::Array(all) if all.iter().any(is_message) => {
            Ok(vec![Prompt::of_body(serde_json::json!({ "messages": value }), line)])
        }
        Value::Array(all) if !all.is_empty() => {
            let each = all.iter().map(|value| of_value(value, line));
            each.collect::<Result<Vec<_>, _>>().map(|all| all.into_iter().flatten().collect())
        }
        Value::Object(members) => {
            let has = |name: &&str| members.get(*name).is_some_and(|value| !value.is_null());
            if SAID.iter().chain(&INSTRUCTIONS).any(&has) {
                return Ok(vec![Prompt::of_body(value.clone(), line)]);
            }
            let around = AROUND.iter().find(|name| has(name)).ok_or(NotAPrompt::Other { line })?;
            of_value(&value[*around], line)
        }
        _ => Err(NotAPrompt::Other { line }),
    }
}

impl Prompt {
    /// A prompt that is only a text.
    pub fn of_text(text: &str) -> Prompt {
        let piece = Piece { kind: Kind::System, pointer: String::new(), text: text.to_owned() };
        Prompt { line: 1, body: None, pieces: vec![piece], tools: Vec::new(), called: Vec::new() }
    }

    /// The body of a request.
    pub fn of_body(body: Value, line: usize) -> Prompt {
        let mut prompt = Prompt {
            line,
            pieces: Vec::new(),
            tools: tools(&body),
            called: Vec::new(),
            body: None,
        };
        for name in INSTRUCTIONS {
            prompt.take(&body[name], Kind::System, &format!("/{name}"));
        }
        for name in SAID {
            match &body[name] {
                Value::Array(messages) => {
                    for (at, message) in messages.iter().enumerate() {
                        prompt.message(message, &format!("/{name}/{at}"));
                    }
                }
                said => prompt.take(said, Kind::User, &format!("/{name}")),
            }
        }
        prompt.body = Some(body);
        prompt
    }

    /// The model that it names.
    pub fn model(&self) -> Option<&str> {
        self.body.as_ref()?.get("model")?.as_str()
    }

    /// The same with other texts in the place of some of its pieces.
    #[must_use]
    pub fn with(&self, texts: &[(usize, String)]) -> Prompt {
        let mut prompt = self.clone();
        for (at, text) in texts {
            let piece = &mut prompt.pieces[*at];
            if let Some(place) = prompt.body.as_mut().and_then(|b| b.pointer_mut(&piece.pointer)) {
                *place = Value::String(text.clone());
            }
            piece.text.clone_from(text);
        }
        prompt
    }

    /// As it is written to a file: its body, or its text.
    pub fn written(&self) -> String {
        let text = || self.pieces.first().map(|piece| piece.text.clone()).unwrap_or_default();
        match &self.body {
            Some(body) => format!("{body:#}\n"),
            None => text(),
        }
    }

    fn message(&mut self, message: &Value, at: &str) {
        let word = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = match (word("role"), word("type")) {
            _ if word("name").starts_with("example_") => Kind::Example,
            ("system" | "developer", _) => Kind::System,
            ("assistant" | "model", _) => Kind::Assistant,
            ("tool" | "function", _) | (_, "function_call_output") => Kind::ToolResult,
            _ => Kind::User,
        };
        if message.is_string() {
            return self.take(message, kind, at);
        }
        for field in ["content", "parts", "output"] {
            self.take(&message[field], kind, &format!("{at}/{field}"));
        }
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        let calls = calls
            .enumerate()
            .map(|(n, call)| (&call["function"], format!("{at}/tool_calls/{n}/function")));
        let older = (&message["function_call"], format!("{at}/function_call"));
        let own = (message, at.to_owned());
        for (call, at) in
            calls.chain([older, own]).filter(|(call, _)| call["arguments"].is_string())
        {
            self.called.extend(call["name"].as_str().map(str::to_owned));
            self.take(&call["arguments"], Kind::ToolCall, &format!("{at}/arguments"));
        }
    }

    /// A string, a block, or an array of blocks.
    fn take(&mut self, content: &Value, kind: Kind, at: &str) {
        match content {
            Value::String(text) => {
                self.pieces.push(Piece { kind, pointer: at.to_owned(), text: text.clone() });
            }
            Value::Array(blocks) => {
                for (n, block) in blocks.iter().enumerate() {
                    self.take(block, kind, &format!("{at}/{n}"));
                }
            }
            Value::Object(block) => match block.get("type").and_then(Value::as_str) {
                Some("tool_use") => {
                    self.called.extend(content["name"].as_str().map(str::to_owned));
                }
                Some("tool_result") => {
                    self.take(&content["content"], Kind::ToolResult, &format!("{at}/content"));
                }
                _ => {
                    for field in ["text", "parts"] {
                        self.take(&content[field], kind, &format!("{at}/{field}"));
                    }
                }
            },
            _ => {}
        }
    }
}

/// Definitions of tools, by whatever name.
fn tools(body: &Value) -> Vec<Tool> {
    let lists = ["tools", "functions"].iter().filter_map(|name| body[*name].as_array());
    let declared = lists.flatten().flat_map(|tool| {
        let inside = tool["functionDeclarations"].as_array();
        inside.map_or_else(|| vec![tool], |inside| inside.iter().collect())
    });
    let name = |tool: &Value| {
        let name = tool.pointer("/function/name").or(tool.get("name")).or(tool.get("type"));
        name.and_then(Value::as_str).unwrap_or("?").to_owned()
    };
    declared.map(|tool| Tool { name: name(tool), definition: tool.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(body: &str) -> Vec<(&'static str, String, String)> {
        let prompts = read(body).unwrap();
        let told = |p: &Piece| (p.kind.name(), p.pointer.clone(), p.text.clone());
        prompts[0].pieces.iter().map(told).collect()
    }

    #[test]
    fn every_text_knows_where_it_stands() {
        let chat = r#"{"messages": [{"role": "system", "content": "Be brief."},
            {"role": "system", "name": "example_user", "content": "hi"},
            {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "content": "12"}, {"role": "user", "content": [{"type": "text", "text": "x"}]}]}"#;
        let told = |kind, pointer: &str, text: &str| (kind, pointer.to_owned(), text.to_owned());
        assert_eq!(
            kinds(chat),
            [
                told("system", "/messages/0/content", "Be brief."),
                told("examples", "/messages/1/content", "hi"),
                told("tool calls", "/messages/2/tool_calls/0/function/arguments", "{}"),
                told("tool results", "/messages/3/content", "12"),
                told("user", "/messages/4/content/0/text", "x"),
            ]
        );
        let claude = r#"{"system": "S", "messages": [{"role": "user", "content": [
            {"type": "tool_result", "content": "R"}]}]}"#;
        assert_eq!(
            kinds(claude),
            [
                told("system", "/system", "S"),
                told("tool results", "/messages/0/content/0/content", "R")
            ]
        );
    }

    #[test]
    fn a_text_put_back_is_in_the_body_and_nothing_else_is_touched() {
        let prompt = &read(r#"{"system": "a", "messages": [], "n": 1}"#).unwrap()[0];
        let changed = prompt.with(&[(0, "b".to_owned())]);
        assert_eq!(
            changed.body.unwrap(),
            serde_json::json!({"system": "b", "messages": [], "n": 1})
        );
    }

    #[test]
    fn what_is_broken_names_its_line() {
        let error = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(
            error("{\"messages\": [\n{]}"),
            "line 2, column 2: not JSON: key must be a string"
        );
        let lines = "{\"messages\": []}\n\n{\"messages\": [}\n";
        assert_eq!(error(lines), "line 3, column 15: not JSON: expected value");
        assert_eq!(
            error("{\"messages\": []}\n{\"id\": 1}"),
            "line 2: no `messages`, `input`, `contents`, `system` or `prompt` in it"
        );
        assert_eq!(error(" \n"), "the file is empty");
        assert_eq!(read("{{name}}, be brief").unwrap()[0].pieces[0].kind, Kind::System);
    }
}
