//! What an agent does once it has nothing to do.
use anyhow::{Context as _, ensure};
use komputer_crds::v1beta1::TaskPhase;
use komputer_tests::{
    agents::{agent, ready, task},
    node::{Node, eventually},
};
use serde_json::json;

async fn stands(node: &Node, namespace: &str, name: &str, reason: &str) -> anyhow::Result<()> {
    let is_so = |agent: &_| ready(agent).is_some_and(|(_, is, _)| is == reason);
    node.agent_where(namespace, name, is_so).await.map(drop)
}

/// Which of the agent's pod and workspace there are.
async fn children(node: &Node, namespace: &str, name: &str) -> anyhow::Result<Vec<String>> {
    let label = format!("app.kubernetes.io/instance={name}");
    let path = "jsonpath={.items[*].kind}";
    let found =
        node.kubectl(&["get", "pods,persistentvolumeclaims", "-n", namespace, "-l", &label, "-o", path], "").await?;
    Ok(found.split_whitespace().map(str::to_owned).collect())
}

#[tokio::test]
async fn an_idle_agent_sleeps_keeps_its_workspace_and_wakes_for_work() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("idle").await?;
    let mut ada = agent(&namespace, "ada", "<<bash: echo kept > note>> <<text: written>>");
    ada["spec"]["lifecycle"] = json!({ "idleTimeout": "5s" });
    node.apply(&ada).await?;
    node.ended_task(&namespace, "ada").await?;
    stands(&node, &namespace, "ada", "Idle").await?;
    stands(&node, &namespace, "ada", "Sleeping").await?;
    eventually("the pod to go", || async {
        Ok((children(&node, &namespace, "ada").await? == ["PersistentVolumeClaim"]).then_some(()))
    })
    .await?;

    node.apply(&task(&namespace, "read", "ada", "<<bash: cat note>> <<text: read>>")).await?;
    let read = node.task_in(&namespace, "read", TaskPhase::Succeeded).await?;
    let result = read.status.context("a status")?.result.unwrap_or_default();
    ensure!(result.contains("read"), "{result}");
    stands(&node, &namespace, "ada", "Sleeping").await?;
    node.remove_namespace(&namespace).await
}

#[tokio::test]
async fn a_finished_agent_keeps_its_workspace_as_long_as_it_says() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("finished").await?;
    let mut ada = agent(&namespace, "ada", "<<text: done>>");
    ada["spec"]["lifecycle"] = json!({ "afterTask": "Delete", "ttlAfterFinished": "8s" });
    node.apply(&ada).await?;
    let waits = |agent: &_| {
        ready(agent).is_some_and(|(_, is, words)| is == "Finished" && words.contains("its workspace goes at"))
    };
    node.agent_where(&namespace, "ada", waits).await?;
    ensure!(children(&node, &namespace, "ada").await?.contains(&"PersistentVolumeClaim".to_owned()), "it is kept");
    eventually("pod and workspace to go", || async {
        Ok(children(&node, &namespace, "ada").await?.is_empty().then_some(()))
    })
    .await?;
    stands(&node, &namespace, "ada", "Finished").await?;
    node.remove_namespace(&namespace).await
}
