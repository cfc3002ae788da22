//! Komputer from nothing, by Flux alone, as examples/gitops/flux has it; and away again.
use std::fs;

use anyhow::ensure;
use komputer_crds::v1beta1::TaskPhase;
use komputer_tests::{
    flux::{Kustomization, Repository},
    node::{Node, SYSTEM, eventually},
};
use serde_json::json;

use crate::{drift::nothing_drifts, history::History};

const FLUX: &str = "flux-system";
const AGENTS: &str = "research";
const PRODUCTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/gitops/flux/clusters/production");

#[tokio::test]
#[ignore = "needs a node without komputer"]
async fn komputer_is_installed_and_removed_by_flux_alone() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let installed = node.kubectl(&["get", "crds,namespaces", "-o", "name"], "").await?;
    ensure!(!installed.contains("komputer"), "the node has komputer already: {installed}");
    node.namespace(FLUX).await?;
    node.kubectl(&["apply", "--dry-run=server", "-k", PRODUCTION], "").await?;
    let history = History::of(&node, FLUX);
    let fleet = Repository::create(&node, FLUX, "flux-system").await?;
    fleet.copy("examples/gitops/flux", ".").await?;
    fleet.copy("tests/fixtures/flux", "clusters/test").await?;
    let komputer = Repository::of(&node, FLUX, "komputer").await?;
    komputer.copy("kustomize", "kustomize").await?;

    // What `flux bootstrap` makes.
    let root = fleet.kustomization("flux-system", json!({ "path": "./clusters/test", "wait": false })).await?;
    let revision = fleet.commit().await?;
    root.applied(&revision).await?;
    let source = komputer.commit().await?;
    with_a_key(&node).await?;
    let [system, template, agents] =
        ["komputer", "komputer-template", "agents"].map(|name| Kustomization::of(&node, FLUX, name));
    system.applied(&source).await?;
    template.applied(&revision).await?;
    agents.applied(&revision).await?;
    history.went_before("komputer", &source, "komputer-template").await?;
    history.went_before("komputer-template", &revision, "agents").await?;

    let report = node.task_in(AGENTS, "first-report", TaskPhase::Succeeded).await?;
    ensure!(report.spec.instructions.contains("this cluster, production."), "{}", report.spec.instructions);
    let reporter = node.agents(AGENTS).get("reporter").await?.spec.instructions.unwrap_or_default();
    ensure!(reporter.contains(r#""${1:-.} uses""#), "{reporter}");
    for kustomization in [&system, &template, &agents] {
        nothing_drifts(&node, AGENTS, kustomization).await?;
    }

    fleet.remove("clusters/production/apps.yaml")?;
    let production = fs::read_to_string(format!("{PRODUCTION}/kustomization.yaml"))?;
    fleet.write("clusters/production/kustomization.yaml", production.replace("  - apps.yaml\n", ""))?;
    root.applied(&fleet.commit().await?).await?;
    node.without_namespace(AGENTS).await?;
    fleet.write("clusters/test/kustomization.yaml", json!({ "kind": "Kustomization", "resources": [] }))?;
    root.applied(&fleet.commit().await?).await?;
    node.without_namespace(SYSTEM).await?;
    let left = "crds,clusterroles,clusterrolebindings,validatingwebhookconfigurations";
    let left = node.kubectl(&["get", left, "-o", "name"], "").await?;
    let (definitions, others): (Vec<_>, Vec<_>) = left
        .lines()
        .filter(|name| name.contains("komputer"))
        .partition(|name| name.starts_with("customresourcedefinition"));
    ensure!(others.is_empty() && definitions.len() >= 4, "left: {left}");
    node.kubectl(&[&["delete"], &definitions[..]].concat(), "").await?;
    node.remove_namespace(FLUX).await?;
    node.without_namespace(FLUX).await
}

/// The Secret that is not in Git, as soon as there is a namespace for it.
async fn with_a_key(node: &Node) -> anyhow::Result<()> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "anthropic-api-key", "namespace": SYSTEM },
        "stringData": { "api-key": "scripted-model-needs-no-key" },
    });
    eventually("a namespace for the key", || async { node.apply(&secret).await.map(Some) }).await.map(drop)
}
