//! What every definition keeps to, and that the committed files are the definitions.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{collections::BTreeMap, fs, path::Path};

use komputer_crds::{definitions, to_yaml};
use serde_json::Value;

/// The directory that users install.
fn directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kustomize/base/crds")
}

#[test]
fn committed_files_are_the_definitions() {
    let expected: BTreeMap<String, String> = definitions()
        .unwrap()
        .iter()
        .map(|definition| (format!("{}.yaml", definition.spec.names.plural), to_yaml(definition).unwrap()))
        .collect();
    let names: Vec<String> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "kustomization.yaml")
        .collect();
    for name in &names {
        assert!(expected.contains_key(name), "kustomize/base/crds/{name} defines no kind; remove it");
    }
    let kustomization = fs::read_to_string(directory().join("kustomization.yaml")).unwrap();
    for (name, yaml) in &expected {
        let committed = fs::read_to_string(directory().join(name)).unwrap_or_default();
        assert!(committed == *yaml, "kustomize/base/crds/{name} is not what the types say; run `make generate`");
        assert!(kustomization.contains(&format!("- {name}\n")), "kustomization.yaml does not list {name}; add it");
    }
}

#[test]
fn definitions_stay_small() {
    for definition in definitions().unwrap() {
        let yaml = to_yaml(&definition).unwrap();
        assert!(yaml.len() < 200_000, "{}: {} bytes", definition.spec.names.plural, yaml.len());
    }
}

#[test]
fn the_stored_version_is_the_preferred_one_and_only_versions_need_a_webhook() {
    for definition in definitions().unwrap() {
        let (spec, plural) = (&definition.spec, &definition.spec.names.plural);
        let stored: Vec<_> = spec.versions.iter().filter(|version| version.storage).map(|v| v.name.as_str()).collect();
        assert_eq!(stored, ["v1beta1"], "{plural}");
        assert_eq!(spec.conversion.is_some(), spec.versions.len() > 1, "{plural}");
        for old in spec.versions.iter().filter(|version| !version.storage) {
            let warning = old.deprecation_warning.as_deref().unwrap_or_default();
            assert!(old.deprecated == Some(true) && warning.contains("v1beta1"), "{plural}: {warning}");
        }
    }
}

/// Every schema of every version, with where it is and the schema it is a field, or an item, of.
fn each_schema(mut visit: impl FnMut(&str, Place, &Value)) {
    for definition in definitions().unwrap() {
        for version in serde_json::to_value(&definition.spec.versions).unwrap().as_array().unwrap() {
            let path = format!("{}/{}", definition.spec.names.plural, version["name"].as_str().unwrap());
            walk(&path, Place::Root, &version["schema"]["openAPIV3Schema"], &mut visit);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Field,
    /// An item of a list, or anything below one.
    Item,
    Value,
}

fn walk(path: &str, place: Place, schema: &Value, visit: &mut impl FnMut(&str, Place, &Value)) {
    visit(path, place, schema);
    let below = if place == Place::Item { Place::Item } else { Place::Field };
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), below, field, visit);
    }
    if let Some(items) = schema.get("items") {
        walk(&format!("{path}[]"), Place::Item, items, visit);
    }
    if let Some(values) = schema.get("additionalProperties") {
        walk(&format!("{path}{{}}"), Place::Value, values, visit);
    }
}

#[test]
fn every_field_says_what_it_is() {
    each_schema(|path, place, schema| {
        let described = schema["description"].as_str().is_some_and(|text| !text.trim().is_empty());
        // The apiserver describes metadata itself.
        let exempt = place == Place::Value || path.ends_with(']') || path.contains(".metadata");
        assert!(described || exempt, "{path} has no description");
    });
}

#[test]
fn every_list_says_how_it_is_merged() {
    each_schema(|path, _, schema| {
        let list_type = schema["x-kubernetes-list-type"].as_str();
        match (schema["type"] == "array", list_type) {
            (false, None) | (true, Some("atomic" | "set")) => {}
            (true, Some("map")) => assert!(schema["x-kubernetes-list-map-keys"].is_array(), "{path} has no keys"),
            _ => panic!("{path} has list type {list_type:?}"),
        }
    });
}

#[test]
fn nothing_in_a_schema_makes_git_differ_from_the_cluster() {
    each_schema(|path, place, schema| {
        assert!(schema.get("nullable").is_none(), "{path} is nullable");
        assert!(place != Place::Item || schema.get("default").is_none(), "{path} has a default inside a list");
        let format = schema["format"].as_str().unwrap_or("int64");
        assert!(["int32", "int64", "date-time"].contains(&format), "{path} has format {format}");
    });
}

#[test]
fn every_rule_has_a_message() {
    each_schema(|path, _, schema| {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            assert!(rule["message"].is_string(), "{path}: {rule}");
            let immutable = rule["rule"] == "self == oldSelf";
            assert!(!immutable || rule["message"].as_str().unwrap().contains("is immutable"), "{path}: {rule}");
        }
    });
}

/// kubectl reads YAML 1.1, where some words and numbers are not the text that YAML 1.2 takes them for.
#[test]
fn no_text_means_something_else_in_yaml_1_1() {
    let trap = |text: &str| {
        let word = ["y", "n", "yes", "no", "on", "off"].contains(&text.to_lowercase().as_str());
        let digits = text.trim_start_matches(['+', '-']);
        let number = digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.contains(['_', ':'])
            && digits.chars().all(|c| c.is_ascii_hexdigit() || "_:.xXo".contains(c));
        word || number
    };
    assert!(trap("on") && trap("Y") && trap("1_000") && trap("12:30") && !trap("v1beta1") && !trap("5Gi"));
    for definition in definitions().unwrap() {
        each_text(&serde_json::to_value(&definition).unwrap(), &mut |text| {
            assert!(!trap(text), "{}: {text:?} needs quotes in YAML 1.1", definition.spec.names.plural);
        });
    }
}

fn each_text(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, visit)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            visit(name);
            each_text(value, visit);
        }),
        _ => {}
    }
}
