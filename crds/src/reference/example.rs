use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::Value;

use super::ReferenceError;

/// The examples of a repository.
#[derive(Default)]
pub struct Examples {
    /// The pages' own, by file name.
    own: BTreeMap<String, String>,
    /// Which other files show a kind, by kind.
    more: BTreeMap<String, Vec<String>>,
}

impl Examples {
    /// Adds a file of `docs/reference/examples`, which the page of its kind shows.
    pub fn add_own(&mut self, file: &str, yaml: String) {
        self.own.insert(file.into(), yaml);
    }

    /// Adds a file of `examples` by its path from there, which the pages of its kinds name.
    ///
    /// # Errors
    /// It is not YAML.
    pub fn add(&mut self, path: &str, yaml: &str) -> Result<(), serde_yaml::Error> {
        for kind in kinds(yaml)? {
            let paths = self.more.entry(kind).or_default();
            if !paths.iter().any(|known| known == path) {
                paths.push(path.into());
            }
        }
        Ok(())
    }

    /// What the page of `kind` shows, without the line for editors.
    pub(super) fn of(&self, kind: &str) -> Result<String, ReferenceError> {
        let file = format!("{}.yaml", kind.to_lowercase());
        let yaml = self.own.get(&file).ok_or_else(|| ReferenceError::NoExample { kind: kind.into() })?;
        if kinds(yaml).is_ok_and(|kinds| kinds == [kind]) {
            let lines = yaml.lines().filter(|line| !line.starts_with("# yaml-language-server:"));
            Ok(lines.collect::<Vec<_>>().join("\n"))
        } else {
            Err(ReferenceError::OtherExample { file, kind: kind.into() })
        }
    }

    /// The paths of other files that show `kind`, in order.
    pub(super) fn naming(&self, kind: &str) -> Vec<&str> {
        let mut paths: Vec<&str> = self.more.get(kind).into_iter().flatten().map(String::as_str).collect();
        paths.sort_unstable();
        paths
    }
}

/// The kinds of the objects in a file.
fn kinds(yaml: &str) -> Result<Vec<String>, serde_yaml::Error> {
    let documents = serde_yaml::Deserializer::from_str(yaml).map(Value::deserialize);
    let objects = documents.collect::<Result<Vec<_>, _>>()?;
    Ok(objects.iter().filter_map(|object| object["kind"].as_str()).map(ToOwned::to_owned).collect())
}
