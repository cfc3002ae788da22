//! What conversion promises: nothing is lost, nothing is left behind, whatever part of an object arrives.
#![allow(clippy::unwrap_used, clippy::panic)]

use komputer_crds::{
    convert::{ConvertError, Version, convert},
    v1alpha1, v1beta1,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn to_v1alpha1(object: &Value) -> Value {
    convert(object.clone(), Version::V1alpha1).unwrap()
}

fn to_v1beta1(object: &Value) -> Value {
    convert(object.clone(), Version::V1beta1).unwrap()
}

fn hello_world() -> Value {
    json!({
        "apiVersion": "komputer.komputer.ai/v1alpha1", "kind": "KomputerAgent",
        "metadata": { "name": "hello-world", "namespace": "default", "uid": "u", "managedFields": [{ "manager": "kubectl" }] },
        "spec": {
            "instructions": "Say hello.", "model": "claude-sonnet-4-6",
            "templateRef": "default", "role": "manager", "priority": 0,
        },
    })
}

#[test]
fn hello_world_leaves_no_trace() {
    let v1beta1 = to_v1beta1(&hello_world());
    assert_eq!(
        v1beta1,
        json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
            "metadata": { "name": "hello-world", "namespace": "default", "uid": "u", "managedFields": [{ "manager": "kubectl" }] },
            "spec": {
                "instructions": "Say hello.", "model": "claude-sonnet-4-6",
                "templateRef": { "name": "default" }, "role": "Manager", "priority": 0,
            },
        })
    );
    assert_eq!(to_v1alpha1(&v1beta1), hello_world());
}

#[test]
fn every_field_has_its_counterpart() {
    let v1alpha1 = json!({
        "apiVersion": "komputer.komputer.ai/v1alpha1", "kind": "KomputerAgent", "metadata": { "name": "a" },
        "spec": {
            "instructions": "i", "systemPrompt": "s", "model": "m", "priority": 3, "templateRef": "large", "role": "worker",
            "secrets": ["github", "slack"], "skills": ["review", "shared/style"], "memories": ["team/facts"],
            "connectors": ["jira"], "lifecycle": "AutoDelete",
            "podSpec": { "containers": [{ "name": "agent", "image": "x" }] }, "labels": { "team": "blue" },
            "storage": { "size": "10Gi", "storageClassName": "fast" },
        },
    });
    let v1beta1 = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "metadata": { "name": "a" },
        "spec": {
            "instructions": "i", "systemPrompt": "s", "model": "m", "priority": 3, "templateRef": { "name": "large" },
            "role": "Worker", "secretRefs": [{ "name": "github" }, { "name": "slack" }],
            "skills": [{ "name": "review" }, { "name": "style", "namespace": "shared" }],
            "memories": [{ "name": "facts", "namespace": "team" }], "connectors": [{ "name": "jira" }],
            "lifecycle": { "afterTask": "Delete" },
            "podTemplate": { "spec": { "containers": [{ "name": "agent", "image": "x" }] }, "labels": { "team": "blue" } },
            "storage": { "size": "10Gi", "storageClassName": "fast" },
        },
    });
    assert_eq!(to_v1beta1(&v1alpha1), v1beta1);
    assert_eq!(to_v1alpha1(&v1beta1), v1alpha1);
    serde_json::from_value::<v1beta1::KomputerAgent>(v1beta1).unwrap();
    serde_json::from_value::<v1alpha1::KomputerAgent>(v1alpha1).unwrap();
}

