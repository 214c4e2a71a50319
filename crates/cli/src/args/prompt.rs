//! The arguments of `scrimp prompt`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use scrimp_core::Usd;
use scrimp_prompt::rules::{RULES, Rule};

use super::{DataDir, Json};

#[derive(Debug, Subcommand)]
pub(crate) enum Prompt {
    /// What prompts cost by section and model, and what shorter forms would save
    Lint(Lint),
    /// The fewest examples of a prompt that answer as well as all of them
    Examples(Examples),
    /// A shorter form of a prompt, adopted only where it answers as well
    Rewrite(Rewrite),
}

#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Prompts as text, bodies of requests (JSON, JSON lines), folders of them, `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// A model to price; may be given again; sections and suggestions are counted for the first
    /// [default: the one that the prompts name, else one of each large vendor]
    #[arg(long = "model", value_name = "MODEL")]
    pub(crate) models: Vec<String>,
    /// How many suggestions to show; --json has all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) most: usize,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Examples {
    /// The prompt: a text, or the body of one request
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) eval: Eval,
    /// Take the turns of the conversation before its last message as examples
    #[arg(long)]
    pub(crate) turns: bool,
    /// Where to write the prompt with the examples that were kept
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Rewrite {
    /// The prompt: a text, or the body of one request
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Which rules: json, compact, repeated, wording, layout [default: all]
    #[arg(long, value_name = "RULES", value_delimiter = ',', value_parser = rule)]
    pub(crate) rules: Vec<&'static Rule>,
    /// A model that proposes a shorter form of the instructions, too, as --target is written
    #[arg(long, value_name = "URL/MODEL", requires = "cases")]
    pub(crate) by: Option<String>,
    /// Cases to test the shorter form with; without them it is only shown
    #[arg(long = "eval", value_name = "CASES", requires = "target")]
    pub(crate) cases: Option<PathBuf>,
    /// Who answers the cases
    #[arg(long, value_name = "URL/MODEL", requires = "cases")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) terms: Terms,
    /// Where to write the shorter form, if it answers as well
    #[arg(long, short, value_name = "FILE", requires = "cases")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// Who is asked what.
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// Cases, a line of JSON each: what fills the prompt, and what a good answer is (docs/prompt.md)
    #[arg(long = "eval", value_name = "CASES")]
    pub(crate) cases: PathBuf,
    // No doc comment: a terminal would show what stands around a URL in one.
    #[arg(
        long,
        value_name = "URL/MODEL",
        help = "Who answers: a base URL and a model, such as https://api.openai.com/v1/gpt-4o"
    )]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) terms: Terms,
}

/// How quality is measured, and what that may cost.
#[derive(Debug, Args)]
pub(crate) struct Terms {
    /// Whose API the target speaks [default: by its URL and the prompt]
    #[arg(long, value_enum)]
    pub(crate) dialect: Option<Dialect>,
    /// A model that judges, for cases with `judge`
    #[arg(long, value_name = "URL/MODEL")]
    pub(crate) judge: Option<String>,
    /// A model that makes embeddings, for cases with `similar`
    #[arg(long, value_name = "URL/MODEL")]
    pub(crate) embed: Option<String>,
    #[arg(
        long,
        value_name = "NAME",
        help = "The variable that holds the key for who is asked [default: SCRIMP_TARGET_KEY; at the \
                vendor's own host and on this machine also OPENAI_API_KEY or ANTHROPIC_API_KEY]"
    )]
    pub(crate) key_env: Option<String>,
    /// The largest loss of quality that is none, in points of the share of good answers
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = between)]
    pub(crate) margin: f64,
    /// The probability of calling a larger loss none
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = between)]
    pub(crate) alpha: f64,
    /// Spend no more than so many dollars on calls, those that were made before included
    #[arg(long, value_name = "USD", default_value = "1.00")]
    pub(crate) spend: Usd,
    /// Make no more than so many calls; asked for where the target's price is not known
    #[arg(long, value_name = "N")]
    pub(crate) calls: Option<usize>,
    /// The longest answer in tokens, where the prompt does not say
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub(crate) max_tokens: u64,
    /// Where answers are kept as they come, for the next time [default: CASES.answers.jsonl]
    #[arg(long, value_name = "FILE")]
    pub(crate) answers: Option<PathBuf>,
    /// Say what it would cost, and call nobody
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Dialect {
    /// POST /v1/chat/completions
    Openai,
    /// POST /v1/messages
    Anthropic,
}

fn rule(name: &str) -> Result<&'static Rule, String> {
    let names = || RULES.iter().map(|rule| rule.name).collect::<Vec<_>>().join(", ");
    Rule::named(name.trim()).ok_or_else(|| format!("the rules are {}", names()))
}

/// `5%` or `0.05`, below one.
fn between(text: &str) -> Result<f64, String> {
    let share = super::share(text)?;
    match share {
        0..1_000_000 => Ok(f64::from(share) / 1e6),
        _ => Err("a share below 100% is asked for".to_owned()),
    }
}
