//! What `kustomize/components/kinds` teaches kustomize, made from the definitions.
use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Map, Value, json};

use crate::{
    files::check_generated,
    kinds::{Kind, kinds},
};

const DIRECTORY: &str = "kustomize/components/kinds";

/// Where a PodSpec names objects.
const OF_PODS: [(&str, &str); 14] = [
    ("ConfigMap", "containers/env/valueFrom/configMapKeyRef/name"),
    ("ConfigMap", "containers/envFrom/configMapRef/name"),
    ("ConfigMap", "initContainers/env/valueFrom/configMapKeyRef/name"),
    ("ConfigMap", "initContainers/envFrom/configMapRef/name"),
    ("ConfigMap", "volumes/configMap/name"),
    ("ConfigMap", "volumes/projected/sources/configMap/name"),
    ("Secret", "containers/env/valueFrom/secretKeyRef/name"),
    ("Secret", "containers/envFrom/secretRef/name"),
    ("Secret", "imagePullSecrets/name"),
    ("Secret", "initContainers/env/valueFrom/secretKeyRef/name"),
    ("Secret", "initContainers/envFrom/secretRef/name"),
    ("Secret", "volumes/projected/sources/secret/name"),
    ("Secret", "volumes/secret/secretName"),
    ("PersistentVolumeClaim", "volumes/persistentVolumeClaim/claimName"),
];

/// The kinds of what a field names.
fn named_by(field: &str) -> &'static [&'static str] {
    match field {
        "agentName" | "agentRef" | "manager" | "managerRef" | "members" | "officeManager" => &["KomputerAgent"],
        "connectors" => &["KomputerConnector"],
        "memories" => &["KomputerMemory"],
        "skills" => &["KomputerSkill"],
        "templateRef" | "templateRefs" => &["KomputerAgentClusterTemplate", "KomputerAgentTemplate"],
        "secretRef" | "secretRefs" | "secrets" => &["Secret"],
        _ if field.ends_with("SecretRef") || field.ends_with("ecretKeyRef") => &["Secret"],
        _ => {
            assert!(!field.ends_with("Ref") && !field.ends_with("Refs"), "{field} names what? add it to named_by");
            &[]
        }
    }
}

/// The fields below `path` that name objects, with the kind of those.
fn references(schema: &Value, path: &str) -> Vec<(&'static str, String)> {
    // The only opaque fields are parts of PodSpecs.
    let opaque = OF_PODS.iter().filter(|_| schema["x-kubernetes-preserve-unknown-fields"] == true);
    let of_pod = opaque.map(|(kind, below)| (*kind, format!("{path}/{below}")));
    let of_fields = schema["properties"].as_object().into_iter().flatten().flat_map(|(name, field)| {
        let (value, path) = (field.get("items").unwrap_or(field), format!("{path}/{name}"));
        let naming = if value["properties"].get("name").is_some() { format!("{path}/name") } else { path.clone() };
        let here = named_by(name).iter().map(move |kind| (*kind, naming.clone()));
        here.chain(references(value, &path)).collect::<Vec<_>>()
    });
    of_pod.chain(of_fields).collect()
}

fn name_references() -> String {
    let mut by_kind: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for kind in kinds() {
        for (named, path) in references(kind.spec(), "spec") {
            let Kind { name, version, .. } = kind;
            let group = komputer_crds::GROUP;
            let field = format!("  - {{group: {group}, version: {version}, kind: {name}, path: {path}}}");
            by_kind.entry(named).or_default().push(field);
        }
    }
    let mut text =
        "# Which fields name other objects. Made from the kinds; `make generate` writes it.\nnameReference:\n"
            .to_owned();
    for (named, fields) in by_kind {
        let of = if named.starts_with("Komputer") {
            format!("group: {}", komputer_crds::GROUP)
        } else {
            "version: v1".into()
        };
        writeln!(text, "- kind: {named}\n  {of}\n  fieldSpecs:\n{}", fields.join("\n")).unwrap();
    }
    text
}

/// What of a schema says how lists are merged.
fn merging(schema: &Value) -> Option<Value> {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return Some(json!({ "$ref": "#/definitions/io.k8s.api.core.v1.PodSpec" }));
    }
    let mut kept = json!({ "type": schema["type"] });
    if schema["x-kubernetes-list-type"] == "map" {
        kept["x-kubernetes-patch-strategy"] = "merge".into();
        kept["x-kubernetes-patch-merge-key"] = schema["x-kubernetes-list-map-keys"][0].clone();
    }
    if let Some(items) = schema.get("items").and_then(merging) {
        kept["items"] = items;
    }
    let fields = schema["properties"].as_object().into_iter().flatten();
    let fields: Map<_, _> = fields.filter_map(|(name, field)| Some((name.clone(), merging(field)?))).collect();
    if !fields.is_empty() {
        kept["properties"] = fields.into();
    }
    (kept.as_object().is_some_and(|kept| kept.len() > 1)).then_some(kept)
}

fn openapi() -> String {
    let (mut definitions, mut paths) = (Map::new(), Map::new());
    for kind in kinds() {
        let Kind { name, version, plural, .. } = kind;
        let gvk = json!({ "group": komputer_crds::GROUP, "version": version, "kind": name });
        let mut definition = json!({ "type": "object", "x-kubernetes-group-version-kind": [gvk] });
        if let Some(spec) = merging(kind.spec()) {
            definition["properties"] = json!({ "spec": spec });
        }
        definitions.insert(format!("ai.komputer.komputer.{version}.{name}"), definition);
        let namespace = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
        let path = format!("/apis/{}/{namespace}{plural}/{{name}}", kind.api_version());
        let get = json!({ "x-kubernetes-action": "get", "x-kubernetes-group-version-kind": gvk });
        paths.insert(path, json!({ "get": get }));
    }
    serde_json::to_string_pretty(&json!({ "definitions": definitions, "paths": paths })).unwrap() + "\n"
}

#[test]
fn generated_references_are_those_of_the_kinds() {
    check_generated(&format!("{DIRECTORY}/references.yaml"), &name_references());
}

#[test]
fn generated_merge_keys_are_those_of_the_kinds() {
    check_generated(&format!("{DIRECTORY}/openapi.json"), &openapi());
}
