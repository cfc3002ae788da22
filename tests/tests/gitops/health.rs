//! What Flux waits for: as long as an agent does, and no longer than a task has a chance.
use anyhow::ensure;
use komputer_tests::{
    agents::{agent, ready, task},
    flux::Repository,
    node::Node,
};
use serde_json::{Value, json};

use crate::history::History;

#[tokio::test]
async fn flux_waits_as_long_as_an_agent_does() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("gitops-waiting").await?;
    let repository = Repository::create(&node, &namespace, "fleet").await?;
    let mut ada = agent(&namespace, "ada", "<<text: here>>");
    ada["spec"]["templateRef"] = json!({ "name": "special" });
    repository.write("ada.yaml", &ada)?;
    let history = History::of(&node, &namespace);
    let kustomization = repository.kustomization("agents", json!({})).await?;
    let revision = repository.commit().await?;
    let waits = |agent: &_| ready(agent).is_some_and(|(_, reason, _)| reason == "DependencyNotReady");
    node.agent_where(&namespace, "ada", waits).await?;
    let said = kustomization.condition("Reconciling", "Running health checks").await?;
    ensure!(said.contains(&revision), "{said}");

    let default = node.kubectl(&["get", "komputeragentclustertemplate", "default", "-o", "json"], "").await?;
    let default: Value = serde_json::from_str(&default)?;
    node.apply(&json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentClusterTemplate",
        "metadata": { "name": "special" }, "spec": default["spec"],
    }))
    .await?;
    let became = async {
        kustomization.applied(&revision).await?;
        history.was_ready_first(&["KomputerAgent/ada".into()], "agents", &revision).await
    }
    .await;
    node.kubectl(&["delete", "komputeragentclustertemplate", "special"], "").await?;
    became?;
    node.remove_namespace(&namespace).await
}

#[tokio::test]
async fn a_failed_task_fails_the_commit_at_once() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("gitops-failed-task").await?;
    let repository = Repository::create(&node, &namespace, "fleet").await?;
    let mut ada = agent(&namespace, "ada", "");
    ada["spec"] = json!({});
    repository.write("ada.yaml", &ada)?;
    let mut report = task(&namespace, "report", "ada", "<<times: 9 bash: echo {n}>> <<text: too late>>");
    report["spec"]["maxTurns"] = json!(2);
    repository.write("report.yaml", &report)?;
    // Far more than the test waits: Flux is to give up before.
    let kustomization = repository.kustomization("agents", json!({ "timeout": "1h" })).await?;
    let said = kustomization.failed(&repository.commit().await?).await?;
    ensure!(said.contains("KomputerTask/gitops-failed-task/report status: 'Failed'"), "{said}");

    repository.remove("report.yaml")?;
    kustomization.applied(&repository.commit().await?).await?;
    node.remove_namespace(&namespace).await
}
