//! A request's body, part by part.
//!
//! Chat completions (`messages`, `tools`, also OpenAI's older `functions`), responses and embeddings
//! (`input`, `instructions`), Anthropic's messages (`system`, `messages`, `tools`) and Gemini's
//! `contents` are read. What a vendor adds to the text is documented for messages
//! of OpenAI's chat; tools and images are estimates.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::image::{self, Size};
use crate::tools::namespace;
use crate::vocabulary::{Basis, Vocabulary};

/// `OpenAI` Cookbook, "How to count tokens with tiktoken": for every message, and for the answer's
/// beginning.
const FOR_A_MESSAGE: u64 = 3;
const FOR_THE_ANSWER: u64 = 3;
const FOR_A_NAME: u64 = 1;
/// platform.claude.com, "Tool use", "Pricing": the instructions that come with any tools.
const CLAUDE_TOOL_INSTRUCTIONS: u64 = 346;

/// What a part of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// Instructions.
    System,
    /// Definitions of tools.
    Tools,
    /// What was said, calls to tools and their results included.
    Messages,
    /// Images.
    Images,
    /// What the vendor writes around messages.
    Overhead,
}

impl PartKind {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            PartKind::System => "system",
            PartKind::Tools => "tools",
            PartKind::Messages => "messages",
            PartKind::Images => "images",
            PartKind::Overhead => "overhead",
        }
    }
}

/// A part of a request, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// How many there are of it: messages, tools, images.
    pub pieces: u64,
    /// Its tokens.
    pub tokens: u64,
    /// Whether the vendor's own count is the same.
    pub exact: bool,
}

/// By which name a body has what was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// `messages`: OpenAI's chat, Anthropic's messages.
    #[default]
    Messages,
    /// `input`: OpenAI's responses and embeddings.
    Input,
    /// `contents`: Gemini.
    Contents,
}

impl Form {
    fn named(name: &str) -> Option<Form> {
        match name {
            "messages" => Some(Form::Messages),
            "input" => Some(Form::Input),
            "contents" => Some(Form::Contents),
            _ => None,
        }
    }
}

/// The body is not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a request: no JSON object with `messages`, `input` or `contents`")]
pub struct NotARequest;

/// A request's body.
#[derive(Clone, Debug, Default)]
pub struct Request {
    form: Form,
    model: Option<String>,
    system: Vec<String>,
    texts: Vec<String>,
    names: u64,
    messages: u64,
    /// Instructions that stand by themselves, each with something around it.
    instructions: u64,
    tools: Vec<Value>,
    /// With whether a low resolution is asked for.
    images: Vec<(Option<Size>, bool)>,
}

impl Request {
    /// Reads a body.
    ///
    /// # Errors
    /// If it is not a JSON object with messages of a form that is known.
    pub fn read(body: &str) -> Result<Request, NotARequest> {
        let body: Value = serde_json::from_str(body).map_err(|_| NotARequest)?;
        let said = |name: &str| Some((Form::named(name)?, body.get(name)?));
        let (form, said) =
            ["messages", "contents", "input"].iter().find_map(|n| said(n)).ok_or(NotARequest)?;
        let mut request = Request {
            form,
            model: body.get("model").and_then(Value::as_str).map(str::to_owned),
            tools: tools(&body),
            ..Request::default()
        };
        let instructions = ["system", "instructions", "systemInstruction", "system_instruction"];
        for system in instructions.iter().filter_map(|name| body.get(*name)) {
            request.instructions += 1;
            request.take(system, PartKind::System);
        }
        match said {
            Value::Array(messages) => messages.iter().for_each(|message| request.message(message)),
            Value::String(text) if form == Form::Input => {
                request.messages += 1;
                request.texts.push(text.clone());
            }
            _ => return Err(NotARequest),
        }
        Ok(request)
    }

    /// Of which form it is.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The model that it names.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether there is anything that no vendor documents the tokens of.
    pub fn has_tools_or_images(&self) -> bool {
        !self.tools.is_empty() || !self.images.is_empty()
    }

    /// How many images are of unknown size.
    pub fn images_of_unknown_size(&self) -> usize {
        self.images.iter().filter(|(size, _)| size.is_none()).count()
    }

