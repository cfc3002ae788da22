//! The same verdict without a cluster: what the apiserver refuses by schema, kubeconform refuses by our JSON Schemas, and
//! nothing that it would take.
use std::{collections::BTreeMap, fs, path::Path, process::Command};

use futures::{StreamExt as _, stream};
use kube::{
    Client,
    api::{Patch, PatchParams, Request},
};
use serde_json::{Value, json};

use crate::cluster::{cluster, definitions_of, list, manifests, quietly, repository};

/// Definitions without CEL rules are served under this group, those with them under the other; neither is converted.
const BY_SCHEMA: &str = "schema.example.com";
const BY_RULES: &str = "rules.example.com";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v11_kubeconform_says_what_the_apiserver_says() {
    let cluster = cluster();
    for group in [BY_SCHEMA, BY_RULES] {
        quietly(&cluster, &["create", "-f", "-"], &definitions(group));
    }
    quietly(&cluster, &["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");
    let client = cluster.client().await.unwrap();

    let objects = corpus();
    let schema = by_kubeconform(&objects);
    let alone = by_apiserver(&client, BY_SCHEMA, &objects).await;
    let with_rules = by_apiserver(&client, BY_RULES, &objects).await;
    let mut differing = Vec::new();
    for (name, object) in &objects {
        let (schema, alone, with_rules) = (schema[name].as_ref(), alone[name].as_ref(), with_rules[name].as_ref());
        if let (Ok(()), Err(why)) = (schema, alone) {
            differing.push(format!("kubeconform takes what the apiserver does not: {object}\n  {why}"));
        }
        if let (Err(why), Ok(())) = (schema, with_rules) {
            differing.push(format!("kubeconform refuses what the apiserver takes: {object}\n  {why}"));
        }
    }
    assert!(differing.is_empty(), "{} of {}:\n{}", differing.len(), objects.len(), differing.join("\n"));
    let refused = alone.values().filter(|verdict| verdict.is_err()).count();
    assert!(refused > 200 && objects.len() - refused > 50, "{refused} of {} are refused", objects.len());
}

/// As users run it.
#[test]
fn the_commands_of_the_readme_work_as_they_stand_there() {
    let readme = fs::read_to_string(repository("docs/schemas/README.md")).unwrap();
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("    kubeconform ")).collect();
    assert!(!commands.is_empty());
    for command in commands {
        let output = Command::new("bash")
            .args(["-c", &format!("PATH=$PATH:$PWD/scripts; kubeconform {command}")])
            .current_dir(repository(""))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("Invalid: 0, Errors: 0, Skipped: 0"), "{command}: {output:?}");
        assert!(!said.contains("Valid: 0"), "{said}");
    }
}

type Verdict = Result<(), String>;

fn definitions(group: &str) -> String {
    let mut definitions = definitions_of(group);
    if group == BY_SCHEMA {
        definitions.iter_mut().for_each(without_rules);
    }
    list(&definitions)
}

fn without_rules(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("x-kubernetes-validations");
            fields.values_mut().for_each(without_rules);
        }
        Value::Array(items) => items.iter_mut().for_each(without_rules),
        _ => {}
    }
}

/// What people write, what they write wrongly, and every way of writing the first a little wrongly; by name.
fn corpus() -> BTreeMap<String, Value> {
    let right = ["docs/reference/examples", "examples", "tests/fixtures/upstream", "kustomize/default-template"];
    let right: Vec<Value> = right.into_iter().flat_map(manifests).map(|(_, object)| object).collect();
    let wrong = manifests("webhooks/tests/api/refused").into_iter().map(|(_, object)| object);
    let mutants = right.iter().flat_map(mutants).collect::<Vec<_>>();
    let all = right.iter().cloned().chain(wrong).chain(mutants).enumerate();
    // All are sent to one namespace.
    let without_namespace = |mut object: Value| {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("namespace");
        }
        object
    };
    all.map(|(number, object)| (format!("object-{number}"), without_namespace(object))).collect()
}

fn mutants(object: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let below = ["", "/metadata/labels", "/spec"].into_iter().filter(|path| object.pointer(path).is_some());
    let paths: Vec<String> = below
        .flat_map(|path| if path == "/spec" { all_paths(path, &object["spec"]) } else { vec![path.into()] })
        .collect();
    for path in paths {
        found.extend(changes(&path, object.pointer(&path).unwrap()).into_iter().map(|change| {
            let mut mutant = object.clone();
            *mutant.pointer_mut(&path).unwrap() = change;
            mutant
        }));
    }
    found
}