#[test]
fn what_v1alpha1_cannot_say_is_in_annotations_and_survives_an_edit() {
    let v1beta1 = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
        "metadata": { "name": "a", "annotations": { "team": "blue" } },
        "spec": { "suspend": true, "lifecycle": { "afterTask": "Sleep", "idleTimeout": "10m" }, "role": "Worker" },
    });
    let mut v1alpha1 = to_v1alpha1(&v1beta1);
    assert_eq!(v1alpha1["spec"], json!({ "lifecycle": "Sleep", "role": "worker" }));
    assert_eq!(
        v1alpha1["metadata"]["annotations"],
        json!({
            "team": "blue",
            "v1beta1.komputer.komputer.ai/spec.lifecycle.idleTimeout": r#"{"is":"10m"}"#,
            "v1beta1.komputer.komputer.ai/spec.suspend": r#"{"is":true}"#,
        })
    );
    assert_eq!(to_v1beta1(&v1alpha1), v1beta1);

    v1alpha1["spec"]["lifecycle"] = "AutoDelete".into();
    v1alpha1["spec"]["instructions"] = "more".into();
    let mut edited = v1beta1;
    edited["spec"]["lifecycle"]["afterTask"] = "Delete".into();
    edited["spec"]["instructions"] = "more".into();
    assert_eq!(to_v1beta1(&v1alpha1), edited);
}

#[test]
fn a_kept_list_gives_way_to_an_edited_one() {
    let mut v1alpha1 = hello_world();
    v1alpha1["spec"]["skills"] = json!(["a/style", "b/style", "x/y/z", ""]);
    let mut v1beta1 = to_v1beta1(&v1alpha1);
    assert_eq!(v1beta1["spec"]["skills"], json!([{ "name": "style", "namespace": "a" }]));
    assert_eq!(to_v1alpha1(&v1beta1), v1alpha1);
    v1beta1["spec"]["skills"] = json!([{ "name": "other" }]);
    assert_eq!(to_v1alpha1(&v1beta1)["spec"]["skills"], json!(["other"]));
}

#[test]
fn a_status_says_what_clients_of_v1alpha1_read_and_keeps_the_rest() {
    let status = json!({
        "observedGeneration": 2, "phase": "Starting", "podName": "a", "sessionId": "s", "totalCostUSD": "1.5", "cursor": "1-1",
        "lastTask": { "uid": "u", "phase": "Failed", "message": "no", "costUSD": "0.25" },
        "tasks": { "succeeded": 1, "failed": 1, "cancelled": 0 },
        "tokens": { "input": 1, "output": 2, "cacheRead": 3, "cacheCreation": 4 },
        "conditions": [{ "type": "Ready", "status": "Unknown" }],
    });
    let v1beta1 = json!({ "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "metadata": {}, "status": status });
    let v1alpha1 = to_v1alpha1(&v1beta1);
    assert_eq!(v1alpha1["metadata"], json!({}));
    let mut expected = status;
    for (name, value) in [
        ("phase", json!("Pending")),
        ("taskStatus", json!("Error")),
        ("lastTaskMessage", json!("no")),
        ("lastTaskCostUSD", json!("0.25")),
        ("totalTokens", json!(10)),
        ("v1beta1Fields", json!({ "/phase": { "was": "Pending", "is": "Starting" } })),
    ] {
        expected[name] = value;
    }
    assert_eq!(v1alpha1["status"], expected);
    assert_eq!(to_v1beta1(&v1alpha1), v1beta1);
}

#[test]
fn an_unseen_agent_is_unseen_in_both() {
    let v1beta1 = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "metadata": { "name": "a" },
        "status": { "observedGeneration": -1 },
    });
    let v1alpha1 = to_v1alpha1(&v1beta1);
    assert_eq!(v1alpha1["status"], json!({ "observedGeneration": -1 }));
    assert_eq!(v1alpha1["metadata"], json!({ "name": "a" }));
    assert_eq!(to_v1beta1(&v1alpha1), v1beta1);
}

#[test]
fn only_an_agent_of_a_known_version_is_converted() {
    let agent = |api_version: &str, kind: &str| json!({ "apiVersion": api_version, "kind": kind });
    assert_eq!(convert(json!([]), Version::V1beta1), Err(ConvertError::NotAnObject));
    let unknown = convert(agent("komputer.komputer.ai/v2", "KomputerAgent"), Version::V1beta1);
    assert_eq!(unknown, Err(ConvertError::Version("komputer.komputer.ai/v2".into())));
    let other = convert(agent("komputer.komputer.ai/v1beta1", "KomputerTask"), Version::V1alpha1);
    assert_eq!(other, Err(ConvertError::Kind("KomputerTask".into())));
}