    /// Its parts, counted as text of `vocabulary`, for the model of this name.
    pub fn count(&self, vocabulary: Vocabulary, model: &str) -> Vec<Part> {
        let is_exact = vocabulary.basis() == Basis::Published;
        let text = |texts: &[String]| texts.iter().map(|text| vocabulary.count(text).tokens).sum();
        let mut parts = BTreeMap::new();
        let mut add = |kind, pieces, tokens, exact| {
            if 0 < pieces {
                parts.insert(kind, Part { kind, pieces, tokens, exact });
            }
        };
        add(PartKind::System, self.instructions, text(&self.system), is_exact);
        add(PartKind::Messages, self.messages, text(&self.texts), is_exact);
        add(PartKind::Tools, self.tools.len() as u64, self.count_tools(vocabulary), false);
        let images = self
            .images
            .iter()
            .map(|(size, is_low)| image::tokens(model, size.unwrap_or(image::USUAL), *is_low).0);
        add(PartKind::Images, self.images.len() as u64, images.sum(), false);
        if model.contains("embed") {
            // An embedding is of the text and nothing else.
            return parts.into_values().collect();
        }
        let is_openai = vocabulary.encoding() == "o200k_base" || vocabulary.family() == "gpt-4";
        let around = self.messages + self.instructions;
        let overhead = FOR_A_MESSAGE * around + FOR_A_NAME * self.names + FOR_THE_ANSWER;
        let exact = is_exact && is_openai && self.form == Form::Messages;
        add(PartKind::Overhead, around, overhead, exact);
        parts.into_values().collect()
    }

    fn count_tools(&self, vocabulary: Vocabulary) -> u64 {
        if self.tools.is_empty() {
            return 0;
        }
        if vocabulary.family().starts_with("claude") {
            let definitions = Value::from(self.tools.clone()).to_string();
            return vocabulary.count(&definitions).tokens + CLAUDE_TOOL_INSTRUCTIONS;
        }
        vocabulary.count(&namespace(&self.tools)).tokens
    }

    fn message(&mut self, message: &Value) {
        if let Value::String(text) = message {
            self.messages += 1;
            return self.texts.push(text.clone());
        }
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        let (kind, count) = match role {
            "system" | "developer" => (PartKind::System, &mut self.instructions),
            _ => (PartKind::Messages, &mut self.messages),
        };
        *count += 1;
        self.texts_of(kind).push(role.to_owned());
        let name = message.get("name").filter(|_| !role.is_empty());
        if let Some(name) = name.and_then(Value::as_str) {
            self.names += 1;
            self.texts_of(kind).push(name.to_owned());
        }
        for field in ["content", "parts", "refusal", "reasoning_content", "output"] {
            if let Some(content) = message.get(field) {
                self.take(content, kind);
            }
        }
        let calls = message.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
        let calls = calls.filter_map(|call| call.get("function"));
        let is_call = message.get("arguments").map(|_| message);
        for call in calls.chain(message.get("function_call")).chain(is_call) {
            for field in ["name", "arguments"] {
                if let Some(text) = call.get(field).and_then(Value::as_str) {
                    self.texts.push(text.to_owned());
                }
            }
        }
    }

    fn texts_of(&mut self, kind: PartKind) -> &mut Vec<String> {
        match kind {
            PartKind::System => &mut self.system,
            _ => &mut self.texts,
        }
    }

