use std::{collections::HashMap, time::Duration};

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod, Secret, ServiceAccount};
use komputer_crds::v1beta1::KomputerAgent;
use komputer_tests::node::eventually;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    core::PartialObjectMeta,
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{process, summary::Summary};

/// Applies agents and waits for their pods.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many.
    #[arg(long, default_value_t = 1000)]
    agents: usize,
    /// Writes at the same time, of the applying client and of the bare one.
    #[arg(long, default_value_t = 32)]
    width: usize,
    /// The operator's process, whose CPU and memory are read.
    #[arg(long)]
    operator_pid: u32,
}

const NAMESPACE: &str = "bench";
const PATIENCE: Duration = Duration::from_mins(5);

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = Client::try_default().await?;
    let namespaces = Api::<Namespace>::all(client.clone());
    let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": NAMESPACE } }))?;
    namespaces.create(&PostParams::default(), &namespace).await?;
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), NAMESPACE);
    // Pods are refused until their namespace has it.
    eventually("the namespace's account", || async { Ok(accounts.get_opt("default").await?) }).await?;
    let floor = floor(&client, arguments).await?;
    println!("| measure ({} agents, {} writes at the same time) | |", arguments.agents, arguments.width);
    println!("|---|---|");
    println!("| a bare client writes a volume, a secret and a pod each | {:.1} s |", floor.as_secs_f64());
    measure(&client, arguments).await?;
    namespaces.delete(NAMESPACE, &DeleteParams::default()).await?;
    Ok(())
}

async fn measure(client: &Client, arguments: &Arguments) -> anyhow::Result<()> {
    let before = process::usage(arguments.operator_pid)?;
    let agents = Api::<KomputerAgent>::namespaced(client.clone(), NAMESPACE);
    let pods = tokio::spawn(pods_appear(client.clone(), arguments.agents));
    let start = Instant::now();
    let applied: HashMap<String, Instant> = stream::iter(0..arguments.agents)
        .map(|index| {
            let agents = agents.clone();
            async move {
                let name = format!("agent-{index}");
                let agent = json!({
                    "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
                    "metadata": { "name": name }, "spec": {},
                });
                agents.patch(&name, &PatchParams::apply("bench"), &Patch::Apply(&agent)).await?;
                anyhow::Ok((name, Instant::now()))
            }
        })
        .buffer_unordered(arguments.width)
        .try_collect()
        .await?;
    let all_applied = start.elapsed();
    let seen = tokio::time::timeout(PATIENCE, pods).await.context("not all pods appeared")???;
    let all_pods = seen.values().max().copied().unwrap_or(start).duration_since(start);
    let waits = seen.iter().filter_map(|(name, at)| Some(at.saturating_duration_since(*applied.get(name)?))).collect();
    let waits = Summary::of(waits);
    settle(&agents, arguments.agents).await?;
    let after = process::usage(arguments.operator_pid)?;
    println!("| all agents applied | {:.1} s |", all_applied.as_secs_f64());
    println!("| all pods there | {:.1} s |", all_pods.as_secs_f64());
    println!(
        "| agent to pod p50, p99, max | {:.2} s, {:.2} s, {:.2} s |",
        waits.percentile(50).as_secs_f64(),
        waits.percentile(99).as_secs_f64(),
        waits.max().as_secs_f64()
    );
    println!("| operator CPU until settled | {:.1} s |", after.cpu - before.cpu);
    println!("| operator RSS settled, peak | {:.0} MB, {:.0} MB |", after.resident, after.peak);
    Ok(())
}

/// When each pod was first seen by a watch of its own.
async fn pods_appear(client: Client, count: usize) -> anyhow::Result<HashMap<String, Instant>> {
    let api = Api::<PartialObjectMeta<Pod>>::namespaced(client, NAMESPACE);
    let config = watcher::Config::default().labels("app.kubernetes.io/managed-by=komputer-operator");
    let mut pods = std::pin::pin!(watcher(api, config).applied_objects());
    let mut seen = HashMap::new();
    while seen.len() < count {
        let pod = pods.try_next().await?.context("the watch ended")?;
        seen.entry(pod.name_any()).or_insert_with(Instant::now);
    }
    Ok(seen)
}

/// Waits until every agent has a status that says its pod starts.
async fn settle(agents: &Api<KomputerAgent>, count: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list = agents.list(&ListParams::default()).await?;
        let settled = list.iter().filter(|agent| agent.status.as_ref().is_some_and(|status| status.phase.is_some()));
        if settled.count() == count {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "not all agents got a status");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What an operator must write, written by nobody in particular.
async fn floor(client: &Client, arguments: &Arguments) -> anyhow::Result<Duration> {
    let volumes = Api::<PersistentVolumeClaim>::namespaced(client.clone(), NAMESPACE);
    let secrets = Api::<Secret>::namespaced(client.clone(), NAMESPACE);
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let start = Instant::now();
    stream::iter(0..arguments.agents)
        .map(|index| {
            let (volumes, secrets, pods) = (volumes.clone(), secrets.clone(), pods.clone());
            async move {
                let name = format!("floor-{index}");
                let params = PatchParams::apply("floor").force();
                let (volume, secret) = (Patch::Apply(volume(&name)), Patch::Apply(secret(&name)));
                tokio::try_join!(volumes.patch(&name, &params, &volume), secrets.patch(&name, &params, &secret))?;
                pods.patch(&name, &params, &Patch::Apply(pod(&name))).await?;
                anyhow::Ok(())
            }
        })
        .buffer_unordered(arguments.width)
        .try_collect::<()>()
        .await?;
    let took = start.elapsed();
    let now = DeleteParams::default().grace_period(0);
    pods.delete_collection(&now, &ListParams::default()).await?;
    volumes.delete_collection(&now, &ListParams::default()).await?;
    secrets.delete_collection(&now, &ListParams::default()).await?;
    Ok(took)
}

fn volume(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": name },
        "spec": { "accessModes": ["ReadWriteOncePod"], "resources": { "requests": { "storage": "1Gi" } } },
    })
}

fn secret(name: &str) -> Value {
    let value = "0123456789abcdef0123456789abcdef";
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name },
        "stringData": { "token": value, "redis": value },
    })
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 10001, "fsGroup": 10001, "seccompProfile": { "type": "RuntimeDefault" },
            },
            "volumes": [{ "name": "workspace", "persistentVolumeClaim": { "claimName": name } }],
            "containers": [{
                "name": "agent", "image": "localhost/komputer-agent:dev",
                "env": [{ "name": "TOKEN", "valueFrom": { "secretKeyRef": { "name": name, "key": "token" } } }],
                "volumeMounts": [{ "name": "workspace", "mountPath": "/workspace" }],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] },
                },
            }],
        },
    })
}
