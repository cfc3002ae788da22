//! Pods that end, cannot start, or are outdated.
use anyhow::Context as _;
use komputer_crds::v1beta1::{KomputerAgent, TaskPhase};
use komputer_tests::{
    agents::{agent, ready, task},
    node::{Node, eventually},
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

/// A template of three agents, one of which is replaced at a time.
fn careful(namespace: &str, spec: &Value) -> Value {
    let key = json!({ "name": "key", "key": "api-key" });
    let mut template = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentTemplate",
        "metadata": { "namespace": namespace, "name": "careful" },
        "spec": { "maxUnavailable": 1, "model": { "apiKeySecretRef": key } },
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        template["spec"][field] = value.clone();
    }
    template
}

/// How many pods are ready, and how many of all are of that revision.
async fn pods(node: &Node, namespace: &str, revision: &str) -> anyhow::Result<(usize, usize)> {
    let columns = r#"jsonpath={range .items[*]}{.metadata.labels.revision}/{.status.conditions[?(@.type=="Ready")].status} {end}"#;
    let printed = node.kubectl(&["get", "pods", "-n", namespace, "-o", columns], "").await?;
    let count = |is: &dyn Fn(&str) -> bool| printed.split_whitespace().filter(|pod| is(pod)).count();
    Ok((count(&|pod| pod.ends_with("/True")), count(&|pod| pod == format!("{revision}/True"))))
}

#[tokio::test]
async fn what_a_change_breaks_it_breaks_for_as_many_as_may_be_replaced_at_a_time() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("waves").await?;
    node.kubectl(&["create", "secret", "generic", "key", "-n", &namespace, "--from-literal=api-key=none"], "").await?;
    node.apply(&careful(&namespace, &json!({}))).await?;
    let names = ["ada", "bob", "eve"];
    for name in names {
        let mut agent = agent(&namespace, name, "");
        agent["spec"] = json!({ "templateRef": { "name": "careful" } });
        node.apply(&agent).await?;
    }
    let is_idle = |agent: &_| ready(agent).is_some_and(|(_, reason, _)| reason == "Idle");
    for name in names {
        node.agent_where(&namespace, name, is_idle).await?;
    }

    let broken = json!({ "image": "127.0.0.1:9/nothing:1", "imagePullPolicy": "Always" });
    node.apply(&careful(&namespace, &broken)).await?;
    let (stuck, waiting) = eventually("one to have no image, and the others to wait", || async {
        let (mut stuck, mut waiting) = (Vec::new(), Vec::new());
        for name in names {
            let agent = node.agents(&namespace).get(name).await?;
            if ready(&agent).is_some_and(|(_, reason, _)| reason == "ImageNotPulled") {
                stuck.push(name);
            } else if is_idle(&agent) && remark(&agent) == Some("WaitsForOthers") {
                waiting.push(name);
            }
        }
        Ok((stuck.len() + waiting.len() == names.len()).then_some((stuck, waiting)))
    })
    .await?;
    assert_eq!((stuck.len(), waiting.len(), pods(&node, &namespace, "2").await?), (1, 2, (2, 0)), "{stuck:?}");

    node.apply(&careful(&namespace, &json!({ "podTemplate": { "labels": { "revision": "2" } } }))).await?;
    eventually("all to be replaced, one at a time", || async {
        let (ready, new) = pods(&node, &namespace, "2").await?;
        assert!(ready >= 2, "only {ready} of three are ready");
        Ok((new == names.len()).then_some(()))
    })
    .await?;
    for name in names {
        node.agent_where(&namespace, name, |agent| is_idle(agent) && remark(agent).is_none()).await?;
    }
    node.remove_namespace(&namespace).await
}
