//! Manifests with mistakes that people make, and what kubectl tells them, word for word.
use std::{fs, path::Path};

use crate::system::system;

#[test]
fn every_mistake_is_explained() {
    let system = system();
    system.kubectl(&["create", "namespace", "refused"], "");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/refused");
    let mut manifests: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    manifests.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    manifests.sort();
    assert!(manifests.len() >= 15, "{} manifests", manifests.len());
    let mut differing = Vec::new();
    for manifest in manifests {
        let yaml = fs::read_to_string(&manifest).unwrap();
        let ended = system.cluster.try_kubectl(&["apply", "-n", "refused", "--server-side", "-f", "-"], &yaml).unwrap();
        assert_ne!(ended.code, Some(0), "{} was admitted", manifest.display());
        let expected = manifest.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expected, &ended.stderr).unwrap();
        }
        if sorted(&fs::read_to_string(&expected).unwrap_or_default()) != sorted(&ended.stderr) {
            differing.push(format!("{}:\n{}", expected.display(), ended.stderr));
        }
    }
    assert!(
        differing.is_empty(),
        "other words than expected; run with UPDATE=1 if they are better\n{}",
        differing.join("\n")
    );
}

/// The apiserver's own causes come in no order.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}
