//! Reads a chat completions request, and refuses what the vendor refuses.

use crate::ask::{
    Ask, BreakpointMode, Caching, Closing, Delivery, Form, Kind, Level, Life, Prompt, Refusal,
    Tier, Tool, ToolChoice,
};
use crate::models::{self, Api, Model};
use crate::render::render;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What one picture costs, in tokens: 85 and four tiles of 170.
const IMAGE_TOKENS: u64 = 765;
/// The same with `detail: low`.
const SMALL_IMAGE_TOKENS: u64 = 85;
/// Tokens of frame around a message and around a tool.
const MESSAGE_FRAME: u64 = 4;
const TOOL_FRAME: u64 = 7;

#[derive(Deserialize)]
struct Body<'a> {
    model: Option<String>,
    #[serde(default, borrow)]
    messages: Option<Vec<&'a RawValue>>,
    #[serde(default, borrow)]
    tools: Option<Vec<&'a RawValue>>,
    #[serde(default, borrow)]
    response_format: Option<&'a RawValue>,
    tool_choice: Option<Value>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<Value>,
    max_completion_tokens: Option<Value>,
    n: Option<u64>,
    reasoning_effort: Option<String>,
    service_tier: Option<String>,
    prompt_cache_key: Option<String>,
    prompt_cache_options: Option<CacheOptions>,
    temperature: Option<Value>,
    top_p: Option<Value>,
    seed: Option<Value>,
    stop: Option<Value>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct CacheOptions {
    mode: Option<String>,
    ttl: Option<String>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(default, borrow)]
    content: Option<&'a RawValue>,
    #[serde(default, borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(default, borrow)]
    tool_call_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    text: Option<String>,
    image_url: Option<ImageUrl>,
    prompt_cache_breakpoint: Option<Breakpoint>,
}

#[derive(Deserialize)]
struct ImageUrl {
    detail: Option<String>,
}

#[derive(Deserialize)]
struct Breakpoint {
    mode: String,
    ttl: Option<String>,
}

#[derive(Deserialize)]
struct ToolBlock {
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    parameters: Option<Value>,
}

/// Reads `body`.
pub(crate) fn read(body: &[u8]) -> Result<Ask, Refusal> {
    let body: Body = serde_json::from_slice(body).map_err(|error| {
        Refusal::invalid(format!("We could not parse the JSON body of your request: {error}"))
    })?;
    let model_name =
        body.model.clone().ok_or_else(|| Refusal::invalid("you must provide a model parameter"))?;
    let model =
        models::model(&model_name).filter(|model| model.api == Api::OpenAi).ok_or_else(|| {
            Refusal::no_model(
                "invalid_request_error",
                format!("The model `{model_name}` does not exist or you do not have access to it."),
            )
        })?;
    if body.n.is_some_and(|n| n != 1) {
        return Err(Refusal::invalid("Only n=1 is supported for this model."));
    }
    let life = life(body.prompt_cache_options.as_ref().and_then(|options| options.ttl.as_deref()))?;
    let options = body.stream_options.as_ref();
    Ok(Ask {
        model,
        delivery: if body.stream == Some(true) { Delivery::Stream } else { Delivery::Whole },
        include_usage: options.and_then(|options| options.include_usage) == Some(true),
        max_output: max_output(&body)?,
        tools: tools(&body),
        tool_choice: choice(body.tool_choice.as_ref()),
        thinking: 0,
        reasoning_permille: reasoning(body.reasoning_effort.as_deref()),
        form: form(body.response_format),
        tier: tier(body.service_tier.as_deref(), model),
        caching: Caching {
            mode: mode(body.prompt_cache_options.as_ref())?,
            life,
            routing_key: body.prompt_cache_key.clone().unwrap_or_default(),
        },
        prompt: prompt(&body, life)?,
        parameters: parameters(&body),
        model_name,
    })
}