/// Every place in a value.
fn all_paths(path: &str, value: &Value) -> Vec<String> {
    let mut found = vec![path.to_owned()];
    for (name, field) in value.as_object().into_iter().flatten() {
        found.append(&mut all_paths(&format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")), field));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        found.append(&mut all_paths(&format!("{path}/{index}"), item));
    }
    found
}

/// Ways to write a value wrongly, some of which are right.
fn changes(path: &str, value: &Value) -> Vec<Value> {
    let mut changes = Vec::new();
    // Of the object itself only its fields change; a name is checked by more than its schema.
    if !path.is_empty() {
        let others = [
            json!("x"),
            json!(""),
            json!("x".repeat(600)),
            json!(7),
            json!(-7),
            json!(2_000_000_000),
            json!(true),
            json!({}),
            json!([]),
            Value::Null,
        ];
        changes.extend(others);
    }
    if let Some(fields) = value.as_object() {
        let with = |name: &str| {
            let mut changed = fields.clone();
            changed.insert(name.into(), json!("x"));
            Value::Object(changed)
        };
        changes.push(with("mistyped"));
        let many = (0..100).map(|n| (format!("key-{n}"), json!("x")));
        changes.push(fields.clone().into_iter().chain(many).collect());
        for name in fields.keys().filter(|name| !path.is_empty() || *name == "spec") {
            let mut changed = fields.clone();
            changed.remove(name);
            changes.push(Value::Object(changed));
        }
    }
    if let Some(items) = value.as_array() {
        changes.push([items.clone(), items.clone()].concat().into());
        changes.push([items.clone(), vec![Value::Null]].concat().into());
        changes.push((0..100).map(|n| json!({ "name": format!("item-{n}") })).collect());
    }
    changes
}

fn by_kubeconform(objects: &BTreeMap<String, Value>) -> BTreeMap<String, Verdict> {
    let directory = tempfile::tempdir().unwrap();
    for (name, object) in objects {
        fs::write(directory.path().join(format!("{name}.json")), object.to_string()).unwrap();
    }
    let layout = repository("docs/schemas/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json");
    let output = Command::new(repository("scripts/kubeconform"))
        .args(["-strict", "-verbose", "-output", "json", "-schema-location"])
        .args([&layout, directory.path()])
        .output()
        .unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let verdict = |resource: &Value| match resource["status"].as_str().unwrap() {
        "statusValid" => Ok(()),
        "statusInvalid" => Err(resource["msg"].as_str().unwrap().to_owned()),
        other => panic!("{other}: {resource}"),
    };
    let name = |resource: &Value| {
        let path = Path::new(resource["filename"].as_str().unwrap());
        path.file_stem().unwrap().to_str().unwrap().to_owned()
    };
    result["resources"].as_array().unwrap().iter().map(|resource| (name(resource), verdict(resource))).collect()
}

async fn by_apiserver(client: &Client, group: &str, objects: &BTreeMap<String, Value>) -> BTreeMap<String, Verdict> {
    let plurals: BTreeMap<String, (String, bool)> = komputer_crds::definitions()
        .unwrap()
        .into_iter()
        .map(|d| (d.spec.names.kind, (d.spec.names.plural, d.spec.scope == "Namespaced")))
        .collect();
    let verdicts = objects.iter().map(|(key, object)| {
        let (plural, namespaced) = &plurals[object["kind"].as_str().unwrap()];
        let (_, version) = object["apiVersion"].as_str().unwrap().split_once('/').unwrap();
        let namespace = if *namespaced { "/namespaces/default" } else { "" };
        let url = format!("/apis/{group}/{version}{namespace}/{plural}");
        let mut object = object.clone();
        object["apiVersion"] = format!("{group}/{version}").into();
        let name = object["metadata"]["name"].as_str().unwrap_or("x").to_owned();
        async move {
            let parameters = PatchParams::apply("test").dry_run();
            let request = Request::new(url).patch(&name, &parameters, &Patch::Apply(&object)).unwrap();
            let verdict = match client.request::<Value>(request).await {
                Ok(_) => Ok(()),
                Err(kube::Error::Api(status)) => Err(status.message),
                Err(error) => panic!("{error}: {object}"),
            };
            (key.clone(), verdict)
        }
    });
    stream::iter(verdicts).buffer_unordered(16).collect().await
}
