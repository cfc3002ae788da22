//! A settled cluster is silent: nobody of ours writes, whatever the number of agents.
use std::time::Duration;

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use komputer_tests::{
    agents::{agent, ready},
    node::{Node, eventually},
};
use kube::{ResourceExt, api::ListParams};
use serde_json::Value;

const AGENTS: usize = 100;
const QUIET: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_hundred_settled_agents_cost_no_write() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("silence").await?;
    stream::iter(0..AGENTS)
        .map(|index| {
            let mut agent = agent(&namespace, &format!("quiet-{index}"), "");
            agent["spec"] = serde_json::json!({});
            let node = node.clone();
            async move { node.apply(&agent).await.map(drop) }
        })
        .buffer_unordered(4)
        .try_collect::<()>()
        .await?;
    let agents = node.agents(&namespace);
    for _ in 0..6 {
        let settled = eventually("all agents to be awake", || async {
            let list = agents.list(&ListParams::default()).await?;
            let waiting: Vec<_> = list
                .iter()
                .filter(|agent| ready(agent).is_none_or(|(_, reason, _)| reason != "Idle"))
                .map(ResourceExt::name_any)
                .collect();
            if waiting.is_empty() { Ok(Some(())) } else { Err(anyhow::anyhow!("{} wait", waiting.len())) }
        });
        if settled.await.is_ok() {
            break;
        }
    }
    let audit = node.log("audit").await?;
    // Progress is written every five seconds at most; after ten there is none left.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let start = std::fs::metadata(&audit)?.len();
    tokio::time::sleep(QUIET).await;
    let log = std::fs::read(&audit)?;
    let new =
        String::from_utf8_lossy(log.get(usize::try_from(start)?..).context("the audit log was cut")?).into_owned();
    let ours: Vec<String> = new.lines().filter_map(write_of_ours).collect();
    assert_eq!(ours, Vec::<String>::new());
    node.remove_namespace(&namespace).await
}

/// A write by one of our service accounts, except the one that says who leads.
fn write_of_ours(line: &str) -> Option<String> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let user = entry["user"]["username"].as_str()?;
    let resource = entry["objectRef"]["resource"].as_str().unwrap_or_default();
    let ours = user.starts_with("system:serviceaccount:komputer-system:komputer-");
    (ours && resource != "leases")
        .then(|| format!("{user} {} {resource} {}", entry["verb"], entry["objectRef"]["name"]))
}
