//! `kill -9` of each process in the middle of a task: the task ends well, nothing is lost or doubled, the cost is right.
use anyhow::Context;
use komputer_crds::v1beta1::TaskPhase;
use komputer_events::Cursor;
use komputer_tests::{
    agents::agent,
    node::{Node, SYSTEM, eventually},
    record::check_whole,
};

#[tokio::test]
async fn of_the_agent() -> anyhow::Result<()> {
    survives("fault-agent", Victim::Agent).await
}

#[tokio::test]
async fn of_the_operator() -> anyhow::Result<()> {
    survives("fault-operator", Victim::Part("komputer-operator")).await
}

#[tokio::test]
async fn of_the_api() -> anyhow::Result<()> {
    survives("fault-api", Victim::Part("komputer-api")).await
}

#[tokio::test]
async fn of_the_webhooks() -> anyhow::Result<()> {
    survives("fault-webhooks", Victim::Part("komputer-webhooks")).await
}

#[tokio::test]
async fn of_redis() -> anyhow::Result<()> {
    survives("fault-redis", Victim::Part("komputer-redis")).await
}

/// What is killed.
enum Victim {
    Agent,
    Part(&'static str),
}

async fn survives(name: &str, victim: Victim) -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace(name).await?;
    let token = node.token(&namespace, "reader", Some("komputer-view")).await?;
    let script = format!("<<tag: {name}>> <<times: 60 bash: sleep 0.3; echo {{n}}>> <<text: survived>>");
    let before = node.billed(name).await.unwrap_or_default();
    node.apply(&agent(&namespace, "ada", &script)).await?;

    eventually("the task to be in its middle", || async {
        let said = node.events(&token, &namespace, "ada").await?;
        Ok((said.len() >= 60).then_some(()))
    })
    .await?;
    match victim {
        Victim::Agent => node.kill(&namespace, "ada").await?,
        Victim::Part(part) => {
            for pod in node.pods_of(part).await? {
                node.kill(SYSTEM, &pod).await?;
            }
        }
    }

    let task = node.ended_task(&namespace, "ada").await?;
    let status = task.status.context("a task without a status")?;
    assert_eq!(status.phase, Some(TaskPhase::Succeeded), "{status:?}");
    assert_eq!(status.result.as_deref(), Some("survived"));
    let folded: Cursor = status.cursor.as_deref().context("the status has no cursor")?.parse()?;
    let events = eventually("all events to be there", || async {
        let events = node.events(&token, &namespace, "ada").await?;
        let newest = events.last().map_or(Cursor::START, |event| event.id);
        Ok((newest >= folded).then_some(events))
    })
    .await?;
    assert!(events.len() >= 200, "{} events", events.len());
    check_whole(&events)?;
    let billed = node.billed(name).await?.saturating_sub(before);
    assert_eq!(status.cost_usd, Some(billed.to_string()), "as the model billed");
    let agent = node.agents(&namespace).get("ada").await?;
    assert_eq!(agent.status.and_then(|status| status.total_cost_usd), Some(billed.to_string()));
    node.remove_namespace(&namespace).await
}
