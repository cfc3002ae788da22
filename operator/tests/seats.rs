//! Squads: the real operator at a real apiserver; the test is the kubelet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod running;

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use komputer_crds::v1beta1::{KomputerAgent, KomputerSquad};
use komputer_tests::{cluster::LightCluster, node::eventually};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use self::running::{Operator, prepare};

const NAMESPACE: &str = "team";

/// What a test sees and does.
struct Team {
    agents: Api<KomputerAgent>,
    squads: Api<KomputerSquad>,
    pods: Api<Pod>,
    volumes: Api<PersistentVolumeClaim>,
}

impl Team {
    fn new(client: &Client) -> Self {
        Self {
            agents: Api::namespaced(client.clone(), NAMESPACE),
            squads: Api::namespaced(client.clone(), NAMESPACE),
            pods: Api::namespaced(client.clone(), NAMESPACE),
            volumes: Api::namespaced(client.clone(), NAMESPACE),
        }
    }

    async fn agent(&self, name: &str, spec: Value) {
        let agent = object("KomputerAgent", name, &spec);
        self.agents.patch(name, &PatchParams::apply("test"), &Patch::Apply(agent)).await.unwrap();
    }

    async fn squad(&self, name: &str, spec: Value) {
        let squad = object("KomputerSquad", name, &spec);
        self.squads.patch(name, &PatchParams::apply("test"), &Patch::Apply(squad)).await.unwrap();
    }

    /// Waits until the pods of the namespace are these, with these containers.
    async fn pods(&self, expected: &[(&str, &[&str])]) {
        let expected: BTreeMap<String, Vec<String>> = expected
            .iter()
            .map(|(pod, containers)| ((*pod).to_owned(), containers.iter().map(ToString::to_string).collect()))
            .collect();
        eventually(&format!("pods {expected:?}"), || async {
            let pods = self.pods.list(&ListParams::default()).await?;
            let now: BTreeMap<_, Vec<_>> = pods.iter().map(|pod| (pod.name_any(), containers(pod))).collect();
            assert!(never_twice(&pods.items), "two pods have one workspace: {now:?}");
            if now == expected { Ok(Some(())) } else { Err(anyhow::anyhow!("there are {now:?}")) }
        })
        .await
        .unwrap();
    }

    /// The kubelet: these containers of the pod are ready.
    async fn ready(&self, pod: &str, containers: &[&str]) {
        let container = |name: &&str| {
            json!({
                "name": name, "ready": true, "image": "i", "imageID": "i", "restartCount": 0,
                "state": { "running": {} },
            })
        };
        let statuses: Vec<_> = containers.iter().map(container).collect();
        let status = json!({ "status": { "phase": "Running", "podIP": "127.0.0.1", "containerStatuses": statuses } });
        self.pods.patch_status(pod, &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    }

    async fn squad_says(&self, name: &str, reason: &str, words: &str) {
        eventually(&format!("squad {name} to be {reason}"), || async {
            let status = self.squads.get(name).await?.status.unwrap_or_default();
            let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
            let is_so = ready.is_some_and(|ready| ready.reason == reason && ready.message.contains(words));
            if is_so { Ok(Some(())) } else { Err(anyhow::anyhow!("it says {status:?}")) }
        })
        .await
        .unwrap();
    }

    async fn agent_says(&self, name: &str, reason: &str, pod: Option<&str>) {
        eventually(&format!("agent {name} to be {reason} in {pod:?}"), || async {
            let status = self.agents.get(name).await?.status.unwrap_or_default();
            let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
            let is_so = ready.is_some_and(|ready| ready.reason == reason) && status.pod_name.as_deref() == pod;
            if is_so { Ok(Some(())) } else { Err(anyhow::anyhow!("it says {status:?}")) }
        })
        .await
        .unwrap();
    }
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": kind,
        "metadata": { "name": name, "namespace": NAMESPACE }, "spec": spec,
    })
}

fn members(names: &[&str]) -> Value {
    names.iter().map(|name| json!({ "name": name })).collect()
}

fn containers(pod: &Pod) -> Vec<String> {
    pod.spec.iter().flat_map(|spec| &spec.containers).map(|container| container.name.clone()).collect()
}

