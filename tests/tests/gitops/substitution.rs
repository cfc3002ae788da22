//! Flux's variables in prompts, which look like the shell's.
use anyhow::{Context, ensure};
use komputer_crds::v1beta1::{KomputerAgent, TaskPhase};
use komputer_tests::{agents::agent, flux::Repository, node::Node};
use serde_json::json;

const PROMPT: &str = r#"<<bash: region=here; echo "${region} ${#region} ${region:-none} $region $${region}" >/dev/null; echo "${region}">> <<text: ${region} as it stands>>"#;

#[tokio::test]
async fn a_prompt_keeps_its_dollars_where_it_says_so() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("gitops-substitution").await?;
    let repository = Repository::create(&node, &namespace, "fleet").await?;
    let mut ada = agent(&namespace, "ada", PROMPT);
    ada["metadata"]["annotations"] = json!({ "kustomize.toolkit.fluxcd.io/substitute": "disabled" });
    repository.write("ada.yaml", &ada)?;
    repository.write("bob.yaml", agent(&namespace, "bob", "<<text: ${region} is $${region} and $region>>"))?;
    let substitute = json!({ "substitute": { "region": "europe" } });
    let kustomization = repository.kustomization("agents", json!({ "postBuild": substitute })).await?;
    kustomization.applied(&repository.commit().await?).await?;
    let prompt = |agent: KomputerAgent| agent.spec.instructions.context("no instructions");
    ensure!(prompt(node.agents(&namespace).get("ada").await?)? == PROMPT);
    ensure!(prompt(node.agents(&namespace).get("bob").await?)? == "<<text: europe is ${region} and $region>>");
    let task = node.ended_task(&namespace, "ada").await?;
    ensure!(task.phase() == TaskPhase::Succeeded, "{:?}", task.status);
    let result = task.status.and_then(|status| status.result);
    ensure!(result.as_deref() == Some("${region} as it stands"), "{result:?}");

    repository.write("bob.yaml", agent(&namespace, "bob", "<<text: ${nobody}>>"))?;
    let said = kustomization.failed(&repository.commit().await?).await?;
    ensure!(said.contains("nobody") && said.contains("bob"), "{said}");
    node.remove_namespace(&namespace).await
}
