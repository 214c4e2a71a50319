//! Reads a messages request, and refuses what the vendor refuses.

use crate::ask::{
    Ask, BreakpointMode, Caching, Closing, Delivery, Form, Kind, Level, Life, Prompt, Refusal,
    Tier, Tool, ToolChoice,
};
use crate::models::{self, Api};
use crate::render::render;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What one picture costs, in tokens: a full-size one by the vendor's `w * h / 750`.
const IMAGE_TOKENS: u64 = 1600;
/// Tokens of frame around a message and around a tool.
const MESSAGE_FRAME: u64 = 3;
const TOOL_FRAME: u64 = 8;
/// Marks that one request may carry.
const MOST_MARKS: usize = 4;

#[derive(Deserialize)]
struct Body<'a> {
    model: Option<String>,
    max_tokens: Option<Value>,
    #[serde(default, borrow)]
    messages: Option<Vec<Message<'a>>>,
    #[serde(default, borrow)]
    system: Option<&'a RawValue>,
    #[serde(default, borrow)]
    tools: Option<Vec<&'a RawValue>>,
    tool_choice: Option<Choice>,
    thinking: Option<Thinking>,
    stream: Option<bool>,
    cache_control: Option<Mark>,
    speed: Option<String>,
    temperature: Option<Value>,
    top_p: Option<Value>,
    top_k: Option<Value>,
    stop_sequences: Option<Value>,
    output_config: Option<Value>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(default)]
    text: Option<String>,
    citations: Option<Value>,
    cache_control: Option<Mark>,
}

#[derive(Deserialize)]
struct ToolBlock {
    name: Option<String>,
    r#type: Option<String>,
    input_schema: Option<Value>,
    cache_control: Option<Mark>,
}

#[derive(Deserialize)]
struct Mark {
    r#type: String,
    ttl: Option<String>,
}

#[derive(Deserialize)]
struct Choice {
    r#type: String,
    name: Option<String>,
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Deserialize)]
struct Thinking {
    r#type: String,
    budget_tokens: Option<u64>,
}

impl Mark {
    fn life(&self, path: &str) -> Result<Life, Refusal> {
        match (self.r#type.as_str(), self.ttl.as_deref()) {
            ("ephemeral", None | Some("5m")) => Ok(Life::Short),
            ("ephemeral", Some("1h")) => Ok(Life::Long),
            ("ephemeral", Some(_)) => Err(Refusal::invalid(format!(
                "{path}.cache_control.ephemeral.ttl: Input should be '5m' or '1h'"
            ))),
            (other, _) => Err(Refusal::invalid(format!(
                "{path}.cache_control: Input tag '{other}' found using 'type' does not match any of the expected tags: 'ephemeral'"
            ))),
        }
    }
}

/// Reads `body`.
pub(crate) fn read(body: &[u8]) -> Result<Ask, Refusal> {
    let body: Body = serde_json::from_slice(body).map_err(|error| {
        Refusal::invalid(format!("The request body is not valid JSON: {error}"))
    })?;
    let model_name = body.model.clone().ok_or_else(|| Refusal::invalid("model: Field required"))?;
    let model = models::model(&model_name)
        .filter(|model| model.api == Api::Anthropic)
        .ok_or_else(|| Refusal::no_model("not_found_error", format!("model: {model_name}")))?;
    let max_output = limit(body.max_tokens.as_ref())?;
    let delivery = match body.stream {
        Some(true) => Delivery::Stream,
        _ => Delivery::Whole,
    };
    if max_output == 0 && delivery == Delivery::Stream {
        return Err(Refusal::invalid("max_tokens: 0 is not supported with `stream`"));
    }
    let mut prompt = prompt(&body)?;
    mark_automatically(&body, &mut prompt)?;
    check_marks(&prompt)?;
    Ok(Ask {
        model,
        delivery,
        include_usage: true,
        max_output: Some(max_output),
        tools: tools(&body),
        tool_choice: choice(body.tool_choice.as_ref()),
        thinking: thinking(body.thinking.as_ref(), max_output)?,
        reasoning_permille: 0,
        form: form(body.output_config.as_ref()),
        tier: Tier::Standard,
        caching: Caching {
            mode: BreakpointMode::Explicit,
            life: Life::Short,
            routing_key: String::new(),
        },
        parameters: parameters(&body),
        prompt,
        model_name,
    })
}

fn limit(max_tokens: Option<&Value>) -> Result<u64, Refusal> {
    let given = max_tokens.ok_or_else(|| Refusal::invalid("max_tokens: Field required"))?;
    given
        .as_u64()
        .ok_or_else(|| Refusal::invalid("max_tokens: Input should be greater than or equal to 0"))
}

