//! A call as policies see it: facts, never text.
//!
//! A prompt is a list of blocks in the order in which the provider renders them (tools, system,
//! messages). Of each block its role, keyed digests, length and the keyed features that policies
//! compare are known; the text itself stays in the bytes of the request and is not part of a call.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hash;
use crate::price::CacheKind;
use crate::time::Time;

/// Which API a call speaks. Records name a dialect by its place: new ones come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `POST /v1/chat/completions`.
    OpenaiChat,
    /// `POST /v1/messages`.
    AnthropicMessages,
    /// `POST /v1/messages/count_tokens`.
    AnthropicCountTokens,
    /// Anything else: passed through, metered where usage is found.
    Other,
    /// `POST /v1/responses`.
    OpenaiResponses,
    /// `POST /v1/completions`.
    OpenaiCompletions,
    /// `POST /v1/embeddings`.
    OpenaiEmbeddings,
    /// `POST /v1beta/models/…:generateContent` and `:streamGenerateContent`.
    GeminiGenerate,
    /// `POST /v1beta/models/…:embedContent` and `:batchEmbedContents`.
    GeminiEmbed,
    /// Amazon Bedrock's `POST /model/…/converse` and `/converse-stream`.
    BedrockConverse,
}

/// Whose API a dialect belongs to: what its errors look like and where its keys stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// `OpenAI`'s, and all that imitate it.
    Openai,
    /// Anthropic's.
    Anthropic,
    /// Google's Gemini.
    Gemini,
    /// Amazon's Bedrock.
    Bedrock,
    /// Not known.
    Other,
}

impl Dialect {
    /// Whether what is said to a model and what it said are told apart. Where they are not, a text is
    /// continued or embedded as it is spelled.
    pub const fn is_conversation(self) -> bool {
        match self {
            Dialect::OpenaiChat
            | Dialect::AnthropicMessages
            | Dialect::AnthropicCountTokens
            | Dialect::OpenaiResponses
            | Dialect::GeminiGenerate
            | Dialect::BedrockConverse => true,
            Dialect::Other
            | Dialect::OpenaiCompletions
            | Dialect::OpenaiEmbeddings
            | Dialect::GeminiEmbed => false,
        }
    }

    /// Whose API it belongs to.
    pub const fn family(self) -> Family {
        match self {
            Dialect::OpenaiChat
            | Dialect::OpenaiResponses
            | Dialect::OpenaiCompletions
            | Dialect::OpenaiEmbeddings => Family::Openai,
            Dialect::AnthropicMessages | Dialect::AnthropicCountTokens => Family::Anthropic,
            Dialect::GeminiGenerate | Dialect::GeminiEmbed => Family::Gemini,
            Dialect::BedrockConverse => Family::Bedrock,
            Dialect::Other => Family::Other,
        }
    }

    /// Whether requests of this dialect can say what of a prompt is to be cached where the provider
    /// caches in this way.
    pub const fn takes_marks(self, kind: CacheKind) -> bool {
        match self {
            Dialect::OpenaiChat
            | Dialect::OpenaiResponses
            | Dialect::AnthropicMessages
            | Dialect::AnthropicCountTokens => true,
            // Its cache points are marks; it has no word for options beside them.
            Dialect::BedrockConverse => matches!(kind, CacheKind::Marked),
            Dialect::OpenaiCompletions
            | Dialect::OpenaiEmbeddings
            | Dialect::GeminiGenerate
            | Dialect::GeminiEmbed
            | Dialect::Other => false,
        }
    }
}

/// A keyed digest. Equal digests mean equal content; nothing else can be read from one without the
/// key in the data directory.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 16]);

/// Names a call. Ids sort by the time at which they were made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u128);

/// Which life a cache entry is asked to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ttl {
    /// Anthropic 5 minutes, OpenAI 30 minutes.
    Short,
    /// Anthropic 1 hour, OpenAI 12 hours.
    Long,
}

/// Who speaks in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A tool's definition.
    Tool,
    /// System or developer instructions.
    System,
    /// The user.
    User,
    /// The model, earlier in the conversation.
    Assistant,
    /// What a tool returned.
    ToolResult,
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Text.
    Text,
    /// An image, inline or by reference.
    Image,
    /// Audio.
    Audio,
    /// A document or file.
    Document,
    /// A tool's definition, a call to it, or its result.
    Tool,
    /// The model's reasoning.
    Reasoning,
    /// Anything that this version does not know.
    Other,
}

