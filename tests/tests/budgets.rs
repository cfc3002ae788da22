//! A budget on a real node: a task stops at the limit, and goes on when Git raises it.
use anyhow::{Context as _, ensure};
use komputer_crds::v1beta1::{BudgetPhase, KomputerBudget, KomputerBudgetStatus, TaskPhase};
use komputer_events::Money;
use komputer_tests::{
    agents::{agent, ready, task},
    node::{Node, eventually},
};
use kube::Api;
use serde_json::{Value, json};

fn budget(namespace: &str, limit: &str) -> Value {
    json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerBudget",
        "metadata": { "name": "team", "namespace": namespace }, "spec": { "limitUSD": limit, "period": "Total" },
    })
}

async fn status(node: &Node, namespace: &str) -> anyhow::Result<KomputerBudgetStatus> {
    let budgets = Api::<KomputerBudget>::namespaced(node.client.clone(), namespace);
    budgets.get("team").await?.status.context("a status")
}

async fn spent(node: &Node, namespace: &str) -> anyhow::Result<Money> {
    Ok(status(node, namespace).await?.spent_usd.context("an amount")?.parse()?)
}

#[tokio::test]
async fn a_task_stops_at_the_limit_goes_on_when_it_is_raised_and_its_cost_outlives_its_agent() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("budgets").await?;
    node.apply(&budget(&namespace, "0.01")).await?;
    let mut ada = agent(&namespace, "ada", "");
    ada["spec"] = json!({});
    node.apply(&ada).await?;
    node.apply(&task(&namespace, "work", "ada", "<<bash: echo 1>><<bash: echo 2>><<text: all done>>")).await?;

    // One call passes the limit, and it is the last.
    let waits = |agent: &_| ready(agent).is_some_and(|(_, reason, _)| reason == "WaitsForBudget");
    node.agent_where(&namespace, "ada", waits).await?;
    eventually("the budget to say so", || async {
        Ok((status(&node, &namespace).await?.phase == Some(BudgetPhase::Exceeded)).then_some(()))
    })
    .await?;
    let before = spent(&node, &namespace).await?;
    ensure!(before > "0.01".parse()?, "{before} was spent");
    tokio::time::sleep(std::time::Duration::from_secs(8)).await;
    ensure!(spent(&node, &namespace).await? == before, "it goes on");

    node.apply(&budget(&namespace, "5.00")).await?;
    let done = node.task_in(&namespace, "work", TaskPhase::Succeeded).await?.status.context("a status")?;
    ensure!(done.result.as_deref() == Some("all done"), "{done:?}");
    let cost: Money = done.cost_usd.context("a cost")?.parse()?;
    eventually("the budget to have all of it", || async {
        Ok((spent(&node, &namespace).await? == cost).then_some(()))
    })
    .await?;

    node.kubectl(&["delete", "komputeragent", "ada", "-n", &namespace, "--timeout=60s"], "").await?;
    ensure!(spent(&node, &namespace).await? == cost, "it outlives the agent");
    node.remove_namespace(&namespace).await
}
