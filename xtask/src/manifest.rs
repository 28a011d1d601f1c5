//! What the other commands need to know of a package: its `Cargo.toml`.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// A package of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// Its folder, relative to the workspace.
    pub(crate) folder: PathBuf,
    /// Its name.
    pub(crate) name: String,
    /// `[package.metadata] layer`.
    pub(crate) layer: Option<i64>,
    /// Names under `[dependencies]` and `[build-dependencies]`, of any target.
    pub(crate) dependencies: Vec<String>,
    /// Names under `[dev-dependencies]`, of any target.
    pub(crate) dev_dependencies: Vec<String>,
    /// Whether `[lints] workspace = true` stands there.
    pub(crate) inherits_lints: bool,
}

impl Manifest {
    /// Reads the manifest in `folder` of the workspace at `root`.
    pub(crate) fn read(root: &Path, folder: &Path) -> Result<Self> {
        let path = root.join(folder).join("Cargo.toml");
        let table = table(&path)?;
        let package = table.get("package").and_then(Value::as_table);
        let package = package.with_context(|| format!("{}: no [package]", path.display()))?;
        let name = package.get("name").and_then(Value::as_str);
        let name = name.with_context(|| format!("{}: no package name", path.display()))?;
        let layer = package.get("metadata").and_then(|meta| meta.get("layer"));
        let lints = table.get("lints").and_then(|lints| lints.get("workspace"));
        Ok(Self {
            folder: folder.to_path_buf(),
            name: name.to_owned(),
            layer: layer.and_then(Value::as_integer),
            dependencies: dependencies(&table, &["dependencies", "build-dependencies"]),
            dev_dependencies: dependencies(&table, &["dev-dependencies"]),
            inherits_lints: lints.and_then(Value::as_bool) == Some(true),
        })
    }
}

/// The members of the workspace at `root`, lowest layer first.
pub(crate) fn members(root: &Path) -> Result<Vec<Manifest>> {
    let path = root.join("Cargo.toml");
    let table = table(&path)?;
    let patterns = table.get("workspace").and_then(|w| w.get("members"));
    let Some(patterns) = patterns.and_then(Value::as_array) else {
        bail!("{}: no members in [workspace]", path.display());
    };
    let mut members = Vec::new();
    for pattern in patterns.iter().filter_map(Value::as_str) {
        for folder in folders(root, pattern)? {
            members.push(Manifest::read(root, &folder)?);
        }
    }
    members.sort_by(|a, b| (a.layer, &a.name).cmp(&(b.layer, &b.name)));
    Ok(members)
}

/// The folders that a member pattern names: one, or with `/*` all that hold a manifest.
fn folders(root: &Path, pattern: &str) -> Result<Vec<PathBuf>> {
    let Some(parent) = pattern.strip_suffix("/*") else {
        return Ok(vec![pattern.into()]);
    };
    let at = root.join(parent);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&at).with_context(|| at.display().to_string())? {
        let name = entry?.file_name();
        if at.join(&name).join("Cargo.toml").is_file() {
            found.push(Path::new(parent).join(name));
        }
    }
    found.sort();
    Ok(found)
}

fn table(path: &Path) -> Result<Table> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| shown.to_string())?;
    text.parse().with_context(|| shown.to_string())
}

/// The names in the `sections` of a manifest and of its `[target.*]` tables.
fn dependencies(manifest: &Table, sections: &[&str]) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(|t| t.values());
    let tables = targets.filter_map(Value::as_table).chain([manifest]);
    let mut names: Vec<String> = tables
        .flat_map(|table| {
            sections
                .iter()
                .filter_map(|&name| table.get(name)?.as_table())
        })
        .flat_map(|section| section.iter().map(|(key, value)| package_name(key, value)))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The package behind a dependency, which may be known here by another name.
fn package_name(key: &str, value: &Value) -> String {
    let renamed = value.get("package").and_then(Value::as_str);
    renamed.unwrap_or(key).to_owned()
}
