//! What reaches the apiserver of what is decided.
use std::{collections::BTreeSet, convert::Infallible, str::FromStr as _};

use http::{Request, Response};
use k8s_openapi::{api::core::v1::ServiceAccount, apimachinery::pkg::apis::meta::v1::Time};
use komputer_crds::v1beta1::{KomputerAgent, KomputerAgentSpec, KomputerAgentStatus, KomputerTask, KomputerTaskSpec};
use komputer_events::bus::{Address, Credentials, Streams};
use komputer_telemetry::Registry;
use kube::{
    Client,
    client::Body,
    runtime::{reflector, watcher},
};
use serde_json::json;
use tokio::sync::watch;

use super::*;
use crate::{
    agent_client::AgentClient,
    budget::{Accounts, Ledger},
    freshness::Freshness,
    lease::Leadership,
    lessons::Lessons,
    metrics::Metrics,
    plan::Child,
    recorder::Recorder,
};

/// Makes a child for the parent, and shows once the status of all others, which can wait.
struct Decider;

impl Controller for Decider {
    type Object = KomputerAgent;
    type Observed = Arc<KomputerAgent>;
    type Status = KomputerAgentStatus;

    fn observe(&self, agent: Arc<KomputerAgent>, _now: Timestamp, _written: Option<Timestamp>) -> Arc<KomputerAgent> {
        agent
    }

    fn decide(agent: &Arc<KomputerAgent>) -> Plan<KomputerAgentStatus> {
        if agent.name_any() == "asks" {
            let task = KomputerTask::new("task", KomputerTaskSpec::default());
            return Plan { apply: vec![Child::Task(Box::new(task))], ..Plan::nothing() };
        }
        if agent.name_any() != "parent" {
            let status = Some(KomputerAgentStatus::default()).filter(|_| agent.resource_version() == Some("1".into()));
            return Plan { status, is_patient: true, ..Plan::nothing() };
        }
        let mut account = ServiceAccount::default();
        account.metadata.name = Some("child".into());
        Plan { apply: vec![Child::ServiceAccount(Box::new(account))], ..Plan::nothing() }
    }
}

/// How long the apiserver takes to make a task.
const SLOW: Duration = Duration::from_secs(20);

/// An apiserver that takes everything, and what was written to it.
fn apiserver() -> (Client, Written) {
    let written = Arc::new(Mutex::new(Vec::new()));
    let log = written.clone();
    let answer = move |request: Request<Body>| {
        log.lock().unwrap().push(request.uri().path().to_owned());
        if request.uri().path().ends_with("/komputertasks") {
            clock::set(clock::now() + SLOW);
        }
        let body = json!({ "metadata": { "name": "any", "resourceVersion": "2" } }).to_string();
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::from(body.into_bytes()))))
    };
    (Client::new(tower::service_fn(answer), "team"), written)
}

/// As it is before anything is written of it: its version is 1.
fn agent(name: &str) -> Arc<KomputerAgent> {
    let mut agent = KomputerAgent::new(name, KomputerAgentSpec::default());
    agent.metadata.namespace = Some("team".into());
    agent.metadata.uid = Some(name.into());
    agent.metadata.resource_version = Some("1".into());
    Arc::new(agent)
}

/// What agents have cost is not asked for here.
fn nowhere() -> Accounts {
    let credentials = Credentials { username: "operator".into(), password: "p".into() };
    let streams = Streams::new(&Address::new("localhost", 1), &credentials).unwrap();
    let (agents, tasks, budgets) = Default::default();
    Accounts::new(streams, Arc::new(Ledger::new(agents, tasks, budgets, Arc::default())))
}

type Written = Arc<Mutex<Vec<String>>>;

/// A controller that leads for an hour, what it has written, and what its lead ends with.
fn controller() -> (Context<Decider>, Written, watch::Sender<Option<tokio::time::Instant>>) {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let (client, written) = apiserver();
    let (until, leads) = watch::channel(Some(tokio::time::Instant::now() + Duration::from_hours(1)));
    let hands = Hands {
        client: client.clone(),
        agents: AgentClient::new(Lessons::new(client)).unwrap(),
        accounts: nowhere(),
        recorder: Recorder::silent(),
        leading: Leadership::new(leads),
        metrics: Metrics::new(&Registry::new("komputer-operator")),
        freshness: Freshness::default(),
    };
    (Context::new(Decider, hands), written, until)
}

