//! `scrimp config`: is a file right, and what can be set.

use std::path::Path;

use anyhow::Result;
use scrimp_server::journal::Files;

use crate::args::Config;
use crate::ui::{self, OrHint};

/// `scrimp config …`
pub(crate) fn run(arguments: &Config) -> Result<()> {
    match arguments {
        Config::Reference => ui::print(&scrimp_server::config::reference()),
        Config::Schema => ui::print_json(&scrimp_server::config::schema()),
        Config::Check { file } => check(file),
    }
}

fn check(file: &Path) -> Result<()> {
    // A folder that does not exist has no rules that `apply` wrote.
    let files = Files { config: Some(file.to_path_buf()), data: file.join("none") };
    let config = files.load().or_hint("`scrimp config reference` lists every setting")?;
    let counted = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let providers = counted(config.providers.len(), "provider");
    let rules = counted(config.prompt_cache.len(), "prompt-cache rule");
    ui::print(&format!("{}: right; {providers}, {rules}", file.display()))
}
