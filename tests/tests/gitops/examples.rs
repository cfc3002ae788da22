//! The examples, committed as they are.
use std::{fs, path::Path};

use anyhow::ensure;
use komputer_tests::{agents::meddlers, flux::Repository, node::Node};
use kube::{ResourceExt, api::ListParams};
use serde_json::json;

use crate::{drift::nothing_drifts, history::History};

const CHILDREN: &str = "pods,persistentvolumeclaims,secrets,serviceaccounts,networkpolicies";

#[tokio::test]
async fn the_examples_become_healthy_and_flux_says_so_no_earlier() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("gitops-examples").await?;
    let repository = Repository::create(&node, &namespace, "fleet").await?;
    for example in examples()? {
        repository.copy(&format!("examples/{example}"), &example).await?;
    }
    let history = History::of(&node, &namespace);
    let kustomization = repository.kustomization("examples", json!({ "targetNamespace": namespace })).await?;
    let revision = repository.commit().await?;
    kustomization.applied(&revision).await?;
    let applied = kustomization.applications().await?;
    ensure!(applied.len() == 1, "it was applied more than once: {applied:?}");
    let of_namespace = format!("/{namespace}/");
    let objects: Vec<String> = applied[0].keys().map(|object| object.replace(&of_namespace, "/")).collect();
    history.was_ready_first(&objects, "examples", &revision).await?;

    nothing_drifts(&node, &namespace, &kustomization).await?;
    for agent in node.agents(&namespace).list(&ListParams::default()).await? {
        // One that a squad makes is the operator's.
        let is_applied = agent.owner_references().is_empty();
        ensure!(!is_applied || meddlers(&agent).is_empty(), "{}: {:?}", agent.name_any(), meddlers(&agent));
    }
    let selector = "kustomize.toolkit.fluxcd.io/name";
    let labelled = node.kubectl(&["get", CHILDREN, "-n", &namespace, "-l", selector, "-o", "name"], "").await?;
    ensure!(labelled.is_empty(), "Flux would prune what it did not apply: {labelled}");
    node.remove_namespace(&namespace).await
}

/// The directories of examples that stand for themselves.
fn examples() -> anyhow::Result<Vec<String>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let names = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: Vec<String> = names.collect::<anyhow::Result<_>>()?;
    Ok(names.into_iter().filter(|name| name.starts_with(|first: char| first.is_ascii_digit())).collect())
}
