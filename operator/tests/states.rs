//! The state table, row by row and kind by kind: the real operator, apiserver and Redis; the test plays the kubelet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod running;

use komputer_crds::validate::Kind;
use komputer_tests::{cluster::LightCluster, node::eventually};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use self::running::{Operator, SYSTEM, prepare};

const NAMESPACE: &str = "states";

/// What an object says of itself: Ready's status and reason, and the other condition that is there.
type Standing = (&'static str, &'static str, &'static str);

const DONE: &str = "";
const RECONCILING: &str = "Reconciling";
const STALLED: &str = "Stalled";

/// A row: a kind, the object's name and spec, and how it stands once it has been seen.
type Row = (&'static str, &'static str, Value, Standing);

fn rows() -> Vec<Row> {
    let hostile = json!({ "spec": { "hostPID": true } });
    let waits = ("Unknown", "DependencyNotReady", RECONCILING);
    let invalid = ("False", "InvalidSpec", STALLED);
    let available = ("True", "Available", DONE);
    let not_granted = ("False", "ReferenceNotGranted", STALLED);
    let key = json!({ "model": { "apiKeySecretRef": { "name": "nowhere", "key": "k" } } });
    let mut foreign = key.clone();
    foreign["model"]["apiKeySecretRef"]["namespace"] = "other".into();
    let mcp = |url: &str| json!({ "transport": "StreamableHTTP", "url": url });
    let redis = json!({ "redis": { "address": "redis:6379" } });
    let nobodys = json!({ "limitUSD": "1", "period": "Day", "selector": { "matchLabels": { "is": "nobody" } } });
    let mut rows = vec![
        ("KomputerAgentTemplate", "plain", json!({}), available),
        ("KomputerAgentTemplate", "hostile", json!({ "podTemplate": hostile }), invalid),
        ("KomputerAgentTemplate", "foreign", foreign.clone(), not_granted),
        ("KomputerAgentTemplate", "one", json!({ "maxConcurrentAgents": 1 }), available),
        ("KomputerAgentClusterTemplate", "plain", json!({}), available),
        ("KomputerAgentClusterTemplate", "waits", key, waits),
        ("KomputerAgentClusterTemplate", "hostile", json!({ "podTemplate": hostile }), invalid),
        ("KomputerAgentClusterTemplate", "foreign", foreign.clone(), not_granted),
        (
            "KomputerAgent",
            "starts",
            json!({ "templateRef": { "name": "plain" } }),
            ("Unknown", "Starting", RECONCILING),
        ),
        (
            "KomputerAgent",
            "goes-first",
            json!({ "templateRef": { "name": "one" }, "priority": 1 }),
            ("Unknown", "Starting", RECONCILING),
        ),
        (
            "KomputerAgent",
            "comes-later",
            json!({ "templateRef": { "name": "one" } }),
            ("Unknown", "Queued", RECONCILING),
        ),
        ("KomputerAgent", "waits", json!({ "templateRef": { "name": "nowhere" } }), waits),
        ("KomputerAgent", "hostile", json!({ "templateRef": { "name": "plain" }, "podTemplate": hostile }), invalid),
        ("KomputerAgent", "of-hostile", json!({ "templateRef": { "name": "hostile" } }), invalid),
        ("KomputerAgent", "foreign", json!({ "templateRef": { "name": "foreign" } }), not_granted),
        (
            "KomputerAgent",
            "circle-a",
            json!({ "managerRef": { "name": "circle-b" } }),
            ("False", "ReferenceCycle", STALLED),
        ),
        (
            "KomputerAgent",
            "circle-b",
            json!({ "managerRef": { "name": "circle-a" } }),
            ("False", "ReferenceCycle", STALLED),
        ),
        ("KomputerAgent", "suspended", json!({ "suspend": true }), ("True", "Suspended", DONE)),
        ("KomputerAgent", "sleeps", json!({ "lifecycle": { "afterTask": "Sleep" } }), ("True", "Sleeping", DONE)),
        ("KomputerTask", "waits", json!({ "agentRef": { "name": "nobody" }, "instructions": "i" }), waits),
        (
            "KomputerTask",
            "pending",
            json!({ "agentRef": { "name": "starts" }, "instructions": "i" }),
            ("Unknown", "Pending", RECONCILING),
        ),
        (
            "KomputerTask",
            "cancelled",
            json!({ "agentRef": { "name": "suspended" }, "instructions": "i", "cancel": true }),
            ("False", "Cancelled", STALLED),
        ),
        ("KomputerConnector", "plain", mcp("https://mcp.example.com"), available),
        ("KomputerConnector", "invalid", mcp("https://user:word@mcp.example.com"), invalid),
        ("KomputerMemory", "plain", json!({ "content": "c" }), available),
        ("KomputerSkill", "plain", json!({ "content": "c", "description": "d" }), available),
        ("KomputerOffice", "plain", json!({ "managerRef": { "name": "sleeps" } }), ("True", "Open", DONE)),
        ("KomputerOffice", "waits", json!({ "managerRef": { "name": "nobody" } }), waits),
        (
            "KomputerOffice",
            "troubled",
            json!({ "managerRef": { "name": "hostile" } }),
            ("False", "AgentNotReady", RECONCILING),
        ),
        ("KomputerConfig", "plain", redis.clone(), available),
        ("KomputerConfig", "younger", redis, ("False", "Conflicted", STALLED)),
        ("KomputerBudget", "plain", nobodys, ("True", "WithinLimit", DONE)),
        ("KomputerBudget", "invalid", json!({ "limitUSD": "1", "period": "Day", "timeZone": "Not/There" }), invalid),
        ("KomputerSquad", "plain", json!({ "members": [{ "name": "suspended" }] }), ("True", "Sleeping", DONE)),
        ("KomputerSquad", "younger", json!({ "members": [{ "name": "suspended" }] }), ("False", "Conflicted", STALLED)),
        ("KomputerSquad", "waits", json!({ "members": [{ "name": "nobody" }] }), waits),
        (
            "KomputerSquad",
            "invalid",
            json!({ "members": [{ "name": "made", "template": { "podTemplate": hostile } }] }),
            invalid,
        ),
    ];
    rows.extend(schedules());
    rows
}

fn schedules() -> [Row; 8] {
    let schedule = |more: Value| {
        let mut spec = json!({ "schedule": "0 9 * * *", "task": { "instructions": "i" } });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let named = |name: &str| json!({ "name": name });
    let plain = json!({ "templateRef": { "name": "plain" } });
    let over = json!({ "at": "2001-01-01T00:00:00Z", "task": { "instructions": "i" }, "agentRef": named("starts") });
    let row = |name: &'static str, spec: Value, standing: Standing| ("KomputerSchedule", name, spec, standing);
    let conflicting = json!({ "agentRef": named("starts"), "agent": plain });
    let suspended = json!({ "agentRef": named("starts"), "suspend": true });
    let invalid = json!({ "agentRef": named("starts"), "schedule": "0 25 * * *" });
    [
        row("plain", schedule(json!({ "agentRef": named("starts") })), ("True", "Scheduled", DONE)),
        row("makes", schedule(json!({ "agent": plain })), ("True", "Scheduled", DONE)),
        row("suspended", schedule(suspended), ("True", "Suspended", DONE)),
        row("over", over, ("True", "Completed", DONE)),
        row("waits", schedule(json!({ "agentRef": named("nobody") })), ("Unknown", "DependencyNotReady", RECONCILING)),
        row("troubled", schedule(json!({ "agentRef": named("hostile") })), ("False", "AgentNotReady", RECONCILING)),
        row("conflicted", schedule(conflicting), ("False", "Conflicted", STALLED)),
        row("invalid", schedule(invalid), ("False", "InvalidSpec", STALLED)),
    ]
}

fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let found = Kind::ALL.into_iter().find(|found| found.name() == kind).unwrap();
    let kind = GroupVersionKind::gvk("komputer.komputer.ai", "v1beta1", kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, found.plural());
    if found.is_namespaced() {
        Api::namespaced_with(client.clone(), NAMESPACE, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    }
}

async fn apply(client: &Client, kind: &str, name: &str, spec: &Value) {
    let object = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": kind,
        "metadata": { "name": name, "finalizers": ["example.com/hold"] }, "spec": spec,
    });
    api(client, kind).patch(name, &PatchParams::apply("test"), &Patch::Apply(&object)).await.unwrap();
}

