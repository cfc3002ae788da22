//! Drift: what Flux writes although nothing was committed.
use std::time::Duration;

use anyhow::ensure;
use komputer_tests::{
    agents::ready,
    flux::Kustomization,
    node::{Node, eventually},
};
use kube::api::ListParams;

/// Longer than the slowest that a status tells of progress.
const LAST_WORDS: Duration = Duration::from_secs(7);

/// That three more reconciliations change nothing, once all is at rest.
pub async fn nothing_drifts(node: &Node, namespace: &str, kustomization: &Kustomization) -> anyhow::Result<()> {
    let agents = node.agents(namespace);
    eventually("all agents to be at rest", || async {
        let agents = agents.list(&ListParams::default()).await?;
        Ok(agents.iter().all(|agent| ready(agent).is_some_and(|(_, reason, _)| reason != "Working")).then_some(()))
    })
    .await?;
    eventually("the last words of all statuses", || async {
        let before = kustomization.resource_versions().await?;
        tokio::time::sleep(LAST_WORDS).await;
        Ok((kustomization.resource_versions().await? == before).then_some(()))
    })
    .await?;
    let (before, applied) = (kustomization.resource_versions().await?, kustomization.applications().await?.len());
    for _ in 0..3 {
        kustomization.reconcile().await?;
    }
    let after = kustomization.resource_versions().await?;
    ensure!(after == before, "something was written: {before:#?} became {after:#?}");
    let applications = kustomization.applications().await?.split_off(applied);
    ensure!(applications.len() == 3, "three reconciliations were asked for: {applications:?}");
    for application in applications {
        ensure!(application.values().all(|action| action == "unchanged"), "{application:?}");
    }
    Ok(())
}
