//! Policies that are applied and taken back.

use std::path::PathBuf;

/// Where configuration is written.
#[derive(Clone, Debug)]
pub struct Files {
    /// The user's own file, if there is one.
    pub config: Option<PathBuf>,
    /// The data directory.
    pub data: PathBuf,
}
