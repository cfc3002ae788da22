//! The system before komputer: its definitions, and objects of each of its kinds.
use std::fs;

use komputer_tests::kustomize::{documents, repository};
use serde_json::{Value, json};

/// What komputer says of v1alpha1's fields beyond their types and defaults.
const RULES: [&str; 10] = [
    "x-kubernetes-validations",
    "pattern",
    "enum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "minimum",
    "maximum",
];

/// Its definitions: v1alpha1 alone, which is stored, and no conversion.
pub fn definitions() -> Vec<Value> {
    let definitions = komputer_crds::definitions().unwrap().into_iter().map(|definition| json!(definition));
    definitions.filter_map(definition).collect()
}

fn definition(mut definition: Value) -> Option<Value> {
    let versions = definition["spec"]["versions"].as_array_mut().unwrap();
    versions.retain(|version| version["name"] == "v1alpha1");
    let version = versions.first_mut()?;
    version["storage"] = true.into();
    let fields = version.as_object_mut().unwrap();
    fields.retain(|name, _| !name.starts_with("deprecat"));
    let schema = version.pointer_mut("/schema/openAPIV3Schema").unwrap();
    if let Some(status) = schema.pointer_mut("/properties/status") {
        status.as_object_mut().unwrap().remove("default");
    }
    loosen(schema);
    definition["spec"].as_object_mut().unwrap().remove("conversion");
    Some(definition)
}

fn loosen(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            // A field of that name is an object, a rule is none.
            fields.retain(|name, value| value.is_object() || !RULES.contains(&name.as_str()));
            fields.values_mut().for_each(loosen);
        }
        Value::Array(items) => items.iter_mut().for_each(loosen),
        _ => {}
    }
}

/// Objects of each kind, with every field; those without a namespace are called after `namespace`.
pub fn objects(namespace: &str) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(repository("webhooks/tests/api/komputer-ai"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap().replace("NAMESPACE", namespace))
        .collect();
    files.sort();
    let mut objects: Vec<_> = files.iter().flat_map(|file| documents(file).unwrap()).collect();
    for object in &mut objects {
        if matches!(object["kind"].as_str(), Some("KomputerConfig" | "KomputerAgentClusterTemplate")) {
            let name = format!("{}-{namespace}", object["metadata"]["name"].as_str().unwrap());
            object["metadata"]["name"] = name.into();
        } else {
            object["metadata"]["namespace"] = namespace.into();
        }
    }
    objects
}

/// A small object.
pub fn memory(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "komputer.komputer.ai/v1alpha1", "kind": "KomputerMemory",
        "metadata": { "namespace": namespace, "name": name }, "spec": { "content": "c" },
    })
}

/// An agent that komputer's schema refuses.
pub fn invalid(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "komputer.komputer.ai/v1alpha1", "kind": "KomputerAgent",
        "metadata": { "namespace": namespace, "name": name },
        "spec": { "instructions": "i", "model": "the best one", "priority": -2_000_000_000 },
    })
}
