//! What is built into the program: crates, as cargo would build them, and the dashboard's packages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::steps::{command, output, root};

/// Everything in the binary.
pub(crate) struct Components {
    /// By where they come from, name and version.
    pub(crate) all: BTreeMap<Id, Component>,
}

/// `cargo` or `npm`, name, version.
pub(crate) type Id = (&'static str, String, String);

/// One of them.
pub(crate) struct Component {
    /// An SPDX expression.
    pub(crate) licence: Option<String>,
    /// SHA-256 of the crate's archive in hexadecimal; `None` for our own and for packages of npm.
    pub(crate) sha256: Option<String>,
    /// Whether it only takes part in the build: a macro, a build script's dependency.
    pub(crate) is_tool: bool,
    /// Where its sources lie.
    pub(crate) folder: PathBuf,
    pub(crate) depends_on: BTreeSet<Id>,
}

impl Components {
    /// Those of a build for `triple`.
    pub(crate) fn of(triple: &str) -> Result<Components> {
        let built = tree(triple, "normal,build")?;
        let linked = tree(triple, "normal,no-proc-macro")?;
        let arguments = ["metadata", "--format-version=1", "--locked", "--filter-platform", triple];
        let metadata: Value = serde_json::from_str(&output(&mut command("cargo", &arguments))?)?;
        let (mut all, mut ids) = (BTreeMap::new(), BTreeMap::new());
        let sums = checksums()?;
        for package in list(&metadata["packages"]) {
            let id = ("cargo", text(&package["name"])?, text(&package["version"])?);
            ids.insert(text(&package["id"])?, id.clone());
            let key = (id.1.clone(), id.2.clone());
            if built.contains(&key) {
                let manifest = PathBuf::from(text(&package["manifest_path"])?);
                let component = Component {
                    licence: package["license"].as_str().map(one_way),
                    sha256: sums.get(&key).cloned(),
                    is_tool: !linked.contains(&key),
                    folder: manifest.parent().context("a manifest lies in a folder")?.to_path_buf(),
                    depends_on: BTreeSet::new(),
                };
                all.insert(id, component);
            }
        }
        for node in list(&metadata["resolve"]["nodes"]) {
            let named = |id: &Value| ids.get(id.as_str().unwrap_or_default()).cloned();
            let built = list(&node["deps"]).iter().filter(|edge| is_built(edge));
            let depends_on = built.filter_map(|edge| named(&edge["pkg"]));
            let depends_on = depends_on.filter(|id| all.contains_key(id)).collect();
            if let Some(component) = named(&node["id"]).and_then(|id| all.get_mut(&id)) {
                component.depends_on = depends_on;
            }
        }
        all.extend(packages()?);
        Ok(Components { all })
    }
}

/// Whether a dependency is of the program or of its build, and not of tests alone.
fn is_built(edge: &Value) -> bool {
    list(&edge["dep_kinds"]).iter().any(|of| of["kind"] != "dev")
}

/// The crates that cargo would build for the program, by name and version.
fn tree(triple: &str, edges: &str) -> Result<BTreeSet<(String, String)>> {
    let mut cargo = command("cargo", &["tree", "--locked", "--package", "scrimp", "--target"]);
    let told = output(cargo.args([triple, "--edges", edges, "--prefix", "none", "--no-dedupe"]))?;
    let named = |line: &str| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    Ok(told.lines().filter_map(named).collect())
}

/// What `Cargo.lock` says that each archive's SHA-256 is.
fn checksums() -> Result<BTreeMap<(String, String), String>> {
    let lock: toml::Table = toml::from_str(&std::fs::read_to_string(root().join("Cargo.lock"))?)?;
    let packages = lock["package"].as_array().into_iter().flatten();
    let sum = |package: &toml::Value| {
        let word = |name: &str| package.get(name)?.as_str().map(str::to_owned);
        Some(((word("name")?, word("version")?), word("checksum")?))
    };
    Ok(packages.filter_map(sum).collect())
}

/// What the dashboard is made of, by its lock. What is for one system each (`optional`) are the parts
/// of the bundler, of which nothing is delivered.
fn packages() -> Result<BTreeMap<Id, Component>> {
    let lock = std::fs::read_to_string(root().join("web/package-lock.json"))?;
    let lock: Value = serde_json::from_str(&lock)?;
    let manifest = &lock["packages"][""];
    let mut all = BTreeMap::new();
    for (path, package) in lock["packages"].as_object().context("a lock lists packages")? {
        let is_left_out = package["dev"] == true || package["optional"] == true;
        let Some(name) = path.strip_prefix("node_modules/").filter(|_| !is_left_out) else {
            continue;
        };
        let component = Component {
            licence: package["license"].as_str().map(str::to_owned),
            sha256: None,
            is_tool: name == "esbuild",
            folder: root().join("web").join(path),
            depends_on: BTreeSet::new(),
        };
        all.insert(("npm", name.to_owned(), text(&package["version"])?), component);
    }
    let named = list_of_keys(&manifest["dependencies"]);
    let missing = named.iter().find(|name| !all.keys().any(|(_, known, _)| known == *name));
    match missing {
        Some(name) => anyhow::bail!("`{name}` is not in web/package-lock.json"),
        None => Ok(all),
    }
}

/// Old manifests write `A/B` where either holds.
fn one_way(licence: &str) -> String {
    licence.replace(" / ", " OR ").replace('/', " OR ")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn list_of_keys(value: &Value) -> Vec<String> {
    value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).context("cargo's metadata are texts where texts belong")
}
