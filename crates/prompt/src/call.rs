//! A filled prompt as the body of a call, and the text of its answer.

use serde_json::{Value, json};

use crate::read::{Kind, Prompt};

/// Whose API a target speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Chat completions.
    Openai,
    /// Messages.
    Anthropic,
}

/// How the longest answer is named in a body of OpenAI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// What servers that speak like OpenAI's know.
    MaxTokens,
    /// What OpenAI's reasoning models want.
    MaxCompletionTokens,
}

/// What stays the same from call to call.
#[derive(Clone, Debug)]
pub struct Form {
    /// Whose API is spoken.
    pub speaks: Speaks,
    /// The model.
    pub model: String,
    /// Tokens of the longest answer, where the body does not say.
    pub longest: u64,
    /// The name of that.
    pub limit: Limit,
}

/// The API that a body is written for, where that shows.
pub fn written_for(prompt: &Prompt) -> Option<Speaks> {
    let body = prompt.body.as_ref()?;
    body.get("system").map(|_| Speaks::Anthropic)
}

/// The body of a call. Of a body that was given, all stays but the model and the stream.
///
/// # Errors
/// If the body has no `messages`.
pub fn body(form: &Form, prompt: &Prompt) -> Result<Value, String> {
    let mut body = match &prompt.body {
        Some(body) => body.clone(),
        None => of_text(form, prompt),
    };
    let Some(members) = body.as_object_mut().filter(|members| members.contains_key("messages"))
    else {
        return Err(
            "only bodies with `messages` can be sent (chat completions, messages)".to_owned()
        );
    };
    members.insert("model".to_owned(), form.model.clone().into());
    for stream in ["stream", "stream_options"] {
        members.remove(stream);
    }
    let names = ["max_tokens", "max_completion_tokens"];
    if !names.iter().any(|name| members.contains_key(*name)) {
        let is_newer = form.limit == Limit::MaxCompletionTokens;
        members.insert(names[usize::from(is_newer)].to_owned(), form.longest.into());
    }
    Ok(body)
}

/// The longest answer that a body allows.
pub fn longest(body: &Value) -> Option<u64> {
    ["max_tokens", "max_completion_tokens"].iter().find_map(|name| body[*name].as_u64())
}

fn of_text(form: &Form, prompt: &Prompt) -> Value {
    let text = |kind: Kind| prompt.pieces.iter().find(|p| p.kind == kind).map(|p| p.text.as_str());
    let asked = json!({"role": "user", "content": text(Kind::User).unwrap_or_default()});
    match (text(Kind::System), form.speaks) {
        (None, _) => json!({ "messages": [asked] }),
        (Some(system), Speaks::Anthropic) => json!({ "system": system, "messages": [asked] }),
        (Some(system), Speaks::Openai) => {
            json!({ "messages": [{"role": "system", "content": system}, asked] })
        }
    }
}

/// The text that was answered; `None` where there is none. A call to a tool is told as its JSON.
pub fn text(speaks: Speaks, answer: &Value) -> Option<String> {
    match speaks {
        Speaks::Openai => {
            let message = answer.pointer("/choices/0/message")?;
            let said = message["content"].as_str().filter(|said| !said.is_empty());
            let called = || message.pointer("/tool_calls/0/function/arguments")?.as_str();
            said.or_else(called).map(str::to_owned)
        }
        Speaks::Anthropic => {
            let blocks = answer["content"].as_array()?;
            let texts: String = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
            let called = || Some(blocks.iter().find_map(|block| block.get("input"))?.to_string());
            Some(texts).filter(|texts| !texts.is_empty()).or_else(called)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(speaks: Speaks) -> Form {
        Form { speaks, model: "m".to_owned(), longest: 9, limit: Limit::MaxTokens }
    }

    #[test]
    fn a_text_is_instructions_and_a_body_keeps_what_it_says() {
        let mut prompt = Prompt::of_text("Be brief.");
        prompt.pieces.push(crate::Piece {
            kind: Kind::User,
            pointer: String::new(),
            text: "hi".to_owned(),
        });
        let said = json!({"role": "user", "content": "hi"});
        let expected =
            json!({"model": "m", "max_tokens": 9, "system": "Be brief.", "messages": [said]});
        assert_eq!(body(&form(Speaks::Anthropic), &prompt).unwrap(), expected);
        let given = json!({"model": "x", "stream": true, "max_completion_tokens": 5, "n": 1,
            "messages": [said]});
        let expected =
            json!({"model": "m", "max_completion_tokens": 5, "n": 1, "messages": [said]});
        assert_eq!(body(&form(Speaks::Openai), &Prompt::of_body(given, 1)).unwrap(), expected);
        assert!(body(&form(Speaks::Openai), &Prompt::of_body(json!({"input": "x"}), 1)).is_err());
    }

    #[test]
    fn what_was_answered_is_read_from_both() {
        let chat = json!({"choices": [{"message": {"content": "yes"}}]});
        assert_eq!(text(Speaks::Openai, &chat).as_deref(), Some("yes"));
        let called = json!({"choices": [{"message": {"content": null,
            "tool_calls": [{"function": {"arguments": "{}"}}]}}]});
        assert_eq!(text(Speaks::Openai, &called).as_deref(), Some("{}"));
        let blocks = json!({"content": [{"type": "thinking"}, {"type": "text", "text": "yes"}]});
        assert_eq!(text(Speaks::Anthropic, &blocks).as_deref(), Some("yes"));
        assert_eq!(text(Speaks::Anthropic, &json!({"content": []})), None);
    }
}
