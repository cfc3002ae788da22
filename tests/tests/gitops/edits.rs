//! An edit is applied once, and then there is nothing left to apply.
use anyhow::{Context, bail, ensure};
use komputer_crds::v1beta1::KomputerAgent;
use komputer_tests::{
    agents::{agent, ready},
    flux::Repository,
    node::Node,
};
use serde_json::json;

use crate::drift::nothing_drifts;

const UPSTREAMS: &str = include_str!("../../fixtures/upstream/hello-world.yaml");

#[tokio::test]
async fn an_edit_is_applied_once_and_nothing_drifts() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("gitops-edits").await?;
    let repository = Repository::create(&node, &namespace, "fleet").await?;
    repository.write("ada.yaml", agent(&namespace, "ada", "<<text: one>>"))?;
    repository.write("bob.yaml", agent(&namespace, "bob", "<<text: here>>"))?;
    let old = |greeting: &str| {
        let named = UPSTREAMS.replace("name: hello-world", &format!("name: old\n  namespace: {namespace}"));
        named.replace("Greet the reader", greeting)
    };
    repository.write("old.yaml", old("Greet the reader"))?;
    let kustomization = repository.kustomization("agents", json!({})).await?;
    kustomization.applied(&repository.commit().await?).await?;
    for name in ["ada", "bob", "old"] {
        node.ended_task(&namespace, name).await?;
    }
    nothing_drifts(&node, &namespace, &kustomization).await?;

    let applied = kustomization.applications().await?.len();
    repository.write("ada.yaml", agent(&namespace, "ada", "<<text: two>>"))?;
    repository.write("old.yaml", old("Greet both readers"))?;
    kustomization.applied(&repository.commit().await?).await?;
    let second = |agent: &KomputerAgent| {
        agent.status.as_ref().is_some_and(|status| status.tasks.succeeded == 2)
            && ready(agent).is_some_and(|(_, reason, _)| reason == "Idle")
    };
    for name in ["ada", "old"] {
        let agent = node.agent_where(&namespace, name, second).await?;
        ensure!(agent.metadata.generation == Some(2), "{:?}", agent.metadata);
    }

    let applications = kustomization.applications().await?.split_off(applied);
    let [application] = &applications[..] else { bail!("one commit was applied as {applications:?}") };
    for (name, expected) in [("ada", "configured"), ("bob", "unchanged"), ("old", "configured")] {
        let action = application.get(&format!("KomputerAgent/{namespace}/{name}")).context("not applied")?;
        ensure!(action == expected, "{name} is {action}");
    }
    nothing_drifts(&node, &namespace, &kustomization).await?;
    node.remove_namespace(&namespace).await
}
