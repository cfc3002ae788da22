use std::{collections::HashMap, time::Duration};

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{Namespace, PersistentVolumeClaim, Pod, Secret, ServiceAccount},
};
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

use crate::{operator::Operator, summary::Summary};

/// Applies agents and waits for their pods.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many.
    #[arg(long, default_value_t = 1000)]
    agents: usize,
    /// Writes at the same time, of the applying client and of the bare one.
    #[arg(long, default_value_t = 32)]
    width: usize,
    /// Where the operator's health and metrics are.
    #[arg(long)]
    health: String,
    /// Those of a second replica.
    #[arg(long)]
    standby_health: String,
    /// The command that starts the operator.
    #[arg(last = true)]
    operator: Vec<String>,
}

const NAMESPACE: &str = "bench";
const PATIENCE: Duration = Duration::from_mins(10);
/// How long a settled operator is watched.
const CALM: Duration = Duration::from_secs(30);

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
    let operator = Operator::start(&arguments.operator, &arguments.health).await?;
    measure(&client, arguments, &operator).await?;
    let operator = restart(arguments, operator).await?;
    hand_over(&client, arguments, operator).await?;
    namespaces.delete(NAMESPACE, &DeleteParams::default()).await?;
    let deadline = Instant::now() + PATIENCE;
    while namespaces.get_opt(NAMESPACE).await?.is_some() {
        ensure!(Instant::now() < deadline, "the namespace does not go");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// An operator that ends, and one that comes after it: how long until it rests, and what it does then.
async fn restart(arguments: &Arguments, operator: Operator) -> anyhow::Result<Operator> {
    let count = arguments.agents.try_into()?;
    operator.stop().await?;
    let operator = Operator::start(&arguments.operator, &arguments.health).await?;
    let steady = operator.rests(count).await?.duration_since(operator.started);
    let (before, used) = (operator.counts().await?, operator.usage()?);
    tokio::time::sleep(CALM).await;
    let (counts, after) = (operator.counts().await?, operator.usage()?);
    let percent = (after.cpu - used.cpu) / CALM.as_secs_f64() * 100.0;
    println!("| a new operator has looked at all and rests after | {:.1} s |", steady.as_secs_f64());
    println!("| of it p99 of one look at an agent, at most | {:.1} ms |", before.looks.percentile(99));
    println!("| its writes until then | {} |", before.all_writes());
    println!("| its memory at rest, peak | {:.0} MB, {:.0} MB |", after.resident, after.peak);
    println!(
        "| its CPU at rest, and its writes, in {} s | {percent:.2} %, {} |",
        CALM.as_secs(),
        counts.since(&before).all_writes()
    );
    Ok(operator)
}

/// A leader that ends while another replica waits: how long until that one leads.
async fn hand_over(client: &Client, arguments: &Arguments, leader: Operator) -> anyhow::Result<()> {
    let leases = Api::<Lease>::namespaced(client.clone(), "komputer-system");
    let standby = Operator::start(&arguments.operator, &arguments.standby_health).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let ends = Instant::now();
    leader.ask_to_end()?;
    let leads =
        |lease: Lease| lease.spec.and_then(|spec| spec.holder_identity) == Some(arguments.standby_health.clone());
    while !leases.get("komputer-operator").await.is_ok_and(leads) {
        ensure!(ends.elapsed() < PATIENCE, "nobody leads");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("| a leader is told to end -> another leads | {:.0} ms |", ends.elapsed().as_secs_f64() * 1_000.0);
    leader.stop().await?;
    standby.stop().await
}

async fn measure(client: &Client, arguments: &Arguments, operator: &Operator) -> anyhow::Result<()> {
    let (before, counted) = (operator.usage()?, operator.counts().await?);
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
    let after = operator.usage()?;
    let counts = operator.counts().await?.since(&counted);
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
    println!("| p99 of one look at an agent, at most | {:.1} ms |", counts.looks.percentile(99));
    println!("| of it until it is decided what to do, at most | {:.1} ms |", counts.decisions.percentile(99));
    println!("| the operator's requests an agent | {:.2} |", each(counts.all_writes(), arguments.agents));
    for (what, count) in counts.writes.iter().filter(|(_, count)| **count > 0) {
        println!("| of them: {what} | {:.2} |", each(*count, arguments.agents));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
fn each(count: u64, agents: usize) -> f64 {
    count as f64 / agents as f64
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