    /// A string, a block, or an array of blocks.
    fn take(&mut self, content: &Value, kind: PartKind) {
        match content {
            Value::String(text) => self.texts_of(kind).push(text.clone()),
            Value::Array(blocks) => {
                for block in blocks {
                    self.take(block, kind);
                }
            }
            Value::Object(block) => {
                let field = |name: &str| block.get(name);
                match field("type").and_then(Value::as_str).unwrap_or_default() {
                    "image_url" | "input_image" | "image" => self.image(content),
                    "tool_use" => {
                        let name = field("name").and_then(Value::as_str).unwrap_or_default();
                        let input = field("input").map(Value::to_string).unwrap_or_default();
                        self.texts_of(kind).extend([name.to_owned(), input]);
                    }
                    "" if block.contains_key("parts") => self.take(&block["parts"], kind),
                    "" if block.contains_key("inlineData") => self.image(content),
                    "tool_result" => {
                        if let Some(content) = field("content") {
                            self.take(content, kind);
                        }
                    }
                    _ => {
                        let said = ["text", "thinking", "refusal"].iter().find_map(|n| field(n));
                        match said.and_then(Value::as_str) {
                            Some(text) => self.texts_of(kind).push(text.to_owned()),
                            None => self.texts_of(kind).push(content.to_string()),
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn image(&mut self, block: &Value) {
        let source = block.get("source").or(block.get("inlineData"));
        let of_anthropic = source.and_then(|source| source.get("data"));
        let url = block.get("image_url").map(|url| url.get("url").unwrap_or(url));
        let inline = url.and_then(Value::as_str).and_then(|url| url.split_once(";base64,"));
        let data = of_anthropic.and_then(Value::as_str).or(inline.map(|(_, data)| data));
        let detail = block.get("image_url").and_then(|url| url.get("detail"));
        let detail = detail.or(block.get("detail")).and_then(Value::as_str);
        self.images.push((data.and_then(Size::of_base64), detail == Some("low")));
    }
}

/// Definitions of tools, by whatever name.
fn tools(body: &Value) -> Vec<Value> {
    let lists = ["tools", "functions"].iter().filter_map(|name| body.get(*name)?.as_array());
    let mut all = Vec::new();
    for tool in lists.flatten() {
        match tool.get("functionDeclarations").and_then(Value::as_array) {
            Some(declared) => all.extend(declared.iter().cloned()),
            None => all.push(tool.clone()),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(body: &Value, model: &str) -> Vec<String> {
        let request = Request::read(&body.to_string()).unwrap();
        let parts = request.count(Vocabulary::of_model(model).unwrap(), model);
        let mark = |part: &Part| if part.exact { "" } else { "~" };
        let told = |p: &Part| format!("{} {}: {}{}", p.pieces, p.kind.name(), mark(p), p.tokens);
        parts.iter().map(told).collect()
    }

    /// The example of the OpenAI Cookbook ("How to count tokens with tiktoken"), for which the API
    /// reports 124 tokens with gpt-4o and 129 with gpt-4.
    #[test]
    fn the_cookbooks_example_is_counted_as_the_api_does() {
        let said = |role: &str, name: Option<&str>, content: &str| match name {
            None => serde_json::json!({"role": role, "content": content}),
            Some(name) => serde_json::json!({"role": role, "name": name, "content": content}),
        };
        let body = serde_json::json!({"messages": [
            said("system", None, "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."),
            said("system", Some("example_user"), "New synergies will help drive top-line growth."),
            said("system", Some("example_assistant"), "Things working well together will increase revenue."),
            said("system", Some("example_user"), "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."),
            said("system", Some("example_assistant"), "Let's talk later when we're less busy about how to do better."),
            said("user", None, "This late pivot means we don't have time to boil the ocean for the client deliverable."),
        ]});
        let request = Request::read(&body.to_string()).unwrap();
        for (model, expected) in [("gpt-4o", 124), ("gpt-4", 129)] {
            let parts = request.count(Vocabulary::of_model(model).unwrap(), model);
            assert!(parts.iter().all(|part| part.exact));
            assert_eq!(parts.iter().map(|part| part.tokens).sum::<u64>(), expected, "{model}");
        }
    }

    #[test]
    fn tools_and_images_are_estimates_of_their_own() {
        let tool = serde_json::json!({"type": "function", "function": {"name": "f",
            "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}}});
        let image = serde_json::json!({"type": "image_url", "image_url": {"url": "https://x/y"}});
        let body = serde_json::json!({"tools": [tool], "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi"}, image]}]});
        assert_eq!(
            counted(&body, "gpt-4o"),
            ["1 tools: ~21", "1 messages: 2", "1 images: ~765", "1 overhead: 6"]
        );
    }

    #[test]
    fn other_forms_of_a_request_have_the_same_parts() {
        let responses = serde_json::json!({
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "hello world"}]},
                {"type": "function_call", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "output": "hello world"},
            ],
            "tools": [{"type": "function", "name": "f"}],
        });
        assert_eq!(
            counted(&responses, "gpt-4o"),
            ["1 system: 3", "1 tools: ~14", "3 messages: 7", "4 overhead: ~15"]
        );
        let gemini = serde_json::json!({
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [{"role": "user", "parts": [{"text": "hello world"}]}],
            "tools": [{"functionDeclarations": [{"name": "f"}]}],
        });
        assert_eq!(
            counted(&gemini, "gemini-2.5-pro"),
            ["1 system: ~3", "1 tools: ~15", "1 messages: ~3", "2 overhead: ~9"]
        );
        let embedding = serde_json::json!({"input": ["hello world", "hello"]});
        assert_eq!(counted(&embedding, "text-embedding-3-small"), ["2 messages: 3"]);
    }

    #[test]
    fn what_is_no_request_is_said_to_be_none() {
        for text in ["", "hi", "[]", "{}", r#"{"messages": 1}"#, r#"{"input": 1}"#] {
            assert!(Request::read(text).is_err(), "{text}");
        }
    }
}
