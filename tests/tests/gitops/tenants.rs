//! A tenant's Kustomization, carried out with the rights of the tenant.
use anyhow::ensure;
use komputer_tests::{agents::agent, flux::Repository, node::Node};
use serde_json::json;

#[tokio::test]
async fn a_tenant_needs_kubernetes_own_edit_and_gets_no_further() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("gitops-tenants").await?;
    node.token(&namespace, "deployer", Some("edit")).await?;
    let repository = Repository::create(&node, &namespace, "fleet").await?;
    repository.write("ada.yaml", agent(&namespace, "ada", "<<text: here>>"))?;
    let kustomization = repository.kustomization("agents", json!({ "serviceAccountName": "deployer" })).await?;
    let revision = repository.commit().await?;
    kustomization.applied(&revision).await?;

    for (what, object) in [
        ("a namespace of others", agent("default", "eve", "<<text: here>>")),
        (
            "the cluster's templates",
            json!({
                "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentClusterTemplate",
                "metadata": { "name": "default" }, "spec": {},
            }),
        ),
    ] {
        repository.write("eve.yaml", &object)?;
        let said = kustomization.failed(&repository.commit().await?).await?;
        ensure!(said.to_lowercase().contains("forbidden"), "{what}: {said}");
    }
    repository.remove("eve.yaml")?;
    kustomization.applied(&repository.commit().await?).await?;
    node.remove_namespace(&namespace).await
}