fn life(ttl: Option<&str>) -> Result<Life, Refusal> {
    match ttl {
        None | Some("30m") => Ok(Life::Short),
        Some("12h") => Ok(Life::Long),
        Some(other) => Err(Refusal::invalid(format!(
            "Invalid value: '{other}'. Supported values are: '30m' and '12h'."
        ))),
    }
}

fn mode(options: Option<&CacheOptions>) -> Result<BreakpointMode, Refusal> {
    match options.and_then(|options| options.mode.as_deref()) {
        None | Some("implicit") => Ok(BreakpointMode::Implicit),
        Some("explicit") => Ok(BreakpointMode::Explicit),
        Some(other) => Err(Refusal::invalid(format!(
            "Invalid value: '{other}'. Supported values are: 'implicit' and 'explicit'."
        ))),
    }
}

fn max_output(body: &Body) -> Result<Option<u64>, Refusal> {
    let Some(given) = body.max_completion_tokens.as_ref().or(body.max_tokens.as_ref()) else {
        return Ok(None);
    };
    let limit = given.as_u64().filter(|limit| *limit != 0);
    limit.map(Some).ok_or_else(|| {
        Refusal::invalid(
            "Invalid 'max_completion_tokens': integer below minimum value. Expected a value >= 1.",
        )
    })
}

