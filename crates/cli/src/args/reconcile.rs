//! What `scrimp reconcile` is told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{DataDir, Json};

/// A provider's usage or cost reports against what was counted here, every gap named and sized.
#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    /// Reports of usage and of costs as the provider's API gave them, files and folders; `-` for
    /// standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Also the sums of each day, model, key or project
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) by: Option<By>,
    /// What the records call the provider, if not as its reports do
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum By {
    Day,
    Model,
    Key,
    Project,
}