/// How the object stands, where its status is of its newest generation; all its conditions have to be of that.
fn standing(object: &DynamicObject) -> Option<(String, String, String)> {
    let status = &object.data["status"];
    if status["observedGeneration"].as_i64() != object.metadata.generation {
        return None;
    }
    let conditions = status["conditions"].as_array()?;
    assert!(conditions.iter().all(|condition| condition["observedGeneration"] == status["observedGeneration"]));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    let beside = |condition: &&Value| condition["type"] != "Ready" && condition["type"] != "Deprecated";
    let others: Vec<_> = conditions.iter().filter(beside).collect();
    assert!(others.len() <= 1 && others.iter().all(|other| other["status"] == "True"), "{conditions:?}");
    assert!(!text(&ready["message"]).is_empty());
    let other = others.first().map(|other| text(&other["type"])).unwrap_or_default();
    Some((text(&ready["status"]), text(&ready["reason"]), other))
}

async fn stands(client: &Client, kind: &str, name: &str, expected: Standing) {
    let expected = (expected.0.to_owned(), expected.1.to_owned(), expected.2.to_owned());
    eventually(&format!("{kind} {name} to stand as {expected:?}"), || async {
        let object = api(client, kind).get(name).await?;
        match standing(&object) {
            Some(standing) if standing == expected => Ok(Some(())),
            _ => Err(anyhow::anyhow!("it says {}", object.data["status"])),
        }
    })
    .await
    .unwrap();
}

