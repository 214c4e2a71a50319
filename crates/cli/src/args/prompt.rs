//! The arguments of `scrimp prompt`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DataDir, Json};

#[derive(Debug, Subcommand)]
pub(crate) enum Prompt {
    /// What prompts cost by section and model, and what shorter forms would save
    Lint(Lint),
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
