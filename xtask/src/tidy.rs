//! Style as a test: arrows between crates, sizes of files and functions, module docs, words that
//! have no place in the repository.
//!
//! Sizes work as a ratchet: `xtask/ratchet.txt` names what is larger than the rule allows, with the
//! size that it may not grow beyond. An entry that is no longer needed is an error too, so the list
//! only ever gets shorter.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::documents;
use crate::steps::root;

/// Which of our crates each crate may depend on. The picture is in `ARCHITECTURE.md`.
const ARROWS: &[(&str, &[&str])] = &[
    ("scrimp-core", &[]),
    ("scrimp-wire", &["scrimp-core"]),
    ("scrimp-store", &["scrimp-core"]),
    ("scrimp-analysis", &["scrimp-core"]),
    ("scrimp-sim", &[]),
    ("scrimp-dashboard", &[]),
    ("scrimp-tokens", &["scrimp-core"]),
    ("scrimp-prompt", &["scrimp-core", "scrimp-analysis", "scrimp-tokens"]),
    ("scrimp-top", &["scrimp-core", "scrimp-analysis"]),
    (
        "scrimp-server",
        &["scrimp-core", "scrimp-wire", "scrimp-store", "scrimp-analysis", "scrimp-dashboard"],
    ),
    (
        "scrimp",
        &[
            "scrimp-core",
            "scrimp-wire",
            "scrimp-store",
            "scrimp-analysis",
            "scrimp-prompt",
            "scrimp-server",
            "scrimp-sim",
            "scrimp-tokens",
            "scrimp-top",
        ],
    ),
    ("xtask", &["scrimp-core", "scrimp-wire"]),
];

/// Crates that may be async.
const ASYNC: &[&str] = &["scrimp-server", "scrimp-sim", "scrimp"];

const MOST_FILE_LINES: usize = 500;
const MOST_FUNCTION_LINES: usize = 70;

/// Paths of a machine that must not be in the repository. Spelt in two parts so that this file
/// passes its own check.
const UNWANTED: &[&str] =
    &[concat!("/wo", "rk/"), concat!("../sha", "red"), concat!("/tmp/ba", "sh_jobs")];

/// `cargo xtask tidy`
pub(crate) fn run(_: &[String]) -> Result<()> {
    let complaints = complaints(&root())?;
    match complaints.is_empty() {
        true => Ok(()),
        false => bail!("untidy:\n{}", complaints.join("\n")),
    }
}

fn complaints(root: &Path) -> Result<Vec<String>> {
    let mut complaints = arrows(root)?;
    let mut sizes = BTreeMap::new();
    for path in sources(root)? {
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let name = path.strip_prefix(root)?.display().to_string();
        if !text.starts_with("//!") {
            complaints.push(format!("{name}: no module docs in its first line"));
        }
        for unwanted in UNWANTED.iter().filter(|unwanted| text.contains(**unwanted)) {
            complaints.push(format!("{name}: mentions `{unwanted}`"));
        }
        sizes.extend(oversized(&name, &text));
    }
    complaints.extend(ratchet(root, &sizes)?);
    complaints.extend(documents::complaints(root)?);
    Ok(complaints)
}

/// What the manifests draw that the picture does not.
fn arrows(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for manifest in manifests(root)? {
        let text = std::fs::read_to_string(&manifest)?;
        let table: toml::Table = toml::from_str(&text).context("a manifest is TOML")?;
        let name = table["package"]["name"].as_str().unwrap_or_default().to_owned();
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            complaints.push(format!("{name}: not in the picture (xtask/src/tidy.rs)"));
            continue;
        };
        let dependencies = table.get("dependencies").and_then(toml::Value::as_table);
        for dependency in dependencies.into_iter().flat_map(toml::Table::keys) {
            let is_ours = dependency.starts_with("scrimp");
            if is_ours && !allowed.contains(&dependency.as_str()) {
                complaints.push(format!("{name} → {dependency}: an arrow that is not drawn"));
            }
            if dependency == "tokio" && !ASYNC.contains(&name.as_str()) {
                complaints.push(format!("{name}: must not be async"));
            }
        }
    }
    Ok(complaints)
}

/// Sizes beyond the rule, by name: files in lines, functions as `file::function`.
fn oversized(name: &str, text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let is_test = name.contains("/tests");
    let lines = code.lines().count();
    if MOST_FILE_LINES < lines && !is_test {
        found.push((name.to_owned(), lines));
    }
    for (function, lines) in functions(code) {
        // A test may be a long table.
        if MOST_FUNCTION_LINES < lines && !is_test {
            found.push((format!("{name}::{function}"), lines));
        }
    }
    found
}

/// Functions and their lengths in lines, by their indentation: rustfmt guarantees that a function's
/// closing brace stands where its first line starts.
fn functions(code: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let Some(rest) = trimmed.split_once("fn ").filter(|(before, _)| is_qualifier(before))
        else {
            continue;
        };
        let name: String =
            rest.1.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let end = lines[start..].iter().position(|line| {
            indent(line) == indent(lines[start]) && (line.trim() == "}" || line.ends_with(';'))
        });
        if let Some(length) = end {
            found.push((name, length + 1));
        }
    }
    found
}

fn is_qualifier(before: &str) -> bool {
    let words = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern"];
    before.split_whitespace().all(|word| words.contains(&word))
}

fn ratchet(root: &Path, sizes: &BTreeMap<String, usize>) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(root.join("xtask/ratchet.txt")).unwrap_or_default();
    let mut allowed = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, most) = line.rsplit_once(' ').context("a line is `name lines`")?;
        allowed.insert(name.to_owned(), most.parse::<usize>()?);
    }
    let mut complaints = Vec::new();
    for (name, lines) in sizes {
        match allowed.get(name) {
            None => complaints.push(format!("{name}: {lines} lines")),
            Some(most) if most < lines => {
                complaints.push(format!("{name}: {lines} lines, was {most}"));
            }
            Some(_) => {}
        }
    }
    for name in allowed.keys().filter(|name| !sizes.contains_key(*name)) {
        let mut complaint = String::new();
        write!(complaint, "{name}: within the rule now, take it off xtask/ratchet.txt")?;
        complaints.push(complaint);
    }
    Ok(complaints)
}

fn manifests(root: &Path) -> Result<Vec<PathBuf>> {
    let crates = std::fs::read_dir(root.join("crates"))?;
    let crates = crates.map(|entry| Ok(entry?.path().join("Cargo.toml")));
    crates.chain([Ok(root.join("xtask/Cargo.toml"))]).collect()
}

fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("crates"), root.join("xtask")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let complaints = complaints(&root()).unwrap();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }

    #[test]
    fn functions_are_measured_from_their_first_line_to_their_brace() {
        let code = "fn a() {\n    1\n}\nimpl B {\n    pub fn c(\n    ) {\n    }\n    fn d();\n}\n";
        let measured = functions(code);
        assert_eq!(measured, [("a".into(), 3), ("c".into(), 3), ("d".into(), 1)]);
    }
}
