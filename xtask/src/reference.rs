//! The pages under `docs/reference/`, which the program prints of itself: written by the chore,
//! compared by the tests.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::steps::{command, output, root};

/// Each page, and the command that prints it.
const PAGES: &[(&str, &[&str])] = &[
    ("docs/reference/commands.md", &["man", "--markdown"]),
    ("docs/reference/configuration.md", &["config", "reference"]),
];

/// `cargo xtask reference`
pub(crate) fn run(_: &[String]) -> Result<()> {
    for (page, arguments) in PAGES {
        let path = root().join(page);
        let folder = path.parent().expect("a page lies in a folder");
        std::fs::create_dir_all(folder)?;
        std::fs::write(&path, printed(arguments)?).with_context(|| path.display().to_string())?;
        eprintln!("wrote {page}");
    }
    Ok(())
}

/// Whether every page is what the program prints now.
pub(crate) fn check() -> Result<()> {
    let mut stale = Vec::new();
    for (page, arguments) in PAGES {
        if !is_current(&root().join(page), &printed(arguments)?) {
            stale.push(*page);
        }
    }
    match stale.is_empty() {
        true => Ok(()),
        false => bail!("out of date: {}; run `cargo xtask reference`", stale.join(", ")),
    }
}

fn is_current(path: &Path, printed: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|written| written == printed)
}

fn printed(arguments: &[&str]) -> Result<String> {
    let mut cargo = command("cargo", &["run", "--quiet", "--package", "scrimp", "--"]);
    // The width of somebody's terminal has no place in a file.
    output(cargo.args(arguments).env("COLUMNS", "100").env("NO_COLOR", "1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_there_or_not_the_same_is_out_of_date() {
        let path = std::env::temp_dir().join(format!("scrimp-reference-{}", std::process::id()));
        assert!(!is_current(&path, "a\n"));
        std::fs::write(&path, "a\n").unwrap();
        let (same, other) = (is_current(&path, "a\n"), is_current(&path, "b\n"));
        std::fs::remove_file(&path).unwrap();
        assert_eq!((same, other), (true, false));
    }
}
