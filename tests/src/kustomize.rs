//! What kustomize makes of the repository's directories, and of users' that take from them.
use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use serde::Deserialize as _;
use serde_json::Value;

/// A file or directory of the repository.
pub fn repository(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(relative)
}

/// Every document of a YAML text.
///
/// # Errors
/// It is no YAML.
pub fn documents(yaml: &str) -> anyhow::Result<Vec<Value>> {
    let documents = serde_yaml::Deserializer::from_str(yaml).map(Value::deserialize);
    let documents = documents.collect::<Result<Vec<_>, _>>()?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// The objects that `kubectl kustomize` makes of a directory.
///
/// # Errors
/// kustomize's own.
pub fn build(directory: &Path) -> anyhow::Result<Vec<Value>> {
    let output = Command::new(repository("devcluster/bin/kubectl")).arg("kustomize").arg(directory).output()?;
    let complaint = || format!("{}: {}", directory.display(), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), complaint());
    documents(&String::from_utf8(output.stdout)?)
}

/// The objects that it makes of a user's kustomization, in which `REPOSITORY` is this repository. Its other files are
/// given by name.
///
/// # Errors
/// As [`build`].
pub fn build_of_user(kustomization: &str, files: &[(&str, &str)]) -> anyhow::Result<Vec<Value>> {
    let directory = tempfile::tempdir()?;
    // kustomize takes relative paths only.
    let up = "../".repeat(directory.path().canonicalize()?.components().count() - 1);
    let root = repository("").canonicalize()?;
    let root = root.strip_prefix("/")?.to_str().context("the repository's path is no text")?;
    let kustomization = kustomization.replace("REPOSITORY", &format!("{up}{root}"));
    for (name, text) in [("kustomization.yaml", kustomization.as_str())].iter().chain(files) {
        std::fs::write(directory.path().join(name), text)?;
    }
    build(directory.path())
}