/// As conversion keeps a field of v1alpha1 that does nothing, and while it does.
async fn says_what_is_deprecated(client: &Client) {
    let agents = api(client, "KomputerAgent");
    let deprecated = |object: &DynamicObject| {
        let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|condition| condition["type"] == "Deprecated");
        found.map(|found| found["message"].as_str().unwrap_or_default().to_owned())
    };
    for (kept, expected) in [(json!(r#"{"is":"You are"}"#), true), (Value::Null, false)] {
        let annotations = json!({ "v1alpha1.komputer.komputer.ai/spec.internalSystemPrompt": kept });
        let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
        agents.patch("suspended", &PatchParams::default(), &patch).await.unwrap();
        eventually("the condition Deprecated to come and go", || async {
            let said = deprecated(&agents.get("suspended").await?);
            let is_so = said.as_ref().is_some_and(|said| said.starts_with("spec.internalSystemPrompt: has no effect"));
            Ok((is_so == expected && said.is_some() == expected).then_some(()))
        })
        .await
        .unwrap();
    }
    stands(client, "KomputerAgent", "suspended", ("True", "Suspended", DONE)).await;
}

/// On a real apiserver: runs begin and are named once, replaced ones are cancelled, all but one that failed go, and none
/// of them is forgotten. Its agent is suspended, so that none is carried out.
async fn runs_are_made_replaced_and_counted(client: &Client) {
    let spec = json!({
        "schedule": "* * * * * *", "concurrencyPolicy": "Replace", "task": { "instructions": "i" },
        "agentRef": { "name": "suspended" },
    });
    apply(client, "KomputerSchedule", "often", &spec).await;
    let status = |field: &'static str| async move {
        let schedule = api(client, "KomputerSchedule").get("often").await.unwrap();
        schedule.data["status"][field].clone()
    };
    eventually("five runs to be replaced", || async {
        let failed = status("failedRuns").await;
        failed.as_i64().filter(|failed| *failed >= 5).map(Some).ok_or_else(|| anyhow::anyhow!("there are {failed}"))
    })
    .await
    .unwrap();
    let patch = |spec: Value, annotations: Value| {
        Patch::Merge(json!({ "spec": spec, "metadata": { "annotations": annotations } }))
    };
    let schedules = api(client, "KomputerSchedule");
    let merge = PatchParams::default();
    schedules.patch("often", &merge, &patch(json!({ "suspend": true }), Value::Null)).await.unwrap();
    stands(client, "KomputerSchedule", "often", ("True", "Suspended", DONE)).await;
    let before = status("runCount").await.as_i64().unwrap();
    let trigger = patch(json!({}), json!({ "komputer.komputer.ai/trigger": "please" }));
    schedules.patch("often", &merge, &trigger).await.unwrap();
    eventually("the triggered run to replace the last one", || async {
        let counts = (status("runCount").await.as_i64(), status("failedRuns").await.as_i64());
        let tasks = api(client, "KomputerTask").list(&ListParams::default()).await?;
        let mut names: Vec<_> = tasks.iter().map(ResourceExt::name_any).collect();
        names.retain(|name| name.starts_with("often-"));
        let is_so = counts == (Some(before + 1), Some(before)) && names.len() == 2;
        is_so.then_some(Some(())).ok_or_else(|| anyhow::anyhow!("it says {counts:?} of {names:?}, after {before}"))
    })
    .await
    .unwrap();
    assert_eq!(status("lastTrigger").await["value"], "please");
}

