//! `scrimp man`: the manual pages, and the same as one page of Markdown.

use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory as _;

use crate::args::{Cli, Man};
use crate::{reference, ui};

/// `scrimp man`
pub(crate) fn run(arguments: &Man) -> Result<()> {
    match (&arguments.to, arguments.markdown) {
        (Some(folder), _) => write(folder),
        (None, true) => ui::print(&reference::markdown(Cli::command())),
        (None, false) => {
            let mut page = Vec::new();
            page_of(Cli::command()).render(&mut page)?;
            ui::print(&String::from_utf8(page)?)
        }
    }
}

fn page_of(command: clap::Command) -> clap_mangen::Man {
    clap_mangen::Man::new(command)
        .source(concat!("scrimp ", env!("CARGO_PKG_VERSION")))
        .manual("Scrimp")
}

/// A page for each command: `scrimp.1`, `scrimp-serve.1`, `scrimp-config-check.1`, …
fn write(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let pages = reference::commands(Cli::command());
    for command in &pages {
        let title = command.get_display_name().unwrap_or("scrimp").to_owned();
        let mut page = Vec::new();
        page_of(command.clone()).title(title.to_uppercase()).render(&mut page)?;
        let path = folder.join(format!("{title}.1"));
        std::fs::write(&path, page).with_context(|| path.display().to_string())?;
    }
    ui::print(&format!("{}: {} pages", folder.display(), pages.len()))
}
