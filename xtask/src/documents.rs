//! Documents as a test: every link between them leads somewhere, and every chore that they name is
//! there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{CHORES, bench};

/// What is wrong with the documents in the repository's root, in `docs/` and in
/// `docs/reference/`.
pub(crate) fn complaints(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for path in documents(root)? {
        let text = read(&path)?;
        let name = path.strip_prefix(root)?.display().to_string();
        for link in links(&text).filter(|link| !link.contains("://")) {
            if !leads_somewhere(&path, link)? {
                complaints.push(format!("{name}: the link to {link} leads nowhere"));
            }
        }
        let unknown = chores(&text).filter(|words| !is_chore(words));
        complaints.extend(unknown.map(|words| format!("{name}: no chore `cargo xtask {words}`")));
    }
    Ok(complaints)
}

fn documents(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let folders = [root.to_path_buf(), root.join("docs"), root.join("docs/reference")];
    for folder in folders.into_iter().filter(|folder| folder.is_dir()) {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// Where links and pictures lead: `](…)`, `src="…"` and `srcset="…"`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let starts = [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')];
    starts.into_iter().flat_map(move |(start, end)| {
        let after = text.match_indices(start).map(move |(at, _)| &text[at + start.len()..]);
        after.filter_map(move |rest| rest.split_once(end).map(|(link, _)| link))
    })
}

fn leads_somewhere(from: &Path, link: &str) -> Result<bool> {
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, h)| (file, Some(h)));
    let to = match file {
        "" => from.to_path_buf(),
        file => from.parent().expect("a file lies in a folder").join(file),
    };
    match heading {
        _ if !to.exists() => Ok(false),
        None => Ok(true),
        Some(heading) => Ok(read(&to)?.lines().any(|line| anchor(line) == Some(heading.into()))),
    }
}

/// What a heading is linked by.
fn anchor(line: &str) -> Option<String> {
    let heading =
        line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))?;
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}

/// What follows `cargo xtask`, wherever it is named.
fn chores(text: &str) -> impl Iterator<Item = &str> {
    let named = text.split("cargo xtask ").skip(1);
    named.map(|rest| rest.split(['`', '\n', ')']).next().unwrap_or_default())
}

fn is_chore(words: &str) -> bool {
    let mut words = words.split([' ', ',']);
    match (words.next(), words.next()) {
        (Some("bench"), Some(name)) => bench::names().any(|known| known == name || name == "NAME"),
        (name, _) => CHORES.iter().any(|chore| Some(chore.name) == name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::root;

    #[test]
    fn links_lead_somewhere_and_chores_are_there() {
        assert_eq!(complaints(&root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_leads_nowhere_is_named() {
        let folder = std::env::temp_dir().join(format!("scrimp-documents-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("docs")).unwrap();
        let text = "# A `title`, and more\n[a](docs/b.md#x-1) [b](docs/b.md#x) [c](#a-title-and-more)\n\
                    [d](c.md) <img src=\"d.png\"> `cargo xtask bench store 1` `cargo xtask bench x`\n\
                    [e](https://example.com) `cargo xtask brew`, cargo xtask tidy\n";
        std::fs::write(folder.join("a.md"), text).unwrap();
        std::fs::write(folder.join("docs/b.md"), "## X 1\n").unwrap();
        let found = complaints(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        let expected = [
            "a.md: the link to docs/b.md#x leads nowhere",
            "a.md: the link to c.md leads nowhere",
            "a.md: the link to d.png leads nowhere",
            "a.md: no chore `cargo xtask bench x`",
            "a.md: no chore `cargo xtask brew`",
        ];
        assert_eq!(found.unwrap(), expected);
    }
}
