//! Agents of a squad share a pod and see each other's workspaces, and nothing else of each other.
use anyhow::{Context as _, ensure};
use komputer_crds::v1beta1::{KomputerSquad, SquadPhase, TaskPhase};
use komputer_tests::{
    agents::{agent, ready, task},
    node::{Node, eventually},
};
use kube::Api;
use serde_json::{Value, json};

/// What a member finds of another, one line a finding.
const PROBE: &str = r#"
cat /agents/ada/workspace/note
(echo x > /agents/ada/workspace/mine) 2>&1 | grep -c -i 'read-only'
echo "private: $(ls -A /agents/ada/workspace/.komputer /agents/ada/workspace/.claude | grep -vc -e '^/' -e '^$')"
key=$(printf 'scripted-model-needs-%s' no-key)
echo "keys: $(cat /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep -c "$key")"
echo "processes of ada: $(cat /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep -c KOMPUTER_AGENT_NAME=ada)"
echo "ada: $(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8000/v1/status)"
"#;

const FOUND: &str = "from ada\n1\nprivate: 0\nkeys: 0\nprocesses of ada: 0\nada: 401";

async fn squad_in(node: &Node, namespace: &str, phase: SquadPhase) -> anyhow::Result<KomputerSquad> {
    let squads = Api::<KomputerSquad>::namespaced(node.client.clone(), namespace);
    eventually(&format!("the squad to be {phase:?}"), || async {
        let squad = squads.get("crew").await?;
        let status = squad.status.clone().unwrap_or_default();
        let is_ready = status.conditions.iter().any(|found| found.type_ == "Ready" && found.status == "True");
        let is_so = status.phase == Some(phase) && is_ready;
        is_so.then_some(squad).with_context(|| format!("it says {status:?}")).map(Some)
    })
    .await
}

async fn read(node: &Node, namespace: &str, (pod, container): (&str, &str), file: &str) -> anyhow::Result<String> {
    let path = format!("/workspace/{file}");
    let found = node.kubectl(&["exec", "-n", namespace, pod, "-c", container, "--", "cat", &path], "").await?;
    Ok(found.trim().to_owned())
}

fn crew(namespace: &str) -> Value {
    json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSquad",
        "metadata": { "namespace": namespace, "name": "crew" },
        "spec": { "members": [{ "name": "ada" }, { "name": "bob", "access": "ReadOnly", "template": {} }] },
    })
}

#[tokio::test]
async fn members_see_each_others_workspaces_and_go_on_alone() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("squads").await?;
    node.apply(&agent(&namespace, "ada", "<<bash: echo from ada > note>> <<text: written>>")).await?;
    node.apply(&crew(&namespace)).await?;
    node.ended_task(&namespace, "ada").await?;
    let squad = squad_in(&node, &namespace, SquadPhase::Running).await?;
    let status = squad.status.context("a status")?;
    ensure!(status.members.len() == 2 && status.members.iter().all(|member| member.ready), "{status:?}");

    let probe = format!("<<bash: {{ {PROBE} }} > found>> <<text: looked>>");
    node.apply(&task(&namespace, "look", "bob", &probe)).await?;
    node.task_in(&namespace, "look", TaskPhase::Succeeded).await?;
    let found = read(&node, &namespace, ("crew-squad", "bob"), "found").await?;
    ensure!(found == FOUND, "{found}");
    let gift = "<<bash: cp note /agents/bob/workspace/gift>> <<text: given>>";
    node.apply(&task(&namespace, "give", "ada", gift)).await?;
    node.task_in(&namespace, "give", TaskPhase::Succeeded).await?;
    ensure!(read(&node, &namespace, ("crew-squad", "bob"), "gift").await? == "from ada");

    let token = node.token(&namespace, "reader", Some("komputer-view")).await?;
    let api = node.service("komputer-api").await?;
    let url = format!("http://{api}/api/v1/squads/crew?namespace={namespace}");
    let shown: Value = node.http.get(url).bearer_auth(token).send().await?.json().await?;
    ensure!((&shown["podName"], &shown["phase"]) == (&json!("crew-squad"), &json!("Running")), "{shown}");

    node.kubectl(&["delete", "komputersquad", "crew", "-n", &namespace], "").await?;
    let alone = |agent: &komputer_crds::v1beta1::KomputerAgent| {
        let pod = agent.status.as_ref().and_then(|status| status.pod_name.as_deref());
        ready(agent).is_some_and(|(_, reason, _)| reason == "Idle") && pod == Some("ada")
    };
    node.agent_where(&namespace, "ada", alone).await?;
    ensure!(read(&node, &namespace, ("ada", "agent"), "note").await? == "from ada");
    eventually("bob, which the squad made, to go with its workspace", || async {
        let get = ["get", "komputeragents,persistentvolumeclaims", "-n", &namespace, "-o", "name"];
        Ok((!node.kubectl(&get, "").await?.contains("/bob")).then_some(()))
    })
    .await?;
    node.remove_namespace(&namespace).await
}
