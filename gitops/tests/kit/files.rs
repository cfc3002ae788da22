//! The repository's files, and what kustomize makes of them.
use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize as _;
use serde_json::Value;

/// A file or directory of the repository.
pub fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(relative)
}

/// The text of a file of the repository.
#[track_caller]
pub fn text(relative: &str) -> String {
    std::fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// Every document of a YAML text.
#[track_caller]
pub fn documents(yaml: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(yaml).map(|document| Value::deserialize(document).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

/// The objects that `kubectl kustomize` makes of a directory of the repository.
#[track_caller]
pub fn kustomize(relative: &str) -> Vec<Value> {
    build(&path(relative))
}

/// The objects that `kubectl kustomize` makes of a user's kustomization, in which `REPOSITORY` is this repository. Its
/// other files are given by name.
#[track_caller]
pub fn kustomize_of_user(kustomization: &str, files: &[(&str, &str)]) -> Vec<Value> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let depth = directory.path().canonicalize().unwrap().components().count() - 1;
    let repository = format!("{}{}", "../".repeat(depth), &path("").canonicalize().unwrap().to_str().unwrap()[1..]);
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("kustomization.yaml", &kustomization.replace("REPOSITORY", &repository));
    files.iter().for_each(|(name, text)| write(name, text));
    build(directory.path())
}

#[track_caller]
fn build(directory: &Path) -> Vec<Value> {
    let output = Command::new(path("devcluster/bin/kubectl")).arg("kustomize").arg(directory).output().unwrap();
    assert!(output.status.success(), "{}: {}", directory.display(), String::from_utf8_lossy(&output.stderr));
    documents(&String::from_utf8(output.stdout).unwrap())
}

/// The one of `objects` with that kind and name.
#[track_caller]
pub fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}
