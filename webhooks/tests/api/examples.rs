//! What people copy is admitted.
use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::system::system;

#[test]
fn every_example_is_admitted() {
    let system = system();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut examples =
        ["docs/reference/examples", "examples"].map(|directory| manifests(&repository.join(directory))).concat();
    // Repositories, which GitOps tools apply.
    examples.retain(|example| !example.starts_with(repository.join("examples/gitops")));
    assert!(examples.len() >= 6, "{} examples", examples.len());
    for (number, example) in examples.iter().enumerate() {
        // A namespace each, because different ones use the same names.
        let namespace = format!("example-{number}");
        system.kubectl(&["create", "namespace", &namespace], "");
        let file = example.to_str().unwrap();
        let arguments = ["apply", "--server-side", "--dry-run=server", "-n", &namespace, "-f", file];
        let ended = system.cluster.try_kubectl(&arguments, "").unwrap();
        assert_eq!(ended.code, Some(0), "{file}: {}", ended.stderr);
        // What it refers to is not there, and that is all there is to say.
        let other: Vec<_> = ended.stderr.lines().filter(|line| !line.ends_with("it is waited for")).collect();
        assert!(other.is_empty(), "{file}: {other:#?}");
    }
}

/// The manifests in a directory and below.
fn manifests(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries
        .flat_map(|path| if path.is_dir() { manifests(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    found.sort();
    found
}
