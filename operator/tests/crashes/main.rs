//! The operator dies before and after everything it does, in every pipeline, and all comes to what it comes to undisturbed.
//!
//! The real operator, apiserver and Redis; the test plays the kubelet and the agents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod mortals;
mod pipelines;
#[path = "../played/mod.rs"]
mod played;
mod record;
#[path = "../running/mod.rs"]
mod running;

use std::time::Duration;

use futures::future::join_all;
use komputer_events::bus::Streams;
use komputer_operator::{status::PROGRESS, step::Step};
use komputer_tests::{cluster::LightCluster, node::eventually};
use kube::Client;
use serde_json::json;
use tokio::task::JoinSet;

use self::{
    mortals::Mortals,
    pipelines::PIPELINES,
    played::{agents::Agents, node, space::Space},
    record::{Births, contents},
    running::{Operator, SYSTEM, prepare},
};

/// What comes of all pipelines in the namespaces whose names begin so, once nothing changes any more.
struct Outcome {
    contents: Vec<Vec<String>>,
    births: Vec<Vec<String>>,
    runs: Vec<Vec<String>>,
}

struct World {
    client: Client,
    streams: Streams,
    agents: Agents,
    births: Births,
    _tasks: JoinSet<()>,
}

impl World {
    async fn new(client: Client, streams: Streams) -> Self {
        let mut tasks = JoinSet::new();
        let agents = Agents::new(streams.clone());
        tasks.spawn(node::run_pods(client.clone(), agents.clone()));
        let births = Births::watch(&client, &mut tasks).await;
        Self { client, streams, agents, births, _tasks: tasks }
    }

    async fn run_all(&self, prefix: &str) {
        let run = |(name, run): pipelines::Pipeline| {
            let space = Space { client: self.client.clone(), namespace: format!("{prefix}-{name}") };
            async move {
                space.create().await;
                space.apply("KomputerAgentTemplate", "default", json!({})).await;
                run(space).await;
            }
        };
        join_all(PIPELINES.map(run)).await;
    }

    async fn contents(&self, prefix: &str) -> Vec<Vec<String>> {
        let of = |(name, _)| {
            let namespace = format!("{prefix}-{name}");
            async move { contents(&self.client, &self.streams, &namespace).await }
        };
        join_all(PIPELINES.map(of)).await
    }

    async fn outcome(&self, prefix: &str) -> Outcome {
        let contents = eventually("nothing to change any more", || async {
            let before = self.contents(prefix).await;
            tokio::time::sleep(PROGRESS + Duration::from_secs(1)).await; // the slowest that a status follows
            Ok((before == self.contents(prefix).await).then_some(before))
        });
        let names = PIPELINES.map(|(name, _)| format!("{prefix}-{name}"));
        Outcome {
            contents: contents.await.unwrap(),
            births: names.iter().map(|name| self.births.of(name)).collect(),
            runs: names.iter().map(|name| self.agents.runs(name)).collect(),
        }
    }
}

impl Outcome {
    /// Fails where the two differ, and says in what.
    fn assert_same(&self, calm: &Self) {
        let aspects = [
            ("births", &calm.births, &self.births),
            ("runs", &calm.runs, &self.runs),
            ("contents", &calm.contents, &self.contents),
        ];
        for (aspect, calm, stormy) in aspects {
            for ((pipeline, _), (calm, stormy)) in PIPELINES.iter().zip(calm.iter().zip(stormy)) {
                let only = |these: &[String], those: &[String]| {
                    these.iter().filter(|line| !those.contains(line)).cloned().collect::<Vec<_>>().join("\n")
                };
                let (before, after) = (only(calm, stormy), only(stormy, calm));
                assert!(calm == stormy, "{aspect} of {pipeline}, calm:\n{before}\nstormy:\n{after}");
            }
        }
    }
}

/// Storms at most: in each, operators die wherever none has died in those before. One is enough, but where two are to die
/// at the same time.
const STORMS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn dying_at_every_step_of_every_pipeline_changes_nothing_of_what_comes_of_it() {
    let cluster = LightCluster::start_with_controllers("crashes").expect("a cluster");
    let redis = prepare(&cluster, &[]);
    redis.ready("komputer-operator").await.unwrap();
    let world = World::new(cluster.client().await.unwrap(), redis.streams("komputer-operator").unwrap()).await;
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": "grows" },
        "provisioner": "komputer.ai/test", "allowVolumeExpansion": true,
    });
    cluster.kubectl(&["apply", "-f", "-"], &class.to_string()).unwrap();

    let graves = tempfile::tempdir().unwrap();
    let mortals = Mortals::new(&cluster, &redis, graves.path());
    let forget = || drop(cluster.try_kubectl(&["delete", "secret", "komputer-keys", "-n", SYSTEM], "").unwrap());
    mortals.provoke(Step::CreateKeys, forget).await;

    let operator = Operator::start(&cluster, &redis, &[]);
    world.run_all("calm").await;
    let calm = world.outcome("calm").await;
    drop(operator);

    let stored = json!({ "status": { "storedVersions": ["v1alpha1", "v1beta1"] } }).to_string();
    let definition = ["patch", "crd", "komputermemories.komputer.komputer.ai", "--subresource=status", "--type=merge"];
    let store_anew = || drop(cluster.kubectl(&[&definition[..], &["-p", &stored]].concat(), "").unwrap());
    mortals.provoke(Step::Store, store_anew).await;
    mortals.provoke(Step::DeclareStored, store_anew).await;
    mortals.provoke(Step::Unlease, || ()).await;

    for storm in 1..=STORMS {
        let mortals = Mortals::new(&cluster, &redis, graves.path());
        let name = format!("storm{storm}");
        let stormy = mortals.until(async {
            world.run_all(&name).await;
            world.outcome(&name).await
        });
        stormy.await.assert_same(&calm);
        println!("{} deaths, none at {:?}", mortals.deaths().len(), mortals.missed());
        if mortals.missed().is_empty() {
            return;
        }
    }
    panic!("there are points at which nobody dies");
}