#[test]
fn an_annotation_that_cannot_be_read_stays() {
    let mut v1alpha1 = hello_world();
    v1alpha1["metadata"]["annotations"] = json!({
        "v1beta1.komputer.komputer.ai/spec.suspend": "yes", "v1beta1.komputer.komputer.ai/other": "{",
        "v1beta1.komputer.komputer.ai/else": "{}", "v1beta1.komputer.komputer.ai/spec": "{}",
    });
    let v1beta1 = to_v1beta1(&v1alpha1);
    assert_eq!(v1beta1["metadata"]["annotations"], v1alpha1["metadata"]["annotations"]);
    assert_eq!(to_v1alpha1(&v1beta1), v1alpha1);
}

/// Any JSON.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z/~ ]{0,6}".prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "Sleep",
            "AutoDelete",
            "Delete",
            "KeepRunning",
            "manager",
            "Worker",
            "a/b",
            "Running",
            "InProgress",
            "Idle",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            fields_of(inner).prop_map(Value::from),
        ]
    })
}

fn fields_of(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let names = prop_oneof![
        3 => prop::sample::select(vec![
            "instructions", "systemPrompt", "model", "priority", "templateRef", "role", "lifecycle", "secrets", "secretRefs",
            "skills", "memories", "connectors", "podSpec", "podTemplate", "labels", "storage", "suspend", "officeManager",
            "internalSystemPrompt", "size", "storageClassName", "name", "namespace", "spec", "afterTask", "idleTimeout",
            "phase", "taskStatus", "lastTask", "lastTaskMessage", "totalTokens", "tokens", "observedGeneration", "pvcName",
            "message", "costUSD", "cursor", "input",
        ]).prop_map(String::from),
        1 => "[a-z/~]{1,4}",
    ];
    prop::collection::vec((names, values), 0..8).prop_map(|fields| fields.into_iter().collect())
}

/// Any object, or part of one.
fn object(version: Version) -> impl Strategy<Value = Value> {
    let metadata = prop_oneof![
        Just(json!({})),
        Just(json!({ "name": "a", "labels": { "team": "blue" } })),
        Just(json!({ "name": "a", "uid": "u", "annotations": { "x": "y" }, "managedFields": [{ "manager": "m" }] })),
    ];
    let section =
        || prop::option::weighted(0.8, prop_oneof![4 => fields_of(value()).prop_map(Value::from), 1 => value()]);
    (metadata, section(), section(), prop::option::of(value())).prop_map(move |(metadata, spec, status, other)| {
        let mut object = json!({ "apiVersion": version.api_version(), "kind": "KomputerAgent", "metadata": metadata });
        for (name, value) in [("spec", spec), ("status", status), ("other", other)] {
            if let Some(value) = value {
                object[name] = value;
            }
        }
        object
    })
}