fn prompt(body: &Body) -> Result<Prompt, Refusal> {
    let mut prompt = Prompt { system_salt: system_salt(body), ..Prompt::default() };
    for (place, tool) in body.tools.iter().flatten().enumerate() {
        let path = format!("tools.{place}");
        let read: ToolBlock = part(tool, &path)?;
        let mark = read.cache_control.map(|mark| mark.life(&path)).transpose()?;
        let images = render(tool, &mut prompt.rendered);
        prompt.close(closing(Level::Tools, Kind::Plain, mark, images, TOOL_FRAME, path));
    }
    if let Some(system) = &body.system {
        add_content(&mut prompt, system, Level::System, "system", "system")?;
    }
    let messages = body.messages.as_ref().filter(|messages| !messages.is_empty());
    let messages =
        messages.ok_or_else(|| Refusal::invalid("messages: at least one message is required"))?;
    for (place, message) in messages.iter().enumerate() {
        if !["user", "assistant", "system"].contains(&message.role.as_ref()) {
            return Err(Refusal::invalid(format!(
                "messages.{place}.role: Input should be 'user' or 'assistant'"
            )));
        }
        let path = format!("messages.{place}.content");
        add_content(&mut prompt, message.content, Level::Messages, &message.role, &path)?;
        prompt.end_message();
    }
    prompt.message_salt = message_salt(body, prompt.images);
    Ok(prompt)
}

fn part<'a, T: Deserialize<'a>>(raw: &'a RawValue, path: &str) -> Result<T, Refusal> {
    serde_json::from_str(raw.get()).map_err(|error| Refusal::invalid(format!("{path}: {error}")))
}

fn closing(
    level: Level,
    kind: Kind,
    mark: Option<Life>,
    images: u32,
    frame_tokens: u64,
    path: String,
) -> Closing {
    Closing { level, kind, mark, images, image_tokens: IMAGE_TOKENS, frame_tokens, path }
}

/// Adds a message or the system text. A plain string is the same as one text block.
fn add_content(
    prompt: &mut Prompt,
    content: &RawValue,
    level: Level,
    role: &str,
    path: &str,
) -> Result<(), Refusal> {
    if content.get().starts_with('"') {
        let path = format!("{path}.0");
        let text: String = part(content, &path)?;
        add_text(prompt, &text, role);
        prompt.close(closing(level, kind_of_text(&text), None, 0, MESSAGE_FRAME, path));
        return Ok(());
    }
    let blocks: Vec<&RawValue> = part(content, path)?;
    let mut frame = MESSAGE_FRAME;
    for (place, raw) in blocks.iter().enumerate() {
        add_block(prompt, raw, level, role, frame, format!("{path}.{place}"))?;
        frame = 0;
    }
    Ok(())
}

fn add_text(prompt: &mut Prompt, text: &str, role: &str) {
    open_piece(prompt, role);
    prompt.rendered.extend(text.as_bytes());
}

/// A piece starts with its role as one silent byte, so that who said it is part of the prefix.
fn open_piece(prompt: &mut Prompt, role: &str) {
    let sign = match role {
        "assistant" => 0x11,
        "system" => 0x12,
        _ => 0x13,
    };
    prompt.rendered.push(sign);
}

fn kind_of_text(text: &str) -> Kind {
    if text.is_empty() { Kind::EmptyText } else { Kind::Plain }
}

fn add_block(
    prompt: &mut Prompt,
    raw: &RawValue,
    level: Level,
    role: &str,
    frame: u64,
    path: String,
) -> Result<(), Refusal> {
    let block: Block = part(raw, &path)?;
    let kind = match (block.r#type.as_ref(), &block.text) {
        ("text", Some(text)) => kind_of_text(text),
        ("text", None) => {
            return Err(Refusal::invalid(format!("{path}.text.text: Field required")));
        }
        ("thinking" | "redacted_thinking", _) => Kind::Thinking,
        _ => Kind::Plain,
    };
    if let (Some(_), Kind::Thinking) = (&block.cache_control, kind) {
        let name = &block.r#type;
        return Err(Refusal::invalid(format!(
            "{path}.{name}.cache_control: Extra inputs are not permitted"
        )));
    }
    if let (Some(_), Kind::EmptyText) = (&block.cache_control, kind) {
        return Err(Refusal::invalid(format!(
            "{path}.text: cache_control cannot be set for empty text blocks"
        )));
    }
    let mark = block.cache_control.as_ref().map(|mark| mark.life(&path)).transpose()?;
    let mut images = 0;
    match (&block.text, &block.citations) {
        (Some(text), None) if block.r#type == "text" => add_text(prompt, text, role),
        _ => {
            open_piece(prompt, role);
            images = render(raw, &mut prompt.rendered);
            if block.r#type == "image" {
                images = images.max(1);
            }
        }
    }
    prompt.close(closing(level, kind, mark, images, frame, path));
    Ok(())
}