#[tokio::test]
async fn statuses_that_can_wait_are_written_in_turn_and_after_children() {
    let (context, written, _until) = controller();
    let writes = || std::mem::take(&mut *written.lock().unwrap()).len();
    let start = Timestamp::from_str("2026-01-01T00:00:00Z").unwrap();
    clock::set(start);
    assert_eq!((look(agent("a"), &context).await.unwrap(), writes()), (None, 1));
    let left = look(agent("b"), &context).await.unwrap().unwrap();
    assert!(left <= Duration::from_millis(10) && writes() == 0, "{left:?}");

    look(agent("parent"), &context).await.unwrap();
    assert_eq!(writes(), 1);
    clock::set(start + left);
    let left = look(agent("b"), &context).await.unwrap().unwrap();
    assert!(left <= Duration::from_millis(110) && writes() == 0, "{left:?}");
    clock::set(start + Duration::from_secs(1));
    assert_eq!((look(agent("b"), &context).await.unwrap(), writes()), (None, 1));
}

#[tokio::test]
async fn a_task_is_made_only_of_what_is_as_it_was_seen() {
    let (context, written, _until) = controller();
    let paths = || std::mem::take(&mut *written.lock().unwrap());
    let agents = "/apis/komputer.komputer.ai/v1beta1/namespaces/team/komputeragents/asks";
    let tasks = "/apis/komputer.komputer.ai/v1beta1/namespaces/team/komputertasks";
    let start = Timestamp::from_str("2026-01-01T00:00:00Z").unwrap();
    clock::set(start);
    let of = |version: &str, made: Timestamp| {
        let mut agent = KomputerAgent::clone(&agent("asks"));
        agent.metadata.resource_version = Some(version.into());
        agent.metadata.creation_timestamp = Some(Time(made));
        Arc::new(agent)
    };
    let long_ago = start - Duration::from_mins(1);
    let behind = look(of("1", long_ago), &context).await;
    assert!(matches!(behind, Err(CarryOutError::Outdated)), "{behind:?}");
    assert_eq!(paths(), [agents], "the apiserver has version 2");
    look(of("2", long_ago), &context).await.unwrap();
    assert_eq!(paths(), [agents, tasks]);
    let (context, written, _until) = controller();
    look(of("1", start), &context).await.unwrap();
    assert_eq!(*written.lock().unwrap(), [tasks], "a new one costs no request more");
}

#[tokio::test]
async fn what_was_written_is_awaited_from_its_answer_on() {
    let (context, written, _until) = controller();
    clock::set(Timestamp::from_str("2026-01-01T00:00:00Z").unwrap());
    let mut asks = KomputerAgent::clone(&agent("asks"));
    asks.metadata.creation_timestamp = Some(Time(clock::now()));
    look(Arc::new(asks.clone()), &context).await.unwrap();
    clock::set(clock::now() + Duration::from_secs(29));
    assert_eq!(look(Arc::new(asks), &context).await.unwrap(), Some(CATCH_UP), "the cache may not show it yet");
    assert_eq!(written.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn of_a_settled_object_nothing_is_remembered() {
    let (context, _written, _until) = controller();
    let remembered = || context.memory.lock().unwrap().len();
    let start = Timestamp::from_str("2026-01-01T00:00:00Z").unwrap();
    clock::set(start);
    look(agent("a"), &context).await.unwrap();
    assert_eq!(look(agent("a"), &context).await.unwrap(), Some(CATCH_UP), "what was written has not been seen");
    let mut seen = KomputerAgent::clone(&agent("a"));
    seen.metadata.resource_version = Some("2".into());
    assert_eq!(look(Arc::new(seen), &context).await.unwrap(), None);
    context.tidy(start + PROGRESS - Duration::from_millis(1));
    assert_eq!(remembered(), 1, "progress is not shown again so soon");
    context.tidy(start + PROGRESS);
    assert_eq!(remembered(), 0);
}

#[tokio::test(start_paused = true)]
async fn everything_is_looked_at_once_an_hour() {
    let (context, _written, _until) = controller();
    let (store, mut writer) = reflector::store();
    let names: BTreeSet<_> = (0..500).map(|index| format!("a{index}")).collect();
    for name in &names {
        writer.apply_watcher_event(&watcher::Event::Apply(KomputerAgent::clone(&agent(name))));
    }
    let long_settled = reference("a0", Some("team"));
    context.remember(&long_settled, |memory| memory.written = Some(Timestamp::UNIX_EPOCH));
    let queue = Queue::default();
    queue.open(store.clone());
    let drain = || std::iter::from_fn(|| queue.take().inspect(|agent| queue.lay_down(agent)).map(|agent| agent.name));
    assert_eq!(drain().count(), names.len(), "at first");
    for _hour in 0..2 {
        tokio::select! {
            () = keep_beating(&context, &store, &queue) => {}
            () = tokio::time::sleep(HEARTBEAT + Duration::from_secs(1)) => {}
        }
        let looked_at: Vec<_> = drain().collect();
        assert_eq!(looked_at.len(), names.len());
        assert_eq!(looked_at.into_iter().collect::<BTreeSet<_>>(), names);
    }
    assert!(context.memory.lock().unwrap().is_empty(), "what is remembered is tidied up");
}
