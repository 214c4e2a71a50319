//! `scrimp prompt …`: what prompts cost, and shorter forms of them.

mod lint;
mod source;

use anyhow::Result;

use crate::args::prompt::Prompt;

/// `scrimp prompt …`
pub(crate) fn run(arguments: &Prompt) -> Result<()> {
    match arguments {
        Prompt::Lint(arguments) => lint::run(arguments),
    }
}
