//! From YAML to an answer: both versions, applied both ways.
use anyhow::Context;
use komputer_crds::v1beta1::TaskPhase;
use komputer_events::Money;
use komputer_tests::{
    agents::{meddlers, ready},
    node::Node,
};

const OURS: &str = include_str!("../../examples/01-hello-world/agent.yaml");
const UPSTREAMS: &str = include_str!("../fixtures/upstream/hello-world.yaml");

#[tokio::test]
async fn ours_client_side() -> anyhow::Result<()> {
    hello("hello-ours-client", OURS, &[]).await
}

#[tokio::test]
async fn ours_server_side() -> anyhow::Result<()> {
    hello("hello-ours-server", OURS, &["--server-side"]).await
}

#[tokio::test]
async fn upstreams_client_side() -> anyhow::Result<()> {
    hello("hello-upstreams-client", UPSTREAMS, &[]).await
}

#[tokio::test]
async fn upstreams_server_side() -> anyhow::Result<()> {
    hello("hello-upstreams-server", UPSTREAMS, &["--server-side"]).await
}

async fn hello(namespace: &str, yaml: &str, way: &[&str]) -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace(namespace).await?;
    let with = |verb: &'static str| [&[verb, "-n", &namespace][..], way, &["-f", "-"]].concat();

    node.kubectl(&with("apply"), yaml).await?;
    node.kubectl(&with("diff"), yaml).await.context("there is a difference right after apply")?;
    let wait = ["wait", "-n", &namespace, "--for=condition=Ready", "komputeragent/hello-world", "--timeout=150s"];
    node.kubectl(&wait, "").await?;

    let task = node.ended_task(&namespace, "hello-world").await?;
    let status = task.status.clone().context("a task without a status")?;
    assert_eq!(status.phase, Some(TaskPhase::Succeeded), "{status:?}");
    assert!(status.result.as_deref().is_some_and(|result| result.contains("scripted model")), "{status:?}");
    assert!(status.cost_usd.as_deref().unwrap_or("0").parse::<Money>()? > Money::ZERO, "{status:?}");

    let settled = |agent: &_| ready(agent).is_some_and(|(_, reason, _)| reason == "Idle");
    let agent = node.agent_where(&namespace, "hello-world", settled).await?;
    assert_eq!(agent.status.as_ref().and_then(|status| status.total_cost_usd.clone()), status.cost_usd);
    let pod =
        node.kubectl(&["get", "pod", "hello-world", "-n", &namespace, "-o", "jsonpath={.status.phase}"], "").await?;
    assert_eq!(pod, "Running");

    node.kubectl(&with("diff"), yaml).await.context("there is a difference after the task")?;
    assert_eq!(meddlers(&agent), Vec::<String>::new());
    assert_eq!(meddlers(&task).len(), 1, "a task's spec is the operator's, who made it");

    let back = node
        .kubectl(
            &["get", "komputeragents.v1alpha1.komputer.komputer.ai", "hello-world", "-n", &namespace, "-o", "json"],
            "",
        )
        .await?;
    let back: serde_json::Value = serde_json::from_str(&back)?;
    if yaml == UPSTREAMS {
        let applied: serde_json::Value =
            serde_json::from_str(&node.kubectl(&["create", "--dry-run=client", "-o", "json", "-f", "-"], yaml).await?)?;
        for (field, value) in applied["spec"].as_object().context("no spec")? {
            assert_eq!(&back["spec"][field], value, "spec.{field}");
        }
    }
    assert_eq!(back["status"]["taskStatus"], "Complete", "{}", back["status"]);
    node.remove_namespace(&namespace).await
}
