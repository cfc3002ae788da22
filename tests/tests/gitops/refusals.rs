//! A commit that is refused: people read why in the Kustomization, and nothing else happens.
use std::collections::BTreeMap;

use anyhow::ensure;
use komputer_crds::v1beta1::TaskPhase;
use komputer_tests::{
    agents::{agent, task},
    flux::{Kustomization, Repository},
    node::{Node, eventually},
};
use serde_json::{Value, json};

/// Longer than any test waits.
const LONG: &str = "<<times: 1000 bash: sleep 0.3; echo {n}>> <<text: too late>>";

/// What bob.yaml becomes, and what Flux is to say of it.
fn mistakes(namespace: &str) -> [(&'static str, String, &'static str); 5] {
    let bob = |field: &str, value: Value| {
        let mut bob = agent(namespace, "bob", "<<text: here>>");
        bob["spec"][field] = value;
        bob.to_string()
    };
    [
        (
            "what the webhook refuses",
            bob("podTemplate", json!({ "spec": { "hostNetwork": true } })),
            "spec.podTemplate.spec.hostNetwork: Forbidden: it puts the agent on the node's network, past every NetworkPolicy; remove it",
        ),
        (
            "what the schema refuses",
            bob("model", json!("claude sonnet; latest")),
            "must be a model's name like claude-sonnet-4-6, of letters, digits and . _ : / @ -; correct it, or remove it for the default",
        ),
        (
            "a field that there is not",
            bob("instruction", json!("?")),
            ".spec.instruction: field not declared in schema",
        ),
        (
            "a change of what cannot change",
            task(namespace, "work", "ada", "<<text: something else>>").to_string(),
            "instructions is immutable; create a new task instead",
        ),
        ("what is no YAML", "\tkind: {".into(), "bob.yaml"),
    ]
}

#[tokio::test]
async fn a_refused_value_is_told_in_our_words_and_loses_nothing() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("gitops-refusals").await?;
    let repository = Repository::create(&node, &namespace, "fleet").await?;
    let mut ada = agent(&namespace, "ada", "");
    ada["spec"] = json!({});
    repository.write("ada.yaml", &ada)?;
    repository.write("bob.yaml", agent(&namespace, "bob", "<<text: here>>"))?;
    repository.write("eve.yaml", agent(&namespace, "eve", "<<text: here>>"))?;
    let kustomization = repository.kustomization("agents", json!({})).await?;
    kustomization.applied(&repository.commit().await?).await?;
    // Not in the repository, so that Flux does not wait for its end.
    node.apply(&task(&namespace, "work", "ada", LONG)).await?;
    node.task_in(&namespace, "work", TaskPhase::Running).await?;
    for agent in ["bob", "eve"] {
        node.ended_task(&namespace, agent).await?;
    }
    let stored = async || anyhow::Ok((pods(&node, &namespace).await?, at_rest(&kustomization).await?));
    let before = stored().await?;

    for (what, content, expected) in mistakes(&namespace) {
        repository.write("bob.yaml", content)?;
        repository.write("zoe.yaml", agent(&namespace, "zoe", "<<text: new>>"))?;
        let said = kustomization.failed(&repository.commit().await?).await?;
        ensure!(said.contains(expected), "{what}: {said}");
    }
    ensure!(node.agents(&namespace).get_opt("zoe").await?.is_none(), "a part of a refused commit was applied");
    let after = stored().await?;
    ensure!(after == before, "{before:?} became {after:?}");
    let turns = async || anyhow::Ok(node.tasks(&namespace).get("work").await?.status.and_then(|status| status.turns));
    let done = turns().await?;
    eventually("the work to go on", || async { Ok((turns().await? > done).then_some(())) }).await?;

    repository.write("bob.yaml", agent(&namespace, "bob", "<<text: here>>"))?;
    kustomization.applied(&repository.commit().await?).await?;
    node.ended_task(&namespace, "zoe").await?;
    node.remove_namespace(&namespace).await
}

/// The pods of a namespace, each with the times that it was started again.
async fn pods(node: &Node, namespace: &str) -> anyhow::Result<String> {
    let columns = "jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount}{\"\\n\"}{end}";
    node.kubectl(&["get", "pods", "-n", namespace, "-o", columns], "").await
}

/// The versions of what was applied, but of ada, who works.
async fn at_rest(kustomization: &Kustomization) -> anyhow::Result<BTreeMap<String, String>> {
    let mut versions = kustomization.resource_versions().await?;
    versions.retain(|id, _| !id.contains("_ada_"));
    Ok(versions)
}
