//! What budgets let a task cost: it pauses where that is used up, and goes on when there is more.
use komputer_events::{Body, Event, Money};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    harness::{Agent, Surroundings},
    tasks::{cost, ended, of_task, outcome, tool_outputs},
};

async fn allow(agent: &Agent, uid: &str, allowance: Value) -> StatusCode {
    let request = agent.request(Method::PUT, &format!("/v1/tasks/{uid}/allowance")).json(&allowance);
    request.send().await.unwrap().status()
}

fn up_to(usd: &str) -> Value {
    json!({ "upToUSD": usd, "budget": "team" })
}

/// What was said of budgets: the state, what the task had cost, and what it might.
fn said(events: &[Event], uid: &str) -> Vec<(String, Money, Option<Money>)> {
    let said = of_task(events, uid).into_iter().filter_map(|body| match body {
        Body::Budget { state, budget, cost_usd, allowance_usd } => {
            assert_eq!(budget, "team");
            Some((state.clone(), *cost_usd, *allowance_usd))
        }
        _ => None,
    });
    said.collect()
}

async fn waiting(surroundings: &mut Surroundings, uid: &str, times: usize) -> Vec<Event> {
    surroundings
        .until("the task to wait for its budget", async |surroundings| {
            let events = surroundings.redis.events().await;
            let waits = said(&events, uid).iter().filter(|(state, ..)| state == "waiting").count() >= times;
            waits.then_some(events)
        })
        .await
}

const SCRIPT: &str =
    "<<bash: echo 1 | tee -a done>><<bash: echo 2 | tee -a done>><<bash: echo 3 | tee -a done>><<text: all done>>";

#[tokio::test]
async fn a_task_pauses_where_its_allowance_ends_and_goes_on_with_more_also_over_a_restart() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    assert_eq!(allow(&agent, "t1", up_to("0.000001")).await, StatusCode::ACCEPTED);
    agent.ask("t1", SCRIPT).await;

    // The call that reaches the limit is the only one to pass it.
    let events = waiting(&mut surroundings, "t1", 1).await;
    let (first, calls) = surroundings.model.billed().await;
    assert_eq!(calls, 1, "the first call passes the limit, and no other is made");
    assert_eq!(said(&events, "t1"), [("waiting".into(), first, Some("0.000001".parse().unwrap()))]);

    // A larger allowance: one more call, in another process of the same conversation.
    let more = Money::from_nano(first.nano() + 1);
    assert_eq!(allow(&agent, "t1", up_to(&more.to_string())).await, StatusCode::ACCEPTED);
    let events = waiting(&mut surroundings, "t1", 2).await;
    assert_eq!(surroundings.model.billed().await.1, 2);
    assert_eq!(said(&events, "t1")[1], ("going_on".into(), first, Some(more)));
    assert!(of_task(&events, "t1").iter().any(|body| matches!(body, Body::TaskStarted { resuming_session: true, .. })));

    // A process that starts anew remembers it.
    agent.kill();
    let agent = surroundings.start_agent().await;
    waiting(&mut surroundings, "t1", 3).await;
    assert_eq!(surroundings.model.billed().await.1, 2, "it is not taken for one without limits");

    // Nothing limits it any more.
    assert_eq!(allow(&agent, "t1", json!({})).await, StatusCode::ACCEPTED);
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!(outcome(&events, "t1").result, "all done");
    assert_eq!(tool_outputs(&events, "t1").last(), Some(&"3"));
    let done = std::fs::read_to_string(surroundings.workspace().join("done")).unwrap();
    assert_eq!(done.lines().collect::<Vec<_>>(), ["1", "2", "3"], "nothing is done twice");
    assert_eq!(cost(&events), surroundings.model.billed().await);
}

#[tokio::test]
async fn a_raise_that_comes_soon_interrupts_nothing_and_a_paused_task_can_be_cancelled() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    allow(&agent, "t1", up_to("0.000001")).await;
    agent.ask("t1", "<<bash: echo hi>><<text: all done>>").await;
    surroundings
        .until("the first call", async |surroundings| (surroundings.model.billed().await.1 == 1).then_some(()))
        .await;
    allow(&agent, "t1", up_to("5")).await;
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!((outcome(&events, "t1").result.as_str(), said(&events, "t1")), ("all done", vec![]));
    let started = of_task(&events, "t1").into_iter().filter(|body| matches!(body, Body::TaskStarted { .. })).count();
    assert_eq!(started, 1, "in one process");

    allow(&agent, "t2", up_to("0")).await;
    agent.ask("t2", "<<text: never>>").await;
    waiting(&mut surroundings, "t2", 1).await;
    assert_eq!(agent.cancel("t2").await, StatusCode::ACCEPTED);
    let events = ended(&mut surroundings, "t2").await;
    assert!(matches!(of_task(&events, "t2").last(), Some(Body::TaskCancelled { .. })));
    assert_eq!(cost(&events), surroundings.model.billed().await);
}
