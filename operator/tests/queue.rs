//! Limits of how many agents are awake: the real operator, killed now and then, and every pod as the apiserver tells of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod running;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use komputer_crds::v1beta1::{AgentPhase, KomputerAgent, KomputerAgentTemplate};
use komputer_tests::{cluster::LightCluster, node::eventually};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::json;

use self::running::{Operator, prepare};

/// Agents of a template that lets three be awake are of one namespace, those of one without a limit of the other.
const LIMITED: &str = "limited";
const FREE: &str = "free";

/// Which pods there were, at every version that a watch told of.
#[derive(Clone, Debug, Default)]
struct Seen {
    now: BTreeSet<(String, String)>,
    came: Vec<String>,
    most: usize,
    most_limited: usize,
}

impl Seen {
    fn take(&mut self, event: WatchEvent<Pod>) {
        match event {
            WatchEvent::Added(pod) => {
                self.now.insert((pod.namespace().unwrap(), pod.name_any()));
                self.came.push(pod.name_any());
            }
            WatchEvent::Deleted(pod) => drop(self.now.remove(&(pod.namespace().unwrap(), pod.name_any()))),
            WatchEvent::Modified(_) => {}
            other => panic!("the watch ended: {other:?}"),
        }
        self.most = self.most.max(self.now.len());
        self.most_limited = self.most_limited.max(self.of(LIMITED).len());
    }

    fn of(&self, namespace: &str) -> Vec<String> {
        self.now.iter().filter(|(of, _)| of == namespace).map(|(_, name)| name.clone()).collect()
    }
}

async fn watch(client: &Client) -> Arc<Mutex<Seen>> {
    let pods = Api::<Pod>::all(client.clone());
    let version = pods.list_metadata(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let kept = seen.clone();
    tokio::spawn(async move {
        let mut events = pods.watch(&WatchParams::default().timeout(290), &version).await.unwrap().boxed();
        while let Some(event) = events.try_next().await.unwrap() {
            kept.lock().unwrap().take(event);
        }
    });
    seen
}

/// Waits until the pods of the namespace are those of these agents.
async fn awake(seen: &Arc<Mutex<Seen>>, namespace: &str, expected: &[&str]) {
    eventually(&format!("pods of {expected:?}"), || async {
        let now = seen.lock().unwrap().of(namespace);
        if now == expected { Ok(Some(())) } else { Err(anyhow::anyhow!("there are {now:?}")) }
    })
    .await
    .unwrap();
}

async fn queued(agents: &Api<KomputerAgent>, name: &str, position: i32, word: &str) {
    eventually(&format!("{name} to be at position {position}"), || async {
        let status = agents.get(name).await?.status.unwrap_or_default();
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
        let says = ready.is_some_and(|ready| ready.message.contains(word));
        let is_so = (status.phase, status.queue_position) == (Some(AgentPhase::Queued), Some(position)) && says;
        if is_so { Ok(Some(())) } else { Err(anyhow::anyhow!("it says {status:?}")) }
    })
    .await
    .unwrap();
}

async fn create(client: &Client, namespace: &str, name: &str, priority: i32) {
    let agent = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "metadata": { "name": name },
        "spec": { "templateRef": { "name": "some" }, "priority": priority },
    });
    let agents = Api::<KomputerAgent>::namespaced(client.clone(), namespace);
    agents.create(&PostParams::default(), &serde_json::from_value(agent).unwrap()).await.unwrap();
}

async fn suspend(agents: &Api<KomputerAgent>, name: &str, suspend: bool) {
    let patch = Patch::Merge(json!({ "spec": { "suspend": suspend } }));
    agents.patch(name, &PatchParams::default(), &patch).await.unwrap();
}

async fn limit(client: &Client, namespace: &str, limit: u32) {
    let template = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentTemplate", "metadata": { "name": "some" },
        "spec": { "maxConcurrentAgents": limit },
    });
    let templates = Api::<KomputerAgentTemplate>::namespaced(client.clone(), namespace);
    templates.patch("some", &PatchParams::apply("test"), &Patch::Apply(&template)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_are_awake_than_may_be_and_each_starts_in_its_turn() {
    let cluster = LightCluster::start_with_controllers("queue").expect("a cluster");
    let redis = prepare(&cluster, &[LIMITED, FREE]);
    let client = cluster.client().await.unwrap();
    let agents = Api::<KomputerAgent>::namespaced(client.clone(), LIMITED);
    let start = |arguments: &[&str]| Operator::start(&cluster, &redis, arguments);
    let seen = watch(&client).await;
    limit(&client, LIMITED, 3).await;
    limit(&client, FREE, 0).await;
    for index in 0..20 {
        create(&client, LIMITED, &format!("a{index:02}"), if index == 17 { 5 } else { 0 }).await;
    }

    // The order decides, and not who is looked at first.
    let mut operator = start(&[]);
    awake(&seen, LIMITED, &["a00", "a01", "a17"]).await;
    queued(&agents, "a02", 1, "spec.maxConcurrentAgents").await;
    queued(&agents, "a12", 20, "template some").await;

    // A place comes free: one sleeps, one is deleted; one that is ahead leaves.
    suspend(&agents, "a17", true).await;
    awake(&seen, LIMITED, &["a00", "a01", "a02"]).await;
    queued(&agents, "a03", 1, "template some").await;
    suspend(&agents, "a03", true).await;
    queued(&agents, "a04", 1, "template some").await;
    agents.delete("a00", &DeleteParams::default()).await.unwrap();
    awake(&seen, LIMITED, &["a01", "a02", "a04"]).await;

    // The operator dies at any moment.
    for (sleeps, wakes, expected) in [
        ("a01", "a17", ["a02", "a04", "a17"]),
        ("a02", "a03", ["a03", "a04", "a17"]),
        ("a04", "a01", ["a01", "a03", "a17"]),
    ] {
        suspend(&agents, wakes, false).await;
        suspend(&agents, sleeps, true).await;
        drop(operator);
        operator = start(&[]);
        awake(&seen, LIMITED, &expected).await;
    }

    // The limit is raised; lowered, it stops nobody.
    limit(&client, LIMITED, 4).await;
    awake(&seen, LIMITED, &["a01", "a03", "a05", "a17"]).await;
    limit(&client, LIMITED, 3).await;
    queued(&agents, "a06", 1, "3 of the agents").await;
    suspend(&agents, "a01", true).await;
    awake(&seen, LIMITED, &["a03", "a05", "a17"]).await;
    assert_eq!(seen.lock().unwrap().most_limited, 4);

    // Of all namespaces, each gets its share.
    drop(operator);
    for index in 0..5 {
        create(&client, FREE, &format!("b{index}"), 0).await;
    }
    operator = start(&["--max-awake-agents", "4"]);
    awake(&seen, FREE, &["b0"]).await;
    let free = Api::<KomputerAgent>::namespaced(client.clone(), FREE);
    queued(&free, "b1", 1, "--max-awake-agents").await;
    suspend(&agents, "a17", true).await;
    awake(&seen, FREE, &["b0", "b1"]).await;
    awake(&seen, LIMITED, &["a03", "a05"]).await;
    queued(&agents, "a06", 1, "--max-awake-agents").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(operator);
    let seen = seen.lock().unwrap().clone();
    assert_eq!((seen.most, seen.most_limited), (4, 4), "{:?}", seen.came);
}
