use serde_json::Value;

use crate::cluster::{cluster, quietly};

/// Every object of every version, as `kubectl explain` shows it: its own description, and those of its fields.
#[test]
fn p5_explain_leaves_nothing_empty() {
    let cluster = cluster();
    let mut explained = 0;
    for definition in komputer_crds::definitions().unwrap() {
        for version in &definition.spec.versions {
            let version_name = format!("--api-version={}/{}", definition.spec.group, version.name);
            let schema = serde_json::to_value(version.schema.as_ref().unwrap().open_api_v3_schema.as_ref()).unwrap();
            for path in objects(&definition.spec.names.plural, &schema) {
                let text = quietly(&cluster, &["explain", &path, &version_name], "");
                let named = format!("VERSION:    {}\n", version.name);
                assert!(text.contains(&named) && text.contains("FIELDS:\n"), "{path} {version_name}:\n{text}");
                for silence in ["<empty>", "<no description>"] {
                    assert!(!text.contains(silence), "{path} {version_name} has {silence}:\n{text}");
                }
                explained += 1;
            }
            let plural = &definition.spec.names.plural;
            let all = quietly(&cluster, &["explain", plural, "--recursive", &version_name], "");
            assert!(!all.contains("<empty>"), "{plural} {version_name} has <empty>:\n{all}");
            let words = leaves(&schema);
            let missing: Vec<_> = words.iter().filter(|name| !all.contains(&format!("{name}\t<"))).collect();
            assert!(missing.is_empty(), "{plural} {version_name} does not list {missing:?}:\n{all}");
        }
    }
    assert!(explained > 20, "{explained} objects");
}

/// The paths of everything that has fields.
fn objects(path: &str, schema: &Value) -> Vec<String> {
    let fields = schema["properties"].as_object();
    let mut found = if fields.is_some() { vec![path.to_owned()] } else { Vec::new() };
    for (name, field) in fields.into_iter().flatten().filter(|(name, _)| *name != "metadata") {
        found.append(&mut objects(&format!("{path}.{name}"), field));
    }
    for part in ["items", "additionalProperties"] {
        if schema[part].is_object() {
            found.append(&mut objects(path, &schema[part]));
        }
    }
    found
}

/// The names of all fields.
fn leaves(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        found.push(name.clone());
        found.append(&mut leaves(field));
    }
    for part in ["items", "additionalProperties"] {
        if schema[part].is_object() {
            found.append(&mut leaves(&schema[part]));
        }
    }
    found
}
