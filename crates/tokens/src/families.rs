//! Which models share a vocabulary, as a table. The first row that fits a name counts.
//!
//! Only names that their vendor's own list gives a vocabulary are *published*: `tiktoken`'s
//! `model.py` for OpenAI, the tokenizer files beside the weights for open models. A vendor's later or
//! closed models are *assumed* to have kept it. Factors of the others are over the count with
//! `o200k_base`, for prose, code, data and other scripts; their sources are in `docs/tokens.md`.

use crate::vocabulary::{CL100K, DEEPSEEK, Encoding, GLM4, GLM5, O200K, P50K, QWEN2, R50K, TEKKEN};
#[cfg(feature = "conditional-vocabularies")]
use crate::vocabulary::{KIMI, LLAMA3, MINIMAX};

/// Models that share a vocabulary.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    /// A model belongs to it whose name begins so, behind its provider's and host's.
    models: &'static [&'static str],
    pub(crate) how: How,
}

/// How its text is counted.
#[derive(Debug)]
pub(crate) enum How {
    Published(&'static Encoding),
    Assumed(&'static Encoding),
    /// Tokens of `o200k_base` times a factor for each kind of text.
    Like {
        factors: [f64; 4],
        error: f64,
    },
}

impl How {
    pub(crate) fn encoding(&self) -> &'static Encoding {
        match self {
            How::Published(encoding) | How::Assumed(encoding) => encoding,
            How::Like { .. } => &O200K,
        }
    }
}

const fn published(
    name: &'static str,
    encoding: &'static Encoding,
    models: &'static [&'static str],
) -> Family {
    Family { name, models, how: How::Published(encoding) }
}

const fn assumed(
    name: &'static str,
    encoding: &'static Encoding,
    models: &'static [&'static str],
) -> Family {
    Family { name, models, how: How::Assumed(encoding) }
}

const fn like(
    name: &'static str,
    models: &'static [&'static str],
    factors: [f64; 4],
    error: f64,
) -> Family {
    Family { name, models, how: How::Like { factors, error } }
}

/// What nothing is known of.
pub(crate) static UNKNOWN: Family = like("unknown", &[], [1.1, 1.15, 1.15, 1.2], 0.25);

