//! Workspaces that grow: the real operator and apiserver; the test plays what provisions volumes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod running;

use k8s_openapi::api::{core::v1::PersistentVolumeClaim, storage::v1::StorageClass};
use komputer_crds::v1beta1::KomputerAgent;
use komputer_tests::{cluster::LightCluster, node::eventually};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use self::running::{Operator, prepare};

const NAMESPACE: &str = "workspaces";

async fn class(client: &Client, name: &str, grows: bool) {
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": name },
        "provisioner": "komputer.ai/test", "allowVolumeExpansion": grows,
    });
    let classes = Api::<StorageClass>::all(client.clone());
    classes.patch(name, &PatchParams::apply("test"), &Patch::Apply(&class)).await.unwrap();
}

async fn agent(client: &Client, name: &str, storage: Value) {
    let agent = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "metadata": { "name": name },
        "spec": { "templateRef": { "name": "plain" }, "storage": storage },
    });
    let agents = Api::<KomputerAgent>::namespaced(client.clone(), NAMESPACE);
    agents.patch(name, &PatchParams::apply("test"), &Patch::Apply(&agent)).await.unwrap();
}

/// Provisions what was asked for, once that is `size`.
async fn provision(client: &Client, name: &str, size: &str) {
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), NAMESPACE);
    eventually(&format!("{name} to ask for {size}"), || async {
        let Some(claim) = claims.get_opt(name).await? else { return Ok(None) };
        let asked = claim.spec.and_then(|spec| spec.resources?.requests?.get("storage").cloned());
        Ok(asked.is_some_and(|asked| asked.0 == size).then_some(()))
    })
    .await
    .unwrap();
    let bound = json!({ "status": { "phase": "Bound", "capacity": { "storage": size } } });
    claims.patch_status(name, &PatchParams::default(), &Patch::Merge(&bound)).await.unwrap();
}

/// Waits until the agent says this of its workspace.
async fn says(client: &Client, name: &str, reason: Option<&str>, words: &str) {
    let agents = Api::<KomputerAgent>::namespaced(client.clone(), NAMESPACE);
    eventually(&format!("{name} to say {reason:?}"), || async {
        let conditions = agents.get(name).await?.status.unwrap_or_default().conditions;
        anyhow::ensure!(!conditions.is_empty(), "it says nothing yet");
        let remark = conditions.iter().find(|condition| condition.type_ == "WorkspaceOutdated");
        let is_so = remark.map(|remark| remark.reason.as_str()) == reason
            && remark.is_none_or(|remark| remark.message.contains(words));
        if is_so { Ok(Some(())) } else { Err(anyhow::anyhow!("it says {remark:?}")) }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_grow_or_say_why_they_do_not() {
    let cluster = LightCluster::start("workspace").expect("a cluster");
    let redis = prepare(&cluster, &[NAMESPACE]);
    let client = cluster.client().await.unwrap();
    class(&client, "grows", true).await;
    class(&client, "fixed", false).await;
    let template = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentTemplate",
        "metadata": { "name": "plain", "namespace": NAMESPACE }, "spec": {},
    });
    cluster.kubectl(&["apply", "-f", "-"], &template.to_string()).unwrap();
    let _operator = Operator::start(&cluster, &redis, &[]);

    agent(&client, "ada", json!({ "size": "1Gi", "storageClassName": "grows" })).await;
    provision(&client, "ada", "1Gi").await;
    says(&client, "ada", None, "").await;
    agent(&client, "ada", json!({ "size": "2Gi", "storageClassName": "grows" })).await;
    says(&client, "ada", Some("Growing"), "has 1Gi and grows to 2Gi").await;
    provision(&client, "ada", "2Gi").await;
    says(&client, "ada", None, "").await;
    agent(&client, "ada", json!({ "size": "1Gi", "storageClassName": "grows" })).await;
    says(&client, "ada", Some("CannotShrink"), "set it back").await;

    agent(&client, "bob", json!({ "size": "1Gi", "storageClassName": "fixed" })).await;
    provision(&client, "bob", "1Gi").await;
    agent(&client, "bob", json!({ "size": "2Gi", "storageClassName": "fixed" })).await;
    says(&client, "bob", Some("CannotGrow"), "allowVolumeExpansion").await;
    class(&client, "fixed", true).await;
    provision(&client, "bob", "2Gi").await;
    says(&client, "bob", None, "").await;

    // What the cluster refuses keeps nothing else from being done, and is tried again.
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "small", "namespace": NAMESPACE },
        "spec": { "hard": { "requests.storage": "3Gi" } }, "status": { "hard": { "requests.storage": "3Gi" } },
    });
    cluster.kubectl(&["apply", "-f", "-"], &quota.to_string()).unwrap();
    cluster.kubectl(&["apply", "--server-side", "--subresource=status", "-f", "-"], &quota.to_string()).unwrap();
    agent(&client, "bob", json!({ "size": "9Gi", "storageClassName": "fixed" })).await;
    says(&client, "bob", Some("Growing"), "grows to 9Gi").await;
    cluster.kubectl(&["delete", "resourcequota", "small", "-n", NAMESPACE], "").unwrap();
    provision(&client, "bob", "9Gi").await;
    says(&client, "bob", None, "").await;
}
