//! Whatever is deleted, in whichever order, with the operator up or down: nothing stays behind, and namespaces go.
//!
//! The real operator, apiserver, garbage collector and Redis; the test plays the kubelet and the agents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod doomed;
#[path = "../played/mod.rs"]
mod played;
#[path = "../running/mod.rs"]
mod running;

use std::time::Duration;

use futures::future::join_all;
use komputer_events::bus::Streams;
use komputer_tests::{cluster::LightCluster, node::eventually, redis::Redis};
use kube::Client;
use tokio::task::JoinSet;

use self::{
    doomed::Doomed,
    played::{agents::Agents, node, space::Space},
    running::{Operator, prepare},
};

/// Orders that are tried with each kind of operator.
const ORDERS: u64 = 3;

struct World {
    _tasks: JoinSet<()>,
    cluster: LightCluster,
    redis: Redis,
    client: Client,
    streams: Streams,
}

impl World {
    async fn start() -> Self {
        let cluster = LightCluster::start_with_controllers("deletions").expect("a cluster");
        let redis = prepare(&cluster, &[]);
        redis.ready("komputer-operator").await.unwrap();
        let client = cluster.client().await.unwrap();
        let streams = redis.streams("komputer-operator").unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(node::run_pods(client.clone(), Agents::new(streams.clone())));
        Self { _tasks: tasks, cluster, redis, client, streams }
    }

    fn operator(&self) -> Operator {
        Operator::start(&self.cluster, &self.redis, &[])
    }

    /// Namespaces with one of everything, at rest.
    async fn spaces(&self, prefix: &str) -> Vec<Doomed> {
        let space = |order| async move {
            let space = Space { client: self.client.clone(), namespace: format!("{prefix}-{order}") };
            let doomed = Doomed { space, order };
            doomed.fill().await;
            doomed
        };
        join_all((0..ORDERS).map(space)).await
    }

    /// Waits until Redis keeps nothing of what agents have cost.
    async fn nothing_is_kept(&self) {
        eventually("Redis to keep nothing", || async {
            let mut connection = self.streams.connection();
            let kept: Vec<String> = redis::cmd("KEYS").arg("komputer-spend:*").query_async(&mut connection).await?;
            if kept.is_empty() { Ok(Some(())) } else { Err(anyhow::anyhow!("it keeps {kept:?}")) }
        })
        .await
        .unwrap();
    }

    /// Waits until Redis knows nobody of these namespaces.
    async fn redis_has_forgotten(&self, prefix: &str) {
        eventually(&format!("Redis to forget {prefix}"), || async {
            let mut connection = self.streams.connection();
            let mut known: Vec<String> = redis::cmd("ACL").arg("USERS").query_async(&mut connection).await?;
            known.extend(redis::cmd("KEYS").arg("*").query_async::<Vec<String>>(&mut connection).await?);
            known.retain(|known| known.contains(&format!(":{prefix}-")));
            if known.is_empty() { Ok(Some(())) } else { Err(anyhow::anyhow!("it knows {known:?}")) }
        })
        .await
        .unwrap();
    }
}

async fn delete_all(spaces: &[Doomed]) {
    join_all(spaces.iter().map(Doomed::delete)).await;
}

async fn all_are_gone(spaces: &[Doomed]) {
    join_all(spaces.iter().map(Doomed::is_gone)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_deleted_leaves_nothing_behind_and_no_namespace_stays() {
    let world = World::start().await;
    let mut operator = world.operator();
    eventually("it to lead", || async { Ok(operator.leads().await.then_some(())) }).await.unwrap();
    let (up, dying, down) = tokio::join!(world.spaces("up"), world.spaces("dying"), world.spaces("down"));

    // While it runs, and while it dies now and then.
    delete_all(&up).await;
    all_are_gone(&up).await;
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let deletion = async {
        delete_all(&dying).await;
        all_are_gone(&dying).await;
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let dies = async {
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(700)).await;
            drop(std::mem::replace(&mut operator, world.operator()));
        }
    };
    tokio::join!(deletion, dies);

    // While it is away: all goes without it, but for what Redis knows.
    drop(operator);
    delete_all(&down).await;
    all_are_gone(&down).await;
    let operator = world.operator();
    for prefix in ["up", "dying", "down"] {
        world.redis_has_forgotten(prefix).await;
    }
    world.nothing_is_kept().await;
    drop(operator);
}
