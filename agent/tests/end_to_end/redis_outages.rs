//! Losing Redis loses live delivery for a while, and nothing else.
use std::time::Duration;

use crate::{
    harness::Surroundings,
    tasks::{check_stream, cost, ended, outcome},
};

#[tokio::test]
async fn a_task_is_carried_out_without_redis_and_told_later() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    surroundings.redis.kill();
    let agent = surroundings.start_agent().await;
    agent.ask("t1", "<<bash: echo one>><<text: done>>").await;
    surroundings.until("the task to end", async |_| (agent.status().await.running.is_none()).then_some(())).await;
    assert!(agent.status().await.unpublished > 5);
    surroundings.redis.restart();
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!(outcome(&events, "t1").result, "done");
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn a_redis_that_restarts_empty_is_filled_again() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    agent.ask("t1", "<<text: one>>").await;
    let before = ended(&mut surroundings, "t1").await;
    surroundings.redis.restart();
    agent.ask("t2", "<<text: two>>").await;
    let events = ended(&mut surroundings, "t2").await;
    assert_eq!(events[..before.len()], before[..]);
    assert_eq!(agent.status().await.unpublished, 0);
}

#[tokio::test]
async fn a_redis_that_is_wiped_under_an_idle_agent_is_filled_again() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    agent.ask("t1", "<<text: one>>").await;
    let before = ended(&mut surroundings, "t1").await;
    surroundings.redis.wipe().await;
    surroundings
        .until("the stream to be whole again", async |surroundings| {
            tokio::time::sleep(Duration::from_millis(200)).await;
            (surroundings.redis.events().await == before).then_some(())
        })
        .await;
}

#[tokio::test]
async fn what_redis_lacks_after_a_crash_is_told_by_the_next_process() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    surroundings.redis.kill();
    agent.ask("t1", "<<text: one>>").await;
    surroundings.until("the task to end", async |_| (agent.status().await.running.is_none()).then_some(())).await;
    agent.kill();
    surroundings.redis.restart();
    let _agent = surroundings.start_agent().await;
    let events = ended(&mut surroundings, "t1").await;
    check_stream(&events);
    assert_eq!(outcome(&events, "t1").result, "one");
}
