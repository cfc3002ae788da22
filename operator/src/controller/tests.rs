//! What reaches the apiserver of what is decided.
use std::{convert::Infallible, str::FromStr as _};

use http::{Request, Response};
use k8s_openapi::api::core::v1::ServiceAccount;
use komputer_crds::v1beta1::{KomputerAgent, KomputerAgentSpec, KomputerAgentStatus};
use komputer_telemetry::Registry;
use kube::{Client, client::Body};
use serde_json::json;
use tokio::sync::watch;

use super::*;
use crate::{
    agent_client::AgentClient, freshness::Freshness, lease::Leadership, lessons::Lessons, metrics::Metrics,
    plan::Child, recorder::Recorder,
};

/// Makes a child for the agent of that name, and shows the status of all others, which can wait.
struct Decider;

impl Controller for Decider {
    type Object = KomputerAgent;
    type Observed = Arc<KomputerAgent>;
    type Status = KomputerAgentStatus;

    fn observe(&self, agent: Arc<KomputerAgent>, _now: Timestamp, _written: Option<Timestamp>) -> Arc<KomputerAgent> {
        agent
    }

    fn decide(agent: &Arc<KomputerAgent>) -> Plan<KomputerAgentStatus> {
        if agent.name_any() != "parent" {
            return Plan { status: Some(KomputerAgentStatus::default()), is_patient: true, ..Plan::nothing() };
        }
        let mut account = ServiceAccount::default();
        account.metadata.name = Some("child".into());
        Plan { apply: vec![Child::ServiceAccount(Box::new(account))], ..Plan::nothing() }
    }
}

/// An apiserver that takes everything, and what was written to it.
fn apiserver() -> (Client, Arc<Mutex<Vec<String>>>) {
    let written = Arc::new(Mutex::new(Vec::new()));
    let log = written.clone();
    let answer = move |request: Request<Body>| {
        log.lock().unwrap().push(request.uri().path().to_owned());
        let body = json!({ "metadata": { "name": "any" } }).to_string();
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::from(body.into_bytes()))))
    };
    (Client::new(tower::service_fn(answer), "team"), written)
}

fn agent(name: &str) -> Arc<KomputerAgent> {
    let mut agent = KomputerAgent::new(name, KomputerAgentSpec::default());
    agent.metadata.namespace = Some("team".into());
    agent.metadata.uid = Some(name.into());
    Arc::new(agent)
}

#[tokio::test]
async fn statuses_that_can_wait_are_written_in_turn_and_after_children() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let (client, written) = apiserver();
    let (_until, leads) = watch::channel(Some(tokio::time::Instant::now() + Duration::from_hours(1)));
    let hands = Hands {
        client: client.clone(),
        agents: AgentClient::new(Lessons::new(client)).unwrap(),
        recorder: Recorder::silent(),
        leading: Leadership::new(leads),
        metrics: Metrics::new(&Registry::new("komputer-operator")),
        freshness: Freshness::default(),
    };
    let context = Context::new(Decider, hands);
    let writes = || std::mem::take(&mut *written.lock().unwrap()).len();
    let start = Timestamp::from_str("2026-01-01T00:00:00Z").unwrap();
    clock::set(start);
    assert_eq!((look(agent("a"), &context).await.unwrap(), writes()), (HEARTBEAT, 1));
    let left = look(agent("b"), &context).await.unwrap();
    assert!(left <= Duration::from_millis(10) && writes() == 0, "{left:?}");

    look(agent("parent"), &context).await.unwrap();
    assert_eq!(writes(), 1);
    clock::set(start + left);
    let left = look(agent("b"), &context).await.unwrap();
    assert!(left <= Duration::from_millis(110) && writes() == 0, "{left:?}");
    clock::set(start + Duration::from_secs(1));
    assert_eq!((look(agent("b"), &context).await.unwrap(), writes()), (HEARTBEAT, 1));
}
