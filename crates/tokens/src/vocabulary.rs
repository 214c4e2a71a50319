//! How a model's text is cut into tokens.

use std::fmt;
use std::sync::OnceLock;

use tiktoken::CoreBpe;
use tiktoken::encoding as published;

use crate::content::{self, Kind};
use crate::families::{self, Family, How};

/// A published vocabulary. It is unpacked when something is first counted with it.
pub(crate) struct Encoding {
    name: &'static str,
    /// Tokens over those of `o200k_base`, on English prose (this repository's documents).
    on_prose: f64,
    make: fn() -> CoreBpe,
    made: OnceLock<CoreBpe>,
}

impl Encoding {
    const fn new(name: &'static str, on_prose: f64, make: fn() -> CoreBpe) -> Encoding {
        Encoding { name, on_prose, make, made: OnceLock::new() }
    }

    fn count(&self, text: &str) -> u64 {
        self.made.get_or_init(self.make).count(text) as u64
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

// Each is named by its function and not by its name, so that the linker leaves out what is not here.
pub(crate) static O200K: Encoding = Encoding::new("o200k_base", 1.0, published::o200k_base);
pub(crate) static CL100K: Encoding = Encoding::new("cl100k_base", 1.0, published::cl100k_base);
pub(crate) static P50K: Encoding = Encoding::new("p50k_base", 1.05, published::p50k_base);
pub(crate) static R50K: Encoding = Encoding::new("r50k_base", 1.09, published::r50k_base);
pub(crate) static DEEPSEEK: Encoding = Encoding::new("deepseek_v3", 1.01, published::deepseek_v3);
pub(crate) static QWEN2: Encoding = Encoding::new("qwen2", 1.06, published::qwen2);
pub(crate) static TEKKEN: Encoding = Encoding::new("mistral_v3", 1.08, published::mistral_v3);
pub(crate) static GLM4: Encoding = Encoding::new("glm4", 1.01, published::glm4);
pub(crate) static GLM5: Encoding = Encoding::new("glm5", 1.01, published::glm5);
#[cfg(feature = "conditional-vocabularies")]
pub(crate) static LLAMA3: Encoding = Encoding::new("llama3", 1.0, published::llama3);
#[cfg(feature = "conditional-vocabularies")]
pub(crate) static KIMI: Encoding = Encoding::new("kimi_k2", 1.0, published::kimi_k2);
#[cfg(feature = "conditional-vocabularies")]
pub(crate) static MINIMAX: Encoding = Encoding::new("minimax_m2", 1.0, published::minimax_m2);

static ENCODINGS: &[&Encoding] = &[
    &O200K,
    &CL100K,
    &P50K,
    &R50K,
    &DEEPSEEK,
    &QWEN2,
    &TEKKEN,
    &GLM4,
    &GLM5,
    #[cfg(feature = "conditional-vocabularies")]
    &LLAMA3,
    #[cfg(feature = "conditional-vocabularies")]
    &KIMI,
    #[cfg(feature = "conditional-vocabularies")]
    &MINIMAX,
];

/// The names of the vocabularies that are carried.
pub fn encodings() -> impl Iterator<Item = &'static str> {
    ENCODINGS.iter().map(|encoding| encoding.name)
}

/// How much a count can be relied on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Basis {
    /// The vendor publishes the vocabulary of this model.
    Published,
    /// The vendor has not said; it is that of the models before.
    Assumed,
    /// No vocabulary is public: another one's count, times what the vendor's is larger by.
    Estimated {
        /// How far off it may be, as a share of the count.
        error: f64,
    },
}

/// A number of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub tokens: u64,
    /// Whether the vendor's own count is the same.
    pub exact: bool,
}

/// How the text of a model is cut into tokens.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary {
    family: &'static Family,
}

impl Vocabulary {
    /// That of the model of this name, as providers and hosts write it. `None`: nothing is known of
    /// such a name.
    pub fn of_model(model: &str) -> Option<Vocabulary> {
        families::of_model(model).map(|family| Vocabulary { family })
    }

    /// For models of which nothing is known: a rough estimate.
    pub fn unknown() -> Vocabulary {
        Vocabulary { family: &families::UNKNOWN }
    }

    /// One of [`encodings`], by its name.
    pub fn of_encoding(name: &str) -> Option<Vocabulary> {
        families::of_encoding(name).map(|family| Vocabulary { family })
    }

