//! `scrimp config`: is a file right, what can be set, and what becomes of another gateway's file.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use scrimp_server::config::litellm;
use scrimp_server::journal::Files;

use super::imported::{tell, told};
use crate::args::Config;
use crate::ui::{self, OrHint};

/// `scrimp config …`
pub(crate) fn run(arguments: &Config) -> Result<()> {
    match arguments {
        Config::Reference => ui::print(&scrimp_server::config::reference()),
        Config::Schema => ui::print_json(&scrimp_server::config::schema()),
        Config::Check { file } => check(file),
        Config::Import { file, output } => import(file, output.as_deref()),
    }
}

fn check(file: &Path) -> Result<()> {
    // A folder that does not exist has no rules that `apply` wrote.
    let files = Files { config: Some(file.to_path_buf()), data: file.join("none") };
    tell(&files)?;
    let config = files.load().or_hint("`scrimp config reference` lists every setting")?;
    let counted = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let providers = counted(config.providers.len(), "provider");
    let rules = counted(config.prompt_cache.len(), "prompt-cache rule");
    ui::print(&format!("{}: right; {providers}, {rules}", file.display()))
}

/// The configuration goes to a file or standard output, and what became of each part to standard error.
fn import(file: &Path, output: Option<&Path>) -> Result<()> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| name.clone())?;
    let import = litellm::import(&name, &text)?;
    eprint!("{}", told(&import, file, ui::width()));
    let Some(output) = output else { return ui::print(&import.toml) };
    write_new(output, &import.toml)
        .with_context(|| output.display().to_string())
        .or_hint("a file that is there already is not replaced; name another one with -o")?;
    ui::print(&format!(
        "wrote {}; look at it, then `scrimp config check {}`",
        output.display(),
        output.display()
    ))
}

/// A configuration may hold keys, and is its owner's only.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
