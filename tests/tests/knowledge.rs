//! Skills and memories reach agents, and what another namespace does not share does not.
use anyhow::ensure;
use komputer_crds::v1beta1::TaskPhase;
use komputer_tests::{
    agents::{agent, ready, task},
    node::Node,
};
use serde_json::{Value, json};

fn skill(namespace: &str, content: &str) -> Value {
    json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSkill",
        "metadata": { "namespace": namespace, "name": "review" },
        "spec": { "description": "When asked for a review", "content": content },
    })
}

/// What a task of the agent finds in the skill.
async fn read(node: &Node, namespace: &str, name: &str) -> anyhow::Result<String> {
    let script = "<<bash: grep -oE 'first|second' .claude/skills/review/SKILL.md > answer>><<text: read>>";
    node.apply(&task(namespace, name, "ada", script)).await?;
    node.task_in(namespace, name, TaskPhase::Succeeded).await?;
    Ok(node
        .kubectl(&["exec", "-n", namespace, "ada", "-c", "agent", "--", "cat", "/workspace/answer"], "")
        .await?
        .trim()
        .to_owned())
}

#[tokio::test]
async fn a_skill_is_waited_for_and_its_change_counts_from_the_next_task_on() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("knowledge").await?;
    let mut ada = agent(&namespace, "ada", "<<text: here>>");
    ada["spec"]["skills"] = json!([{ "name": "review" }]);
    node.apply(&ada).await?;
    let lacks = |agent: &_| {
        ready(agent)
            .is_some_and(|(_, reason, words)| reason == "DependencyNotReady" && words.contains("KomputerSkill review"))
    };
    node.agent_where(&namespace, "ada", lacks).await?;

    node.apply(&skill(&namespace, "The first way.")).await?;
    node.ended_task(&namespace, "ada").await?;
    ensure!(read(&node, &namespace, "before").await? == "first");
    node.apply(&skill(&namespace, "The second way.")).await?;
    // The operator sees the change before it hands over what comes after it, or hands over the old one: both are in order.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    ensure!(read(&node, &namespace, "after").await? == "second");
    node.remove_namespace(&namespace).await
}

#[tokio::test]
async fn what_is_not_shared_is_not_taught() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let (namespace, other) = (node.namespace("taught").await?, node.namespace("teaching").await?);
    let mut theirs = skill(&other, "Theirs.");
    node.apply(&theirs).await?;
    let mut ada = agent(&namespace, "ada", "<<text: here>>");
    ada["spec"]["skills"] = json!([{ "name": "review", "namespace": other }]);
    node.apply(&ada).await?;
    let refused = |agent: &_| ready(agent).is_some_and(|(_, reason, _)| reason == "ReferenceNotGranted");
    node.agent_where(&namespace, "ada", refused).await?;
    theirs["spec"]["sharedWith"] = json!([namespace]);
    node.apply(&theirs).await?;
    node.ended_task(&namespace, "ada").await?;
    node.remove_namespace(&namespace).await?;
    node.remove_namespace(&other).await
}
