//! The bill of materials, by `CycloneDX` 1.6. Without a time or a number of its own, so that the same
//! commit has the same.

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::components::{Component, Components, Id};

/// The program itself.
const PROGRAM: &str = "scrimp";

/// The document.
pub(super) fn document(components: &Components) -> Value {
    let program = components.all.iter().find(|((_, name, _), _)| name == PROGRAM);
    let parts = components.all.iter().filter(|((_, name, _), _)| name != PROGRAM);
    let edges = components.all.iter().map(|(id, Component { depends_on, .. })| {
        let web = || components.all.keys().filter(|(from, ..)| *from == "npm");
        let dashboard = web().filter(|_| id.1 == "scrimp-dashboard");
        let refs: Vec<String> = depends_on.iter().chain(dashboard).map(reference).collect();
        json!({ "ref": reference(id), "dependsOn": refs })
    });
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": program.map(|(id, program)| part(id, program, "application")) },
        "components": parts.map(|(id, one)| part(id, one, "library")).collect::<Vec<_>>(),
        "dependencies": edges.collect::<Vec<_>>(),
    })
}

fn part(id: &Id, component: &Component, kind: &str) -> Value {
    let (_, name, version) = id;
    let Component { licence, sha256, is_tool, .. } = component;
    let mut part = json!({
        "type": kind,
        "bom-ref": reference(id),
        "name": name,
        "version": version,
        "purl": reference(id),
        // What only takes part in the build is not in what is delivered.
        "scope": if *is_tool { "excluded" } else { "required" },
    });
    if let Some(licence) = licence {
        part["licenses"] = json!([{ "expression": licence }]);
    }
    if let Some(sha256) = sha256 {
        part["hashes"] = json!([{ "alg": "SHA-256", "content": sha256 }]);
    }
    part
}

/// The package's URL, which names it everywhere.
fn reference((from, name, version): &Id) -> String {
    format!("pkg:{from}/{}@{version}", name.replace('@', "%40"))
}

/// Whether the document lists what is known to be in the program, and nothing that is only tested with.
pub(super) fn check(components: &Components) -> Result<()> {
    let document = document(components);
    let listed = document["components"].as_array().into_iter().flatten();
    let scope = |name: &str| {
        let found = listed.clone().find(|part| part["name"] == name);
        found.and_then(|part| part["scope"].as_str())
    };
    for (name, expected) in [
        ("ring", Some("required")),
        ("libsqlite3-sys", Some("required")),
        ("scrimp-core", Some("required")),
        ("preact", Some("required")),
        ("uplot", Some("required")),
        ("serde_derive", Some("excluded")),
        ("cc", Some("excluded")),
        ("esbuild", Some("excluded")),
        ("proptest", None),
        ("tempfile", None),
        ("playwright-core", None),
    ] {
        if scope(name) != expected {
            bail!("the bill of materials has `{name}` as {:?}, not {expected:?}", scope(name));
        }
    }
    let server = components.all.iter().find(|((_, name, _), _)| name == "scrimp-server");
    let needed = server.into_iter().flat_map(|(_, server)| &server.depends_on);
    if needed.into_iter().any(|(_, name, _)| name == "scrimp-sim") {
        bail!("the bill of materials has what only tests need among what `scrimp-server` needs");
    }
    let unproved = listed.clone().find(|part| {
        let is_ours = part["name"].as_str().is_some_and(|name| name.starts_with("scrimp"));
        let is_crate = part["purl"].as_str().is_some_and(|purl| purl.starts_with("pkg:cargo/"));
        is_crate && !is_ours && part["hashes"].is_null()
    });
    match unproved {
        Some(part) => bail!("{} is in the program and not in Cargo.lock", part["purl"]),
        None => Ok(()),
    }
}
