//! The YAML of the system before komputer: every field of every kind, and its examples.
use std::{collections::BTreeMap, fs, path::PathBuf};

use komputer_crds::convert::{Version, convert};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::system::{System, system};

/// All of them, for the namespace `whose`; those without one are called after it, so that tests do not meet in them.
fn manifests(whose: &str) -> Vec<Value> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/api/komputer-ai");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let documents = files.iter().flat_map(|file| {
        let yaml = fs::read_to_string(file).unwrap().replace("NAMESPACE", whose);
        serde_yaml::Deserializer::from_str(&yaml).map(|one| Value::deserialize(one).unwrap()).collect::<Vec<_>>()
    });
    let own = |mut object: Value| {
        if matches!(object["kind"].as_str(), Some("KomputerConfig" | "KomputerAgentClusterTemplate")) {
            let name = format!("{}-{whose}", object["metadata"]["name"].as_str().unwrap());
            object["metadata"]["name"] = name.into();
        } else {
            object["metadata"]["namespace"] = whose.into();
        }
        object
    };
    documents.map(own).collect()
}

fn list(items: &[Value]) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

/// The schemas of v1alpha1's specs, by kind.
fn schemas() -> BTreeMap<String, Value> {
    let of_kind = |definition: &Value| {
        let versions = definition["spec"]["versions"].as_array().unwrap();
        let old = versions.iter().find(|version| version["name"] == "v1alpha1")?;
        let schema = old["schema"]["openAPIV3Schema"]["properties"]["spec"].clone();
        Some((definition["spec"]["names"]["kind"].as_str().unwrap().to_owned(), schema))
    };
    let definitions = komputer_crds::definitions().unwrap();
    definitions.iter().filter_map(|definition| of_kind(&serde_json::to_value(definition).unwrap())).collect()
}

/// Where a schema's fields are missing in all of `values`.
fn missing(path: &str, schema: &Value, values: &[&Value], found: &mut Vec<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let below: Vec<_> = values.iter().filter_map(|value| value.get(name)).collect();
        let path = format!("{path}.{name}");
        if below.is_empty() {
            found.push(path);
        } else {
            missing(&path, field, &below, found);
        }
    }
    if let Some(items) = schema.get("items") {
        let items_of = |value: &&'_ Value| value.as_array().cloned().unwrap_or_default();
        let all: Vec<Value> = values.iter().flat_map(items_of).collect();
        missing(&format!("{path}[]"), items, &all.iter().collect::<Vec<_>>(), found);
    }
}

#[test]
fn the_manifests_have_every_field_of_every_kind() {
    let (manifests, mut found) = (manifests("a"), Vec::new());
    for (kind, schema) in schemas() {
        let specs: Vec<_> = manifests.iter().filter(|one| one["kind"] == kind).map(|one| &one["spec"]).collect();
        missing(&kind, &schema, &specs, &mut found);
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Takes away what the schema's defaults have added to `applied`.
fn without_defaults(schema: &Value, applied: &Value, read: &mut Value) {
    let Some(fields) = read.as_object_mut() else { return };
    fields.retain(|name, value| {
        let default = schema["properties"][name].get("default");
        applied.get(name).is_some() || default != Some(value)
    });
    for (name, value) in fields {
        without_defaults(&schema["properties"][name], &applied[name], value);
    }
}

fn read(system: &System, namespace: &str, version: &str, object: &Value) -> Value {
    let kind = object["kind"].as_str().unwrap();
    let resource = format!("{kind}.{version}.komputer.komputer.ai");
    system.get(namespace, &resource, object["metadata"]["name"].as_str().unwrap())
}

/// What changes with every write.
fn versions(objects: &[Value]) -> Vec<(String, String)> {
    let version = |object: &Value| {
        let text = |pointer| object.pointer(pointer).unwrap().to_string();
        (format!("{} {}", text("/kind"), text("/metadata/name")), text("/metadata/resourceVersion"))
    };
    objects.iter().map(version).collect()
}

#[test]
fn it_is_taken_as_it_is_reads_back_equal_and_leaves_no_difference() {
    let system = system();
    let schemas = schemas();
    for (namespace, how) in
        [("komputer-ai-client", "--server-side=false"), ("komputer-ai-server", "--server-side=true")]
    {
        let manifests = manifests(namespace);
        system.kubectl(&["create", "namespace", namespace], "");
        let kubectl = |verb: &str| {
            let ended =
                system.cluster.try_kubectl(&[verb, "-n", namespace, how, "-f", "-"], &list(&manifests)).unwrap();
            assert_eq!(ended.code, Some(0), "{verb} {how}: {}{}", ended.stdout, ended.stderr);
        };
        kubectl("apply");
        kubectl("diff");
        // The first write after the creation stores the status that the schema gives, which readers see before.
        kubectl("apply");
        let read_all =
            || manifests.iter().map(|object| read(&system, namespace, "v1alpha1", object)).collect::<Vec<_>>();
        let before = versions(&read_all());
        kubectl("apply");
        let now = read_all();
        assert_eq!(versions(&now), before, "applying again changes nothing");
        for (object, now) in manifests.iter().zip(now) {
            let mut spec = now["spec"].clone();
            without_defaults(&schemas[object["kind"].as_str().unwrap()], &object["spec"], &mut spec);
            assert_eq!(spec, object["spec"]);
        }
    }
}

#[test]
fn managers_of_both_versions_that_say_the_same_do_not_disagree() {
    let system = system();
    system.kubectl(&["create", "namespace", "both-versions"], "");
    let old = manifests("both-versions");
    let new: Vec<_> = old.iter().map(|object| convert(object.clone(), Version::V1beta1).unwrap()).collect();
    let run = |verb: &str, how: &str, manager: &str, items: &[Value]| {
        let manager = format!("--field-manager={manager}");
        let arguments = [verb, "-n", "both-versions", how, &manager, "-f", "-"];
        let ended = system.cluster.try_kubectl(&arguments, &list(items)).unwrap();
        assert_eq!(ended.code, Some(0), "{verb} {how} {manager}: {}{}", ended.stdout, ended.stderr);
    };
    run("apply", "--server-side=false", "kubectl-client-side-apply", &old);
    run("apply", "--server-side=true", "old", &old);
    run("apply", "--server-side=true", "new", &new);
    let all = || old.iter().map(|object| read(&system, "both-versions", "v1beta1", object)).collect::<Vec<_>>();
    let before = versions(&all());
    for (how, manager, items) in [("--server-side=true", "old", &old), ("--server-side=true", "new", &new)] {
        run("diff", how, manager, items);
        run("apply", how, manager, items);
    }
    assert_eq!(versions(&all()), before, "applying again changes nothing");
}