/// Whether no workspace is in two pods.
fn never_twice(pods: &[Pod]) -> bool {
    let volumes = pods.iter().flat_map(|pod| pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()));
    let mut claims: Vec<_> =
        volumes.filter_map(|volume| Some(&volume.persistent_volume_claim.as_ref()?.claim_name)).collect();
    let all = claims.len();
    claims.sort();
    claims.dedup();
    claims.len() == all
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_join_and_leave_and_outlive_their_squads() {
    let cluster = LightCluster::start_with_controllers("seats").expect("a cluster");
    let redis = prepare(&cluster, &[NAMESPACE]);
    let client = cluster.client().await.unwrap();
    let team = Team::new(&client);
    let template = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentClusterTemplate",
        "metadata": { "name": "default" }, "spec": {},
    });
    cluster.kubectl(&["apply", "-f", "-"], &template.to_string()).unwrap();
    let operator = Operator::start(&cluster, &redis, &[]);

    // Two that run alone join.
    team.agent("ada", json!({})).await;
    team.agent("bob", json!({})).await;
    team.pods(&[("ada", &["agent"]), ("bob", &["agent"])]).await;
    team.squad("crew", json!({ "members": members(&["ada", "bob"]) })).await;
    team.pods(&[("crew-squad", &["ada", "bob"])]).await;
    team.agent_says("ada", "Starting", Some("crew-squad")).await;
    team.ready("crew-squad", &["ada"]).await;
    team.agent_says("ada", "Idle", Some("crew-squad")).await;
    team.agent_says("bob", "Starting", Some("crew-squad")).await;
    team.ready("crew-squad", &["ada", "bob"]).await;
    team.squad_says("crew", "Running", "").await;

    // A third joins that the squad makes; it goes when it leaves the list.
    let made =
        json!({ "members": [{ "name": "ada" }, { "name": "bob" }, { "name": "cyd", "template": { "model": "m" } }] });
    team.squad("crew", made).await;
    team.pods(&[("crew-squad", &["ada", "bob", "cyd"])]).await;
    team.squad("crew", json!({ "members": members(&["ada", "bob"]) })).await;
    team.pods(&[("crew-squad", &["ada", "bob"])]).await;
    eventually("cyd to go", || async { Ok(team.agents.get_opt("cyd").await?.is_none().then_some(())) }).await.unwrap();

    // Another squad cannot have one of them, until it leaves the first.
    tokio::time::sleep(Duration::from_secs(1)).await; // creation times are of whole seconds
    team.squad("younger", json!({ "members": members(&["bob"]) })).await;
    team.squad_says("younger", "Conflicted", "KomputerSquad crew is older and has bob").await;
    team.squad("crew", json!({ "members": members(&["ada"]) })).await;
    team.pods(&[("crew-squad", &["ada"]), ("younger-squad", &["bob"])]).await;
    team.ready("younger-squad", &["bob"]).await;
    team.squad_says("younger", "Running", "").await;

    // Who is suspended has no container; who is alone in it takes the pod along.
    let suspend = Patch::Merge(json!({ "spec": { "suspend": true } }));
    team.agents.patch("bob", &PatchParams::default(), &suspend).await.unwrap();
    team.pods(&[("crew-squad", &["ada"])]).await;
    team.squad_says("younger", "Sleeping", "").await;

    // Broken up, they go on alone.
    team.squad("crew", json!({ "members": members(&["ada"]), "breakUp": true })).await;
    team.pods(&[("ada", &["agent"])]).await;
    team.squad_says("crew", "BrokenUp", "").await;
    team.squad("crew", json!({ "members": members(&["ada"]), "breakUp": false })).await;
    team.pods(&[("crew-squad", &["ada"])]).await;

    // Deleted, it leaves them all they had.
    let volume = team.volumes.get("ada").await.unwrap().uid();
    team.squads.delete("crew", &DeleteParams::default()).await.unwrap();
    team.pods(&[("ada", &["agent"])]).await;
    assert_eq!(team.volumes.get("ada").await.unwrap().uid(), volume);

    // One that nobody is a member of goes, and another operator sees to it.
    team.squad("nobodys", json!({ "members": members(&["nobody"]), "orphanTTL": "3s" })).await;
    team.squad_says("nobodys", "DependencyNotReady", "by spec.orphanTTL").await;
    drop(operator);
    let operator = Operator::start(&cluster, &redis, &[]);
    eventually("the squad to go", || async { Ok(team.squads.get_opt("nobodys").await?.is_none().then_some(())) })
        .await
        .unwrap();
    drop(operator);
}
