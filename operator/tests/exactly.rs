//! What is meant for one object, as it was seen, is done to no other: on a real apiserver.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{sync::Arc, time::Duration};

use komputer_crds::v1beta1::{KomputerAgent, KomputerSchedule, KomputerScheduleStatus, KomputerTask};
use komputer_events::bus::{Address, Credentials, Streams};
use komputer_operator::{
    agent_client::AgentClient,
    budget::{Accounts, Ledger},
    carry_out::{CarryOutError, Hands},
    freshness::Freshness,
    lease::Leadership,
    lessons::Lessons,
    metrics::Metrics,
    plan::{Child, Exactly, Plan, Removal},
    recorder::Recorder,
};
use komputer_telemetry::Registry;
use komputer_tests::cluster::LightCluster;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

const NAMESPACE: &str = "default";

type Outcome = Result<(), CarryOutError>;

struct World {
    _cluster: LightCluster,
    client: Client,
    hands: Hands,
    schedule: KomputerSchedule,
    _leading: watch::Sender<Option<Instant>>,
}

fn object<K: DeserializeOwned>(kind: &str, name: &str, spec: &Value) -> K {
    let metadata = json!({ "name": name, "namespace": NAMESPACE });
    let object =
        json!({ "apiVersion": "komputer.komputer.ai/v1beta1", "kind": kind, "metadata": metadata, "spec": spec });
    serde_json::from_value(object).unwrap()
}

impl World {
    async fn start() -> Self {
        let cluster = LightCluster::start("exactly").expect("a cluster");
        let definitions = serde_json::to_value(komputer_crds::definitions().unwrap()).unwrap();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": definitions }).to_string();
        cluster.kubectl(&["apply", "--server-side", "-f", "-"], &list).unwrap();
        cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "").unwrap();
        let client = cluster.client().await.unwrap();
        let (leading, leads) = watch::channel(Some(Instant::now() + Duration::from_hours(1)));
        let metrics = Metrics::new(&Registry::new("test"));
        let recorder = Recorder::start(client.clone(), "test", metrics.clone());
        let credentials = Credentials { username: "operator".into(), password: "p".into() };
        let nowhere = Streams::new(&Address::new("localhost", 1), &credentials).unwrap();
        let (agents, tasks, budgets) = Default::default();
        let ledger = Arc::new(Ledger::new(agents, tasks, budgets, Arc::default()));
        let hands = Hands {
            client: client.clone(),
            agents: AgentClient::new(Lessons::new(client.clone())).unwrap(),
            accounts: Accounts::new(nowhere, ledger),
            recorder,
            leading: Leadership::new(leads),
            metrics,
            freshness: Freshness::default(),
        };
        let spec = json!({ "schedule": "0 9 * * *", "task": { "instructions": "i" }, "agentRef": { "name": "ada" } });
        let schedules = Api::<KomputerSchedule>::namespaced(client.clone(), NAMESPACE);
        let schedule = object("KomputerSchedule", "s", &spec);
        let schedule = schedules.create(&PostParams::default(), &schedule).await.unwrap();
        Self { _cluster: cluster, client, hands, schedule, _leading: leading }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    async fn made<K>(&self, kind: &str, name: &str, spec: Value) -> K
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + Serialize
            + DeserializeOwned,
    {
        self.api::<K>().create(&PostParams::default(), &object(kind, name, &spec)).await.unwrap()
    }

    async fn carry_out(&self, change: impl FnOnce(&mut Plan<KomputerScheduleStatus>)) -> Outcome {
        let mut plan = Plan::nothing();
        change(&mut plan);
        self.hands.carry_out(&self.schedule, &plan).await.map(drop)
    }

    async fn apply(&self, version: Option<&str>, uid: Option<String>, prompt: &str) -> Outcome {
        let mut agent: KomputerAgent = object("KomputerAgent", "ada", &json!({ "systemPrompt": prompt }));
        agent.metadata.resource_version = version.map(Into::into);
        agent.metadata.uid = uid;
        self.carry_out(|plan| plan.apply.push(Child::Agent(Box::new(agent)))).await
    }

    async fn prompt(&self) -> Option<String> {
        self.api::<KomputerAgent>().get("ada").await.unwrap().spec.system_prompt
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_to_an_object_that_was_not_meant() {
    let world = World::start().await;

    // An agent is made where there is none, and changed where it is that one.
    world.apply(Some("1"), None, "first").await.unwrap();
    let refused = world.apply(Some("1"), None, "second").await;
    assert!(matches!(refused, Err(CarryOutError::Outdated)), "{refused:?}");
    world.apply(None, Some("another".into()), "third").await.unwrap_err();
    assert_eq!(world.prompt().await.as_deref(), Some("first"));
    let uid = world.api::<KomputerAgent>().get("ada").await.unwrap().uid();
    world.apply(None, uid.clone(), "fourth").await.unwrap();
    assert_eq!(world.prompt().await.as_deref(), Some("fourth"));

    // A task is cancelled, and deleted, where it is that one.
    let spec = json!({ "agentRef": { "name": "ada" }, "instructions": "i" });
    let task: KomputerTask = world.made("KomputerTask", "t", spec).await;
    let of = |uid: &str| Exactly { name: "t".into(), uid: uid.into() };
    let tasks = world.api::<KomputerTask>();
    let own = task.metadata.uid.as_deref().unwrap();
    world.carry_out(|plan| plan.apply.push(Child::Cancellation(of("another")))).await.unwrap_err();
    assert_eq!(tasks.get("t").await.unwrap().spec.cancel, None);
    world.carry_out(|plan| plan.apply.push(Child::Cancellation(of(own)))).await.unwrap();
    assert_eq!(tasks.get("t").await.unwrap().spec.cancel, Some(true));
    for (uid, is_there) in [("another", true), (own, false)] {
        world.carry_out(|plan| plan.remove.push(Removal::Task(of(uid)))).await.unwrap();
        assert_eq!(tasks.get_opt("t").await.unwrap().is_some(), is_there, "{uid}");
    }
    world.carry_out(|plan| plan.apply.push(Child::Cancellation(of(own)))).await.unwrap();
    let gone = Exactly { name: "ada".into(), uid: uid.unwrap() };
    for _ in 0..2 {
        world.carry_out(|plan| plan.remove.push(Removal::Agent(gone.clone()))).await.unwrap();
        assert!(world.api::<KomputerAgent>().get_opt("ada").await.unwrap().is_none());
    }

    // A status is written where it was decided about the newest.
    let schedules = world.api::<KomputerSchedule>();
    let annotated = Patch::Merge(json!({ "metadata": { "annotations": { "a": "b" } } }));
    let newest = schedules.patch("s", &PatchParams::default(), &annotated).await.unwrap();
    let write = |plan: &mut Plan<KomputerScheduleStatus>| {
        plan.status = Some(KomputerScheduleStatus { run_count: Some(1), ..Default::default() });
    };
    let refused = world.carry_out(write).await;
    assert!(matches!(refused, Err(CarryOutError::Outdated)), "{refused:?}");
    let world = World { schedule: newest, ..world };
    world.carry_out(write).await.unwrap();
    assert_eq!(schedules.get("s").await.unwrap().status.and_then(|status| status.run_count), Some(1));
}
