//! What belongs to an agent goes with it, wherever it is.
use anyhow::ensure;
use komputer_tests::{
    agents::{agent, ready},
    node::{Node, SYSTEM, eventually},
};
use serde_json::json;

const CHILDREN: &str = "pods,persistentvolumeclaims,secrets,komputertasks";

/// What Redis knows of the namespace's agents: their users and streams.
async fn in_redis(node: &Node, namespace: &str) -> anyhow::Result<String> {
    let path = "jsonpath={.data.operator-password}";
    let password = node.kubectl(&["get", "secret", "komputer-redis", "-n", SYSTEM, "-o", path], "").await?;
    let ask = format!(
        "export REDISCLI_AUTH=$(echo {password} | base64 -d); \
         (redis-cli --user komputer-operator ACL USERS; redis-cli --user komputer-operator --scan) | grep {namespace}/ || true"
    );
    node.kubectl(&["exec", "-n", SYSTEM, "komputer-redis-0", "--", "sh", "-c", &ask], "").await
}

/// Parts of komputer without which nothing is decided and nothing admitted.
const PARTS: [&str; 2] = ["deployment/komputer-operator", "deployment/komputer-webhooks"];

/// Has so many of each part run.
async fn scale(node: &Node, replicas: u8) -> anyhow::Result<()> {
    let replicas = format!("--replicas={replicas}");
    node.kubectl(&[&["scale", "-n", SYSTEM, &replicas][..], &PARTS].concat(), "").await?;
    for part in PARTS {
        node.kubectl(&["rollout", "status", part, "-n", SYSTEM, "--timeout=120s"], "").await?;
    }
    Ok(())
}

/// Waits until the webhooks are reached: a service's addresses come after its pods are ready.
async fn admitted(node: &Node) -> anyhow::Result<()> {
    let (apply, ada) =
        (["apply", "--dry-run=server", "-f", "-"], agent("default", "ada", "<<text: here>>").to_string());
    eventually("the webhooks to admit", || async { node.kubectl(&apply, &ada).await.map(|_| Some(())) }).await
}

#[tokio::test]
async fn a_namespace_goes_by_itself_while_operator_and_webhooks_are_down() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("deletion-alone").await?;
    node.apply(&json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerBudget",
        "metadata": { "name": "team", "namespace": namespace }, "spec": { "limitUSD": "5", "period": "Total" },
    }))
    .await?;
    node.apply(&agent(&namespace, "ada", "<<text: here>>")).await?;
    node.agent_where(&namespace, "ada", |agent| ready(agent).is_some_and(|(_, reason, _)| reason == "Idle")).await?;
    let gone = async {
        scale(&node, 0).await?;
        node.remove_namespace(&namespace).await?;
        node.without_namespace(&namespace).await
    };
    let gone = gone.await;
    scale(&node, 2).await?;
    admitted(&node).await?;
    gone?;
    eventually("Redis to forget", || async { Ok(in_redis(&node, &namespace).await?.is_empty().then_some(())) }).await
}

#[tokio::test]
async fn nothing_of_an_agent_outlives_it() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("deletion").await?;
    for name in ["ada", "bob"] {
        node.apply(&agent(&namespace, name, "<<text: here>>")).await?;
    }
    for name in ["ada", "bob"] {
        node.agent_where(&namespace, name, |agent| ready(agent).is_some_and(|(_, reason, _)| reason == "Idle")).await?;
    }
    let names = async |label: &str| {
        let path = "jsonpath={range .items[*]}{.kind}/{.metadata.name} {end}";
        node.kubectl(&["get", CHILDREN, "-n", &namespace, "-l", label, "-o", path], "").await
    };
    let (ada, bob) = ("app.kubernetes.io/instance=ada", "app.kubernetes.io/instance=bob");
    let of_bob = names(bob).await?;
    ensure!(of_bob.split_whitespace().count() == 4, "{of_bob}");
    ensure!(in_redis(&node, &namespace).await?.lines().count() == 4, "{}", in_redis(&node, &namespace).await?);

    node.kubectl(&["delete", "komputeragent", "ada", "-n", &namespace, "--timeout=60s"], "").await?;
    eventually("what ada had to go", || async {
        let left = names(ada).await?;
        let known = in_redis(&node, &namespace).await?;
        ensure!(left.is_empty() && !known.contains("/ada"), "left: {left} {known}");
        Ok(Some(()))
    })
    .await?;
    ensure!(names(bob).await? == of_bob, "bob has all it had");

    node.remove_namespace(&namespace).await?;
    node.without_namespace(&namespace).await?;
    eventually("Redis to forget", || async { Ok(in_redis(&node, &namespace).await?.is_empty().then_some(())) }).await
}
