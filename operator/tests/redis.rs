//! The users that the operator makes, on a real Redis.
#![allow(clippy::unwrap_used)]
use komputer_events::{
    AgentId, Cursor,
    bus::{Credentials, Entry, Retention, Streams},
};
use komputer_operator::bootstrap;
use komputer_tests::redis::{Memory, Redis};

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