fn prompt(body: &Body, default: Life) -> Result<Prompt, Refusal> {
    let mut prompt = Prompt::default();
    for (place, tool) in body.tools.iter().flatten().enumerate() {
        let images = render(tool, &mut prompt.rendered);
        let path = format!("tools[{place}]");
        prompt.close(closing(Level::Tools, Kind::Plain, None, images, TOOL_FRAME, path));
    }
    if let Some(format) = body.response_format {
        // A schema is shown to the model ahead of the messages, and cached with them.
        render(format, &mut prompt.rendered);
        let path = "response_format".to_owned();
        prompt.close(closing(Level::System, Kind::Plain, None, 0, 0, path));
    }
    let messages = body.messages.as_ref().filter(|messages| !messages.is_empty());
    let messages = messages.ok_or_else(|| {
        Refusal::invalid(
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
        )
    })?;
    for (place, raw) in messages.iter().enumerate() {
        let path = format!("messages[{place}]");
        add_message(&mut prompt, raw, default, &path)?;
        prompt.end_message();
    }
    Ok(prompt)
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

fn add_message(
    prompt: &mut Prompt,
    raw: &RawValue,
    default: Life,
    path: &str,
) -> Result<(), Refusal> {
    let message: Message = serde_json::from_str(raw.get())
        .map_err(|error| Refusal::invalid(format!("Invalid '{path}': {error}")))?;
    let (sign, kind) = match message.role.as_ref() {
        "system" | "developer" => (0x12, Kind::Plain),
        "user" => (0x13, Kind::Plain),
        "tool" | "function" => (0x14, Kind::Plain),
        "assistant" => (0x11, Kind::Assistant),
        other => {
            return Err(Refusal::invalid(format!(
                "Invalid value: '{other}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'."
            )));
        }
    };
    prompt.rendered.push(sign);
    if let Some(id) = &message.tool_call_id {
        prompt.rendered.extend(id.as_bytes());
    }
    add_content(prompt, message.content, kind, default, path)?;
    if let Some(calls) = message.tool_calls {
        render(calls, &mut prompt.rendered);
        let path = format!("{path}.tool_calls");
        prompt.close(closing(Level::Messages, kind, None, 0, 0, path));
    }
    Ok(())
}

/// Adds a message's content. A plain string is the same as one text part.
fn add_content(
    prompt: &mut Prompt,
    content: Option<&RawValue>,
    kind: Kind,
    default: Life,
    path: &str,
) -> Result<(), Refusal> {
    let wrong = |error| Refusal::invalid(format!("Invalid '{path}.content': {error}"));
    let Some(parts) = content.filter(|content| content.get().starts_with('[')) else {
        let text = content.map(|content| serde_json::from_str::<String>(content.get()));
        let text = text.transpose().map_err(wrong)?.unwrap_or_default();
        prompt.rendered.extend(text.as_bytes());
        prompt.close(closing(Level::Messages, kind, None, 0, MESSAGE_FRAME, path.to_owned()));
        return Ok(());
    };
    let parts: Vec<&RawValue> = serde_json::from_str(parts.get()).map_err(wrong)?;
    let mut frame = MESSAGE_FRAME;
    for (place, part) in parts.iter().enumerate() {
        add_part(prompt, part, kind, (default, frame), format!("{path}.content[{place}]"))?;
        frame = 0;
    }
    Ok(())
}

fn add_part(
    prompt: &mut Prompt,
    raw: &RawValue,
    kind: Kind,
    (default, frame): (Life, u64),
    path: String,
) -> Result<(), Refusal> {
    let part: Part = serde_json::from_str(raw.get())
        .map_err(|error| Refusal::invalid(format!("Invalid '{path}': {error}")))?;
    let mark = match &part.prompt_cache_breakpoint {
        None => None,
        Some(mark) if mark.mode != "explicit" => {
            return Err(Refusal::invalid(format!(
                "Invalid value: '{}'. Supported values are: 'explicit'.",
                mark.mode
            )));
        }
        Some(mark) => Some(mark.ttl.as_deref().map_or(Ok(default), |ttl| life(Some(ttl)))?),
    };
    let mut closing = closing(Level::Messages, kind, mark, 0, frame, path);
    match (&part.text, part.r#type.as_ref()) {
        (Some(text), "text") => prompt.rendered.extend(text.as_bytes()),
        (_, "image_url") => {
            render(raw, &mut prompt.rendered);
            closing.images = 1;
            let detail = part.image_url.and_then(|image| image.detail);
            if detail.as_deref() == Some("low") {
                closing.image_tokens = SMALL_IMAGE_TOKENS;
            }
        }
        _ => closing.images = render(raw, &mut prompt.rendered),
    }
    prompt.close(closing);
    Ok(())
}

fn tools(body: &Body) -> Vec<Tool> {
    let raw = body.tools.iter().flatten();
    raw.filter_map(|raw| serde_json::from_str::<ToolBlock>(raw.get()).ok()?.function)
        .map(|function| Tool {
            name: function.name,
            schema: function.parameters.unwrap_or_default(),
        })
        .collect()
}

fn choice(choice: Option<&Value>) -> ToolChoice {
    let Some(choice) = choice else { return ToolChoice::Auto };
    match choice.as_str() {
        Some("none") => ToolChoice::None,
        Some("required") => ToolChoice::Any,
        Some(_) => ToolChoice::Auto,
        None => match choice.pointer("/function/name").and_then(Value::as_str) {
            Some(name) => ToolChoice::Named(name.to_owned()),
            None => ToolChoice::Auto,
        },
    }
}

fn reasoning(effort: Option<&str>) -> u64 {
    match effort {
        Some("none") => 0,
        Some("minimal") => 100,
        Some("low") => 400,
        Some("high") => 2500,
        Some("xhigh" | "max") => 6000,
        _ => 1000,
    }
}

fn form(format: Option<&RawValue>) -> Form {
    let format = format.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let format = format.unwrap_or_default();
    match (format["type"].as_str(), format.pointer("/json_schema/schema")) {
        (Some("json_schema"), Some(schema)) => Form::Schema(schema.clone()),
        (Some("json_object"), _) => Form::Json,
        _ => Form::Prose,
    }
}

/// The tier that the call is served in: what is not offered falls back to the standard one.
fn tier(asked: Option<&str>, model: &Model) -> Tier {
    match asked {
        Some("flex") if model.flex_permille != 0 => Tier::Flex,
        Some("priority" | "fast") if model.priority_permille != 0 => Tier::Priority,
        _ => Tier::Standard,
    }
}

fn parameters(body: &Body) -> String {
    format!(
        "{:?}{:?}{:?}{:?}{:?}{:?}",
        body.temperature, body.top_p, body.seed, body.stop, body.reasoning_effort, body.tool_choice
    )
}