static FAMILIES: &[Family] = &[
    published(
        "gpt-4o",
        &O200K,
        &["gpt-4o", "chatgpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-oss", "o1", "o3", "o4-mini"],
    ),
    published(
        "gpt-4",
        &CL100K,
        &[
            "gpt-4",
            "gpt-3.5",
            "gpt-35",
            "text-embedding-3",
            "text-embedding-ada",
            "davinci-002",
            "babbage-002",
        ],
    ),
    published(
        "gpt-3.5-instruct",
        &P50K,
        &["text-davinci-003", "text-davinci-002", "code-davinci", "code-cushman"],
    ),
    published(
        "gpt-3",
        &R50K,
        &["text-davinci-001", "davinci", "curie", "babbage", "ada", "gpt2", "gpt-2"],
    ),
    assumed("openai", &O200K, &["gpt", "chatgpt", "codex", "computer-use", "o4"]),
    // The weights of another family, with its vocabulary.
    like("deepseek-r1-distill", &["deepseek-r1-distill"], [1.05, 1.1, 1.1, 1.2], 0.15),
    published(
        "deepseek",
        &DEEPSEEK,
        &["deepseek-v3", "deepseek-v4", "deepseek-r1", "deepseek-chat", "deepseek-reasoner"],
    ),
    like("deepseek-old", &["deepseek-v2", "deepseek-coder"], [1.1, 1.15, 1.2, 1.2], 0.15),
    assumed("deepseek-later", &DEEPSEEK, &["deepseek"]),
    // A new vocabulary came with 3.5.
    like(
        "qwen",
        &["qwen3.5", "qwen3.6", "qwen3.7", "qwen4", "qwen3p5"],
        [1.02, 1.05, 1.1, 1.1],
        0.15,
    ),
    assumed(
        "qwen-closed",
        &QWEN2,
        &["qwen3-max", "qwen-max", "qwen-plus", "qwen-turbo", "qwen-flash"],
    ),
    published("qwen2", &QWEN2, &["qwen2", "qwen2.5", "qwen-2", "qwen3", "qwen-3", "qwq"]),
    assumed("qwen-later", &QWEN2, &["qwen"]),
    like(
        "mistral-32k",
        &["mixtral", "open-mixtral", "mistral-7b", "open-mistral-7b", "mistral-tiny"],
        [1.15, 1.3, 1.3, 1.6],
        0.15,
    ),
    published(
        "tekken",
        &TEKKEN,
        &["mistral-nemo", "open-mistral-nemo", "ministral", "pixtral-12b", "devstral", "magistral"],
    ),
    assumed("mistral", &TEKKEN, &["mistral", "codestral", "pixtral", "open-mistral"]),
    published("glm-5", &GLM5, &["glm-5"]),
    published("glm-4", &GLM4, &["glm-4", "glm-4.5", "glm-4.6", "glm-4.7"]),
    #[cfg(feature = "conditional-vocabularies")]
    published(
        "llama-3",
        &LLAMA3,
        &["llama-3", "llama3", "llama-4", "llama4", "meta-llama-3", "llama-v3p", "llama-guard-3"],
    ),
    like("llama", &["llama", "meta-llama", "llama3", "llama4"], [1.03, 1.05, 1.1, 1.3], 0.15),
    #[cfg(feature = "conditional-vocabularies")]
    published("kimi-k2", &KIMI, &["kimi-k2", "kimi-k3"]),
    like("kimi", &["kimi", "moonshot"], [1.02, 1.05, 1.05, 1.0], 0.15),
    #[cfg(feature = "conditional-vocabularies")]
    published("minimax-m2", &MINIMAX, &["minimax-m2"]),
    like("minimax", &["minimax"], [1.05, 1.05, 1.05, 1.0], 0.15),
    like(
        "claude-4.7",
        &[
            "claude-opus-4-7",
            "claude-opus-4.7",
            "claude-opus-4-8",
            "claude-opus-4.8",
            "claude-opus-5",
            "claude-sonnet-5",
            "claude-haiku-5",
            "claude-fable",
            "claude-mythos",
        ],
        [1.28, 1.53, 1.5, 1.1],
        0.2,
    ),
    like("claude", &["claude"], [1.07, 1.14, 1.14, 1.1], 0.15),
    like("gemini", &["gemini", "gemma"], [1.03, 1.1, 1.2, 1.0], 0.15),
    like("grok", &["grok"], [1.05, 1.1, 1.1, 1.2], 0.2),
];

/// Families that are a published vocabulary and nothing else.
static BARE: &[Family] = &[
    published("o200k_base", &O200K, &["o200k_base"]),
    published("cl100k_base", &CL100K, &["cl100k_base"]),
    published("p50k_base", &P50K, &["p50k_base"]),
    published("r50k_base", &R50K, &["r50k_base"]),
    published("deepseek_v3", &DEEPSEEK, &["deepseek_v3"]),
    published("qwen2", &QWEN2, &["qwen2"]),
    published("mistral_v3", &TEKKEN, &["mistral_v3"]),
    published("glm4", &GLM4, &["glm4"]),
    published("glm5", &GLM5, &["glm5"]),
];

pub(crate) fn of_encoding(name: &str) -> Option<&'static Family> {
    BARE.iter().find(|family| family.name == name)
}

/// The family of a model, whatever stands in front of its name: a provider, a host's account, a
/// region (`us.anthropic.claude-…`), `ft:`.
pub(crate) fn of_model(model: &str) -> Option<&'static Family> {
    let model = model.to_lowercase();
    // Behind a fine-tuned model's name stands what its owner called it.
    let tuned = model.strip_prefix("ft:").and_then(|tuned| tuned.split(':').next());
    let model = tuned.unwrap_or(&model);
    let starts = model.rmatch_indices(['/', '.']).map(|(at, _)| at + 1);
    // The last part first: the first may be a vendor who is called like its models.
    let mut names = starts.chain([0]).map(|at| &model[at..]);
    names.find_map(|name| FAMILIES.iter().find(|family| family.has(name)))
}

impl Family {
    fn has(&self, name: &str) -> bool {
        let begins = |part: &&'static str| {
            let rest = name.strip_prefix(*part);
            // `o1` is not the beginning of `o10`, nor `gpt-4` of `gpt-4o`.
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
        };
        self.models.iter().any(begins)
    }
}