/// What gates of later policies compare between two texts, as keyed hashes. Only of short text
/// blocks; `None` in [`Block::features`] means not taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// Numbers, dates and quantities, in order.
    pub numbers: Vec<u64>,
    /// Words that look like identifiers or names, in order.
    pub names: Vec<u64>,
    /// How many negations.
    pub negations: u16,
    /// Hash over the sequence of all words, lower-cased: differs when only the order differs.
    pub order: u64,
    /// Hash over the set of all words: equal when only the order differs.
    pub bag: u64,
}

/// What tells how two blocks differ, without their text: of tools, instructions and calls to tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Keyed hash of what the text consists of beside its `spans`, whatever the order. Equal where
    /// two texts differ only in their spans, or only in the order of their parts.
    pub bag: u64,
    /// What looks as if it could be another at the next call, in order: the first few.
    pub spans: Vec<Varying>,
    /// Keyed hashes of the names of the tools that the block defines or calls.
    pub tools: Vec<u64>,
}

/// A piece of text that looks as if it could be another at the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Varying {
    /// What it looks like.
    pub look: Look,
    /// Keyed hash of it.
    pub hash: u32,
    /// Where it starts, in bytes of what the block says.
    pub start: u32,
    /// How many bytes it has.
    pub length: u16,
}

/// What a piece of text looks like. Records name a look by its place: new ones come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// A time of day, or seconds since 1970.
    Time,
    /// A date.
    Date,
    /// Names something: a UUID, a prefix with a number, what follows `id`.
    Id,
    /// Letters and digits that mean nothing.
    Random,
    /// A number.
    Number,
}

/// One block of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Who speaks.
    pub role: Role,
    /// What it holds.
    pub content: Content,
    /// Keyed digest of role, kind and content, without any cache mark.
    pub digest: Digest,
    /// Keyed digests of the block's successive chunks, so that two long blocks that differ late can
    /// be seen to share a beginning. Empty for a block of one chunk.
    pub chunks: Box<[u64]>,
    /// Unicode characters of text (for images and other binaries: bytes of their encoding).
    pub characters: u32,
    /// Estimated tokens. The provider's usage is the truth; this is for proportions within a prompt.
    pub tokens: u32,
    /// What gates compare, where taken.
    pub features: Option<Box<Features>>,
    /// What tells how it differs from another, where taken.
    #[serde(default)]
    pub outline: Option<Arc<Outline>>,
    /// The client's own cache mark on this block.
    pub mark: Option<Ttl>,
    /// Whether the provider accepts a cache mark here (thinking blocks and empty text: no).
    pub markable: bool,
}

/// How the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// In one piece.
    Whole,
    /// As server-sent events.
    Stream,
}

/// Parameters of a call beside its prompt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parameters {
    /// The most output tokens that the caller allows.
    pub max_output_tokens: Option<u64>,
    /// Sampling temperature in thousandths.
    pub temperature_permille: Option<u32>,
    /// How many answers are asked for.
    pub answers: u32,
    /// The client asked for usage in its stream (`stream_options.include_usage`).
    pub usage_in_stream: bool,
    /// The client set the request-level cache options of its dialect (Anthropic top-level
    /// `cache_control`, OpenAI `prompt_cache_options`).
    pub client_cache_options: bool,
    /// Keyed digest over every other field of the body that can change the answer.
    pub digest: Digest,
    /// Keyed hash of those fields that a provider renders into the prompt (which tool is to be
    /// called, how to think, the answer's schema), so that another value ends what a cache can give;
    /// zero without any. `None`: not known.
    #[serde(default)]
    pub rendered: Option<u64>,
}

/// Who calls, as far as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Caller {
    /// Keyed digest of the credential that the call came with; all zero without one.
    pub key: Digest,
    /// Keyed digest of the session's name, where the client names its session.
    pub session: Option<Digest>,
    /// The tags that the caller gave, in order.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
}

