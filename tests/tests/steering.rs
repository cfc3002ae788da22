//! What is said to an agent in the middle of its task, and conversations that are summarised by request.
use anyhow::Context;
use komputer_crds::v1beta1::{KomputerTask, KomputerTaskStatus, TaskPhase};
use komputer_tests::{agents::task, node::Node};
use kube::ResourceExt;
use serde_json::json;

/// Longer than any test waits.
const LONG: &str = "<<times: 1000 bash: sleep 0.3; echo {n}>> <<text: too late>>";

fn status(task: KomputerTask) -> anyhow::Result<KomputerTaskStatus> {
    task.status.context("no status")
}

#[tokio::test]
async fn a_task_is_read_in_the_middle_of_another_and_one_for_an_idle_agent_is_its_own() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("steering").await?;
    node.apply(&json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
        "metadata": { "name": "ada", "namespace": namespace }, "spec": {},
    }))
    .await?;
    let steering = |name: &str, script: &str| {
        let mut task = task(&namespace, name, "ada", script);
        task["spec"]["mode"] = json!("Steer");
        task
    };
    node.apply(&task(&namespace, "first", "ada", LONG)).await?;
    node.task_in(&namespace, "first", TaskPhase::Running).await?;
    node.apply(&steering("second", "<<text: as you say>>")).await?;
    let first = node.task_in(&namespace, "first", TaskPhase::Succeeded).await?;
    let second = status(node.task_in(&namespace, "second", TaskPhase::Succeeded).await?)?;
    assert_eq!((second.steered_task_uid, second.cost_usd.as_deref()), (first.uid(), Some("0.0000")));
    let first = status(first)?;
    assert_eq!((first.result.as_deref(), second.result.as_deref()), (Some("as you say"), Some("as you say")));

    node.apply(&steering("third", "<<text: by myself>>")).await?;
    let third = status(node.task_in(&namespace, "third", TaskPhase::Succeeded).await?)?;
    assert_eq!((third.steered_task_uid, third.result.as_deref()), (None, Some("by myself")));
    assert!(third.cost_usd.is_some_and(|cost| cost != "0.0000"));
    node.remove_namespace(&namespace).await
}

#[tokio::test]
async fn a_conversation_is_summarised_in_its_turn() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("compaction").await?;
    node.apply(&json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
        "metadata": { "name": "ada", "namespace": namespace }, "spec": {},
    }))
    .await?;
    node.apply(&task(&namespace, "first", "ada", "<<bash: echo one>><<text: done>>")).await?;
    node.task_in(&namespace, "first", TaskPhase::Succeeded).await?;
    node.apply(&json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerTask",
        "metadata": { "namespace": namespace, "name": "compact" },
        "spec": { "agentRef": { "name": "ada" }, "compact": true },
    }))
    .await?;
    let compacted = status(node.task_in(&namespace, "compact", TaskPhase::Succeeded).await?)?;
    assert!(compacted.result.as_deref().is_some_and(|result| result.contains("tokens before")), "{compacted:?}");
    node.apply(&task(&namespace, "last", "ada", "<<text: and on it goes>>")).await?;
    let last = status(node.task_in(&namespace, "last", TaskPhase::Succeeded).await?)?;
    assert_eq!((last.result.as_deref(), last.session_id), (Some("and on it goes"), compacted.session_id));
    node.remove_namespace(&namespace).await
}
