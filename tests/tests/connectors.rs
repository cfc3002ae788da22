//! Connectors reach agents, what opens them is nowhere to be found, and what is not shared does not.
use anyhow::{Context as _, ensure};
use komputer_crds::v1beta1::TaskPhase;
use komputer_tests::{
    agents::{agent, ready, task},
    node::{Node, SYSTEM},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const FIRST: &str = "node-mcp-secret-4711";
const SECOND: &str = "node-mcp-secret-0815";

fn secret(namespace: &str, token: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": namespace, "name": "tools" },
        "stringData": { "token": token },
    })
}

/// The server of tools beside the scripted model, which agents can reach.
fn connector(namespace: &str, shared_with: &[&str]) -> Value {
    json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerConnector",
        "metadata": { "namespace": namespace, "name": "tools" },
        "spec": {
            "transport": "StreamableHTTP", "url": format!("http://komputer-scripted-model.{SYSTEM}:8080/mcp"),
            "auth": { "secretKeyRef": { "name": "tools", "key": "token" } }, "sharedWith": shared_with,
        },
    })
}

/// What the agent's last events say of its tools.
async fn events(node: &Node, namespace: &str) -> anyhow::Result<String> {
    let token = node.token(namespace, "reader", Some("komputer-view")).await?;
    let api = node.service("komputer-api").await?;
    let url = format!("http://{api}/api/v1/agents/ada/events?namespace={namespace}&limit=200");
    Ok(node.http.get(url).bearer_auth(token).send().await?.text().await?)
}

/// Has the agent call the tool that says with what it was called, and what it should not say.
async fn calls(node: &Node, namespace: &str, name: &str) -> anyhow::Result<()> {
    let script = "<<tool: mcp__tools__whoami {}>><<tool: mcp__tools__reveal {}>><<text: called>>";
    node.apply(&task(namespace, name, "ada", script)).await?;
    node.task_in(namespace, name, TaskPhase::Succeeded).await.map(drop)
}

#[tokio::test]
async fn a_connector_of_another_namespace_is_used_with_its_newest_secret_which_nothing_shows() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let (namespace, other) = (node.namespace("connected").await?, node.namespace("connecting").await?);
    node.apply(&connector(&other, &[])).await?;
    let mut ada = agent(&namespace, "ada", "<<text: here>>");
    ada["spec"]["connectors"] = json!([{ "name": "tools", "namespace": other }]);
    node.apply(&ada).await?;
    let refused = |agent: &_| ready(agent).is_some_and(|(_, reason, _)| reason == "ReferenceNotGranted");
    node.agent_where(&namespace, "ada", refused).await?;
    node.apply(&connector(&other, &[&namespace])).await?;
    let lacks = format!("Secret {other}/tools does not exist; create it with key token");
    node.agent_where(&namespace, "ada", |agent| ready(agent).is_some_and(|(_, _, words)| words.contains(&lacks)))
        .await?;
    node.apply(&secret(&other, FIRST)).await?;
    node.ended_task(&namespace, "ada").await?;

    let pod = node.kubectl(&["get", "pod", "-n", &namespace, "ada", "-o", "jsonpath={.metadata.uid}"], "").await?;
    calls(&node, &namespace, "first").await?;
    node.apply(&secret(&other, SECOND)).await?;
    calls(&node, &namespace, "second").await?;
    let after = node.kubectl(&["get", "pod", "-n", &namespace, "ada", "-o", "jsonpath={.metadata.uid}"], "").await?;
    ensure!(pod == after, "the pod was replaced");
    let said = events(&node, &namespace).await?;
    for token in [FIRST, SECOND] {
        let digest = &hex::encode(Sha256::digest(token))[..16];
        ensure!(said.contains(digest), "no tool was called with {token}: {said}");
    }
    nothing_shows_them(&node, &namespace, &said).await?;
    node.remove_namespace(&namespace).await?;
    node.remove_namespace(&other).await
}

