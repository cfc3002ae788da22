//! A leader that was stopped, and goes on when another leads, writes nothing: real operators at a real apiserver.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod running;

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use komputer_crds::v1beta1::KomputerAgent;
use komputer_tests::{cluster::LightCluster, node::eventually};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use self::running::{Operator, prepare};

const NAMESPACE: &str = "fenced";
const AGENTS: usize = 100;
/// Requests that threads may have been in the middle of handing to the kernel when the process was stopped.
const ON_THEIR_WAY: f64 = 3.0;

fn agents(client: &Client) -> Api<KomputerAgent> {
    Api::namespaced(client.clone(), NAMESPACE)
}

fn pods(client: &Client) -> Api<Pod> {
    Api::namespaced(client.clone(), NAMESPACE)
}

async fn create(client: &Client) {
    let create = |index: usize| {
        let agent = json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
            "metadata": { "name": format!("a{index:02}") }, "spec": { "templateRef": { "name": "plain" } },
        });
        let agents = agents(client);
        async move { agents.create(&PostParams::default(), &serde_json::from_value(agent).unwrap()).await.unwrap() }
    };
    stream::iter(0..AGENTS).map(create).buffer_unordered(16).for_each(|_| std::future::ready(())).await;
}

async fn count(client: &Client) -> usize {
    pods(client).list_metadata(&ListParams::default()).await.unwrap().items.len()
}

/// The versions of all agents, which statuses make.
async fn versions(client: &Client) -> BTreeMap<String, String> {
    let agents = agents(client).list_metadata(&ListParams::default()).await.unwrap();
    agents.iter().map(|agent| (agent.name_any(), agent.resource_version().unwrap())).collect()
}

/// How often the apiserver was asked to write what operators write.
fn writes(cluster: &LightCluster) -> f64 {
    let metrics = cluster.kubectl(&["get", "--raw", "/metrics"], "").unwrap();
    let requests = metrics.lines().filter(|line| line.starts_with("apiserver_request_total{"));
    let has = |line: &str, label: &str, values: &[&str]| {
        values.iter().any(|value| line.contains(&format!("{label}=\"{value}\"")))
    };
    let ours = requests.filter(|line| {
        has(line, "resource", &["komputeragents", "persistentvolumeclaims", "pods", "secrets"])
            && has(line, "verb", &["APPLY", "DELETE", "PATCH", "POST"])
    });
    ours.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_stopped_writes_nothing_when_it_goes_on() {
    let cluster = LightCluster::start_with_controllers("fencing").expect("a cluster");
    let redis = prepare(&cluster, &[NAMESPACE]);
    let client = cluster.client().await.unwrap();
    let template = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentTemplate",
        "metadata": { "name": "plain", "namespace": NAMESPACE }, "spec": {},
    });
    cluster.kubectl(&["apply", "-f", "-"], &template.to_string()).unwrap();
    let mut first = Operator::start(&cluster, &redis, &["--identity", "first"]);
    create(&client).await;
    // In the middle of its work, with more to write.
    eventually("the first pods", || async { Ok((count(&client).await > 0).then_some(())) }).await.unwrap();
    first.signal("STOP");
    let made = count(&client).await;
    assert!(made < AGENTS, "it was too fast: {made}");

    let _second = Operator::start(&cluster, &redis, &["--identity", "second"]);
    eventually("the second to lead", || async { Ok((count(&client).await == AGENTS).then_some(())) }).await.unwrap();
    for index in 0..AGENTS {
        let suspend = Patch::Merge(json!({ "spec": { "suspend": true } }));
        agents(&client).patch(&format!("a{index:02}"), &PatchParams::default(), &suspend).await.unwrap();
    }
    eventually("all pods to go", || async { Ok((count(&client).await == 0).then_some(())) }).await.unwrap();
    let settled = eventually("nothing to change any more", || async {
        let before = versions(&client).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok((before == versions(&client).await).then_some(before))
    })
    .await
    .unwrap();

    let before = writes(&cluster);
    first.signal("CONT");
    eventually("the first to end", || std::future::ready(Ok(first.has_ended().then_some(())))).await.unwrap();
    // A pod whose creation was on its way when the process was stopped is made after all, and removed by who leads.
    eventually("no pod to be left", || async { Ok((count(&client).await == 0).then_some(())) }).await.unwrap();
    assert_eq!(versions(&client).await, settled);
    let late = writes(&cluster) - before;
    assert!(late <= ON_THEIR_WAY, "{late} requests were made");
}
