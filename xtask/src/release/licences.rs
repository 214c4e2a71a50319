//! Licences: which are allowed in what is delivered, and their texts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use spdx::Expression;

use super::components::{Component, Components};

/// Licences that ask for no more than to be named.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Zlib",
];

/// How deep in a crate texts are looked for: the C libraries that are built in have their own.
const DEPTH: usize = 4;

/// Whether everything may be delivered.
pub(super) fn check(components: &Components) -> Result<()> {
    let mut complaints = Vec::new();
    for ((from, name, version), component) in &components.all {
        if let Err(why) = allowed(component.licence.as_deref()) {
            complaints.push(format!("{from} {name} {version}: {why}"));
        }
    }
    match complaints.is_empty() {
        true => Ok(()),
        false => bail!(
            "not allowed in what is delivered (xtask/src/release/licences.rs):\n{}",
            complaints.join("\n")
        ),
    }
}

fn allowed(licence: Option<&str>) -> Result<(), String> {
    let licence = licence.ok_or("it names no licence")?;
    let expression = Expression::parse(licence).map_err(|why| format!("`{licence}`: {why}"))?;
    let is_allowed = |requirement: &spdx::LicenseReq| {
        let id = requirement.license.id();
        id.is_some_and(|id| ALLOWED.contains(&id.name))
    };
    match expression.evaluate(is_allowed) {
        true => Ok(()),
        false => Err(format!("`{licence}`")),
    }
}

/// The texts of all licences, each once, with those that it is of.
pub(super) fn texts(components: &Components) -> Result<String> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut listed = String::from("Scrimp is built of the following, besides its own code.\n\n");
    let theirs = components.all.iter().filter(|((_, name, _), _)| !name.starts_with("scrimp"));
    for ((from, name, version), Component { licence, folder, .. }) in theirs {
        let licence = licence.as_deref().unwrap_or("?");
        writeln!(listed, "{name} {version} ({from}): {licence}")?;
        for file in found(folder, DEPTH)? {
            let text = String::from_utf8_lossy(&std::fs::read(&file)?).replace("\r\n", "\n");
            let of = file.strip_prefix(folder)?.display().to_string();
            texts
                .entry(text.trim().to_owned())
                .or_default()
                .push(format!("{name} {version}: {of}"));
        }
    }
    for (text, of) in texts {
        write!(listed, "\n\n{}\n{}\n\n{text}\n", "─".repeat(80), of.join("\n"))?;
    }
    Ok(listed)
}

fn found(folder: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(found) };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        let is_licence = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"]
            .iter()
            .any(|word| name.starts_with(word));
        if path.is_dir() && 0 < depth {
            found.extend(self::found(&path, depth - 1)?);
        } else if path.is_file() && is_licence {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn one_allowed_choice_is_enough_and_each_part_must_be_allowed() {
        for fine in ["MIT", "MIT OR GPL-3.0-only", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
            assert_eq!(allowed(Some(fine)), Ok(()), "{fine}");
        }
        for wrong in ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "LicenseRef-own", "whatever"] {
            assert!(allowed(Some(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(allowed(None), Err("it names no licence".to_owned()));
    }
}