    /// The family of models that share it.
    pub fn family(&self) -> &'static str {
        self.family.name
    }

    /// The published vocabulary that is counted with.
    pub fn encoding(&self) -> &'static str {
        self.family.how.encoding().name
    }

    /// How much its counts can be relied on.
    pub fn basis(&self) -> Basis {
        match self.family.how {
            How::Published(_) => Basis::Published,
            How::Assumed(_) => Basis::Assumed,
            How::Like { error, .. } => Basis::Estimated { error },
        }
    }

    /// About how many tokens it makes of the prose that `o200k_base` makes one of.
    pub fn over_o200k(&self) -> f64 {
        match &self.family.how {
            How::Like { factors, .. } => factors[Kind::Prose as usize],
            How::Published(encoding) | How::Assumed(encoding) => encoding.on_prose,
        }
    }

    /// The tokens of `text`, special tokens not recognised: `<|endoftext|>` in a text is text.
    pub fn count(&self, text: &str) -> Count {
        let exact = matches!(self.basis(), Basis::Published);
        let tokens = match &self.family.how {
            How::Published(encoding) | How::Assumed(encoding) => encoding.count(text),
            How::Like { .. } => round(self.by_kind(text).iter().sum()),
        };
        Count { tokens, exact }
    }

    /// The tokens of `text` by the kind of its parts, in the order of [`Kind::ALL`].
    pub fn by_kind(&self, text: &str) -> [f64; 4] {
        let mut sums = [0.0; 4];
        let encoding = self.family.how.encoding();
        for (kind, piece) in content::pieces(text) {
            sums[kind as usize] += precise(encoding.count(piece)) * self.factor(kind);
        }
        sums
    }

    fn factor(self, kind: Kind) -> f64 {
        match &self.family.how {
            How::Published(_) | How::Assumed(_) => 1.0,
            How::Like { factors, .. } => factors[kind as usize],
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a text has fewer than 2^52 tokens")]
pub(crate) fn precise(tokens: u64) -> f64 {
    tokens as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tokens are positive")]
pub(crate) fn round(tokens: f64) -> u64 {
    tokens.max(0.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basis(model: &str) -> String {
        match Vocabulary::of_model(model) {
            None => "nothing".to_owned(),
            Some(found) => match found.basis() {
                Basis::Published => found.encoding().to_owned(),
                Basis::Assumed => format!("{}?", found.encoding()),
                Basis::Estimated { .. } => format!("~{}", found.family()),
            },
        }
    }

    #[test]
    fn a_model_has_the_vocabulary_that_its_vendor_published() {
        for (model, expected) in [
            ("gpt-4o", "o200k_base"),
            ("openai/gpt-4o-mini-2024-07-18", "o200k_base"),
            ("gpt-4", "cl100k_base"),
            ("gpt-4-turbo", "cl100k_base"),
            ("gpt-4.1-nano", "o200k_base"),
            ("gpt-5.6-sol", "o200k_base"),
            ("gpt-6-astra", "o200k_base?"),
            ("o1", "o200k_base"),
            ("o3-pro", "o200k_base"),
            ("ft:gpt-3.5-turbo:org::x", "cl100k_base"),
            ("gpt-oss-120b", "o200k_base"),
            ("text-davinci-003", "p50k_base"),
            ("davinci", "r50k_base"),
            ("davinci-002", "cl100k_base"),
            ("deepseek-chat", "deepseek_v3"),
            ("deepseek-ai/DeepSeek-V3.2", "deepseek_v3"),
            ("deepseek-r1-distill-llama-70b", "~deepseek-r1-distill"),
            ("Qwen/Qwen2.5-72B-Instruct", "qwen2"),
            ("qwen3-32b", "qwen2"),
            ("qwen3.5-plus", "~qwen"),
            ("mistral-nemo", "mistral_v3"),
            ("mistral-large-latest", "mistral_v3?"),
            ("mixtral-8x7b", "~mistral-32k"),
            ("glm-4.6", "glm4"),
            ("glm-5", "glm5"),
            ("us.anthropic.claude-opus-4-7", "~claude-4.7"),
            ("claude-sonnet-4-5", "~claude"),
            ("claude-3-5-haiku-20241022", "~claude"),
            ("anthropic.claude-opus-5-5-v1:0", "~claude-4.7"),
            ("gemini-2.5-pro", "~gemini"),
            ("weather", "nothing"),
        ] {
            assert_eq!(basis(model), expected, "{model}");
        }
    }

    #[test]
    fn special_tokens_in_a_text_are_text() {
        let count = |text| Vocabulary::of_model("gpt-4o").unwrap().count(text);
        assert_eq!(count("hello world"), Count { tokens: 2, exact: true });
        assert_eq!(count("<|endoftext|>").tokens, 7);
        assert_eq!(count("").tokens, 0);
    }

    #[test]
    fn an_estimate_is_never_called_exact() {
        let claude = Vocabulary::of_model("claude-opus-5-5").unwrap();
        let count = claude.count("The quick brown fox jumps over the lazy dog. ".repeat(20).trim());
        assert!(!count.exact && (200..=300).contains(&count.tokens), "{count:?}");
    }
}
