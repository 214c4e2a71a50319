//! A request as both vendors would see it: what to show the model, where the caller put marks,
//! and what kind of answer is wanted. The two readers are in [`crate::openai`] and
//! [`crate::anthropic`]; everything after them is common.

use crate::dice::{Key, digest, key_of};
use crate::models::Model;
use crate::tokens;
use serde_json::Value;

/// How long a written entry lives: the vendor's short or long choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Life {
    /// 5 minutes at Anthropic, 30 at `OpenAI`.
    Short,
    /// One hour at Anthropic, 12 at `OpenAI`.
    Long,
}

/// Which part of the prompt a piece belongs to, in the order of rendering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Tools,
    System,
    Messages,
}

/// What a piece is, as far as the rules of caching care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    EmptyText,
    Thinking,
    /// Written by the model in an earlier turn.
    Assistant,
}

/// One block of the prompt.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) level: Level,
    pub(crate) kind: Kind,
    /// Where its rendered text ends in [`Prompt::rendered`].
    pub(crate) end: usize,
    /// Tokens of the prompt up to and including this piece.
    pub(crate) tokens_to_here: u64,
    /// The caller's mark on it.
    pub(crate) mark: Option<Life>,
    /// Whether its message ends with it.
    pub(crate) last_of_message: bool,
    /// Where it stands in the body, as the vendors' messages name it.
    pub(crate) path: String,
}

/// The prompt as one flat text with its pieces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prompt {
    pub(crate) rendered: Vec<u8>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) images: u32,
    /// What the system part's cache depends on beside its text.
    pub(crate) system_salt: String,
    /// What the messages' cache depends on beside their text.
    pub(crate) message_salt: String,
}

/// What [`Prompt::close`] needs to know of a piece whose text was just rendered.
pub(crate) struct Closing {
    pub(crate) level: Level,
    pub(crate) kind: Kind,
    pub(crate) mark: Option<Life>,
    pub(crate) images: u32,
    pub(crate) image_tokens: u64,
    /// Tokens around it that are no text of it: the frame of a message, of a tool.
    pub(crate) frame_tokens: u64,
    pub(crate) path: String,
}

impl Prompt {
    /// Ends the piece that consists of all text rendered since the last one.
    pub(crate) fn close(&mut self, closing: Closing) {
        let Closing { level, kind, mark, images, image_tokens, frame_tokens, path } = closing;
        let start = self.pieces.last().map_or(0, |piece| piece.end);
        let own = tokens::count(&self.rendered[start..]) + u64::from(images) * image_tokens;
        self.images += images;
        self.pieces.push(Piece {
            level,
            kind,
            end: self.rendered.len(),
            tokens_to_here: self.tokens() + own + frame_tokens,
            mark,
            last_of_message: false,
            path,
        });
    }

    /// Says that the message ends here.
    pub(crate) fn end_message(&mut self) {
        if let Some(piece) = self.pieces.last_mut() {
            piece.last_of_message = true;
        }
    }

    /// Tokens of the whole prompt.
    pub(crate) fn tokens(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.tokens_to_here)
    }

    /// The rendered text of piece `place`.
    pub(crate) fn text(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).map_or(0, |before| self.pieces[before].end);
        &self.rendered[start..self.pieces[place].end]
    }

    /// For each piece, the key of the exact prefix that ends with it, in `scope`.
    pub(crate) fn keys(&self, scope: Key) -> Vec<Key> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&scope.to_le_bytes());
        let mut level = Level::Tools;
        (0..self.pieces.len())
            .map(|place| {
                let piece = &self.pieces[place];
                if level < Level::System && Level::System <= piece.level {
                    hasher.update(self.system_salt.as_bytes());
                }
                if level < Level::Messages && Level::Messages <= piece.level {
                    hasher.update(self.message_salt.as_bytes());
                }
                level = piece.level;
                hasher.update(self.text(place));
                // The length keeps two pieces apart from one with both texts.
                hasher.update(&(piece.end as u64).to_le_bytes());
                key_of(&hasher)
            })
            .collect()
    }
}

/// Whether and how the model must call a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    None,
    Auto,
    Any,
    Named(String),
}

/// The form of the answer's text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    Prose,
    Json,
    Schema(Value),
}

/// A tool that the model may call.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

/// How the answer is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// One JSON body.
    Whole,
    /// Server-sent events.
    Stream,
}

/// Which price and speed the caller asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The list price.
    Standard,
    /// Cheaper and slower.
    Flex,
    /// Dearer and faster.
    Priority,
}

/// `OpenAI`'s choice of breakpoints from GPT-5.6 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BreakpointMode {
    Implicit,
    Explicit,
}

/// What a request says about caching outside of its blocks.
#[derive(Clone, Debug)]
pub(crate) struct Caching {
    pub(crate) mode: BreakpointMode,
    pub(crate) life: Life,
    /// `prompt_cache_key`.
    pub(crate) routing_key: String,
}

/// A request that can be answered.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) model: &'static Model,
    /// The model as the caller wrote it.
    pub(crate) model_name: String,
    pub(crate) delivery: Delivery,
    /// `stream_options.include_usage`.
    pub(crate) include_usage: bool,
    pub(crate) max_output: Option<u64>,
    pub(crate) prompt: Prompt,
    pub(crate) tools: Vec<Tool>,
    pub(crate) tool_choice: ToolChoice,
    /// Tokens that it may think visibly; 0 for none.
    pub(crate) thinking: u64,
    /// Hidden reasoning, in per mille of the model's usual amount.
    pub(crate) reasoning_permille: u64,
    pub(crate) form: Form,
    pub(crate) tier: Tier,
    pub(crate) caching: Caching,
    /// Other parameters that change the answer.
    pub(crate) parameters: String,
}

impl Ask {
    /// What the answer depends on: everything but marks, delivery and who asks.
    pub(crate) fn fingerprint(&self) -> Key {
        let keys = self.prompt.keys(0);
        let last = keys.last().copied().unwrap_or_default();
        let limit = self.max_output.unwrap_or(u64::MAX);
        digest(&[
            self.model_name.as_bytes(),
            &last.to_le_bytes(),
            &limit.to_le_bytes(),
            self.parameters.as_bytes(),
        ])
    }
}

/// A request that a vendor answers with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The vendor's name of the kind of error.
    pub(crate) kind: &'static str,
    /// `OpenAI`'s `code`.
    pub(crate) code: Option<&'static str>,
    pub(crate) message: String,
}

impl Refusal {
    /// A 400.
    pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
        Refusal { status: 400, kind: "invalid_request_error", code: None, message: message.into() }
    }

    /// A 404 for a model that is not there.
    pub(crate) fn no_model(kind: &'static str, message: String) -> Refusal {
        Refusal { status: 404, kind, code: Some("model_not_found"), message }
    }
}
