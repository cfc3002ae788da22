//! Budgets: the real operator, killed now and then, at a real apiserver and Redis; the test plays the kubelet and the agents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod player;
#[path = "../running/mod.rs"]
mod running;

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use komputer_crds::v1beta1::{BudgetPhase, KomputerAgent, KomputerBudget, KomputerBudgetStatus, KomputerTask};
use komputer_events::{AgentId, Money};
use komputer_tests::{cluster::LightCluster, node::eventually};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use self::{
    player::Player,
    running::{Operator, prepare},
};

const NAMESPACE: &str = "team";
const AGENTS: u8 = 3;
/// What each task needs: more than its part of the first limit.
const CALLS: u64 = 40;

struct Team {
    client: Client,
    players: Vec<Arc<Player>>,
}

impl Team {
    fn agents(&self) -> Api<KomputerAgent> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    async fn apply(&self, kind: &str, name: &str, spec: Value) -> String {
        let object = json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": kind, "spec": spec,
            "metadata": { "name": name, "labels": { "team": "blue" } },
        });
        let patch = Patch::Apply(&object);
        let params = PatchParams::apply("test");
        let applied = match kind {
            "KomputerAgent" => self.agents().patch(name, &params, &patch).await.unwrap().uid(),
            "KomputerBudget" => self.budgets().patch(name, &params, &patch).await.unwrap().uid(),
            _ => self.tasks().patch(name, &params, &patch).await.unwrap().uid(),
        };
        applied.unwrap()
    }

    fn budgets(&self) -> Api<KomputerBudget> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    fn tasks(&self) -> Api<KomputerTask> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    async fn limit(&self, usd: &str) {
        let selector = json!({ "matchLabels": { "team": "blue" } });
        self.apply("KomputerBudget", "team", json!({ "limitUSD": usd, "period": "Total", "selector": selector })).await;
    }

    fn spent(&self) -> Money {
        self.players.iter().map(|player| player.spent()).sum()
    }

    /// Waits until the budget's status says what was really spent, to the last digit, and what else is asked for.
    async fn says(&self, what: &str, is_so: impl Fn(&KomputerBudgetStatus) -> bool) {
        eventually(what, || async {
            let status = self.budgets().get("team").await?.status.unwrap_or_default();
            let is_exact = status.spent_usd.as_deref() == Some(&self.spent().to_string());
            if is_exact && is_so(&status) {
                return Ok(Some(()));
            }
            Err(anyhow::anyhow!("{} was spent, and it says {status:?}", self.spent()))
        })
        .await
        .unwrap();
    }

    /// Waits until every task stands so.
    async fn tasks_stand(&self, reason: &str) {
        eventually(&format!("all tasks to be {reason}"), || async {
            let tasks = self.tasks().list(&ListParams::default()).await?;
            let reasons: Vec<_> =
                tasks.iter().map(|task| ready(task.status.as_ref().map(|status| &status.conditions))).collect();
            let is_so = reasons.iter().all(|(found, _)| found == reason);
            is_so.then_some(Some(())).ok_or_else(|| anyhow::anyhow!("they are {reasons:?}"))
        })
        .await
        .unwrap();
    }
}

fn ready(conditions: Option<&Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>>) -> (String, String) {
    let ready = conditions.into_iter().flatten().find(|condition| condition.type_ == "Ready");
    ready.map(|ready| (ready.reason.clone(), ready.message.clone())).unwrap_or_default()
}

/// Every pod is ready as soon as it is there.
async fn play_the_kubelet(client: Client, players: Vec<(String, String)>) {
    let pods = Api::<Pod>::namespaced(client, NAMESPACE);
    loop {
        for (name, ip) in &players {
            let Ok(Some(pod)) = pods.get_opt(name).await else { continue };
            if pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some()) {
                continue;
            }
            let ready = json!({ "status": {
                "phase": "Running", "podIP": ip, "conditions": [{ "type": "Ready", "status": "True" }],
            } });
            pods.patch_status(name, &PatchParams::default(), &Patch::Merge(&ready)).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_is_counted_exactly_and_no_limit_is_passed_by_more_than_a_call_an_agent() {
    let cluster = LightCluster::start_with_controllers("budgets").expect("a cluster");
    let redis = prepare(&cluster, &[NAMESPACE]);
    redis.ready("komputer-operator").await.unwrap();
    let client = cluster.client().await.unwrap();
    let mut team = Team { client: client.clone(), players: vec![] };
    let template = json!({ "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentTemplate",
        "metadata": { "name": "default" }, "spec": {} });
    let templates = Api::<komputer_crds::v1beta1::KomputerAgentTemplate>::namespaced(client.clone(), NAMESPACE);
    templates.create(&PostParams::default(), &serde_json::from_value(template).unwrap()).await.unwrap();
    team.limit("0.9").await;
    for index in 1..=AGENTS {
        let name = format!("a{index}");
        let uid = team.apply("KomputerAgent", &name, json!({})).await;
        let agent = AgentId::new(NAMESPACE, &name).unwrap();
        team.players.push(Player::start(index, CALLS, agent, uid, redis.streams("komputer-operator").unwrap()).await);
        let spec = json!({ "agentRef": { "name": name }, "instructions": "i" });
        team.apply("KomputerTask", &format!("t{index}"), spec).await;
    }
    let places = team.players.iter().map(|player| (player.name.clone(), player.ip.clone())).collect();
    tokio::spawn(play_the_kubelet(client.clone(), places));

    // They spend, and the operator dies in the middle of it.
    let mut operator = Operator::start(&cluster, &redis, &[]);
    eventually("something to be spent", || async { Ok((team.spent() > Money::ZERO).then_some(())) }).await.unwrap();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        drop(operator);
        operator = Operator::start(&cluster, &redis, &[]);
    }
    team.says("the limit to be reached", |status| status.phase == Some(BudgetPhase::Exceeded)).await;
    team.tasks_stand("WaitsForBudget").await;
    let prices: Money = team.players.iter().map(|player| player.price).sum();
    let most = "0.9".parse::<Money>().unwrap() + prices;
    assert!(team.spent() <= most, "{} was spent", team.spent());
    let agent = team.agents().get("a1").await.unwrap();
    let (reason, message) = ready(agent.status.as_ref().map(|status| &status.conditions));
    assert_eq!(reason, "WaitsForBudget");
    assert!(
        message.contains("KomputerBudget team has nothing left; goes on once spec.limitUSD is raised"),
        "{message}"
    );
    let spent = team.spent();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(team.spent(), spent, "nobody goes on");

    // One goes while no operator is there: nothing holds it, and what it has cost stays.
    drop(operator);
    team.players[0].die();
    team.agents().delete("a1", &DeleteParams::default()).await.unwrap();
    team.tasks().delete("t1", &DeleteParams::default()).await.unwrap();
    eventually("the agent to go", || async { Ok(team.agents().get_opt("a1").await?.is_none().then_some(())) })
        .await
        .unwrap();
    operator = Operator::start(&cluster, &redis, &[]);
    let departed = team.players[0].spent().to_string();
    team.says("what the agent has cost to stay", |status| {
        status.departed_usd.as_deref() == Some(&departed) && status.departing.is_empty()
    })
    .await;

    // Git raises the limit: the others go on, and are done.
    team.limit("5").await;
    team.tasks_stand("Succeeded").await;
    team.says("what was spent", |status| status.phase == Some(BudgetPhase::WithinLimit)).await;
    let reserved = |status: &KomputerBudgetStatus| status.reserved_usd.as_deref() == Some("0.0000");
    team.says("nothing to be set aside", reserved).await;

    drop(operator);
}
