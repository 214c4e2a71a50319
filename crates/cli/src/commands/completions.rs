//! `scrimp completions`: what a shell needs to complete commands and options.

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::ui;

/// `scrimp completions SHELL`
pub(crate) fn run(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "scrimp", &mut script);
    ui::print(&String::from_utf8(script)?)
}
