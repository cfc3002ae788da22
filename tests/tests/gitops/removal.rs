//! What leaves the repository leaves the cluster, all of it, and nothing else does.
use anyhow::ensure;
use komputer_crds::v1beta1::TaskPhase;
use komputer_tests::{
    agents::{agent, ready, task},
    flux::Repository,
    node::{Node, eventually},
};
use serde_json::{Value, json};

use crate::drift::nothing_drifts;

/// Longer than any test waits.
const LONG: &str = "<<times: 1000 bash: sleep 0.3; echo {n}>> <<text: too late>>";
const CHILDREN: &str = "pods,persistentvolumeclaims,secrets,komputertasks";

/// Something to leave in a repository that everything else leaves.
fn remainder(namespace: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": namespace, "name": "remainder" } })
}

#[tokio::test]
async fn what_leaves_the_repository_leaves_the_cluster() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("gitops-removal").await?;
    let repository = Repository::create(&node, &namespace, "fleet").await?;
    repository.write("remainder.yaml", remainder(&namespace))?;
    for name in ["ada", "bob"] {
        repository.write(&format!("{name}/agent.yaml"), agent(&namespace, name, LONG))?;
    }
    repository.write("ada/next.yaml", task(&namespace, "next", "ada", "<<text: never>>"))?;
    // Not all of it: a task that waits in the queue of a busy agent would be waited for.
    let bob = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "name": "bob", "namespace": namespace,
    });
    let kustomization = repository.kustomization("agents", json!({ "wait": false, "healthChecks": [bob] })).await?;
    kustomization.applied(&repository.commit().await?).await?;
    for name in ["ada", "bob"] {
        node.agent_where(&namespace, name, |agent| ready(agent).is_some_and(|(_, reason, _)| reason == "Working"))
            .await?;
    }
    let children = async |agent: &str| {
        let (label, names) =
            (format!("app.kubernetes.io/instance={agent}"), "jsonpath={range .items[*]}{.metadata.uid} {end}");
        node.kubectl(&["get", CHILDREN, "-n", &namespace, "-l", &label, "-o", names], "").await
    };
    let of_bob = children("bob").await?;
    ensure!(of_bob.split_whitespace().count() == 4, "{of_bob}");

    repository.remove("ada")?;
    kustomization.applied(&repository.commit().await?).await?;
    eventually("what ada had to go", || async {
        let task = node.tasks(&namespace).get_opt("next").await?;
        Ok((children("ada").await?.is_empty() && task.is_none()).then_some(()))
    })
    .await?;
    ensure!(children("bob").await? == of_bob, "bob has not what he had");
    kustomization.delete().await?;
    node.remove_namespace(&namespace).await?;
    node.without_namespace(&namespace).await
}

#[tokio::test]
async fn a_namespace_goes_with_its_agents_in_one_commit() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("gitops-fleet").await?;
    let tenant = "gitops-tenant";
    let repository = Repository::create(&node, &namespace, "fleet").await?;
    repository.write("remainder.yaml", remainder(&namespace))?;
    let write = || {
        let labels = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
        let object =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": tenant, "labels": labels } });
        repository.write("tenant/namespace.yaml", &object)?;
        repository.write("tenant/ada.yaml", agent(tenant, "ada", LONG))?;
        repository.write("tenant/report.yaml", task(tenant, "report", "bob", "<<text: reported>>"))?;
        repository.write("tenant/bob.yaml", agent(tenant, "bob", "<<text: here>>"))
    };
    write()?;
    let kustomization = repository.kustomization("tenants", json!({})).await?;
    kustomization.applied(&repository.commit().await?).await?;
    node.task_in(tenant, "report", TaskPhase::Succeeded).await?;
    repository.remove("tenant")?;
    kustomization.applied(&repository.commit().await?).await?;
    node.without_namespace(tenant).await?;

    write()?;
    kustomization.applied(&repository.commit().await?).await?;
    kustomization.delete().await?;
    node.without_namespace(tenant).await?;
    node.remove_namespace(&namespace).await
}

#[tokio::test]
async fn definitions_are_never_pruned() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("gitops-definitions").await?;
    node.apply(&agent(&namespace, "ada", "<<text: here>>")).await?;
    node.ended_task(&namespace, "ada").await?;
    let uids = async || {
        let names =
            "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.metadata.deletionTimestamp}{\"\\n\"}{end}";
        let definitions = node.kubectl(&["get", "crds", "-o", names], "").await?;
        let agents = node.kubectl(&["get", "komputeragents", "-n", &namespace, "-o", names], "").await?;
        let ours = definitions.lines().filter(|line| line.contains("komputer"));
        anyhow::Ok(ours.chain(agents.lines()).map(str::to_owned).collect::<Vec<_>>())
    };
    let before = uids().await?;
    let repository = Repository::create(&node, &namespace, "komputer").await?;
    repository.write("remainder.yaml", remainder(&namespace))?;
    repository.copy("kustomize/base/crds", "crds").await?;
    let kustomization = repository.kustomization("definitions", json!({})).await?;
    kustomization.applied(&repository.commit().await?).await?;
    nothing_drifts(&node, &namespace, &kustomization).await?;

    repository.remove("crds")?;
    kustomization.applied(&repository.commit().await?).await?;
    let log = kustomization.logged().await?;
    let collected = log.iter().filter_map(|line| line["msg"].as_str()?.strip_prefix("garbage collection completed: "));
    let collected: Vec<_> = collected.flat_map(str::lines).collect();
    ensure!(!collected.is_empty() && collected.iter().all(|line| line.ends_with(" skipped")), "{collected:?}");
    ensure!(uids().await? == before, "{before:#?} became {:#?}", uids().await?);

    repository.copy("kustomize/base/crds", "crds").await?;
    kustomization.applied(&repository.commit().await?).await?;
    kustomization.delete().await?;
    ensure!(uids().await? == before, "{before:#?} became {:#?}", uids().await?);
    let old = ["get", "komputeragents.v1alpha1.komputer.komputer.ai", "ada", "-n", &namespace, "-o", "name"];
    node.kubectl(&old, "").await?;
    node.remove_namespace(&namespace).await
}
