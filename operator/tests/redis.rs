//! The users that the operator makes, on a real Redis.
#![allow(clippy::unwrap_used)]
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use komputer_crds::v1beta1::{KomputerAgent, KomputerAgentSpec};
use komputer_events::{
    AgentId, Cursor, Money,
    bus::{Credentials, Entry, Retention, Streams},
};
use komputer_operator::{
    access::{Access, Notice},
    bootstrap,
    budget::{Accounts, Ledger, Predecessor, Shares, Statement, Statements},
    keys::{Audience, MasterKey},
    watch::Change,
};
use komputer_tests::redis::{Memory, Redis};
use kube::runtime::{reflector, watcher::Event};
use redis::cmd;
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
    let known = agent.clone();
    let (agents, mut writer) = reflector::store();
    for event in [Event::Init, Event::InitApply(agent), Event::InitDone] {
        writer.apply_watcher_event(&event);
    }
    let master = MasterKey::new([7; 64]);
    let password = master.derive(Audience::Redis, "u1").reveal().to_owned();
    let (notices, noticed) = mpsc::unbounded_channel();
    let accounts = accounts(&redis);
    let access = Access::new(redis.streams(OPERATOR).unwrap(), agents, accounts.clone(), master);
    access.begin().await;
    tokio::spawn(access.run(noticed));

    let ada = AgentId::new("team-a", "ada").unwrap();
    let credentials = Credentials { username: "komputer-agent:team-a/ada".into(), password };
    let gets_in = |redis: &Redis| {
        let streams = Streams::new(&redis.address(), &credentials).unwrap();
        let ada = ada.clone();
        async move { streams.last(&ada).await.is_ok() }
    };
    wait_for("the user to be made", || gets_in(&redis)).await;
    accounts.write(&statement("ada", "u1")).await.unwrap();
    assert!(accounts.ledger().statement("u1").is_none(), "nobody of that name is known");
    accounts.ledger().agent_changed(&known, Change::Applied);
    accounts.write(&statement("ada", "u1")).await.unwrap();
    assert!(accounts.ledger().statement("u1").is_some());
    redis.kill().unwrap();
    notices.send(Notice::Restarted).unwrap();
    redis.restart().unwrap();
    redis.ready(OPERATOR).await.unwrap();
    wait_for("the user to be back", || gets_in(&redis)).await;
    wait_for("it to be known that the statement is lost", async || accounts.ledger().statement("u1").is_none()).await;
}

fn accounts(redis: &Redis) -> Accounts {
    let (agents, tasks, budgets) = Default::default();
    let ledger = Arc::new(Ledger::new(agents, tasks, budgets, Arc::default()));
    Accounts::new(redis.streams(OPERATOR).unwrap(), ledger)
}

fn statement(name: &str, uid: &str) -> Statement {
    Statement {
        agent: AgentId::new("team-a", name).unwrap(),
        uid: uid.into(),
        cursor: Cursor::at(7),
        shares: Shares::default(),
        budgets: ["budget".to_owned()].into(),
        reserved: Money::from_nano(1),
    }
}

#[tokio::test]
async fn what_an_agent_has_cost_is_kept_until_it_is_gone_and_forgotten_with_all_it_said() {
    let redis = Redis::start(&bootstrap::users(OPERATOR, API), Memory::Lost).unwrap();
    redis.ready(OPERATOR).await.unwrap();
    let streams = redis.streams(OPERATOR).unwrap();
    let ada = AgentId::new("team-a", "ada").unwrap();
    let entry = Entry { id: Cursor::at(1), json: "{}".into() };
    streams.append(&ada, "u1", None, &[entry], Retention::default()).await.unwrap();
    for statement in [statement("ada", "u1"), statement("bob", "u2"), statement("ada", "u1")] {
        streams.write(&statement).await.unwrap();
    }
    let mut kept = streams.all().await.unwrap();
    kept.sort_by(|one, other| one.uid.cmp(&other.uid));
    assert_eq!(kept, [statement("ada", "u1"), statement("bob", "u2")]);

    // A leader that finds none of these agents knows that they are gone.
    let (agents, mut writer) = reflector::store();
    for event in [Event::Init, Event::InitDone] {
        writer.apply_watcher_event(&event);
    }
    let accounts = accounts(&redis);
    assert!(accounts.ledger().is_reading());
    accounts.begin(&agents).await;
    assert!(!accounts.ledger().is_reading());
    assert_eq!(accounts.ledger().predecessor(&ada, "u3"), Predecessor::Leaving);
    assert_eq!(streams.last(&ada).await.unwrap(), Some(Cursor::at(1)), "what it said is still to be read");

    streams.forget(&ada, &["u1".to_owned()], false).await.unwrap();
    assert_eq!(streams.all().await.unwrap(), [statement("bob", "u2")]);
    assert_eq!(streams.last(&ada).await.unwrap(), Some(Cursor::at(1)), "another of that name goes on with it");
    streams.forget(&ada, &["u1".to_owned()], true).await.unwrap();
    assert_eq!(streams.last(&ada).await.unwrap(), None);
}

/// What a leader has said that another has taken over from, and Redis has not heard yet, would undo what that one does.
#[tokio::test]
async fn nothing_arrives_any_more_from_whoever_led_before() {
    let redis = Redis::start(&bootstrap::users(OPERATOR, API), Memory::Lost).unwrap();
    redis.ready(OPERATOR).await.unwrap();
    let (deposed, api) = (redis.streams(OPERATOR).unwrap(), redis.streams(API).unwrap());
    deposed.write(&statement("ada", "u1")).await.unwrap();
    api.last(&AgentId::new("team-a", "ada").unwrap()).await.unwrap();
    let (agents, _writer) = reflector::store();
    accounts(&redis).begin(&agents).await;
    assert!(deposed.write(&statement("bob", "u2")).await.is_err());
    let next = redis.streams(OPERATOR).unwrap();
    assert_eq!(next.all().await.unwrap(), [statement("ada", "u1")]);
    let clients: String = cmd("CLIENT").arg("LIST").query_async(&mut next.connection()).await.unwrap();
    assert!(clients.contains("user=komputer-api"), "others are not cut off: {clients}");
}

async fn wait_for<F: Future<Output = bool>>(what: &str, happened: impl Fn() -> F) {
    let begun = Instant::now();
    while !happened().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
