//! What became of another gateway's configuration, in lists.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use scrimp_analysis::report::wrap;
use scrimp_server::config::litellm::{Import, Note};
use scrimp_server::journal::Files;

use crate::ui::{self, OrHint};

/// Says on standard error what becomes of a file of LiteLLM's, and refuses one that must not be
/// started with.
pub(crate) fn tell(files: &Files) -> Result<()> {
    let (Some(file), Some(import)) = (&files.config, files.imported()?) else { return Ok(()) };
    eprint!("{}", told(&import, file, ui::width()));
    let name = file.display();
    import.check(&name.to_string()).or_hint(format!(
        "`scrimp config import {name} -o scrimp.toml` makes a configuration without it, to look at \
         before it is started"
    ))
}

/// The lists of an import, each line with its place in the file.
pub(super) fn told(import: &Import, file: &Path, width: usize) -> String {
    let Import { maps, ignored, not_yet, refused, .. } = import;
    let mut text = String::new();
    let lists = [
        ("taken over", maps),
        ("ignored, harmless", ignored),
        ("left out: calls go on without it, and differ from LiteLLM's", not_yet),
        ("refused: the gateway does not start with this in the file", refused),
    ];
    for (title, notes) in lists.into_iter().filter(|(_, notes)| !notes.is_empty()) {
        writeln!(text, "{title} ({})", notes.len()).expect("a text takes everything");
        for Note { place: (line, column), what, why } in notes {
            let place = format!("  {}:{line}:{column}: ", file.display());
            for line in wrap(&place, "      ", &format!("{what}: {why}"), width) {
                writeln!(text, "{line}").expect("a text takes everything");
            }
        }
    }
    text
}
