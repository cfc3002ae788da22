//! The real world, and what is done to it.
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::join_all;
use komputer_events::Money;
use komputer_operator::status::PROGRESS;
use komputer_tests::{cluster::LightCluster, node::eventually, redis::Redis};
use kube::{
    Client, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::{sync::Mutex, task::JoinSet};

use super::{
    action::{Action, Fate, spec},
    leaders::Leaders,
    model::{CREW, CROWD, FEW, Id, Model, NAMESPACES, PAID, TIMES},
    played::{agents::Agents, mind::PRICE, node, space::Space},
    record::{Record, inhabitants},
    settled::{Truth, differences},
};

/// The annotation that triggers a schedule.
const TRIGGER: &str = "komputer.komputer.ai/trigger";
/// Agents that may be in the middle of a call when the budget is spent.
const SPENDERS: u64 = 3;
/// How long the world may take to come to rest.
const REST: Duration = Duration::from_mins(1);
/// How long nothing is written while the world is at rest, where it is to go on.
const QUIET: Duration = Duration::from_millis(200);

pub struct World<'a> {
    client: Client,
    agents: Agents,
    record: Record,
    leaders: Mutex<Leaders<'a>>,
    _tasks: JoinSet<()>,
}

impl<'a> World<'a> {
    pub async fn start(cluster: &'a LightCluster, redis: &'a Redis) -> Self {
        let client = cluster.client().await.unwrap();
        let agents = Agents::new(redis.streams("komputer-operator").unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(node::run_pods(client.clone(), agents.clone()));
        let record = Record::watch(&client, &mut tasks).await;
        let leaders = Mutex::new(Leaders::start(cluster, redis, client.clone()));
        Self { client, agents, record, leaders, _tasks: tasks }
    }

    fn space(&self, namespace: &str) -> Space {
        Space { client: self.client.clone(), namespace: namespace.into() }
    }

    /// Makes what is there before anything happens.
    pub async fn begin(&self, model: &mut Model) {
        for namespace in NAMESPACES {
            let limit = if namespace == CROWD { json!({ "maxConcurrentAgents": FEW }) } else { json!({}) };
            self.space(namespace).create().await;
            self.space(namespace).apply("KomputerAgentTemplate", "default", limit).await;
        }
        self.raise(model, 5).await;
    }

    async fn raise(&self, model: &mut Model, calls: u64) {
        let action = Action::Raise { calls };
        model.apply(&action);
        self.perform(&action).await;
    }

    async fn limit(&self, calls: u64) {
        let limit = Money::from_nano(PRICE.nano() * calls).to_string();
        self.space(PAID).apply("KomputerBudget", "team", json!({ "limitUSD": limit, "period": "Total" })).await;
    }

    /// Does what the model already knows of: in each namespace one after the other, as in many at the same time.
    pub async fn perform_all(&self, actions: &[Action], model: &Model) {
        self.leaders.lock().await.go_on();
        let places = NAMESPACES.into_iter().chain([""]).map(|place| async move {
            for action in actions.iter().filter(|action| action.place() == place) {
                self.perform(action).await;
                self.check(model, Truth::paid(&self.agents));
            }
        });
        join_all(places).await;
    }

    async fn perform(&self, action: &Action) {
        match action {
            Action::Agent { id, rest } => {
                self.space(id.0).apply("KomputerAgent", &id.1, spec(id.0, *rest)).await;
            }
            Action::Suspend { id, is_suspended } => {
                self.change("KomputerAgent", id, json!({ "spec": { "suspend": is_suspended } })).await;
            }
            Action::DeleteAgent { id } => self.delete_agent(id).await,
            Action::Task { id, agent, work, replaces } => {
                let mode = if *replaces { "Replace" } else { "Queue" };
                let task = json!({ "agentRef": { "name": agent }, "instructions": work.instructions(), "mode": mode });
                self.space(id.0).apply("KomputerTask", &id.1, task).await;
            }
            Action::Cancel { id } => self.change("KomputerTask", id, json!({ "spec": { "cancel": true } })).await,
            Action::DeleteTask { id } => self.space(id.0).delete("KomputerTask", &id.1).await,
            Action::Raise { calls } => self.limit(*calls).await,
            Action::Squad { members } => {
                let members: Vec<_> = members.iter().map(|name| json!({ "name": name })).collect();
                self.space(CREW).apply("KomputerSquad", "crew", json!({ "members": members })).await;
            }
            Action::DeleteSquad => self.space(CREW).delete("KomputerSquad", "crew").await,
            Action::Schedule { name, runs } => self.schedule(name, *runs).await,
            Action::Trigger { name, time } => {
                let trigger = json!({ "metadata": { "annotations": { TRIGGER: time.to_string() } } });
                self.change("KomputerSchedule", &(TIMES, name.clone()), trigger).await;
            }
            Action::DeleteSchedule { name } => self.space(TIMES).delete("KomputerSchedule", name).await,
            Action::Pod { id, fate } => self.strike(id, *fate).await,
            Action::Operator(change) => self.leaders.lock().await.change(*change).await,
        }
    }

    async fn change(&self, kind: &str, id: &Id, change: Value) {
        let api = self.space(id.0).api(kind);
        api.patch(&id.1, &PatchParams::default(), &Patch::Merge(&change)).await.unwrap();
    }

    /// Who deletes an agent deletes its tasks first, and waits until it is gone: its name may be another's next.
    async fn delete_agent(&self, id: &Id) {
        let space = self.space(id.0);
        let tasks = space.api("KomputerTask").list(&ListParams::default()).await.unwrap();
        for task in tasks.iter().filter(|task| task.data["spec"]["agentRef"]["name"] == *id.1) {
            space.delete("KomputerTask", &task.name_any()).await;
        }
        space.delete("KomputerAgent", &id.1).await;
        let begun = Instant::now();
        while space.api("KomputerAgent").get_opt(&id.1).await.unwrap().is_some() {
            assert!(begun.elapsed() < REST, "agent {id:?} does not go");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn schedule(&self, name: &str, runs: Option<u32>) {
        let mut metadata = json!({ "name": name });
        let mut spec = json!({
            "schedule": "0 0 1 1 *", "suspend": true, "task": { "instructions": "1 calls" },
            "agent": { "lifecycle": { "afterTask": "Sleep" } },
        });
        if let Some(runs) = runs {
            (spec["schedule"], spec["suspend"]) = ("* * * * * *".into(), false.into());
            (spec["completions"], spec["concurrencyPolicy"]) = (runs.into(), "Forbid".into());
        } else {
            metadata["annotations"] = json!({ TRIGGER: "1" });
        }
        self.space(TIMES).apply_with("KomputerSchedule", metadata, spec).await;
    }

    /// Something becomes of the pod that the agent is in.
    async fn strike(&self, id: &Id, fate: Fate) {
        let found = {
            let seen = self.record.seen();
            let mut pods = seen.all("Pod").filter(|(namespace, _, pod)| {
                let is_up = pod.data["status"]["phase"] == "Running" && pod.metadata.deletion_timestamp.is_none();
                *namespace == id.0 && is_up && inhabitants(pod).contains_key(&id.1)
            });
            // Who was evicted before is deleted: the next pod would wait for a while.
            let agent = seen.all("KomputerAgent").find(|(namespace, name, _)| (*namespace, *name) == (id.0, &id.1));
            let has_failed = agent.is_some_and(|(_, _, agent)| !agent.data["status"]["podFailure"].is_null());
            pods.next().map(|(_, name, pod)| (name.to_owned(), pod.data["status"].clone(), has_failed))
        };
        let Some((pod, mut status, has_failed)) = found else { return };
        let space = self.space(id.0);
        match fate {
            Fate::Deleted => return space.delete("Pod", &pod).await,
            Fate::Evicted if has_failed => return space.delete("Pod", &pod).await,
            Fate::Evicted => status = json!({ "phase": "Failed", "reason": "Evicted" }),
            Fate::Crashed => {
                status["conditions"] = json!([{ "type": "Ready", "status": "False" }]);
                for container in status["containerStatuses"].as_array_mut().into_iter().flatten() {
                    container["ready"] = false.into();
                    container["state"] = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
                }
            }
        }
        let patch = Patch::Merge(json!({ "status": status }));
        let _ = space.api("Pod").patch_status(&pod, &PatchParams::default(), &patch).await; // it may be gone by now
    }

    /// What must never be has not been.
    fn check(&self, model: &Model, paid: Money) {
        let most = Money::from_nano(PRICE.nano() * (model.calls + SPENDERS));
        assert!(paid <= most, "{paid} was spent of {most}");
        let doubled = self.agents.doubled();
        assert!(doubled.is_empty(), "tasks of these uids were begun twice: {doubled:?}");
        let seen = self.record.seen();
        assert!(seen.wrongs.is_empty(), "{:#?}", seen.wrongs);
    }

    /// The world comes to rest, and is as the model says.
    pub async fn settle(&self, model: &mut Model) {
        let (begun, mut last) = (Instant::now(), Vec::new());
        let enough = model.calls.max(model.asked + 1);
        self.raise(model, enough).await;
        self.leaders.lock().await.settle().await;
        loop {
            self.leaders.lock().await.go_on();
            let truth = Truth::of(&self.agents);
            self.check(model, truth.paid);
            let mut left = differences(model, &self.record.seen(), &truth);
            if left.is_empty() {
                left = self.written(QUIET).await;
            }
            if left.is_empty() {
                break;
            }
            assert!(begun.elapsed() < REST, "the world does not settle: {left:#?}");
            last = left;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let seen = self.record.seen();
        for (namespace, name, task) in seen.all("KomputerTask") {
            let found = model.tasks.keys().find(|(of, called)| (*of, &**called) == (namespace, name)).cloned();
            if let Some(id) = found {
                model.seen(&id, task.data["status"]["phase"].as_str().unwrap_or("Pending"));
            }
        }
        model.schedules.values_mut().for_each(|schedule| schedule.is_fresh = false);
        println!("settled in {:?}, at last by {last:?}", begun.elapsed());
    }

    /// Nothing is written to a world at rest, for longer than anything is put off.
    pub async fn stays_so(&self, model: &Model) {
        eventually("nothing to be written any more", || async {
            let written = self.written(PROGRESS + Duration::from_secs(1)).await;
            anyhow::ensure!(written.is_empty(), "{written:?}");
            Ok(Some(()))
        })
        .await
        .unwrap();
        let truth = Truth::of(&self.agents);
        self.check(model, truth.paid);
        let left = differences(model, &self.record.seen(), &truth);
        assert!(left.is_empty(), "{left:#?}");
    }

    /// What is written within that time.
    async fn written(&self, time: Duration) -> Vec<String> {
        let before = self.writes().await;
        tokio::time::sleep(time).await;
        let after = self.writes().await;
        after.into_iter().filter(|(of, count)| before.get(of) != Some(count)).map(|(of, _)| of).collect()
    }

    /// How often the apiserver was asked to write, of all but leases.
    async fn writes(&self) -> BTreeMap<String, String> {
        let metrics = self.client.request_text(http::Request::get("/metrics").body(Vec::new()).unwrap()).await.unwrap();
        let requests = metrics.lines().filter(|line| line.starts_with("apiserver_request_total{"));
        let writes = requests.filter(|line| {
            let is_write = ["APPLY", "DELETE", "PATCH", "POST", "PUT"];
            is_write.iter().any(|verb| line.contains(&format!("verb=\"{verb}\"")))
                && !line.contains("resource=\"leases\"")
        });
        writes.filter_map(|line| line.rsplit_once(' ')).map(|(of, count)| (of.into(), count.into())).collect()
    }

    /// A world in which nothing happens proves nothing.
    pub fn has_seen_enough(&self, actions: u64) {
        let seen = self.record.seen();
        println!("{} pods, {} awake at most, {} in one", seen.pods, seen.most_awake, seen.most_in_a_pod);
        if actions >= 2_000 {
            assert!(seen.pods > 200 && seen.most_awake > 5 && seen.most_in_a_pod > 1);
        }
    }
}
