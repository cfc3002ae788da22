//! The repository's files, and what kustomize makes of them.
use komputer_tests::kustomize::{build, build_of_user, repository};
use serde_json::Value;

/// The text of a file of the repository.
#[track_caller]
pub fn text(relative: &str) -> String {
    std::fs::read_to_string(repository(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// Fails where a file that is made from the definitions is not what they say; writes it instead where `KOMPUTER_WRITE` is set.
#[track_caller]
pub fn check_generated(relative: &str, wanted: &str) {
    if std::env::var_os("KOMPUTER_WRITE").is_some() {
        std::fs::write(repository(relative), wanted).unwrap();
    }
    let there = std::fs::read_to_string(repository(relative)).unwrap_or_default();
    assert!(there == wanted, "{relative} is not what the types say; run: make generate");
}

/// The objects that `kubectl kustomize` makes of a directory of the repository.
#[track_caller]
pub fn kustomize(relative: &str) -> Vec<Value> {
    build(&repository(relative)).unwrap()
}

/// The objects that it makes of a user's kustomization, in which `REPOSITORY` is this repository.
#[track_caller]
pub fn kustomize_of_user(kustomization: &str, files: &[(&str, &str)]) -> Vec<Value> {
    build_of_user(kustomization, files).unwrap()
}

/// The one of `objects` with that kind and name.
#[track_caller]
pub fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}
