//! F: what is in Git stays what is in the cluster.
use serde_json::{Value, json};

use crate::{
    definition::{Definition, Node, broken, broken_field, check, check_nodes, text},
    reviewed::nodes_are_reviewed,
};

/// A list without a type is replaced whole by whoever applies last; a map's key that is optional or defaulted is another
/// on the client than on the server.
#[test]
fn f5_every_list_says_how_it_is_merged() {
    let list = |rest: Value| {
        let mut list = json!({ "type": "array", "maxItems": 1, "description": "A list." });
        list.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        broken_field(list)
    };
    let named = json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
    let unnamed = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
    let by_name = json!({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": unnamed });
    let broken = [
        list(json!({ "items": { "type": "string" } })),
        list(json!({ "items": named, "x-kubernetes-list-type": "atomic" })),
        list(json!({ "items": named, "x-kubernetes-list-type": "map" })),
        list(by_name),
    ];
    check_nodes("F5", list_breach, broken);
}

fn list_breach(node: &Node) -> Option<String> {
    let list_type = node.schema["x-kubernetes-list-type"].as_str();
    if !node.is("array") {
        return list_type.map(|type_| format!("list type {type_} of what is no list"));
    }
    let items = &node.schema["items"];
    let required: Vec<&str> = items["required"].as_array().into_iter().flatten().map(text).collect();
    match list_type {
        Some("map") => {
            let keys: Vec<&str> =
                node.schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().map(text).collect();
            let right = |key: &&str| required.contains(key) && items["properties"][*key].get("default").is_none();
            (keys.is_empty() || !keys.iter().all(right))
                .then(|| format!("the keys {keys:?} of a map list must be required and without default"))
        }
        Some("atomic" | "set") if required.contains(&"name") => Some("a list of named things is a map by name".into()),
        Some("set") if items["type"] == "object" => Some("a set is of scalars".into()),
        Some("atomic" | "set") => None,
        other => Some(format!("list type {other:?}; say map, set or atomic")),
    }
}

/// Another list type, or other keys, takes fields away from whoever owned them.
#[test]
fn f6_no_list_is_merged_in_another_way_than_was_reviewed() {
    nodes_are_reviewed("F6", "lists.txt", |node| {
        let keys = node.schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().map(text);
        let words = [text(&node.schema["x-kubernetes-list-type"])].into_iter().chain(keys).collect::<Vec<_>>();
        node.is("array").then(|| format!("{node}: {}", words.join(" ")))
    });
}

/// What a schema does not know is refused, so a mistyped field is told; only what others define is taken as it is.
#[test]
fn f9_only_reviewed_objects_take_unknown_fields() {
    let breach = |node: &Node| {
        let opaque = node.schema.get("x-kubernetes-preserve-unknown-fields").is_some();
        let known = node.schema.get("properties").is_some() || node.schema.get("additionalProperties").is_some();
        let embedded = node.schema.get("x-kubernetes-embedded-resource").is_some();
        let typed = node.schema.get("type").is_some() || node.schema["x-kubernetes-int-or-string"] == true;
        match () {
            () if opaque && !node.is("object") => Some("takes unknown fields and is no object".into()),
            () if embedded => Some("embeds an object, whose metadata is not validated".into()),
            () if !typed => Some("has no type".into()),
            () if node.is("object") && !opaque && !known => Some("is an object of which every field is pruned".into()),
            () => None,
        }
    };
    let broken = [
        broken_field(json!({ "x-kubernetes-preserve-unknown-fields": true })),
        broken_field(json!({ "type": "object" })),
        broken_field(json!({ "description": "Anything." })),
    ];
    check_nodes("F9", breach, broken);
    nodes_are_reviewed("F9", "opaque.txt", |node| {
        node.schema.get("x-kubernetes-preserve-unknown-fields").map(|_| node.to_string())
    });
}

/// With the subresource a `status:` in a manifest is dropped; without it, it would be stored and fought over.
#[test]
fn f10_a_status_in_git_is_harmless() {
    let breaches = |definition: &Definition| {
        let wrong = definition.versions().iter().filter(|version| {
            let has = |pointer| version.pointer(pointer).is_some();
            !has("/schema/openAPIV3Schema/properties/status") || !has("/subresources/status")
        });
        wrong
            .map(|version| format!("{}/{}: no status, or no subresource of it", definition.plural(), version["name"]))
            .collect()
    };
    check("F10", breaches, [broken(|definition| definition.0["spec"]["versions"][0]["subresources"] = Value::Null)]);
}

/// What only the server fills in is a difference in Git for ever.
#[test]
fn f12_nothing_is_there_that_the_server_fills_in() {
    let breaches = |definition: &Definition| {
        let pointers = ["/status", "/metadata/creationTimestamp", "/spec/preserveUnknownFields"];
        let mut found: Vec<String> =
            pointers.into_iter().filter(|p| definition.0.pointer(p).is_some()).map(Into::into).collect();
        each_field(&definition.0, &mut |name, value| {
            if value.is_null() || name == "caBundle" {
                found.push(format!("{name}: {value}"));
            }
        });
        found.iter().map(|what| format!("{} has {what}", definition.plural())).collect()
    };
    let broken = [
        broken(|definition| definition.0["status"] = json!({})),
        broken(|definition| definition.0["metadata"]["creationTimestamp"] = Value::Null),
        broken(|definition| definition.0["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"] = json!("")),
    ];
    check("F12", breaches, broken);
}

fn each_field(value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| each_field(item, visit)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            visit(name, value);
            each_field(value, visit);
        }),
        _ => {}
    }
}
