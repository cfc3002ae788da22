//! `KomputerAgent`: fields, words, status, what is kept.
use komputer_crds::{
    convert::{ConvertError, Version, convert},
    v1alpha1, v1beta1,
};
use serde_json::{Value, json};

use crate::{to_v1alpha1, to_v1beta1};

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
            "secrets": ["github", "slack"], "officeManager": "boss", "skills": ["review", "shared/style"], "memories": ["team/facts"],
            "connectors": ["jira"], "lifecycle": "AutoDelete",
            "podSpec": { "containers": [{ "name": "agent", "image": "x" }] }, "labels": { "team": "blue" },
            "storage": { "size": "10Gi", "storageClassName": "fast" },
        },
    });
    let v1beta1 = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "metadata": { "name": "a" },
        "spec": {
            "instructions": "i", "systemPrompt": "s", "model": "m", "priority": 3, "templateRef": { "name": "large" },
            "role": "Worker", "managerRef": { "name": "boss" }, "secretRefs": [{ "name": "github" }, { "name": "slack" }],
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
        "conditions": [{ "type": "Ready", "status": "Unknown", "message": "The pod starts" }],
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
        ("message", json!("The pod starts")),
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
fn only_kinds_of_both_versions_are_converted() {
    let agent = |api_version: &str, kind: &str| json!({ "apiVersion": api_version, "kind": kind });
    assert_eq!(convert(json!([]), Version::V1beta1), Err(ConvertError::NotAnObject));
    let unknown = convert(agent("komputer.komputer.ai/v2", "KomputerAgent"), Version::V1beta1);
    assert_eq!(unknown, Err(ConvertError::Version("komputer.komputer.ai/v2".into())));
    let other = convert(agent("komputer.komputer.ai/v1beta1", "KomputerTask"), Version::V1alpha1);
    assert_eq!(other, Err(ConvertError::Kind("KomputerTask".into())));
}

/// As of an object that was read as v1alpha1 and is applied as v1beta1: it keeps nothing there, and must not be read back.
#[test]
fn an_annotation_of_the_other_version_is_the_objects_own() {
    let kept = |name: &str| format!("v1beta1.komputer.komputer.ai/{name}");
    let mut v1beta1 = to_v1beta1(&hello_world());
    v1beta1["metadata"]["annotations"] = json!({
        kept("spec.suspend"): r#"{"is":true}"#, kept("spec.lifecycle.idleTimeout"): "5m", kept("other"): "{", "team": "blue",
    });
    v1beta1["spec"]["lifecycle"] = json!({ "idleTimeout": "10m" });
    let v1alpha1 = to_v1alpha1(&v1beta1);
    let annotations = v1alpha1["metadata"]["annotations"].as_object().unwrap();
    let names: Vec<_> = annotations.keys().cloned().collect();
    assert_eq!(names, ["team".to_owned(), kept("other"), kept("spec.lifecycle.idleTimeout")]);
    assert_eq!(annotations[&kept("spec.lifecycle.idleTimeout")], r#"{"is":"10m"}"#);
    assert_eq!(to_v1beta1(&v1alpha1), v1beta1);
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

#[test]
fn who_waits_for_a_place_does_so_in_both_versions() {
    let status = json!({
        "phase": "Queued", "queuePosition": 4,
        "conditions": [{ "type": "Ready", "status": "Unknown", "message": "3 of the agents may be awake" }],
    });
    let v1beta1 = json!({ "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "metadata": {}, "status": status });
    let v1alpha1 = to_v1alpha1(&v1beta1);
    let shown = |name: &str| v1alpha1["status"][name].clone();
    let expected = (json!("Queued"), json!(4), json!("3 of the agents may be awake"));
    assert_eq!((shown("phase"), shown("queuePosition"), shown("queueReason")), expected);
    assert_eq!(to_v1beta1(&v1alpha1), v1beta1);
}
