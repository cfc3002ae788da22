//! Of every kind, any object and any part of one comes back as it went.
use komputer_crds::convert::Version;
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Map, Value, json};

use crate::{
    schema::{Kind, kinds},
    to_v1alpha1, to_v1beta1,
};

const CASES: u32 = 200;

/// Runs `holds` for many objects of every kind and both versions.
fn for_all(
    objects: impl Fn(&Kind, Version) -> BoxedStrategy<Value>,
    holds: impl Fn(&Kind, Version, &Value) -> Result<(), TestCaseError>,
) {
    for kind in kinds() {
        for version in [Version::V1alpha1, Version::V1beta1] {
            let mut runner =
                TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) });
            let result = runner.run(&objects(&kind, version), |object| holds(&kind, version, &object));
            if let Err(error) = result {
                panic!("{} from {version:?}: {error}", kind.name);
            }
        }
    }
}

fn there(from: Version, object: &Value) -> Value {
    match from {
        Version::V1alpha1 => to_v1beta1(object),
        Version::V1beta1 => to_v1alpha1(object),
    }
}

fn and_back(from: Version, object: &Value) -> Value {
    match from {
        Version::V1alpha1 => to_v1alpha1(object),
        Version::V1beta1 => to_v1beta1(object),
    }
}

#[test]
fn any_part_of_an_object_comes_back() {
    for_all(anything, |_, version, object| {
        let there = there(version, object);
        prop_assert_ne!(&there["apiVersion"], version.api_version());
        prop_assert_eq!(&and_back(version, &there), object);
        Ok(())
    });
}

#[test]
fn any_valid_object_comes_back() {
    for_all(Kind::valid, |kind, version, object| {
        let there = there(version, object);
        let other = Version::of(there["apiVersion"].as_str().unwrap()).unwrap();
        prop_assert_eq!(kind.violation(other, &there), None);
        prop_assert_eq!(&and_back(version, &there), object);
        Ok(())
    });
}

#[test]
fn only_annotations_of_the_metadata_change() {
    for_all(anything, |_, version, object| {
        let mut there = there(version, object);
        let annotations = there["metadata"]["annotations"].take();
        let mut before = object["metadata"].clone();
        let kept = before["annotations"].take();
        prop_assert_eq!(&there["metadata"], &before);
        if let Some(kept) = kept.as_object() {
            prop_assert!(kept.iter().all(|(name, value)| annotations.get(name) == Some(value)));
        }
        Ok(())
    });
}

#[test]
fn the_same_version_changes_nothing() {
    for_all(anything, |_, version, object| {
        prop_assert_eq!(&and_back(version, object), object);
        Ok(())
    });
}

/// Any object, or part of one, with the names and words of its kind in any place.
fn anything(kind: &Kind, version: Version) -> BoxedStrategy<Value> {
    let (names, words) = kind.names_and_words();
    let (name, api_version) = (kind.name.clone(), version.api_version());
    let fields = fields_of(names, value(words.clone()));
    let metadata = prop::sample::select(vec![
        json!({}),
        json!({ "name": "a", "labels": { "team": "blue" } }),
        json!({ "name": "a", "uid": "u", "annotations": { "x": "y" }, "managedFields": [{ "manager": "m" }] }),
    ]);
    let section = move || {
        prop::option::weighted(0.8, prop_oneof![4 => fields.clone().prop_map(Value::from), 1 => value(words.clone())])
    };
    (metadata, section(), section(), section())
        .prop_map(move |(metadata, spec, status, other)| {
            let mut object = json!({ "apiVersion": api_version, "kind": name, "metadata": metadata });
            for (name, value) in [("spec", spec), ("status", status), ("other", other)] {
                if let Some(value) = value {
                    object[name] = value;
                }
            }
            object
        })
        .boxed()
}

/// Any JSON.
fn value(words: Vec<String>) -> impl Strategy<Value = Value> + Clone {
    let words = if words.is_empty() { vec!["word".to_owned()] } else { words };
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z/~ ]{0,6}".prop_map(Value::from),
        prop::sample::select(words).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let names = prop::sample::select(vec![
            "name",
            "namespace",
            "key",
            "ref",
            "spec",
            "template",
            "role",
            "afterTask",
            "x~/",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.prop_map(String::from), inner), 0..5)
                .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn fields_of(
    names: Vec<String>,
    values: impl Strategy<Value = Value> + Clone,
) -> impl Strategy<Value = Map<String, Value>> + Clone {
    let names = prop_oneof![3 => prop::sample::select(names), 1 => "[a-z/~]{1,4}"];
    prop::collection::vec((names, values), 0..8).prop_map(|fields| fields.into_iter().collect())
}