/// Metrics speak of kinds, phases and results, and never of an object.
fn counts_by_kind_and_result(metrics: &str, rows: &[Row]) {
    let count = |metric: &str, labels: &str| {
        let begin = format!("komputer_operator_{metric}{{{labels}}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&begin));
        line.and_then(|value| value.parse::<f64>().ok()).unwrap_or_else(|| panic!("no {begin} in {metrics}"))
    };
    assert!(count("reconcile_duration_seconds_count", r#"kind="KomputerAgent",result="ok""#) >= 5.0);
    assert!(count("decision_duration_seconds_count", r#"kind="KomputerAgent""#) >= 5.0);
    assert!(count("writes_total", r#"action="create",kind="Pod",result="ok""#) >= 2.0);
    assert!(count("agents", r#"phase="Queued""#) >= 1.0);
    assert!(count("queue_depth", r#"kind="KomputerSquad""#) >= 0.0);
    assert!(count("agents_tokens", r#"type="output""#) >= 0.0);
    for (kind, name, ..) in rows {
        assert!(!metrics.contains(&format!("\"{name}\"")), "{kind} {name} is in {metrics}");
    }
    assert!(!metrics.contains(&format!("\"{NAMESPACE}\"")), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_state_table_holds_for_every_kind() {
    let cluster = LightCluster::start("states").expect("a cluster");
    let redis = prepare(&cluster, &[NAMESPACE]);
    let client = cluster.client().await.unwrap();
    let rows = rows();
    assert!(Kind::ALL.iter().all(|kind| rows.iter().any(|row| row.0 == kind.name())));

    // Unseen.
    for (kind, name, spec, _) in &rows {
        apply(&client, kind, name, spec).await;
        let status = &api(&client, kind).get(name).await.unwrap().data["status"];
        assert_eq!((&status["observedGeneration"], status.get("conditions")), (&json!(-1), None), "{kind} {name}");
    }

    // Seen: progressing, waiting, retrying, stalled, done.
    let operator = Operator::start(&cluster, &redis, &[]);
    for (kind, name, _, expected) in &rows {
        stands(&client, kind, name, *expected).await;
    }

    runs_are_made_replaced_and_counted(&client).await;
    // A schedule has its agent made.
    stands(&client, "KomputerAgent", "makes-agent", ("Unknown", "Starting", RECONCILING)).await;

    // A pod that is ready makes its agent ready.
    let ready = json!({ "status": {
        "phase": "Running", "podIP": "127.0.0.1", "conditions": [{ "type": "Ready", "status": "True" }],
    } });
    let pods = Api::<k8s_openapi::api::core::v1::Pod>::namespaced(client.clone(), NAMESPACE);
    let agents = api(&client, "KomputerAgent");
    let merge = PatchParams::default();
    let tasks = api(&client, "KomputerTask");
    tasks.patch("pending", &merge, &Patch::Merge(json!({ "spec": { "cancel": true } }))).await.unwrap();
    stands(&client, "KomputerTask", "pending", ("False", "Cancelled", STALLED)).await;
    pods.patch_status("starts", &merge, &Patch::Merge(&ready)).await.unwrap();
    stands(&client, "KomputerAgent", "starts", ("True", "Idle", DONE)).await;

    // What is suspended or stalled is of the newest generation too, and a change clears it.
    agents.patch("suspended", &merge, &Patch::Merge(json!({ "spec": { "systemPrompt": "s" } }))).await.unwrap();
    stands(&client, "KomputerAgent", "suspended", ("True", "Suspended", DONE)).await;
    agents.patch("hostile", &merge, &Patch::Merge(json!({ "spec": { "model": "m" } }))).await.unwrap();
    stands(&client, "KomputerAgent", "hostile", ("False", "InvalidSpec", STALLED)).await;
    agents.patch("hostile", &merge, &Patch::Merge(json!({ "spec": { "podTemplate": null } }))).await.unwrap();
    stands(&client, "KomputerAgent", "hostile", ("Unknown", "Starting", RECONCILING)).await;
    stands(&client, "KomputerOffice", "troubled", ("True", "Open", DONE)).await;
    says_what_is_deprecated(&client).await;
    counts_by_kind_and_result(&operator.metrics().await, &rows);
    // What was waited for comes.
    agents.patch("goes-first", &merge, &Patch::Merge(json!({ "spec": { "suspend": true } }))).await.unwrap();
    stands(&client, "KomputerAgent", "comes-later", ("Unknown", "Starting", RECONCILING)).await;
    apply(&client, "KomputerAgentTemplate", "nowhere", &json!({})).await;
    stands(&client, "KomputerAgent", "waits", ("Unknown", "Starting", RECONCILING)).await;
    cluster.kubectl(&["create", "secret", "generic", "nowhere", "-n", SYSTEM, "--from-literal=k=v"], "").unwrap();
    stands(&client, "KomputerAgentClusterTemplate", "waits", ("True", "Available", DONE)).await;

    // What counted goes.
    let nobody = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    api(&client, "KomputerConfig").patch("plain", &merge, &nobody).await.unwrap();
    api(&client, "KomputerConfig").delete("plain", &DeleteParams::default()).await.unwrap();
    stands(&client, "KomputerConfig", "younger", ("True", "Available", DONE)).await;

    // Deleting, held by somebody's finalizer.
    for kind in Kind::ALL.map(Kind::name) {
        let (_, name, ..) = rows.iter().rfind(|row| row.0 == kind).unwrap();
        api(&client, kind).delete(name, &DeleteParams::default()).await.unwrap();
        stands(&client, kind, name, ("False", "Deleting", RECONCILING)).await;
    }
    drop(operator);
}
