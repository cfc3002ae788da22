//! The bus on a real Redis that goes away.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::time::Duration;

use komputer_events::{
    AgentId, Cursor,
    bus::{Bells, BusError, Entry, Retention, Ring, bell_key, shard, stream_key},
};
use komputer_tests::redis::{Memory, Redis, credentials};

const ADMIN: &str = "admin";
const AGENT: &str = "agent";
const PATIENCE: Duration = Duration::from_secs(20);

fn ada() -> AgentId {
    AgentId::new("team-a", "ada").unwrap()
}

/// As in production: the default user cannot log in and may do everything, as whom Redis reads its own file.
fn admin() -> String {
    format!("user default off ~* &* +@all\nuser {ADMIN} on >{ADMIN} ~* &* +@all\n")
}

fn entry(counter: u64) -> Entry {
    Entry { id: format!("7-{counter}").parse().unwrap(), json: format!("{{\"seq\":{counter}}}") }
}

async fn append(redis: &Redis, user: &str, expected: Option<Cursor>, counter: u64) -> Result<(), BusError> {
    let streams = redis.streams(user).unwrap();
    streams.append(&ada(), "uid", expected, &[entry(counter)], Retention::default()).await
}

async fn all(redis: &Redis) -> Vec<Entry> {
    redis.streams(ADMIN).unwrap().after(&ada(), None, Cursor::START, 100).await.unwrap().entries
}

#[tokio::test]
async fn what_was_appended_outlives_redis() {
    let mut redis = Redis::start(&admin(), Memory::Kept).unwrap();
    redis.ready(ADMIN).await.unwrap();
    let mut last = None;
    for counter in 1..=50 {
        append(&redis, ADMIN, last, counter).await.unwrap();
        last = Some(entry(counter).id);
    }
    redis.restart().unwrap();
    redis.ready(ADMIN).await.unwrap();
    assert_eq!(all(&redis).await, (1..=50).map(entry).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_first_read_after_a_restart_is_answered() {
    let mut redis = Redis::start(&admin(), Memory::Kept).unwrap();
    redis.ready(ADMIN).await.unwrap();
    append(&redis, ADMIN, None, 1).await.unwrap();
    let streams = redis.streams(ADMIN).unwrap();
    assert_eq!(streams.last(&ada()).await.unwrap(), Some(entry(1).id));
    redis.restart().unwrap();
    redis.ready(ADMIN).await.unwrap();
    assert_eq!(streams.last(&ada()).await.unwrap(), Some(entry(1).id), "although its connection broke meanwhile");
}

#[tokio::test]
async fn a_user_that_is_made_after_the_first_login_gets_in() {
    let redis = Redis::start(&admin(), Memory::Lost).unwrap();
    redis.ready(ADMIN).await.unwrap();
    let streams = redis.streams(AGENT).unwrap();
    assert!(matches!(streams.last(&ada()).await, Err(BusError::Redis { .. })), "there is no such user yet");

    let mut command = redis::cmd("ACL");
    command.arg("SETUSER").arg(AGENT).arg("on").arg(format!(">{AGENT}"));
    command.arg(format!("~{}", stream_key(&ada()))).arg("+xrevrange");
    command.query_async::<()>(&mut redis.streams(ADMIN).unwrap().connection()).await.unwrap();
    assert_eq!(streams.last(&ada()).await.unwrap(), None);
}

#[tokio::test]
async fn an_append_that_is_repeated_changes_nothing() {
    let redis = Redis::start(&admin(), Memory::Lost).unwrap();
    redis.ready(ADMIN).await.unwrap();
    append(&redis, ADMIN, None, 1).await.unwrap();
    let again = append(&redis, ADMIN, None, 1).await;
    assert!(matches!(again, Err(BusError::Diverged { .. })), "{again:?}");
    assert_eq!(all(&redis).await, [entry(1)]);
}

#[tokio::test]
async fn bells_tell_who_spoke_and_after_an_outage_that_anybody_may_have() {
    let mut redis = Redis::start(&admin(), Memory::Kept).unwrap();
    redis.ready(ADMIN).await.unwrap();
    let mut rings = Bells::listen(&redis.address(), &credentials(ADMIN));
    let mut ring = async || tokio::time::timeout(PATIENCE, rings.recv()).await.expect("nothing rang");
    assert_eq!(ring().await, Some(Ring::Anybody));
    append(&redis, ADMIN, None, 1).await.unwrap();
    assert_eq!(ring().await, Some(Ring::Agents([ada()].into())));
    redis.restart().unwrap();
    assert_eq!(ring().await, Some(Ring::Anybody));
    append(&redis, ADMIN, Some(entry(1).id), 2).await.unwrap();
    assert_eq!(ring().await, Some(Ring::Agents([ada()].into())));
}

#[tokio::test]
async fn a_bell_keeps_a_bounded_number_of_rings() {
    let redis = Redis::start(&admin(), Memory::Lost).unwrap();
    redis.ready(ADMIN).await.unwrap();
    let mut last = None;
    for counter in 1..=2_500 {
        append(&redis, ADMIN, last, counter).await.unwrap();
        last = Some(entry(counter).id);
    }
    let mut length = redis::cmd("XLEN");
    length.arg(bell_key(shard(&ada())));
    let length: usize = length.query_async(&mut redis.streams(ADMIN).unwrap().connection()).await.unwrap();
    assert!((1_000..1_200).contains(&length), "{length}");
}