#[tokio::test]
async fn a_token_of_oauth_is_refreshed_for_a_running_task_and_kept() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("refreshed").await?;
    // The endpoint remembers logins.
    let login = node.kubectl(&["get", "namespace", &namespace, "-o", "jsonpath={.metadata.uid}"], "").await?;
    let of = |kind, number| format!("{login}-{kind}-{number}");
    let mut tools = connector(&namespace, &[]);
    let key = json!({ "name": "tools", "key": "token" });
    // Due after twenty seconds, and looked at after thirty.
    let model = format!("http://komputer-scripted-model.{SYSTEM}:8080");
    let url = format!("{model}/oauth/token?expires_in=320&client=header");
    tools["spec"]["auth"] = json!({ "type": "OAuth", "tokenURL": url, "secretKeyRef": key });
    node.apply(&tools).await?;
    let document =
        json!({ "access_token": of("access", 1), "refresh_token": of("refresh", 1), "expires_at": 1, "note": "kept" });
    let mut secret = secret(&namespace, &document.to_string());
    secret["stringData"]["client_id"] = "me".into();
    secret["stringData"]["client_secret"] = "secret".into();
    node.apply(&secret).await?;
    let whoami = "<<tool: mcp__tools__whoami {}>>";
    let mut ada = agent(
        &namespace,
        "ada",
        &format!("{whoami}<<bash: for _ in $(seq 45); do sleep 1; done>>{whoami}<<text: called>>"),
    );
    ada["spec"]["connectors"] = json!([{ "name": "tools" }]);
    node.apply(&ada).await?;
    node.ended_task(&namespace, "ada").await?;

    let said = events(&node, &namespace).await?;
    for number in [2, 3] {
        let digest = &hex::encode(Sha256::digest(of("access", number)))[..16];
        ensure!(said.contains(digest), "no tool was called with the token {number}: {said}");
    }
    let template = "go-template={{.data.token | base64decode}}";
    let kept = node.kubectl(&["get", "secret", "-n", &namespace, "tools", "-o", template], "").await?;
    let kept: Value = serde_json::from_str(&kept)?;
    ensure!(kept["access_token"] == of("access", 3) && kept["note"] == "kept", "the Secret holds {kept}");
    let selector = "app.kubernetes.io/name=komputer-operator";
    let log = node.kubectl(&["logs", "-n", SYSTEM, "-l", selector, "--tail=-1"], "").await?;
    ensure!(log.contains("a token was refreshed"), "the log does not say so");
    for kind in ["access", "refresh"] {
        let token = format!("{login}-{kind}-");
        ensure!(!log.contains(&token) && !said.contains(&token), "a token is shown");
    }
    node.remove_namespace(&namespace).await
}

async fn nothing_shows_them(node: &Node, namespace: &str, said: &str) -> anyhow::Result<()> {
    let kinds = "komputeragents,komputertasks,komputerconnectors,pods,configmaps,events,secrets";
    let objects = node.kubectl(&["get", kinds, "-n", namespace, "-o", "yaml", "--show-managed-fields"], "").await?;
    let look = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; grep -ra . /workspace /tmp 2>/dev/null";
    let pod = node.kubectl(&["exec", "-n", namespace, "ada", "-c", "agent", "--", "bash", "-c", look], "").await?;
    let log = node.kubectl(&["logs", "-n", namespace, "ada"], "").await?;
    let selector = "app.kubernetes.io/name=komputer-operator";
    let operator = node.kubectl(&["logs", "-n", SYSTEM, "-l", selector, "--tail=-1"], "").await?;
    ensure!(pod.contains("ANTHROPIC_BASE_URL") || pod.contains("/workspace"), "nothing was seen of the pod");
    let places = [
        ("objects", &*objects),
        ("the pod", &pod),
        ("its log", &log),
        ("the operator's log", &operator),
        ("events", said),
    ];
    for token in [FIRST, SECOND] {
        let shown = places.iter().find(|(_, text)| text.contains(token)).map(|(place, _)| place);
        ensure!(shown.is_none(), "{} shows {token}", shown.context("somewhere")?);
    }
    Ok(())
}
