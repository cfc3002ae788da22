//! The users that the operator makes, on a real Redis.
#![allow(clippy::unwrap_used)]
use std::time::{Duration, Instant};

use komputer_crds::v1beta1::{KomputerAgent, KomputerAgentSpec};
use komputer_events::{
    AgentId, Cursor,
    bus::{Credentials, Entry, Retention, Streams},
};
use komputer_operator::{
    access::{Access, Notice},
    bootstrap,
    keys::{Audience, MasterKey},
};
use komputer_tests::redis::{Memory, Redis};
use kube::runtime::{reflector, watcher::Event};
use tokio::sync::mpsc;

const OPERATOR: &str = "komputer-operator";
const API: &str = "komputer-api";

#[tokio::test]
async fn everybody_may_do_in_redis_what_they_need_and_nothing_else() {
    let mut redis = Redis::start(&bootstrap::users(OPERATOR, API), Memory::Kept).unwrap();
    redis.ready(OPERATOR).await.unwrap();
    let (operator, api) = (redis.streams(OPERATOR).unwrap(), redis.streams(API).unwrap());
    let ada = AgentId::new("team-a", "ada").unwrap();
    let entries: Vec<_> = (1..=20).map(|n| Entry { id: Cursor::at(n), json: format!("{{\"seq\":{n}}}") }).collect();
    operator.append(&ada, "uid", None, &entries, Retention::default()).await.unwrap();
    assert_eq!(api.after(&ada, None, Cursor::START, 100).await.unwrap().entries, entries);
    assert!(api.append(&ada, "uid", Some(Cursor::at(20)), &entries, Retention::default()).await.is_err());
    assert!(api.remove(&ada).await.is_err());
    for (username, password) in [("default", ""), ("default", OPERATOR), (API, OPERATOR)] {
        let credentials = Credentials { username: username.into(), password: password.into() };
        let stranger = Streams::new(&redis.address(), &credentials).unwrap();
        assert!(stranger.last(&ada).await.is_err(), "{username} gets in with {password:?}");
    }

    redis.restart().unwrap();
    redis.ready(OPERATOR).await.unwrap();
    assert_eq!(
        operator.after(&ada, None, Cursor::START, 100).await.unwrap().entries,
        entries,
        "Redis reads its own file"
    );
}

/// A user that is lost while the notice of it meets a broken connection is back at once, not at the next sweep.
#[tokio::test]
async fn an_agents_user_is_back_soon_after_redis_has_lost_it() {
    let mut redis = Redis::start(&bootstrap::users(OPERATOR, API), Memory::Lost).unwrap();
    redis.ready(OPERATOR).await.unwrap();
    let mut agent = KomputerAgent::new("ada", KomputerAgentSpec::default());
    (agent.metadata.namespace, agent.metadata.uid) = (Some("team-a".into()), Some("u1".into()));
    let (agents, mut writer) = reflector::store();
    for event in [Event::Init, Event::InitApply(agent), Event::InitDone] {
        writer.apply_watcher_event(&event);
    }
    let master = MasterKey::new([7; 64]);
    let password = master.derive(Audience::Redis, "u1").reveal().to_owned();
    let (notices, noticed) = mpsc::unbounded_channel();
    tokio::spawn(Access::new(redis.streams(OPERATOR).unwrap(), agents, master).run(noticed));

    let (ada, credentials) = (
        AgentId::new("team-a", "ada").unwrap(),
        Credentials { username: "komputer-agent:team-a/ada".into(), password },
    );
    let gets_in = |redis: &Redis| {
        let streams = Streams::new(&redis.address(), &credentials).unwrap();
        let ada = ada.clone();
        async move { streams.last(&ada).await.is_ok() }
    };
    wait_for("the user to be made", || gets_in(&redis)).await;
    redis.kill().unwrap();
    notices.send(Notice::Restarted).unwrap();
    redis.restart().unwrap();
    redis.ready(OPERATOR).await.unwrap();
    wait_for("the user to be back", || gets_in(&redis)).await;
}

async fn wait_for<F: Future<Output = bool>>(what: &str, happened: impl Fn() -> F) {
    let begun = Instant::now();
    while !happened().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