/// Top-level `cache_control`: a mark on the last block that can carry one.
fn mark_automatically(body: &Body, prompt: &mut Prompt) -> Result<(), Refusal> {
    let Some(mark) = &body.cache_control else { return Ok(()) };
    let life = mark.life("request")?;
    let fits = |kind| matches!(kind, Kind::Plain | Kind::Assistant);
    let Some(last) = prompt.pieces.iter_mut().rev().find(|piece| fits(piece.kind)) else {
        return Ok(());
    };
    match last.mark {
        Some(own) if own != life => Err(Refusal::invalid(
            "cache_control: the last block already has a cache_control with a different ttl",
        )),
        _ => {
            last.mark = Some(life);
            Ok(())
        }
    }
}

fn check_marks(prompt: &Prompt) -> Result<(), Refusal> {
    let marked = || prompt.pieces.iter().filter_map(|piece| Some((piece, piece.mark?)));
    let count = marked().count();
    if MOST_MARKS < count {
        return Err(Refusal::invalid(format!(
            "A maximum of {MOST_MARKS} blocks with cache_control may be provided. Found {count}."
        )));
    }
    let mut short_seen = false;
    for (piece, life) in marked() {
        if short_seen && life == Life::Long {
            let path = &piece.path;
            return Err(Refusal::invalid(format!(
                "{path}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`."
            )));
        }
        short_seen |= life == Life::Short;
    }
    Ok(())
}

/// Changes of these lose the system part and the messages, and keep the tools.
fn system_salt(body: &Body) -> String {
    let searches = body.tools.iter().flatten().any(|tool| tool.get().contains("\"web_search"));
    format!("{:?}{searches}", body.speed)
}

/// Changes of these lose the messages only.
fn message_salt(body: &Body, images: u32) -> String {
    let choice = body.tool_choice.as_ref();
    let choice = choice.map(|c| (&c.r#type, &c.name, c.disable_parallel_tool_use));
    let thinking = body.thinking.as_ref().map(|t| (&t.r#type, t.budget_tokens));
    format!("{choice:?}{thinking:?}{}", images != 0)
}

fn tools(body: &Body) -> Vec<Tool> {
    let raw = body.tools.iter().flatten();
    raw.filter_map(|raw| serde_json::from_str::<ToolBlock>(raw.get()).ok())
        .filter(|tool| tool.r#type.as_deref().is_none_or(|kind| kind == "custom"))
        .filter_map(|tool| {
            Some(Tool { name: tool.name?, schema: tool.input_schema.unwrap_or_default() })
        })
        .collect()
}

fn choice(choice: Option<&Choice>) -> ToolChoice {
    match choice.map(|choice| (choice.r#type.as_str(), &choice.name)) {
        Some(("none", _)) => ToolChoice::None,
        Some(("any", _)) => ToolChoice::Any,
        Some(("tool", Some(name))) => ToolChoice::Named(name.clone()),
        _ => ToolChoice::Auto,
    }
}

fn thinking(thinking: Option<&Thinking>, max_output: u64) -> Result<u64, Refusal> {
    match thinking.map(|thinking| (thinking.r#type.as_str(), thinking.budget_tokens)) {
        Some(("enabled", Some(budget))) if budget < 1024 => Err(Refusal::invalid(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        )),
        Some(("enabled", Some(budget))) if max_output <= budget => {
            Err(Refusal::invalid("`max_tokens` must be greater than `thinking.budget_tokens`"))
        }
        Some(("enabled", Some(budget))) => Ok(budget),
        Some(("enabled", None)) => {
            Err(Refusal::invalid("thinking.enabled.budget_tokens: Field required"))
        }
        Some(("adaptive", _)) => Ok(max_output / 2),
        _ => Ok(0),
    }
}

fn form(output: Option<&Value>) -> Form {
    let format = output.and_then(|output| output.get("format"));
    match format.and_then(|format| format.get("schema")) {
        Some(schema) => Form::Schema(schema.clone()),
        None => Form::Prose,
    }
}

fn parameters(body: &Body) -> String {
    format!(
        "{:?}{:?}{:?}{:?}{:?}",
        body.temperature, body.top_p, body.top_k, body.stop_sequences, body.output_config
    )
}
