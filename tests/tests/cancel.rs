//! A task that nobody wants any more ends, and the next one runs; what is over goes.
use anyhow::Context;
use komputer_crds::v1beta1::TaskPhase;
use komputer_tests::{
    agents::{ready, task},
    node::Node,
};
use serde_json::json;

/// Longer than any test waits.
const LONG: &str = "<<times: 1000 bash: sleep 0.3; echo {n}>> <<text: too late>>";

#[tokio::test]
async fn a_task_ends_that_is_cancelled_or_deleted() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("cancel").await?;
    node.apply(&json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
        "metadata": { "name": "ada", "namespace": namespace }, "spec": {},
    }))
    .await?;

    let mut first = task(&namespace, "first", "ada", LONG);
    node.apply(&first).await?;
    node.task_in(&namespace, "first", TaskPhase::Running).await?;
    first["spec"]["cancel"] = json!(true);
    node.apply(&first).await?;
    let cancelled = node.task_in(&namespace, "first", TaskPhase::Cancelled).await?.status.context("no status")?;
    assert!(cancelled.completion_time.is_some() && cancelled.result.is_none(), "{cancelled:?}");

    node.apply(&task(&namespace, "second", "ada", LONG)).await?;
    node.task_in(&namespace, "second", TaskPhase::Running).await?;
    node.apply(&task(&namespace, "third", "ada", "<<text: my turn>>")).await?;
    node.kubectl(&["delete", "komputertask", "second", "-n", &namespace], "").await?;
    let third = node.task_in(&namespace, "third", TaskPhase::Succeeded).await?;
    assert_eq!(third.status.and_then(|status| status.result).as_deref(), Some("my turn"));

    let idle = |agent: &_| ready(agent).is_some_and(|(_, reason, _)| reason == "Idle");
    let tasks = node.agent_where(&namespace, "ada", idle).await?.status.context("no status")?.tasks;
    assert_eq!((tasks.cancelled, tasks.succeeded, tasks.failed), (2, 1, 0));
    node.remove_namespace(&namespace).await
}

#[tokio::test]
async fn a_task_replaces_those_before_it_and_goes_when_its_time_is_over() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("replace").await?;
    node.apply(&json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
        "metadata": { "name": "ada", "namespace": namespace }, "spec": {},
    }))
    .await?;
    node.apply(&task(&namespace, "first", "ada", LONG)).await?;
    node.task_in(&namespace, "first", TaskPhase::Running).await?;
    node.apply(&task(&namespace, "second", "ada", "<<text: never>>")).await?;
    let mut third = task(&namespace, "third", "ada", "<<text: instead>>");
    third["spec"]["mode"] = json!("Replace");
    third["spec"]["ttlAfterFinished"] = json!("2s");
    node.apply(&third).await?;

    node.task_in(&namespace, "first", TaskPhase::Cancelled).await?;
    let second = node.task_in(&namespace, "second", TaskPhase::Cancelled).await?.status.context("no status")?;
    assert!(second.start_time.is_none() && second.cost_usd.is_none(), "{second:?}");
    let third = node.task_in(&namespace, "third", TaskPhase::Succeeded).await?;
    assert_eq!(third.status.and_then(|status| status.result).as_deref(), Some("instead"));
    let gone = ["wait", "--for=delete", "komputertask/third", "-n", &namespace, "--timeout=20s"];
    node.kubectl(&gone, "").await?;
    node.remove_namespace(&namespace).await
}
