//! Pods that end, cannot start, or are outdated.
use anyhow::Context as _;
use komputer_crds::v1beta1::{KomputerAgent, TaskPhase};
use komputer_tests::{
    agents::{agent, ready, task},
    node::Node,
};
use serde_json::{Value, json};

fn remark(agent: &KomputerAgent) -> Option<&str> {
    let conditions = &agent.status.as_ref()?.conditions;
    conditions.iter().find(|condition| condition.type_ == "PodOutdated").map(|condition| condition.reason.as_str())
}

fn idle(namespace: &str) -> Value {
    let mut ada = agent(namespace, "ada", "");
    ada["spec"] = json!({});
    ada
}

#[tokio::test]
async fn a_pod_that_the_node_ends_is_made_again_and_its_task_goes_on() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("ended").await?;
    node.apply(&idle(&namespace)).await?;
    let script = "<<times: 12 bash: sleep 0.5; echo {n}>> <<text: done>>";
    node.apply(&task(&namespace, "long", "ada", script)).await?;
    node.task_in(&namespace, "long", TaskPhase::Running).await?;
    // The kubelet ends the pod, as it does where its node runs out of something.
    let patch = r#"{"spec":{"activeDeadlineSeconds":1}}"#;
    node.kubectl(&["patch", "pod", "ada", "-n", &namespace, "-p", patch], "").await?;
    let failed = |agent: &KomputerAgent| agent.status.as_ref().is_some_and(|status| status.pod_failure.is_some());
    let ada = node.agent_where(&namespace, "ada", failed).await?;
    let failure = ada.status.and_then(|status| status.pod_failure).context("a failure")?;
    assert_eq!(failure.count, 1);
    assert!(failure.message.contains("DeadlineExceeded"), "{failure:?}");
    let long = node.task_in(&namespace, "long", TaskPhase::Succeeded).await?;
    assert_eq!(long.status.and_then(|status| status.result).as_deref(), Some("done"));
    node.remove_namespace(&namespace).await
}

#[tokio::test]
async fn an_image_that_is_not_there_is_told_of_and_its_correction_counts_at_once() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("images").await?;
    let mut ada = idle(&namespace);
    ada["spec"]["rollout"] = json!("OnDelete");
    let container = json!({ "name": "agent", "image": "127.0.0.1:9/nothing:1", "imagePullPolicy": "Always" });
    ada["spec"]["podTemplate"] = json!({ "spec": { "containers": [container] } });
    node.apply(&ada).await?;
    let told = |agent: &_| {
        ready(agent).is_some_and(|(status, reason, message)| {
            status == "False" && reason == "ImageNotPulled" && message.contains("127.0.0.1:9/nothing:1")
        })
    };
    node.agent_where(&namespace, "ada", told).await?;

    ada["spec"]["podTemplate"] = json!({ "labels": { "team": "a" } });
    node.apply(&ada).await?;
    let is_idle = |agent: &_| ready(agent).is_some_and(|(_, reason, _)| reason == "Idle");
    node.agent_where(&namespace, "ada", is_idle).await?;

    // What can work stays until somebody deletes it.
    ada["spec"]["podTemplate"] = json!({ "labels": { "team": "b" } });
    node.apply(&ada).await?;
    node.agent_where(&namespace, "ada", |agent| remark(agent) == Some("WaitsForDeletion")).await?;
    let team = ["get", "pod", "ada", "-n", &namespace, "-o", "jsonpath={.metadata.labels.team}"];
    assert_eq!(node.kubectl(&team, "").await?, "a");
    node.kubectl(&["delete", "pod", "ada", "-n", &namespace], "").await?;
    node.agent_where(&namespace, "ada", |agent| is_idle(agent) && remark(agent).is_none()).await?;
    assert_eq!(node.kubectl(&team, "").await?, "b");
    node.remove_namespace(&namespace).await
}
