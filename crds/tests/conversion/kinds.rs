//! The other kinds: every field of v1alpha1, and what it is in v1beta1.
use serde_json::{Value, json};

use crate::{to_v1alpha1, to_v1beta1};

/// Both say the same, and neither leaves a trace in the other.
#[track_caller]
fn same(kind: &str, section: &str, v1alpha1: Value, v1beta1: Value) {
    let object = |version: &str, fields: Value| {
        let mut object = json!({
            "apiVersion": format!("komputer.komputer.ai/{version}"), "kind": kind, "metadata": { "name": "a" },
        });
        object[section] = fields;
        object
    };
    let (v1alpha1, v1beta1) = (object("v1alpha1", v1alpha1), object("v1beta1", v1beta1));
    assert_eq!(to_v1beta1(&v1alpha1), v1beta1);
    assert_eq!(to_v1alpha1(&v1beta1), v1alpha1);
}

#[test]
fn a_schedule_is_the_same_in_both() {
    same(
        "KomputerSchedule",
        "spec",
        json!({
            "schedule": "0 9 * * 1-5", "instructions": "Report.", "timezone": "America/New_York", "autoDelete": true,
            "keepAgents": false, "suspended": true, "agentName": "reporter",
            "agent": { "model": "m", "lifecycle": "Sleep", "role": "worker", "templateRef": "default", "secrets": ["github"] },
        }),
        json!({
            "schedule": "0 9 * * 1-5", "task": { "instructions": "Report." }, "timeZone": "America/New_York", "completions": 1,
            "agentDeletionPolicy": "Delete", "suspend": true, "agentRef": { "name": "reporter" },
            "agent": {
                "model": "m", "lifecycle": { "afterTask": "Sleep" }, "role": "Worker", "templateRef": { "name": "default" },
                "secretRefs": [{ "name": "github" }],
            },
        }),
    );
}

#[test]
fn a_schedules_status_says_what_clients_of_v1alpha1_read() {
    let conditions = json!([{ "type": "Ready", "status": "False", "message": "no time is ever like that" }]);
    let shared = json!({ "lastRunTime": "2026-01-01T00:00:00Z", "runCount": 3, "totalCostUSD": "1.5", "conditions": conditions });
    let (mut v1alpha1, mut v1beta1) = (shared.clone(), shared);
    for (name, value) in [("phase", "Error"), ("lastRunStatus", "Success"), ("message", "no time is ever like that")] {
        v1alpha1[name] = value.into();
    }
    for (name, value) in [("phase", "Failed"), ("lastRunPhase", "Succeeded")] {
        v1beta1[name] = value.into();
    }
    same("KomputerSchedule", "status", v1alpha1, v1beta1);
}

#[test]
fn a_squads_members_have_names_in_v1beta1() {
    same(
        "KomputerSquad",
        "spec",
        json!({
            "orphanTTL": "10m0s", "breakUpRequested": true,
            "members": [
                { "ref": { "name": "ada" } },
                { "spec": { "instructions": "i", "secrets": ["s"] } },
                { "spec": { "instructions": "i", "role": "worker", "templateRef": "large" }, "name": "bob" },
                { "ref": { "name": "eve", "namespace": "other" } },
            ],
        }),
        json!({
            "orphanTTL": "10m0s", "breakUp": true,
            "members": [
                { "name": "ada" },
                { "name": "a-member-1", "template": { "instructions": "i", "role": "Manager", "secretRefs": [{ "name": "s" }] } },
                { "name": "bob", "template": { "instructions": "i", "role": "Worker", "templateRef": { "name": "large" } } },
                { "name": "other/eve" },
            ],
        }),
    );
}

#[test]
fn an_office_is_the_same_in_both() {
    same("KomputerOffice", "spec", json!({ "manager": "boss" }), json!({ "managerRef": { "name": "boss" } }));
    let v1alpha1 = |name: &str, role: &str, task: &str| json!({ "name": name, "role": role, "taskStatus": task, "lastTaskCostUSD": "1" });
    let v1beta1 = |name: &str, role: &str, task: &str| json!({ "name": name, "role": role, "taskPhase": task, "totalCostUSD": "1" });
    same(
        "KomputerOffice",
        "status",
        json!({
            "phase": "Error", "totalAgents": 2, "totalCostUSD": "2", "createdAt": "2026-01-01T00:00:00Z",
            "manager": v1alpha1("boss", "manager", "InProgress"), "members": [v1alpha1("ada", "worker", "Error")],
        }),
        json!({
            "phase": "Failed", "totalAgents": 2, "totalCostUSD": "2", "createdAt": "2026-01-01T00:00:00Z",
            "manager": v1beta1("boss", "Manager", "Running"), "members": [v1beta1("ada", "Worker", "Failed")],
        }),
    );
}

#[test]
fn templates_are_the_same_in_both() {
    let key = json!({ "name": "claude", "key": "api-key", "namespace": "platform" });
    for kind in ["KomputerAgentTemplate", "KomputerAgentClusterTemplate"] {
        same(
            kind,
            "spec",
            json!({
                "podSpec": { "containers": [{ "name": "agent", "image": "x" }] }, "maxConcurrentAgents": 0,
                "storage": { "size": "20Gi", "storageClassName": "fast" }, "anthropicKeySecretRef": key,
            }),
            json!({
                "podTemplate": { "spec": { "containers": [{ "name": "agent", "image": "x" }] } }, "maxConcurrentAgents": 0,
                "storage": { "size": "20Gi", "storageClassName": "fast" }, "model": { "apiKeySecretRef": key },
            }),
        );
    }
}

#[test]
fn a_config_is_the_same_in_both() {
    let password = json!({ "name": "redis", "key": "password", "namespace": "platform" });
    same(
        "KomputerConfig",
        "spec",
        json!({ "apiURL": "http://a", "redis": { "address": "r:6379", "db": 1, "streamPrefix": "p", "passwordSecret": password } }),
        json!({ "apiURL": "http://a", "redis": { "address": "r:6379", "database": 1, "streamPrefix": "p", "passwordSecretRef": password } }),
    );
}

#[test]
fn a_connector_is_the_same_in_both() {
    same(
        "KomputerConnector",
        "spec",
        json!({
            "type": "remote", "service": "github", "displayName": "GitHub", "url": "https://api.githubcopilot.com/mcp/",
            "authType": "header", "headerName": "X-Key", "authSecretKeyRef": { "name": "github", "key": "token" },
        }),
        json!({
            "transport": "StreamableHTTP", "service": "github", "displayName": "GitHub", "url": "https://api.githubcopilot.com/mcp/",
            "auth": { "type": "Header", "headerName": "X-Key", "secretKeyRef": { "name": "github", "key": "token" } },
        }),
    );
}

#[test]
fn a_transport_that_v1alpha1_has_not_survives_it() {
    let v1beta1 = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerConnector", "metadata": {},
        "spec": { "transport": "Stdio", "stdio": { "command": ["npx"] } },
    });
    let v1alpha1 = to_v1alpha1(&v1beta1);
    assert_eq!(v1alpha1["spec"], json!({ "type": "remote" }));
    assert_eq!(to_v1beta1(&v1alpha1), v1beta1);
}

#[test]
fn knowledge_is_the_same_in_both() {
    let fields = json!({ "content": "c", "description": "d" });
    for kind in ["KomputerMemory", "KomputerSkill"] {
        same(kind, "spec", fields.clone(), fields.clone());
        let status = json!({ "attachedAgents": 1, "agentNames": ["a"], "conditions": [] });
        same(kind, "status", status.clone(), status);
    }
}
