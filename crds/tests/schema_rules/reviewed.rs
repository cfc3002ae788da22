//! What may be only because somebody decided it: one line each, in `reviewed/`.
use std::{fs, path::Path};

use crate::definition::{Definition, Node, definitions};

/// Fails where `found` is not what has been reviewed. With UPDATE set it becomes that.
#[track_caller]
pub fn is_reviewed(id: &str, file: &str, mut found: Vec<String>) {
    found.sort();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema_rules/reviewed").join(file);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, found.join("\n") + "\n").unwrap();
    }
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    let reviewed: Vec<&str> = reviewed.lines().collect();
    let new = found.iter().filter(|line| !reviewed.contains(&line.as_str())).map(|line| format!("+ {line}"));
    let gone = reviewed.iter().filter(|line| !found.iter().any(|f| f == *line)).map(|line| format!("- {line}"));
    let changes: Vec<String> = new.chain(gone).collect();
    assert!(
        changes.is_empty(),
        "{id} is broken: these are not in {}; if they are meant, run the test with UPDATE=1 and say why in the commit\n{}",
        path.display(),
        changes.join("\n")
    );
}

/// The same for what there is to say of each schema.
#[track_caller]
pub fn nodes_are_reviewed(id: &str, file: &str, line: impl Fn(&Node) -> Option<String>) {
    let of = |definition: &Definition| definition.nodes().iter().filter_map(&line).collect::<Vec<_>>();
    is_reviewed(id, file, definitions().iter().flat_map(of).collect());
}
