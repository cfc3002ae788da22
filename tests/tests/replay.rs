//! Redis wiped, operator restarted, everything said again: statuses stay as they were, byte for byte.
use anyhow::Context;
use komputer_tests::{
    agents::{agent, ready},
    node::{Node, SYSTEM, eventually},
    record::check_whole,
};

#[tokio::test]
async fn statuses_stay_byte_for_byte() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("replay").await?;
    let token = node.token(&namespace, "reader", Some("komputer-view")).await?;
    node.apply(&agent(&namespace, "ada", "<<times: 10 bash: echo {n}>> <<text: said>>")).await?;
    node.ended_task(&namespace, "ada").await?;
    node.agent_where(&namespace, "ada", |agent| ready(agent).is_some_and(|(_, reason, _)| reason == "Idle")).await?;
    let statuses = || async {
        let path = "jsonpath={range .items[*]}{.kind} {.status}{\"\\n\"}{end}";
        node.kubectl(&["get", "komputeragents,komputertasks", "-n", &namespace, "-o", path], "").await
    };
    let before = statuses().await?;
    let said = node.events(&token, &namespace, "ada").await?;
    check_whole(&said)?;

    let password = node
        .kubectl(&["get", "secret", "komputer-redis", "-n", SYSTEM, "-o", "jsonpath={.data.operator-password}"], "")
        .await?;
    let wipe =
        format!("redis-cli --no-auth-warning --user komputer-operator --pass $(echo {password} | base64 -d) FLUSHALL");
    node.kubectl(&["exec", "-n", SYSTEM, "komputer-redis-0", "--", "sh", "-c", &wipe], "").await?;
    for pod in node.pods_of("komputer-operator").await? {
        node.kill(SYSTEM, &pod).await?;
    }

    let again = eventually("the agent to refill Redis", || async {
        let events = node.events(&token, &namespace, "ada").await?;
        Ok((events.len() >= said.len()).then_some(events))
    })
    .await?;
    assert_eq!(again, said);
    let pods = node.pods_of("komputer-operator").await?;
    let pod = pods.first().context("no operator")?;
    node.kubectl(&["wait", "--for=condition=Ready", "pod", pod, "-n", SYSTEM, "--timeout=120s"], "").await?;
    assert_eq!(statuses().await?, before);
    node.remove_namespace(&namespace).await
}
