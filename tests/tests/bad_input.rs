//! Bad input gets a clear error and loses nothing; what is missing is named and waited for.
use anyhow::Context;
use komputer_crds::v1beta1::TaskPhase;
use komputer_tests::{
    agents::{agent, ready, task},
    node::Node,
};
use serde_json::json;

#[tokio::test]
async fn a_missing_template_is_named_and_its_coming_heals() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("bad-template").await?;
    let mut ada = agent(&namespace, "ada", "<<text: here>>");
    ada["spec"]["templateRef"] = json!({ "name": "special" });
    let applied = node.try_kubectl(&["apply", "-f", "-"], &ada.to_string()).await?;
    assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    assert!(applied.stderr.contains("Warning:") && applied.stderr.contains("special"), "{}", applied.stderr);

    let waits = |agent: &_| ready(agent).is_some_and(|(_, reason, _)| reason == "DependencyNotReady");
    let waiting = node.agent_where(&namespace, "ada", waits).await?;
    let (status, _, message) = ready(&waiting).context("no Ready condition")?;
    assert_eq!(status, "Unknown");
    assert!(message.contains("KomputerAgentTemplate special") && message.contains("create one"), "{message}");

    let default = node.kubectl(&["get", "komputeragentclustertemplate", "default", "-o", "json"], "").await?;
    let default: serde_json::Value = serde_json::from_str(&default)?;
    let mut spec = default["spec"].clone();
    // A namespace's template may only name Secrets of its namespace, so this one names none there yet.
    spec["model"]["apiKeySecretRef"] = json!({ "name": "my-key", "key": "api-key" });
    node.apply(&json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentTemplate",
        "metadata": { "name": "special", "namespace": namespace }, "spec": spec,
    }))
    .await?;
    let lacks = |agent: &_| ready(agent).is_some_and(|(_, _, message)| message.contains("my-key"));
    let waiting = node.agent_where(&namespace, "ada", lacks).await?;
    assert_eq!(ready(&waiting).context("no Ready condition")?.1, "DependencyNotReady");

    node.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "my-key", "namespace": namespace },
        "stringData": { "api-key": "anything" },
    }))
    .await?;
    let done = node.ended_task(&namespace, "ada").await?;
    assert_eq!(done.phase(), TaskPhase::Succeeded);
    node.remove_namespace(&namespace).await
}

#[tokio::test]
async fn a_wrong_key_fails_the_task_in_claudes_words_and_leaves_the_agent_usable() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("bad-key").await?;
    let default = node.kubectl(&["get", "komputeragentclustertemplate", "default", "-o", "json"], "").await?;
    let default: serde_json::Value = serde_json::from_str(&default)?;
    let key = |value: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "my-key", "namespace": namespace },
            "stringData": { "api-key": value },
        })
    };
    node.apply(&key("invalid")).await?;
    let mut spec = default["spec"].clone();
    spec["model"]["apiKeySecretRef"] = json!({ "name": "my-key", "key": "api-key" });
    node.apply(&json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentTemplate",
        "metadata": { "name": "default", "namespace": namespace }, "spec": spec,
    }))
    .await?;
    node.apply(&agent(&namespace, "ada", "Say something.")).await?;
    let failed = node.ended_task(&namespace, "ada").await?;
    let status = failed.status.context("a task without a status")?;
    assert_eq!(status.phase, Some(TaskPhase::Failed), "{status:?}");
    assert_eq!(status.cost_usd.as_deref(), Some("0.0000"), "{status:?}");
    let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled").context("not stalled")?;
    assert_eq!(stalled.reason, "AuthenticationFailed");
    assert!(
        stalled.message.to_lowercase().contains("api key") || stalled.message.contains("x-api-key"),
        "{}",
        stalled.message
    );

    node.apply(&key("right")).await?;
    node.kubectl(&["delete", "pod", "ada", "-n", &namespace], "").await?;
    node.apply(&task(&namespace, "again", "ada", "<<text: said now>>")).await?;
    let done = node.task_in(&namespace, "again", TaskPhase::Succeeded).await?;
    assert_eq!(done.status.and_then(|status| status.result).as_deref(), Some("said now"));
    node.remove_namespace(&namespace).await
}