/// An object that the schema of v1beta1 allows.
fn valid_v1beta1() -> impl Strategy<Value = Value> {
    let word = |words: &'static [&'static str]| prop::option::of(prop::sample::select(words.to_vec()));
    let references = || prop::collection::btree_map("[a-z]{1,3}", prop::option::of("[a-z]{1,3}"), 0..3);
    let spec = (
        prop::option::of("[a-z]{1,9}"),
        prop::option::of("[a-z]{1,9}"),
        word(&["Manager", "Worker"]),
        word(&["KeepRunning", "Sleep", "Delete"]),
        prop::option::of(any::<bool>()),
        prop::collection::btree_set("[a-z]{1,4}", 0..3),
        (references(), references(), references()),
        prop::option::of((word(&["5Gi", "1Ti"]), word(&["fast"]))),
        prop::option::of(-9..9),
        prop::option::of(value().prop_filter("podTemplate.spec is an object", Value::is_object)),
    );
    let status = prop::option::of((
        word(&["Pending", "Starting", "Idle", "Working", "Sleeping", "Suspended", "Finished", "Failed", "Deleting"]),
        word(&["Running", "Succeeded", "Failed", "Cancelled"]),
        -1..9i64,
    ));
    (spec, status).prop_map(|(spec, status)| {
        let (instructions, template, role, after_task, suspend, secrets, lists, storage, priority, pod) = spec;
        let list = |names: std::collections::BTreeMap<String, Option<String>>| -> Value {
            let item = |(name, namespace): (String, Option<String>)| without_nulls(json!({ "name": name, "namespace": namespace }));
            names.into_iter().map(item).collect()
        };
        let spec = without_nulls(json!({
            "instructions": instructions, "templateRef": template.map(|name| json!({ "name": name })), "role": role,
            "lifecycle": after_task.map(|word| json!({ "afterTask": word })), "suspend": suspend,
            "secretRefs": secrets.into_iter().map(|name| json!({ "name": name })).collect::<Value>(),
            "skills": list(lists.0), "memories": list(lists.1), "connectors": list(lists.2), "priority": priority,
            "storage": storage.map(|(size, class)| without_nulls(json!({ "size": size, "storageClassName": class }))),
            "podTemplate": pod.map(|spec| json!({ "spec": spec, "labels": { "team": "blue" } })),
        }));
        let status = status.map(|(phase, task, generation)| {
            without_nulls(json!({
                "observedGeneration": generation, "phase": phase, "cursor": "1-1",
                "lastTask": task.map(|phase| json!({ "uid": "u", "phase": phase, "message": "m", "costUSD": "0.1" })),
            }))
        });
        let api_version = Version::V1beta1.api_version();
        let metadata = json!({ "name": "a" });
        without_nulls(json!({ "apiVersion": api_version, "kind": "KomputerAgent", "metadata": metadata, "spec": spec, "status": status }))
    })
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_v1alpha1_object_comes_back(object in object(Version::V1alpha1)) {
        let there = to_v1beta1(&object);
        prop_assert_eq!(&there["apiVersion"], "komputer.komputer.ai/v1beta1");
        prop_assert_eq!(to_v1alpha1(&there), object);
    }

    #[test]
    fn any_v1beta1_object_comes_back(object in object(Version::V1beta1)) {
        let there = to_v1alpha1(&object);
        prop_assert_eq!(&there["apiVersion"], "komputer.komputer.ai/v1alpha1");
        prop_assert_eq!(to_v1beta1(&there), object);
    }

    #[test]
    fn only_annotations_of_the_metadata_change(object in object(Version::V1beta1)) {
        let mut there = to_v1alpha1(&object);
        let annotations = there["metadata"]["annotations"].take();
        let mut before = object["metadata"].clone();
        let kept = before["annotations"].take();
        prop_assert_eq!(&there["metadata"], &before);
        if let Some(kept) = kept.as_object() {
            prop_assert!(kept.iter().all(|(name, value)| annotations.get(name) == Some(value)));
        }
    }

    #[test]
    fn the_same_version_changes_nothing(object in object(Version::V1beta1)) {
        prop_assert_eq!(to_v1beta1(&object), object);
    }

    #[test]
    fn typed_objects_come_back(object in valid_v1beta1()) {
        let agent: v1beta1::KomputerAgent = serde_json::from_value(object).unwrap();
        let mut v1alpha1 = to_v1alpha1(&serde_json::to_value(&agent).unwrap());
        v1alpha1["spec"].as_object_mut().unwrap().entry("instructions").or_insert("i".into());
        let read: v1alpha1::KomputerAgent = serde_json::from_value(v1alpha1.clone()).unwrap();
        prop_assert_eq!(serde_json::to_value(read.status).unwrap(), v1alpha1.get("status").cloned().unwrap_or_default());
        let mut back: v1beta1::KomputerAgent = serde_json::from_value(to_v1beta1(&v1alpha1)).unwrap();
        back.spec.instructions.clone_from(&agent.spec.instructions);
        prop_assert_eq!(back, agent);
    }
}