/// A call: all that any policy may look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its name.
    pub id: CallId,
    /// Drawn once when the call came in; every later "random" choice is a hash of it.
    pub seed: u64,
    /// When its head had been read.
    pub arrived: Time,
    /// The API that it speaks.
    pub dialect: Dialect,
    /// Configured name of the provider that it is meant for.
    pub provider: Arc<str>,
    /// The model asked for, as the provider names it.
    pub model: Arc<str>,
    /// The caller's name for what this call does; the dialect's own name where none was given.
    pub operation: Arc<str>,
    /// Who calls.
    pub caller: Caller,
    /// How the answer is wanted.
    pub delivery: Delivery,
    /// Parameters beside the prompt.
    pub parameters: Parameters,
    /// The prompt, in the order in which the provider renders it.
    pub prompt: Vec<Block>,
    /// Length of the body in bytes.
    pub body_bytes: u64,
}

impl Call {
    /// What a share is a share of: the session if there is one, else the key, else the prompt's
    /// family. A unit is treated as a whole or not at all.
    pub fn unit(&self) -> u64 {
        match self.caller.session {
            Some(session) => session.word(),
            None if self.caller.key == Digest::default() => self.family(),
            None => self.caller.key.word(),
        }
    }

    /// Names the family of prompts that share their tools and system instructions.
    pub fn family(&self) -> u64 {
        let head = self.prompt.iter().take_while(|block| block.role <= Role::System);
        head.fold(hash::text(&self.model), |state, block| hash::chain(state, block.digest.word()))
    }

    /// How many leading blocks are tools or system instructions.
    pub fn head_blocks(&self) -> usize {
        self.prompt.iter().take_while(|block| block.role <= Role::System).count()
    }

    /// Estimated tokens of the whole prompt.
    pub fn estimated_tokens(&self) -> u64 {
        self.prompt.iter().map(|block| u64::from(block.tokens)).sum()
    }
}

impl Block {
    /// Bytes of a chunk: about two thousand tokens.
    pub const CHUNK_BYTES: usize = 8_192;
}

impl Digest {
    /// The first eight bytes, for hash tables and assignments.
    pub fn word(&self) -> u64 {
        let (word, _) = self.0.split_first_chunk().expect("sixteen bytes hold eight");
        u64::from_le_bytes(*word)
    }

    /// The digest of something else, which follows from this one and `mark`.
    #[must_use]
    pub fn marked(self, mark: u64) -> Digest {
        let Digest(mut bytes) = self;
        let word = hash::chain(self.word(), mark);
        bytes[..8].copy_from_slice(&word.to_le_bytes());
        Digest(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(self.0, f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(self.0.to_be_bytes(), f)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallId({self})")
    }
}

/// A text that is no id of a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not 32 hexadecimal digits")]
pub struct NotAnId(pub String);

impl CallId {
    /// The id as 32 digits, without a formatter around them: it stands in the head of every answer
    /// and in the log.
    pub fn digits(self) -> [u8; 32] {
        hex(self.0.to_be_bytes())
    }
}

fn hex(bytes: [u8; 16]) -> [u8; 32] {
    let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
    let mut text = [0; 32];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    text
}

fn write_hex(bytes: [u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(std::str::from_utf8(&hex(bytes)).expect("ASCII"))
}

fn hex128(text: &str) -> Result<u128, NotAnId> {
    let refuse = || NotAnId(text.chars().take(64).collect());
    match text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => u128::from_str_radix(text, 16).map_err(|_| refuse()),
        false => Err(refuse()),
    }
}

impl FromStr for CallId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<CallId, NotAnId> {
        hex128(text).map(CallId)
    }
}

impl FromStr for Digest {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Digest, NotAnId> {
        hex128(text).map(|value| Digest(value.to_be_bytes()))
    }
}

impl Serialize for CallId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => self.0.to_be_bytes().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CallId, D::Error> {
        Digest::deserialize(deserializer).map(|digest| CallId(u128::from_be_bytes(digest.0)))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        if !deserializer.is_human_readable() {
            return Ok(Digest(<[u8; 16]>::deserialize(deserializer)?));
        }
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn an_id_is_written_as_its_number_and_read_again(id: u128) {
            let text = CallId(id).to_string();
            proptest::prop_assert_eq!(&text, &format!("{id:032x}"));
            proptest::prop_assert_eq!(text.parse(), Ok(CallId(id)));
        }
    }
}
