//! Two things that can be suspended: what Flux does, and what an agent does.
use anyhow::ensure;
use komputer_crds::v1beta1::TaskPhase;
use komputer_tests::{
    agents::{agent, ready, task},
    flux::Repository,
    node::{Node, eventually},
};
use serde_json::json;

#[tokio::test]
async fn a_suspended_kustomization_applies_nothing_and_its_agents_go_on() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("gitops-suspended").await?;
    let repository = Repository::create(&node, &namespace, "fleet").await?;
    repository.write("ada.yaml", agent(&namespace, "ada", "<<text: one>>"))?;
    let kustomization = repository.kustomization("agents", json!({})).await?;
    kustomization.applied(&repository.commit().await?).await?;
    node.ended_task(&namespace, "ada").await?;

    repository.kustomization("agents", json!({ "suspend": true })).await?;
    repository.write("ada.yaml", agent(&namespace, "ada", "<<text: two>>"))?;
    let revision = repository.commit().await?;
    node.apply(&task(&namespace, "work", "ada", "<<text: goes on>>")).await?;
    node.task_in(&namespace, "work", TaskPhase::Succeeded).await?;
    let ada = node.agents(&namespace).get("ada").await?;
    ensure!(ada.metadata.generation == Some(1), "{:?}", ada.spec);
    repository.kustomization("agents", json!({ "suspend": false })).await?;
    kustomization.applied(&revision).await?;
    ensure!(node.agents(&namespace).get("ada").await?.metadata.generation == Some(2));
    node.remove_namespace(&namespace).await
}

#[tokio::test]
async fn an_agent_that_is_suspended_in_git_has_no_pod_and_is_ready() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("gitops-suspended-agent").await?;
    let repository = Repository::create(&node, &namespace, "fleet").await?;
    let mut ada = agent(&namespace, "ada", "<<text: one>>");
    repository.write("ada.yaml", &ada)?;
    let kustomization = repository.kustomization("agents", json!({})).await?;
    kustomization.applied(&repository.commit().await?).await?;
    node.ended_task(&namespace, "ada").await?;

    ada["spec"]["suspend"] = json!(true);
    repository.write("ada.yaml", &ada)?;
    kustomization.applied(&repository.commit().await?).await?;
    let names = |kind: &'static str| {
        let (node, namespace) = (&node, &namespace);
        async move { node.kubectl(&["get", kind, "-n", namespace, "-o", "name"], "").await }
    };
    eventually("the pod to go", || async { Ok(names("pods").await?.is_empty().then_some(())) }).await?;
    ensure!(names("persistentvolumeclaims").await?.contains("ada"), "the workspace is gone");
    let suspended = node.agents(&namespace).get("ada").await?;
    ensure!(
        ready(&suspended).is_some_and(|(status, reason, _)| status == "True" && reason == "Suspended"),
        "{suspended:?}"
    );

    ada["spec"]["suspend"] = json!(false);
    repository.write("ada.yaml", &ada)?;
    kustomization.applied(&repository.commit().await?).await?;
    ensure!(names("pods").await?.contains("ada"), "the pod is not back");
    node.remove_namespace(&namespace).await
}
