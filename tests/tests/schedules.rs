//! A schedule from its first run to its end.
use anyhow::{Context, ensure};
use komputer_crds::v1beta1::{KomputerSchedule, KomputerScheduleStatus, TaskPhase};
use komputer_tests::{
    agents::{agent, meddlers, ready},
    node::{Node, eventually},
};
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::{Value, json};

fn schedule(namespace: &str, tag: &str, more: &Value) -> Value {
    let mut schedule = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSchedule",
        "metadata": { "name": "often", "namespace": namespace },
        "spec": { "schedule": "*/2 * * * * *", "task": { "instructions": format!("<<tag: {tag}>> <<text: done>>") } },
    });
    if let (Some(spec), Some(more)) = (schedule["spec"].as_object_mut(), more.as_object()) {
        spec.extend(more.clone());
    }
    schedule
}

/// The status of the schedule, once it says so.
async fn says(
    node: &Node,
    namespace: &str,
    what: &str,
    holds: impl Fn(&KomputerScheduleStatus) -> bool,
) -> anyhow::Result<KomputerScheduleStatus> {
    let schedules = Api::<KomputerSchedule>::namespaced(node.client.clone(), namespace);
    eventually(&format!("the schedule to say {what}"), || async {
        let schedule = schedules.get("often").await?;
        let foreign = meddlers(&schedule);
        ensure!(foreign.is_empty(), "{foreign:?}");
        let status = schedule.status.context("no status")?;
        let described = format!("{status:?}");
        holds(&status).then_some(status).context(described).map(Some)
    })
    .await
}

fn stands(status: &KomputerScheduleStatus, reason: &str) -> bool {
    status.conditions.iter().any(|found| found.type_ == "Ready" && found.status == "True" && found.reason == reason)
}

fn is_at_rest(status: &KomputerScheduleStatus) -> bool {
    status.runs.iter().all(|run| run.phase.is_terminal())
}

async fn tasks(node: &Node, namespace: &str) -> anyhow::Result<Vec<(String, TaskPhase)>> {
    let all = node.tasks(namespace).list(&ListParams::default()).await?;
    Ok(all.iter().map(|task| (task.name_any(), task.phase())).collect())
}

#[tokio::test]
async fn a_schedule_runs_and_forgets_and_rests_and_goes() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("schedules").await?;
    let tag = "schedules-often";
    let before = node.billed(tag).await.unwrap_or_default();

    // Runs, of which three stay.
    let made = json!({ "agent": {} });
    node.apply(&schedule(&namespace, tag, &made)).await?;
    says(&node, &namespace, "that five runs succeeded", |status| status.successful_runs >= Some(5)).await?;
    let agent = node.agents(&namespace).get("often-agent").await?;
    ensure!(agent.owner_references().iter().any(|owner| owner.kind == "KomputerSchedule"), "{agent:?}");

    // No run while suspended.
    let suspended = json!({ "agent": {}, "suspend": true });
    node.apply(&schedule(&namespace, tag, &suspended)).await?;
    let rests = |status: &KomputerScheduleStatus| stands(status, "Suspended") && is_at_rest(status);
    let rested = says(&node, &namespace, "that it rests", rests).await?;
    ensure!(rested.next_run_time.is_none() && rested.failed_runs == Some(0), "{rested:?}");
    eventually("three tasks to be left", || async {
        let left = tasks(&node, &namespace).await?;
        ensure!(left.len() == 3, "{left:?}");
        Ok(Some(()))
    })
    .await?;

    // But one that is asked for.
    let trigger = ["annotate", "komputerschedule", "often", "-n", &namespace, "komputer.komputer.ai/trigger=please"];
    node.kubectl(&trigger, "").await?;
    let succeeded = rested.successful_runs.map(|count| count + 1);
    let triggered = says(&node, &namespace, "that the triggered run succeeded", |status| {
        status.successful_runs == succeeded && is_at_rest(status)
    })
    .await?;
    ensure!(triggered.run_count == rested.run_count.map(|count| count + 1), "{triggered:?}");
    ensure!(triggered.last_trigger.is_some_and(|trigger| trigger.value == "please"), "no trigger");
    let billed = node.billed(tag).await?.saturating_sub(before);
    ensure!(triggered.total_cost_usd == Some(billed.to_string()), "{:?} of {billed}", triggered.total_cost_usd);

    // Nothing is left of it.
    node.kubectl(&["delete", "komputerschedule", "often", "-n", &namespace, "--timeout=60s"], "").await?;
    eventually("all of it to go", || async {
        let kinds = "komputertasks,komputeragents,pods,persistentvolumeclaims";
        let left = node.kubectl(&["get", kinds, "-n", &namespace, "-o", "name"], "").await?;
        ensure!(left.is_empty(), "left: {left}");
        Ok(Some(()))
    })
    .await?;
    node.remove_namespace(&namespace).await
}

#[tokio::test]
async fn a_schedule_takes_no_agent_of_others_over_and_uses_one_that_is_there() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("schedules-agents").await?;
    node.apply(&agent(&namespace, "ada", "<<text: mine>>")).await?;
    node.agent_where(&namespace, "ada", |agent| ready(agent).is_some_and(|(_, reason, _)| reason == "Idle")).await?;

    let both = json!({ "agentRef": { "name": "ada" }, "agent": { "systemPrompt": "taken over" } });
    node.apply(&schedule(&namespace, "schedules-agents", &both)).await?;
    let is_conflicted =
        |status: &KomputerScheduleStatus| status.conditions.iter().any(|found| found.reason == "Conflicted");
    says(&node, &namespace, "that the agent is another's", is_conflicted).await?;
    let ada = node.agents(&namespace).get("ada").await?;
    ensure!(meddlers(&ada).is_empty() && ada.spec.system_prompt.is_none(), "{ada:?}");

    let named = json!({ "agentRef": { "name": "ada" } });
    node.apply(&schedule(&namespace, "schedules-agents", &named)).await?;
    says(&node, &namespace, "that a run succeeded", |status| status.successful_runs >= Some(1)).await?;
    node.kubectl(&["delete", "komputerschedule", "often", "-n", &namespace, "--timeout=60s"], "").await?;
    ensure!(meddlers(&node.agents(&namespace).get("ada").await?).is_empty(), "ada stays its applier's");
    node.remove_namespace(&namespace).await
}
